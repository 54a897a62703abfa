//! keepgreen: an unattended, self-healing instance controller for blue/green services on EC2.
#![forbid(unsafe_code)]

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
