//! What can be changed of instances by calls of its own: metadata options, monitoring, CPU credits, the time of an event.

use jiff::{SignedDuration, Timestamp};

use super::super::World;
use super::super::api::{self, ApiError, Asked, Caller, Listing, Response};
use super::super::ec2_read::never_both;
use super::super::ec2_write::incorrect_state;
use super::super::filter;
use super::super::instance::{Instance, ScheduledEvent, State};
use super::super::instance_filters;
use super::super::life::Event;
use super::super::page::paginate;
use super::{Answer, Metadata, MetadataSpec, check};

/// EC2 begins an event at the earliest so long after it was put off.
const EVENT_NOTICE: SignedDuration = SignedDuration::from_mins(60);

/// What one instance of ModifyInstanceCreditSpecification could not have: its id, a code, a sentence.
pub type NotChanged = (String, String, String);

impl World {
    pub(super) fn modify_metadata_options(
        &mut self,
        caller: &Caller,
        id: &str,
        wanted: &MetadataSpec,
    ) -> Response {
        check::metadata(wanted)?;
        if *wanted == MetadataSpec::default() {
            let text = "No metadata options specified.";
            return Err(ApiError::new("InvalidParameterCombination", text));
        }
        let instance = self.own_instance(caller, id)?.clone();
        if !matches!(instance.state, State::Running | State::Stopped) {
            return Err(incorrect_state(&instance, "modified"));
        }
        let options = Metadata {
            pending: true,
            ..instance.settings.metadata.clone().with(wanted)
        };
        self.edit(id, |i| i.settings.metadata = options.clone());
        self.own_write(id);
        self.note(id, "metadata options modified");
        // On a stopped instance they are applied when it starts.
        if instance.state == State::Running {
            self.settle(id);
        }
        let id = id.to_owned();
        Ok(api::Answer::Launch(Answer::MetadataOptions { id, options }))
    }

    pub(super) fn monitor(&mut self, caller: &Caller, ids: &[String], on: bool) -> Response {
        self.check_batch(caller, ids)?;
        let mut asked = ids.iter().filter_map(|id| self.instance(id));
        let over = |i: &&std::sync::Arc<Instance>| matches!(i.state, State::ShuttingDown | State::Terminated);
        if let Some(over) = asked.find(over) {
            return Err(incorrect_state(over, "monitored"));
        }
        let mut states = Vec::new();
        for id in ids {
            let changed = self.edit(id, |i| {
                let is_new = i.settings.monitoring != on;
                i.settings.monitoring = on;
                i.settings.monitoring_changes |= is_new;
                (is_new, i.monitoring_state())
            });
            let Some((is_new, state)) = changed else { continue };
            if is_new {
                self.note(id, format!("detailed monitoring {state}"));
                self.own_write(id);
                self.settle(id);
            }
            states.push((id.clone(), state));
        }
        Ok(api::Answer::Launch(Answer::Monitoring(states)))
    }

    /// What has been changed is so a few seconds later.
    fn settle(&mut self, id: &str) {
        let after = self.draw(&self.pace.settle_s.clone());
        self.schedule(after, Event::Settled { id: id.to_owned() });
    }

    pub(in crate::sim::world) fn settings_in_force(&mut self, id: &str) {
        self.edit(id, |i| {
            i.settings.monitoring_changes = false;
            i.settings.metadata.pending &= i.state == State::Stopped;
        });
    }

    /// Without ids: those that are, or once were, configured as `unlimited`.
    pub(super) fn describe_credits(&self, caller: &Caller, asked: &Asked) -> Response {
        let (own, rest) = filter::take(instance_filters::ID, asked.filters.iter().collect());
        filter::none_left(&rest, "DescribeInstanceCreditSpecifications")?;
        never_both(&asked.ids, &asked.page)?;
        let items = self.listed_instances(caller, &asked.ids, |i| {
            own.pass(i) && (!asked.ids.is_empty() || i.settings.cpu_credits.as_deref() == Some("unlimited"))
        })?;
        let (items, next) = paginate(items, |i| i.id.clone(), &asked.page, 5..=1000, None)?;
        let items = items.iter().map(|i| {
            let credits = i.settings.cpu_credits.as_deref().unwrap_or("standard");
            (i.id.clone(), credits.to_owned())
        });
        let items = items.collect();
        Ok(api::Answer::Launch(Answer::Credits(Listing { items, next })))
    }

    /// Each instance by itself: what cannot be changed is told, the others are.
    pub(super) fn modify_credits(
        &mut self,
        caller: &Caller,
        wanted: &[(String, String)],
        token: Option<&str>,
    ) -> Response {
        if wanted.is_empty() {
            let text = "The request must contain the parameter InstanceCreditSpecification";
            return Err(ApiError::new("MissingParameter", text));
        }
        for (_, credits) in wanted {
            check::credits(Some(credits))?;
        }
        let (scope, request) = (caller.scope(), format!("{wanted:?}"));
        // The token's rules; the change itself is the same however often it is made.
        self.tokens
            .made(&scope, "ModifyInstanceCreditSpecification", token, &request)?;
        self.tokens
            .keep(&scope, "ModifyInstanceCreditSpecification", token, request, "");
        let (mut done, mut failed) = (Vec::new(), Vec::new());
        for (id, credits) in wanted {
            match self.check_credits(caller, id) {
                Err(error) => failed.push((id.clone(), code_of(&error), error.message)),
                Ok(()) => {
                    self.edit(id, |i| i.settings.cpu_credits = Some(credits.clone()));
                    self.note(id, format!("CPU credits: {credits}"));
                    self.own_write(id);
                    done.push(id.clone());
                }
            }
        }
        Ok(api::Answer::Launch(Answer::CreditsChanged { done, failed }))
    }

    fn check_credits(&self, caller: &Caller, id: &str) -> Result<(), ApiError> {
        let instance = self.own_instance(caller, id)?;
        if !matches!(instance.state, State::Running | State::Stopped) {
            return Err(incorrect_state(instance, "modified"));
        }
        let kind = super::instance_type(&instance.instance_type)?;
        if kind.burstable {
            return Ok(());
        }
        Err(no_credits(&instance.instance_type))
    }

    /// AWS lets events be put off that have a deadline, up to it.
    pub(super) fn modify_event_start(
        &mut self,
        caller: &Caller,
        id: &str,
        event: &str,
        not_before: Timestamp,
    ) -> Response {
        let instance = self.own_instance(caller, id)?;
        let found = instance.events.iter().find(|e| e.id == event && e.is_open());
        let Some(found) = found.cloned() else {
            let text = format!("The event ID '{event}' does not exist for the instance '{id}'");
            return Err(ApiError::new("InvalidInstanceEventIDNotFound", text));
        };
        let is_early = not_before.duration_since(self.now) < EVENT_NOTICE;
        let is_late = found
            .not_before_deadline
            .is_none_or(|deadline| not_before > deadline);
        if is_early || is_late || found.not_before <= self.now {
            let text = "The specified scheduled event start time does not meet the requirements for rescheduling a \
                        scheduled event.";
            return Err(ApiError::new("InvalidInstanceEventStartTime", text));
        }
        let moved = ScheduledEvent {
            not_before,
            not_after: found
                .not_after
                .and_then(|end| end.checked_add(not_before.duration_since(found.not_before)).ok()),
            ..found
        };
        self.edit(id, |i| {
            let place = i.events.iter_mut().find(|e| e.id == event);
            if let Some(place) = place {
                place.clone_from(&moved);
            }
        });
        self.schedule_at(
            not_before,
            Event::AnnouncedDue {
                id: id.to_owned(),
                event: event.to_owned(),
            },
        );
        self.note(id, format!("scheduled event {event} put off to {not_before}"));
        self.own_write(id);
        Ok(api::Answer::Launch(Answer::Event(moved)))
    }
}

/// EC2's words for a type that earns and spends none.
pub(super) fn no_credits(kind: &str) -> ApiError {
    let text = format!("The {kind} instance type does not support T2 Unlimited.");
    ApiError::new("InstanceCreditSpecification.NotSupported", text)
}

/// The code of an error of EC2's own.
fn code_of(error: &ApiError) -> String {
    match &error.refusal {
        api::Refusal::Service { code, .. } => code.to_string(),
        other => format!("{other:?}"),
    }
}
