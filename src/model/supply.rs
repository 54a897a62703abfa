//! What a replacement could be made from: read when one is wanted, judged by `decide`.

use super::{ImageId, ImageState, PolicyVersion, Stamp, Zone};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Everything that a launch for one service could draw on, as one reading found it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Supply {
    /// Before the first request was sent.
    pub begun: Stamp,
    /// The policy whose sources these are.
    pub policy_version: PolicyVersion,
    /// One for each of the policy's sources, in its order.
    pub images: Vec<ImageOffer>,
    /// Every type that may be launched, by name; absent: AWS has no such type, or `failed` says why it is not known.
    pub types: BTreeMap<String, TypeFacts>,
    /// Every subnet that may be launched into, by id; absent: AWS has no such subnet, or `failed` says why it is not known.
    pub subnets: BTreeMap<String, SubnetFacts>,
    /// With `launch: { template }` alone.
    pub template: Option<Result<TemplateFacts, String>>,
    /// By the name or ARN that the policy uses; absent: `failed` says why it is not known.
    pub groups: BTreeMap<String, GroupFacts>,
    /// What could not be read, for people.
    pub failed: Vec<String>,
}

/// What one of the policy's image sources came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageOffer {
    /// The source in the policy's words: `ssm: /tis/base-image`.
    pub source: String,
    /// `Err`: why it names no image.
    pub image: Result<ImageFacts, String>,
}

/// An image as DescribeImages shows it to the account that would launch it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFacts {
    pub id: ImageId,
    pub name: Option<String>,
    pub state: ImageState,
    /// `Some(false)`: the account's Allowed AMIs setting excludes it.
    pub allowed: Option<bool>,
    /// `x86_64`, `arm64`
    pub architecture: Option<String>,
    /// `hvm`
    pub virtualization: Option<String>,
    /// `/dev/xvda`
    pub root_device: Option<String>,
    pub root_is_ebs: bool,
    /// The size of the root device's snapshot: a volume cannot be smaller.
    pub root_size_gib: Option<i32>,
    /// Devices, the root among them, whose volumes outlive their instance unless a launch says otherwise.
    pub keeps: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeFacts {
    pub architectures: BTreeSet<String>,
    /// Zones of the region that offer it.
    pub zones: BTreeSet<Zone>,
    /// Whether it is burstable, and so takes CPU credits.
    pub burstable: bool,
    /// Whether EBS optimisation can be asked for: `unsupported` types refuse it.
    pub ebs_optimizable: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubnetFacts {
    pub zone: Zone,
    pub vpc: String,
    pub free_addresses: i32,
}

/// A launch template's version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateFacts {
    pub version: i64,
    pub instance_type: Option<String>,
    /// Of the first of its interfaces that names one.
    pub subnet: Option<String>,
    /// It names network interfaces, beside which RunInstances takes no subnet of its own.
    pub has_interfaces: bool,
    /// Devices whose volumes would outlive their instance: what a failed launch made would stay.
    #[serde(default)]
    pub keeps: BTreeSet<String>,
    /// Devices whose volumes end with their instance, whatever the image says.
    #[serde(default)]
    pub ends: BTreeSet<String>,
    /// What of it makes an instance that keepgreen could not end, or does not look after: `termination protection`.
    #[serde(default)]
    pub unfit: BTreeSet<String>,
}

/// What a target group's and its load balancers' attributes say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupFacts {
    /// Whether traffic is spread over all zones' targets: without it the floor holds in each zone.
    pub cross_zone: bool,
    /// Zones that its load balancers are enabled in; empty: no load balancer uses it.
    pub zones: BTreeSet<Zone>,
    /// How long a deregistered target drains, in seconds.
    pub deregistration_delay_s: u32,
}
