//! What holds back every mutation, whatever the remedy: account, pause, open requests.

use super::Case;
use crate::decide::UnknownIntent;
use crate::decide::hold::HoldReason;
use crate::decide::service::Input;
use crate::model::{
    Instance, InstanceId, InstancePause, IntentState, Mutant, Part, Pause, PauseScope, PauseSource, tags,
};

pub(super) fn gates(case: &Case<'_>) -> Vec<HoldReason> {
    gates_of(case.input, &[(&case.instance.id, Some(case.instance))])
}

/// What holds back every mutation of a repair that touches these instances, as far as this look shows them.
pub(crate) fn gates_of(input: &Input<'_>, touched: &[(&InstanceId, Option<&Instance>)]) -> Vec<HoldReason> {
    let mut holds = Vec::new();
    account(input, touched, &mut holds);
    pauses(input, touched, &mut holds);
    open_intents(input, touched, &mut holds);
    holds
}

/// S2: the credentials' account is the policy's, and the instances'.
fn account(input: &Input<'_>, touched: &[(&InstanceId, Option<&Instance>)], holds: &mut Vec<HoldReason>) {
    let look = input.look;
    let Some(caller) = &look.caller else {
        let why = look
            .coverage
            .gap(&Part::Identity)
            .map_or("GetCallerIdentity was not answered", |gap| &gap.why);
        holds.push(HoldReason::AccountUnknown { why: why.to_owned() });
        return;
    };
    let mut accounts = touched
        .iter()
        .filter_map(|(_, instance)| instance.map(|one| &one.account));
    let expected = input.policy.account.as_ref().or_else(|| accounts.clone().next());
    let is_wrong =
        expected.is_some_and(|expected| expected != caller) || accounts.any(|account| account != caller);
    if is_wrong {
        holds.push(HoldReason::WrongAccount {
            expected: expected.map(ToString::to_string).unwrap_or_default(),
            found: caller.to_string(),
        });
    }
}

fn pauses(input: &Input<'_>, touched: &[(&InstanceId, Option<&Instance>)], holds: &mut Vec<HoldReason>) {
    let now = input.now;
    let applies = |pause: &&Pause| match &pause.scope {
        PauseScope::Everything => true,
        PauseScope::Service(service) => *service == input.policy.service,
        PauseScope::Instance(id) => touched.iter().any(|(touched, _)| *touched == id),
    };
    let set = input
        .pauses
        .set
        .iter()
        .filter(|pause| pause.holds_at(now))
        .filter(applies);
    holds.extend(set.map(of_pause));
    let unreadable = input.pauses.unreadable.iter();
    holds.extend(unreadable.map(|why| HoldReason::PauseUnreadable { why: why.clone() }));
    for instance in touched.iter().filter_map(|(_, instance)| *instance) {
        let tag = paused_by_tag(instance);
        if tag.holds_at(now) {
            let until = if let InstancePause::Until(until) = tag {
                Some(until)
            } else {
                None
            };
            holds.push(HoldReason::Paused {
                source: format!("tag {} on {}", tags::PAUSE, instance.id),
                by: None,
                because: None,
                until,
            });
        }
    }
}

/// What the instance's own tag says.
pub fn paused_by_tag(instance: &Instance) -> InstancePause {
    let tag = instance.tag(tags::PAUSE);
    InstancePause::from_tag(tag.filter(|_| !Mutant::PauseTagIsIgnored.is_on()))
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
        PauseSource::Tag(id) => format!("tag {} on {id}", tags::PAUSE),
    }
}

fn open_intents(
    input: &Input<'_>,
    touched: &[(&InstanceId, Option<&Instance>)],
    holds: &mut Vec<HoldReason>,
) {
    let is_touched = |id: &InstanceId| touched.iter().any(|(touched, _)| *touched == id);
    for journaled in input.unsettled {
        let touches = journaled.intent.step.instances().any(is_touched);
        if touches && !matches!(journaled.state, IntentState::Ended { .. }) {
            holds.push(HoldReason::Unsettled {
                intent: journaled.intent.id.to_string(),
            });
        }
    }
    // One that names no instance could be about any.
    let touches =
        |unknown: &&UnknownIntent| unknown.instances.is_empty() || unknown.instances.iter().any(is_touched);
    let unknown = input.unknown_intents.iter().filter(touches);
    holds.extend(unknown.map(|unknown| HoldReason::UnknownIntent {
        intent: unknown.id.to_string(),
    }));
}
