//! What an instance is made of: everything that another one has to have to stand in for it.
//!
//! Recorded while the instance is well, because AWS tells little of an instance that was terminated and nothing of one that
//! is gone. Read by `observe`, journaled by `record`, and turned into a launch by `decide`.

use super::{AccountId, ImageId, InstanceId, Region, SlotName, Zone};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One instance, as its replacement has to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blueprint {
    pub instance: InstanceId,
    pub slot: SlotName,
    pub account: AccountId,
    pub region: Region,
    /// The look that it was taken in.
    pub taken: Timestamp,
    /// A digest of what DescribeInstances shows of it: as long as this and the launch time stay, so does the rest.
    pub digest: String,
    /// AWS moves it at each start; what only a stopped instance lets be changed (user data, type) may change then.
    pub launched_at: Option<Timestamp>,
    pub image: ImageId,
    pub instance_type: String,
    pub zone: Zone,
    /// `subnet-…`
    pub subnet: String,
    /// `sg-…`, of the primary interface.
    pub security_groups: BTreeSet<String>,
    /// The instance profile's ARN.
    pub profile: Option<String>,
    pub key_name: Option<String>,
    pub user_data: Option<UserData>,
    pub metadata: MetadataOptions,
    #[serde(default)]
    pub id_records: IdRecords,
    /// Detailed monitoring.
    pub monitoring: bool,
    pub ebs_optimized: bool,
    /// `standard` or `unlimited`; only burstable types have it.
    pub cpu_credits: Option<String>,
    /// An auto-assigned public IPv4 address, which a launch requests anew: it will be another one.
    pub public_ip: bool,
    /// `None`: it has no EBS root volume, or none that could be read.
    pub root: Option<RootVolume>,
    /// Its own tags, without `aws:*` and `keepgreen:*`.
    pub tags: BTreeMap<String, String>,
    /// What a launch cannot carry over yet.
    pub uncarried: Vec<Uncarried>,
}

/// What a launch gives the instance to run at its first boot, in base64 as AWS takes it. It often holds secrets: it is
/// journaled and sent, and shown nowhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserData(String);

impl UserData {
    pub fn new(base64: impl Into<String>) -> Self {
        Self(base64.into())
    }

    /// For the request alone.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for UserData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserData({} characters)", self.0.len())
    }
}

/// How an instance may ask AWS about itself, in AWS's words. `tokens: required` is what keeps a forged request from
/// stealing the instance's credentials: a replacement is never launched with less.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataOptions {
    /// `required` or `optional`
    pub tokens: Option<String>,
    pub hop_limit: Option<i32>,
    /// `enabled` or `disabled`
    pub endpoint: Option<String>,
    /// `enabled` or `disabled`
    pub ipv6: Option<String>,
    /// `enabled` or `disabled`
    pub tags: Option<String>,
}

/// Which DNS records AWS makes of the instance's id, beside those of its addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRecords {
    pub a: Option<bool>,
    pub aaaa: Option<bool>,
}

/// The settings of an EBS root volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootVolume {
    /// `/dev/xvda`; a launch names the image's own root device instead.
    pub device: String,
    pub size_gib: i32,
    /// `gp3`
    pub kind: String,
    /// Only where the kind lets it be chosen.
    pub iops: Option<i32>,
    /// MiB a second; `gp3` alone.
    pub throughput: Option<i32>,
    pub encrypted: bool,
    pub kms_key: Option<String>,
    pub delete_on_termination: bool,
    /// Its own tags, without `aws:*` and `keepgreen:*`.
    pub tags: BTreeMap<String, String>,
}

/// Something that an instance has and that a launch would leave behind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Uncarried {
    pub kind: UncarriedKind,
    /// For people, with its id: `data volume vol-0… on /dev/sdf`.
    pub what: String,
}

/// Whether the policy's `keep` can give it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UncarriedKind {
    /// `keep.data_volumes`
    DataVolume,
    /// `keep.elastic_ip`
    ElasticIp,
    /// `keep.network_interface`
    NetworkInterface,
    /// Protection against being stopped, and with it terminated: AWS lets nobody put the old one down.
    StopProtection,
    /// Protection against being terminated.
    TerminationProtection,
    /// Placement, hibernation…: nothing in the policy gives it up.
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_data_is_never_shown() {
        let data = UserData::new("c2VjcmV0");
        assert_eq!(format!("{data:?}"), "UserData(8 characters)");
    }
}
