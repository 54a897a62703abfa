//! The world's part of the story: its log, and for how long whom, from its truth.

use super::scenario::Scenario;
use super::scene::{Beat, Event, SlotLine, Voice};
use super::tally::{Down, GroupTally};
use crate::sim::world::{Health, Image, ImageState, Instance, State, TargetGroup, World};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Outages that are noted: an afternoon of them. The story has one.
const DOWNS_MAX: usize = 1_000;

/// What keepgreen marks an instance with that has been replaced: it is of no slot any more.
const RETIRED: &str = "keepgreen:retired";

/// Goes on in the world's log from where it was at the last look.
pub(super) struct Truth {
    /// Which slot an instance is of, by its Name tag.
    names: BTreeMap<String, String>,
    from: Timestamp,
    written: u64,
    pub lines: Vec<SlotLine>,
    pub groups: Vec<GroupTally>,
    pub downs: Vec<Down>,
    /// The target groups that each slot was ever seen in.
    serves: BTreeMap<String, BTreeSet<String>>,
}

impl Truth {
    pub fn new(scenario: &Scenario, world: &World, from: Timestamp) -> Self {
        let tally = |group: &TargetGroup| {
            let living = group.targets.values().filter(|target| target.now().is_some());
            GroupTally::new(&group.name, living.count(), healthy(group, from), from)
        };
        Self {
            names: scenario.slots.clone(),
            from,
            written: 0,
            lines: Vec::new(),
            groups: world.target_groups().map(tally).collect(),
            downs: Vec::new(),
            serves: BTreeMap::new(),
        }
    }

    /// What is new.
    pub fn look(&mut self, world: &World) -> Vec<Event> {
        let mut events = Vec::new();
        let mut moments = BTreeSet::new();
        for entry in world.log().after(self.written) {
            moments.insert(entry.at);
            // What a target group thinks of an instance is in the instance's line, and each launch makes volumes.
            if !entry.what.starts_with("target of ") && !entry.subject.starts_with("vol-") {
                events.push(Event::Beat(Beat {
                    at: entry.at,
                    voice: Voice::Aws,
                    slot: self.slot_of(world, &entry.subject),
                    subject: Some(entry.subject.clone()),
                    text: entry.what.clone(),
                    is_bad: false,
                }));
            }
        }
        self.written = world.log().written();
        let from = self.from;
        for moment in moments.iter().filter(|at| **at >= from) {
            for group in world.target_groups() {
                let tally = self.groups.iter_mut().find(|tally| tally.group == group.name);
                if let Some(tally) = tally {
                    tally.note(*moment, healthy(group, *moment));
                }
            }
            self.note_downs(world, *moment);
        }
        let last = moments.last().copied();
        let lines = self.read_lines(world);
        let changed = lines.iter().filter(|line| !self.lines.contains(line));
        let at = last.unwrap_or(from).max(from);
        events.extend(changed.map(|line| Event::Slot(at, line.clone())));
        self.lines = lines;
        events
    }

    fn slot_of(&self, world: &World, instance: &str) -> Option<String> {
        self.names.get(world.instance(instance)?.name()).cloned()
    }

    /// Every instance of a slot that is neither terminated nor retired, by slot.
    fn of_slots<'a>(&self, world: &'a World) -> Vec<(String, &'a Instance)> {
        let living = world
            .instances()
            .filter(|instance| instance.state != State::Terminated && instance.tag(RETIRED).is_none());
        let mut found: Vec<(String, &Instance)> = living
            .filter_map(|instance| Some((self.names.get(instance.name())?.clone(), instance.as_ref())))
            .collect();
        found.sort_by(|one, other| (&one.0, &one.1.id).cmp(&(&other.0, &other.1.id)));
        found
    }

    fn read_lines(&self, world: &World) -> Vec<SlotLine> {
        let line = |(slot, instance): (String, &Instance)| {
            let targets = world.target_groups().flat_map(|group| {
                let own = group
                    .targets
                    .iter()
                    .filter(|((id, _), target)| *id == instance.id && target.now().is_some());
                own.map(|((id, port), _)| {
                    (
                        group.name.clone(),
                        group.health_of(id, *port).names().0.to_owned(),
                    )
                })
            });
            SlotLine {
                slot,
                instance: instance.id.clone(),
                state: instance.state.name().to_owned(),
                targets: targets.collect(),
            }
        };
        self.of_slots(world).into_iter().map(line).collect()
    }

    /// A slot is down as long as in one of its target groups no instance of it is healthy: one that is being replaced is
    /// not, as long as the old one or the new one serves.
    fn note_downs(&mut self, world: &World, at: Timestamp) {
        let members = self.of_slots(world);
        let slots: BTreeSet<String> = self.names.values().cloned().collect();
        for slot in slots {
            let own: Vec<&str> = members
                .iter()
                .filter(|(name, _)| *name == slot)
                .map(|(_, instance)| instance.id.as_str())
                .collect();
            let serves = self.serves.entry(slot.clone()).or_default();
            let mut ailing = None;
            for group in world.target_groups() {
                let (named, is_healthy, other) = judged(group, &own, at);
                if named {
                    serves.insert(group.name.clone());
                }
                if serves.contains(&group.name) && !is_healthy {
                    ailing = ailing.or(other).or(own.first().map(|id| (*id).to_owned()));
                }
            }
            let has_room = self.downs.len() < DOWNS_MAX;
            let open = self
                .downs
                .iter_mut()
                .find(|down| down.slot == slot && down.until.is_none());
            match (open, ailing) {
                (Some(down), None) => down.until = Some(at),
                (None, Some(instance)) if has_room => self.downs.push(Down {
                    slot,
                    instance,
                    from: at,
                    until: None,
                }),
                _ => {}
            }
        }
    }

    /// Images that instances of slots were launched from and that are gone, with those instances.
    pub fn images_gone(&self, world: &World) -> Vec<(String, Vec<String>)> {
        let mut gone: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (_, instance) in self.of_slots(world) {
            let is_there = |image: &Image| image.state == ImageState::Available;
            if !world.image(&instance.image).is_some_and(is_there) {
                gone.entry(instance.image.clone())
                    .or_default()
                    .push(instance.id.clone());
            }
        }
        gone.into_iter().collect()
    }
}

/// Whether one of `own` is a target of it, whether one is healthy in it, and one that is not.
fn judged(group: &TargetGroup, own: &[&str], at: Timestamp) -> (bool, bool, Option<String>) {
    let mut named = false;
    let mut is_healthy = false;
    let mut other = None;
    for ((id, _), target) in &group.targets {
        if !own.contains(&id.as_str()) {
            continue;
        }
        let Some(seen) = target.at(at) else { continue };
        named = true;
        if seen.health == Health::Healthy {
            is_healthy = true;
        } else {
            other = Some(id.clone());
        }
    }
    (named, is_healthy, other)
}

fn healthy(group: &TargetGroup, at: Timestamp) -> usize {
    let targets = group.targets.values().filter_map(|target| target.at(at));
    targets.filter(|target| target.health == Health::Healthy).count()
}

/// What has become of an instance, in EC2's word and by its mark.
pub(super) fn fate(world: &World, id: &str) -> String {
    match world.instance(id) {
        None => "gone".to_owned(),
        Some(instance) => {
            let marked = if instance.tag(RETIRED).is_some() {
                ", marked retired"
            } else {
                ""
            };
            format!("{}{marked}", instance.state.name())
        }
    }
}
