//! An EC2 instance as DescribeInstances, DescribeInstanceStatus and DescribeInstanceImageMetadata show it.

use super::{AccountId, ImageId, InstanceId, Region, Zone, tags};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One instance, from DescribeInstances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    pub id: InstanceId,
    /// The owner of the reservation.
    pub account: AccountId,
    pub region: Region,
    pub zone: Option<Zone>,
    pub state: InstanceState,
    pub state_reason: Option<StateReason>,
    /// AWS's free text beside the state (`User initiated (2026-11-11 04:00:12 GMT)`): evidence for people only.
    pub transition_reason: Option<String>,
    pub image: Option<ImageId>,
    pub instance_type: Option<String>,
    pub launched_at: Option<Timestamp>,
    /// The token of the request that launched it; a copy has another one, or none.
    pub client_token: Option<String>,
    pub lifecycle: Lifecycle,
    pub root_device: RootDevice,
    /// Whether its EBS root volume outlives its termination; `None`: no such volume is shown, or not yet.
    #[serde(default)]
    pub root_stays: Option<bool>,
    pub tags: BTreeMap<String, String>,
    pub private_ip: Option<String>,
    pub public_ip: Option<String>,
    /// Of everything that a [`super::Blueprint`] is taken from: another digest is another blueprint.
    #[serde(default)]
    pub digest: String,
}

impl Instance {
    /// The Auto Scaling group that this instance is a member of: AWS itself keeps this tag, nobody else can set a
    /// tag whose key begins with `aws:`.
    pub fn auto_scaling_group(&self) -> Option<&str> {
        self.tag("aws:autoscaling:groupName")
    }

    /// The value of one of its tags.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags.get(key).map(String::as_str)
    }

    /// Another one has taken its place, and keepgreen has marked it so.
    pub fn is_retired(&self) -> bool {
        self.tags.contains_key(tags::RETIRED)
    }

    /// Whose hand stopped it; `None` unless it is stopping or stopped.
    pub fn stopped_by(&self) -> Option<StoppedBy> {
        match self.state {
            InstanceState::Stopping | InstanceState::Stopped => Some(
                self.state_reason
                    .as_ref()
                    .map_or(StoppedBy::Unknown, StateReason::stopped_by),
            ),
            _ => None,
        }
    }
}

/// The low byte of the state's code decides; the upper byte is AWS's own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceState {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
    Unknown(String),
}

impl InstanceState {
    pub fn from_name(name: &str) -> Self {
        match name {
            "pending" => Self::Pending,
            "running" => Self::Running,
            "shutting-down" => Self::ShuttingDown,
            "terminated" => Self::Terminated,
            "stopping" => Self::Stopping,
            "stopped" => Self::Stopped,
            other => Self::Unknown(other.to_owned()),
        }
    }

    /// AWS's word for it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Unknown(word) => word,
        }
    }
}

/// Why an instance is in its state: the machine-readable witness of who stopped it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateReason {
    pub code: String,
    pub message: String,
}

impl StateReason {
    /// Decided by the code, not by the transition text: "User initiated" has been seen beside
    /// `Server.ScheduledStop`. A code that is not listed is nobody's known hand.
    pub fn stopped_by(&self) -> StoppedBy {
        match self.code.as_str() {
            "Client.UserInitiatedShutdown" | "Client.UserInitiatedHibernate" => StoppedBy::Operator,
            "Client.InstanceInitiatedShutdown" => StoppedBy::Guest,
            code if code.starts_with("Server.") => StoppedBy::Aws,
            // The start itself failed, as with a disabled volume key: nobody wanted it stopped.
            "Client.InternalError" | "Client.InvalidSnapshot.NotFound" | "Client.VolumeLimitExceeded" => {
                StoppedBy::Aws
            }
            _ => StoppedBy::Unknown,
        }
    }
}

/// Whose hand stopped an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoppedBy {
    Aws,
    /// Shut down from inside.
    Guest,
    /// A person or a scheduler, through the API.
    Operator,
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lifecycle {
    OnDemand,
    Spot,
    Scheduled,
    CapacityBlock,
    Unknown(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RootDevice {
    Ebs,
    /// Cannot be stopped, and what AWS stops of it is gone.
    InstanceStore,
    Unknown(String),
}

/// The status checks and scheduled events of one instance, from DescribeInstanceStatus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusChecks {
    pub system: CheckState,
    pub instance: CheckState,
    /// The attached-EBS check; absent on instance types that do not have it.
    pub attached_ebs: Option<CheckState>,
    pub events: Vec<ScheduledEvent>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckState {
    Ok,
    Impaired,
    Initializing,
    InsufficientData,
    NotApplicable,
    Unknown(String),
}

impl CheckState {
    pub fn as_str(&self) -> &str {
        match self {
            Self::Ok => "ok",
            Self::Impaired => "impaired",
            Self::Initializing => "initializing",
            Self::InsufficientData => "insufficient-data",
            Self::NotApplicable => "not-applicable",
            Self::Unknown(word) => word,
        }
    }
}

/// A maintenance event that AWS has scheduled for an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduledEvent {
    /// AWS's id of it (`instance-event-…`); older answers may lack it.
    pub id: Option<String>,
    pub code: EventCode,
    pub description: String,
    pub not_before: Option<Timestamp>,
    pub not_after: Option<Timestamp>,
    pub deadline: Option<Timestamp>,
}

impl ScheduledEvent {
    /// Completed and cancelled events stay in the answers for up to a week.
    pub fn is_history(&self) -> bool {
        self.description.starts_with("[Completed]") || self.description.starts_with("[Canceled]")
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventCode {
    InstanceReboot,
    SystemReboot,
    SystemMaintenance,
    InstanceRetirement,
    InstanceStop,
    Unknown(String),
}

impl EventCode {
    pub fn as_str(&self) -> &str {
        match self {
            Self::InstanceReboot => "instance-reboot",
            Self::SystemReboot => "system-reboot",
            Self::SystemMaintenance => "system-maintenance",
            Self::InstanceRetirement => "instance-retirement",
            Self::InstanceStop => "instance-stop",
            Self::Unknown(word) => word,
        }
    }
}

/// The state of the image that an instance was launched from, from DescribeInstanceImageMetadata: the witness that
/// still speaks of an image when DescribeImages no longer does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageMetadata {
    pub image: ImageId,
    pub state: ImageState,
    /// `false`: the account's Allowed AMIs setting hides it.
    pub allowed: Option<bool>,
    pub owner: Option<AccountId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageState {
    Pending,
    Available,
    Invalid,
    Deregistered,
    Transient,
    Failed,
    Error,
    Disabled,
    Unknown(String),
}

impl ImageState {
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pending => "pending",
            Self::Available => "available",
            Self::Invalid => "invalid",
            Self::Deregistered => "deregistered",
            Self::Transient => "transient",
            Self::Failed => "failed",
            Self::Error => "error",
            Self::Disabled => "disabled",
            Self::Unknown(word) => word,
        }
    }
}

/// What DescribeImages (with disabled and deprecated images included) says of an image: whether it can be launched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageListing {
    Listed(ImageState),
    /// A complete answer that does not have it.
    Absent,
    /// Asked for alone, by its id, the answer does not have it or calls it unknown, and an adjacent call showed an image that
    /// is known to be there.
    AbsentBesideAWitness,
}
