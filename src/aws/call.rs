//! One AWS call: its place in the budget before, its error class and its line in the log after.

use super::api::Api;
use super::budget::{Budgets, Priority, Purse};
use super::error::{Request, classify};
use crate::env::Clock;
use crate::model::AwsError;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;

/// Makes the calls of one scope.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub clock: Clock,
    pub budgets: Budgets,
    pub purse: Purse,
}

impl Caller {
    /// Waits for the budget, then reads.
    ///
    /// # Errors
    /// Whatever the call ended with, classified; the budget itself never fails.
    pub async fn read<T, E>(
        &self,
        api: Api,
        object: &str,
        priority: Priority,
        request: impl Future<Output = Result<T, SdkError<E, Response>>>,
    ) -> Result<T, AwsError>
    where
        T: RequestId,
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        self.budgets.acquire(&self.purse, api, priority).await;
        self.call(api, object, request, || Request::Read).await
    }

    /// Calls, without asking the budget. `kind` is asked after the call, when it is known how far it came.
    ///
    /// # Errors
    /// Whatever the call ended with, classified.
    pub async fn call<T, E>(
        &self,
        api: Api,
        object: &str,
        request: impl Future<Output = Result<T, SdkError<E, Response>>>,
        kind: impl FnOnce() -> Request,
    ) -> Result<T, AwsError>
    where
        T: RequestId,
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        let begun = self.clock.now();
        let answer = request.await;
        let latency_ms = self.clock.now().since(&begun).as_millis();
        let operation = api.name();
        match answer {
            Ok(answer) => {
                tracing::debug!(
                    operation,
                    object,
                    request_id = answer.request_id(),
                    latency_ms,
                    "AWS call"
                );
                Ok(answer)
            }
            Err(error) => {
                let error = classify(
                    operation,
                    Some(object).filter(|text| !text.is_empty()),
                    &error,
                    kind(),
                );
                // Whoever decides what the failure means logs it as such; here it is one call among others.
                tracing::debug!(
                    operation,
                    object,
                    request_id = error.request_id,
                    latency_ms,
                    class = ?error.class,
                    code = error.code,
                    message = error.message,
                    "AWS call failed"
                );
                Err(error)
            }
        }
    }
}
