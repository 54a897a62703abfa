//! The matrices: each call of each reference scenario, disturbed in every way, on virtual time.
//!
//! The calls are recorded from the undisturbed night, not listed by hand, and the faults are the simulation's own list: a
//! call that a later version makes, and a class that is added, is in the matrices from its first day on. The end must be
//! that of the undisturbed night, and nothing may have been done more often ([`compare`]); a cell in which nothing was
//! disturbed is not covered, and fails.
//!
//! A cell has a name, which a failure prints together with the command that plays it alone:
//! `tests/matrix 'one stopped, its image gone: call 9 StartInstances, After, ColdProcess'`. The beginning of a name plays all
//! cells whose names begin so. `--bug` plays them with one of the deliberate bugs, to see them fail.

mod cells;
mod compare;
mod crash;
mod end;
mod expected;
mod faults;
mod play;
mod replaced;
mod scenario;
mod sites;
