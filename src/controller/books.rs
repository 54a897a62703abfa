//! What concerns more than one service: reloading the policies, the accounts' breakers, and telling people about both.

use super::fleet::Fleet;
use super::ledger::Ledger;
use super::pass::Rounds;
use super::vitals::{breaker_key, breaker_notice};
use crate::aws::{Priority, ScopeKey};
use crate::decide::breaker::Breaker;
use crate::model::{ChannelName, Notice, NoticeKind, ServiceName};
use crate::policy::{GoodText, PolicyFinding};
use crate::record::RecordError;
use futures_util::future::join_all;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The document that has the time since when each finding about the policy files stands.
const STANDING: &str = "policy-findings";

impl Rounds {
    /// Reads the policy folder anew and puts what is good in force. The good texts are journaled before that.
    ///
    /// # Errors
    /// If the journal cannot keep them; what was in force stays so.
    pub async fn reload(&self) -> Result<(), RecordError> {
        let last_good = match self.ledger.journal() {
            Some(journal) => journal.good_policies().await?,
            None => BTreeMap::new(),
        };
        let (folder, config) = (self.config.policies.clone(), self.config.clone());
        let load = move || Fleet::load(&folder, &config, &last_good);
        let effective = self.env.blocking.run(load).await.map_err(RecordError::from)?;
        let fleet = Fleet::of(&effective, &self.config.policies);
        // Told before it is forgotten: that a service was given up is said by this one reload alone.
        self.tell_of(&fleet).await?;
        if let Ledger::Journal(journal) = &self.ledger {
            let forget: Vec<ServiceName> = effective.forget.iter().cloned().collect();
            let store: BTreeMap<ServiceName, GoodText> = effective.store.clone();
            journal.save_good_policies(store, forget).await?;
        }
        for finding in &fleet.findings {
            tracing::warn!(finding = finding.key(), "{}", finding.sentence());
        }
        tracing::info!(services = fleet.policies.len(), "policies in force");
        self.vitals.retain(|service| fleet.policies.contains_key(service));
        self.board.retain(|service| fleet.policies.contains_key(service));
        self.in_force.set(fleet);
        self.identify().await;
        Ok(())
    }

    /// Learns which account each scope is, so that claims in different accounts are not taken for rivals.
    async fn identify(&self) {
        let fleet = self.in_force.now();
        let keys: BTreeSet<ScopeKey> = fleet
            .policies
            .values()
            .map(|policy| Fleet::scope_of(policy))
            .collect();
        let unknown = keys.into_iter().map(|key| async move {
            let clients = self.scopes.of(&key).await.ok()?;
            if clients.account().is_none() {
                let account = clients.reader.caller_account(Priority::Quiet).await.ok()?;
                clients.remember_account(&account);
            }
            Some(())
        });
        join_all(unknown).await;
    }

    /// Findings about the policy files: told once each, and reminded of daily.
    ///
    /// # Errors
    /// If the journal cannot keep them.
    pub async fn tell_of_policies(&self) -> Result<(), RecordError> {
        self.tell_of(&self.in_force.now()).await
    }

    async fn tell_of(&self, fleet: &Fleet) -> Result<(), RecordError> {
        let Ledger::Journal(journal) = &self.ledger else {
            return Ok(());
        };
        let now = self.env.clock.wall();
        let before = journal.document_get(STANDING).await?.unwrap_or_default();
        let before: BTreeMap<String, Timestamp> = serde_json::from_value(before).unwrap_or_default();
        let mut standing = BTreeMap::new();
        let mut notices = Vec::new();
        for finding in &fleet.findings {
            let since = before.get(&finding.key()).copied().unwrap_or(now);
            standing.insert(finding.key(), since);
            let mut notice = of_policy(finding, since, now);
            notice.text.push_str(&self.open_repairs(finding).await?);
            let whom = self.to_whom(finding, fleet);
            notices.extend(whom.into_iter().map(|to| (to, notice.clone())));
        }
        if standing != before {
            journal
                .document_put(STANDING, serde_json::json!(standing))
                .await?;
        }
        journal.enqueue(notices).await
    }

    /// What was under way when a service was given up: nobody goes on with it.
    async fn open_repairs(&self, finding: &PolicyFinding) -> Result<String, RecordError> {
        let (PolicyFinding::GivenUp { service, .. }, Some(journal)) = (finding, self.ledger.journal()) else {
            return Ok(String::new());
        };
        let record = journal.load(service).await?;
        let open = record
            .memory
            .incidents
            .iter()
            .filter(|(_, incident)| incident.healed.is_none());
        let mut open: Vec<String> = open
            .map(|(id, incident)| format!("{id} ({})", incident.kind.as_str()))
            .collect();
        for one in record.memory.replacements.values().filter(|one| one.is_open()) {
            let launched: Vec<&str> = one.launched().map(|id| id.as_str()).collect();
            let by = if launched.is_empty() {
                String::new()
            } else {
                format!(" by {}", launched.join(", "))
            };
            open.push(format!("{} (being replaced{by})", one.old));
        }
        Ok(if open.is_empty() {
            String::new()
        } else {
            format!(" Open repairs: {}.", open.join(", "))
        })
    }

    fn to_whom(&self, finding: &PolicyFinding, fleet: &Fleet) -> BTreeSet<ChannelName> {
        let policy = finding.service().and_then(|service| fleet.policies.get(service));
        match policy {
            Some(policy) if !policy.notify.is_empty() => policy
                .notify
                .iter()
                .filter(|name| self.channels.contains(name))
                .cloned()
                .collect(),
            // Nobody's in particular, or of a service that is not known well enough: everybody's.
            _ => self.channels.clone(),
        }
    }

    /// Opens and closes the accounts' breakers after a round that took `elapsed` since the last one.
    ///
    /// # Errors
    /// If the journal cannot keep their state.
    pub async fn check_breakers(&self, elapsed: Duration) -> Result<(), RecordError> {
        let Ledger::Journal(journal) = &self.ledger else {
            return Ok(());
        };
        let now = self.env.clock.wall();
        for (account, tripped) in self.vitals.tripped(&self.config) {
            let key = breaker_key(&account);
            let before = journal.document_get(&key).await?;
            let before: Breaker = before
                .and_then(|value| serde_json::from_value(value).ok())
                .unwrap_or_default();
            let after = before.after(tripped, elapsed, now);
            if after != before {
                journal.document_put(&key, serde_json::json!(after)).await?;
            }
            if let Some(notice) = breaker_notice(&account, &after, now) {
                let notices = self
                    .channels
                    .iter()
                    .map(|channel| (channel.clone(), notice.clone()));
                journal.enqueue(notices.collect()).await?;
            }
        }
        Ok(())
    }
}

fn of_policy(finding: &PolicyFinding, since: Timestamp, now: Timestamp) -> Notice {
    let days = now.duration_since(since).as_hours() / 24;
    let title = match finding {
        PolicyFinding::Refused { file, .. } => format!("policy file {file} is refused"),
        PolicyFinding::GivenUp { service, .. } => format!("service {service} is given up"),
        PolicyFinding::AllGone { .. } => "all policy files are gone at once".to_owned(),
        PolicyFinding::LastGoodRefused { service, .. } => format!("service {service} is not looked after"),
    };
    Notice {
        key: format!("{}/{}/day-{days}", finding.key(), since.as_second()),
        kind: if days > 0 {
            NoticeKind::Reminder
        } else {
            NoticeKind::NeedsPerson
        },
        at: now,
        service: finding.service().cloned(),
        instance: None,
        title,
        text: finding.sentence(),
        facts: vec![("since".to_owned(), format!("{since:.0}"))],
    }
}
