//! Requests to the world that are not for AWS: webhooks and the heartbeat.
//!
//! A trait, because the real one goes through the AWS SDK's own connector: so the simulation plays Slack on the same wire
//! as it plays AWS.

use futures_util::future::BoxFuture;
use std::time::Duration;

/// Of an answer's body, this many bytes are kept: enough for the word by which Slack says what is wrong.
pub const ANSWER_KEPT_BYTES: usize = 1024;

/// Sends one request and returns its answer.
///
/// The URL is a secret: an implementation shows it in no error and no log. Redirects are not followed: a 3xx is an answer like
/// any other. The caller bounds the time; a future that is dropped gives up its connection.
pub trait Poster: Send + Sync {
    /// POST with `Content-Type: application/json`.
    fn post_json<'a>(&'a self, url: &'a str, body: String) -> BoxFuture<'a, Result<Posted, PostError>>;

    fn get<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Posted, PostError>>;
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Posted {
    pub status: u16,
    /// The header `Retry-After`, where it is in seconds.
    pub retry_after: Option<Duration>,
    /// The first [`ANSWER_KEPT_BYTES`] of the body; what is not UTF-8 in it is replaced.
    pub body: String,
}

/// No answer came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    #[error("the URL is not a usable http or https address")]
    BadUrl,
    #[error("no answer in time")]
    Timeout,
    /// Without the URL.
    #[error("no connection: {0}")]
    Unreachable(String),
}
