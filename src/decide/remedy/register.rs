//! Put a running instance back into the target groups that its slot lists.
//!
//! Additive, and yet somebody may have taken it out on purpose: it waits for its grace, it is done `limits.attempts` times
//! at the most, and never for a group that the slot does not list (S19). What keepgreen itself takes out it brings back as part
//! of the repair that took it out, without any grace and whatever the policy says of others' deregistering.

use super::start::run_by_others;
use super::{Case, Proposal, Remedy, gates};
use crate::decide::fold::true_coverage;
use crate::decide::hold::HoldReason;
use crate::decide::replace::is_registered;
use crate::decide::verdict::target_of;
use crate::model::{AilmentKind, InstanceState, RepairId, RepairOf, TargetStep};
use std::time::Duration;

pub(super) struct Register;

impl Remedy for Register {
    fn propose(&self, case: &Case<'_>) -> Proposal {
        let mut holds = gates::gates(case);
        let coverage = true_coverage(case.input.look, case.input.memory);
        if !coverage.is_complete() {
            let parts = coverage.gaps().iter().map(|gap| gap.part.to_string()).collect();
            holds.push(HoldReason::PartialView { parts });
        }
        run_by_others(case.instance, &mut holds);
        if case.instance.state != InstanceState::Running {
            holds.push(HoldReason::NothingToStart {
                why: format!("a target has to run, and it is {}", case.instance.state.as_str()),
            });
        }
        lasted(case, &mut holds);
        tried(case, &mut holds);
        let steps = steps(case);
        if holds.is_empty() && !steps.is_empty() {
            Proposal::Register(steps)
        } else {
            Proposal::Hold(holds)
        }
    }
}

fn lasted(case: &Case<'_>, holds: &mut Vec<HoldReason>) {
    let kind = AilmentKind::Deregistered;
    let timer = case.memory.and_then(|memory| memory.timers.get(&kind));
    let lasted = timer.map_or(Duration::ZERO, |timer| timer.lasted);
    let grace = case.input.policy.grace.deregistered;
    if lasted < grace {
        holds.push(HoldReason::Grace {
            ailment: kind,
            left: grace.saturating_sub(lasted),
            why: None,
        });
    }
}

fn tried(case: &Case<'_>, holds: &mut Vec<HoldReason>) {
    let Some(done) = case.memory.and_then(|memory| memory.registration.as_ref()) else {
        return;
    };
    let times = done.accepted.values().copied().max().unwrap_or(0);
    if times >= case.input.policy.limits.attempts {
        holds.push(HoldReason::TakenOutAgain { times });
    } else if !done.wait.is_zero() {
        holds.push(match &done.retry {
            Some(retry) => HoldReason::Retry {
                why: retry.why.clone(),
                tries: retry.tries,
                left: done.wait,
            },
            None => HoldReason::Cooldown {
                failed: times,
                left: done.wait,
            },
        });
    }
}

/// One for each group and port that the slot lists and that does not have it.
fn steps(case: &Case<'_>) -> Vec<TargetStep> {
    let times = case.memory.and_then(|memory| memory.registration.as_ref());
    let times = times.map_or(0, |done| done.accepted.values().copied().max().unwrap_or(0));
    let missing = case.slot.target_groups.iter().filter_map(|wanted| {
        let group = case.input.look.groups.get(&wanted.name)?;
        let there = target_of(group, wanted, case.instance).is_some_and(is_registered);
        if !group.of_instances || there {
            return None;
        }
        Some(TargetStep {
            instance: case.instance.id.clone(),
            group: wanted.name.clone(),
            arn: group.arn.clone(),
            port: wanted.port.or(group.port),
            of: RepairOf {
                slot: case.slot_name.clone(),
                repair: RepairId::new(format!(
                    "{}-{}-register",
                    case.input.policy.service, case.instance.id
                )),
                about: case.instance.id.clone(),
                attempt: times.saturating_add(1),
            },
        })
    });
    missing.collect()
}
