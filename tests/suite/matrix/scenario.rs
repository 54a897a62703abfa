//! Reference scenarios: short nights, each with its own calls, whose every call is disturbed in turn.
//!
//! A night's cells grow with its calls, and each cell plays all of them. So these worlds are brisk: an instance boots, and
//! its targets turn healthy, in half a minute. Every stage of a repair is still seen by a look of its own, and what is
//! slow in real worlds would only be looked at more often, in the same way.

use crate::simulation::stage::{TIS, declared};
use keepgreen::policy::{Channel, Config, SecretRef};
use keepgreen::sim::oracle::{Declared, OperatorStop, Select, Slot};
use keepgreen::sim::world::builder::incident::{BLUE, GREEN, IMAGE};
use keepgreen::sim::world::builder::{ACCOUNT, REGION};
use keepgreen::sim::world::{
    GroupSpec, ImageSpec, InstanceSpec, Pace, Scope, TargetGroupSpec, World, WorldBuilder,
};
use std::time::Duration;

/// The account that the role of `in_another_account` leads to.
const OTHER: &str = "999900001111";
pub const IMAGE_GONE: &str = "one stopped, its image gone";
pub const ONE_ON_A_PAGE: &str = "both stopped, one poisons the batch, one on a page";
pub const FAILS_ONCE: &str = "a start that does not hold";
pub const ANOTHER_ACCOUNT: &str = "in another account, with a pause parameter and a scaling group";
const PAUSE: &str = "/keepgreen/pause";
const SHORT_COOLDOWN: &str = "limits: { cooldown: 10s }\n";

/// One short night.
#[derive(Clone, Copy)]
pub struct Scenario {
    pub name: &'static str,
    pub world: fn(u64) -> WorldBuilder,
    pub policy: fn() -> String,
    pub config: fn(&mut Config),
    pub declared: fn() -> Declared,
    /// For so long keepgreen lives before that, in a life of its own.
    pub known_for: Duration,
    /// What happens before keepgreen's first life, or after the one in which it got to know the world.
    pub strike: fn(&mut World),
    /// Whom a fault class that has a victim strikes.
    pub victim: &'static str,
    /// After so long nothing changes any more, undisturbed.
    pub settled_after: Duration,
}

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Scenario> {
    SHORT.iter().chain(&super::replaced::ALL)
}

const SHORT: &[Scenario] = &[
    Scenario {
        name: IMAGE_GONE,
        world: incident_world,
        policy: || format!("{TIS}{SHORT_COOLDOWN}"),
        config: |_| {},
        declared,
        known_for: Duration::ZERO,
        strike: |world| {
            world.stop_by_aws(GREEN, "Server.ScheduledStop");
            world.deregister_image(IMAGE);
        },
        victim: GREEN,
        settled_after: Duration::from_secs(150),
    },
    Scenario {
        name: ONE_ON_A_PAGE,
        world: incident_world,
        policy: || TIS.to_owned(),
        config: |_| {},
        declared,
        known_for: Duration::ZERO,
        strike: |world| {
            world.stop_by_aws(GREEN, "Server.InternalError");
            world.stop_by_aws(BLUE, "Server.InternalError");
            world.poison(BLUE, Some("UnsupportedOperation"));
            // AWS may return fewer on a page than are asked for.
            world.set_most_per_page(1);
        },
        victim: GREEN,
        settled_after: Duration::from_secs(150),
    },
    Scenario {
        name: FAILS_ONCE,
        world: incident_world,
        policy: || format!("{TIS}{SHORT_COOLDOWN}"),
        config: |_| {},
        declared,
        known_for: Duration::ZERO,
        strike: |world| {
            world.stop_by_aws(GREEN, "Server.ScheduledStop");
            world.fail_start(GREEN, 1);
        },
        victim: GREEN,
        settled_after: Duration::from_secs(150),
    },
    Scenario {
        name: "stopped by a person",
        world: incident_world,
        policy: || format!("{TIS}notify: [ops]\ngrace: {{ operator_stop: 15s }}\n{SHORT_COOLDOWN}"),
        config: |config| {
            let webhook = SecretRef::Env("HOOK".to_owned());
            config.channels.insert("ops".into(), Channel::Slack { webhook });
        },
        declared: || {
            let mut declared = declared();
            for service in &mut declared.services {
                service.operator_stop = OperatorStop::StartAfter(Duration::from_secs(15));
            }
            declared
        },
        known_for: Duration::ZERO,
        strike: |world| {
            world.stop_by_person(GREEN);
        },
        victim: GREEN,
        settled_after: Duration::from_secs(150),
    },
    Scenario {
        name: ANOTHER_ACCOUNT,
        world: other_account,
        policy: || {
            format!(
                "{TIS}  spare: {{ select: {{ auto_scaling_group: tis-spare }} }}\naccount: \"{OTHER}\"\nrole: \
                 arn:aws:iam::{OTHER}:role/keepgreen\n{SHORT_COOLDOWN}"
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
        known_for: Duration::ZERO,
        strike: |world| {
            world.stop_by_aws(GREEN, "Server.ScheduledStop");
        },
        victim: GREEN,
        settled_after: Duration::from_secs(150),
    },
];

/// The incident's world, its targets checked every five seconds.
fn incident_world(seed: u64) -> WorldBuilder {
    WorldBuilder::new(seed)
        .image(ImageSpec::new(IMAGE))
        .instance(InstanceSpec::new(BLUE).name("tis-prod-blue").zone("eu-west-2a"))
        .instance(InstanceSpec::new(GREEN).name("tis-prod-green").zone("eu-west-2b"))
        .target_group(brisk("tis-prod", 8080).target(BLUE).target(GREEN))
        .target_group(brisk("tis-upload", 8443).target(GREEN))
        .webhook("hooks.slack.test")
}

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
    brisk(name, port).scope(OTHER, REGION)
}

pub fn brisk(name: &str, port: u16) -> TargetGroupSpec {
    TargetGroupSpec::new(name, port).checks(5, 2, 2)
}

/// How long things take in these worlds.
pub fn pace() -> Pace {
    Pace {
        boot_s: 12..=12,
        stop_s: 10..=10,
        checks_s: 8..=8,
        app_s: 3..=3,
        register_s: 2..=2,
        ..Pace::default()
    }
}
