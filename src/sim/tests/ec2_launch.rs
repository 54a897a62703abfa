//! RunInstances and what it makes, through the real client.

use tokio::time::sleep;

use super::*;
use aws_sdk_ec2::types::InstanceAttributeName;

use crate::sim::world::launch::ImageFault;
use crate::sim::world::{ImageSpec, Quota, Scope, State, incident};

type Launch = aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;

fn launch(ec2: &aws_sdk_ec2::Client) -> Launch {
    ec2.run_instances()
        .image_id(incident::IMAGE)
        .instance_type(aws_sdk_ec2::types::InstanceType::M5Large)
        .min_count(1)
        .max_count(1)
}

async fn one(launch: Launch) -> String {
    let made = launch.send().await.unwrap();
    made.instances()[0].instance_id().unwrap().to_owned()
}

#[test]
fn a_launch_runs_and_has_its_own_interface_and_volume() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let id = one(launch(&ec2).user_data("aGVsbG8=")).await;
        assert_eq!(cloud.world(|w| w.instance(&id).unwrap().state), State::Pending);
        sleep(seconds(60)).await;
        let shown = ec2.describe_instances().instance_ids(&id).send().await.unwrap();
        let shown = &shown.reservations()[0].instances()[0];
        assert_eq!(shown.state().unwrap().name().unwrap().as_str(), "running");
        assert_eq!(
            (
                shown.network_interfaces().len(),
                shown.block_device_mappings().len()
            ),
            (1, 1)
        );
        assert!(shown.public_ip_address().is_some());
    });
}

#[test]
fn the_same_token_gives_the_same_instance_and_never_another() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let first = one(launch(&ec2).client_token("t")).await;
        assert_eq!(one(launch(&ec2).client_token("t")).await, first);
        let other = launch(&ec2)
            .client_token("t")
            .key_name("k")
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&other), "IdempotentParameterMismatch");
        ec2.terminate_instances()
            .instance_ids(&first)
            .send()
            .await
            .unwrap();
        let error = launch(&ec2).client_token("t").send().await.unwrap_err();
        assert_eq!(code(&error), "IdempotentInstanceTerminated");
        assert_ne!(one(launch(&ec2).client_token("u")).await, first);
    });
}

#[test]
fn what_cannot_be_launched_is_refused_and_nothing_is_made() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let refused = async |launch: Launch| code(&launch.send().await.unwrap_err()).to_owned();
        assert_eq!(
            refused(launch(&ec2).key_name("k")).await,
            "InvalidKeyPair.NotFound"
        );
        assert_eq!(refused(launch(&ec2).dry_run(true)).await, "DryRunOperation");
        let scope = Scope::new(ACCOUNT, REGION);
        cloud.world(|w| {
            w.set_quota(
                &scope,
                Quota {
                    vcpus: 5,
                    ..Quota::default()
                },
            )
        });
        assert_eq!(refused(launch(&ec2)).await, "VcpuLimitExceeded");
        cloud.world(|w| w.set_quota(&scope, Quota::default()));
        for zone in ["a", "b", "c"] {
            cloud.world(|w| w.capacity(&format!("{REGION}{zone}"), None, false));
        }
        sleep(seconds(5)).await;
        assert_eq!(refused(launch(&ec2)).await, "InsufficientInstanceCapacity");
        cloud.world(|w| w.deregister_image(incident::IMAGE));
        assert_eq!(refused(launch(&ec2)).await, "InvalidAMIID.NotFound");
        assert_eq!(cloud.world(|w| w.instances().count()), 2);
    });
}

#[test]
fn protection_holds_and_a_broken_image_never_comes_up() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        cloud.world(|w| w.break_image(incident::IMAGE, Some(ImageFault::NeverBoots)));
        let id = one(launch(&ec2).disable_api_termination(true).disable_api_stop(true)).await;
        sleep(seconds(300)).await;
        assert!(!cloud.world(|w| w.instance(&id).unwrap().probe() == crate::sim::world::Probe::Pass));
        let error = ec2
            .terminate_instances()
            .instance_ids(&id)
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&error), "OperationNotPermitted");
        let error = ec2.stop_instances().instance_ids(&id).send().await.unwrap_err();
        assert_eq!(code(&error), "OperationNotPermitted");
    });
}

#[test]
fn a_launch_lays_its_own_parameters_over_those_of_its_template() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let data = aws_sdk_ec2::types::RequestLaunchTemplateData::builder()
            .image_id(incident::IMAGE)
            .instance_type(aws_sdk_ec2::types::InstanceType::T3Micro)
            .disable_api_stop(true);
        let template = ec2.create_launch_template().launch_template_name("web");
        template.launch_template_data(data.build()).send().await.unwrap();
        let named = aws_sdk_ec2::types::LaunchTemplateSpecification::builder().launch_template_name("web");
        let launch = ec2
            .run_instances()
            .launch_template(named.build())
            .min_count(1)
            .max_count(1);
        let id = one(launch.instance_type(aws_sdk_ec2::types::InstanceType::C5Large)).await;
        let made = cloud.world(|w| w.instance(&id).unwrap().clone());
        assert_eq!(
            (made.instance_type.as_str(), made.settings.disable_api_stop),
            ("c5.large", true)
        );
    });
}

#[test]
fn an_image_that_another_account_shares_is_launched_though_its_snapshots_are_not_shared() {
    const OTHERS: &str = "999988887777";
    const FOREIGN: &str = "ami-0f000000000000001";
    let image = ImageSpec::new(FOREIGN).owner(OTHERS).shared_with(ACCOUNT);
    simulate(incident::world(1).image(image), |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let id = one(launch(&ec2).image_id(FOREIGN)).await;
        assert_eq!(cloud.world(|w| w.instance(&id).unwrap().image.clone()), FOREIGN);
    });
}

#[test]
fn a_reboot_needs_running_instances_and_takes_the_application_down_for_a_while() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let id = one(launch(&ec2)).await;
        let error = ec2.reboot_instances().instance_ids(&id).send().await.unwrap_err();
        assert_eq!(code(&error), "IncorrectInstanceState");
        sleep(seconds(600)).await;
        assert!(cloud.world(|w| w.instance(&id).unwrap().app_up));
        ec2.reboot_instances().instance_ids(&id).send().await.unwrap();
        let (state, app_up) = cloud.world(|w| {
            let i = w.instance(&id).unwrap();
            (i.state, i.app_up)
        });
        assert_eq!((state, app_up), (State::Running, false));
        sleep(seconds(600)).await;
        assert!(cloud.world(|w| w.instance(&id).unwrap().app_up));
    });
}

#[test]
fn an_instances_attributes_are_those_of_its_launch() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let id = one(launch(&ec2).user_data("aGVsbG8=").disable_api_stop(true)).await;
        let asked = async |name| {
            let call = ec2.describe_instance_attribute().instance_id(&id).attribute(name);
            call.send().await.unwrap()
        };
        let data = asked(InstanceAttributeName::UserData).await;
        assert_eq!(data.user_data().unwrap().value(), Some("aGVsbG8="));
        assert!(data.disable_api_stop().is_none());
        let stop = asked(InstanceAttributeName::DisableApiStop).await;
        assert_eq!(stop.disable_api_stop().unwrap().value(), Some(true));
        let groups = asked(InstanceAttributeName::GroupSet).await;
        assert_eq!(groups.groups().len(), 1);
    });
}
