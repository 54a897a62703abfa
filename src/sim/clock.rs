//! Virtual time: tokio's paused clock, moved to the moment the world begins at.
//!
//! Four clocks are derived from one, as on a real machine: the world's (true), the process's wall clock (which may
//! be wrong), its monotonic clock (which stands still while the machine is suspended) and its boot-time clock (which
//! does not). This is the one place of the simulation that reads a clock.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_smithy_async::time::TimeSource;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// The clocks of one simulated machine. Clones share its faults.
#[derive(Debug, Clone)]
pub struct SimClock {
    start: Timestamp,
    started: Instant,
    faults: Arc<Mutex<ClockFaults>>,
}

#[derive(Debug, Default)]
struct ClockFaults {
    skew: SignedDuration,
    suspended: Duration,
}

impl SimClock {
    /// Clocks that read `start` now. Call it inside the runtime.
    pub fn new(start: Timestamp) -> Self {
        Self {
            start,
            started: Instant::now(),
            faults: Arc::default(),
        }
    }

    /// The true time: the world's.
    pub fn now(&self) -> Timestamp {
        self.start + self.since_boot()
    }

    /// What the process's wall clock reads.
    pub fn wall(&self) -> Timestamp {
        let skew = self.with_faults(|f| f.skew);
        self.now().checked_add(skew).unwrap_or(Timestamp::MAX)
    }

    /// Time since the start on the clock that stands still while the machine is suspended.
    pub fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    /// Time since the start on the clock that counts suspend.
    pub fn since_boot(&self) -> Duration {
        self.started.elapsed() + self.with_faults(|f| f.suspended)
    }

    /// The wall clock is wrong by this much from now on.
    pub fn skew(&self, by: SignedDuration) {
        self.with_faults(|f| f.skew = by);
    }

    /// The machine was suspended for so long, just now: the world went on without it.
    pub fn suspend(&self, duration: Duration) {
        self.with_faults(|f| f.suspended += duration);
    }

    /// How long to sleep until the world's time is `at`; zero if it has passed.
    pub fn until(&self, at: Timestamp) -> Duration {
        Duration::try_from(at.duration_since(self.now())).unwrap_or_default()
    }

    fn with_faults<R>(&self, f: impl FnOnce(&mut ClockFaults) -> R) -> R {
        f(&mut self.faults.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The wall clock, for the SDK: it signs requests with it.
impl TimeSource for SimClock {
    fn now(&self) -> SystemTime {
        self.wall().into()
    }
}
