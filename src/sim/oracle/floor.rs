//! What keeps serving: S6, S10 and S19, judged at every mutation that arrives, on the world's own target health.

use super::case::Case;
use super::declared::{Declared, Service, Slot};
use super::step::{self, disrupted, interrupted, lost_targets, place, replacements};
use super::tally::Findings;
use crate::sim::world::api::Operation;
use crate::sim::world::balancing::{Op, TargetAt};
use crate::sim::world::{CheckStatus, Health, Instance, State, TargetGroup, TargetKey};

/// No step leaves a group, or a zone of it without cross-zone balancing, fewer healthy targets than its `min_healthy`, or
/// fewer than it had when it was below; nor are two such steps on one group under way.
pub(super) fn s6_floor(case: &Case, findings: &mut Findings) {
    for (group, lost) in lost_targets(case) {
        let healths = step::healths(case, group);
        let is_lost = |key: &TargetKey| lost.contains(&key);
        let was_lost: Vec<_> = healths
            .iter()
            .filter(|(key, all)| is_lost(key) && all.iter().all(|h| *h == Health::Healthy))
            .map(|(key, _)| *key)
            .collect();
        let stays = || {
            let healthy = |all: &[Health]| all.contains(&Health::Healthy);
            let kept = healths
                .iter()
                .filter(move |(key, all)| !is_lost(key) && healthy(all));
            kept.map(|(key, _)| *key)
        };
        let floor = floor_of(case.declared, group);
        findings.require(was_lost.is_empty() || stays().count() >= floor, || {
            format!(
                "{} keeps {} healthy targets; the floor is {floor}",
                group.name,
                stays().count()
            )
        });
        let zone_of = |key: &TargetKey| group.targets.get(key).and_then(|t| t.now()?.zone.clone());
        let zones: Vec<_> = was_lost.iter().filter_map(|key| zone_of(key)).collect();
        for zone in zones.iter().filter(|_| !group.is_cross_zone()) {
            let left = stays().filter(|key| zone_of(key).as_ref() == Some(zone)).count();
            findings.require(left >= floor, || {
                format!(
                    "{} keeps {left} healthy targets in {zone}; the floor is {floor}",
                    group.name
                )
            });
        }
        let other = case
            .memory
            .disrupting
            .values()
            .any(|groups| groups.contains(&group.arn));
        findings.require(!other, || {
            format!("another step on {} has not been answered yet", group.name)
        });
    }
    s6_without_groups(case, findings);
}

/// The most that any slot that lists the group, or its service, wants healthy in it.
fn floor_of(declared: &Declared, group: &TargetGroup) -> usize {
    let slots = declared
        .services
        .iter()
        .flat_map(|s| s.slots.iter().map(move |slot| (s, slot)));
    let floors = slots.flat_map(|(service, slot)| {
        let own = slot
            .groups
            .iter()
            .filter(|m| m.group == group.name || m.group == group.arn);
        own.map(|m| m.min_healthy.unwrap_or(service.min_healthy))
    });
    floors.max().unwrap_or(1)
}

/// A service in no target group: its running instances whose checks pass.
fn s6_without_groups(case: &Case, findings: &mut Findings) {
    let world = case.world();
    for id in interrupted(case) {
        let Some((service, _)) = world.instance(id).and_then(|i| case.declared.owner_of(i)) else {
            continue;
        };
        if service.slots.iter().any(|slot| !slot.groups.is_empty()) || !world.registrations_of(id).is_empty()
        {
            continue;
        }
        let was = |id: &str, every: bool| {
            let lives = world.instance_since(id, case.window());
            let passes = |i: &std::sync::Arc<Instance>| step::passes(i);
            if every {
                lives.iter().all(passes)
            } else {
                lives.iter().any(passes)
            }
        };
        let stays = world
            .instances()
            .filter(|i| !interrupted(case).contains(&i.id) && service.slots_of(i).next().is_some());
        let left = stays.filter(|i| was(&i.id, false)).count();
        findings.require(!was(id, true) || left >= service.min_healthy, || {
            format!(
                "service {} keeps {left} sound instances; the floor is {}",
                service.name, service.min_healthy
            )
        });
    }
}

/// Of what is only unknown of an instance, no step that disrupts it may make a reason.
pub(super) fn s10_unknown_is_not_false(case: &Case, findings: &mut Findings) {
    for instance in disrupted(case) {
        let id = instance.id.as_str();
        let unsure =
            |check: &CheckStatus| matches!(check, CheckStatus::InsufficientData | CheckStatus::Initializing);
        let vague = |h: &Health| {
            let unknown = [Health::Unchecked, Health::Registering, Health::InitialChecks];
            unknown.contains(h)
        };
        let healths = case.world().healths_since(id, case.window());
        let is_unknown = instance.state == State::Running
            && (step::checks(instance).iter().any(unsure)
                || healths.iter().any(|(_, all)| all.iter().all(vague)));
        if is_unknown {
            let has_reason = step::known_bad(case, id)
                || replacements(case, id).next().is_some()
                || step::is_attempt(case, instance);
            findings.require(has_reason, || {
                format!("{id} is disrupted, and nothing is known to be wrong with it: its health is unknown")
            });
        }
    }
}

/// An instance is registered in the groups alone that its slot lists.
pub(super) fn s19_colours(case: &Case, findings: &mut Findings) {
    let Operation::Balancing(Op::RegisterTargets { arn, targets }) = case.operation() else {
        return;
    };
    let Some(group) = case.world().target_groups().find(|group| group.arn == *arn) else {
        return;
    };
    for target in targets {
        let named = case
            .world()
            .instances()
            .find(|i| i.id == target.id || i.private_ip == target.id);
        let lists = |(_, slot): (&Service, &Slot)| is_listed(slot, group, target);
        let own = named.and_then(|i| place(case, i)).is_some_and(lists);
        // A slot's tags that went over a moment ago.
        let before = named.map_or_else(Vec::new, |i| case.world().instance_since(&i.id, case.window()));
        let was = before
            .iter()
            .any(|i| case.declared.owner_of(i).is_some_and(lists));
        findings.require(own || was, || {
            format!(
                "{} is registered in {}, which its slot does not list",
                target.id, group.name
            )
        });
    }
}

fn is_listed(slot: &Slot, group: &TargetGroup, target: &TargetAt) -> bool {
    let port = target.port.unwrap_or(group.port);
    let is_it = |name: &str| name == group.name || name == group.arn;
    let mut memberships = slot.groups.iter();
    memberships.any(|m| is_it(&m.group) && m.port.unwrap_or(group.port) == port)
}
