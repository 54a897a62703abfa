//! What AWS and people do behind the controller's back: the levers of tests, scenarios and the demo.
//!
//! They act on the world's truth at the world's present time, need no permission and are throttled by nothing. An
//! unknown id changes nothing and returns `false`, so that a scenario can assert its levers.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::image::{Image, ImageState};
use super::instance::{App, Check, CheckStatus, ScheduledEvent, Scope, State};
use super::launch::ImageFault;
use super::life::Event;
use super::{Pace, Staleness, World, later};

impl World {
    /// AWS stops it, for `code`: `Server.ScheduledStop`, `Server.InternalError`, …
    pub fn stop_by_aws(&mut self, id: &str, code: &str) -> bool {
        // The text beside it blames the user, as it has been seen to (aws-facts §1).
        let transition = self.user_initiated();
        self.stop_as(id, code, &transition)
    }

    /// A person, or a scheduler in a person's name, stops it.
    pub fn stop_by_person(&mut self, id: &str) -> bool {
        let transition = self.user_initiated();
        self.stop_as(id, "Client.UserInitiatedShutdown", &transition)
    }

    /// Somebody runs `shutdown` inside it.
    pub fn stop_by_guest(&mut self, id: &str) -> bool {
        let can = matches!(self.state_of(id), Some(State::Running | State::Pending));
        if can {
            self.shut_down_inside(id);
        }
        can
    }

    /// A person starts it.
    pub fn start_by_person(&mut self, id: &str) -> bool {
        let can = self.state_of(id) == Some(State::Stopped);
        if can {
            self.begin_start(id);
        }
        can
    }

    /// A person terminates it.
    pub fn terminate(&mut self, id: &str) -> bool {
        let living = self
            .state_of(id)
            .is_some_and(|s| !matches!(s, State::ShuttingDown | State::Terminated));
        if living {
            let transition = self.user_initiated();
            self.begin_terminate(id, "Client.UserInitiatedShutdown", &transition);
        }
        living
    }

    /// AWS terminates it, for `code`: its host is lost, and with it what cannot be moved.
    pub fn terminate_by_aws(&mut self, id: &str, code: &str) -> bool {
        let living = self
            .state_of(id)
            .is_some_and(|s| !matches!(s, State::ShuttingDown | State::Terminated));
        if living {
            self.begin_terminate(id, code, code);
        }
        living
    }

    /// A person reboots it.
    pub fn reboot_by_person(&mut self, id: &str) -> bool {
        let running = self.state_of(id) == Some(State::Running);
        if running {
            self.reboot(id);
        }
        running
    }

    /// A person sets a tag, or with `None` deletes it.
    pub fn retag(&mut self, id: &str, key: &str, value: Option<&str>) -> bool {
        let known = self.instance(id).is_some();
        if known {
            self.set_tag(id, key, value);
        }
        known
    }

    /// The image is deregistered: instances run and start on, and nothing new can be launched.
    pub fn deregister_image(&mut self, id: &str) -> bool {
        let now = self.now;
        let is_gone = |image: &Image| matches!(image.state, ImageState::Deregistered(_));
        if self.image(id).is_some_and(is_gone) {
            return false;
        }
        self.set_image(id, ImageState::Deregistered(now), "deregistered")
    }

    /// The image is disabled, which can be undone, and thereby private, which stays.
    pub fn disable_image(&mut self, id: &str) -> bool {
        let make_private = |image: &mut Image| (image.public, image.shared_with) = (false, BTreeSet::new());
        self.images.edit(self.now, id, make_private);
        self.set_image(id, ImageState::Disabled, "disabled")
    }

    /// The image is available again: enabled, or restored from the Recycle Bin.
    pub fn restore_image(&mut self, id: &str) -> bool {
        self.set_image(id, ImageState::Available, "available again")
    }

    /// The owner shares the image with an account, or no longer does.
    pub fn share_image(&mut self, id: &str, account: &str, shared: bool) -> bool {
        let known = self.images.edit(self.now, id, |image| match shared {
            true => image.shared_with.insert(account.to_owned()),
            false => image.shared_with.remove(account),
        });
        self.note(
            id,
            format!(
                "image {}shared with {account}",
                if shared { "" } else { "no longer " }
            ),
        );
        known.is_some()
    }

    /// The account's Allowed AMIs setting excludes the image, or no longer does.
    pub fn allow_image(&mut self, id: &str, account: &str, allowed: bool) -> bool {
        let known = self.images.edit(self.now, id, |image| match allowed {
            true => image.not_allowed_in.remove(account),
            false => image.not_allowed_in.insert(account.to_owned()),
        });
        self.note(
            id,
            format!("image {}allowed in {account}", if allowed { "" } else { "not " }),
        );
        known.is_some()
    }

    /// The image is deprecated from `at` on.
    pub fn deprecate_image(&mut self, id: &str, at: Timestamp) -> bool {
        self.note(id, format!("image deprecated from {at}"));
        self.images
            .edit(self.now, id, |image| image.deprecation = Some(at))
            .is_some()
    }

    /// A status check of a running instance begins to fail. A stop and start mends it.
    pub fn impair(&mut self, id: &str, check: Check) -> bool {
        let status = CheckStatus::Impaired(self.now);
        self.set_check(id, check, status)
    }

    /// A status check passes again by itself.
    pub fn mend(&mut self, id: &str, check: Check) -> bool {
        self.set_check(id, check, CheckStatus::Ok)
    }

    /// AWS announces an event (`instance-retirement`, …) for `not_before`, and carries it out then. Returns its id.
    pub fn schedule_event(&mut self, id: &str, code: &str, not_before: Timestamp) -> String {
        let event_id = format!("instance-event-{:017x}", self.rng.u64(..));
        let event = ScheduledEvent {
            id: event_id.clone(),
            code: code.to_owned(),
            description: "The instance is running on degraded hardware".to_owned(),
            not_before,
            not_after: Some(later(not_before, Duration::from_secs(2 * 3600))),
            not_before_deadline: None,
        };
        self.edit(id, |i| i.events.push(event));
        self.note(
            id,
            format!("scheduled event {event_id} ({code}) for {not_before}"),
        );
        self.schedule_at(
            not_before,
            Event::AnnouncedDue {
                id: id.to_owned(),
                event: event_id.clone(),
            },
        );
        event_id
    }

    /// The event can be put off until `deadline`, by whoever may call ModifyInstanceEventStartTime.
    pub fn set_event_deadline(&mut self, id: &str, event: &str, deadline: Timestamp) -> bool {
        let found = self.edit(id, |i| {
            let event = i.events.iter_mut().find(|e| e.id == event && e.is_open());
            event.map(|e| e.not_before_deadline = Some(deadline)).is_some()
        });
        found == Some(true)
    }

    /// Something happens that no API shows, such as a mail: it is in the log and nowhere else.
    pub fn remark(&mut self, subject: &str, what: &str) {
        self.note(subject, what);
    }

    /// AWS calls a scheduled event off.
    pub fn cancel_event(&mut self, id: &str, event: &str) -> bool {
        let found = self.edit(id, |i| {
            let event = i.events.iter_mut().find(|e| e.id == event && e.is_open());
            event
                .map(|e| e.description = format!("[Canceled] {}", e.description))
                .is_some()
        });
        found == Some(true)
    }

    /// The application on the instance behaves so from now on.
    pub fn set_app(&mut self, id: &str, app: App) -> bool {
        self.note(id, format!("application: {app:?}"));
        self.edit(id, |i| i.app = app).is_some()
    }

    /// A zone has no capacity for starts (of one instance type, or of any), or has it again.
    pub fn capacity(&mut self, zone: &str, instance_type: Option<&str>, available: bool) {
        let key = (zone.to_owned(), instance_type.map(str::to_owned));
        self.note(
            zone,
            format!("capacity {}", if available { "back" } else { "gone" }),
        );
        match available {
            true => self.no_capacity.remove(&key),
            false => self.no_capacity.insert(key),
        };
    }

    /// A zone does not have an instance type at all, or has it.
    pub fn offer(&mut self, zone: &str, instance_type: &str, offered: bool) {
        let key = (zone.to_owned(), instance_type.to_owned());
        let what = if offered { "offered" } else { "not offered" };
        self.note(zone, format!("{instance_type} {what}"));
        match offered {
            true => self.launching.not_offered.remove(&key),
            false => self.launching.not_offered.insert(key),
        };
    }

    /// Its next `times` starts do not hold: pending, then stopped with Client.InternalError.
    pub fn fail_start(&mut self, id: &str, times: u32) -> bool {
        self.edit(id, |i| i.failing_starts = times).is_some()
    }

    /// The KMS key is disabled, or enabled again: instances with volumes under it do not start meanwhile.
    pub fn disable_key(&mut self, arn: &str, disabled: bool) {
        self.note(arn, if disabled { "key disabled" } else { "key enabled" });
        match disabled {
            true => self.disabled_keys.insert(arn.to_owned()),
            false => self.disabled_keys.remove(arn),
        };
    }

    /// The instance's root volume is encrypted with this key, and always was.
    pub fn encrypt_root(&mut self, id: &str, key: &str) -> bool {
        let root = self
            .instance(id)
            .and_then(|i| Some(i.devices.get(&i.root_device)?.volume.clone()));
        root.is_some_and(|volume| self.encrypt_volume(&volume, key))
    }

    /// Any start that names it fails with `code`, and the whole batch with it; `None` ends that.
    pub fn poison(&mut self, id: &str, code: Option<&str>) -> bool {
        self.edit(id, |i| i.poison = code.map(str::to_owned)).is_some()
    }

    /// A person sets an SSM parameter.
    pub fn set_parameter(&mut self, scope: &Scope, name: &str, value: &str) {
        self.write_parameter(scope, name, value, "String");
    }

    /// A person deletes an SSM parameter.
    pub fn delete_parameter_by_person(&mut self, scope: &Scope, name: &str) {
        self.remove_parameter(scope, name);
    }

    /// Instances launched from the image from now on do not work, or with `None` do again.
    pub fn break_image(&mut self, id: &str, fault: Option<ImageFault>) {
        self.note(id, format!("image's instances: {fault:?}"));
        match fault {
            Some(fault) => self.launching.image_faults.insert(id.to_owned(), fault),
            None => self.launching.image_faults.remove(id),
        };
    }

    /// An instance profile, by ARN, does not exist, or does again.
    pub fn lose_profile(&mut self, arn: &str, lost: bool) {
        match lost {
            true => self.launching.lost_profiles.insert(arn.to_owned()),
            false => self.launching.lost_profiles.remove(arn),
        };
    }

    /// A person sets or lifts an instance's termination and stop protection.
    pub fn protect(&mut self, id: &str, termination: bool, stop: bool) -> bool {
        let edited = self.edit(id, |i| {
            i.settings.disable_api_termination = termination;
            i.settings.disable_api_stop = stop;
        });
        edited.is_some()
    }

    /// Reads lag, or no longer do.
    pub fn set_staleness(&mut self, staleness: Staleness) {
        self.staleness = staleness;
    }

    /// Listings of instances, of their status and of their images come in pages of this size at the most: AWS may return fewer
    /// than are asked for.
    pub fn set_most_per_page(&mut self, most: usize) {
        self.most_per_page = Some(most.max(1));
    }

    /// Requests are limited, or no longer are.
    pub fn set_throttling(&mut self, on: bool) {
        self.throttling = on;
    }

    /// How long things take now.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    /// Things take so long from now on. Returns how long they took.
    pub fn set_pace(&mut self, pace: Pace) -> Pace {
        std::mem::replace(&mut self.pace, pace)
    }

    /// No read shows a terminated instance any more, long before its time.
    pub fn vanish(&mut self, id: &str) -> bool {
        let gone = self.state_of(id) == Some(State::Terminated);
        if gone {
            self.note(id, "vanished from reads");
            self.happen(Event::Forgotten { id: id.to_owned() });
        }
        gone
    }

    /// An existing instance is absent from every read until `until`.
    pub fn hide_instance(&mut self, id: &str, until: Timestamp) {
        self.note(id, format!("absent from reads until {until}"));
        self.hidden.insert(id.to_owned(), until);
    }

    /// The account may no longer call `action` (`StartInstances`), or may again. Of Elastic Load Balancing's writes also on one
    /// resource alone: `"RegisterTargets ARN"`.
    pub fn deny(&mut self, account: &str, action: &str, denied: bool) {
        let key = (account.to_owned(), action.to_owned());
        match denied {
            true => self.denied.insert(key),
            false => self.denied.remove(&key),
        };
    }

    fn stop_as(&mut self, id: &str, code: &str, transition: &str) -> bool {
        let can = matches!(self.state_of(id), Some(State::Running | State::Pending));
        if can {
            self.begin_stop(id, code, transition);
        }
        can
    }

    fn state_of(&self, id: &str) -> Option<State> {
        self.instance(id).map(|i| i.state)
    }

    fn set_image(&mut self, id: &str, state: ImageState, what: &str) -> bool {
        self.note(id, format!("image {what}"));
        self.images
            .edit(self.now, id, |image| image.state = state)
            .is_some()
    }

    fn set_check(&mut self, id: &str, check: Check, status: CheckStatus) -> bool {
        let running = self.state_of(id) == Some(State::Running);
        if running {
            self.note(id, format!("{} check {}", check.name(), status.name()));
            self.edit(id, |i| match check {
                Check::System => i.system_check = status,
                Check::Instance => i.instance_check = status,
                Check::AttachedEbs => i.ebs_check = status,
            });
        }
        running
    }
}
