//! Instances: what EC2 shows of them, and the launch that makes them.

use super::Route;
use super::ec2::route;
use super::ec2_images::product_codes;
use super::ec2_interfaces::{association, groups, write_attachment, write_itself, write_private_ip};
use super::ec2_launch_data::launch_data;
use super::ec2_xml::{state, tags, write_event};
use super::xml::{Xml, time};
use super::{ec2_settings, ec2_types};
use crate::sim::world::api::Operation;
use crate::sim::world::interfaces::Interface;
use crate::sim::world::launch::{Answer, Attribute, InstanceView, Metadata, Op, RunInstances};
use crate::sim::world::network::zone_id;
use crate::sim::world::{State, TemplateRef};

pub(super) const ROUTES: &[Route] = &[
    route("RunInstances", |p| {
        let wanted = RunInstances {
            min: p.required_number("MinCount")?,
            max: p.required_number("MaxCount")?,
            token: p.text("ClientToken").filter(|token| !token.is_empty()),
            subnet: p.text("SubnetId"),
            private_ip: p.text("PrivateIpAddress"),
            template: p.within("LaunchTemplate", |template| {
                let named = TemplateRef {
                    id: template.text("LaunchTemplateId"),
                    name: template.text("LaunchTemplateName"),
                };
                Ok((named, template.text("Version")))
            })?,
            data: launch_data(p)?,
        };
        Ok(Operation::Launch(Op::RunInstances(Box::new(wanted))))
    }),
    route("RebootInstances", |p| {
        Ok(Operation::Launch(Op::RebootInstances(p.list("InstanceId"))))
    }),
    route("DescribeInstanceAttribute", |p| {
        let id = p.required("InstanceId")?;
        let attribute = p.required("Attribute")?.parse()?;
        Ok(Operation::Launch(Op::DescribeInstanceAttribute { id, attribute }))
    }),
];

pub(super) fn launched(xml: &mut Xml, answer: &Answer) {
    match answer {
        Answer::Reservation { id, owner, instances } => {
            let instances: Vec<&InstanceView> = instances.iter().collect();
            reservation(xml, id, owner, &instances);
        }
        Answer::Attribute(attribute, instance) => {
            xml.text("instanceId", &instance.id);
            write_attribute(xml, *attribute, instance);
        }
        Answer::Types(listing) => ec2_types::types(xml, listing),
        Answer::Offerings(listing) => ec2_types::offerings(xml, listing),
        Answer::MetadataOptions { id, options } => ec2_settings::metadata(xml, id, options),
        Answer::Monitoring(states) => ec2_settings::monitoring(xml, states),
        Answer::Credits(listing) => ec2_settings::credits(xml, listing),
        Answer::CreditsChanged { done, failed } => ec2_settings::credits_changed(xml, done, failed),
        Answer::Event(event) => xml.element("event", |xml| write_event(xml, event)),
    }
}

fn write_attribute(xml: &mut Xml, attribute: Attribute, i: &InstanceView) {
    let s = &i.settings;
    let mut value = |name: &str, value: &str| xml.element(name, |xml| xml.text("value", value));
    match attribute {
        Attribute::BlockDeviceMapping => write_devices(xml, i),
        Attribute::DisableApiStop => value("disableApiStop", &s.disable_api_stop.to_string()),
        Attribute::DisableApiTermination => {
            value("disableApiTermination", &s.disable_api_termination.to_string());
        }
        Attribute::EbsOptimized => value("ebsOptimized", &s.ebs_optimized.to_string()),
        Attribute::EnaSupport => value("enaSupport", "true"),
        Attribute::EnclaveOptions => xml.element("enclaveOptions", |xml| {
            xml.text("enabled", s.enclave.to_string());
        }),
        // Machines without a kernel of their own have none to show.
        Attribute::Kernel => xml.element("kernel", |_| {}),
        Attribute::Ramdisk => xml.element("ramdisk", |_| {}),
        Attribute::SriovNetSupport => xml.element("sriovNetSupport", |_| {}),
        Attribute::ProductCodes => product_codes(xml, &i.product_codes),
        Attribute::GroupSet => groups(xml, i.primary().map_or(&[], |e| e.groups.as_slice())),
        Attribute::ShutdownBehavior => {
            value("instanceInitiatedShutdownBehavior", s.shutdown_behavior());
        }
        Attribute::InstanceType => value("instanceType", &i.instance_type),
        Attribute::RootDeviceName => value("rootDeviceName", &i.root_device),
        Attribute::SourceDestCheck => {
            let check = i.primary().is_none_or(|e| e.source_dest_check);
            value("sourceDestCheck", &check.to_string());
        }
        // Without any: an empty element, not an empty value.
        Attribute::UserData => xml.element("userData", |xml| xml.maybe("value", s.user_data.as_ref())),
    }
}

/// Instances of one launch stand together.
pub(super) fn instances(xml: &mut Xml, items: &[InstanceView], next: Option<&str>) {
    let mut launches: Vec<Vec<&InstanceView>> = Vec::new();
    for item in items {
        match launches
            .last_mut()
            .filter(|launch| launch.first().is_some_and(|i| i.reservation == item.reservation))
        {
            Some(launch) => launch.push(item),
            None => launches.push(vec![item]),
        }
    }
    xml.list("reservationSet", "item", launches, |xml, launch| {
        if let Some(first) = launch.first() {
            reservation(xml, &first.reservation, &first.scope.account, &launch);
        }
    });
    xml.maybe("nextToken", next);
}

fn reservation(xml: &mut Xml, id: &str, owner: &str, instances: &[&InstanceView]) {
    xml.text("reservationId", id);
    xml.text("ownerId", owner);
    xml.element("groupSet", |_| {});
    xml.list("instancesSet", "item", instances, |xml, instance| {
        write_instance(xml, instance)
    });
}

fn write_instance(xml: &mut Xml, i: &InstanceView) {
    xml.text("instanceId", &i.id);
    xml.text("imageId", &i.image);
    xml.element("instanceState", |xml| state(xml, i.state));
    xml.text("reason", &i.transition_reason);
    xml.maybe("keyName", i.settings.key_name.as_ref());
    xml.text("amiLaunchIndex", i.launch_index.to_string());
    product_codes(xml, &i.product_codes);
    xml.text("instanceType", &i.instance_type);
    xml.text("launchTime", time(i.launch_time));
    write_placement(xml, i);
    xml.maybe("platform", i.windows.then_some("windows"));
    xml.element("monitoring", |xml| {
        xml.text("state", i.monitoring_state());
    });
    write_addresses(xml, i);
    if let Some(reason) = &i.reason {
        xml.element("stateReason", |xml| {
            xml.text("code", &reason.code);
            xml.text("message", &reason.message);
        });
    }
    xml.text("architecture", &i.architecture);
    xml.text(
        "rootDeviceType",
        if i.ebs_root { "ebs" } else { "instance-store" },
    );
    xml.text("rootDeviceName", &i.root_device);
    write_devices(xml, i);
    xml.text("virtualizationType", "hvm");
    xml.text("hypervisor", "xen");
    xml.text("clientToken", i.settings.client_token.as_deref().unwrap_or(""));
    xml.maybe("instanceLifecycle", i.spot.then_some("spot"));
    xml.maybe(
        "spotInstanceRequestId",
        i.settings.spot.as_ref().map(|spot| &spot.request),
    );
    tags(xml, i);
    xml.list("networkInterfaceSet", "item", &i.interfaces, |xml, e| {
        write_interface(xml, e)
    });
    write_settings(xml, i);
}

fn write_placement(xml: &mut Xml, i: &InstanceView) {
    xml.element("placement", |xml| {
        xml.text("availabilityZone", &i.zone);
        xml.text("availabilityZoneId", zone_id(&i.zone));
        xml.text("groupName", i.settings.placement_group.as_deref().unwrap_or(""));
        xml.text("tenancy", &i.settings.tenancy);
        xml.maybe("partitionNumber", i.settings.partition.map(|n| n.to_string()));
        xml.maybe("affinity", i.settings.affinity.as_ref());
        xml.maybe("hostId", i.settings.host.as_ref());
    });
}

/// A terminated instance has given its addresses back.
fn write_addresses(xml: &mut Xml, i: &InstanceView) {
    let primary = i.primary();
    xml.text(
        "privateDnsName",
        primary.map(Interface::private_dns_name).unwrap_or_default(),
    );
    xml.text(
        "dnsName",
        primary.and_then(Interface::public_dns_name).unwrap_or_default(),
    );
    if i.state == State::Terminated {
        return;
    }
    xml.text("privateIpAddress", &i.private_ip);
    let public = primary.and_then(|e| e.association.as_ref());
    xml.maybe("ipAddress", public.map(|a| a.public_ip.to_string()));
    xml.text("subnetId", &i.subnet);
    xml.text("vpcId", &i.vpc);
    if let Some(primary) = primary {
        xml.text("sourceDestCheck", primary.source_dest_check.to_string());
        groups(xml, &primary.groups);
    }
}

fn write_devices(xml: &mut Xml, i: &InstanceView) {
    xml.list(
        "blockDeviceMapping",
        "item",
        i.devices.values(),
        |xml, attachment| {
            xml.text("deviceName", &attachment.device);
            xml.element("ebs", |xml| {
                xml.text("volumeId", &attachment.volume);
                xml.text("status", attachment.state.name());
                xml.text("attachTime", time(attachment.since));
                xml.text(
                    "deleteOnTermination",
                    attachment.delete_on_termination.to_string(),
                );
            });
        },
    );
}

fn write_interface(xml: &mut Xml, e: &Interface) {
    write_itself(xml, e);
    xml.element("attachment", |xml| write_attachment(xml, e));
    association(xml, e, false);
    xml.list("privateIpAddressesSet", "item", [e], |xml, e| {
        write_private_ip(xml, e, false)
    });
}

pub(super) fn write_metadata(xml: &mut Xml, options: &Metadata) {
    xml.text("state", options.state());
    xml.text("httpTokens", &options.tokens);
    xml.text("httpPutResponseHopLimit", options.hop_limit.to_string());
    xml.text("httpEndpoint", &options.endpoint);
    xml.text("httpProtocolIpv6", &options.ipv6);
    xml.text("instanceMetadataTags", &options.tags);
}

fn write_settings(xml: &mut Xml, i: &InstanceView) {
    let s = &i.settings;
    xml.text("ebsOptimized", s.ebs_optimized.to_string());
    xml.text("enaSupport", "true");
    if let Some(arn) = &s.profile {
        xml.element("iamInstanceProfile", |xml| {
            xml.text("arn", arn);
            xml.text(
                "id",
                format!("AIPA{}", i.id.trim_start_matches("i-").to_uppercase()),
            );
        });
    }
    if let Some((cores, threads)) = s.cpu {
        xml.element("cpuOptions", |xml| {
            xml.text("coreCount", cores.to_string());
            xml.text("threadsPerCore", threads.to_string());
        });
    }
    xml.element("capacityReservationSpecification", |xml| {
        xml.text(
            "capacityReservationPreference",
            &s.capacity_reservation_preference,
        );
    });
    xml.element("hibernationOptions", |xml| {
        xml.text("configured", s.hibernation.to_string())
    });
    xml.element("enclaveOptions", |xml| xml.text("enabled", s.enclave.to_string()));
    xml.element("metadataOptions", |xml| write_metadata(xml, &s.metadata));
    xml.element("privateDnsNameOptions", |xml| {
        xml.text("hostnameType", &s.hostname_kind);
        xml.text("enableResourceNameDnsARecord", s.a_record.to_string());
        xml.text("enableResourceNameDnsAAAARecord", s.aaaa_record.to_string());
    });
    xml.element("maintenanceOptions", |xml| {
        xml.text("autoRecovery", &s.auto_recovery)
    });
    let (details, usage) = i.platform();
    xml.text("platformDetails", details);
    xml.text("usageOperation", usage);
}
