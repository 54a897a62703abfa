//! A target group and its targets, from DescribeTargetGroups and DescribeTargetHealth.

use super::{InstanceId, TargetGroupArn};
use serde::{Deserialize, Serialize};

/// One target group as one look saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupView {
    pub arn: TargetGroupArn,
    pub name: String,
    /// The port that a target gets when the registration names none.
    pub port: Option<u16>,
    /// Whether targets are instances; otherwise (`ip`, `lambda`, `alb`) keepgreen does nothing with the group.
    pub of_instances: bool,
    /// Every target of the group, ours or not. A target is keyed by id **and** port.
    pub targets: Vec<Target>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    pub instance: InstanceId,
    pub port: Option<u16>,
    pub health: TargetHealth,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetHealth {
    pub state: TargetState,
    /// `Target.Timeout`, `Elb.InitialHealthChecking`…: AWS's word, unknown ones included.
    pub reason: Option<String>,
    pub description: Option<String>,
}

impl TargetHealth {
    /// No listener routes to the group: idle, not ailing.
    pub fn is_idle(&self) -> bool {
        self.state == TargetState::Unused && self.reason.as_deref() == Some("Target.NotInUse")
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TargetState {
    Initial,
    Healthy,
    Unhealthy,
    UnhealthyDraining,
    Unused,
    Draining,
    Unavailable,
    Unknown(String),
}

impl TargetState {
    pub fn from_name(name: &str) -> Self {
        match name {
            "initial" => Self::Initial,
            "healthy" => Self::Healthy,
            "unhealthy" => Self::Unhealthy,
            "unhealthy.draining" => Self::UnhealthyDraining,
            "unused" => Self::Unused,
            "draining" => Self::Draining,
            "unavailable" => Self::Unavailable,
            other => Self::Unknown(other.to_owned()),
        }
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::Initial => "initial",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::UnhealthyDraining => "unhealthy.draining",
            Self::Unused => "unused",
            Self::Draining => "draining",
            Self::Unavailable => "unavailable",
            Self::Unknown(word) => word,
        }
    }
}
