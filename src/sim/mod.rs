//! A simulated AWS: in process, on virtual time, repeatable from one seed.
//!
//! Everything above the SDK's HTTP connector is production code; everything below is here. There is no mock of the
//! cloud's interfaces anywhere: the simulation answers the real requests on the real wire protocols, so a test runs the
//! SDK's signing, retrying, timing out and parsing as well.
//!
//! ```text
//!   SDK client ─> connector ─> cloud ─> wire ─> world
//!                  timeouts    faults   protocol  truth
//!                  crashes     oracles
//! ```
//!
//! - [`world`]: the truth. A synchronous state machine without I/O.
//! - [`wire`]: AWS's protocols. Bytes to operations, answers to bytes.
//! - [`oracle`]: the invariants, checked against the truth at every mutation.
//! - [`fault`], [`crash`]: what goes wrong, and where the process dies.
//! - [`stage`]: the controller itself, one process life after another.
//! - [`demo`]: the incident as a play, for people to watch.
//! - [`cloud`]: the handle that tests hold; [`connector`]: the seam; [`clock`], [`runtime`]: virtual time.
//! - [`port`]: the same world on a TCP port, on a clock of its own, for any AWS client.
//!
//! A test is: [`runtime()`] → [`Cloud::new`] around a world of [`world::WorldBuilder`] → SDK clients over
//! [`Cloud::http_client`] → levers (`cloud.world(|w| w.stop_by_aws(…))`, [`Cloud::inject`], [`Cloud::at`]) → assert on
//! `cloud.world(…)`, [`Cloud::calls`] and [`Cloud::violations`]. On failure, print [`Cloud::story`].

pub mod clock;
pub mod cloud;
pub mod connector;
pub mod crash;
mod deliver;
pub mod demo;
pub mod fault;
mod nap;
pub mod oracle;
pub mod port;
pub mod requests;
pub mod runtime;
pub mod stage;
mod state;
#[cfg(test)]
mod tests;
pub mod trace;
pub mod wire;
pub mod world;

pub use clock::SimClock;
pub use cloud::Cloud;
pub use crash::{Actor, CrashPhase, CrashPlan, Crashed, Incarnation};
pub use fault::{Class, Fault, Strike, When};
pub use runtime::{LeftTheThread, SimRuntime, open_runtime, runtime};
pub use stage::{Ended, Stage};
pub use trace::{CallRecord, Outcome};
