//! Growing waits between tries. The one file that names the `backoff` crate, of which only the arithmetic is used: it is no
//! longer maintained, and neither its clock nor its randomness is ever asked.

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff as _;
use std::time::Duration;

/// Waits that double from `first` to `most`, each shortened by up to a fifth so that many waiters do not wake at once.
#[derive(Clone, Debug)]
pub struct Backoff {
    intervals: ExponentialBackoff,
    rng: fastrand::Rng,
}

impl Backoff {
    pub fn new(first: Duration, most: Duration, seed: u64) -> Self {
        let intervals = ExponentialBackoff {
            current_interval: first.min(most),
            initial_interval: first.min(most),
            randomization_factor: 0.0,
            multiplier: 2.0,
            max_interval: most,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        Self {
            intervals,
            rng: fastrand::Rng::with_seed(seed),
        }
    }

    /// The wait before the next try; the one after it will be twice as long.
    pub fn next_wait(&mut self) -> Duration {
        let wait = self.intervals.current_interval;
        let _ = self.intervals.next_backoff();
        wait.mul_f64(0.8 + 0.2 * self.rng.f64())
    }

    /// Starts again from the first wait, after a success.
    pub fn reset(&mut self) {
        self.intervals.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_bound_and_start_again_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(10), 7);
        let waits: Vec<f64> = (0..5).map(|_| backoff.next_wait().as_secs_f64()).collect();
        for (wait, most) in waits.iter().zip([2.0, 4.0, 8.0, 10.0, 10.0]) {
            assert!(*wait <= most && *wait >= most * 0.8, "{waits:?}");
        }
        backoff.reset();
        assert!(backoff.next_wait() <= Duration::from_secs(2));
    }

    #[test]
    fn the_same_seed_gives_the_same_waits() {
        let mut one = Backoff::new(Duration::from_secs(1), Duration::from_secs(60), 42);
        let mut other = one.clone();
        assert!((0..10).all(|_| one.next_wait() == other.next_wait()));
    }
}
