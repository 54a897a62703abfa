//! Crashes, full disks, other handles.

use super::*;

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
