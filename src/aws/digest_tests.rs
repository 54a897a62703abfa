use super::*;
use aws_sdk_ec2::types as ec2;
use aws_sdk_ec2::types::builders::InstanceBuilder;
use std::collections::BTreeSet;

fn tag(key: &str, value: &str) -> ec2::Tag {
    ec2::Tag::builder().key(key).value(value).build()
}

fn group(id: &str) -> ec2::GroupIdentifier {
    ec2::GroupIdentifier::builder().group_id(id).build()
}

fn disk_of(device: &str, volume: &str, delete: bool) -> ec2::InstanceBlockDeviceMapping {
    let ebs = ec2::EbsInstanceBlockDevice::builder()
        .volume_id(volume)
        .delete_on_termination(delete)
        .status(ec2::AttachmentStatus::Attached)
        .build();
    ec2::InstanceBlockDeviceMapping::builder()
        .device_name(device)
        .ebs(ebs)
        .build()
}

fn association(owner: Option<&str>, address: &str) -> ec2::InstanceNetworkInterfaceAssociation {
    ec2::InstanceNetworkInterfaceAssociation::builder()
        .set_ip_owner_id(owner.map(str::to_owned))
        .public_ip(address)
        .build()
}

fn interface_of(
    id: &str,
    association: Option<ec2::InstanceNetworkInterfaceAssociation>,
) -> ec2::InstanceNetworkInterface {
    ec2::InstanceNetworkInterface::builder()
        .network_interface_id(id)
        .attachment(
            ec2::InstanceNetworkInterfaceAttachment::builder()
                .device_index(0)
                .build(),
        )
        .set_association(association)
        .build()
}

fn whole() -> InstanceBuilder {
    ec2::Instance::builder()
        .instance_id("i-1")
        .image_id("ami-1")
        .instance_type("t3.medium".into())
        .subnet_id("subnet-1")
        .security_groups(group("sg-1"))
        .security_groups(group("sg-2"))
        .key_name("ops")
        .block_device_mappings(disk_of("/dev/xvda", "vol-1", true))
        .block_device_mappings(disk_of("/dev/sdf", "vol-2", false))
        .network_interfaces(interface_of(
            "eni-1",
            Some(association(Some("amazon"), "3.8.0.1")),
        ))
        .tags(tag("Name", "tis-blue"))
        .tags(tag("team", "tis"))
        .state(ec2::InstanceState::builder().code(16).build())
}

fn of(builder: InstanceBuilder) -> String {
    digest(&builder.build())
}

#[test]
fn it_is_short_and_the_same_each_time() {
    assert_eq!(of(whole()), of(whole()));
    assert_eq!(of(whole()).len(), 2 * BYTES);
    assert_eq!(of(ec2::Instance::builder()).len(), 2 * BYTES);
}

#[test]
fn order_is_nothing_to_it() {
    let turned = whole()
        .set_tags(Some(vec![tag("team", "tis"), tag("Name", "tis-blue")]))
        .set_security_groups(Some(vec![group("sg-2"), group("sg-1")]))
        .set_block_device_mappings(Some(vec![
            disk_of("/dev/sdf", "vol-2", false),
            disk_of("/dev/xvda", "vol-1", true),
        ]));
    assert_eq!(of(turned), of(whole()));
}

#[test]
fn state_times_and_an_address_that_aws_assigns_are_nothing_to_it() {
    let stopped = whole()
        .state(ec2::InstanceState::builder().code(80).build())
        .state_transition_reason("User initiated")
        .state_reason(
            ec2::StateReason::builder()
                .code("Client.UserInitiatedShutdown")
                .build(),
        )
        .launch_time(aws_smithy_types::DateTime::from_secs(1))
        .public_ip_address("3.8.0.9")
        .private_ip_address("10.0.0.9")
        .set_network_interfaces(Some(vec![interface_of("eni-1", None)]));
    assert_eq!(of(stopped), of(whole()));
    let reassigned = association(Some("amazon"), "3.8.0.2");
    let started = whole().set_network_interfaces(Some(vec![interface_of("eni-1", Some(reassigned))]));
    assert_eq!(of(started), of(whole()));
}

#[test]
fn tags_of_aws_and_of_keepgreen_are_nothing_to_it() {
    let marked = whole()
        .tags(tag("aws:autoscaling:groupName", "workers"))
        .tags(tag("keepgreen:pause", ""));
    assert_eq!(of(marked), of(whole()));
}

#[test]
fn whatever_a_blueprint_has_is_something_to_it_and_no_two_changes_are_the_same() {
    let metadata = ec2::InstanceMetadataOptionsResponse::builder()
        .http_tokens("optional".into())
        .build();
    let changed = [
        whole().image_id("ami-2"),
        whole().instance_type("t3.large".into()),
        whole().subnet_id("subnet-2"),
        whole().security_groups(group("sg-3")),
        whole().key_name("others"),
        whole().iam_instance_profile(ec2::IamInstanceProfile::builder().arn("arn:p").build()),
        whole().monitoring(ec2::Monitoring::builder().state("enabled".into()).build()),
        whole().ebs_optimized(true),
        whole().source_dest_check(false),
        whole().metadata_options(metadata),
        whole().block_device_mappings(disk_of("/dev/sdg", "vol-3", false)),
        whole().set_block_device_mappings(Some(vec![
            disk_of("/dev/xvda", "vol-1", false),
            disk_of("/dev/sdf", "vol-2", false),
        ])),
        whole().network_interfaces(interface_of("eni-2", None)),
        whole().set_network_interfaces(Some(vec![interface_of(
            "eni-1",
            Some(association(Some("111122223333"), "3.8.0.1")),
        )])),
        whole().set_network_interfaces(Some(vec![interface_of(
            "eni-1",
            Some(association(Some("111122223333"), "3.8.0.2")),
        )])),
        whole().placement(ec2::Placement::builder().tenancy("dedicated".into()).build()),
        whole().placement(ec2::Placement::builder().group_name("spread").build()),
        whole().placement(ec2::Placement::builder().host_id("spread").build()),
        whole().cpu_options(ec2::CpuOptions::builder().core_count(1).build()),
        whole().cpu_options(ec2::CpuOptions::builder().threads_per_core(1).build()),
        whole().hibernation_options(ec2::HibernationOptions::builder().configured(true).build()),
        whole().enclave_options(ec2::EnclaveOptions::builder().enabled(true).build()),
        whole().licenses(
            ec2::LicenseConfiguration::builder()
                .license_configuration_arn("arn:l")
                .build(),
        ),
        whole().maintenance_options(
            ec2::InstanceMaintenanceOptions::builder()
                .auto_recovery("disabled".into())
                .build(),
        ),
        whole().private_dns_name_options(
            ec2::PrivateDnsNameOptionsResponse::builder()
                .hostname_type("resource-name".into())
                .build(),
        ),
        whole().instance_lifecycle("spot".into()),
        whole().tags(tag("env", "prod")),
    ];
    let changes = changed.len();
    let mut digests: BTreeSet<String> = changed.into_iter().map(of).collect();
    digests.insert(of(whole()));
    assert_eq!(digests.len(), changes + 1);
}

#[test]
fn what_is_moved_from_one_list_to_the_next_is_another_interface() {
    let address = |ipv6: bool| {
        let builder = ec2::InstanceNetworkInterface::builder().network_interface_id("eni-1");
        let builder = match ipv6 {
            true => builder.ipv6_addresses(
                ec2::InstanceIpv6Address::builder()
                    .ipv6_address("fd00::1")
                    .build(),
            ),
            false => builder.ipv6_prefixes(ec2::InstanceIpv6Prefix::builder().ipv6_prefix("fd00::1").build()),
        };
        of(ec2::Instance::builder().network_interfaces(builder.build()))
    };
    assert_ne!(address(true), address(false));
}

#[test]
fn an_address_whose_owner_is_not_told_counts_as_somebodys() {
    assert!(is_elastic(&association(None, "3.8.0.1")));
    assert!(is_elastic(&association(Some("111122223333"), "3.8.0.1")));
    assert!(!is_elastic(&association(Some("amazon"), "3.8.0.1")));
    let empty = ec2::InstanceNetworkInterfaceAssociation::builder().build();
    assert!(!is_elastic(&empty), "there is no address to be anybody's");
}
