//! Crash phases, and runs that repeat.

use std::cell::Cell;
use std::rc::Rc;

use super::*;
use crate::record::CommitHook;
use crate::sim::crash::{CrashPhase, CrashPlan, Crashed};
use crate::sim::fault::{Fault, When};
use crate::sim::world::{InstanceSpec, State};

fn one_stopped() -> WorldBuilder {
    WorldBuilder::new(1).instance(InstanceSpec::new(&id(1)).stopped("Server.ScheduledStop"))
}

/// A process in small: look, start, commit the outcome, look again.
async fn process(cloud: &Cloud, life: &Incarnation, commits: &Cell<u32>) {
    let ec2 = aws_sdk_ec2::Client::new(&sdk_of(cloud, life, ACCOUNT, REGION));
    ec2.describe_instances().send().await.unwrap();
    ec2.start_instances().instance_ids(id(1)).send().await.unwrap();
    for what in ["looks", "end-intent"] {
        if life.before_commit(what) {
            commits.set(commits.get() + u32::from(what == "end-intent"));
            life.after_commit(what);
        }
    }
    ec2.describe_instances().send().await.unwrap();
}

#[test]
fn each_phase_leaves_the_world_and_the_journal_as_it_says() {
    for (phase, state, committed) in [
        (CrashPhase::BeforeSend, State::Stopped, 0),
        (CrashPhase::EffectDoneAnswerLost, State::Pending, 0),
        (CrashPhase::AnswerReadOutcomeNotDurable, State::Pending, 0),
        (CrashPhase::After, State::Pending, 1),
    ] {
        simulate(one_stopped(), |cloud| async move {
            let commits = Cell::new(0);
            let life = Incarnation::controller(1).with_crash(CrashPlan { call: 2, phase });
            let ended = life.run(process(&cloud, &life, &commits)).await;
            assert_eq!(ended, Err(Crashed), "{phase:?}");
            let seen = (cloud.world(|w| w.instance(&id(1)).unwrap().state), commits.get());
            assert_eq!(seen, (state, committed), "{phase:?}\n{}", cloud.story());
        });
    }
}

#[test]
fn every_call_of_a_recorded_run_is_a_crash_point_and_none_is_missed() {
    let calls = simulate(one_stopped(), |cloud| async move {
        let life = Incarnation::controller(1);
        life.run(process(&cloud, &life, &Cell::new(0))).await.unwrap();
        cloud.calls()
    });
    assert_eq!(calls.iter().map(|c| c.call).collect::<Vec<_>>(), [1, 2, 3]);
    for (call, phase) in calls
        .iter()
        .flat_map(|c| CrashPhase::ALL.map(|phase| (c.call, phase)))
    {
        let died = simulate(one_stopped(), |cloud| async move {
            let life = Incarnation::controller(1).with_crash(CrashPlan { call, phase });
            let ended = life.run(process(&cloud, &life, &Cell::new(0))).await;
            // The next life is another process, and nothing holds it back.
            let next = Incarnation::controller(2);
            next.run(process(&cloud, &next, &Cell::new(0))).await.unwrap();
            ended == Err(Crashed)
        });
        // After the last call's answer there is no commit and no further call to die at.
        let is_past_the_end = call == 3 && phase >= CrashPhase::AnswerReadOutcomeNotDurable;
        assert_eq!(died, !is_past_the_end, "call {call} {phase:?}");
    }
}

#[test]
fn nothing_of_a_dead_process_runs_on() {
    struct SaysWhenDropped(Rc<Cell<bool>>);
    impl Drop for SaysWhenDropped {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    simulate(one_stopped(), |cloud| async move {
        let (dropped, went_on) = (Rc::new(Cell::new(false)), Cell::new(false));
        let life = Incarnation::controller(1);
        let marker = SaysWhenDropped(dropped.clone());
        let ended = life
            .run(async {
                let _marker = marker;
                let ec2 = aws_sdk_ec2::Client::new(&sdk_of(&cloud, &life, ACCOUNT, REGION));
                life.kill();
                // The same poll may go on, but nothing it sends is ever answered.
                ec2.start_instances().instance_ids(id(1)).send().await.unwrap();
                went_on.set(true);
            })
            .await;
        assert_eq!((ended, dropped.get(), went_on.get()), (Err(Crashed), true, false));
        assert_eq!(cloud.count("StartInstances"), 0);
        assert!(!life.before_commit("looks"));
    });
}

#[test]
fn a_process_that_waits_dies_when_killed_from_outside() {
    simulate(one_stopped(), |cloud| async move {
        cloud.inject(When::any(), Fault::Slow(seconds(3)));
        let life = Incarnation::controller(1);
        let killer = async {
            tokio::time::sleep(seconds(1)).await;
            life.kill();
        };
        let commits = Cell::new(0);
        let (ended, ()) =
            futures_util::future::join(life.run(process(&cloud, &life, &commits)), killer).await;
        assert_eq!(ended, Err(Crashed));
    });
}

fn run_once(seed: u64) -> (String, String) {
    simulate_seeded(seed, incident_with_trouble(seed), |cloud| async move {
        let sdk = sdk(&cloud);
        let (ec2, elb) = (
            aws_sdk_ec2::Client::new(&sdk),
            aws_sdk_elasticloadbalancingv2::Client::new(&sdk),
        );
        cloud.inject(When::any().after(3).times(2), Fault::Hang);
        for _ in 0..10 {
            let groups = elb.describe_target_groups().send();
            let _ = futures_util::future::join(ec2.describe_instances().send(), groups).await;
            let _ = ec2
                .start_instances()
                .instance_ids(crate::sim::world::incident::GREEN)
                .send()
                .await;
            tokio::time::sleep(seconds(5)).await;
        }
        (cloud.trace_hash(), cloud.story())
    })
}

fn incident_with_trouble(seed: u64) -> WorldBuilder {
    crate::sim::world::incident::world(seed)
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another() {
    let (first, again, other) = (run_once(5), run_once(5), run_once(6));
    assert_eq!(first, again);
    assert_ne!(first.0, other.0);
}

#[test]
fn retries_of_the_sdk_repeat_from_the_seed_too() {
    let run = |seed| {
        simulate_seeded(seed, one_stopped(), |cloud| async move {
            let retries = RetryConfig::standard().with_max_attempts(4);
            let config = sdk(&cloud).into_builder().retry_config(retries).build();
            let ec2 = aws_sdk_ec2::Client::new(&config);
            cloud.inject(When::action("DescribeInstances").times(3), Fault::throttled());
            ec2.describe_instances().send().await.unwrap();
            assert_eq!(cloud.count("DescribeInstances"), 4);
            cloud.trace_hash()
        })
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
