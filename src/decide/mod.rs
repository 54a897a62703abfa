//! What is to be done about the difference between what should be and what is: pure, synchronous, total.
//!
//! A pass goes through here in this order, and the files are named after it:
//!
//! 1. [`fold`] takes a look into the memory: since when something ails, whether an attempt healed.
//! 2. [`decide`] makes the [`Plan`]: [`claims`] says whose an instance is, [`verdict`] what ails it, [`remedy`] what the policy
//!    does about that and what holds it back.
//! 3. [`guard`] looks again, right before each mutation, at fresh data and without trusting the plan.
//! 4. [`outcome`] takes what came of it into the memory.
//!
//! Guarantees: the same arguments give the same plan; time is an argument; nothing in here waits, reads or writes.
//! Whatever is not done has a typed [`Hold`] with a sentence for people.

pub mod breaker;
pub mod claims;
pub mod floor;
pub mod fold;
pub mod guard;
pub mod notices;
pub mod outcome;
pub mod plan;
pub mod remedy;
pub mod replace;
pub mod verdict;

mod finding;
mod findings;
#[cfg(test)]
pub(crate) mod fixtures;
mod hold;
mod hold_replace;
mod image;
mod pace;
mod replace_findings;
mod replace_notices;
mod service;
#[cfg(test)]
mod tests;

pub use finding::{Finding, FindingKind};
pub use fold::members as members_of;
pub use hold::{Hold, HoldReason, short};
pub use image::{ImageVerdict, image_verdict};
pub use plan::{Due, InstanceView, Plan, PlannedStep, SlotView, TargetView};
pub use service::{Elsewhere, FleetLimits, Input, UnknownIntent, decide, remember_findings};
