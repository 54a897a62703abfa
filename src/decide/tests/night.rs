//! The start of a stopped instance, from the stop to the end of the incident.

use crate::decide::fixtures::*;
use crate::decide::{Due, FindingKind, HoldReason};
use crate::model::*;
use std::time::Duration;

fn nothing_to_do(night: &mut Night) {
    night.pass_time(60);
    let plan = night.plan();
    assert!(plan.steps.is_empty() && plan.due == Due::Nothing, "{plan:#?}");
}

fn finding_kinds(plan: &crate::decide::Plan) -> Vec<FindingKind> {
    plan.findings.iter().map(|finding| finding.kind).collect()
}

fn told(plan: &crate::decide::Plan, kind: NoticeKind) -> Vec<&str> {
    plan.notices
        .iter()
        .filter(|n| n.kind == kind)
        .map(|n| n.key.as_str())
        .collect()
}

#[test]
fn an_instance_that_aws_stopped_is_started_at_the_first_look_and_nobody_else_is_touched() {
    let mut night = Night::of(tis(""));
    nothing_to_do(&mut night);
    night.stop(GREEN, "Server.ScheduledStop");
    night.image = Some(ImageState::Deregistered);
    night.pass_time(60);
    let plan = night.act_accepted();
    assert_eq!(started(&plan), [GREEN]);
    assert_eq!(plan.due, Due::Now);
    assert_eq!(
        finding_kinds(&plan),
        [FindingKind::CannotBeRebuilt, FindingKind::CannotBeRebuilt]
    );
    assert_eq!(told(&plan, NoticeKind::RepairBegun).len(), 1);

    night.pass_time(10);
    night.up(GREEN);
    let waiting = night.plan();
    assert!(waiting.steps.is_empty() && waiting.due == Due::Nothing);
    assert_eq!(
        waiting.next_check.duration_since(night.now).as_secs(),
        10,
        "under repair it is looked at every 10 s"
    );

    night.pass_time(10);
    night.serve(GREEN);
    let healed = night.plan();
    assert_eq!(told(&healed, NoticeKind::RepairDone).len(), 1);
    nothing_to_do(&mut night);
    night.pass_time(31 * 60);
    night.plan();
    assert!(
        night.memory.incidents.is_empty(),
        "an incident ends after 30 healthy minutes"
    );
    nothing_to_do(&mut night);
}

#[test]
fn both_slots_stopped_are_started_in_one_request() {
    let mut night = Night::of(tis(""));
    night.stop(GREEN, "Server.InternalError");
    night.stop(BLUE, "Server.ScheduledStop");
    let plan = night.act_accepted();
    assert_eq!(plan.steps.len(), 1);
    assert_eq!(started(&plan), [BLUE, GREEN]);
    nothing_to_do(&mut night);
}

#[test]
fn a_stop_by_a_person_is_announced_and_undone_once_after_its_grace() {
    let mut night = Night::of(tis(""));
    night.stop(GREEN, "Client.UserInitiatedShutdown");
    let plan = night.plan();
    assert!(plan.steps.is_empty());
    assert_eq!(plan.due, Due::ByTime);
    assert!(told(&plan, NoticeKind::RepairBegun)[0].ends_with("/announced"));
    night.pass_time(14 * 60);
    assert!(night.plan().steps.is_empty());
    night.pass_time(61);
    assert_eq!(started(&night.act_accepted()), [GREEN]);
    night.pass_time(20);
    night.serve(GREEN);
    night.plan();

    night.pass_time(3600 * 5);
    night.plan();
    night.stop(GREEN, "Client.UserInitiatedShutdown");
    night.pass_time(60);
    night.plan();
    night.pass_time(3600 * 2);
    let plan = night.plan();
    assert!(
        plan.steps.is_empty(),
        "stopped again within 7 days: it is respected"
    );
    assert!(
        plan.holds
            .iter()
            .any(|hold| matches!(hold.reason, HoldReason::StopRespected { .. }))
    );
    assert_eq!(
        told(&plan, NoticeKind::NeedsPerson)
            .iter()
            .filter(|key| key.ends_with("/respected"))
            .count(),
        1
    );
    nothing_to_do(&mut night);
}

#[test]
fn a_stop_by_a_person_that_nobody_could_be_told_of_waits_an_hour() {
    let mut night = Night::of(tis(""));
    night.stop(GREEN, "Client.UserInitiatedShutdown");
    night.plan();
    night.delivered.clear();
    for _ in 0..59 {
        night.pass_time(60);
        assert!(night.plan().steps.is_empty());
        night.delivered.clear();
    }
    night.pass_time(61);
    assert_eq!(started(&night.act_accepted()), [GREEN]);
}

#[test]
fn respect_and_alert_leave_it_stopped() {
    for choice in ["stopped_by_operator: respect", "stopped_by_operator: alert"] {
        let mut night = Night::of(tis(&format!("heal: {{ {choice} }}")));
        night.stop(GREEN, "Client.UserInitiatedHibernate");
        night.plan();
        night.pass_time(8 * 3600);
        let plan = night.plan();
        assert!(plan.steps.is_empty(), "{choice}");
        assert_eq!(plan.due, Due::Nothing, "{choice}");
        assert!(
            !told(&plan, NoticeKind::NeedsPerson).is_empty(),
            "{choice}: somebody is told"
        );
    }
}

#[test]
fn a_start_that_does_not_hold_is_tried_three_times_then_quarantined_with_one_alert() {
    let mut night = Night::of(tis(""));
    let mut starts = 0;
    let mut alerts = std::collections::BTreeSet::new();
    night.stop(GREEN, "Server.ScheduledStop");
    for _ in 0..400 {
        let plan = night.act_accepted();
        starts += plan.steps.len();
        alerts.extend(
            plan.notices
                .iter()
                .filter(|n| n.key.contains("quarantined"))
                .map(|notice| notice.key.clone()),
        );
        night.pass_time(10);
        if plan.steps.is_empty() {
            continue;
        }
        night.up(GREEN);
        night.plan();
        night.stop(GREEN, "Client.InternalError");
        night.pass_time(10);
    }
    assert_eq!(starts, 3);
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    nothing_to_do(&mut night);
    night.resumed = Some(night.now);
    assert_eq!(
        started(&night.plan()),
        [GREEN],
        "`keepgreen resume` ends the quarantine"
    );
}

#[test]
fn a_changed_policy_ends_a_quarantine() {
    let mut night = Night::of(tis("limits: { attempts: 1 }"));
    night.stop(GREEN, "Server.ScheduledStop");
    night.act_accepted();
    night.pass_time(10);
    night.up(GREEN);
    night.plan();
    night.pass_time(10);
    night.stop(GREEN, "Client.InternalError");
    nothing_to_do(&mut night);
    night.policy = tis("limits: { attempts: 2 }");
    night.pass_time(10);
    assert_eq!(started(&night.plan()), [GREEN]);
}

#[test]
fn capacity_errors_are_retried_at_most_ten_minutes_apart_with_one_alert_and_no_quarantine() {
    let mut night = Night::of(tis(""));
    night.stop(GREEN, "Server.ScheduledStop");
    let error = AwsError {
        operation: "StartInstances".to_owned(),
        object: Some(GREEN.to_owned()),
        class: ErrorClass::Capacity,
        code: Some("InsufficientInstanceCapacity".to_owned()),
        message: "none left".to_owned(),
        request_id: None,
    };
    let mut tries = Vec::new();
    let mut alerts = std::collections::BTreeSet::new();
    for _ in 0..(6 * 60 * 6) {
        let plan = night.act(&Outcome::Failed { error: error.clone() });
        if !plan.steps.is_empty() {
            tries.push(night.boot);
        }
        alerts.extend(
            told(&plan, NoticeKind::NeedsPerson)
                .into_iter()
                .map(str::to_owned),
        );
        night.pass_time(10);
    }
    let gaps: Vec<Duration> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(
        gaps.iter().all(|gap| *gap >= Duration::from_secs(120)),
        "{gaps:?}"
    );
    assert!(
        gaps.iter().all(|gap| *gap <= Duration::from_secs(680)),
        "{gaps:?}"
    );
    assert!(tries.len() > 30, "six hours of it: {}", tries.len());
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert!(night.memory.incidents[&GREEN.into()].quarantined.is_none());
    night.pass_time(700);
    assert_eq!(started(&night.act_accepted()), [GREEN]);
}

#[test]
fn a_start_that_boots_and_never_turns_healthy_has_failed_after_the_boot_grace() {
    let mut night = Night::of(tis(""));
    night.stop(GREEN, "Server.ScheduledStop");
    night.act_accepted();
    night.pass_time(10);
    night.up(GREEN);
    night.set_target(GREEN, TargetState::Unhealthy, Some("Target.Timeout"));
    night.plan();
    night.pass_time(601);
    let plan = night.plan();
    assert!(plan.steps.is_empty());
    assert_eq!(
        told(&plan, NoticeKind::NeedsPerson)
            .iter()
            .filter(|key| key.contains("/failed/"))
            .count(),
        1
    );
    nothing_to_do(&mut night);
}

#[test]
fn a_stale_answer_after_an_accepted_start_is_no_failure() {
    let mut night = Night::of(tis(""));
    night.stop(GREEN, "Server.ScheduledStop");
    night.act_accepted();
    for _ in 0..6 {
        night.pass_time(10);
        let plan = night.plan();
        assert!(plan.steps.is_empty(), "the write is merely not visible yet");
    }
    night.pass_time(10);
    night.serve(GREEN);
    night.plan();
    assert_eq!(night.memory.incidents[&GREEN.into()].failed_attempts(), 0);
    nothing_to_do(&mut night);
}

#[test]
fn an_accepted_start_that_did_nothing_is_tried_again() {
    let mut night = Night::of(tis(""));
    night.stop(GREEN, "Server.ScheduledStop");
    night.act_accepted();
    let mut again = false;
    for _ in 0..40 {
        night.pass_time(10);
        again |= !night.act_accepted().steps.is_empty();
    }
    assert!(again);
}

#[test]
fn a_relapse_within_half_an_hour_continues_the_incident() {
    let mut night = Night::of(tis(""));
    night.stop(GREEN, "Server.ScheduledStop");
    night.act_accepted();
    let repair = night.memory.incidents[&GREEN.into()].repair.clone();
    night.pass_time(60);
    night.serve(GREEN);
    night.plan();
    night.pass_time(20 * 60);
    night.plan();
    night.stop(GREEN, "Server.InternalError");
    night.pass_time(60);
    night.plan();
    let incident = &night.memory.incidents[&GREEN.into()];
    assert_eq!(incident.repair, repair);
    assert_eq!(incident.failed_attempts(), 1);
}

#[test]
fn every_pause_holds_and_says_who_and_until_when() {
    let set = |source: PauseSource, scope: PauseScope| Pause {
        scope,
        source,
        by: Some("ann".to_owned()),
        reason: Some("release".to_owned()),
        since: None,
        until: Some("2026-11-11T05:00:00Z".parse().unwrap()),
    };
    let cases = [
        set(
            PauseSource::Policy("tis.yaml".to_owned()),
            PauseScope::Service("tis".into()),
        ),
        set(
            PauseSource::File("state/pause".to_owned()),
            PauseScope::Everything,
        ),
        set(
            PauseSource::Parameter("/keepgreen/pause".to_owned()),
            PauseScope::Everything,
        ),
    ];
    for pause in cases {
        let mut night = Night::of(tis(""));
        night.stop(GREEN, "Server.ScheduledStop");
        night.pauses = vec![pause.clone()];
        let plan = night.plan();
        assert!(plan.steps.is_empty() && plan.due == Due::Nothing, "{pause:?}");
        let sentence = plan.holds[0].reason.sentence();
        assert!(
            sentence.contains("ann") && sentence.contains("release") && sentence.contains("05:00"),
            "{sentence}"
        );
        assert!(
            told(&plan, NoticeKind::NeedsPerson)
                .iter()
                .any(|key| key.contains("/paused/"))
        );
        night.pass_time(3600);
        assert_eq!(started(&night.plan()), [GREEN], "the pause has expired");
    }
    let mut night = Night::of(tis(""));
    night.stop(GREEN, "Server.ScheduledStop");
    night
        .instance(GREEN)
        .tags
        .insert("keepgreen:pause".to_owned(), "whatever".to_owned());
    assert!(night.plan().steps.is_empty());
    night.instance(GREEN).tags.clear();
    night.unreadable = vec!["AccessDenied".to_owned()];
    assert!(night.plan().steps.is_empty(), "an unreadable flag is a set flag");
}

#[test]
fn of_more_stopped_matches_than_are_lacking_the_one_last_in_traffic_is_started() {
    let mut night = Night::of(tis(""));
    night.plan();
    let mut copy = stopped(
        running("i-0000000000000000c", "tis-prod-green"),
        "Server.ScheduledStop",
    );
    copy.launched_at = Some("2026-11-01T00:00:00Z".parse().unwrap());
    night.instances.push(copy);
    night.pass_time(60);
    let plan = night.plan();
    assert!(plan.steps.is_empty(), "green runs: the copy is surplus");
    assert!(finding_kinds(&plan).contains(&FindingKind::SurplusInstances));
    night.stop(GREEN, "Server.ScheduledStop");
    night.pass_time(60);
    assert_eq!(started(&night.act_accepted()), [GREEN]);
}

#[test]
fn the_hourly_cap_holds_back_and_ends_by_time() {
    let mut night = Night::of(tis(""));
    night.stop(GREEN, "Server.ScheduledStop");
    night.used = 60;
    let plan = night.plan();
    assert!(plan.steps.is_empty());
    assert_eq!(plan.due, Due::ByTime);
    night.used = 59;
    assert_eq!(started(&night.plan()), [GREEN]);
}

#[test]
fn a_wall_clock_that_jumps_neither_skips_a_grace_nor_prolongs_it() {
    for hours in [-2, 2] {
        let mut night = Night::of(tis(""));
        night.stop(GREEN, "Client.UserInitiatedShutdown");
        night.plan();
        night.now = night
            .now
            .saturating_add(jiff::SignedDuration::from_hours(hours))
            .unwrap();
        night.pass_time(60);
        assert!(
            night.plan().steps.is_empty(),
            "one minute has passed, whatever the clock says"
        );
        night.pass_time(15 * 60);
        assert_eq!(started(&night.plan()), [GREEN]);
    }
}

#[test]
fn a_restart_forgets_no_grace_and_a_day_offline_is_not_a_day_of_evidence() {
    let mut night = Night::of(tis(""));
    night.stop(GREEN, "Client.UserInitiatedShutdown");
    night.plan();
    night.pass_time(10 * 60);
    night.plan();
    "second".clone_into(&mut night.incarnation);
    night.boot = Duration::from_secs(5);
    night.now = night
        .now
        .saturating_add(jiff::SignedDuration::from_mins(4))
        .unwrap();
    assert!(night.plan().steps.is_empty());
    night.pass_time(62);
    assert_eq!(started(&night.plan()), [GREEN]);
}

#[test]
fn a_clock_that_was_back_before_a_restart_cuts_no_grace_short() {
    let mut night = Night::of(tis(""));
    night.stop(GREEN, "Client.UserInitiatedShutdown");
    night.now = night
        .now
        .saturating_sub(jiff::SignedDuration::from_mins(20))
        .unwrap();
    night.plan();
    // Right again, and a new process on the same machine.
    night.now = night
        .now
        .saturating_add(jiff::SignedDuration::from_mins(20))
        .unwrap();
    "second".clone_into(&mut night.incarnation);
    night.pass_time(60);
    assert!(night.plan().steps.is_empty(), "one minute has passed");
    night.pass_time(15 * 60);
    assert_eq!(started(&night.plan()), [GREEN]);
}

#[test]
fn what_others_start_takes_no_place_from_what_can_be_started() {
    let mut night = Night::of(tis(""));
    let mut spot = stopped(
        running("i-0000000000000000c", "tis-prod-green"),
        "Server.SpotInstanceShutdown",
    );
    // The later launch would put it first.
    spot.launched_at = Some("2026-11-10T00:00:00Z".parse().unwrap());
    spot.lifecycle = crate::model::Lifecycle::Spot;
    night.instances.push(spot);
    night.stop(GREEN, "Server.ScheduledStop");
    night.instance(GREEN).launched_at = Some("2026-11-01T00:00:00Z".parse().unwrap());
    night.targets.clear();
    assert_eq!(started(&night.plan()), [GREEN]);
}
