//! Two more reference scenarios, in which one instance takes another's place: its image is gone, or AWS has terminated it.
//!
//! Only green's is replaced: blue came from another image, which stays. The graces are no longer than the three looks that
//! any replacement takes, and a drained target is gone in seconds; everything else has its usual order.

use super::scenario::{Scenario, brisk};
use keepgreen::sim::oracle::{Declared, Heal, Membership, Replace, Service};
use keepgreen::sim::world::builder::incident::{BLUE, GREEN, IMAGE};
use keepgreen::sim::world::builder::{ACCOUNT, REGION};
use keepgreen::sim::world::{ImageSpec, InstanceSpec, Scope, WorldBuilder};
use std::time::Duration;

pub const OF_GONE_IMAGE: &str = "its image gone, replaced";
pub const TERMINATED: &str = "terminated by AWS, rebuilt";

/// Blue's, and what green's replacement is launched from.
const GOOD_IMAGE: &str = "ami-0b5e0000000000001";
const GRACE: Duration = Duration::from_secs(10);

const POLICY: &str = "\
service: tis
slots:
  blue:  { select: { tags: { Name: tis-prod-blue } },  target_groups: [tis-prod] }
  green: { select: { tags: { Name: tis-prod-green } }, target_groups: [tis-prod, { name: tis-upload, port: 8443, min_healthy: 0 }] }
heal: { deregistered: register }
grace: { image_gone: 10s, missing: 10s, deregistered: 10s }
limits: { cooldown: 10s }
replace:
  image: [ { id: ami-0b5e0000000000001 } ]
";

pub const ALL: [Scenario; 2] = [
    Scenario {
        name: OF_GONE_IMAGE,
        world,
        policy: || POLICY.to_owned(),
        config: |_| {},
        declared,
        known_for: Duration::ZERO,
        strike: |world| {
            let root = world
                .instance(GREEN)
                .map(|i| i.root_device.clone())
                .unwrap_or_default();
            world.set_delete_on_termination(GREEN, &root, false);
            world.deregister_image(IMAGE);
        },
        victim: GREEN,
        settled_after: Duration::from_secs(600),
    },
    Scenario {
        name: TERMINATED,
        world,
        policy: || POLICY.to_owned(),
        config: |_| {},
        declared,
        // Its blueprint is recorded while it runs.
        known_for: Duration::from_secs(5),
        strike: |world| {
            world.terminate_by_aws(GREEN, "Server.InternalError");
        },
        // Nothing more can happen to green.
        victim: BLUE,
        settled_after: Duration::from_secs(600),
    },
];

fn world(seed: u64) -> WorldBuilder {
    let instance = |id: &str, name: &str| InstanceSpec::new(id).name(name);
    WorldBuilder::new(seed)
        .image(ImageSpec::new(IMAGE))
        .image(ImageSpec::new(GOOD_IMAGE))
        .instance(
            instance(BLUE, "tis-prod-blue")
                .zone("eu-west-2a")
                .image(GOOD_IMAGE),
        )
        .instance(instance(GREEN, "tis-prod-green").zone("eu-west-2b"))
        .target_group(brisk("tis-prod", 8080).drains_in(8).target(BLUE).target(GREEN))
        .target_group(brisk("tis-upload", 8443).drains_in(8).target(GREEN))
}

fn declared() -> Declared {
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
    service.heal = Heal {
        image_gone: Some(GRACE),
        missing: Some(GRACE),
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
