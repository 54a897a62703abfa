//! The simulation's runtime: one thread, virtual time, nothing else.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A current-thread runtime on paused time. Time jumps to the next timer whenever nothing else is to be done.
pub struct SimRuntime {
    runtime: tokio::runtime::Runtime,
    threads: Arc<AtomicUsize>,
}

/// Something left the one thread of the simulation: its order, and with it the run, cannot be repeated.
#[derive(Debug, PartialEq, Eq)]
pub struct LeftTheThread {
    /// How many threads were started.
    pub threads: usize,
}

impl fmt::Display for LeftTheThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the run started {} thread(s): blocking work must go through env::blocking, which runs inline in the \
             simulation",
            self.threads
        )
    }
}

impl std::error::Error for LeftTheThread {}

/// Build the runtime, and seed this thread's random numbers (the SDK's retry jitter and invocation ids).
pub fn runtime(seed: u64) -> io::Result<SimRuntime> {
    build(seed, tokio::runtime::Builder::new_current_thread().enable_time())
}

/// The same, open to the outside: it can listen on a port. Time still jumps whenever nothing is to be done, so something
/// has to hold its thread back (`env::Brake`); and what comes in makes a run that cannot be repeated.
pub fn open_runtime(seed: u64) -> io::Result<SimRuntime> {
    build(seed, tokio::runtime::Builder::new_current_thread().enable_all())
}

fn build(seed: u64, builder: &mut tokio::runtime::Builder) -> io::Result<SimRuntime> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the SDK's retry jitter and invocation ids draw from it"
    )]
    fastrand::seed(seed);
    let threads = Arc::new(AtomicUsize::new(0));
    let counter = threads.clone();
    let runtime = builder
        .start_paused(true)
        .on_thread_start(move || {
            counter.fetch_add(1, Ordering::SeqCst);
        })
        .build()?;
    Ok(SimRuntime { runtime, threads })
}

impl SimRuntime {
    /// Run to the end, on this thread. Fails if any other thread was started on the way.
    pub fn block_on<F: Future>(&self, future: F) -> Result<F::Output, LeftTheThread> {
        let output = self.runtime.block_on(future);
        match self.threads.load(Ordering::SeqCst) {
            0 => Ok(output),
            threads => Err(LeftTheThread { threads }),
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "what the runtime does with them is under test"
)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_hour_passes_in_no_time() {
        let slept = runtime(1).unwrap().block_on(async {
            let start = tokio::time::Instant::now();
            tokio::time::sleep(Duration::from_secs(3600)).await;
            start.elapsed()
        });
        assert_eq!(slept, Ok(Duration::from_secs(3600)));
    }

    #[test]
    fn work_on_another_thread_fails_the_run() {
        let result = runtime(1).unwrap().block_on(async {
            tokio::task::spawn_blocking(|| ()).await.unwrap();
        });
        assert_eq!(result, Err(LeftTheThread { threads: 1 }));
    }
}
