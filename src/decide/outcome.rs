//! Takes what came of a mutation into the memory, and settles mutations of which no answer came, by looking.

use super::fold::{cooldown, count_failure, was_launched_since};
use super::replace::{fold_answer, settle_step};
use crate::model::{
    AilmentKind, Attempt, AttemptEnd, AwsError, ErrorClass, HeldBack, Instance, InstanceId, InstanceState,
    Intent, IntentState, JournaledIntent, Observation, Outcome, Part, Retry, ServiceMemory, StartOf, Step,
};
use crate::policy::Policy;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// Starts that fail for reasons outside the instance are tried again at the cooldown, at most this far apart.
pub const LONGEST_RETRY: Duration = Duration::from_secs(600);
/// A look that began sooner than this (or the interval, if shorter) after the intent may not show its effect yet.
pub const SETTLES_AFTER: SignedDuration = SignedDuration::from_secs(10);

/// The memory after an intent ended.
pub fn fold_outcome(
    before: &ServiceMemory,
    policy: &Policy,
    intent: &Intent,
    outcome: &Outcome,
    now: Timestamp,
) -> ServiceMemory {
    let mut memory = before.clone();
    let Step::Start { instances } = &intent.step else {
        fold_answer(&mut memory, policy, intent, outcome, now);
        return memory;
    };
    for (id, start) in instances {
        match outcome {
            Outcome::Accepted { .. } => accepted(&mut memory, intent, id, start, now),
            Outcome::Settled { applied, .. } if applied.contains(id) => {
                accepted(&mut memory, intent, id, start, intent.durable.wall);
            }
            Outcome::Failed { error } => failed(&mut memory, policy, intent, id, start, error, now),
            Outcome::NotSent { why } => held_back(&mut memory, id, start, why, now),
            Outcome::Settled { .. } => {}
        }
    }
    memory
}

/// The memory after an intent was settled by looking. A request that got no answer and shows no effect was refused by
/// something outside the instance: it is tried again like any other of those, paced and told, and alone.
pub fn fold_settled(
    before: &ServiceMemory,
    policy: &Policy,
    journaled: &JournaledIntent,
    outcome: &Outcome,
    now: Timestamp,
) -> ServiceMemory {
    let intent = &journaled.intent;
    let mut memory = fold_outcome(before, policy, intent, outcome, now);
    let Step::Start { instances } = &intent.step else {
        return memory;
    };
    if let (IntentState::Ambiguous { error }, Outcome::Settled { not_applied, .. }) =
        (&journaled.state, outcome)
    {
        for (id, start) in instances.iter().filter(|(id, _)| not_applied.contains(id)) {
            failed(&mut memory, policy, intent, id, start, error, now);
        }
    }
    memory
}

/// Held back by the guard or the gate: nobody's failure, and yet nothing happens; counted, so that people are told.
fn held_back(memory: &mut ServiceMemory, id: &InstanceId, start: &StartOf, why: &str, now: Timestamp) {
    let incident = memory
        .incidents
        .get_mut(id)
        .filter(|incident| incident.repair == start.repair);
    if let Some(incident) = incident {
        incident.held_back = Some(HeldBack::again(incident.held_back.take(), why, now));
    }
}

fn accepted(memory: &mut ServiceMemory, intent: &Intent, id: &InstanceId, start: &StartOf, at: Timestamp) {
    let Some(incident) = memory
        .incidents
        .get_mut(id)
        .filter(|incident| incident.repair == start.repair)
    else {
        return;
    };
    if incident
        .attempts
        .iter()
        .any(|attempt| attempt.intent == intent.id)
    {
        return;
    }
    incident.attempts.push(Attempt {
        number: start.attempt,
        intent: intent.id.clone(),
        accepted: at,
        lasted: Duration::ZERO,
        seen_up: false,
        before: incident.evidence.clone(),
        launched_before: incident.launched_at,
        end: None,
    });
    incident.tried = incident.tried.max(start.attempt);
    incident.retry = None;
    incident.held_back = None;
    if incident.kind == AilmentKind::StoppedByOperator
        && let Some(instance) = memory.instances.get_mut(id)
    {
        instance.operator_stops_undone.push(at);
    }
}

fn failed(
    memory: &mut ServiceMemory,
    policy: &Policy,
    intent: &Intent,
    id: &InstanceId,
    start: &StartOf,
    error: &AwsError,
    now: Timestamp,
) {
    let Some(incident) = memory
        .incidents
        .get_mut(id)
        .filter(|incident| incident.repair == start.repair)
    else {
        return;
    };
    match error.class {
        ErrorClass::Throttled
        | ErrorClass::Transient
        | ErrorClass::Ambiguous
        | ErrorClass::Capacity
        | ErrorClass::Quota
        | ErrorClass::InvalidState
        | ErrorClass::NeverSent => {
            let earlier = incident.retry.take();
            let tries = earlier.as_ref().map_or(1, |retry| retry.tries.saturating_add(1));
            incident.wait = cooldown(
                policy.limits.cooldown,
                tries,
                LONGEST_RETRY,
                incident.repair.as_str(),
            );
            incident.retry = Some(Retry {
                why: error.to_string(),
                since: earlier.map_or(now, |retry| retry.since),
                tries,
                needs_person: error.class == ErrorClass::Quota,
                alone: matches!(error.class, ErrorClass::Ambiguous | ErrorClass::Transient),
            });
        }
        ErrorClass::NotFound
        | ErrorClass::Image
        | ErrorClass::NotAuthorised
        | ErrorClass::Token
        | ErrorClass::Permanent => {
            incident.attempts.push(Attempt {
                number: start.attempt,
                intent: intent.id.clone(),
                accepted: now,
                lasted: Duration::ZERO,
                seen_up: false,
                before: incident.evidence.clone(),
                launched_before: incident.launched_at,
                end: Some(AttemptEnd::Failed {
                    at: now,
                    why: error.to_string(),
                }),
            });
            incident.tried = incident.tried.max(start.attempt);
            count_failure(incident, memory.instances.get_mut(id), policy, now);
        }
    }
}

/// What a look says of an intent that has not ended; `None`: it cannot be told yet.
///
/// A crash between journal and answer, and an answer that was lost, look the same from here, and are settled the same
/// way. Whatever shows the start's effect counts as applied; a start that did not show is planned anew, and repeats a
/// request that has no second effect.
pub fn settle(
    journaled: &JournaledIntent,
    look: &Observation,
    memory: &ServiceMemory,
    interval: Duration,
) -> Option<Outcome> {
    if matches!(journaled.state, IntentState::Ended { .. }) {
        return None;
    }
    let intent = &journaled.intent;
    // A wall clock that was set back must not keep an intent open for ever.
    let age = look.begun.wall.duration_since(intent.durable.wall);
    let enough = SETTLES_AFTER.min(SignedDuration::try_from(interval).unwrap_or(SETTLES_AFTER));
    if age.abs() < enough {
        return None;
    }
    if !matches!(intent.step, Step::Start { .. }) {
        return settle_step(&intent.step, look, memory);
    }
    let mut applied = Vec::new();
    let mut not_applied = Vec::new();
    for id in intent.step.instances() {
        match look.instances.get(id) {
            Some(instance) if shows_a_start(instance, memory) => applied.push(id.clone()),
            Some(_) => not_applied.push(id.clone()),
            None if look.coverage.gap(&Part::Instances).is_none() => not_applied.push(id.clone()),
            None => return None,
        }
    }
    Some(Outcome::Settled { applied, not_applied })
}

fn shows_a_start(instance: &Instance, memory: &ServiceMemory) -> bool {
    match instance.state {
        InstanceState::Pending | InstanceState::Running => true,
        InstanceState::Stopped | InstanceState::Stopping => {
            // Another launch time, or other words than before: it was started, and stopped anew.
            memory.incidents.get(&instance.id).is_some_and(|incident| {
                super::verdict::stop_evidence(instance) != incident.evidence
                    || was_launched_since(instance, incident.launched_at)
            })
        }
        _ => false,
    }
}
