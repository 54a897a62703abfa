//! The journal as its callers see it, from shared builders.

mod disk;
mod intents;
mod looks;
mod outbox;

use super::*;
use crate::env::{Blocking, Clock, Entropy, Env};
use crate::model::{
    AccountId, AwsError, ChannelName, ErrorClass, InstanceId, Intent, IntentId, IntentState, Notice,
    NoticeKind, Outcome, PolicyVersion, Region, RepairId, ServiceMemory, ServiceName, SlotName, Stamp,
    StartOf, Step,
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use rusqlite::{Connection, params};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn four_o_clock() -> Timestamp {
    at("2026-11-11T04:00:00Z")
}

fn after(minutes: i64) -> Timestamp {
    four_o_clock() + SignedDuration::from_mins(minutes)
}

fn new_store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Options::default()).unwrap();
    (folder, store)
}

fn start_of(instances: &[&str]) -> Step {
    let start = StartOf {
        slot: SlotName::new("green"),
        repair: RepairId::new("repair-1"),
        attempt: 1,
    };
    Step::Start {
        instances: instances
            .iter()
            .map(|id| (InstanceId::new(*id), start.clone()))
            .collect(),
    }
}

fn draft(instances: &[&str]) -> IntentDraft {
    IntentDraft {
        service: ServiceName::new("tis"),
        account: AccountId::new("111122223333"),
        region: Region::new("eu-west-2"),
        step: start_of(instances),
        policy_version: PolicyVersion::new("v1"),
        reason: "stopped by AWS".to_owned(),
    }
}

fn intent(id: &str, instances: &[&str], begun: Timestamp) -> Intent {
    let stamp = Stamp {
        wall: begun,
        boot: Duration::from_secs(60),
    };
    draft(instances).into_intent(IntentId::new(id), stamp)
}

fn lost_answer() -> AwsError {
    AwsError {
        operation: "StartInstances".to_owned(),
        object: Some("i-1".to_owned()),
        class: ErrorClass::Ambiguous,
        code: None,
        message: "timed out".to_owned(),
        request_id: None,
    }
}

fn accepted() -> Outcome {
    Outcome::Accepted {
        request_id: Some("req-1".to_owned()),
        launched: None,
    }
}

fn not_sent() -> Outcome {
    Outcome::NotSent {
        why: "paused".to_owned(),
    }
}

fn settled() -> Outcome {
    Outcome::Settled {
        applied: vec![InstanceId::new("i-1")],
        not_applied: Vec::new(),
    }
}

fn notice(key: &str, kind: NoticeKind) -> (ChannelName, Notice) {
    let notice = Notice {
        key: key.to_owned(),
        kind,
        at: four_o_clock(),
        service: Some(ServiceName::new("tis")),
        instance: Some(InstanceId::new("i-1")),
        title: format!("{key} happened"),
        text: "It was started.".to_owned(),
        facts: vec![("state reason".to_owned(), "Server.ScheduledStop".to_owned())],
    };
    (ChannelName::new("alerts"), notice)
}

fn look(looks: u64, notices: Vec<(ChannelName, Notice)>) -> LookRecord {
    LookRecord {
        service: ServiceName::new("tis"),
        memory: memory(looks),
        notices,
    }
}

fn memory(looks: u64) -> ServiceMemory {
    ServiceMemory {
        looks,
        ..ServiceMemory::default()
    }
}

fn tis() -> ServiceName {
    ServiceName::new("tis")
}

fn keys_due(store: &mut Store, now: Timestamp) -> Vec<String> {
    store
        .due(now)
        .unwrap()
        .into_iter()
        .map(|delivery| delivery.notice.key)
        .collect()
}
