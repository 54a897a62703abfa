//! A short digest of everything that DescribeInstances shows of an instance and that its blueprint depends on.
//!
//! As long as it and the launch time stay, so does the blueprint, and reading that again, which takes half a dozen calls, is
//! left out. So it must miss nothing that a blueprint has, and must not move with what comes and goes by itself: the state,
//! checks, times, an address that AWS assigns at each start. Computed for every instance at every look.

use crate::model::tags;
use aws_sdk_ec2::types::{
    Instance, InstanceBlockDeviceMapping, InstanceNetworkInterface, InstanceNetworkInterfaceAssociation,
    MonitoringState, Placement,
};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// Of the hash's 32 bytes: two blueprints of one instance meet by chance once in 2⁶⁴.
const BYTES: usize = 8;

/// The owner that AWS names for an address that it assigned by itself; of an Elastic IP it is an account.
const AWS_ITSELF: &str = "amazon";

/// Whether a launch takes this tag over: not what AWS or keepgreen sets.
pub(super) fn is_own_tag(key: &str) -> bool {
    !key.starts_with("aws:") && !key.starts_with(tags::PREFIX)
}

/// Whether an address belongs to somebody, rather than having been assigned for as long as the instance runs. An address
/// whose owner is not told counts as somebody's: it is not given up on a guess.
pub(super) fn is_elastic(association: &InstanceNetworkInterfaceAssociation) -> bool {
    association.public_ip().is_some() && !is_assigned(association)
}

/// Whether AWS assigned the address by itself.
pub(super) fn is_assigned(association: &InstanceNetworkInterfaceAssociation) -> bool {
    association.ip_owner_id() == Some(AWS_ITSELF)
}

/// Detailed monitoring, or on its way to it.
pub(super) fn is_monitored(raw: &Instance) -> bool {
    let state = raw.monitoring().and_then(|monitoring| monitoring.state());
    matches!(state, Some(MonitoringState::Enabled | MonitoringState::Pending))
}

/// Hexadecimal.
pub(super) fn digest(raw: &Instance) -> String {
    let mut fields = Fields::default();
    fields.put("image", raw.image_id());
    fields.put("type", raw.instance_type().map(|kind| kind.as_str()));
    fields.put("subnet", raw.subnet_id());
    fields.set(
        "groups",
        raw.security_groups()
            .iter()
            .map(|group| text(&[group.group_id()])),
    );
    fields.put(
        "profile",
        raw.iam_instance_profile().and_then(|profile| profile.arn()),
    );
    fields.put("key", raw.key_name());
    fields.put("monitored", Some(flag(Some(is_monitored(raw)))));
    fields.put("ebs-optimized", Some(flag(raw.ebs_optimized())));
    fields.put("source-dest-check", Some(flag(raw.source_dest_check())));
    fields.put("root", raw.root_device_name());
    fields.put("root-type", raw.root_device_type().map(|device| device.as_str()));
    fields.put("outpost", raw.outpost_arn());
    fields.put(
        "lifecycle",
        raw.instance_lifecycle().map(|lifecycle| lifecycle.as_str()),
    );
    options(&mut fields, raw);
    fields.set("disks", raw.block_device_mappings().iter().map(disk));
    fields.set("interfaces", raw.network_interfaces().iter().map(interface));
    fields.set(
        "licences",
        raw.licenses()
            .iter()
            .map(|licence| text(&[licence.license_configuration_arn()])),
    );
    let own = raw.tags().iter().filter(|tag| tag.key().is_some_and(is_own_tag));
    fields.set("tags", own.map(|tag| text(&[tag.key(), tag.value()])));
    fields.hex()
}

/// What has a structure of its own in the answer.
fn options(fields: &mut Fields, raw: &Instance) {
    if let Some(metadata) = raw.metadata_options() {
        let hops = metadata
            .http_put_response_hop_limit()
            .map(|hops| hops.to_string());
        let words = [
            metadata.http_tokens().map(|word| word.as_str()),
            hops.as_deref(),
            metadata.http_endpoint().map(|word| word.as_str()),
            metadata.http_protocol_ipv6().map(|word| word.as_str()),
            metadata.instance_metadata_tags().map(|word| word.as_str()),
        ];
        fields.put("metadata", Some(&text(&words)));
    }
    if let Some(cpu) = raw.cpu_options() {
        let number = |number: Option<i32>| number.map(|number| number.to_string());
        let words = [
            number(cpu.core_count()),
            number(cpu.threads_per_core()),
            cpu.amd_sev_snp().map(|word| word.as_str().to_owned()),
            cpu.nested_virtualization().map(|word| word.as_str().to_owned()),
        ];
        fields.put("cpu", Some(&text(&words.each_ref().map(|word| word.as_deref()))));
    }
    if let Some(dns) = raw.private_dns_name_options() {
        let words = [
            dns.hostname_type().map(|word| word.as_str()),
            Some(flag(dns.enable_resource_name_dns_a_record())),
            Some(flag(dns.enable_resource_name_dns_aaaa_record())),
        ];
        fields.put("dns", Some(&text(&words)));
    }
    if let Some(reservation) = raw.capacity_reservation_specification() {
        let target = reservation.capacity_reservation_target();
        let words = [
            reservation
                .capacity_reservation_preference()
                .map(|word| word.as_str()),
            target.and_then(|target| target.capacity_reservation_id()),
            target.and_then(|target| target.capacity_reservation_resource_group_arn()),
        ];
        fields.put("reservation", Some(&text(&words)));
    }
    if let Some(placement) = raw.placement() {
        fields.put("placement", Some(&placed(placement)));
    }
    let hibernation = raw.hibernation_options().and_then(|options| options.configured());
    fields.put("hibernation", Some(flag(hibernation)));
    let enclave = raw.enclave_options().and_then(|options| options.enabled());
    fields.put("enclave", Some(flag(enclave)));
    let maintenance = raw.maintenance_options();
    let recovery = maintenance.and_then(|options| options.auto_recovery());
    fields.put("recovery", recovery.map(|word| word.as_str()));
    let reboots = maintenance.and_then(|options| options.reboot_migration());
    fields.put("reboots", reboots.map(|word| word.as_str()));
    let network = raw.network_performance_options();
    let weighting = network.and_then(|options| options.bandwidth_weighting());
    fields.put("bandwidth", weighting.map(|word| word.as_str()));
    let managed = raw.operator().and_then(|operator| operator.managed());
    fields.put("managed", Some(flag(managed)));
}

fn placed(placement: &Placement) -> String {
    let partition = placement.partition_number().map(|number| number.to_string());
    text(&[
        placement.availability_zone(),
        placement.tenancy().map(|word| word.as_str()),
        placement.group_name(),
        placement.group_id(),
        placement.host_id(),
        placement.host_resource_group_arn(),
        partition.as_deref(),
        placement.affinity(),
    ])
}

fn disk(mapping: &InstanceBlockDeviceMapping) -> String {
    let ebs = mapping.ebs();
    text(&[
        mapping.device_name(),
        ebs.and_then(|ebs| ebs.volume_id()),
        Some(flag(ebs.and_then(|ebs| ebs.delete_on_termination()))),
    ])
}

fn interface(raw: &InstanceNetworkInterface) -> String {
    let attachment = raw.attachment();
    let index = attachment.and_then(|attachment| attachment.device_index());
    let index = index.map(|index| index.to_string());
    let mut words = vec![
        index.as_deref(),
        raw.network_interface_id(),
        raw.subnet_id(),
        raw.interface_type(),
        Some(flag(raw.source_dest_check())),
        Some(flag(attachment.and_then(|a| a.delete_on_termination()))),
        elastic(raw.association()),
    ];
    let mut lists: Vec<Vec<&str>> = vec![
        raw.groups().iter().filter_map(|group| group.group_id()).collect(),
        raw.ipv6_addresses()
            .iter()
            .filter_map(|address| address.ipv6_address())
            .collect(),
        raw.ipv4_prefixes()
            .iter()
            .filter_map(|prefix| prefix.ipv4_prefix())
            .collect(),
        raw.ipv6_prefixes()
            .iter()
            .filter_map(|prefix| prefix.ipv6_prefix())
            .collect(),
    ];
    let others = raw
        .private_ip_addresses()
        .iter()
        .filter(|address| address.primary() != Some(true));
    lists.push(
        others
            .clone()
            .filter_map(|address| address.private_ip_address())
            .collect(),
    );
    lists.push(
        others
            .filter_map(|address| elastic(address.association()))
            .collect(),
    );
    for list in &mut lists {
        list.sort_unstable();
        // Ends the list before: moved from one to the next, an address is another interface.
        words.push(None);
        words.extend(list.iter().copied().map(Some));
    }
    text(&words)
}

/// The address, if it is one that belongs to somebody.
fn elastic(association: Option<&InstanceNetworkInterfaceAssociation>) -> Option<&str> {
    association
        .filter(|association| is_elastic(association))
        .map(|association| association.public_ip().unwrap_or_default())
}

fn flag(value: Option<bool>) -> &'static str {
    match value {
        Some(true) => "yes",
        Some(false) => "no",
        None => "not told",
    }
}

/// Words with their lengths, so that no two lists read the same; `-` is a word that there is not.
fn text(words: &[Option<&str>]) -> String {
    let mut text = String::new();
    for word in words {
        // Writing to a string cannot fail.
        let _ = match word {
            Some(word) => write!(text, "{}:{word}", word.len()),
            None => write!(text, "-"),
        };
    }
    text
}

#[derive(Default)]
struct Fields(Sha256);

impl Fields {
    fn put(&mut self, name: &str, value: Option<&str>) {
        self.0.update(text(&[Some(name), value]));
    }

    /// In whatever order they come.
    fn set(&mut self, name: &str, values: impl Iterator<Item = String>) {
        let mut values: Vec<String> = values.collect();
        values.sort_unstable();
        self.put(name, Some(&values.len().to_string()));
        for value in &values {
            self.put(name, Some(value));
        }
    }

    fn hex(self) -> String {
        let hash = self.0.finalize();
        hash.iter().take(BYTES).fold(String::new(), |mut hex, byte| {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

#[cfg(test)]
#[path = "digest_tests.rs"]
mod tests;
