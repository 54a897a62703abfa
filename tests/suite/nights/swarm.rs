//! Many nights at once: which, on how many threads, and what is printed when one is bad.
//!
//! Asked for by the environment variable `KEEPGREEN_NIGHTS`, which `tests/nights` sets: words like `count=1000`, `for=2h`,
//! `day`, `seed=17`, `only=3,7`. Without it: the seeds 1 to [`SEEDS_IN_CI`].

use super::draw::{Storm, night};
use super::night::Night;
use super::run::{Report, run, without_reads};
use super::shrink::shrink;
use keepgreen::model::Mutant;
use keepgreen::sim::oracle::awaits;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const SEEDS_IN_CI: u64 = 1000;
/// So many nights reach every premise that can be reached at all.
const ENOUGH_FOR_PREMISES: u64 = 500;
/// Nights in which less is repaired, on average, prove little. Over the first thousand it is 4.5.
const REPAIRS_A_NIGHT: usize = 4;
/// Every so many seeds, one is run twice and must come out the same.
const TWICE_EVERY: u64 = 50;
/// After so many bad nights the rest is not run: they are likely to say the same.
const MOST_BAD: usize = 5;
/// So many are named.
const CHATTIEST: usize = 12;
const STORY_LINES: usize = 20_000;

/// What is asked for.
#[derive(Clone, Debug)]
struct Ask {
    first: u64,
    count: u64,
    time: Option<Duration>,
    storm: Storm,
    only: Option<Vec<usize>>,
    alone: bool,
    /// The story is told with everything that was looked at.
    reads: bool,
    /// Good nights are told, too.
    told: bool,
    bug: Option<Mutant>,
}

impl Ask {
    fn from_environment() -> Self {
        let mut ask = Self {
            first: 1,
            count: SEEDS_IN_CI,
            time: None,
            storm: Storm { hours: 2 },
            only: None,
            alone: false,
            reads: false,
            told: false,
            bug: bug(),
        };
        let words = std::env::var("KEEPGREEN_NIGHTS").unwrap_or_default();
        for word in words.split_whitespace() {
            ask.take(word)
                .unwrap_or_else(|| panic!("KEEPGREEN_NIGHTS: what is `{word}`?"));
        }
        ask
    }

    fn take(&mut self, word: &str) -> Option<()> {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        match key {
            "count" => self.count = value.parse().ok()?,
            "first" => self.first = value.parse().ok()?,
            "for" => {
                self.time = Some(Duration::from_secs(value.parse().ok()?));
                self.count = u64::MAX - self.first;
            }
            "reads" => self.reads = true,
            "told" => self.told = true,
            "day" => self.storm = Storm { hours: 24 },
            "seed" => {
                (self.first, self.count, self.alone) = (value.parse().ok()?, 1, true);
            }
            "only" => {
                let numbers = value.split(',').filter(|word| !word.is_empty());
                self.only = Some(numbers.map(|word| word.parse().ok()).collect::<Option<_>>()?);
            }
            _ => return None,
        }
        Some(())
    }

    fn night(&self, seed: u64) -> Night {
        let mut night = night(seed, self.storm);
        night.bug = self.bug;
        match &self.only {
            Some(kept) => night.only(kept),
            None => night,
        }
    }

    fn story(&self, report: &Report) -> String {
        match self.reads {
            true => report.story.clone(),
            false => without_reads(&report.story),
        }
    }

    fn replay(&self, seed: u64, kept: &[usize]) -> String {
        let kept: Vec<String> = kept.iter().map(ToString::to_string).collect();
        let day = if self.storm.hours == 24 { " --day" } else { "" };
        let bug = self.bug.map_or(String::new(), |bug| format!(" --bug {bug:?}"));
        format!("tests/nights --seed {seed}{day}{bug} --only {}", kept.join(","))
    }
}

/// A deliberate bug to run with.
fn bug() -> Option<Mutant> {
    let name = std::env::var("KEEPGREEN_BUG").ok()?;
    let bug = Mutant::named(&name);
    Some(bug.unwrap_or_else(|| panic!("no bug is named `{name}`; there are {:?}", Mutant::ALL)))
}

/// Added up over all nights.
#[derive(Default)]
struct Sum {
    nights: u64,
    hours: u64,
    calls: BTreeMap<String, usize>,
    repairs: usize,
    lives: u64,
    premises: BTreeMap<&'static str, u64>,
    /// Calls and seeds of the nights with the most calls, which take the most time.
    chattiest: BTreeSet<(usize, u64)>,
    bad: Vec<(u64, Report)>,
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "how long the nights take is printed, and bounds the long mode"
)]
fn every_night_ends_well() {
    let ask = Ask::from_environment();
    let began = Instant::now();
    let next = AtomicU64::new(ask.first);
    let sum = Mutex::new(Sum::default());
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let late = ask.time.is_some_and(|time| began.elapsed() > time);
                    let enough = lock(&sum).bad.len() >= MOST_BAD;
                    if seed - ask.first >= ask.count || late || enough {
                        return;
                    }
                    let report = run_checked(&ask, seed);
                    lock(&sum).add(seed, &ask, report);
                }
            });
        }
    });
    let sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!(
        "{} nights from seed {}, {} simulated hours in {:.1} s, {} calls, {} starts and launches, {} lives",
        sum.nights,
        ask.first,
        sum.hours,
        began.elapsed().as_secs_f64(),
        sum.calls.values().sum::<usize>(),
        sum.repairs,
        sum.lives
    );
    println!("calls: {:?}", sum.calls);
    println!("most calls, and the seed: {:?}", sum.chattiest);
    let mut bad = sum.bad;
    bad.sort_by_key(|(seed, _)| *seed);
    if let Some((seed, report)) = bad.first() {
        panic!("{}", explain(&ask, *seed, report));
    }
    println!("evaluations: {:?}", sum.premises);
    if sum.nights >= ENOUGH_FOR_PREMISES {
        awaits::check(&sum.premises).expect("every invariant is put to the test, or awaits what it takes");
        let nights = usize::try_from(sum.nights).unwrap_or(usize::MAX);
        assert!(
            sum.repairs >= REPAIRS_A_NIGHT * nights,
            "the nights are too quiet"
        );
    }
}

fn lock(sum: &Mutex<Sum>) -> std::sync::MutexGuard<'_, Sum> {
    sum.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sum {
    fn add(&mut self, seed: u64, ask: &Ask, report: Report) {
        self.nights += 1;
        self.hours += u64::from(ask.storm.hours) + 4;
        let calls = report.calls.values().sum();
        for (action, count) in &report.calls {
            *self.calls.entry(action.clone()).or_default() += count;
        }
        self.repairs += report.repairs;
        self.lives += u64::from(report.lives);
        awaits::add(&mut self.premises, &report.premises);
        self.chattiest.insert((calls, seed));
        if self.chattiest.len() > CHATTIEST {
            self.chattiest.pop_first();
        }
        if !report.broken.is_empty() {
            println!("seed {seed} is a bad night: {}", report.broken.join("\n    "));
            self.bad.push((seed, report));
        }
    }
}

/// One night; now and then twice, which must be the same.
fn run_checked(ask: &Ask, seed: u64) -> Report {
    let night = ask.night(seed);
    let mut report = run(&night);
    if ask.told {
        println!("seed {seed}:\n{}\n{}", night.as_rust(), ask.story(&report));
    }
    if seed.is_multiple_of(TWICE_EVERY) || ask.alone {
        let again = run(&night);
        if again.hash != report.hash {
            report.broken.insert(
                0,
                format!("nondeterminism: {} and then {}", report.hash, again.hash),
            );
        }
    }
    report
}

/// The smallest night that is as bad, its story, and how to see it again.
fn explain(ask: &Ask, seed: u64, report: &Report) -> String {
    let night = ask.night(seed);
    let kind = report.kind().unwrap_or_default();
    let all: Vec<usize> = (0..night.disturbances.len()).collect();
    let kept = if kind.starts_with("nondeterminism") || ask.only.is_some() {
        all
    } else {
        shrink(&night, &kind)
    };
    let small = night.only(&kept);
    let shown = run(&small);
    let story = ask.story(&shown);
    let lines: Vec<&str> = story.lines().take(STORY_LINES).collect();
    let replay = match &ask.only {
        Some(only) => ask.replay(seed, only),
        None => ask.replay(seed, &kept),
    };
    format!(
        "seed {seed} is a bad night.\n{}\n\n{}\n\n{}\n\nreplay: {replay}\n{}\n",
        small.as_rust(),
        lines.join("\n"),
        shown.broken.join("\n"),
        shown.broken.first().cloned().unwrap_or_default(),
    )
}
