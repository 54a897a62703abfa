//! The health of all services of an account together, for the breaker (S12).

use crate::decide::Plan;
use crate::decide::breaker::{Breaker, Threshold, Vital, trips};
use crate::model::{AccountId, InstanceId, Notice, NoticeKind, ServiceMemory, ServiceName};
use crate::policy::Config;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The latest vital signs of every service, by account.
#[derive(Debug, Default)]
pub struct Vitals(Mutex<BTreeMap<AccountId, BTreeMap<ServiceName, Vec<Vital>>>>);

impl Vitals {
    /// Takes what a pass saw of one service.
    pub fn take(
        &self,
        service: &ServiceName,
        account: Option<&AccountId>,
        plan: &Plan,
        memory: &ServiceMemory,
    ) {
        let Some(account) = account else { return };
        // What is idle is left alone: many such, all of them well, would make light of the rest.
        let looked_after = plan.slots.iter().filter(|slot| slot.desired == "running");
        let views = looked_after.flat_map(|slot| &slot.instances);
        let is_shown = |id: &InstanceId| views.clone().any(|view| view.id == *id);
        let lost = memory.lost.keys().filter(|id| !is_shown(id));
        let lost = lost.map(|_| Vital::of_lost());
        let vitals = views.clone().filter_map(Vital::of).chain(lost).collect();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(account.clone())
            .or_default()
            .insert(service.clone(), vitals);
    }

    /// Forgets services that are not looked after any more.
    pub fn retain(&self, known: impl Fn(&ServiceName) -> bool) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for services in all.values_mut() {
            services.retain(|service, _| known(service));
        }
        all.retain(|_, services| !services.is_empty());
    }

    /// Why each account's breaker should be open now, if it should.
    pub fn tripped(&self, config: &Config) -> BTreeMap<AccountId, Option<String>> {
        let breaker = config.limits.breaker;
        let threshold = Threshold {
            percent: breaker.percent,
            at_least: breaker.at_least,
        };
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |services: &BTreeMap<ServiceName, Vec<Vital>>| {
            let vitals: Vec<Vital> = services.values().flatten().cloned().collect();
            trips(&vitals, threshold)
        };
        all.iter()
            .map(|(account, services)| (account.clone(), of(services)))
            .collect()
    }
}

/// The key under which an account's breaker is journaled.
pub fn breaker_key(account: &AccountId) -> String {
    format!("breaker/{account}")
}

/// One alert when it opens, a reminder each day while it stays open.
pub fn breaker_notice(account: &AccountId, breaker: &Breaker, now: Timestamp) -> Option<Notice> {
    let open = breaker.open.as_ref()?;
    let days = now.duration_since(open.since).as_hours() / 24;
    let kind = if days > 0 {
        NoticeKind::Reminder
    } else {
        NoticeKind::NeedsPerson
    };
    Some(Notice {
        key: format!("breaker/{account}/{}/day-{days}", open.since.as_second()),
        kind,
        at: now,
        service: None,
        instance: None,
        title: format!("account {account}: too much ails at once"),
        text: format!(
            "{}. The cause is probably not one server. Stopped instances are still started; nothing is launched or taken out until 10 \
             minutes after it has become less. Next: look at the zone, the network and the latest deploys.",
            open.why
        ),
        facts: vec![("since".to_owned(), format!("{:.0}", open.since))],
    })
}
