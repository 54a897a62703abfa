//! Which instances of a listing are a service's.
//!
//! Listings come back with more than one service asked for. This only slices them; whose an instance is, is judged by
//! `decide`, with a check of its own.

use crate::model::{Instance, InstanceId, InstanceState, Lifecycle, Mutant};
use crate::policy::{Policy, Selector};
use std::collections::BTreeSet;

/// What one service asks of a look.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    pub policy: &'a Policy,
    /// Instances that are the service's by the journal: launched for it, or about to be retired. They are seen whatever
    /// their tags say.
    pub also: BTreeSet<InstanceId>,
}

impl<'a> Asked<'a> {
    /// What the policy's selectors match, and nothing besides.
    pub fn of(policy: &'a Policy) -> Self {
        Self {
            policy,
            also: BTreeSet::new(),
        }
    }

    /// Whether the observation is to have this instance.
    pub(super) fn wants(&self, instance: &Instance) -> bool {
        self.also.contains(&instance.id) || is_of(self.policy, instance)
    }
}

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

/// An instance of a listing as an observation has it: unchanged, unless a deliberate bug is on.
pub(super) fn as_seen(mut instance: Instance) -> Instance {
    if Mutant::StoppingIsStopped.is_on() && instance.state == InstanceState::Stopping {
        instance.state = InstanceState::Stopped;
    }
    if Mutant::ReasonsAreNotRead.is_on() {
        instance.state_reason = None;
    }
    if Mutant::SpotIsOnDemand.is_on() && instance.lifecycle == Lifecycle::Spot {
        instance.lifecycle = Lifecycle::OnDemand;
    }
    instance
}

/// Whether any slot of the policy asks for this instance.
pub(super) fn is_of(policy: &Policy, instance: &Instance) -> bool {
    policy.slots.values().any(|slot| matches(&slot.select, instance))
}
