//! One launch, complete: everything that RunInstances is asked for, so that a repeat is the same to the byte (S4).

use super::{IdRecords, ImageId, InstanceId, MetadataOptions, RepairOf, RootVolume, UserData};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One RunInstances request for exactly one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    pub of: RepairOf,
    /// Derived from the repair, the attempt and the candidate: at most 64 ASCII characters.
    pub token: String,
    pub image: ImageId,
    pub instance_type: String,
    /// Always named: it fixes the zone, which a token's scope depends on.
    pub subnet: String,
    pub form: LaunchForm,
    /// On the instance; those of keepgreen included.
    pub tags: BTreeMap<String, String>,
    /// On its volumes; those of keepgreen included.
    pub volume_tags: BTreeMap<String, String>,
}

/// Where the rest of a launch's parameters come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "form")]
pub enum LaunchForm {
    /// From the instance that is replaced.
    Clone(Box<CloneOf>),
    /// From a launch template, at this very version.
    Template { name: String, version: i64 },
}

/// What is taken over from an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloneOf {
    pub instance: InstanceId,
    pub security_groups: BTreeSet<String>,
    pub profile: Option<String>,
    pub key_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_data: Option<UserData>,
    pub metadata: MetadataOptions,
    #[serde(default)]
    pub id_records: IdRecords,
    pub monitoring: bool,
    pub ebs_optimized: bool,
    pub cpu_credits: Option<String>,
    /// Whether an auto-assigned public IPv4 address is asked for. The subnet's default is overruled either way.
    pub public_ip: bool,
    /// On the image's own root device.
    pub root: RootVolume,
}

impl Launch {
    /// The same without what must not be shown.
    #[must_use]
    pub fn shown(&self) -> Self {
        let mut shown = self.clone();
        if let LaunchForm::Clone(of) = &mut shown.form {
            of.user_data = None;
        }
        shown
    }
}
