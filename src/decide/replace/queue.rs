//! In which order replacements of dead images begin: one at a time over all services of an account, the riskiest first.
//!
//! A fleet that was built from one image loses it all at once. Rebuilding everything in one night would be the outage that
//! it is to prevent; and should the new image be bad, the first instance shows it while all others serve.

use crate::model::{AilmentKind, InstanceId, ServiceName, SlotName};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

/// Each service is looked at once in an interval, of 15 minutes at the most: what was due for longer has been shown since.
const SHOWN_WITHIN: SignedDuration = SignedDuration::from_mins(20);

/// Lower is riskier, and goes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Rank {
    pub risk: Risk,
    /// Since when it cannot be rebuilt.
    pub since: Timestamp,
    pub service: ServiceName,
    pub instance: InstanceId,
}

/// How bad it is that an instance cannot be rebuilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Risk {
    /// It does not run, and was not healed.
    Down,
    /// In one of its groups nobody else is healthy.
    Alone,
    Serving,
}

/// One instance that is to be replaced, as the plan shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Queued {
    pub rank: Rank,
    pub slot: SlotName,
    pub kind: AilmentKind,
    pub evidence: String,
    /// Nothing but the queue holds it back, or it is under way.
    pub ready: bool,
    pub under_way: bool,
    /// Of one that is under way: others wait for it. They do not wait with it for next week's window, capacity or a person.
    #[serde(skip)]
    pub goes_on: bool,
    /// Something of it has been launched or taken out.
    #[serde(skip)]
    pub in_motion: bool,
    /// It is under way, and given up until a person says otherwise: nobody waits for it.
    pub quarantined: bool,
    /// Not before this time, as far as time alone tells; `None`: something else holds it back, too.
    pub not_before: Option<Timestamp>,
    /// What would be launched: image, type, subnet.
    pub candidate: Option<String>,
    /// Whether the candidate would get a new auto-assigned public IPv4 address.
    pub new_public_ip: bool,
    /// Every image source with what came of it.
    pub offers: Vec<super::Offer>,
}

impl Queued {
    /// Whether it goes before `other` begins. What time alone held back when its service was last looked at may be ready by now.
    pub fn goes_before(&self, other: &Rank, now: Timestamp) -> bool {
        let is_due = |at: Timestamp| at <= now && now.duration_since(at) < SHOWN_WITHIN;
        let is_ready = self.ready || self.not_before.is_some_and(is_due);
        self.kind == AilmentKind::ImageGone
            && !self.quarantined
            && match self.under_way {
                true => self.goes_on,
                false => is_ready && self.rank < *other,
            }
    }

    /// `service/slot/instance`
    pub fn in_words(&self) -> String {
        format!("{}/{}/{}", self.rank.service, self.slot, self.rank.instance)
    }
}
