//! What is: reads become [`Observation`](crate::model::Observation)s.
//!
//! [`look`] sees all services of a scope (one role in one region) at the floor of calls: one listing of instances, one of
//! statuses, one of images for all of them together, and one DescribeTargetHealth for each target group.
//! [`look_again`] sees one service right before a mutation. [`blueprints`] and [`supply`] read what a replacement is made
//! from.
//!
//! # Guarantees
//! - What failed is a gap, in exactly the services that needed it; a part without a gap is complete. Nothing is judged
//!   here: a wrong account, an empty answer where there was a fleet, an instance in two slots are for `decide`.
//! - One service's target group that hangs delays no other service.
//! - Nothing is remembered but which target groups exist, and that for ten minutes.

mod assign;
mod blueprints;
mod directory;
mod query;
mod scope;
mod supply;
mod targeted;
mod witness;

#[cfg(test)]
mod tests;

pub use assign::{Asked, matches};
pub use blueprints::blueprints;
pub use directory::TargetGroupDirectory;
pub use scope::{Lookout, look};
pub use supply::supply;
pub use targeted::look_again;
