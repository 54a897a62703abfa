//! What is about to be done, written down before it is done, and how it ended.
//!
//! An [`Intent`] is durable before its request is sent (S5), and ends exactly once. Between the two a crash or a
//! lost answer leaves it open; it is then settled by looking at the world, never by sending it again blind.

use super::{
    AccountId, AwsError, InstanceId, IntentId, Launch, PolicyVersion, Region, RepairId, ServiceName,
    SlotName, Stamp, TargetGroupArn,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One mutation of the world, complete: nothing is left to choose when it is carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "step")]
pub enum Step {
    /// One StartInstances request.
    Start {
        /// Never empty; at most [`Step::MOST_STARTED_AT_ONCE`].
        instances: BTreeMap<InstanceId, StartOf>,
    },
    /// One RunInstances request, for one instance.
    Launch(Box<Launch>),
    /// One RegisterTargets request: one instance into one target group.
    Register(TargetStep),
    /// One DeregisterTargets request: one instance out of one target group.
    Deregister(TargetStep),
    /// One StopInstances request.
    Stop { instance: InstanceId, of: RepairOf },
    /// One TerminateInstances request.
    Terminate { instance: InstanceId, of: RepairOf },
    /// One ModifyInstanceAttribute request: the root volume of what was launched outlives it from now on, as the old one's did.
    KeepVolume {
        instance: InstanceId,
        /// `/dev/xvda`
        device: String,
        of: RepairOf,
    },
    /// One CreateTags request, which marks an instance as retired: `keepgreen:retired`.
    Retire {
        instance: InstanceId,
        of: RepairOf,
        /// The tag's value.
        at: String,
    },
}

/// One target of one group, by instance **and** port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetStep {
    pub instance: InstanceId,
    /// By the name or ARN that the policy uses.
    pub group: String,
    pub arn: TargetGroupArn,
    /// `None`: the group's own port, and the group has none to name (never for groups of instances).
    pub port: Option<u16>,
    pub of: RepairOf,
}

/// Which repair a step belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairOf {
    pub slot: SlotName,
    pub repair: RepairId,
    /// The instance that is replaced, or that the repair is about.
    pub about: InstanceId,
    /// Counted from 1 within the repair.
    pub attempt: u32,
}

/// Which repair a start belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartOf {
    pub slot: SlotName,
    pub repair: RepairId,
    /// Counted from 1 within the repair.
    pub attempt: u32,
}

impl Step {
    /// StartInstances takes up to 1000 ids; 100 keeps the isolation of a poisoned batch within the hourly cap.
    pub const MOST_STARTED_AT_ONCE: usize = 100;

    /// The API operation that carries it out.
    pub fn operation(&self) -> &'static str {
        match self {
            Self::Start { .. } => "StartInstances",
            Self::Launch(_) => "RunInstances",
            Self::Register(_) => "RegisterTargets",
            Self::Deregister(_) => "DeregisterTargets",
            Self::Stop { .. } => "StopInstances",
            Self::Terminate { .. } => "TerminateInstances",
            Self::KeepVolume { .. } => "ModifyInstanceAttribute",
            Self::Retire { .. } => "CreateTags",
        }
    }

    /// The slots that it is about.
    pub fn slots(&self) -> BTreeSet<&SlotName> {
        match self {
            Self::Start { instances } => instances.values().map(|start| &start.slot).collect(),
            other => other.repair().map(|of| &of.slot).into_iter().collect(),
        }
    }

    /// The instances that it touches; of a launch, the one that is replaced.
    pub fn instances(&self) -> impl Iterator<Item = &InstanceId> {
        let (many, one) = match self {
            Self::Start { instances } => (Some(instances.keys()), None),
            Self::Launch(launch) => (None, Some(&launch.of.about)),
            Self::Register(target) | Self::Deregister(target) => (None, Some(&target.instance)),
            Self::Stop { instance, .. }
            | Self::Terminate { instance, .. }
            | Self::KeepVolume { instance, .. }
            | Self::Retire { instance, .. } => (None, Some(instance)),
        };
        many.into_iter().flatten().chain(one)
    }

    /// Names the request apart from when and why it is sent: the same key again is the same request again.
    pub fn key(&self) -> String {
        let ids: Vec<&str> = self.instances().map(InstanceId::as_str).collect();
        let place = match self {
            Self::Register(target) | Self::Deregister(target) => {
                let port = target.port.map(|port| port.to_string()).unwrap_or_default();
                format!(" {}:{port}", target.arn)
            }
            _ => String::new(),
        };
        format!("{} {}{place}", self.operation(), ids.join(" "))
    }

    /// The repair that it belongs to; a start may be of several.
    pub fn repair(&self) -> Option<&RepairOf> {
        match self {
            Self::Start { .. } => None,
            Self::Launch(launch) => Some(&launch.of),
            Self::Register(target) | Self::Deregister(target) => Some(&target.of),
            Self::Stop { of, .. }
            | Self::Terminate { of, .. }
            | Self::KeepVolume { of, .. }
            | Self::Retire { of, .. } => Some(of),
        }
    }

    /// The same without what must not be shown.
    #[must_use]
    pub fn shown(&self) -> Self {
        match self {
            Self::Launch(launch) => Self::Launch(Box::new(launch.shown())),
            other => other.clone(),
        }
    }
}

/// A durable intent: made by the journal alone, once the step is on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    pub id: IntentId,
    pub service: ServiceName,
    pub account: AccountId,
    pub region: Region,
    pub step: Step,
    /// The policy that the step was decided under.
    pub policy_version: PolicyVersion,
    /// Why, for people.
    pub reason: String,
    /// When it had become durable: only a look begun after this may admit it.
    pub durable: Stamp,
}

/// Where an intent stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum IntentState {
    /// Journaled; whether it was sent is not known to anyone but the process that is at it.
    Open,
    /// Sent, and no answer came.
    Ambiguous {
        error: AwsError,
    },
    Ended {
        outcome: Outcome,
    },
}

/// How an intent ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Outcome {
    /// AWS accepted the request.
    Accepted {
        request_id: Option<String>,
        /// The instance that a launch made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        launched: Option<InstanceId>,
    },
    /// The guard refused it, or the send gate held it back: it was never sent.
    NotSent { why: String },
    /// AWS refused it, without effect.
    Failed { error: AwsError },
    /// No answer came, or the process died; a later look tells which of its instances show its effect.
    Settled {
        applied: Vec<InstanceId>,
        not_applied: Vec<InstanceId>,
    },
}

/// An intent with its state, as the journal lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournaledIntent {
    pub intent: Intent,
    pub state: IntentState,
}
