//! The incident's second half: the image is gone, and one instance is exchanged for another while the service serves.

use super::stage::*;
use keepgreen::sim::Stage;
use keepgreen::sim::oracle::{Declared, Heal, Membership, Replace, Service};
use keepgreen::sim::world::builder::incident::{self, BLUE, GREEN, IMAGE};
use keepgreen::sim::world::builder::{ACCOUNT, ImageSpec, REGION};
use keepgreen::sim::world::{Scope, State};
use std::time::Duration;

/// What a replacement is made from.
const GOOD_IMAGE: &str = "ami-0b5e0000000000001";

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
fn at_night_with_image(seed: u64, night: impl AsyncFnOnce(&mut Stage)) {
    let world = incident::world(seed).image(ImageSpec::new(GOOD_IMAGE)).build();
    on_stage(seed, &[("tis.yaml", POLICY)], world, async |stage: &mut Stage| {
        stage.cloud.declare(declared());
        night(stage).await;
    });
}

/// Instances of a name that run, and their ids.
fn running(stage: &Stage, name: &str) -> Vec<String> {
    stage.cloud.world(|world| {
        let running = world
            .instances()
            .filter(|i| i.state == State::Running && i.tag("Name") == Some(name));
        running.map(|i| i.id.clone()).collect()
    })
}

/// The slot has one instance that runs, another one than `old`, from the good image, healthy in its groups.
fn assert_replaced(stage: &Stage, name: &str, old: &str) {
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
        });
        let writes = stage.cloud.calls().iter().filter(|call| call.is_write).count();
        live(stage, 120).await;
        let later = stage.cloud.calls().iter().filter(|call| call.is_write).count();
        assert_eq!(writes, later, "run again: nothing to do\n{}", stage.cloud.story());
        nothing_broken(stage);
    });
}
