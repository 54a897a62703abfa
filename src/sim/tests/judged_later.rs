//! Oracles that need more than one call: what changes in between, what is counted, what happens in the end.

use tokio::time::sleep;

use super::judged::{Controller, declared, judged};
use super::*;
use crate::sim::fault::{Fault, When};
use crate::sim::oracle::{Declared, Select};
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
        assert!(c.cloud.premises().values().all(|count| *count == 0));
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
