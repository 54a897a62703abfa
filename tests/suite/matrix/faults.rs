//! The fault matrix: every call site, struck once by every class of faults.
//!
//! A site is an operation at a stage of the repair (before the start, while it boots, once it runs, once a target is
//! healthy…), and each call of the look that admits a mutation. What goes wrong between keepgreen and AWS, or with
//! keepgreen's own machine, must leave no trace: the same end, nothing done more often. What happens to the world itself
//! changes the end, and is judged by the oracles alone.

use super::play::{Blow, Disturbance, Night, difference, on_all_cores, play, undisturbed};
use super::scenario::{self, Scenario};
use keepgreen::sim::CallRecord;
use keepgreen::sim::fault::{Class, Kind};
use std::collections::BTreeSet;

/// Calls right before a mutation: the look that admits it.
const CALLS_THAT_ADMIT: usize = 3;

/// The calls to disturb, each with its number in the run.
fn sites(night: &Night) -> Vec<(u32, &CallRecord)> {
    let mut seen = BTreeSet::new();
    let admits = |index: usize| {
        let next = night.calls.iter().skip(index + 1).take(CALLS_THAT_ADMIT);
        next.into_iter()
            .any(|call| call.is_write && call.service == "ec2")
    };
    let numbered = (1..).zip(night.calls.iter().enumerate());
    numbered
        .filter(|(_, (index, call))| {
            let stage = night.turns.iter().filter(|at| **at < call.sent).count();
            seen.insert((&call.action, stage)) || admits(*index)
        })
        .map(|(number, (_, call))| (number, call))
        .collect()
}

/// Everything that can strike a call of this scenario, each once: a cell.
fn cells(night: &Night) -> Vec<(String, Blow)> {
    let mut cells = Vec::new();
    for (call, record) in sites(night) {
        // Crashes have a matrix of their own.
        let classes = Class::ALL
            .iter()
            .filter(|class| class.kind != Kind::Crash && class.awaits.is_none());
        for class in classes.filter(|class| class.applies_to(record)) {
            cells.push((record.action.clone(), Blow { call, class }));
        }
    }
    cells
}

/// What is wrong with one cell.
fn judge(scenario: &Scenario, quiet: &Night, blow: &Blow) -> Option<String> {
    let Some(night) = play(scenario, &Disturbance::Fault(*blow), &quiet.end) else {
        return Some("not covered: there was no such call".to_owned());
    };
    let what = if blow.leaves_a_trace() {
        let broken = night.violations.iter().map(ToString::to_string);
        Some(broken.collect::<Vec<_>>().join("\n")).filter(|broken| !broken.is_empty())
    } else {
        difference(quiet, &night)
    };
    what.map(|what| format!("{what}\n{}", night.story))
}

#[test]
#[ignore = "takes many minutes; run it with: cargo test --test suite matrix:: -- --ignored --nocapture"]
fn whatever_goes_wrong_once_at_any_call_site_the_night_ends_well() {
    let mut struck = BTreeSet::new();
    let mut total = 0;
    let mut wrong = Vec::new();
    for scenario in scenario::ALL {
        let quiet = undisturbed(scenario);
        let cells = cells(&quiet);
        let found = on_all_cores(&cells, |(_, blow)| judge(scenario, &quiet, blow));
        for ((action, blow), what) in cells.iter().zip(&found) {
            struck.insert(blow.class.name);
            wrong.extend(what.as_ref().map(|what| {
                format!(
                    "{}: call {} {action}, {:?}: {what}",
                    scenario.name, blow.call, blow.class
                )
            }));
        }
        println!(
            "fault matrix: {}: {} sites, {} cells",
            scenario.name,
            sites(&quiet).len(),
            cells.len()
        );
        total += cells.len();
    }
    println!(
        "fault matrix: {total} cells, {} classes, {} wrong",
        struck.len(),
        wrong.len()
    );
    for class in Class::ALL.iter().filter(|class| class.kind != Kind::Crash) {
        // No listing of these nights has a second page: the fleets that have one are the seeds'.
        let is_covered = struck.contains(class.name) || class.awaits.is_some();
        assert!(is_covered, "{class:?} struck nothing");
    }
    let summary: Vec<String> = wrong.iter().map(|text| text.lines().take(2).collect()).collect();
    assert!(wrong.is_empty(), "{summary:#?}\nthe first:\n{}", wrong[0]);
}
