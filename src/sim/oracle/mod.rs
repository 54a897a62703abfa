//! The oracles: the project's invariants, checked against the world's own truth at every mutation that arrives.
//!
//! They never see the controller's view. They know the request, the world before it, what the policies declare (as
//! plain data, written down by the test), and what was sent before. One function per invariant, named after it, in
//! [`invariants`]; a violation is recorded and the call goes on, so that a run shows all that is wrong with it.
//!
//! A controller acts on a look that is a few seconds old, and on reads that may be stale: what was true at any
//! moment of that window counts as what it could rightly believe.

mod invariants;
mod pause;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::world::api::{Answer, Operation, Refusal, Request, Response};
use super::world::{Instance, Scope, World, earlier};

/// The oldest look that may admit a mutation (S16).
pub const LOOK_AGE_MAX: Duration = Duration::from_secs(5);
/// After a pause flag is readable, nothing is sent for longer than this (S13).
pub const PAUSE_DELAY_MAX: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// What the policies of a run declare. Keep it in step with the policy files by hand: it is the second opinion.
#[derive(Debug, Clone, Default)]
pub struct Declared {
    pub services: Vec<Service>,
    /// Config's `mutations_per_hour`, per account; `None`: no cap is checked.
    pub mutations_per_hour: Option<usize>,
    /// Config's `pause.ssm`: the controller's own account and region, and the parameter's name.
    pub pause_parameter: Option<(Scope, String)>,
    /// Pauses that the world cannot see: files, the policy's own flag.
    pub pauses: Vec<Pause>,
}

/// A service of the policies.
#[derive(Debug, Clone)]
pub struct Service {
    pub name: String,
    pub scope: Scope,
    pub slots: Vec<Slot>,
    pub operator_stop: OperatorStop,
}

/// A slot: what it selects, and whether it is meant to run.
#[derive(Debug, Clone)]
pub struct Slot {
    pub name: String,
    pub select: Select,
    /// `state: stopped`: keepgreen leaves it alone.
    pub idle: bool,
}

/// How a slot selects its instances.
#[derive(Debug, Clone)]
pub enum Select {
    Tags(BTreeMap<String, String>),
    Ids(Vec<String>),
    Group(String),
}

/// What the policy says to a stop by a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperatorStop {
    /// Start it, once it has been stopped for so long.
    StartAfter(Duration),
    /// `respect` or `alert`.
    Leave,
}

/// A pause that the world cannot see.
#[derive(Debug, Clone)]
pub struct Pause {
    /// `None`: all services.
    pub service: Option<String>,
    /// Readable from then on.
    pub from: Timestamp,
    pub until: Option<Timestamp>,
}

impl Service {
    /// A service that selects each slot by its `Name` tag: `(slot, name)`.
    pub fn by_name(name: &str, scope: Scope, slots: &[(&str, &str)]) -> Self {
        let slots = slots.iter().map(|(slot, tag)| Slot {
            name: (*slot).to_owned(),
            select: Select::Tags(BTreeMap::from([("Name".to_owned(), (*tag).to_owned())])),
            idle: false,
        });
        let operator_stop = OperatorStop::StartAfter(Duration::from_secs(15 * 60));
        Self {
            name: name.to_owned(),
            scope,
            slots: slots.collect(),
            operator_stop,
        }
    }

    /// The slots of this service that select the instance.
    fn slots_of(&self, instance: &Instance) -> impl Iterator<Item = &Slot> {
        let is_here = self.scope == instance.scope && instance.tag("keepgreen:retired").is_none();
        self.slots
            .iter()
            .filter(move |slot| is_here && slot.selects(instance))
    }
}

impl Slot {
    fn selects(&self, instance: &Instance) -> bool {
        match &self.select {
            Select::Tags(tags) => tags.iter().all(|(key, value)| instance.tag(key) == Some(value)),
            Select::Ids(ids) => ids.contains(&instance.id),
            Select::Group(name) => instance.group.as_deref() == Some(name),
        }
    }
}

/// An invariant was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// `S1 Ownership`.
    pub invariant: &'static str,
    pub at: Timestamp,
    /// The call's number in the trace.
    pub call: u64,
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} broken at {} by call {}: {}",
            self.invariant, self.at, self.call, self.what
        )
    }
}

/// One call of the controller that arrives, with all that an invariant may look at.
pub(super) struct Arrival<'a> {
    pub(super) number: u64,
    /// When it left the controller.
    pub(super) sent: Timestamp,
    pub(super) incarnation: u32,
    pub(super) dry_run: bool,
    pub(super) request: &'a Request,
    /// Before the request takes effect, at the moment it arrives.
    pub(super) world: &'a World,
}

/// What was sent and seen so far.
#[derive(Debug, Default)]
struct Memory {
    /// When, from which account, what: the last hour's mutations.
    mutations: VecDeque<(Timestamp, String)>,
    /// Mutations not answered yet, by call number, with the services they touch.
    in_flight: BTreeMap<u64, Vec<String>>,
    /// Life and instance: when the last DescribeInstances that showed it was sent.
    looks: BTreeMap<(u32, String), Timestamp>,
    /// When a mutation of the instance last took effect.
    own_writes: BTreeMap<String, Timestamp>,
    /// Life: when the pause parameter was last read, and whether that told anything.
    pause_reads: BTreeMap<u32, (Timestamp, bool)>,
    /// When the controller last started an instance that a person had stopped.
    overruled: BTreeMap<String, Timestamp>,
}

/// The judge of a run.
#[derive(Debug, Default)]
pub(super) struct Oracle {
    declared: Declared,
    memory: Memory,
    violations: Vec<Violation>,
}

impl Oracle {
    pub(super) fn declare(&mut self, declared: Declared) {
        self.declared = declared;
    }

    pub(super) fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Record what no invariant function can see: a runaway, say.
    pub(super) fn accuse(&mut self, invariant: &'static str, at: Timestamp, call: u64, what: String) {
        self.violations.push(Violation {
            invariant,
            at,
            call,
            what,
        });
    }

    /// Judge a call of the controller as it arrives, before it takes effect.
    pub(super) fn judge(&mut self, arrival: &Arrival) {
        let operation = &arrival.request.operation;
        if !operation.is_write() {
            return;
        }
        let case = Case {
            arrival,
            declared: &self.declared,
            memory: &self.memory,
        };
        for (name, check) in invariants::ALL {
            if let Err(what) = check(&case) {
                let at = arrival.world.now();
                self.violations.push(Violation {
                    invariant: name,
                    at,
                    call: arrival.number,
                    what,
                });
            }
        }
        if operation.is_mutation() {
            self.remember_mutation(arrival);
        }
    }

    /// The call was answered, or nobody waits for its answer any more.
    pub(super) fn settled(&mut self, call: u64) {
        self.memory.in_flight.remove(&call);
    }

    /// The world answered a read: remember what the controller was shown.
    pub(super) fn shown(&mut self, arrival: &Arrival, response: &Response) {
        let memory = &mut self.memory;
        if let Ok(Answer::Instances { items, .. }) = response {
            for instance in items {
                memory
                    .looks
                    .insert((arrival.incarnation, instance.id.clone()), arrival.sent);
            }
        }
        let names: &[String] = match &arrival.request.operation {
            Operation::GetParameter { name } => std::slice::from_ref(name),
            Operation::GetParameters { names } => names,
            _ => return,
        };
        let Some((_, pause)) = &self.declared.pause_parameter else {
            return;
        };
        if names.iter().any(|name| name.starts_with(pause.as_str())) {
            let told = match response {
                Ok(_) => true,
                // Not set is an answer too.
                Err(error) => {
                    matches!(&error.refusal, Refusal::Service { code, .. } if code == "ParameterNotFound")
                }
            };
            memory
                .pause_reads
                .insert(arrival.incarnation, (arrival.world.now(), told));
        }
    }

    fn remember_mutation(&mut self, arrival: &Arrival) {
        let now = arrival.world.now();
        let memory = &mut self.memory;
        while memory.mutations.front().is_some_and(|(at, _)| *at + HOUR <= now) {
            memory.mutations.pop_front();
        }
        memory
            .mutations
            .push_back((arrival.sent, arrival.request.caller.account.clone()));
        let mut services = Vec::new();
        for id in arrival.request.operation.subjects() {
            memory.own_writes.insert(id.to_owned(), now);
            let Some(instance) = arrival.world.instance(id) else {
                continue;
            };
            services.extend(
                self.declared
                    .services_of(instance)
                    .map(|(service, _)| service.name.clone()),
            );
            if invariants::was_stopped_by_person(instance) {
                memory.overruled.insert(id.to_owned(), now);
            }
        }
        memory.in_flight.insert(arrival.number, services);
    }
}

impl Declared {
    /// Every service and slot that selects the instance.
    fn services_of<'a>(&'a self, instance: &'a Instance) -> impl Iterator<Item = (&'a Service, &'a Slot)> {
        self.services
            .iter()
            .flat_map(move |service| service.slots_of(instance).map(move |slot| (service, slot)))
    }
}

/// What an invariant's function gets to see.
struct Case<'a> {
    arrival: &'a Arrival<'a>,
    declared: &'a Declared,
    memory: &'a Memory,
}

impl Case<'_> {
    fn operation(&self) -> &Operation {
        &self.arrival.request.operation
    }

    fn now(&self) -> Timestamp {
        self.arrival.world.now()
    }

    /// Since when the controller's look may rightly be what it knows.
    fn window(&self) -> Timestamp {
        let staleness = self.arrival.world.staleness();
        earlier(
            self.arrival.sent,
            LOOK_AGE_MAX + staleness.reads_lag.max(staleness.own_writes_hidden),
        )
    }

    /// The instances that the request names, each as what it was at some moment of the window.
    fn named(&self) -> Vec<(&str, Vec<std::sync::Arc<Instance>>)> {
        let ids = self.operation().subjects().into_iter();
        ids.map(|id| (id, self.arrival.world.instance_since(id, self.window())))
            .collect()
    }
}
