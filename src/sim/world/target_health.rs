//! How targets' health follows what is behind them: registration, checks, draining, and the levers on them.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::instance::{Instance, Probe, State};
use super::life::Event;
use super::target::{Health, Target, TargetGroup, TargetKey};
use super::versioned::Versioned;
use super::{World, later};

impl World {
    /// Something about an instance has changed: let each of its targets find out.
    pub(super) fn reassess_targets_of(&mut self, id: &str) {
        let Some(instance) = self.instance(id).cloned() else {
            return;
        };
        let mut stale = Vec::new();
        for group in self.target_groups.values() {
            let probe = probe_in(group, &instance);
            let target_id = target_id_in(group, &instance);
            let first = (target_id.to_owned(), u16::MIN);
            let last = (target_id.to_owned(), u16::MAX);
            for (key, target) in group.targets.range(first..=last) {
                if target
                    .now()
                    .is_some_and(|t| t.probe != probe && t.health != Health::Draining)
                {
                    stale.push((group.arn.clone(), key.clone(), probe));
                }
            }
        }
        for (arn, key, probe) in stale {
            self.reassess(&arn, &key, probe);
        }
    }

    /// What a check of this target finds now.
    pub(super) fn probe_of(&self, group: &TargetGroup, key: &TargetKey) -> Probe {
        match group.target_type.as_str() {
            "instance" => match self.instance(&key.0) {
                Some(instance) => instance.probe(),
                None => Probe::NotRunning(State::Terminated),
            },
            "ip" => match self.instance_at(group, &key.0) {
                Some(instance) => probe_in(group, instance),
                // Nobody answers there.
                None => Probe::Timeout,
            },
            "alb" if !self.listens(&key.0, key.1) => Probe::Timeout,
            // Functions are not modelled: each one answers.
            _ => Probe::Pass,
        }
    }

    /// The instance that has this private address in the group's account and region.
    pub(super) fn instance_at(&self, group: &TargetGroup, address: &str) -> Option<&Instance> {
        let is_there = |i: &&std::sync::Arc<Instance>| {
            i.private_ip == address && i.scope == group.scope && i.state != State::Terminated
        };
        self.instances().find(is_there).map(|found| &**found)
    }

    fn reassess(&mut self, arn: &str, key: &TargetKey, probe: Probe) {
        let before = self.shown_health(arn, key);
        let after = self.edit_target(arn, key, |target| {
            let was_running = !matches!(target.health, Health::NotRunning(_));
            target.probe = probe;
            target.generation += 1;
            match probe {
                Probe::NotRunning(state) => target.health = Health::NotRunning(state),
                _ if !was_running => target.health = Health::Registering,
                _ => {}
            }
            target.health
        });
        let Some(after) = after else { return };
        self.note_health(arn, key, before);
        if after == Health::Registering {
            // Also when it was registering already: its timer was of the generation before.
            self.await_registration(arn, key);
        } else {
            self.await_checks(arn, key);
        }
    }

    /// A timer has come due: enough checks agreed, or registration is complete.
    pub(super) fn change_target(&mut self, arn: &str, key: &TargetKey, generation: u64, health: Health) {
        let before = self.shown_health(arn, key);
        let changed = self.edit_target(arn, key, |target| {
            let is_current = target.generation == generation;
            if is_current {
                target.health = health;
            }
            is_current
        });
        if changed == Some(true) {
            self.note_health(arn, key, before);
            self.await_checks(arn, key);
        }
    }

    /// Its load balancer learns of the target: once that exists, and a little later.
    fn await_registration(&mut self, arn: &str, key: &TargetKey) {
        let is_network = self.target_groups.get(arn).is_some_and(TargetGroup::is_network);
        let pace = match is_network {
            true => self.pace.register_network_s.clone(),
            false => self.pace.register_s.clone(),
        };
        let wait = self.draw(&pace) + self.until_balancer_active(arn);
        self.schedule_change(arn, key, wait, Health::InitialChecks);
    }

    fn await_checks(&mut self, arn: &str, key: &TargetKey) {
        let Some(group) = self.target_groups.get(arn) else {
            return;
        };
        let Some(target) = group.targets.get(key).and_then(|t| t.now()) else {
            return;
        };
        if let Some((wait, health)) = group.time_to_change(self.now, target) {
            self.schedule_change(arn, key, wait, health);
        }
    }

    fn schedule_change(&mut self, arn: &str, key: &TargetKey, wait: Duration, health: Health) {
        let Some(generation) = self.living_target(arn, key).map(|t| t.generation) else {
            return;
        };
        let event = Event::TargetChange {
            arn: arn.to_owned(),
            target: key.clone(),
            generation,
            health,
        };
        self.schedule(wait, event);
    }

    /// A terminated instance leaves its target groups by itself.
    pub(super) fn deregister_terminated(&mut self, id: &str) {
        let now = self.now;
        for group in self.target_groups.values_mut() {
            for (_, target) in group.targets.iter_mut().filter(|(key, _)| key.0 == id) {
                target.delete(now);
            }
        }
    }

    /// A deregistered target begins to drain; it is gone once the group's delay has passed. Shown as draining for all
    /// that time, connections or not (D: "the status of the target is displayed as draining until the deregistration
    /// delay elapses"). What no load balancer uses has nothing to drain and is gone at once (K).
    pub(super) fn begin_drain(&mut self, arn: &str, key: &TargetKey) {
        let before = self.shown_health(arn, key);
        let Some(delay) = self.target_groups.get(arn).map(TargetGroup::deregistration_delay) else {
            return;
        };
        match before {
            None | Some(Health::Draining) => return,
            Some(health) if health.is_unused() => return self.remove_target(arn, key),
            Some(_) => {}
        }
        let drained_at = later(self.now, delay);
        let generation = self.edit_target(arn, key, |target| {
            target.generation += 1;
            target.health = Health::Draining;
            target.drained_at = Some(drained_at);
            target.generation
        });
        let Some(generation) = generation else { return };
        self.note_health(arn, key, before);
        let event = Event::TargetDrained {
            arn: arn.to_owned(),
            target: key.clone(),
            generation,
        };
        self.schedule(delay, event);
    }

    pub(super) fn finish_drain(&mut self, arn: &str, key: &TargetKey, generation: u64) {
        let Some(group) = self.target_groups.get(arn) else {
            return;
        };
        let is_current = group
            .targets
            .get(key)
            .and_then(Versioned::now)
            .is_some_and(|t| t.generation == generation && t.health == Health::Draining);
        if is_current && !group.stuck.contains(key) {
            self.remove_target(arn, key);
        }
    }

    /// The target is registered no more.
    pub(super) fn remove_target(&mut self, arn: &str, key: &TargetKey) {
        let now = self.now;
        let Some(group) = self.target_groups.get_mut(arn) else {
            return;
        };
        if let Some(target) = group.targets.get_mut(key) {
            target.delete(now);
            let name = group.name.clone();
            self.note(&key.0, format!("target of {name}:{}: deregistered", key.1));
        }
    }

    /// A (new) registration, in `zone`. Its checks begin as if the instance had just started to run.
    pub(super) fn register(&mut self, arn: &str, key: &TargetKey, zone: Option<String>) {
        let now = self.now;
        let Some(group) = self.target_groups.get(arn) else {
            return;
        };
        let probe = self.probe_of(group, key);
        let interval = group.checks.interval;
        let phase = self.draw_phase(interval);
        let Some(group) = self.target_groups.get_mut(arn) else {
            return;
        };
        // No timer of an earlier registration of the same target may ever match one of this.
        group.registrations += 1;
        let generation = group.registrations << 32;
        let state = match probe {
            Probe::NotRunning(state) => state,
            _ => State::Stopped,
        };
        let target = Target {
            health: Health::NotRunning(state),
            zone,
            phase,
            probe: Probe::NotRunning(State::Terminated),
            forced: None,
            drained_at: None,
            generation,
        };
        match group.targets.get_mut(key) {
            Some(versions) => versions.put(now, target),
            None => {
                group.targets.insert(key.clone(), Versioned::new(now, target));
            }
        }
        self.reassess(arn, key, probe);
    }

    /// A load balancer has begun to send traffic to the target: it starts again as after registration.
    pub(super) fn restart_target(&mut self, arn: &str, key: &TargetKey) {
        let Some(group) = self.target_groups.get(arn) else {
            return;
        };
        let probe = self.probe_of(group, key);
        let restarted = self.edit_target(arn, key, |target| {
            if target.health != Health::Draining {
                target.health = Health::NotRunning(State::Stopped);
            }
            target.health != Health::Draining
        });
        if restarted == Some(true) {
            self.reassess(arn, key, probe);
        }
    }

    /// The group's checks have changed: what is under way begins anew with them.
    pub(super) fn recheck_target(&mut self, arn: &str, key: &TargetKey) {
        let (Some(group), Some(target)) = (self.target_groups.get(arn), self.living_target(arn, key)) else {
            return;
        };
        if target.health != Health::Draining {
            let probe = self.probe_of(group, key);
            self.reassess(arn, key, probe);
        }
    }

    pub(super) fn draw_phase(&mut self, interval: Duration) -> Duration {
        let interval_ms = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.rng.u64(0..interval_ms.max(1)))
    }

    pub(super) fn living_target(&self, arn: &str, key: &TargetKey) -> Option<&Target> {
        let versions = self.target_groups.get(arn)?.targets.get(key)?;
        versions.now().map(|target| &**target)
    }

    pub(super) fn edit_target<R>(
        &mut self,
        arn: &str,
        key: &TargetKey,
        change: impl FnOnce(&mut Target) -> R,
    ) -> Option<R> {
        let now = self.now;
        self.target_groups
            .get_mut(arn)?
            .targets
            .get_mut(key)?
            .edit(now, change)
    }

    /// What DescribeTargetHealth says of it in truth; `None`: it is not registered.
    pub(super) fn shown_health(&self, arn: &str, key: &TargetKey) -> Option<Health> {
        let group = self.target_groups.get(arn)?;
        Some(group.shown(self.living_target(arn, key)?))
    }

    /// Tell the log, if what is shown of the target is not what it was `before`.
    pub(super) fn note_health(&mut self, arn: &str, key: &TargetKey, before: Option<Health>) {
        let (Some(before), Some(after)) = (before, self.shown_health(arn, key)) else {
            return;
        };
        if before == after {
            return;
        }
        let name = self
            .target_groups
            .get(arn)
            .map_or(arn, |g| g.name.as_str())
            .to_owned();
        let (before, after) = (before.names(), after.names());
        let reason = after.1.map(|r| format!(" ({r})")).unwrap_or_default();
        self.note(
            &key.0,
            format!("target of {name}:{}: {} → {}{reason}", key.1, before.0, after.0),
        );
    }
}

/// What the group's checks find on an instance: an address of a stopped one is merely silent.
fn probe_in(group: &TargetGroup, instance: &Instance) -> Probe {
    match (group.target_type.as_str(), instance.probe()) {
        ("ip", Probe::NotRunning(_)) => Probe::Timeout,
        (_, probe) => probe,
    }
}

/// What the instance is called as a target of this group.
fn target_id_in<'a>(group: &TargetGroup, instance: &'a Instance) -> &'a str {
    match group.target_type.as_str() {
        "ip" => &instance.private_ip,
        _ => &instance.id,
    }
}

/// The text is an IPv4 address.
pub(super) fn is_address(text: &str) -> bool {
    text.parse::<Ipv4Addr>().is_ok()
}
