//! What a replacement is launched from, and what it may lose: shared and Marketplace images, launch templates, and a volume
//! that comes in the middle of it.

use super::replace::{GOOD_IMAGE, POLICY, alive_in_place_of, assert_replaced, declared, running};
use super::stage::{count, live, nothing_broken, on_stage};
use keepgreen::sim::Stage;
use keepgreen::sim::world::api::{Answer, Caller, Operation, Request};
use keepgreen::sim::world::builder::incident::{BLUE, GREEN};
use keepgreen::sim::world::builder::{ACCOUNT, ImageSpec, InstanceSpec, REGION, TargetGroupSpec};
use keepgreen::sim::world::launch::{BlockDeviceSpec, EbsSpec, LaunchData, MarketSpec};
use keepgreen::sim::world::templates::{self, CreateTemplate};
use keepgreen::sim::world::volumes::{self, CreateVolume};
use keepgreen::sim::world::{World, WorldBuilder};

const VENDOR: &str = "444455556666";
/// The image of the old ones: another account's.
const SHARED: &str = "ami-0544e0000000000a1";
const PAID: &str = "ami-0544e0000000000a2";

/// The incident's two servers, from an image that another account shares with this one.
fn world(seed: u64) -> WorldBuilder {
    let instance = |id: &str, name: &str| InstanceSpec::new(id).name(name);
    WorldBuilder::new(seed)
        .account(VENDOR)
        .image(ImageSpec::new(SHARED).owner(VENDOR).shared_with(ACCOUNT))
        .image(ImageSpec::new(PAID).owner(VENDOR).public().product_code("prod-1"))
        .image(ImageSpec::new(GOOD_IMAGE))
        .instance(
            instance(BLUE, "tis-prod-blue")
                .zone("eu-west-2a")
                .image(GOOD_IMAGE),
        )
        .instance(instance(GREEN, "tis-prod-green").zone("eu-west-2b").image(SHARED))
        .target_group(TargetGroupSpec::new("tis-prod", 8080).target(BLUE).target(GREEN))
        .target_group(TargetGroupSpec::new("tis-upload", 8443).target(GREEN))
}

fn at_night(seed: u64, policy: &str, night: impl AsyncFnOnce(&mut Stage)) {
    let world = world(seed).build();
    on_stage(seed, &[("tis.yaml", policy)], world, async |stage: &mut Stage| {
        stage.cloud.declare(declared());
        night(stage).await;
    });
}

/// Somebody with every permission asks for this, and gets it.
fn by_hand(world: &mut World, operation: Operation) -> Answer {
    let caller = Caller {
        account: ACCOUNT.to_owned(),
        region: REGION.to_owned(),
        arn: format!("arn:aws:iam::{ACCOUNT}:user/ann"),
    };
    let now = world.now();
    world.call(now, &Request { caller, operation }).unwrap()
}

/// The other account does not share it any more.
fn take_away(stage: &Stage) {
    stage
        .cloud
        .world(|world| world.share_image(SHARED, ACCOUNT, false));
}

#[test]
fn an_image_that_is_not_shared_any_more_is_gone_and_its_instance_is_replaced() {
    at_night(41, POLICY, async |stage| {
        live(stage, 3).await;
        take_away(stage);
        live(stage, 60).await;
        assert_replaced(stage, "tis-prod-green", GREEN);
        nothing_broken(stage);
    });
}

#[test]
fn one_that_is_shared_again_within_the_grace_costs_nobody_anything() {
    at_night(42, POLICY, async |stage| {
        live(stage, 3).await;
        take_away(stage);
        live(stage, 1).await;
        stage
            .cloud
            .world(|world| world.share_image(SHARED, ACCOUNT, true));
        live(stage, 60).await;
        assert_eq!(count(stage, "RunInstances"), 0, "{}", stage.cloud.story());
        nothing_broken(stage);
    });
}

#[test]
fn a_marketplace_image_whose_terms_nobody_agreed_to_makes_room_for_the_next_source() {
    let sources = format!("image: [ {{ id: {PAID} }}, {{ id: {GOOD_IMAGE} }} ]");
    let usual = format!("image: [ {{ id: {GOOD_IMAGE} }} ]");
    let policy = POLICY.replace(&usual, &sources);
    assert_ne!(policy, POLICY);
    at_night(43, &policy, async |stage| {
        live(stage, 3).await;
        take_away(stage);
        live(stage, 60).await;
        assert_replaced(stage, "tis-prod-green", GREEN);
        assert_eq!(count(stage, "RunInstances"), 2, "{}", stage.cloud.story());
        nothing_broken(stage);
    });
}

/// A launch template of this name.
fn template(world: &mut World, name: &str, data: LaunchData) {
    let template = CreateTemplate {
        name: name.to_owned(),
        data,
        ..CreateTemplate::default()
    };
    by_hand(
        world,
        Operation::Templates(templates::Op::CreateLaunchTemplate(Box::new(template))),
    );
}

fn with_template() -> String {
    let policy = POLICY.replace("replace:\n", "replace:\n  launch: { template: lt-tis }\n");
    assert_ne!(policy, POLICY);
    policy
}

#[test]
fn from_a_launch_template_come_its_settings_and_from_the_old_one_its_place_and_tags() {
    at_night(44, &with_template(), async |stage| {
        let user_data = "I2Nsb3VkLWNvbmZpZwo=".to_owned();
        stage.cloud.world(|world| {
            let data = LaunchData {
                instance_type: Some("m5.xlarge".to_owned()),
                user_data: Some(user_data.clone()),
                ..LaunchData::default()
            };
            template(world, "lt-tis", data);
        });
        live(stage, 3).await;
        take_away(stage);
        live(stage, 60).await;
        assert_replaced(stage, "tis-prod-green", GREEN);
        let new = running(stage, "tis-prod-green");
        stage.cloud.world(|world| {
            let (new, old) = (world.instance(&new[0]).unwrap(), world.instance(GREEN).unwrap());
            assert_eq!(new.instance_type, "m5.xlarge");
            assert_eq!(
                (&new.zone, new.settings.user_data.as_ref()),
                (&old.zone, Some(&user_data))
            );
        });
        let launches = stage.cloud.calls();
        let launch = launches
            .iter()
            .find(|call| call.action == "RunInstances")
            .unwrap();
        assert!(
            launch.params.contains("LaunchTemplate.Version=1"),
            "{}",
            launch.params
        );
        nothing_broken(stage);
    });
}

#[test]
fn nothing_is_launched_from_a_template_whose_instances_could_not_be_ended() {
    let keeps = BlockDeviceSpec {
        device: "/dev/xvda".to_owned(),
        ebs: Some(EbsSpec {
            delete_on_termination: Some(false),
            ..EbsSpec::default()
        }),
        ..BlockDeviceSpec::default()
    };
    let unfit = [
        LaunchData {
            disable_api_termination: Some(true),
            ..LaunchData::default()
        },
        LaunchData {
            market: Some(MarketSpec {
                kind: Some("spot".to_owned()),
                ..MarketSpec::default()
            }),
            ..LaunchData::default()
        },
        LaunchData {
            block_devices: vec![keeps],
            ..LaunchData::default()
        },
    ];
    for data in unfit {
        at_night(45, &with_template(), async |stage| {
            stage.cloud.world(|world| template(world, "lt-tis", data.clone()));
            live(stage, 3).await;
            take_away(stage);
            live(stage, 30).await;
            assert_eq!(
                count(stage, "RunInstances"),
                0,
                "{data:?}\n{}",
                stage.cloud.story()
            );
            nothing_broken(stage);
        });
    }
}

/// A data volume for green.
fn attach_volume(world: &mut World) -> String {
    let wanted = CreateVolume {
        zone: "eu-west-2b".to_owned(),
        spec: EbsSpec {
            size_gib: Some(10),
            ..EbsSpec::default()
        },
        ..CreateVolume::default()
    };
    let made = by_hand(world, Operation::Volumes(volumes::Op::CreateVolume(wanted)));
    let Answer::Volumes(volumes::Answer::Volume(volume)) = made else {
        panic!("{made:?}");
    };
    let now = world.now() + std::time::Duration::from_secs(5);
    world.step(now);
    let attach = volumes::Op::AttachVolume {
        volume: volume.id.clone(),
        instance: GREEN.to_owned(),
        device: "/dev/sdf".to_owned(),
    };
    by_hand(world, Operation::Volumes(attach));
    volume.id.clone()
}

#[test]
fn a_volume_that_comes_in_the_middle_is_not_given_up_with_the_old_one() {
    let policy = POLICY.replace("replace:\n", "replace:\n  old_instance: terminate\n");
    at_night(46, &policy, async |stage| {
        live(stage, 3).await;
        take_away(stage);
        live(stage, 4).await;
        assert_eq!(alive_in_place_of(stage, GREEN), 1, "{}", stage.cloud.story());
        let volume = stage.cloud.world(attach_volume);
        live(stage, 60).await;
        stage.cloud.world(|world| {
            let attached = world.volume(&volume).unwrap().attachment.clone();
            assert_eq!(attached.unwrap().instance, GREEN);
        });
        let story = stage.cloud.story();
        let calls = stage.cloud.calls();
        let mut ends = calls.iter().filter(|call| call.action == "TerminateInstances");
        assert!(!ends.any(|call| call.params.contains(GREEN)), "{story}");
        assert!(
            running(stage, "tis-prod-green").contains(&GREEN.to_owned()),
            "{story}"
        );
        nothing_broken(stage);
    });
}
