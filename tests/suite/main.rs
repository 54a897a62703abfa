//! Everything that is tested from outside the crate, in one binary: each further one would link the whole AWS SDK again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed"
)]

/// Simulated nights allocate all the time, on all cores at once: a tenth of their time, with the C library's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod demo;
mod harness;
mod matrix;
mod nights;
mod port;
mod server;
mod simulation;
