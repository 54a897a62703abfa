//! What a mutation does to what serves, as the world has it: which instances go down, which targets leave which group, and
//! what is launched in whose place.
//!
//! A controller acts on a look that is a few seconds old; so a fact counts against a step only if it held at every moment of
//! the case's window, and in its favour if it held at any.

use std::collections::BTreeMap;
use std::time::Duration;

use super::case::{Arrival, Case};
use super::declared::{Service, Slot};
use crate::sim::world::api::Operation;
use crate::sim::world::balancing::Op;
use crate::sim::world::{
    CheckStatus, Health, Instance, State, TargetGroup, TargetKey, World, earlier, later, launch,
};

/// The instance in whose place a launched one is to serve.
pub(super) const REPLACES: &str = "keepgreen:replaces";
/// What an instance is marked with once another one has its place.
pub(super) const RETIRED: &str = "keepgreen:retired";

/// One that was not healthy in time is ended, even if it is healthy by then and had to wait for that.
const MAY_BE_ENDED_FOR: Duration = Duration::from_secs(3600);

/// What was healthy at every moment for so long, serves.
const SERVES_AFTER: Duration = Duration::from_secs(20);

/// A parameter of the request's text.
pub(super) fn param<'a>(params: &'a str, key: &str) -> Option<&'a str> {
    let mut pairs = params.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| *name == key).map(|(_, value)| value)
}

/// The value of a tag that the request gives to what it creates.
pub(super) fn tag_param<'a>(params: &'a str, tag: &str) -> Option<&'a str> {
    let mut pairs = params.split('&').filter_map(|pair| pair.split_once('='));
    let (name, _) = pairs.find(|(name, value)| name.ends_with(".Key") && *value == tag)?;
    param(params, &format!("{}.Value", name.strip_suffix(".Key")?))
}

/// The request launches instances.
pub(super) fn is_launch(case: &Case) -> bool {
    !matches!(case.operation(), Operation::DryRun(_)) && case.operation().name() == "RunInstances"
}

/// The instances that a request is about: those that it names, and the one in whose place it launches another.
pub(super) fn concerned<'a>(arrival: &Arrival<'a>) -> Vec<&'a str> {
    let operation = &arrival.request.operation;
    let mut ids = operation.subjects();
    ids.retain(|id| id.starts_with("i-"));
    if operation.name() == "RunInstances" {
        ids.extend(tag_param(arrival.params, REPLACES));
    }
    ids
}

/// The instances that the request stops or terminates.
pub(super) fn taken_down<'a>(case: &Case<'a>) -> &'a [String] {
    match case.operation() {
        Operation::StopInstances {
            ids, dry_run: false, ..
        }
        | Operation::TerminateInstances { ids, dry_run: false } => ids,
        _ => &[],
    }
}

/// The instances that do not serve for a while, or ever again, by the request.
pub(super) fn interrupted<'a>(case: &Case<'a>) -> &'a [String] {
    match case.operation() {
        Operation::Launch(launch::Op::RebootInstances(ids)) => ids,
        _ => taken_down(case),
    }
}

/// The targets that the request takes out of target groups, by the group's ARN; only groups in which there are any.
pub(super) fn lost_targets<'a>(case: &Case<'a>) -> Vec<(&'a TargetGroup, Vec<&'a TargetKey>)> {
    let world = case.world();
    let down = interrupted(case);
    let mut lost = Vec::new();
    for group in world.target_groups() {
        let leaves = |key: &TargetKey| match case.operation() {
            Operation::Balancing(Op::DeregisterTargets { arn, targets }) => {
                *arn == group.arn
                    && targets
                        .iter()
                        .any(|t| t.id == key.0 && t.port.is_none_or(|port| port == key.1))
            }
            _ => down.iter().any(|id| {
                let address = world.instance(id).map(|i| &i.private_ip);
                key.0 == *id || (group.target_type == "ip" && Some(&key.0) == address)
            }),
        };
        let keys: Vec<_> = group
            .registered()
            .map(|(key, ..)| key)
            .filter(|key| leaves(key))
            .collect();
        if !keys.is_empty() {
            lost.push((group, keys));
        }
    }
    lost
}

/// The instances that stop serving by the request, wholly or in one group.
pub(super) fn disrupted<'a>(case: &Case<'a>) -> Vec<&'a Instance> {
    let ids: Vec<&str> = match case.operation() {
        Operation::Balancing(Op::DeregisterTargets { targets, .. }) => {
            targets.iter().map(|t| t.id.as_str()).collect()
        }
        _ => interrupted(case).iter().map(String::as_str).collect(),
    };
    let world = case.world();
    ids.into_iter()
        .filter_map(|id| world.instance(id).map(AsRef::as_ref))
        .collect()
}

/// The slot that an instance serves: its own, or that of the one that it replaces.
pub(super) fn place<'a>(case: &Case<'a>, instance: &'a Instance) -> Option<(&'a Service, &'a Slot)> {
    let replaced = || case.world().instance(instance.tag(REPLACES)?);
    let own = case.declared.owner_of(instance);
    own.or_else(|| case.declared.owner_of(replaced()?))
}

/// The living instances that were launched in this one's place.
pub(super) fn replacements<'a>(case: &Case<'a>, old: &'a str) -> impl Iterator<Item = &'a Instance> {
    replacements_in(case.world(), old)
}

pub(super) fn replacements_in<'a>(world: &'a World, old: &'a str) -> impl Iterator<Item = &'a Instance> {
    let living = world.instances().filter(|i| !is_gone(i));
    living
        .filter(move |i| i.tag(REPLACES) == Some(old))
        .map(AsRef::as_ref)
}

/// Those that were launched in this one's place and were alive at some moment of the window.
pub(super) fn lately_replaced_by<'a>(case: &'a Case<'a>, old: &'a str) -> impl Iterator<Item = &'a Instance> {
    let was_alive = |i: &&std::sync::Arc<Instance>| {
        let lives = case.world().instance_since(&i.id, case.window());
        !is_gone(i) || lives.iter().any(|life| !is_gone(life))
    };
    let mine = case
        .world()
        .instances()
        .filter(move |i| i.tag(REPLACES) == Some(old));
    mine.filter(was_alive).map(AsRef::as_ref)
}

/// It was launched in another one's place, and has not taken it yet: an attempt, whose own instance may be ended (S8).
pub(super) fn is_attempt(case: &Case, instance: &Instance) -> bool {
    is_attempt_since(case.world(), instance, MAY_BE_ENDED_FOR) || was_taken_out(case, instance)
}

/// It is in none of its slot's groups, and was launched not long ago, in the place of one that is gone: the attempt has failed, and
/// has been taken out.
fn was_taken_out(case: &Case, instance: &Instance) -> bool {
    let replaced = instance.tag(REPLACES).map(|old| case.world().instance(old));
    let is_lost = replaced.is_some_and(|old| old.is_none_or(|old| is_gone(old)));
    let is_young = later(instance.launch_time, 2 * MAY_BE_ENDED_FOR) > case.now();
    let has_groups = place(case, instance).is_some_and(|(_, slot)| !slot.groups.is_empty());
    is_lost && is_young && has_groups && case.world().registrations_of(&instance.id).is_empty()
}

/// While the old one is still there and still counts, it has not; and if that is gone, as long as it has not served.
pub(super) fn is_attempt_in(world: &World, instance: &Instance) -> bool {
    is_attempt_since(world, instance, SERVES_AFTER)
}

fn is_attempt_since(world: &World, instance: &Instance, serves_after: Duration) -> bool {
    let Some(replaced) = instance.tag(REPLACES) else {
        return false;
    };
    match world.instance(replaced) {
        // One that ended before the old one was marked never had its place: another one has.
        Some(old) if !is_gone(old) => match old.tags.get(RETIRED) {
            None => true,
            Some(mark) => is_gone(instance) && instance.state_since < mark.since,
        },
        _ => {
            let since = earlier(world.now(), serves_after);
            let healths = world.healths_since(&instance.id, since);
            let healthy =
                |all: &[Health]| !all.is_empty() && all.iter().all(|health| *health == Health::Healthy);
            // In no target group, it serves once it is sound.
            let is_sound = || {
                world
                    .instance_since(&instance.id, since)
                    .iter()
                    .all(|i| passes(i))
            };
            match healths.is_empty() {
                true => !is_sound(),
                false => !healths.iter().all(|(_, all)| healthy(all)),
            }
        }
    }
}

/// The repair that an instance is of, by the one that it is about: an attempt's is that of the one in whose place it is.
pub(super) fn repaired<'a>(case: &Case<'a>, id: &'a str) -> &'a str {
    let instance = case.world().instance(id);
    let attempt = instance.filter(|instance| is_attempt(case, instance));
    attempt.and_then(|instance| instance.tag(REPLACES)).unwrap_or(id)
}

pub(super) fn is_gone(instance: &Instance) -> bool {
    matches!(instance.state, State::Terminated | State::ShuttingDown)
}

/// Nobody counts it any more: it is gone, or marked as replaced.
pub(super) fn is_out(instance: &Instance) -> bool {
    is_gone(instance) || instance.tag(RETIRED).is_some()
}

/// Its two checks that tell of the machine.
pub(super) fn checks(instance: &Instance) -> [CheckStatus; 2] {
    [instance.system_check, instance.instance_check]
}

pub(super) fn is_impaired(instance: &Instance) -> bool {
    checks(instance)
        .iter()
        .any(|check| matches!(check, CheckStatus::Impaired(_)))
}

pub(super) fn passes(instance: &Instance) -> bool {
    instance.state == State::Running && checks(instance) == [CheckStatus::Ok; 2]
}

/// What AWS itself says is bad about the instance, at some moment of the window: what a remedy can rest on.
pub(super) fn known_bad(case: &Case, id: &str) -> bool {
    let world = case.world();
    let lives = world.instance_since(id, case.window());
    let of_instance = |i: &Instance| {
        matches!(i.state, State::Stopped | State::Terminated)
            || is_impaired(i)
            || i.events.iter().any(|e| e.is_open())
    };
    let is_unhealthy = |(_, healths): &(String, Vec<Health>)| healths.iter().any(|h| h.is_unhealthy());
    lives.iter().any(|i| of_instance(i)) || world.healths_since(id, case.window()).iter().any(is_unhealthy)
}

/// Targets of a group by key, with all that each was at some moment of the window.
pub(super) fn healths<'a>(case: &Case, group: &'a TargetGroup) -> BTreeMap<&'a TargetKey, Vec<Health>> {
    group
        .registered()
        .map(|(key, ..)| (key, group.health_since(key, case.window(), case.now())))
        .collect()
}
