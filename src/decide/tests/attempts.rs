//! What attempts to launch leave behind, and what is held against them.

use super::replacement::{launch, overdue};
use crate::decide::breaker::Vital;
use crate::decide::fixtures::*;
use crate::decide::outcome::fold_outcome;
use crate::decide::{FindingKind, Plan};
use crate::model::*;

pub(super) const NEW: &str = "i-0000000000000000e";

/// The launch that a plan asks for is answered so.
pub(super) fn answer(night: &mut Night, launch: &Launch, outcome: &Outcome) {
    let intent = night.intent(Step::Launch(Box::new(launch.clone())));
    night.memory = fold_outcome(&night.memory, &night.policy, &intent, outcome, night.now);
}

pub(super) fn refused(class: ErrorClass, code: &str) -> Outcome {
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
    new.client_token = Some(launch.token.clone());
    night.statuses.insert(NEW.into(), checks(CheckState::Ok));
    night.instances.push(new);
}

pub(super) fn terminated(plan: &Plan) -> Vec<&str> {
    of_steps(plan, |step| matches!(step, Step::Terminate { .. }))
}

/// The instances of the planned steps of one kind.
pub(super) fn of_steps(plan: &Plan, is_it: impl Fn(&Step) -> bool) -> Vec<&str> {
    let steps = plan.steps.iter().filter(|planned| is_it(&planned.step));
    steps
        .flat_map(|planned| planned.step.instances())
        .map(InstanceId::as_str)
        .collect()
}

pub(super) fn registered(plan: &Plan) -> Vec<&str> {
    of_steps(plan, |step| matches!(step, Step::Register(_)))
}

/// The replacement of blue.
pub(super) fn of_blue(night: &Night) -> &Replacement {
    &night.memory.replacements[&InstanceId::from(BLUE)]
}

/// The new one serves, for long enough to be proven; blue has been taken out and drains.
pub(super) fn draining(night: &mut Night) {
    launched(night);
    night.targets.push(target(NEW, TargetState::Healthy, None));
    for _ in 0..4 {
        night.pass_time(10);
        night.act_accepted();
    }
    assert!(of_blue(night).draining_since.is_some(), "{:#?}", of_blue(night));
    night.set_target(BLUE, TargetState::Draining, None);
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
pub(super) fn launched(night: &mut Night) -> Launch {
    let facts = GroupFacts {
        cross_zone: true,
        zones: std::collections::BTreeSet::from(["eu-west-2a".into()]),
        deregistration_delay_s: 300,
    };
    let groups = &mut night.supply.as_mut().unwrap().groups;
    groups.insert("tis-prod".to_owned(), facts);
    let first = launch(&night.plan()).unwrap().clone();
    let accepted = Outcome::Accepted {
        request_id: None,
        launched: Some(NEW.into()),
    };
    answer(night, &first, &accepted);
    appear(night, &first, InstanceState::Running);
    first
}

/// A newcomer was launched, and a look has shown that it is terminated.
fn newcomer_ended() -> Night {
    let mut night = overdue("");
    launched(&mut night);
    night.plan();
    night.instance(NEW).state = InstanceState::Terminated;
    night.pass_time(10);
    night.plan();
    night
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
    let mut night = newcomer_ended();
    let one = of_blue(&night);
    assert!(one.attempts[0].gone);
    night.instance(NEW).state = InstanceState::Running;
    let plan = until_something_is_done(&mut night);
    assert_eq!(terminated(&plan), [NEW]);
    assert!(launch(&plan).is_none());
}

#[test]
fn what_never_had_a_place_is_missed_by_nobody() {
    let mut night = newcomer_ended();
    let one = night
        .memory
        .replacements
        .get_mut(&InstanceId::from(BLUE))
        .unwrap();
    one.ended = Some(ReplacementEnd::Done {
        at: night.now,
        new: "i-0000000000000000f".into(),
    });
    night.instance(BLUE).state = InstanceState::Terminated;
    night.pass_time(10);
    night.plan();
    assert_eq!(
        night.memory.lost.keys().collect::<Vec<_>>(),
        [] as [&InstanceId; 0]
    );
}

#[test]
fn one_that_a_person_marks_as_retired_leaves_its_place_to_what_is_on_its_way() {
    let mut night = overdue("");
    launched(&mut night);
    let retired = ("keepgreen:retired".to_owned(), "by hand".to_owned());
    night.instance(BLUE).tags.extend([retired]);
    night.targets.push(target(NEW, TargetState::Healthy, None));
    for _ in 0..6 {
        night.pass_time(10);
        assert_eq!(terminated(&night.plan()), [] as [&str; 0]);
    }
    let end = &of_blue(&night).ended;
    assert!(matches!(end, Some(ReplacementEnd::Done { .. })), "{end:?}");
}

#[test]
fn what_a_forgiven_attempt_has_launched_is_not_taken_for_the_next_ones() {
    let mut night = newcomer_ended();
    night.resumed = Some(night.now);
    night.pass_time(10);
    let second = launch(&night.plan()).unwrap().clone();
    night.pass_time(10);
    let plan = night.plan();
    let again = launch(&plan).map(|launch| launch.token.clone());
    assert_eq!(again, Some(second.token), "{:#?}", plan.holds);
    let one = of_blue(&night);
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
        let one = of_blue(&night);
        assert_eq!(one.failed_attempts(), u32::from(!paused));
        night.pauses.clear();
        let plan = night.plan();
        let registers = |planned: &crate::decide::plan::PlannedStep| matches!(&planned.step, Step::Register(target) if target.instance.as_str() == NEW);
        assert_eq!(plan.steps.iter().any(registers), paused, "{:#?}", plan.holds);
    }
}

#[test]
fn what_was_launched_a_moment_ago_makes_no_light_of_what_ails() {
    let mut night = overdue("");
    launched(&mut night);
    let plan = night.plan();
    let views: Vec<_> = plan.slots.iter().flat_map(|slot| &slot.instances).collect();
    assert_eq!(views.len(), 3);
    assert_eq!(views.into_iter().filter_map(Vital::of).count(), 2);
}

#[test]
fn what_has_ended_and_is_missed_by_nobody_makes_no_light_of_what_ails() {
    let mut night = Night::of(tis(""));
    let mut copy = running("i-0000000000000000c", "tis-prod-green");
    copy.state = InstanceState::Terminated;
    night.instances.push(copy);
    let plan = night.plan();
    let views: Vec<_> = plan.slots.iter().flat_map(|slot| &slot.instances).collect();
    assert_eq!(views.len(), 3);
    assert_eq!(views.into_iter().filter_map(Vital::of).count(), 2);
}

#[test]
fn what_was_stopped_for_a_newcomer_that_dies_then_is_started_at_once_and_serves_again() {
    let mut night = overdue("");
    draining(&mut night);
    night.targets.retain(|target| target.instance.as_str() != BLUE);
    night.pass_time(10);
    let plan = night.act_accepted();
    assert_eq!(of_steps(&plan, |step| matches!(step, Step::Stop { .. })), [BLUE]);
    night.stop(BLUE, "Client.UserInitiatedShutdown");
    night.instance(NEW).state = InstanceState::Terminated;
    night.pass_time(10);
    night.plan();
    night.pass_time(10);
    assert_eq!(started(&night.act_accepted()), [BLUE], "{:#?}", of_blue(&night));
    night.up(BLUE);
    night.pass_time(10);
    assert_eq!(registered(&night.act_accepted()), [BLUE]);
    night.targets.push(target(BLUE, TargetState::Healthy, None));
    for _ in 0..20 {
        night.pass_time(60);
        let plan = night.plan();
        if let Some(second) = launch(&plan) {
            assert_eq!(second.of.attempt, 2);
            return;
        }
        assert_eq!(plan.steps, [], "{:#?}", of_blue(&night));
    }
    panic!("no second attempt: {:#?}", of_blue(&night));
}

#[test]
fn what_the_slot_does_not_list_is_not_waited_for() {
    let mut night = overdue("");
    draining(&mut night);
    let arn = night.look().groups["tis-prod"].arn.clone();
    let one = night
        .memory
        .replacements
        .get_mut(&InstanceId::from(BLUE))
        .unwrap();
    one.taken_out.insert((arn.clone(), Some(9090)));
    night.instance(NEW).state = InstanceState::Terminated;
    night.pass_time(10);
    night.plan();
    assert_eq!(of_blue(&night).taken_out, [(arn, Some(8080))].into());
}

#[test]
fn a_drained_one_that_somebody_takes_out_of_the_slot_leaves_its_place_to_the_new_one() {
    let mut night = overdue("");
    draining(&mut night);
    night.instance(BLUE).tags.clear();
    night.pass_time(10);
    let plan = night.plan();
    assert_eq!(terminated(&plan), [] as [&str; 0]);
    let end = &of_blue(&night).ended;
    assert!(matches!(end, Some(ReplacementEnd::Done { .. })), "{end:?}");
}

#[test]
fn an_image_that_is_back_while_the_old_one_drains_brings_that_back() {
    let mut night = overdue("");
    draining(&mut night);
    night.image = Some(ImageState::Available);
    night.targets.retain(|target| target.instance.as_str() != BLUE);
    night.pass_time(10);
    let plan = night.act_accepted();
    assert_eq!(registered(&plan), [BLUE], "{:#?}", of_blue(&night));
    assert_eq!(
        of_steps(&plan, |step| matches!(step, Step::Stop { .. })),
        [] as [&str; 0]
    );
}

#[test]
fn a_removal_that_was_not_sent_does_not_drain() {
    let mut night = overdue("");
    launched(&mut night);
    night.targets.push(target(NEW, TargetState::Healthy, None));
    let held = Outcome::NotSent {
        why: "the floor".to_owned(),
    };
    for _ in 0..4 {
        night.pass_time(10);
        night.act(&held);
    }
    let one = of_blue(&night);
    assert_eq!((one.draining_since, one.taken_out.len()), (None, 0));
    let plan = night.act(&held);
    let told = |notice: &Notice| notice.text.contains("planned 3 times in a row");
    night.pass_time(10);
    let later = night.plan();
    assert!(
        plan.notices.iter().chain(&later.notices).any(told),
        "{:#?}",
        of_blue(&night)
    );
}

#[test]
fn what_an_earlier_request_took_out_is_brought_back_although_its_repetition_was_not_sent() {
    let mut night = overdue("");
    draining(&mut night);
    night.set_target(BLUE, TargetState::Healthy, None);
    night.pass_time(70);
    let again = night.act(&Outcome::NotSent {
        why: "the floor".to_owned(),
    });
    let removes = |step: &Step| matches!(step, Step::Deregister(_));
    assert_eq!(
        of_steps(&again, removes),
        [BLUE],
        "a stale look has it in traffic"
    );
    night.targets.retain(|target| target.instance.as_str() != BLUE);
    night.image = Some(ImageState::Available);
    night.pass_time(10);
    assert_eq!(
        registered(&night.act_accepted()),
        [BLUE],
        "{:#?}",
        of_blue(&night)
    );
}

#[test]
fn a_root_volume_outlives_the_new_one_as_it_did_the_old_one_but_not_before_that_has_its_place() {
    let mut night = overdue("");
    for blueprint in night.blueprints.values_mut() {
        blueprint.root.as_mut().unwrap().delete_on_termination = false;
    }
    draining(&mut night);
    let keeps = |plan: &Plan| {
        of_steps(plan, |step| matches!(step, Step::KeepVolume { .. }))
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    night.pass_time(10);
    assert_eq!(keeps(&night.act_accepted()), [] as [&str; 0], "it drains");
    night.targets.retain(|target| target.instance.as_str() != BLUE);
    night.pass_time(10);
    assert_eq!(
        keeps(&night.act_accepted()),
        [] as [&str; 0],
        "it is being stopped"
    );
    night.stop(BLUE, "Client.UserInitiatedShutdown");
    night.pass_time(70);
    assert_eq!(
        keeps(&night.act_accepted()),
        [] as [&str; 0],
        "it is being marked"
    );
    let retired = ("keepgreen:retired".to_owned(), "now".to_owned());
    night.instance(BLUE).tags.extend([retired]);
    night.instance(NEW).root_stays = None;
    night.pass_time(70);
    assert_eq!(keeps(&night.act_accepted()), [] as [&str; 0], "not to be seen");
    night.instance(NEW).root_stays = Some(false);
    for _ in 0..2 {
        night.pass_time(70);
        assert_eq!(keeps(&night.act_accepted()), [NEW], "{:#?}", of_blue(&night));
        assert!(of_blue(&night).is_open());
    }
    night.instance(NEW).root_stays = Some(true);
    night.pass_time(10);
    assert_eq!(night.plan().steps, []);
    let end = &of_blue(&night).ended;
    assert!(matches!(end, Some(ReplacementEnd::Done { .. })), "{end:?}");
}

#[test]
fn a_copy_of_its_tags_is_nobodys_attempt() {
    let mut night = overdue("");
    let first = launch(&night.plan()).unwrap().clone();
    appear(&mut night, &first, InstanceState::Running);
    night.instance(NEW).client_token = None;
    night.pass_time(10);
    let plan = night.plan();
    assert_eq!(plan.steps, []);
    assert_eq!(of_blue(&night).launched().count(), 0);
    let kind = FindingKind::LaunchedAlready;
    assert!(
        plan.findings.iter().any(|finding| finding.kind == kind),
        "{:#?}",
        plan.holds
    );
}

#[test]
fn too_much_ailing_keeps_nothing_from_being_registered_and_is_not_held_against_it() {
    let mut night = overdue("");
    launched(&mut night);
    night.elsewhere.breaker = Some("3 of 10 ail".to_owned());
    night.pass_time(10);
    assert_eq!(registered(&night.act_accepted()), [NEW]);
    night.targets.push(target(NEW, TargetState::Healthy, None));
    for _ in 0..10 {
        night.pass_time(10);
        assert_eq!(night.act_accepted().steps, []);
    }
    night.elsewhere.breaker = None;
    assert!(!night.act_accepted().steps.is_empty());
}

#[test]
fn a_lost_server_waits_for_no_dead_image_whose_next_attempt_is_not_due() {
    let mut night = overdue("maintenance: [\"Mon 02:00-05:00 UTC\"]");
    // A Wednesday, 04:00; the first attempt was made on a Monday, and failed.
    night.policy.maintenance = crate::policy::Maintenance::Always;
    launched(&mut night);
    night.instance(NEW).state = InstanceState::Terminated;
    night.pass_time(10);
    night.plan();
    night.instances.retain(|instance| instance.id.as_str() != NEW);
    night.policy = overdue("maintenance: [\"Mon 02:00-05:00 UTC\"]").policy;
    night.instance(GREEN).state = InstanceState::Terminated;
    let mut of_green = false;
    for _ in 0..20 {
        night.pass_time(60);
        of_green |= launch(&night.plan()).is_some_and(|launch| launch.of.about.as_str() == GREEN);
    }
    assert!(of_green, "{:#?}", night.memory.replacements);
}

#[test]
fn of_two_that_ended_a_slot_that_lacks_one_misses_the_later_one() {
    let mut night = overdue("heal: { image_gone: alert }\nlimits: { max_concurrent: 2 }");
    let mut later = running("i-0000000000000000c", "tis-prod-blue");
    later.launched_at = Some("2026-06-01T00:00:00Z".parse().unwrap());
    let mut of_later = night.blueprints[&InstanceId::from(BLUE)].clone();
    of_later.instance = later.id.clone();
    night.blueprints.insert(later.id.clone(), of_later);
    night.instances.push(later);
    night.plan();
    for id in [BLUE, "i-0000000000000000c"] {
        night.instance(id).state = InstanceState::Terminated;
    }
    let mut begun = Vec::new();
    for _ in 0..20 {
        night.pass_time(60);
        let plan = night.plan();
        begun.extend(launch(&plan).map(|launch| launch.of.about.to_string()));
        // AWS takes the tags off what is terminated.
        night.instance("i-0000000000000000c").tags.clear();
    }
    begun.dedup();
    assert_eq!(begun, ["i-0000000000000000c"]);
}
