//! Clocks: wall, boot, and waiting.

use crate::model::Stamp;
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Where the time comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clocks: the wall clock, and `CLOCK_BOOTTIME`, which goes on while the machine is suspended.
    System,
    /// tokio's paused clock with a wall clock on top that can be set.
    Virtual(VirtualClock),
}

impl Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that asks the machine"
    )]
    pub fn now(&self) -> Stamp {
        match self {
            Self::System => Stamp {
                wall: Timestamp::now(),
                boot: system_boot_time(),
            },
            Self::Virtual(clock) => clock.now(),
        }
    }

    pub fn wall(&self) -> Timestamp {
        self.now().wall
    }

    pub fn boot(&self) -> Duration {
        self.now().boot
    }

    /// Waits on the monotonic clock.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

fn system_boot_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanoseconds)
}

/// A simulated machine's clocks. Clones share them, as processes on one machine do.
#[derive(Clone, Debug)]
pub struct VirtualClock {
    origin: Instant,
    start: Timestamp,
    /// What people and suspends did to the clocks.
    shifts: Arc<Mutex<Shifts>>,
}

#[derive(Debug, Default)]
struct Shifts {
    wall: SignedDuration,
    suspended: Duration,
}

impl VirtualClock {
    /// A clock that shows `start` now; must be made inside a runtime whose time is paused.
    #[expect(
        clippy::disallowed_methods,
        reason = "virtual time is counted on tokio's paused clock"
    )]
    pub fn starting_at(start: Timestamp) -> Self {
        Self {
            origin: Instant::now(),
            start,
            shifts: Arc::default(),
        }
    }

    fn with_shifts<T>(&self, read: impl FnOnce(&mut Shifts) -> T) -> T {
        read(&mut self.shifts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "virtual time is counted on tokio's paused clock"
    )]
    pub fn now(&self) -> Stamp {
        let elapsed = self.origin.elapsed();
        let (wall, suspended) = self.with_shifts(|shifts| (shifts.wall, shifts.suspended));
        let boot = elapsed.saturating_add(suspended);
        let since_start = SignedDuration::try_from(boot)
            .unwrap_or(SignedDuration::MAX)
            .saturating_add(wall);
        Stamp {
            wall: self.start.saturating_add(since_start).unwrap_or(self.start),
            boot,
        }
    }

    /// Moves the wall clock alone, as a person or NTP does.
    pub fn set_wall_forward(&self, by: SignedDuration) {
        self.with_shifts(|shifts| shifts.wall = shifts.wall.saturating_add(by));
    }

    /// The machine was suspended for so long: wall and boot clocks went on, the monotonic one did not.
    pub fn suspend(&self, duration: Duration) {
        self.with_shifts(|shifts| shifts.suspended = shifts.suspended.saturating_add(duration));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_clock_is_monotonic_and_not_zero() {
        let first = Clock::System.boot();
        assert!(first > Duration::ZERO);
        assert!(Clock::System.boot() >= first);
    }

    #[tokio::test(start_paused = true)]
    async fn virtual_time_moves_only_by_waiting_and_by_what_is_done_to_it() {
        let start: Timestamp = "2026-11-11T04:00:00Z".parse().unwrap();
        let virtual_clock = VirtualClock::starting_at(start);
        let clock = Clock::Virtual(virtual_clock.clone());
        let before = clock.now();
        assert_eq!(before.wall, start);
        clock.sleep(Duration::from_secs(60)).await;
        assert_eq!(clock.now().since(&before), Duration::from_secs(60));
        virtual_clock.set_wall_forward(SignedDuration::from_hours(-2));
        assert_eq!(clock.wall(), "2026-11-11T02:01:00Z".parse().unwrap());
        assert_eq!(clock.now().since(&before), Duration::from_secs(60));
        virtual_clock.suspend(Duration::from_secs(600));
        assert_eq!(clock.now().since(&before), Duration::from_secs(660));
        assert_eq!(clock.wall(), "2026-11-11T02:11:00Z".parse().unwrap());
    }
}
