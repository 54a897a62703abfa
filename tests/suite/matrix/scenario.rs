//! Reference scenarios: short nights, each with its own calls, whose every call is disturbed in turn.

use crate::simulation::stage::{TIS, declared};
use keepgreen::policy::{Channel, Config, SecretRef};
use keepgreen::sim::oracle::{Declared, OperatorStop, Select, Slot};
use keepgreen::sim::world::builder::incident::{self, BLUE, GREEN, IMAGE};
use keepgreen::sim::world::builder::{ACCOUNT, REGION};
use keepgreen::sim::world::{GroupSpec, InstanceSpec, Scope, TargetGroupSpec, World, WorldBuilder};
use std::time::Duration;

/// The account that the role of `in_another_account` leads to.
const OTHER: &str = "999900001111";
const PAUSE: &str = "/keepgreen/pause";

/// One short night.
#[derive(Clone, Copy)]
pub struct Scenario {
    pub name: &'static str,
    pub world: fn(u64) -> WorldBuilder,
    pub policy: fn() -> String,
    pub config: fn(&mut Config),
    pub declared: fn() -> Declared,
    /// What happens before keepgreen's first life.
    pub strike: fn(&mut World),
    /// How long the undisturbed life takes until nothing changes any more.
    pub minutes: u64,
}

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "one stopped by AWS, its image gone",
        world: incident::world,
        policy: || TIS.to_owned(),
        config: |_| {},
        declared,
        strike: |world| {
            world.stop_by_aws(GREEN, "Server.ScheduledStop");
            world.deregister_image(IMAGE);
        },
        minutes: 3,
    },
    Scenario {
        name: "both stopped, one of them poisons the batch",
        world: incident::world,
        policy: || TIS.to_owned(),
        config: |_| {},
        declared,
        strike: |world| {
            world.stop_by_aws(GREEN, "Server.InternalError");
            world.stop_by_aws(BLUE, "Server.InternalError");
            world.poison(BLUE, Some("UnsupportedOperation"));
        },
        minutes: 3,
    },
    Scenario {
        name: "a start that does not hold, then one that does",
        world: incident::world,
        policy: || format!("{TIS}limits: {{ cooldown: 30s }}\n"),
        config: |_| {},
        declared,
        strike: |world| {
            world.stop_by_aws(GREEN, "Server.ScheduledStop");
            world.fail_start(GREEN, 1);
        },
        minutes: 4,
    },
    Scenario {
        name: "a stop by a person, announced and undone after its grace",
        world: incident::world,
        policy: || format!("{TIS}notify: [ops]\ngrace: {{ operator_stop: 1m }}\n"),
        config: |config| {
            let webhook = SecretRef::Env("HOOK".to_owned());
            config.channels.insert("ops".into(), Channel::Slack { webhook });
        },
        declared: || {
            let mut declared = declared();
            for service in &mut declared.services {
                service.operator_stop = OperatorStop::StartAfter(Duration::from_secs(60));
            }
            declared
        },
        strike: |world| {
            world.stop_by_person(GREEN);
        },
        minutes: 4,
    },
    Scenario {
        name: "through a role in another account, with a pause parameter, beside a scaling group",
        world: other_account,
        policy: || {
            format!(
                "{TIS}  spare: {{ select: {{ auto_scaling_group: tis-spare }} }}\naccount: \"{OTHER}\"\nrole: \
                 arn:aws:iam::{OTHER}:role/keepgreen\n"
            )
        },
        config: |config| config.pause_parameter = Some(PAUSE.to_owned()),
        declared: || {
            let mut declared = declared();
            declared.pause_parameter = Some((Scope::new(ACCOUNT, REGION), PAUSE.to_owned()));
            for service in &mut declared.services {
                service.scope = Scope::new(OTHER, REGION);
                service.slots.push(Slot {
                    name: "spare".to_owned(),
                    select: Select::Group("tis-spare".to_owned()),
                    idle: false,
                    count: 1,
                    groups: Vec::new(),
                });
            }
            declared
        },
        strike: |world| {
            world.stop_by_aws(GREEN, "Server.ScheduledStop");
        },
        minutes: 3,
    },
];

fn other_account(seed: u64) -> WorldBuilder {
    let instance = |id: &str, name: &str| InstanceSpec::new(id).scope(OTHER, REGION).name(name);
    WorldBuilder::new(seed)
        .account(OTHER)
        .role(&format!("arn:aws:iam::{OTHER}:role/keepgreen"), None)
        .instance(instance(BLUE, "tis-prod-blue"))
        .instance(instance(GREEN, "tis-prod-green"))
        .instance(instance("i-05ba2e00000000003", "tis-spare").group("tis-spare"))
        .group(GroupSpec::new("tis-spare", 1, 1, 2).scope(OTHER, REGION))
        .target_group(group("tis-prod", 8080).target(BLUE).target(GREEN))
        .target_group(group("tis-upload", 8443).target(GREEN))
}

fn group(name: &str, port: u16) -> TargetGroupSpec {
    TargetGroupSpec::new(name, port).scope(OTHER, REGION)
}
