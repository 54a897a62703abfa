//! scaffold
mod types;
mod window;
pub use types::*;
