//! What every service of an account wants to replace and is replacing: replacements of dead images go one at a time over all
//! of them, the riskiest first, and together they stay under the config's `limits.max_concurrent`.

use crate::decide::replace::Queued;
use crate::decide::{Elsewhere, Plan};
use crate::model::{AccountId, InstanceId, Replacement, ServiceMemory, ServiceName, Step};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// One service's latest entry.
#[derive(Clone, Debug, Default)]
struct Entry {
    queue: Vec<Queued>,
    replacing: u32,
    launched: u32,
}

#[derive(Debug, Default)]
struct Posted {
    by_account: BTreeMap<AccountId, BTreeMap<ServiceName, Entry>>,
    /// Services that a pass has come to an end of, well or not.
    seen: BTreeSet<ServiceName>,
}

/// The latest entries of all services.
#[derive(Debug, Default)]
pub struct Board(Mutex<Posted>);

impl Board {
    /// Takes what a pass came to.
    pub fn post(
        &self,
        service: &ServiceName,
        account: Option<&AccountId>,
        plan: &Plan,
        memory: &ServiceMemory,
    ) {
        self.put(service, account, entry_of(plan.queue.clone(), memory));
    }

    /// Takes what a plan is about to launch, before anything is sent: whoever plans next counts it as begun. With nothing to
    /// launch, nothing is taken.
    pub fn claim(
        &self,
        service: &ServiceName,
        account: Option<&AccountId>,
        plan: &Plan,
        memory: &ServiceMemory,
    ) {
        let begins = |id: &InstanceId| {
            let mut steps = plan.steps.iter();
            steps.any(|planned| matches!(&planned.step, Step::Launch(launch) if launch.of.about == *id))
        };
        let mut queue = plan.queue.clone();
        let begun = queue.iter_mut().filter(|queued| begins(&queued.rank.instance));
        let mut count = 0_u32;
        for queued in begun {
            (queued.under_way, queued.goes_on, queued.in_motion) = (true, true, true);
            count = count.saturating_add(1);
        }
        if count == 0 {
            return;
        }
        let mut entry = entry_of(queue, memory);
        entry.launched = entry.launched.saturating_add(count);
        self.put(service, account, entry);
    }

    fn put(&self, service: &ServiceName, account: Option<&AccountId>, entry: Entry) {
        let Some(account) = account else { return };
        let mut posted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let services = posted.by_account.entry(account.clone()).or_default();
        services.insert(service.clone(), entry);
    }

    /// A pass over the service has ended, whether or not anything could be seen of it.
    pub fn seen(&self, service: &ServiceName) {
        let mut posted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        posted.seen.insert(service.clone());
    }

    /// A pass over the service came to nothing: nobody waits for what cannot be seen.
    pub fn lost_sight_of(&self, service: &ServiceName) {
        let mut posted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = posted
            .by_account
            .values_mut()
            .filter_map(|of| of.get_mut(service));
        for queued in entries.flat_map(|entry| &mut entry.queue) {
            (queued.goes_on, queued.in_motion) = (false, false);
        }
    }

    /// Whether every one of these services has had a pass.
    pub fn has_seen<'a>(&self, mut all: impl Iterator<Item = &'a ServiceName>) -> bool {
        let posted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.all(|service| posted.seen.contains(service))
    }

    /// Forgets services that are not looked after any more.
    pub fn retain(&self, known: impl Fn(&ServiceName) -> bool) {
        let mut posted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for services in posted.by_account.values_mut() {
            services.retain(|service, _| known(service));
        }
        posted.seen.retain(|service| known(service));
    }

    /// What services other than `service` are at. `all`: every service that is looked after.
    pub fn elsewhere<'a>(
        &self,
        service: &ServiceName,
        account: Option<&AccountId>,
        mut all: impl Iterator<Item = &'a ServiceName>,
    ) -> Elsewhere {
        let posted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = account.and_then(|account| posted.by_account.get(account));
        let others = || {
            entries
                .into_iter()
                .flatten()
                .filter(|(other, _)| *other != service)
        };
        Elsewhere {
            replacing: others().map(|(_, entry)| entry.replacing).sum(),
            launched: others().map(|(_, entry)| entry.launched).sum(),
            queue: others()
                .flat_map(|(_, entry)| entry.queue.iter().cloned())
                .collect(),
            all_seen: all.all(|one| one == service || posted.seen.contains(one)),
            ..Elsewhere::default()
        }
    }
}

/// What waits for its next attempt is not under way: nothing of it is there.
fn entry_of(queue: Vec<Queued>, memory: &ServiceMemory) -> Entry {
    let is_under_way = |one: &&Replacement| one.is_open() && one.quarantined.is_none() && !one.is_waiting();
    let under_way = || memory.replacements.values().filter(is_under_way);
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Entry {
        queue,
        replacing: count(under_way().count()),
        launched: count(under_way().filter(|one| one.has_launched()).count()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_for_a_service_that_cannot_be_seen_any_more() {
        let board = Board::default();
        let queued = Queued {
            rank: crate::decide::replace::Rank {
                risk: crate::decide::replace::Risk::Down,
                since: jiff::Timestamp::UNIX_EPOCH,
                service: "b".into(),
                instance: "i-1".into(),
            },
            slot: "blue".into(),
            kind: crate::model::AilmentKind::ImageGone,
            evidence: String::new(),
            ready: true,
            under_way: true,
            goes_on: true,
            in_motion: true,
            quarantined: false,
            not_before: None,
            candidate: None,
            new_public_ip: false,
            offers: Vec::new(),
        };
        let account: AccountId = "123456789012".into();
        let entry = Entry {
            queue: vec![queued],
            ..Entry::default()
        };
        board.put(&"b".into(), Some(&account), entry);
        let all: Vec<ServiceName> = vec!["a".into(), "b".into()];
        let waits = || {
            let elsewhere = board.elsewhere(&"a".into(), Some(&account), all.iter());
            elsewhere
                .queue
                .iter()
                .any(|other| other.goes_on || other.in_motion)
        };
        assert!(waits());
        board.lost_sight_of(&"b".into());
        assert!(!waits());
    }

    #[test]
    fn the_fleet_is_seen_once_every_service_had_a_pass_of_any_kind() {
        let board = Board::default();
        let all: Vec<ServiceName> = vec!["a".into(), "b".into()];
        let elsewhere = || board.elsewhere(&"a".into(), None, all.iter());
        assert!(!elsewhere().all_seen);
        board.seen(&"b".into());
        assert!(elsewhere().all_seen);
        board.retain(|service| service.as_str() == "a");
        assert!(!elsewhere().all_seen);
    }
}
