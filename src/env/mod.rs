//! The world outside AWS: clocks, randomness, blocking work, waiting. The only folder that reads a clock, draws a
//! random number or hands work to another thread; everything else is given the result, so that a simulated night
//! runs the very same code on virtual time.

mod backoff;
mod blocking;
mod brake;
mod clock;
mod entropy;
mod post;
mod scaled;

pub use backoff::Backoff;
pub use blocking::{Blocking, BlockingFailed};
pub use brake::Brake;
pub use clock::{Clock, VirtualClock};
pub use entropy::Entropy;
pub use post::{ANSWER_KEPT_BYTES, PostError, Posted, Poster};
pub use scaled::ScaledClock;

/// What every part of the program needs of the outside, in one cheap clone.
#[derive(Clone, Debug)]
pub struct Env {
    pub clock: Clock,
    pub entropy: Entropy,
    pub blocking: Blocking,
}

impl Env {
    /// The real machine: system clocks, system randomness, tokio's blocking pool.
    pub fn system() -> Self {
        Self {
            clock: Clock::System,
            entropy: Entropy::system(),
            blocking: Blocking::Pool,
        }
    }

    /// A simulated machine: tokio's paused clock, a seed, blocking work done in line.
    pub fn simulated(clock: VirtualClock, seed: u64) -> Self {
        Self {
            clock: Clock::Virtual(clock),
            entropy: Entropy::seeded(seed),
            blocking: Blocking::Inline,
        }
    }
}
