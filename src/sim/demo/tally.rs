//! For how long: computed from the world's truth, change by change.

use jiff::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;

/// Changes of a target group that are kept: the story has some dozens.
const CHANGES_MAX: usize = 10_000;

/// One target group's healthy targets over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupTally {
    pub group: String,
    /// How many targets it had when the story began: that many should be healthy.
    pub desired: usize,
    /// With fewer healthy targets than desired.
    pub below: Duration,
    /// With no healthy target at all.
    pub none: Duration,
    /// With how few healthy targets it ever was.
    pub fewest: usize,
    healthy: usize,
    since: Timestamp,
    /// From when on how many were healthy, oldest first.
    changes: VecDeque<(Timestamp, usize)>,
}

impl GroupTally {
    pub(super) fn new(group: &str, desired: usize, healthy: usize, since: Timestamp) -> Self {
        Self {
            group: group.to_owned(),
            desired,
            below: Duration::ZERO,
            none: Duration::ZERO,
            fewest: healthy,
            healthy,
            since,
            changes: VecDeque::from([(since, healthy)]),
        }
    }

    /// From `at` on, so many are healthy.
    pub(super) fn note(&mut self, at: Timestamp, healthy: usize) {
        let lasted = Duration::try_from(at.duration_since(self.since)).unwrap_or_default();
        if self.healthy < self.desired {
            self.below += lasted;
        }
        if self.healthy == 0 {
            self.none += lasted;
        }
        self.since = self.since.max(at);
        if self.healthy != healthy {
            if self.changes.len() == CHANGES_MAX {
                self.changes.pop_front();
            }
            self.changes.push_back((at, healthy));
        }
        self.healthy = healthy;
        self.fewest = self.fewest.min(healthy);
    }

    /// With how few healthy targets it was from one moment to another; `None`: that is not known any more.
    pub(super) fn fewest(&self, from: Timestamp, until: Timestamp) -> Option<usize> {
        let before = self.changes.iter().rev().find(|(at, _)| *at <= from);
        let within = self.changes.iter().filter(|(at, _)| *at > from && *at <= until);
        before
            .into_iter()
            .chain(within)
            .map(|(_, healthy)| *healthy)
            .min()
    }

    /// As it would be if nothing changed until `at`.
    pub(super) fn until(&self, at: Timestamp) -> Self {
        let mut closed = self.clone();
        closed.note(at, self.healthy);
        closed
    }
}

/// A slot's time without a healthy target in every one of its target groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Down {
    pub slot: String,
    /// The instance that was not healthy.
    pub instance: String,
    pub from: Timestamp,
    /// `None`: it still is.
    pub until: Option<Timestamp>,
}

impl Down {
    /// How long it was, or has been at `now`.
    pub fn lasted(&self, now: Timestamp) -> Duration {
        let until = self.until.unwrap_or(now);
        Duration::try_from(until.duration_since(self.from)).unwrap_or_default()
    }
}

/// One instance exchanged for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuild {
    pub slot: String,
    pub old: String,
    /// EC2's word for the old one's state, and whether it is marked.
    pub old_is: String,
    pub new: Option<String>,
    /// What the new one was launched from.
    pub image: Option<String>,
    pub from: Timestamp,
    /// `None`: it is still under way.
    pub until: Option<Timestamp>,
    /// The new one has taken the old one's place.
    pub is_done: bool,
    /// With how few healthy targets each target group was meanwhile.
    pub fewest: Vec<(String, usize)>,
}

/// One call that changes AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutation {
    pub at: Timestamp,
    pub operation: String,
    /// The ids that it names.
    pub subjects: Vec<String>,
    /// `200`, or AWS's error.
    pub outcome: String,
}

/// How the story went, at its end or wherever it was ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// From when keepgreen watched.
    pub from: Timestamp,
    pub until: Timestamp,
    /// What should happen had happened, and in truth everything is healthy again, and the journal says so.
    pub healed: bool,
    /// In truth every instance can be built again, and the journal says that every replacement is done.
    pub rebuilt: bool,
    /// It was ended before its own end.
    pub interrupted: bool,
    pub downs: Vec<Down>,
    pub groups: Vec<GroupTally>,
    pub rebuilds: Vec<Rebuild>,
    /// Requests to AWS that change nothing.
    pub reads: usize,
    pub mutations: Vec<Mutation>,
    /// Messages that people got.
    pub messages: usize,
    /// Images that instances were launched from and that are gone, with those instances.
    pub images_gone: Vec<(String, Vec<String>)>,
    /// What stands: the finding's key and, where people were told, the words for it.
    pub findings: Vec<(String, Option<String>)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(n: i64) -> Timestamp {
        Timestamp::from_second(n).unwrap()
    }

    #[test]
    fn time_below_desired_and_time_with_none_add_up_over_several_outages() {
        let mut tally = GroupTally::new("tis-prod", 2, 2, second(0));
        for (at, healthy) in [(10, 1), (20, 0), (25, 1), (30, 2), (100, 0), (101, 2)] {
            tally.note(second(at), healthy);
        }
        let tally = tally.until(second(1000));
        assert_eq!((tally.below.as_secs(), tally.none.as_secs()), (21, 6));
    }

    #[test]
    fn an_outage_that_goes_on_counts_until_now() {
        let tally = GroupTally::new("tis-upload", 1, 0, second(0)).until(second(60));
        assert_eq!((tally.below.as_secs(), tally.none.as_secs()), (60, 60));
    }
}
