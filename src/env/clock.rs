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

    /// Names the boot of the machine that [`Clock::boot`] counts from; `None` if the machine does not say.
    pub fn boot_id(&self) -> Option<String> {
        match self {
            Self::System => {
                let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
                Some(id.trim().to_owned()).filter(|id| !id.is_empty())
            }
            // Machines that are booted at the same moment show the same time for ever.
            Self::Virtual(clock) => Some(format!("booted at {}", clock.booted_at())),
        }
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

/// A simulated machine's three clocks. Clones share them, as processes on one machine do.
///
/// - wall: what a person or NTP may set wrong.
/// - boot: counts suspends; what leases, graces and budgets are measured on.
/// - monotonic: stands still while the machine is suspended, and with it everything that waits: tokio's paused clock.
#[derive(Clone, Debug)]
pub struct VirtualClock {
    origin: Instant,
    start: Timestamp,
    /// How long everything was suspended before this machine was booted.
    suspended_before: Duration,
    /// For how long nothing moved but time: one for all machines of a simulation.
    suspended: Arc<Mutex<Duration>>,
    /// By how much this machine's wall clock is wrong.
    error: Arc<Mutex<SignedDuration>>,
}

fn read<T: Copy>(cell: &Mutex<T>) -> T {
    *cell.lock().unwrap_or_else(PoisonError::into_inner)
}

fn change<T: Copy>(cell: &Mutex<T>, by: impl FnOnce(T) -> T) {
    let mut held = cell.lock().unwrap_or_else(PoisonError::into_inner);
    *held = by(*held);
}

impl VirtualClock {
    /// A machine booted now, whose wall clock shows `start`; must be made inside a runtime whose time is paused.
    pub fn starting_at(start: Timestamp) -> Self {
        Self {
            origin: this_instant(),
            start,
            suspended_before: Duration::ZERO,
            suspended: Arc::default(),
            error: Arc::default(),
        }
    }

    /// Another machine, booted now, in the same true time: its boot clock begins at zero, its wall clock is right until it
    /// is set, and a suspend lets time pass for it as well.
    pub fn beside(&self) -> Self {
        let boot = SignedDuration::try_from(self.now().boot).unwrap_or(SignedDuration::MAX);
        Self {
            origin: this_instant(),
            start: self.start.saturating_add(boot).unwrap_or(self.start),
            suspended_before: read(&self.suspended),
            suspended: Arc::clone(&self.suspended),
            error: Arc::default(),
        }
    }

    /// In true time.
    fn booted_at(&self) -> Timestamp {
        self.start
    }

    pub fn now(&self) -> Stamp {
        let suspended = read(&self.suspended).saturating_sub(self.suspended_before);
        let boot = self.monotonic().saturating_add(suspended);
        let since_start = SignedDuration::try_from(boot)
            .unwrap_or(SignedDuration::MAX)
            .saturating_add(read(&self.error));
        Stamp {
            wall: self.start.saturating_add(since_start).unwrap_or(self.start),
            boot,
        }
    }

    /// Time since this machine was booted, without suspends: what sleeps and timeouts are counted on.
    pub fn monotonic(&self) -> Duration {
        this_instant().saturating_duration_since(self.origin)
    }

    /// Moves the wall clock alone, as a person or NTP does.
    pub fn set_wall_forward(&self, by: SignedDuration) {
        change(&self.error, |error| error.saturating_add(by));
    }

    /// The machine was suspended for so long: wall and boot clocks went on, the monotonic one did not.
    pub fn suspend(&self, duration: Duration) {
        change(&self.suspended, |suspended| suspended.saturating_add(duration));
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "virtual time is counted on tokio's paused clock"
)]
fn this_instant() -> Instant {
    Instant::now()
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

    #[tokio::test(start_paused = true)]
    async fn what_waits_on_the_monotonic_clock_does_not_notice_a_suspend() {
        let machine = VirtualClock::starting_at(Timestamp::UNIX_EPOCH);
        let clock = Clock::Virtual(machine.clone());
        let (asleep, ()) = tokio::join!(
            async {
                clock.sleep(Duration::from_secs(60)).await;
                (machine.monotonic(), clock.boot())
            },
            async {
                clock.sleep(Duration::from_secs(1)).await;
                machine.suspend(Duration::from_secs(600));
            }
        );
        assert_eq!(asleep, (Duration::from_secs(60), Duration::from_secs(660)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_machine_has_its_own_boot_and_wall_clocks_in_the_same_time() {
        let one = VirtualClock::starting_at(Timestamp::UNIX_EPOCH);
        one.suspend(Duration::from_secs(600));
        one.set_wall_forward(SignedDuration::from_hours(2));
        tokio::time::sleep(Duration::from_secs(60)).await;
        let other = one.beside();
        assert_eq!(other.now().boot, Duration::ZERO);
        assert_eq!(
            other.now().wall.as_second(),
            660,
            "right, whatever the first one shows"
        );
        one.suspend(Duration::from_secs(40));
        other.set_wall_forward(SignedDuration::from_hours(-2));
        assert_eq!((one.now().boot.as_secs(), other.now().boot.as_secs()), (700, 40));
        assert_eq!(
            (one.now().wall.as_second(), other.now().wall.as_second()),
            (700 + 7200, 700 - 7200)
        );
    }
}
