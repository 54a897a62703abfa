//! Telling people: Slack, plain webhooks, and the heartbeat that stops when the controller does.
//!
//! Notices come out of the journal's outbox, which a look or an outcome put them in; so what was decided is told even if the
//! process dies in between, and nothing is told twice over restarts. [`Notifier::run`] is a future of its own beside
//! the loop.
//!
//! Guarantees:
//! - It never blocks a repair, and a channel that hangs or fails delays no other channel (L3): [`PATIENCE`] bounds each
//!   request, and a failing channel is tried less and less often, down to once an hour.
//! - A notice counts as told only when its channel has answered 2xx. At least once: a process that dies between the
//!   answer and its note of it tells it again, under the same key.
//! - Text from AWS and from tags is inert: see [`slack`] and [`webhook`].
//! - URLs are resolved from their [`crate::policy::SecretRef`] for each sweep, so a rotated one needs no restart, and
//!   appear in no log, error or journal entry (S25).
//! - Redirects are not followed: a notice goes where the config says or nowhere.
//!
//! SNS and PagerDuty are not in this version yet: a channel of such a kind is unusable, and says so
//! ([`unusable_because`]).

mod answer;
mod deliver;
mod heartbeat;
mod limit;
pub mod slack;
pub mod webhook;

pub use deliver::{Notifier, Resolver, SWEEP_EVERY, Sweep};
pub use heartbeat::beat;

use crate::policy::Channel;
use std::time::Duration;

/// One request, connection included. Slack answers within a second; a channel that needs longer is not well.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Why a channel can never take a notice in this version; `None` if it may.
pub fn unusable_because(channel: &Channel) -> Option<&'static str> {
    match channel {
        Channel::Slack { .. } | Channel::Webhook { .. } => None,
        Channel::Sns { .. } => Some("SNS is not in this version yet: use a Slack or plain webhook"),
        Channel::PagerDuty { .. } => {
            Some("PagerDuty is not in this version yet: use a Slack or plain webhook")
        }
    }
}
