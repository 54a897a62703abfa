//! A validated policy: what should be, for one service. Nothing in here can be out of range or contradict
//! itself: [`super::parse_policy`] checks once, and nobody checks again.
//!
//! The meaning of each key is documented for users in `policies/README.md`; durations are wall-clock durations.

use crate::model::{
    AccountId, ChannelName, ImageId, InstanceId, PolicyVersion, Region, ServiceName, SlotName,
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::window::Window;

/// One service's desired state and the rules for getting there.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub service: ServiceName,
    pub description: Option<String>,
    pub owner: Option<String>,
    /// `None`: the account of the credentials.
    pub account: Option<AccountId>,
    /// `None`: the SDK's usual chain.
    pub region: Option<Region>,
    pub role: Option<Role>,
    pub pause: PolicyPause,
    /// 1 to 8 slots, in the file's order of names.
    pub slots: BTreeMap<SlotName, Slot>,
    pub heal: Heal,
    pub grace: Grace,
    /// `None`: nothing is ever launched.
    pub replace: Option<Replace>,
    pub limits: Limits,
    pub maintenance: Maintenance,
    pub notify: Vec<ChannelName>,
    /// Digest of the text that this was parsed from.
    pub version: PolicyVersion,
    /// The file that this was parsed from, for messages.
    pub file: String,
}

/// The role that is assumed for a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Role {
    pub arn: String,
    pub external_id: Option<String>,
}

/// The policy's own pause flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyPause {
    Off,
    On,
    Until {
        until: Timestamp,
        reason: Option<String>,
        by: Option<String>,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    pub select: Selector,
    /// Desired number of instances, 1 or more.
    pub count: u32,
    pub state: SlotState,
    pub target_groups: Vec<SlotTargetGroup>,
}

/// What a slot is meant to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SlotState {
    /// It serves: what stopped is healed.
    Running,
    /// An idle slot: keepgreen never starts, stops or deregisters anything in it.
    Stopped,
}

/// Which instances make up a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// All of these tags with exactly these values; never empty.
    Tags(BTreeMap<String, String>),
    /// Exactly these; never empty.
    InstanceIds(BTreeSet<InstanceId>),
    /// The members of this Auto Scaling group.
    AutoScalingGroup(String),
}

/// A target group that a slot serves in, by name or ARN as the policy wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotTargetGroup {
    pub name: String,
    /// `None`: the group's own port.
    pub port: Option<u16>,
    /// Overrides `limits.min_healthy` for this group.
    pub min_healthy: Option<u32>,
}

/// What is done about each ailment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heal {
    pub stopped: OnStopped,
    pub stopped_by_operator: OnOperatorStop,
    pub deregistered: OnDeregistered,
    pub impaired_system: OnImpaired,
    pub impaired_instance: OnImpaired,
    pub unhealthy: OnImpaired,
    pub scheduled_event: OnScheduledEvent,
    pub image_gone: OnReplaceable,
    pub missing: OnReplaceable,
    /// Force an instance that has been `stopping` for more than 10 minutes.
    pub force_stop: bool,
}

/// Stopped by AWS, by the guest, or for an unknown reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnStopped {
    /// Start it.
    Start,
    /// Tell people, and leave it.
    Alert,
}

/// Stopped by a person or their tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnOperatorStop {
    /// Announce it, and start it once `grace.operator_stop` is over.
    Start,
    /// Leave it, and tell people once.
    Respect,
    /// Tell people, and leave it.
    Alert,
}

/// Running, but not in its target group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDeregistered {
    /// Register it.
    Register,
    /// Tell people, and leave it.
    Alert,
}

/// Ailing although it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnImpaired {
    /// Reboot it.
    Reboot,
    /// Stop and start it, which moves it to other hardware.
    Relocate,
    /// Launch another one, then retire it; needs `replace`.
    Replace,
    /// Tell people, and leave it.
    Alert,
}

/// AWS scheduled maintenance or retirement of its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnScheduledEvent {
    /// Stop and start it before, which moves it to other hardware.
    Relocate,
    /// Tell people, and leave it.
    Alert,
}

/// It cannot be rebuilt, or is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnReplaceable {
    /// Launch another one; needs `replace`.
    Replace,
    /// Tell people, and leave it.
    Alert,
}

/// How long an ailment must last before it is acted upon; `lead` is how long before a scheduled event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grace {
    pub boot: Duration,
    pub operator_stop: Duration,
    pub deregistered: Duration,
    pub impaired_system: Duration,
    pub impaired_instance: Duration,
    pub unhealthy: Duration,
    pub image_gone: Duration,
    pub missing: Duration,
    pub lead: Duration,
}

/// How a replacement is made.
#[derive(Clone, Debug, PartialEq)]
pub struct Replace {
    /// Tried in order; never empty.
    pub image: Vec<ImageSource>,
    pub launch: Launch,
    pub instance_types: Vec<String>,
    pub subnets: Vec<String>,
    pub keep: Keep,
    pub old_instance: OldInstance,
    /// `None`: kept until a person removes it.
    pub retain: Option<Duration>,
    pub rescue_image: Option<RescueImage>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageSource {
    Ssm(String),
    Newest { owners: Vec<String>, name: String },
    Id(ImageId),
    Rescue,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Launch {
    Clone,
    Template { name: String, version: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    pub elastic_ip: bool,
    pub data_volumes: bool,
    pub network_interface: bool,
}

/// What becomes of an instance that was replaced, once it is drained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OldInstance {
    /// Stop it.
    Stop,
    /// Terminate it.
    Terminate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RescueImage {
    pub every: Duration,
    pub keep: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub min_healthy: u32,
    pub max_concurrent: u32,
    /// Failed attempts in one incident before quarantine.
    pub attempts: u32,
    pub attempts_per_day: u32,
    pub cooldown: Duration,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Maintenance {
    Always,
    /// Never empty.
    Windows(Vec<Window>),
}
