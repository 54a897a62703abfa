//! What one look says of one instance: healthy, ailing, or unknown, and everything that ails it.
//!
//! Our failure to see is never their failure: a part that could not be read, a word that AWS added yesterday, a check that
//! is still initializing make a verdict unknown, never ailing.

use super::image::{ImageVerdict, image_verdict};
use crate::model::{
    Ailment, AilmentKind, CheckState, GroupView, Instance, InstanceMemory, InstanceState, Mutant,
    Observation, Part, StatusChecks, StoppedBy, Target, TargetHealth, TargetState,
};
use crate::policy::{Slot, SlotState, SlotTargetGroup};
use serde::Serialize;
use std::collections::BTreeSet;

/// Looks in a row with status checks ok after which an instance without target groups is healthy.
pub const OK_LOOKS_FOR_HEALTHY: u32 = 3;

/// Three-valued health.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "health")]
pub enum Health {
    Healthy,
    Ailing { why: String },
    Unknown { why: String },
}

/// Everything that one look says of one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    pub health: Health,
    /// Most severe first. A scheduled event or a dead image is an ailment of a healthy instance.
    pub ailments: Vec<Ailment>,
    /// Ailments that this look cannot tell: neither present nor absent.
    pub untold: BTreeSet<AilmentKind>,
    pub in_traffic: bool,
    /// We could not see it, as opposed to having seen that it is on its way.
    pub blind: bool,
    pub image: ImageVerdict,
}

impl Verdict {
    pub fn ails_with(&self, kind: AilmentKind) -> Option<&Ailment> {
        self.ailments.iter().find(|ailment| ailment.kind == kind)
    }
}

/// What the parts of a verdict are collected in.
#[derive(Default)]
struct Signs {
    ailing: Vec<Ailment>,
    /// Ailments that do not make it ailing now.
    latent: Vec<Ailment>,
    unknown: Vec<String>,
    untold: BTreeSet<AilmentKind>,
    in_traffic: bool,
    blind: bool,
    /// Target groups that route traffic to it or should.
    live_groups: usize,
}

impl Signs {
    fn ails(&mut self, kind: AilmentKind, evidence: impl Into<String>) {
        self.ailing.push(Ailment {
            kind,
            evidence: evidence.into(),
        });
    }

    fn cannot_tell(&mut self, kinds: &[AilmentKind], why: impl Into<String>) {
        self.blind = true;
        self.not_yet(kinds, why);
    }

    /// It was seen, and its state will tell by itself before long.
    fn not_yet(&mut self, kinds: &[AilmentKind], why: impl Into<String>) {
        self.untold.extend(kinds);
        self.unknown.push(why.into());
    }
}

/// Judges `instance` as a member of `slot`. `remembered` is what is known of it from earlier looks.
pub fn verdict(
    look: &Observation,
    slot: &Slot,
    instance: &Instance,
    remembered: Option<&InstanceMemory>,
) -> Verdict {
    let mut signs = Signs::default();
    match &instance.state {
        InstanceState::Running => judge_running(&mut signs, look, slot, instance, remembered),
        InstanceState::Stopped | InstanceState::Stopping => {
            judge_stopped(&mut signs, slot, instance, remembered)
        }
        InstanceState::Terminated | InstanceState::ShuttingDown => {
            signs.ails(
                AilmentKind::Missing,
                format!("{}: {}", instance.state.as_str(), stop_evidence(instance)),
            );
        }
        InstanceState::Pending => signs.unknown.push("it is booting".to_owned()),
        InstanceState::Unknown(word) => {
            let every = [
                AilmentKind::Stopped,
                AilmentKind::StoppedByOperator,
                AilmentKind::Missing,
            ];
            signs.cannot_tell(
                &every,
                format!("AWS calls its state `{word}`, which this version does not know"),
            );
        }
    }
    if !matches!(instance.state, InstanceState::Running) {
        // What only a running instance shows is not told by one that does not run; what it had, it may have again.
        signs.untold.insert(AilmentKind::ScheduledEvent);
    }
    let image = image_verdict(look, &instance.id);
    match &image {
        ImageVerdict::Deregistered { id } => {
            signs.latent.push(Ailment {
                kind: AilmentKind::ImageGone,
                evidence: format!("{id} is deregistered"),
            });
        }
        ImageVerdict::Private { id } => {
            signs.latent.push(Ailment {
                kind: AilmentKind::ImageGone,
                evidence: format!("{id} is private: its owner shares it with this account no more"),
            });
        }
        ImageVerdict::Unknown { .. } => drop(signs.untold.insert(AilmentKind::ImageGone)),
        ImageVerdict::Launchable { .. } | ImageVerdict::Disabled { .. } | ImageVerdict::NotAllowed { .. } => {
        }
    }
    conclude(signs, slot, image)
}

fn conclude(mut signs: Signs, slot: &Slot, image: ImageVerdict) -> Verdict {
    if slot.state == SlotState::Stopped {
        // An idle slot cannot ail, whatever it looks like.
        signs.ailing.clear();
        signs.blind = false;
    }
    signs.ailing.sort_by_key(|ailment| ailment.kind);
    let health = match (signs.ailing.first(), signs.unknown.first()) {
        _ if slot.state == SlotState::Stopped => Health::Unknown {
            why: "the slot is idle".to_owned(),
        },
        (Some(ailment), _) => Health::Ailing {
            why: format!("{}: {}", ailment.kind.as_str(), ailment.evidence),
        },
        (None, Some(why)) => Health::Unknown { why: why.clone() },
        (None, None) => Health::Healthy,
    };
    let mut ailments = signs.ailing;
    ailments.append(&mut signs.latent);
    Verdict {
        health,
        ailments,
        untold: signs.untold,
        in_traffic: signs.in_traffic,
        blind: signs.blind,
        image,
    }
}

fn judge_stopped(signs: &mut Signs, slot: &Slot, instance: &Instance, remembered: Option<&InstanceMemory>) {
    if slot.state == SlotState::Stopped {
        return;
    }
    if remembered.is_some_and(|remembered| remembered.put_down) {
        signs.ails(
            AilmentKind::Stopped,
            "keepgreen stopped it, and what was to take its place failed".to_owned(),
        );
        return;
    }
    let kind = match stopped_by(instance) {
        Some(StoppedBy::Operator) => AilmentKind::StoppedByOperator,
        _ => AilmentKind::Stopped,
    };
    signs.ails(kind, stop_evidence(instance));
}

/// Who stopped it, by AWS's reason code.
pub(super) fn stopped_by(instance: &Instance) -> Option<StoppedBy> {
    instance
        .stopped_by()
        .filter(|_| !Mutant::StopsAreAllOfAws.is_on())
}

/// AWS's own words for why an instance is in its state.
pub fn stop_evidence(instance: &Instance) -> String {
    match &instance.state_reason {
        Some(reason) if reason.message.is_empty() => reason.code.clone(),
        Some(reason) if reason.message.starts_with(&reason.code) => reason.message.clone(),
        Some(reason) => format!("{}: {}", reason.code, reason.message),
        None => "AWS gives no reason".to_owned(),
    }
}

fn judge_running(
    signs: &mut Signs,
    look: &Observation,
    slot: &Slot,
    instance: &Instance,
    remembered: Option<&InstanceMemory>,
) {
    let statuses_ok = judge_statuses(signs, look, instance);
    for wanted in &slot.target_groups {
        judge_group(signs, look, wanted, instance);
    }
    if signs.live_groups > 0 || !signs.ailing.is_empty() || !signs.unknown.is_empty() {
        return;
    }
    // Nothing routes to it: its own checks are all there is, and they must hold for a while.
    let ok_looks = remembered.map_or(0, |memory| memory.ok_looks);
    if !statuses_ok || ok_looks < OK_LOOKS_FOR_HEALTHY {
        signs.unknown.push(format!(
            "its status checks were ok in {ok_looks} of the {OK_LOOKS_FOR_HEALTHY} looks in a row that it needs"
        ));
    }
}

/// Whether all status checks that an instance has say ok.
pub fn checks_are_ok(checks: &StatusChecks) -> bool {
    checks.system == CheckState::Ok
        && checks.instance == CheckState::Ok
        && checks
            .attached_ebs
            .as_ref()
            .is_none_or(|ebs| *ebs == CheckState::Ok)
}

fn judge_statuses(signs: &mut Signs, look: &Observation, instance: &Instance) -> bool {
    let kinds = [
        AilmentKind::ImpairedSystem,
        AilmentKind::ImpairedInstance,
        AilmentKind::ScheduledEvent,
    ];
    if let Some(gap) = look.coverage.gap(&Part::Statuses) {
        signs.cannot_tell(
            &kinds,
            format!("its status checks could not be read: {}", gap.why),
        );
        return false;
    }
    let Some(checks) = look.statuses.get(&instance.id) else {
        signs.cannot_tell(&kinds, "AWS's answer has no status checks for it");
        return false;
    };
    judge_check(signs, AilmentKind::ImpairedSystem, "system check", &checks.system);
    judge_check(
        signs,
        AilmentKind::ImpairedInstance,
        "instance check",
        &checks.instance,
    );
    if let Some(ebs) = &checks.attached_ebs {
        judge_check(signs, AilmentKind::ImpairedInstance, "attached EBS check", ebs);
    }
    for event in checks.events.iter().filter(|event| !event.is_history()) {
        let not_before = event
            .not_before
            .map_or_else(|| "an unknown time".to_owned(), |time| time.to_string());
        let id = event.id.as_deref().unwrap_or("no id");
        signs.latent.push(Ailment {
            kind: AilmentKind::ScheduledEvent,
            evidence: format!("{} not before {not_before} ({id})", event.code.as_str()),
        });
    }
    checks_are_ok(checks)
}

fn judge_check(signs: &mut Signs, kind: AilmentKind, name: &str, check: &CheckState) {
    match check {
        CheckState::Impaired => signs.ails(kind, format!("{name} impaired")),
        CheckState::Ok | CheckState::NotApplicable => {}
        // A target group that finds it healthy outweighs a check that has not finished.
        CheckState::Initializing | CheckState::InsufficientData => drop(signs.untold.insert(kind)),
        CheckState::Unknown(word) => {
            signs.cannot_tell(
                &[kind],
                format!("its {name} is `{word}`, which this version does not know"),
            );
        }
    }
}

/// The target of a group that a slot means: by instance **and** port.
pub fn target_of<'a>(
    group: &'a GroupView,
    wanted: &SlotTargetGroup,
    instance: &Instance,
) -> Option<&'a Target> {
    let port = wanted.port.or(group.port);
    group.targets.iter().find(|target| {
        target.instance == instance.id && (port.is_none() || target.port.is_none() || target.port == port)
    })
}

fn judge_group(signs: &mut Signs, look: &Observation, wanted: &SlotTargetGroup, instance: &Instance) {
    let kinds = [AilmentKind::Deregistered, AilmentKind::Unhealthy];
    let name = &wanted.name;
    if let Some(gap) = look.coverage.gap(&Part::TargetGroup(name.clone())) {
        signs.live_groups += 1;
        signs.cannot_tell(
            &kinds,
            format!("target group {name} could not be read: {}", gap.why),
        );
        return;
    }
    let Some(group) = look.groups.get(name) else {
        signs.live_groups += 1;
        signs.cannot_tell(&kinds, format!("there is no target group {name}"));
        return;
    };
    if !group.of_instances {
        return;
    }
    let Some(target) = target_of(group, wanted, instance) else {
        signs.live_groups += 1;
        signs.ails(
            AilmentKind::Deregistered,
            format!("not registered in target group {name}"),
        );
        return;
    };
    if target.health.is_idle() {
        return;
    }
    signs.live_groups += 1;
    judge_target(signs, name, &target.health);
}

fn judge_target(signs: &mut Signs, name: &str, health: &TargetHealth) {
    let reason = health.reason.as_deref().unwrap_or("no reason given");
    match &health.state {
        TargetState::Healthy => signs.in_traffic = true,
        TargetState::Unhealthy => {
            signs.ails(
                AilmentKind::Unhealthy,
                format!("unhealthy in target group {name}: {reason}"),
            );
        }
        TargetState::Draining | TargetState::UnhealthyDraining => {
            signs.ails(
                AilmentKind::Deregistered,
                format!("draining from target group {name}: {reason}"),
            );
        }
        TargetState::Unused if health.reason.as_deref() == Some("Target.NotRegistered") => {
            signs.ails(
                AilmentKind::Deregistered,
                format!("not registered in target group {name}"),
            );
        }
        state @ (TargetState::Initial | TargetState::Unused) => {
            let why = format!("{} in target group {name}: {reason}", state.as_str());
            signs.not_yet(&[AilmentKind::Deregistered, AilmentKind::Unhealthy], why);
        }
        state @ (TargetState::Unavailable | TargetState::Unknown(_)) => {
            let why = format!("{} in target group {name}: {reason}", state.as_str());
            signs.cannot_tell(&[AilmentKind::Deregistered, AilmentKind::Unhealthy], why);
        }
    }
}
