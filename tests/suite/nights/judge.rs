//! What must be true of a night besides the oracles' invariants: that it ends as the policies want it, and in silence.
//!
//! Everything is read from the world's truth and from what was drawn. The journal is asked for one thing alone: which
//! instances it holds in quarantine; whether they may be there is judged by what was sent.

use super::fleet::{Fleet, Operator, StopBy, service_name};
use super::meddle::{EDIT_READ_WITHIN, Meddler};
use jiff::Timestamp;
use keepgreen::model::ServiceName;
use keepgreen::record::{Options, Store};
use keepgreen::sim::oracle::{Declared, Violation};
use keepgreen::sim::world::{Instance, State};
use keepgreen::sim::{Actor, CallRecord, Stage};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// After quiet has begun, everything that may still have to be waited for is over: a cooldown of an hour, the grace of an
/// unannounced stop, an hourly cap.
pub const CONVERGES_WITHIN: Duration = Duration::from_secs(9000);

/// What is between the world and an end that the policies want.
pub fn unwanted(stage: &Stage, meddler: &Meddler, fleet: &Fleet, calls: &[CallRecord]) -> Vec<String> {
    let declared = meddler.office.declared();
    let quarantined = quarantined(stage, fleet);
    let mut found = Vec::new();
    let instances: Vec<Instance> = stage
        .cloud
        .world(|world| world.instances().map(|i| Instance::clone(i)).collect());
    let sent = starts(calls);
    for (number, service) in meddler.office.in_force() {
        for (index, slot) in service.slots.iter().enumerate().filter(|(_, slot)| !slot.idle) {
            let is_member = |i: &&Instance| {
                let owners: Vec<_> = declared.services_of(i).collect();
                let mine = |(s, o): &(&keepgreen::sim::oracle::Service, &keepgreen::sim::oracle::Slot)| {
                    s.name == service_name(number) && o.name == super::fleet::slot_name(index)
                };
                owners.len() == 1 && owners.iter().all(mine)
            };
            let members: Vec<&Instance> = instances.iter().filter(is_member).collect();
            let up = members
                .iter()
                .filter(|i| matches!(i.state, State::Running | State::Pending))
                .count();
            for instance in members
                .iter()
                .filter(|i| matches!(i.state, State::Stopped | State::Stopping))
            {
                let mine = sent.get(&instance.id).map_or(0, Vec::len);
                let least = service.attempts.min(service.attempts_per_day);
                let excused = up >= usize::try_from(slot.count).unwrap_or(usize::MAX)
                    || instance.spot
                    || !instance.ebs_root
                    || instance.group.is_some()
                    || is_paused(&declared, &service_name(number), Some(instance), stage)
                    || (quarantined.contains(&instance.id)
                        && mine >= usize::try_from(least).unwrap_or(usize::MAX))
                    || is_left(service.operator, service.starts_stopped, instance, mine > 0);
                if !excused {
                    let (id, state) = (&instance.id, instance.state.name());
                    let code = instance.reason.as_ref().map_or("", |reason| reason.code.as_str());
                    let why = if quarantined.contains(id) {
                        format!(", in quarantine after {mine} starts")
                    } else {
                        String::new()
                    };
                    found.push(format!(
                        "unhealed: {id} of s{number} is {state} ({code}) in the end{why}"
                    ));
                }
            }
        }
    }
    found
}

/// Mutations in the quiet after everything has converged.
pub fn restless(calls: &[CallRecord], quiet_from: Timestamp) -> Vec<String> {
    let late = |call: &&CallRecord| {
        let by_controller = matches!(call.actor, Actor::Controller { .. });
        by_controller && call.is_write && call.sent > quiet_from + CONVERGES_WITHIN
    };
    let late = calls.iter().filter(late);
    late.map(|call| format!("L1: still changing things long after the storm: {call}"))
        .take(3)
        .collect()
}

/// Violations, less those that only say that an edit had not been read yet.
pub fn broken(violations: &[Violation], meddler: &Meddler) -> Vec<String> {
    let real = violations.iter().filter(|violation| {
        let of_policy = ["S1 ", "S9 ", "S17", "S18", "S19"]
            .iter()
            .any(|name| violation.invariant.starts_with(name));
        !(of_policy && may_be_unread(violation.at, meddler))
    });
    real.map(ToString::to_string).collect()
}

/// Whether an edit before this moment may not have been read yet.
fn may_be_unread(at: Timestamp, meddler: &Meddler) -> bool {
    meddler.edits.iter().any(|edit| {
        let mut by = *edit + EDIT_READ_WITHIN;
        for (from, to) in &meddler.unwell {
            if *from <= by && by <= *to + EDIT_READ_WITHIN {
                by = *to + EDIT_READ_WITHIN;
            }
        }
        *edit <= at && at <= by
    })
}

/// The policy leaves such a stop alone.
fn is_left(operator: Operator, starts_stopped: bool, instance: &Instance, ever_started: bool) -> bool {
    let code = instance.reason.as_ref().map_or("", |reason| reason.code.as_str());
    let by_person = StopBy::ALL.iter().any(|by| by.is_person() && by.code() == code);
    if by_person {
        // Stopped again after keepgreen undid it: respected.
        operator != Operator::Start || ever_started
    } else {
        !starts_stopped
    }
}

/// The service, or the instance, is paused without an end.
pub fn is_paused(declared: &Declared, service: &str, instance: Option<&Instance>, stage: &Stage) -> bool {
    let by_flag = declared
        .pauses
        .iter()
        .any(|pause| pause.until.is_none() && pause.service.as_deref().is_none_or(|of| of == service));
    let by_parameter = declared.pause_parameter.as_ref().is_some_and(|(scope, base)| {
        let names = [base.clone(), format!("{base}/{service}")];
        stage
            .cloud
            .world(|world| names.iter().any(|name| world.parameter(scope, name).is_some()))
    });
    by_flag || by_parameter || instance.is_some_and(|i| i.tag("keepgreen:pause").is_some())
}

/// The controller's starts of each instance.
fn starts(calls: &[CallRecord]) -> BTreeMap<String, Vec<Timestamp>> {
    let mut starts: BTreeMap<String, Vec<Timestamp>> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.action == "StartInstances") {
        for id in &call.subjects {
            starts.entry(id.clone()).or_default().push(call.sent);
        }
    }
    starts
}

fn quarantined(stage: &Stage, fleet: &Fleet) -> BTreeSet<String> {
    let Ok(mut store) = Store::open(stage.state(), Options::default()) else {
        return BTreeSet::new();
    };
    let mut held = BTreeSet::new();
    for number in 0..fleet.services.len() {
        let Ok(record) = store.load(&ServiceName::from(service_name(number).as_str())) else {
            continue;
        };
        let incidents = record.memory.incidents.iter();
        held.extend(
            incidents
                .filter(|(_, incident)| incident.quarantined.is_some())
                .map(|(id, _)| id.to_string()),
        );
    }
    held
}
