//! What attempts to launch leave behind, and what is held against them.

use super::replacement::{launch, overdue};
use crate::decide::Plan;
use crate::decide::fixtures::*;
use crate::decide::outcome::fold_outcome;
use crate::model::*;

const NEW: &str = "i-0000000000000000e";

/// The launch that a plan asks for is answered so.
fn answer(night: &mut Night, launch: &Launch, outcome: &Outcome) {
    let intent = night.intent(Step::Launch(Box::new(launch.clone())));
    night.memory = fold_outcome(&night.memory, &night.policy, &intent, outcome, night.now);
}

fn refused(class: ErrorClass, code: &str) -> Outcome {
    Outcome::Failed {
        error: AwsError {
            operation: "RunInstances".to_owned(),
            object: None,
            class,
            code: Some(code.to_owned()),
            message: String::new(),
            request_id: None,
        },
    }
}

/// What this launch makes is there, in this state.
fn appear(night: &mut Night, launch: &Launch, state: InstanceState) {
    let mut new = running(NEW, "tis-prod-blue");
    new.image = Some(launch.image.clone());
    new.tags.extend(launch.tags.clone());
    new.state = state;
    night.statuses.insert(NEW.into(), checks(CheckState::Ok));
    night.instances.push(new);
}

fn terminated(plan: &Plan) -> Vec<&str> {
    let of_step =
        |planned: &'_ crate::decide::plan::PlannedStep| matches!(planned.step, Step::Terminate { .. });
    let steps = plan.steps.iter().filter(|planned| of_step(planned));
    steps
        .flat_map(|planned| planned.step.instances())
        .map(InstanceId::as_str)
        .collect()
}

/// Looks once a minute until something is launched or terminated; at most an hour.
fn until_something_is_done(night: &mut Night) -> Plan {
    for _ in 0..60 {
        night.pass_time(60);
        let plan = night.plan();
        if launch(&plan).is_some() || !terminated(&plan).is_empty() {
            return plan;
        }
    }
    panic!("nothing was done for an hour: {:#?}", night.memory.replacements);
}

/// A launch with this answer is accepted, and what it makes runs.
fn launched(night: &mut Night) -> Launch {
    let first = launch(&night.plan()).unwrap().clone();
    let accepted = Outcome::Accepted {
        request_id: None,
        launched: Some(NEW.into()),
    };
    answer(night, &first, &accepted);
    appear(night, &first, InstanceState::Running);
    first
}

#[test]
fn what_shows_up_after_its_attempt_was_given_up_is_ended_before_anything_else_is_launched() {
    let mut night = overdue("");
    let first = launch(&night.plan()).unwrap().clone();
    answer(
        &mut night,
        &first,
        &refused(ErrorClass::Token, "IdempotentParameterMismatch"),
    );
    let second = launch(&until_something_is_done(&mut night)).unwrap().clone();
    assert_ne!(second.token, first.token, "the first one was given up");
    answer(
        &mut night,
        &second,
        &refused(ErrorClass::Permanent, "InvalidParameterValue"),
    );
    appear(&mut night, &first, InstanceState::Running);
    let plan = until_something_is_done(&mut night);
    assert_eq!(
        terminated(&plan),
        [NEW],
        "it is of this repair, and nobody has use for it"
    );
    night.instance(NEW).state = InstanceState::Terminated;
    let plan = until_something_is_done(&mut night);
    assert!(launch(&plan).is_some());
}

#[test]
fn what_was_gone_and_is_seen_alive_is_ended_again() {
    let mut night = overdue("");
    launched(&mut night);
    night.plan();
    night.instance(NEW).state = InstanceState::Terminated;
    night.pass_time(10);
    night.plan();
    let one = &night.memory.replacements[&InstanceId::from(BLUE)];
    assert!(one.attempts[0].gone);
    night.instance(NEW).state = InstanceState::Running;
    let plan = until_something_is_done(&mut night);
    assert_eq!(terminated(&plan), [NEW]);
    assert!(launch(&plan).is_none());
}

#[test]
fn what_a_forgiven_attempt_has_launched_is_not_taken_for_the_next_ones() {
    let mut night = overdue("");
    launched(&mut night);
    night.plan();
    night.instance(NEW).state = InstanceState::Terminated;
    night.pass_time(10);
    night.plan();
    night.resumed = Some(night.now);
    night.pass_time(10);
    let second = launch(&night.plan()).unwrap().clone();
    night.pass_time(10);
    let plan = night.plan();
    let again = launch(&plan).map(|launch| launch.token.clone());
    assert_eq!(again, Some(second.token), "{:#?}", plan.holds);
    let one = &night.memory.replacements[&InstanceId::from(BLUE)];
    assert_eq!(one.failed_attempts(), 0);
}

#[test]
fn a_pause_is_not_held_against_what_was_launched_before() {
    for paused in [true, false] {
        let mut night = overdue("");
        launched(&mut night);
        night.plan();
        if paused {
            night.pauses = vec![Pause {
                scope: PauseScope::Everything,
                source: PauseSource::File("/pause".to_owned()),
                by: None,
                reason: None,
                since: None,
                until: None,
            }];
        }
        for _ in 0..30 {
            night.pass_time(60);
            night.plan();
        }
        let one = &night.memory.replacements[&InstanceId::from(BLUE)];
        assert_eq!(one.failed_attempts(), u32::from(!paused));
        night.pauses.clear();
        let plan = night.plan();
        let registers = |planned: &crate::decide::plan::PlannedStep| matches!(&planned.step, Step::Register(target) if target.instance.as_str() == NEW);
        assert_eq!(plan.steps.iter().any(registers), paused, "{:#?}", plan.holds);
    }
}
