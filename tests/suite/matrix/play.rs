//! One night of a scenario, disturbed at one call at the most, and what is compared of it.

use super::scenario::Scenario;
use crate::simulation::stage::{end_state, live_as, on_stage, scratch};
use jiff::Timestamp;
use keepgreen::record::{FILE_NAME, Journal};
use keepgreen::sim::fault::{Class, Kind, Strike};
use keepgreen::sim::oracle::Violation;
use keepgreen::sim::world::incident::GREEN;
use keepgreen::sim::{CallRecord, CrashPlan, Ended, Stage, When};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const SEED: u64 = 11;
/// A disturbed night goes on in lives of so many minutes, until it has ended like the undisturbed one, and one life more.
const LIFE_MINUTES: u64 = 4;
/// So many lives at the most: an attempt that failed waits for its cooldown, and a look that failed for the next.
const LIVES: u32 = 4;

/// Who goes on after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Heir {
    /// The next process on the same machine, in the same folder.
    SameFolder,
    /// A process on another machine, that is given the journal and nothing else.
    ColdProcess,
}

impl Heir {
    pub const ALL: [Heir; 2] = [Heir::SameFolder, Heir::ColdProcess];
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Disturbance {
    /// One life, as long as the scenario says.
    Nothing,
    /// As many lives as the longest night has.
    GoesOn,
    Crash(CrashPlan, Heir),
    Fault(Blow),
}

/// One fault, at one call.
#[derive(Clone, Copy, Debug)]
pub struct Blow {
    /// Which call of the run it strikes, counted from 1.
    pub call: u32,
    pub class: &'static Class,
}

impl Blow {
    /// It changes the world itself, or what keepgreen remembers of it, and so the end.
    pub fn leaves_a_trace(&self) -> bool {
        let of_memory = ["journal older than the world", "intent of an unknown kind"];
        let of_world = [
            "terminated lingers",
            "terminated vanishes at once",
            "transitions missed",
        ];
        self.class.kind == Kind::World
            || of_memory.contains(&self.class.name)
            || of_world.contains(&self.class.name)
    }
}

/// How a night ended.
#[derive(Debug)]
pub struct Night {
    /// Instances' states, targets' health, and what the journal leaves open.
    pub end: BTreeMap<String, String>,
    /// How often each instance began to boot: mutations that had an effect.
    pub boots: BTreeMap<String, usize>,
    pub calls: Vec<CallRecord>,
    /// When the world's course took a turn: an instance's state or a target's health changed.
    pub turns: Vec<Timestamp>,
    pub violations: Vec<Violation>,
    pub story: String,
}

/// The undisturbed night: its calls, and how it ends when it goes on for as long as any disturbed one.
pub fn undisturbed(scenario: &Scenario) -> Night {
    let recorded = play(scenario, &Disturbance::Nothing, &BTreeMap::new()).unwrap();
    let whole = play(scenario, &Disturbance::GoesOn, &BTreeMap::new()).unwrap();
    assert!(
        whole.violations.is_empty(),
        "{}: {:#?}",
        scenario.name,
        whole.violations
    );
    Night {
        calls: recorded.calls,
        turns: recorded.turns,
        ..whole
    }
}

/// Plays one night, until it has ended like `wanted`. `None`: the disturbance never came about.
pub fn play(
    scenario: &Scenario,
    disturbance: &Disturbance,
    wanted: &BTreeMap<String, String>,
) -> Option<Night> {
    let policy = (scenario.policy)();
    let world = (scenario.world)(SEED).build();
    on_stage(SEED, &[("tis.yaml", &policy)], world, async |stage| {
        (scenario.config)(&mut stage.config);
        stage.cloud.declare((scenario.declared)());
        stage.cloud.world(scenario.strike);
        // What was struck is down when the first life begins: every life makes the same calls then.
        tokio::time::sleep(Duration::from_secs(300)).await;
        let life = stage.next_life();
        match disturbance {
            Disturbance::Nothing => {
                orderly(&live_as(stage, &life, scenario.minutes).await, stage);
                return Some(night_of(stage).await);
            }
            Disturbance::GoesOn => orderly(&live_as(stage, &life, scenario.minutes).await, stage),
            Disturbance::Fault(blow) => {
                let at = When::any().after(blow.call - 1).once();
                blow.class
                    .inject(stage, Strike::at(at, GREEN).variant(u64::from(blow.call)));
                let ended = live_as(stage, &life, scenario.minutes).await;
                assert!(!matches!(ended, Ended::NoJournal(_)), "{ended:?}");
                if stage.cloud.calls().len() < usize::try_from(blow.call).unwrap() {
                    return None;
                }
            }
            Disturbance::Crash(plan, heir) => {
                let life = life.with_crash(*plan);
                let ended = live_as(stage, &life, scenario.minutes).await;
                if matches!(ended, Ended::Orderly) {
                    return None;
                }
                assert!(
                    matches!(ended, Ended::Crashed),
                    "{ended:?}\n{}",
                    stage.cloud.story()
                );
                if *heir == Heir::ColdProcess {
                    return Some(inherited(stage, wanted).await);
                }
            }
        }
        let lives = match disturbance {
            // Its end is another, and nothing is waited for.
            Disturbance::Fault(blow) if blow.leaves_a_trace() => 1,
            _ => LIVES,
        };
        Some(go_on(stage, wanted, lives).await)
    })
}

/// Lives on until the end is the wanted one, and one life more, in which nothing may change any more.
async fn go_on(stage: &mut Stage, wanted: &BTreeMap<String, String>, lives: u32) -> Night {
    for _ in 0..lives {
        let ended = end_of(stage).await;
        let life = stage.next_life();
        let lived = live_as(stage, &life, LIFE_MINUTES).await;
        assert!(!matches!(lived, Ended::NoJournal(_)), "{lived:?}");
        if unlike(wanted, &ended).is_empty() {
            break;
        }
    }
    night_of(stage).await
}

/// The next life is on another machine, with clocks of its own and the journal alone.
async fn inherited(old: &Stage, wanted: &BTreeMap<String, String>) -> Night {
    let folder = scratch();
    let mut cold = old.beside(&folder.path().join("state"));
    hand_over(old.state(), cold.state());
    go_on(&mut cold, wanted, LIVES).await
}

/// The journal, and nothing else, goes from one machine to another.
fn hand_over(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for suffix in ["", "-wal"] {
        let name = format!("{FILE_NAME}{suffix}");
        if from.join(&name).exists() {
            std::fs::copy(from.join(&name), to.join(&name)).unwrap();
        }
    }
}

fn orderly(ended: &Ended, stage: &Stage) {
    assert!(
        matches!(ended, Ended::Orderly),
        "{ended:?}\n{}",
        stage.cloud.story()
    );
}

/// What is, in the world and in the journal.
async fn end_of(stage: &Stage) -> BTreeMap<String, String> {
    let mut end = end_state(stage);
    let env = stage.cloud.env(0);
    let journal = Journal::open_read_only(stage.state(), &env)
        .await
        .unwrap()
        .unwrap();
    for (service, record) in journal.load_all().await.unwrap() {
        let record = record.unwrap();
        end.insert(
            format!("{service}: open intents"),
            record.unsettled.len().to_string(),
        );
        for (id, incident) in &record.memory.incidents {
            let quarantined = incident.quarantined.is_some();
            end.insert(format!("{service}: {id} quarantined"), quarantined.to_string());
        }
    }
    end
}

async fn night_of(stage: &Stage) -> Night {
    Night {
        end: end_of(stage).await,
        boots: stage.cloud.world(|world| {
            let begun = world
                .log()
                .iter()
                .filter(|entry| entry.what.contains("→ pending"));
            begun.fold(BTreeMap::new(), |mut boots, entry| {
                *boots.entry(entry.subject.clone()).or_default() += 1;
                boots
            })
        }),
        calls: stage.cloud.calls(),
        turns: stage
            .cloud
            .world(|world| world.log().iter().map(|entry| entry.at).collect()),
        violations: stage.cloud.violations(),
        story: stage.cloud.story(),
    }
}

/// How a disturbed night differs from the undisturbed one: `None` if it ended the same, with nothing done more often.
pub fn difference(undisturbed: &Night, disturbed: &Night) -> Option<String> {
    let mut lines = Vec::new();
    lines.extend(disturbed.violations.iter().map(ToString::to_string));
    lines.extend(unlike(&undisturbed.end, &disturbed.end));
    for (id, boots) in &disturbed.boots {
        let most = undisturbed.boots.get(id).copied().unwrap_or(0);
        if *boots > most {
            lines.push(format!("{id} was started {boots} times, undisturbed {most}"));
        }
    }
    lines.dedup();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn unlike(wanted: &BTreeMap<String, String>, found: &BTreeMap<String, String>) -> Vec<String> {
    // An incident that is still remembered, or no longer, is no difference; a quarantine is.
    let is_quiet = |word: Option<&String>| word.is_none_or(|word| word == "false" || word == "0");
    let keys: BTreeSet<&String> = wanted.keys().chain(found.keys()).collect();
    let differs = |key: &&String| {
        let (wanted, found) = (wanted.get(*key), found.get(*key));
        wanted != found && !(is_quiet(wanted) && is_quiet(found))
    };
    keys.into_iter()
        .filter(differs)
        .map(|key| {
            format!(
                "{key}: {:?} undisturbed, {:?} disturbed",
                wanted.get(key),
                found.get(key)
            )
        })
        .collect()
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
