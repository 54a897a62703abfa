//! The filters on instances, by the describe calls that take them. Names are AWS's.
//!
//! Those that look at an instance's interfaces are a table of their own, because a fleet's interfaces are looked up only
//! when such a filter is asked for: the controller lists by tags, in every pass.

use super::api::ImageOfInstance;
use super::image::owner_alias;
use super::instance::{CheckStatus, Instance};
use super::interfaces::Interface;
use super::launch::InstanceView;
use super::network::zone_id;
use super::shelf::Field;

/// The id alone.
pub(super) const ID: &[Field<Instance>] = &[("instance-id", |i| vec![i.id.clone()])];

/// Of DescribeInstances, besides tags and interfaces.
pub(super) const OWN: &[Field<Instance>] = &[
    ("instance-id", |i| vec![i.id.clone()]),
    ("instance-state-name", |i| vec![i.state.name().to_owned()]),
    ("instance-state-code", |i| vec![i.state.code().to_string()]),
    ("instance-type", |i| vec![i.instance_type.clone()]),
    ("instance-lifecycle", |i| some(i.spot.then(|| "spot".to_owned()))),
    ("availability-zone", |i| vec![i.zone.clone()]),
    ("availability-zone-id", |i| vec![zone_id(&i.zone)]),
    ("image-id", |i| vec![i.image.clone()]),
    ("vpc-id", |i| vec![i.vpc.clone()]),
    ("subnet-id", |i| vec![i.subnet.clone()]),
    ("private-ip-address", |i| vec![i.private_ip.clone()]),
    ("client-token", |i| some(i.settings.client_token.clone())),
    ("reservation-id", |i| vec![i.reservation.clone()]),
    ("owner-id", |i| vec![i.scope.account.clone()]),
    ("launch-index", |i| vec![i.launch_index.to_string()]),
    ("launch-time", |i| vec![time(i.launch_time)]),
    ("key-name", |i| some(i.settings.key_name.clone())),
    ("architecture", |i| vec![i.architecture.clone()]),
    ("hypervisor", |_| vec!["xen".to_owned()]),
    ("virtualization-type", |_| vec!["hvm".to_owned()]),
    ("platform", |i| some(i.windows.then(|| "windows".to_owned()))),
    ("platform-details", |i| vec![i.platform().0.to_owned()]),
    ("usage-operation", |i| vec![i.platform().1.to_owned()]),
    ("product-code", |i| i.product_codes.clone()),
    ("root-device-name", |i| vec![i.root_device.clone()]),
    ("root-device-type", |i| {
        vec![if i.ebs_root { "ebs" } else { "instance-store" }.to_owned()]
    }),
    ("reason", |i| vec![i.transition_reason.clone()]),
    ("state-reason-code", |i| {
        some(i.reason.as_ref().map(|r| r.code.clone()))
    }),
    ("state-reason-message", |i| {
        some(i.reason.as_ref().map(|r| r.message.clone()))
    }),
    ("ebs-optimized", |i| vec![i.settings.ebs_optimized.to_string()]),
    ("ena-support", |_| vec!["true".to_owned()]),
    ("enclave-options.enabled", |i| {
        vec![i.settings.enclave.to_string()]
    }),
    ("hibernation-options.configured", |i| {
        vec![i.settings.hibernation.to_string()]
    }),
    ("iam-instance-profile.arn", |i| some(i.settings.profile.clone())),
    ("maintenance-options.auto-recovery", |i| {
        vec![i.settings.auto_recovery.clone()]
    }),
    ("metadata-options.http-endpoint", |i| {
        vec![i.settings.metadata.endpoint.clone()]
    }),
    ("metadata-options.http-protocol-ipv6", |i| {
        vec![i.settings.metadata.ipv6.clone()]
    }),
    ("metadata-options.http-put-response-hop-limit", |i| {
        vec![i.settings.metadata.hop_limit.to_string()]
    }),
    ("metadata-options.http-tokens", |i| {
        vec![i.settings.metadata.tokens.clone()]
    }),
    ("metadata-options.instance-metadata-tags", |i| {
        vec![i.settings.metadata.tags.clone()]
    }),
    ("metadata-options.state", |i| {
        vec![i.settings.metadata.state().to_owned()]
    }),
    ("monitoring-state", |i| vec![i.monitoring_state().to_owned()]),
    ("placement-group-name", |i| {
        some(i.settings.placement_group.clone())
    }),
    ("placement-partition-number", |i| {
        some(i.settings.partition.map(|n| n.to_string()))
    }),
    ("host-id", |i| some(i.settings.host.clone())),
    ("affinity", |i| some(i.settings.affinity.clone())),
    ("tenancy", |i| vec![i.settings.tenancy.clone()]),
    ("spot-instance-request-id", |i| {
        some(i.settings.spot.as_ref().map(|spot| spot.request.clone()))
    }),
    ("private-dns-name-options.hostname-type", |i| {
        vec![i.settings.hostname_kind.clone()]
    }),
    ("block-device-mapping.device-name", |i| {
        i.devices.keys().cloned().collect()
    }),
    ("block-device-mapping.volume-id", |i| {
        i.devices.values().map(|a| a.volume.clone()).collect()
    }),
    ("block-device-mapping.status", |i| {
        i.devices.values().map(|a| a.state.name().to_owned()).collect()
    }),
    ("block-device-mapping.attach-time", |i| {
        i.devices.values().map(|a| time(a.since)).collect()
    }),
    ("block-device-mapping.delete-on-termination", |i| {
        let attached = i.devices.values();
        attached.map(|a| a.delete_on_termination.to_string()).collect()
    }),
];

/// Of DescribeInstances: what looks at the interfaces.
pub(super) const INTERFACES: &[Field<InstanceView>] = &[
    ("instance.group-id", |i| {
        primary(i, |e| e.groups.iter().map(|(id, _)| id.clone()).collect())
    }),
    ("instance.group-name", |i| {
        primary(i, |e| e.groups.iter().map(|(_, name)| name.clone()).collect())
    }),
    ("ip-address", |i| {
        primary(i, |e| {
            some(e.association.as_ref().map(|a| a.public_ip.to_string()))
        })
    }),
    ("dns-name", |i| primary(i, |e| some(e.public_dns_name()))),
    ("private-dns-name", |i| primary(i, |e| vec![e.private_dns_name()])),
    ("source-dest-check", |i| {
        primary(i, |e| vec![e.source_dest_check.to_string()])
    }),
    ("network-interface.network-interface-id", |i| {
        each(i, |e| Some(e.id.clone()))
    }),
    ("network-interface.subnet-id", |i| {
        each(i, |e| Some(e.subnet.clone()))
    }),
    ("network-interface.vpc-id", |i| each(i, |e| Some(e.vpc.clone()))),
    ("network-interface.status", |i| {
        each(i, |e| Some(e.status().to_owned()))
    }),
    ("network-interface.private-ip-address", |i| {
        each(i, |e| Some(e.private_ip.to_string()))
    }),
    ("network-interface.addresses.private-ip-address", |i| {
        each(i, |e| Some(e.private_ip.to_string()))
    }),
    ("network-interface.addresses.association.public-ip", |i| {
        each(i, |e| Some(e.association.as_ref()?.public_ip.to_string()))
    }),
    ("network-interface.association.allocation-id", |i| {
        each(i, |e| Some(e.elastic()?.0.clone()))
    }),
    ("network-interface.attachment.attachment-id", |i| {
        each(i, |e| Some(e.attachment.as_ref()?.id.clone()))
    }),
    ("network-interface.attachment.device-index", |i| {
        each(i, |e| Some(e.attachment.as_ref()?.device_index.to_string()))
    }),
    ("network-interface.group-id", |i| {
        let groups = i.interfaces.iter().flat_map(|e| &e.groups);
        groups.map(|(id, _)| id.clone()).collect()
    }),
];

/// Of DescribeInstanceStatus.
pub(super) const STATUS: &[Field<Instance>] = &[
    ("instance-state-name", |i| vec![i.state.name().to_owned()]),
    ("instance-state-code", |i| vec![i.state.code().to_string()]),
    ("availability-zone", |i| vec![i.zone.clone()]),
    ("availability-zone-id", |i| vec![zone_id(&i.zone)]),
    ("instance-status.status", |i| vec![status(i.instance_check)]),
    ("instance-status.reachability", |i| reachability(i.instance_check)),
    ("system-status.status", |i| vec![status(i.system_check)]),
    ("system-status.reachability", |i| reachability(i.system_check)),
    ("attached-ebs-status.status", |i| vec![status(i.ebs_check)]),
    ("event.code", |i| {
        i.events.iter().map(|e| e.code.clone()).collect()
    }),
    ("event.description", |i| {
        i.events.iter().map(|e| e.description.clone()).collect()
    }),
    ("event.instance-event-id", |i| {
        i.events.iter().map(|e| e.id.clone()).collect()
    }),
    ("event.not-before", |i| {
        i.events.iter().map(|e| time(e.not_before)).collect()
    }),
    ("event.not-after", |i| {
        i.events.iter().filter_map(|e| e.not_after).map(time).collect()
    }),
    ("event.not-before-deadline", |i| {
        let deadlines = i.events.iter().filter_map(|e| e.not_before_deadline);
        deadlines.map(time).collect()
    }),
];

/// Of DescribeInstanceImageMetadata, besides tags: on the instance.
pub(super) const OF_IMAGE: &[Field<Instance>] = &[
    ("instance-id", |i| vec![i.id.clone()]),
    ("instance-state-name", |i| vec![i.state.name().to_owned()]),
    ("instance-type", |i| vec![i.instance_type.clone()]),
    ("launch-time", |i| vec![time(i.launch_time)]),
    ("availability-zone", |i| vec![i.zone.clone()]),
    ("zone-id", |i| vec![zone_id(&i.zone)]),
];

/// Likewise, on its image. An image that nobody knows any more has no owner.
pub(super) const IMAGE: &[Field<ImageOfInstance>] = &[
    ("image-allowed", |of| vec![of.allowed.to_string()]),
    ("owner-id", |of| {
        some(of.image.as_ref().map(|image| image.scope.account.clone()))
    }),
    ("owner-alias", |of| {
        let alias = of
            .image
            .as_ref()
            .and_then(|image| owner_alias(&image.scope.account));
        some(alias.map(str::to_owned))
    }),
];

fn some(value: Option<String>) -> Vec<String> {
    value.into_iter().collect()
}

fn time(at: jiff::Timestamp) -> String {
    format!("{at:.3}")
}

fn primary(of: &InstanceView, values: impl Fn(&Interface) -> Vec<String>) -> Vec<String> {
    of.primary().map(values).unwrap_or_default()
}

fn each(of: &InstanceView, value: impl Fn(&Interface) -> Option<String>) -> Vec<String> {
    of.interfaces.iter().filter_map(|e| value(e)).collect()
}

fn status(check: CheckStatus) -> String {
    check.name().to_owned()
}

fn reachability(check: CheckStatus) -> Vec<String> {
    some(check.reachability().map(str::to_owned))
}
