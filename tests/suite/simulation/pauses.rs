//! Paused by each source, at any moment of the repair: nothing further is sent within a second of its being readable.

use super::stage::*;
use keepgreen::sim::oracle::Declared;
use keepgreen::sim::world::Scope;
use keepgreen::sim::world::builder::incident::GREEN;
use keepgreen::sim::world::builder::{ACCOUNT, REGION};
use keepgreen::sim::{Stage, When};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const PARAMETER: &str = "/keepgreen/pause";

fn with_parameter(stage: &mut Stage) {
    stage.config.pause_parameter = Some(PARAMETER.to_owned());
    stage.cloud.declare(told(stage));
}

/// What is declared: with the parameter, if the config has it.
fn told(stage: &Stage) -> Declared {
    let name = stage.config.pause_parameter.clone();
    Declared {
        pause_parameter: name.map(|name| (Scope::new(ACCOUNT, REGION), name)),
        ..declared()
    }
}

/// Sets the flag at the first answer of `action` after the stop; no start may be sent then.
async fn paused_at(
    stage: &mut Stage,
    action: &str,
    set: impl Fn(&mut keepgreen::sim::world::World) + Send + 'static,
) -> usize {
    stage.cloud.declare(told(stage));
    stage
        .cloud
        .world(|world| world.stop_by_aws(GREEN, "Server.ScheduledStop"));
    tokio::time::sleep(std::time::Duration::from_secs(300)).await;
    let done = Arc::new(AtomicBool::new(false));
    let once = Arc::clone(&done);
    stage.cloud.on_call(When::action(action), move |world| {
        if !once.swap(true, Ordering::SeqCst) {
            set(world);
        }
    });
    live(stage, 20).await;
    assert!(done.load(Ordering::SeqCst), "{action} was never called");
    count(stage, "StartInstances")
}

#[test]
fn a_parameter_that_is_set_before_any_call_holds_and_its_removal_frees() {
    let scope = || Scope::new(ACCOUNT, REGION);
    for (seed, name) in [(31, PARAMETER.to_owned()), (32, format!("{PARAMETER}/tis"))] {
        at_night(seed, async |stage| {
            with_parameter(stage);
            let (here, flag) = (scope(), name.clone());
            let starts = paused_at(stage, "GetCallerIdentity", move |world| {
                world.set_parameter(&here, &flag, "{\"by\":\"ann\",\"reason\":\"release\"}");
            });
            assert_eq!(starts.await, 0, "{}", stage.cloud.story());
            stage
                .cloud
                .world(|world| world.delete_parameter_by_person(&scope(), &name));
            live(stage, 10).await;
            assert_eq!(count(stage, "StartInstances"), 1);
            nothing_broken(stage);
        });
    }
}

#[test]
fn a_tag_that_is_set_between_plan_and_look_holds() {
    at_night(33, async |stage| {
        stage.cloud.declare(declared());
        stage
            .cloud
            .world(|world| world.stop_by_aws(GREEN, "Server.ScheduledStop"));
        tokio::time::sleep(std::time::Duration::from_secs(300)).await;
        // The second listing of instances is the one that should admit the start.
        stage
            .cloud
            .on_call(When::action("DescribeInstances").after(1), |world| {
                world.retag(GREEN, "keepgreen:pause", Some(""));
            });
        live(stage, 20).await;
        assert_eq!(count(stage, "StartInstances"), 0, "{}", stage.cloud.story());
        nothing_broken(stage);
    });
}

#[test]
fn a_flag_that_cannot_be_read_is_a_set_flag() {
    at_night(34, async |stage| {
        with_parameter(stage);
        stage.cloud.inject(
            When::action("GetParameters"),
            keepgreen::sim::Fault::not_authorized("ssm:GetParameters"),
        );
        stage
            .cloud
            .world(|world| world.stop_by_aws(GREEN, "Server.ScheduledStop"));
        live(stage, 20).await;
        assert_eq!(count(stage, "StartInstances"), 0);
        stage.cloud.end_faults();
        live(stage, 10).await;
        assert_eq!(count(stage, "StartInstances"), 1);
    });
}

#[test]
fn files_and_the_policys_own_flag_hold_until_they_are_gone() {
    at_night(35, async |stage| {
        stage
            .cloud
            .world(|world| world.stop_by_aws(GREEN, "Server.ScheduledStop"));
        let state = stage.state().clone();
        std::fs::create_dir_all(state.join("pause.d")).unwrap();
        let policy = stage.config.policies.join("tis.yaml");
        let files = [state.join("pause"), state.join("pause.d/tis")];
        for file in &files {
            std::fs::write(file, "").unwrap();
            live(stage, 10).await;
            assert_eq!(count(stage, "StartInstances"), 0, "{}", file.display());
            std::fs::remove_file(file).unwrap();
        }
        std::fs::write(&policy, format!("pause: true\n{TIS}")).unwrap();
        live(stage, 10).await;
        assert_eq!(count(stage, "StartInstances"), 0);
        std::fs::write(&policy, TIS).unwrap();
        live(stage, 10).await;
        assert_eq!(count(stage, "StartInstances"), 1);
    });
}
