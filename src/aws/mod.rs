//! AWS: the only folder that names the SDK.
//!
//! Reading, mutating and bookkeeping are three kinds of client that cannot be confused: a [`Reader`] refuses before
//! transmit whatever is not a read, a [`Writer`] sends only what the guard admitted, [`Bookkeeping`] is a closed
//! list. All are built from one [`Sdk`]: one configuration ([`config`]), one request budget ([`budget`]), one error table
//! ([`error`]), one connector, which is the seam for the simulation. What comes out is [`crate::model`].

pub mod api;
mod blueprint;
pub mod bookkeeping;
pub mod budget;
mod call;
pub mod config;
mod convert;
mod credentials;
mod digest;
pub mod error;
pub mod http;
mod interceptors;
pub mod read;
pub mod write;

#[cfg(test)]
pub(crate) mod canned;

pub use bookkeeping::Bookkeeping;
pub use budget::{Budgets, Priority, Stretch};
pub use config::{ScopeKey, Sdk, Seams};
pub use http::HttpPoster;
pub use read::{
    CrossZone, GroupAttributes, InstanceFilter, InstanceKind, Listing, LoadBalancer, Reader, StatusesOf,
    TargetGroup,
};
pub use write::{Accepted, Writer};
