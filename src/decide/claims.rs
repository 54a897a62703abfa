//! Whose an instance is (S1): the one slot that claims it, or nobody's.
//!
//! Written independently of the filters that `observe` puts on the wire: a listing that returned too much, or a tag that was
//! copied onto another instance, is judged here by what the instance itself shows.

use crate::model::{AccountId, Instance, Mutant, Region, ServiceName, SlotName};
use crate::policy::{Policy, Selector};

/// One slot's claim on instances.
#[derive(Clone, Debug)]
pub struct Claim {
    pub service: ServiceName,
    pub slot: SlotName,
    select: Selector,
    /// `None`: not known yet; such a claim could be on any account, so it is taken into account everywhere.
    account: Option<AccountId>,
    region: Option<Region>,
}

/// Every claim of every policy in force.
#[derive(Clone, Debug, Default)]
pub struct Claims(Vec<Claim>);

/// Whose an instance is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    Nobody,
    Slot(ServiceName, SlotName),
    /// Claimed more than once: touched by none of them.
    Disputed(Vec<(ServiceName, SlotName)>),
}

impl Claims {
    /// Adds a policy's slots; account and region as far as they are known, from the policy or from the credentials.
    pub fn add(&mut self, policy: &Policy, account: Option<&AccountId>, region: Option<&Region>) {
        for (name, slot) in &policy.slots {
            self.0.push(Claim {
                service: policy.service.clone(),
                slot: name.clone(),
                select: slot.select.clone(),
                account: policy
                    .account
                    .clone()
                    .or_else(|| role_account(policy))
                    .or_else(|| account.cloned()),
                region: policy.region.as_ref().or(region).cloned(),
            });
        }
    }

    pub fn owner_of(&self, instance: &Instance) -> Owner {
        let mut owners: Vec<(ServiceName, SlotName)> = self
            .0
            .iter()
            .filter(|claim| claim.covers(instance))
            .map(|claim| (claim.service.clone(), claim.slot.clone()))
            .collect();
        if Mutant::FirstClaimWins.is_on() {
            owners.truncate(1);
        }
        match owners.len() {
            0 => Owner::Nobody,
            1 => owners
                .pop()
                .map_or(Owner::Nobody, |(service, slot)| Owner::Slot(service, slot)),
            _ => Owner::Disputed(owners),
        }
    }
}

/// `arn:aws:iam::111122223333:role/keepgreen` tells the account before anybody was asked.
fn role_account(policy: &Policy) -> Option<AccountId> {
    let account = policy.role.as_ref()?.arn.split(':').nth(4)?;
    (!account.is_empty()).then(|| account.into())
}

impl Claim {
    fn covers(&self, instance: &Instance) -> bool {
        self.account
            .as_ref()
            .is_none_or(|account| *account == instance.account)
            && self
                .region
                .as_ref()
                .is_none_or(|region| *region == instance.region)
            && selects(&self.select, instance)
    }
}

/// Whether an instance is what a selector asks for, by its own id and tags.
///
/// An instance that keepgreen has retired carries `keepgreen:retired` and belongs to no slot any more.
pub fn selects(selector: &Selector, instance: &Instance) -> bool {
    if instance.is_retired() {
        return false;
    }
    match selector {
        Selector::Tags(tags) => {
            !tags.is_empty()
                && tags
                    .iter()
                    .all(|(key, value)| instance.tags.get(key) == Some(value))
        }
        Selector::InstanceIds(ids) => ids.contains(&instance.id),
        Selector::AutoScalingGroup(group) => instance.auto_scaling_group() == Some(group.as_str()),
    }
}
