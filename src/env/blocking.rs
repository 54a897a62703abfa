//! Work that blocks: SQLite and the file system.

/// Where blocking work is done.
#[derive(Clone, Copy, Debug)]
pub enum Blocking {
    /// On tokio's blocking pool, so that a slow disk does not stop the loop.
    Pool,
    /// In line: in the simulation everything happens on one thread, in one order.
    Inline,
}

/// The blocking work did not come back: it panicked, or the runtime is shutting down.
#[derive(Debug, thiserror::Error)]
#[error("work on the blocking pool did not finish: {0}")]
pub struct BlockingFailed(String);

impl Blocking {
    /// Runs `work` to its end.
    ///
    /// # Errors
    /// If the work panicked or the runtime is shutting down; what it did until then is unknown.
    pub async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, BlockingFailed> {
        match self {
            Self::Inline => Ok(work()),
            #[expect(clippy::disallowed_methods, reason = "this is the one place")]
            Self::Pool => tokio::task::spawn_blocking(work)
                .await
                .map_err(|error| BlockingFailed(error.to_string())),
        }
    }
}
