//! The controller's production code against the simulated AWS, on virtual time.

mod classes;
mod incident;
mod pauses;
mod people;
mod replace;
pub mod stage;
