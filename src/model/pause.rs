//! The pause flag as data: what was read, from where, and what it stops.

use super::{InstanceId, ServiceName, Stamp};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One flag that is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    pub scope: PauseScope,
    pub source: PauseSource,
    pub by: Option<String>,
    pub reason: Option<String>,
    pub since: Option<Timestamp>,
    /// `None`: until somebody clears it.
    pub until: Option<Timestamp>,
}

impl Pause {
    /// Whether it still holds at `now`; an end that has passed ends it.
    pub fn holds_at(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PauseScope {
    Everything,
    Service(ServiceName),
    Instance(InstanceId),
}

/// Where a flag was found, by the name that a person can go and look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PauseSource {
    /// The policy file's `pause`.
    Policy(String),
    /// A file's path.
    File(String),
    /// An SSM parameter's name.
    Parameter(String),
    /// The tag `keepgreen:pause` on an instance.
    Tag(InstanceId),
}

/// Everything that was read of the flags of one service, in one go. Tags are not in here: they come with the instances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseReading {
    /// Before the first source was read: what became readable later may be missing.
    pub begun: Stamp,
    pub service: ServiceName,
    pub set: Vec<Pause>,
    /// Sources that could not be read, with the reason. An unreadable flag counts as set.
    pub unreadable: Vec<String>,
}

/// The tag `keepgreen:pause` of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstancePause {
    NotSet,
    /// The tag's text was an RFC 3339 time.
    Until(Timestamp),
    /// Any other text, the empty one included: no end.
    WithoutEnd,
}

impl InstancePause {
    /// Reads the tag; `None` is an instance without it.
    pub fn from_tag(value: Option<&str>) -> Self {
        match value {
            None => Self::NotSet,
            Some(text) => text.trim().parse().map_or(Self::WithoutEnd, Self::Until),
        }
    }

    pub fn holds_at(&self, now: Timestamp) -> bool {
        match self {
            Self::NotSet => false,
            Self::Until(until) => now < *until,
            Self::WithoutEnd => true,
        }
    }
}

/// The right to act on a service, against other replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lease {
    /// This process holds the state folder's lock: no other process can act on its journal.
    Folder,
    /// Not held: nothing may be sent.
    None { holder: Option<String> },
}
