//! Start a stopped instance.
//!
//! Additive: it takes nothing from anyone, so it needs no slot order, no window, no concurrency slot and no complete view
//! of the service. The registration that a stopped instance kept in its target groups is used again.

use super::{Case, Proposal, Remedy, gates};
use crate::decide::hold::HoldReason;
use crate::model::{
    AilmentKind, Incident, Instance, InstanceMemory, InstanceState, Lifecycle, Mutant, RepairId, RootDevice,
    StartOf,
};
use std::time::Duration;

/// The least grace of a person's stop or termination that could not be announced to anybody.
pub(crate) const GRACE_OF_UNANNOUNCED: Duration = Duration::from_secs(3600);

pub(super) struct Start;

impl Remedy for Start {
    fn propose(&self, case: &Case<'_>) -> Proposal {
        let mut holds = gates::gates(case);
        not_startable(case, &mut holds);
        of_operator(case, &mut holds);
        if let Some(incident) = case.incident {
            of_incident(case, incident, &mut holds);
        }
        if case.surplus {
            holds.push(HoldReason::Surplus);
        }
        if holds.is_empty() {
            Proposal::Start(start_of(case))
        } else {
            Proposal::Hold(holds)
        }
    }
}

fn start_of(case: &Case<'_>) -> StartOf {
    StartOf {
        slot: case.slot_name.clone(),
        repair: case
            .incident
            .map_or_else(|| RepairId::new("none"), |incident| incident.repair.clone()),
        attempt: case
            .incident
            .map_or(1, |incident| incident.tried.saturating_add(1)),
    }
}

/// S17: what AWS does not let, or others decide about.
fn not_startable(case: &Case<'_>, holds: &mut Vec<HoldReason>) {
    let instance = case.instance;
    match &instance.state {
        InstanceState::Stopped => {}
        InstanceState::Stopping => holds.push(HoldReason::Stopping),
        other => {
            holds.push(HoldReason::NothingToStart {
                why: format!("its state is {}", other.as_str()),
            });
        }
    }
    of_others(instance, holds);
}

/// Whether keepgreen ever starts an instance of its kind: neither AWS nor an Auto Scaling group decides when it runs.
pub(crate) fn is_ours_to_start(instance: &Instance) -> bool {
    let mut holds = Vec::new();
    of_others(instance, &mut holds);
    holds.is_empty()
}

fn of_others(instance: &Instance, holds: &mut Vec<HoldReason>) {
    if instance.root_device == RootDevice::InstanceStore {
        holds.push(HoldReason::InstanceStore);
    }
    run_by_others(instance, holds);
}

/// S17: what AWS or an Auto Scaling group decides about is touched in no way.
pub(super) fn run_by_others(instance: &Instance, holds: &mut Vec<HoldReason>) {
    match &instance.lifecycle {
        Lifecycle::OnDemand | Lifecycle::Scheduled | Lifecycle::CapacityBlock => {}
        Lifecycle::Spot => holds.push(HoldReason::Spot),
        Lifecycle::Unknown(word) => holds.push(HoldReason::UnknownLifecycle { word: word.clone() }),
    }
    if let Some(group) = instance.auto_scaling_group() {
        // Starting it would race the group, which is about to terminate and replace it; in a warm pool it is stopped on
        // purpose; and the group itself registers and deregisters its members.
        holds.push(HoldReason::ScalingGroup {
            group: group.to_owned(),
        });
    }
}

/// S18: a person's stop is announced, undone once after its grace, and respected when it comes again.
fn of_operator(case: &Case<'_>, holds: &mut Vec<HoldReason>) {
    if case.ailment.kind != AilmentKind::StoppedByOperator {
        return;
    }
    if is_respected(case.memory, case.incident) {
        let why = "stopped it again within 7 days of keepgreen undoing that".to_owned();
        holds.push(HoldReason::StopRespected { why });
        return;
    }
    let announced = case
        .incident
        .is_some_and(|incident| case.input.delivered.contains(&announcement_key(incident)));
    let chosen = case.input.policy.grace.operator_stop;
    let grace = if announced {
        chosen
    } else {
        chosen.max(GRACE_OF_UNANNOUNCED)
    };
    let timer = case
        .memory
        .and_then(|memory| memory.timers.get(&AilmentKind::StoppedByOperator));
    let lasted = timer.map_or(Duration::ZERO, |timer| timer.lasted);
    if lasted < grace && !Mutant::GraceIsSkipped.is_on() {
        let why = if announced {
            "a person stopped it; people were told that it will be started"
        } else {
            "a person stopped it, and nobody could be told yet that it will be started"
        };
        holds.push(HoldReason::Grace {
            ailment: AilmentKind::StoppedByOperator,
            left: grace.saturating_sub(lasted),
            why: Some(why.to_owned()),
        });
    }
}

/// Whether a person's stop of it is left alone: one was undone before.
pub(crate) fn is_respected(memory: Option<&InstanceMemory>, incident: Option<&Incident>) -> bool {
    let undone = memory.is_some_and(|memory| !memory.operator_stops_undone.is_empty());
    let under_way = incident.is_some_and(|incident| incident.pending_attempt().is_some());
    undone && !under_way
}

/// The notice that announces that a person's stop will be undone.
pub(crate) fn announcement_key(incident: &Incident) -> String {
    format!("repair/{}/announced", incident.episode())
}

/// S11: quarantine, cooldown, an attempt that is still awaited.
fn of_incident(case: &Case<'_>, incident: &Incident, holds: &mut Vec<HoldReason>) {
    if let Some(since) = incident.quarantined {
        holds.push(HoldReason::Quarantined {
            since,
            failed: incident.failed_attempts(),
        });
        return;
    }
    if let Some(attempt) = incident.pending_attempt() {
        holds.push(HoldReason::Starting {
            attempt: attempt.number,
            lasted: attempt.lasted,
            boot_grace: case.input.policy.grace.boot,
        });
        return;
    }
    if incident.wait > Duration::ZERO {
        holds.push(match &incident.retry {
            Some(retry) => HoldReason::Retry {
                why: retry.why.clone(),
                tries: retry.tries,
                left: incident.wait,
            },
            None => HoldReason::Cooldown {
                failed: incident.failed_attempts(),
                left: incident.wait,
            },
        });
    }
}
