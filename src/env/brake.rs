//! Holds simulated time back to a pace that people can follow.
//!
//! A simulation's clock jumps to whatever is due next. Whoever shows it to people lets its thread wait here, in the
//! machine's time, and whoever wants it to end lets go.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A brake on one thread; clones are the same brake.
#[derive(Clone, Debug, Default)]
pub struct Brake(Arc<(Mutex<bool>, Condvar)>);

impl Brake {
    /// Holds this thread for `duration`, or until [`Brake::release`]. `false`: it has been released, for good.
    ///
    /// It blocks the thread: never call it on one whose futures have other things to do.
    pub fn hold(&self, duration: Duration) -> bool {
        let (released, changed) = &*self.0;
        let guard = released.lock().unwrap_or_else(PoisonError::into_inner);
        let (guard, _) = changed
            .wait_timeout_while(guard, duration, |released| !*released)
            .unwrap_or_else(PoisonError::into_inner);
        !*guard
    }

    /// Lets go at once, and from now on.
    pub fn release(&self) {
        let (released, changed) = &*self.0;
        *released.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_held_for_an_hour_is_let_go_at_once_and_never_held_again() {
        let brake = Brake::default();
        assert!(brake.hold(Duration::ZERO));
        std::thread::scope(|scope| {
            let held = scope.spawn(|| brake.hold(Duration::from_secs(3600)));
            brake.release();
            assert!(!held.join().unwrap());
        });
        assert!(!brake.hold(Duration::from_secs(3600)));
    }
}
