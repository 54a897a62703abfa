//! Virtual time: the simulated machine's clocks, and the true time that they are derived from.
//!
//! The world lives by true time. The process sees its machine's wall clock, which may be wrong, and its boot clock; what
//! tests do to them (a wrong wall clock, a suspend) is done to [`SimClock::machine`].

use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

use crate::env::VirtualClock;

/// The time of a run. Clones are the same.
#[derive(Debug, Clone)]
pub struct SimClock {
    start: Timestamp,
    machine: VirtualClock,
}

impl SimClock {
    /// It is `start` now. Call it inside the runtime.
    pub(super) fn new(start: Timestamp) -> Self {
        Self {
            start,
            machine: VirtualClock::starting_at(start),
        }
    }

    /// The true time: the world's.
    pub fn now(&self) -> Timestamp {
        let boot = SignedDuration::try_from(self.machine.now().boot).unwrap_or(SignedDuration::MAX);
        self.start.checked_add(boot).unwrap_or(Timestamp::MAX)
    }

    /// The clocks that the process reads, to be set wrong and suspended.
    pub fn machine(&self) -> &VirtualClock {
        &self.machine
    }

    /// How long to sleep until the true time is `at`; zero if it has passed.
    pub fn until(&self, at: Timestamp) -> Duration {
        Duration::try_from(at.duration_since(self.now())).unwrap_or_default()
    }
}
