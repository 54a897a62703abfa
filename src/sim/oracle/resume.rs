//! What comes after a standstill: L5, judged at every mutation that arrives. What its reads may cost is in `budget`.
//!
//! A process that begins after another one, and one that was held by a pause, decides anew. Files that pause it leave no
//! trace in the world, so of pauses those alone are judged that it was shown.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use super::case::{Arrival, Case};
use super::tally::Findings;
use super::{pause, step};
use crate::sim::world::api::Answer;
use crate::sim::world::{Instance, earlier, later};

/// For so long after its beginning, or the end of what held it, a life counts as one that resumes.
pub(super) const RESUMING: Duration = Duration::from_secs(600);
/// Within this time after one another, mutations of one instance come from one decision.
const WAVE: Duration = Duration::from_secs(60);
/// One instance is named so often at the most by mutations that ask for the same: in a batch, alone, and once more after a
/// look at what became of that. The steps of a repair, each of which asks for something else, are no wave.
const NAMED_MAX: usize = 3;

/// A batch that fails is halved until what fails is alone: that often at the most.
fn halvings(batch: usize) -> usize {
    usize::try_from(batch.next_power_of_two().trailing_zeros()).unwrap_or(0)
}

/// What AWS refuses is asked for again after a cooldown, which may be shorter than a wave.
fn tries(case: &Case, instance: &Instance) -> usize {
    let shortest = case
        .newest
        .services_of(instance)
        .map(|(service, _)| service.cooldown)
        .min();
    let cooldown = shortest.unwrap_or(WAVE).max(Duration::from_secs(1));
    usize::try_from(WAVE.as_secs() / cooldown.as_secs()).unwrap_or(0) / 2
}

/// When each life was last shown that something is paused, and what was sent lately.
#[derive(Debug, Default)]
pub(super) struct Resumption {
    /// Life, and instance or parameter.
    seen_paused: BTreeMap<(u32, String), Timestamp>,
    sent: VecDeque<Sent>,
}

/// One instance that a mutation named.
#[derive(Debug)]
struct Sent {
    at: Timestamp,
    instance: String,
    /// What was asked for: the action, of targets the group, and of launches the token: each candidate has its own.
    what: (&'static str, Option<String>),
    /// How many it named.
    batch: usize,
}

fn asked_for(arrival: &Arrival) -> (&'static str, Option<String>) {
    let which = ["TargetGroupArn", "ClientToken"]
        .iter()
        .find_map(|key| step::param(arrival.params, key));
    (arrival.request.operation.name(), which.map(str::to_owned))
}

impl Resumption {
    /// The controller can read this answer.
    pub(super) fn shown(&mut self, arrival: &Arrival, answer: &Answer) {
        let now = arrival.world.now();
        let mut see = |what: &str| {
            self.seen_paused
                .insert((arrival.incarnation, what.to_owned()), now);
        };
        match answer {
            Answer::Instances { items, .. } => {
                items
                    .iter()
                    .filter(|i| pause::tag_holds(i, now))
                    .for_each(|i| see(&i.id));
            }
            Answer::Parameters { found, .. } => {
                let set = found.iter().filter(|p| pause::parameter_holds(p, now));
                set.for_each(|parameter| see(&parameter.name));
            }
            Answer::Parameter(parameter) if pause::parameter_holds(parameter, now) => see(&parameter.name),
            _ => {}
        }
    }

    pub(super) fn sent(&mut self, arrival: &Arrival) {
        let now = arrival.sent;
        while self.sent.front().is_some_and(|sent| later(sent.at, WAVE) < now) {
            self.sent.pop_front();
        }
        let ids = step::concerned(arrival);
        let batch = ids.len();
        self.sent.extend(ids.into_iter().map(|id| Sent {
            at: now,
            instance: id.to_owned(),
            what: asked_for(arrival),
            batch,
        }));
    }

    /// When this life was last shown that the instance is paused.
    fn held(&self, case: &Case, instance: &Instance) -> Option<Timestamp> {
        let life = case.arrival.incarnation;
        let seen = |what: &str| self.seen_paused.get(&(life, what.to_owned())).copied();
        let parameters = case.newest.pause_parameter.iter().flat_map(|(_, base)| {
            let services = case.newest.services_of(instance);
            let own = services.map(move |(service, _)| format!("{base}/{}", service.name));
            own.chain([base.clone()])
        });
        let flags = parameters.filter_map(|name| seen(&name));
        flags.chain(seen(&instance.id)).max()
    }
}

/// A process that begins after another one, or was held by a pause, replays nothing: what it sends, it has decided since. And
/// it makes no wave: no instance is the subject of the same mutation over and over.
pub(super) fn l5_resume(case: &Case, findings: &mut Findings) {
    let (books, arrival) = (case.books, case.arrival);
    let began = books.resumed(arrival);
    let resumes = |since: Timestamp| later(since, RESUMING) >= arrival.sent;
    let decided = books.decided(arrival);
    if let Some(began) = began.filter(|began| resumes(*began)) {
        findings.require(decided.is_none_or(|decided| decided >= began), || {
            format!("the intent was there before this life began at {began}")
        });
    }
    for (id, lives) in case.named() {
        let Some(instance) = lives.last() else { continue };
        let held = case
            .memory
            .resumption
            .held(case, instance)
            .filter(|at| resumes(*at));
        if let Some(held) = held {
            findings.require(decided.is_none_or(|decided| decided >= held), || {
                format!("{id} was shown as paused at {held}, and the intent is from {decided:?}")
            });
        }
        if held.or(began.filter(|began| resumes(*began))).is_some() {
            let since = earlier(arrival.sent, WAVE);
            let sent = case.memory.resumption.sent.iter();
            let what = asked_for(arrival);
            let is_same = |sent: &&Sent| sent.at > since && sent.instance == id && sent.what == what;
            let named = || sent.clone().filter(is_same);
            let times = named().count() + 1;
            let batch = named().map(|sent| sent.batch).max().unwrap_or(1);
            findings.require(
                times <= NAMED_MAX + halvings(batch) + tries(case, instance),
                || format!("{id} is named by {times} mutations within a minute of resuming"),
            );
        }
    }
}
