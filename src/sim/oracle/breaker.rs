//! When so much ails at once that nothing drastic may be done: S12, judged at every mutation that arrives, and followed at
//! every look.
//!
//! The breaker opens on what a look shows; so a meltdown counts from the first look on that came while it had lasted for the
//! whole window, and one that began and ended between two looks counts for nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::LOOK_AGE_MAX;
use super::case::{Case, is_by_person, was_stopped_by_person};
use super::declared::Declared;
use super::step::{self, disrupted, is_impaired, lost_targets};
use super::tally::Findings;
use crate::sim::world::{CheckStatus, Health, Instance, State, TargetGroup, TargetKey, World, later};

/// The breaker stays open for so long after the account has recovered.
const HOLDS: Duration = Duration::from_secs(600);
/// Of the managed instances unknown, in percent: more opens the breaker.
const UNKNOWN_PERCENT: usize = 25;
/// A zone with fewer managed instances opens nothing by itself.
const LEAST_IN_ZONE: usize = 3;

/// By account.
pub(super) type Meltdowns = BTreeMap<String, Meltdown>;

/// Looks that came while too much of an account ailed, with no such time between them that the breaker would have closed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meltdown {
    first: Timestamp,
    pub(super) last: Timestamp,
}

/// The controller was shown instances.
pub(super) fn shown(meltdowns: &mut Meltdowns, declared: &Declared, sight: &Sight) {
    if melts(declared, sight).is_some() {
        let now = sight.world.now();
        let before = meltdowns.get(sight.account);
        let goes_on = before.filter(|before| now <= later(before.last, HOLDS));
        let first = goes_on.map_or(now, |before| before.first);
        meltdowns.insert(sight.account.to_owned(), Meltdown { first, last: now });
    }
}

/// What the controller can have seen of an account.
pub(super) struct Sight<'a> {
    pub(super) world: &'a World,
    pub(super) account: &'a str,
    /// Its window.
    pub(super) from: Timestamp,
    /// Life and instance: when the last look that showed it was sent.
    pub(super) looks: &'a BTreeMap<(u32, String), Timestamp>,
    pub(super) life: u32,
}

impl Sight<'_> {
    /// A look of this life has shown that it ails, as it does ever since. Services are looked at in their own time: what has
    /// befallen one of them since its latest look, the others' launches cannot know.
    fn has_shown(&self, instance: &Instance) -> bool {
        let Some(look) = self.looks.get(&(self.life, instance.id.clone())) else {
            return false;
        };
        let since = self.from.min(*look);
        let lives = self.world.instance_since(&instance.id, since);
        lives.iter().all(|i| ails_by_itself(i)) || self.is_sick_since(instance, since)
    }

    /// Some group has called it unhealthy at every moment since.
    fn is_sick_since(&self, instance: &Instance, since: Timestamp) -> bool {
        let (id, address) = (instance.id.as_str(), instance.private_ip.as_str());
        self.world.target_groups().any(|group| {
            let keys = group.registered().map(|(key, ..)| key);
            let mut own = keys.filter(|key| key.0 == id || key.0 == address);
            own.any(|key| {
                let all = group.health_since(key, since, self.world.now());
                all.iter().all(|health| health.is_unhealthy())
            })
        })
    }
}

/// At every moment since `from`, too much of the account ailed or was unknown.
fn melts(declared: &Declared, sight: &Sight) -> Option<String> {
    let (world, account, from) = (sight.world, sight.account, sight.from);
    let sick = unhealthy(world);
    let all_since = |instance: &Instance, holds: fn(&Instance) -> bool| {
        holds(instance) && world.instance_since(&instance.id, from).iter().all(|i| holds(i))
    };
    let ails = |i: &Instance| {
        sick.contains(i.id.as_str()) || sick.contains(i.private_ip.as_str()) || ails_by_itself(i)
    };
    // What a replacement has launched is on its way, or its own failure: no sign of what befalls the account.
    let is_on_its_way = |i: &Arc<Instance>| step::is_attempt_in(world, i);
    let here = || {
        world
            .instances()
            .filter(|i| i.scope.account == account && !is_on_its_way(i))
    };
    let (percent, least) = declared.breaker;
    let ailing: BTreeSet<&str> = here()
        .filter(|i| {
            ails(i) && sight.has_shown(i) && (i.state != State::Terminated || is_missed(world, declared, i))
        })
        .map(|i| i.id.as_str())
        .collect();
    let unknown: BTreeSet<&str> = here()
        .filter(|i| all_since(i, is_unknown))
        .map(|i| i.id.as_str())
        .collect();
    // Most looks end here, before it is asked whose each instance is.
    if ailing.len() < least.min(LEAST_IN_ZONE) && unknown.len() < least {
        return None;
    }
    let managed: Vec<&Arc<Instance>> = here()
        .filter(|i| declared.owner_of(i).is_some_and(|(_, slot)| !slot.idle))
        // What has ended and is not missed makes light of nothing.
        .filter(|i| !step::is_gone(i) || ailing.contains(i.id.as_str()))
        .collect();
    let count = |of: &BTreeSet<&str>| managed.iter().filter(|i| of.contains(i.id.as_str())).count();
    let exceeds = |count: usize, percent: usize| count >= least && count * 100 > managed.len() * percent;
    let mut zones: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for instance in &managed {
        let (ailing_here, all) = zones.entry(&instance.zone).or_default();
        *ailing_here += usize::from(ailing.contains(instance.id.as_str()));
        *all += 1;
    }
    let is_dark = |(ailing, all): &&(usize, usize)| *all >= LEAST_IN_ZONE && ailing == all;
    let melts = exceeds(count(&ailing), percent)
        || exceeds(count(&unknown), UNKNOWN_PERCENT)
        || zones.values().any(|zone| is_dark(&zone));
    melts.then(|| format!("of {} ail {ailing:?}; unknown are {unknown:?}", managed.len()))
}

/// Stopped by AWS, missing, or impaired.
fn ails_by_itself(instance: &Instance) -> bool {
    let by_aws = instance.state == State::Stopped && !was_stopped_by_person(instance);
    by_aws || instance.state == State::Terminated || is_impaired(instance)
}

/// Its slot has fewer than it should, what is on its way aside, and nobody has its place.
fn is_missed(world: &World, declared: &Declared, instance: &Instance) -> bool {
    let Some((service, slot)) = declared.owner_of(instance) else {
        return false;
    };
    // Launched while the old one was still there, and the old one ended at somebody's word since: it has served, whatever it
    // does by now.
    let has_served = |i: &Instance| i.launch_time < instance.state_since && is_by_person(instance);
    let has_its_place = |i: &Arc<Instance>| {
        let is_its = i.tag(step::REPLACES) == Some(&instance.id) && !step::is_gone(i);
        is_its && (has_served(i) || !step::is_attempt_in(world, i))
    };
    if world.instances().any(has_its_place) {
        return false;
    }
    let is_there = |i: &&Arc<Instance>| {
        let owner = declared.owner_of(i);
        owner.is_some_and(|(of, s)| of.name == service.name && s.name == slot.name)
            && !step::is_gone(i)
            && !step::is_attempt_in(world, i)
    };
    world.instances().filter(is_there).count() < slot.count
}

fn is_unknown(instance: &Instance) -> bool {
    instance.state == State::Running && step::checks(instance).contains(&CheckStatus::InsufficientData)
}

/// The targets, by id or address, that some group calls unhealthy.
fn unhealthy(world: &World) -> BTreeSet<&str> {
    let registered = world.target_groups().flat_map(TargetGroup::registered);
    let sick = registered.filter(|(.., health)| health.is_unhealthy());
    sick.map(|(key, ..)| key.0.as_str()).collect()
}

/// While much of an account ails, and ten minutes longer, nothing is disrupted and nothing launched. A group all of whose
/// targets are unhealthy while their instances' checks pass has a sick application: that is no reason to touch it.
pub(super) fn s12_breaker(case: &Case, findings: &mut Findings) {
    if disrupted(case).is_empty() && !step::is_launch(case) {
        return;
    }
    let account = &case.arrival.request.caller.account;
    let seen = case.memory.meltdowns.get(account);
    let holds = seen.filter(|seen| case.arrival.sent <= later(seen.last, HOLDS));
    // What other services' looks have shown a moment ago, while this step was on its way, it could not know.
    let is_known = seen.is_some_and(|seen| later(seen.first, LOOK_AGE_MAX) <= case.arrival.sent);
    let sight = Sight {
        world: case.world(),
        account,
        from: case.window(),
        looks: &case.memory.looks,
        life: case.arrival.incarnation,
    };
    let now = melts(case.declared, &sight);
    findings.require(!is_known || (holds.is_none() && now.is_none()), || {
        let (name, last) = (case.operation().name(), seen.map(|seen| seen.last));
        format!("{name} while the breaker of {account} is open; it last melted at {last:?}; now {now:?}")
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
    // What has never had its place is ended whatever else is ill: of the application it tells nothing.
    let is_attempt = |key: &TargetKey| {
        let own = world.instance(&key.0);
        own.is_some_and(|instance| step::is_attempt_in(world, instance))
    };
    for (group, keys) in lost_targets(case) {
        findings.require(keys.iter().all(|key| is_attempt(key)) || !is_sick(group), || {
            format!(
                "all targets of {} fail while status checks pass: its application's fault",
                group.name
            )
        });
    }
}
