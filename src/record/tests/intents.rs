//! Sequences of intents.

use super::*;

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
    assert_eq!(sent_by_the_hour(&mut store, "111122223333", 59, 9000), 1);
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
    assert_eq!(sent_by_the_hour(&mut store, "111122223333", 59, 9000), 3);
    assert_eq!(sent_by_the_hour(&mut store, "111122223333", 63, 9000), 1);
    assert_eq!(sent_by_the_hour(&mut store, "111122223333", 64, 9000), 0);
    assert_eq!(sent_by_the_hour(&mut store, "999999999999", 59, 9000), 0);
}

/// So many minutes after four by the wall clock, and so many seconds after the machine booted.
fn sent_by_the_hour(store: &mut Store, account: &str, minutes: i64, boot_s: u64) -> u32 {
    let now = Stamp {
        wall: after(minutes),
        boot: Duration::from_secs(boot_s),
    };
    store.mutations_last_hour(&AccountId::new(account), now).unwrap()
}

#[test]
fn a_wall_clock_set_forward_does_not_end_the_hour_but_another_boot_knows_no_better() {
    let (_folder, mut store) = new_store();
    store.boot = Some("this boot".to_owned());
    // Begun at 60 s on the boot clock.
    let sent = intent("intent-1", &["i-1"], four_o_clock());
    store.begin_intent(&sent).unwrap();
    assert_eq!(sent_by_the_hour(&mut store, "111122223333", 24 * 60, 3689), 1);
    assert_eq!(sent_by_the_hour(&mut store, "111122223333", 24 * 60, 3690), 0);
    let set_back = sent_by_the_hour(&mut store, "111122223333", -600, 3690);
    assert_eq!(set_back, 1, "by the wall clock the hour has not begun");
    store.boot = Some("the next".to_owned());
    assert_eq!(sent_by_the_hour(&mut store, "111122223333", 24 * 60, 120), 0);
    assert_eq!(sent_by_the_hour(&mut store, "111122223333", 60, 120), 1);
    store.boot = None;
    assert_eq!(sent_by_the_hour(&mut store, "111122223333", 24 * 60, 120), 0);
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
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

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
