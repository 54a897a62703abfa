//! keepgreen: an unattended, self-healing instance controller for blue/green services on EC2.
#![forbid(unsafe_code)]

pub mod aws;
pub mod decide;
pub mod env;
pub mod model;
pub mod observe;
pub mod policy;
