//! Starting, stopping, health and events, over virtual time.

use tokio::time::sleep;

use super::*;
use crate::sim::world::{App, Health, InstanceSpec, Pace, State, TargetGroupSpec, incident};

fn state_name(state: Option<&aws_sdk_ec2::types::InstanceState>) -> &str {
    state
        .and_then(|s| s.name())
        .map_or("(none)", |name| name.as_str())
}

#[test]
fn a_started_instance_boots_passes_its_checks_and_serves_again() {
    simulate(incident::world(3), |cloud| async move {
        let health = || {
            cloud.world(|w| {
                w.target_group("tis-prod")
                    .unwrap()
                    .health_of(incident::GREEN, 8080)
            })
        };
        cloud.world(|w| assert!(w.stop_by_aws(incident::GREEN, "Server.ScheduledStop")));
        assert_eq!(health(), Health::NotRunning(State::Stopping));
        sleep(seconds(60)).await;
        assert_eq!(health(), Health::NotRunning(State::Stopped));
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        ec2.start_instances()
            .instance_ids(incident::GREEN)
            .send()
            .await
            .unwrap();
        let mut seen = vec![health()];
        for _ in 0..300 {
            sleep(seconds(1)).await;
            seen.push(health());
        }
        seen.dedup();
        let booted = [
            Health::NotRunning(State::Pending),
            Health::Registering,
            Health::InitialChecks,
            Health::Healthy,
        ];
        assert_eq!(seen, booted);
        let answer = ec2.describe_instance_status().send().await.unwrap();
        for status in answer.instance_statuses() {
            assert_eq!(status.instance_status().unwrap().status().unwrap().as_str(), "ok");
        }
    });
}

#[test]
fn who_stopped_it_is_told_and_a_repeated_start_changes_nothing() {
    simulate(incident::world(3), |cloud| async move {
        cloud.world(|w| assert!(w.stop_by_aws(incident::GREEN, "Server.ScheduledStop")));
        sleep(seconds(60)).await;
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let answer = ec2
            .describe_instances()
            .instance_ids(incident::GREEN)
            .send()
            .await
            .unwrap();
        let green = &answer.reservations()[0].instances()[0];
        assert_eq!(green.state_reason().unwrap().code(), Some("Server.ScheduledStop"));
        // The free text beside it blames the user.
        assert!(
            green
                .state_transition_reason()
                .unwrap()
                .starts_with("User initiated (")
        );
        let start = async || {
            let answer = ec2
                .start_instances()
                .instance_ids(incident::GREEN)
                .send()
                .await
                .unwrap();
            let change = &answer.starting_instances()[0];
            (
                state_name(change.previous_state()).to_owned(),
                state_name(change.current_state()).to_owned(),
            )
        };
        let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        assert_eq!(start().await, pair("stopped", "pending"));
        assert_eq!(start().await, pair("pending", "pending"));
        sleep(seconds(60)).await;
        assert_eq!(start().await, pair("running", "running"));
    });
}

#[test]
fn one_bad_id_fails_the_whole_batch_and_nothing_starts() {
    let stopped = |n| InstanceSpec::new(&id(n)).stopped("Server.ScheduledStop");
    let world = WorldBuilder::new(1)
        .without_throttling()
        .instance(stopped(1))
        .instance(stopped(2))
        .instance(InstanceSpec::new(&id(3)));
    simulate(world, |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let start = async |ids: &[usize]| {
            let ids = ids.iter().map(|n| id(*n)).collect();
            let answer = ec2.start_instances().set_instance_ids(Some(ids)).send().await;
            answer.map(|_| ()).map_err(|e| code(&e).to_owned())
        };
        assert_eq!(start(&[1, 9]).await, Err("InvalidInstanceID.NotFound".to_owned()));
        cloud.world(|w| assert!(w.terminate(&id(3))));
        assert_eq!(start(&[1, 3]).await, Err("IncorrectInstanceState".to_owned()));
        cloud.world(|w| w.poison(&id(2), Some("UnsupportedOperation")));
        assert_eq!(start(&[1, 2]).await, Err("UnsupportedOperation".to_owned()));
        assert_eq!(cloud.world(|w| w.instance(&id(1)).unwrap().state), State::Stopped);
        let dry = ec2
            .start_instances()
            .instance_ids(id(1))
            .dry_run(true)
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&dry), "DryRunOperation");
        assert_eq!(cloud.world(|w| w.instance(&id(1)).unwrap().state), State::Stopped);
        assert_eq!(start(&[1]).await, Ok(()));
    });
}

#[test]
fn a_start_without_capacity_is_a_5xx_and_one_that_does_not_hold_falls_back() {
    let world = WorldBuilder::new(1).instance(InstanceSpec::new(&id(1)).stopped("Server.ScheduledStop"));
    simulate(world, |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        cloud.world(|w| w.capacity("eu-west-2a", Some("m5.large"), false));
        let error = ec2
            .start_instances()
            .instance_ids(id(1))
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&error), "InsufficientInstanceCapacity");
        assert_eq!(error.raw_response().unwrap().status().as_u16(), 500);
        cloud.world(|w| w.capacity("eu-west-2a", Some("m5.large"), true));
        cloud.world(|w| w.fail_start(&id(1), 1));
        ec2.start_instances().instance_ids(id(1)).send().await.unwrap();
        sleep(seconds(60)).await;
        let (state, reason) = cloud.world(|w| {
            let instance = w.instance(&id(1)).unwrap();
            (instance.state, instance.reason.clone().unwrap().code)
        });
        assert_eq!((state, reason.as_str()), (State::Stopped, "Client.InternalError"));
        ec2.start_instances().instance_ids(id(1)).send().await.unwrap();
        sleep(seconds(60)).await;
        assert_eq!(cloud.world(|w| w.instance(&id(1)).unwrap().state), State::Running);
    });
}

#[test]
fn thresholds_decide_when_a_broken_application_is_unhealthy_and_a_mended_one_healthy() {
    let world = WorldBuilder::new(1)
        .instance(InstanceSpec::new(&id(1)))
        .target_group(TargetGroupSpec::new("web", 80).checks(10, 3, 2).target(&id(1)));
    simulate(world, |cloud| async move {
        let health = || cloud.world(|w| w.target_group("web").unwrap().health_of(&id(1), 80));
        let changes_after = async |wanted: Health| {
            let mut waited = 0;
            while health() != wanted {
                sleep(Duration::from_millis(100)).await;
                waited += 1;
                assert!(waited < 1000, "never {wanted:?}");
            }
            f64::from(waited) / 10.0
        };
        cloud.world(|w| w.set_app(&id(1), App::Broken));
        let until_unhealthy = changes_after(Health::UnhealthyErrorCode).await;
        assert!((10.0..=20.1).contains(&until_unhealthy), "{until_unhealthy}");
        cloud.world(|w| w.set_app(&id(1), App::BootsForever));
        changes_after(Health::UnhealthyTimeout).await;
        cloud.world(|w| w.set_app(&id(1), App::Serving));
        let until_healthy = changes_after(Health::Healthy).await;
        assert!((20.0..=30.1).contains(&until_healthy), "{until_healthy}");
        // One failed check in between is not enough.
        cloud.world(|w| w.set_app(&id(1), App::Broken));
        sleep(seconds(9)).await;
        cloud.world(|w| w.set_app(&id(1), App::Serving));
        sleep(seconds(60)).await;
        let flips = cloud.world(|w| {
            w.log()
                .about(&id(1))
                .filter(|e| e.what.contains("unhealthy"))
                .count()
        });
        assert_eq!((health(), flips), (Health::Healthy, 3), "{}", cloud.story());
    });
}

#[test]
fn targets_are_keyed_by_port_and_drain_when_deregistered() {
    simulate(incident::world(1), |cloud| async move {
        let elb = aws_sdk_elasticloadbalancingv2::Client::new(&sdk(&cloud));
        let arn = cloud.world(|w| w.target_group("tis-upload").unwrap().arn.clone());
        let states = async || {
            let answer = elb
                .describe_target_health()
                .target_group_arn(&arn)
                .send()
                .await
                .unwrap();
            let lines = answer.target_health_descriptions().iter();
            let health = lines.map(|d| d.target_health().unwrap().state().unwrap().as_str().to_owned());
            health.collect::<Vec<_>>()
        };
        assert_eq!(states().await, ["healthy"]);
        let asked = aws_sdk_elasticloadbalancingv2::types::TargetDescription::builder()
            .id(incident::GREEN)
            .port(1)
            .build();
        let answer = elb
            .describe_target_health()
            .target_group_arn(&arn)
            .targets(asked)
            .send()
            .await
            .unwrap();
        let health = answer.target_health_descriptions()[0].target_health().unwrap();
        assert_eq!(health.reason().unwrap().as_str(), "Target.NotRegistered");
        cloud.world(|w| assert!(w.deregister_target("tis-upload", incident::GREEN, None)));
        assert_eq!(states().await, ["draining"]);
        sleep(seconds(61)).await;
        assert_eq!(states().await, [""; 0]);
        assert_eq!(
            cloud.world(|w| w.target_group("tis-prod").unwrap().healthy_count()),
            2
        );
        cloud.world(|w| assert!(w.register_target("tis-upload", incident::GREEN, None)));
        assert_eq!(states().await, ["initial"]);
        sleep(seconds(60)).await;
        assert_eq!(states().await, ["healthy"]);
        cloud.world(|w| w.set_in_use("tis-upload", false));
        assert_eq!(states().await, ["unused"]);
    });
}

#[test]
fn a_retirement_stops_the_instance_when_its_time_comes_unless_it_has_moved() {
    let world = incident::world(1).pace(Pace {
        stop_s: 10..=10,
        ..Pace::default()
    });
    simulate(world, |cloud| async move {
        let due = cloud.clock().now() + seconds(3600);
        cloud.world(|w| {
            w.schedule_event(incident::GREEN, "instance-retirement", due);
            w.schedule_event(incident::BLUE, "instance-retirement", due);
            assert!(w.stop_by_person(incident::BLUE));
        });
        sleep(seconds(60)).await;
        cloud.world(|w| assert!(w.start_by_person(incident::BLUE)));
        sleep(seconds(3600)).await;
        cloud.world(|w| {
            let green = w.instance(incident::GREEN).unwrap();
            assert_eq!(green.state, State::Stopped);
            assert_eq!(green.reason.as_ref().unwrap().code, "Server.ScheduledStop");
            let blue = w.instance(incident::BLUE).unwrap();
            assert_eq!(blue.state, State::Running);
            assert!(blue.events[0].description.starts_with("[Completed]"));
        });
    });
}

#[test]
fn a_terminated_instance_lingers_an_hour_and_leaves_its_target_groups() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        ec2.terminate_instances()
            .instance_ids(incident::GREEN)
            .send()
            .await
            .unwrap();
        sleep(seconds(120)).await;
        let count = async || {
            ec2.describe_instances()
                .send()
                .await
                .unwrap()
                .reservations()
                .len()
        };
        assert_eq!(count().await, 2);
        assert_eq!(
            cloud.world(|w| w
                .target_group("tis-prod")
                .unwrap()
                .targets
                .values()
                .filter_map(|t| t.now())
                .count()),
            1
        );
        sleep(seconds(3600)).await;
        assert_eq!(count().await, 1);
    });
}

#[test]
fn an_instance_may_shut_itself_down_after_each_boot() {
    let app = App::ShutsDownAfter(seconds(100));
    let world = WorldBuilder::new(1).instance(
        InstanceSpec::new(&id(1))
            .stopped("Client.InstanceInitiatedShutdown")
            .app(app),
    );
    simulate(world, |cloud| async move {
        for _ in 0..2 {
            cloud.world(|w| assert!(w.start_by_person(&id(1))));
            sleep(seconds(200)).await;
            let state = cloud.world(|w| w.instance(&id(1)).unwrap().state);
            assert_eq!(state, State::Stopped);
        }
    });
}
