//! keepgreen: an unattended, self-healing instance controller for blue/green services on EC2.
//!
//! Data flows one way, and the folders show it:
//!
//! ```text
//! policy ──┐
//! observe ─┼─> decide ─> act ─> record ─> notify
//! pause ───┘
//! ```
//!
//! [`controller`] makes the passes, [`cli`] wires them to the outside, [`sim`] plays AWS. Each folder imports only earlier
//! ones: [`model`], [`policy`], [`decide`], [`env`](mod@env) (which imports `model` alone), [`aws`], then [`observe`], [`pause`],
//! [`record`] and [`notify`], [`act`], [`controller`], [`sim`], [`cli`]; `tests/tidy.rs` holds that.
//!
//! To follow the repair of a stopped instance, read `policy/types.rs`, `observe/scope.rs`, `decide/verdict.rs`,
//! `decide/remedy/start.rs`, `decide/guard.rs`, `act/actor.rs` and `record/intents.rs`, in this order. A replacement goes over many
//! looks: read `model/replacement.rs`, then `decide/replace/mod.rs`, which has the order of its steps and why it is that, `need.rs`,
//! `progress.rs` and `follow.rs` beside it, and `decide/guard/steps.rs`. To change a remedy, touch its one file in
//! `decide/remedy/`, or `decide/replace/`, and its test.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::string_slice,
        clippy::type_complexity,
        clippy::unreachable,
        reason = "tables of cases, over small numbers that the test itself chose"
    )
)]

pub mod act;
pub mod aws;
pub mod cli;
pub mod controller;
pub mod decide;
pub mod env;
pub mod model;
pub mod notify;
pub mod observe;
pub mod pause;
pub mod policy;
pub mod record;
pub mod sim;
