//! The incident's first half, and what may go wrong with it.

use super::stage::*;
use keepgreen::sim::world::builder::incident::{BLUE, GREEN, IMAGE};
use keepgreen::sim::{Fault, When};
use std::time::Duration;

fn strike(stage: &keepgreen::sim::Stage) {
    stage.cloud.declare(declared());
    stage.cloud.world(|world| {
        world.stop_by_aws(GREEN, "Server.ScheduledStop");
        world.deregister_image(IMAGE);
    });
}

/// Both run and serve, on all ports.
fn assert_whole(stage: &keepgreen::sim::Stage) {
    let end = end_state(stage);
    assert!(
        end.values().all(|word| word == "Running" || word == "healthy"),
        "{end:#?}\n{}",
        stage.cloud.story()
    );
}

#[test]
fn green_is_started_and_serves_again_and_blue_is_never_touched() {
    at_night(1, async |stage| {
        live(stage, 3).await;
        strike(stage);
        live(stage, 15).await;
        assert_whole(stage);
        let writes: Vec<String> = stage
            .cloud
            .calls()
            .iter()
            .filter(|call| call.is_write)
            .map(|call| call.params.clone())
            .collect();
        assert_eq!(writes.len(), 1, "{}", stage.cloud.story());
        assert!(writes[0].contains(GREEN) && !writes[0].contains(BLUE));
        live(stage, 60).await;
        assert_eq!(count(stage, "StartInstances"), 1, "run again: nothing to do");
        nothing_broken(stage);
    });
}

#[test]
fn both_stopped_are_started_in_one_request() {
    at_night(2, async |stage| {
        strike(stage);
        stage
            .cloud
            .world(|world| world.stop_by_aws(BLUE, "Server.InternalError"));
        // Each stops in its own time; keepgreen comes once both have.
        tokio::time::sleep(Duration::from_secs(300)).await;
        live(stage, 15).await;
        assert_whole(stage);
        assert_eq!(count(stage, "StartInstances"), 1, "{}", stage.cloud.story());
        nothing_broken(stage);
    });
}

#[test]
fn a_lost_answer_is_settled_by_looking_and_not_sent_again_blind() {
    at_night(3, async |stage| {
        strike(stage);
        stage
            .cloud
            .inject(When::action("StartInstances").once(), Fault::AppliedNoAnswer);
        live(stage, 15).await;
        assert_whole(stage);
        assert_eq!(count(stage, "StartInstances"), 1, "{}", stage.cloud.story());
        nothing_broken(stage);
    });
}

#[test]
fn every_fault_of_a_read_allows_safe_starts_at_the_most_and_is_survived() {
    let actions = [
        "GetCallerIdentity",
        "DescribeInstances",
        "DescribeInstanceStatus",
        "DescribeInstanceImageMetadata",
        "DescribeImages",
        "DescribeTargetGroups",
        "DescribeTargetHealth",
    ];
    let faults = [
        Fault::throttled(),
        Fault::not_authorized("it"),
        Fault::HtmlError(503),
        Fault::Hang,
        Fault::ConnectionRefused,
        Fault::DnsFailure,
        Fault::EmptyAnswer,
        Fault::Truncated,
        Fault::UnknownMember("running".to_owned()),
        Fault::UnknownMember("stopped".to_owned()),
        Fault::UnknownMember("healthy".to_owned()),
        Fault::Stale(Duration::from_secs(240)),
    ];
    let mut seed = 100;
    for action in actions {
        for fault in &faults {
            seed += 1;
            at_night(seed, async |stage| {
                live(stage, 2).await;
                strike(stage);
                stage.cloud.inject(When::action(action), fault.clone());
                live(stage, 10).await;
                nothing_broken(stage);
                stage.cloud.end_faults();
                live(stage, 20).await;
                assert_whole(stage);
                nothing_broken(stage);
                let writes = stage.cloud.calls().iter().filter(|call| call.is_write).count();
                assert!(writes <= 3, "{action} {fault:?}: {}", stage.cloud.story());
            });
        }
    }
}

#[test]
fn a_start_that_falls_back_each_time_is_quarantined_after_three_attempts() {
    at_night(4, async |stage| {
        strike(stage);
        stage.cloud.world(|world| world.fail_start(GREEN, 100));
        live(stage, 240).await;
        assert_eq!(count(stage, "StartInstances"), 3, "{}", stage.cloud.story());
        nothing_broken(stage);
    });
}

#[test]
fn capacity_is_waited_for_without_quarantine() {
    at_night(5, async |stage| {
        strike(stage);
        stage
            .cloud
            .inject(When::action("StartInstances"), Fault::no_capacity());
        live(stage, 180).await;
        let tries = count(stage, "StartInstances");
        assert!((15..=60).contains(&tries), "{tries}");
        stage.cloud.end_faults();
        live(stage, 15).await;
        assert_whole(stage);
        nothing_broken(stage);
    });
}

#[test]
fn the_wrong_account_is_refused() {
    let policy = format!("account: \"999999999999\"\n{TIS}");
    let world = keepgreen::sim::world::builder::incident::world(6).build();
    on_stage(6, &[("tis.yaml", &policy)], world, async |stage| {
        strike(stage);
        live(stage, 30).await;
        assert_eq!(count(stage, "StartInstances"), 0);
    });
}

#[test]
fn the_wall_clock_may_jump_and_the_machine_may_sleep() {
    at_night(7, async |stage| {
        live(stage, 2).await;
        strike(stage);
        stage
            .cloud
            .clock()
            .machine()
            .set_wall_forward(jiff::SignedDuration::from_hours(-2));
        live(stage, 15).await;
        stage.cloud.clock().machine().suspend(Duration::from_secs(600));
        live(stage, 15).await;
        assert_whole(stage);
        nothing_broken(stage);
    });
}
