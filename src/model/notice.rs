//! Something that people are told, once.

use super::{InstanceId, ServiceName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One message, complete; the channels only render it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The same key is never told twice on the same channel, over restarts.
    pub key: String,
    pub kind: NoticeKind,
    pub at: Timestamp,
    pub service: Option<ServiceName>,
    pub instance: Option<InstanceId>,
    /// One line: what happened, to which object.
    pub title: String,
    /// What it means, what was done, and what to do next.
    pub text: String,
    /// Evidence, as name and value.
    pub facts: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeKind {
    /// A repair begins, or is announced.
    RepairBegun,
    /// A repair is done.
    RepairDone,
    /// Something that keepgreen does not or may not do by itself.
    NeedsPerson,
    /// A daily reminder of something that still needs a person.
    Reminder,
    Info,
}

impl NoticeKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RepairBegun => "repair-begun",
            Self::RepairDone => "repair-done",
            Self::NeedsPerson => "needs-person",
            Self::Reminder => "reminder",
            Self::Info => "info",
        }
    }
}
