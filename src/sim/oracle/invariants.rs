//! One function per invariant, named after it: `Err` is a sentence that says what broke it.

use super::{Case, LOOK_AGE_MAX, OperatorStop, PAUSE_DELAY_MAX, WEEK, pause};
use crate::sim::world::api::Operation;
use crate::sim::world::{Instance, State};

pub(super) type Check = fn(&Case) -> Result<(), String>;

/// Every invariant that this world can judge.
pub(super) const ALL: &[(&str, Check)] = &[
    ("S1 Ownership", s1_ownership),
    ("S2 Identity", s2_identity),
    ("S8 Do no harm", s8_do_no_harm),
    ("S11 Caps", s11_caps),
    ("S13 Pause", s13_pause),
    ("S15 One writer", s15_one_writer),
    ("S16 Freshness", s16_freshness),
    ("S17 Legal transitions", s17_legal_transitions),
    ("S18 Others' intent", s18_others_intent),
    ("S24 Dry run", s24_dry_run),
];

/// A person, or a scheduler in a person's name, stopped it.
pub(super) fn was_stopped_by_person(instance: &Instance) -> bool {
    let code = instance.reason.as_ref().map_or("", |reason| reason.code.as_str());
    instance.state == State::Stopped && code.starts_with("Client.UserInitiated")
}

/// Every instance that a mutation names belongs to exactly one slot of the policies.
fn s1_ownership(case: &Case) -> Result<(), String> {
    if !case.operation().is_mutation() {
        return Ok(());
    }
    for (id, lives) in case.named() {
        let counts: Vec<usize> = lives
            .iter()
            .map(|i| case.declared.services_of(i).count())
            .collect();
        if !counts.contains(&1) {
            return Err(format!(
                "{id} matches {counts:?} slots; a mutation needs exactly one"
            ));
        }
    }
    Ok(())
}

/// The credentials' account is the account of the policy that owns the instance.
fn s2_identity(case: &Case) -> Result<(), String> {
    if !case.operation().is_mutation() {
        return Ok(());
    }
    let caller = &case.arrival.request.caller;
    for (id, lives) in case.named() {
        if let Some(other) = lives.iter().find(|i| i.scope != caller.scope()) {
            return Err(format!(
                "{id} is in {:?}, and the call came from {:?}",
                other.scope,
                caller.scope()
            ));
        }
    }
    Ok(())
}

/// No running instance is stopped or terminated: nothing in this version has a reason to.
fn s8_do_no_harm(case: &Case) -> Result<(), String> {
    match case.operation() {
        Operation::StopInstances { ids, .. } | Operation::TerminateInstances { ids, .. } => {
            Err(format!("{} on {ids:?}", case.operation().name()))
        }
        _ => Ok(()),
    }
}

/// Mutations per account and hour, over all lives of the controller.
fn s11_caps(case: &Case) -> Result<(), String> {
    let Some(cap) = case
        .declared
        .mutations_per_hour
        .filter(|_| case.operation().is_mutation())
    else {
        return Ok(());
    };
    let account = &case.arrival.request.caller.account;
    let since = case.arrival.sent - super::HOUR;
    let sent = case
        .memory
        .mutations
        .iter()
        .filter(|(at, of)| *at > since && of == account)
        .count()
        + 1;
    if sent > cap {
        return Err(format!(
            "{sent} mutations within an hour in {account}; the cap is {cap}"
        ));
    }
    Ok(())
}

/// Nothing is sent later than a second after a pause became readable, nor on an unreadable or old reading of it.
fn s13_pause(case: &Case) -> Result<(), String> {
    if !case.operation().is_mutation() {
        return Ok(());
    }
    for (id, lives) in case.named() {
        let Some(instance) = lives.last() else { continue };
        let pause = pause::readable_since(case, instance);
        if let Some(pause) = pause.filter(|p| p.since + PAUSE_DELAY_MAX < case.arrival.sent) {
            return Err(format!(
                "{id} is paused by {} since {}",
                pause.source, pause.since
            ));
        }
    }
    if case.declared.pause_parameter.is_some() {
        match case.memory.pause_reads.get(&case.arrival.incarnation) {
            Some((at, true)) if case.arrival.sent <= *at + PAUSE_DELAY_MAX => {}
            Some((at, true)) => return Err(format!("the pause parameter was last read at {at}")),
            Some((at, false)) => return Err(format!("the pause parameter was unreadable at {at}")),
            None => return Err("the pause parameter was never read".to_owned()),
        }
    }
    Ok(())
}

/// No two mutations of a service are in flight at once.
fn s15_one_writer(case: &Case) -> Result<(), String> {
    if !case.operation().is_mutation() {
        return Ok(());
    }
    for id in case.operation().subjects() {
        let Some(instance) = case.arrival.world.instance(id) else {
            continue;
        };
        for (service, _) in case.declared.services_of(instance) {
            let other = case
                .memory
                .in_flight
                .iter()
                .find(|(_, names)| names.contains(&service.name));
            if let Some((number, _)) = other {
                return Err(format!(
                    "call {number} on service {} has not been answered yet",
                    service.name
                ));
            }
        }
    }
    Ok(())
}

/// Each instance was shown by a look younger than 5 s, which includes every earlier own write.
fn s16_freshness(case: &Case) -> Result<(), String> {
    if !case.operation().is_mutation() {
        return Ok(());
    }
    for id in case.operation().subjects() {
        let look = case
            .memory
            .looks
            .get(&(case.arrival.incarnation, id.to_owned()))
            .copied();
        let Some(look) = look else {
            return Err(format!("{id} was never shown to this life of the controller"));
        };
        if look + LOOK_AGE_MAX < case.arrival.sent {
            return Err(format!("{id} was last shown by a look at {look}"));
        }
        if case
            .memory
            .own_writes
            .get(id)
            .is_some_and(|written| look <= *written)
        {
            return Err(format!("{id} was not looked at since the last mutation of it"));
        }
    }
    Ok(())
}

/// Start only what is stopped, is no Spot instance and is no member of an Auto Scaling group.
fn s17_legal_transitions(case: &Case) -> Result<(), String> {
    if !matches!(case.operation(), Operation::StartInstances { .. }) {
        return Ok(());
    }
    for (id, lives) in case.named() {
        if !lives.iter().any(|i| i.state == State::Stopped) {
            let states: Vec<&str> = lives.iter().map(|i| i.state.name()).collect();
            return Err(format!("{id} was {states:?}, never stopped"));
        }
        if lives.iter().all(|i| i.spot) {
            return Err(format!("{id} is a Spot instance"));
        }
        if let Some(group) = lives.last().and_then(|i| i.group.as_deref()) {
            return Err(format!("{id} is a member of Auto Scaling group {group}"));
        }
    }
    Ok(())
}

/// A person's stop, and a slot that is meant to be stopped, are handled only as the policy says.
fn s18_others_intent(case: &Case) -> Result<(), String> {
    if !matches!(case.operation(), Operation::StartInstances { .. }) {
        return Ok(());
    }
    for (id, lives) in case.named() {
        for instance in lives.iter().filter(|i| was_stopped_by_person(i)) {
            if lives
                .iter()
                .any(|i| i.state == State::Stopped && !was_stopped_by_person(i))
            {
                continue;
            }
            for (service, _) in case.declared.services_of(instance) {
                overrules_person(case, service.operator_stop, instance)
                    .map_err(|why| format!("{id} {why}"))?;
            }
        }
        let Some(instance) = lives.last() else { continue };
        if let Some((_, slot)) = case.declared.services_of(instance).find(|(_, slot)| slot.idle) {
            return Err(format!(
                "{id} is in slot {}, which is meant to be stopped",
                slot.name
            ));
        }
    }
    Ok(())
}

fn overrules_person(case: &Case, rule: OperatorStop, instance: &Instance) -> Result<(), String> {
    let stopped = instance.stop_began.unwrap_or(instance.state_since);
    let OperatorStop::StartAfter(grace) = rule else {
        return Err("was stopped by a person, which the policy respects".to_owned());
    };
    if case.now() < stopped + grace {
        return Err(format!(
            "was stopped by a person at {stopped}; the grace is {grace:?}"
        ));
    }
    match case.memory.overruled.get(&instance.id) {
        Some(before) if *before < stopped && stopped < *before + WEEK => Err(format!(
            "was stopped by a person again, after it had been started at {before}"
        )),
        _ => Ok(()),
    }
}

/// A dry run puts no writing request on the wire at all.
fn s24_dry_run(case: &Case) -> Result<(), String> {
    if case.arrival.dry_run && case.operation().is_write() {
        return Err(format!("{} was sent by a dry run", case.operation().name()));
    }
    Ok(())
}
