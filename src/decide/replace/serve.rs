//! Whether an instance serves as its slot wants it: the proof that a replacement needs before the old one may go (S7).

use crate::decide::verdict::{checks_are_ok, target_of};
use crate::model::{GroupView, Instance, InstanceState, Mutant, Observation, Part, Target, TargetState};
use crate::policy::{Slot, SlotTargetGroup};

/// How far an instance is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Serves {
    /// Running, its checks ok, healthy in every group of its slot.
    Yes,
    /// Not yet, or not any more.
    No(String),
    /// This look cannot tell.
    Unknown(String),
}

/// Judges `instance` as a member of `slot` by one look.
pub(crate) fn serves(look: &Observation, slot: &Slot, instance: &Instance) -> Serves {
    if instance.state != InstanceState::Running {
        return Serves::No(format!("it is {}", instance.state.as_str()));
    }
    if let Some(gap) = look.coverage.gap(&Part::Statuses) {
        return Serves::Unknown(format!("its status checks could not be read: {}", gap.why));
    }
    match look.statuses.get(&instance.id) {
        None => return Serves::No("AWS has no status checks for it yet".to_owned()),
        Some(checks) if !checks_are_ok(checks) => {
            let (system, own) = (checks.system.as_str(), checks.instance.as_str());
            return Serves::No(format!("its status checks: system {system}, instance {own}"));
        }
        Some(_) => {}
    }
    for wanted in &slot.target_groups {
        match serves_in(look, wanted, instance) {
            Serves::Yes => {}
            other => return other,
        }
    }
    Serves::Yes
}

/// Its checks pass, and no group of its slot says otherwise: what it is made like is worth repeating. Somebody may have taken
/// it out of a group; that says nothing against it.
pub fn is_sound(look: &Observation, slot: &Slot, instance: &Instance) -> bool {
    let is_sick = |wanted: &SlotTargetGroup| {
        let group = look.groups.get(&wanted.name).filter(|group| group.of_instances);
        let target = group.and_then(|group| target_of(group, wanted, instance));
        target.is_some_and(|target| {
            matches!(
                target.health.state,
                TargetState::Unhealthy | TargetState::Initial | TargetState::Unknown(_)
            )
        })
    };
    instance.state == InstanceState::Running
        && look.statuses.get(&instance.id).is_some_and(checks_are_ok)
        && !slot.target_groups.iter().any(is_sick)
}

fn serves_in(look: &Observation, wanted: &SlotTargetGroup, instance: &Instance) -> Serves {
    let name = &wanted.name;
    let Some(group) = look.groups.get(name) else {
        return Serves::Unknown(format!("target group {name} could not be read"));
    };
    if !group.of_instances {
        return Serves::Yes;
    }
    match target_of(group, wanted, instance) {
        None => Serves::No(format!("it is not registered in target group {name}")),
        Some(target) if target.health.state == TargetState::Healthy => Serves::Yes,
        // No listener routes to the group. In a group that is in use, the same word means that the load balancer does not reach
        // the target's zone: taken for idle, the old one would go while nothing reaches the new one.
        Some(target) if target.health.is_idle() && is_idle(group) => Serves::Yes,
        Some(target) => Serves::No(format!("{} in target group {name}", in_words(target))),
    }
}

fn is_idle(group: &GroupView) -> bool {
    group.targets.iter().all(|target| {
        target.health.is_idle() || matches!(target.health.state, TargetState::Draining | TargetState::Unused)
    })
}

/// `unhealthy (Target.Timeout)`
pub(crate) fn in_words(target: &Target) -> String {
    let reason = target.health.reason.as_ref();
    let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    format!("{}{reason}", target.health.state.as_str())
}

/// Whether AWS still has it as a target that is not on its way out.
pub fn is_registered(target: &Target) -> bool {
    !matches!(
        target.health.state,
        TargetState::Draining | TargetState::UnhealthyDraining
    ) && target.health.reason.as_deref() != Some("Target.NotRegistered")
}

/// Whether it is neither registered nor draining any more.
pub(crate) fn is_out(target: &Target) -> bool {
    target.health.reason.as_deref() == Some("Target.NotRegistered")
        || (Mutant::DrainingIsOut.is_on() && !is_registered(target))
}
