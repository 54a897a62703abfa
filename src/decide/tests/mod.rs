//! Decisions as nights: what is seen, what is planned, and at the end: plan again, nothing to do.

mod attempts;
mod careful;
mod guard;
mod guard_steps;
mod night;
mod properties;
mod regressions;
mod replacement;
mod verdicts;
