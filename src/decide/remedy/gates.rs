//! What holds back every mutation, whatever the remedy: account, pause, open requests.

use super::Case;
use crate::decide::UnknownIntent;
use crate::decide::hold::HoldReason;
use crate::model::{Instance, InstancePause, IntentState, Mutant, Part, Pause, PauseScope, PauseSource};

/// The tag that pauses one instance.
pub const PAUSE_TAG: &str = "keepgreen:pause";

pub(super) fn gates(case: &Case<'_>) -> Vec<HoldReason> {
    let mut holds = Vec::new();
    account(case, &mut holds);
    pauses(case, &mut holds);
    open_intents(case, &mut holds);
    holds
}

/// S2: the credentials' account is the policy's, and the instance's.
fn account(case: &Case<'_>, holds: &mut Vec<HoldReason>) {
    let look = case.input.look;
    let Some(caller) = &look.caller else {
        let why = look
            .coverage
            .gap(&Part::Identity)
            .map_or("GetCallerIdentity was not answered", |gap| &gap.why);
        holds.push(HoldReason::AccountUnknown { why: why.to_owned() });
        return;
    };
    let expected = case
        .input
        .policy
        .account
        .as_ref()
        .unwrap_or(&case.instance.account);
    if expected != caller || case.instance.account != *caller {
        holds.push(HoldReason::WrongAccount {
            expected: expected.to_string(),
            found: caller.to_string(),
        });
    }
}

fn pauses(case: &Case<'_>, holds: &mut Vec<HoldReason>) {
    let now = case.input.now;
    let applies = |pause: &&Pause| match &pause.scope {
        PauseScope::Everything => true,
        PauseScope::Service(service) => *service == case.input.policy.service,
        PauseScope::Instance(id) => *id == case.instance.id,
    };
    let set = case
        .input
        .pauses
        .set
        .iter()
        .filter(|pause| pause.holds_at(now))
        .filter(applies);
    holds.extend(set.map(of_pause));
    let unreadable = case.input.pauses.unreadable.iter();
    holds.extend(unreadable.map(|why| HoldReason::PauseUnreadable { why: why.clone() }));
    let tag = paused_by_tag(case.instance);
    if tag.holds_at(now) {
        let until = if let InstancePause::Until(until) = tag {
            Some(until)
        } else {
            None
        };
        let source = format!("tag {PAUSE_TAG} on {}", case.instance.id);
        holds.push(HoldReason::Paused {
            source,
            by: None,
            because: None,
            until,
        });
    }
}

/// What the instance's own tag says.
pub fn paused_by_tag(instance: &Instance) -> InstancePause {
    let tag = instance
        .tags
        .get(PAUSE_TAG)
        .filter(|_| !Mutant::PauseTagIsIgnored.is_on());
    InstancePause::from_tag(tag.map(String::as_str))
}

fn of_pause(pause: &Pause) -> HoldReason {
    HoldReason::Paused {
        source: source_in_words(&pause.source),
        by: pause.by.clone(),
        because: pause.reason.clone(),
        until: pause.until,
    }
}

/// Where a person finds the flag.
pub fn source_in_words(source: &PauseSource) -> String {
    match source {
        PauseSource::Policy(file) => format!("`pause` in {file}"),
        PauseSource::File(path) => format!("file {path}"),
        PauseSource::Parameter(name) => format!("SSM parameter {name}"),
        PauseSource::Tag(id) => format!("tag {PAUSE_TAG} on {id}"),
    }
}

fn open_intents(case: &Case<'_>, holds: &mut Vec<HoldReason>) {
    for journaled in case.input.unsettled {
        let touches = journaled
            .intent
            .step
            .instances()
            .any(|id| *id == case.instance.id);
        if touches && !matches!(journaled.state, IntentState::Ended { .. }) {
            holds.push(HoldReason::Unsettled {
                intent: journaled.intent.id.to_string(),
            });
        }
    }
    // One that names no instance could be about any.
    let touches = |unknown: &&UnknownIntent| {
        unknown.instances.is_empty() || unknown.instances.contains(&case.instance.id)
    };
    let unknown = case.input.unknown_intents.iter().filter(touches);
    holds.extend(unknown.map(|unknown| HoldReason::UnknownIntent {
        intent: unknown.id.to_string(),
    }));
}
