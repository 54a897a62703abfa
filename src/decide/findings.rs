//! Collects the standing risks of one service from one look.

use super::finding::{Finding, FindingKind};
use super::fold::LOOKS_FOR_ABSENCE;
use super::hold::{Hold, HoldReason, short};
use super::image::ImageVerdict;
use super::replace::wants;
use super::service::{Input, JudgedSlot, disputed};
use super::verdict::checks_are_ok;
use crate::model::{
    AilmentKind, AttemptEnd, Coverage, GroupView, Instance, InstanceId, InstanceState, Part, SlotName,
    TargetState,
};
use crate::policy::SlotState;
use std::collections::BTreeSet;
use std::time::Duration;

/// `stopping` for longer than this is alerted.
const STUCK_STOPPING_AFTER: Duration = Duration::from_secs(600);

/// Every standing risk that this look shows.
pub(super) fn find(
    input: &Input<'_>,
    judged: &[JudgedSlot<'_>],
    holds: &[Hold],
    coverage: &Coverage,
) -> Vec<Finding> {
    let mut found = Finder {
        input,
        findings: Vec::new(),
    };
    found.of_view(coverage);
    found.of_groups(judged);
    for slot in judged {
        found.of_slot(slot);
        for ((instance, verdict), view) in slot.members.iter().zip(&slot.view.instances) {
            let at = (&slot.view.name, *instance);
            found.of_image(at, &verdict.image);
            if slot.slot.state == SlotState::Running {
                found.of_ailments(at, &verdict.ailments, &view.holds);
            } else {
                found.of_idle(at, verdict.in_traffic);
            }
        }
    }
    found.of_replacements(holds);
    found.findings
}

pub(super) struct Finder<'a> {
    pub(super) input: &'a Input<'a>,
    findings: Vec<Finding>,
}

impl Finder<'_> {
    pub(super) fn add(
        &mut self,
        kind: FindingKind,
        (slot, instance, object): (Option<&SlotName>, Option<&InstanceId>, &str),
        text: String,
        next: &str,
    ) {
        let service = self.input.policy.service.clone();
        let key = format!("{service}/{}/{object}", kind.as_str());
        let since = self
            .input
            .memory
            .standing
            .get(&key)
            .map_or(self.input.now, |standing| standing.since);
        self.findings.push(Finding {
            kind,
            key,
            service,
            slot: slot.cloned(),
            instance: instance.cloned(),
            since: Some(since),
            text,
            next: next.to_owned(),
        });
    }

    fn of_view(&mut self, coverage: &Coverage) {
        for gap in coverage.gaps() {
            if matches!(&gap.part, Part::TargetGroup(_)) && gap.why.contains("TargetGroupNotFound") {
                continue;
            }
            let text = format!("{} could not be read: {}", gap.part, gap.why);
            let next = "nothing but safe starts is done meanwhile; if it stays, check the role's permissions and AWS's health";
            self.add(
                FindingKind::PartialView,
                (None, None, &gap.part.to_string()),
                text,
                next,
            );
        }
        for why in &self.input.pauses.unreadable {
            let text = format!("a pause flag could not be read and counts as set: {why}");
            self.add(
                FindingKind::PauseUnreadable,
                (None, None, "flag"),
                text,
                "make it readable, or remove it",
            );
        }
        for unknown in self.input.unknown_intents {
            let id = &unknown.id;
            let text = format!("the journal holds an open request ({id}) that this version cannot read");
            let next = "nothing is done to its instances; go on with the version that wrote it";
            self.add(FindingKind::UnknownIntent, (None, None, id.as_str()), text, next);
        }
        self.of_claims();
    }

    fn of_claims(&mut self) {
        let look = self.input.look;
        if let (Some(expected), Some(caller)) = (&self.input.policy.account, &look.caller)
            && expected != caller
        {
            let text = format!("the credentials belong to account {caller}, the policy says {expected}");
            let next = "nothing is done in that account; correct `account` or `role` in the policy";
            self.add(
                FindingKind::WrongAccount,
                (None, None, caller.as_str()),
                text,
                next,
            );
        }
        for (id, claims) in disputed(self.input) {
            let text = format!("{id} is claimed by more than one slot: {}", claims.join(", "));
            let next = "none of them touches it; make the selectors distinct";
            self.add(
                FindingKind::DisputedInstance,
                (None, Some(&id), id.as_str()),
                text,
                next,
            );
        }
        for (group, members) in &look.scaling_groups {
            if members.is_none() {
                let text = format!("there is no Auto Scaling group {group}");
                let next = "correct `auto_scaling_group` in the policy";
                self.add(FindingKind::ScalingGroupMissing, (None, None, group), text, next);
            }
        }
        if !self.input.can_announce {
            let text = "no notification channel could tell anybody anything about this service".to_owned();
            let next = "name a channel under `notify` in the policy and define it in the config file";
            self.add(FindingKind::NoChannel, (None, None, "notify"), text, next);
        }
    }

    fn of_groups(&mut self, judged: &[JudgedSlot<'_>]) {
        let names: BTreeSet<&str> = judged
            .iter()
            .flat_map(|slot| &slot.slot.target_groups)
            .map(|wanted| wanted.name.as_str())
            .collect();
        for name in names {
            match self.input.look.groups.get(name) {
                Some(group) if !group.of_instances => {
                    let text = format!("the targets of target group {name} are not instances");
                    let next = "nothing is done in it; remove it from the policy";
                    self.add(
                        FindingKind::TargetGroupNotOfInstances,
                        (None, None, name),
                        text,
                        next,
                    );
                }
                Some(group) => self.of_failing_group(name, group),
                None if self.is_missing(name) => {
                    let text = format!("there is no target group {name} in this account and region");
                    let next = "correct `target_groups` in the policy, or create it again";
                    self.add(FindingKind::TargetGroupMissing, (None, None, name), text, next);
                }
                None => {}
            }
        }
    }

    /// AWS said that it is not there, rather than not answering.
    fn is_missing(&self, name: &str) -> bool {
        let part = Part::TargetGroup(name.to_owned());
        self.input
            .look
            .coverage
            .gap(&part)
            .is_none_or(|gap| gap.why.contains("TargetGroupNotFound"))
    }

    /// Every target unhealthy while the machines pass their checks: a bad deploy or a bad health path, not that many broken
    /// servers. The load balancer fails open; repairing them one by one would be a meltdown.
    fn of_failing_group(&mut self, name: &str, group: &GroupView) {
        let failing = |state: &TargetState| matches!(state, TargetState::Unhealthy);
        let look = self.input.look;
        let all_fail = !group.targets.is_empty() && group.targets.iter().all(|t| failing(&t.health.state));
        let checks_pass = group
            .targets
            .iter()
            .all(|target| look.statuses.get(&target.instance).is_none_or(checks_are_ok));
        if all_fail && checks_pass {
            let text = format!(
                "all {} targets of target group {name} are unhealthy while their status checks pass: that is the \
                 application or its health check, not the machines",
                group.targets.len()
            );
            let next = "look at the latest deploy and at the health check's path; keepgreen only alerts";
            self.add(FindingKind::AllTargetsUnhealthy, (None, None, name), text, next);
        }
    }

    fn of_slot(&mut self, slot: &JudgedSlot<'_>) {
        let name = &slot.view.name;
        if let Some(timer) = self.input.memory.missing.get(name) {
            let gone =
                |i: &Instance| matches!(i.state, InstanceState::Terminated | InstanceState::ShuttingDown);
            let terminated: Vec<&str> = slot
                .members
                .iter()
                .filter(|(i, _)| gone(i))
                .map(|(i, _)| i.id.as_str())
                .collect();
            let have = slot.members.len() - terminated.len();
            let terminated = if terminated.is_empty() {
                String::new()
            } else {
                format!("; terminated: {}", terminated.join(", "))
            };
            let sure = if timer.looks >= LOOKS_FOR_ABSENCE {
                ""
            } else {
                " (not certain yet)"
            };
            let text = format!(
                "slot {name} has {have} of {} instances{sure}{terminated}",
                slot.slot.count
            );
            let next = if self.input.policy.replace.is_some() {
                "see `keepgreen plan` for when it is replaced, and what holds that back"
            } else {
                "launch a replacement by hand, or correct `select` or `count`; with `replace` in the policy keepgreen does it"
            };
            self.add(
                FindingKind::MissingInstances,
                (Some(name), None, name.as_str()),
                text,
                next,
            );
        }
        let count = usize::try_from(slot.slot.count).unwrap_or(usize::MAX);
        let up = |i: &Instance| matches!(i.state, InstanceState::Pending | InstanceState::Running);
        let running = slot.members.iter().filter(|(i, _)| up(i)).count();
        if slot.slot.state == SlotState::Running && (running > count || !slot.surplus.is_empty()) {
            let ids: Vec<&str> = slot.members.iter().map(|(i, _)| i.id.as_str()).collect();
            let text = format!(
                "slot {name} matches {} instances ({}), its `count` is {}; keepgreen neither starts nor retires the rest",
                ids.len(),
                ids.join(", "),
                slot.slot.count
            );
            let next = "remove the tag from the ones that do not belong, or raise `count`";
            self.add(
                FindingKind::SurplusInstances,
                (Some(name), None, name.as_str()),
                text,
                next,
            );
        }
    }

    fn of_image(&mut self, (slot, instance): (&SlotName, &Instance), image: &ImageVerdict) {
        let id = &instance.id;
        let state = instance.state.as_str();
        let is_replaced = wants(self.input.policy, slot, AilmentKind::ImageGone);
        let (kind, text, next) = match image {
            ImageVerdict::Deregistered { .. } | ImageVerdict::Private { .. } if is_replaced => (
                FindingKind::CannotBeRebuilt,
                format!("{id} (slot {slot}, {state}) cannot be rebuilt: {}", gone(image)),
                "none, if `replace.image` has a good image: keepgreen replaces it, and `keepgreen plan` says what that waits for",
            ),
            ImageVerdict::Deregistered { .. } => (
                FindingKind::CannotBeRebuilt,
                format!("{id} (slot {slot}, {state}) cannot be rebuilt: {}", gone(image)),
                "make an image of it while it runs, and name it under `replace.image`",
            ),
            ImageVerdict::Private { .. } => (
                FindingKind::CannotBeRebuilt,
                format!("{id} (slot {slot}, {state}) cannot be rebuilt: {}", gone(image)),
                "have it shared again, or make an image of the instance while it runs, and name it under `replace.image`",
            ),
            ImageVerdict::Disabled { id: ami } => (
                FindingKind::ImageDisabled,
                format!("{id} (slot {slot}) cannot be rebuilt now: its image {ami} is disabled"),
                "enable the image again, or make a new one",
            ),
            ImageVerdict::NotAllowed { id: ami } => (
                FindingKind::ImageNotAllowed,
                format!(
                    "{id} (slot {slot}) cannot be rebuilt now: Allowed AMIs does not allow its image {ami}"
                ),
                "allow the image in the account's settings, or make a new one",
            ),
            ImageVerdict::Launchable { .. } | ImageVerdict::Unknown { .. } => return,
        };
        self.add(kind, (Some(slot), Some(id), id.as_str()), text, next);
    }

    fn of_ailments(
        &mut self,
        (slot, instance): (&SlotName, &Instance),
        ailments: &[crate::model::Ailment],
        holds: &[HoldReason],
    ) {
        let id = &instance.id;
        for event in ailments
            .iter()
            .filter(|ailment| ailment.kind == AilmentKind::ScheduledEvent)
        {
            let text = format!("AWS will act on {id} (slot {slot}): {}", event.evidence);
            let next = "move it before then: stop and start it while another target serves";
            self.add(
                FindingKind::ScheduledEvent,
                (Some(slot), Some(id), &event_object(id, event)),
                text,
                next,
            );
        }
        let memory = self.input.memory.instances.get(id);
        let past_grace = |kind: AilmentKind| {
            let grace = grace_of(self.input.policy, kind);
            memory
                .and_then(|m| m.timers.get(&kind))
                .is_some_and(|timer| timer.lasted >= grace)
        };
        let unavailable: Vec<(AilmentKind, String)> = holds
            .iter()
            .filter_map(|hold| match hold {
                HoldReason::NotInThisVersion { ailment, remedy } => Some((*ailment, remedy.clone())),
                _ => None,
            })
            .filter(|(kind, _)| past_grace(*kind))
            .collect();
        for (kind, remedy) in unavailable {
            let evidence = ailments
                .iter()
                .find(|a| a.kind == kind)
                .map_or("", |a| a.evidence.as_str());
            let text = format!(
                "{id} (slot {slot}) needs `{remedy}`, which is not in this version yet: {} ({evidence})",
                kind.as_str()
            );
            let object = format!("{id}/{}", kind.policy_key());
            let next = "do it by hand";
            self.add(
                FindingKind::NotInThisVersion,
                (Some(slot), Some(id), &object),
                text,
                next,
            );
        }
        self.of_stop((slot, instance));
    }

    pub(super) fn of_stop(&mut self, (slot, instance): (&SlotName, &Instance)) {
        let id = &instance.id;
        let stop = [AilmentKind::Stopped, AilmentKind::StoppedByOperator];
        let memory = self.input.memory.instances.get(id);
        let timer = memory.and_then(|m| stop.iter().find_map(|kind| m.timers.get(kind)));
        let stuck = timer.filter(|timer| {
            instance.state == InstanceState::Stopping && timer.lasted >= STUCK_STOPPING_AFTER
        });
        if let Some(timer) = stuck {
            let text = format!("{id} (slot {slot}) has been stopping for {}", short(timer.lasted));
            let next = if self.input.policy.heal.force_stop {
                "`force_stop` is not in this version: force the stop by hand (`aws ec2 stop-instances --force`); it is \
                 started once it is stopped"
            } else {
                "force the stop by hand (`aws ec2 stop-instances --force`); it is started once it is stopped"
            };
            self.add(
                FindingKind::StuckStopping,
                (Some(slot), Some(id), id.as_str()),
                text,
                next,
            );
        }
        let incident = self.input.memory.incidents.get(id);
        if let Some(incident) = incident.filter(|incident| incident.quarantined.is_some()) {
            let why = match incident.attempts.last().and_then(|attempt| attempt.end.as_ref()) {
                Some(AttemptEnd::Failed { why, .. }) => why,
                _ => &incident.evidence,
            };
            let text = format!(
                "{id} (slot {slot}) is quarantined: {} attempts did not heal it ({why})",
                incident.failed_attempts()
            );
            let next = "find out why and remove the cause, then `keepgreen resume` the service";
            self.add(
                FindingKind::Quarantined,
                (Some(slot), Some(id), id.as_str()),
                text,
                next,
            );
        }
    }

    fn of_idle(&mut self, (slot, instance): (&SlotName, &Instance), in_traffic: bool) {
        let id = &instance.id;
        if in_traffic {
            let text = format!("{id} has traffic, and slot {slot} should be idle");
            let next = "set `state: running`, or deregister and stop it by hand";
            self.add(
                FindingKind::IdleSlotHasTraffic,
                (Some(slot), Some(id), id.as_str()),
                text,
                next,
            );
        } else if matches!(instance.state, InstanceState::Pending | InstanceState::Running) {
            let text = format!("{id} runs, and slot {slot} should be idle");
            let next = "set `state: running`, or stop it by hand";
            self.add(
                FindingKind::IdleSlotRuns,
                (Some(slot), Some(id), id.as_str()),
                text,
                next,
            );
        }
    }
}

/// Why an image is as good as none.
fn gone(image: &ImageVerdict) -> String {
    match image {
        ImageVerdict::Private { id } => format!("its image {id} is private, its owner shares it no more"),
        ImageVerdict::Deregistered { id } => format!("its image {id} is deregistered"),
        _ => "its image cannot be used".to_owned(),
    }
}

/// Each event is told once, by its id.
fn event_object(id: &InstanceId, event: &crate::model::Ailment) -> String {
    format!("{id}/{}", event.evidence)
}

/// How long an ailment must last before anything is done about it.
pub(super) fn grace_of(policy: &crate::policy::Policy, kind: AilmentKind) -> Duration {
    let grace = &policy.grace;
    match kind {
        AilmentKind::Stopped | AilmentKind::ScheduledEvent => Duration::ZERO,
        AilmentKind::StoppedByOperator => grace.operator_stop,
        AilmentKind::Deregistered => grace.deregistered,
        AilmentKind::ImpairedSystem => grace.impaired_system,
        AilmentKind::ImpairedInstance => grace.impaired_instance,
        AilmentKind::Unhealthy => grace.unhealthy,
        AilmentKind::ImageGone => grace.image_gone,
        AilmentKind::Missing => grace.missing,
    }
}
