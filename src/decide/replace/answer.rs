//! What AWS's answer to a step means for the replacement, or the registration, that it was of; and what a look says of a step
//! whose answer was lost.
//!
//! A launch whose answer is not known is never taken for one that did not happen: its token is asked again, with the same
//! request to the byte, until AWS says what became of it.

use super::{is_gone, is_registered};
use crate::decide::fold::{LONGEST_COOLDOWN, cooldown};
use crate::decide::outcome::LONGEST_RETRY;
use crate::model::{
    AwsError, ErrorClass, HeldBack, Instance, InstanceId, InstanceState, Intent, Launch, LaunchAnswer,
    LaunchEnd, Observation, Outcome, Part, Registration, Replacement, Retry, ServiceMemory, Step,
    TargetGroupArn, TargetStep, tags,
};
use crate::policy::Policy;
use jiff::Timestamp;
use std::time::Duration;

/// Takes the end of an intent that is not a start into the memory.
pub(in crate::decide) fn fold_answer(
    memory: &mut ServiceMemory,
    policy: &Policy,
    intent: &Intent,
    outcome: &Outcome,
    now: Timestamp,
) {
    let Some(of) = intent.step.repair() else { return };
    let Some(one) = memory
        .replacements
        .get_mut(&of.about)
        .filter(|one| one.repair == of.repair)
    else {
        if let Step::Register(target) = &intent.step {
            of_registration(memory, policy, target, outcome, now);
        }
        return;
    };
    if let Step::Launch(launch) = &intent.step {
        of_launch(one, policy, (intent, launch), outcome, now);
        let failed_now = one
            .attempts
            .last()
            .is_some_and(|attempt| matches!(&attempt.end, Some(LaunchEnd::Failed { at, .. }) if *at == now));
        if failed_now {
            count_failure(one, policy, now);
        }
        return;
    }
    let held_back = matches!(outcome, Outcome::NotSent { .. });
    if !held_back {
        one.held_back = None;
        if let Some(key) = outgoing(one, &intent.step) {
            one.unsent.remove(&key);
        }
    }
    match outcome {
        Outcome::Failed { error } if lacks_room(one, &intent.step, error) => {}
        Outcome::Failed { error } => hold_off(one, policy, error, now),
        Outcome::Accepted { .. } => succeeded(one, &intent.step, now),
        Outcome::Settled { applied, .. } if !applied.is_empty() => succeeded(one, &intent.step, now),
        Outcome::NotSent { why } => not_sent(one, &intent.step, why, now),
        Outcome::Settled { .. } => {}
    }
}

/// Held back by the guard or the gate: nobody's failure, and yet nothing happens; counted, so that people are told.
fn not_sent(one: &mut Replacement, step: &Step, why: &str, now: Timestamp) {
    one.held_back = Some(HeldBack::again(one.held_back.take(), why, now));
    // The old one is not on its way out as long as nothing has taken it out. What an earlier request has taken out stays out,
    // whatever a stale look made of it.
    if let Some(key) = outgoing(one, step)
        && one.unsent.remove(&key)
    {
        one.taken_out.remove(&key);
        if one.taken_out.is_empty() {
            one.draining_since = None;
        }
    }
}

/// The group and port that a step takes the old one out of.
fn outgoing(one: &Replacement, step: &Step) -> Option<(TargetGroupArn, Option<u16>)> {
    match step {
        Step::Deregister(target) if target.instance == one.old => Some((target.arn.clone(), target.port)),
        _ => None,
    }
}

/// AWS's answers may be older than its effects: a request that it accepted is not sent again before this has passed.
const EFFECT_SHOWS_AFTER: Duration = Duration::from_secs(60);

fn succeeded(one: &mut Replacement, step: &Step, now: Timestamp) {
    one.asked.insert(step.key(), EFFECT_SHOWS_AFTER);
    one.retry = None;
    one.wait = Duration::ZERO;
    if let Step::Stop { instance, .. } | Step::Terminate { instance, .. } = step
        && *instance == one.old
    {
        one.put_down = one.put_down.or(Some(now));
    }
}

/// The group has no room for both: the old one is to leave it first. Returns whether that was not known before.
fn lacks_room(one: &mut Replacement, step: &Step, error: &AwsError) -> bool {
    let Step::Register(target) = step else {
        return false;
    };
    error.code.as_deref() == Some("TooManyTargets")
        && one.new_instance() == Some(&target.instance)
        && one.full.insert(target.arn.clone())
}

/// Refused for now: tried again, further and further apart.
fn hold_off(one: &mut Replacement, policy: &Policy, error: &AwsError, now: Timestamp) {
    let earlier = one.retry.take();
    let tries = earlier.as_ref().map_or(1, |retry| retry.tries.saturating_add(1));
    one.wait = cooldown(policy.limits.cooldown, tries, LONGEST_RETRY, one.repair.as_str());
    one.retry = Some(retry_of(earlier, error, tries, now));
}

fn retry_of(earlier: Option<Retry>, error: &AwsError, tries: u32, now: Timestamp) -> Retry {
    Retry {
        why: error.to_string(),
        since: earlier.map_or(now, |retry| retry.since),
        tries,
        needs_person: matches!(
            error.class,
            ErrorClass::Quota | ErrorClass::NotAuthorised | ErrorClass::Permanent | ErrorClass::NotFound
        ),
        alone: true,
    }
}

fn count_failure(one: &mut Replacement, policy: &Policy, now: Timestamp) {
    let failed = one.failed_attempts();
    one.wait = cooldown(
        policy.limits.cooldown,
        failed,
        LONGEST_COOLDOWN,
        one.repair.as_str(),
    );
    if failed >= policy.limits.attempts {
        one.quarantined = one.quarantined.or(Some(now));
    }
}

fn of_launch(
    one: &mut Replacement,
    policy: &Policy,
    (intent, launch): (&Intent, &Launch),
    outcome: &Outcome,
    now: Timestamp,
) {
    let Some(attempt) = one
        .attempt_mut()
        .filter(|attempt| attempt.number == launch.of.attempt)
    else {
        return;
    };
    let Some(asked) = attempt.tries.iter_mut().rfind(|one| one.token == launch.token) else {
        return;
    };
    asked.intent = Some(intent.id.clone());
    match outcome {
        Outcome::Accepted {
            launched: Some(id), ..
        } => {
            (asked.answer, asked.request) = (LaunchAnswer::Launched, None);
            attempt.instance = Some(id.clone());
            (one.retry, one.wait, one.held_back) = (None, Duration::ZERO, None);
        }
        Outcome::Settled { applied, .. } if !applied.is_empty() => {
            (asked.answer, asked.request) = (LaunchAnswer::Launched, None);
            attempt.instance = applied.first().cloned();
            (one.retry, one.wait) = (None, Duration::ZERO);
        }
        Outcome::Accepted { .. } | Outcome::Settled { .. } => {
            asked.answer = LaunchAnswer::Unknown;
            asked.request = Some(Box::new(launch.clone()));
            unanswered(one, policy, now);
        }
        // What had no answer before has none now either.
        Outcome::NotSent { why } => not_sent(one, &intent.step, why, now),
        Outcome::Failed { error } => launch_refused(one, policy, launch, error, now),
    }
}

/// Asked again at once; and further and further apart if no answer comes to that either.
fn unanswered(one: &mut Replacement, policy: &Policy, now: Timestamp) {
    let earlier = one.retry.take();
    let tries = earlier.as_ref().map_or(1, |retry| retry.tries.saturating_add(1));
    if tries > 1 {
        one.wait = cooldown(
            policy.limits.cooldown,
            tries - 1,
            LONGEST_RETRY,
            one.repair.as_str(),
        );
    }
    one.retry = Some(Retry {
        why: "no answer came to the launch".to_owned(),
        since: earlier.map_or(now, |retry| retry.since),
        tries,
        needs_person: false,
        alone: true,
    });
}

fn launch_refused(one: &mut Replacement, policy: &Policy, launch: &Launch, error: &AwsError, now: Timestamp) {
    let Some(attempt) = one.attempt_mut() else { return };
    let Some(asked) = attempt.tries.iter_mut().rfind(|one| one.token == launch.token) else {
        return;
    };
    let fails = |why: String| Some(LaunchEnd::Failed { at: now, why });
    let is_of_the_image = is_of_the_image(error);
    match error.class {
        // Another candidate may be had; this one is not asked again in this round.
        _ if is_of_the_image || error.class == ErrorClass::Capacity => {
            asked.answer = LaunchAnswer::Refused { error: error.clone() };
            asked.request = None;
            let earlier = one.retry.take();
            let tries = earlier.as_ref().map_or(1, |retry| retry.tries);
            one.retry = Some(retry_of(earlier, error, tries, now));
        }
        ErrorClass::Throttled
        | ErrorClass::Transient
        | ErrorClass::Ambiguous
        | ErrorClass::InvalidState
        | ErrorClass::Quota
        | ErrorClass::Capacity
        | ErrorClass::Image
        | ErrorClass::NeverSent => hold_off(one, policy, error, now),
        // Something was launched with this token: the looks find it.
        ErrorClass::Token if error.code.as_deref() == Some("IdempotentParameterMismatch") => {
            (asked.answer, asked.request) = (LaunchAnswer::Unknown, None);
        }
        ErrorClass::Token => {
            asked.answer = LaunchAnswer::Refused { error: error.clone() };
            asked.request = None;
            attempt.end = fails(format!(
                "what was launched with its token was terminated: {error}"
            ));
        }
        ErrorClass::NotFound | ErrorClass::NotAuthorised | ErrorClass::Permanent => {
            asked.answer = LaunchAnswer::Refused { error: error.clone() };
            asked.request = None;
            attempt.end = fails(error.to_string());
        }
    }
}

/// AWS refuses this image, whatever it is launched on: it cannot be launched any more, or has terms that this account has not
/// agreed to (Marketplace).
pub(super) fn is_of_the_image(error: &AwsError) -> bool {
    error.class == ErrorClass::Image || error.code.as_deref() == Some("OptInRequired")
}

fn of_registration(
    memory: &mut ServiceMemory,
    policy: &Policy,
    target: &TargetStep,
    outcome: &Outcome,
    now: Timestamp,
) {
    let Some(instance) = memory.instances.get_mut(&target.instance) else {
        return;
    };
    let of = instance.registration.get_or_insert_with(Registration::default);
    match outcome {
        Outcome::Accepted { .. } => registered(of, policy, target),
        Outcome::Settled { applied, .. } if !applied.is_empty() => registered(of, policy, target),
        Outcome::Failed { error } => {
            let earlier = of.retry.take();
            let tries = earlier.as_ref().map_or(1, |retry| retry.tries.saturating_add(1));
            of.wait = cooldown(
                policy.limits.cooldown,
                tries,
                LONGEST_RETRY,
                target.instance.as_str(),
            );
            of.retry = Some(retry_of(earlier, error, tries, now));
        }
        Outcome::Settled { .. } | Outcome::NotSent { .. } => {}
    }
}

fn registered(of: &mut Registration, policy: &Policy, target: &TargetStep) {
    let times = of.accepted.entry(target.arn.clone()).or_default();
    *times = times.saturating_add(1);
    of.wait = cooldown(
        policy.limits.cooldown,
        *times,
        LONGEST_COOLDOWN,
        target.instance.as_str(),
    );
    of.retry = None;
    of.in_traffic_for = Duration::ZERO;
}

/// What a look says of a step, other than a start, that has not ended; `None`: it cannot be told yet.
pub(in crate::decide) fn settle_step(
    step: &Step,
    look: &Observation,
    memory: &ServiceMemory,
) -> Option<Outcome> {
    let id = step.instances().next()?.clone();
    let seen = look.instances.get(&id);
    let applied = match step {
        Step::Start { .. } => return None,
        Step::Launch(launch) => return settle_launch(launch, look, memory),
        Step::Register(target) => is_in(target, look)?,
        Step::Deregister(target) => !is_in(target, look)?,
        Step::Stop { .. } => told(seen, look, |instance| {
            !matches!(instance.state, InstanceState::Pending | InstanceState::Running)
        })?,
        Step::Terminate { .. } => told(seen, look, is_gone)?,
        Step::KeepVolume { .. } => told(seen, look, |instance| instance.root_stays == Some(true))?,
        Step::Retire { .. } => told(seen, look, Instance::is_retired)?,
    };
    let (applied, not_applied) = if applied {
        (vec![id], Vec::new())
    } else {
        (Vec::new(), vec![id])
    };
    Some(Outcome::Settled { applied, not_applied })
}

/// Of an instance that is not in a complete listing, nothing has shown.
fn told(seen: Option<&Instance>, look: &Observation, shows: impl Fn(&Instance) -> bool) -> Option<bool> {
    match seen {
        Some(instance) => Some(shows(instance)),
        None => look.coverage.gap(&Part::Instances).is_none().then_some(false),
    }
}

fn is_in(target: &TargetStep, look: &Observation) -> Option<bool> {
    let group = look.groups.values().find(|group| group.arn == target.arn)?;
    Some(
        group
            .targets
            .iter()
            .any(|one| one.instance == target.instance && one.port == target.port && is_registered(one)),
    )
}

fn settle_launch(launch: &Launch, look: &Observation, memory: &ServiceMemory) -> Option<Outcome> {
    let known: Vec<&InstanceId> = memory
        .replacements
        .get(&launch.of.about)
        .map(|one| {
            let ended = one.attempts.iter().filter(|attempt| attempt.end.is_some());
            ended.filter_map(|attempt| attempt.instance.as_ref()).collect()
        })
        .unwrap_or_default();
    let found = look
        .instances
        .values()
        .find(|instance| is_of(instance, launch) && !known.contains(&&instance.id));
    Some(match found {
        Some(instance) => Outcome::Settled {
            applied: vec![instance.id.clone()],
            not_applied: Vec::new(),
        },
        // Not shown is not "never was": the token is asked again.
        None => Outcome::Settled {
            applied: Vec::new(),
            not_applied: vec![launch.of.about.clone()],
        },
    })
}

fn is_of(instance: &Instance, launch: &Launch) -> bool {
    instance.tag(tags::REPAIR) == Some(launch.of.repair.as_str())
        && instance.client_token.as_deref() == Some(launch.token.as_str())
}
