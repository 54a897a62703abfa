//! What an instance has is not given up with it, what AWS refuses makes room for something else, and what is bad for one moment
//! costs nobody anything.

use super::attempts::{NEW, answer, draining, launched, of_blue, of_steps, refused, registered, terminated};
use super::replacement::{from_template, launch, overdue};
use crate::decide::fixtures::*;
use crate::decide::floor::is_bound_to_its_zone;
use crate::decide::replace::Queued;
use crate::decide::{FindingKind, HoldReason, Plan};
use crate::model::*;
use std::collections::BTreeMap;

fn holds(plan: &Plan, id: &str) -> Vec<HoldReason> {
    let of_it = plan
        .holds
        .iter()
        .filter(|hold| hold.instance.as_ref().is_some_and(|one| one.as_str() == id));
    of_it.map(|hold| hold.reason.clone()).collect()
}

fn deregistered(plan: &Plan) -> Vec<&str> {
    of_steps(plan, |step| matches!(step, Step::Deregister(_)))
}

/// Blue's replacement is proven; what comes then is not planned yet.
fn proven() -> Night {
    let mut night = overdue("");
    launched(&mut night);
    night.targets.push(target(NEW, TargetState::Healthy, None));
    for _ in 0..2 {
        night.pass_time(10);
        night.plan();
    }
    night.pass_time(10);
    night
}

#[test]
fn what_has_come_to_hang_on_the_old_one_since_the_launch_is_not_given_up_with_it() {
    let mut night = proven();
    assert_eq!(deregistered(&night.plan()), [BLUE], "so it would go");

    let mut night = proven();
    night.instance(BLUE).digest = "another volume".to_owned();
    let plan = night.plan();
    assert_eq!(deregistered(&plan), [] as [&str; 0]);
    let why = holds(&plan, BLUE);
    assert!(
        why.iter()
            .any(|hold| matches!(hold, HoldReason::BlueprintUnread { .. })),
        "{why:?}"
    );

    // It is read again, and it is a data volume.
    let mut night = proven();
    night.instance(BLUE).digest = "another volume".to_owned();
    let blueprint = night.blueprints.get_mut(&BLUE.into()).unwrap();
    blueprint.digest = "another volume".to_owned();
    blueprint.uncarried.push(Uncarried {
        kind: UncarriedKind::DataVolume,
        what: "data volume vol-1 on /dev/sdf".to_owned(),
    });
    let plan = night.plan();
    assert_eq!(deregistered(&plan), [] as [&str; 0]);
    assert!(
        plan.findings
            .iter()
            .any(|finding| finding.kind == FindingKind::CannotBeCloned),
        "{:#?}",
        plan.findings
    );
}

#[test]
fn an_image_that_is_not_surely_gone_any_more_keeps_the_old_one_and_a_launch_back() {
    // Whatever it is called now, nobody has said that it is back.
    let mut night = proven();
    night.image = Some(ImageState::Disabled);
    let plan = night.plan();
    assert_eq!(deregistered(&plan), [] as [&str; 0]);
    let why = holds(&plan, BLUE);
    assert!(
        why.iter()
            .any(|hold| matches!(hold, HoldReason::ImageUncertain { .. })),
        "{why:?}"
    );
    assert_eq!(plan.next_check.duration_since(night.now).as_secs(), 60);
    let mut findings = plan.findings.iter();
    assert!(
        findings.any(|finding| finding.kind == FindingKind::ImageUncertain),
        "{:#?}",
        plan.findings
    );
    // Gone again, it has its whole grace again.
    night.pass_time(60);
    night.image = Some(ImageState::Deregistered);
    assert_eq!(deregistered(&night.plan()), [] as [&str; 0]);
    for minute in 1..=10 {
        night.pass_time(60);
        let expected: &[&str] = if minute < 10 { &[] } else { &[BLUE] };
        assert_eq!(deregistered(&night.plan()), expected, "{minute}");
    }

    let mut night = opted_out();
    night.image = Some(ImageState::Disabled);
    assert!(launch(&night.plan()).is_none());
}

/// There are two sources, and AWS has refused the first one's launch with this.
fn refused_once(class: ErrorClass, code: &str) -> Night {
    let mut night = overdue("");
    let mut second = night.supply.as_ref().unwrap().images[1].clone();
    second.image.as_mut().unwrap().id = "ami-0000000000000002f".into();
    night.supply.as_mut().unwrap().images.push(second);
    let first = launch(&night.plan()).unwrap().clone();
    answer(&mut night, &first, &refused(class, code));
    night.pass_time(10);
    night
}

/// The second one's turn comes.
fn opted_out() -> Night {
    refused_once(ErrorClass::NotAuthorised, "OptInRequired")
}

#[test]
fn what_has_not_launched_yet_waits_for_what_has() {
    let mut night = opted_out();
    let mut other = of_blue(&night).clone();
    other.old = GREEN.into();
    other.attempts[0].instance = Some(NEW.into());
    night.memory.replacements.insert(GREEN.into(), other);
    let plan = night.plan();
    assert!(launch(&plan).is_none());
    let why = holds(&plan, BLUE);
    assert!(
        why.iter()
            .any(|hold| matches!(hold, HoldReason::Concurrent { .. })),
        "{why:?}"
    );
    night.memory.replacements.remove(&GREEN.into());
    assert!(launch(&night.plan()).is_some());
    night.elsewhere.launched = 4;
    let plan = night.plan();
    let why = holds(&plan, BLUE);
    assert!(
        why.iter()
            .any(|hold| matches!(hold, HoldReason::FleetBusy { .. })),
        "{why:?}"
    );
}

#[test]
fn what_cannot_be_read_of_a_sound_instance_is_said_before_it_is_lost() {
    let mut night = Night::of(tis(""));
    night.unread.insert(GREEN.into(), "no permission".to_owned());
    let plan = night.plan();
    let told = plan
        .findings
        .iter()
        .find(|finding| finding.kind == FindingKind::BlueprintUnread);
    let text = &told.unwrap().text;
    assert!(text.contains(GREEN) && text.contains("no permission"), "{text}");
}

#[test]
fn an_image_that_aws_refuses_makes_room_for_the_next_source() {
    let mut night = overdue("");
    let spare = |id: &str, night: &Night| {
        let offer = &night.supply.as_ref().unwrap().images[1];
        let mut spare = offer.clone();
        spare.source = format!("id: {id}");
        spare.image.as_mut().unwrap().id = id.into();
        spare
    };
    let second = spare("ami-0000000000000002f", &night);
    night.supply.as_mut().unwrap().images.push(second);
    let first = launch(&night.plan()).unwrap().clone();
    assert_eq!(first.image.as_str(), "ami-0000000000000000f");

    answer(
        &mut night,
        &first,
        &refused(ErrorClass::NotAuthorised, "OptInRequired"),
    );
    night.pass_time(10);
    let next = launch(&night.plan()).unwrap().clone();
    assert_eq!(next.image.as_str(), "ami-0000000000000002f");
    assert_ne!(next.token, first.token);
    assert_eq!(of_blue(&night).failed_attempts(), 0);

    answer(
        &mut night,
        &next,
        &refused(ErrorClass::Image, "InvalidAMIID.Unavailable"),
    );
    night.pass_time(10);
    let plan = night.plan();
    assert!(launch(&plan).is_none());
    let why = holds(&plan, BLUE);
    let no_image = why.iter().find(|hold| matches!(hold, HoldReason::NoImage { .. }));
    let said = no_image.unwrap_or_else(|| panic!("{why:?}")).sentence();
    assert!(
        said.contains("OptInRequired") && said.contains("InvalidAMIID.Unavailable"),
        "{said}"
    );
}

#[test]
fn lack_of_capacity_makes_room_for_no_other_image() {
    let mut night = refused_once(ErrorClass::Capacity, "InsufficientInstanceCapacity");
    assert!(launch(&night.plan()).is_none());
}

/// A second subnet, in another zone, is there to fall back on.
fn with_two_zones(cross_zone: bool, others: &[&str]) -> Night {
    let mut night = overdue("");
    let replace = night.policy.replace.as_mut().unwrap();
    replace.subnets = vec!["subnet-b".to_owned()];
    let supply = night.supply.as_mut().unwrap();
    let mut other = supply.subnets["subnet-a"].clone();
    other.zone = "eu-west-2b".into();
    supply.subnets.insert("subnet-b".to_owned(), other);
    supply.subnets.get_mut("subnet-a").unwrap().free_addresses = 0;
    let kind = supply.types.get_mut("t3.large").unwrap();
    kind.zones.insert("eu-west-2b".into());
    let facts = GroupFacts {
        cross_zone,
        zones: std::collections::BTreeSet::from(["eu-west-2a".into(), "eu-west-2b".into()]),
        deregistration_delay_s: 300,
    };
    supply.groups.insert("tis-prod".to_owned(), facts);
    night.instance(GREEN).zone = Some(match others.contains(&"eu-west-2a") {
        true => "eu-west-2a".into(),
        false => "eu-west-2b".into(),
    });
    night
}

#[test]
fn who_is_alone_in_a_zone_that_keeps_its_traffic_is_not_replaced_by_one_in_another() {
    let said = |night: &mut Night| {
        let plan = night.plan();
        let of_blue = launch(&plan).filter(|launch| launch.of.about.as_str() == BLUE);
        let place = of_blue.map(|launch| launch.subnet.clone());
        let why = holds(&plan, BLUE);
        let no_place = why.iter().find(|hold| matches!(hold, HoldReason::NoPlace { .. }));
        (place, no_place.map(HoldReason::sentence))
    };
    let b = Some("subnet-b".to_owned());
    assert_eq!(
        said(&mut with_two_zones(true, &[])).0,
        b,
        "traffic goes everywhere"
    );
    assert_eq!(
        said(&mut with_two_zones(false, &["eu-west-2a"])).0,
        b,
        "another one is healthy in its zone"
    );
    let (place, why) = said(&mut with_two_zones(false, &[]));
    assert_eq!(place, None);
    assert!(
        why.as_deref().is_some_and(|why| why.contains("tis-prod")),
        "{why:?}"
    );
}

#[test]
fn what_serves_nobody_in_its_zone_is_not_bound_to_it() {
    let mut night = with_two_zones(false, &[]);
    let mut is_bound = |state: TargetState| {
        night.set_target(BLUE, state, None);
        let look = night.look();
        let facts = &night.supply.as_ref().unwrap().groups["tis-prod"];
        is_bound_to_its_zone(
            &look,
            &look.groups["tis-prod"],
            facts,
            &night.elsewhere.floors,
            &BLUE.into(),
        )
    };
    assert!(is_bound(TargetState::Healthy) && is_bound(TargetState::Unavailable));
    assert!(!is_bound(TargetState::Unused) && !is_bound(TargetState::Unhealthy));
}

#[test]
fn one_bad_look_ends_no_newcomer_that_has_proven_itself() {
    let mut night = overdue("");
    // The floor keeps the old one in, so the new one waits beside it.
    night.elsewhere.floors = BTreeMap::from([("tis-prod".to_owned(), 9)]);
    launched(&mut night);
    night.targets.push(target(NEW, TargetState::Healthy, None));
    for _ in 0..80 {
        night.pass_time(60);
        night.plan();
    }
    assert!(of_blue(&night).attempt().is_some_and(|attempt| attempt.proven));
    night.set_target(NEW, TargetState::Unhealthy, None);
    night.pass_time(60);
    let plan = night.plan();
    assert_eq!(terminated(&plan), [] as [&str; 0]);
    assert_eq!(of_blue(&night).failed_attempts(), 0);
    for _ in 0..20 {
        night.pass_time(60);
        night.plan();
    }
    assert_eq!(
        of_blue(&night).failed_attempts(),
        1,
        "but it has no longer than that"
    );
}

#[test]
fn a_newcomer_that_waits_for_a_floor_is_looked_at_no_more_often_than_what_is_well() {
    let mut night = overdue("");
    night.elsewhere.floors = BTreeMap::from([("tis-prod".to_owned(), 9)]);
    launched(&mut night);
    night.targets.push(target(NEW, TargetState::Healthy, None));
    let mut waits = Vec::new();
    for _ in 0..30 {
        night.pass_time(10);
        let plan = night.plan();
        waits.push(plan.next_check.duration_since(night.now).as_secs());
    }
    assert_eq!(waits.first(), Some(&10), "until it is proven");
    assert_eq!(waits.last(), Some(&60));
    night.elsewhere.floors.clear();
    night.pass_time(60);
    let plan = night.plan();
    assert_eq!(deregistered(&plan), [BLUE]);
    assert_eq!(plan.next_check.duration_since(night.now).as_secs(), 10);
}

#[test]
fn what_is_given_up_while_the_breaker_is_open_waits_for_that() {
    let mut night = overdue("");
    launched(&mut night);
    night.pass_time(10);
    night.plan();
    night.image = Some(ImageState::Available);
    night.pass_time(10);
    let plan = night.plan();
    assert_eq!(terminated(&plan), [NEW], "its image is there again");
    assert_eq!(plan.next_check.duration_since(night.now).as_secs(), 10);
    night.elsewhere.breaker = Some("3 of 4 ail".to_owned());
    night.pass_time(10);
    let plan = night.plan();
    assert_eq!(terminated(&plan), [] as [&str; 0]);
    assert_eq!(plan.next_check.duration_since(night.now).as_secs(), 60);
}

/// Planned at each look, and refused by the guard each time.
#[test]
fn a_spot_instance_that_is_out_of_its_group_is_left_alone() {
    let mut night = Night::of(tis("heal: { deregistered: register }"));
    night.instance(GREEN).lifecycle = Lifecycle::Spot;
    night.targets.retain(|target| target.instance.as_str() != GREEN);
    for _ in 0..30 {
        night.pass_time(60);
        assert_eq!(registered(&night.plan()), [] as [&str; 0]);
    }
    let plan = night.plan();
    assert!(
        holds(&plan, GREEN).contains(&HoldReason::Spot),
        "{:#?}",
        plan.holds
    );
    assert_eq!(plan.next_check.duration_since(night.now).as_secs(), 60);
}

#[test]
fn a_registration_that_is_refused_is_told() {
    let mut night = Night::of(tis("heal: { deregistered: register }"));
    night.plan();
    night.targets.retain(|target| target.instance.as_str() != GREEN);
    for _ in 0..30 {
        night.pass_time(60);
        let plan = night.plan();
        if registered(&plan).is_empty() {
            continue;
        }
        night.act(&refused(ErrorClass::NotAuthorised, "AccessDenied"));
        night.pass_time(10);
        let told = night.plan().notices;
        let one = told
            .iter()
            .find(|notice| notice.key.starts_with("register/") && notice.key.contains("/refused/"));
        let one = one.unwrap_or_else(|| panic!("{told:#?}"));
        assert!(one.text.contains("AccessDenied"), "{one:?}");
        return;
    }
    panic!("it was never to be registered");
}

/// What another service posts of one that is under way.
fn of_another(night: &mut Night, goes_on: bool) -> Queued {
    let mut other = night.plan().queue[0].clone();
    other.rank.service = "other".into();
    (other.under_way, other.ready) = (true, true);
    (other.goes_on, other.in_motion) = (goes_on, goes_on);
    other
}

#[test]
fn nobody_waits_with_another_service_for_its_window_or_for_capacity() {
    for goes_on in [true, false] {
        let mut night = overdue("");
        let other = of_another(&mut night, goes_on);
        night.memory.replacements.clear();
        night.elsewhere.queue = vec![other];
        assert_eq!(launch(&night.plan()).is_some(), !goes_on);
    }
}

#[test]
fn whoever_waited_does_not_begin_again_while_another_service_has_its_turn() {
    let mut night = overdue("");
    let first = launch(&night.plan()).unwrap().clone();
    let other = of_another(&mut night, true);
    answer(&mut night, &first, &refused(ErrorClass::Permanent, "Unsupported"));
    for _ in 0..20 {
        night.pass_time(60);
        night.plan();
    }
    night.elsewhere.queue = vec![other];
    night.memory.replacements.get_mut(&BLUE.into()).unwrap().attempts[0].gone = true;
    let plan = night.plan();
    assert!(launch(&plan).is_none(), "{:#?}", plan.steps);
}

#[test]
fn what_ends_while_it_waits_for_its_turn_waits_no_more() {
    let mut night = overdue("");
    let first = launch(&night.plan()).unwrap().clone();
    let other = of_another(&mut night, true);
    answer(&mut night, &first, &refused(ErrorClass::Permanent, "Unsupported"));
    night.elsewhere.queue = vec![other];
    night.pass_time(60);
    night.plan();
    night.instance(BLUE).state = InstanceState::Terminated;
    for _ in 0..40 {
        night.pass_time(60);
        if launch(&night.plan()).is_some_and(|launch| launch.of.about.as_str() == BLUE) {
            return;
        }
    }
    panic!("{:#?}", night.plan().holds);
}

#[test]
fn a_template_asks_for_no_more_than_that_the_old_one_lets_itself_be_put_down() {
    let held = |kind: UncarriedKind, ends: bool| {
        let mut night = overdue("");
        let facts = from_template(&mut night);
        (facts.instance_type, facts.subnet) = (None, None);
        if ends {
            let replace = night.policy.replace.as_mut().unwrap();
            replace.old_instance = crate::policy::OldInstance::Terminate;
        }
        let what = "it".to_owned();
        let blueprint = night.blueprints.get_mut(&BLUE.into()).unwrap();
        blueprint.uncarried.push(Uncarried { kind, what });
        let why = holds(&night.plan(), BLUE);
        why.iter()
            .any(|hold| matches!(hold, HoldReason::CannotCarry { .. }))
    };
    use UncarriedKind::{Other, StopProtection, TerminationProtection};
    assert_eq!(
        [false, true].map(|ends| held(TerminationProtection, ends)),
        [false, true]
    );
    assert_eq!([false, true].map(|ends| held(StopProtection, ends)), [true, true]);
    assert!(!held(Other, true), "the template says what its instances have");
}

#[test]
fn what_waits_for_capacity_keeps_no_other_service_waiting() {
    let mut night = overdue("");
    let first = launch(&night.plan()).unwrap().clone();
    answer(
        &mut night,
        &first,
        &refused(ErrorClass::Capacity, "InsufficientInstanceCapacity"),
    );
    night.pass_time(10);
    let plan = night.plan();
    let own = plan.queue.iter().find(|queued| queued.under_way).unwrap();
    assert!(!own.goes_on, "{own:#?}");
    let mut night = overdue("");
    draining(&mut night);
    let plan = night.plan();
    let own = plan.queue.iter().find(|queued| queued.under_way).unwrap();
    assert!(own.goes_on, "{own:#?}");
}

/// Blue was stopped by the repair, as far as AWS's answer goes, and still runs.
fn put_down_and_running() -> Night {
    let mut night = overdue("");
    draining(&mut night);
    night.targets.retain(|target| target.instance.as_str() != BLUE);
    night.pass_time(10);
    let plan = night.act_accepted();
    assert_eq!(of_steps(&plan, |step| matches!(step, Step::Stop { .. })), [BLUE]);
    night.pass_time(400);
    night
}

#[test]
fn one_that_was_never_stopped_is_stopped_again_and_one_that_somebody_started_is_left_to_them() {
    let stopped = |plan: &Plan| of_steps(plan, |step| matches!(step, Step::Stop { .. })).len();
    let marked = |plan: &Plan| of_steps(plan, |step| matches!(step, Step::Retire { .. })).len();
    let mut night = put_down_and_running();
    let plan = night.plan();
    assert_eq!(
        (stopped(&plan), marked(&plan)),
        (1, 0),
        "AWS said yes, and did nothing"
    );

    // Who is to serve in its place is not well now: nothing more is taken away.
    let mut night = put_down_and_running();
    night.set_target(NEW, TargetState::Unhealthy, None);
    let plan = night.plan();
    assert_eq!((stopped(&plan), marked(&plan)), (0, 0));
    night.pass_time(1800);
    let plan = night.plan();
    assert_eq!((stopped(&plan), marked(&plan)), (0, 1), "and not for ever");

    let mut night = put_down_and_running();
    night.instance(BLUE).launched_at = Some("2026-11-11T06:00:00Z".parse().unwrap());
    let plan = night.plan();
    assert_eq!((stopped(&plan), marked(&plan)), (0, 1));
}
