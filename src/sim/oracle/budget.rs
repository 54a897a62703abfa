//! What its calls cost: S21 and a part of S22 and L5, judged at every call that arrives.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use super::HOUR;
use super::case::Arrival;
use super::tally::Findings;
use crate::sim::world::{State, later};

/// The part of AWS's grant that the controller may use in the steady state.
const SHARE: f64 = 0.25;
/// So long after the last mutation and the beginning of a life, the state is steady.
const STEADY_AFTER: Duration = Duration::from_secs(600);
/// A wait that ends a moment early, on another machine's clock, is no theft.
const SLACK: f64 = 1.0;
/// After the first look for a mutation it is sent within so long, or not at all: what the guard refuses is planned, and looked
/// at, once more ten seconds later.
const ADMITS_WITHIN: Duration = Duration::from_secs(15);
/// Calls of one life within a minute: what a pass over the largest account needs, several times over.
const CALLS_PER_MINUTE_MAX: usize = 3_000;

/// How full a share of each of AWS's buckets is: account, region, bucket.
#[derive(Debug, Default)]
struct Shares(BTreeMap<(String, String, &'static str), (f64, Timestamp)>);

impl Shares {
    /// A call takes its price. Returns the buckets with a debt of more than so many whole shares; more than one share beyond
    /// that is not carried on, as the largest burst is forgiven.
    fn take(&mut self, arrival: &Arrival, debt: f64) -> Vec<(&'static str, f64)> {
        let (now, caller) = (arrival.world.now(), &arrival.request.caller);
        let mut overdrawn = Vec::new();
        for (bucket, capacity, refill_per_second, cost) in arrival.world.price(&arrival.request.operation) {
            let full = (capacity * SHARE).max(1.25);
            let key = (caller.account.clone(), caller.region.clone(), bucket);
            let (level, at) = self.0.get(&key).copied().unwrap_or((full, now));
            let elapsed = now.duration_since(at).as_secs_f64().max(0.0);
            let level = (level + elapsed * refill_per_second * SHARE).min(full) - cost.min(full);
            if level < -full * debt - SLACK {
                overdrawn.push((bucket, level));
            }
            self.0.insert(key, (level.max(-full * (debt + 1.0)), now));
        }
        overdrawn
    }
}

/// What the controller takes of AWS's grants.
#[derive(Debug, Default)]
pub(super) struct Purse {
    shares: Shares,
    mutated: BTreeMap<String, Timestamp>,
    lives: BTreeMap<u32, Timestamp>,
    calls: VecDeque<Timestamp>,
    /// What was overdrawn in what looks like the steady state: when, whose, and how.
    overdrafts: VecDeque<(Timestamp, String, String)>,
    /// The latest life that began after another one, and what it has of each bucket when none of it was used before.
    heir: (u32, Shares),
}

impl Purse {
    /// A call is made: takes its price. Returns the buckets that are overdrawn by it.
    pub(super) fn take(&mut self, arrival: &Arrival) -> Vec<(&'static str, f64)> {
        let (now, caller) = (arrival.world.now(), &arrival.request.caller);
        self.lives.entry(arrival.incarnation).or_insert(now);
        self.calls.push_back(now);
        while self.calls.front().is_some_and(|at| *at + HOUR / 60 <= now) {
            self.calls.pop_front();
        }
        if arrival.request.operation.is_mutation() {
            self.mutated.insert(caller.account.clone(), now);
        }
        self.shares.take(arrival, 0.0)
    }

    /// The buckets that a process overdraws by a whole share more than its own, in its beginning after another one, with
    /// nothing to do but look. `None`: it is no such moment.
    pub(super) fn wave(&mut self, arrival: &Arrival) -> Option<Vec<(&'static str, f64)>> {
        let (now, account) = (arrival.world.now(), &arrival.request.caller.account);
        let began = *self.lives.get(&arrival.incarnation)?;
        let is_heir = self.lives.keys().any(|life| *life < arrival.incarnation);
        let has_acted = self
            .mutated
            .get(account)
            .is_some_and(|at| later(*at, STEADY_AFTER) > now);
        if arrival.dry_run || !is_heir || has_acted || later(began, STEADY_AFTER) < now {
            return None;
        }
        if self.heir.0 != arrival.incarnation {
            self.heir = (arrival.incarnation, Shares::default());
        }
        let overdrawn = self.heir.1.take(arrival, 1.0);
        // Whoever has something to start looks past its share.
        let is_down = |state: State| matches!(state, State::Stopped | State::Stopping | State::Pending);
        let mut instances = arrival.world.instances();
        let is_busy = instances.any(|i| is_down(i.state) && i.scope.account == *account);
        (!is_busy).then_some(overdrawn)
    }

    fn is_steady(&self, arrival: &Arrival) -> bool {
        let now = arrival.world.now();
        let long_ago = |at: Option<&Timestamp>| at.is_none_or(|at| *at + STEADY_AFTER < now);
        long_ago(self.mutated.get(&arrival.request.caller.account))
            && long_ago(self.lives.get(&arrival.incarnation))
    }
}

/// In the steady state, own calls stay within a quarter of each of AWS's buckets.
/// The looks that admit a mutation come right before it, and are no steady state; so it is waited for.
pub(super) fn s21_budget(
    purse: &mut Purse,
    arrival: &Arrival,
    overdrawn: &[(&'static str, f64)],
    findings: &mut Findings,
) {
    let now = arrival.world.now();
    let mutated = &purse.mutated;
    let ends_in_a_mutation = |at: Timestamp, account: &str| mutated.get(account).is_some_and(|m| *m >= at);
    purse
        .overdrafts
        .retain(|(at, account, _)| !ends_in_a_mutation(*at, account));
    while purse
        .overdrafts
        .front()
        .is_some_and(|(at, ..)| later(*at, ADMITS_WITHIN) < now)
    {
        let what = purse
            .overdrafts
            .pop_front()
            .map(|(at, _, what)| format!("{what}, at {at}"));
        findings.require(false, || what.unwrap_or_default());
    }
    if !purse.is_steady(arrival) {
        return;
    }
    if overdrawn.is_empty() {
        findings.require(true, String::new);
    } else {
        let name = arrival.request.operation.name();
        let what = format!("more than a quarter of the grant: {overdrawn:?} by {name}");
        let account = arrival.request.caller.account.clone();
        purse.overdrafts.push_back((now, account, what));
    }
}

/// A process that resumes makes no wave: with nothing to heal, its looks take no more than twice its share.
pub(super) fn l5_no_wave(overdrawn: &[(&'static str, f64)], arrival: &Arrival, findings: &mut Findings) {
    findings.require(overdrawn.is_empty(), || {
        let name = arrival.request.operation.name();
        format!("a process that has just begun takes more than twice its share: {overdrawn:?} at {name}")
    });
}

/// Calls within a minute have an upper bound, whatever happens.
pub(super) fn s22_calls(purse: &Purse, findings: &mut Findings) {
    findings.require(purse.calls.len() <= CALLS_PER_MINUTE_MAX, || {
        format!("{} calls within a minute", purse.calls.len())
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_calls_within_a_minute_than_any_account_needs_are_too_many() {
        let judged = |calls: usize| {
            let purse = Purse {
                calls: std::iter::repeat_n(Timestamp::UNIX_EPOCH, calls).collect(),
                ..Purse::default()
            };
            let mut findings = Findings::default();
            s22_calls(&purse, &mut findings);
            (findings.evaluations, findings.broken.len())
        };
        assert_eq!(judged(CALLS_PER_MINUTE_MAX), (1, 0));
        assert_eq!(judged(CALLS_PER_MINUTE_MAX + 1), (1, 1));
    }
}
