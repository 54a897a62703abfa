//! Killed with kill -9 at every AWS call of the incident, at its receipt and after its effect, the program carries on where
//! it was: the world ends up the same, and nothing was done twice but what may be.
//!
//! The places are generated: the incident is played once and its calls are recorded, bookkeeping included. It is the server
//! that kills, while the program waits for its answer, so no timer decides where. A cell that was not reached fails.

use crate::harness::{House, TIS, count, mutations};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// As many passes as a night needs in any of the cells; one that needs more does not heal.
const MOST_PASSES: usize = 20;
const PHASES: [&str; 2] = ["receipt", "after"];

/// The incident with a pause parameter to read, so that bookkeeping is among the calls.
fn house() -> (House, String) {
    let (house, incident) = House::struck();
    house.policy("tis", TIS);
    house.config("pause: { ssm: /keepgreen/pause }\n");
    (house, incident.green)
}

/// One pass in a process of its own, which may be killed.
fn pass(house: &House) -> bool {
    let running = house.start(&["run", "--once"]);
    std::fs::write(house.path("pid"), running.pid().to_string()).unwrap();
    let ran = running.end();
    assert!(
        ran.was_killed() || ran.code() == Some(0),
        "{ran}\n{}",
        house.server.story()
    );
    !ran.was_killed()
}

/// Passes until everything serves again, and one more, which notes it down. Says how many were killed.
fn play(house: &House) -> usize {
    let mut killed = 0;
    for _ in 0..MOST_PASSES {
        killed += usize::from(!pass(house));
        if house.server.is_whole() {
            killed += usize::from(!pass(house));
            return killed;
        }
    }
    panic!(
        "it did not heal in {MOST_PASSES} passes\n{}",
        house.server.story()
    );
}

/// What must be the same however the night went: states by slot, registrations and health.
fn canonical_end(house: &House) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    (house.server.states(), house.server.health())
}

#[test]
fn killed_at_any_call_of_the_incident_it_carries_on_to_the_same_end() {
    let (house, green) = house();
    assert_eq!(play(&house), 0);
    let recorded: Vec<String> = house
        .server
        .calls()
        .iter()
        .map(|call| call["action"].as_str().unwrap().to_owned())
        .collect();
    let end = canonical_end(&house);
    for action in [
        "GetCallerIdentity",
        "GetParameters",
        "DescribeInstances",
        "DescribeTargetHealth",
        "StartInstances",
    ] {
        assert!(
            recorded.iter().any(|one| one == action),
            "the incident without {action}: {recorded:?}"
        );
    }
    let mut covered = BTreeMap::new();
    for n in 1..=recorded.len() {
        for phase in PHASES {
            let (action, starts) = killed_at(n, phase, &green, &end);
            *covered.entry((action, phase, starts)).or_insert(0) += 1;
        }
    }
    println!(
        "{} calls, killed at each in {} phases:",
        recorded.len(),
        PHASES.len()
    );
    for ((action, phase, starts), cells) in &covered {
        println!("{cells:>4} × {action} at {phase}: {starts} StartInstances");
    }
    assert_eq!(covered.values().sum::<usize>(), recorded.len() * PHASES.len());
}

/// Plays the incident, killed at its `n`-th call; returns that call's operation and how many starts were sent in all.
fn killed_at(
    n: usize,
    phase: &'static str,
    green: &str,
    end: &(BTreeMap<String, String>, BTreeMap<String, String>),
) -> (String, usize) {
    let (house, _) = house();
    let arm = json!({ "pid_file": house.path("pid"), "at": n, "phase": phase });
    house.server.post("kill", arm);
    let killed = play(&house);
    let kill: Value = house.server.get("kill")["kill"].clone();
    let cell = format!("call {n} at {phase}");
    assert!(
        kill["fired"] == true && kill["error"].is_null() && killed == 1,
        "{cell} was not reached: {kill}"
    );
    assert_eq!(&canonical_end(&house), end, "{cell}: {}", house.server.story());
    let calls = house.server.calls();
    let starts = mutations(&calls);
    assert!(
        starts.iter().all(|call| call["action"] == "StartInstances"),
        "{cell}: {starts:?}"
    );
    assert!(
        starts.iter().all(|call| crate::harness::names(call) == [green]),
        "{cell}: {starts:?}"
    );
    // At receipt the one that was killed had no effect; after it, the world shows it, and it is not sent again.
    let effects = starts
        .iter()
        .filter(|call| !call["effect_time"].is_null())
        .count();
    assert_eq!(effects, 1, "{cell}: {}", house.server.story());
    (
        kill["at_action"].as_str().unwrap().to_owned(),
        count(&calls, "StartInstances"),
    )
}
