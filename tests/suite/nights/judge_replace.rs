//! What must be true in the end of whatever was launched, and of what was to be replaced.
//!
//! Read from the world's truth and from what was drawn. Where the policy leaves a reason to wait for ever, the wait is
//! excused by that reason alone. The controller is believed in one thing: that it cannot know, or cannot repeat, how an
//! instance was made.

use super::fleet::{Fleet, Group, Kind, Select, Service, Slot, group_name, service_name, slot_name};
use super::judge::is_paused;
use super::meddle::Meddler;
use super::newcomers::{REPLACES, newest};
use super::night::{Disturbance, Edit, Night, Tag, What};
use super::process::Process;
use super::replacing::Source;
use jiff::Timestamp;
use keepgreen::sim::Stage;
use keepgreen::sim::oracle::Declared;
use keepgreen::sim::world::{Health, ImageState, Instance, State, TargetGroup};

const RETIRED: &str = "keepgreen:retired";
/// So many that do not run may hold every launch back for as long as they do not.
const BREAKS: usize = 3;

/// What of replacements is not as it must be in the end.
pub fn unfinished(stage: &Stage, meddler: &Meddler, process: &Process, night: &Night) -> Vec<String> {
    let (declared, calls) = (meddler.office.declared(), stage.cloud.calls());
    let instances: Vec<Instance> = stage
        .cloud
        .world(|world| world.instances().map(|i| Instance::clone(i)).collect());
    let end = End {
        stage,
        process,
        fleet: &night.fleet,
        disturbances: &night.disturbances,
        declared: &declared,
        instances: &instances,
        launches: calls.iter().filter(|call| call.action == "RunInstances").count(),
        storm_over: meddler.at(night.storm_s),
    };
    // Nothing of a replacement may go on while too much ails at once.
    if !night.fleet.replaces() || end.may_be_broken() {
        return Vec::new();
    }
    let mut found = end.left_over();
    for (number, service) in meddler.office.in_force() {
        found.extend(end.of_service(number, service));
    }
    found
}

struct End<'a> {
    stage: &'a Stage,
    process: &'a Process,
    fleet: &'a Fleet,
    disturbances: &'a [Disturbance],
    declared: &'a Declared,
    instances: &'a [Instance],
    launches: usize,
    storm_over: Timestamp,
}

impl End<'_> {
    /// Living instances that were launched in the place of one that still has it, and retired ones that still run or serve.
    fn left_over(&self) -> Vec<String> {
        let mut found = Vec::new();
        for new in self.instances.iter().filter(|i| is_alive(i)) {
            let Some(old) = new.tag(REPLACES).and_then(|old| self.instance(old)) else {
                continue;
            };
            let is_excused = || {
                self.is_paused(new)
                    || self.is_paused(old)
                    || self.is_of_nobody(old)
                    || self.is_kept_by_a_floor(old)
            };
            if is_alive(old) && old.tag(RETIRED).is_none() && !is_excused() {
                found.push(format!(
                    "unfinished: {} is {} in the place of {}, which is {} and not retired",
                    new.id,
                    new.state.name(),
                    old.id,
                    old.state.name()
                ));
            }
        }
        found
    }

    fn instance(&self, id: &str) -> Option<&Instance> {
        self.instances.iter().find(|instance| instance.id == id)
    }

    /// Too few run: nothing may be launched until they do.
    fn may_be_broken(&self) -> bool {
        let down = |i: &&Instance| self.declared.services_of(i).next().is_some() && i.state != State::Running;
        let missing = self.fleet.servers.len()
            - (0..self.fleet.servers.len())
                .filter(|n| self.instance(&Fleet::id(*n)).is_some_and(is_alive))
                .count();
        self.instances.iter().filter(down).count() + missing >= BREAKS
    }

    fn is_paused(&self, instance: &Instance) -> bool {
        let mut owners = self.declared.services_of(instance);
        owners.any(|(service, _)| is_paused(self.declared, &service.name, Some(instance), self.stage))
    }

    /// No policy, or more than one, has it.
    fn is_of_nobody(&self, instance: &Instance) -> bool {
        self.declared.services_of(instance).count() != 1
    }

    /// Some group cannot spare it: too few are healthy, whoever is to take its place included.
    fn is_kept_by_a_floor(&self, old: &Instance) -> bool {
        let mut living = self.instances.iter().filter(|i| is_alive(i));
        let to_come = usize::from(!living.any(|new| new.tag(REPLACES) == Some(&old.id)));
        let is_kept = |(n, group): (usize, &Group)| {
            let floor = usize::try_from(group.min_healthy.unwrap_or(1)).unwrap_or(usize::MAX);
            self.stage.cloud.world(|world| {
                let healthy = world
                    .target_group(&group_name(n))
                    .map(TargetGroup::healthy_targets);
                let healthy = healthy.unwrap_or_default();
                let own = healthy.iter().filter(|key| key.0 == old.id).count();
                own > 0 && healthy.len() + to_come < floor + own
            })
        };
        self.fleet.groups.iter().enumerate().any(is_kept)
    }

    /// What a service was to replace, and did not.
    fn of_service(&self, number: usize, service: &Service) -> Vec<String> {
        let name = service_name(number);
        let Some(replace) = &service.replace else {
            return Vec::new();
        };
        let from_nothing = replace.sources.iter().all(|source| *source == Source::Nothing);
        let tries = usize::try_from(service.attempts.min(service.attempts_per_day)).unwrap_or(usize::MAX);
        let gave_up = self.process.is_quarantined(&name) && self.launches >= tries;
        if from_nothing || gave_up || is_paused(self.declared, &name, None, self.stage) {
            return Vec::new();
        }
        let mut found = Vec::new();
        for (index, slot) in service.slots.iter().enumerate() {
            if slot.idle || !matches!(slot.select, Select::Name | Select::Tags) {
                continue;
            }
            let is_member = |i: &&Instance| is_alive(i) && self.is_of(i, &name, slot_name(index));
            let members: Vec<&Instance> = self.instances.iter().filter(is_member).collect();
            if replace.image_gone_s.is_some() {
                let dead = members.iter().filter(|i| self.must_go(i, slot));
                found.extend(dead.map(|i| format!("unfinished: {} of {name} has no image in the end", i.id)));
            }
            let lost = self.lost(number, slot);
            // A slot may have been short from the beginning: what it never had, nobody can make.
            let servers = self.fleet.servers.iter();
            let had = servers.filter(|one| one.service == number && one.of == slot.of);
            let wanted = usize::try_from(slot.count).unwrap_or(usize::MAX).min(had.count());
            if replace.missing_s.is_some() && !lost.is_empty() && members.len() < wanted {
                found.push(format!(
                    "unfinished: slot {} of {name} has {} of {wanted}; lost were {}",
                    slot_name(index),
                    members.len(),
                    lost.join(", ")
                ));
            }
        }
        found
    }

    /// In this slot and no other.
    fn is_of(&self, instance: &Instance, service: &str, slot: &str) -> bool {
        let owners: Vec<_> = self.declared.services_of(instance).collect();
        matches!(owners.as_slice(), [(s, o)] if s.name == service && o.name == slot)
    }

    /// It serves, its image has been gone since the storm, and nothing says that it may stay.
    fn must_go(&self, instance: &Instance, slot: &Slot) -> bool {
        let is_dead = self.stage.cloud.world(|world| {
            let state = world.image(&instance.image).map(|image| image.state);
            matches!(state, Some(ImageState::Deregistered(at)) if at < self.storm_over)
        });
        is_dead
            && instance.state == State::Running
            && !instance.spot
            && instance.ebs_root
            && !self.is_paused(instance)
            && self.serves(instance, slot)
            && !self.is_kept_by_a_floor(instance)
            && !self.process.cannot_clone(&instance.id)
    }

    /// Healthy wherever its slot wants it.
    fn serves(&self, instance: &Instance, slot: &Slot) -> bool {
        self.stage.cloud.world(|world| {
            slot.groups.iter().all(|wanted| {
                world
                    .target_group(&group_name(wanted.group))
                    .is_some_and(|group| {
                        let port = wanted.port.unwrap_or(group.port);
                        !group.is_in_use() || group.health_of(&instance.id, port) == Health::Healthy
                    })
            })
        })
    }

    /// The slot's own servers that are gone, and could be made again.
    fn lost(&self, number: usize, slot: &Slot) -> Vec<String> {
        // What was gone when the slots were swapped has no tags any more that would tell whose it is now.
        let swaps = |one: &Disturbance| matches!(one.what, What::Edit { service, edit: Edit::Swap } if service == number);
        if self.disturbances.iter().any(swaps) {
            return Vec::new();
        }
        // What ended while its slot was idle was missed by nobody.
        let mut drawn = self.fleet.services[number].slots.iter();
        if drawn.any(|one| one.of == slot.of && one.idle) {
            return Vec::new();
        }
        let servers = self.fleet.servers.iter().enumerate();
        let own = servers.filter(|(_, server)| {
            server.service == number
                && server.of == slot.of
                && server.also.is_none()
                && server.kind == Kind::OnDemand
                && server.stopped.is_none()
        });
        let ids = own.map(|(n, _)| (n, Fleet::id(n)));
        let has_heir = |n: usize| self.stage.cloud.world(|world| newest(world, n).is_some());
        // What somebody has marked as replaced, or taken out of its slot, is missed by nobody.
        let was_marked = |n: usize| {
            self.disturbances
                .iter()
                .any(|one| matches!(&one.what, What::Retag { server, tag: Tag::Retired | Tag::Lost, .. } if *server == n))
        };
        ids.filter(|(n, id)| {
            !was_marked(*n)
                && !self.instance(id).is_some_and(is_alive)
                && !self.process.cannot_clone(id)
                && !has_heir(*n)
        })
        .map(|(_, id)| id)
        .collect()
    }
}

fn is_alive(instance: &Instance) -> bool {
    !matches!(instance.state, State::Terminated | State::ShuttingDown)
}
