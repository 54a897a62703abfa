//! What a pass needs besides its look where replacements may be due: how the instances were made, what there is to launch
//! from, and what other services are at.

use super::pass::Bench;
use super::vitals::breaker_key;
use crate::aws::Priority;
use crate::decide::breaker::Breaker;
use crate::decide::floor::{Floors, floors_of};
use crate::decide::replace::{is_sound, wants_supply};
use crate::decide::{Elsewhere, Plan, members_of};
use crate::model::{Blueprint, InstanceId, ServiceMemory, SlotName, Step, Supply};
use crate::observe;
use crate::record::RecordError;
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

/// Blueprints that are read in one pass: a fleet that is new to the journal is taken in over a few passes, within the budget.
const MOST_BLUEPRINTS_AT_ONCE: usize = 4;
/// A blueprint that nothing has changed is read again after so long: volumes and attributes change without a trace in
/// DescribeInstances.
const BLUEPRINT_KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);

/// How long a reading of what there is to launch from serves while something is being replaced, and for a launch.
const SUPPLY_KEPT_FOR: Duration = Duration::from_secs(60);
/// The same while nothing is under way and it is only shown.
const SUPPLY_SHOWN_FOR: Duration = Duration::from_secs(600);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Provisions {
    pub blueprints: BTreeMap<InstanceId, Blueprint>,
    pub supply: Option<Supply>,
    pub elsewhere: Elsewhere,
}

impl Bench<'_> {
    /// Reads what the service's policy makes worth reading; without `replace` that is nothing but the neighbours.
    pub(super) async fn provisions(&self, memory: &ServiceMemory) -> Result<Provisions, RecordError> {
        let mut provisions = Provisions {
            elsewhere: self.elsewhere().await?,
            ..Provisions::default()
        };
        if self.policy.replace.is_some() {
            provisions.blueprints = self.blueprints(memory).await?;
        }
        if wants_supply(self.policy, memory) {
            // A slot that is short of an instance waits for no source that could not be read a moment ago.
            let open = memory.replacements.values().any(|one| one.is_open());
            let kept_for = if open || !memory.lost.is_empty() {
                SUPPLY_KEPT_FOR
            } else {
                SUPPLY_SHOWN_FOR
            };
            provisions.supply = Some(self.supply(&provisions.blueprints, kept_for).await);
        }
        Ok(provisions)
    }

    /// The provisions, with what a launch of this plan rests on read anew if it is older than a launch may rest on.
    pub(super) async fn fit_for(&self, plan: &Plan, mut provisions: Provisions) -> (Provisions, bool) {
        let launches = plan
            .steps
            .iter()
            .any(|planned| matches!(planned.step, Step::Launch(_)));
        let is_old = |supply: &Supply| self.look.begun.since(&supply.begun) >= SUPPLY_KEPT_FOR;
        if !launches || !provisions.supply.as_ref().is_some_and(is_old) {
            return (provisions, false);
        }
        provisions.supply = Some(self.supply(&provisions.blueprints, SUPPLY_KEPT_FOR).await);
        (provisions, true)
    }

    /// What was read a moment ago serves again: should an image have gone since, AWS refuses its launch.
    async fn supply(&self, blueprints: &BTreeMap<InstanceId, Blueprint>, kept_for: Duration) -> Supply {
        let service = &self.policy.service;
        let supplies = || {
            self.rounds
                .supplies
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let kept = supplies().get(service).cloned();
        let is_fresh = |supply: &Supply| {
            supply.failed.is_empty()
                && supply.policy_version == self.policy.version
                && blueprints.values().all(|one| {
                    supply.types.contains_key(&one.instance_type) && supply.subnets.contains_key(&one.subnet)
                })
                && self.look.begun.since(&supply.begun) < kept_for
        };
        if let Some(kept) = kept.filter(is_fresh) {
            return kept;
        }
        let known: Vec<&Blueprint> = blueprints.values().collect();
        let supply = observe::supply(
            &self.clients.reader,
            self.policy,
            &known,
            &self.rounds.env.clock,
            Priority::Repair,
            &self.clients.directory,
        )
        .await;
        supplies().insert(service.clone(), supply.clone());
        supply
    }

    /// What the other services are at now. Passes run side by side: one of them may have begun something since.
    pub(super) fn others_now(&self) -> Elsewhere {
        let fleet = self.rounds.in_force.now();
        let account = self.account();
        let service = &self.policy.service;
        let board = &self.rounds.board;
        let mut now = board.elsewhere(service, account.as_ref(), fleet.policies.keys());
        now.breaker = self.tripped();
        now
    }

    /// Why the account's breaker will open at the end of this round, by what has been seen until now.
    pub(super) fn tripped(&self) -> Option<String> {
        let fleet = self.rounds.in_force.now();
        let account = self.account()?;
        // A few services alone may be the worst of many.
        let all_seen = self.rounds.board.has_seen(fleet.policies.keys());
        let tripped = self.rounds.vitals.tripped(&self.rounds.config);
        tripped.get(&account).filter(|_| all_seen).cloned().flatten()
    }

    async fn elsewhere(&self) -> Result<Elsewhere, RecordError> {
        let fleet = self.rounds.in_force.now();
        let account = self.account();
        let mut elsewhere = self.others_now();
        elsewhere.max_concurrent = self.rounds.config.limits.max_concurrent;
        let mut floors = Floors::new();
        for (group, floor) in fleet.policies.values().flat_map(|policy| floors_of(policy)) {
            let entry = floors.entry(group).or_default();
            *entry = floor.max(*entry);
        }
        elsewhere.floors = floors;
        if let (Some(journal), Some(account)) = (self.rounds.ledger.journal(), &account) {
            let breaker = journal.document_get(&breaker_key(account)).await?;
            let breaker: Breaker = breaker
                .and_then(|value| serde_json::from_value(value).ok())
                .unwrap_or_default();
            elsewhere.breaker = breaker.open.map(|open| open.why);
        }
        Ok(elsewhere)
    }

    /// The journaled blueprints, with those of sound members taken anew that are missing or out of date.
    async fn blueprints(
        &self,
        memory: &ServiceMemory,
    ) -> Result<BTreeMap<InstanceId, Blueprint>, RecordError> {
        let service = &self.policy.service;
        let mut blueprints = self.rounds.ledger.blueprints(service).await?;
        let now = self.look.begun.wall;
        let is_stale = |id: &InstanceId| {
            let (Some(known), Some(seen)) = (blueprints.get(id), self.look.instances.get(id)) else {
                return true;
            };
            known.digest != seen.digest
                || known.launched_at != seen.launched_at
                || now.duration_since(known.taken) > BLUEPRINT_KEPT_FOR
        };
        let mut wanted: Vec<(InstanceId, SlotName)> = Vec::new();
        for (slot, members) in members_of(self.look, self.claims) {
            let policy = self.policy.slots.get(&slot);
            let sound = members
                .iter()
                .filter(|member| policy.is_some_and(|slot| is_sound(self.look, slot, member)));
            wanted.extend(
                sound
                    .filter(|member| is_stale(&member.id))
                    .map(|member| (member.id.clone(), slot.clone())),
            );
        }
        wanted.truncate(MOST_BLUEPRINTS_AT_ONCE);
        let read = observe::blueprints(&self.clients.reader, &wanted, now, Priority::Quiet).await;
        let mut changed = false;
        for (id, blueprint) in read {
            match blueprint {
                Ok(blueprint) => {
                    changed = true;
                    blueprints.insert(id, blueprint);
                }
                Err(error) => {
                    tracing::warn!(instance = %id, error = %error, "how it is made could not be read")
                }
            }
        }
        let before = blueprints.len();
        blueprints.retain(|id, _| self.is_worth_keeping(id, memory));
        if changed || blueprints.len() != before {
            self.rounds.ledger.keep_blueprints(service, &blueprints).await?;
        }
        Ok(blueprints)
    }

    /// As long as the instance is known, lost or being replaced.
    fn is_worth_keeping(&self, id: &InstanceId, memory: &ServiceMemory) -> bool {
        self.look.instances.contains_key(id)
            || memory.instances.contains_key(id)
            || memory.lost.contains_key(id)
            || memory.replacements.get(id).is_some_and(|one| one.is_open())
    }
}
