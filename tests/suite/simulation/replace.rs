//! The incident's second half: the image is gone, and one instance is exchanged for another while the service serves.

use super::stage::*;
use keepgreen::sim::oracle::{Declared, Heal, Membership, Replace, Service};
use keepgreen::sim::world::builder::incident::{self, BLUE, GREEN, IMAGE};
use keepgreen::sim::world::builder::{ACCOUNT, ImageSpec, REGION};
use keepgreen::sim::world::launch::ImageFault;
use keepgreen::sim::world::{Scope, State, World};
use keepgreen::sim::{CrashPhase, Ended, Fault, Stage, When};
use std::time::Duration;

/// What a replacement is made from.
pub const GOOD_IMAGE: &str = "ami-0b5e0000000000001";

pub const POLICY: &str = "\
service: tis
slots:
  blue:  { select: { tags: { Name: tis-prod-blue } },  target_groups: [tis-prod] }
  green: { select: { tags: { Name: tis-prod-green } }, target_groups: [tis-prod, { name: tis-upload, port: 8443, min_healthy: 0 }] }
heal: { deregistered: register }
grace: { image_gone: 2m, missing: 2m, deregistered: 2m }
replace:
  image: [ { id: ami-0b5e0000000000001 } ]
";

/// What the oracles are told of it.
pub fn declared() -> Declared {
    let slots = [("blue", "tis-prod-blue"), ("green", "tis-prod-green")];
    let mut service = Service::by_name("tis", Scope::new(ACCOUNT, REGION), &slots);
    let member = |group: &str, port: Option<u16>, min_healthy: Option<usize>| Membership {
        group: group.to_owned(),
        port,
        min_healthy,
    };
    service.slots[0].groups = vec![member("tis-prod", None, None)];
    service.slots[1].groups = vec![
        member("tis-prod", None, None),
        member("tis-upload", Some(8443), Some(0)),
    ];
    let grace = Some(Duration::from_secs(120));
    service.heal = Heal {
        image_gone: grace,
        missing: grace,
        ..service.heal
    };
    service.replace = Some(Replace {
        keep_elastic_ip: true,
        keep_data_volumes: true,
        keep_network_interface: false,
        terminates_old: false,
        retain: None,
    });
    Declared {
        services: vec![service],
        mutations_per_hour: Some(60),
        ..Declared::default()
    }
}

/// The incident's world with an image to launch from.
pub fn at_night_with_image(seed: u64, night: impl AsyncFnOnce(&mut Stage)) {
    let world = incident::world(seed).image(ImageSpec::new(GOOD_IMAGE)).build();
    on_stage(seed, &[("tis.yaml", POLICY)], world, async |stage: &mut Stage| {
        stage.cloud.declare(declared());
        night(stage).await;
    });
}

/// Instances of a name that run, and their ids.
pub fn running(stage: &Stage, name: &str) -> Vec<String> {
    stage.cloud.world(|world| {
        let running = world
            .instances()
            .filter(|i| i.state == State::Running && i.tag("Name") == Some(name));
        running.map(|i| i.id.clone()).collect()
    })
}

/// The slot has one instance that runs, another one than `old`, from the good image, healthy in its groups.
pub fn assert_replaced(stage: &Stage, name: &str, old: &str) {
    let story = || stage.cloud.story();
    let ids = running(stage, name);
    assert_eq!(ids.len(), 1, "{ids:?}\n{}", story());
    assert_ne!(ids[0], old, "{}", story());
    stage.cloud.world(|world| {
        let new = world.instance(&ids[0]).unwrap();
        assert_eq!(new.image, GOOD_IMAGE);
        assert_eq!(new.tag("keepgreen:replaces"), Some(old));
    });
    let end = end_state(stage);
    let healthy: Vec<_> = end
        .iter()
        .filter(|(key, _)| key.contains(&ids[0]) && key.contains(':'))
        .collect();
    assert!(
        !healthy.is_empty() && healthy.iter().all(|(_, word)| *word == "healthy"),
        "{end:#?}\n{}",
        story()
    );
}

#[test]
fn both_are_replaced_one_after_the_other_and_the_old_ones_are_stopped_and_marked() {
    at_night_with_image(1, async |stage| {
        stage.cloud.world(|world| outlives(world, GREEN));
        live(stage, 3).await;
        stage.cloud.world(|world| world.deregister_image(IMAGE));
        live(stage, 90).await;
        assert_replaced(stage, "tis-prod-green", GREEN);
        assert_replaced(stage, "tis-prod-blue", BLUE);
        assert_eq!(count(stage, "RunInstances"), 2, "{}", stage.cloud.story());
        stage.cloud.world(|world| {
            for old in [GREEN, BLUE] {
                let old = world.instance(old).unwrap();
                assert_eq!(old.state, State::Stopped);
                assert!(old.tag("keepgreen:retired").is_some());
            }
            let kept = |name: &str| {
                let new = world
                    .instances()
                    .find(|i| i.state == State::Running && i.tag("Name") == Some(name));
                let id = new.unwrap().id.as_str();
                let mut all = world.volumes().filter_map(|v| v.attachment.as_ref());
                !all.find(|a| a.instance == id).unwrap().delete_on_termination
            };
            assert!(kept("tis-prod-green"), "as the old one's");
            assert!(!kept("tis-prod-blue"), "as the old one's");
        });
        let writes = stage.cloud.calls().iter().filter(|call| call.is_write).count();
        live(stage, 120).await;
        let later = stage.cloud.calls().iter().filter(|call| call.is_write).count();
        assert_eq!(writes, later, "run again: nothing to do\n{}", stage.cloud.story());
        nothing_broken(stage);
    });
}

/// Its root volume is kept when it is terminated.
fn outlives(world: &mut World, id: &str) {
    let root = world.instance(id).unwrap().root_device.clone();
    assert!(world.set_delete_on_termination(id, &root, false));
}

/// The image of both is gone; green, alone in one of its groups, comes first.
pub fn strike_green(stage: &Stage) {
    stage.cloud.world(|world| {
        world.deregister_image(IMAGE);
    });
}

/// How many instances ever were launched in green's place and are alive.
pub fn alive_in_place_of(stage: &Stage, old: &str) -> usize {
    stage.cloud.world(|world| {
        let alive = |state: State| !matches!(state, State::Terminated | State::ShuttingDown);
        let mine = world
            .instances()
            .filter(|i| i.tag("keepgreen:replaces") == Some(old));
        mine.filter(|i| alive(i.state)).count()
    })
}

#[test]
fn the_incident_is_healed_first_and_rebuilt_later_and_one_target_is_healthy_at_every_moment() {
    at_night_with_image(2, async |stage| {
        live(stage, 3).await;
        stage.cloud.world(|world| {
            world.stop_by_aws(GREEN, "Server.ScheduledStop");
            world.deregister_image(IMAGE);
        });
        live(stage, 120).await;
        assert_replaced(stage, "tis-prod-green", GREEN);
        assert_replaced(stage, "tis-prod-blue", BLUE);
        let first_write = stage.cloud.calls().into_iter().find(|call| call.is_write);
        assert_eq!(
            first_write.map(|call| call.action),
            Some("StartInstances".to_owned())
        );
        nothing_broken(stage);
    });
}

#[test]
fn what_aws_terminated_is_rebuilt_from_what_was_recorded_of_it() {
    at_night_with_image(3, async |stage| {
        live(stage, 3).await;
        stage
            .cloud
            .world(|world| world.terminate_by_aws(GREEN, "Server.InternalError"));
        live(stage, 60).await;
        assert_replaced(stage, "tis-prod-green", GREEN);
        assert_eq!(count(stage, "RunInstances"), 1, "{}", stage.cloud.story());
        nothing_broken(stage);
    });
}

#[test]
fn what_a_person_terminated_is_replaced_only_after_an_hour_when_nobody_can_be_told() {
    at_night_with_image(4, async |stage| {
        live(stage, 3).await;
        stage.cloud.world(|world| world.terminate(GREEN));
        live(stage, 58).await;
        assert_eq!(count(stage, "RunInstances"), 0, "{}", stage.cloud.story());
        live(stage, 30).await;
        assert_replaced(stage, "tis-prod-green", GREEN);
        nothing_broken(stage);
    });
}

#[test]
fn where_no_source_resolves_nothing_is_launched() {
    let world = incident::world(5).build();
    on_stage(5, &[("tis.yaml", POLICY)], world, async |stage: &mut Stage| {
        stage.cloud.declare(declared());
        live(stage, 3).await;
        stage.cloud.world(|world| world.deregister_image(IMAGE));
        live(stage, 60).await;
        let writes = stage.cloud.calls().iter().filter(|call| call.is_write).count();
        assert_eq!(writes, 0, "{}", stage.cloud.story());
        nothing_broken(stage);
    });
}

#[test]
fn a_launch_whose_answer_is_lost_and_whose_process_dies_makes_one_instance() {
    for (seed, fault) in [
        (6, Fault::AppliedNoAnswer),
        (7, Fault::AppliedReset),
        (8, Fault::Hang),
        (9, Fault::CutOff),
    ] {
        at_night_with_image(seed, async |stage| {
            live(stage, 3).await;
            strike_green(stage);
            stage
                .cloud
                .inject(When::action("RunInstances").once(), fault.clone());
            live(stage, 40).await;
            assert_replaced(stage, "tis-prod-green", GREEN);
            nothing_broken(stage);
        });
    }
    for (seed, phase) in [
        (10, CrashPhase::BeforeSend),
        (11, CrashPhase::EffectDoneAnswerLost),
        (12, CrashPhase::AnswerReadOutcomeNotDurable),
        (13, CrashPhase::After),
    ] {
        at_night_with_image(seed, async |stage| {
            live(stage, 3).await;
            strike_green(stage);
            stage.cloud.crash(When::action("RunInstances").once(), phase);
            let life = stage.next_life();
            let ended = live_as(stage, &life, 30).await;
            assert!(matches!(ended, Ended::Crashed), "{ended:?}");
            live(stage, 40).await;
            assert_replaced(stage, "tis-prod-green", GREEN);
            nothing_broken(stage);
        });
    }
}

#[test]
fn one_that_never_serves_is_ended_tried_again_and_given_up_and_the_old_one_is_not_touched() {
    at_night_with_image(14, async |stage| {
        live(stage, 3).await;
        strike_green(stage);
        stage.cloud.world(|world| {
            outlives(world, GREEN);
            world.break_image(GOOD_IMAGE, Some(ImageFault::NeverServes));
        });
        live(stage, 180).await;
        stage.cloud.world(|world| {
            let mut left = world
                .volumes()
                .filter(|v| v.tags.contains_key("keepgreen:repair"));
            assert_eq!(
                left.next().map(|v| &v.id),
                None,
                "of what was launched nothing is left"
            );
        });
        assert_eq!(count(stage, "RunInstances"), 3, "{}", stage.cloud.story());
        assert_eq!(alive_in_place_of(stage, GREEN), 0, "{}", stage.cloud.story());
        let stops = stage
            .cloud
            .calls()
            .iter()
            .filter(|call| call.action == "StopInstances")
            .count();
        assert_eq!(stops, 0);
        let ended: Vec<_> = stage
            .cloud
            .calls()
            .iter()
            .filter(|call| call.action == "TerminateInstances")
            .map(|call| call.params.clone())
            .collect();
        assert!(
            ended.len() >= 3 && ended.iter().all(|params| !params.contains(GREEN)),
            "{ended:?}"
        );
        assert_eq!(running(stage, "tis-prod-green"), [GREEN]);
        nothing_broken(stage);
    });
}

#[test]
fn an_image_that_is_back_before_the_old_one_is_taken_out_ends_the_replacement() {
    at_night_with_image(15, async |stage| {
        live(stage, 3).await;
        strike_green(stage);
        live(stage, 3).await;
        assert_eq!(alive_in_place_of(stage, GREEN), 1, "{}", stage.cloud.story());
        stage.cloud.world(|world| world.restore_image(IMAGE));
        live(stage, 60).await;
        assert_eq!(
            running(stage, "tis-prod-green"),
            [GREEN],
            "{}",
            stage.cloud.story()
        );
        assert_eq!(alive_in_place_of(stage, GREEN), 0, "{}", stage.cloud.story());
        nothing_broken(stage);
    });
}

#[test]
fn one_that_is_terminated_by_a_person_on_its_way_is_launched_again_under_another_token() {
    at_night_with_image(16, async |stage| {
        live(stage, 3).await;
        strike_green(stage);
        live(stage, 4).await;
        let new = running(stage, "tis-prod-green")
            .into_iter()
            .find(|id| id != GREEN);
        let new = new.unwrap_or_else(|| panic!("{}", stage.cloud.story()));
        stage.cloud.world(|world| world.terminate(&new));
        live(stage, 60).await;
        assert_replaced(stage, "tis-prod-green", GREEN);
        nothing_broken(stage);
    });
}

#[test]
fn a_target_that_somebody_took_out_is_registered_again_after_its_grace_and_not_for_ever() {
    at_night_with_image(17, async |stage| {
        live(stage, 3).await;
        for _ in 0..5 {
            stage
                .cloud
                .world(|world| world.deregister_target("tis-prod", GREEN, Some(8080)));
            live(stage, 15).await;
        }
        assert_eq!(count(stage, "RegisterTargets"), 3, "{}", stage.cloud.story());
        nothing_broken(stage);
    });
}

#[test]
fn without_capacity_the_next_type_is_tried_and_then_the_next_subnet() {
    let policy = POLICY.replace("  image:", "  instance_types: [m5.xlarge]\n  image:");
    let world = incident::world(18).image(ImageSpec::new(GOOD_IMAGE)).build();
    on_stage(18, &[("tis.yaml", &policy)], world, async |stage: &mut Stage| {
        stage.cloud.declare(declared());
        live(stage, 3).await;
        stage
            .cloud
            .world(|world| world.capacity("eu-west-2b", Some("m5.large"), false));
        strike_green(stage);
        live(stage, 40).await;
        assert_replaced(stage, "tis-prod-green", GREEN);
        stage.cloud.world(|world| {
            let new = world
                .instances()
                .find(|i| i.tag("keepgreen:replaces") == Some(GREEN))
                .unwrap();
            assert_eq!(new.instance_type, "m5.xlarge");
        });
        nothing_broken(stage);
    });
}

#[test]
fn one_that_was_taken_out_of_both_its_groups_is_registered_in_both_after_one_grace() {
    at_night_with_image(19, async |stage| {
        live(stage, 3).await;
        stage.cloud.world(|world| {
            world.deregister_target("tis-prod", GREEN, Some(8080));
            world.deregister_target("tis-upload", GREEN, Some(8443));
        });
        live(stage, 15).await;
        assert_eq!(count(stage, "RegisterTargets"), 2, "{}", stage.cloud.story());
        let end = end_state(stage);
        for target in [
            format!("tis-prod {GREEN}:8080"),
            format!("tis-upload {GREEN}:8443"),
        ] {
            assert_eq!(end.get(&target).map(String::as_str), Some("healthy"), "{end:#?}");
        }
        nothing_broken(stage);
    });
}
