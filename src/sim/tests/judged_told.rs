//! Oracles of what people are told and what a process leaves: L6, L7, S22, S23 and S25, each broken by hand.

use tokio::time::{Instant, sleep};

use super::judged::{Controller, declared, judged, post_to};
use super::judged_later::intent;
use super::*;
use crate::sim::fault::{Fault, When};
use crate::sim::oracle::{Declared, Leftovers};
use crate::sim::state::Standstill;
use crate::sim::world::incident;

const HOOK: &str = "hooks.slack.test";
const QUARANTINED: &str = "Needs a person: tis green: GREEN quarantined";

/// People are told of the service on a channel.
fn told() -> Declared {
    let mut declared = declared();
    declared.services[0].channel = Some(HOOK.to_owned());
    declared
}

/// The same, and stops by AWS are left alone, so that promptness is no question.
fn left_alone() -> Declared {
    let mut declared = told();
    declared.services[0].starts_stopped = false;
    declared
}

async fn looks(c: &Controller, count: u64, apart: u64) {
    for _ in 0..count {
        c.look().await;
        sleep(seconds(apart)).await;
    }
}

fn finished(c: &Controller) -> Vec<&'static str> {
    c.cloud.finish();
    c.broken()
}

#[test]
fn l6_an_instance_that_stays_down_is_told_of_by_its_id() {
    let run = |message: Option<&'static str>, count: u64| {
        judged(left_alone(), move |c| async move {
            looks(&c, 2, 60).await;
            if let Some(message) = message {
                post_to(&c.cloud, HOOK, message).await;
            }
            looks(&c, count, 60).await;
            finished(&c)
        })
    };
    let good = format!("tis green: {} is stopped", incident::GREEN);
    assert_eq!(run(Some(good.leak()), 20), [""; 0]);
    assert_eq!(run(None, 20), ["L6 One alert"]);
    assert_eq!(run(Some("something is stopped"), 20), ["L6 One alert"]);
    assert_eq!(run(None, 5), [""; 0], "there is still time");
}

#[test]
fn l6_a_channel_that_does_not_work_demands_nothing() {
    let broken = judged(left_alone(), |c| async move {
        c.cloud.inject(When::host(HOOK), Fault::ConnectionRefused);
        post_to(&c.cloud, HOOK, "anything").await;
        looks(&c, 20, 60).await;
        finished(&c)
    });
    assert_eq!(broken, [""; 0]);
}

/// Three starts come to nothing; then what is told is told, and looked at for so long.
fn quarantined(messages: &'static [&'static str], count: u64, apart: u64) -> Vec<&'static str> {
    let mut declared = told();
    declared.interval = seconds(apart);
    judged(declared, move |c| async move {
        c.cloud.world(|w| assert!(w.fail_start(incident::GREEN, 10)));
        for _ in 0..3 {
            c.look().await;
            c.start(incident::GREEN).await;
            sleep(seconds(600)).await;
        }
        looks(&c, 2, apart).await;
        for message in messages {
            let message = message.replace("GREEN", incident::GREEN);
            post_to(&c.cloud, HOOK, &message).await;
        }
        looks(&c, count, apart).await;
        finished(&c)
    })
}

#[test]
fn l6_a_quarantine_has_exactly_one_alert() {
    assert_eq!(quarantined(&[QUARANTINED], 20, 60), [""; 0]);
    assert_eq!(quarantined(&[], 20, 60), ["L6 One alert"]);
    let twice = &[QUARANTINED, "Needs a person: tis green: GREEN quarantined again"];
    assert_eq!(quarantined(twice, 20, 60), ["L6 One alert"]);
    assert_eq!(
        quarantined(&[QUARANTINED, QUARANTINED], 5, 60),
        ["L6 One alert"],
        "the very same words"
    );
    let only_news = &["tis green: GREEN quarantined"];
    assert_eq!(
        quarantined(only_news, 20, 60),
        ["L6 One alert"],
        "it asks for nobody"
    );
}

#[test]
fn l6_what_stands_for_days_is_reminded_of_each_day() {
    // 900 s apart: 28 hours, with the reminder in time or never.
    assert_eq!(quarantined(&[QUARANTINED], 112, 900), ["L6 One alert"]);
    let mut declared = told();
    declared.interval = seconds(900);
    declared.refused = vec!["tis.yaml".to_owned()];
    declared.services[0].slots[1].idle = true;
    let broken = judged(declared, |c| async move {
        looks(&c, 2, 900).await;
        post_to(&c.cloud, HOOK, "Needs a person: policy file tis.yaml is refused").await;
        looks(&c, 95, 900).await;
        post_to(
            &c.cloud,
            HOOK,
            "Still needs a person: policy file tis.yaml is refused",
        )
        .await;
        looks(&c, 20, 900).await;
        finished(&c)
    });
    assert_eq!(broken, [""; 0]);
}

#[test]
fn l6_a_refused_policy_an_open_breaker_and_an_unreadable_flag_are_told() {
    let run = |refused: bool, melts: bool, unreadable: bool, message: Option<&'static str>| {
        let mut declared = told();
        // Nothing of the instance itself.
        declared.services[0].slots[1].count = 0;
        if refused {
            declared.refused = vec!["tis.yaml".to_owned()];
        }
        declared.breaker = (20, if melts { 1 } else { 3 });
        judged(declared, move |c| async move {
            if unreadable {
                let refusal = Fault::not_authorized("GetParameter");
                c.cloud.inject(When::action("GetParameter"), refusal);
            }
            looks(&c, 2, 60).await;
            if let Some(message) = message {
                post_to(&c.cloud, HOOK, message).await;
            }
            looks(&c, 15, 60).await;
            finished(&c)
        })
    };
    let refused = "Needs a person: policy file tis.yaml is refused";
    let melts: &str = format!("Needs a person: account {ACCOUNT}: too much ails at once").leak();
    let flag = "Needs a person: tis: pause unreadable";
    assert_eq!(run(false, false, false, None), [""; 0]);
    assert_eq!(run(true, false, false, None), ["L6 One alert"]);
    assert_eq!(run(true, false, false, Some(refused)), [""; 0]);
    assert_eq!(run(true, false, false, Some(melts)), ["L6 One alert"]);
    assert_eq!(run(false, true, false, None), ["L6 One alert"]);
    assert_eq!(run(false, true, false, Some(melts)), [""; 0]);
    assert_eq!(run(false, false, true, None), ["L6 One alert"]);
    assert_eq!(run(false, false, true, Some(flag)), [""; 0]);
}

#[test]
fn l6_an_alert_says_of_what_it_is() {
    let run = |message: &'static str| {
        judged(declared(), move |c| async move {
            post_to(&c.cloud, HOOK, message).await;
            finished(&c)
        })
    };
    assert_eq!(
        run("Needs a person: an instance is quarantined"),
        ["L6 One alert"]
    );
    assert_eq!(run("Needs a person: tis: an instance is quarantined"), [""; 0]);
}

#[expect(
    clippy::disallowed_methods,
    reason = "tokio's paused clock is the simulation's own"
)]
#[test]
fn l7_the_heartbeat_stops_while_the_loop_stands_still() {
    let run = |beats_on: bool| {
        judged(declared(), move |c| async move {
            const HEART: &str = crate::sim::oracle::HEARTBEAT_HOST;
            c.cloud
                .world(|w| w.set_webhook(HEART, crate::sim::world::webhook::WebhookAnswer::Ok));
            post_to(&c.cloud, HEART, "beat").await;
            sleep(seconds(10)).await;
            let around = c.cloud.surroundings();
            // Nothing is called for a while after it began.
            around.stalls.lock().unwrap().push(Standstill {
                began: Instant::now(),
                lasts: seconds(600),
                noticed_after: seconds(240),
            });
            sleep(seconds(60)).await;
            post_to(&c.cloud, HEART, "beat").await;
            sleep(seconds(300)).await;
            if beats_on {
                post_to(&c.cloud, HEART, "beat").await;
            }
            // It is over by now, counted from when it began.
            sleep(seconds(260)).await;
            post_to(&c.cloud, HEART, "beat").await;
            assert!(c.cloud.violations().is_empty());
            let broken = finished(&c);
            assert!(c.cloud.premises()["L7 Stalled loop"] > 0);
            broken
        })
    };
    assert_eq!(run(false), [""; 0]);
    assert_eq!(run(true), ["L7 Stalled loop"]);
}

#[test]
fn s22_and_s25_what_a_life_leaves_is_bounded_and_holds_no_secret() {
    let run = |left: Leftovers, secret: bool, message: &'static str| {
        judged(declared(), move |c| async move {
            if secret {
                c.cloud.keep_secret("not-a-real-token");
            }
            post_to(&c.cloud, HOOK, message).await;
            c.cloud.examine(&left);
            c.broken()
        })
    };
    let sound = Leftovers {
        lines_per_minute: 5_000,
        log_has_secret: false,
        journal: b"nothing of note".to_vec(),
        waiting: 2_000,
    };
    assert_eq!(run(sound.clone(), true, "a word"), [""; 0]);
    let talks = Leftovers {
        lines_per_minute: 5_001,
        ..sound.clone()
    };
    assert_eq!(run(talks, true, "a word"), ["S22 Bounded"]);
    let large = Leftovers {
        journal: vec![0; 64 * 1024 * 1024 + 1],
        ..sound
    };
    assert_eq!(run(large, false, "a word"), ["S22 Bounded"]);
    let waits = Leftovers {
        waiting: 2_001,
        ..sound.clone()
    };
    assert_eq!(run(waits, true, "a word"), ["S22 Bounded"]);
    let logs = Leftovers {
        log_has_secret: true,
        ..sound.clone()
    };
    assert_eq!(run(logs, true, "a word"), ["S25 Secrets"]);
    let journals = Leftovers {
        journal: b"posted to x/not-a-real-token".to_vec(),
        ..sound
    };
    assert_eq!(run(journals.clone(), true, "a word"), ["S25 Secrets"]);
    assert_eq!(run(journals, false, "a word"), [""; 0], "it is no secret");
    assert_eq!(run(sound, true, "see x/not-a-real-token"), ["S25 Secrets"]);
}

#[test]
fn s23_what_was_carried_out_is_not_recorded_as_never_sent() {
    let run = |carried_out: bool| {
        judged(declared(), move |c| async move {
            c.cloud.journal_opened(1, Vec::new());
            c.cloud.journal_committed(vec![intent("intent-1", "open", None)]);
            if !carried_out {
                c.cloud.inject(When::action("StartInstances"), Fault::throttled());
            }
            c.look().await;
            c.start(incident::GREEN).await;
            let mut ended = intent("intent-1", "ended", None);
            ended.outcome = Some("not-sent".to_owned());
            c.cloud.journal_committed(vec![ended]);
            c.broken()
        })
    };
    assert_eq!(run(false), [""; 0]);
    assert_eq!(run(true), ["S23 Audit"]);
}

#[test]
fn s23_a_record_says_why_and_under_which_policy() {
    let run = |reason: Option<&'static str>, version: Option<&'static str>| {
        judged(declared(), move |c| async move {
            c.cloud.journal_opened(1, Vec::new());
            c.cloud.journal_committed(vec![intent("intent-1", "open", None)]);
            c.look().await;
            let sent = c.ec2.start_instances().instance_ids(incident::GREEN).send().await;
            let id = aws_types::request_id::RequestId::request_id(&sent.unwrap()).map(str::to_owned);
            let mut ended = intent("intent-1", "ended", id.as_deref());
            ended.reason = reason.map(str::to_owned);
            ended.policy_version = version.map(str::to_owned);
            c.cloud.journal_committed(vec![ended]);
            c.broken()
        })
    };
    assert_eq!(run(Some("stopped by AWS"), Some("1")), [""; 0]);
    assert_eq!(run(None, Some("1")), ["S23 Audit"]);
    assert_eq!(run(Some("stopped by AWS"), Some("")), ["S23 Audit"]);
}
