//! One look at one service: everything that was read in one go, and how much of it could not be.

use super::{
    AccountId, GroupView, ImageId, ImageListing, ImageMetadata, Instance, InstanceId, PolicyVersion, Region,
    ServiceName, Stamp, StatusChecks,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What one look saw of one service.
///
/// An object that is missing from a map while its part is complete was not there; while its part is a [`Gap`] nothing
/// is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    pub service: ServiceName,
    /// The policy that the selectors were taken from.
    pub policy_version: PolicyVersion,
    /// Before the first request of the look was sent.
    pub begun: Stamp,
    /// After the last answer.
    pub ended: Stamp,
    /// The account that the credentials belong to, from GetCallerIdentity in this very look.
    pub caller: Option<AccountId>,
    pub region: Region,
    /// Every instance that matches a selector of the service's slots, terminated ones included while they linger.
    pub instances: BTreeMap<InstanceId, Instance>,
    pub statuses: BTreeMap<InstanceId, StatusChecks>,
    /// By instance: the image that it was launched from.
    pub image_metadata: BTreeMap<InstanceId, ImageMetadata>,
    /// By image; only images that the metadata does not call plainly available are asked for.
    pub image_listings: BTreeMap<ImageId, ImageListing>,
    /// By the name or ARN that the policy uses.
    pub groups: BTreeMap<String, GroupView>,
    /// Members of the Auto Scaling groups that the policy selects, by group name; `None`: no such group.
    pub scaling_groups: BTreeMap<String, Option<u32>>,
    pub coverage: Coverage,
}

/// Whether a look saw everything that it asked for. A partial look allows additive steps only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Coverage {
    Complete,
    /// Never empty.
    Partial(Vec<Gap>),
}

impl Coverage {
    pub fn from_gaps(gaps: Vec<Gap>) -> Self {
        if gaps.is_empty() {
            Self::Complete
        } else {
            Self::Partial(gaps)
        }
    }

    pub fn is_complete(&self) -> bool {
        matches!(self, Self::Complete)
    }

    pub fn gaps(&self) -> &[Gap] {
        match self {
            Self::Complete => &[],
            Self::Partial(gaps) => gaps,
        }
    }

    /// The reason why `part` is not to be relied on, if there is one.
    pub fn gap(&self, part: &Part) -> Option<&Gap> {
        self.gaps().iter().find(|gap| &gap.part == part)
    }
}

/// One part of a look that failed, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    pub part: Part,
    /// For people: the operation, what AWS answered, the request id where there is one.
    pub why: String,
}

/// The parts of a look that can fail on their own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    Identity,
    Instances,
    Statuses,
    ImageMetadata,
    ImageListings,
    /// By the name or ARN that the policy uses.
    TargetGroup(String),
    ScalingGroups,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Identity => f.write_str("the account's identity"),
            Self::Instances => f.write_str("the instances"),
            Self::Statuses => f.write_str("the status checks"),
            Self::ImageMetadata => f.write_str("the instances' images"),
            Self::ImageListings => f.write_str("the images"),
            Self::TargetGroup(name) => write!(f, "target group {name}"),
            Self::ScalingGroups => f.write_str("the Auto Scaling groups"),
        }
    }
}
