//! That it gets anywhere: L1, judged as time passes and at the end of a run.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use super::case::{Arrival, Memory, was_stopped_by_person};
use super::declared::{Declared, OperatorStop, Service, Slot};
use super::step;
use super::tally::Findings;
use crate::sim::world::{App, Instance, State, World, later};

/// Calm for so long, and everything that can be healed is: the longest grace that a stop can have (1 h, unannounced), the
/// longest cooldown (1 h), and a boot.
pub const STABLE_WITHIN: Duration = Duration::from_secs(150 * 60);

/// What is noted while time passes.
#[derive(Debug, Default)]
pub(super) struct Watch {
    observed: Option<Timestamp>,
    /// Since when nothing is injected and nobody meddles.
    calm: Option<Timestamp>,
    /// Mutations during the calm: when, call, of what.
    late: VecDeque<(Timestamp, u64, Vec<String>)>,
}

impl Watch {
    /// Returns when it was observed last.
    pub(super) fn observed(&mut self, now: Timestamp) -> Timestamp {
        self.observed.replace(now).unwrap_or(Timestamp::MIN)
    }

    pub(super) fn calm(&mut self, now: Timestamp) {
        self.calm = Some(now);
    }

    pub(super) fn sent(&mut self, arrival: &Arrival) {
        let Some(calm) = self.calm else { return };
        let world = arrival.world;
        // What happens by itself, even in the calm, gets the same time to be healed.
        let concerned = step::concerned(arrival);
        let began = concerned
            .iter()
            .filter_map(|id| world.instance(id)?.stop_began)
            .max();
        if later(began.unwrap_or(calm).max(calm), STABLE_WITHIN) < world.now() {
            let ids = concerned.into_iter().map(str::to_owned).collect();
            self.late.push_back((arrival.sent, arrival.number, ids));
        }
    }
}

/// Faults off: healed within [`STABLE_WITHIN`], and from then on no mutation.
pub(super) fn l1_eventually_stable(
    watch: &Watch,
    world: &World,
    declared: &Declared,
    memory: &Memory,
    findings: &mut Findings,
) {
    let Some(calm) = watch
        .calm
        .filter(|calm| later(*calm, STABLE_WITHIN) < world.now())
    else {
        return;
    };
    findings.require(watch.late.is_empty(), || {
        let (at, call, ids) = watch.late.front().cloned().unwrap_or((calm, 0, Vec::new()));
        format!(
            "{} mutations long after {calm}, the first by call {call} at {at} on {ids:?}",
            watch.late.len()
        )
    });
    for instance in world.instances() {
        let Some((service, slot)) = declared.owner_of(instance) else {
            continue;
        };
        let since = instance.stop_began.unwrap_or(instance.state_since).max(calm);
        let had_time = later(since, STABLE_WITHIN) < world.now();
        if instance.state == State::Stopped
            && had_time
            && is_to_be_healed(world, declared, (service, slot), instance, memory)
        {
            let reason = instance.reason.as_ref().map_or("", |reason| reason.code.as_str());
            findings.require(false, || {
                format!("{} is still stopped ({reason}) since {since}", instance.id)
            });
        }
    }
}

/// The policy wants it started, and nothing that lasts stands against it.
fn is_to_be_healed(
    world: &World,
    declared: &Declared,
    (service, slot): (&Service, &Slot),
    instance: &Instance,
    memory: &Memory,
) -> bool {
    let by_person = was_stopped_by_person(instance);
    let wanted = match by_person {
        true => {
            matches!(service.operator_stop, OperatorStop::StartAfter(_))
                && !memory.overruled.contains_key(&instance.id)
        }
        false => service.starts_stopped,
    };
    let up = world.instances().filter(|i| {
        let is_up = matches!(i.state, State::Running | State::Pending);
        let owner = declared.owner_of(i);
        is_up && owner.is_some_and(|(of, other)| of.name == service.name && other.name == slot.name)
    });
    let can_hold = instance.failing_starts == 0
        && matches!(instance.app, App::Serving | App::Broken | App::BootsForever);
    // Refused starts count as well, and so does one that held for a while: whether the counts that led to a quarantine
    // were right is judged where it is known what became of each start (S11).
    let tries = memory.tries.get(&instance.id).copied().unwrap_or(0);
    let was_tried = tries >= service.attempts.min(service.attempts_per_day);
    wanted
        && !slot.idle
        && !instance.spot
        && instance.ebs_root
        && instance.group.is_none()
        && instance.poison.is_none()
        && instance.tag("keepgreen:pause").is_none()
        && !memory.excused.contains(&instance.id)
        && up.count() < slot.count
        && can_hold
        && !was_tried
}
