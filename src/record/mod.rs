//! What the program remembers: looks, intents and their outcomes, notices on their way, the last good policies. One
//! SQLite file in the state folder, and the folder's lock.
//!
//! Guarantees:
//! - An intent is durable before [`Journal::begin_intent`] returns, and ends exactly once (S5).
//! - A restart forgets no attempt, grace, cap or notice (S11, L6): each look is one transaction.
//! - Everything in it is bounded (S22); the bounds and their reasons are in `prune`.
//! - A journal that cannot be written is an error that says what to do; callers then send no mutation. The same
//!   handle works again once the cause is gone.
//!
//! Start with [`Journal`] for what can be recorded, `schema` for how it is kept, `intents` for the transition table.

mod documents;
mod error;
mod intents;
mod journal;
mod lock;
mod looks;
mod outbox;
mod prune;
mod schema;
mod store;
#[cfg(test)]
mod tests;

pub use error::RecordError;
pub use intents::{IntentDraft, RecordedIntent, UnknownIntent};
pub use journal::Journal;
pub use lock::{Holder, LOCK_FILE_NAME, LockError, StateLock};
pub use looks::{LookRecord, ServiceRecord};
pub use outbox::{ChannelRecord, Delivery, FailureOf, MOST_DUE_PER_CHANNEL, RecordedNotice};
pub use store::{CommitHook, FILE_NAME, Options, Store};
