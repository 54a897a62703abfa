//! The crash matrix: the process dies at every call, in all four phases, and another carries on, on the same machine or on
//! one that has nothing but the journal.

use super::play::{Disturbance, Heir, difference, on_all_cores, play, undisturbed};
use super::scenario;
use keepgreen::sim::{CrashPhase, CrashPlan};

#[test]
#[ignore = "takes many minutes; run it with: cargo test --test suite matrix:: -- --ignored --nocapture"]
fn killed_at_every_call_and_phase_another_process_brings_the_same_end() {
    let mut cells = 0;
    let mut wrong = Vec::new();
    for scenario in scenario::ALL {
        let undisturbed = undisturbed(scenario);
        let mut plans = Vec::new();
        for call in &undisturbed.calls {
            for phase in CrashPhase::ALL {
                let plan = CrashPlan {
                    call: call.call,
                    phase,
                };
                plans.extend(Heir::ALL.map(|heir| (call.action.clone(), plan, heir)));
            }
        }
        let found = on_all_cores(&plans, |(_, plan, heir)| {
            match play(scenario, &Disturbance::Crash(*plan, *heir), &undisturbed.end) {
                None => Some("not covered: it never died there".to_owned()),
                Some(night) => {
                    difference(&undisturbed, &night).map(|what| format!("{what}\n{}", night.story))
                }
            }
        });
        for ((action, plan, heir), what) in plans.iter().zip(&found) {
            wrong.extend(what.as_ref().map(|what| {
                format!(
                    "{}: call {} {action} {:?} {heir:?}: {what}",
                    scenario.name, plan.call, plan.phase
                )
            }));
        }
        println!(
            "crash matrix: {}: {} calls, {} cells",
            scenario.name,
            undisturbed.calls.len(),
            plans.len()
        );
        cells += plans.len();
    }
    println!("crash matrix: {cells} cells, {} wrong", wrong.len());
    let summary: Vec<&str> = wrong
        .iter()
        .map(|text| text.lines().next().unwrap_or(""))
        .collect();
    assert!(wrong.is_empty(), "{summary:#?}\nthe first:\n{}", wrong[0]);
}
