//! From what half a dozen calls tell of one instance to its blueprint: what a launch takes over, and what it cannot.
//!
//! Whatever an instance has and a launch would not give to the next one is listed, with its id. What is not told at all
//! makes the whole an error: a replacement that lacks something nobody knew of is an outage of its own.

use super::digest::{digest, is_assigned, is_elastic, is_monitored, is_own_tag};
use super::read::InstanceKind;
use crate::model::{
    AccountId, Blueprint, IdRecords, ImageId, InstanceId, MetadataOptions, Region, RootVolume, SlotName,
    Uncarried, UncarriedKind, UserData, Zone,
};
use aws_sdk_ec2::types as ec2;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Everything that was read of one instance. It holds the user data, and so cannot be printed.
pub(super) struct Whole<'a> {
    pub raw: &'a ec2::Instance,
    pub attributes: Attributes,
    /// Of every disk that the instance shows.
    pub volumes: Vec<ec2::Volume>,
    /// `None`: AWS does not know its type any more.
    pub kind: Option<InstanceKind>,
    pub cpu_credits: Option<String>,
}

/// What DescribeInstanceAttribute alone tells.
pub(super) struct Attributes {
    /// In base64, and never empty.
    pub user_data: Option<String>,
    pub termination_protected: bool,
    pub stop_protected: bool,
    pub shutdown_terminates: bool,
}

impl Whole<'_> {
    /// # Errors
    /// What the answer lacks. A terminated instance lacks most.
    pub fn blueprint(
        self,
        slot: &SlotName,
        owner: &str,
        region: &Region,
        taken: Timestamp,
    ) -> Result<Blueprint, String> {
        let raw = self.raw;
        let primary = primary(raw).ok_or_else(|| lacks("primary network interface"))?;
        let zone = raw
            .placement()
            .and_then(|placement| placement.availability_zone());
        let groups = primary.groups().iter().filter_map(|group| group.group_id());
        let root = self.root()?;
        let association = primary.association();
        Ok(Blueprint {
            instance: InstanceId::new(raw.instance_id().ok_or_else(|| lacks("id"))?),
            slot: slot.clone(),
            account: AccountId::new(owner),
            region: region.clone(),
            taken,
            digest: digest(raw),
            launched_at: raw.launch_time().and_then(super::convert::timestamp),
            image: ImageId::new(raw.image_id().ok_or_else(|| lacks("image"))?),
            instance_type: raw
                .instance_type()
                .ok_or_else(|| lacks("type"))?
                .as_str()
                .to_owned(),
            zone: Zone::from(zone.ok_or_else(|| lacks("zone"))?),
            subnet: primary.subnet_id().ok_or_else(|| lacks("subnet"))?.to_owned(),
            security_groups: groups.map(str::to_owned).collect(),
            profile: raw
                .iam_instance_profile()
                .and_then(|profile| profile.arn())
                .map(str::to_owned),
            key_name: raw.key_name().filter(|name| !name.is_empty()).map(str::to_owned),
            metadata: metadata(raw.metadata_options()),
            id_records: id_records(raw),
            monitoring: is_monitored(raw),
            ebs_optimized: raw.ebs_optimized() == Some(true),
            public_ip: association.is_some_and(is_assigned),
            root,
            tags: own_tags(raw.tags()),
            uncarried: self.uncarried(),
            cpu_credits: self.cpu_credits,
            user_data: self.attributes.user_data.map(UserData::new),
        })
    }

    /// `None`: it has none, because its root is an instance store.
    fn root(&self) -> Result<Option<RootVolume>, String> {
        let raw = self.raw;
        let Some((device, ebs)) = root_disk(raw) else {
            return Ok(None);
        };
        let volume = self
            .volumes
            .iter()
            .find(|volume| volume.volume_id() == ebs.volume_id());
        let volume = volume.ok_or_else(|| "its root volume was not read".to_owned())?;
        let lacks = |what: &str| format!("the answer does not tell the root volume's {what}");
        let kind = volume.volume_type().ok_or_else(|| lacks("type"))?.as_str();
        let encrypted = volume.encrypted().ok_or_else(|| lacks("encryption"))?;
        Ok(Some(RootVolume {
            device: device.to_owned(),
            size_gib: volume.size().ok_or_else(|| lacks("size"))?,
            kind: kind.to_owned(),
            // A gp2 volume shows operations too, but takes none: they follow from its size.
            iops: volume.iops().filter(|_| matches!(kind, "gp3" | "io1" | "io2")),
            throughput: volume.throughput().filter(|_| kind == "gp3"),
            encrypted,
            kms_key: volume.kms_key_id().filter(|_| encrypted).map(str::to_owned),
            delete_on_termination: ebs
                .delete_on_termination()
                .ok_or_else(|| lacks("end with its instance"))?,
            tags: own_tags(volume.tags()),
        }))
    }

    /// What a launch leaves behind, in order.
    fn uncarried(&self) -> Vec<Uncarried> {
        let mut left = Left::default();
        left.disks(self.raw, self.kind.as_ref());
        left.network(self.raw);
        left.placement(self.raw);
        left.processor(self.raw, self.kind.as_ref());
        left.protection(&self.attributes);
        left.options(self.raw);
        left.0.sort();
        left.0.dedup();
        left.0
    }
}

fn lacks(what: &str) -> String {
    format!("the answer does not tell its {what}; it may be terminated")
}

/// Whether there is anything more to read: AWS forgets an instance's interfaces once it is terminated.
///
/// # Errors
/// What the answer lacks.
pub(super) fn check(raw: &ec2::Instance) -> Result<(), String> {
    primary(raw)
        .map(|_| ())
        .ok_or_else(|| lacks("primary network interface"))
}

fn primary(raw: &ec2::Instance) -> Option<&ec2::InstanceNetworkInterface> {
    raw.network_interfaces()
        .iter()
        .find(|interface| index_of(interface) == Some(0))
}

fn index_of(interface: &ec2::InstanceNetworkInterface) -> Option<i32> {
    interface
        .attachment()
        .and_then(|attachment| attachment.device_index())
}

/// The root device's name and its disk.
fn root_disk(raw: &ec2::Instance) -> Option<(&str, &ec2::EbsInstanceBlockDevice)> {
    let device = raw.root_device_name()?;
    let disk = raw
        .block_device_mappings()
        .iter()
        .find(|disk| disk.device_name() == Some(device))?;
    Some((device, disk.ebs()?))
}

fn metadata(raw: Option<&ec2::InstanceMetadataOptionsResponse>) -> MetadataOptions {
    let Some(raw) = raw else {
        return MetadataOptions::default();
    };
    MetadataOptions {
        tokens: raw.http_tokens().map(|word| word.as_str().to_owned()),
        hop_limit: raw.http_put_response_hop_limit(),
        endpoint: raw.http_endpoint().map(|word| word.as_str().to_owned()),
        ipv6: raw.http_protocol_ipv6().map(|word| word.as_str().to_owned()),
        tags: raw.instance_metadata_tags().map(|word| word.as_str().to_owned()),
    }
}

fn id_records(raw: &ec2::Instance) -> IdRecords {
    let options = raw.private_dns_name_options();
    IdRecords {
        a: options.and_then(|options| options.enable_resource_name_dns_a_record()),
        aaaa: options.and_then(|options| options.enable_resource_name_dns_aaaa_record()),
    }
}

fn own_tags(raw: &[ec2::Tag]) -> BTreeMap<String, String> {
    let mut tags = super::convert::tags(raw);
    tags.retain(|key, _| is_own_tag(key));
    tags
}

/// The list in the making.
#[derive(Default)]
struct Left(Vec<Uncarried>);

impl Left {
    fn add(&mut self, kind: UncarriedKind, what: impl Into<String>) {
        let what = what.into();
        self.0.push(Uncarried { kind, what });
    }

    fn other(&mut self, what: impl Into<String>) {
        self.add(UncarriedKind::Other, what);
    }

    fn disks(&mut self, raw: &ec2::Instance, kind: Option<&InstanceKind>) {
        let root = root_disk(raw).map(|(device, _)| device);
        for disk in raw.block_device_mappings() {
            let device = disk.device_name().unwrap_or("a device without a name");
            if Some(device) != root {
                let volume = disk.ebs().and_then(|ebs| ebs.volume_id());
                let volume = volume.unwrap_or("without an id");
                self.add(
                    UncarriedKind::DataVolume,
                    format!("data volume {volume} on {device}"),
                );
            }
        }
        if raw.root_device_type() != Some(&ec2::DeviceType::Ebs) {
            self.other("a root device that is an instance store");
        } else if root.is_none() {
            self.other("a root device that the answer does not show");
        }
        if let Some(gb) = kind.and_then(|kind| kind.instance_store_gb) {
            self.other(format!("an instance store of {gb} GB, with what is on it"));
        }
    }

    fn network(&mut self, raw: &ec2::Instance) {
        for interface in raw.network_interfaces() {
            let id = interface.network_interface_id().unwrap_or("without an id");
            let primary_association = interface.association();
            let others = interface
                .private_ip_addresses()
                .iter()
                .filter_map(|address| address.association());
            for association in primary_association.into_iter().chain(others) {
                if is_elastic(association) {
                    let address = association.public_ip().unwrap_or("without an address");
                    self.add(UncarriedKind::ElasticIp, format!("Elastic IP {address} of {id}"));
                }
            }
            let index = index_of(interface);
            if index != Some(0) {
                let index = index.map_or_else(|| "without an index".to_owned(), |index| index.to_string());
                self.add(
                    UncarriedKind::NetworkInterface,
                    format!("network interface {id} (device index {index})"),
                );
                continue;
            }
            self.addresses(interface, id);
            self.attachment(interface, id);
            if interface.source_dest_check() == Some(false) || raw.source_dest_check() == Some(false) {
                self.other("a source/destination check that is off");
            }
            match interface.interface_type() {
                None | Some("interface") => {}
                Some(kind) => self.other(format!("network interface {id} of the type {kind}")),
            }
        }
        if !raw.secondary_interfaces().is_empty() {
            self.other("secondary network interfaces");
        }
    }

    /// How the primary interface hangs on it.
    fn attachment(&mut self, interface: &ec2::InstanceNetworkInterface, id: &str) {
        let attachment = interface.attachment();
        if attachment.and_then(|attachment| attachment.delete_on_termination()) == Some(false) {
            self.add(
                UncarriedKind::NetworkInterface,
                format!("network interface {id} (device index 0), which outlives it"),
            );
        }
        let express = attachment.and_then(|attachment| attachment.ena_srd_specification());
        if express.and_then(|express| express.ena_srd_enabled()) == Some(true) {
            self.other(format!("ENA Express on {id}"));
        }
        if let Some(times) = interface.connection_tracking_configuration() {
            let set = [
                times.tcp_established_timeout(),
                times.udp_stream_timeout(),
                times.udp_timeout(),
            ];
            if set.iter().any(Option::is_some) {
                self.other(format!("connection tracking timeouts on {id}"));
            }
        }
    }

    /// Beyond the first private one.
    fn addresses(&mut self, interface: &ec2::InstanceNetworkInterface, id: &str) {
        for address in interface.private_ip_addresses() {
            if address.primary() != Some(true) {
                let address = address.private_ip_address().unwrap_or_default();
                self.other(format!("secondary private address {address} of {id}"));
            }
        }
        for address in interface.ipv6_addresses() {
            let address = address.ipv6_address().unwrap_or_default();
            self.other(format!("IPv6 address {address} of {id}"));
        }
        let prefixes = interface.ipv4_prefixes().iter().map(|p| p.ipv4_prefix());
        let prefixes = prefixes.chain(interface.ipv6_prefixes().iter().map(|p| p.ipv6_prefix()));
        for prefix in prefixes {
            self.other(format!("prefix {} of {id}", prefix.unwrap_or_default()));
        }
    }

    fn placement(&mut self, raw: &ec2::Instance) {
        if let Some(placement) = raw.placement() {
            let word = |word: Option<&str>| word.filter(|word| !word.is_empty()).map(str::to_owned);
            if let Some(group) = word(placement.group_name()).or_else(|| word(placement.group_id())) {
                self.other(match placement.partition_number() {
                    Some(number) => format!("placement group {group}, partition {number}"),
                    None => format!("placement group {group}"),
                });
            }
            match placement.tenancy().map(|tenancy| tenancy.as_str()) {
                None | Some("default") => {}
                Some(tenancy) => self.other(format!("tenancy {tenancy}")),
            }
            let host = word(placement.host_id()).or_else(|| word(placement.host_resource_group_arn()));
            if let Some(host) = host {
                self.other(format!("dedicated host {host}"));
            }
        }
        if let Some(outpost) = raw.outpost_arn() {
            self.other(format!("Outpost {outpost}"));
        }
        if let Some(lifecycle) = raw.instance_lifecycle() {
            self.other(format!("purchase as {}", lifecycle.as_str()));
        }
        let Some(reservation) = raw.capacity_reservation_specification() else {
            return;
        };
        if let Some(target) = reservation.capacity_reservation_target() {
            let id = target
                .capacity_reservation_id()
                .or(target.capacity_reservation_resource_group_arn());
            self.other(format!("capacity reservation {}", id.unwrap_or("without an id")));
        }
        match reservation
            .capacity_reservation_preference()
            .map(|word| word.as_str())
        {
            None | Some("open") => {}
            Some(preference) => self.other(format!("capacity reservation preference {preference}")),
        }
    }

    fn processor(&mut self, raw: &ec2::Instance, kind: Option<&InstanceKind>) {
        let Some(cpu) = raw.cpu_options() else {
            return;
        };
        if let (Some(cores), Some(threads)) = (cpu.core_count(), cpu.threads_per_core()) {
            let usual = kind.and_then(|kind| kind.cpu);
            if usual != Some((cores, threads)) {
                let usual = usual.map_or_else(
                    || "which its type's default is not known to be".to_owned(),
                    |(cores, threads)| format!("where its type has {cores} of {threads}"),
                );
                self.other(format!(
                    "CPU options: {cores} cores of {threads} threads, {usual}"
                ));
            }
        }
        let extras = [
            ("AMD SEV-SNP", cpu.amd_sev_snp().map(|word| word.as_str())),
            (
                "nested virtualization",
                cpu.nested_virtualization().map(|word| word.as_str()),
            ),
        ];
        for (name, word) in extras {
            if word == Some("enabled") {
                self.other(name);
            }
        }
    }

    fn protection(&mut self, attributes: &Attributes) {
        if attributes.termination_protected {
            self.add(UncarriedKind::TerminationProtection, "termination protection");
        }
        if attributes.stop_protected {
            self.add(UncarriedKind::StopProtection, "stop protection");
        }
        if attributes.shutdown_terminates {
            self.other("termination at its own shutdown");
        }
    }

    fn options(&mut self, raw: &ec2::Instance) {
        if raw.hibernation_options().and_then(|options| options.configured()) == Some(true) {
            self.other("hibernation");
        }
        if raw.enclave_options().and_then(|options| options.enabled()) == Some(true) {
            self.other("Nitro Enclaves");
        }
        for licence in raw.licenses() {
            let arn = licence.license_configuration_arn().unwrap_or("without an ARN");
            self.other(format!("licence configuration {arn}"));
        }
        let maintenance = raw.maintenance_options();
        let recovery = maintenance.and_then(|options| options.auto_recovery());
        if recovery.is_some_and(|word| word.as_str() == "disabled") {
            self.other("automatic recovery that is off");
        }
        let reboots = maintenance.and_then(|options| options.reboot_migration());
        if reboots.is_some_and(|word| word.as_str() == "disabled") {
            self.other("migration at a reboot that is off");
        }
        let dns = raw.private_dns_name_options();
        let hostname = dns.and_then(|options| options.hostname_type());
        if hostname.is_some_and(|word| word.as_str() == "resource-name") {
            self.other("a host name made of its id");
        }
        let network = raw.network_performance_options();
        match network.and_then(|options| options.bandwidth_weighting()) {
            None => {}
            Some(word) if word.as_str() == "default" => {}
            Some(word) => self.other(format!("bandwidth weighting {}", word.as_str())),
        }
        if raw.operator().and_then(|operator| operator.managed()) == Some(true) {
            self.other("a service of AWS's that manages it");
        }
    }
}

#[cfg(test)]
#[path = "blueprint_tests.rs"]
mod tests;
