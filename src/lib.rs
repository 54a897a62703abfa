//! keepgreen: an unattended, self-healing instance controller for blue/green services on EC2.
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
