//! The story is told in order, its numbers are the world's own, and it does not heal by wishing.

use super::scenario::BY_HAND;
use super::watch::{Event, Scene, Voice};
use super::{Audience, Scenario, Summary, play};
use crate::sim::world::builder::incident::{BLUE, GREEN, IMAGE, TIS_PROD, TIS_UPLOAD};
use jiff::Timestamp;
use std::ops::ControlFlow;
use std::time::Duration;

/// Takes down everything, and has enough when `enough` says so.
struct Listener<F> {
    events: Vec<Event>,
    summary: Option<Summary>,
    enough: F,
}

impl<F: FnMut(&Scene) -> bool> Audience for Listener<F> {
    fn scene(&mut self, scene: Scene) -> ControlFlow<()> {
        let enough = (self.enough)(&scene);
        self.events.extend(scene.events);
        if enough {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn ended(&mut self, summary: &Summary) {
        assert_eq!(self.summary.replace(summary.clone()), None, "it ends once");
    }
}

fn played_until(scenario: &Scenario, enough: impl FnMut(&Scene) -> bool) -> (Vec<Event>, Summary) {
    let folder = tempfile::tempdir().unwrap();
    let mut listener = Listener {
        events: Vec::new(),
        summary: None,
        enough,
    };
    let summary = play(scenario, folder.path(), None, &mut listener).unwrap();
    assert_eq!(listener.summary.as_ref(), Some(&summary));
    (listener.events, summary)
}

fn played(scenario: &Scenario) -> (Vec<Event>, Summary) {
    played_until(scenario, |_| false)
}

/// The first line from this voice that has these words.
fn place(events: &[Event], voice: Voice, words: &str) -> usize {
    let is_it = |event: &Event| matches!(event, Event::Beat(beat) if beat.voice == voice && beat.text.contains(words));
    let found = events.iter().position(is_it);
    found.unwrap_or_else(|| panic!("{voice:?} {words:?} is not in {events:#?}"))
}

#[test]
fn the_incident_heals_and_is_told_in_the_order_in_which_it_happened() {
    let (events, summary) = played(&Scenario::incident());
    assert!(summary.healed && !summary.interrupted, "{summary:#?}");
    let order = [
        place(
            &events,
            Voice::Aws,
            "instance-retirement) for 2026-11-22T04:00:00Z",
        ),
        place(&events, Voice::Aws, "nobody reads"),
        place(&events, Voice::Aws, "image deregistered"),
        place(&events, Voice::Saw, "image gone"),
        place(&events, Voice::Told, "cannot be rebuilt"),
        place(&events, Voice::Aws, "running → stopping (Server.ScheduledStop)"),
        place(&events, Voice::Saw, "stopped: Server.ScheduledStop"),
        place(&events, Voice::Decided, "StartInstances"),
        place(&events, Voice::Aws, "stopped → pending"),
        place(&events, Voice::Did, "AWS accepted StartInstances"),
        place(&events, Voice::Aws, "pending → running"),
        place(&events, Voice::Saw, "healthy again"),
        place(&events, Voice::Told, "is healthy again"),
    ];
    assert!(order.is_sorted(), "{order:?} {events:#?}");
    let times: Vec<Timestamp> = events.iter().map(Event::at).collect();
    assert!(times.is_sorted(), "{times:?}");
    let texts = events.iter().filter_map(|event| match event {
        Event::Beat(beat) => Some(format!("{beat:?}")),
        Event::Slot(..) => None,
    });
    let mut texts: Vec<String> = texts.collect();
    let all = texts.len();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), all, "something was told twice: {events:#?}");
}

/// When green's line began to be so, and when it ended, from the lines that were shown.
fn from_to(events: &[Event], is_so: impl Fn(&super::SlotLine) -> bool) -> (Timestamp, Timestamp) {
    let mut green = events.iter().filter_map(|event| match event {
        Event::Slot(at, line) if line.instance == GREEN => Some((*at, is_so(line))),
        _ => None,
    });
    let from = green.by_ref().find(|(_, so)| *so).unwrap().0;
    let to = green.find(|(_, so)| !so).unwrap().0;
    (from, to)
}

#[test]
fn the_summarys_numbers_are_those_of_the_story_that_was_shown() {
    let scenario = Scenario::incident();
    let (events, summary) = played(&scenario);
    let (from, until) = from_to(&events, |line| !line.is_well());
    let [down] = &summary.downs[..] else {
        panic!("{summary:#?}");
    };
    assert_eq!(
        (down.instance.as_str(), down.from, down.until),
        (GREEN, from, Some(until))
    );
    assert_eq!(from, scenario.strikes, "green is down as soon as AWS stops it");
    assert!(down.lasted(summary.until) < BY_HAND / 50, "{down:?}");
    for (name, desired, empty) in [(TIS_PROD, 2, false), (TIS_UPLOAD, 1, true)] {
        let tally = summary.groups.iter().find(|tally| tally.group == name).unwrap();
        let (from, until) = from_to(&events, |line| {
            line.targets
                .iter()
                .any(|(group, health)| group == name && health != "healthy")
        });
        let below = Duration::try_from(until.duration_since(from)).unwrap();
        assert_eq!((tally.desired, tally.below), (desired, below), "{tally:?}");
        assert_eq!(
            tally.none,
            if empty { below } else { Duration::ZERO },
            "{tally:?}"
        );
    }
    let sent: Vec<(&str, &[String])> = summary
        .mutations
        .iter()
        .map(|one| (one.operation.as_str(), one.subjects.as_slice()))
        .collect();
    assert_eq!(sent, [("StartInstances", &[GREEN.to_owned()][..])]);
    let told = events
        .iter()
        .filter(|event| matches!(event, Event::Beat(beat) if beat.voice == Voice::Told));
    assert_eq!(summary.messages, told.count());
    assert_eq!(
        summary.images_gone,
        [(IMAGE.to_owned(), vec![BLUE.to_owned(), GREEN.to_owned()])]
    );
    let standing: Vec<&str> = summary.findings.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(
        standing,
        [
            format!("tis/cannot-be-rebuilt/{GREEN}"),
            format!("tis/cannot-be-rebuilt/{BLUE}")
        ]
    );
    assert!(
        summary
            .findings
            .iter()
            .all(|(_, text)| text.as_ref().is_some_and(|text| text.contains(IMAGE)))
    );
}

#[test]
fn without_the_permission_to_start_it_does_not_heal_and_says_so() {
    let (events, summary) = played(&Scenario::incident().denying("StartInstances"));
    assert!(!summary.healed && !summary.interrupted, "{summary:#?}");
    assert!(summary.downs.iter().all(|down| down.until.is_none()) && summary.downs.len() == 1);
    assert!(
        summary
            .mutations
            .iter()
            .all(|one| one.outcome.contains("UnauthorizedOperation"))
    );
    place(&events, Voice::Did, "AWS refused");
    place(&events, Voice::Told, "quarantined");
}

#[test]
fn a_story_that_its_audience_ends_is_summed_up_as_far_as_it_went() {
    let scenario = Scenario::incident();
    let (_, summary) = played_until(&scenario, |scene| scene.slots.iter().any(|line| !line.is_well()));
    assert!(summary.interrupted && !summary.healed, "{summary:#?}");
    assert_eq!(summary.downs.len(), 1);
    assert!(
        summary.until < scenario.strikes + Duration::from_secs(60),
        "{summary:#?}"
    );
}

#[test]
fn the_same_story_is_told_each_time() {
    let scenario = Scenario::incident();
    assert_eq!(played(&scenario), played(&scenario));
}
