//! The outbox and what is removed when.

use super::*;

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
