//! The matrices: each call of each reference scenario, disturbed in every way, on virtual time.
//!
//! The calls are recorded from the undisturbed night, not listed by hand: a call that a later version makes is disturbed
//! from its first day on. What is compared is in [`play::Night`]: the end must be that of the undisturbed night, and
//! nothing may have been done more often.

mod crash;
mod faults;
mod play;
mod scenario;
