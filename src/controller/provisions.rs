//! What a pass needs besides its look where replacements may be due: how the instances were made, what there is to launch
//! from, and what other services are at.

use super::pass::Bench;
use super::vitals::breaker_key;
use crate::aws::Priority;
use crate::decide::breaker::Breaker;
use crate::decide::floor::{Floors, floors_of};
use crate::decide::replace::{is_gone, is_sound, wants_supply};
use crate::decide::{Elsewhere, Plan, members_of};
use crate::model::{
    AilmentKind, Blueprint, InstanceId, InstanceState, ServiceMemory, ServiceName, SlotName, Step, Supply,
};
use crate::observe;
use crate::record::RecordError;
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;
use std::time::Duration;

/// Blueprints that are read in one pass: a fleet that is new to the journal is taken in over a few passes, within the budget.
const MOST_BLUEPRINTS_AT_ONCE: usize = 4;
/// A blueprint that nothing has changed is read again after so long: volumes and attributes change without a trace in
/// DescribeInstances.
const BLUEPRINT_KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);

/// The same of one that is to be replaced and has what stands in the way of that: somebody may see to it.
const OBSTACLE_KEPT_FOR: SignedDuration = SignedDuration::from_mins(10);

/// How long a reading of what there is to launch from serves while something is being replaced, and for a launch.
const SUPPLY_KEPT_FOR: Duration = Duration::from_secs(60);
/// The same while nothing is under way and it is only shown.
const SUPPLY_SHOWN_FOR: Duration = Duration::from_secs(600);

type Blueprints = BTreeMap<InstanceId, Blueprint>;
/// Why, by instance.
type Unread = BTreeMap<InstanceId, String>;
/// How often in a row, and why, by instance.
pub(super) type Trouble = BTreeMap<InstanceId, (u32, String)>;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Provisions {
    pub blueprints: Blueprints,
    /// Instances of which it could not be read lately how they are made, with the reason.
    pub unread: Unread,
    pub supply: Option<Supply>,
    pub elsewhere: Elsewhere,
}

/// What was read of an instance that does not run: it has no assigned address then, and may lack its root for the time of a
/// rescue. What was known of them stays.
fn completed(mut fresh: Blueprint, before: Option<&Blueprint>) -> Blueprint {
    if let Some(before) = before {
        fresh.public_ip = before.public_ip;
        fresh.root = fresh.root.or_else(|| before.root.clone());
    }
    fresh
}

impl Bench<'_> {
    /// Reads what the service's policy makes worth reading; without `replace` that is nothing but the neighbours.
    pub(super) async fn provisions(&self, memory: &ServiceMemory) -> Result<Provisions, RecordError> {
        let mut provisions = Provisions {
            elsewhere: self.elsewhere().await?,
            ..Provisions::default()
        };
        if self.policy.replace.is_some() {
            (provisions.blueprints, provisions.unread) = self.blueprints(memory).await?;
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

    /// The provisions, with what a launch of this plan rests on read anew if it is older than a launch may rest on; and how
    /// those are made that this plan gives up: an attribute may have changed, or a volume come, since that was read.
    pub(super) async fn fit_for(
        &self,
        plan: &Plan,
        mut provisions: Provisions,
        memory: &ServiceMemory,
    ) -> Result<(Provisions, bool), RecordError> {
        let again = self.blueprints_anew(plan, &mut provisions, memory).await?;
        let launches = plan
            .steps
            .iter()
            .any(|planned| matches!(planned.step, Step::Launch(_)));
        let is_old = |supply: &Supply| self.look.begun.since(&supply.begun) >= SUPPLY_KEPT_FOR;
        if !launches || !provisions.supply.as_ref().is_some_and(is_old) {
            return Ok((provisions, again));
        }
        provisions.supply = Some(self.supply(&provisions.blueprints, SUPPLY_KEPT_FOR).await);
        Ok((provisions, true))
    }

    /// Reads again how each is made that a step of this plan replaces, or takes away. Returns whether any was.
    async fn blueprints_anew(
        &self,
        plan: &Plan,
        provisions: &mut Provisions,
        memory: &ServiceMemory,
    ) -> Result<bool, RecordError> {
        let given_up = plan.steps.iter().filter_map(|planned| match &planned.step {
            Step::Launch(launch) => Some((&launch.of.about, &launch.of.slot)),
            Step::Deregister(target) => {
                (target.instance == target.of.about).then_some((&target.of.about, &target.of.slot))
            }
            Step::Stop { instance, of } | Step::Terminate { instance, of } => {
                (*instance == of.about).then_some((&of.about, &of.slot))
            }
            Step::Start { .. } | Step::Register(_) | Step::Retire { .. } | Step::KeepVolume { .. } => None,
        });
        let now = self.look.begun.wall;
        let is_old = |id: &InstanceId| {
            let lives = self.look.instances.get(id).is_some_and(|old| !is_gone(old));
            let known = provisions.blueprints.get(id);
            let age = known.and_then(|known| Duration::try_from(now.duration_since(known.taken)).ok());
            lives && known.is_some() && age.is_none_or(|age| age >= SUPPLY_KEPT_FOR)
        };
        let wanted: BTreeSet<(InstanceId, SlotName)> = given_up
            .filter(|(id, _)| is_old(id))
            .map(|(id, slot)| (id.clone(), slot.clone()))
            .collect();
        if wanted.is_empty() {
            return Ok(false);
        }
        let wanted: Vec<_> = wanted.into_iter().collect();
        let read = self
            .read_blueprints(&wanted, &mut provisions.blueprints, Priority::Repair)
            .await;
        for (id, why) in read {
            match why {
                None => provisions.unread.remove(&id),
                Some(why) => provisions.unread.insert(id, why),
            };
        }
        self.keep_blueprints(&mut provisions.blueprints, memory).await?;
        Ok(true)
    }

    /// Reads how these are made, into `known`. Returns of each why it could not be read; `None`: it was.
    async fn read_blueprints(
        &self,
        wanted: &[(InstanceId, SlotName)],
        known: &mut Blueprints,
        priority: Priority,
    ) -> Vec<(InstanceId, Option<String>)> {
        let now = self.look.begun.wall;
        let read = observe::blueprints(&self.clients.reader, wanted, now, priority).await;
        let mut ends = Vec::new();
        for (id, blueprint) in read {
            let why = match blueprint {
                Ok(mut fresh) => {
                    let seen = self.look.instances.get(&id);
                    if seen.is_none_or(|seen| seen.state != InstanceState::Running) {
                        fresh = completed(fresh, known.get(&id));
                    }
                    known.insert(id.clone(), fresh);
                    None
                }
                Err(error) => {
                    tracing::warn!(instance = %id, error = %error, "how it is made could not be read");
                    Some(error.to_string())
                }
            };
            ends.push((id, why));
        }
        ends
    }

    async fn keep_blueprints(
        &self,
        known: &mut Blueprints,
        memory: &ServiceMemory,
    ) -> Result<(), RecordError> {
        known.retain(|id, _| self.is_worth_keeping(id, memory));
        self.rounds
            .ledger
            .keep_blueprints(&self.policy.service, known)
            .await
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

    /// The journaled blueprints, with those taken anew that are missing or out of date; and those that could not be.
    async fn blueprints(&self, memory: &ServiceMemory) -> Result<(Blueprints, Unread), RecordError> {
        let service = &self.policy.service;
        let mut blueprints = self.rounds.ledger.blueprints(service).await?;
        let mut wanted = self.blueprints_wanted(memory, &blueprints);
        let mut trouble = self.trouble().remove(service).unwrap_or_default();
        // What is up to date again, or is gone, is nobody's trouble.
        trouble.retain(|id, _| wanted.iter().any(|(wanted, _)| wanted == id));
        // What is being replaced comes first, and what failed after what was not tried yet.
        let is_replaced = |id: &InstanceId| memory.replacements.get(id).is_some_and(|one| one.is_open());
        wanted.sort_by_key(|(id, _)| (!is_replaced(id), trouble.get(id).map_or(0, |(times, _)| *times)));
        wanted.truncate(MOST_BLUEPRINTS_AT_ONCE);
        let read = self
            .read_blueprints(&wanted, &mut blueprints, Priority::Quiet)
            .await;
        let mut changed = false;
        for (id, why) in read {
            match why {
                None => {
                    changed = true;
                    trouble.remove(&id);
                }
                Some(why) => {
                    let entry = trouble.entry(id).or_default();
                    *entry = (entry.0.saturating_add(1), why);
                }
            }
        }
        let unread = trouble
            .iter()
            .map(|(id, (_, why))| (id.clone(), why.clone()))
            .collect();
        self.trouble().insert(service.clone(), trouble);
        let is_kept = |(id, _): (&InstanceId, &Blueprint)| self.is_worth_keeping(id, memory);
        if changed || !blueprints.iter().all(is_kept) {
            self.keep_blueprints(&mut blueprints, memory).await?;
        }
        Ok((blueprints, unread))
    }

    fn trouble(&self) -> std::sync::MutexGuard<'_, BTreeMap<ServiceName, Trouble>> {
        self.rounds.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Members whose blueprint is missing, if they are sound; and any that is known, being replaced or not, and out of date:
    /// what has come to hang on it must not be lost.
    fn blueprints_wanted(&self, memory: &ServiceMemory, known: &Blueprints) -> Vec<(InstanceId, SlotName)> {
        let now = self.look.begun.wall;
        let dies = |id: &InstanceId| {
            let of_instance = memory.instances.get(id);
            let image_gone = of_instance.is_some_and(|of| of.timers.contains_key(&AilmentKind::ImageGone));
            image_gone || memory.replacements.get(id).is_some_and(|one| one.is_open())
        };
        let kept_for = |id: &InstanceId, known: &Blueprint| match known.uncarried.is_empty() || !dies(id) {
            true => BLUEPRINT_KEPT_FOR,
            false => OBSTACLE_KEPT_FOR,
        };
        let is_stale = |id: &InstanceId| {
            let (Some(known), Some(seen)) = (known.get(id), self.look.instances.get(id)) else {
                return true;
            };
            known.digest != seen.digest
                || known.launched_at != seen.launched_at
                || now.duration_since(known.taken) > kept_for(id, known)
        };
        let mut wanted: BTreeMap<InstanceId, SlotName> = BTreeMap::new();
        for (slot, members) in members_of(self.look, self.claims) {
            let policy = self.policy.slots.get(&slot);
            let due = members.iter().filter(|member| {
                let is_sound = policy.is_some_and(|slot| is_sound(self.look, slot, member));
                is_sound || (known.contains_key(&member.id) && !is_gone(member))
            });
            wanted.extend(due.map(|member| (member.id.clone(), slot.clone())));
        }
        let replaced = memory.replacements.values().filter(|one| one.is_open());
        for one in replaced.filter(|one| known.contains_key(&one.old)) {
            if self.look.instances.get(&one.old).is_some_and(|old| !is_gone(old)) {
                wanted.insert(one.old.clone(), one.slot.clone());
            }
        }
        wanted.into_iter().filter(|(id, _)| is_stale(id)).collect()
    }

    /// As long as the instance is known, lost or being replaced.
    fn is_worth_keeping(&self, id: &InstanceId, memory: &ServiceMemory) -> bool {
        self.look.instances.contains_key(id)
            || memory.instances.contains_key(id)
            || memory.lost.contains_key(id)
            || memory.replacements.get(id).is_some_and(|one| one.is_open())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{IdRecords, MetadataOptions, RootVolume};
    use std::collections::BTreeSet;

    fn blueprint(public_ip: bool, root: Option<RootVolume>) -> Blueprint {
        Blueprint {
            instance: "i-1".into(),
            slot: "blue".into(),
            account: "123456789012".into(),
            region: "eu-west-2".into(),
            taken: jiff::Timestamp::UNIX_EPOCH,
            digest: String::new(),
            launched_at: None,
            image: "ami-1".into(),
            instance_type: "t3.large".to_owned(),
            zone: "eu-west-2a".into(),
            subnet: "subnet-a".to_owned(),
            security_groups: BTreeSet::new(),
            profile: None,
            key_name: None,
            user_data: None,
            metadata: MetadataOptions::default(),
            id_records: IdRecords::default(),
            monitoring: false,
            ebs_optimized: false,
            cpu_credits: None,
            public_ip,
            root,
            tags: BTreeMap::new(),
            uncarried: Vec::new(),
        }
    }

    #[test]
    fn what_does_not_run_keeps_the_address_and_the_root_that_were_known_of_it() {
        let root = RootVolume {
            device: "/dev/xvda".to_owned(),
            size_gib: 20,
            kind: "gp3".to_owned(),
            iops: None,
            throughput: None,
            encrypted: false,
            kms_key: None,
            delete_on_termination: true,
            tags: BTreeMap::new(),
        };
        let known = blueprint(true, Some(root.clone()));
        let of_stopped = completed(blueprint(false, None), Some(&known));
        assert_eq!(
            (of_stopped.public_ip, of_stopped.root),
            (true, Some(root.clone()))
        );
        let bigger = RootVolume { size_gib: 40, ..root };
        let grown = completed(blueprint(false, Some(bigger.clone())), Some(&known));
        assert_eq!(grown.root, Some(bigger), "what shows counts");
        assert_eq!(completed(blueprint(false, None), None), blueprint(false, None));
    }
}
