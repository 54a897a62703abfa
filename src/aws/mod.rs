//! AWS: the only folder that names the SDK.
//!
//! Reading, mutating and bookkeeping are three kinds of client that cannot be confused: [`Reader`] refuses before
//! transmit whatever is not on the read list. Everything goes
//! through one configuration ([`config`]), one request budget ([`budget`]) and one error table ([`error`]), and comes out as
//! [`crate::model`] types.

pub mod api;
pub mod budget;
pub mod config;
mod call;
mod convert;
mod credentials;
pub mod error;
mod http;
mod interceptors;
mod read;

pub use budget::{Budgets, Priority, Stretch};
pub use config::{ScopeKey, Sdk, Seams};
pub use read::{InstanceFilter, Listing, Reader, StatusesOf, TargetGroup};
