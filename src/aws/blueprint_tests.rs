use super::*;
use aws_sdk_ec2::types::builders::{
    InstanceBuilder, InstanceNetworkInterfaceAssociationBuilder, InstanceNetworkInterfaceBuilder,
};
use std::collections::BTreeSet;

fn tag(key: &str, value: &str) -> ec2::Tag {
    ec2::Tag::builder().key(key).value(value).build()
}

fn disk(device: &str, volume: &str, delete: bool) -> ec2::InstanceBlockDeviceMapping {
    let ebs = ec2::EbsInstanceBlockDevice::builder()
        .volume_id(volume)
        .delete_on_termination(delete)
        .build();
    ec2::InstanceBlockDeviceMapping::builder()
        .device_name(device)
        .ebs(ebs)
        .build()
}

fn address(owner: &str, ip: &str) -> InstanceNetworkInterfaceAssociationBuilder {
    ec2::InstanceNetworkInterfaceAssociation::builder()
        .ip_owner_id(owner)
        .public_ip(ip)
}

fn interface(id: &str, index: i32) -> InstanceNetworkInterfaceBuilder {
    let attachment = ec2::InstanceNetworkInterfaceAttachment::builder()
        .device_index(index)
        .build();
    ec2::InstanceNetworkInterface::builder()
        .network_interface_id(id)
        .subnet_id("subnet-1")
        .groups(ec2::GroupIdentifier::builder().group_id("sg-2").build())
        .groups(ec2::GroupIdentifier::builder().group_id("sg-1").build())
        .interface_type("interface")
        .source_dest_check(true)
        .private_ip_addresses(
            ec2::InstancePrivateIpAddress::builder()
                .private_ip_address("10.0.0.7")
                .primary(true)
                .build(),
        )
        .attachment(attachment)
}

/// An ordinary server, of which a launch can carry everything.
fn plain() -> InstanceBuilder {
    ec2::Instance::builder()
        .instance_id("i-1")
        .image_id("ami-1")
        .instance_type("t3.medium".into())
        .placement(
            ec2::Placement::builder()
                .availability_zone("eu-west-2a")
                .tenancy("default".into())
                .group_name("")
                .build(),
        )
        .key_name("ops")
        .ebs_optimized(true)
        .source_dest_check(true)
        .iam_instance_profile(ec2::IamInstanceProfile::builder().arn("arn:p").id("P").build())
        .root_device_name("/dev/xvda")
        .root_device_type(ec2::DeviceType::Ebs)
        .block_device_mappings(disk("/dev/xvda", "vol-root", true))
        .network_interfaces(interface("eni-1", 0).build())
        .metadata_options(
            ec2::InstanceMetadataOptionsResponse::builder()
                .http_tokens("required".into())
                .http_put_response_hop_limit(2)
                .http_endpoint("enabled".into())
                .http_protocol_ipv6("disabled".into())
                .instance_metadata_tags("disabled".into())
                .build(),
        )
        .cpu_options(
            ec2::CpuOptions::builder()
                .core_count(1)
                .threads_per_core(2)
                .build(),
        )
        .capacity_reservation_specification(
            ec2::CapacityReservationSpecificationResponse::builder()
                .capacity_reservation_preference("open".into())
                .build(),
        )
        .maintenance_options(
            ec2::InstanceMaintenanceOptions::builder()
                .auto_recovery("default".into())
                .build(),
        )
        .private_dns_name_options(
            ec2::PrivateDnsNameOptionsResponse::builder()
                .hostname_type("ip-name".into())
                .enable_resource_name_dns_a_record(true)
                .build(),
        )
        .network_performance_options(
            ec2::InstanceNetworkPerformanceOptions::builder()
                .bandwidth_weighting("default".into())
                .build(),
        )
        .tags(tag("Name", "tis-blue"))
        .tags(tag("aws:cloudformation:stack-name", "tis"))
        .tags(tag("keepgreen:slot", "blue"))
}

fn root_volume() -> ec2::Volume {
    ec2::Volume::builder()
        .volume_id("vol-root")
        .size(40)
        .volume_type(ec2::VolumeType::Gp3)
        .iops(3_000)
        .throughput(125)
        .encrypted(true)
        .kms_key_id("arn:k")
        .tags(tag("backup", "daily"))
        .tags(tag("keepgreen:repair", "r"))
        .build()
}

fn medium() -> InstanceKind {
    InstanceKind {
        architectures: BTreeSet::from(["x86_64".to_owned()]),
        burstable: true,
        ebs_optimizable: true,
        cpu: Some((1, 2)),
        instance_store_gb: None,
    }
}

fn attributes() -> Attributes {
    Attributes {
        user_data: Some("aGVsbG8=".to_owned()),
        termination_protected: false,
        stop_protected: false,
        shutdown_terminates: false,
    }
}

fn whole(raw: &ec2::Instance) -> Whole<'_> {
    Whole {
        raw,
        attributes: attributes(),
        volumes: vec![root_volume()],
        kind: Some(medium()),
        cpu_credits: Some("unlimited".to_owned()),
    }
}

fn taken(whole: Whole<'_>) -> Result<Blueprint, String> {
    let now = "2026-11-11T04:00:00Z".parse().unwrap();
    whole.blueprint(&"blue".into(), "111122223333", &"eu-west-2".into(), now)
}

#[test]
fn everything_that_a_launch_takes_over_is_in_the_blueprint() {
    let raw = plain().build();
    let blueprint = taken(whole(&raw)).unwrap();
    assert_eq!(blueprint.uncarried, []);
    assert_eq!(blueprint.image.as_str(), "ami-1");
    assert_eq!(blueprint.instance_type, "t3.medium");
    assert_eq!(
        (blueprint.zone.as_str(), blueprint.subnet.as_str()),
        ("eu-west-2a", "subnet-1")
    );
    assert_eq!(
        blueprint.security_groups,
        BTreeSet::from(["sg-1".to_owned(), "sg-2".to_owned()])
    );
    assert_eq!(blueprint.profile.as_deref(), Some("arn:p"));
    assert_eq!(blueprint.key_name.as_deref(), Some("ops"));
    assert_eq!(blueprint.user_data, Some(UserData::new("aGVsbG8=")));
    assert_eq!(blueprint.cpu_credits.as_deref(), Some("unlimited"));
    assert_eq!(
        (blueprint.monitoring, blueprint.ebs_optimized, blueprint.public_ip),
        (false, true, false)
    );
    assert_eq!(
        blueprint.metadata,
        MetadataOptions {
            tokens: Some("required".to_owned()),
            hop_limit: Some(2),
            endpoint: Some("enabled".to_owned()),
            ipv6: Some("disabled".to_owned()),
            tags: Some("disabled".to_owned()),
        }
    );
    assert_eq!(
        blueprint.tags,
        BTreeMap::from([("Name".to_owned(), "tis-blue".to_owned())])
    );
    assert_eq!(blueprint.digest, digest(&raw));
    let root = RootVolume {
        device: "/dev/xvda".to_owned(),
        size_gib: 40,
        kind: "gp3".to_owned(),
        iops: Some(3_000),
        throughput: Some(125),
        encrypted: true,
        kms_key: Some("arn:k".to_owned()),
        delete_on_termination: true,
        tags: BTreeMap::from([("backup".to_owned(), "daily".to_owned())]),
    };
    assert_eq!(blueprint.root, Some(root));
}

#[test]
fn an_address_that_aws_assigned_is_asked_for_anew_and_an_elastic_one_is_left_behind() {
    let with = |owner: &str| {
        let interface = interface("eni-1", 0).association(address(owner, "3.8.0.1").build());
        let raw = plain()
            .set_network_interfaces(Some(vec![interface.build()]))
            .build();
        let blueprint = taken(whole(&raw)).unwrap();
        (blueprint.public_ip, blueprint.uncarried)
    };
    assert_eq!(with("amazon"), (true, vec![]));
    let left = Uncarried {
        kind: UncarriedKind::ElasticIp,
        what: "Elastic IP 3.8.0.1 of eni-1".to_owned(),
    };
    assert_eq!(with("111122223333"), (false, vec![left]));
}

/// What is left behind, as `kind: what`.
fn left(raw: InstanceBuilder) -> Vec<String> {
    let raw = raw.build();
    let blueprint = taken(whole(&raw)).unwrap();
    let told = |one: &Uncarried| format!("{:?}: {}", one.kind, one.what);
    blueprint.uncarried.iter().map(told).collect()
}

#[test]
fn disks_beside_the_root_are_named_with_their_volumes() {
    let two = plain()
        .block_device_mappings(disk("/dev/sdf", "vol-data", false))
        .block_device_mappings(disk("/dev/sdg", "vol-more", true));
    let raw = two.build();
    let mut seen = whole(&raw);
    seen.kind.as_mut().unwrap().instance_store_gb = Some(75);
    let blueprint = taken(seen).unwrap();
    let told: Vec<(UncarriedKind, &str)> = blueprint
        .uncarried
        .iter()
        .map(|one| (one.kind, one.what.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (UncarriedKind::DataVolume, "data volume vol-data on /dev/sdf"),
            (UncarriedKind::DataVolume, "data volume vol-more on /dev/sdg"),
            (
                UncarriedKind::Other,
                "an instance store of 75 GB, with what is on it"
            ),
        ]
    );
}

#[test]
fn an_instance_whose_root_is_an_instance_store_has_no_root_volume() {
    let raw = plain()
        .root_device_type(ec2::DeviceType::InstanceStore)
        .set_block_device_mappings(None)
        .build();
    let mut seen = whole(&raw);
    seen.volumes = Vec::new();
    let blueprint = taken(seen).unwrap();
    assert_eq!(blueprint.root, None);
    assert_eq!(
        blueprint.uncarried.first().unwrap().what,
        "a root device that is an instance store"
    );
}

#[test]
fn further_interfaces_and_addresses_are_named() {
    let second = interface("eni-2", 1).association(address("111122223333", "3.8.0.2").build());
    let secondary = ec2::InstancePrivateIpAddress::builder()
        .private_ip_address("10.0.0.9")
        .primary(false)
        .association(address("111122223333", "3.8.0.3").build())
        .build();
    let first = interface("eni-1", 0)
        .private_ip_addresses(secondary)
        .ipv6_addresses(
            ec2::InstanceIpv6Address::builder()
                .ipv6_address("fd00::1")
                .build(),
        )
        .ipv4_prefixes(
            ec2::InstanceIpv4Prefix::builder()
                .ipv4_prefix("10.0.1.0/28")
                .build(),
        )
        .source_dest_check(false);
    let raw = plain().set_network_interfaces(Some(vec![second.build(), first.build()]));
    assert_eq!(
        left(raw),
        [
            "ElasticIp: Elastic IP 3.8.0.2 of eni-2",
            "ElasticIp: Elastic IP 3.8.0.3 of eni-1",
            "NetworkInterface: network interface eni-2 (device index 1)",
            "Other: IPv6 address fd00::1 of eni-1",
            "Other: a source/destination check that is off",
            "Other: prefix 10.0.1.0/28 of eni-1",
            "Other: secondary private address 10.0.0.9 of eni-1",
        ]
    );
}

#[test]
fn each_setting_that_a_launch_does_not_make_is_named() {
    let placement = || ec2::Placement::builder().availability_zone("eu-west-2a");
    let reservation = ec2::CapacityReservationSpecificationResponse::builder()
        .capacity_reservation_preference("capacity-reservations-only".into())
        .capacity_reservation_target(
            ec2::CapacityReservationTargetResponse::builder()
                .capacity_reservation_id("cr-1")
                .build(),
        )
        .build();
    let cpu = |cores, threads| {
        ec2::CpuOptions::builder()
            .core_count(cores)
            .threads_per_core(threads)
            .build()
    };
    let dns = ec2::PrivateDnsNameOptionsResponse::builder().hostname_type("resource-name".into());
    let maintenance = ec2::InstanceMaintenanceOptions::builder().auto_recovery("disabled".into());
    let table: Vec<(InstanceBuilder, &str)> = vec![
        (
            plain().placement(placement().group_name("spread").partition_number(2).build()),
            "placement group spread, partition 2",
        ),
        (
            plain().placement(placement().tenancy("dedicated".into()).build()),
            "tenancy dedicated",
        ),
        (
            plain().placement(placement().host_id("h-1").build()),
            "dedicated host h-1",
        ),
        (plain().instance_lifecycle("spot".into()), "purchase as spot"),
        (
            plain().cpu_options(cpu(1, 1)),
            "CPU options: 1 cores of 1 threads, where its type has 1 of 2",
        ),
        (
            plain().hibernation_options(ec2::HibernationOptions::builder().configured(true).build()),
            "hibernation",
        ),
        (
            plain().enclave_options(ec2::EnclaveOptions::builder().enabled(true).build()),
            "Nitro Enclaves",
        ),
        (
            plain().licenses(
                ec2::LicenseConfiguration::builder()
                    .license_configuration_arn("arn:l")
                    .build(),
            ),
            "licence configuration arn:l",
        ),
        (
            plain().maintenance_options(maintenance.build()),
            "automatic recovery that is off",
        ),
        (
            plain().private_dns_name_options(dns.build()),
            "a host name made of its id",
        ),
    ];
    for (raw, expected) in table {
        assert_eq!(left(raw), [format!("Other: {expected}")]);
    }
    assert_eq!(
        left(plain().capacity_reservation_specification(reservation)),
        [
            "Other: capacity reservation cr-1",
            "Other: capacity reservation preference capacity-reservations-only"
        ]
    );
}

#[test]
fn protections_and_an_end_at_shutdown_are_named() {
    let raw = plain().build();
    let mut seen = whole(&raw);
    seen.attributes = Attributes {
        user_data: None,
        termination_protected: true,
        stop_protected: true,
        shutdown_terminates: true,
    };
    let blueprint = taken(seen).unwrap();
    let told: Vec<_> = blueprint
        .uncarried
        .iter()
        .map(|one| (one.kind, one.what.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (UncarriedKind::StopProtection, "stop protection"),
            (UncarriedKind::TerminationProtection, "termination protection"),
            (UncarriedKind::Other, "termination at its own shutdown"),
        ]
    );
    assert_eq!(blueprint.user_data, None);
}

#[test]
fn cpu_options_are_not_taken_for_the_usual_ones_when_those_are_not_known() {
    let raw = plain().build();
    let mut seen = whole(&raw);
    seen.kind = None;
    assert_eq!(taken(seen).unwrap().uncarried.len(), 1);
    let raw = plain().set_cpu_options(None).build();
    let mut seen = whole(&raw);
    seen.kind = None;
    assert_eq!(taken(seen).unwrap().uncarried, []);
}

#[test]
fn of_a_volume_only_what_its_kind_lets_be_chosen_is_kept() {
    let of = |kind: ec2::VolumeType| {
        let raw = plain().build();
        let mut seen = whole(&raw);
        let volume = seen.volumes.first_mut().unwrap();
        volume.volume_type = Some(kind);
        volume.encrypted = Some(false);
        let root = taken(seen).unwrap().root.unwrap();
        (root.iops, root.throughput, root.kms_key)
    };
    assert_eq!(of(ec2::VolumeType::Gp2), (None, None, None));
    assert_eq!(of(ec2::VolumeType::Io2), (Some(3_000), None, None));
    assert_eq!(of(ec2::VolumeType::Gp3), (Some(3_000), Some(125), None));
}

#[test]
fn there_is_no_half_blueprint() {
    let lacking: Vec<(ec2::Instance, &str)> = vec![
        (
            plain().set_network_interfaces(None).build(),
            "primary network interface",
        ),
        (plain().set_placement(None).build(), "zone"),
        (plain().set_image_id(None).build(), "image"),
        (plain().set_instance_type(None).build(), "type"),
    ];
    for (raw, what) in lacking {
        let error = taken(whole(&raw)).unwrap_err();
        assert!(error.contains(what), "{error}");
    }
    let raw = plain().build();
    let mut seen = whole(&raw);
    seen.volumes = Vec::new();
    assert_eq!(taken(seen).unwrap_err(), "its root volume was not read");
    let mut seen = whole(&raw);
    seen.volumes.first_mut().unwrap().encrypted = None;
    assert!(taken(seen).unwrap_err().contains("encryption"));
}
