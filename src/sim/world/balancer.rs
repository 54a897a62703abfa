//! The load balancer: DescribeTargetGroups, DescribeTargetHealth, and how targets' health follows their instances.

use std::time::Duration;

use super::api::{Answer, ApiError, Caller, Page, Response};
use super::instance::{Probe, State};
use super::life::Event;
use super::page::paginate;
use super::target::{Health, Target, TargetGroup, TargetHealth};
use super::versioned::Versioned;
use super::{World, earlier};

impl World {
    pub(super) fn describe_target_groups(
        &self,
        caller: &Caller,
        names: &[String],
        arns: &[String],
        page: &Page,
    ) -> Response {
        let scope = caller.scope();
        let mine = || self.target_groups.values().filter(|g| g.scope == scope);
        let is_known = |wanted: &String| mine().any(|g| g.name == *wanted || g.arn == *wanted);
        if !names.iter().chain(arns).all(is_known) {
            return Err(group_not_found());
        }
        let all = names.is_empty() && arns.is_empty();
        let items: Vec<TargetGroup> = mine()
            .filter(|g| all || names.contains(&g.name) || arns.contains(&g.arn))
            .cloned()
            .collect();
        let (items, next) = paginate(items, |g| g.arn.clone(), page, 1..=400, Some(400))?;
        Ok(Answer::TargetGroups { items, next })
    }

    pub(super) fn describe_target_health(
        &self,
        caller: &Caller,
        arn: &str,
        asked: &[(String, Option<u16>)],
    ) -> Response {
        let group = self.target_groups.get(arn).filter(|g| g.scope == caller.scope());
        let group = group.ok_or_else(group_not_found)?;
        if asked.is_empty() {
            let keys = group.targets.keys().cloned();
            let lines = keys
                .filter_map(|(id, port)| self.visible_health(group, &id, port))
                .collect();
            return Ok(Answer::TargetHealth(lines));
        }
        let lines = asked.iter().map(|(id, port)| {
            let port = port.unwrap_or(group.port);
            let unknown = TargetHealth {
                id: id.clone(),
                port,
                health: Health::NotRegistered,
            };
            self.visible_health(group, id, port).unwrap_or(unknown)
        });
        Ok(Answer::TargetHealth(lines.collect()))
    }

    fn visible_health(&self, group: &TargetGroup, id: &str, port: u16) -> Option<TargetHealth> {
        let versions = group.targets.get(&(id.to_owned(), port))?;
        let target = versions.at(earlier(self.now, self.staleness.reads_lag))?;
        Some(TargetHealth {
            id: id.to_owned(),
            port,
            health: group.shown(target.health),
        })
    }

    /// Something about an instance has changed: let each of its targets find out.
    pub(super) fn reassess_targets_of(&mut self, id: &str) {
        let Some(probe) = self.instance(id).map(|i| i.probe()) else {
            return;
        };
        let first = (id.to_owned(), u16::MIN);
        let last = (id.to_owned(), u16::MAX);
        let mut stale = Vec::new();
        for group in self.target_groups.values() {
            for (key, target) in group.targets.range(first.clone()..=last.clone()) {
                if target
                    .now()
                    .is_some_and(|t| t.probe != probe && t.health != Health::Draining)
                {
                    stale.push((group.arn.clone(), key.clone()));
                }
            }
        }
        for (arn, key) in stale {
            self.reassess(&arn, &key, probe);
        }
    }

    fn reassess(&mut self, arn: &str, key: &(String, u16), probe: Probe) {
        let before = self.edit_target(arn, key, |target| {
            let before = target.health;
            target.probe = probe;
            target.generation += 1;
            match probe {
                Probe::NotRunning(state) => target.health = Health::NotRunning(state),
                _ if matches!(before, Health::NotRunning(_)) => target.health = Health::Registering,
                _ => {}
            }
            (before, target.health)
        });
        let Some((before, after)) = before else { return };
        if before != after {
            self.note_health(arn, key, before, after);
        }
        if after == Health::Registering {
            // Also when it was registering already: its timer was of the generation before.
            let wait = self.draw(&self.pace.register_s.clone());
            self.schedule_change(arn, key, wait, Health::InitialChecks);
        } else {
            self.await_checks(arn, key);
        }
    }

    /// A timer has come due: enough checks agreed, or registration is complete.
    pub(super) fn change_target(&mut self, arn: &str, key: &(String, u16), generation: u64, health: Health) {
        let before = self.edit_target(arn, key, |target| {
            if target.generation != generation {
                return None;
            }
            Some(std::mem::replace(&mut target.health, health))
        });
        if let Some(Some(before)) = before {
            self.note_health(arn, key, before, health);
            self.await_checks(arn, key);
        }
    }

    fn await_checks(&mut self, arn: &str, key: &(String, u16)) {
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

    fn schedule_change(&mut self, arn: &str, key: &(String, u16), wait: Duration, health: Health) {
        let target = self
            .target_groups
            .get(arn)
            .and_then(|g| g.targets.get(key))
            .and_then(|t| t.now());
        let Some(generation) = target.map(|t| t.generation) else {
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

    /// A deregistered target begins to drain; it is gone once the group's delay has passed.
    pub(super) fn begin_drain(&mut self, arn: &str, key: &(String, u16)) {
        let Some(delay) = self.target_groups.get(arn).map(|g| g.deregistration_delay) else {
            return;
        };
        let drained = self.edit_target(arn, key, |target| {
            target.generation += 1;
            (
                std::mem::replace(&mut target.health, Health::Draining),
                target.generation,
            )
        });
        let Some((before, generation)) = drained else {
            return;
        };
        self.note_health(arn, key, before, Health::Draining);
        let event = Event::TargetDrained {
            arn: arn.to_owned(),
            target: key.clone(),
            generation,
        };
        self.schedule(delay, event);
    }

    pub(super) fn finish_drain(&mut self, arn: &str, key: &(String, u16), generation: u64) {
        let now = self.now;
        let Some(group) = self.target_groups.get_mut(arn) else {
            return;
        };
        let Some(target) = group.targets.get_mut(key) else {
            return;
        };
        if target.now().is_some_and(|t| t.generation == generation) {
            target.delete(now);
            let name = group.name.clone();
            self.note(&key.0, format!("target of {name}:{}: deregistered", key.1));
        }
    }

    /// A (new) registration. Its checks begin as if the instance had just started to run.
    pub(super) fn register(&mut self, arn: &str, key: &(String, u16)) {
        let now = self.now;
        let Some(probe) = self.instance(&key.0).map(|i| i.probe()) else {
            return;
        };
        let Some(interval) = self.target_groups.get(arn).map(|g| g.interval) else {
            return;
        };
        let phase = self.draw_phase(interval);
        let Some(group) = self.target_groups.get_mut(arn) else {
            return;
        };
        let generation = group
            .targets
            .get(key)
            .and_then(|t| t.now())
            .map_or(0, |t| t.generation + 1);
        let state = match probe {
            Probe::NotRunning(state) => state,
            _ => State::Stopped,
        };
        let target = Target {
            health: Health::NotRunning(state),
            phase,
            probe: Probe::NotRunning(State::Terminated),
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

    pub(super) fn draw_phase(&mut self, interval: Duration) -> Duration {
        let interval_ms = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.rng.u64(0..interval_ms.max(1)))
    }

    fn edit_target<R>(
        &mut self,
        arn: &str,
        key: &(String, u16),
        change: impl FnOnce(&mut Target) -> R,
    ) -> Option<R> {
        let now = self.now;
        self.target_groups
            .get_mut(arn)?
            .targets
            .get_mut(key)?
            .edit(now, change)
    }

    fn note_health(&mut self, arn: &str, key: &(String, u16), before: Health, after: Health) {
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

fn group_not_found() -> ApiError {
    ApiError::new("TargetGroupNotFound", "One or more target groups not found")
}
