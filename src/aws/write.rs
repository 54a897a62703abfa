//! Mutating AWS: the smallest file, on purpose.
//!
//! # Guarantees
//! - A mutation takes an [`Admitted`] by value and reads what to do from inside it: nothing is sent that the guard did not
//!   admit, and nothing twice.
//! - It is tried once. The SDK's retries are off, in the client's own configuration, above anything that the environment
//!   says.
//! - It passes a gate of its own right before it is transmitted; what did not pass was [never
//!   sent](crate::model::ErrorClass::NeverSent), and what passed without an answer is
//!   [ambiguous](crate::model::ErrorClass::Ambiguous).
//!
//! The clients are private, and refuse every operation that is not a mutation on the closed list.

use super::api::{Api, Kind};
use super::budget::Priority;
use super::call::Caller;
use super::config::{ScopeKey, Sdk, client, write_timeouts};
use super::credentials::Kept;
use super::error::Request;
use super::interceptors::{OnlyThese, Passed, SendGate};
use crate::decide::guard::Admitted;
use crate::model::{AwsError, ErrorClass, InstanceId, Intent, Region, Stamp, Step};
use aws_smithy_runtime_api::client::interceptors::SharedInterceptor;
use aws_smithy_types::retry::RetryConfig;
use aws_types::request_id::RequestId as _;

/// The write clients of one scope.
#[derive(Debug)]
pub struct Writer {
    caller: Caller,
    region: Region,
    credentials: Kept,
    ec2: aws_sdk_ec2::Client,
}

/// AWS accepted a mutation. That is not yet its effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub request_id: Option<String>,
    /// The instance that a launch made.
    pub launched: Option<InstanceId>,
}

impl Writer {
    /// # Errors
    /// If the scope is not configured well enough to send anything.
    pub async fn new(sdk: &Sdk, key: &ScopeKey) -> Result<Self, AwsError> {
        let scope = sdk.scope(key).await?;
        let only_mutations = [SharedInterceptor::permanent(OnlyThese {
            kinds: &[Kind::Mutation],
        })];
        Ok(Self {
            ec2: client!(
                aws_sdk_ec2,
                &scope,
                RetryConfig::disabled(),
                write_timeouts(),
                only_mutations
            ),
            caller: Caller {
                clock: sdk.env.clock.clone(),
                budgets: sdk.budgets.clone(),
                purse: scope.purse.clone(),
            },
            credentials: scope.credentials,
            region: scope.region,
        })
    }

    pub fn region(&self) -> &Region {
        &self.region
    }

    /// Takes a request for `step` out of the budget. A start takes it without waiting.
    pub async fn reserve(&self, step: &Step) {
        match step {
            Step::Start { .. } => {
                self.caller
                    .budgets
                    .acquire(&self.caller.purse, Api::StartInstances, Priority::Start)
                    .await;
            }
            _ => {}
        }
    }

    /// Makes sure of the credentials, so that no role need be assumed between the reading of the pause flag and the send.
    ///
    /// # Errors
    /// If there are none to be had. Nothing was sent.
    pub async fn warm(&self) -> Result<(), AwsError> {
        self.credentials.warm().await
    }

    /// Sends what was admitted.
    ///
    /// # Errors
    /// `NeverSent`: it had no effect. `Ambiguous`: nobody knows; look. Anything else: AWS refused it, without effect.
    pub async fn send(&self, admitted: Admitted) -> Result<Accepted, AwsError> {
        let (intent, pause_read) = admitted.into_parts();
        self.carry_out(&intent, pause_read).await
    }

    /// The client itself, to try what must not work.
    #[cfg(test)]
    pub(super) fn ec2_for_tests(&self) -> &aws_sdk_ec2::Client {
        &self.ec2
    }

    async fn carry_out(&self, intent: &Intent, pause_read: Stamp) -> Result<Accepted, AwsError> {
        let passed = Passed::default();
        let gate = SendGate {
            clock: self.caller.clock.clone(),
            pause_read,
            passed: passed.clone(),
        };
        match &intent.step {
            Step::Start { instances } => {
                let ids: Vec<String> = instances.keys().map(ToString::to_string).collect();
                let object = ids.join(", ");
                let request = self
                    .ec2
                    .start_instances()
                    .set_instance_ids(Some(ids))
                    .customize()
                    .interceptor(gate);
                let kind = || Request::Mutation {
                    passed_gate: passed.has_passed(),
                };
                let answer = self
                    .caller
                    .call(Api::StartInstances, &object, request.send(), kind)
                    .await?;
                Ok(Accepted {
                    request_id: answer.request_id().map(str::to_owned),
                    launched: None,
                })
            }
            other => Err(AwsError {
                operation: other.operation().to_owned(),
                object: None,
                class: ErrorClass::NeverSent,
                code: None,
                message: "this writer has no such request".to_owned(),
                request_id: None,
            }),
        }
    }
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
