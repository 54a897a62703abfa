//! Whether two selectors can mean the same instance.
//!
//! An instance that two slots claim is touched by neither, so a policy under which that is certain heals nothing and is
//! refused. What can be told from the files alone:
//! - the same instance id, or the same Auto Scaling group: certain;
//! - tags of which one set contains the other: certain, as every instance of the narrower one matches the wider;
//! - tags that do not contradict each other in any key: possible. Within one file that is refused, because slots of one
//!   service are told apart by one tag's value, and its author can see both. Between files it is accepted: two
//!   services may well be told apart by tags of different keys;
//! - selectors of different kinds: unknown. The world decides on every pass, and an instance in two slots is a finding.

use super::names;
use super::types::{Policy, Selector};
use crate::model::{ServiceName, SlotName};
use std::collections::{BTreeMap, BTreeSet};

/// How sure it is that two selectors share an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Overlap {
    /// The reason, to follow a colon.
    Certain(String),
    Possible,
}

pub(super) fn between(one: &Selector, other: &Selector) -> Option<Overlap> {
    match (one, other) {
        (Selector::InstanceIds(one), Selector::InstanceIds(other)) => {
            let shared = one.intersection(other).next()?;
            Some(Overlap::Certain(format!("both name {shared}")))
        }
        (Selector::AutoScalingGroup(one), Selector::AutoScalingGroup(other)) => {
            (one == other).then(|| Overlap::Certain(format!("both name the Auto Scaling group {one}")))
        }
        (Selector::Tags(one), Selector::Tags(other)) => between_tags(one, other),
        _ => None,
    }
}

fn between_tags(one: &BTreeMap<String, String>, other: &BTreeMap<String, String>) -> Option<Overlap> {
    let shared = one
        .iter()
        .filter(|(key, value)| other.get(*key) == Some(value))
        .count();
    let contradicts = one
        .iter()
        .any(|(key, value)| other.get(key).is_some_and(|its| its != value));
    if contradicts {
        None
    } else if shared == one.len() && shared == other.len() {
        Some(Overlap::Certain("their tags are equal".to_owned()))
    } else if shared == one.len() || shared == other.len() {
        Some(Overlap::Certain(
            "the tags of one are among those of the other".to_owned(),
        ))
    } else {
        Some(Overlap::Possible)
    }
}

/// Whether two policies can be about the same account and region. What a policy leaves out comes from the
/// environment, which may be anything: only two different values tell them apart.
fn same_scope(one: &Policy, other: &Policy) -> bool {
    let differ = |one: Option<&str>, other: Option<&str>| matches!((one, other), (Some(one), Some(other)) if one != other);
    let region = |policy: &Policy| policy.region.as_ref().map(|region| region.as_str().to_owned());
    !differ(account(one).as_deref(), account(other).as_deref())
        && !differ(region(one).as_deref(), region(other).as_deref())
}

/// The account that a policy is about, if it says so.
fn account(policy: &Policy) -> Option<String> {
    let of_role = || {
        policy
            .role
            .as_ref()
            .and_then(|role| names::role_account(&role.arn))
    };
    policy
        .account
        .as_ref()
        .map(|account| account.as_str())
        .or_else(of_role)
        .map(str::to_owned)
}

/// Why two policies cannot be in force together, as one of the two sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Clash {
    /// Both are the policy of this service.
    Service(ServiceName),
    /// This slot selects what that slot of the other service does.
    Slot {
        slot: SlotName,
        other_service: ServiceName,
        other_slot: SlotName,
        why: String,
    },
}

/// Every clash, once from each side: the index of the policy, that of the other, and why. Sorted.
pub(super) fn clashes(policies: &[&Policy]) -> Vec<(usize, usize, Clash)> {
    let mut found = BTreeSet::new();
    let mut by_service: BTreeMap<&ServiceName, Vec<usize>> = BTreeMap::new();
    for (index, policy) in policies.iter().enumerate() {
        by_service.entry(&policy.service).or_default().push(index);
    }
    for (service, indexes) in by_service {
        for one in &indexes {
            for other in indexes.iter().filter(|other| *other != one) {
                found.insert((*one, *other, Clash::Service(service.clone())));
            }
        }
    }
    slot_clashes(policies, &mut found);
    found.into_iter().collect()
}

/// A slot of a policy, by the policy's index.
type Claim<'p> = (usize, &'p SlotName, &'p Selector);

/// Comparing each slot with each other would take seconds for a thousand policies on every change of a file. Two
/// selectors can only share instances for certain if one has everything that the other has: so each is compared with
/// those that have its rarest tag, id or group.
fn slot_clashes(policies: &[&Policy], found: &mut BTreeSet<(usize, usize, Clash)>) {
    let slots = |(index, policy): (usize, &&'_ Policy)| -> Vec<(usize, SlotName, Selector)> {
        policy
            .slots
            .iter()
            .map(|(name, slot)| (index, name.clone(), slot.select.clone()))
            .collect()
    };
    let all: Vec<(usize, SlotName, Selector)> = policies.iter().enumerate().flat_map(slots).collect();
    let mut holders: BTreeMap<Mark<'_>, Vec<Claim<'_>>> = BTreeMap::new();
    for (index, name, selector) in &all {
        for mark in marks(selector) {
            holders.entry(mark).or_default().push((*index, name, selector));
        }
    }
    for (index, name, selector) in &all {
        let mut lists: Vec<&Vec<Claim<'_>>> = marks(selector)
            .iter()
            .filter_map(|mark| holders.get(mark))
            .collect();
        if matches!(selector, Selector::Tags(_)) {
            lists.sort_by_key(|list| list.len());
            lists.truncate(1);
        }
        for (other_index, other_name, other) in lists.into_iter().flatten() {
            let (Some(policy), Some(other_policy)) = (policies.get(*index), policies.get(*other_index))
            else {
                continue;
            };
            if policy.service == other_policy.service || !same_scope(policy, other_policy) {
                continue;
            }
            let Some(Overlap::Certain(why)) = between(selector, other) else {
                continue;
            };
            let clash = |slot: &SlotName, policy: &Policy, other_slot: &SlotName| Clash::Slot {
                slot: slot.clone(),
                other_service: policy.service.clone(),
                other_slot: other_slot.clone(),
                why: why.clone(),
            };
            found.insert((*index, *other_index, clash(name, other_policy, other_name)));
            found.insert((*other_index, *index, clash(other_name, policy, name)));
        }
    }
}

/// One thing that a selector asks of an instance.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mark<'s> {
    Tag(&'s str, &'s str),
    Id(&'s str),
    Group(&'s str),
}

fn marks(selector: &Selector) -> Vec<Mark<'_>> {
    match selector {
        Selector::Tags(tags) => tags.iter().map(|(key, value)| Mark::Tag(key, value)).collect(),
        Selector::InstanceIds(ids) => ids.iter().map(|id| Mark::Id(id.as_str())).collect(),
        Selector::AutoScalingGroup(name) => vec![Mark::Group(name)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::InstanceId;

    fn tags(pairs: &[(&str, &str)]) -> Selector {
        Selector::Tags(
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn tags_overlap_unless_one_key_contradicts() {
        let certain =
            |one: &Selector, other: &Selector| matches!(between(one, other), Some(Overlap::Certain(_)));
        let blue = tags(&[("Name", "tis-blue")]);
        assert!(certain(&blue, &blue));
        assert!(certain(&blue, &tags(&[("Name", "tis-blue"), ("Env", "prod")])));
        assert!(certain(&tags(&[("Name", "tis-blue"), ("Env", "prod")]), &blue));
        assert_eq!(between(&blue, &tags(&[("Name", "tis-green")])), None);
        assert_eq!(between(&blue, &tags(&[("Env", "prod")])), Some(Overlap::Possible));
        assert_eq!(
            between(&blue, &tags(&[("Name", "tis-green"), ("Env", "prod")])),
            None
        );
    }

    #[test]
    fn ids_and_groups_overlap_when_shared_and_kinds_are_not_compared() {
        let ids = |ids: &[&str]| Selector::InstanceIds(ids.iter().map(|id| InstanceId::from(*id)).collect());
        let group = |name: &str| Selector::AutoScalingGroup(name.to_owned());
        assert!(between(&ids(&["i-1", "i-2"]), &ids(&["i-2", "i-3"])).is_some());
        assert_eq!(between(&ids(&["i-1"]), &ids(&["i-2"])), None);
        assert!(between(&group("a"), &group("a")).is_some());
        assert_eq!(between(&group("a"), &group("b")), None);
        assert_eq!(between(&group("a"), &ids(&["i-1"])), None);
    }
}
