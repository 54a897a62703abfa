//! Everything that is tested from outside the crate, in one binary: each further one would link the whole AWS SDK again.

mod simulation;
