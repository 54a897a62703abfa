//! The journal as its callers see it: sequences of operations, crashes, full disks, two handles.

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

// --- looks ---

#[test]
fn a_service_never_heard_of_has_an_empty_record() {
    let (_folder, mut store) = new_store();
    assert_eq!(store.load(&tis()).unwrap(), ServiceRecord::default());
    assert!(store.load_all().unwrap().is_empty());
}

#[test]
fn a_look_survives_a_restart_with_its_notices() {
    let (folder, mut store) = new_store();
    store
        .commit_looks(
            &[look(3, vec![notice("a", NoticeKind::RepairBegun)])],
            four_o_clock(),
        )
        .unwrap();
    drop(store);
    let mut store = Store::open(folder.path(), Options::default()).unwrap();
    assert_eq!(store.load(&tis()).unwrap().memory, memory(3));
    assert_eq!(keys_due(&mut store, four_o_clock()), ["a"]);
}

#[test]
fn a_damaged_memory_is_an_error_of_its_service_alone_and_never_an_empty_one() {
    let (_folder, mut store) = new_store();
    let other = LookRecord {
        service: ServiceName::new("other"),
        ..look(1, Vec::new())
    };
    store
        .commit_looks(&[look(1, Vec::new()), other], four_o_clock())
        .unwrap();
    store
        .write("test", |c| {
            Ok(c.execute("UPDATE services SET memory = '{' WHERE name = 'tis'", [])?)
        })
        .unwrap();
    assert!(matches!(store.load(&tis()), Err(RecordError::Unreadable { .. })));
    let all = store.load_all().unwrap();
    assert!(all[&tis()].is_err());
    assert_eq!(
        all[&ServiceName::new("other")].as_ref().unwrap().memory,
        memory(1)
    );
}

// --- intents ---

#[test]
fn an_intent_is_there_after_a_crash_and_ends_with_its_memory_and_notices() {
    let (folder, mut store) = new_store();
    let intent = intent("intent-1", &["i-1", "i-2"], four_o_clock());
    store.begin_intent(&intent).unwrap();
    drop(store);
    let mut store = Store::open(folder.path(), Options::default()).unwrap();
    let unsettled = store.load(&tis()).unwrap().unsettled;
    assert_eq!(unsettled.len(), 1);
    assert_eq!(unsettled[0].intent, intent);
    assert_eq!(unsettled[0].state, IntentState::Open);
    assert_eq!(
        store.load_all().unwrap()[&tis()].as_ref().unwrap().unsettled,
        unsettled
    );
    let told = [notice("begun", NoticeKind::RepairBegun)];
    store
        .end_intent(&intent.id, &accepted(), Some(&memory(7)), &told, after(1))
        .unwrap();
    let record = store.load(&tis()).unwrap();
    assert_eq!((record.memory, record.unsettled.len()), (memory(7), 0));
    assert_eq!(keys_due(&mut store, after(1)), ["begun"]);
    let listed = store.intents(Some(&tis()), 10).unwrap();
    assert_eq!(
        (listed[0].begun, listed[0].ended),
        (four_o_clock(), Some(after(1)))
    );
    let state = &listed[0].intent.as_ref().unwrap().state;
    assert_eq!(state, &IntentState::Ended { outcome: accepted() });
}

/// What has been done to an intent, and what may be done next.
#[test]
fn the_transition_table_refuses_whatever_would_end_an_intent_twice() {
    let failed = Outcome::Failed { error: lost_answer() };
    let outcomes = [accepted(), not_sent(), failed, settled()];
    // Before: `None` is ambiguous. Then: allowed ends, and whether it may become ambiguous.
    let table: [(&str, Vec<Option<Outcome>>, [bool; 4], bool); 6] = [
        ("open", vec![], [true; 4], true),
        ("ambiguous", vec![None], [false, false, false, true], false),
        ("accepted", vec![Some(accepted())], [false; 4], false),
        ("not sent", vec![Some(not_sent())], [false; 4], false),
        ("settled", vec![Some(settled())], [false; 4], false),
        (
            "ambiguous, settled",
            vec![None, Some(settled())],
            [false; 4],
            false,
        ),
    ];
    let id = IntentId::new("intent-1");
    let apply = |store: &mut Store, step: &Option<Outcome>| match step {
        None => store.mark_ambiguous(&id, &lost_answer()),
        Some(outcome) => store.end_intent(&id, outcome, None, &[], after(1)),
    };
    for (name, before, may_end, may_be_ambiguous) in table {
        let mut nexts: Vec<(Option<Outcome>, bool)> =
            outcomes.iter().cloned().map(Some).zip(may_end).collect();
        nexts.push((None, may_be_ambiguous));
        for (next, allowed) in nexts {
            let (_folder, mut store) = new_store();
            store
                .begin_intent(&intent("intent-1", &["i-1"], four_o_clock()))
                .unwrap();
            for step in &before {
                apply(&mut store, step).unwrap();
            }
            let listed = store.intents(None, 1).unwrap();
            let result = apply(&mut store, &next);
            assert_eq!(result.is_ok(), allowed, "from {name} by {next:?}: {result:?}");
            if !allowed {
                assert!(matches!(result, Err(RecordError::IllegalTransition { .. })));
                assert_eq!(
                    store.intents(None, 1).unwrap(),
                    listed,
                    "a refusal changes nothing"
                );
            }
        }
    }
}

#[test]
fn an_intent_that_does_not_exist_cannot_end_and_none_begins_twice() {
    let (_folder, mut store) = new_store();
    let error = store.end_intent(&IntentId::new("intent-9"), &accepted(), None, &[], after(1));
    assert_eq!(
        error,
        Err(RecordError::NoSuchIntent {
            id: IntentId::new("intent-9")
        })
    );
    let first = intent("intent-1", &["i-1"], four_o_clock());
    store.begin_intent(&first).unwrap();
    store
        .end_intent(&first.id, &accepted(), None, &[], after(1))
        .unwrap();
    assert!(store.begin_intent(&first).is_err());
    assert_eq!(store.intents(None, 10).unwrap().len(), 1);
}

#[test]
fn no_second_intent_begins_for_an_instance_whose_first_is_not_settled() {
    let (_folder, mut store) = new_store();
    store
        .begin_intent(&intent("intent-1", &["i-1", "i-2"], four_o_clock()))
        .unwrap();
    store
        .mark_ambiguous(&IntentId::new("intent-1"), &lost_answer())
        .unwrap();
    let refused = store.begin_intent(&intent("intent-2", &["i-2", "i-3"], after(1)));
    let unsettled = RecordError::Unsettled {
        service: tis(),
        instance: InstanceId::new("i-2"),
        by: IntentId::new("intent-1"),
    };
    assert_eq!(refused, Err(unsettled));
    store
        .begin_intent(&intent("intent-3", &["i-3"], after(1)))
        .unwrap();
    store
        .end_intent(&IntentId::new("intent-1"), &settled(), None, &[], after(2))
        .unwrap();
    store
        .begin_intent(&intent("intent-4", &["i-2"], after(3)))
        .unwrap();
}

#[test]
fn an_intent_of_an_unknown_kind_is_reported_and_holds_its_instances_back() {
    let (_folder, mut store) = new_store();
    let insert = |c: &Connection| {
        c.execute(
            "INSERT INTO intents (id, service, account, operation, state, counts, begun_at, body)
             VALUES ('intent-7', 'tis', '111122223333', 'MoveInstances', 'open', 1, ?1, '{\"step\": \"move\"}')",
            params![four_o_clock().as_millisecond()],
        )?;
        Ok(c.execute("INSERT INTO intent_instances VALUES ('intent-7', 'i-1')", [])?)
    };
    store.write("test", insert).unwrap();
    let record = store.load(&tis()).unwrap();
    assert!(record.unsettled.is_empty());
    assert_eq!(record.unknown[0].operation, "MoveInstances");
    assert_eq!(record.unknown[0].instances, [InstanceId::new("i-1")].into());
    assert!(
        store.load_all().unwrap().contains_key(&tis()),
        "no look was ever journaled of it"
    );
    let refused = store.begin_intent(&intent("intent-8", &["i-1"], after(1)));
    assert!(matches!(refused, Err(RecordError::Unsettled { .. })));
    assert_eq!(
        store
            .mutations_since(&AccountId::new("111122223333"), four_o_clock())
            .unwrap(),
        1
    );
    assert!(store.intents(None, 10).unwrap()[0].intent.is_err());
}

#[test]
fn requests_that_may_have_been_sent_count_against_the_cap_over_restarts() {
    let (folder, mut store) = new_store();
    for (number, outcome) in [Some(accepted()), Some(not_sent()), None, Some(settled())]
        .iter()
        .enumerate()
    {
        let id = format!("intent-{number}");
        let instance = format!("i-{number}");
        store
            .begin_intent(&intent(&id, &[&instance], after(number as i64)))
            .unwrap();
        if let Some(outcome) = outcome {
            store
                .end_intent(&IntentId::new(id), outcome, None, &[], after(10))
                .unwrap();
        }
    }
    drop(store);
    let mut store = Store::open(folder.path(), Options::default()).unwrap();
    let account = AccountId::new("111122223333");
    assert_eq!(store.mutations_since(&account, four_o_clock()).unwrap(), 3);
    assert_eq!(store.mutations_since(&account, after(3)).unwrap(), 1);
    assert_eq!(
        store
            .mutations_since(&AccountId::new("999999999999"), four_o_clock())
            .unwrap(),
        0
    );
}

#[derive(Clone, Debug)]
enum Act {
    Begin { intent: u8, instance: u8 },
    Ambiguous { intent: u8 },
    End { intent: u8, outcome: u8 },
    Restart,
}

fn an_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0..4u8, 0..2u8).prop_map(|(intent, instance)| Act::Begin { intent, instance }),
        (0..4u8).prop_map(|intent| Act::Ambiguous { intent }),
        (0..4u8, 0..3u8).prop_map(|(intent, outcome)| Act::End { intent, outcome }),
        Just(Act::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// In any order, with restarts in between: at most one end each, never two unsettled intents for one instance, and
    /// what was ended stays as it was.
    #[test]
    fn each_intent_ends_at_most_once(acts in proptest::collection::vec(an_act(), 1..25)) {
        let (folder, mut store) = new_store();
        let mut ends: BTreeMap<u8, Outcome> = BTreeMap::new();
        for act in acts {
            let id = |number: u8| IntentId::new(format!("intent-{number}"));
            match act {
                Act::Begin { intent: number, instance } => {
                    let instance = format!("i-{instance}");
                    let _ = store.begin_intent(&intent(id(number).as_str(), &[&instance], four_o_clock()));
                }
                Act::Ambiguous { intent } => {
                    let _ = store.mark_ambiguous(&id(intent), &lost_answer());
                }
                Act::End { intent, outcome } => {
                    let outcome = [accepted(), not_sent(), settled()][usize::from(outcome)].clone();
                    if store.end_intent(&id(intent), &outcome, None, &[], after(1)).is_ok() {
                        prop_assert_eq!(ends.insert(intent, outcome), None, "ended twice");
                    }
                }
                Act::Restart => {
                    drop(store);
                    store = Store::open(folder.path(), Options::default()).unwrap();
                }
            }
            let mut busy = BTreeMap::new();
            for unsettled in store.load(&tis()).unwrap().unsettled {
                for instance in unsettled.intent.step.instances() {
                    prop_assert_eq!(busy.insert(instance.clone(), unsettled.intent.id.clone()), None);
                }
            }
            for recorded in store.intents(None, 100).unwrap() {
                let recorded = recorded.intent.unwrap();
                let number: u8 = recorded.intent.id.as_str().trim_start_matches("intent-").parse().unwrap();
                let outcome = match recorded.state {
                    IntentState::Ended { outcome } => Some(outcome),
                    IntentState::Open | IntentState::Ambiguous { .. } => None,
                };
                prop_assert_eq!(ends.get(&number), outcome.as_ref());
            }
        }
    }
}

// --- crashes, disks, other handles ---

/// Dies at one commit, before or after it.
struct DieAt {
    what: &'static str,
    before: bool,
    seen: Mutex<Vec<String>>,
}

impl CommitHook for DieAt {
    fn before_commit(&self, what: &str) -> bool {
        self.seen.lock().unwrap().push(what.to_owned());
        !(self.before && what == self.what)
    }

    fn after_commit(&self, what: &str) -> bool {
        self.before || what != self.what
    }
}

fn store_that_dies(folder: &Path, what: &'static str, before: bool) -> Store {
    let hook = Arc::new(DieAt {
        what,
        before,
        seen: Mutex::default(),
    });
    Store::open(
        folder,
        Options {
            hook: Some(hook),
            ..Options::default()
        },
    )
    .unwrap()
}

#[test]
fn a_crash_before_the_commit_leaves_nothing_and_one_after_it_leaves_everything() {
    for (before, expected) in [(true, 0), (false, 1)] {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store_that_dies(folder.path(), "begin-intent", before);
        store
            .commit_looks(&[look(1, Vec::new())], four_o_clock())
            .unwrap();
        let begun = store.begin_intent(&intent("intent-1", &["i-1"], four_o_clock()));
        assert_eq!(begun, Err(RecordError::Dead));
        assert_eq!(
            store.load(&tis()),
            Err(RecordError::Dead),
            "a dead process learns nothing more"
        );
        assert_eq!(
            store.commit_looks(&[look(2, Vec::new())], after(1)),
            Err(RecordError::Dead)
        );
        drop(store);
        let mut store = Store::open(folder.path(), Options::default()).unwrap();
        let record = store.load(&tis()).unwrap();
        assert_eq!(
            (record.unsettled.len(), record.memory),
            (expected, memory(1)),
            "before: {before}"
        );
    }
}

#[test]
fn every_operation_that_writes_is_a_place_where_it_can_crash() {
    let folder = tempfile::tempdir().unwrap();
    let hook = Arc::new(DieAt {
        what: "",
        before: true,
        seen: Mutex::default(),
    });
    let options = Options {
        hook: Some(hook.clone()),
        ..Options::default()
    };
    let mut store = Store::open(folder.path(), options).unwrap();
    store
        .commit_looks(&[look(1, vec![notice("a", NoticeKind::Info)])], four_o_clock())
        .unwrap();
    store
        .begin_intent(&intent("intent-1", &["i-1"], four_o_clock()))
        .unwrap();
    store
        .mark_ambiguous(&IntentId::new("intent-1"), &lost_answer())
        .unwrap();
    store
        .end_intent(&IntentId::new("intent-1"), &settled(), None, &[], after(1))
        .unwrap();
    let delivery = store.due(after(1)).unwrap().remove(0);
    store
        .failed(&delivery, FailureOf::Channel, "no answer", after(2))
        .unwrap();
    store.delivered(&delivery, after(2)).unwrap();
    store.save_good_policies(&BTreeMap::new(), &[]).unwrap();
    store.document_put("breaker", &serde_json::json!({})).unwrap();
    store.enqueue(&[notice("b", NoticeKind::Info)], after(3)).unwrap();
    let seen = hook.seen.lock().unwrap().join(" ");
    assert_eq!(
        seen,
        "looks begin-intent mark-ambiguous end-intent delivery-failed delivered policies document notices"
    );
}

#[test]
fn a_full_disk_stops_writing_with_a_clear_error_and_the_same_handle_heals() {
    let (_folder, mut store) = new_store();
    store.set_max_pages(Some(1)).unwrap();
    let mut number = 0;
    let error = loop {
        number += 1;
        assert!(number < 500, "the disk never filled up");
        let id = format!("intent-{number}");
        match store.begin_intent(&intent(&id, &[&format!("i-{number}")], after(number))) {
            Ok(()) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(error, RecordError::Full { .. }), "{error}");
    assert!(error.to_string().contains("changes nothing in AWS"), "{error}");
    let begun = store.load(&tis()).unwrap().unsettled.len();
    assert_eq!(
        begun as i64,
        number - 1,
        "reading goes on, and the failed one left nothing"
    );
    store.set_max_pages(None).unwrap();
    store
        .begin_intent(&intent("intent-again", &["i-again"], after(number)))
        .unwrap();
}

#[test]
fn a_journal_copied_while_it_is_written_opens_with_everything_that_was_committed() {
    let (folder, mut store) = new_store();
    store
        .commit_looks(&[look(1, Vec::new())], four_o_clock())
        .unwrap();
    store
        .begin_intent(&intent("intent-1", &["i-1"], four_o_clock()))
        .unwrap();
    // As a kill would leave it: the write-ahead file is there, an unfinished transaction may be in it.
    let copy = tempfile::tempdir().unwrap();
    let copied = store.write("test", |connection| {
        connection.execute("UPDATE services SET memory = 'half a look'", [])?;
        for file in ["journal.db", "journal.db-wal"] {
            fs::copy(folder.path().join(file), copy.path().join(file)).unwrap();
        }
        Ok(())
    });
    copied.unwrap();
    assert!(fs::metadata(copy.path().join("journal.db-wal")).unwrap().len() > 0);
    let mut read_only = Store::open_read_only(copy.path()).unwrap().unwrap();
    assert_eq!(read_only.load(&tis()).unwrap().unsettled.len(), 1);
    drop(read_only);
    let mut store = Store::open(copy.path(), Options::default()).unwrap();
    let record = store.load(&tis()).unwrap();
    assert_eq!((record.memory, record.unsettled.len()), (memory(1), 1));
}

#[test]
fn a_reader_beside_a_writer_sees_each_commit_and_cannot_write() {
    let (folder, mut writer) = new_store();
    let mut reader = Store::open_read_only(folder.path()).unwrap().unwrap();
    for looks in 1..4 {
        writer
            .commit_looks(&[look(looks, Vec::new())], four_o_clock())
            .unwrap();
        assert_eq!(reader.load(&tis()).unwrap().memory, memory(looks));
    }
    assert!(
        reader
            .commit_looks(&[look(9, Vec::new())], four_o_clock())
            .is_err()
    );
    assert_eq!(writer.load(&tis()).unwrap().memory, memory(3));
}

#[test]
fn two_handles_on_one_journal_never_mix_their_transactions() {
    let (folder, mut one) = new_store();
    let mut other = Store::open(folder.path(), Options::default()).unwrap();
    one.begin_intent(&intent("intent-1", &["i-1"], four_o_clock()))
        .unwrap();
    let refused = other.begin_intent(&intent("intent-2", &["i-1"], after(1)));
    assert!(matches!(refused, Err(RecordError::Unsettled { .. })));
    other
        .end_intent(&IntentId::new("intent-1"), &accepted(), None, &[], after(1))
        .unwrap();
    assert!(
        one.end_intent(&IntentId::new("intent-1"), &accepted(), None, &[], after(1))
            .is_err()
    );
}

// --- the outbox ---

#[test]
fn a_key_is_told_once_on_each_channel_over_restarts() {
    let (folder, mut store) = new_store();
    let mut other = notice("a", NoticeKind::RepairBegun);
    other.0 = ChannelName::new("hook");
    let notices = vec![notice("a", NoticeKind::RepairBegun), other];
    store
        .commit_looks(&[look(1, notices.clone())], four_o_clock())
        .unwrap();
    for delivery in store.due(four_o_clock()).unwrap() {
        assert!(store.load(&tis()).unwrap().delivered.is_empty() || delivery.channel.as_str() == "hook");
        store.delivered(&delivery, after(1)).unwrap();
    }
    drop(store);
    let mut store = Store::open(folder.path(), Options::default()).unwrap();
    store.commit_looks(&[look(2, notices)], after(2)).unwrap();
    assert!(store.due(after(2)).unwrap().is_empty());
    assert_eq!(store.load(&tis()).unwrap().delivered, ["a".to_owned()].into());
}

#[test]
fn a_failing_channel_waits_as_a_whole_and_delays_no_other() {
    let (_folder, mut store) = new_store();
    let mut other = notice("c", NoticeKind::Info);
    other.0 = ChannelName::new("hook");
    let notices = [
        notice("a", NoticeKind::Info),
        notice("b", NoticeKind::NeedsPerson),
        other,
    ];
    store.enqueue(&notices, four_o_clock()).unwrap();
    let due = store.due(four_o_clock()).unwrap();
    let keys: Vec<&str> = due.iter().map(|delivery| delivery.notice.key.as_str()).collect();
    assert_eq!(keys, ["b", "a", "c"], "what needs a person goes first");
    store
        .failed(&due[0], FailureOf::Channel, "connection refused", after(5))
        .unwrap();
    assert_eq!(keys_due(&mut store, after(4)), ["c"]);
    let waiting = store.due(after(5)).unwrap();
    assert_eq!(
        (waiting.len(), waiting[0].channel_failures, waiting[0].refusals),
        (3, 1, 0)
    );
    let channels = store.channels().unwrap();
    assert_eq!((channels[0].waiting, channels[0].failures), (2, 1));
    assert_eq!(channels[0].last_error.as_deref(), Some("connection refused"));
    store.delivered(&waiting[0], after(5)).unwrap();
    let channels = store.channels().unwrap();
    assert_eq!(
        (channels[0].failures, channels[0].last_delivery),
        (0, Some(after(5)))
    );
}

#[test]
fn a_refused_notice_waits_alone() {
    let (_folder, mut store) = new_store();
    store
        .enqueue(
            &[notice("a", NoticeKind::Info), notice("b", NoticeKind::Info)],
            four_o_clock(),
        )
        .unwrap();
    let first = store.due(four_o_clock()).unwrap().remove(0);
    store
        .failed(&first, FailureOf::Notice, "invalid_blocks", after(60))
        .unwrap();
    assert_eq!(keys_due(&mut store, after(1)), ["b"]);
    assert_eq!(store.due(after(60)).unwrap()[0].refusals, 1);
}

#[test]
fn one_channel_never_crowds_out_another() {
    let (_folder, mut store) = new_store();
    let many = MOST_DUE_PER_CHANNEL * 3;
    let mut notices: Vec<_> = (0..many)
        .map(|n| notice(&format!("n{n}"), NoticeKind::Info))
        .collect();
    let mut other = notice("z", NoticeKind::Info);
    other.0 = ChannelName::new("zulu");
    notices.push(other);
    store.enqueue(&notices, four_o_clock()).unwrap();
    let due = keys_due(&mut store, four_o_clock());
    assert_eq!(due.len() as u32, MOST_DUE_PER_CHANNEL + 1);
    assert_eq!(due.last().unwrap(), "z");
}

#[test]
fn undelivered_notices_are_given_up_after_three_days_and_their_keys_stay_known() {
    let (_folder, mut store) = new_store();
    let day = 24 * 60;
    store
        .enqueue(&[notice("a", NoticeKind::NeedsPerson)], four_o_clock())
        .unwrap();
    store
        .commit_looks(&[look(1, Vec::new())], after(3 * day - 1))
        .unwrap();
    assert_eq!(keys_due(&mut store, after(3 * day - 1)), ["a"]);
    store
        .commit_looks(&[look(2, Vec::new())], after(3 * day + 60))
        .unwrap();
    assert!(store.due(after(4 * day)).unwrap().is_empty());
    assert!(
        store.load(&tis()).unwrap().delivered.is_empty(),
        "given up is not announced"
    );
    store
        .enqueue(&[notice("a", NoticeKind::NeedsPerson)], after(20 * day))
        .unwrap();
    assert!(store.due(after(20 * day)).unwrap().is_empty());
    // Not offered for 30 days since then: forgotten, and news again.
    store
        .commit_looks(&[look(3, Vec::new())], after(49 * day))
        .unwrap();
    store
        .enqueue(&[notice("a", NoticeKind::NeedsPerson)], after(49 * day))
        .unwrap();
    assert!(store.due(after(49 * day)).unwrap().is_empty());
    store
        .commit_looks(&[look(4, Vec::new())], after(80 * day))
        .unwrap();
    store
        .enqueue(&[notice("a", NoticeKind::NeedsPerson)], after(80 * day))
        .unwrap();
    assert_eq!(keys_due(&mut store, after(80 * day)), ["a"]);
}

#[test]
fn a_flood_drops_the_oldest_news_first_and_what_needs_a_person_last() {
    let (_folder, mut store) = new_store();
    let person = notice("person", NoticeKind::NeedsPerson);
    let mut notices = vec![person];
    notices.extend((0..2_100).map(|n| notice(&format!("n{n:04}"), NoticeKind::Info)));
    store.enqueue(&notices, four_o_clock()).unwrap();
    store.commit_looks(&[look(1, Vec::new())], after(1)).unwrap();
    assert_eq!(store.channels().unwrap()[0].waiting, 2_000);
    let due = keys_due(&mut store, after(1));
    assert_eq!(due[..2], ["person".to_owned(), "n0101".to_owned()]);
}

#[test]
fn ended_intents_go_after_a_quarter_and_unsettled_ones_never() {
    let (_folder, mut store) = new_store();
    let day = 24 * 60;
    for number in 1..=2 {
        let id = format!("intent-{number}");
        store
            .begin_intent(&intent(&id, &[&format!("i-{number}")], four_o_clock()))
            .unwrap();
    }
    store
        .end_intent(&IntentId::new("intent-1"), &accepted(), None, &[], four_o_clock())
        .unwrap();
    store
        .commit_looks(&[look(1, Vec::new())], after(89 * day))
        .unwrap();
    assert_eq!(store.intents(None, 10).unwrap().len(), 2);
    let other = LookRecord {
        service: ServiceName::new("other"),
        ..look(1, Vec::new())
    };
    store.commit_looks(&[other], after(400 * day)).unwrap();
    let left = store.intents(None, 10).unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].intent.as_ref().unwrap().intent.id.as_str(), "intent-2");
    assert_eq!(
        store.load(&tis()).unwrap().memory,
        memory(1),
        "kept while something of it is unsettled"
    );
    store
        .end_intent(
            &IntentId::new("intent-2"),
            &settled(),
            None,
            &[],
            after(400 * day),
        )
        .unwrap();
    store.commit_looks(&[], after(400 * day + 61)).unwrap();
    assert_eq!(store.load(&tis()).unwrap(), ServiceRecord::default());
}

// --- policies and documents ---

#[test]
fn the_last_good_policies_and_documents_survive_a_restart() {
    let (folder, mut store) = new_store();
    let policy = |text: &str| GoodPolicy {
        file: "policies/x.yaml".to_owned(),
        text: text.to_owned(),
    };
    let good: BTreeMap<_, _> = [(tis(), policy("one")), (ServiceName::new("b"), policy("b"))].into();
    store.save_good_policies(&good, &[]).unwrap();
    store
        .save_good_policies(&[(tis(), policy("two"))].into(), &[ServiceName::new("b")])
        .unwrap();
    store
        .document_put("breaker", &serde_json::json!({"open": false}))
        .unwrap();
    store
        .document_put("breaker", &serde_json::json!({"open": true}))
        .unwrap();
    drop(store);
    let mut store = Store::open_read_only(folder.path()).unwrap().unwrap();
    assert_eq!(store.good_policies().unwrap(), [(tis(), policy("two"))].into());
    assert_eq!(
        store.document_get("breaker").unwrap(),
        Some(serde_json::json!({"open": true}))
    );
    assert_eq!(store.document_get("other").unwrap(), None);
}

// --- the async handle ---

#[tokio::test]
async fn the_stamp_of_an_intent_is_taken_after_it_became_durable() {
    let folder = tempfile::tempdir().unwrap();
    let env = Env {
        clock: Clock::System,
        entropy: Entropy::seeded(1),
        blocking: Blocking::Inline,
    };
    let journal = Journal::open(folder.path(), &env, Options::default())
        .await
        .unwrap();
    let before = env.clock.now();
    let intent = journal.begin_intent(draft(&["i-1"])).await.unwrap();
    let stored = journal.load(&tis()).await.unwrap().unsettled.remove(0).intent;
    assert_eq!(stored.id, intent.id);
    assert!(before.boot <= stored.durable.boot && stored.durable.boot < intent.durable.boot);
}

#[tokio::test]
async fn the_handle_works_on_the_blocking_pool_and_its_clones_share_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let env = Env::system();
    assert!(
        Journal::open_read_only(folder.path(), &env)
            .await
            .unwrap()
            .is_none()
    );
    let journal = Journal::open(folder.path(), &env, Options::default())
        .await
        .unwrap();
    let intent = journal.begin_intent(draft(&["i-1"])).await.unwrap();
    let clone = journal.clone();
    let refused = clone.begin_intent(draft(&["i-1"])).await;
    assert!(matches!(refused, Err(RecordError::Unsettled { .. })));
    clone
        .end_intent(&intent.id, accepted(), None, Vec::new())
        .await
        .unwrap();
    journal.begin_intent(draft(&["i-1"])).await.unwrap();
}
