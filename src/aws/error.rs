//! The one table from AWS's error codes to [`ErrorClass`], and the one function that applies it.
//!
//! A wrong class costs differently in each direction, so doubt goes one way: a mutation whose request may have left
//! this machine is *ambiguous* unless AWS's own answer says that it had no effect. An ambiguous mutation is settled by
//! looking, which costs one look; a lost one taken for failed would be sent twice.
//!
//! AWS answers some refusals with 5xx (capacity, throttling): the code decides, the HTTP status only where there is no
//! known code.

use crate::model::ErrorClass::{
    Capacity, Image, InvalidState, NotAuthorised, Permanent, Quota, Throttled, Token, Transient,
};
use crate::model::{AwsError, ErrorClass};
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::dns::ResolveDnsError;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;
use std::error::Error;
use std::io;

/// Longest message that is kept of one error, in characters: AWS appends encoded authorisation details of thousands.
const MOST_MESSAGE_CHARS: usize = 1_000;

/// Deepest chain of causes that is followed; a cycle would otherwise never end.
const MOST_CAUSES: usize = 16;

/// What is known of a request when its error is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    Read,
    Mutation {
        /// Whether it passed the send gate. Until then nothing has left this machine, whatever went wrong.
        passed_gate: bool,
    },
}

/// The error of an interceptor that refused a request before it was transmitted.
#[derive(Debug, thiserror::Error)]
#[error("held back on this side before it was sent: {why}")]
pub struct HeldBack {
    pub why: String,
}

/// What a code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Is(ErrorClass),
    /// AWS failed in passing and says nothing about the effect: transient for a read, ambiguous for a mutation.
    Lost,
}

/// Says what a failed call means.
///
/// `operation` and `object` name it for people; `error` is what the SDK returned.
pub fn classify<E>(
    operation: &str,
    object: Option<&str>,
    error: &SdkError<E, Response>,
    request: Request,
) -> AwsError
where
    E: Error + ProvideErrorMetadata + 'static,
{
    let code = error
        .code()
        .map(str::to_owned)
        .or_else(|| code_behind_credentials(error));
    let status = error.raw_response().map(|response| response.status().as_u16());
    let message = match error.message() {
        Some(message) => bounded(message),
        None => bounded(&chain(error)),
    };
    AwsError {
        operation: operation.to_owned(),
        object: object.map(str::to_owned),
        class: class_of(error, code.as_deref(), status, request),
        code,
        message,
        request_id: error.request_id().map(str::to_owned),
    }
}

fn class_of<E: Error + 'static>(
    error: &SdkError<E, Response>,
    code: Option<&str>,
    status: Option<u16>,
    request: Request,
) -> ErrorClass {
    let lost = match request {
        Request::Read => ErrorClass::Transient,
        Request::Mutation { passed_gate: false } => return ErrorClass::NeverSent,
        Request::Mutation { passed_gate: true } => ErrorClass::Ambiguous,
    };
    match error {
        SdkError::ConstructionFailure(_) => ErrorClass::NeverSent,
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            _ if find::<HeldBack>(error).is_some() => ErrorClass::NeverSent,
            _ if find::<CredentialsError>(error).is_some() => credentials_class(code),
            // Sent to nobody: a mutation may be tried again at the next look, without the wait that a refusal is given.
            Some(connector) if never_connected(connector) => match request {
                Request::Read => ErrorClass::Transient,
                Request::Mutation { .. } => ErrorClass::NeverSent,
            },
            _ => lost,
        },
        SdkError::ServiceError(_) => match code.and_then(meaning_of) {
            Some(Meaning::Is(class)) => class,
            Some(Meaning::Lost) => lost,
            None => class_of_status(status, lost),
        },
        // An answer came that could not be read: of a mutation, nobody knows what it said.
        _ => lost,
    }
}

/// No credentials: if STS or another provider answered with a code, that says why; otherwise it may pass.
fn credentials_class(code: Option<&str>) -> ErrorClass {
    match code.and_then(meaning_of) {
        Some(Meaning::Is(class)) => class,
        _ => ErrorClass::Transient,
    }
}

/// An answer without a code that the table knows.
fn class_of_status(status: Option<u16>, lost: ErrorClass) -> ErrorClass {
    match status {
        Some(429) => ErrorClass::Throttled,
        Some(401 | 403) => ErrorClass::NotAuthorised,
        Some(404) => ErrorClass::NotFound,
        Some(408) => lost,
        Some(400..=499) => ErrorClass::Permanent,
        _ => lost,
    }
}

/// The table. Codes come with and without `Exception`, depending on the service, and some old answers of EC2 say in front
/// whose fault it was.
fn meaning_of(code: &str) -> Option<Meaning> {
    let code = code
        .strip_prefix("Client.")
        .or_else(|| code.strip_prefix("Server."))
        .unwrap_or(code);
    let bare = code.strip_suffix("Exception").unwrap_or(code);
    exact_meaning(bare)
        .or_else(|| pattern_meaning(code))
        .or_else(|| exact_meaning(code))
}

fn exact_meaning(code: &str) -> Option<Meaning> {
    Some(Meaning::Is(match code {
        "Throttling"
        | "Throttled"
        | "RequestThrottled"
        | "TooManyRequests"
        | "ProvisionedThroughputExceeded"
        | "RequestLimitExceeded"
        | "BandwidthLimitExceeded"
        | "LimitExceeded"
        | "SlowDown"
        | "PriorRequestNotComplete"
        | "EC2Throttled" => Throttled,
        "RequestTimeout"
        | "InternalError"
        | "InternalFailure"
        | "InternalServerError"
        | "ServiceUnavailable"
        | "Unavailable"
        | "HealthUnavailable" => return Some(Meaning::Lost),
        // Refused without effect, and with other credentials or at another moment it passes.
        "ResourceContention" | "ExpiredToken" | "RequestExpired" => Transient,
        "InsufficientInstanceCapacity"
        | "ReservationCapacityExceeded"
        | "InsufficientHostCapacity"
        | "InsufficientReservedInstanceCapacity"
        | "InsufficientAddressCapacity"
        | "InsufficientVolumeCapacity"
        | "InsufficientCapacity"
        | "InsufficientCapacityOnHost"
        | "InsufficientFreeAddressesInSubnet"
        | "UnfulfillableCapacity"
        | "Unsupported" => Capacity,
        "VcpuLimitExceeded"
        | "InstanceLimitExceeded"
        | "VolumeLimitExceeded"
        | "MaxIOPSLimitExceeded"
        | "NetworkInterfaceLimitExceeded"
        | "TagLimitExceeded"
        | "TooManyTargets"
        | "TooManyRegistrationsForTargetId" => Quota,
        "IncorrectInstanceState"
        | "IncorrectState"
        | "ScalingActivityInProgress"
        | "ConcurrentTagAccess"
        | "TransactionConflict" => InvalidState,
        // An image without its snapshot is none either.
        "InvalidAMIID.NotFound" | "InvalidAMIID.Unavailable" | "InvalidSnapshot.NotFound" => Image,
        "IdempotentParameterMismatch" | "IdempotentInstanceTerminated" => Token,
        code if is_denial(code) => NotAuthorised,
        // Termination or stop protection, among others.
        "OperationNotPermitted"
        | "SubscriptionRequired"
        | "ValidationError"
        | "Validation"
        | "MissingParameter"
        | "UnknownParameter"
        | "InvalidAction"
        | "UnsupportedOperation"
        | "DryRunOperation" => Permanent,
        // ELB's word for a target that is gone, that does not run, or that is in another network.
        "InvalidTarget" | "ParameterNotFound" | "TargetGroupNotFound" | "LoadBalancerNotFound" => {
            ErrorClass::NotFound
        }
        _ => return None,
    }))
}

fn is_denial(code: &str) -> bool {
    matches!(
        code,
        "UnauthorizedOperation"
            | "AccessDenied"
            | "AuthFailure"
            | "OptInRequired"
            | "PendingVerification"
            | "Blocked"
            | "InvalidClientTokenId"
            | "SignatureDoesNotMatch"
            | "UnrecognizedClient"
            | "MissingAuthenticationToken"
            | "IncompleteSignature"
            | "InvalidAccessKeyId"
    )
}

fn pattern_meaning(code: &str) -> Option<Meaning> {
    let refused = [
        "InvalidLaunchTemplateId.",
        "InvalidLaunchTemplateName.",
        "InvalidParameter",
    ];
    let class = if refused.iter().any(|start| code.starts_with(start)) || code.ends_with(".Malformed") {
        ErrorClass::Permanent
    } else if code.ends_with(".NotFound") {
        ErrorClass::NotFound
    } else {
        return None;
    };
    Some(Meaning::Is(class))
}

/// Whether the connection was never made, so that nothing can have been transmitted. Known only from what the connector
/// says; where it says nothing, the answer is no.
fn never_connected(error: &ConnectorError) -> bool {
    let refused = find::<io::Error>(error).is_some_and(|io| io.kind() == io::ErrorKind::ConnectionRefused);
    // The status that `ConnectorError::never_connected` sets, and the connector's own error types, can be read in
    // no other way than by their text.
    refused
        || find::<ResolveDnsError>(error).is_some()
        || format!("{error:?}").contains("connection: NeverConnected")
        || causes(error).any(|cause| cause.to_string() == "client error (Connect)")
}

/// The code of the STS answer that left a role without credentials.
fn code_behind_credentials(error: &(dyn Error + 'static)) -> Option<String> {
    use aws_sdk_sts::operation::assume_role::AssumeRoleError;
    find::<AssumeRoleError>(error)?.code().map(str::to_owned)
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source()).take(MOST_CAUSES)
}

fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    causes(error).find_map(|cause| cause.downcast_ref::<T>())
}

/// An error with all its causes, outermost first, without repetition.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for cause in causes(error) {
        let words = cause.to_string();
        if words.is_empty() || text.contains(&words) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&words);
    }
    text
}

fn bounded(text: &str) -> String {
    let mut kept: String = text.chars().take(MOST_MESSAGE_CHARS).collect();
    if kept.len() < text.len() {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
