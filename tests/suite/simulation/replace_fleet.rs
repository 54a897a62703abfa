//! An image that a whole fleet was made from is gone: the fleet is not replaced at once.

use super::replace::GOOD_IMAGE;
use super::stage::{count, live, nothing_broken, on_stage};
use keepgreen::sim::Stage;
use keepgreen::sim::oracle::{Declared, Heal, Membership, Replace, Service};
use keepgreen::sim::world::builder::incident::IMAGE;
use keepgreen::sim::world::builder::{ACCOUNT, ImageSpec, InstanceSpec, REGION, TargetGroupSpec};
use keepgreen::sim::world::{Scope, World, WorldBuilder};
use std::time::Duration;

const SERVICES: u64 = 5;
const GRACE: Duration = Duration::from_secs(600);

fn id(service: u64, slot: u64) -> String {
    format!("i-0{service:08x}{slot:08x}")
}

fn name(service: u64, slot: u64) -> String {
    format!("s{service}-{slot}")
}

/// Each service has two servers in its own group, the second of which is from the image that goes.
fn world(seed: u64) -> World {
    let mut world = WorldBuilder::new(seed)
        .image(ImageSpec::new(IMAGE))
        .image(ImageSpec::new(GOOD_IMAGE));
    for service in 0..SERVICES {
        let (a, b) = (id(service, 0), id(service, 1));
        let group = format!("g{service}");
        world = world
            .instance(InstanceSpec::new(&a).name(&name(service, 0)).image(GOOD_IMAGE))
            .instance(InstanceSpec::new(&b).name(&name(service, 1)))
            .target_group(TargetGroupSpec::new(&group, 8080).target(&a).target(&b));
    }
    world.build()
}

fn policy(service: u64) -> String {
    let slot = |word: &str, of: u64| {
        let name = name(service, of);
        format!("  {word}: {{ select: {{ tags: {{ Name: {name} }} }}, target_groups: [g{service}] }}\n")
    };
    format!(
        "service: s{service}\nslots:\n{}{}grace: {{ image_gone: 10m }}\nreplace:\n  image: [ {{ id: {GOOD_IMAGE} }} ]\n",
        slot("blue", 0),
        slot("green", 1)
    )
}

fn declared() -> Declared {
    let service = |number: u64| {
        let names = [name(number, 0), name(number, 1)];
        let slots = [("blue", names[0].as_str()), ("green", names[1].as_str())];
        let mut service = Service::by_name(&format!("s{number}"), Scope::new(ACCOUNT, REGION), &slots);
        for slot in &mut service.slots {
            slot.groups = vec![Membership {
                group: format!("g{number}"),
                port: None,
                min_healthy: None,
            }];
        }
        service.heal = Heal {
            image_gone: Some(GRACE),
            ..service.heal
        };
        service.replace = Some(Replace {
            keep_elastic_ip: true,
            keep_data_volumes: true,
            keep_network_interface: false,
            terminates_old: false,
            retain: None,
        });
        service
    };
    Declared {
        services: (0..SERVICES).map(service).collect(),
        mutations_per_hour: Some(60),
        ..Declared::default()
    }
}

/// What was launched and marked, in order.
fn steps(stage: &Stage) -> Vec<String> {
    let calls = stage.cloud.calls();
    let of_one = calls
        .iter()
        .filter(|call| ["RunInstances", "CreateTags"].contains(&call.action.as_str()));
    of_one.map(|call| call.action.clone()).collect()
}

#[test]
fn services_that_lose_their_image_at_the_same_moment_are_replaced_one_after_the_other() {
    let policies: Vec<(String, String)> = (0..SERVICES)
        .map(|service| (format!("s{service}.yaml"), policy(service)))
        .collect();
    let policies: Vec<(&str, &str)> = policies
        .iter()
        .map(|(file, text)| (file.as_str(), text.as_str()))
        .collect();
    on_stage(41, &policies, world(41), async |stage: &mut Stage| {
        stage.cloud.declare(declared());
        live(stage, 3).await;
        stage.cloud.world(|world| world.deregister_image(IMAGE));
        live(stage, 150).await;
        let one_by_one = ["RunInstances", "CreateTags"].repeat(usize::try_from(SERVICES).unwrap());
        assert_eq!(steps(stage), one_by_one, "{}", stage.cloud.story());
        assert_eq!(count(stage, "StopInstances"), one_by_one.len() / 2);
        nothing_broken(stage);
    });
}
