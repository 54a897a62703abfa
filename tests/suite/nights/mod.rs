//! Nights by the hundred: drawn fleets, policies and storms, each two simulated hours of everything going wrong and four of
//! quiet, judged by the oracles and by how it ends.
//!
//! `tests/nights` runs them; `tests/nights --help` says how. A night is [`night::Night`], plain data; [`draw`] makes one from a
//! number, [`run`] runs it, [`shrink`] makes a bad one small, [`swarm`] does that to a thousand, and [`regressions`] keeps
//! the small ones that once were bad.

#[cfg(debug_assertions)]
mod bank;
mod draw;
mod draw_fleet;
mod draw_pairs;
mod draw_replace;
mod draw_what;
mod fleet;
mod judge;
mod judge_replace;
mod meddle;
mod newcomers;
mod night;
mod office;
mod papers;
mod process;
mod regressions;
mod replacing;
mod run;
mod shrink;
mod swarm;
mod visitor;
mod world_acts;
