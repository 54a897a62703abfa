//! The story is told in order, its numbers are the world's own, and it does not heal by wishing.

use super::scenario::{BY_HAND, NEW_IMAGE};
use super::{Act, Audience, Beat, Event, Lapse, Scenario, Scene, Summary, Voice, play};
use crate::sim::world::builder::incident::{BLUE, GREEN, IMAGE, TIS_PROD, TIS_UPLOAD};
use jiff::Timestamp;
use std::ops::ControlFlow;
use std::sync::LazyLock;
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

/// The whole story, which takes a while to play.
static STORY: LazyLock<(Vec<Event>, Summary)> = LazyLock::new(|| played(&Scenario::incident()));

/// The first line from this voice that has these words.
fn place(events: &[Event], voice: Voice, words: &str) -> usize {
    place_of(events, voice, "", words)
}

/// The same, about this instance.
fn place_of(events: &[Event], voice: Voice, about: &str, words: &str) -> usize {
    let says = |beat: &Beat| {
        let subject = beat.subject.as_deref().unwrap_or_default();
        beat.voice == voice && beat.text.contains(words) && subject.contains(about)
    };
    let is_it = |event: &Event| matches!(event, Event::Beat(beat) if says(beat));
    let found = events.iter().position(is_it);
    found.unwrap_or_else(|| panic!("{voice:?} {about} {words:?} is not in {events:#?}"))
}

#[test]
fn the_incident_heals_and_is_told_in_the_order_in_which_it_happened() {
    let (events, summary) = &*STORY;
    assert!(summary.healed && !summary.interrupted, "{summary:#?}");
    let order = [
        place(
            events,
            Voice::Aws,
            "instance-retirement) for 2026-11-22T04:00:00Z",
        ),
        place(events, Voice::Aws, "nobody reads"),
        place(events, Voice::Aws, "image deregistered"),
        place(events, Voice::Saw, "image gone"),
        place(events, Voice::Told, "cannot be rebuilt"),
        place(events, Voice::Aws, "running → stopping (Server.ScheduledStop)"),
        place(events, Voice::Saw, "stopped: Server.ScheduledStop"),
        place(events, Voice::Decided, "StartInstances"),
        place(events, Voice::Aws, "stopped → pending"),
        place(events, Voice::Did, "AWS accepted StartInstances"),
        place(events, Voice::Aws, "pending → running"),
        place(events, Voice::Saw, "healthy again"),
        place(events, Voice::Told, "is healthy again"),
    ];
    assert!(order.is_sorted(), "{order:?} {events:#?}");
    let times: Vec<Timestamp> = events.iter().map(Event::at).collect();
    assert!(times.is_sorted(), "{times:?}");
    let texts = events.iter().filter_map(|event| match event {
        Event::Beat(beat) => Some(format!("{beat:?}")),
        Event::Slot(..) | Event::Lapse(..) => None,
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
    let (events, summary) = &*STORY;
    let (from, until) = from_to(events, |line| !line.is_well());
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
        let (from, until) = from_to(events, |line| {
            line.targets
                .iter()
                .any(|(group, health)| group == name && health != "healthy")
        });
        let below = Duration::try_from(until.duration_since(from)).unwrap();
        assert_eq!((tally.desired, tally.below), (desired, below), "{tally:?}");
        assert_eq!(
            (tally.none, tally.fewest),
            if empty { (below, 0) } else { (Duration::ZERO, 1) },
            "{tally:?}"
        );
    }
    let told = events
        .iter()
        .filter(|event| matches!(event, Event::Beat(beat) if beat.voice == Voice::Told));
    assert_eq!(summary.messages, told.count());
}

#[test]
fn in_the_second_night_each_old_one_goes_only_once_the_new_one_serves() {
    let (events, summary) = &*STORY;
    let mut rebuilds = summary.rebuilds.iter();
    let (green, blue) = (rebuilds.next().unwrap(), rebuilds.next().unwrap());
    assert_eq!(rebuilds.next(), None);
    assert_eq!(
        (green.old.as_str(), blue.old.as_str()),
        (GREEN, BLUE),
        "{summary:#?}"
    );
    for (slot, rebuild, groups) in [
        ("green", green, &[TIS_PROD, TIS_UPLOAD][..]),
        ("blue", blue, &[TIS_PROD]),
    ] {
        assert_eq!((rebuild.slot.as_str(), rebuild.is_done), (slot, true));
        assert_eq!(rebuild.image.as_deref(), Some(NEW_IMAGE));
        let new = rebuild.new.as_deref().unwrap();
        let old = rebuild.old.as_str();
        let mut order = vec![
            place_of(events, Voice::Decided, old, "RunInstances"),
            place_of(events, Voice::Aws, new, "launched from"),
        ];
        order.extend(groups.iter().map(|group| {
            let words = format!("RegisterTargets in {group}");
            place_of(events, Voice::Decided, new, &words)
        }));
        let serves = |event: &Event| matches!(event, Event::Slot(_, line) if line.instance == new && line.is_well() && line.targets.len() == groups.len());
        order.push(events.iter().position(serves).unwrap());
        order.extend([
            place_of(events, Voice::Decided, old, "DeregisterTargets"),
            place_of(events, Voice::Decided, old, "StopInstances"),
            place_of(events, Voice::Decided, old, "CreateTags keepgreen:retired"),
            place_of(events, Voice::Saw, old, "replaced"),
            place_of(events, Voice::Told, "", &format!("{old} is replaced")),
        ]);
        assert!(order.is_sorted(), "{slot}: {order:?} {events:#?}");
    }
    assert!(
        green.until.unwrap() < blue.from,
        "one after the other: {summary:#?}"
    );
}

#[test]
fn while_it_is_rebuilt_no_group_is_below_its_floor_and_tis_prod_has_a_healthy_target_at_every_moment() {
    let (_, summary) = &*STORY;
    let prod = summary
        .groups
        .iter()
        .find(|tally| tally.group == TIS_PROD)
        .unwrap();
    assert_eq!(prod.none, Duration::ZERO);
    assert!(prod.fewest >= 1, "{prod:?}");
    assert_eq!(summary.downs.len(), 1, "the incident alone: {summary:#?}");
    for rebuild in &summary.rebuilds {
        let fewest: Vec<(&str, usize)> = rebuild
            .fewest
            .iter()
            .map(|(group, fewest)| (group.as_str(), *fewest))
            .collect();
        assert_eq!(fewest, [(TIS_PROD, 2), (TIS_UPLOAD, 1)], "as many as ever");
    }
}

#[test]
fn at_the_end_everything_can_be_rebuilt_and_nothing_is_left_to_do() {
    let (events, summary) = &*STORY;
    assert!(summary.healed && summary.rebuilt, "{summary:#?}");
    assert_eq!(summary.images_gone, []);
    assert_eq!(summary.findings, []);
    for rebuild in &summary.rebuilds {
        assert_eq!(rebuild.old_is, "stopped, marked retired");
    }
    let mut sent: Vec<&str> = summary
        .mutations
        .iter()
        .map(|one| one.operation.as_str())
        .collect();
    sent.sort_unstable();
    let times = |operation: &str| sent.iter().filter(|one| **one == operation).count();
    for (operation, wanted) in [
        ("StartInstances", 1),
        ("RunInstances", 2),
        ("RegisterTargets", 3),
        ("DeregisterTargets", 3),
        ("StopInstances", 2),
        ("CreateTags", 2),
    ] {
        assert_eq!(times(operation), wanted, "{operation}: {sent:?}");
    }
    assert_eq!(sent.len(), 13, "{sent:?}");
    // Both times that time passed quickly the controller looked all the while, and did nothing.
    let lapses: Vec<(usize, usize, Duration)> = events
        .iter()
        .filter_map(|event| match event {
            Event::Lapse(
                at,
                Lapse::Over {
                    from,
                    reads,
                    mutations,
                },
            ) => Some((
                *reads,
                *mutations,
                Duration::try_from(at.duration_since(*from)).unwrap(),
            )),
            _ => None,
        })
        .collect();
    assert_eq!(lapses.len(), 2);
    for (reads, mutations, lasted) in lapses {
        assert_eq!(mutations, 0);
        assert!(lasted > Duration::from_secs(2400), "{lasted:?}");
        let minutes = usize::try_from(lasted.as_secs() / 60).unwrap();
        assert!(reads > minutes, "{reads} in {minutes} min");
    }
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
    assert_eq!(summary.rebuilds, [], "there is no second act: {summary:#?}");
}

#[test]
fn without_the_permission_to_launch_it_heals_and_is_not_rebuilt_and_the_old_ones_serve() {
    let (events, summary) = played(&Scenario::incident().denying("RunInstances"));
    assert!(
        summary.healed && !summary.rebuilt && !summary.interrupted,
        "{summary:#?}"
    );
    place(&events, Voice::Did, "AWS refused");
    assert!(
        summary
            .rebuilds
            .iter()
            .all(|rebuild| !rebuild.is_done && rebuild.new.is_none())
    );
    assert_eq!(
        summary.images_gone,
        [(IMAGE.to_owned(), vec![BLUE.to_owned(), GREEN.to_owned()])]
    );
    assert!(
        summary
            .findings
            .iter()
            .any(|(key, _)| key.contains("cannot-be-rebuilt"))
    );
}

#[test]
fn a_day_that_its_audience_does_not_want_to_wait_for_ends_it_in_order() {
    let (events, summary) = played_until(&Scenario::incident(), |scene| scene.act == Act::Lapse);
    assert!(
        summary.interrupted && summary.healed && !summary.rebuilt,
        "{summary:#?}"
    );
    assert!(
        matches!(events.last(), Some(Event::Lapse(_, Lapse::Begins { .. }))),
        "{events:#?}"
    );
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
    assert_eq!(*STORY, played(&Scenario::incident()));
}
