//! How instances live: pending → running, stopping → stopped, shutting-down → terminated, and what follows from it
//! for status checks, the application, scheduled events and targets.
//!
//! Each change of state raises the instance's generation; timers carry the generation they were set for and
//! do nothing once it has passed, so that no cancelled boot ever completes.

use std::time::Duration;

use super::World;
use super::instance::{App, CheckStatus, Instance, ScheduledEvent, State, StateReason};
use super::launch::ImageFault;
use super::target::Health;
use super::versioned::Versioned;
use super::volume;

/// How long a terminated instance is still shown.
const LINGER: Duration = Duration::from_secs(3600);

/// Something that will happen by itself.
#[derive(Debug, Clone)]
pub(super) enum Event {
    Running {
        id: String,
        generation: u64,
    },
    /// The start did not hold: back to stopped, for this reason.
    StartFailed {
        id: String,
        generation: u64,
        code: String,
    },
    /// The launch did not hold: terminated, for this reason.
    LaunchFailed {
        id: String,
        generation: u64,
        code: String,
    },
    Stopped {
        id: String,
        generation: u64,
    },
    Terminated {
        id: String,
        generation: u64,
    },
    /// No read shows it any more.
    Forgotten {
        id: String,
    },
    ChecksPass {
        id: String,
        generation: u64,
    },
    AppUp {
        id: String,
        generation: u64,
    },
    GuestShutdown {
        id: String,
        generation: u64,
    },
    Volume {
        id: String,
        due: volume::Due,
    },
    /// The snapshot is complete.
    SnapshotDue {
        id: String,
    },
    /// The image's snapshots are complete.
    ImageDue {
        id: String,
    },
    /// Changed settings of an instance are in force.
    Settled {
        id: String,
    },
    /// A scheduled event's time has come.
    AnnouncedDue {
        id: String,
        event: String,
    },
    TargetDrained {
        arn: String,
        target: (String, u16),
        generation: u64,
    },
    /// Enough health checks agreed.
    TargetChange {
        arn: String,
        target: (String, u16),
        generation: u64,
        health: Health,
    },
    /// What is shown of a target is forced, or no longer.
    TargetForced {
        arn: String,
        target: (String, u16),
        health: Option<Health>,
    },
    /// A load balancer's nodes are there.
    BalancerActive {
        arn: String,
    },
}

impl World {
    pub(super) fn happen(&mut self, event: Event) {
        match event {
            Event::Running { id, generation } if self.is_current(&id, generation) => self.become_running(&id),
            Event::StartFailed { id, generation, code } if self.is_current(&id, generation) => {
                self.become_stopped(&id, Some(&code));
            }
            Event::LaunchFailed { id, generation, code } if self.is_current(&id, generation) => {
                self.edit(&id, |i| {
                    i.reason = Some(StateReason::of(&code));
                    i.transition_reason = code;
                });
                self.become_terminated(&id);
            }
            Event::Stopped { id, generation } if self.is_current(&id, generation) => {
                self.become_stopped(&id, None);
            }
            Event::Terminated { id, generation } if self.is_current(&id, generation) => {
                self.become_terminated(&id);
            }
            Event::Forgotten { id } => {
                let now = self.now;
                if let Some(versions) = self.instances.get_mut(&id) {
                    versions.delete(now);
                }
            }
            Event::ChecksPass { id, generation } if self.is_current(&id, generation) => self.pass_checks(&id),
            Event::AppUp { id, generation } if self.is_current(&id, generation) => {
                self.edit(&id, |i| i.app_up = true);
            }
            Event::GuestShutdown { id, generation } if self.is_current(&id, generation) => {
                self.shut_down_inside(&id);
            }
            Event::Volume { id, due } => self.volume_due(&id, due),
            Event::SnapshotDue { id } => self.snapshot_due(&id),
            Event::ImageDue { id } => self.image_due(&id),
            Event::Settled { id } => self.settings_in_force(&id),
            Event::AnnouncedDue { id, event } => self.execute_event(&id, &event),
            Event::TargetChange {
                arn,
                target,
                generation,
                health,
            } => {
                self.change_target(&arn, &target, generation, health);
            }
            Event::TargetDrained {
                arn,
                target,
                generation,
            } => self.finish_drain(&arn, &target, generation),
            Event::TargetForced { arn, target, health } => self.force_target(&arn, &target, health),
            Event::BalancerActive { arn } => self.activate_balancer(&arn),
            // A timer of an earlier life of the instance.
            _ => {}
        }
    }

    /// Change an instance in truth, and let its targets notice.
    pub(super) fn edit<R>(&mut self, id: &str, change: impl FnOnce(&mut Instance) -> R) -> Option<R> {
        let now = self.now;
        let result = self.instances.get_mut(id)?.edit(now, change)?;
        self.reassess_targets_of(id);
        Some(result)
    }

    /// A stopped instance begins to start. The caller has checked that it may.
    pub(super) fn begin_start(&mut self, id: &str) {
        let now = self.now;
        let host = self.rng.u64(..);
        let lacks_a_key = self.lacks_a_key(id);
        self.note_change(id, State::Pending, "");
        let Some((generation, fails)) = self.edit(id, |i| {
            enter(i, State::Pending, now);
            i.reason = None;
            i.transition_reason = String::new();
            i.launch_time = now;
            i.host = host;
            // Other hardware: what was announced for the old host is over.
            for event in i.events.iter_mut().filter(|e| e.is_open() && is_hardware(e)) {
                event.description = format!("[Completed] {}", event.description);
            }
            let fails = i.failing_starts > 0 || lacks_a_key;
            i.failing_starts = i.failing_starts.saturating_sub(1);
            (i.generation, fails)
        }) else {
            return;
        };
        self.assign_public_ip(id);
        let boot = self.draw(&self.pace.boot_s.clone());
        let id = id.to_owned();
        if fails {
            let code = "Client.InternalError".to_owned();
            self.schedule(boot, Event::StartFailed { id, generation, code });
        } else {
            self.schedule(boot, Event::Running { id, generation });
        }
    }

    /// A pending or running instance begins to stop.
    pub(super) fn begin_stop(&mut self, id: &str, code: &str, transition: &str) {
        let Some(generation) = self.begin_to_end(id, State::Stopping, code, transition) else {
            return;
        };
        let after = self.draw(&self.pace.stop_s.clone());
        let id = id.to_owned();
        self.schedule(after, Event::Stopped { id, generation });
    }

    /// An instance in any living state begins to terminate.
    pub(super) fn begin_terminate(&mut self, id: &str, code: &str, transition: &str) {
        let Some(generation) = self.begin_to_end(id, State::ShuttingDown, code, transition) else {
            return;
        };
        let after = self.draw(&self.pace.terminate_s.clone());
        let id = id.to_owned();
        self.schedule(after, Event::Terminated { id, generation });
    }

    /// It goes into a state on the way down, for this reason; returns its new generation.
    fn begin_to_end(&mut self, id: &str, state: State, code: &str, transition: &str) -> Option<u64> {
        let now = self.now;
        self.note_change(id, state, code);
        self.edit(id, |i| {
            enter(i, state, now);
            if state == State::Stopping {
                i.stop_began = Some(now);
            }
            i.app_up = false;
            i.reason = Some(StateReason::of(code));
            i.transition_reason = transition.to_owned();
            i.generation
        })
    }

    /// The machine restarts without leaving its host.
    pub(super) fn reboot(&mut self, id: &str) {
        let now = self.now;
        let generation = self.edit(id, |i| {
            i.generation += 1;
            i.app_up = false;
            i.instance_check = CheckStatus::Initializing;
            i.state_since = now;
            i.generation
        });
        if let Some(generation) = generation {
            self.note(id, "rebooted");
            self.after_boot(id, generation);
        }
    }

    fn become_running(&mut self, id: &str) {
        let now = self.now;
        self.note_change(id, State::Running, "");
        let generation = self.edit(id, |i| {
            enter(i, State::Running, now);
            i.settings.metadata.pending = false;
            i.system_check = CheckStatus::Initializing;
            i.instance_check = CheckStatus::Initializing;
            i.ebs_check = CheckStatus::Initializing;
            i.generation
        });
        if let Some(generation) = generation {
            self.after_boot(id, generation);
        }
    }

    fn after_boot(&mut self, id: &str, generation: u64) {
        let checks = self.draw(&self.pace.checks_s.clone());
        let app_up = self.draw(&self.pace.app_s.clone());
        self.schedule(
            checks,
            Event::ChecksPass {
                id: id.to_owned(),
                generation,
            },
        );
        self.schedule(
            app_up,
            Event::AppUp {
                id: id.to_owned(),
                generation,
            },
        );
        if let Some(App::ShutsDownAfter(time)) = self.instance(id).map(|i| i.app) {
            self.schedule(
                time,
                Event::GuestShutdown {
                    id: id.to_owned(),
                    generation,
                },
            );
        }
    }

    fn become_stopped(&mut self, id: &str, failed_for: Option<&str>) {
        let now = self.now;
        self.note_change(id, State::Stopped, failed_for.unwrap_or(""));
        self.edit(id, |i| {
            enter(i, State::Stopped, now);
            i.app_up = false;
            if let Some(code) = failed_for {
                i.reason = Some(StateReason::of(code));
                i.transition_reason = i.reason.as_ref().map(|r| r.message.clone()).unwrap_or_default();
            }
        });
        self.drop_public_ip(id);
    }

    fn become_terminated(&mut self, id: &str) {
        let now = self.now;
        self.note_change(id, State::Terminated, "");
        self.edit(id, |i| enter(i, State::Terminated, now));
        self.deregister_terminated(id);
        self.release_volumes(id);
        self.release_interfaces(id);
        self.schedule(LINGER, Event::Forgotten { id: id.to_owned() });
    }

    /// Somebody, or something, runs `shutdown` inside: the instance stops, or terminates if it is set to.
    pub(super) fn shut_down_inside(&mut self, id: &str) {
        let terminates = self.instance(id).is_some_and(|i| i.settings.shutdown_terminates);
        let code = "Client.InstanceInitiatedShutdown";
        match terminates {
            true => self.begin_terminate(id, code, "Instance initiated"),
            false => self.begin_stop(id, code, "Instance initiated"),
        }
    }

    fn pass_checks(&mut self, id: &str) {
        let image = self.instance(id).map(|i| i.image.clone()).unwrap_or_default();
        if self.launching.image_faults.get(&image) == Some(&ImageFault::NeverBoots) {
            let impaired = CheckStatus::Impaired(self.now);
            self.edit(id, |i| i.instance_check = impaired);
        }
        self.edit(id, |i| {
            for check in [&mut i.system_check, &mut i.instance_check, &mut i.ebs_check] {
                if *check == CheckStatus::Initializing {
                    *check = CheckStatus::Ok;
                }
            }
        });
    }

    /// AWS carries out a scheduled event, unless the instance has moved away in time.
    fn execute_event(&mut self, id: &str, event: &str) {
        let now = self.now;
        let due = self.edit(id, |i| {
            let state = (i.state, i.ebs_root);
            // One that was put off has another time.
            let is_due = |e: &&mut ScheduledEvent| e.id == event && e.is_open() && e.not_before <= now;
            let event = i.events.iter_mut().find(is_due)?;
            event.description = format!("[Completed] {}", event.description);
            Some((event.code.clone(), state))
        });
        let Some(Some((code, (state, ebs_root)))) = due else {
            return;
        };
        self.note(id, format!("scheduled event {event} ({code}) is carried out"));
        let running = matches!(state, State::Running | State::Pending);
        match code.as_str() {
            "instance-retirement" if !ebs_root && running => {
                self.begin_terminate(id, "Server.ScheduledStop", "Server.ScheduledStop");
            }
            "instance-retirement" | "instance-stop" if running => {
                // The text beside a scheduled stop has been seen to blame the user (aws-facts §1).
                self.begin_stop(id, "Server.ScheduledStop", "User initiated");
            }
            "instance-reboot" | "system-reboot" if running => self.reboot(id),
            _ => {}
        }
    }

    /// Written before the change itself, so that the log tells causes before their effects.
    fn note_change(&mut self, id: &str, to: State, code: &str) {
        let Some(from) = self.instance(id).map(|i| i.state) else {
            return;
        };
        let code = if code.is_empty() {
            String::new()
        } else {
            format!(" ({code})")
        };
        self.note(id, format!("{} → {}{code}", from.name(), to.name()));
    }

    pub(super) fn is_current(&self, id: &str, generation: u64) -> bool {
        self.instances
            .get(id)
            .and_then(Versioned::now)
            .is_some_and(|i| i.generation == generation)
    }
}

fn enter(instance: &mut Instance, state: State, now: jiff::Timestamp) {
    instance.state = state;
    instance.state_since = now;
    instance.generation += 1;
    for check in [
        &mut instance.system_check,
        &mut instance.instance_check,
        &mut instance.ebs_check,
    ] {
        *check = CheckStatus::NotApplicable;
    }
}

/// The event concerns the host, and is over once the instance has moved to another.
fn is_hardware(event: &ScheduledEvent) -> bool {
    matches!(
        event.code.as_str(),
        "instance-retirement" | "instance-stop" | "system-reboot" | "system-maintenance"
    )
}
