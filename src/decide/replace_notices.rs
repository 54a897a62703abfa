//! What people are told of replacements and registrations: when one begins, what failed, when it is done, and at once when a
//! pause leaves something half done.

use super::claims::Owner;
use super::hold::{HoldReason, short};
use super::notices::HELD_BACK_TOLD_AFTER;
use super::plan::Plan;
use super::replace::announcement_key;
use super::service::Input;
use crate::model::{InstanceId, LaunchEnd, Notice, NoticeKind, Replacement, ReplacementEnd, SlotName, Step};
use std::time::Duration;

/// Everything about replacements that should have been said by now.
pub(super) fn of_replacements(input: &Input<'_>, plan: &Plan, out: &mut Vec<Notice>) {
    for planned in &plan.steps {
        match &planned.step {
            Step::Launch(launch) if launch.of.attempt == 1 => {
                let text = format!(
                    "{}. Launching {} on {} in {}; it is retired only once the new one serves.",
                    planned.why, launch.image, launch.instance_type, launch.subnet
                );
                let key = format!("replace/{}/begun", launch.of.about);
                let key = format!("{key}/{}", since_of(input, &launch.of.about));
                let of = (&launch.of.slot, &launch.of.about);
                out.push(notice(
                    input,
                    key,
                    NoticeKind::RepairBegun,
                    of,
                    ("is being replaced", text),
                ));
            }
            Step::Register(target) if !input.memory.replacements.contains_key(&target.of.about) => {
                let text = format!("{}. Registering it in {} again.", planned.why, target.group);
                let key = format!(
                    "register/{}/{}/{}",
                    target.instance, target.group, target.of.attempt
                );
                let of = (&target.of.slot, &target.instance);
                out.push(notice(
                    input,
                    key,
                    NoticeKind::RepairBegun,
                    of,
                    ("is registered again", text),
                ));
            }
            _ => {}
        }
    }
    announcements(input, plan, out);
    registrations(input, out);
    for one in input.memory.replacements.values() {
        of_one(input, plan, one, out);
    }
}

/// Tells one repair of an instance from a later one of the same.
fn since_of(input: &Input<'_>, old: &InstanceId) -> i64 {
    let of_open = input.memory.replacements.get(old).filter(|one| one.is_open());
    of_open.map_or(input.now, |one| one.opened).as_second()
}

/// A registration that AWS refuses: at once if a person has to see to it, else when it is refused again.
fn registrations(input: &Input<'_>, out: &mut Vec<Notice>) {
    for (id, memory) in &input.memory.instances {
        let Some(instance) = input.look.instances.get(id) else {
            continue;
        };
        let Owner::Slot(_, slot) = input.claims.owner_of(instance) else {
            continue;
        };
        let retry = memory.registration.as_ref().and_then(|of| of.retry.as_ref());
        let Some(retry) = retry.filter(|retry| retry.needs_person || retry.tries > 1) else {
            continue;
        };
        let person = if retry.needs_person {
            " A person must see to it."
        } else {
            ""
        };
        let text = format!(
            "{}. It is tried again, at most 10 minutes apart; until then it gets no traffic there.{person}",
            retry.why
        );
        let key = format!("register/{id}/refused/{}", retry.since.as_second());
        let told = ("is not registered again yet", text);
        out.push(notice(input, key, NoticeKind::NeedsPerson, (&slot, id), told));
    }
}

/// What a person terminated is not replaced before that was announced.
fn announcements(input: &Input<'_>, plan: &Plan, out: &mut Vec<Notice>) {
    for (id, lost) in input.memory.lost.iter().filter(|(_, lost)| lost.by_person) {
        let waits = plan.holds.iter().find_map(|hold| match &hold.reason {
            HoldReason::Grace { left, .. } if hold.instance.as_ref() == Some(id) => Some(*left),
            _ => None,
        });
        let Some(left) = waits else { continue };
        let left = if input.can_announce {
            input.policy.grace.operator_stop.saturating_sub(lost.timer.lasted)
        } else {
            left
        };
        let text = format!(
            "A person terminated it ({}). keepgreen will replace it in {} unless it is paused or the slot is whole before.",
            lost.evidence,
            short(left)
        );
        let key = announcement_key(id, Some(&lost.timer));
        let of = (&lost.slot, id);
        out.push(notice(
            input,
            key,
            NoticeKind::RepairBegun,
            of,
            ("was terminated by a person", text),
        ));
    }
}

fn of_one(input: &Input<'_>, plan: &Plan, one: &Replacement, out: &mut Vec<Notice>) {
    let of = (&one.slot, &one.old);
    for attempt in &one.attempts {
        if let Some(LaunchEnd::Failed { why, .. }) = &attempt.end {
            let text = format!(
                "Attempt {} failed: {why}. The old one stays; what the attempt launched is ended.",
                attempt.number
            );
            let key = format!("replace/{}/failed/{}", one.repair, attempt.number);
            out.push(notice(
                input,
                key,
                NoticeKind::NeedsPerson,
                of,
                ("could not be replaced yet", text),
            ));
        }
    }
    match &one.ended {
        Some(ReplacementEnd::Done { at, new }) => {
            let took = Duration::try_from(at.duration_since(one.opened)).unwrap_or_default();
            let text = format!(
                "{new} serves in its place, {} after its launch was decided. Cause: {}.",
                short(took),
                one.evidence
            );
            let key = format!("replace/{}/done", one.repair);
            out.push(notice(
                input,
                key,
                NoticeKind::RepairDone,
                of,
                ("is replaced", text),
            ));
        }
        Some(ReplacementEnd::Abandoned { why, .. }) => {
            let text = format!("{why}. What was launched for it is ended.");
            let key = format!("replace/{}/abandoned", one.repair);
            out.push(notice(
                input,
                key,
                NoticeKind::Info,
                of,
                ("is not replaced after all", text),
            ));
        }
        None => of_open(input, plan, one, out),
    }
}

fn of_open(input: &Input<'_>, plan: &Plan, one: &Replacement, out: &mut Vec<Notice>) {
    let of = (&one.slot, &one.old);
    if let Some(retry) = &one.retry {
        let person = if retry.needs_person {
            " A person must see to it."
        } else {
            ""
        };
        let text = format!(
            "{}. It is tried again, at most 10 minutes apart.{person}",
            retry.why
        );
        let key = format!("replace/{}/retry/{}", one.repair, retry.since.as_second());
        out.push(notice(
            input,
            key,
            NoticeKind::NeedsPerson,
            of,
            ("is not replaced yet", text),
        ));
    }
    if let Some(held) = one
        .held_back
        .as_ref()
        .filter(|held| held.times >= HELD_BACK_TOLD_AFTER)
    {
        let text = format!(
            "Its next step was planned {} times in a row and held back right before it was sent: {}. It goes on trying.",
            held.times, held.why
        );
        let key = format!("replace/{}/held-back/{}", one.repair, held.since.as_second());
        out.push(notice(
            input,
            key,
            NoticeKind::NeedsPerson,
            of,
            ("is not replaced yet", text),
        ));
    }
    let is_half_done = one.draining_since.is_some() || !one.taken_out.is_empty() || one.attempt().is_some();
    let paused = plan.holds.iter().find(|hold| {
        let concerns = hold.instance.as_ref() == Some(&one.old);
        concerns
            && matches!(
                hold.reason,
                HoldReason::Paused { .. } | HoldReason::PauseUnreadable { .. }
            )
    });
    if let Some(hold) = paused.filter(|_| is_half_done) {
        let text = format!(
            "Its replacement is half done and stays so: {}.",
            hold.reason.sentence()
        );
        let source = match &hold.reason {
            HoldReason::Paused { source, .. } => source.as_str(),
            _ => "unreadable",
        };
        let key = format!("replace/{}/paused/{source}", one.repair);
        out.push(notice(
            input,
            key,
            NoticeKind::NeedsPerson,
            of,
            ("is half replaced while keepgreen is paused", text),
        ));
    }
}

fn notice(
    input: &Input<'_>,
    key: String,
    kind: NoticeKind,
    (slot, id): (&SlotName, &InstanceId),
    (title, text): (&str, String),
) -> Notice {
    let service = &input.policy.service;
    let owner = input
        .policy
        .owner
        .iter()
        .map(|owner| ("owner".to_owned(), owner.clone()));
    let facts = [
        ("instance".to_owned(), id.to_string()),
        ("slot".to_owned(), slot.to_string()),
    ];
    Notice {
        key,
        kind,
        at: input.now,
        service: Some(service.clone()),
        instance: Some(id.clone()),
        title: format!("{service} {slot}: {id} {title}"),
        text,
        facts: facts.into_iter().chain(owner).collect(),
    }
}
