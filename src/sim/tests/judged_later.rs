//! Oracles that need more than one call: what changes in between, what is counted, what happens in the end.

use std::collections::BTreeSet;

use tokio::time::sleep;

use super::judged::{Controller, declared, judged};
use super::*;
use crate::sim::fault::{Fault, When};
use crate::sim::oracle::{Declared, IntentRow, Select};
use crate::sim::world::incident;

/// Green starts and comes up.
async fn healed(c: &Controller) {
    c.look().await;
    c.start(incident::GREEN).await;
    sleep(seconds(1800)).await;
}

#[test]
fn l1_healed_and_left_alone_is_stable() {
    let broken = judged(declared(), |c| async move {
        healed(&c).await;
        c.cloud.calm();
        sleep(seconds(4 * 3600)).await;
        c.cloud.finish();
        assert!(c.cloud.premises()["L1 Eventually stable"] > 0);
        c.broken()
    });
    assert_eq!(broken, [""; 0]);
}

#[test]
fn l1_left_down_or_never_left_alone_is_not() {
    let broken = judged(declared(), |c| async move {
        c.cloud.calm();
        sleep(seconds(4 * 3600)).await;
        c.cloud.finish();
        c.broken()
    });
    assert_eq!(broken, ["L1 Eventually stable"]);
    let broken = judged(declared(), |c| async move {
        healed(&c).await;
        c.cloud.calm();
        sleep(seconds(3 * 3600)).await;
        c.look().await;
        c.start(incident::GREEN).await;
        sleep(seconds(3600)).await;
        c.cloud.finish();
        c.broken()
    });
    assert!(broken.contains(&"L1 Eventually stable"), "{broken:?}");
}

#[test]
fn what_was_right_under_the_policy_of_a_moment_ago_is_right() {
    for (wait, expected) in [(1, vec![]), (30, vec!["S1 Ownership"])] {
        let broken = judged(declared(), |c| async move {
            c.look().await;
            let mut other = declared();
            other.services[0].slots[1].select = Select::name("somebody-elses");
            c.cloud.declare(other);
            sleep(seconds(wait)).await;
            c.look().await;
            c.start(incident::GREEN).await;
            c.broken()
        });
        assert_eq!(broken, expected, "{wait} s after the change");
    }
}

#[test]
fn s11_a_fourth_start_after_three_that_did_not_hold_needs_a_release() {
    let run = |release: bool| {
        judged(declared(), move |c| async move {
            c.cloud.world(|w| assert!(w.fail_start(incident::GREEN, 10)));
            for _ in 0..3 {
                c.look().await;
                c.start(incident::GREEN).await;
                sleep(seconds(600)).await;
            }
            assert_eq!(c.broken(), [""; 0]);
            if release {
                c.cloud.released("tis");
            }
            c.look().await;
            c.start(incident::GREEN).await;
            c.broken()
        })
    };
    assert_eq!(run(false), ["S11 Caps"]);
    assert_eq!(run(true), [""; 0]);
}

#[test]
fn s18_a_stopped_instance_beyond_the_count_is_left_alone() {
    let mut one = declared();
    one.services[0].slots.truncate(1);
    one.services[0].slots[0].select =
        Select::Ids(vec![incident::BLUE.to_owned(), incident::GREEN.to_owned()]);
    let run = |declared: Declared| {
        judged(declared, |c| async move {
            c.look().await;
            c.start(incident::GREEN).await;
            c.broken()
        })
    };
    assert_eq!(run(one.clone()), ["S18 Others' intent"]);
    one.services[0].slots[0].count = 2;
    assert_eq!(run(one.clone()), [""; 0]);
    one.services[0].starts_stopped = false;
    assert_eq!(run(one), ["S18 Others' intent"]);
}

#[test]
fn s25_a_secret_in_a_request_is_seen() {
    let broken = judged(declared(), |c| async move {
        c.cloud.keep_secret("not-a-real-token");
        c.look().await;
        assert_eq!(c.broken(), [""; 0]);
        let tag = aws_sdk_ec2::types::Tag::builder()
            .key("hook")
            .value("x/not-a-real-token");
        let _ = c
            .ec2
            .create_tags()
            .resources(incident::GREEN)
            .tags(tag.build())
            .send()
            .await;
        c.broken()
    });
    assert_eq!(broken, ["S25 Secrets"]);
}

#[test]
fn only_evaluations_whose_premise_held_are_counted() {
    judged(declared(), |c| async move {
        c.look().await;
        let counted = |(name, count): (&'static str, u64)| (count > 0).then_some(name);
        let counted: Vec<&str> = c.cloud.premises().into_iter().filter_map(counted).collect();
        assert_eq!(counted, ["S22 Bounded"], "a look changes nothing");
        c.cloud
            .inject(When::action("StartInstances").once(), Fault::throttled());
        c.start(incident::GREEN).await;
        let premises = c.cloud.premises();
        for name in [
            "S1 Ownership",
            "S2 Identity",
            "S11 Caps",
            "S15 One writer",
            "S16 Freshness",
        ] {
            assert!(premises[name] > 0, "{name}");
        }
        assert_eq!(premises["S18 Others' intent"], 0, "no person stopped it");
        assert_eq!(premises.len(), 32);
        c.broken()
    });
}

#[test]
fn l2_a_stop_that_is_looked_at_thrice_and_not_healed_is_late() {
    let looks = |disturbed: bool| {
        judged(declared(), move |c| async move {
            // The first one only learns that no pause flag is set.
            for look in 0..4 {
                c.look().await;
                if disturbed && look == 2 {
                    c.cloud
                        .inject(When::action("DescribeInstances").once(), Fault::throttled());
                    let _ = c.ec2.describe_instances().send().await;
                }
                sleep(seconds(60)).await;
            }
            c.broken()
        })
    };
    assert_eq!(looks(false), ["L2 Prompt start"]);
    assert_eq!(looks(true), [""; 0], "what is not told cannot be known");
}

/// Green was not needed beside blue, until blue is gone so; how often it may be looked at then without being started.
fn looks_at_a_spare_until_late(gone: fn(&mut World)) -> usize {
    let is_late = |looks: usize| {
        let broken = judged(declared(), move |c| async move {
            let rename =
                |name: &'static str| move |w: &mut World| w.retag(incident::BLUE, "Name", Some(name));
            c.cloud.world(rename("tis-prod-green"));
            for look in 0..looks + 3 {
                if look == 3 {
                    c.cloud.world(gone);
                }
                c.look().await;
                sleep(seconds(60)).await;
            }
            c.broken()
        });
        broken == ["L2 Prompt start"]
    };
    (0..10).take_while(|looks| !is_late(*looks)).count() - 1
}

#[test]
fn l2_a_spare_waits_until_the_absence_of_the_other_is_believed_and_no_longer() {
    let retagged = |w: &mut World| assert!(w.retag(incident::BLUE, "Name", Some("somebody-elses")));
    assert_eq!(
        looks_at_a_spare_until_late(retagged),
        4,
        "two looks prove nothing"
    );
    let terminated = |w: &mut World| assert!(w.terminate(incident::BLUE));
    assert_eq!(
        looks_at_a_spare_until_late(terminated),
        2,
        "AWS says that it is gone"
    );
}

#[test]
fn s21_reads_beyond_a_quarter_of_the_grant_are_seen_in_the_steady_state() {
    let reads = |every_ms: u64| {
        judged(declared(), move |c| async move {
            healed(&c).await;
            for _ in 0..120 {
                let _ = c.ec2.describe_instance_status().max_results(5).send().await;
                sleep(Duration::from_millis(every_ms)).await;
            }
            // That no mutation comes of it is seen at a later call.
            sleep(Duration::from_secs(31)).await;
            let _ = c.ec2.describe_instance_status().max_results(5).send().await;
            c.broken()
        })
    };
    assert_eq!(reads(50), ["S21 Budget"]);
    assert_eq!(reads(250), [""; 0]);
}

/// The intent that says what a start of green needs.
pub(super) fn intent(id: &str, state: &str, request_id: Option<&str>) -> IntentRow {
    IntentRow {
        id: id.to_owned(),
        operation: "StartInstances".to_owned(),
        state: state.to_owned(),
        instances: BTreeSet::from([incident::GREEN.to_owned()]),
        policy_version: Some("1".to_owned()),
        reason: Some("stopped by AWS".to_owned()),
        outcome: request_id.map(|_| "accepted".to_owned()),
        request_id: request_id.map(str::to_owned),
    }
}

#[test]
fn s5_no_intent_no_mutation_and_one_mutation_an_intent() {
    let starts = |intents: usize| {
        judged(declared(), move |c| async move {
            c.cloud.journal_opened(1, Vec::new());
            for n in 0..2 {
                if n < intents {
                    c.cloud
                        .journal_committed(vec![intent(&format!("intent-{n}"), "open", None)]);
                }
                c.cloud
                    .inject(When::action("StartInstances").once(), Fault::throttled());
                c.look().await;
                c.start(incident::GREEN).await;
                sleep(seconds(60)).await;
            }
            c.broken()
        })
    };
    assert_eq!(starts(2), [""; 0]);
    assert_eq!(starts(1), ["S5 Write-ahead"], "one intent, sent twice");
    assert_eq!(starts(0), ["S5 Write-ahead"]);
}

#[test]
fn s5_and_s23_an_intent_ends_once_and_names_the_request() {
    let ends = |request_id: &'static str, twice: bool| {
        judged(declared(), move |c| async move {
            c.cloud.journal_opened(1, Vec::new());
            c.cloud.journal_committed(vec![intent("intent-1", "open", None)]);
            c.look().await;
            c.start(incident::GREEN).await;
            c.cloud
                .journal_committed(vec![intent("intent-1", "ended", Some(request_id))]);
            if twice {
                c.cloud
                    .journal_committed(vec![intent("intent-1", "ended", Some("another"))]);
            }
            c.broken()
        })
    };
    assert_eq!(ends("invented", false), ["S23 Audit"]);
    assert!(ends("invented", true).contains(&"S5 Write-ahead"));
}
