//! EC2's calls that change something: start, stop, terminate.
//!
//! A batch is checked whole before any of it is done: one bad id fails it, and nothing happens (aws-facts §5).

use super::World;
use super::api::{Answer, ApiError, Caller, Response, StateChange};
use super::ec2_read::{check_ids, not_found};
use super::instance::{Instance, State};

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
        for instance in ids.iter().filter_map(|id| self.instance(id)) {
            if instance.state == State::Stopped && !self.has_capacity(&instance.zone, &instance.instance_type)
            {
                return Err(no_capacity(&instance.instance_type, &instance.zone));
            }
        }
        answer_dry_run(dry_run)?;
        self.change(ids, |world, id, state| {
            if state == State::Stopped {
                world.begin_start(id);
            }
        })
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
        for instance in ids.iter().filter_map(|id| self.instance(id)) {
            let is_over = matches!(instance.state, State::ShuttingDown | State::Terminated);
            if instance.settings.disable_api_termination && !is_over {
                return Err(protected(instance, "terminated", "disableApiTermination"));
            }
        }
        answer_dry_run(dry_run)?;
        let transition = self.user_initiated();
        self.change(ids, |world, id, state| {
            if !matches!(state, State::ShuttingDown | State::Terminated) {
                world.begin_terminate(id, "Client.UserInitiatedShutdown", &transition);
            }
        })
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
