//! What is new since the last look: in the world's log, in the world's truth, in the journal.
//!
//! The journal is read as any command beside a controller reads it; of the controller itself nothing is asked.

use super::TICK;
use super::scenario::Scenario;
use super::tally::{Down, GroupTally, Mutation, Summary};
use crate::env::Env;
use crate::model::{
    AttemptEnd, Incident, InstanceId, IntentState, JournaledIntent, NoticeKind, Outcome, ServiceMemory,
    SlotName,
};
use crate::record::{Journal, RecordError, RecordedIntent, RecordedNotice};
use crate::sim::world::{Health, Image, ImageState, Instance, State, TargetGroup, World};
use crate::sim::{Actor, Cloud};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Newest entries of the journal that are looked at each time: more cannot come in a tick.
const NEWEST: u32 = 200;

/// Outages that are noted: an afternoon of them. The story has one.
const DOWNS_MAX: usize = 1_000;

/// Where something was written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Voice {
    /// The world's log: AWS, and what people did to it.
    Aws,
    /// The journal: what a look told.
    Saw,
    /// The journal: an intent, before anything is sent.
    Decided,
    /// The journal: how the intent ended.
    Did,
    /// The journal: a message that people have got.
    Told,
}

/// One line of the story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    pub at: Timestamp,
    pub voice: Voice,
    pub slot: Option<String>,
    /// An instance's id, or whatever else it is about.
    pub subject: Option<String>,
    pub text: String,
    /// People are needed.
    pub is_bad: bool,
}

/// One instance of a slot, in truth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotLine {
    pub slot: String,
    pub instance: String,
    /// EC2's word.
    pub state: String,
    /// Target group and ELB's word.
    pub targets: Vec<(String, String)>,
}

impl SlotLine {
    /// It runs, and every target group that it is in takes it for healthy.
    pub fn is_well(&self) -> bool {
        self.state == State::Running.name() && self.targets.iter().all(|(_, health)| health == "healthy")
    }

    /// It is neither well nor beyond hope: something is under way.
    pub fn is_coming(&self) -> bool {
        let starting = self.state == State::Pending.name() || self.state == State::Running.name();
        starting && !self.is_well() && self.targets.iter().all(|(_, health)| health != "unhealthy")
    }
}

/// One thing to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Beat(Beat),
    /// A slot's instance is otherwise than it was before.
    Slot(Timestamp, SlotLine),
}

impl Event {
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Beat(beat) => beat.at,
            Self::Slot(at, _) => *at,
        }
    }
}

/// What there is to see at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    pub now: Timestamp,
    /// How long it lasts, in its own time.
    pub lasts: Duration,
    /// What is new, in order of time.
    pub events: Vec<Event>,
    /// Everything, as it is.
    pub slots: Vec<SlotLine>,
}

/// Goes on from where it was at the last look.
pub(super) struct Watch {
    scenario: Scenario,
    cloud: Cloud,
    env: Env,
    folder: PathBuf,
    journal: Option<Journal>,
    from: Timestamp,
    written: u64,
    slots: Vec<SlotLine>,
    groups: Vec<GroupTally>,
    downs: Vec<Down>,
    /// What of the journal has been told.
    told: BTreeSet<String>,
    memory: ServiceMemory,
    notices: Vec<RecordedNotice>,
}

impl Watch {
    pub(super) fn new(scenario: &Scenario, cloud: &Cloud, state: &Path) -> Self {
        let from = cloud.clock().now();
        let groups = cloud.world(|world| {
            let tally = |group: &TargetGroup| {
                let living = group.targets.values().filter(|target| target.now().is_some());
                GroupTally::new(&group.name, living.count(), healthy(group, from), from)
            };
            world.target_groups().map(tally).collect()
        });
        Self {
            scenario: scenario.clone(),
            env: cloud.env(scenario.seed),
            cloud: cloud.clone(),
            folder: state.to_owned(),
            journal: None,
            from,
            written: 0,
            slots: Vec::new(),
            groups,
            downs: Vec::new(),
            told: BTreeSet::new(),
            memory: ServiceMemory::default(),
            notices: Vec::new(),
        }
    }

    pub(super) async fn look(&mut self) -> Result<Scene, RecordError> {
        let mut events = self.look_at_world();
        let beats = self.look_at_journal().await?;
        events.extend(beats.into_iter().map(Event::Beat));
        events.sort_by_key(Event::at);
        Ok(Scene {
            now: self.cloud.clock().now(),
            lasts: TICK,
            events,
            slots: self.slots.clone(),
        })
    }

    fn look_at_world(&mut self) -> Vec<Event> {
        let cloud = self.cloud.clone();
        cloud.world(|world| {
            let mut events = Vec::new();
            let mut moments = BTreeSet::new();
            for entry in world.log().after(self.written) {
                moments.insert(entry.at);
                // What a target group thinks of an instance is in the instance's line.
                if !entry.what.starts_with("target of ") {
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
            let lines = self.lines(world);
            let changed = lines.iter().filter(|line| !self.slots.contains(line));
            let at = last.unwrap_or(self.from).max(self.from);
            events.extend(changed.map(|line| Event::Slot(at, line.clone())));
            self.slots = lines;
            events
        })
    }

    fn slot_of(&self, world: &World, instance: &str) -> Option<String> {
        self.scenario.slots.get(world.instance(instance)?.name()).cloned()
    }

    /// Every instance of a slot that has not been terminated, by slot.
    fn of_slots<'a>(&self, world: &'a World) -> Vec<(String, &'a Instance)> {
        let living = world
            .instances()
            .filter(|instance| instance.state != State::Terminated);
        let mut found: Vec<(String, &Instance)> = living
            .filter_map(|instance| {
                Some((
                    self.scenario.slots.get(instance.name())?.clone(),
                    instance.as_ref(),
                ))
            })
            .collect();
        found.sort_by(|one, other| (&one.0, &one.1.id).cmp(&(&other.0, &other.1.id)));
        found
    }

    fn lines(&self, world: &World) -> Vec<SlotLine> {
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

    fn note_downs(&mut self, world: &World, at: Timestamp) {
        for (slot, instance) in self.of_slots(world) {
            let well = world.target_groups().all(|group| {
                let mut own = group.targets.iter().filter(|((id, _), _)| *id == instance.id);
                own.all(|(_, target)| {
                    target
                        .at(at)
                        .is_none_or(|target| target.health == Health::Healthy)
                })
            });
            let has_room = self.downs.len() < DOWNS_MAX;
            let open = self
                .downs
                .iter_mut()
                .find(|down| down.instance == instance.id && down.until.is_none());
            match (open, well) {
                (Some(down), true) => down.until = Some(at),
                (None, false) if has_room => self.downs.push(Down {
                    slot,
                    instance: instance.id.clone(),
                    from: at,
                    until: None,
                }),
                _ => {}
            }
        }
    }

    async fn look_at_journal(&mut self) -> Result<Vec<Beat>, RecordError> {
        if self.journal.is_none() {
            self.journal = Journal::open_read_only(&self.folder, &self.env).await?;
        }
        let Some(journal) = self.journal.clone() else {
            return Ok(Vec::new());
        };
        let mut beats = Vec::new();
        for (_, record) in journal.load_all().await? {
            self.memory = record?.memory;
            beats.extend(of_memory(&self.memory));
        }
        for intent in journal.intents(None, NEWEST).await?.iter().rev() {
            beats.extend(of_intent(intent));
        }
        self.notices = journal.notices(NEWEST).await?;
        beats.extend(self.notices.iter().filter_map(of_notice));
        // Only what is still there: what has left the journal, or is older than the newest, does not come back.
        let told = beats.iter().map(|(key, _)| key.clone()).collect();
        let told = std::mem::replace(&mut self.told, told);
        let news = beats.into_iter().filter(|(key, _)| !told.contains(key));
        Ok(news.map(|(_, beat)| beat).collect())
    }

    /// The story has come to an end, good or bad.
    pub(super) fn is_over(&self) -> bool {
        self.is_healed() || self.cloud.clock().now() >= self.scenario.patience
    }

    /// Nobody waits for a message any more.
    pub(super) fn is_told(&self) -> bool {
        self.notices.iter().all(|notice| notice.delivered.is_some())
    }

    fn is_healed(&self) -> bool {
        let struck = self.cloud.clock().now() >= self.scenario.strikes && !self.downs.is_empty();
        struck
            && self.downs.iter().all(|down| down.until.is_some())
            && self.slots.iter().all(SlotLine::is_well)
            && self
                .memory
                .incidents
                .values()
                .all(|incident| incident.healed.is_some())
    }

    pub(super) fn summary(&self) -> Summary {
        let now = self.cloud.clock().now();
        let calls = self.cloud.calls();
        let of_keepgreen = calls
            .iter()
            .filter(|call| matches!(call.actor, Actor::Controller { .. }) && !call.service.contains('.'));
        let (writes, reads): (Vec<_>, Vec<_>) = of_keepgreen.partition(|call| call.is_write);
        let mutations = writes.into_iter().map(|call| Mutation {
            at: call.sent,
            operation: call.action.clone(),
            subjects: call.subjects.clone(),
            outcome: call.outcome.to_string(),
        });
        Summary {
            from: self.from,
            until: now,
            healed: self.is_healed(),
            interrupted: !self.is_over(),
            downs: self.downs.clone(),
            groups: self.groups.iter().map(|tally| tally.until(now)).collect(),
            reads: reads.len(),
            mutations: mutations.collect(),
            messages: self
                .notices
                .iter()
                .filter(|notice| notice.delivered.is_some())
                .count(),
            images_gone: self.cloud.world(|world| self.images_gone(world)),
            findings: self.findings(),
        }
    }

    fn images_gone(&self, world: &World) -> Vec<(String, Vec<String>)> {
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

    fn findings(&self) -> Vec<(String, Option<String>)> {
        let words = |key: &String| {
            let start = format!("finding/{key}/");
            let notice = self
                .notices
                .iter()
                .rev()
                .find(|notice| notice.notice.key.starts_with(&start));
            notice.map(|notice| notice.notice.text.clone())
        };
        self.memory
            .standing
            .keys()
            .map(|key| (key.clone(), words(key)))
            .collect()
    }
}

fn healthy(group: &TargetGroup, at: Timestamp) -> usize {
    let targets = group.targets.values().filter_map(|target| target.at(at));
    targets.filter(|target| target.health == Health::Healthy).count()
}

/// What has happened by now as the memory tells it, each with a key that stays the same.
fn of_memory(memory: &ServiceMemory) -> Vec<(String, Beat)> {
    let mut beats = Vec::new();
    for (id, instance) in &memory.instances {
        let beat = |at: Timestamp, text: String, is_bad: bool| Beat {
            at,
            voice: Voice::Saw,
            slot: Some(instance.slot.to_string()),
            subject: Some(id.to_string()),
            text,
            is_bad,
        };
        beats.push((
            format!("seen {id}"),
            beat(instance.first_seen, "looked after from here on".to_owned(), false),
        ));
        let incident = memory.incidents.get(id);
        for (kind, timer) in &instance.timers {
            let evidence = incident.filter(|incident| incident.kind == *kind);
            let evidence = evidence
                .map(|incident| format!(": {}", incident.evidence))
                .unwrap_or_default();
            beats.push((
                format!("ails {id} {} {}", kind.policy_key(), timer.since),
                beat(timer.since, format!("{}{evidence}", kind.as_str()), true),
            ));
        }
        if let Some(incident) = incident {
            beats.extend(of_incident(id, incident, beat));
        }
    }
    beats
}

fn of_incident(
    id: &InstanceId,
    incident: &Incident,
    beat: impl Fn(Timestamp, String, bool) -> Beat,
) -> Vec<(String, Beat)> {
    let mut beats = Vec::new();
    for attempt in &incident.attempts {
        let number = attempt.number;
        let (at, text, is_bad) = match &attempt.end {
            None => continue,
            Some(AttemptEnd::Healed { at }) => {
                (*at, format!("healthy again: attempt {number} healed it"), false)
            }
            Some(AttemptEnd::Failed { at, why }) => {
                (*at, format!("attempt {number} did not heal it: {why}"), true)
            }
            Some(AttemptEnd::Overruled { at }) => {
                (*at, format!("a person stopped it during attempt {number}"), true)
            }
        };
        beats.push((format!("attempt {id} {}", attempt.intent), beat(at, text, is_bad)));
    }
    if let Some(at) = incident.quarantined {
        let text = "in quarantine: it is not tried again until a person says so".to_owned();
        beats.push((format!("quarantine {id} {at}"), beat(at, text, true)));
    }
    beats
}

fn of_intent(recorded: &RecordedIntent) -> Vec<(String, Beat)> {
    let Ok(JournaledIntent { intent, state }) = &recorded.intent else {
        return Vec::new();
    };
    let ids: Vec<&str> = intent.step.instances().map(InstanceId::as_str).collect();
    let slots: Vec<&str> = intent.step.slots().into_iter().map(SlotName::as_str).collect();
    let beat = |at: Timestamp, voice: Voice, text: String, is_bad: bool| Beat {
        at,
        voice,
        slot: Some(slots.join(" ")),
        subject: Some(ids.join(" ")),
        text,
        is_bad,
    };
    let operation = intent.step.operation();
    let mut beats = vec![(
        format!("intent {}", intent.id),
        beat(
            recorded.begun,
            Voice::Decided,
            format!("{operation}: {}", intent.reason),
            false,
        ),
    )];
    let (text, is_bad) = match state {
        IntentState::Open => return beats,
        IntentState::Ambiguous { error } => (
            format!("{operation} got no answer ({error}): the next look tells"),
            true,
        ),
        IntentState::Ended { outcome } => match outcome {
            Outcome::Accepted { request_id, .. } => {
                let request = request_id
                    .as_ref()
                    .map(|id| format!(" (request {id})"))
                    .unwrap_or_default();
                (format!("AWS accepted {operation}{request}"), false)
            }
            Outcome::NotSent { why } => (format!("{operation} was not sent: {why}"), true),
            Outcome::Failed { error } => (format!("AWS refused: {error}"), true),
            Outcome::Settled { applied, .. } => (
                format!("a look shows that {operation} had effect on {}", applied.len()),
                false,
            ),
        },
    };
    let at = recorded.ended.unwrap_or(recorded.begun);
    beats.push((
        format!("outcome {} {is_bad}", intent.id),
        beat(at, Voice::Did, text, is_bad),
    ));
    beats
}

fn of_notice(recorded: &RecordedNotice) -> Option<(String, Beat)> {
    let notice = &recorded.notice;
    Some((
        format!("notice {}", recorded.id),
        Beat {
            at: recorded.delivered?,
            voice: Voice::Told,
            slot: None,
            subject: Some(recorded.channel.to_string()),
            text: notice.title.clone(),
            is_bad: notice.kind == NoticeKind::NeedsPerson,
        },
    ))
}
