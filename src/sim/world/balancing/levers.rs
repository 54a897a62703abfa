//! What people and AWS do to target groups behind the controller's back. See `super::super::control`.

use std::time::Duration;

use super::super::World;
use super::super::life::Event;
use super::super::target::{Health, TargetKey, Usage};

impl World {
    /// A person registers an instance in a target group; port `None` is the group's.
    pub fn register_target(&mut self, group: &str, id: &str, port: Option<u16>) -> bool {
        let Some((arn, key)) = self.target_key(group, id, port) else {
            return false;
        };
        let zone = self.instance(id).map(|i| i.zone.clone());
        self.register(&arn, &key, zone);
        true
    }

    /// A person deregisters an instance from a target group; port `None` is the group's.
    pub fn deregister_target(&mut self, group: &str, id: &str, port: Option<u16>) -> bool {
        let Some((arn, key)) = self.target_key(group, id, port) else {
            return false;
        };
        self.begin_drain(&arn, &key);
        true
    }

    /// A listener that this world does not show begins or ceases to use the group.
    pub fn set_in_use(&mut self, group: &str, in_use: bool) -> bool {
        let Some(arn) = self.target_group(group).map(|g| g.arn.clone()) else {
            return false;
        };
        let group = self.target_groups.get_mut(&arn);
        group.map(|g| g.usage = Usage::Assumed(in_use)).is_some()
    }

    /// The load balancer says `health` of a registered target for that long, whatever its checks find: its own fault
    /// (`Health::UnhealthyInternalError`), a check that lies. Unused and draining targets are shown as such all the same.
    pub fn set_target_health(
        &mut self,
        group: &str,
        id: &str,
        port: Option<u16>,
        health: Health,
        lasting: Duration,
    ) -> bool {
        let Some((arn, key)) = self.registered_key(group, id, port) else {
            return false;
        };
        self.force_target(&arn, &key, Some(health));
        self.schedule_force(lasting, &arn, &key, None);
        true
    }

    /// The checks of a registered target flap: failed for half of each `period`, then passed, so many `times`.
    pub fn flap_target(
        &mut self,
        group: &str,
        id: &str,
        port: Option<u16>,
        period: Duration,
        times: u32,
    ) -> bool {
        let Some((arn, key)) = self.registered_key(group, id, port) else {
            return false;
        };
        let is_network = self.target_groups.get(&arn).is_some_and(|g| g.is_network());
        let failed = match is_network {
            true => Health::UnhealthyFailedChecks,
            false => Health::UnhealthyTimeout,
        };
        for round in 0..times {
            let start = period * round;
            self.schedule_force(start, &arn, &key, Some(failed));
            self.schedule_force(start + period / 2, &arn, &key, None);
        }
        true
    }

    /// A target's draining does not end, whatever the delay says; or, with `false`, it ends when it is due.
    pub fn stick_draining(&mut self, group: &str, id: &str, port: Option<u16>, stuck: bool) -> bool {
        let Some((arn, key)) = self.target_key(group, id, port) else {
            return false;
        };
        let Some(of) = self.target_groups.get_mut(&arn) else {
            return false;
        };
        match stuck {
            true => of.stuck.insert(key.clone()),
            false => of.stuck.remove(&key),
        };
        let now = self.now;
        let target = self.living_target(&arn, &key);
        let is_overdue = target.is_some_and(|t| t.drained_at.is_some_and(|at| at <= now));
        if !stuck && is_overdue {
            self.remove_target(&arn, &key);
        }
        true
    }

    /// What is shown of a target is forced, or no longer.
    pub(in crate::sim::world) fn force_target(&mut self, arn: &str, key: &TargetKey, health: Option<Health>) {
        let before = self.shown_health(arn, key);
        self.edit_target(arn, key, |target| target.forced = health);
        self.note_health(arn, key, before);
    }

    fn schedule_force(&mut self, after: Duration, arn: &str, key: &TargetKey, health: Option<Health>) {
        let event = Event::TargetForced {
            arn: arn.to_owned(),
            target: key.clone(),
            health,
        };
        self.schedule(after, event);
    }

    fn registered_key(&self, group: &str, id: &str, port: Option<u16>) -> Option<(String, TargetKey)> {
        let (arn, key) = self.target_key(group, id, port)?;
        self.living_target(&arn, &key)?;
        Some((arn, key))
    }

    fn target_key(&self, group: &str, id: &str, port: Option<u16>) -> Option<(String, TargetKey)> {
        let group = self.target_group(group)?;
        let key = (id.to_owned(), port.unwrap_or(group.port));
        let is_known = self.instance(id).is_some() || group.targets.contains_key(&key);
        is_known.then(|| (group.arn.clone(), key))
    }
}
