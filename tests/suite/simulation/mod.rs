//! The controller's production code against the simulated AWS, on virtual time.

mod incident;
mod stage;
