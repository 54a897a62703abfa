//! Randomness: ids and jitter, from the system or from a seed.

use fastrand::Rng;
use std::sync::{Arc, Mutex, PoisonError};

/// A source of random numbers; clones draw from the same one.
#[derive(Clone, Debug)]
pub struct Entropy(Arc<Mutex<Rng>>);

impl Entropy {
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn system() -> Self {
        Self(Arc::new(Mutex::new(Rng::new())))
    }

    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Rng::with_seed(seed))))
    }

    pub fn number(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).u64(..)
    }

    /// A new id: `prefix` and 16 hexadecimal digits, short enough for a client token and for a person to read out.
    pub fn id(&self, prefix: &str) -> String {
        format!("{prefix}-{:016x}", self.number())
    }
}
