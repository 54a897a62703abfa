//! Whose it is and what it is: S1, S2, S17, S18, S24, judged at every mutation that arrives.

use std::time::Duration;

use super::case::{Case, was_stopped_by_person};
use super::declared::{OperatorStop, Service, Slot};
use super::replace::REPAIR;
use super::step;
use super::tally::Findings;
use super::{HOUR, WEEK};
use crate::sim::world::api::Operation;
use crate::sim::world::{Instance, State};

/// Every instance that a mutation names belongs to exactly one slot of the policies, or was launched by a call of this run.
pub(super) fn s1_ownership(case: &Case, findings: &mut Findings) {
    for (id, lives) in case.named() {
        // Its place is what is left of one that is gone.
        if step::is_launch(case) && lives.is_empty() {
            continue;
        }
        // What was retired is of no slot any more, and may still be brought to its end.
        let ends = matches!(case.operation(), Operation::TerminateInstances { .. });
        let slots_of = |i: &Instance| match ends {
            true => case.declared.claims_of(i).count(),
            false => case.declared.services_of(i).count(),
        };
        let counts: Vec<usize> = lives.iter().map(|i| slots_of(i)).collect();
        let is_launched = lives.iter().any(|i| was_launched(case, i));
        findings.require(is_launched || counts.contains(&1), || {
            format!("{id} matches {counts:?} slots; a mutation needs exactly one")
        });
    }
}

/// A launch that was sent in this run made it, whatever its other tags are by now.
fn was_launched(case: &Case, instance: &Instance) -> bool {
    let mut repairs = case.memory.creations.iter().filter_map(|c| c.repair.as_deref());
    instance
        .tag(REPAIR)
        .is_some_and(|repair| repairs.any(|launched| launched == repair))
}

/// The credentials' account is the account of the policy that owns the instance.
pub(super) fn s2_identity(case: &Case, findings: &mut Findings) {
    let caller = case.arrival.request.caller.scope();
    for (id, lives) in case.named() {
        let other = lives.iter().find(|i| i.scope != caller);
        findings.require(other.is_none(), || {
            format!(
                "{id} is in {:?}, and the call came from {caller:?}",
                other.map(|i| &i.scope)
            )
        });
    }
    for service in case.services() {
        let wanted = service.account.as_ref().unwrap_or(&caller.account);
        findings.require(*wanted == caller.account, || {
            format!(
                "service {} is of account {wanted}, and the call came from {}",
                service.name, caller.account
            )
        });
    }
}

/// Start only what is stopped; touch no Spot instance and no member of an Auto Scaling group; terminate nothing that is
/// protected from it. (That it is the policies' is S1.)
pub(super) fn s17_legal_transitions(case: &Case, findings: &mut Findings) {
    for (id, lives) in case.named() {
        if lives.is_empty() {
            continue;
        }
        let spot = lives.iter().all(|i| i.spot);
        findings.require(!spot, || format!("{id} is a Spot instance"));
        let group = lives.last().and_then(|i| i.group.as_deref());
        findings.require(group.is_none(), || {
            format!(
                "{id} is a member of Auto Scaling group {}",
                group.unwrap_or_default()
            )
        });
        if matches!(case.operation(), Operation::TerminateInstances { .. }) {
            let is_protected = lives.iter().all(|i| i.settings.disable_api_termination);
            findings.require(!is_protected, || format!("{id} has termination protection"));
        }
        if matches!(case.operation(), Operation::StartInstances { .. }) {
            let states: Vec<&str> = lives.iter().map(|i| i.state.name()).collect();
            findings.require(lives.iter().any(|i| i.state == State::Stopped), || {
                format!("{id} was {states:?}, never stopped")
            });
        }
    }
}

/// What others meant is respected: a person's stop, a slot that is meant to be stopped, a stop that the policy leaves alone,
/// and stopped instances beyond the slot's count.
pub(super) fn s18_others_intent(case: &Case, findings: &mut Findings) {
    if !matches!(case.operation(), Operation::StartInstances { .. }) {
        return;
    }
    for (id, lives) in case.named() {
        let Some(instance) = lives.last() else { continue };
        for (service, slot) in case.declared.services_of(instance) {
            if slot.idle {
                findings.require(false, || {
                    format!("{id} is in slot {}, which is meant to be stopped", slot.name)
                });
            }
            of_stop(case, service, id, &lives, findings);
        }
    }
    s18_surplus(case, findings);
}

/// A stop by a person, or by AWS where the policy says `alert`.
fn of_stop(
    case: &Case,
    service: &Service,
    id: &str,
    lives: &[std::sync::Arc<Instance>],
    findings: &mut Findings,
) {
    let stops = || lives.iter().filter(|i| i.state == State::Stopped);
    let others = stops().any(|i| !was_stopped_by_person(i));
    let is_own = case.memory.own_stops.contains(id);
    if let Some(by_person) = stops().find(|i| was_stopped_by_person(i))
        && !others
        && !is_own
    {
        let why = overrules_person(case, service.operator_stop, by_person).err();
        findings.require(why.is_none(), || format!("{id} {}", why.unwrap_or_default()));
    }
    if others && !service.starts_stopped {
        findings.require(false, || {
            format!("{id} was not stopped by a person, and the policy says alert")
        });
    }
}

fn overrules_person(case: &Case, rule: OperatorStop, instance: &Instance) -> Result<(), String> {
    let stopped = instance.stop_began.unwrap_or(instance.state_since);
    let OperatorStop::StartAfter(chosen) = rule else {
        return Err("was stopped by a person, which the policy respects".to_owned());
    };
    let told = case.world().was_told_of(&instance.id, stopped);
    let grace = if told { chosen } else { chosen.max(HOUR) };
    if case.now() < stopped + grace {
        let told = if told { "" } else { ", since nobody was told" };
        return Err(format!(
            "was stopped by a person at {stopped}; the grace is {grace:?}{told}"
        ));
    }
    match case.memory.overruled.get(&instance.id) {
        Some(before) if *before < stopped && stopped < *before + WEEK => Err(format!(
            "was stopped by a person again, after it had been started at {before}"
        )),
        _ => Ok(()),
    }
}

/// With more stopped matches than the slot lacks, the rest is left alone.
fn s18_surplus(case: &Case, findings: &mut Findings) {
    let ids = case.operation().subjects();
    for service in case.services() {
        for slot in &service.slots {
            let started = ids.iter().filter(|id| is_in(case, service, slot, id)).count();
            let up = case.world().instances();
            let up = up
                .filter(|i| !ids.contains(&i.id.as_str()) && is_surely_up(case, service, slot, i))
                .count();
            if started == 0 || up == 0 {
                continue;
            }
            findings.require(started + up <= slot.count, || {
                format!(
                    "{started} started in slot {}, where {up} of {} were up",
                    slot.name, slot.count
                )
            });
        }
    }
}

fn is_in(case: &Case, service: &Service, slot: &Slot, id: &str) -> bool {
    let instance = case.world().instance(id);
    instance.is_some_and(|i| service.scope == i.scope && slot.selects(i))
}

/// It was up during the whole window, and the look that admits the start showed it.
fn is_surely_up(case: &Case, service: &Service, slot: &Slot, instance: &Instance) -> bool {
    let was_shown = || {
        let look = case
            .memory
            .looks
            .get(&(case.arrival.incarnation, instance.id.clone()));
        look.is_some_and(|at| *at + Duration::from_secs(5) >= case.arrival.sent)
    };
    let was_up = || {
        let lives = case.world().instance_since(&instance.id, case.window());
        lives
            .iter()
            .all(|i| matches!(i.state, State::Running | State::Pending) && slot.selects(i))
    };
    // One that several slots claim is nobody's, and fills none of them.
    let owner = case.declared.owner_of(instance);
    let is_its = owner.is_some_and(|(of, s)| of.name == service.name && s.name == slot.name);
    // What a replacement has launched fills no place before it serves.
    is_its && was_shown() && was_up() && !step::is_attempt(case, instance)
}

/// A dry run puts no writing request on the wire at all.
pub(super) fn s24_dry_run(case: &Case, findings: &mut Findings) {
    if case.arrival.dry_run {
        findings.require(!case.operation().is_write(), || {
            format!("{} was sent by a dry run", case.operation().name())
        });
    }
}
