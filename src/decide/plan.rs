//! What [`super::decide`] answers: the steps, everything that was not done and why, the standing risks, and when to look
//! again. It is also what `plan`, `status` and `explain` show, so it serialises.

use super::finding::Finding;
use super::hold::{Hold, HoldReason};
use super::image::ImageVerdict;
use super::replace::{Queued, Role};
use super::verdict::Health;
use crate::model::{
    Ailment, Gap, Incident, InstanceId, Notice, Pause, PolicyVersion, ServiceName, SlotName, Step,
};
use jiff::Timestamp;
use serde::Serialize;

/// What is to be done about one service now, and why not more.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    pub service: ServiceName,
    pub policy_version: PolicyVersion,
    pub due: Due,
    /// In the order in which they are to be carried out.
    pub steps: Vec<PlannedStep>,
    pub holds: Vec<Hold>,
    pub findings: Vec<Finding>,
    /// What is being replaced, and what is to be, in the order in which it comes.
    pub queue: Vec<Queued>,
    pub slots: Vec<SlotView>,
    /// Flags that hold now; expired ones are not in here.
    pub pauses: Vec<Pause>,
    /// What this look could not see; empty: it was complete.
    pub gaps: Vec<Gap>,
    /// When the look that it was made from began.
    pub looked_at: Timestamp,
    pub next_check: Timestamp,
    #[serde(skip)]
    pub notices: Vec<Notice>,
}

/// Whether a mutation is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Due {
    Nothing,
    /// Nobody needs to do anything for it: a grace, a cooldown or a cap has to pass.
    ByTime,
    Now,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedStep {
    #[serde(flatten, serialize_with = "without_secrets")]
    pub step: Step,
    pub why: String,
}

/// User data stays out of whatever is shown.
fn without_secrets<S: serde::Serializer>(step: &Step, serializer: S) -> Result<S::Ok, S::Error> {
    step.shown().serialize(serializer)
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SlotView {
    pub name: SlotName,
    /// `running` or `stopped`
    pub desired: &'static str,
    pub count: u32,
    pub instances: Vec<InstanceView>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InstanceView {
    pub id: InstanceId,
    /// AWS's word.
    pub state: String,
    pub zone: Option<String>,
    #[serde(flatten)]
    pub health: Health,
    pub ailments: Vec<Ailment>,
    pub targets: Vec<TargetView>,
    pub image: ImageVerdict,
    /// Everything that keeps a remedy from being carried out now.
    pub holds: Vec<HoldReason>,
    pub incident: Option<Incident>,
    /// We could not see it; what is merely on its way is not meant.
    #[serde(skip)]
    pub blind: bool,
    /// What it is to a replacement that is under way.
    #[serde(skip)]
    pub role: Option<Role>,
    /// Status checks in a few words: `system ok, instance ok`.
    pub checks: String,
}

impl InstanceView {
    /// The one word for a table: its incident first, then its health.
    pub fn word(&self) -> &'static str {
        match self.role {
            Some(Role::Incoming) => return "launching",
            Some(Role::Leftover) => return "leftover",
            Some(Role::Outgoing) => return "retiring",
            None => {}
        }
        match (&self.incident, &self.health) {
            (Some(incident), _) if incident.quarantined.is_some() => "quarantined",
            (Some(incident), Health::Ailing { .. } | Health::Unknown { .. })
                if incident.pending_attempt().is_some() =>
            {
                "starting"
            }
            (_, Health::Healthy) => "healthy",
            (_, Health::Ailing { .. }) => "ailing",
            (_, Health::Unknown { .. }) => "unknown",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TargetView {
    pub target_group: String,
    pub port: Option<u16>,
    /// AWS's word, or `deregistered` when it has no such target, or `unknown` when it could not be read.
    pub state: String,
    pub reason: Option<String>,
}
