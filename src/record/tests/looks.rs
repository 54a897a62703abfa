//! Looks, policies, documents, and the async handle.

use super::*;
use crate::policy::GoodText;

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

#[test]
fn the_last_good_policies_and_documents_survive_a_restart() {
    let (folder, mut store) = new_store();
    let policy = |text: &str| GoodText {
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
