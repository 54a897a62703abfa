//! Why the world says no, without the wire form that each service gives it.

use std::borrow::Cow;

/// Why the world refuses. The same refusal has another code and status in each service; `wire` knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    Throttled,
    /// The caller may not do this.
    NotAuthorized,
    /// The access key is unknown here.
    UnknownKey,
    /// The credentials' time is over.
    ExpiredCredentials,
    /// The simulation does not model this; never ignored, so that a test cannot pass by luck.
    NotModelled,
    /// A code and HTTP status of the service itself.
    Service {
        status: u16,
        code: Cow<'static, str>,
    },
}

/// A refusal, with a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    pub refusal: Refusal,
    pub message: String,
}

impl ApiError {
    /// A service's own error with status 400.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::with_status(400, code, message)
    }

    pub fn with_status(status: u16, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self {
            refusal: Refusal::Service {
                status,
                code: code.into(),
            },
            message: message.into(),
        }
    }

    pub fn not_modelled(what: impl Into<String>) -> Self {
        let message = format!("the simulated AWS does not model {}", what.into());
        Self {
            refusal: Refusal::NotModelled,
            message,
        }
    }

    /// What EC2 says to `DryRun` when the call would have succeeded.
    pub fn dry_run() -> Self {
        let text = "Request would have succeeded, but DryRun flag is set.";
        Self::with_status(412, "DryRunOperation", text)
    }

    pub fn throttled() -> Self {
        Self {
            refusal: Refusal::Throttled,
            message: "Request limit exceeded.".to_owned(),
        }
    }

    pub fn not_authorized(action: &str) -> Self {
        let message = format!("You are not authorized to perform this operation: {action}");
        Self {
            refusal: Refusal::NotAuthorized,
            message,
        }
    }
}
