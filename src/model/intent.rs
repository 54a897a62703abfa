//! What is about to be done, written down before it is done, and how it ended.
//!
//! An [`Intent`] is durable before its request is sent (S5), and ends exactly once. Between the two a crash or a
//! lost answer leaves it open; it is then settled by looking at the world, never by sending it again blind.

use super::{
    AccountId, AwsError, InstanceId, IntentId, PolicyVersion, Region, RepairId, ServiceName, SlotName, Stamp,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One mutation of the world, complete: nothing is left to choose when it is carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "step")]
pub enum Step {
    /// One StartInstances request.
    Start {
        /// Never empty; at most [`Step::MOST_STARTED_AT_ONCE`].
        instances: BTreeMap<InstanceId, StartOf>,
    },
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
        }
    }

    /// The instances that it touches.
    pub fn instances(&self) -> impl Iterator<Item = &InstanceId> {
        match self {
            Self::Start { instances } => instances.keys(),
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
    Accepted { request_id: Option<String> },
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
