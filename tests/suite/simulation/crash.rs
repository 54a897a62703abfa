//! The crash matrix: the process dies at every call of the incident, in all four phases, and the next one carries on from
//! the same folder to the same end.

use super::stage::*;
use keepgreen::sim::world::builder::incident::{GREEN, IMAGE};
use keepgreen::sim::{CrashPhase, CrashPlan, Ended, Stage};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The undisturbed life: from before the strike until green has served for a while.
const MINUTES: u64 = 8;

async fn strike(stage: &mut Stage) {
    stage.cloud.declare(declared());
    stage.cloud.world(|world| {
        world.stop_by_aws(GREEN, "Server.ScheduledStop");
        world.deregister_image(IMAGE);
    });
    // It is stopped when the first life begins: every life then makes the same calls.
    tokio::time::sleep(Duration::from_secs(300)).await;
}

struct Night {
    end: BTreeMap<String, String>,
    writes: usize,
    story: String,
}

/// One night with at most one crash; `None`: the planned call was never made.
fn night(plan: Option<CrashPlan>) -> Option<Night> {
    at_night(11, async |stage| {
        strike(stage).await;
        let life = stage.next_life();
        let life = if let Some(plan) = plan {
            life.with_crash(plan)
        } else {
            life
        };
        let ended = live_as(stage, &life, MINUTES).await;
        match (plan, &ended) {
            (None, Ended::Orderly) | (Some(_), Ended::Crashed) => {}
            (Some(_), Ended::Orderly) => return None,
            _ => panic!("{plan:?}: {ended:?}\n{}", stage.cloud.story()),
        }
        if plan.is_some() {
            live(stage, MINUTES + 8).await;
        }
        nothing_broken(stage);
        let writes = stage.cloud.calls().iter().filter(|call| call.is_write).count();
        Some(Night {
            end: end_state(stage),
            writes,
            story: stage.cloud.story(),
        })
    })
}

/// How many calls the undisturbed night makes, and which.
fn recorded_calls() -> Vec<String> {
    at_night(11, async |stage| {
        strike(stage).await;
        live(stage, MINUTES).await;
        stage
            .cloud
            .calls()
            .iter()
            .map(|call| call.action.clone())
            .collect()
    })
}

#[test]
fn killed_at_every_call_and_phase_the_incident_ends_the_same() {
    let undisturbed = night(None).unwrap();
    assert_eq!(undisturbed.writes, 1);
    let calls = recorded_calls();
    let mut uncovered = Vec::new();
    let mut actions = BTreeSet::new();
    let mut repeats = 0;
    for (index, action) in calls.iter().enumerate() {
        for phase in CrashPhase::ALL {
            let call = u64::try_from(index).unwrap() + 1;
            let Some(disturbed) = night(Some(CrashPlan { call, phase })) else {
                uncovered.push((call, action, phase));
                continue;
            };
            actions.insert((action.clone(), phase));
            assert_eq!(
                disturbed.end, undisturbed.end,
                "call {call} {action} {phase:?}\n{}",
                disturbed.story
            );
            assert!(
                disturbed.writes <= 2,
                "call {call} {action} {phase:?}\n{}",
                disturbed.story
            );
            repeats += disturbed.writes - 1;
        }
    }
    let cells = calls.len() * CrashPhase::ALL.len();
    println!(
        "crash matrix: {} of {cells} cells, {repeats} idempotent repeats",
        cells - uncovered.len()
    );
    // A read whose answer nothing durable follows in that life has no commit to die at.
    assert!(uncovered.is_empty(), "not covered: {uncovered:?}");
    assert!(actions.iter().any(|(action, _)| action == "StartInstances"));
}
