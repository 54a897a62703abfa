//! What is remembered of a service between looks and over restarts: since when something ails, what was tried.
//!
//! One document a service, journaled with each look in the transaction that also holds the look's notices, so that a
//! restart forgets no grace, no count and no attempt. How it changes is `decide::fold`'s business.
//!
//! Time that has lasted is accumulated look by look (`lasted`, `healthy_for`, `wait`) instead of subtracted from the wall
//! clock, so that a clock that jumps two hours neither skips a grace nor prolongs it.

use super::{InstanceId, IntentId, PolicyVersion, RepairId, Replacement, SlotName, Stamp, TargetGroupArn};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Everything that is remembered of one service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceMemory {
    /// Looks that counted: at least 10 s (or the interval, if shorter) apart.
    pub looks: u64,
    /// When the last look that counted began, and in which process.
    pub last_look: Option<Stamp>,
    pub incarnation: String,
    pub policy_version: Option<PolicyVersion>,
    pub instances: BTreeMap<InstanceId, InstanceMemory>,
    /// Open incidents, by instance.
    pub incidents: BTreeMap<InstanceId, Incident>,
    /// Replacements under way, and those that ended within the last day, by the instance that is replaced.
    pub replacements: BTreeMap<InstanceId, Replacement>,
    /// Instances that a slot has lost and lacks, with what shows it.
    pub lost: BTreeMap<InstanceId, Lost>,
    /// What is left to wait since the latest replacement's end before the next one may begin.
    pub rest: Duration,
    /// Slots that have fewer instances than they should, and since when.
    pub missing: BTreeMap<SlotName, Timer>,
    /// The latest `keepgreen resume` of this service that was taken into account.
    pub resumed: Option<Timestamp>,
    /// Standing findings by their key.
    pub standing: BTreeMap<String, Standing>,
}

/// Since when a finding stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    pub since: Timestamp,
    /// Looks in a row that had it.
    pub looks: u32,
}

/// What is remembered of one instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InstanceMemory {
    pub slot: SlotName,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    /// Whether it was pending or running when it was last seen.
    pub was_up: bool,
    /// Ailments that it has now.
    #[serde(default)]
    pub timers: BTreeMap<AilmentKind, Timer>,
    /// Looks in a row that saw it running with its status checks ok.
    #[serde(default)]
    pub ok_looks: u32,
    /// When a target of its slot's groups was last seen healthy.
    #[serde(default)]
    pub last_in_traffic: Option<Timestamp>,
    /// When keepgreen undid a person's stop; kept for 7 days.
    #[serde(default)]
    pub operator_stops_undone: Vec<Timestamp>,
    /// Attempts that did not heal; kept for 24 hours.
    #[serde(default)]
    pub failed_attempts: Vec<Timestamp>,
    /// Launches in its place that came to nothing; kept likewise. They keep nobody from starting it.
    #[serde(default)]
    pub failed_launches: Vec<Timestamp>,
    #[serde(default)]
    pub registration: Option<Registration>,
    /// keepgreen stopped it for a replacement that has failed since: nobody wants it stopped.
    #[serde(default)]
    pub put_down: bool,
    /// Looks in a row, and the time, in which it was nowhere to be seen in a complete listing.
    #[serde(default)]
    pub absent: Option<Timer>,
}

/// An instance that is gone while its slot has fewer than it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    pub slot: SlotName,
    pub evidence: String,
    /// A person terminated it.
    pub by_person: bool,
    /// Since AWS called it terminated, or since it was nowhere in a complete listing.
    pub timer: Timer,
    /// When it was launched, if that was shown with its end: of several, the slot misses the latest.
    #[serde(default)]
    pub launched_at: Option<Timestamp>,
}

/// Registrations of one instance that keepgreen made, since it was last in traffic for 30 minutes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Registration {
    /// Requests that AWS accepted, by group and port: registered again so often, somebody else keeps taking it out.
    pub accepted: BTreeMap<TargetGroupArn, u32>,
    /// What is left to wait before the next try.
    pub wait: Duration,
    /// AWS's latest refusal.
    pub retry: Option<Retry>,
    pub in_traffic_for: Duration,
}

/// For how long something has been seen, without a look in between that did not see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timer {
    /// The first look that saw it, for people.
    pub since: Timestamp,
    /// Time that it has lasted from that look to the latest one.
    pub lasted: Duration,
    /// Looks that counted and saw it.
    pub looks: u32,
}

/// What can be wrong with an instance or a slot; each has its own key under `heal` in the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AilmentKind {
    /// Stopped by AWS, by the guest, or for an unknown reason.
    Stopped,
    StoppedByOperator,
    /// Running, but not in its target group.
    Deregistered,
    ImpairedSystem,
    ImpairedInstance,
    /// The load balancer says unhealthy, the status checks pass.
    Unhealthy,
    ScheduledEvent,
    ImageGone,
    /// Terminated, or fewer than `count`.
    Missing,
}

impl AilmentKind {
    /// The word for people and for JSON; the policy's key is the same with `_`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::StoppedByOperator => "stopped by an operator",
            Self::Deregistered => "deregistered",
            Self::ImpairedSystem => "system check impaired",
            Self::ImpairedInstance => "instance check impaired",
            Self::Unhealthy => "unhealthy",
            Self::ScheduledEvent => "scheduled event",
            Self::ImageGone => "image gone",
            Self::Missing => "missing",
        }
    }

    /// The key under `heal` in the policy that says what is done about it.
    pub fn policy_key(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::StoppedByOperator => "stopped_by_operator",
            Self::Deregistered => "deregistered",
            Self::ImpairedSystem => "impaired_system",
            Self::ImpairedInstance => "impaired_instance",
            Self::Unhealthy => "unhealthy",
            Self::ScheduledEvent => "scheduled_event",
            Self::ImageGone => "image_gone",
            Self::Missing => "missing",
        }
    }
}

/// One ailment of one instance (or slot), with what shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ailment {
    pub kind: AilmentKind,
    /// AWS's own words for it: a state reason, a health reason, an event id.
    pub evidence: String,
}

/// One instance's trouble from the first look that saw it until it was healthy for 30 minutes; a relapse before that
/// continues it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    pub repair: RepairId,
    pub slot: SlotName,
    pub kind: AilmentKind,
    pub evidence: String,
    /// The instance's launch time beside that evidence.
    #[serde(default)]
    pub launched_at: Option<Timestamp>,
    pub opened: Timestamp,
    /// Attempts that AWS accepted, oldest first.
    #[serde(default)]
    pub attempts: Vec<Attempt>,
    /// Attempts ever made in this incident, forgiven ones included: what the next one is numbered after.
    #[serde(default)]
    pub tried: u32,
    #[serde(default)]
    pub held_back: Option<HeldBack>,
    /// Set while the cause is outside the instance (throttling, capacity…): such tries are not attempts.
    #[serde(default)]
    pub retry: Option<Retry>,
    /// What is left to wait before the next attempt.
    #[serde(default)]
    pub wait: Duration,
    /// How long it has been healthy in a row.
    #[serde(default)]
    pub healthy_for: Duration,
    /// When it was healthy again for the first time after the latest attempt.
    #[serde(default)]
    pub healed: Option<Timestamp>,
    /// How often it was down again after it had been healthy.
    #[serde(default)]
    pub relapses: u32,
    #[serde(default)]
    pub quarantined: Option<Timestamp>,
}

impl Incident {
    /// Names one stretch of being down: people who were told that it is healthy again are told anew of a relapse.
    pub fn episode(&self) -> String {
        match self.relapses {
            0 => self.repair.to_string(),
            relapses => format!("{}/relapse-{relapses}", self.repair),
        }
    }

    /// Attempts that were tried and did not heal.
    pub fn failed_attempts(&self) -> u32 {
        let failed = self
            .attempts
            .iter()
            .filter(|attempt| matches!(attempt.end, Some(AttemptEnd::Failed { .. })));
        u32::try_from(failed.count()).unwrap_or(u32::MAX)
    }

    /// The attempt whose effect is still awaited.
    pub fn pending_attempt(&self) -> Option<&Attempt> {
        self.attempts.last().filter(|attempt| attempt.end.is_none())
    }
}

/// One start that AWS accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Counted from 1.
    pub number: u32,
    pub intent: IntentId,
    pub accepted: Timestamp,
    /// Time since then, look by look.
    pub lasted: Duration,
    /// Whether a look has seen it pending or running since.
    pub seen_up: bool,
    /// The stop's evidence when it was sent: the same words afterwards may be a stale view, other words are a new stop.
    pub before: String,
    /// The instance's launch time when it was sent: AWS moves it at each start, so another one is a start that happened.
    #[serde(default)]
    pub launched_before: Option<Timestamp>,
    pub end: Option<AttemptEnd>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "end")]
pub enum AttemptEnd {
    Healed {
        at: Timestamp,
    },
    Failed {
        at: Timestamp,
        why: String,
    },
    /// A person stopped the instance meanwhile: neither a success nor a failure of ours.
    Overruled {
        at: Timestamp,
    },
}

/// Tries that failed for reasons outside the instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// AWS's answer, for people.
    pub why: String,
    pub since: Timestamp,
    pub tries: u32,
    /// Whether only a person can end it (a quota, a missing permission).
    pub needs_person: bool,
    /// Nobody knows what went wrong: it is sent without the company of others, which it may be keeping down.
    #[serde(default)]
    pub alone: bool,
}

/// Requests that were planned, journaled and then held back at the last moment, one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBack {
    pub since: Timestamp,
    pub times: u32,
    /// The latest refusal, for people.
    pub why: String,
}

impl HeldBack {
    /// Once more, after those that came before it in a row.
    pub fn again(earlier: Option<Self>, why: &str, now: Timestamp) -> Self {
        Self {
            since: earlier.as_ref().map_or(now, |held| held.since),
            times: earlier.map_or(1, |held| held.times.saturating_add(1)),
            why: why.to_owned(),
        }
    }
}
