//! Killed with kill -9 at every AWS call of the incident, at its receipt and after its effect, the program carries on where
//! it was: the world ends up the same, and nothing had an effect twice.
//!
//! The places are generated: the incident is played once and its calls are recorded, bookkeeping included. It is the server
//! that kills, while the program waits for its answer, so no timer decides where. A cell that was not reached fails.

use crate::harness::{House, count, mutations, names};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

const PHASES: [&str; 2] = ["receipt", "after"];
/// Nights at a time: some wait for the seconds after which a look may settle what got no answer.
const WORKERS: usize = 3;

/// What must be the same however the night went: states of the instances, health of the registrations.
type End = (BTreeMap<String, String>, BTreeMap<String, String>);

/// One call at which the program was killed.
struct Cell {
    action: String,
    phase: &'static str,
    /// How often a start was sent in that night.
    starts: usize,
}

/// The incident with a pause parameter to read, so that bookkeeping is among the calls; AWS boots in no time.
fn house() -> (House, String) {
    let (house, incident) = House::struck();
    house.config("pause: { ssm: /keepgreen/pause }\n");
    house
        .server
        .post("mode", json!({ "boot_describes": 0, "initial_describes": 0 }));
    (house, incident.green)
}

/// One pass in a process of its own; whether it was killed.
fn pass(house: &House) -> bool {
    let ran = house.start_after("echo $$ > pid", &["run", "--once"]).end();
    assert!(
        ran.was_killed() || ran.code() == Some(0),
        "{ran}\n{}",
        house.server.story()
    );
    ran.was_killed()
}

/// Passes until everything serves again, and one more, which notes it down. Says how many were killed.
fn play(house: &House) -> usize {
    let mut killed = 0;
    house.wait_for("the incident heals", || {
        killed += usize::from(pass(house));
        house.server.is_whole()
    });
    killed + usize::from(pass(house))
}

fn end_of(house: &House) -> End {
    (house.server.states(), house.server.health())
}

#[test]
fn killed_at_any_call_of_the_incident_it_carries_on_to_the_same_end() {
    let (house, green) = house();
    assert_eq!(play(&house), 0);
    let recorded: Vec<Value> = house.server.calls();
    let end = end_of(&house);
    drop(house);
    for action in [
        "GetCallerIdentity",
        "GetParameters",
        "DescribeInstances",
        "DescribeTargetHealth",
        "StartInstances",
    ] {
        assert!(
            count(&recorded, action) > 0,
            "the incident is healed without {action}: {recorded:#?}"
        );
    }
    let wanted: Vec<(usize, &str)> = (1..=recorded.len())
        .flat_map(|n| PHASES.map(|phase| (n, phase)))
        .collect();
    let (next, cells) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some((n, phase)) = wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
            let cell = night(*n, phase, &green, &end);
            cells.lock().unwrap().push(cell);
        }
    };
    std::thread::scope(|scope| (0..WORKERS).for_each(|_| drop(scope.spawn(work))));
    let cells = cells.into_inner().unwrap();
    tell(&cells, recorded.len());
    assert_eq!(cells.len(), wanted.len());
}

/// Plays the incident, killed at its `n`-th call.
fn night(n: usize, phase: &'static str, green: &str, end: &End) -> Cell {
    let (house, _) = house();
    house.server.post(
        "kill",
        json!({ "pid_file": house.path("pid"), "at": n, "phase": phase }),
    );
    let killed = play(&house);
    let kill = house.server.get("kill")["kill"].clone();
    let place = format!("call {n} at {phase}");
    assert!(
        kill["fired"] == true && kill["error"].is_null() && killed == 1,
        "{place} was not reached: {kill}"
    );
    assert_eq!(&end_of(&house), end, "{place}: {}", house.server.story());
    let calls = house.server.calls();
    let sent = mutations(&calls);
    let is_right = |call: &&Value| call["action"] == "StartInstances" && names(call) == [green];
    assert!(sent.iter().all(is_right), "{place}: {sent:#?}");
    // Whatever was sent again: it took effect once, since an instance that runs is not started.
    let effects = sent.iter().filter(|call| !call["effect_time"].is_null()).count();
    assert_eq!(effects, 1, "{place}: {}", house.server.story());
    Cell {
        action: kill["at_action"].as_str().unwrap().to_owned(),
        phase,
        starts: sent.len(),
    }
}

fn tell(cells: &[Cell], calls: usize) {
    let mut table: BTreeMap<(&str, &str, usize), usize> = BTreeMap::new();
    for cell in cells {
        *table.entry((&cell.action, cell.phase, cell.starts)).or_default() += 1;
    }
    println!(
        "kill -9: {} of {} cells ({calls} calls, {} phases)",
        cells.len(),
        calls * PHASES.len(),
        PHASES.len()
    );
    for ((action, phase, starts), count) in table {
        println!("{count:>4} x {action} at {phase}: {starts} StartInstances sent");
    }
}
