//! Takes the launches and removals of a plan into the memory before any of them is sent: whatever happens to the process
//! then, the next one knows which token was used for what, and what it has taken out of a target group. And what keeps
//! keepgreen from getting on with a launch.

use crate::decide::hold::Hold;
use crate::decide::plan::Plan;
use crate::model::{
    AilmentKind, Launch, LaunchAnswer, LaunchAttempt, LaunchForm, LaunchTry, Replacement, ServiceMemory, Step,
};
use jiff::Timestamp;
use std::time::Duration;

/// The memory with what the plan is about to do. `kind_of` tells why an instance is replaced.
pub fn remember_launches(memory: &ServiceMemory, plan: &Plan) -> ServiceMemory {
    let mut after = memory.clone();
    for planned in &plan.steps {
        match &planned.step {
            Step::Launch(launch) => remember_launch(&mut after, plan, launch, &planned.why),
            Step::Deregister(target) => {
                if let Some(one) = after.replacements.get_mut(&target.of.about)
                    && one.old == target.instance
                {
                    let key = (target.arn.clone(), target.port);
                    if one.taken_out.insert(key.clone()) {
                        one.unsent.insert(key);
                    }
                    one.draining_since = one.draining_since.or(Some(plan.looked_at));
                }
            }
            _ => {}
        }
    }
    remember_held(&mut after, plan);
    after
}

/// What keepgreen does not do for a newcomer is not held against it.
fn remember_held(memory: &mut ServiceMemory, plan: &Plan) {
    for attempt in memory
        .replacements
        .values_mut()
        .filter_map(Replacement::attempt_mut)
    {
        let is_its = |hold: &&Hold| hold.instance.is_some() && hold.instance == attempt.instance;
        let mut holds = plan.holds.iter().filter(is_its);
        attempt.held = holds.any(|hold| hold.reason.keeps_keepgreen_still());
    }
}

fn remember_launch(memory: &mut ServiceMemory, plan: &Plan, launch: &Launch, why: &str) {
    let now = plan.looked_at;
    let queued = plan
        .queue
        .iter()
        .find(|queued| queued.rank.instance == launch.of.about);
    let kind = queued.map_or(AilmentKind::ImageGone, |queued| queued.kind);
    let why = queued.map_or(why, |queued| queued.evidence.as_str());
    let is_same = |one: &Replacement| one.is_open() && one.repair == launch.of.repair;
    let one = memory
        .replacements
        .remove(&launch.of.about)
        .filter(is_same)
        .unwrap_or_else(|| opened(launch, kind, why, now));
    let one = memory.replacements.entry(launch.of.about.clone()).or_insert(one);
    one.keeps_root = kept_device(launch);
    if one
        .attempt()
        .is_none_or(|attempt| attempt.number != launch.of.attempt)
    {
        one.attempts.push(begun(launch.of.attempt, now));
        one.tried = one.tried.max(launch.of.attempt);
    }
    let Some(attempt) = one.attempt_mut() else { return };
    if attempt
        .tries
        .last()
        .is_some_and(|last| last.token == launch.token)
    {
        return;
    }
    attempt.tries.push(LaunchTry {
        token: launch.token.clone(),
        candidate: format!(
            "{} on {} in {}",
            launch.image, launch.instance_type, launch.subnet
        ),
        intent: None,
        answer: LaunchAnswer::NotSent,
        request: None,
    });
}

/// What a template's instances keep is said there.
fn kept_device(launch: &Launch) -> Option<String> {
    match &launch.form {
        LaunchForm::Clone(of) if !of.root.delete_on_termination => Some(of.root.device.clone()),
        LaunchForm::Clone(_) | LaunchForm::Template { .. } => None,
    }
}

fn opened(launch: &Launch, kind: AilmentKind, why: &str, now: Timestamp) -> Replacement {
    Replacement {
        repair: launch.of.repair.clone(),
        slot: launch.of.slot.clone(),
        old: launch.of.about.clone(),
        kind,
        evidence: why.to_owned(),
        opened: now,
        attempts: Vec::new(),
        tried: 0,
        wait: Duration::ZERO,
        retry: None,
        quarantined: None,
        asked: std::collections::BTreeMap::new(),
        taken_out: std::collections::BTreeSet::new(),
        unsent: std::collections::BTreeSet::new(),
        full: std::collections::BTreeSet::new(),
        keeps_root: None,
        draining_since: None,
        put_down: None,
        old_started: None,
        held_back: None,
        abandoned: None,
        ended: None,
    }
}

fn begun(number: u32, now: Timestamp) -> LaunchAttempt {
    LaunchAttempt {
        number,
        begun: now,
        tries: Vec::new(),
        refused_for: Duration::ZERO,
        instance: None,
        held: false,
        lasted: Duration::ZERO,
        seen: false,
        healthy_looks: 0,
        proven: false,
        unwell: Duration::ZERO,
        absent: None,
        end: None,
        gone: false,
        forgiven: false,
    }
}
