//! Whether the loop is alive, for the heartbeat and the service manager's watchdog (L7).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// When the loop last did its round, on the boot clock. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// The loop is alive now.
    pub fn beat(&self, now: Duration) {
        self.0.store(
            u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            Ordering::Relaxed,
        );
    }

    /// The latest beat; zero before the first.
    pub fn last(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }

    /// Whether the last beat is no older than `most`.
    pub fn is_alive(&self, now: Duration, most: Duration) -> bool {
        self.last() > Duration::ZERO && now.saturating_sub(self.last()) <= most
    }
}
