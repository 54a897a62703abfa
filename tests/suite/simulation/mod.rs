//! The controller's production code against the simulated AWS, on virtual time.

mod classes;
mod incident;
mod pauses;
mod people;
mod replace;
mod replace_fleet;
mod replace_rare;
mod replace_sources;
pub mod stage;
