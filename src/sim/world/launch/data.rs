//! What a launch is made of: the part that RunInstances and a version of a launch template have in common.
//!
//! Everything is as the request said it, unchecked: `None` and empty mean that it said nothing, so that one such
//! value can be laid over another.

use super::super::tags::TagSpecs;

/// The parameters of a launch, or of a launch template's version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LaunchData {
    /// `ami-…`, or `resolve:ssm:…`.
    pub image: Option<String>,
    pub instance_type: Option<String>,
    pub key_name: Option<String>,
    /// Base64, as sent.
    pub user_data: Option<String>,
    pub group_ids: Vec<String>,
    /// Security groups by name.
    pub group_names: Vec<String>,
    pub interfaces: Vec<InterfaceSpec>,
    pub block_devices: Vec<BlockDeviceSpec>,
    pub profile: Option<ProfileSpec>,
    /// Detailed monitoring.
    pub monitoring: Option<bool>,
    pub ebs_optimized: Option<bool>,
    pub placement: PlacementSpec,
    pub disable_api_termination: Option<bool>,
    pub disable_api_stop: Option<bool>,
    /// `stop` or `terminate`.
    pub shutdown_behavior: Option<String>,
    /// By the type of what they are for: `instance`, `volume`, `network-interface`, …
    pub tags: TagSpecs,
    pub market: Option<MarketSpec>,
    /// `standard` or `unlimited`.
    pub cpu_credits: Option<String>,
    pub cpu: CpuOptions,
    /// `open`, `none`, `capacity-reservations-only`.
    pub capacity_reservation_preference: Option<String>,
    pub hibernation: Option<bool>,
    pub metadata: MetadataSpec,
    pub enclave: Option<bool>,
    pub hostname: HostnameOptions,
    /// `default` or `disabled`.
    pub auto_recovery: Option<String>,
}

/// A network interface of a launch: a new one, or with `id` one that exists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InterfaceSpec {
    pub id: Option<String>,
    pub device_index: Option<u32>,
    pub subnet: Option<String>,
    pub description: Option<String>,
    pub group_ids: Vec<String>,
    pub private_ip: Option<String>,
    pub associate_public_ip: Option<bool>,
    pub delete_on_termination: Option<bool>,
}

/// A block device of a launch, or of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlockDeviceSpec {
    /// `/dev/xvda`.
    pub device: String,
    /// `ephemeral0`: an instance-store volume.
    pub virtual_name: Option<String>,
    /// The image's device of this name is left out.
    pub no_device: bool,
    pub ebs: Option<EbsSpec>,
}

/// The volume behind a block device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EbsSpec {
    pub delete_on_termination: Option<bool>,
    pub encrypted: Option<bool>,
    pub iops: Option<u32>,
    pub kms_key: Option<String>,
    pub snapshot: Option<String>,
    pub size_gib: Option<u32>,
    /// MiB a second.
    pub throughput: Option<u32>,
    /// `gp3`, …
    pub volume_type: Option<String>,
}

/// An instance profile, by ARN or by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProfileSpec {
    pub arn: Option<String>,
    pub name: Option<String>,
}

/// Where instances are put.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlacementSpec {
    pub zone: Option<String>,
    /// `euw2-az1`.
    pub zone_id: Option<String>,
    /// `default`, `dedicated`, `host`.
    pub tenancy: Option<String>,
    pub group_name: Option<String>,
    pub partition: Option<u32>,
    pub affinity: Option<String>,
    pub host: Option<String>,
}

/// Spot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MarketSpec {
    /// `spot`.
    pub kind: Option<String>,
    pub max_price: Option<String>,
    /// `one-time` or `persistent`.
    pub spot_type: Option<String>,
    /// `hibernate`, `stop`, `terminate`.
    pub interruption: Option<String>,
}

/// How many cores and threads the processor shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CpuOptions {
    pub core_count: Option<u32>,
    pub threads_per_core: Option<u32>,
}

/// The instance metadata service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MetadataSpec {
    /// `optional` or `required`.
    pub tokens: Option<String>,
    pub hop_limit: Option<u32>,
    /// `enabled` or `disabled`; so are the next two.
    pub endpoint: Option<String>,
    pub ipv6: Option<String>,
    pub tags: Option<String>,
}

/// The instance's host name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostnameOptions {
    /// `ip-name` or `resource-name`.
    pub kind: Option<String>,
    pub a_record: Option<bool>,
    pub aaaa_record: Option<bool>,
}

impl LaunchData {
    /// These parameters laid over those of a template: what is said here wins, lists as a whole, tags key by key.
    #[must_use]
    pub fn over(self, template: LaunchData) -> LaunchData {
        let mut tags = template.tags;
        for (kind, own) in self.tags {
            tags.entry(kind).or_default().extend(own);
        }
        let (groups, group_names) = match self.group_ids.is_empty() && self.group_names.is_empty() {
            true => (template.group_ids, template.group_names),
            false => (self.group_ids, self.group_names),
        };
        LaunchData {
            image: self.image.or(template.image),
            instance_type: self.instance_type.or(template.instance_type),
            key_name: self.key_name.or(template.key_name),
            user_data: self.user_data.or(template.user_data),
            group_ids: groups,
            group_names,
            interfaces: first_filled(self.interfaces, template.interfaces),
            block_devices: over_devices(self.block_devices, template.block_devices),
            profile: self.profile.or(template.profile),
            monitoring: self.monitoring.or(template.monitoring),
            ebs_optimized: self.ebs_optimized.or(template.ebs_optimized),
            placement: first_said(self.placement, template.placement),
            disable_api_termination: self.disable_api_termination.or(template.disable_api_termination),
            disable_api_stop: self.disable_api_stop.or(template.disable_api_stop),
            shutdown_behavior: self.shutdown_behavior.or(template.shutdown_behavior),
            tags,
            market: self.market.or(template.market),
            cpu_credits: self.cpu_credits.or(template.cpu_credits),
            cpu: first_said(self.cpu, template.cpu),
            capacity_reservation_preference: self
                .capacity_reservation_preference
                .or(template.capacity_reservation_preference),
            hibernation: self.hibernation.or(template.hibernation),
            metadata: first_said(self.metadata, template.metadata),
            enclave: self.enclave.or(template.enclave),
            hostname: first_said(self.hostname, template.hostname),
            auto_recovery: self.auto_recovery.or(template.auto_recovery),
        }
    }
}

/// Devices of the same name are replaced, further ones added.
fn over_devices(own: Vec<BlockDeviceSpec>, template: Vec<BlockDeviceSpec>) -> Vec<BlockDeviceSpec> {
    let mut devices: Vec<BlockDeviceSpec> = template;
    devices.retain(|device| own.iter().all(|other| other.device != device.device));
    devices.extend(own);
    devices
}

fn first_filled<T>(own: Vec<T>, template: Vec<T>) -> Vec<T> {
    if own.is_empty() { template } else { own }
}

fn first_said<T: Default + PartialEq>(own: T, template: T) -> T {
    if own == T::default() { template } else { own }
}
