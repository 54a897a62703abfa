//! EC2's calls that change something: start, stop, terminate.
//!
//! A batch is checked whole before any of it is done: one bad id fails it, and nothing happens (aws-facts §5).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::World;
use super::api::{Answer, ApiError, Caller, Response, StateChange};
use super::ec2_read::{check_ids, not_found};
use super::instance::{Instance, Scope, State};
use super::launch::{instance_type, vcpus_of};

impl World {
    pub(super) fn start_instances(&mut self, caller: &Caller, ids: &[String], dry_run: bool) -> Response {
        self.check_batch(caller, ids)?;
        for instance in ids.iter().filter_map(|id| self.instance(id)) {
            if let Some(code) = &instance.poison {
                let text = format!("The instance '{}' cannot be started.", instance.id);
                return Err(ApiError::new(code.clone(), text));
            }
            if !matches!(instance.state, State::Stopped | State::Running | State::Pending) {
                return Err(incorrect_state(instance, "started"));
            }
        }
        self.check_room_for(ids)?;
        answer_dry_run(dry_run)?;
        self.change(ids, |world, id, state| {
            if state == State::Stopped {
                world.begin_start(id);
            }
        })
    }

    /// Those of them that are stopped have machines to start on.
    fn check_room_for(&self, ids: &[String]) -> Result<(), ApiError> {
        let named = ids.iter().filter_map(|id| self.instance(id));
        let mut needed: BTreeMap<(&Scope, bool), u32> = BTreeMap::new();
        for instance in named.filter(|i| i.state == State::Stopped) {
            let (zone, kind) = (&instance.zone, &instance.instance_type);
            self.check_offered(zone, kind)?;
            let has_bandwidth =
                instance_type(kind).is_ok_and(|kind| kind.ebs_optimized_support() == "default");
            if instance.settings.ebs_optimized && !has_bandwidth {
                let text = "The requested configuration is currently not supported. Please check the documentation for \
                            supported configurations.";
                return Err(ApiError::new("Unsupported", text));
            }
            if !self.has_capacity(zone, kind) {
                return Err(no_capacity(kind, zone));
            }
            *needed.entry((&instance.scope, instance.spot)).or_default() += vcpus_of(kind);
        }
        for ((scope, spot), vcpus) in needed {
            if vcpus > self.vcpus_left(scope, spot) {
                return Err(self.vcpu_limit(scope));
            }
        }
        Ok(())
    }

    pub(super) fn stop_instances(&mut self, caller: &Caller, ids: &[String], dry_run: bool) -> Response {
        self.check_batch(caller, ids)?;
        for instance in ids.iter().filter_map(|id| self.instance(id)) {
            if !instance.ebs_root {
                let text = format!(
                    "The instance '{}' does not have an 'ebs' root device type and cannot be stopped",
                    instance.id
                );
                return Err(ApiError::new("UnsupportedOperation", text));
            }
            if matches!(instance.state, State::ShuttingDown | State::Terminated) {
                return Err(incorrect_state(instance, "stopped"));
            }
            if instance.state == State::Pending && instance.generation == 0 {
                let text = format!(
                    "Instance '{}' cannot be stopped as it has never reached the 'running' state.",
                    instance.id
                );
                return Err(ApiError::new("IncorrectInstanceState", text));
            }
            if instance.settings.disable_api_stop {
                return Err(protected(instance, "stopped", "disableApiStop"));
            }
            if instance
                .settings
                .spot
                .as_ref()
                .is_some_and(|spot| !spot.persistent)
            {
                let text = format!(
                    "You can't stop the Spot Instance '{}' because it is associated with a one-time Spot Instance \
                     request. You can only stop Spot Instances associated with persistent Spot Instance requests.",
                    instance.id
                );
                return Err(ApiError::new("UnsupportedOperation", text));
            }
        }
        answer_dry_run(dry_run)?;
        let transition = self.user_initiated();
        self.change(ids, |world, id, state| {
            if matches!(state, State::Running | State::Pending) {
                world.begin_stop(id, "Client.UserInitiatedShutdown", &transition);
            }
        })
    }

    pub(super) fn terminate_instances(&mut self, caller: &Caller, ids: &[String], dry_run: bool) -> Response {
        self.check_batch(caller, ids)?;
        let named = ids.iter().filter_map(|id| self.instance(id));
        let is_over = |i: &Instance| matches!(i.state, State::ShuttingDown | State::Terminated);
        let kept = named.filter(|i| i.settings.disable_api_termination && !is_over(i));
        let kept: Vec<Arc<Instance>> = kept.cloned().collect();
        let refusal = kept
            .first()
            .map(|i| protected(i, "terminated", "disableApiTermination"));
        if dry_run {
            return Err(refusal.unwrap_or_else(ApiError::dry_run));
        }
        // A protected instance protects the others of its zone alone: those elsewhere go, though the call fails.
        let is_spared = |id: &&String| {
            let zone = self.instance(id).map(|i| &i.zone);
            kept.iter().any(|i| Some(&i.zone) == zone)
        };
        let going: Vec<String> = ids.iter().filter(|id| !is_spared(id)).cloned().collect();
        let transition = self.user_initiated();
        let answer = self.change(&going, |world, id, state| {
            if !matches!(state, State::ShuttingDown | State::Terminated) {
                world.begin_terminate(id, "Client.UserInitiatedShutdown", &transition);
            }
        });
        refusal.map_or(answer, Err)
    }

    /// EC2's text for a stop that a user asked for.
    pub(super) fn user_initiated(&self) -> String {
        format!("User initiated ({} GMT)", self.now.strftime("%Y-%m-%d %H:%M:%S"))
    }

    pub(super) fn has_capacity(&self, zone: &str, instance_type: &str) -> bool {
        !self.no_capacity.contains(&(zone.to_owned(), None))
            && !self
                .no_capacity
                .contains(&(zone.to_owned(), Some(instance_type.to_owned())))
    }

    /// Ids must have the right form and exist for this caller, in truth.
    pub(super) fn check_batch(&self, caller: &Caller, ids: &[String]) -> Result<(), ApiError> {
        if ids.is_empty() {
            return Err(ApiError::new(
                "MissingParameter",
                "The request must contain the parameter InstanceId",
            ));
        }
        check_ids(ids)?;
        let scope = caller.scope();
        let is_here = |id: &String| self.instance(id).is_some_and(|i| i.scope == scope);
        let missing: Vec<&str> = ids.iter().filter(|id| !is_here(id)).map(String::as_str).collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(not_found(&missing))
        }
    }

    fn change(&mut self, ids: &[String], act: impl Fn(&mut World, &str, State)) -> Response {
        let mut changes = Vec::new();
        for id in ids {
            let Some(previous) = self.instance(id).map(|i| i.state) else {
                continue;
            };
            act(self, id, previous);
            let current = self.instance(id).map_or(previous, |i| i.state);
            changes.push(StateChange {
                id: id.clone(),
                previous,
                current,
            });
            self.own_write(id);
        }
        Ok(Answer::StateChanges(changes))
    }
}

pub(super) fn answer_dry_run(dry_run: bool) -> Result<(), ApiError> {
    if dry_run {
        return Err(ApiError::dry_run());
    }
    Ok(())
}

fn protected(instance: &Instance, verb: &str, attribute: &str) -> ApiError {
    let text = format!(
        "The instance '{}' may not be {verb}. Modify its '{attribute}' instance attribute and try again.",
        instance.id
    );
    ApiError::new("OperationNotPermitted", text)
}

pub(super) fn incorrect_state(instance: &Instance, verb: &str) -> ApiError {
    let text = format!(
        "The instance '{}' is not in a state from which it can be {verb}.",
        instance.id
    );
    ApiError::new("IncorrectInstanceState", text)
}

pub(super) fn no_capacity(instance_type: &str, zone: &str) -> ApiError {
    let text = format!(
        "We currently do not have sufficient {instance_type} capacity in the Availability Zone you requested ({zone})."
    );
    ApiError::with_status(500, "InsufficientInstanceCapacity", text)
}
