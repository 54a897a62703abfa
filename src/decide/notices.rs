//! What people are to be told, from a plan and the memory. The key of a notice is told once: whoever stores it drops
//! repeats, over restarts.

use super::finding::Finding;
use super::findings::grace_of;
use super::hold::{HoldReason, short};
use super::plan::{InstanceView, Plan, SlotView};
use super::remedy::announcement_key;
use super::service::Input;
use crate::model::{Ailment, AilmentKind, AttemptEnd, Incident, Mutant, Notice, NoticeKind};
use jiff::Timestamp;
use std::time::Duration;

/// Once is a race with the world; so many times in a row is something that a person has to see.
pub(super) const HELD_BACK_TOLD_AFTER: u32 = 3;

/// Everything that should have been said by now.
pub(super) fn of_plan(input: &Input<'_>, plan: &Plan) -> Vec<Notice> {
    let mut notices = Vec::new();
    for slot in &plan.slots {
        for view in &slot.instances {
            let teller = Teller {
                input,
                plan,
                slot,
                view,
            };
            if let Some(incident) = &view.incident {
                teller.of_incident(incident, &mut notices);
            }
            for ailment in &view.ailments {
                teller.of_ailment(ailment, &mut notices);
            }
        }
    }
    super::replace_notices::of_replacements(input, plan, &mut notices);
    of_findings(input, plan, &mut notices);
    notices
}

struct Teller<'a> {
    input: &'a Input<'a>,
    plan: &'a Plan,
    slot: &'a SlotView,
    view: &'a InstanceView,
}

impl Teller<'_> {
    fn notice(&self, mut key: String, kind: NoticeKind, title: &str, text: String) -> Notice {
        let view = self.view;
        if Mutant::AlertsAreNewEachTime.is_on() {
            key = format!("{key}/{}", self.input.now);
        }
        let mut facts = vec![
            ("instance".to_owned(), view.id.to_string()),
            ("slot".to_owned(), self.slot.name.to_string()),
            ("state".to_owned(), view.state.clone()),
        ];
        let policy = self.input.policy;
        facts.extend(
            policy
                .owner
                .iter()
                .map(|owner| ("owner".to_owned(), owner.clone())),
        );
        facts.extend(
            view.ailments
                .iter()
                .map(|a| (a.kind.as_str().to_owned(), a.evidence.clone())),
        );
        facts.extend(view.targets.iter().map(|t| {
            let reason = t
                .reason
                .as_ref()
                .map(|reason| format!(" ({reason})"))
                .unwrap_or_default();
            (
                format!("target group {}", t.target_group),
                format!("{}{reason}", t.state),
            )
        }));
        Notice {
            key,
            kind,
            at: self.input.now,
            service: Some(policy.service.clone()),
            instance: Some(view.id.clone()),
            title: format!("{} {}: {} {title}", policy.service, self.slot.name, view.id),
            text,
            facts,
        }
    }

    fn of_incident(&self, incident: &Incident, out: &mut Vec<Notice>) {
        let repair = &incident.repair;
        let stopped = matches!(self.view.state.as_str(), "stopped" | "stopping");
        if stopped {
            self.of_begin(incident, out);
            self.of_pause(incident, out);
            self.of_standstill(incident, out);
        }
        if let Some(retry) = &incident.retry {
            let text = format!(
                "{}. It is tried again at most 10 minutes apart until it works; capacity and throttling never end in \
                 quarantine.{}",
                retry.why,
                if retry.needs_person {
                    " A person must raise the limit."
                } else {
                    ""
                }
            );
            let key = format!("repair/{repair}/retry/{}", retry.since.as_second());
            out.push(self.notice(key, NoticeKind::NeedsPerson, "could not be started yet", text));
        }
        if let Some(last) = incident.attempts.last() {
            match &last.end {
                Some(AttemptEnd::Healed { at }) => {
                    let down = Duration::try_from(at.duration_since(incident.opened)).unwrap_or_default();
                    let text = format!(
                        "{}: {} after it was found. Cause: {}. Attempt {}.",
                        self.whole_again(),
                        short(down),
                        incident.evidence,
                        last.number
                    );
                    let key = format!("repair/{repair}/done/{}", last.number);
                    out.push(self.notice(key, NoticeKind::RepairDone, "is healthy again", text));
                }
                Some(AttemptEnd::Failed { why, .. }) if !stopped && incident.quarantined.is_none() => {
                    let text =
                        format!("{why}. It runs, so a start cannot help any more: look at the application.");
                    let key = format!("repair/{repair}/failed/{}", last.number);
                    out.push(self.notice(
                        key,
                        NoticeKind::NeedsPerson,
                        "was started and is not healthy",
                        text,
                    ));
                }
                _ => {}
            }
        } else if incident.healed.is_some() {
            let text = format!(
                "{}, without keepgreen's doing. Cause was: {}.",
                self.whole_again(),
                incident.evidence
            );
            let key = format!("repair/{}/recovered", incident.episode());
            out.push(self.notice(key, NoticeKind::RepairDone, "is healthy again", text));
        }
    }

    fn whole_again(&self) -> String {
        let groups: Vec<&str> = self
            .view
            .targets
            .iter()
            .map(|t| t.target_group.as_str())
            .collect();
        if groups.is_empty() {
            "It runs".to_owned()
        } else {
            format!("It serves in {} again", groups.join(", "))
        }
    }

    fn of_begin(&self, incident: &Incident, out: &mut Vec<Notice>) {
        let starts_now = self
            .plan
            .steps
            .iter()
            .any(|step| step.step.instances().any(|id| *id == self.view.id));
        let waits = self.view.holds.iter().find_map(|hold| match hold {
            HoldReason::Grace {
                ailment: AilmentKind::StoppedByOperator,
                left,
                ..
            } => Some(*left),
            _ => None,
        });
        // This very notice, once it is delivered, ends the longer wait of a stop that nobody could be told of.
        let waits = waits.map(|left| {
            if self.input.can_announce {
                self.left_once_told()
            } else {
                left
            }
        });
        if incident.kind == AilmentKind::StoppedByOperator
            && let Some(left) = waits
        {
            let text = format!(
                "A person or a scheduler stopped it ({}). keepgreen will start it in {} unless it is paused, the \
                 policy says `respect`, or somebody starts it before.",
                incident.evidence,
                short(left)
            );
            let key = announcement_key(incident);
            out.push(self.notice(key, NoticeKind::RepairBegun, "was stopped by a person", text));
        } else if starts_now {
            let text = format!(
                "It was {} ({}). Starting it now.",
                incident.kind.as_str(),
                incident.evidence
            );
            let key = format!("repair/{}/begun", incident.episode());
            out.push(self.notice(key, NoticeKind::RepairBegun, "is being started", text));
        }
        let respected = self
            .view
            .holds
            .iter()
            .find(|hold| matches!(hold, HoldReason::StopRespected { .. }));
        if let Some(hold) = respected {
            let key = format!("repair/{}/respected", incident.episode());
            out.push(self.notice(
                key,
                NoticeKind::NeedsPerson,
                "was stopped by a person",
                hold.sentence(),
            ));
        }
    }

    fn left_once_told(&self) -> Duration {
        let memory = self.input.memory.instances.get(&self.view.id);
        let timer = memory.and_then(|memory| memory.timers.get(&AilmentKind::StoppedByOperator));
        let lasted = timer.map_or(Duration::ZERO, |timer| timer.lasted);
        self.input.policy.grace.operator_stop.saturating_sub(lasted)
    }

    /// It is down, and stays down for a reason that neither time nor the policy ends.
    fn of_standstill(&self, incident: &Incident, out: &mut Vec<Notice>) {
        let stands = self.view.holds.iter().find(|hold| {
            matches!(
                hold,
                HoldReason::Spot
                    | HoldReason::InstanceStore
                    | HoldReason::UnknownLifecycle { .. }
                    | HoldReason::ScalingGroup { .. }
                    | HoldReason::HourlyCap { .. }
            )
        });
        if let Some(hold) = stands {
            let text = format!(
                "It is {} and is not started: {}.",
                self.view.state,
                hold.sentence()
            );
            let key = format!("repair/{}/standstill/{}", incident.episode(), hold.word());
            out.push(self.notice(key, NoticeKind::NeedsPerson, "is down and not started", text));
        }
        if let Some(held) = incident
            .held_back
            .as_ref()
            .filter(|held| held.times >= HELD_BACK_TOLD_AFTER)
        {
            let text = format!(
                "Its start was planned {} times in a row and held back right before it was sent: {}. It goes on trying.",
                held.times, held.why
            );
            let key = format!("repair/{}/held-back/{}", incident.repair, held.since.as_second());
            out.push(self.notice(key, NoticeKind::NeedsPerson, "could not be started yet", text));
        }
    }

    /// A pause while something is down is the pause that hurts: say so at once.
    fn of_pause(&self, incident: &Incident, out: &mut Vec<Notice>) {
        let paused = self.view.holds.iter().find(|hold| {
            matches!(
                hold,
                HoldReason::Paused { .. } | HoldReason::PauseUnreadable { .. }
            )
        });
        if let Some(hold) = paused {
            let text = format!("It is {} and stays so: {}.", self.view.state, hold.sentence());
            let key = format!("repair/{}/paused/{}", incident.episode(), pause_identity(hold));
            out.push(self.notice(
                key,
                NoticeKind::NeedsPerson,
                "is down while keepgreen is paused",
                text,
            ));
        }
    }

    /// Ailments for which nothing is done: told once they have outlasted their grace.
    fn of_ailment(&self, ailment: &Ailment, out: &mut Vec<Notice>) {
        let kind = ailment.kind;
        let told_elsewhere = matches!(
            kind,
            AilmentKind::ImageGone | AilmentKind::ScheduledEvent | AilmentKind::Missing
        );
        let only_told = self
            .view
            .holds
            .iter()
            .any(|hold| matches!(hold, HoldReason::AlertOnly { ailment } if *ailment == kind));
        let timer = self
            .input
            .memory
            .instances
            .get(&self.view.id)
            .and_then(|m| m.timers.get(&kind));
        let Some(timer) = timer.filter(|_| only_told && !told_elsewhere) else {
            return;
        };
        if timer.lasted < grace_of(self.input.policy, kind) {
            return;
        }
        let key = format!(
            "ailment/{}/{}/{}/{}",
            self.plan.service,
            self.view.id,
            kind.policy_key(),
            timer.since.as_second()
        );
        let text = format!(
            "{}. The policy says `heal.{}: alert`, so nothing is done about it.",
            ailment.evidence,
            kind.policy_key()
        );
        out.push(self.notice(
            key,
            NoticeKind::NeedsPerson,
            &format!("is {}", kind.as_str()),
            text,
        ));
    }
}

/// Which pause it is, without its running end: the same pause is told once an incident.
fn pause_identity(hold: &HoldReason) -> &str {
    match hold {
        HoldReason::Paused { source, .. } => source,
        _ => "unreadable",
    }
}

fn of_findings(input: &Input<'_>, plan: &Plan, out: &mut Vec<Notice>) {
    for finding in &plan.findings {
        let Some(wanted) = finding.kind.alerts_after_looks() else {
            continue;
        };
        let standing = input.memory.standing.get(&finding.key);
        let looks = standing.map_or(1, |standing| standing.looks.saturating_add(1));
        if looks < wanted {
            continue;
        }
        let since = finding.since.unwrap_or(input.now);
        let base = format!("finding/{}/{}", finding.key, since.as_second());
        let days = days_between(since, input.now);
        let (key, kind) = if days > 0 && finding.kind.reminds_daily() {
            (format!("{base}/day-{days}"), NoticeKind::Reminder)
        } else {
            (base, NoticeKind::NeedsPerson)
        };
        out.push(Notice {
            key,
            kind,
            at: input.now,
            service: Some(finding.service.clone()),
            instance: finding.instance.clone(),
            title: title_of(finding),
            text: format!("{}. Next: {}.", finding.text, finding.next),
            facts: vec![("since".to_owned(), format!("{since:.0}"))],
        });
    }
}

/// Names the object, so that two messages about two servers do not look like one sent twice.
fn title_of(finding: &Finding) -> String {
    let what = finding.kind.as_str().replace('-', " ");
    match (&finding.slot, &finding.instance) {
        (Some(slot), Some(instance)) => format!("{} {slot}: {instance} {what}", finding.service),
        (None, Some(instance)) => format!("{}: {instance} {what}", finding.service),
        _ => format!("{}: {what}", finding.service),
    }
}

fn days_between(since: Timestamp, now: Timestamp) -> i64 {
    now.duration_since(since).as_hours() / 24
}
