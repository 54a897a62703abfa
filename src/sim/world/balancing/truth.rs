//! What the oracles ask of load balancing: the truth now, whatever a reader was shown.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::super::World;
use super::super::target::{Health, Target, TargetGroup, TargetKey};
use super::{Listener, LoadBalancer, Rule};

/// One registration of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The target group's ARN.
    pub group: String,
    pub port: u16,
    pub health: Health,
}

impl Registration {
    /// No new request reaches it: it drains, or nothing uses it. One that drains may still be answering old requests.
    pub fn is_out_of_traffic(&self) -> bool {
        self.health == Health::Draining || self.health.is_unused()
    }
}

impl TargetGroup {
    /// All registrations, with what is shown of each.
    pub fn registered(&self) -> impl Iterator<Item = (&TargetKey, &Target, Health)> {
        let living = self
            .targets
            .iter()
            .filter_map(|(key, target)| Some((key, target.now()?)));
        living.map(|(key, target)| (key, &**target, self.shown(target)))
    }

    /// The healthy targets.
    pub fn healthy_targets(&self) -> Vec<&TargetKey> {
        let healthy = self
            .registered()
            .filter(|(_, _, health)| *health == Health::Healthy);
        healthy.map(|(key, _, _)| key).collect()
    }

    /// How many targets are healthy in each zone that has any target in use; those without a zone count in none.
    pub fn healthy_by_zone(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for (_, target, health) in self.registered() {
            let Some(zone) = target.zone.as_deref() else {
                continue;
            };
            if !health.is_unused() {
                *counts.entry(zone).or_default() += usize::from(health == Health::Healthy);
            }
        }
        counts
    }

    /// The targets that the load balancers send new requests to. Those that are healthy; but if none is, everything
    /// that is in use and not draining: the load balancer fails open (the user guides: "if a target group contains
    /// only unhealthy registered targets, the load balancer routes requests to all those targets"). Without cross-zone
    /// balancing a zone without a healthy target leaves DNS, and its clients are served by the other zones.
    pub fn serving_targets(&self) -> Vec<&TargetKey> {
        let healthy = self.healthy_targets();
        if !healthy.is_empty() {
            return healthy;
        }
        let is_reachable = |health: Health| !health.is_unused() && health != Health::Draining;
        let open = self.registered().filter(|(_, _, health)| is_reachable(*health));
        open.map(|(key, _, _)| key).collect()
    }

    /// All that is true of a registered target at some moment between, oldest first.
    pub fn health_since(&self, key: &TargetKey, from: Timestamp, to: Timestamp) -> Vec<Health> {
        let versions = self
            .targets
            .get(key)
            .into_iter()
            .flat_map(|t| t.between(from, to));
        versions.map(|target| self.shown(target)).collect()
    }

    /// The load balancer has failed open: it sends requests to targets of which none is healthy.
    pub fn is_failing_open(&self) -> bool {
        self.healthy_targets().is_empty() && !self.serving_targets().is_empty()
    }

    /// The zones in use whose load balancer nodes have no healthy target of their own, without cross-zone balancing.
    pub fn zones_without_healthy(&self) -> BTreeSet<&str> {
        if self.is_cross_zone() {
            return BTreeSet::new();
        }
        let counts = self.healthy_by_zone().into_iter();
        counts
            .filter(|(_, healthy)| *healthy == 0)
            .map(|(zone, _)| zone)
            .collect()
    }
}

impl World {
    /// Every registration of an instance, over all target groups, by id or private address.
    pub fn registrations_of(&self, id: &str) -> Vec<Registration> {
        let address = self.instance(id).map(|i| i.private_ip.clone());
        let is_it = |group: &TargetGroup, key: &TargetKey| {
            key.0 == id || (group.target_type == "ip" && Some(&key.0) == address.as_ref())
        };
        let mut all = Vec::new();
        for group in self.target_groups.values() {
            for (key, _, health) in group.registered().filter(|(key, _, _)| is_it(group, key)) {
                all.push(Registration {
                    group: group.arn.clone(),
                    port: key.1,
                    health,
                });
            }
        }
        all
    }

    /// For each registration of an instance: the group's ARN, and all that was true of it since `from`.
    pub fn healths_since(&self, id: &str, from: Timestamp) -> Vec<(String, Vec<Health>)> {
        let registrations = self.registrations_of(id).into_iter();
        let address = self.instance(id).map_or("", |i| i.private_ip.as_str());
        let healths = |registration: Registration| {
            let group = self.target_groups.get(&registration.group)?;
            let by_id = group.health_since(&(id.to_owned(), registration.port), from, self.now());
            let by_address = group.health_since(&(address.to_owned(), registration.port), from, self.now());
            Some((registration.group, [by_id, by_address].concat()))
        };
        registrations.filter_map(healths).collect()
    }

    /// No load balancer sends it anything any more, and its draining is over: registered nowhere, or unused.
    pub fn is_drained(&self, id: &str) -> bool {
        self.registrations_of(id)
            .iter()
            .all(|registration| registration.health.is_unused())
    }

    /// All load balancers, by ARN.
    pub fn load_balancers(&self) -> impl Iterator<Item = &LoadBalancer> {
        self.balancing.balancers.values()
    }

    /// All listeners, by ARN.
    pub fn listeners(&self) -> impl Iterator<Item = &Listener> {
        self.balancing.listeners.values()
    }

    /// All rules but the default ones, by ARN.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.balancing.rules.values()
    }
}
