//! One look at a time: what counts as ailing, as unknown, and what a partial view still allows.

use crate::decide::fixtures::*;
use crate::decide::verdict::Health;
use crate::decide::{Due, FindingKind, HoldReason, InstanceView, Plan};
use crate::model::*;

fn view<'a>(plan: &'a Plan, id: &str) -> &'a InstanceView {
    plan.slots
        .iter()
        .flat_map(|slot| &slot.instances)
        .find(|view| view.id.as_str() == id)
        .unwrap()
}

fn gap(part: Part) -> Gap {
    Gap {
        part,
        why: "RequestLimitExceeded".to_owned(),
    }
}

#[test]
fn targets_and_checks_make_the_verdict() {
    use TargetState::*;
    let cases: Vec<(TargetState, Option<&str>, CheckState, &str, Option<AilmentKind>)> = vec![
        (Healthy, None, CheckState::Ok, "healthy", None),
        (Healthy, None, CheckState::Initializing, "healthy", None),
        (
            Healthy,
            None,
            CheckState::Impaired,
            "ailing",
            Some(AilmentKind::ImpairedSystem),
        ),
        (
            Healthy,
            None,
            CheckState::Unknown("melting".into()),
            "unknown",
            None,
        ),
        (
            Unhealthy,
            Some("Target.Timeout"),
            CheckState::Ok,
            "ailing",
            Some(AilmentKind::Unhealthy),
        ),
        (
            Initial,
            Some("Elb.RegistrationInProgress"),
            CheckState::Ok,
            "unknown",
            None,
        ),
        (
            Draining,
            None,
            CheckState::Ok,
            "ailing",
            Some(AilmentKind::Deregistered),
        ),
        (
            Unused,
            Some("Target.NotRegistered"),
            CheckState::Ok,
            "ailing",
            Some(AilmentKind::Deregistered),
        ),
        (
            Unused,
            Some("Target.InvalidState"),
            CheckState::Ok,
            "unknown",
            None,
        ),
        (
            Unavailable,
            Some("Target.HealthCheckDisabled"),
            CheckState::Ok,
            "unknown",
            None,
        ),
        (Unknown("moving".into()), None, CheckState::Ok, "unknown", None),
    ];
    for (state, reason, check, word, ailment) in cases {
        let mut night = Night::of(tis(""));
        night.set_target(GREEN, state.clone(), reason);
        night.statuses.insert(GREEN.into(), checks(check));
        let plan = night.plan();
        let green = view(&plan, GREEN);
        assert_eq!(green.word(), word, "{state:?} {reason:?}: {green:?}");
        assert_eq!(green.ailments.first().map(|a| a.kind), ailment, "{state:?}");
        assert!(
            plan.steps.is_empty(),
            "{state:?}: nothing but a stopped instance is ever started"
        );
        assert_eq!(view(&plan, BLUE).word(), "healthy");
    }
}

#[test]
fn a_group_without_listener_is_idle_and_the_checks_must_then_hold_for_three_looks() {
    let mut night = Night::of(tis(""));
    night.set_target(GREEN, TargetState::Unused, Some("Target.NotInUse"));
    let words: Vec<&str> = (0..3)
        .map(|_| {
            night.pass_time(10);
            view(&night.plan(), GREEN).word()
        })
        .collect();
    assert_eq!(words, ["unknown", "unknown", "healthy"]);
}

#[test]
fn an_image_is_gone_only_when_both_witnesses_say_so() {
    let mut night = Night::of(tis(""));
    night.image = Some(ImageState::Deregistered);
    night.gaps = vec![gap(Part::ImageListings)];
    assert!(
        !night
            .plan()
            .findings
            .iter()
            .any(|f| f.kind == FindingKind::CannotBeRebuilt)
    );
    night.gaps = vec![gap(Part::ImageMetadata)];
    assert!(
        !night
            .plan()
            .findings
            .iter()
            .any(|f| f.kind == FindingKind::CannotBeRebuilt)
    );
    night.gaps = Vec::new();
    let plan = night.plan();
    assert_eq!(
        plan.findings
            .iter()
            .filter(|f| f.kind == FindingKind::CannotBeRebuilt)
            .count(),
        2
    );
    assert_eq!(
        view(&plan, GREEN).word(),
        "healthy",
        "a dead image does not make a running server ill"
    );
    assert_eq!(plan.due, Due::Nothing);
    night.image = Some(ImageState::Unknown("buried".into()));
    assert!(
        !night
            .plan()
            .findings
            .iter()
            .any(|f| f.kind == FindingKind::CannotBeRebuilt)
    );
}

#[test]
fn a_partial_view_still_starts_what_it_sees_stopped_and_does_nothing_else() {
    let parts = [
        Part::Instances,
        Part::Statuses,
        Part::ImageMetadata,
        Part::ImageListings,
        Part::TargetGroup("tis-prod".to_owned()),
    ];
    for part in parts {
        let mut night = Night::of(tis(""));
        night.plan();
        night.stop(GREEN, "Server.ScheduledStop");
        night.gaps = vec![gap(part.clone())];
        night.pass_time(60);
        assert_eq!(started(&night.plan()), [GREEN], "{part:?}");
    }
    let mut night = Night::of(tis(""));
    night.stop(GREEN, "Server.ScheduledStop");
    night.gaps = vec![gap(Part::Identity)];
    night.caller = None;
    let plan = night.plan();
    assert!(plan.steps.is_empty(), "whose account it is must be known");
}

#[test]
fn under_a_partial_listing_an_unseen_running_instance_still_fills_its_slot() {
    let mut night = Night::of(tis(""));
    night.plan();
    night.instances.retain(|instance| instance.id.as_str() != GREEN);
    let surplus = "i-0000000000000000c";
    night.instances.push(stopped(
        running(surplus, "tis-prod-green"),
        "Server.ScheduledStop",
    ));
    night.gaps = vec![gap(Part::Instances)];
    night.pass_time(60);
    assert!(
        night.plan().steps.is_empty(),
        "green runs on the page that was not read"
    );
}

#[test]
fn an_empty_answer_where_there_was_a_fleet_is_not_believed() {
    let mut night = Night::of(tis(""));
    night.plan();
    night.instances.clear();
    for _ in 0..200 {
        night.pass_time(60);
        let plan = night.plan();
        assert!(!plan.gaps.is_empty());
        assert!(
            plan.findings
                .iter()
                .any(|finding| finding.kind == FindingKind::PartialView)
        );
    }
    assert_eq!(night.memory.instances.len(), 2, "nothing is forgotten over it");
}

#[test]
fn an_instance_in_an_unknown_state_is_left_alone() {
    let mut night = Night::of(tis(""));
    night.instance(GREEN).state = InstanceState::Unknown("rebuilding".into());
    let plan = night.plan();
    assert!(plan.steps.is_empty());
    assert!(matches!(view(&plan, GREEN).health, Health::Unknown { .. }));
}

#[test]
fn the_wrong_account_and_disputed_instances_are_refused() {
    let mut night = Night::of(tis(""));
    night.stop(GREEN, "Server.ScheduledStop");
    night.caller = Some("999999999999".into());
    let plan = night.plan();
    assert!(plan.steps.is_empty());
    assert!(
        plan.findings
            .iter()
            .any(|finding| finding.kind == FindingKind::WrongAccount)
    );

    let mut night = Night::of(tis(""));
    night.stop(GREEN, "Server.ScheduledStop");
    night
        .instance(GREEN)
        .tags
        .insert("team".to_owned(), "x".to_owned());
    let other =
        policy("service: other\nslots:\n  only: { select: { tags: { team: x } }, target_groups: [] }\n");
    night.claims.add(&other, None, None);
    let plan = night.plan();
    assert!(plan.steps.is_empty());
    assert!(
        plan.findings
            .iter()
            .any(|finding| finding.kind == FindingKind::DisputedInstance)
    );
}

#[test]
fn what_others_run_is_never_started() {
    type Change = fn(&mut Instance);
    let changes: [Change; 4] = [
        |i| i.lifecycle = Lifecycle::Spot,
        |i| i.lifecycle = Lifecycle::Unknown("borrowed".into()),
        |i| i.root_device = RootDevice::InstanceStore,
        |i| drop(i.tags.insert("aws:autoscaling:groupName".into(), "asg".into())),
    ];
    for change in changes {
        let mut night = Night::of(tis(""));
        night.stop(GREEN, "Server.ScheduledStop");
        change(night.instance(GREEN));
        let plan = night.plan();
        assert!(plan.steps.is_empty(), "{:?}", night.instance(GREEN));
        assert!(!view(&plan, GREEN).holds.is_empty());
    }
}

#[test]
fn an_idle_slot_is_left_alone_and_traffic_in_it_is_a_finding() {
    let text = "service: tis\nslots:\n  green: { select: { tags: { Name: tis-prod-green } }, state: stopped, \
                target_groups: [tis-prod] }\n";
    let mut night = Night::of(policy(text));
    night.instances.remove(0);
    let plan = night.plan();
    assert!(
        plan.findings
            .iter()
            .any(|finding| finding.kind == FindingKind::IdleSlotHasTraffic)
    );
    night.stop(GREEN, "Server.ScheduledStop");
    night.pass_time(60);
    let plan = night.plan();
    assert!(plan.steps.is_empty() && plan.due == Due::Nothing, "{plan:#?}");
}

#[test]
fn every_target_unhealthy_is_one_alert_and_nothing_else() {
    let mut night = Night::of(tis("heal: { unhealthy: reboot }"));
    night.set_target(GREEN, TargetState::Unhealthy, Some("Target.ResponseCodeMismatch"));
    night.set_target(BLUE, TargetState::Unhealthy, Some("Target.ResponseCodeMismatch"));
    let plan = night.plan();
    assert!(plan.steps.is_empty());
    let found = plan
        .findings
        .iter()
        .filter(|f| f.kind == FindingKind::AllTargetsUnhealthy)
        .count();
    assert_eq!(found, 1);
}

#[test]
fn a_remedy_that_this_version_lacks_is_a_finding_once_its_grace_is_over() {
    let mut night = Night::of(tis("heal: { unhealthy: reboot }"));
    night.set_target(GREEN, TargetState::Unhealthy, Some("Target.Timeout"));
    let lacks = |plan: &Plan| {
        plan.findings
            .iter()
            .any(|f| f.kind == FindingKind::NotInThisVersion)
    };
    let plan = night.plan();
    assert!(!lacks(&plan));
    let held = |hold: &HoldReason| matches!(hold, HoldReason::NotInThisVersion { .. });
    assert!(view(&plan, GREEN).holds.iter().any(held));
    night.pass_time(301);
    assert!(lacks(&night.plan()));
}

#[test]
fn a_terminated_instance_is_missing_and_is_never_started() {
    let mut night = Night::of(tis(""));
    night.plan();
    night.instance(GREEN).state = InstanceState::Terminated;
    night.targets.retain(|target| target.instance.as_str() != GREEN);
    for _ in 0..4 {
        night.pass_time(60);
        let plan = night.plan();
        assert!(plan.steps.is_empty());
        assert!(
            plan.findings
                .iter()
                .any(|finding| finding.kind == FindingKind::MissingInstances)
        );
    }
}

#[test]
fn a_scheduled_event_is_a_finding_and_history_is_not() {
    let mut night = Night::of(tis(""));
    let event = |description: &str| ScheduledEvent {
        id: Some("instance-event-1".to_owned()),
        code: EventCode::InstanceRetirement,
        description: description.to_owned(),
        not_before: Some("2026-11-14T04:00:00Z".parse().unwrap()),
        not_after: None,
        deadline: None,
    };
    night.statuses.get_mut(&GREEN.into()).unwrap().events = vec![event("[Completed] it was retired")];
    let has = |plan: &Plan| {
        plan.findings
            .iter()
            .any(|f| f.kind == FindingKind::ScheduledEvent)
    };
    assert!(!has(&night.plan()));
    night
        .statuses
        .get_mut(&GREEN.into())
        .unwrap()
        .events
        .push(event("The instance is on degraded hardware"));
    assert!(has(&night.plan()));
}
