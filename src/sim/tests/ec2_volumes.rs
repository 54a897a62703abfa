//! EBS through the real clients: volumes, attachments, snapshots.

use aws_sdk_ec2::types::{
    Filter, InstanceSpecification, ResourceType, SnapshotAttributeName, Tag, TagSpecification, VolumeType,
};
use tokio::time::sleep;

use super::*;
use crate::sim::world::{InstanceSpec, VolumeState, incident};

type Ec2 = aws_sdk_ec2::Client;

const KEY: &str = "arn:aws:kms:eu-west-2:111122223333:key/11111111-2222-3333-4444-555555555555";

fn ec2(cloud: &Cloud) -> Ec2 {
    Ec2::new(&sdk(cloud))
}

/// A gp3 volume of 20 GiB in the zone, available.
async fn volume(ec2: &Ec2, zone: &str) -> String {
    let made = ec2
        .create_volume()
        .availability_zone(zone)
        .size(20)
        .volume_type(VolumeType::Gp3)
        .send()
        .await
        .unwrap();
    assert_eq!(made.state().unwrap().as_str(), "creating");
    sleep(seconds(10)).await;
    made.volume_id().unwrap().to_owned()
}

/// State, and of its attachment instance, device and state.
async fn seen(ec2: &Ec2, id: &str) -> (String, String) {
    let answer = ec2.describe_volumes().volume_ids(id).send().await.unwrap();
    let volume = &answer.volumes()[0];
    let attachments = volume.attachments().iter().map(|a| {
        format!(
            "{} {} {}",
            a.instance_id().unwrap(),
            a.device().unwrap(),
            a.state().unwrap()
        )
    });
    (volume.state().unwrap().to_string(), attachments.collect())
}

#[test]
fn a_volume_is_made_attached_detached_and_deleted_each_in_its_time() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = ec2(&cloud);
        let id = volume(&ec2, "eu-west-2a").await;
        assert_eq!(seen(&ec2, &id).await, ("available".into(), String::new()));
        let attach = || {
            ec2.attach_volume()
                .volume_id(&id)
                .instance_id(incident::BLUE)
                .device("/dev/sdf")
        };
        let attached = attach().send().await.unwrap();
        assert_eq!(attached.state().unwrap().as_str(), "attaching");
        sleep(seconds(10)).await;
        let both = format!("{} /dev/sdf attached", incident::BLUE);
        assert_eq!(seen(&ec2, &id).await, ("in-use".into(), both));
        let instances = ec2
            .describe_instances()
            .instance_ids(incident::BLUE)
            .send()
            .await
            .unwrap();
        let devices = instances.reservations()[0].instances()[0].block_device_mappings();
        let devices: Vec<_> = devices
            .iter()
            .map(|d| {
                let ebs = d.ebs().unwrap();
                (d.device_name().unwrap(), ebs.delete_on_termination().unwrap())
            })
            .collect();
        assert_eq!(devices, [("/dev/sdf", false), ("/dev/xvda", true)]);

        let error = attach().send().await.unwrap_err();
        assert_eq!(code(&error), "VolumeInUse");
        let error = ec2.delete_volume().volume_id(&id).send().await.unwrap_err();
        assert_eq!(code(&error), "VolumeInUse");
        let other = ec2.detach_volume().volume_id(&id).instance_id(incident::GREEN);
        assert_eq!(
            code(&other.send().await.unwrap_err()),
            "InvalidAttachment.NotFound"
        );

        ec2.detach_volume().volume_id(&id).send().await.unwrap();
        assert!(seen(&ec2, &id).await.1.ends_with("detaching"));
        sleep(seconds(10)).await;
        assert_eq!(seen(&ec2, &id).await, ("available".into(), String::new()));
        let error = ec2.detach_volume().volume_id(&id).send().await.unwrap_err();
        assert_eq!(code(&error), "IncorrectState");
        ec2.delete_volume().volume_id(&id).send().await.unwrap();
        sleep(seconds(10)).await;
        let error = ec2.describe_volumes().volume_ids(&id).send().await.unwrap_err();
        assert_eq!(code(&error), "InvalidVolume.NotFound");
        assert!(cloud.world(|w| w.instance(incident::BLUE).unwrap().devices.len() == 1));
    });
}

#[test]
fn a_volume_goes_only_to_an_instance_of_its_own_zone_and_under_a_free_name() {
    let world = incident::world(1).instance(InstanceSpec::new(&id(1)).zone("eu-west-2b"));
    simulate(world, |cloud| async move {
        let ec2 = ec2(&cloud);
        let id = volume(&ec2, "eu-west-2b").await;
        let attach = async |instance: &str, device: &str| {
            let attach = ec2
                .attach_volume()
                .volume_id(&id)
                .instance_id(instance)
                .device(device);
            match attach.send().await {
                Ok(_) => "ok".to_owned(),
                Err(error) => code(&error).to_owned(),
            }
        };
        assert_eq!(
            attach(incident::BLUE, "/dev/sdf").await,
            "InvalidVolume.ZoneMismatch"
        );
        assert_eq!(
            attach(incident::GREEN, "/dev/xvda").await,
            "InvalidParameterValue"
        );
        assert_eq!(
            attach(incident::GREEN, "/dev/nonsense").await,
            "InvalidParameterValue"
        );
        assert_eq!(
            attach("i-0123456789abcdef0", "/dev/sdf").await,
            "InvalidInstanceID.NotFound"
        );
        cloud.world(|w| assert!(w.terminate(incident::GREEN)));
        assert_eq!(attach(incident::GREEN, "/dev/sdf").await, "IncorrectState");
        assert_eq!(attach(&super::id(1), "/dev/sdf").await, "ok");
        let zone = ec2
            .create_volume()
            .availability_zone("eu-west-2z")
            .size(1)
            .send()
            .await;
        assert_eq!(code(&zone.unwrap_err()), "InvalidZone.NotFound");
    });
}

#[test]
fn terminating_deletes_the_volumes_that_say_so_and_leaves_the_others() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = ec2(&cloud);
        let data = volume(&ec2, "eu-west-2a").await;
        let doomed = volume(&ec2, "eu-west-2a").await;
        for (volume, device) in [(&data, "/dev/sdf"), (&doomed, "/dev/sdg")] {
            let attach = ec2
                .attach_volume()
                .volume_id(volume)
                .instance_id(incident::BLUE)
                .device(device);
            attach.send().await.unwrap();
        }
        cloud.world(|w| assert!(w.set_delete_on_termination(incident::BLUE, "/dev/sdg", true)));
        let root = cloud.world(|w| {
            w.instance(incident::BLUE).unwrap().devices["/dev/xvda"]
                .volume
                .clone()
        });
        let error = ec2.detach_volume().volume_id(&root).send().await.unwrap_err();
        assert_eq!(code(&error), "OperationNotPermitted");
        cloud.world(|w| assert!(w.terminate(incident::BLUE)));
        sleep(seconds(120)).await;
        cloud.world(|w| {
            assert!(w.volume(&root).is_none() && w.volume(&doomed).is_none());
            let left = w.volume(&data).unwrap();
            assert_eq!((left.state, &left.attachment), (VolumeState::Available, &None));
            assert!(w.instance(incident::BLUE).unwrap().devices.is_empty());
        });
    });
}

#[test]
fn one_client_token_makes_one_volume() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = ec2(&cloud);
        let create = |size| {
            ec2.create_volume()
                .availability_zone("eu-west-2a")
                .size(size)
                .client_token("t-1")
        };
        let first = create(8).send().await.unwrap();
        let again = create(8).send().await.unwrap();
        assert_eq!(first.volume_id(), again.volume_id());
        assert_eq!(
            (first.volume_type().unwrap().as_str(), first.iops()),
            ("gp2", Some(100))
        );
        let error = create(9).send().await.unwrap_err();
        assert_eq!(code(&error), "IdempotentParameterMismatch");
        assert_eq!(ec2.describe_volumes().send().await.unwrap().volumes().len(), 3);
        let dry = ec2
            .create_volume()
            .availability_zone("eu-west-2a")
            .size(1)
            .dry_run(true);
        assert_eq!(code(&dry.send().await.unwrap_err()), "DryRunOperation");
        assert_eq!(ec2.describe_volumes().send().await.unwrap().volumes().len(), 3);
    });
}

#[test]
fn volumes_are_found_by_filter_and_by_tag() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = ec2(&cloud);
        let tags = TagSpecification::builder()
            .resource_type(ResourceType::Volume)
            .tags(Tag::builder().key("role").value("data").build());
        let made = ec2
            .create_volume()
            .availability_zone("eu-west-2a")
            .size(9)
            .tag_specifications(tags.build());
        let made = made.send().await.unwrap();
        assert_eq!(made.tags()[0].value(), Some("data"));
        let by = async |name: &str, value: &str| {
            let filter = Filter::builder().name(name).values(value).build();
            let answer = ec2.describe_volumes().filters(filter).send().await;
            answer.map(|a| a.volumes().len()).map_err(|e| code(&e).to_owned())
        };
        assert_eq!(by("tag:role", "data").await, Ok(1));
        assert_eq!(by("attachment.instance-id", incident::BLUE).await, Ok(1));
        assert_eq!(by("status", "in-use").await, Ok(2));
        assert_eq!(by("size", "9").await, Ok(1));
        assert_eq!(by("encrypted", "true").await, Ok(0));
        assert_eq!(
            by("colour", "blue").await,
            Err("NotModelledBySimulation".to_owned())
        );
    });
}

#[test]
fn an_instance_whose_volumes_key_is_disabled_does_not_start() {
    let world =
        incident::world(1).instance(InstanceSpec::new(&id(1)).stopped("Client.UserInitiatedShutdown"));
    simulate(world, |cloud| async move {
        let ec2 = ec2(&cloud);
        cloud.world(|w| {
            assert!(w.encrypt_root(&id(1), KEY));
            w.disable_key(KEY, true);
        });
        let state = async || {
            let answer = ec2.describe_instances().instance_ids(id(1)).send().await.unwrap();
            let instance = &answer.reservations()[0].instances()[0];
            let reason = instance
                .state_reason()
                .and_then(|r| r.code())
                .unwrap_or("")
                .to_owned();
            (instance.state().unwrap().name().unwrap().to_string(), reason)
        };
        ec2.start_instances().instance_ids(id(1)).send().await.unwrap();
        assert_eq!(state().await.0, "pending");
        sleep(seconds(60)).await;
        assert_eq!(state().await, ("stopped".into(), "Client.InternalError".into()));
        cloud.world(|w| w.disable_key(KEY, false));
        ec2.start_instances().instance_ids(id(1)).send().await.unwrap();
        sleep(seconds(60)).await;
        assert_eq!(state().await.0, "running");
    });
}

#[test]
fn a_volume_grows_while_it_is_used_and_then_rests() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = ec2(&cloud);
        let id = volume(&ec2, "eu-west-2a").await;
        let modify = |size| ec2.modify_volume().volume_id(&id).size(size);
        assert_eq!(
            code(&modify(10).send().await.unwrap_err()),
            "InvalidParameterValue"
        );
        let begun = modify(40).iops(4000).send().await.unwrap();
        let begun = begun.volume_modification().unwrap();
        assert_eq!(begun.modification_state().unwrap().as_str(), "modifying");
        assert_eq!(
            (begun.original_size(), begun.target_size(), begun.target_iops()),
            (Some(20), Some(40), Some(4000))
        );
        assert_eq!(
            code(&modify(50).send().await.unwrap_err()),
            "IncorrectModificationState"
        );
        sleep(seconds(3600)).await;
        let answer = ec2
            .describe_volumes_modifications()
            .volume_ids(&id)
            .send()
            .await
            .unwrap();
        let done = &answer.volumes_modifications()[0];
        assert_eq!(
            (done.modification_state().unwrap().as_str(), done.progress()),
            ("completed", Some(100))
        );
        assert_eq!(
            code(&modify(50).send().await.unwrap_err()),
            "VolumeModificationRateExceeded"
        );
        sleep(seconds(6 * 3600)).await;
        assert!(modify(50).send().await.is_ok());
    });
}

#[test]
fn a_snapshot_completes_by_and_by_and_makes_volumes_then() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = ec2(&cloud);
        let volume = volume(&ec2, "eu-west-2a").await;
        let taken = ec2
            .create_snapshot()
            .volume_id(&volume)
            .description("before")
            .send()
            .await
            .unwrap();
        let id = taken.snapshot_id().unwrap();
        assert_eq!(
            (taken.state().unwrap().as_str(), taken.progress()),
            ("pending", Some("0%"))
        );
        let restore = || {
            ec2.create_volume()
                .availability_zone("eu-west-2b")
                .snapshot_id(id)
        };
        assert_eq!(code(&restore().send().await.unwrap_err()), "IncorrectState");
        sleep(seconds(30)).await;
        let half = ec2.describe_snapshots().snapshot_ids(id).send().await.unwrap();
        let progress: u32 = half.snapshots()[0]
            .progress()
            .unwrap()
            .trim_end_matches('%')
            .parse()
            .unwrap();
        assert!((1..100).contains(&progress), "{progress}");
        sleep(seconds(300)).await;
        let done = ec2
            .describe_snapshots()
            .owner_ids("self")
            .filters(Filter::builder().name("volume-id").values(&volume).build())
            .send()
            .await
            .unwrap();
        let done = &done.snapshots()[0];
        assert_eq!(
            (
                done.state().unwrap().as_str(),
                done.progress(),
                done.volume_size()
            ),
            ("completed", Some("100%"), Some(20))
        );
        let restored = restore().send().await.unwrap();
        assert_eq!((restored.size(), restored.snapshot_id()), (Some(20), Some(id)));
        assert_eq!(
            code(&restore().size(19).send().await.unwrap_err()),
            "InvalidBlockDeviceMapping"
        );
        ec2.delete_snapshot().snapshot_id(id).send().await.unwrap();
        assert_eq!(
            code(&restore().send().await.unwrap_err()),
            "InvalidSnapshot.NotFound"
        );
    });
}

#[test]
fn snapshots_are_shared_copied_and_taken_of_a_whole_instance() {
    const OTHERS: &str = "444455556666";
    simulate(incident::world(1).account(OTHERS), |cloud| async move {
        let ours = ec2(&cloud);
        let theirs = Ec2::new(&sdk_of(&cloud, &Incarnation::person(), OTHERS, REGION));
        let specification = InstanceSpecification::builder()
            .instance_id(incident::BLUE)
            .build();
        let taken = ours
            .create_snapshots()
            .instance_specification(specification)
            .send()
            .await
            .unwrap();
        let id = taken.snapshots()[0].snapshot_id().unwrap().to_owned();
        assert_eq!(taken.snapshots()[0].state().unwrap().as_str(), "pending");
        sleep(seconds(300)).await;
        let see = async || {
            theirs
                .describe_snapshots()
                .snapshot_ids(&id)
                .send()
                .await
                .map(|a| a.snapshots().len())
        };
        assert_eq!(code(&see().await.unwrap_err()), "InvalidSnapshot.NotFound");
        let share = ours.modify_snapshot_attribute().snapshot_id(&id).user_ids(OTHERS);
        share
            .attribute(SnapshotAttributeName::CreateVolumePermission)
            .operation_type(aws_sdk_ec2::types::OperationType::Add)
            .send()
            .await
            .unwrap();
        assert_eq!(see().await.unwrap(), 1);
        let asked = ours.describe_snapshot_attribute().snapshot_id(&id);
        let shown = asked
            .attribute(SnapshotAttributeName::CreateVolumePermission)
            .send()
            .await
            .unwrap();
        assert_eq!(shown.create_volume_permissions()[0].user_id(), Some(OTHERS));
        let copy = theirs
            .copy_snapshot()
            .source_region(REGION)
            .source_snapshot_id(&id)
            .encrypted(true);
        let copy = copy.send().await.unwrap();
        let copied = theirs
            .describe_snapshots()
            .snapshot_ids(copy.snapshot_id().unwrap())
            .send()
            .await
            .unwrap();
        assert_eq!(
            (
                copied.snapshots()[0].encrypted(),
                copied.snapshots()[0].owner_id()
            ),
            (Some(true), Some(OTHERS))
        );
        let reset = ours.reset_snapshot_attribute().snapshot_id(&id);
        reset
            .attribute(SnapshotAttributeName::CreateVolumePermission)
            .send()
            .await
            .unwrap();
        assert!(see().await.is_err());
    });
}
