//! One night of a scenario, disturbed at one call at the most, and what is compared of it.
//!
//! A night goes on until it has ended like the undisturbed one and that end has stood for a look, or until its time is up.
//! After a crash the process begins anew once more: a fresh one that finds everything done must leave it so.

use super::compare::unlike;
use super::end::{End, end_of, end_of_world, names};
use super::scenario::{Scenario, pace};
use crate::simulation::stage::{on_stage, scratch};
use keepgreen::controller::Passed;
use keepgreen::record::FILE_NAME;
use keepgreen::sim::fault::{Class, Strike};
use keepgreen::sim::oracle::Violation;
use keepgreen::sim::world::Entry;
use keepgreen::sim::{CallRecord, Cloud, CrashPlan, Ended, Incarnation, Stage, When};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::time::Duration;

const SEED: u64 = 11;
/// How often it is asked whether a night has ended.
const GLANCE: Duration = Duration::from_secs(3);
/// The end has stood for so long: for a look, which a service under repair gets every ten seconds.
const STOOD: Duration = Duration::from_secs(12);
/// A night that has not ended by then has not ended well: a loop that stood still goes on after five minutes, an attempt
/// that failed waits for its cooldown.
const TIME_IS_UP: Duration = Duration::from_secs(10 * 60);
/// How the log's line of a launch begins.
pub const LAUNCHED: &str = "launched from";
/// Of the process that finds everything done: two looks.
const LAST_LIFE: Duration = Duration::from_secs(12);

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
    Nothing,
    Crash(CrashPlan, Heir),
    Fault(Blow),
}

/// One fault, at one call.
#[derive(Clone, Debug)]
pub struct Blow {
    /// Which call of the run it strikes, counted from 1.
    pub call: u32,
    pub class: &'static Class,
    /// The instance that suffers.
    pub target: String,
    /// Of a class that has several shapes, which.
    pub variant: u64,
    /// How long it lasts, of classes that end by themselves.
    pub lasts: Duration,
}

/// How a night went and ended.
pub struct Night {
    pub end: End,
    /// How often each instance began to boot, to stop or to drain, by its name in the end: mutations that had an effect.
    pub effects: BTreeMap<String, usize>,
    /// How many requests to change something were sent.
    pub writes: usize,
    /// All instances; each ran in the beginning, but those that were launched.
    pub instances: Vec<String>,
    /// Those.
    pub launched: Vec<String>,
    /// The calls of the first life.
    pub calls: Vec<CallRecord>,
    /// The turns that the world's course took: an instance's state or a target's health changed.
    pub turns: Vec<Entry>,
    pub violations: Vec<Violation>,
    /// Equal if nothing that keepgreen was told, decided or did was different, and nothing in the world.
    pub fingerprint: u64,
    /// How the first life ended.
    pub first_life: Ended,
    cloud: Cloud,
}

impl Night {
    /// Everything that happened, for people.
    pub fn story(&self) -> String {
        self.cloud.story()
    }
}

/// How a night is to end.
#[derive(Clone, Copy)]
pub enum Wanted<'a> {
    /// So; it is over as soon as it has.
    So(&'a End),
    /// In whatever way, after so long.
    After(Duration),
}

/// The undisturbed night, which every disturbed one is compared with.
pub fn undisturbed(scenario: &Scenario) -> Night {
    let whole = play(
        scenario,
        &Disturbance::Nothing,
        Wanted::After(scenario.settled_after),
    );
    let night = play(scenario, &Disturbance::Nothing, Wanted::So(&whole.end));
    let again = play(scenario, &Disturbance::Nothing, Wanted::So(&whole.end));
    assert!(
        night.violations.is_empty() && unlike(&whole.end, &night.end).is_empty(),
        "{}: {:#?}\n{}",
        scenario.name,
        night.violations,
        night.story()
    );
    assert_eq!(night.fingerprint, again.fingerprint, "the same night is the same");
    night
}

/// Plays one night.
pub fn play(scenario: &Scenario, disturbance: &Disturbance, wanted: Wanted<'_>) -> Night {
    let policy = (scenario.policy)();
    let world = (scenario.world)(SEED).build();
    on_stage(SEED, &[("tis.yaml", &policy)], world, async |stage| {
        (scenario.config)(&mut stage.config);
        stage.cloud.declare((scenario.declared)());
        stage.cloud.world(|world| world.set_pace(pace()));
        if !scenario.known_for.is_zero() {
            let life = stage.next_life();
            Box::pin(stage.live(&life, scenario.known_for, |_| {})).await;
        }
        stage.cloud.world(scenario.strike);
        // What was struck is down when the first life begins: every life makes the same calls then.
        tokio::time::sleep(Duration::from_secs(300)).await;
        through(stage, disturbance, wanted).await
    })
}

async fn through(stage: &mut Stage, disturbance: &Disturbance, wanted: Wanted<'_>) -> Night {
    let passes = RefCell::new(DefaultHasher::new());
    let earlier = stage.cloud.calls().len();
    let seen = |passed: &Passed| note(&passes, passed);
    let mut life = stage.next_life();
    match disturbance {
        Disturbance::Nothing => {}
        Disturbance::Crash(plan, _) => life = life.with_crash(*plan),
        Disturbance::Fault(blow) => {
            let at = When::any().after(blow.call - 1).once();
            let strike = Strike::at(at, &blow.target)
                .variant(blow.variant)
                .lasting(blow.lasts);
            blow.class.inject(stage, strike);
        }
    }
    let first_life = live_to(stage, &life, wanted, seen).await;
    let calls = stage.cloud.calls().split_off(earlier);
    if !matches!(first_life, Ended::Crashed) {
        return night_of(stage, first_life, calls, &passes).await;
    }
    match disturbance {
        Disturbance::Crash(_, Heir::ColdProcess) => {
            let folder = scratch();
            let mut cold = stage.beside(&folder.path().join("state"));
            hand_over(stage.state(), cold.state());
            go_on(&mut cold, wanted, seen).await;
            night_of(&cold, first_life, calls, &passes).await
        }
        _ => {
            go_on(stage, wanted, seen).await;
            night_of(stage, first_life, calls, &passes).await
        }
    }
}

/// After a crash: lives on until the end. Then one life more, in which nothing may change any more.
async fn go_on(stage: &mut Stage, wanted: Wanted<'_>, seen: impl Fn(&Passed)) {
    let life = stage.next_life();
    let lived = live_to(stage, &life, wanted, &seen).await;
    assert!(!matches!(lived, Ended::NoJournal(_)), "{lived:?}");
    let life = stage.next_life();
    let lived = Box::pin(stage.live(&life, LAST_LIFE, &seen)).await;
    assert!(!matches!(lived, Ended::NoJournal(_)), "{lived:?}");
}

/// Lives until the end has stood for a while, or until time is up.
async fn live_to(stage: &Stage, life: &Incarnation, wanted: Wanted<'_>, seen: impl Fn(&Passed)) -> Ended {
    let over = async {
        let wanted = match wanted {
            Wanted::After(duration) => return tokio::time::sleep(duration).await,
            Wanted::So(end) => end,
        };
        let (mut waited, mut stood) = (Duration::ZERO, Duration::ZERO);
        while waited < TIME_IS_UP && stood < STOOD {
            tokio::time::sleep(GLANCE).await;
            waited += GLANCE;
            let is_there = |(key, what): (&String, &String)| wanted.get(key) == Some(what);
            // The world is looked at first: it costs nothing.
            let has_ended = end_of_world(stage).iter().all(is_there)
                && end_of(stage)
                    .await
                    .is_some_and(|end| unlike(wanted, &end).is_empty());
            stood = if has_ended { stood + GLANCE } else { Duration::ZERO };
        }
    };
    // A whole controller is too big for the stack of a test's thread, several times over.
    Box::pin(stage.live_until(life, over, seen)).await
}

fn note(passes: &RefCell<DefaultHasher>, passed: &Passed) {
    let mut hash = passes.borrow_mut();
    format!("{passed:?}").hash(&mut *hash);
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

/// What a mutation of keepgreen's, or somebody else's hand, has begun.
fn effect_of(entry: &Entry) -> Option<&'static str> {
    let has = |word: &str| entry.what.contains(word);
    match () {
        () if has("→ pending") || entry.what.starts_with(LAUNCHED) => Some("was started"),
        () if has("→ stopping") => Some("was stopped"),
        () if has("→ shutting-down") => Some("was terminated"),
        () if has("→ draining") => Some("was taken out"),
        () => None,
    }
}

async fn night_of(
    stage: &Stage,
    first_life: Ended,
    calls: Vec<CallRecord>,
    passes: &RefCell<DefaultHasher>,
) -> Night {
    let cloud = stage.cloud.clone();
    let (mut effects, mut turns) = (BTreeMap::new(), Vec::new());
    let names = names(stage);
    let mut fingerprint = passes.borrow().clone();
    cloud.world(|world| {
        for entry in world.log().iter() {
            turns.push(entry.clone());
            format!("{entry:?}").hash(&mut fingerprint);
            if let Some(effect) = effect_of(entry) {
                let name = names.get(&entry.subject).unwrap_or(&entry.subject);
                *effects.entry(format!("{name} {effect}")).or_default() += 1;
            }
        }
    });
    let all = cloud.calls();
    for call in &all {
        format!("{call} {:?} {:?}", call.ended, call.answer).hash(&mut fingerprint);
    }
    Night {
        end: end_of(stage).await.unwrap_or_default(),
        effects,
        writes: all.iter().filter(|call| call.is_write).count(),
        instances: cloud.world(|world| world.instances().map(|one| one.id.clone()).collect()),
        launched: names.into_keys().collect(),
        calls,
        turns,
        violations: cloud.violations(),
        fingerprint: fingerprint.finish(),
        first_life,
        cloud,
    }
}
