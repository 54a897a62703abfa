//! The floor (S6): by keepgreen's own act a target group never has fewer healthy targets than its `min_healthy`, nor fewer
//! than it had when it was below already.
//!
//! Pure, on one look; the plan asks it, and the guard asks it again on a look of its own. In doubt about what a target is,
//! it counts as healthy where it would be lost, and as not healthy where it would have to stand in.

use super::hold::HoldReason;
use crate::model::{GroupFacts, GroupView, InstanceId, Mutant, Observation, Target, TargetState};
use crate::policy::Policy;
use std::collections::BTreeMap;

/// What `min_healthy` the policies in force want of each group, by the group's name: the highest of them holds.
pub type Floors = BTreeMap<String, u32>;

/// The highest `min_healthy` that a policy's slots want of each of their groups, by the group's name.
pub fn floors_of(policy: &Policy) -> Floors {
    let mut floors = Floors::new();
    for wanted in policy.slots.values().flat_map(|slot| &slot.target_groups) {
        let floor = wanted.min_healthy.unwrap_or(policy.limits.min_healthy);
        let entry = floors.entry(group_name(&wanted.name).to_owned()).or_default();
        *entry = floor.max(*entry);
    }
    floors
}

/// The name of a target group in an ARN (`…:targetgroup/NAME/0123456789abcdef`), or the name itself.
pub fn group_name(name_or_arn: &str) -> &str {
    match name_or_arn.strip_prefix("arn:") {
        Some(_) => name_or_arn.split('/').nth(1).unwrap_or(name_or_arn),
        None => name_or_arn,
    }
}

/// Whether `instance` may be taken out of `group`, on all its ports at once or on one.
///
/// # Errors
/// What it would break.
pub fn may_take_out(
    look: &Observation,
    group: &GroupView,
    facts: Option<&GroupFacts>,
    floors: &Floors,
    (instance, port): (&InstanceId, Option<u16>),
) -> Result<(), HoldReason> {
    let is_lost = |target: &&Target| {
        target.instance == *instance && (port.is_none() || target.port.is_none() || target.port == port)
    };
    // What serves nobody is no loss.
    if Mutant::FloorIsNotAsked.is_on() || !group.targets.iter().filter(is_lost).any(counts) {
        return Ok(());
    }
    let stays = |target: &&Target| !is_lost(target) && target.health.state == TargetState::Healthy;
    let floor = floors.get(&group.name).copied().unwrap_or(1);
    let refuse = |healthy: usize, zone: Option<String>| {
        Err(HoldReason::Floor {
            target_group: group.name.clone(),
            healthy: u32::try_from(healthy).unwrap_or(u32::MAX),
            floor,
            zone,
        })
    };
    let enough = |healthy: usize| u32::try_from(healthy).unwrap_or(u32::MAX) >= floor;
    let healthy = group.targets.iter().filter(stays).count();
    if !enough(healthy) {
        return refuse(healthy, None);
    }
    let Some(facts) = facts else {
        return Err(HoldReason::FactsUnread {
            target_group: group.name.clone(),
        });
    };
    if facts.cross_zone {
        return Ok(());
    }
    // Each zone's load balancer node has its own zone's targets alone.
    let zone_of = |id: &InstanceId| look.instances.get(id).and_then(|instance| instance.zone.as_ref());
    let zone = zone_of(instance);
    let healthy = group
        .targets
        .iter()
        .filter(stays)
        .filter(|target| zone.is_some() && zone_of(&target.instance) == zone)
        .count();
    if enough(healthy) {
        Ok(())
    } else {
        refuse(
            healthy,
            Some(zone.map_or_else(|| "an unknown zone".to_owned(), ToString::to_string)),
        )
    }
}

/// It may serve somebody.
fn counts(target: &Target) -> bool {
    matches!(
        target.health.state,
        TargetState::Healthy | TargetState::Unavailable | TargetState::Unknown(_)
    )
}

/// Whether whatever takes the place of `instance` in `group` has to be in the same zone: traffic stays within each zone, and
/// this one's would be below the floor without it.
pub fn is_bound_to_its_zone(
    look: &Observation,
    group: &GroupView,
    facts: &GroupFacts,
    floors: &Floors,
    instance: &InstanceId,
) -> bool {
    let mut own = group.targets.iter().filter(|target| target.instance == *instance);
    // What serves nobody is no loss.
    if facts.cross_zone || !own.any(counts) {
        return false;
    }
    let zone_of = |id: &InstanceId| look.instances.get(id).and_then(|instance| instance.zone.as_ref());
    let zone = zone_of(instance);
    let stays = |target: &&Target| {
        target.instance != *instance
            && target.health.state == TargetState::Healthy
            && zone.is_some()
            && zone_of(&target.instance) == zone
    };
    let healthy = group.targets.iter().filter(stays).count();
    let floor = floors.get(&group.name).copied().unwrap_or(1);
    u32::try_from(healthy).unwrap_or(u32::MAX) < floor
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::fixtures::{BLUE, GREEN, Night, target, tis};
    use std::collections::BTreeSet;

    fn facts(cross_zone: bool) -> GroupFacts {
        GroupFacts {
            cross_zone,
            zones: BTreeSet::new(),
            deregistration_delay_s: 300,
        }
    }

    /// Whether green may go from a group of these targets.
    fn may(targets: Vec<Target>, floor: u32, facts: Option<&GroupFacts>) -> bool {
        let mut night = Night::of(tis(""));
        night.targets = targets;
        let look = night.look();
        let floors = Floors::from([("tis-prod".to_owned(), floor)]);
        let group = look.groups.get("tis-prod").unwrap();
        may_take_out(&look, group, facts, &floors, (&GREEN.into(), Some(8080))).is_ok()
    }

    #[test]
    fn only_targets_that_are_surely_healthy_stand_in_and_only_what_may_serve_is_a_loss() {
        use TargetState::{Healthy, Initial, Unavailable, Unhealthy, Unused};
        let cross = facts(true);
        let table = [
            (Healthy, Healthy, 1, true),
            (Healthy, Healthy, 2, false),
            (Healthy, Unhealthy, 1, false),
            (Healthy, Initial, 1, false),
            (Healthy, Unavailable, 1, false),
            (Healthy, Unhealthy, 0, true),
            (Unavailable, Unhealthy, 1, false),
            (Unhealthy, Unhealthy, 1, true),
            (Unused, Healthy, 2, true),
        ];
        for (green, blue, floor, expected) in table {
            let targets = vec![
                target(GREEN, green.clone(), None),
                target(BLUE, blue.clone(), None),
            ];
            assert_eq!(
                may(targets, floor, Some(&cross)),
                expected,
                "{green:?} {blue:?} {floor}"
            );
        }
    }

    #[test]
    fn another_port_of_the_same_instance_stands_in_for_none_of_its_own() {
        let mut other = target(GREEN, TargetState::Healthy, None);
        other.port = Some(9090);
        let targets = vec![target(GREEN, TargetState::Healthy, None), other];
        assert!(
            may(targets, 1, Some(&facts(true))),
            "the group keeps a healthy target"
        );
    }

    #[test]
    fn without_cross_zone_balancing_the_floor_holds_in_the_zone_and_unknown_facts_allow_nothing() {
        let both = || {
            vec![
                target(GREEN, TargetState::Healthy, None),
                target(BLUE, TargetState::Healthy, None),
            ]
        };
        assert!(may(both(), 1, Some(&facts(false))), "both are in one zone");
        assert!(!may(both(), 1, None));
        let strangers = vec![
            target(GREEN, TargetState::Healthy, None),
            target("i-0000000000000000f", TargetState::Healthy, None),
        ];
        assert!(
            !may(strangers.clone(), 1, Some(&facts(false))),
            "a stranger's zone is not known"
        );
        assert!(may(strangers, 1, Some(&facts(true))));
    }
}
