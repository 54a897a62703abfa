//! That it gets there in time: L2 and L3, judged whenever the controller is shown instances.
//!
//! Both hold for undisturbed stretches alone: a refused call, a fault, a full disk, a suspended machine or another policy
//! begins a new one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::case::{Arrival, Case, was_stopped_by_person};
use super::declared::Declared;
use super::tally::Findings;
use super::{DAY, HOUR};
use super::{alerts, pause};
use crate::sim::world::api::{Answer, Operation};
use crate::sim::world::{Instance, Scope, State, World, later};

/// Closer together than this, two answers are one look.
const LOOKS_APART: Duration = Duration::from_secs(10);
/// Within two looks a start is sent; the third one shows that it was not.
const LOOKS_TOO_MANY: u32 = 3;
/// Looks that must all miss an instance before its absence is believed (S9), and its place given to a spare.
const LOOKS_FOR_ABSENCE: u32 = 3;
/// What AWS refused for another instance's sake is started within so long: it takes no more than requests without that one.
const FREED_WITHIN: Duration = Duration::from_secs(300);
/// A pass under way, and the grid that quiet services share, may take so much of the next interval.
const SLACK: Duration = Duration::from_secs(30);

/// A stopped instance that the controller has been shown.
#[derive(Debug, Clone)]
struct Down {
    stopped: Timestamp,
    life: u32,
    since: Timestamp,
    latest: Timestamp,
    looks: u32,
}

/// A stopped instance that its slot had no place for.
#[derive(Debug)]
struct Spare {
    /// Who had the places.
    others: BTreeSet<String>,
    latest: Timestamp,
    /// Since there is a place.
    looks: u32,
}

/// Looks and disturbances.
#[derive(Debug, Default)]
pub(super) struct Looks {
    down: BTreeMap<String, Down>,
    spares: BTreeMap<String, Spare>,
    /// Refused in one batch with an instance that AWS objects to, and not asked for without it since then.
    innocent: BTreeMap<String, Timestamp>,
    /// Scope and life: when it was last looked at.
    last: BTreeMap<(Scope, u32), Timestamp>,
    /// Account, or host of a webhook: when something there last hung.
    hung: BTreeMap<String, Timestamp>,
    /// Account: when a call there last went wrong in any way.
    disturbed: BTreeMap<String, Timestamp>,
    /// When everything was last disturbed: policies, clocks, disk.
    jolted: Option<Timestamp>,
}

impl Looks {
    /// Something of the controller's own surroundings changed.
    pub(super) fn jolt(&mut self, now: Timestamp) {
        self.jolted = Some(now);
        self.down.clear();
        self.innocent.clear();
    }

    /// A call to this account (or webhook's host) went wrong; `hangs`: in that nothing came back for long.
    pub(super) fn disturb(&mut self, now: Timestamp, whom: &str, hangs: bool) {
        self.disturbed.insert(whom.to_owned(), now);
        if hangs {
            self.hung.insert(whom.to_owned(), now);
        }
    }

    /// These are being started: each that was waited for in time, or its look would have said so.
    pub(super) fn started(&mut self, world: &World, ids: &[&str], l2: &mut Findings) {
        if !ids.iter().any(|id| is_poisonous(world, id)) {
            ids.iter().for_each(|id| {
                self.innocent.remove(*id);
            });
        }
        for down in ids.iter().filter_map(|id| self.down.remove(*id)) {
            l2.require(down.looks < LOOKS_TOO_MANY, || {
                format!("a start was sent after {} looks", down.looks)
            });
        }
    }

    /// AWS refused a whole batch because of one instance in it. Returns whether that was it: nobody's disturbance.
    pub(super) fn spoiled(&mut self, arrival: &Arrival) -> bool {
        let world = arrival.world;
        let Operation::StartInstances { ids, dry_run: false } = &arrival.request.operation else {
            return false;
        };
        let (bad, good): (Vec<&String>, Vec<&String>) = ids.iter().partition(|id| is_poisonous(world, id));
        let is_stopped = |id: &&String| world.instance(id).is_some_and(|i| i.state == State::Stopped);
        if !bad.is_empty() {
            for id in good.into_iter().filter(is_stopped) {
                self.innocent.entry(id.clone()).or_insert(arrival.sent);
            }
        }
        !bad.is_empty()
    }

    /// Whoever was refused for another one's sake is started without it.
    fn freed(&mut self, case: &Case, shown: &Instance, findings: &mut Findings) {
        let Some(since) = self.innocent.get(&shown.id).copied() else {
            return;
        };
        let account = &case.arrival.request.caller.account;
        if !may_be_started(case, shown) || !self.is_quiet(account, since) {
            self.innocent.remove(&shown.id);
            return;
        }
        let now = case.arrival.sent;
        findings.require(now <= later(since, FREED_WITHIN), || {
            format!(
                "{} was refused at {since} together with one that AWS objects to, and never asked for without it",
                shown.id
            )
        });
    }

    pub(super) fn is_quiet(&self, account: &str, since: Timestamp) -> bool {
        !self.was_disturbed(account, since) && self.jolted.is_none_or(|at| at < since)
    }

    /// A call there has gone wrong since then.
    pub(super) fn was_disturbed(&self, whom: &str, since: Timestamp) -> bool {
        self.disturbed.get(whom).is_some_and(|at| *at >= since)
    }

    /// The controller was shown instances.
    pub(super) fn shown(&mut self, case: &Case, answer: &Answer, l2: &mut Findings, l3: &mut Findings) {
        let Answer::Instances { items, .. } = answer else {
            return;
        };
        l3_isolation(self, case, l3);
        let (sent, life) = (case.arrival.sent, case.arrival.incarnation);
        for shown in items {
            self.freed(case, shown, l2);
            let Some(down) = (eligible(case, shown) && self.has_a_place(case, shown))
                .then_some(())
                .and_then(|()| shown.stop_began)
            else {
                self.down.remove(&shown.id);
                continue;
            };
            let quiet = |d: &Down| {
                d.stopped == down
                    && d.life == life
                    && self.is_quiet(&case.arrival.request.caller.account, d.since)
            };
            let fresh = Down {
                stopped: down,
                life,
                since: sent,
                latest: sent,
                looks: 1,
            };
            let mut entry = self
                .down
                .get(&shown.id)
                .filter(|d| quiet(d))
                .cloned()
                .unwrap_or(fresh);
            if later(entry.latest, LOOKS_APART) <= sent {
                entry.looks += 1;
                entry.latest = sent;
                l2.require(entry.looks < LOOKS_TOO_MANY, || {
                    format!(
                        "{} is shown stopped since {}, and no start was sent",
                        shown.id, entry.since
                    )
                });
            }
            self.down.insert(shown.id.clone(), entry);
        }
    }

    /// Its slot needs it. What took its place and is now missing from answers may still be there: a listing that lacks an
    /// instance, or its tags, proves nothing, and a spare that is started too early is one more than was asked for.
    fn has_a_place(&mut self, case: &Case, shown: &Instance) -> bool {
        let (world, sent) = (case.world(), case.arrival.sent);
        let owner = |id: &str| case.newest.owner_of(world.instance(id)?);
        let Some((service, slot)) = owner(&shown.id) else {
            return false;
        };
        let is_there = |i: &Instance| !matches!(i.state, State::Terminated | State::ShuttingDown);
        let members = world
            .instances()
            .filter(|i| is_there(i) && service.slots_of(i).any(|other| other.name == slot.name));
        let others: BTreeSet<String> = members
            .map(|i| i.id.clone())
            .filter(|id| *id != shown.id)
            .collect();
        if others.len() >= slot.count {
            let spare = Spare {
                others,
                latest: sent,
                looks: 0,
            };
            self.spares.insert(shown.id.clone(), spare);
            return false;
        }
        let Some(spare) = self.spares.get_mut(&shown.id) else {
            return true;
        };
        let is_missing = |id: &String| {
            let lives = world.instance(id).is_some_and(|i| is_there(i));
            lives && owner(id).is_none_or(|(of, _)| of.name != service.name)
        };
        if later(spare.latest, LOOKS_APART) <= sent {
            spare.looks += 1;
            spare.latest = sent;
        }
        let is_believed = spare.looks >= LOOKS_FOR_ABSENCE || !spare.others.iter().any(is_missing);
        if is_believed {
            self.spares.remove(&shown.id);
        }
        is_believed
    }
}

/// AWS or its guest stopped it, the policy wants it started, and nothing at all stands against that.
fn eligible(case: &Case, shown: &Instance) -> bool {
    let (world, declared, memory) = (case.world(), case.newest, case.memory);
    let Some(truth) = world.instance(&shown.id) else {
        return false;
    };
    let Some((service, _)) = declared.owner_of(truth) else {
        return false;
    };
    let now = world.now();
    let tried = memory.attempts.get(&shown.id);
    // One that was tried before may be awaited, cool down, or be quarantined until a person looks: L1 has the last word there.
    let was_tried = tried.is_some_and(|attempts| attempts.iter().any(|a| a.at + DAY > now));
    // Starts that AWS refused for good count as well, and may have led to a quarantine.
    let tries = memory.tries.get(&shown.id).copied().unwrap_or(0);
    let is_given_up = tries >= service.attempts.min(service.attempts_per_day);
    // A start that AWS refused is repeated at the cooldown, not at the next look.
    let cools_down = memory
        .own_writes
        .get(&shown.id)
        .is_some_and(|at| *at + HOUR > now);
    may_be_started(case, shown)
        && !was_tried
        && !is_given_up
        && alerts::failed_since(case, service, &truth.id).is_none()
        && !cools_down
}

/// The same, whatever came of earlier starts.
fn may_be_started(case: &Case, shown: &Instance) -> bool {
    let (world, declared, memory) = (case.world(), case.newest, case.memory);
    if shown.state != State::Stopped {
        return false;
    }
    let Some(truth) = world.instance(&shown.id) else {
        return false;
    };
    let Some((service, slot)) = declared.owner_of(truth) else {
        return false;
    };
    let flag_is_read = declared.pause_parameter.is_none()
        || memory
            .pause_reads
            .get(&case.arrival.incarnation)
            .is_some_and(|(_, told)| *told);
    let cap = declared.mutations_per_hour.unwrap_or(usize::MAX);
    truth.state == State::Stopped
        && !was_stopped_by_person(truth)
        && service.starts_stopped
        && service
            .account
            .as_ref()
            .is_none_or(|account| *account == truth.scope.account)
        && !slot.idle
        && !truth.spot
        && truth.ebs_root
        && truth.group.is_none()
        && truth.poison.is_none()
        && !memory.excused.contains(&shown.id)
        && !memory.overruled.contains_key(&shown.id)
        && flag_is_read
        && memory.mutations.len() + 5 < cap
        && world.staleness() == Default::default()
        && pause::readable_since(case, truth).is_none()
        // When a tag's pause ends is told by the machine's own wall clock, which may be wrong.
        && truth.tag("keepgreen:pause").is_none()
}

fn is_poisonous(world: &World, id: &str) -> bool {
    world.instance(id).is_some_and(|i| i.poison.is_some())
}

/// What hangs elsewhere delays no look by more than an interval.
fn l3_isolation(looks: &mut Looks, case: &Case, findings: &mut Findings) {
    let (arrival, declared) = (case.arrival, case.newest);
    let scope = arrival.request.caller.scope();
    let now = arrival.sent;
    let Some(before) = looks.last.insert((scope.clone(), arrival.incarnation), now) else {
        return;
    };
    let hung_elsewhere = looks
        .hung
        .iter()
        .any(|(whom, at)| *whom != scope.account && *at >= before && *at < now);
    if !hung_elsewhere || !looks.is_quiet(&scope.account, before) || !is_declared(declared, &scope) {
        return;
    }
    findings.require(now <= later(before, declared.interval * 2 + SLACK), || {
        format!(
            "{scope:?} was looked at {before} and then not before {now}, while {:?} hung",
            looks.hung.keys()
        )
    });
}

fn is_declared(declared: &Declared, scope: &Scope) -> bool {
    declared.services.iter().any(|service| service.scope == *scope)
}
