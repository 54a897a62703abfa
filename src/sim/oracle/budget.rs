//! What its calls cost: S21 and a part of S22, judged at every call that arrives.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use super::HOUR;
use super::case::Arrival;
use super::tally::Findings;

/// The part of AWS's grant that the controller may use in the steady state.
const SHARE: f64 = 0.25;
/// So long after the last mutation and the beginning of a life, the state is steady.
const STEADY_AFTER: Duration = Duration::from_secs(600);
/// A wait that ends a moment early, on another machine's clock, is no theft.
const SLACK: f64 = 1.0;
/// Calls of one life within a minute: what a pass over the largest account needs, several times over.
const CALLS_PER_MINUTE_MAX: usize = 3_000;

/// How full the controller's share of each of AWS's buckets is.
#[derive(Debug, Default)]
pub(super) struct Purse {
    levels: BTreeMap<(String, String, &'static str), (f64, Timestamp)>,
    mutated: BTreeMap<String, Timestamp>,
    lives: BTreeMap<u32, Timestamp>,
    calls: VecDeque<Timestamp>,
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
        let mut overdrawn = Vec::new();
        for (bucket, capacity, refill_per_second, cost) in arrival.world.price(&arrival.request.operation) {
            let full = (capacity * SHARE).max(1.25);
            let key = (caller.account.clone(), caller.region.clone(), bucket);
            let (level, at) = self.levels.get(&key).copied().unwrap_or((full, now));
            let elapsed = now.duration_since(at).as_secs_f64().max(0.0);
            let level = (level + elapsed * refill_per_second * SHARE).min(full) - cost.min(full);
            if level < -SLACK {
                overdrawn.push((bucket, level));
            }
            // A debt of more than a whole share is not carried on, as the largest burst is forgiven.
            self.levels.insert(key, (level.max(-full), now));
        }
        overdrawn
    }

    fn is_steady(&self, arrival: &Arrival) -> bool {
        let now = arrival.world.now();
        let long_ago = |at: Option<&Timestamp>| at.is_none_or(|at| *at + STEADY_AFTER < now);
        long_ago(self.mutated.get(&arrival.request.caller.account))
            && long_ago(self.lives.get(&arrival.incarnation))
    }
}

/// In the steady state, own calls stay within a quarter of each of AWS's buckets.
pub(super) fn s21_budget(
    purse: &Purse,
    arrival: &Arrival,
    overdrawn: &[(&'static str, f64)],
    findings: &mut Findings,
) {
    if purse.is_steady(arrival) {
        findings.require(overdrawn.is_empty(), || {
            format!(
                "more than a quarter of the grant: {overdrawn:?} at {}",
                arrival.request.operation.name()
            )
        });
    }
}

/// Calls within a minute have an upper bound, whatever happens.
pub(super) fn s22_calls(purse: &Purse, findings: &mut Findings) {
    findings.require(purse.calls.len() <= CALLS_PER_MINUTE_MAX, || {
        format!("{} calls within a minute", purse.calls.len())
    });
}
