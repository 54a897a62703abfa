//! What keepgreen keeps in AWS for itself: the pause flag as an SSM parameter, in the controller's own account and region.
//!
//! These need no admission, because they touch nothing that a policy is about, and a person pauses through them: a pause
//! must never wait for a guard. The list is closed, and the clients refuse everything else.

use super::api::{Api, Kind};
use super::call::Caller;
use super::config::{ScopeKey, Sdk, client, read_retries, read_timeouts};
use super::error::Request;
use crate::model::{AwsError, ErrorClass};
use aws_sdk_ssm::types::ParameterType;
use aws_smithy_runtime_api::client::interceptors::SharedInterceptor;

use super::interceptors::OnlyThese;

/// The bookkeeping clients, with the process's own credentials.
#[derive(Debug)]
pub struct Bookkeeping {
    caller: Caller,
    parameters: aws_sdk_ssm::Client,
}

impl Bookkeeping {
    /// # Errors
    /// If region or credentials are not configured.
    pub async fn new(sdk: &Sdk) -> Result<Self, AwsError> {
        let scope = sdk
            .scope(&ScopeKey {
                role: None,
                region: None,
            })
            .await?;
        let only_bookkeeping = [SharedInterceptor::permanent(OnlyThese {
            kinds: &[Kind::Bookkeeping],
        })];
        Ok(Self {
            // Both calls set a state, and say the same when they are repeated: retrying them is safe.
            parameters: client!(
                aws_sdk_ssm,
                &scope,
                read_retries(),
                read_timeouts(),
                only_bookkeeping
            ),
            caller: Caller {
                clock: sdk.env.clock.clone(),
                budgets: sdk.budgets.clone(),
                purse: scope.purse,
            },
        })
    }

    /// Sets a parameter, whatever it was before.
    ///
    /// # Errors
    /// If it may not have been set: say so to the person who paused.
    pub async fn put_parameter(&self, name: &str, value: &str) -> Result<(), AwsError> {
        let request = self
            .parameters
            .put_parameter()
            .name(name)
            .value(value)
            .overwrite(true);
        let request = request.r#type(ParameterType::String);
        self.caller
            .call(Api::PutParameter, name, request.send(), || Request::Read)
            .await?;
        Ok(())
    }

    /// Removes a parameter; one that is not there is removed.
    ///
    /// # Errors
    /// If it may still be set.
    pub async fn delete_parameter(&self, name: &str) -> Result<(), AwsError> {
        let request = self.parameters.delete_parameter().name(name);
        match self
            .caller
            .call(Api::DeleteParameter, name, request.send(), || Request::Read)
            .await
        {
            Err(error) if error.class != ErrorClass::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
#[path = "bookkeeping_tests.rs"]
mod tests;
