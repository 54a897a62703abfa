//! Images through the real clients: made, shared, deregistered, restored, allowed.

use aws_sdk_ec2::types::{
    AllowedImagesSettingsEnabledState, BlockDeviceMapping, EbsBlockDevice, Filter, ImageAttributeName,
    ImageCriterionRequest, LaunchPermission, LaunchPermissionModifications, OperationType,
};
use tokio::time::sleep;

use super::*;
use crate::sim::world::{ImageSpec, ImageState, Scope, incident};

type Ec2 = aws_sdk_ec2::Client;

const OTHERS: &str = "444455556666";

fn ec2_of(cloud: &Cloud, account: &str, region: &str) -> Ec2 {
    Ec2::new(&sdk_of(cloud, &Incarnation::person(), account, region))
}

fn ours() -> Scope {
    Scope::new(ACCOUNT, REGION)
}

async fn state(ec2: &Ec2, id: &str) -> String {
    match ec2
        .describe_images()
        .image_ids(id)
        .include_disabled(true)
        .send()
        .await
    {
        Ok(answer) => answer
            .images()
            .first()
            .map_or("empty".into(), |i| i.state().unwrap().to_string()),
        Err(error) => code(&error).to_owned(),
    }
}

fn launchable(cloud: &Cloud, scope: &Scope, id: &str) -> String {
    cloud.world(|w| match w.launchable_image(scope, id) {
        Ok(image) => image.id.clone(),
        Err(error) => match error.refusal {
            crate::sim::world::api::Refusal::Service { code, .. } => code.into_owned(),
            other => format!("{other:?}"),
        },
    })
}

#[test]
fn an_image_taken_of_an_instance_is_pending_until_its_snapshots_are_complete() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = ec2_of(&cloud, ACCOUNT, REGION);
        let take = || ec2.create_image().instance_id(incident::GREEN).name("rescue-1");
        let made = take().no_reboot(true).send().await.unwrap();
        let id = made.image_id().unwrap();
        assert_eq!(state(&ec2, id).await, "pending");
        assert_eq!(launchable(&cloud, &ours(), id), "InvalidAMIID.Unavailable");
        let again = take().send().await.unwrap_err();
        assert_eq!(code(&again), "InvalidAMIName.Duplicate");
        sleep(seconds(300)).await;
        let answer = ec2.describe_images().owners("self").send().await.unwrap();
        let image = answer.images().iter().find(|i| i.image_id() == Some(id)).unwrap();
        assert_eq!(image.state().unwrap().as_str(), "available");
        assert_eq!(image.source_instance_id(), Some(incident::GREEN));
        let root = image.block_device_mappings()[0].ebs().unwrap();
        assert_eq!(
            (root.volume_size(), root.delete_on_termination()),
            (Some(8), Some(true))
        );
        let snapshot = root.snapshot_id().unwrap();
        let error = ec2
            .delete_snapshot()
            .snapshot_id(snapshot)
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&error), "InvalidSnapshot.InUse");
        assert_eq!(launchable(&cloud, &ours(), id), id);
        assert_eq!(
            cloud.world(|w| w
                .log()
                .about(incident::GREEN)
                .filter(|e| e.what == "rebooted")
                .count()),
            0
        );
        take().name("rescue-2").send().await.unwrap();
        assert_eq!(
            cloud.world(|w| w
                .log()
                .about(incident::GREEN)
                .filter(|e| e.what == "rebooted")
                .count()),
            1
        );
    });
}

#[test]
fn an_image_fails_with_its_snapshot() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = ec2_of(&cloud, ACCOUNT, REGION);
        let made = ec2
            .create_image()
            .instance_id(incident::BLUE)
            .name("doomed")
            .no_reboot(true)
            .send()
            .await;
        let made = made.unwrap();
        let id = made.image_id().unwrap();
        cloud.world(|w| {
            let snapshot = w.image(id).unwrap().snapshots().next().unwrap().to_owned();
            assert!(w.fail_snapshot(&snapshot));
        });
        sleep(seconds(300)).await;
        assert_eq!(state(&ec2, id).await, "failed");
        assert_eq!(launchable(&cloud, &ours(), id), "InvalidAMIID.Unavailable");
        let again = ec2
            .create_image()
            .instance_id(incident::BLUE)
            .name("doomed")
            .no_reboot(true)
            .send()
            .await;
        assert!(again.is_ok(), "a failed image leaves its name free");
    });
}

#[test]
fn an_image_is_registered_from_a_snapshot_copied_to_a_region_and_its_snapshots_go_with_it() {
    simulate(incident::world(1), |cloud| async move {
        let (here, there) = (
            ec2_of(&cloud, ACCOUNT, REGION),
            ec2_of(&cloud, ACCOUNT, "eu-west-1"),
        );
        let snapshot = cloud.world(|w| {
            w.image(incident::IMAGE)
                .unwrap()
                .snapshots()
                .next()
                .unwrap()
                .to_owned()
        });
        let register = |device: &str| {
            let ebs = EbsBlockDevice::builder()
                .snapshot_id(&snapshot)
                .volume_size(12)
                .build();
            let mapping = BlockDeviceMapping::builder().device_name(device).ebs(ebs).build();
            let register = here
                .register_image()
                .name("from-snapshot")
                .root_device_name("/dev/xvda");
            register
                .architecture("arm64".into())
                .block_device_mappings(mapping)
        };
        let error = register("/dev/sdz").send().await.unwrap_err();
        assert_eq!(code(&error), "InvalidBlockDeviceMapping");
        let id = register("/dev/xvda")
            .send()
            .await
            .unwrap()
            .image_id()
            .unwrap()
            .to_owned();
        sleep(seconds(20)).await;
        assert_eq!(state(&here, &id).await, "available");
        let copy = || {
            there
                .copy_image()
                .source_image_id(&id)
                .source_region(REGION)
                .name("copy")
                .client_token("t")
        };
        let copied = copy().encrypted(true).send().await.unwrap();
        let again = copy().encrypted(true).send().await.unwrap();
        assert_eq!(copied.image_id(), again.image_id());
        let copied = copied.image_id().unwrap();
        assert_eq!(state(&there, copied).await, "pending");
        assert_eq!(state(&here, copied).await, "InvalidAMIID.NotFound");
        sleep(seconds(300)).await;
        let answer = there.describe_images().image_ids(copied).send().await.unwrap();
        let image = &answer.images()[0];
        assert_eq!(
            (image.source_image_id(), image.architecture().unwrap().as_str()),
            (Some(id.as_str()), "arm64")
        );
        let ebs = image.block_device_mappings()[0].ebs().unwrap();
        assert_eq!((ebs.encrypted(), ebs.volume_size()), (Some(true), Some(12)));
        let copied_snapshot = ebs.snapshot_id().unwrap();
        let gone = there
            .deregister_image()
            .image_id(copied)
            .delete_associated_snapshots(true)
            .send()
            .await
            .unwrap();
        assert_eq!(
            gone.delete_snapshot_results()[0].return_code().unwrap().as_str(),
            "success"
        );
        assert!(cloud.world(|w| w.snapshot(copied_snapshot).is_none()));
        // Two images need the first one's snapshot.
        let kept = here
            .deregister_image()
            .image_id(&id)
            .delete_associated_snapshots(true)
            .send()
            .await
            .unwrap();
        assert_eq!(
            kept.delete_snapshot_results()[0].return_code().unwrap().as_str(),
            "skipped"
        );
        assert!(cloud.world(|w| w.snapshot(&snapshot).is_some()));
    });
}

#[test]
fn launch_permission_is_given_shown_revoked_and_reset() {
    simulate(incident::world(1).account(OTHERS), |cloud| async move {
        let (ours, theirs) = (ec2_of(&cloud, ACCOUNT, REGION), ec2_of(&cloud, OTHERS, REGION));
        let their_scope = Scope::new(OTHERS, REGION);
        let id = incident::IMAGE;
        let may = || launchable(&cloud, &their_scope, id);
        assert_eq!(
            (state(&theirs, id).await.as_str(), may().as_str()),
            ("InvalidAMIID.NotFound", "AuthFailure")
        );
        let to = LaunchPermission::builder().user_id(OTHERS).build();
        let add = LaunchPermissionModifications::builder().add(to).build();
        ours.modify_image_attribute()
            .image_id(id)
            .launch_permission(add)
            .send()
            .await
            .unwrap();
        assert_eq!(
            (state(&theirs, id).await.as_str(), may().as_str()),
            ("available", id)
        );
        let executable = theirs
            .describe_images()
            .executable_users("self")
            .send()
            .await
            .unwrap();
        assert_eq!(executable.images().len(), 1);
        let error = theirs.deregister_image().image_id(id).send().await.unwrap_err();
        assert_eq!(code(&error), "AuthFailure");
        let shown = ours
            .describe_image_attribute()
            .image_id(id)
            .attribute(ImageAttributeName::LaunchPermission);
        let shown = shown.send().await.unwrap();
        assert_eq!(shown.launch_permissions()[0].user_id(), Some(OTHERS));
        let flat = ours
            .modify_image_attribute()
            .image_id(id)
            .attribute("launchPermission")
            .user_ids(OTHERS);
        flat.operation_type(OperationType::Remove).send().await.unwrap();
        assert_eq!(may(), "AuthFailure");
        let everybody = ours
            .modify_image_attribute()
            .image_id(id)
            .attribute("launchPermission")
            .user_groups("all");
        everybody.operation_type(OperationType::Add).send().await.unwrap();
        assert_eq!(may(), id);
        ours.reset_image_attribute()
            .image_id(id)
            .attribute(aws_sdk_ec2::types::ResetImageAttributeName::LaunchPermission)
            .send()
            .await
            .unwrap();
        assert_eq!(may(), "AuthFailure");
    });
}

#[test]
fn the_recycle_bin_gives_an_image_back_as_long_as_it_keeps_it() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = ec2_of(&cloud, ACCOUNT, REGION);
        cloud.world(|w| w.set_image_retention(&ours(), Some(seconds(3600))));
        let deregister = || ec2.deregister_image().image_id(incident::IMAGE);
        deregister().send().await.unwrap();
        assert_eq!(state(&ec2, incident::IMAGE).await, "deregistered");
        assert_eq!(
            launchable(&cloud, &ours(), incident::IMAGE),
            "InvalidAMIID.NotFound"
        );
        assert_eq!(
            code(&deregister().send().await.unwrap_err()),
            "InvalidAMIID.Unavailable"
        );
        let bin = ec2.list_images_in_recycle_bin().send().await.unwrap();
        let entry = &bin.images()[0];
        assert_eq!(
            entry.recycle_bin_exit_time().unwrap().secs() - entry.recycle_bin_enter_time().unwrap().secs(),
            3600
        );
        let restore = || ec2.restore_image_from_recycle_bin().image_id(incident::IMAGE);
        restore().send().await.unwrap();
        assert_eq!(state(&ec2, incident::IMAGE).await, "available");
        assert_eq!(
            code(&restore().send().await.unwrap_err()),
            "InvalidAMIID.NotFound"
        );
        deregister().send().await.unwrap();
        sleep(seconds(3700)).await;
        assert_eq!(
            ec2.list_images_in_recycle_bin()
                .send()
                .await
                .unwrap()
                .images()
                .len(),
            0
        );
        assert_eq!(
            code(&restore().send().await.unwrap_err()),
            "InvalidAMIID.NotFound"
        );
    });
}

#[test]
fn a_disabled_image_is_hidden_unshared_and_can_be_enabled_and_a_deprecated_one_launches_on() {
    let world = incident::world(1)
        .account(OTHERS)
        .image(ImageSpec::new("ami-0f000000000000001").shared_with(OTHERS));
    simulate(world, |cloud| async move {
        let (ours_, theirs) = (ec2_of(&cloud, ACCOUNT, REGION), ec2_of(&cloud, OTHERS, REGION));
        let id = "ami-0f000000000000001";
        let their_scope = Scope::new(OTHERS, REGION);
        let at = cloud.world(|w| w.now()).as_second() + 3600;
        let deprecate = ours_.enable_image_deprecation().image_id(id);
        deprecate
            .deprecate_at(aws_sdk_ec2::primitives::DateTime::from_secs(at))
            .send()
            .await
            .unwrap();
        assert_eq!(state(&theirs, id).await, "available");
        sleep(seconds(3700)).await;
        assert_eq!(state(&theirs, id).await, "empty");
        assert_eq!(launchable(&cloud, &their_scope, id), id);
        ours_
            .disable_image_deprecation()
            .image_id(id)
            .send()
            .await
            .unwrap();
        assert_eq!(state(&theirs, id).await, "available");

        ours_.disable_image().image_id(id).send().await.unwrap();
        assert_eq!(
            (
                state(&ours_, id).await.as_str(),
                state(&theirs, id).await.as_str()
            ),
            ("disabled", "InvalidAMIID.NotFound")
        );
        assert_eq!(launchable(&cloud, &ours(), id), "InvalidAMIID.Unavailable");
        ours_.enable_image().image_id(id).send().await.unwrap();
        assert_eq!(launchable(&cloud, &ours(), id), id);
        assert_eq!(launchable(&cloud, &their_scope, id), "AuthFailure");
    });
}

#[test]
fn allowed_images_hide_what_does_not_meet_the_criteria_and_audit_mode_only_says_so() {
    let foreign = "ami-0f000000000000001";
    let world = incident::world(1).image(ImageSpec::new(foreign).owner(OTHERS).shared_with(ACCOUNT));
    simulate(world, move |cloud| async move {
        let ec2 = ec2_of(&cloud, ACCOUNT, REGION);
        let allowed = async || {
            let answer = ec2.describe_images().image_ids(foreign).send().await;
            answer
                .map(|a| a.images()[0].image_allowed())
                .map_err(|e| code(&e).to_owned())
        };
        assert_eq!(allowed().await, Ok(None));
        let criterion = ImageCriterionRequest::builder().image_providers("amazon").build();
        let replace = ec2.replace_image_criteria_in_allowed_images_settings();
        replace.image_criteria(criterion).send().await.unwrap();
        let enable = |state: AllowedImagesSettingsEnabledState| {
            ec2.enable_allowed_images_settings()
                .allowed_images_settings_state(state)
                .send()
        };
        enable(AllowedImagesSettingsEnabledState::AuditMode)
            .await
            .unwrap();
        assert_eq!(allowed().await, Ok(Some(false)));
        assert_eq!(launchable(&cloud, &ours(), foreign), foreign);
        enable(AllowedImagesSettingsEnabledState::Enabled).await.unwrap();
        assert_eq!(allowed().await, Err("InvalidAMIID.NotFound".to_owned()));
        assert_eq!(launchable(&cloud, &ours(), foreign), "InvalidAMIID.NotFound");
        assert_eq!(launchable(&cloud, &ours(), incident::IMAGE), incident::IMAGE);
        let settings = ec2.get_allowed_images_settings().send().await.unwrap();
        assert_eq!(settings.state(), Some("enabled"));
        assert_eq!(settings.image_criteria()[0].image_providers(), ["amazon"]);
        let criterion = ImageCriterionRequest::builder().image_providers(OTHERS).build();
        let replace = ec2.replace_image_criteria_in_allowed_images_settings();
        replace.image_criteria(criterion).send().await.unwrap();
        assert_eq!(allowed().await, Ok(Some(true)));
        ec2.disable_allowed_images_settings().send().await.unwrap();
        assert_eq!(allowed().await, Ok(None));
    });
}

#[test]
fn every_region_has_amazons_images_and_the_marketplaces_which_need_a_subscription() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = ec2_of(&cloud, ACCOUNT, "us-east-2");
        let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
        let arm = ec2
            .describe_images()
            .owners("amazon")
            .filters(filter("architecture", "arm64"));
        let arm = arm.filters(filter("name", "al2023-*")).send().await.unwrap();
        let [image] = arm.images() else { panic!("{arm:?}") };
        assert_eq!(
            (image.image_owner_alias(), image.public()),
            (Some("amazon"), Some(true))
        );
        let market = ec2
            .describe_images()
            .owners("aws-marketplace")
            .send()
            .await
            .unwrap();
        let image = &market.images()[0];
        let (id, product) = (
            image.image_id().unwrap(),
            image.product_codes()[0].product_code_id().unwrap(),
        );
        let scope = Scope::new(ACCOUNT, "us-east-2");
        assert_eq!(launchable(&cloud, &scope, id), "OptInRequired");
        cloud.world(|w| w.subscribe(ACCOUNT, product));
        assert_eq!(launchable(&cloud, &scope, id), id);
        let unknown = ec2
            .describe_images()
            .filters(filter("colour", "blue"))
            .send()
            .await
            .unwrap_err();
        assert!(unknown.message().unwrap().contains("colour"));
        let newest = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64";
        let resolved = launchable(&cloud, &scope, newest);
        assert_eq!(state(&ec2, &resolved).await, "available");
        assert!(cloud.world(|w| w.image(&resolved).unwrap().state == ImageState::Available));
    });
}
