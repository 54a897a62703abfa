//! Something that stands still for a while, though time goes on: a frozen process, a stalled loop.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Orders naps. Clones order for the same sleeper.
#[derive(Debug, Clone, Default)]
pub struct Nap(Arc<Mutex<Order>>);

#[derive(Debug, Default)]
struct Order {
    until: Option<Instant>,
    waker: Option<Waker>,
}

impl Nap {
    /// From its next poll on, the sleeper stands still for so long; a nap that is longer already is not cut short. Returns
    /// when that is.
    pub fn take(&self, duration: Duration) -> Instant {
        #[expect(
            clippy::disallowed_methods,
            reason = "tokio's paused clock is the simulation's own"
        )]
        let now = Instant::now();
        let mut order = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        order.until = order.until.max(Some(now + duration));
        if let Some(waker) = order.waker.take() {
            waker.wake();
        }
        now
    }

    /// Runs `sleeper`, but for its naps. Timers that ran out meanwhile are found to have run out.
    pub(super) async fn run<F: Future>(&self, sleeper: F) -> F::Output {
        let mut sleeper = pin!(sleeper);
        let mut asleep: Option<Pin<Box<Sleep>>> = None;
        poll_fn(|context| {
            if self.is_asleep(&mut asleep, context) {
                return Poll::Pending;
            }
            sleeper.as_mut().poll(context)
        })
        .await
    }

    fn is_asleep(&self, asleep: &mut Option<Pin<Box<Sleep>>>, context: &mut Context<'_>) -> bool {
        let mut order = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        order.waker = Some(context.waker().clone());
        if let Some(until) = order.until.take() {
            let before = asleep.as_ref().map(|timer| timer.deadline());
            *asleep = Some(Box::pin(sleep_until(
                before.map_or(until, |before| before.max(until)),
            )));
        }
        if asleep
            .as_mut()
            .is_some_and(|timer| timer.as_mut().poll(context).is_pending())
        {
            return true;
        }
        *asleep = None;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::sleep;

    #[expect(clippy::disallowed_methods, reason = "tokio's paused clock is under test")]
    #[tokio::test(start_paused = true)]
    async fn a_sleeper_makes_no_step_and_then_finds_its_timers_run_out() {
        let nap = Nap::default();
        let steps = Mutex::new(Vec::new());
        let start = Instant::now();
        let walk = async {
            for _ in 0..4 {
                sleep(Duration::from_secs(10)).await;
                steps.lock().unwrap().push(start.elapsed().as_secs());
            }
        };
        let order = async {
            sleep(Duration::from_secs(15)).await;
            nap.take(Duration::from_secs(100));
            sleep(Duration::from_secs(5)).await;
            nap.take(Duration::from_secs(10));
        };
        tokio::join!(nap.run(walk), order);
        assert_eq!(*steps.lock().unwrap(), [10, 115, 125, 135]);
    }
}
