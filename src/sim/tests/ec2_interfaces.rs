//! Network interfaces, Elastic IPs, security groups and key pairs, through the real client.

use aws_sdk_ec2::types::{IpPermission, IpRange};
use tokio::time::sleep;

use super::*;
use crate::sim::world::{InstanceSpec, incident};

fn world() -> WorldBuilder {
    WorldBuilder::new(1)
        .instance(InstanceSpec::new(&id(1)).public_ip())
        .instance(InstanceSpec::new(&id(2)))
}

async fn interface_of(ec2: &aws_sdk_ec2::Client, instance: &str) -> aws_sdk_ec2::types::NetworkInterface {
    let filter = aws_sdk_ec2::types::Filter::builder()
        .name("attachment.instance-id")
        .values(instance);
    let answer = ec2
        .describe_network_interfaces()
        .filters(filter.build())
        .send()
        .await
        .unwrap();
    answer.network_interfaces()[0].clone()
}

#[test]
fn an_automatic_public_address_is_lost_at_the_stop_and_the_private_one_stays() {
    simulate(world(), |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let before = interface_of(&ec2, &id(1)).await;
        let public = before.association().unwrap().public_ip().unwrap().to_owned();
        ec2.stop_instances().instance_ids(id(1)).send().await.unwrap();
        sleep(seconds(60)).await;
        let stopped = interface_of(&ec2, &id(1)).await;
        assert!(stopped.association().is_none());
        assert_eq!(stopped.private_ip_address(), before.private_ip_address());
        ec2.start_instances().instance_ids(id(1)).send().await.unwrap();
        let started = interface_of(&ec2, &id(1)).await;
        assert_ne!(started.association().unwrap().public_ip(), Some(public.as_str()));
        assert_eq!(started.network_interface_id(), before.network_interface_id());
        assert!(interface_of(&ec2, &id(2)).await.association().is_none());
    });
}

#[test]
fn an_elastic_ip_survives_a_stop_moves_and_outlives_its_instance() {
    simulate(world(), |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let made = ec2.allocate_address().send().await.unwrap();
        let allocation = made.allocation_id().unwrap();
        let associate = |instance: &str| {
            ec2.associate_address()
                .allocation_id(allocation)
                .instance_id(instance)
        };
        associate(&id(1)).send().await.unwrap();
        ec2.stop_instances().instance_ids(id(1)).send().await.unwrap();
        sleep(seconds(60)).await;
        let interface = interface_of(&ec2, &id(1)).await;
        assert_eq!(interface.association().unwrap().allocation_id(), Some(allocation));

        let error = associate(&id(2))
            .allow_reassociation(false)
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&error), "Resource.AlreadyAssociated");
        associate(&id(2)).send().await.unwrap();
        let shown = ec2
            .describe_addresses()
            .allocation_ids(allocation)
            .send()
            .await
            .unwrap();
        assert_eq!(shown.addresses()[0].instance_id(), Some(id(2).as_str()));
        let error = ec2
            .release_address()
            .allocation_id(allocation)
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&error), "InvalidIPAddress.InUse");

        let free = async || {
            let subnets = ec2.describe_subnets().send().await.unwrap();
            subnets
                .subnets()
                .iter()
                .map(|s| s.available_ip_address_count().unwrap())
                .sum::<i32>()
        };
        let before = free().await;
        ec2.terminate_instances()
            .instance_ids(id(2))
            .send()
            .await
            .unwrap();
        sleep(seconds(90)).await;
        assert_eq!(free().await, before + 1);
        let shown = ec2
            .describe_addresses()
            .allocation_ids(allocation)
            .send()
            .await
            .unwrap();
        assert_eq!(shown.addresses()[0].association_id(), None);
        ec2.release_address()
            .allocation_id(allocation)
            .send()
            .await
            .unwrap();
    });
}

#[test]
fn a_second_interface_is_attached_detached_and_deleted() {
    simulate(world(), |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let primary = interface_of(&ec2, &id(1)).await;
        let subnet = primary.subnet_id().unwrap();
        let taken = primary.private_ip_address().unwrap();
        let error = ec2
            .create_network_interface()
            .subnet_id(subnet)
            .private_ip_address(taken)
            .send()
            .await;
        assert_eq!(code(&error.unwrap_err()), "InvalidIPAddress.InUse");
        let made = ec2
            .create_network_interface()
            .subnet_id(subnet)
            .description("second")
            .send()
            .await
            .unwrap();
        let made = made.network_interface().unwrap().network_interface_id().unwrap();
        let attach = || {
            ec2.attach_network_interface()
                .network_interface_id(made)
                .instance_id(id(1))
        };
        let error = attach().device_index(0).send().await.unwrap_err();
        assert_eq!(code(&error), "InvalidParameterValue");
        let attachment = attach()
            .device_index(1)
            .send()
            .await
            .unwrap()
            .attachment_id()
            .unwrap()
            .to_owned();
        let error = ec2
            .delete_network_interface()
            .network_interface_id(made)
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&error), "InvalidNetworkInterface.InUse");
        let own = primary.attachment().unwrap().attachment_id().unwrap();
        let error = ec2
            .detach_network_interface()
            .attachment_id(own)
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&error), "OperationNotPermitted");
        ec2.detach_network_interface()
            .attachment_id(attachment)
            .send()
            .await
            .unwrap();
        ec2.delete_network_interface()
            .network_interface_id(made)
            .send()
            .await
            .unwrap();
        let error = ec2
            .describe_network_interfaces()
            .network_interface_ids(made)
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&error), "InvalidNetworkInterfaceID.NotFound");
    });
}

#[test]
fn rules_are_added_once_shown_and_removed() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let made = ec2
            .create_security_group()
            .group_name("web")
            .description("web servers")
            .send()
            .await
            .unwrap();
        let group = made.group_id().unwrap();
        let https = IpPermission::builder()
            .ip_protocol("tcp")
            .from_port(443)
            .to_port(443)
            .ip_ranges(
                IpRange::builder()
                    .cidr_ip("10.0.0.7/8")
                    .description("inside")
                    .build(),
            )
            .build();
        let add = || {
            ec2.authorize_security_group_ingress()
                .group_id(group)
                .ip_permissions(https.clone())
                .send()
        };
        let rule = add().await.unwrap().security_group_rules()[0].clone();
        assert_eq!(rule.cidr_ipv4(), Some("10.0.0.0/8"));
        assert_eq!(code(&add().await.unwrap_err()), "InvalidPermission.Duplicate");
        let shown = ec2
            .describe_security_groups()
            .group_names("web")
            .send()
            .await
            .unwrap();
        let [shown] = shown.security_groups() else {
            panic!("{shown:?}")
        };
        assert_eq!(
            (shown.ip_permissions().len(), shown.ip_permissions_egress().len()),
            (1, 1)
        );
        assert_eq!(
            shown.ip_permissions()[0].ip_ranges()[0].description(),
            Some("inside")
        );
        let revoke = || {
            ec2.revoke_security_group_ingress()
                .group_id(group)
                .ip_permissions(https.clone())
                .send()
        };
        revoke().await.unwrap();
        assert_eq!(code(&revoke().await.unwrap_err()), "InvalidPermission.NotFound");
        let rules = ec2.describe_security_group_rules().send().await.unwrap();
        assert_eq!(rules.security_group_rules().len(), 3);
        ec2.delete_security_group().group_id(group).send().await.unwrap();
        let default = ec2
            .describe_security_groups()
            .group_names("default")
            .send()
            .await
            .unwrap();
        let default = default.security_groups()[0].group_id().unwrap();
        let error = ec2
            .delete_security_group()
            .group_id(default)
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&error), "CannotDelete");
    });
}

#[test]
fn key_pairs_have_unique_names_and_zones_and_regions_are_told() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let made = ec2.create_key_pair().key_name("ops").send().await.unwrap();
        assert!(made.key_material().unwrap().contains("PRIVATE KEY"));
        let error = ec2.create_key_pair().key_name("ops").send().await.unwrap_err();
        assert_eq!(code(&error), "InvalidKeyPair.Duplicate");
        let shown = ec2.describe_key_pairs().key_names("ops").send().await.unwrap();
        assert_eq!(shown.key_pairs()[0].key_fingerprint(), made.key_fingerprint());
        ec2.delete_key_pair().key_name("ops").send().await.unwrap();
        let error = ec2
            .describe_key_pairs()
            .key_names("ops")
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&error), "InvalidKeyPair.NotFound");
        let zones = ec2.describe_availability_zones().send().await.unwrap();
        let zones = zones.availability_zones().iter().map(|z| z.zone_id().unwrap());
        assert_eq!(zones.collect::<Vec<_>>(), ["euw2-az1", "euw2-az2", "euw2-az3"]);
        let regions = ec2
            .describe_regions()
            .region_names("eu-west-2")
            .send()
            .await
            .unwrap();
        assert_eq!(
            regions.regions()[0].endpoint(),
            Some("ec2.eu-west-2.amazonaws.com")
        );
    });
}
