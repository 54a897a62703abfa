//! What the policies of a run say, as plain data: the second opinion. Keep it in step with the policy files by hand; nothing
//! here is read from the program's own policy types.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use crate::sim::world::{Instance, Scope, earlier};

const MINUTE: Duration = Duration::from_secs(60);

/// What was declared before stays a right answer for this long: a changed policy is read within a turn of the loop, and the
/// view that admits a mutation may be 5 s old.
pub const TAKES_FORCE_WITHIN: Duration = Duration::from_secs(10);

/// What the policies and the config of a run declare.
#[derive(Debug, Clone)]
pub struct Declared {
    pub services: Vec<Service>,
    /// Config's `mutations_per_hour`, per account; `None`: no cap is checked.
    pub mutations_per_hour: Option<usize>,
    /// Config's `max_concurrent`: repairs that disrupt or launch, over all services.
    pub max_concurrent: usize,
    /// Config's `pause.ssm`: the controller's own account and region, and the parameter's name.
    pub pause_parameter: Option<(Scope, String)>,
    /// Pauses that the world cannot see: files, the policy's own flag.
    pub pauses: Vec<Pause>,
    /// Config's `interval`.
    pub interval: Duration,
    /// Config's `breaker`: percent, and at least so many.
    pub breaker: (usize, usize),
    /// Policy files, by name, that cannot be taken as they are; what they last said is in force.
    pub refused: Vec<String>,
    /// Several replicas run, and a lease decides which of them acts.
    pub lease: Option<LeaseRule>,
}

impl Default for Declared {
    fn default() -> Self {
        Self {
            services: Vec::new(),
            mutations_per_hour: None,
            max_concurrent: 4,
            pause_parameter: None,
            pauses: Vec::new(),
            interval: MINUTE,
            breaker: (20, 3),
            refused: Vec::new(),
            lease: None,
        }
    }
}

/// How long a lease must still last for a mutation to be sent under it (S14), and how long it lasts at all (L4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseRule {
    pub lasts: Duration,
    pub call_timeout: Duration,
    pub skew: Duration,
}

/// A service of the policies.
#[derive(Debug, Clone)]
pub struct Service {
    pub name: String,
    pub scope: Scope,
    /// The policy's `account`, if it names one.
    pub account: Option<String>,
    pub slots: Vec<Slot>,
    /// `heal.stopped: start`; else such a stop is left alone.
    pub starts_stopped: bool,
    pub operator_stop: OperatorStop,
    /// `limits.attempts`.
    pub attempts: usize,
    /// `limits.attempts_per_day`.
    pub attempts_per_day: usize,
    /// `limits.max_concurrent`.
    pub max_concurrent: usize,
    /// `limits.min_healthy`.
    pub min_healthy: usize,
    /// `limits.cooldown`.
    pub cooldown: Duration,
    /// What else `heal` allows.
    pub heal: Heal,
    /// `replace.keep` and `replace.retain`; `None`: nothing is ever launched.
    pub replace: Option<Replace>,
    /// The host of the webhook where people are told of it; `None`: nobody is told, or it is not known where.
    pub channel: Option<String>,
}

/// The disruptive part of `heal`: whether something is done at all, and after which grace. `None`: alert.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heal {
    pub impaired_system: Option<Duration>,
    pub impaired_instance: Option<Duration>,
    pub unhealthy: Option<Duration>,
    pub image_gone: Option<Duration>,
    pub missing: Option<Duration>,
    pub scheduled_event: bool,
}

/// What a replacement must take care of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replace {
    pub keep_elastic_ip: bool,
    pub keep_data_volumes: bool,
    pub keep_network_interface: bool,
    /// The old instance may be terminated once drained (`old_instance: terminate`).
    pub terminates_old: bool,
    /// A stopped old instance may be terminated after this time; `None`: never.
    pub retain: Option<Duration>,
}

/// A slot: what it selects, and what it is meant to do.
#[derive(Debug, Clone)]
pub struct Slot {
    pub name: String,
    pub select: Select,
    /// `state: stopped`: keepgreen leaves it alone.
    pub idle: bool,
    pub count: usize,
    /// Target groups by name or ARN.
    pub groups: Vec<Membership>,
}

/// A slot's place in a target group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Name or ARN.
    pub group: String,
    /// `None`: the group's own.
    pub port: Option<u16>,
    /// Overrides the service's.
    pub min_healthy: Option<usize>,
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
    /// Start it, once it has been stopped for so long; an hour at least if nobody was told.
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
    /// A service with every default of the policy file, whose slots select by `Name` tag: `(slot, name)`.
    pub fn by_name(name: &str, scope: Scope, slots: &[(&str, &str)]) -> Self {
        let slots = slots
            .iter()
            .map(|(slot, tag)| Slot::new(slot, Select::name(tag)))
            .collect();
        Self {
            name: name.to_owned(),
            scope,
            account: None,
            slots,
            starts_stopped: true,
            operator_stop: OperatorStop::StartAfter(15 * MINUTE),
            attempts: 3,
            attempts_per_day: 6,
            max_concurrent: 1,
            min_healthy: 1,
            cooldown: 2 * MINUTE,
            heal: Heal::default(),
            replace: None,
            channel: None,
        }
    }

    /// The slots of this service that the instance counts in: those that select it, unless it is retired.
    pub(super) fn slots_of(&self, instance: &Instance) -> impl Iterator<Item = &Slot> {
        let is_retired = instance.tag("keepgreen:retired").is_some();
        self.claims_of(instance).filter(move |_| !is_retired)
    }

    /// The slots of this service that select the instance, retired or not.
    fn claims_of(&self, instance: &Instance) -> impl Iterator<Item = &Slot> {
        let is_here = self.scope == instance.scope;
        self.slots
            .iter()
            .filter(move |slot| is_here && slot.selects(instance))
    }
}

impl Select {
    /// By `Name` tag.
    pub fn name(value: &str) -> Self {
        Select::Tags(BTreeMap::from([("Name".to_owned(), value.to_owned())]))
    }
}

impl Slot {
    /// One instance that is meant to run, in no target group.
    pub fn new(name: &str, select: Select) -> Self {
        Self {
            name: name.to_owned(),
            select,
            idle: false,
            count: 1,
            groups: Vec::new(),
        }
    }

    pub fn count(mut self, count: usize) -> Self {
        self.count = count;
        self
    }

    /// `state: stopped`.
    pub fn idle(mut self) -> Self {
        self.idle = true;
        self
    }

    /// In a target group, on this port or its own.
    pub fn group(mut self, group: &str, port: Option<u16>) -> Self {
        self.groups.push(Membership {
            group: group.to_owned(),
            port,
            min_healthy: None,
        });
        self
    }

    pub(super) fn selects(&self, instance: &Instance) -> bool {
        match &self.select {
            Select::Tags(tags) => tags.iter().all(|(key, value)| instance.tag(key) == Some(value)),
            Select::Ids(ids) => ids.contains(&instance.id),
            Select::Group(name) => instance.group.as_deref() == Some(name),
        }
    }
}

impl Declared {
    /// Every service and slot that selects the instance.
    pub fn services_of<'a>(
        &'a self,
        instance: &'a Instance,
    ) -> impl Iterator<Item = (&'a Service, &'a Slot)> {
        self.services
            .iter()
            .flat_map(move |service| service.slots_of(instance).map(move |slot| (service, slot)))
    }

    /// Every slot that selects the instance, retired or not.
    pub(super) fn claims_of<'a>(&'a self, instance: &'a Instance) -> impl Iterator<Item = &'a Slot> {
        self.services
            .iter()
            .flat_map(move |service| service.claims_of(instance))
    }

    /// The one service and slot that the instance belongs to.
    pub(super) fn owner_of<'a>(&'a self, instance: &'a Instance) -> Option<(&'a Service, &'a Slot)> {
        let mut owners = self.services_of(instance);
        owners.next().filter(|_| owners.next().is_none())
    }
}

/// What is declared, and what was until when.
#[derive(Debug, Default)]
pub(super) struct History {
    newest: Declared,
    ended: VecDeque<(Timestamp, Declared)>,
}

impl History {
    /// From `now` on, this is declared.
    pub(super) fn declare(&mut self, now: Timestamp, declared: Declared) {
        let before = std::mem::replace(&mut self.newest, declared);
        // Before the first declaration nothing was in force that could excuse anything.
        if !before.services.is_empty() {
            self.ended.push_back((now, before));
        }
        while self
            .ended
            .front()
            .is_some_and(|(until, _)| *until < earlier(now, TAKES_FORCE_WITHIN))
        {
            self.ended.pop_front();
        }
    }

    pub(super) fn newest(&self) -> &Declared {
        &self.newest
    }

    /// Everything that was in force at some moment since `from`, newest first.
    pub(super) fn since(&self, from: Timestamp) -> impl Iterator<Item = &Declared> {
        let ended = self.ended.iter().rev().filter(move |(until, _)| *until > from);
        std::iter::once(&self.newest).chain(ended.map(|(_, declared)| declared))
    }
}
