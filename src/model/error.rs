//! What a failed AWS call means, in the few classes that the program distinguishes.

use serde::{Deserialize, Serialize};

/// The classes of errors; the table that maps AWS's codes onto them is `aws::error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorClass {
    /// Too many requests: wait, then try again.
    Throttled,
    /// AWS or the network failed in passing, and the request had no effect or was a read.
    Transient,
    /// A mutation was sent and no answer came: it may have had its effect. Never retried blind.
    Ambiguous,
    /// No capacity for this request where it was asked for; another zone, type or time may have it.
    Capacity,
    /// A limit of the account, which a person must raise.
    Quota,
    NotFound,
    /// The object is not in the state that the request needs: read again first.
    InvalidState,
    /// The image cannot be launched.
    Image,
    NotAuthorised,
    /// The client token was used for another request, or for something that is gone.
    Token,
    /// Will fail the same way each time.
    Permanent,
    /// Refused on this side before anything was transmitted, or no connection came about: it had no effect.
    NeverSent,
}

/// One failed AWS call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{operation}{}: {}{message}{}", .object.as_ref().map(|o| format!(" for {o}")).unwrap_or_default(), .code.as_ref().map(|c| format!("{c}: ")).unwrap_or_default(), .request_id.as_ref().map(|r| format!(" (request {r})")).unwrap_or_default())]
pub struct AwsError {
    /// `StartInstances`
    pub operation: String,
    /// The id, name or filter that the call was about.
    pub object: Option<String>,
    pub class: ErrorClass,
    /// AWS's error code, where an answer came.
    pub code: Option<String>,
    pub message: String,
    pub request_id: Option<String>,
}
