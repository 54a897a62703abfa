//! Which instances of a listing are a service's.
//!
//! Listings come back with more than one service asked for. This only slices them; whose an instance is, is judged by
//! `decide`, with a check of its own.

use crate::model::Instance;
use crate::policy::{Policy, Selector};

/// Whether a selector asks for this instance.
pub fn matches(selector: &Selector, instance: &Instance) -> bool {
    match selector {
        Selector::InstanceIds(ids) => ids.contains(&instance.id),
        Selector::AutoScalingGroup(name) => instance.auto_scaling_group() == Some(name.as_str()),
        // An empty selector is refused by the policy's parser; here it would ask for everything.
        Selector::Tags(tags) if tags.is_empty() => false,
        Selector::Tags(tags) => tags
            .iter()
            .all(|(key, value)| instance.tags.get(key) == Some(value)),
    }
}

/// Whether any slot of the policy asks for this instance.
pub(super) fn is_of(policy: &Policy, instance: &Instance) -> bool {
    policy.slots.values().any(|slot| matches(&slot.select, instance))
}
