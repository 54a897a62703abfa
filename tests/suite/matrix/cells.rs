//! Cells: how they are played on all cores, named, replayed, and what is said of those that went wrong.

#[cfg(debug_assertions)]
use keepgreen::model::mutant::{Mutant, plant};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Names one cell as it is printed, or several by the beginning of their names, to be played alone.
const CELL: &str = "KEEPGREEN_CELL";
/// Names a deliberate bug to play all cells with ([`Mutant`]): for seeing the matrices fail.
const BUG: &str = "KEEPGREEN_BUG";

/// One cell that went wrong.
pub struct Wrong {
    pub cell: String,
    pub what: String,
    pub story: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.what.lines().next().unwrap_or_default();
        write!(f, "  {}\n      {what}", self.cell)
    }
}

/// Says what went wrong so far, for who does not want to wait for the end.
pub fn tell(wrong: &[Wrong]) {
    wrong.iter().for_each(|wrong| println!("{wrong}"));
}

/// How the names of the cells begin that are to be played alone, if any are.
pub fn asked_for() -> Option<String> {
    std::env::var(CELL).ok().filter(|name| !name.is_empty())
}

/// Runs `night` with the deliberate bug that was asked for, if any was.
#[cfg(debug_assertions)]
pub fn with_bug<T>(night: impl FnOnce() -> T) -> T {
    let name = std::env::var(BUG).unwrap_or_default();
    let _planted = Mutant::named(&name).map(plant);
    night()
}

/// A release build has no deliberate bugs.
#[cfg(not(debug_assertions))]
pub fn with_bug<T>(night: impl FnOnce() -> T) -> T {
    night()
}

/// Plays all cells, on as many threads as there are cores. Returns, in the cells' order, what `judge` says of each.
pub fn on_all_cores<C: Sync, T: Send>(cells: &[C], judge: impl Fn(&C) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(BTreeMap::new());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some((index, cell)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    cells.get(index).map(|cell| (index, cell))
                } {
                    let result = judge(cell);
                    results.lock().unwrap().insert(index, result);
                }
            });
        }
    });
    results.into_inner().unwrap().into_values().collect()
}

/// Fails if any cell went wrong, with all of their names, what was wrong, the first one's story, and how to see any again.
pub fn require_none(wrong: &[Wrong]) {
    let Some(first) = wrong.first() else { return };
    let list: String = wrong.iter().map(|wrong| format!("{wrong}\n")).collect();
    let bug = std::env::var(BUG).map_or(String::new(), |bug| format!("--bug {bug} "));
    panic!(
        "{} cells went wrong:\n{list}\nThe first, {}:\n{}\n{}\nTo play it again, alone:\n  tests/matrix {bug}'{}'",
        wrong.len(),
        first.cell,
        first.story,
        first.what,
        first.cell,
    );
}
