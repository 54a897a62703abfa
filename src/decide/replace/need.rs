//! Who is to be replaced, and everything that holds that back.

use super::choose::{Wish, all_offers, choose};
use super::queue::{Queued, Rank, Risk};
use super::{is_gone, progress, role_of, wants};
use crate::decide::fold::{LOOKS_FOR_ABSENCE, true_coverage};
use crate::decide::hold::HoldReason;
use crate::decide::plan::PlannedStep;
use crate::decide::remedy::{GRACE_OF_UNANNOUNCED, gates_of};
use crate::decide::service::Input;
use crate::decide::verdict::target_of;
use crate::model::{
    Ailment, AilmentKind, Instance, InstanceId, Launch, Lifecycle, RepairId, RepairOf, Replacement, SlotName,
    Step, TargetState, Timer,
};
use crate::policy::{Maintenance, Selector, Slot};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::time::Duration;

/// What replacements want of this pass.
#[derive(Debug, Default)]
pub(in crate::decide) struct Proposed {
    pub steps: Vec<PlannedStep>,
    pub holds: Vec<(SlotName, InstanceId, HoldReason)>,
    pub queue: Vec<Queued>,
    /// Instances whose replacement waits for nothing but time.
    pub by_time: BTreeSet<InstanceId>,
}

/// One instance that is to be replaced.
#[derive(Clone, Copy)]
pub(super) struct Need<'a> {
    pub slot_name: &'a SlotName,
    pub slot: &'a Slot,
    pub old: &'a InstanceId,
    /// As this look shows it.
    pub instance: Option<&'a Instance>,
    pub kind: AilmentKind,
    pub evidence: &'a str,
    pub timer: Option<&'a Timer>,
    pub by_person: bool,
}

/// A member of a slot and what ails it.
pub(in crate::decide) struct Member<'a> {
    pub slot_name: &'a SlotName,
    pub slot: &'a Slot,
    pub instance: &'a Instance,
    pub ailments: &'a [Ailment],
}

/// Goes on with what is under way, and begins what may begin.
pub(in crate::decide) fn propose_all(input: &Input<'_>, members: &[Member<'_>]) -> Proposed {
    let mut proposed = Proposed::default();
    for one in input.memory.replacements.values().filter(|one| one.is_open()) {
        progress::go_on(input, one, &mut proposed);
    }
    let mut waiting: Vec<(Queued, Vec<HoldReason>, Option<Launch>)> = needs(input, members)
        .iter()
        .map(|need| judged(input, need))
        .collect();
    waiting.sort_by(|one, other| one.0.rank.cmp(&other.0.rank));
    let mut first: Option<String> = input
        .memory
        .replacements
        .values()
        .find(|one| one.is_open() && one.kind == AilmentKind::ImageGone)
        .map(|one| one.old.to_string());
    let mut begun: Vec<InstanceId> = Vec::new();
    for (mut queued, mut holds, launch) in waiting {
        queued.ready = holds.is_empty();
        // Whose turn it is does not matter while none may begin.
        let is_full = holds
            .iter()
            .any(|hold| matches!(hold, HoldReason::Concurrent { .. }));
        let of_queue = holds_of_queue(input, &queued, first.as_deref()).filter(|_| !is_full);
        if queued.kind == AilmentKind::ImageGone && queued.ready && first.is_none() {
            first = Some(queued.in_words());
        }
        match of_queue {
            Some(hold) => holds.push(hold),
            None if begun.is_empty() => {}
            None => holds.extend(at_once(input, queued.kind, &begun)),
        }
        if holds.iter().all(HoldReason::ends_by_time) && !holds.is_empty() {
            proposed.by_time.insert(queued.rank.instance.clone());
        }
        match launch.filter(|_| holds.is_empty()) {
            Some(launch) => {
                begun.push(queued.rank.instance.clone());
                proposed.steps.push(PlannedStep {
                    why: format!("{}: {}", queued.kind.as_str(), queued.evidence),
                    step: Step::Launch(Box::new(launch)),
                });
            }
            None => {
                let of = |hold| (queued.slot.clone(), queued.rank.instance.clone(), hold);
                proposed.holds.extend(holds.into_iter().map(of));
            }
        }
        proposed.queue.push(queued);
    }
    proposed
}

/// Everybody whom the policy wants replaced and who is not being replaced yet.
fn needs<'a>(input: &Input<'a>, members: &[Member<'a>]) -> Vec<Need<'a>> {
    let open = |id: &InstanceId| {
        input
            .memory
            .replacements
            .get(id)
            .is_some_and(Replacement::is_open)
    };
    let mut needs = Vec::new();
    for member in members {
        let id = &member.instance.id;
        let dead = member
            .ailments
            .iter()
            .find(|ailment| ailment.kind == AilmentKind::ImageGone);
        let Some(dead) = dead.filter(|_| wants(input.policy, member.slot_name, AilmentKind::ImageGone))
        else {
            continue;
        };
        if open(id) || is_gone(member.instance) || role_of(&input.memory.replacements, id).is_some() {
            continue;
        }
        let memory = input.memory.instances.get(id);
        needs.push(Need {
            slot_name: member.slot_name,
            slot: member.slot,
            old: id,
            instance: Some(member.instance),
            kind: AilmentKind::ImageGone,
            evidence: &dead.evidence,
            timer: memory.and_then(|memory| memory.timers.get(&AilmentKind::ImageGone)),
            by_person: false,
        });
    }
    for (id, lost) in &input.memory.lost {
        let slot = input.policy.slots.get_key_value(&lost.slot);
        let Some((slot_name, slot)) =
            slot.filter(|(name, _)| wants(input.policy, name, AilmentKind::Missing))
        else {
            continue;
        };
        if !open(id) && lacks_more(input, slot_name, slot) {
            needs.push(Need {
                slot_name,
                slot,
                old: id,
                instance: input.look.instances.get(id),
                kind: AilmentKind::Missing,
                evidence: &lost.evidence,
                timer: Some(&lost.timer),
                by_person: lost.by_person,
            });
        }
    }
    needs
}

/// Whether the slot has fewer members than it should even when all that is being launched for it has come.
fn lacks_more(input: &Input<'_>, name: &SlotName, slot: &Slot) -> bool {
    let left = super::members_left(input.look, input.claims, &input.memory.replacements, name);
    let coming = input
        .memory
        .replacements
        .values()
        .filter(|one| one.is_open() && one.slot == *name && one.kind == AilmentKind::Missing);
    left + coming.count() < usize::try_from(slot.count).unwrap_or(usize::MAX)
}

fn judged(input: &Input<'_>, need: &Need<'_>) -> (Queued, Vec<HoldReason>, Option<Launch>) {
    let mut holds = gates_of(input, &[(need.old, need.instance)]);
    of_others(need, &mut holds);
    view(input, &mut holds);
    grace(input, need, &mut holds);
    window(input, need, &mut holds);
    elsewhere(input, need, &mut holds);
    // A lost one is not to be seen any more; its slot's group replaces it all the same.
    let of_slot = match &need.slot.select {
        Selector::AutoScalingGroup(group) => Some(group.as_str()),
        _ => None,
    };
    if let Some(group) = need.instance.and_then(Instance::auto_scaling_group).or(of_slot) {
        holds.push(HoldReason::ScalingGroup {
            group: group.to_owned(),
        });
    }
    let of = RepairOf {
        slot: need.slot_name.clone(),
        repair: RepairId::new(format!(
            "{}-{}-replace-{}",
            input.policy.service,
            need.old,
            input.now.as_second()
        )),
        about: need.old.clone(),
        attempt: 1,
    };
    let wish = Wish {
        slot: need.slot,
        old: need.old,
        refused: &[],
    };
    let launch = match choose(input, &wish, &of) {
        Ok(launch) => Some(launch),
        Err(hold) => {
            holds.push(hold);
            None
        }
    };
    let queued = Queued {
        rank: rank(input, need),
        slot: need.slot_name.clone(),
        kind: need.kind,
        evidence: need.evidence.to_owned(),
        ready: false,
        under_way: false,
        goes_on: false,
        in_motion: false,
        quarantined: false,
        not_before: not_before(input, &holds),
        candidate: launch.as_ref().map(in_words),
        new_public_ip: input
            .blueprints
            .get(need.old)
            .is_some_and(|blueprint| blueprint.public_ip),
        offers: all_offers(input, need.old),
    };
    (queued, holds, launch)
}

/// S17: what AWS runs as it likes is not put in another's place.
fn of_others(need: &Need<'_>, holds: &mut Vec<HoldReason>) {
    match need.instance.map(|instance| &instance.lifecycle) {
        Some(Lifecycle::Spot) => holds.push(HoldReason::Spot),
        Some(Lifecycle::Unknown(word)) => holds.push(HoldReason::UnknownLifecycle { word: word.clone() }),
        _ => {}
    }
}

/// `ami-… on t3.large in subnet-…`
pub(super) fn in_words(launch: &Launch) -> String {
    format!(
        "{} on {} in {}",
        launch.image, launch.instance_type, launch.subnet
    )
}

/// Only on a whole view, and never while too much ails at once.
fn view(input: &Input<'_>, holds: &mut Vec<HoldReason>) {
    holds.extend(half_a_view(input));
    holds.extend(breaker(input));
}

pub(super) fn half_a_view(input: &Input<'_>) -> Option<HoldReason> {
    let coverage = true_coverage(input.look, input.memory);
    let parts = coverage.gaps().iter().map(|gap| gap.part.to_string()).collect();
    (!coverage.is_complete()).then_some(HoldReason::PartialView { parts })
}

pub(super) fn breaker(input: &Input<'_>) -> Option<HoldReason> {
    let why = input.elsewhere.breaker.clone()?;
    Some(HoldReason::Breaker { why })
}

fn grace(input: &Input<'_>, need: &Need<'_>, holds: &mut Vec<HoldReason>) {
    let graces = &input.policy.grace;
    let lasted = need.timer.map_or(Duration::ZERO, |timer| timer.lasted);
    let looks = need.timer.map_or(0, |timer| timer.looks);
    let mut wanted = match need.kind {
        AilmentKind::Missing => graces.missing,
        _ => graces.image_gone,
    };
    let mut why = None;
    if need.by_person {
        let told = input.delivered.contains(&announcement_key(need.old, need.timer));
        let after_a_person = if told {
            why = Some("a person terminated it; people were told that it will be replaced".to_owned());
            graces.operator_stop
        } else {
            why = Some(
                "a person terminated it, and nobody could be told yet that it will be replaced".to_owned(),
            );
            graces.operator_stop.max(GRACE_OF_UNANNOUNCED)
        };
        wanted = wanted.max(after_a_person);
    }
    if lasted < wanted || looks < LOOKS_FOR_ABSENCE {
        holds.push(HoldReason::Grace {
            ailment: need.kind,
            left: wanted.saturating_sub(lasted),
            why,
        });
    }
}

/// The notice that announces that what a person terminated will be replaced.
pub(in crate::decide) fn announcement_key(old: &InstanceId, timer: Option<&Timer>) -> String {
    let since = timer.map_or(0, |timer| timer.since.as_second());
    format!("replace/{old}/{since}/announced")
}

/// A serving instance whose image is gone can wait for a quiet hour; what is down cannot.
fn window(input: &Input<'_>, need: &Need<'_>, holds: &mut Vec<HoldReason>) {
    if need.kind != AilmentKind::ImageGone {
        return;
    }
    let incident = input.memory.incidents.get(need.old);
    let is_down = need
        .instance
        .is_some_and(|instance| instance.stopped_by().is_some());
    if is_down || incident.is_some_and(|incident| incident.healed.is_none()) {
        // Started first, whatever its image: it may serve within a minute.
        if incident.is_none_or(|incident| incident.quarantined.is_none()) {
            holds.push(HoldReason::HealFirst);
        }
        return;
    }
    holds.extend(outside_of_windows(input));
}

/// No window is open now.
pub(super) fn outside_of_windows(input: &Input<'_>) -> Option<HoldReason> {
    let maintenance = &input.policy.maintenance;
    let closed = matches!(maintenance, Maintenance::Windows(_)) && !maintenance.contains(input.now);
    closed.then(|| HoldReason::Window {
        opens: maintenance.next_start(input.now),
    })
}

/// As many as may be are under way, in this service or over all of them. `begun`: by this plan, which count as well. What is
/// lost waits for no dead image whose next attempt has yet to begin, perhaps in another week's window.
fn at_once(input: &Input<'_>, kind: AilmentKind, begun: &[InstanceId]) -> Vec<HoldReason> {
    let counts = |one: &&Replacement| {
        let waits = kind == AilmentKind::Missing && one.is_waiting();
        one.is_open() && one.quarantined.is_none() && !waits
    };
    let open = input.memory.replacements.values().filter(counts);
    let here: Vec<InstanceId> = open.map(|one| &one.old).chain(begun).cloned().collect();
    let count = u32::try_from(here.len()).unwrap_or(u32::MAX);
    let mut holds = Vec::new();
    let (others, fleet) = (input.elsewhere.replacing, input.elsewhere.max_concurrent);
    if others.saturating_add(count) >= fleet {
        holds.push(HoldReason::FleetBusy { others, limit: fleet });
    }
    let limit = input.policy.limits.max_concurrent;
    if count >= limit {
        holds.push(HoldReason::Concurrent { others: here, limit });
    }
    holds
}

/// What else is under way, in this service and in others.
fn elsewhere(input: &Input<'_>, need: &Need<'_>, holds: &mut Vec<HoldReason>) {
    holds.extend(at_once(input, need.kind, &[]));
    if need.kind == AilmentKind::ImageGone {
        let failed = input.memory.replacements.values();
        let mut failed = failed.filter(|one| one.is_open() && one.quarantined.is_some());
        if let Some(failed) = failed.next() {
            holds.push(HoldReason::AfterFailure {
                instance: failed.old.clone(),
            });
        }
    }
    if !input.memory.rest.is_zero() {
        holds.push(HoldReason::Rest {
            left: input.memory.rest,
        });
    }
}

/// One dead image at a time, over all services, the riskiest first.
fn holds_of_queue(input: &Input<'_>, queued: &Queued, first: Option<&str>) -> Option<HoldReason> {
    if queued.kind != AilmentKind::ImageGone {
        return None;
    }
    if let Some(first) = first {
        return Some(HoldReason::Queued {
            behind: first.to_owned(),
        });
    }
    let other = input
        .elsewhere
        .queue
        .iter()
        .find(|other| other.goes_before(&queued.rank, input.now));
    if let Some(other) = other {
        return Some(HoldReason::Queued {
            behind: other.in_words(),
        });
    }
    (!input.elsewhere.all_seen).then_some(HoldReason::FleetUnseen)
}

fn rank(input: &Input<'_>, need: &Need<'_>) -> Rank {
    let serves_alone = || {
        need.slot.target_groups.iter().any(|wanted| {
            let group = input.look.groups.get(&wanted.name);
            group.is_some_and(|group| {
                let own = need
                    .instance
                    .and_then(|instance| target_of(group, wanted, instance));
                own.is_some()
                    && !group.targets.iter().any(|target| {
                        target.instance != *need.old && target.health.state == TargetState::Healthy
                    })
            })
        })
    };
    let is_up = need
        .instance
        .is_some_and(|instance| !is_gone(instance) && instance.stopped_by().is_none());
    let risk = if !is_up {
        Risk::Down
    } else if serves_alone() {
        Risk::Alone
    } else {
        Risk::Serving
    };
    Rank {
        risk,
        since: need.timer.map_or(input.now, |timer| timer.since),
        service: input.policy.service.clone(),
        instance: need.old.clone(),
    }
}

/// When the last of the holds that time ends is over; `None`: something else holds it back, or nothing at all.
fn not_before(input: &Input<'_>, holds: &[HoldReason]) -> Option<Timestamp> {
    if holds.is_empty() || !holds.iter().all(HoldReason::ends_by_time) {
        return None;
    }
    let end = |hold: &HoldReason| match hold {
        HoldReason::Window { opens } => *opens,
        other => {
            let left = SignedDuration::try_from(other.left()?).ok()?;
            input.now.checked_add(left).ok()
        }
    };
    let waited = holds.iter().filter_map(end).max()?;
    // A grace that ends between two windows waits for the next one.
    let maintenance = &input.policy.maintenance;
    match maintenance {
        Maintenance::Windows(_) if !maintenance.contains(waited) => maintenance.next_start(waited),
        _ => Some(waited),
    }
}
