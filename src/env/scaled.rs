//! A clock that runs faster than the machine's, or stands still, and can be moved forward by hand: the time of a simulated
//! AWS that is served to other processes.

use super::Clock;
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A time of its own, counted on the machine's boot clock. Clones are the same time.
///
/// It never runs backwards, whatever happens to the machine's wall clock, and goes on while the machine is suspended.
#[derive(Clone, Debug)]
pub struct ScaledClock {
    start: Timestamp,
    /// The machine's boot clock at `start`.
    origin: Duration,
    /// Seconds of this time in one of the machine's; 0: only [`advance`](Self::advance) moves it.
    speed: u32,
    advanced: Arc<Mutex<Duration>>,
}

impl ScaledClock {
    /// It is the machine's wall time now, and from here on every second counts `speed` times.
    pub fn starting_now(speed: u32) -> Self {
        let now = Clock::System.now();
        Self {
            start: now.wall,
            origin: now.boot,
            speed,
            advanced: Arc::default(),
        }
    }

    /// Seconds of this time in one of the machine's.
    pub fn speed(&self) -> u32 {
        self.speed
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        let elapsed = Clock::System.boot().saturating_sub(self.origin);
        let advanced = *self.advanced.lock().unwrap_or_else(PoisonError::into_inner);
        let since = elapsed.saturating_mul(self.speed).saturating_add(advanced);
        let since = SignedDuration::try_from(since).unwrap_or(SignedDuration::MAX);
        self.start.checked_add(since).unwrap_or(Timestamp::MAX)
    }

    /// It is that much later at once.
    pub fn advance(&self, by: Duration) {
        let mut advanced = self.advanced.lock().unwrap_or_else(PoisonError::into_inner);
        *advanced = advanced.saturating_add(by);
    }

    /// How long the machine takes to reach `at`; `None`: it does not by itself, because this time stands still.
    pub fn until(&self, at: Timestamp) -> Option<Duration> {
        let left = Duration::try_from(at.duration_since(self.now())).unwrap_or_default();
        match self.speed {
            _ if left.is_zero() => Some(left),
            0 => None,
            // A nanosecond more than the quotient: never a moment too early.
            speed => Some((left / speed).saturating_add(Duration::from_nanos(1))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_stands_still_moves_by_hand_alone() {
        let clock = ScaledClock::starting_now(0);
        let start = clock.now();
        assert_eq!(clock.now(), start);
        let later = start + Duration::from_secs(60);
        assert_eq!(clock.until(later), None);
        clock.advance(Duration::from_secs(60));
        assert_eq!(clock.now(), later);
        assert_eq!(clock.until(later), Some(Duration::ZERO));
        clock.advance(Duration::MAX);
        clock.advance(Duration::MAX);
        assert_eq!(clock.now(), Timestamp::MAX);
    }

    #[test]
    fn a_fast_time_waits_a_fraction_of_the_machines() {
        let clock = ScaledClock::starting_now(60);
        let wait = clock.until(clock.now() + Duration::from_secs(3600)).unwrap();
        // The machine's time goes on between the two readings: less than a minute, and not by much.
        assert!(wait <= Duration::from_nanos(60_000_000_001), "{wait:?}");
        assert!(wait > Duration::from_secs(30), "{wait:?}");
    }
}
