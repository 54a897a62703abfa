//! The fault matrix: every call site goes wrong once, in every way that a call can.
//!
//! A site is an operation at a stage of the repair: before the start, while it boots, once it runs, once a target is healthy…
//! Its first two calls count, for an operation is called from two places at most: the look, and the look before a mutation.

use super::play::{Disturbance, Night, difference, on_all_cores, play, undisturbed};
use super::scenario;
use keepgreen::sim::{CallRecord, Fault};
use std::collections::BTreeMap;
use std::time::Duration;

/// Every way in which one call can go wrong.
fn classes() -> Vec<Fault> {
    vec![
        Fault::throttled(),
        Fault::not_authorized("it"),
        Fault::no_capacity(),
        Fault::expired_credentials(),
        Fault::error(
            "IdempotentParameterMismatch",
            "the token was used with other parameters",
        ),
        Fault::error("InternalError", "An internal error has occurred"),
        Fault::HtmlError(503),
        Fault::Hang,
        Fault::AppliedNoAnswer,
        Fault::AppliedReset,
        Fault::NothingDone,
        Fault::ConnectionRefused,
        Fault::ConnectHang,
        Fault::DnsFailure,
        Fault::Slow(Duration::from_secs(4)),
        Fault::Slow(Duration::from_secs(40)),
        Fault::Stale(Duration::from_secs(240)),
        Fault::EmptyAnswer,
        Fault::UnknownMember("stopped".to_owned()),
        Fault::UnknownMember("running".to_owned()),
        Fault::Truncated,
    ]
}

/// Calls of a site that are disturbed.
const CALLS_OF_A_SITE: u32 = 2;

/// The calls to disturb, each with its number in the run.
fn sites(night: &Night) -> Vec<(u32, &CallRecord)> {
    let mut seen: BTreeMap<(&str, usize), u32> = BTreeMap::new();
    let numbered = (1..).zip(&night.calls);
    numbered
        .filter(|(_, call)| {
            let stage = night.turns.iter().filter(|at| **at < call.sent).count();
            let calls = seen.entry((&call.action, stage)).or_default();
            *calls += 1;
            *calls <= CALLS_OF_A_SITE
        })
        .collect()
}

#[test]
fn whatever_goes_wrong_once_with_any_call_the_night_ends_the_same() {
    let mut cells = 0;
    let mut wrong = Vec::new();
    for scenario in scenario::ALL {
        let undisturbed = undisturbed(scenario);
        let mut plans = Vec::new();
        for (number, call) in sites(&undisturbed) {
            plans.extend(
                classes()
                    .into_iter()
                    .map(|fault| (call.action.clone(), number, fault)),
            );
        }
        let found = on_all_cores(&plans, |(_, number, fault)| {
            match play(
                scenario,
                &Disturbance::Fault(*number, fault.clone()),
                &undisturbed.end,
            ) {
                None => Some("not covered: there was no such call".to_owned()),
                Some(night) => {
                    difference(&undisturbed, &night).map(|what| format!("{what}\n{}", night.story))
                }
            }
        });
        for ((action, number, fault), what) in plans.iter().zip(&found) {
            wrong.extend(
                what.as_ref()
                    .map(|what| format!("{}: call {number} {action} {fault:?}: {what}", scenario.name)),
            );
        }
        println!(
            "fault matrix: {}: {} calls, {} sites, {} cells",
            scenario.name,
            undisturbed.calls.len(),
            plans.len() / classes().len(),
            plans.len()
        );
        cells += plans.len();
    }
    println!("fault matrix: {cells} cells, {} wrong", wrong.len());
    let summary: Vec<String> = wrong.iter().map(|text| text.lines().take(2).collect()).collect();
    assert!(wrong.is_empty(), "{summary:#?}\nthe first:\n{}", wrong[0]);
}
