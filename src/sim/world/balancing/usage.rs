//! Who sends traffic to which group: the one place where load balancers, listeners and rules meet target groups.

use std::collections::{BTreeMap, BTreeSet};

use super::super::World;
use super::super::target::{Attachment, TargetKey, Usage};
use super::{Action, LoadBalancer};

impl World {
    /// Every action there is, with its load balancer's ARN.
    fn all_actions(&self) -> impl Iterator<Item = (&str, &Action)> {
        let of_listeners = self.balancing.listeners.values().flat_map(|listener| {
            let actions = listener.actions.iter();
            actions.map(|action| (listener.balancer.as_str(), action))
        });
        let of_rules = self.balancing.rules.values().flat_map(|rule| {
            let actions = rule.actions.iter();
            actions.map(|action| (rule.balancer.as_str(), action))
        });
        of_listeners.chain(of_rules)
    }

    /// The load balancers whose listeners or rules forward to the group: each once, by ARN.
    pub(in crate::sim::world) fn balancers_using(&self, group: &str) -> impl Iterator<Item = &str> {
        let using = self
            .all_actions()
            .filter(|(_, action)| action.groups().iter().any(|g| g.arn == group));
        using
            .map(|(balancer, _)| balancer)
            .collect::<BTreeSet<&str>>()
            .into_iter()
    }

    /// The groups to which a load balancer's listeners and rules forward.
    pub(super) fn groups_behind(&self, balancer: &str) -> BTreeSet<String> {
        let own = self.all_actions().filter(|(of, _)| *of == balancer);
        own.flat_map(|(_, action)| action.groups())
            .map(|group| group.arn.clone())
            .collect()
    }

    /// Listeners, rules or load balancers have changed: who uses these groups now? A target that comes into traffic by
    /// it is registered and checked as a new one.
    pub(super) fn refresh_usage(&mut self, groups: &BTreeSet<String>) {
        for arn in groups {
            let users = self
                .balancers_using(arn)
                .filter_map(|of| self.balancing.balancers.get(of));
            let attachments: BTreeMap<String, Attachment> = users
                .map(|balancer| (balancer.arn.clone(), attachment(balancer)))
                .collect();
            let Some(group) = self.target_groups.get_mut(arn) else {
                continue;
            };
            let usage = Usage::Derived(attachments);
            if group.usage == usage {
                continue;
            }
            let before: BTreeMap<TargetKey, _> = group
                .targets
                .iter()
                .filter_map(|(key, target)| Some((key.clone(), target.now()?.clone())))
                .map(|(key, target)| (key, group.shown(&target)))
                .collect();
            group.usage = usage;
            for (key, before) in before {
                let after = self.shown_health(arn, &key);
                if before.is_idle() && !after.is_some_and(|after| after.is_idle()) {
                    self.restart_target(arn, &key);
                }
                self.note_health(arn, &key, Some(before));
            }
        }
    }
}

fn attachment(balancer: &LoadBalancer) -> Attachment {
    Attachment {
        zones: balancer.subnets.keys().cloned().collect(),
        cross_zone: balancer.is_cross_zone(),
    }
}
