//! A simulated AWS.
pub mod world;
