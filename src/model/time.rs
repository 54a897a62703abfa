//! Two readings of one moment: the wall clock names it to people, the boot clock measures from it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One moment on two clocks.
///
/// `wall` may jump (NTP, a person, ±2 h); it is what is journaled and shown. `boot` counts from the machine's boot,
/// goes on during suspend, never jumps, and is meaningless in another boot or process: it is what freshness and
/// leases are measured with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    pub wall: Timestamp,
    pub boot: Duration,
}

impl Stamp {
    /// Time from `earlier` to this moment on the boot clock; zero if `earlier` is later.
    pub fn since(&self, earlier: &Stamp) -> Duration {
        self.boot.saturating_sub(earlier.boot)
    }
}
