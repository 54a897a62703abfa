//! What the tests against the moto server share: a leased server, a house (folders, policies, config), the program.
//!
//! A test reads as a story: `House::incident()`, what happens to the world by the server's control routes, what the program
//! is asked to do, and what the world and people then saw. Nothing sleeps to let something happen: what takes time is polled
//! for until a deadline that only a broken program reaches.

mod house;
mod http;
mod lease;
mod poll;
mod program;
mod server;

pub use house::{HOOK_TOKEN, House, TIS};
pub use http::request;
pub use poll::{PATIENCE, eventually};
pub use program::Running;
pub use server::{Incident, Server, count, mutations, names};
