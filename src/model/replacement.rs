//! The memory of one replacement: one instance for another, from the decision to launch until the old one is retired.
//!
//! Where it stands is derived at each look from the world and from this. What is in here is what the world does not tell:
//! which tokens were sent, which instance came of which attempt, for how many looks it has served.

use super::{
    AilmentKind, AwsError, HeldBack, InstanceId, IntentId, Launch, RepairId, Retry, SlotName, TargetGroupArn,
    Timer,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// One instance's replacement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Replacement {
    pub repair: RepairId,
    pub slot: SlotName,
    pub old: InstanceId,
    /// `ImageGone` or `Missing`.
    pub kind: AilmentKind,
    pub evidence: String,
    pub opened: Timestamp,
    /// Oldest first; only the last one can be open.
    #[serde(default)]
    pub attempts: Vec<LaunchAttempt>,
    /// Attempts ever made, forgiven ones included: what the next one is numbered after.
    #[serde(default)]
    pub tried: u32,
    /// What is left to wait before the next attempt.
    #[serde(default)]
    pub wait: Duration,
    #[serde(default)]
    pub retry: Option<Retry>,
    #[serde(default)]
    pub quarantined: Option<Timestamp>,
    /// Requests that AWS accepted and whose effect no look may show yet, with the time that is left to wait for it.
    #[serde(default)]
    pub asked: BTreeMap<String, Duration>,
    /// Target groups that keepgreen took the old instance out of, by ARN and port: should it have to stay, it is brought back.
    #[serde(default)]
    pub taken_out: BTreeSet<(TargetGroupArn, Option<u16>)>,
    /// Those of [`taken_out`](Self::taken_out) whose request has not been sent yet, for all that is known.
    #[serde(default)]
    pub unsent: BTreeSet<(TargetGroupArn, Option<u16>)>,
    /// Target groups that had no room for the new one beside the old one.
    #[serde(default)]
    pub full: BTreeSet<TargetGroupArn>,
    /// The root device of what is launched, whose volume is to outlive it once it has the old one's place.
    #[serde(default)]
    pub keeps_root: Option<String>,
    /// Since when the old one has been draining, for people.
    #[serde(default)]
    pub draining_since: Option<Timestamp>,
    /// AWS accepted the stop or the termination of the old one.
    #[serde(default)]
    pub put_down: Option<Timestamp>,
    /// When the old one was last started, as the last look before that showed it: another time later is somebody's hand.
    #[serde(default)]
    pub old_started: Option<Timestamp>,
    /// A step was planned and held back right before it was sent, so many times in a row.
    #[serde(default)]
    pub held_back: Option<HeldBack>,
    /// Why it is not wanted any more: what was launched is ended, the old one stays.
    #[serde(default)]
    pub abandoned: Option<String>,
    #[serde(default)]
    pub ended: Option<ReplacementEnd>,
}

/// How a replacement ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "end")]
pub enum ReplacementEnd {
    Done { at: Timestamp, new: InstanceId },
    Abandoned { at: Timestamp, why: String },
}

/// One try to have another instance serve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaunchAttempt {
    /// Counted from 1 within the repair.
    pub number: u32,
    pub begun: Timestamp,
    /// Each candidate that was asked for, in order. Only the last one can be unanswered.
    #[serde(default)]
    pub tries: Vec<LaunchTry>,
    /// For how long the last candidate has been refused: then all of them are asked once more.
    #[serde(default)]
    pub refused_for: Duration,
    /// What came of it.
    #[serde(default)]
    pub instance: Option<InstanceId>,
    /// A pause, or the account's hourly cap, kept it from getting on at the latest pass.
    #[serde(default)]
    pub held: bool,
    /// Time since it was launched, look by look; what was spent [held](Self::held) aside.
    #[serde(default)]
    pub lasted: Duration,
    /// A look has shown it.
    #[serde(default)]
    pub seen: bool,
    /// Looks in a row in which it served in every group of its slot.
    #[serde(default)]
    pub healthy_looks: u32,
    /// It was proven once: from then on it has the grace of whatever serves.
    #[serde(default)]
    pub proven: bool,
    /// For how long in a row it did not serve although a look could tell.
    #[serde(default)]
    pub unwell: Duration,
    /// In how many complete looks, and for how long, it was nowhere to be seen.
    #[serde(default)]
    pub absent: Option<Timer>,
    #[serde(default)]
    pub end: Option<LaunchEnd>,
    /// Nothing is left of it: its instance is terminated, or there never was one.
    #[serde(default)]
    pub gone: bool,
    /// It failed, and does not count any more: somebody resumed, or the policy has changed since.
    #[serde(default)]
    pub forgiven: bool,
}

/// One candidate that was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaunchTry {
    pub token: String,
    /// Image, type and subnet, for people.
    pub candidate: String,
    #[serde(default)]
    pub intent: Option<IntentId>,
    pub answer: LaunchAnswer,
    /// The request, as long as it may have to be repeated to the byte.
    #[serde(default)]
    pub request: Option<Box<Launch>>,
}

/// What AWS answered to a launch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "answer")]
pub enum LaunchAnswer {
    /// Not sent yet, for all that is known: planned, or held back before it left.
    NotSent,
    /// Nobody knows: the same token is asked again until there is an answer.
    Unknown,
    Launched,
    Refused {
        error: AwsError,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "end")]
pub enum LaunchEnd {
    /// It serves, and has taken the old one's place.
    Serves {
        at: Timestamp,
    },
    Failed {
        at: Timestamp,
        why: String,
    },
    /// Nobody's failure: it is not wanted any more.
    Abandoned {
        at: Timestamp,
    },
    /// Its instance belongs to another slot now, and is not this replacement's to end.
    GivenAway {
        at: Timestamp,
    },
}

impl Replacement {
    /// The attempt that is under way.
    pub fn attempt(&self) -> Option<&LaunchAttempt> {
        self.attempts.last().filter(|attempt| attempt.end.is_none())
    }

    /// [`Self::attempt`], to change it.
    pub fn attempt_mut(&mut self) -> Option<&mut LaunchAttempt> {
        self.attempts.last_mut().filter(|attempt| attempt.end.is_none())
    }

    /// The instance that is to take the old one's place.
    pub fn new_instance(&self) -> Option<&InstanceId> {
        self.attempt()?.instance.as_ref()
    }

    /// What ended attempts have left behind and is still to be ended.
    pub fn leftovers(&self) -> impl Iterator<Item = &InstanceId> {
        let ended = |attempt: &&LaunchAttempt| {
            !attempt.gone
                && matches!(
                    attempt.end,
                    Some(LaunchEnd::Failed { .. } | LaunchEnd::Abandoned { .. })
                )
        };
        self.attempts
            .iter()
            .filter(ended)
            .filter_map(|attempt| attempt.instance.as_ref())
    }

    /// Every instance that it ever launched.
    pub fn launched(&self) -> impl Iterator<Item = &InstanceId> {
        self.attempts
            .iter()
            .filter_map(|attempt| attempt.instance.as_ref())
    }

    /// Whether there is, or may be, an instance of it.
    pub fn has_launched(&self) -> bool {
        self.leftovers().next().is_some()
            || self
                .attempt()
                .is_some_and(|attempt| attempt.instance.is_some() || attempt.unanswered().is_some())
    }

    /// Whether something of it changes from look to look: an instance comes or goes.
    pub fn is_in_motion(&self) -> bool {
        self.has_launched()
            || self.abandoned.is_some()
            || self.draining_since.is_some()
            || self.put_down.is_some()
            || !self.taken_out.is_empty()
    }

    /// Nothing of it is there and nothing is asked for: it waits for its next attempt.
    pub fn is_waiting(&self) -> bool {
        self.attempt().is_none() && !self.is_in_motion()
    }

    pub fn failed_attempts(&self) -> u32 {
        let failed = |attempt: &&LaunchAttempt| {
            !attempt.forgiven && matches!(attempt.end, Some(LaunchEnd::Failed { .. }))
        };
        u32::try_from(self.attempts.iter().filter(failed).count()).unwrap_or(u32::MAX)
    }

    /// Neither done nor given up.
    pub fn is_open(&self) -> bool {
        self.ended.is_none()
    }
}

impl LaunchAttempt {
    /// The try whose answer is not known.
    pub fn unanswered(&self) -> Option<&LaunchTry> {
        self.tries
            .last()
            .filter(|one| one.answer == LaunchAnswer::Unknown)
    }
}
