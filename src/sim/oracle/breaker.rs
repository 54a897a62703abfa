//! When so much ails at once that nothing drastic may be done: S12, judged at every mutation that arrives, and followed at
//! every look.
//!
//! The breaker opens on what a look shows; so a meltdown counts from the first look on that came while it had lasted for the
//! whole window, and one that began and ended between two looks counts for nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::case::{Case, was_stopped_by_person};
use super::declared::Declared;
use super::step::{self, disrupted, is_impaired, lost_targets};
use super::tally::Findings;
use crate::sim::world::{CheckStatus, Health, Instance, State, TargetGroup, World, later};

/// The breaker stays open for so long after the account has recovered.
const HOLDS: Duration = Duration::from_secs(600);
/// Of the managed instances unknown, in percent: more opens the breaker.
const UNKNOWN_PERCENT: usize = 25;
/// A zone with fewer managed instances opens nothing by itself.
const LEAST_IN_ZONE: usize = 3;

/// Account: when a look last came while too much of it ailed.
pub(super) type Meltdowns = BTreeMap<String, Timestamp>;

/// The controller was shown instances.
pub(super) fn shown(
    meltdowns: &mut Meltdowns,
    world: &World,
    declared: &Declared,
    account: &str,
    from: Timestamp,
) {
    if melts(world, declared, account, from) {
        meltdowns.insert(account.to_owned(), world.now());
    }
}

/// At every moment since `from`, too much of the account ailed or was unknown.
fn melts(world: &World, declared: &Declared, account: &str, from: Timestamp) -> bool {
    let sick = unhealthy_since(world, from);
    let all_since = |instance: &Instance, holds: fn(&Instance) -> bool| {
        holds(instance) && world.instance_since(&instance.id, from).iter().all(|i| holds(i))
    };
    let ails = |i: &Instance| {
        sick.contains(i.id.as_str()) || sick.contains(i.private_ip.as_str()) || all_since(i, ails_by_itself)
    };
    // What a replacement has launched is on its way, or its own failure: no sign of what befalls the account.
    let is_on_its_way = |i: &Arc<Instance>| step::is_attempt_in(world, i);
    let here = || {
        world
            .instances()
            .filter(|i| i.scope.account == account && !is_on_its_way(i))
    };
    let (percent, least) = declared.breaker;
    let ailing: BTreeSet<&str> = here().filter(|i| ails(i)).map(|i| i.id.as_str()).collect();
    let unknown: BTreeSet<&str> = here()
        .filter(|i| all_since(i, is_unknown))
        .map(|i| i.id.as_str())
        .collect();
    // Most looks end here, before it is asked whose each instance is.
    if ailing.len() < least.min(LEAST_IN_ZONE) && unknown.len() < least {
        return false;
    }
    let managed: Vec<&Arc<Instance>> = here()
        .filter(|i| declared.owner_of(i).is_some_and(|(_, slot)| !slot.idle))
        .collect();
    let count = |of: &BTreeSet<&str>| managed.iter().filter(|i| of.contains(i.id.as_str())).count();
    let exceeds = |count: usize, percent: usize| count >= least && count * 100 > managed.len() * percent;
    let mut zones: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for instance in &managed {
        let (ailing_here, all) = zones.entry(&instance.zone).or_default();
        *ailing_here += usize::from(ailing.contains(instance.id.as_str()));
        *all += 1;
    }
    exceeds(count(&ailing), percent)
        || exceeds(count(&unknown), UNKNOWN_PERCENT)
        || zones
            .values()
            .any(|(ailing, all)| *all >= LEAST_IN_ZONE && ailing == all)
}

/// Stopped by AWS, missing, or impaired.
fn ails_by_itself(instance: &Instance) -> bool {
    let by_aws = instance.state == State::Stopped && !was_stopped_by_person(instance);
    by_aws || instance.state == State::Terminated || is_impaired(instance)
}

fn is_unknown(instance: &Instance) -> bool {
    instance.state == State::Running && step::checks(instance).contains(&CheckStatus::InsufficientData)
}

/// The targets, by id or address, that some group has called unhealthy at every moment since `from`.
fn unhealthy_since(world: &World, from: Timestamp) -> BTreeSet<&str> {
    let mut sick = BTreeSet::new();
    for group in world.target_groups() {
        let now = group.registered().filter(|(.., health)| health.is_unhealthy());
        let lasting = now.filter(|(key, ..)| {
            let all = group.health_since(key, from, world.now());
            all.iter().all(|health| health.is_unhealthy())
        });
        sick.extend(lasting.map(|(key, ..)| key.0.as_str()));
    }
    sick
}

/// While much of an account ails, and ten minutes longer, nothing is disrupted and nothing launched. A group all of whose
/// targets are unhealthy while their instances' checks pass has a sick application: that is no reason to touch it.
pub(super) fn s12_breaker(case: &Case, findings: &mut Findings) {
    if disrupted(case).is_empty() && !step::is_launch(case) {
        return;
    }
    let account = &case.arrival.request.caller.account;
    let seen = case.memory.meltdowns.get(account);
    let holds = seen.filter(|at| case.arrival.sent <= later(**at, HOLDS));
    let is_open = holds.is_some() || melts(case.world(), case.declared, account, case.window());
    findings.require(!is_open, || {
        let name = case.operation().name();
        format!("{name} while the breaker of {account} is open; it was last seen to melt at {seen:?}")
    });
    let world = case.world();
    let is_sick = |group: &TargetGroup| {
        let healths = step::healths(case, group);
        let is_sound = |id: &str| world.instance(id).is_none_or(|i| step::passes(i));
        let unhealthy = |all: &Vec<Health>| all.iter().all(|h| h.is_unhealthy());
        healths
            .iter()
            .all(|(key, all)| is_sound(&key.0) && unhealthy(all))
    };
    for (group, _) in lost_targets(case) {
        findings.require(!is_sick(group), || {
            format!(
                "all targets of {} fail while status checks pass: its application's fault",
                group.name
            )
        });
    }
}
