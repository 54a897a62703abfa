//! Standing risks of replacements and registrations: what cannot be replaced and why, what failed, what does not get on.

use super::claims::Owner;
use super::finding::FindingKind;
use super::findings::Finder;
use super::hold::{Hold, HoldReason, short};
use super::replace::is_out;
use crate::model::{LaunchEnd, Replacement};
use std::time::Duration;

/// A target drains for its group's deregistration delay, an hour at the most; beyond this somebody has to look.
const STUCK_DRAINING_AFTER: Duration = Duration::from_secs(3600);
const READ_IT: &str = "give the permission that it names; otherwise wait for AWS";

impl Finder<'_> {
    /// What holds back replacements that only a person can end.
    pub(super) fn of_replacements(&mut self, holds: &[Hold]) {
        let of_instances = holds
            .iter()
            .filter_map(|hold| Some((&hold.slot, hold.instance.as_ref()?, &hold.reason)));
        for (slot, id, hold) in of_instances {
            let (kind, next) = match hold {
                HoldReason::CannotCarry { .. } | HoldReason::NoBlueprint => (
                    FindingKind::CannotBeCloned,
                    "replace it by hand in a quiet hour, or change `replace` in the policy",
                ),
                HoldReason::BlueprintUnread { .. } => (FindingKind::BlueprintUnread, READ_IT),
                HoldReason::ImageUncertain { .. } => (
                    FindingKind::ImageUncertain,
                    "say what becomes of the image: available again, it ends the replacement; deregistered, it lets it go on",
                ),
                HoldReason::NoImage { .. } => (
                    FindingKind::NoImageToLaunch,
                    "build or share an image, and name it under `replace.image`",
                ),
                HoldReason::NoPlace { .. } => (
                    FindingKind::NowhereToLaunch,
                    "name types and subnets to fall back on under `replace.instance_types` and `replace.subnets`",
                ),
                HoldReason::LaunchedAlready { .. } => (
                    FindingKind::LaunchedAlready,
                    "decide which of the two is to stay: terminate the other one, or remove its tag `keepgreen:replaces`",
                ),
                HoldReason::TakenOutAgain { .. } => (
                    FindingKind::TakenOutAgain,
                    "find out who takes it out of its target group, then `keepgreen resume` the service",
                ),
                HoldReason::Floor { .. } => (
                    FindingKind::FloorHolds,
                    "bring another target up, or lower `min_healthy` for that group",
                ),
                HoldReason::SupplyUnread { .. } | HoldReason::FactsUnread { .. } => (
                    FindingKind::SupplyUnread,
                    "give the permission that it names, or correct what it names in `replace`; otherwise wait for AWS",
                ),
                _ => continue,
            };
            let text = format!("{id} (slot {slot}) is not replaced: {}", hold.sentence());
            let text = if matches!(hold, HoldReason::TakenOutAgain { .. }) {
                format!(
                    "{id} (slot {slot}) is left out of its target group: {}",
                    hold.sentence()
                )
            } else {
                text
            };
            let object = format!("{id}/{}", hold.word());
            self.add(kind, (Some(slot), Some(id), &object), text, next);
        }
        self.of_blueprints();
        let open: Vec<Replacement> = self
            .input
            .memory
            .replacements
            .values()
            .filter(|one| one.is_open())
            .cloned()
            .collect();
        for one in &open {
            self.of_replacement(one);
        }
    }

    /// What nobody knows how to rebuild is found out before it is lost.
    fn of_blueprints(&mut self) {
        for (id, why) in self.input.unread {
            let Some(instance) = self.input.look.instances.get(id) else {
                continue;
            };
            let Owner::Slot(service, slot) = self.input.claims.owner_of(instance) else {
                continue;
            };
            if service != self.input.policy.service {
                continue;
            }
            let known = match self.input.blueprints.contains_key(id) {
                true => "what was read before may be out of date",
                false => "should it be lost, it could not be rebuilt",
            };
            let text = format!("how {id} (slot {slot}) is made could not be read, so {known}: {why}");
            let object = format!("{id}/blueprint");
            self.add(
                FindingKind::BlueprintUnread,
                (Some(&slot), Some(id), &object),
                text,
                READ_IT,
            );
        }
    }

    fn of_replacement(&mut self, one: &Replacement) {
        let (slot, old) = (&one.slot, &one.old);
        if let Some(instance) = self
            .input
            .look
            .instances
            .get(old)
            .filter(|_| one.put_down.is_some())
        {
            self.of_stop((slot, instance));
        }
        if one.quarantined.is_some() {
            let why = one.attempts.iter().rev().find_map(|attempt| match &attempt.end {
                Some(LaunchEnd::Failed { why, .. }) => Some(why.as_str()),
                _ => None,
            });
            let text = format!(
                "the replacement of {old} (slot {slot}) is quarantined: {} attempts failed ({}). The old one was not touched \
                 by that, or was put back",
                one.failed_attempts(),
                why.unwrap_or("no reason kept")
            );
            let next = "find out why and remove the cause, then `keepgreen resume` the service";
            let object = format!("{old}/replacement");
            self.add(
                FindingKind::Quarantined,
                (Some(slot), Some(old), &object),
                text,
                next,
            );
        }
        if let Some(since) = one.draining_since.filter(|_| one.put_down.is_none()) {
            let lasted = Duration::try_from(self.input.now.duration_since(since)).unwrap_or_default();
            let mut groups = self.input.look.groups.values();
            let drains = groups.any(|group| {
                let mut targets = group.targets.iter();
                targets.any(|target| target.instance == *old && !is_out(target))
            });
            if drains && lasted >= STUCK_DRAINING_AFTER {
                let text = format!("{old} (slot {slot}) has been draining for {}", short(lasted));
                let next = "look at its connections and at the group's deregistration delay; it is put down once it is drained";
                self.add(
                    FindingKind::StuckDraining,
                    (Some(slot), Some(old), old.as_str()),
                    text,
                    next,
                );
            }
        }
    }
}
