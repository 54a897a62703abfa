//! The time of a port's world: its own, or that of a simulation in whose runtime it is served.

use crate::env::ScaledClock;
use crate::sim::SimClock;
use jiff::Timestamp;
use std::time::Duration;

/// A time, and how fast it runs.
pub(super) enum PortClock {
    Own(ScaledClock),
    /// Waits are the simulation's own.
    Shared(SimClock, u32),
}

impl PortClock {
    /// The time.
    pub(super) fn now(&self) -> Timestamp {
        match self {
            Self::Own(clock) => clock.now(),
            Self::Shared(clock, _) => clock.now(),
        }
    }

    /// Seconds of this time in one of the machine's.
    pub(super) fn speed(&self) -> u32 {
        match self {
            Self::Own(clock) => clock.speed(),
            Self::Shared(_, speed) => *speed,
        }
    }

    /// It is that much later at once. To whoever lives in a shared time it is as if the machine had been suspended.
    pub(super) fn advance(&self, by: Duration) {
        match self {
            Self::Own(clock) => clock.advance(by),
            Self::Shared(clock, _) => clock.machine().suspend(by),
        }
    }

    /// How long to sleep until `at`; `None`: it does not come by itself.
    pub(super) fn until(&self, at: Timestamp) -> Option<Duration> {
        match self {
            Self::Own(clock) => clock.until(at),
            Self::Shared(clock, _) => Some(clock.until(at)),
        }
    }
}
