//! What an invariant's function gets to see: the call, the world before it, what is declared, and what was sent before.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::breaker::Meltdowns;
use super::declared::{Declared, Service};
use super::journal::Books;
use super::lives::Lives;
use super::replace::Creation;
use super::resume::Resumption;
use super::{HOUR, LOOK_AGE_MAX, breaker, caps, step};
use crate::sim::world::api::{Answer, ApiError, Operation, Refusal, Request, Response};
use crate::sim::world::{Instance, State, World, earlier};

/// What happened to instances and services is remembered for so long: the longest that an invariant asks back.
const MEMORY: Duration = Duration::from_secs(7 * 24 * 3600);

/// An incident is over once its instance has been healthy for so long; what falls back earlier continues it.
const INCIDENT_ENDS_AFTER: Duration = Duration::from_secs(30 * 60);

/// One call of the controller that arrives, with all that an invariant may look at.
#[derive(Clone, Copy)]
pub(in crate::sim) struct Arrival<'a> {
    pub(in crate::sim) number: u64,
    /// When it left the controller.
    pub(in crate::sim) sent: Timestamp,
    pub(in crate::sim) incarnation: u32,
    pub(in crate::sim) dry_run: bool,
    pub(in crate::sim) request: &'a Request,
    /// The request's parameters, sorted.
    pub(in crate::sim) params: &'a str,
    /// Before the request takes effect, at the moment it arrives.
    pub(in crate::sim) world: &'a World,
}

/// A start that AWS accepted.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) at: Timestamp,
    /// Whose it was.
    pub(super) service: Option<String>,
    /// Since when it has been running with its checks passed.
    sound_since: Option<Timestamp>,
    /// It was sound for so long that its incident is over, or came up again by other hands.
    is_over: bool,
    /// It fell back before its incident was over.
    pub(super) failed: bool,
}

impl Attempt {
    fn new(at: Timestamp, service: Option<String>) -> Self {
        Self {
            at,
            service,
            sound_since: None,
            is_over: false,
            failed: false,
        }
    }

    /// Nothing good has come of it, nor of anything since.
    pub(super) fn is_for_nothing(&self) -> bool {
        self.failed && !self.is_over
    }

    /// The instance was so at `now`, some time after the start.
    fn follow(&mut self, life: &Instance, now: Timestamp) {
        match life.state {
            State::Running if passed(life) => {
                let since = *self.sound_since.get_or_insert(life.state_since);
                self.is_over |= self.failed || since + INCIDENT_ENDS_AFTER <= now;
            }
            State::Stopping | State::Stopped => {
                let since = self.sound_since.unwrap_or(life.state_since);
                self.is_over |= since + INCIDENT_ENDS_AFTER <= life.state_since;
                // A person who stops what was started has something against it, which is no failure.
                self.failed |= !self.is_over && !is_by_person(life);
            }
            _ => {}
        }
    }
}

/// What was sent and seen so far.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// When, from which account: the last hour's mutations.
    pub(super) mutations: VecDeque<(Timestamp, String)>,
    /// Mutations not answered yet, by call number, with the services they touch.
    pub(super) in_flight: BTreeMap<u64, Vec<String>>,
    /// Life and instance: when the last DescribeInstances that showed it was sent.
    pub(super) looks: BTreeMap<(u32, String), Timestamp>,
    /// Mutations not answered yet that take targets out of groups, by call number, with the groups' ARNs.
    pub(super) disrupting: BTreeMap<u64, Vec<String>>,
    /// Calls that create something under a client token, oldest first.
    pub(super) creations: VecDeque<Creation>,
    pub(super) meltdowns: Meltdowns,
    /// When a mutation of the instance last took effect.
    pub(super) own_writes: BTreeMap<String, Timestamp>,
    /// Instances that the controller has disrupted, or launched another one for; and whether that has shown since.
    pub(super) repairs: BTreeMap<String, bool>,
    /// Life: when the pause parameter was last read, and whether that told anything.
    pub(super) pause_reads: BTreeMap<u32, (Timestamp, bool)>,
    /// When the controller last started an instance that a person had stopped.
    pub(super) overruled: BTreeMap<String, Timestamp>,
    /// Instances that the controller itself stopped, and has not started again.
    pub(super) own_stops: BTreeSet<String>,
    /// Starts that AWS accepted, by instance, oldest first.
    pub(super) attempts: BTreeMap<String, VecDeque<Attempt>>,
    /// Instances that only a person can heal.
    pub(super) excused: BTreeSet<String>,
    /// How many starts of an instance were sent, whatever came of them.
    pub(super) tries: BTreeMap<String, usize>,
    /// What must never be seen.
    pub(super) secrets: BTreeSet<String>,
    /// Likewise, but for a launch, which is given them, and for the journal, which remembers them for it.
    pub(super) user_data: BTreeSet<String>,
    /// The processes, and the leases that they hold.
    pub(super) lives: Lives,
    pub(super) resumption: Resumption,
    /// Quarantine of this service was last ended then: by a person, or by another policy.
    pub(super) released: BTreeMap<String, Timestamp>,
}

impl Memory {
    /// A mutation that disrupts or launches arrives; it concerns these.
    pub(super) fn begun(&mut self, ids: &[&str]) {
        self.repairs
            .extend(ids.iter().map(|id| ((*id).to_owned(), false)));
    }

    /// A mutation arrives.
    pub(super) fn sent(&mut self, arrival: &Arrival, declared: &Declared) {
        let now = arrival.world.now();
        while self.mutations.front().is_some_and(|(at, _)| *at + HOUR <= now) {
            self.mutations.pop_front();
        }
        let account = arrival.request.caller.account.clone();
        self.mutations.push_back((arrival.sent, account));
        self.creations.extend(Creation::of(arrival));
        self.resumption.sent(arrival);
        let mut services = Vec::new();
        let is_start = matches!(arrival.request.operation, Operation::StartInstances { .. });
        let poisoned = |id: &str| arrival.world.instance(id).is_some_and(|i| i.poison.is_some());
        let spoilt_by_another = |id: &str| {
            let mut subjects = arrival.request.operation.subjects().into_iter();
            !poisoned(id) && subjects.any(poisoned)
        };
        for id in step::concerned(arrival) {
            self.own_writes.insert(id.to_owned(), now);
            // A batch that fails for another's sake has not tried this one.
            if is_start && !spoilt_by_another(id) {
                *self.tries.entry(id.to_owned()).or_default() += 1;
            }
            let Some(instance) = arrival.world.instance(id) else {
                continue;
            };
            services.extend(
                declared
                    .services_of(instance)
                    .map(|(service, _)| service.name.clone()),
            );
            if is_start && was_stopped_by_person(instance) && !self.own_stops.contains(id) {
                self.overruled.insert(id.to_owned(), now);
            }
        }
        self.in_flight.insert(arrival.number, services);
    }

    /// The world answered, and the controller can read it.
    pub(super) fn shown(&mut self, arrival: &Arrival, response: &Response, declared: &Declared) {
        if let Ok(answer) = response {
            self.resumption.shown(arrival, answer);
        }
        if let Ok(Answer::Instances { items, .. }) = response {
            for instance in items {
                self.looks
                    .insert((arrival.incarnation, instance.id.clone()), arrival.sent);
            }
            let sight = breaker::Sight {
                world: arrival.world,
                account: &arrival.request.caller.account,
                from: window_of(arrival),
                looks: &self.looks,
                life: arrival.incarnation,
            };
            breaker::shown(&mut self.meltdowns, declared, &sight);
        }
        let names: &[String] = match &arrival.request.operation {
            Operation::GetParameter { name } => std::slice::from_ref(name),
            Operation::GetParameters { names } => names,
            _ => return,
        };
        let Some((_, pause)) = &declared.pause_parameter else {
            return;
        };
        if names.iter().any(|name| name.starts_with(pause.as_str())) {
            let told = match response {
                Ok(_) => true,
                // Not set is an answer too.
                Err(error) => is_absence(error),
            };
            self.pause_reads
                .insert(arrival.incarnation, (arrival.world.now(), told));
        }
    }

    /// The world did what the call asked for.
    pub(super) fn effected(&mut self, arrival: &Arrival, declared: &Declared) {
        let now = arrival.world.now();
        if let Operation::StopInstances { ids, .. } = &arrival.request.operation {
            self.own_stops.extend(ids.iter().cloned());
        }
        if let Operation::StartInstances { ids, dry_run: false } = &arrival.request.operation {
            for id in ids {
                self.own_stops.remove(id);
                let attempts = self.attempts.entry(id.clone()).or_default();
                let instance = arrival.world.instance(id);
                let owner = instance.and_then(|instance| declared.owner_of(instance));
                let service = owner.map(|(service, _)| service.name.clone());
                attempts.push_back(Attempt::new(now, service));
                while attempts.front().is_some_and(|first| first.at + MEMORY < now) {
                    attempts.pop_front();
                }
            }
        }
    }

    /// Follow what became of the latest starts.
    pub(super) fn observe(&mut self, world: &World, since: Timestamp) {
        // Over once everything is whole again: what befalls the instance later is another repair's business.
        self.repairs.retain(|id, has_shown| {
            let is_whole = caps::is_whole(world, id);
            *has_shown |= !is_whole;
            !is_whole || !*has_shown
        });
        for (id, attempts) in &mut self.attempts {
            let Some(last) = attempts.back_mut().filter(|a| !a.is_over) else {
                continue;
            };
            for life in world.instance_since(id, since.max(last.at)) {
                if life.state_since >= last.at {
                    last.follow(&life, world.now());
                }
            }
        }
    }
}

/// What was asked for is not there, which is an answer.
pub(super) fn is_absence(error: &ApiError) -> bool {
    matches!(&error.refusal, Refusal::Service { code, .. } if code == "ParameterNotFound")
}

/// Its status checks say that all is well.
fn passed(instance: &Instance) -> bool {
    use crate::sim::world::CheckStatus::Ok;
    instance.system_check == Ok && instance.instance_check == Ok
}

/// A person, or a scheduler in a person's name, stopped it.
pub(super) fn was_stopped_by_person(instance: &Instance) -> bool {
    instance.state == State::Stopped && is_by_person(instance)
}

/// A person is the reason for its state.
pub(super) fn is_by_person(instance: &Instance) -> bool {
    let code = instance.reason.as_ref().map_or("", |reason| reason.code.as_str());
    code.starts_with("Client.UserInitiated")
}

/// Since when the look behind a call may rightly be what its sender knows.
pub(super) fn window_of(arrival: &Arrival) -> Timestamp {
    let staleness = arrival.world.staleness();
    let lag = staleness.reads_lag.max(staleness.own_writes_hidden);
    earlier(arrival.sent, LOOK_AGE_MAX + lag)
}

/// What an invariant's function gets to see.
#[derive(Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) arrival: &'a Arrival<'a>,
    /// What was in force at some moment of the window; another function's case may have another.
    pub(super) declared: &'a Declared,
    /// What is in force now.
    pub(super) newest: &'a Declared,
    pub(super) memory: &'a Memory,
    pub(super) books: &'a Books,
}

impl<'a> Case<'a> {
    pub(super) fn operation(&self) -> &'a Operation {
        &self.arrival.request.operation
    }

    pub(super) fn world(&self) -> &'a World {
        self.arrival.world
    }

    pub(super) fn now(&self) -> Timestamp {
        self.arrival.world.now()
    }

    /// Since when the controller's look may rightly be what it knows.
    pub(super) fn window(&self) -> Timestamp {
        window_of(self.arrival)
    }

    /// The instances that the request is about, each as what it was at some moment of the window.
    pub(super) fn named(&self) -> Vec<(&'a str, Vec<Arc<Instance>>)> {
        let ids = step::concerned(self.arrival).into_iter();
        ids.map(|id| (id, self.arrival.world.instance_since(id, self.window())))
            .collect()
    }

    /// The services that own what the request is about.
    pub(super) fn services(&self) -> impl Iterator<Item = &'a Service> {
        let (world, declared) = (self.world(), self.declared);
        let ids = step::concerned(self.arrival).into_iter();
        let mut services: Vec<&Service> = ids
            .filter_map(|id| world.instance(id))
            .flat_map(|instance| declared.services_of(instance).map(|(service, _)| service))
            .collect();
        services.dedup_by(|a, b| a.name == b.name);
        services.into_iter()
    }
}
