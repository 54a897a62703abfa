//! Waiting for something that takes time of its own.
#![expect(
    clippy::disallowed_methods,
    reason = "a test waits for another process, in the time of the machine"
)]

use std::time::{Duration, Instant};

/// Long enough for a slow machine under full load; only a broken program makes a test wait so long.
pub const PATIENCE: Duration = Duration::from_secs(60);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// Asks until there is an answer.
///
/// # Panics
/// After [`PATIENCE`], with what `story` has to tell.
pub fn eventually_some<T>(what: &str, story: impl Fn() -> String, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(
            Instant::now() < deadline,
            "waited {PATIENCE:?} in vain for this: {what}\n{}",
            story()
        );
        std::thread::sleep(BETWEEN_LOOKS);
    }
}

/// Asks until it is so.
pub fn eventually(what: &str, story: impl Fn() -> String, mut is_so: impl FnMut() -> bool) {
    eventually_some(what, story, || is_so().then_some(()));
}
