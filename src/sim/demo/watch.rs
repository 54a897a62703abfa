//! What is new since the last look: in the world's log and truth ([`super::truth`]), and in the journal ([`super::diary`]).
//!
//! The journal is read as any command beside a controller reads it; of the controller itself nothing is asked.

use super::diary::{of_intent, of_memory, of_notice};
use super::scenario::Scenario;
use super::scene::{Act, Event, Lapse, Scene};
use super::tally::{Mutation, Rebuild, Summary};
use super::truth::{Truth, fate};
use crate::env::Env;
use crate::model::{RepairId, Replacement, ReplacementEnd, ServiceMemory};
use crate::record::{Journal, RecordError, RecordedNotice};
use crate::sim::{Actor, CallRecord, Cloud};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Newest entries of the journal that are looked at each time: more cannot come in a tick.
const NEWEST: u32 = 200;

/// Goes on from where it was at the last look.
pub(super) struct Watch {
    scenario: Scenario,
    cloud: Cloud,
    env: Env,
    folder: PathBuf,
    journal: Option<Journal>,
    from: Timestamp,
    truth: Truth,
    /// What of the journal has been told.
    told: BTreeSet<String>,
    memory: ServiceMemory,
    notices: Vec<RecordedNotice>,
    /// Every replacement that was ever seen: the journal forgets them in time.
    replacements: BTreeMap<RepairId, Replacement>,
    /// It has come to its own end, good or bad.
    is_over: bool,
}

impl Watch {
    pub(super) fn new(scenario: &Scenario, cloud: &Cloud, state: &Path) -> Self {
        let from = cloud.clock().now();
        Self {
            scenario: scenario.clone(),
            env: cloud.env(scenario.seed),
            truth: cloud.world(|world| Truth::new(scenario, world, from)),
            cloud: cloud.clone(),
            folder: state.to_owned(),
            journal: None,
            from,
            told: BTreeSet::new(),
            memory: ServiceMemory::default(),
            notices: Vec::new(),
            replacements: BTreeMap::new(),
            is_over: false,
        }
    }

    pub(super) fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    pub(super) fn now(&self) -> Timestamp {
        self.cloud.clock().now()
    }

    /// Everything that is new, in a scene of `act` that lasts so long.
    pub(super) async fn look(&mut self, act: Act, lasts: Duration) -> Result<Scene, RecordError> {
        let cloud = self.cloud.clone();
        let mut events = cloud.world(|world| self.truth.look(world));
        self.look_at_journal(&mut events).await?;
        events.sort_by_key(Event::at);
        Ok(Scene {
            now: self.now(),
            lasts,
            act,
            events,
            slots: self.truth.lines.clone(),
        })
    }

    async fn look_at_journal(&mut self, events: &mut Vec<Event>) -> Result<(), RecordError> {
        if self.journal.is_none() {
            self.journal = Journal::open_read_only(&self.folder, &self.env).await?;
        }
        let Some(journal) = self.journal.clone() else {
            return Ok(());
        };
        let mut beats = Vec::new();
        for (_, record) in journal.load_all().await? {
            self.memory = record?.memory;
            beats.extend(of_memory(&self.memory));
        }
        for one in self.memory.replacements.values() {
            self.replacements.insert(one.repair.clone(), one.clone());
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
        events.extend(news.map(|(_, beat)| Event::Beat(beat)));
        Ok(())
    }

    /// The story ends here.
    pub(super) fn close(&mut self) {
        self.is_over = true;
    }

    /// Nobody waits for a message any more.
    pub(super) fn is_told(&self) -> bool {
        self.notices.iter().all(|notice| notice.delivered.is_some())
    }

    /// What should happen had happened, and everything serves again, in truth and by the journal.
    pub(super) fn is_healed(&self) -> bool {
        let struck = self.now() >= self.scenario.strikes && !self.truth.downs.is_empty();
        struck
            && self.truth.downs.iter().all(|down| down.until.is_some())
            && self
                .memory
                .incidents
                .values()
                .all(|incident| incident.healed.is_some())
    }

    /// Every instance can be built again, what took another's place serves, and the journal says that it is done.
    pub(super) fn is_rebuilt(&self) -> bool {
        let is_done = |one: &Replacement| matches!(one.ended, Some(ReplacementEnd::Done { .. }));
        self.cloud.world(|world| self.truth.images_gone(world)).is_empty()
            && self.truth.lines.iter().all(|line| line.is_well())
            && self.replacements.values().all(is_done)
    }

    /// What keepgreen has sent to AWS since then.
    fn sent_since(&self, since: Timestamp) -> (Vec<CallRecord>, Vec<CallRecord>) {
        let of_keepgreen = self.cloud.calls().into_iter().filter(|call| {
            call.sent >= since
                && matches!(call.actor, Actor::Controller { .. })
                && !call.service.contains('.')
        });
        of_keepgreen.partition(|call| call.is_write)
    }

    /// What was sent while time passed.
    pub(super) fn lapsed(&self, from: Timestamp) -> Event {
        let (writes, reads) = self.sent_since(from);
        let lapse = Lapse::Over {
            from,
            reads: reads.len(),
            mutations: writes.len(),
        };
        Event::Lapse(self.now(), lapse)
    }

    pub(super) fn summary(&self) -> Summary {
        let now = self.now();
        let (writes, reads) = self.sent_since(self.from);
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
            rebuilt: self.is_rebuilt(),
            interrupted: !self.is_over,
            downs: self.truth.downs.clone(),
            groups: self.truth.groups.iter().map(|tally| tally.until(now)).collect(),
            rebuilds: self.rebuilds(),
            reads: reads.len(),
            mutations: mutations.collect(),
            messages: self
                .notices
                .iter()
                .filter(|notice| notice.delivered.is_some())
                .count(),
            images_gone: self.cloud.world(|world| self.truth.images_gone(world)),
            findings: self.findings(),
        }
    }

    fn rebuilds(&self) -> Vec<Rebuild> {
        let mut rebuilds: Vec<Rebuild> = self.replacements.values().map(|one| self.rebuild(one)).collect();
        rebuilds.sort_by_key(|rebuild| rebuild.from);
        rebuilds
    }

    fn rebuild(&self, one: &Replacement) -> Rebuild {
        let (until, new) = match &one.ended {
            Some(ReplacementEnd::Done { at, new }) => (Some(*at), Some(new)),
            Some(ReplacementEnd::Abandoned { at, .. }) => (Some(*at), None),
            None => (None, one.new_instance()),
        };
        let closes = until.unwrap_or_else(|| self.now());
        self.cloud.world(|world| Rebuild {
            slot: one.slot.to_string(),
            old: one.old.to_string(),
            old_is: fate(world, one.old.as_str()),
            new: new.map(ToString::to_string),
            image: new
                .and_then(|id| world.instance(id.as_str()))
                .map(|instance| instance.image.clone()),
            from: one.opened,
            until,
            is_done: matches!(one.ended, Some(ReplacementEnd::Done { .. })),
            fewest: self
                .truth
                .groups
                .iter()
                .filter_map(|group| Some((group.group.clone(), group.fewest(one.opened, closes)?)))
                .collect(),
        })
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
