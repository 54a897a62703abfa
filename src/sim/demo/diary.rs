//! What the journal tells, as lines of the story, each with a key that stays the same.

use super::scene::{Beat, Voice};
use crate::decide::replace::role_of;
use crate::model::{
    AttemptEnd, Incident, InstanceId, IntentState, JournaledIntent, LaunchEnd, NoticeKind, Outcome,
    Replacement, ReplacementEnd, ServiceMemory, SlotName, Step,
};
use crate::record::{RecordedIntent, RecordedNotice};
use jiff::Timestamp;

/// What has happened by now as the memory tells it, each with a key that stays the same.
pub(super) fn of_memory(memory: &ServiceMemory) -> Vec<(String, Beat)> {
    let mut beats = Vec::new();
    for (id, instance) in &memory.instances {
        let beat = |at: Timestamp, text: String, is_bad: bool| Beat {
            at,
            voice: Voice::Saw,
            slot: Some(instance.slot.to_string()),
            subject: Some(id.to_string()),
            text,
            is_bad,
        };
        beats.push((
            format!("seen {id}"),
            beat(instance.first_seen, "looked after from here on".to_owned(), false),
        ));
        let incident = memory.incidents.get(id);
        // What is on its way in or out is in no target group yet or any more, and is stopped by keepgreen itself.
        let is_moving = role_of(&memory.replacements, id).is_some() || is_replaced(memory, id);
        for (kind, timer) in instance.timers.iter().filter(|_| !is_moving) {
            let evidence = incident.filter(|incident| incident.kind == *kind);
            let evidence = evidence
                .map(|incident| format!(": {}", incident.evidence))
                .unwrap_or_default();
            beats.push((
                format!("ails {id} {} {}", kind.policy_key(), timer.since),
                beat(timer.since, format!("{}{evidence}", kind.as_str()), true),
            ));
        }
        if let Some(incident) = incident {
            beats.extend(of_incident(id, incident, beat));
        }
    }
    for one in memory.replacements.values() {
        beats.extend(of_replacement(one));
    }
    beats
}

/// Another one serves in its place: it is seen once more, stopped.
fn is_replaced(memory: &ServiceMemory, id: &InstanceId) -> bool {
    let one = memory.replacements.get(id);
    one.is_some_and(|one| matches!(one.ended, Some(ReplacementEnd::Done { .. })))
}

fn of_replacement(one: &Replacement) -> Vec<(String, Beat)> {
    let beat = |at: Timestamp, subject: &InstanceId, text: String, is_bad: bool| Beat {
        at,
        voice: Voice::Saw,
        slot: Some(one.slot.to_string()),
        subject: Some(subject.to_string()),
        text,
        is_bad,
    };
    let mut beats = Vec::new();
    for attempt in &one.attempts {
        if let Some(LaunchEnd::Failed { at, why }) = &attempt.end {
            let text = format!("attempt {} did not replace it: {why}", attempt.number);
            beats.push((
                format!("launch {} {}", one.repair, attempt.number),
                beat(*at, &one.old, text, true),
            ));
        }
    }
    if let Some(at) = one.quarantined {
        let text =
            "its replacement is in quarantine: it is not tried again until a person says so".to_owned();
        beats.push((
            format!("quarantine {} {at}", one.repair),
            beat(at, &one.old, text, true),
        ));
    }
    let ended = match &one.ended {
        None => return beats,
        Some(ReplacementEnd::Done { at, new }) => {
            beat(*at, &one.old, format!("replaced: {new} serves"), false)
        }
        Some(ReplacementEnd::Abandoned { at, why }) => {
            beat(*at, &one.old, format!("not replaced: {why}"), false)
        }
    };
    beats.push((format!("replaced {}", one.repair), ended));
    beats
}

fn of_incident(
    id: &InstanceId,
    incident: &Incident,
    beat: impl Fn(Timestamp, String, bool) -> Beat,
) -> Vec<(String, Beat)> {
    let mut beats = Vec::new();
    for attempt in &incident.attempts {
        let number = attempt.number;
        let (at, text, is_bad) = match &attempt.end {
            None => continue,
            Some(AttemptEnd::Healed { at }) => {
                (*at, format!("healthy again: attempt {number} healed it"), false)
            }
            Some(AttemptEnd::Failed { at, why }) => {
                (*at, format!("attempt {number} did not heal it: {why}"), true)
            }
            Some(AttemptEnd::Overruled { at }) => {
                (*at, format!("a person stopped it during attempt {number}"), true)
            }
        };
        beats.push((format!("attempt {id} {}", attempt.intent), beat(at, text, is_bad)));
    }
    if let Some(at) = incident.quarantined {
        let text = "in quarantine: it is not tried again until a person says so".to_owned();
        beats.push((format!("quarantine {id} {at}"), beat(at, text, true)));
    }
    beats
}

pub(super) fn of_intent(recorded: &RecordedIntent) -> Vec<(String, Beat)> {
    let Ok(JournaledIntent { intent, state }) = &recorded.intent else {
        return Vec::new();
    };
    let ids: Vec<&str> = intent.step.instances().map(InstanceId::as_str).collect();
    let slots: Vec<&str> = intent.step.slots().into_iter().map(SlotName::as_str).collect();
    let beat = |at: Timestamp, voice: Voice, text: String, is_bad: bool| Beat {
        at,
        voice,
        slot: Some(slots.join(" ")),
        subject: Some(ids.join(" ")),
        text,
        is_bad,
    };
    let operation = intent.step.operation();
    let mut beats = vec![(
        format!("intent {}", intent.id),
        beat(
            recorded.begun,
            Voice::Decided,
            format!("{}: {}", in_words(&intent.step), intent.reason),
            false,
        ),
    )];
    let (text, is_bad) = match state {
        IntentState::Open => return beats,
        IntentState::Ambiguous { error } => (
            format!("{operation} got no answer ({error}): the next look tells"),
            true,
        ),
        IntentState::Ended { outcome } => match outcome {
            Outcome::Accepted { request_id, launched } => {
                let request = request_id
                    .as_ref()
                    .map(|id| format!(" (request {id})"))
                    .unwrap_or_default();
                let launched = launched.as_ref().map(|id| format!(": {id}")).unwrap_or_default();
                (format!("AWS accepted {operation}{launched}{request}"), false)
            }
            Outcome::NotSent { why } => (format!("{operation} was not sent: {why}"), true),
            Outcome::Failed { error } => (format!("AWS refused: {error}"), true),
            Outcome::Settled { applied, .. } => (
                format!("a look shows that {operation} had effect on {}", applied.len()),
                false,
            ),
        },
    };
    let at = recorded.ended.unwrap_or(recorded.begun);
    beats.push((
        format!("outcome {} {is_bad}", intent.id),
        beat(at, Voice::Did, text, is_bad),
    ));
    beats
}

/// The operation, and what the instance's id alone does not tell.
fn in_words(step: &Step) -> String {
    let operation = step.operation();
    match step {
        Step::Launch(launch) => format!(
            "{operation} of {} on {} in {}",
            launch.image, launch.instance_type, launch.subnet
        ),
        Step::Register(target) => format!("{operation} in {}", target.group),
        Step::Deregister(target) => format!("{operation} out of {}", target.group),
        Step::Retire { .. } => format!("{operation} keepgreen:retired"),
        _ => operation.to_owned(),
    }
}

pub(super) fn of_notice(recorded: &RecordedNotice) -> Option<(String, Beat)> {
    let notice = &recorded.notice;
    Some((
        format!("notice {}", recorded.id),
        Beat {
            at: recorded.delivered?,
            voice: Voice::Told,
            slot: None,
            subject: Some(recorded.channel.to_string()),
            text: notice.title.clone(),
            is_bad: notice.kind == NoticeKind::NeedsPerson,
        },
    ))
}
