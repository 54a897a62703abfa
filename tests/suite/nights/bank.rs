//! Proof that the oracles see: each deliberate bug is switched on for ordinary nights, the same that must be good without it,
//! until one of them is bad.
//!
//! No night is written for a bug. A bug that no night notices points at an oracle that is blind, or at nights that are too
//! quiet: mend those, or, if the mistake can do no harm where it is planted, plant one that can.

use super::draw::{Storm, night};
use super::run::run;
use keepgreen::model::Mutant;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Nights that a bug may take to be noticed.
const SEEDS_MAX: u64 = 250;
const STORM: Storm = Storm { hours: 2 };

/// A bug and the first night that noticed it.
struct Hunted {
    bug: Mutant,
    /// The seed, and what was broken.
    caught: Option<(u64, String)>,
}

#[test]
fn every_deliberate_bug_is_noticed_on_an_ordinary_night() {
    // One alone, if it is named.
    let one = std::env::var("KEEPGREEN_BUG")
        .ok()
        .and_then(|name| Mutant::named(&name));
    let bank = one.as_ref().map_or(Mutant::ALL, std::slice::from_ref);
    let next = AtomicUsize::new(0);
    let hunted = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(bug) = bank.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let one = hunt(*bug);
                    println!("{one}");
                    hunted.lock().unwrap_or_else(PoisonError::into_inner).push(one);
                }
            });
        }
    });
    let mut hunted = hunted.into_inner().unwrap_or_else(PoisonError::into_inner);
    hunted.sort_by_key(|one| one.bug);
    println!("room    | bug, and what it is | noticed by | after nights");
    hunted.iter().for_each(|one| println!("{one}"));
    let missed: Vec<_> = hunted.iter().filter(|one| one.caught.is_none()).collect();
    let names: Vec<String> = missed.iter().map(|one| format!("{:?}", one.bug)).collect();
    assert!(
        missed.is_empty(),
        "{SEEDS_MAX} nights noticed nothing of {}",
        names.join(", ")
    );
}

/// The first night that is bad with the bug and good without.
fn hunt(bug: Mutant) -> Hunted {
    let caught = (1..=SEEDS_MAX).find_map(|seed| {
        let mut night = night(seed, STORM);
        night.bug = Some(bug);
        let found = run(&night).broken.into_iter().next()?;
        night.bug = None;
        run(&night).broken.is_empty().then_some((seed, found))
    });
    Hunted { bug, caught }
}

impl fmt::Display for Hunted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (room, what) = (self.bug.room(), self.bug.what());
        write!(f, "{room:<7} | {:?}: {what} | ", self.bug)?;
        match &self.caught {
            Some((seed, found)) => write!(f, "{} | {seed}", invariant(found)),
            None => write!(f, "nothing | {SEEDS_MAX}"),
        }
    }
}

/// `S11 Caps` of `S11 Caps broken at …`, `unhealed` of `unhealed: …`.
fn invariant(found: &str) -> &str {
    let before = |text: &'static str, of: &'_ str| of.split(text).next().map_or(0, str::len);
    let end = before(" broken at ", found).min(before(":", found));
    found.get(..end).unwrap_or(found)
}
