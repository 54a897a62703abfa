//! Ways in which healing once stopped, repeated itself or said something false, each kept as a night.

use crate::decide::fixtures::*;
use crate::decide::outcome::{fold_settled, settle};
use crate::decide::{FindingKind, HoldReason, Plan};
use crate::model::*;
use std::collections::BTreeSet;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

fn keys(plan: &Plan, words: &str) -> BTreeSet<String> {
    plan.notices
        .iter()
        .map(|notice| notice.key.clone())
        .filter(|key| key.contains(words))
        .collect()
}

fn lost(night: &Night, step: Step) -> JournaledIntent {
    let error = AwsError {
        operation: "StartInstances".to_owned(),
        object: None,
        class: ErrorClass::Ambiguous,
        code: Some("InternalError".to_owned()),
        message: "try again".to_owned(),
        request_id: None,
    };
    let mut intent = Night::of(tis("")).intent(step);
    intent.durable = night.stamp();
    JournaledIntent {
        intent,
        state: IntentState::Ambiguous { error },
    }
}

#[test]
fn a_start_that_gets_no_answer_and_shows_no_effect_is_paced_told_and_sent_alone() {
    let mut night = Night::of(tis(""));
    night.stop(GREEN, "Server.ScheduledStop");
    night.stop(BLUE, "Server.ScheduledStop");
    let step = night.plan().steps.remove(0).step;
    let journaled = lost(&night, step);
    night.pass_time(10);
    let outcome = settle(&journaled, &night.look(), &night.memory, MINUTE).unwrap();
    night.memory = fold_settled(&night.memory, &night.policy, &journaled, &outcome, night.now);
    let plan = night.plan();
    assert!(plan.steps.is_empty(), "not again at once: {:?}", plan.steps);
    assert_eq!(keys(&plan, "/retry/").len(), 2);
    night.pass_time(150);
    assert_eq!(night.plan().steps.len(), 2, "each without the other's company");
}

#[test]
fn a_respected_stop_stays_respected_after_the_week_is_over() {
    let mut night = Night::of(tis(""));
    night.stop(GREEN, "Client.UserInitiatedShutdown");
    night.plan();
    night.pass_time(16 * 60);
    night.act_accepted();
    night.pass_time(60);
    night.serve(GREEN);
    night.plan();
    night.pass_time(24 * 3600);
    night.plan();
    night.stop(GREEN, "Client.UserInitiatedShutdown");
    for _ in 0..14 {
        night.pass_time(24 * 3600);
        assert!(night.plan().steps.is_empty());
    }
}

#[test]
fn a_gap_does_not_make_a_standing_finding_news_again() {
    let mut night = Night::of(tis(""));
    night.image = Some(ImageState::Deregistered);
    let mut told = BTreeSet::new();
    for turn in 0..10 {
        night.gaps = if turn % 3 == 1 {
            vec![Gap {
                part: Part::ImageMetadata,
                why: "throttled".to_owned(),
            }]
        } else {
            Vec::new()
        };
        night.pass_time(60);
        told.extend(keys(&night.plan(), "cannot-be-rebuilt"));
    }
    assert_eq!(told.len(), 2, "{told:?}");
}

#[test]
fn an_instance_that_left_its_slot_does_not_keep_its_successor_down() {
    let mut night = Night::of(tis(""));
    night.plan();
    night.pass_time(60);
    night
        .instance(GREEN)
        .tags
        .insert("keepgreen:retired".to_owned(), String::new());
    let successor = "i-0000000000000000c";
    night.instances.push(stopped(
        running(successor, "tis-prod-green"),
        "Server.InternalError",
    ));
    assert_eq!(started(&night.plan()), [successor]);
}

#[test]
fn not_being_able_to_see_fails_no_attempt() {
    let mut night = Night::of(tis(""));
    night.stop(GREEN, "Server.ScheduledStop");
    night.act_accepted();
    night.up(GREEN);
    night.gaps = vec![Gap {
        part: Part::TargetGroup("tis-prod".to_owned()),
        why: "AccessDenied".to_owned(),
    }];
    for _ in 0..60 {
        night.pass_time(60);
        night.plan();
    }
    assert_eq!(night.memory.incidents[&GREEN.into()].failed_attempts(), 0);
}

#[test]
fn an_announcement_promises_the_grace_that_it_brings_about() {
    let mut night = Night::of(tis(""));
    night.stop(GREEN, "Client.UserInitiatedShutdown");
    let plan = night.plan();
    let notice = plan
        .notices
        .iter()
        .find(|notice| notice.key.ends_with("/announced"))
        .unwrap();
    assert!(notice.text.contains("in 15m"), "{}", notice.text);
}

#[test]
fn forgiving_attempts_announces_nothing_and_counts_on() {
    let mut night = Night::of(tis(""));
    night.stop(GREEN, "Server.ScheduledStop");
    night.act_accepted();
    night.pass_time(60);
    night.serve(GREEN);
    night.plan();
    night.pass_time(60);
    night.resumed = Some(night.now);
    assert!(keys(&night.plan(), "/recovered").is_empty());
    assert_eq!(night.memory.incidents[&GREEN.into()].tried, 1);
}

#[test]
fn what_is_held_back_again_and_again_is_told() {
    let mut night = Night::of(tis(""));
    night.stop(GREEN, "Server.ScheduledStop");
    let mut told = BTreeSet::new();
    for _ in 0..6 {
        let plan = night.act(&Outcome::NotSent {
            why: "the pause flags were read too long ago".to_owned(),
        });
        told.extend(keys(&plan, "/held-back/"));
        night.pass_time(10);
    }
    assert_eq!(told.len(), 1);
    assert_eq!(started(&night.plan()), [GREEN], "and it goes on trying");
}

#[test]
fn what_nobody_will_start_is_told_once() {
    let mut night = Night::of(tis(""));
    night.stop(GREEN, "Server.ScheduledStop");
    night.instance(GREEN).lifecycle = Lifecycle::Spot;
    let mut told = BTreeSet::new();
    for _ in 0..5 {
        told.extend(keys(&night.plan(), "/standstill/"));
        night.pass_time(60);
    }
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn another_accounts_image_that_cannot_be_seen_is_not_called_launchable() {
    let mut night = Night::of(tis(""));
    night.plan();
    let mut look = night.look();
    look.image_metadata.get_mut(&GREEN.into()).unwrap().owner = Some("999999999999".into());
    let verdict = crate::decide::image_verdict(&look, &GREEN.into());
    assert!(
        matches!(verdict, crate::decide::ImageVerdict::Unknown { .. }),
        "{verdict:?}"
    );
}

#[test]
fn an_intent_that_cannot_be_read_holds_its_own_instances_alone_and_is_a_finding() {
    use crate::decide::UnknownIntent;
    let mut night = Night::of(tis(""));
    night.stop(GREEN, "Server.ScheduledStop");
    night.stop(BLUE, "Server.ScheduledStop");
    night.unknown = vec![UnknownIntent {
        id: IntentId::new("intent-x"),
        instances: BTreeSet::from([BLUE.into()]),
    }];
    let plan = night.plan();
    assert_eq!(started(&plan), [GREEN]);
    assert!(
        plan.findings
            .iter()
            .any(|finding| finding.kind == FindingKind::UnknownIntent)
    );
    assert!(
        plan.holds
            .iter()
            .any(|hold| matches!(hold.reason, HoldReason::UnknownIntent { .. }))
    );
}

/// A person stops green; its start after the grace is accepted, and green is not seen up at any look.
fn operators_stop_accepted_start() -> Night {
    let mut night = Night::of(tis(""));
    night.stop(GREEN, "Client.UserInitiatedShutdown");
    night.plan();
    night.pass_time(15 * 60 + 1);
    assert_eq!(started(&night.act_accepted()), [GREEN]);
    night
}

#[test]
fn an_accepted_start_that_never_happened_has_undone_no_persons_stop() {
    let mut night = operators_stop_accepted_start();
    for _ in 0..20 {
        night.pass_time(10);
        night.plan();
    }
    night.pass_time(3 * 60);
    assert_eq!(
        started(&night.plan()),
        [GREEN],
        "it is the person's first stop still"
    );
}

fn assert_respected(night: &mut Night) {
    let holds = night.plan().holds;
    let respected = |reason: &HoldReason| matches!(reason, HoldReason::StopRespected { .. });
    assert!(holds.iter().any(|hold| respected(&hold.reason)), "{holds:?}");
}

#[test]
fn a_person_who_stops_it_again_between_two_looks_is_respected() {
    let mut night = operators_stop_accepted_start();
    night.instance(GREEN).launched_at = Some(night.stamp().wall);
    for _ in 0..20 {
        night.pass_time(60);
        assert!(night.plan().steps.is_empty());
    }
    assert_respected(&mut night);
}

#[test]
fn a_stop_after_a_start_that_no_look_has_shown_has_a_grace_of_its_own() {
    let mut night = Night::of(tis(""));
    night.stop(GREEN, "Client.UserInitiatedShutdown");
    night.plan();
    night.pass_time(14 * 60);
    night.plan();
    night.instance(GREEN).launched_at = Some(night.stamp().wall);
    for _ in 0..14 {
        night.pass_time(60);
        assert_eq!(night.plan().steps, []);
    }
    for _ in 0..48 {
        night.pass_time(60);
        if started(&night.plan()) == [GREEN] {
            return;
        }
    }
    panic!("it is started after the longest grace there is");
}

#[test]
fn a_second_stop_is_respected_after_the_instance_was_not_seen_for_a_while() {
    let mut night = operators_stop_accepted_start();
    let green = night.instance(GREEN).clone();
    night.instances.retain(|instance| instance.id != green.id);
    for _ in 0..30 {
        night.pass_time(60);
        night.plan();
    }
    night.instances.push(green);
    night.stop(GREEN, "Client.UserInitiatedShutdown");
    for _ in 0..40 {
        night.pass_time(60);
        assert!(night.plan().steps.is_empty());
    }
    assert_respected(&mut night);
}

#[test]
fn who_was_told_that_it_is_healthy_again_is_told_of_a_relapse_too() {
    let mut night = Night::of(tis(""));
    night.instance(GREEN).lifecycle = Lifecycle::Spot;
    let down_again = |night: &mut Night| {
        night.stop(GREEN, "Server.SpotInstanceShutdown");
        night.pass_time(60);
        let down = keys(&night.plan(), "/standstill/");
        night.serve(GREEN);
        for _ in 0..6 {
            night.pass_time(60);
            night.plan();
        }
        down
    };
    let first = down_again(&mut night);
    let second = down_again(&mut night);
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_ne!(first, second, "the same key is told once");
}

const SPARE: &str = "i-0000000000000000c";

/// Green has a stopped spare.
fn with_spare() -> Night {
    let mut night = Night::of(tis(""));
    let spare = running(SPARE, "tis-prod-green");
    night
        .instances
        .push(stopped(spare, "Client.InstanceInitiatedShutdown"));
    night
}

#[test]
fn a_spare_takes_the_place_of_one_that_only_a_person_brings_back() {
    let mut respected = with_spare();
    respected.plan();
    respected.stop(GREEN, "Client.UserInitiatedShutdown");
    respected.plan();
    respected.pass_time(16 * 60);
    assert_eq!(started(&respected.act_accepted()), [GREEN]);
    respected.pass_time(60);
    respected.serve(GREEN);
    respected.plan();
    respected.pass_time(3600);
    respected.stop(GREEN, "Client.UserInitiatedShutdown");
    assert_eq!(started(&respected.act_accepted()), [SPARE]);

    let mut paused = with_spare();
    paused.plan();
    paused.stop(GREEN, "Server.ScheduledStop");
    let tags = &mut paused.instance(GREEN).tags;
    tags.insert("keepgreen:pause".to_owned(), String::new());
    assert_eq!(started(&paused.act_accepted()), [SPARE]);
}

#[test]
fn a_spare_takes_the_place_of_one_in_quarantine() {
    let mut night = with_spare();
    night.plan();
    night.stop(GREEN, "Server.ScheduledStop");
    let mut tried = Vec::new();
    for _ in 0..300 {
        tried.extend(started(&night.act_accepted()).into_iter().map(str::to_owned));
        if tried.last().is_some_and(|id| id == SPARE) {
            break;
        }
        night.pass_time(60);
    }
    assert_eq!(tried, [GREEN, GREEN, GREEN, SPARE]);
}

#[test]
fn a_spare_is_looked_at_no_more_often_than_what_runs() {
    let mut night = with_spare();
    let quiet = Night::of(tis("")).plan().next_check;
    assert_eq!(night.plan().next_check, quiet);
}

#[test]
fn a_wait_that_is_nearly_over_is_not_looked_at_every_second() {
    let mut night = Night::of(tis(""));
    night.stop(GREEN, "Client.UserInitiatedShutdown");
    night.plan();
    night.pass_time(15 * 60 - 2);
    let plan = night.plan();
    assert!(plan.steps.is_empty());
    assert_eq!(plan.next_check.duration_since(night.now).as_secs(), 10);
    night.pass_time(10);
    assert_eq!(started(&night.plan()), [GREEN]);
}

#[test]
fn a_long_wait_is_looked_at_often_only_in_its_first_minutes_and_ends_on_time() {
    let mut night = Night::of(tis(""));
    night.stop(GREEN, "Client.UserInitiatedShutdown");
    let wait = |night: &mut Night| night.plan().next_check.duration_since(night.now).as_secs();
    assert_eq!(wait(&mut night), 10);
    night.pass_time(5 * 60);
    assert_eq!(wait(&mut night), 60, "the grace has 10 minutes to go");
    night.pass_time(9 * 60 + 15);
    assert_eq!(wait(&mut night), 45, "and ends before the interval does");
    // The account's cap is used up: nothing happens to it for the better part of an hour.
    let mut night = Night::of(tis(""));
    night.used = 60;
    night.stop(GREEN, "Server.ScheduledStop");
    for (minutes, seconds) in [(0, 10), (1, 10), (1, 60), (20, 60)] {
        night.pass_time(60 * minutes);
        assert_eq!(wait(&mut night), seconds);
    }
    night.used = 0;
    night.pass_time(60);
    assert_eq!(started(&night.act_accepted()), [GREEN]);
    night.pass_time(60);
    assert_eq!(wait(&mut night), 10, "it boots");
}

#[test]
fn what_awaits_nothing_is_looked_at_no_more_often_than_what_is_well() {
    let quiet = Night::of(tis("")).plan().next_check;
    // Started, and ill for longer than it has to boot: no start can help any more.
    let mut ill = Night::of(tis(""));
    ill.stop(GREEN, "Server.ScheduledStop");
    ill.act_accepted();
    ill.up(GREEN);
    ill.set_target(GREEN, TargetState::Unhealthy, Some("Target.Timeout"));
    for _ in 0..15 {
        ill.pass_time(60);
        ill.plan();
    }
    // Stopped, in a slot that is idle since.
    let mut idle = Night::of(tis(""));
    idle.stop(GREEN, "Client.UserInitiatedShutdown");
    idle.plan();
    let slot = idle.policy.slots.get_mut(&SlotName::from("green")).unwrap();
    slot.state = crate::policy::SlotState::Stopped;
    for mut night in [ill, idle] {
        night.pass_time(60);
        let since = quiet.duration_since("2026-11-11T04:00:00Z".parse().unwrap());
        let plan = night.plan();
        assert_eq!(plan.steps, []);
        assert_eq!(
            plan.next_check.duration_since(night.now),
            since,
            "{:#?}",
            plan.slots
        );
    }
}

#[test]
fn launches_that_failed_in_its_place_keep_nobody_from_starting_it() {
    let mut night = Night::of(tis("limits: { attempts: 2, attempts_per_day: 2 }"));
    night.plan();
    let memory = night.memory.instances.get_mut(&InstanceId::from(GREEN)).unwrap();
    memory.failed_launches = vec![night.now; 2];
    night.stop(GREEN, "Server.ScheduledStop");
    night.pass_time(60);
    assert_eq!(started(&night.act_accepted()), [GREEN]);
    // The first start of the day does not hold; the second one is still allowed.
    night.up(GREEN);
    night.pass_time(60);
    night.plan();
    night.stop(GREEN, "Server.ScheduledStop");
    let mut again = Vec::new();
    for _ in 0..10 {
        night.pass_time(60);
        again.extend(started(&night.act_accepted()).into_iter().map(str::to_owned));
    }
    assert_eq!(again.first().map(String::as_str), Some(GREEN));
}

#[test]
fn what_a_listing_leaves_out_for_a_moment_is_no_news_when_it_is_back() {
    let mut night = Night::of(tis(""));
    night.image = Some(ImageState::Deregistered);
    let told = |plan: &Plan| -> BTreeSet<String> {
        let of_green = plan.notices.iter().filter(|notice| notice.title.contains(GREEN));
        of_green.map(|notice| notice.key.clone()).collect()
    };
    let before = told(&night.plan());
    assert!(!before.is_empty());
    let green = night.instance(GREEN).clone();
    night.instances.retain(|instance| instance.id.as_str() != GREEN);
    for _ in 0..3 {
        night.pass_time(60);
        night.plan();
    }
    night.instances.push(green);
    night.pass_time(60);
    assert_eq!(told(&night.plan()), before);
}
