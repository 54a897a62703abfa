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

mod launch;

use super::api::{Api, Kind};
use super::budget::Priority;
use super::call::Caller;
use super::config::{ScopeKey, Sdk, client, write_timeouts};
use super::credentials::Kept;
use super::error::Request;
use super::interceptors::{OnlyThese, Passed, SendGate};
use crate::decide::guard::Admitted;
use crate::model::{AwsError, InstanceId, Intent, Launch, Mutant, Region, Stamp, Step, TargetStep, tags};
use aws_sdk_ec2::types::{EbsInstanceBlockDeviceSpecification, InstanceBlockDeviceMappingSpecification, Tag};
use aws_sdk_elasticloadbalancingv2::types::TargetDescription;
use aws_smithy_runtime_api::client::interceptors::SharedInterceptor;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use aws_types::request_id::RequestId;

/// The write clients of one scope.
#[derive(Debug)]
pub struct Writer {
    caller: Caller,
    region: Region,
    credentials: Kept,
    ec2: aws_sdk_ec2::Client,
    balancing: aws_sdk_elasticloadbalancingv2::Client,
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
        let only_mutations = || {
            [SharedInterceptor::permanent(OnlyThese {
                kinds: &[Kind::Mutation],
            })]
        };
        let (retries, timeouts) = (RetryConfig::disabled, write_timeouts);
        Ok(Self {
            ec2: client!(aws_sdk_ec2, &scope, retries(), timeouts(), only_mutations()),
            balancing: client!(
                aws_sdk_elasticloadbalancingv2,
                &scope,
                retries(),
                timeouts(),
                only_mutations()
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

    /// Takes a request for `step` out of the budget. A start takes it without waiting; whatever else waits for its turn, before
    /// quiet reads.
    pub async fn reserve(&self, step: &Step) {
        let priority = match step {
            Step::Start { .. } => Priority::Start,
            _ => Priority::Repair,
        };
        self.caller
            .budgets
            .acquire(&self.caller.purse, api_of(step), priority)
            .await;
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

    /// Past the guard, for the tests of what a simulated AWS makes of a request.
    #[cfg(test)]
    pub(crate) async fn send_unadmitted(
        &self,
        intent: &Intent,
        pause_read: Stamp,
    ) -> Result<Accepted, AwsError> {
        self.carry_out(intent, pause_read).await
    }

    async fn carry_out(&self, intent: &Intent, pause_read: Stamp) -> Result<Accepted, AwsError> {
        let exit = Exit {
            caller: &self.caller,
            api: api_of(&intent.step),
            pause_read,
            passed: Passed::default(),
        };
        match &intent.step {
            Step::Start { instances } => {
                let ids: Vec<String> = instances.keys().map(ToString::to_string).collect();
                let object = ids.join(", ");
                let request = self.ec2.start_instances().set_instance_ids(Some(ids)).customize();
                exit.send(&object, request.interceptor(exit.gate()).send())
                    .await
                    .map(accepted)
            }
            Step::Launch(launch) => self.launch(launch, exit).await,
            Step::Register(target) => self.register(target, exit).await,
            Step::Deregister(target) => self.deregister(target, exit).await,
            Step::Stop { instance, .. } => {
                // Never forced, which loses what is not written yet, and never to hibernation.
                let request = self
                    .ec2
                    .stop_instances()
                    .instance_ids(instance.as_str())
                    .customize();
                exit.send(instance.as_str(), request.interceptor(exit.gate()).send())
                    .await
                    .map(accepted)
            }
            Step::Terminate { instance, .. } => {
                let request = self
                    .ec2
                    .terminate_instances()
                    .instance_ids(instance.as_str())
                    .customize();
                exit.send(instance.as_str(), request.interceptor(exit.gate()).send())
                    .await
                    .map(accepted)
            }
            Step::KeepVolume { instance, device, .. } => self.keep_volume(instance, device, exit).await,
            Step::Retire { instance, at, .. } => {
                let mark = Tag::builder().key(tags::RETIRED).value(at).build();
                let request = self
                    .ec2
                    .create_tags()
                    .resources(instance.as_str())
                    .tags(mark)
                    .customize();
                exit.send(instance.as_str(), request.interceptor(exit.gate()).send())
                    .await
                    .map(accepted)
            }
        }
    }

    async fn keep_volume(
        &self,
        instance: &InstanceId,
        device: &str,
        exit: Exit<'_>,
    ) -> Result<Accepted, AwsError> {
        let volume = EbsInstanceBlockDeviceSpecification::builder()
            .delete_on_termination(false)
            .build();
        let mapping = InstanceBlockDeviceMappingSpecification::builder()
            .device_name(device)
            .ebs(volume)
            .build();
        let request = self
            .ec2
            .modify_instance_attribute()
            .instance_id(instance.as_str())
            .block_device_mappings(mapping)
            .customize();
        exit.send(instance.as_str(), request.interceptor(exit.gate()).send())
            .await
            .map(accepted)
    }

    async fn register(&self, target: &TargetStep, exit: Exit<'_>) -> Result<Accepted, AwsError> {
        let request = self
            .balancing
            .register_targets()
            .target_group_arn(target.arn.as_str())
            .targets(description(target))
            .customize();
        exit.send(&told(target), request.interceptor(exit.gate()).send())
            .await
            .map(accepted)
    }

    /// AWS accepts the end of a registration that there is not.
    async fn deregister(&self, target: &TargetStep, exit: Exit<'_>) -> Result<Accepted, AwsError> {
        let request = self
            .balancing
            .deregister_targets()
            .target_group_arn(target.arn.as_str())
            .targets(description(target))
            .customize();
        exit.send(&told(target), request.interceptor(exit.gate()).send())
            .await
            .map(accepted)
    }

    async fn launch(&self, launch: &Launch, exit: Exit<'_>) -> Result<Accepted, AwsError> {
        let object = launch::told(launch);
        let request = launch::request(self.ec2.run_instances(), launch).customize();
        let answer = exit
            .send(&object, request.interceptor(exit.gate()).send())
            .await?;
        launch::made(&answer, object).map(|instance| Accepted {
            launched: Some(instance),
            ..accepted(answer)
        })
    }
}

/// One request's way out: the gate that it passes, and what becomes known of its passing.
struct Exit<'a> {
    caller: &'a Caller,
    api: Api,
    pause_read: Stamp,
    passed: Passed,
}

impl Exit<'_> {
    fn gate(&self) -> SendGate {
        SendGate {
            clock: self.caller.clock.clone(),
            pause_read: self.pause_read,
            passed: self.passed.clone(),
        }
    }

    async fn send<T, E>(
        &self,
        object: &str,
        request: impl Future<Output = Result<T, SdkError<E, Response>>>,
    ) -> Result<T, AwsError>
    where
        T: RequestId,
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        let kind = || Request::Mutation {
            passed_gate: self.passed.has_passed(),
        };
        self.caller.call(self.api, object, request, kind).await
    }
}

fn accepted(answer: impl RequestId) -> Accepted {
    Accepted {
        request_id: answer.request_id().map(str::to_owned),
        launched: None,
    }
}

fn api_of(step: &Step) -> Api {
    match step {
        Step::Start { .. } => Api::StartInstances,
        Step::Launch(_) => Api::RunInstances,
        Step::Register(_) => Api::RegisterTargets,
        Step::Deregister(_) => Api::DeregisterTargets,
        Step::Stop { .. } => Api::StopInstances,
        Step::Terminate { .. } => Api::TerminateInstances,
        Step::KeepVolume { .. } => Api::ModifyInstanceAttribute,
        Step::Retire { .. } => Api::CreateTags,
    }
}

/// By id **and** port: AWS answers 200 to the deregistration of an id without its port, and does nothing.
fn description(target: &TargetStep) -> TargetDescription {
    TargetDescription::builder()
        .id(target.instance.as_str())
        .set_port(
            target
                .port
                .filter(|_| !Mutant::PortIsLeftOut.is_on())
                .map(i32::from),
        )
        .build()
}

/// `i-0… on port 8443 of tis-upload`
fn told(target: &TargetStep) -> String {
    let port = target
        .port
        .map(|port| format!(" on port {port}"))
        .unwrap_or_default();
    format!("{}{port} of {}", target.instance, target.group)
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "write/step_tests.rs"]
mod step_tests;
