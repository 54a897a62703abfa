//! The loop: which services are due, one pass over each of them, and an orderly end.
//!
//! A pass follows the data: look → fold into the memory → decide → journal, with everything that is to be told → act →
//! decide again on what came of it. A pass never waits for the world: it says when to look again and ends.
//!
//! # Guarantees
//! - Services are independent: each is its own future in one tree, a panic in one is caught there, and what hangs holds up
//!   nobody else. Nothing is spawned.
//! - No two passes of a service overlap, so no two of its mutations do (S15).
//! - Nothing depends on why a pass was woken.

mod board;
mod books;
mod due;
mod fleet;
mod ledger;
mod parameters;
mod pass;
mod provisions;
mod pulse;
mod run;
mod scopes;
mod vitals;

pub use due::Schedule;
pub use fleet::{Fleet, InForce};
pub use ledger::{Ledger, resume_key};
pub use parameters::OwnParameters;
pub use pass::{Hands, Passed, Rounds};
pub use pulse::Pulse;
pub use run::{Message, run};
pub use scopes::{ScopeClients, Scopes};
pub use vitals::breaker_key;
