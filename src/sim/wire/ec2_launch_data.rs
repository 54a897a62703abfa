//! The parameters of a launch, which RunInstances takes at its top and a launch template takes under a prefix.

use super::query::Params;
use crate::sim::world::api::ApiError;
use crate::sim::world::launch::{
    BlockDeviceSpec, CpuOptions, EbsSpec, HostnameOptions, InterfaceSpec, LaunchData, MarketSpec,
    MetadataSpec, PlacementSpec, ProfileSpec,
};

/// Take all parameters of a launch out of `p`; what is left is for the caller to refuse.
pub(super) fn launch_data(p: &mut Params) -> Result<LaunchData, ApiError> {
    let monitoring = p.within("Monitoring", |m| m.maybe_flag("Enabled"))?.flatten();
    let hibernation = p
        .within("HibernationOptions", |h| h.maybe_flag("Configured"))?
        .flatten();
    let enclave = p.within("EnclaveOptions", |e| e.maybe_flag("Enabled"))?.flatten();
    let cpu_credits = p
        .within("CreditSpecification", |c| Ok(c.text("CpuCredits")))?
        .flatten();
    let auto_recovery = p
        .within("MaintenanceOptions", |m| Ok(m.text("AutoRecovery")))?
        .flatten();
    let reservation = p.within("CapacityReservationSpecification", |c| {
        Ok(c.text("CapacityReservationPreference"))
    })?;
    Ok(LaunchData {
        image: p.text("ImageId"),
        instance_type: p.text("InstanceType"),
        key_name: p.text("KeyName"),
        user_data: p.text("UserData"),
        group_ids: p.list("SecurityGroupId"),
        group_names: p.list("SecurityGroup"),
        interfaces: interfaces(p)?,
        block_devices: block_devices(p)?,
        profile: p.within("IamInstanceProfile", |profile| {
            Ok(ProfileSpec {
                arn: profile.text("Arn"),
                name: profile.text("Name"),
            })
        })?,
        monitoring,
        ebs_optimized: p.maybe_flag("EbsOptimized")?,
        placement: placement(p)?,
        disable_api_termination: p.maybe_flag("DisableApiTermination")?,
        disable_api_stop: p.maybe_flag("DisableApiStop")?,
        shutdown_behavior: p.text("InstanceInitiatedShutdownBehavior"),
        tags: p.tag_specs()?,
        market: market(p)?,
        cpu_credits,
        cpu: cpu(p)?,
        capacity_reservation_preference: reservation.flatten(),
        hibernation,
        metadata: metadata(p)?,
        enclave,
        hostname: hostname(p)?,
        auto_recovery,
    })
}

/// `BlockDeviceMapping.N`, as launches, templates and images take it.
pub(super) fn block_devices(p: &mut Params) -> Result<Vec<BlockDeviceSpec>, ApiError> {
    let mut devices = Vec::new();
    for mut entry in p.structures("BlockDeviceMapping") {
        let ebs = entry.within("Ebs", |ebs| {
            Ok(EbsSpec {
                delete_on_termination: ebs.maybe_flag("DeleteOnTermination")?,
                encrypted: ebs.maybe_flag("Encrypted")?,
                iops: ebs.number("Iops")?,
                kms_key: ebs.text("KmsKeyId"),
                snapshot: ebs.text("SnapshotId"),
                size_gib: ebs.number("VolumeSize")?,
                throughput: ebs.number("Throughput")?,
                volume_type: ebs.text("VolumeType"),
            })
        })?;
        devices.push(BlockDeviceSpec {
            device: entry.required("DeviceName")?,
            virtual_name: entry.text("VirtualName"),
            no_device: entry.text("NoDevice").is_some(),
            ebs,
        });
        entry.finish("BlockDeviceMapping")?;
    }
    Ok(devices)
}

fn interfaces(p: &mut Params) -> Result<Vec<InterfaceSpec>, ApiError> {
    let mut interfaces = Vec::new();
    for mut entry in p.structures("NetworkInterface") {
        // One of several addresses is the primary one; no more than that one is modelled.
        let primary = match entry.structures("PrivateIpAddresses").as_mut_slice() {
            [] => None,
            [one] => {
                if !one.flag("Primary")? {
                    return Err(ApiError::not_modelled(
                        "a private address that is not the primary one",
                    ));
                }
                let address = one.required("PrivateIpAddress")?;
                one.finish("PrivateIpAddresses")?;
                Some(address)
            }
            _ => return Err(ApiError::not_modelled("secondary private addresses")),
        };
        let single = entry.text("PrivateIpAddress");
        if primary.is_some() && single.is_some() && primary != single {
            let text = "PrivateIpAddress and the primary one of PrivateIpAddresses are different addresses.";
            return Err(ApiError::new("InvalidParameterCombination", text));
        }
        interfaces.push(InterfaceSpec {
            id: entry.text("NetworkInterfaceId"),
            device_index: entry.number("DeviceIndex")?,
            subnet: entry.text("SubnetId"),
            description: entry.text("Description"),
            group_ids: entry.list("SecurityGroupId"),
            private_ip: single.or(primary),
            associate_public_ip: entry.maybe_flag("AssociatePublicIpAddress")?,
            delete_on_termination: entry.maybe_flag("DeleteOnTermination")?,
        });
        entry.finish("NetworkInterface")?;
    }
    Ok(interfaces)
}

fn placement(p: &mut Params) -> Result<PlacementSpec, ApiError> {
    let placement = p.within("Placement", |placement| {
        Ok(PlacementSpec {
            zone: placement.text("AvailabilityZone"),
            zone_id: placement.text("AvailabilityZoneId"),
            tenancy: placement.text("Tenancy"),
            group_name: placement.text("GroupName").filter(|name| !name.is_empty()),
            partition: placement.number("PartitionNumber")?,
            affinity: placement.text("Affinity"),
            host: placement.text("HostId"),
        })
    })?;
    Ok(placement.unwrap_or_default())
}

fn market(p: &mut Params) -> Result<Option<MarketSpec>, ApiError> {
    p.within("InstanceMarketOptions", |market| {
        let kind = market.text("MarketType");
        let spot = market.within("SpotOptions", |spot| {
            Ok(MarketSpec {
                kind: None,
                max_price: spot.text("MaxPrice"),
                spot_type: spot.text("SpotInstanceType"),
                interruption: spot.text("InstanceInterruptionBehavior"),
            })
        })?;
        Ok(MarketSpec {
            kind,
            ..spot.unwrap_or_default()
        })
    })
}

fn cpu(p: &mut Params) -> Result<CpuOptions, ApiError> {
    let cpu = p.within("CpuOptions", |cpu| {
        Ok(CpuOptions {
            core_count: cpu.number("CoreCount")?,
            threads_per_core: cpu.number("ThreadsPerCore")?,
        })
    })?;
    Ok(cpu.unwrap_or_default())
}

fn metadata(p: &mut Params) -> Result<MetadataSpec, ApiError> {
    Ok(p.within("MetadataOptions", metadata_options)?.unwrap_or_default())
}

/// The options themselves, wherever they stand.
pub(super) fn metadata_options(p: &mut Params) -> Result<MetadataSpec, ApiError> {
    Ok(MetadataSpec {
        tokens: p.text("HttpTokens"),
        hop_limit: p.number("HttpPutResponseHopLimit")?,
        endpoint: p.text("HttpEndpoint"),
        ipv6: p.text("HttpProtocolIpv6"),
        tags: p.text("InstanceMetadataTags"),
    })
}

fn hostname(p: &mut Params) -> Result<HostnameOptions, ApiError> {
    let hostname = p.within("PrivateDnsNameOptions", |options| {
        Ok(HostnameOptions {
            kind: options.text("HostnameType"),
            a_record: options.maybe_flag("EnableResourceNameDnsARecord")?,
            aaaa_record: options.maybe_flag("EnableResourceNameDnsAAAARecord")?,
        })
    })?;
    Ok(hostname.unwrap_or_default())
}
