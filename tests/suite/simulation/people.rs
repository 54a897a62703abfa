//! What people do and what they are told: stops by hand, notices once each, broken channels.

use super::stage::*;
use keepgreen::policy::{Channel, SecretRef};
use keepgreen::sim::world::builder::incident::{self, GREEN};
use keepgreen::sim::world::webhook::WebhookAnswer;
use keepgreen::sim::{Fault, Stage, When};
use std::time::Duration;

const HOST: &str = "hooks.slack.test";

/// The incident's service, with a Slack channel.
fn told<T>(seed: u64, more: &str, night: impl AsyncFnOnce(&mut Stage) -> T) -> T {
    let policy = format!("{TIS}notify: [ops]\n{more}");
    on_stage(
        seed,
        &[("tis.yaml", &policy)],
        incident::world(seed).build(),
        async |stage| {
            let channel = Channel::Slack {
                webhook: SecretRef::Env("HOOK".to_owned()),
            };
            stage.config.channels.insert("ops".into(), channel);
            stage.cloud.declare(declared());
            night(stage).await
        },
    )
}

fn messages(stage: &Stage) -> Vec<String> {
    stage
        .cloud
        .world(|world| world.posts(HOST).iter().map(|post| post.body.clone()).collect())
}

fn about<'a>(messages: &'a [String], words: &str) -> Vec<&'a String> {
    messages
        .iter()
        .filter(|message| message.contains(words))
        .collect()
}

#[test]
fn one_message_when_a_repair_begins_and_one_when_it_is_done_over_restarts() {
    told(51, "", async |stage| {
        live(stage, 2).await;
        stage
            .cloud
            .world(|world| world.stop_by_aws(GREEN, "Server.ScheduledStop"));
        for _ in 0..6 {
            live(stage, 3).await;
        }
        live(stage, 60).await;
        let messages = messages(stage);
        assert_eq!(about(&messages, "is being started").len(), 1, "{messages:#?}");
        assert_eq!(about(&messages, "is healthy again").len(), 1, "{messages:#?}");
        assert_eq!(messages.len(), 2, "{messages:#?}");
    });
}

#[test]
fn a_stop_by_a_person_is_announced_and_started_after_its_grace() {
    told(52, "", async |stage| {
        live(stage, 2).await;
        stage.cloud.world(|world| world.stop_by_person(GREEN));
        live(stage, 10).await;
        assert_eq!(about(&messages(stage), "was stopped by a person").len(), 1);
        assert_eq!(count(stage, "StartInstances"), 0);
        live(stage, 15).await;
        assert_eq!(count(stage, "StartInstances"), 1);
        nothing_broken(stage);
    });
}

#[test]
fn respect_leaves_it_and_says_so_once() {
    told(53, "heal: { stopped_by_operator: respect }\n", async |stage| {
        stage.cloud.world(|world| world.stop_by_person(GREEN));
        live(stage, 300).await;
        assert_eq!(count(stage, "StartInstances"), 0);
        assert_eq!(
            about(&messages(stage), "was stopped by a person").len(),
            1,
            "{:#?}",
            messages(stage)
        );
    });
}

#[test]
fn a_channel_that_hangs_or_fails_delays_no_repair_and_is_told_later() {
    for (seed, answer) in [(54, WebhookAnswer::Hang), (55, WebhookAnswer::ServerError)] {
        told(seed, "", async |stage| {
            stage.cloud.world(|world| {
                world.set_webhook(HOST, answer.clone());
                world.stop_by_aws(GREEN, "Server.ScheduledStop");
            });
            live(stage, 10).await;
            assert_eq!(count(stage, "StartInstances"), 1, "{}", stage.cloud.story());
            stage
                .cloud
                .world(|world| world.set_webhook(HOST, WebhookAnswer::Ok));
            live(stage, 60).await;
            let delivered = messages(stage);
            assert!(
                !about(&delivered, "is healthy again").is_empty(),
                "{delivered:#?}"
            );
        });
    }
}

#[test]
fn quarantine_and_capacity_are_one_alert_each() {
    told(56, "", async |stage| {
        stage.cloud.world(|world| {
            world.stop_by_aws(GREEN, "Server.ScheduledStop");
            world.fail_start(GREEN, 100);
        });
        live(stage, 300).await;
        assert_eq!(
            about(&messages(stage), "quarantined").len(),
            1,
            "{:#?}",
            messages(stage)
        );
    });
    told(57, "", async |stage| {
        stage
            .cloud
            .world(|world| world.stop_by_aws(GREEN, "Server.ScheduledStop"));
        stage
            .cloud
            .inject(When::action("StartInstances"), Fault::no_capacity());
        live(stage, 300).await;
        assert_eq!(
            about(&messages(stage), "could not be started yet").len(),
            1,
            "{:#?}",
            messages(stage)
        );
    });
}

#[test]
fn ten_stopped_and_one_poisoned_are_nine_started_in_the_same_pass() {
    use keepgreen::sim::world::builder::{ImageSpec, InstanceSpec};
    let mut world = keepgreen::sim::world::WorldBuilder::new(58).image(ImageSpec::new(incident::IMAGE));
    for n in 0..10 {
        let id = format!("i-0000000000000000{n}");
        world = world.instance(
            InstanceSpec::new(&id)
                .name("many")
                .image(incident::IMAGE)
                .stopped("Server.InternalError"),
        );
    }
    let policy = "service: many\nslots:\n  all: { select: { tags: { Name: many } }, count: 10 }\n";
    for code in ["IncorrectInstanceState", "UnsupportedOperation"] {
        on_stage(
            58,
            &[("many.yaml", policy)],
            world.clone().build(),
            async |stage| {
                stage
                    .cloud
                    .world(|world| world.poison("i-00000000000000003", Some(code)));
                let begun = stage.cloud.clock().now();
                live(stage, 1).await;
                let running = end_state(stage)
                    .values()
                    .filter(|state| *state != "Stopped")
                    .count();
                assert_eq!(running, 9, "{}", stage.cloud.story());
                let calls = stage.cloud.calls();
                let starts: Vec<_> = calls
                    .iter()
                    .filter(|call| call.action == "StartInstances")
                    .collect();
                let last = starts.last().unwrap().sent;
                assert!(
                    last.duration_since(begun) < jiff::SignedDuration::from_secs(10),
                    "in the same pass"
                );
                assert!(starts.len() <= 10, "{}", starts.len());
            },
        );
    }
}

#[test]
fn a_full_disk_stops_mutations_and_healing_resumes_by_itself() {
    told(59, "", async |stage| {
        live(stage, 2).await;
        stage.max_pages = Some(1);
        stage
            .cloud
            .world(|world| world.stop_by_aws(GREEN, "Server.ScheduledStop"));
        let life = stage.next_life();
        stage.live(&life, Duration::from_secs(600), |_| {}).await;
        assert_eq!(count(stage, "StartInstances"), 0, "{}", stage.cloud.story());
        stage.max_pages = None;
        live(stage, 10).await;
        assert_eq!(count(stage, "StartInstances"), 1);
    });
}
