//! The simulated AWS itself: a synchronous state machine without I/O, clocks or SDK types.
//!
//! Time is handed in: [`World::call`] answers one request at a moment, [`World::step`] lets everything that is due by
//! a moment happen, and [`World::next_event`] says when something is due next. The same seed and the same calls give
//! the same world, byte for byte: one random generator, ordered maps, no addresses or hashes anywhere.
//!
//! One room a file or folder: `life` (instances' states), `ec2_read`, `ec2_write`, `network`, `launch`, `tags`, `images`,
//! `target_health`, `balancing`, `group`, `parameter`, `identity`; `control` is what AWS and people do behind the controller's back. A new
//! room has its data, and its operations as one [`api::Family`]. EC2's objects are kept on a [`shelf::Shelf`], which knows
//! what they all have in common.
//!
//! Reads may be stale on request ([`Staleness`]): objects are [`versioned::Versioned`], and the oracles always judge
//! by the newest version, whatever a reader was shown.

pub mod api;
pub mod balancing;
pub mod builder;
mod control;
mod device;
mod ec2_read;
mod ec2_write;
mod filter;
mod group;
mod identity;
mod image;
pub mod images;
mod instance;
mod instance_filters;
pub mod interfaces;
pub mod keys;
pub mod launch;
mod life;
mod log;
pub mod network;
mod page;
mod parameter;
pub mod parameters;
mod quota;
mod refusal;
pub mod security;
pub mod shelf;
mod snapshot;
pub mod snapshots;
pub mod tags;
mod target;
mod target_health;
mod template;
pub mod templates;
mod throttle;
mod token;
pub mod versioned;
mod volume;
pub mod volumes;
pub mod webhook;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use self::api::{ApiError, Caller, Operation, Request, Response};
pub use self::builder::{GroupSpec, ImageSpec, InstanceSpec, TargetGroupSpec, WorldBuilder, incident};
pub use self::device::{Shape, VolumeKind};
pub use self::group::Group;
pub use self::identity::Role;
pub use self::image::{AMAZON, Image, ImageState, MARKETPLACE, owner_alias};
pub use self::instance::{
    App, Check, CheckStatus, Instance, Probe, ScheduledEvent, Scope, State, StateReason, TagValue,
};
use self::life::Event;
pub use self::log::{Entry, Log};
pub use self::page::page_number;
pub use self::parameter::{NewParameter, Parameter};
pub use self::quota::Quota;
use self::shelf::Shelf;
pub use self::snapshot::{Snapshot, SnapshotState};
pub use self::target::{Checks, Health, Target, TargetGroup, TargetHealth, TargetKey, Usage};
pub use self::template::{Template, TemplateRef, Version};
use self::versioned::Versioned;
pub use self::volume::{Attachment, AttachmentState, Modification, Volume, VolumeState};

/// How long things take in this world; each time is drawn from its range.
#[derive(Debug, Clone)]
pub struct Pace {
    /// From `pending` to `running`.
    pub boot_s: RangeInclusive<u64>,
    /// From `stopping` to `stopped`.
    pub stop_s: RangeInclusive<u64>,
    /// From `shutting-down` to `terminated`.
    pub terminate_s: RangeInclusive<u64>,
    /// From `running` to passed status checks.
    pub checks_s: RangeInclusive<u64>,
    /// From `running` to an application that answers.
    pub app_s: RangeInclusive<u64>,
    /// A new target's registration.
    pub register_s: RangeInclusive<u64>,
    /// A volume's creation, and its deletion.
    pub volume_s: RangeInclusive<u64>,
    /// Attaching and detaching.
    pub attach_s: RangeInclusive<u64>,
    /// A snapshot, from `pending` to `completed`.
    pub snapshot_s: RangeInclusive<u64>,
    /// An image, once its snapshots are complete.
    pub image_s: RangeInclusive<u64>,
    /// The same at a Network Load Balancer ("it can take a few minutes").
    pub register_network_s: RangeInclusive<u64>,
    /// A load balancer from `provisioning` to `active`.
    pub balancer_s: RangeInclusive<u64>,
    /// Until changed metadata options or monitoring are in force.
    pub settle_s: RangeInclusive<u64>,
}

impl Default for Pace {
    /// What EC2 takes for small Linux instances.
    fn default() -> Self {
        Self {
            boot_s: 6..=25,
            stop_s: 10..=45,
            terminate_s: 15..=60,
            checks_s: 60..=150,
            app_s: 15..=50,
            register_s: 2..=8,
            volume_s: 1..=5,
            attach_s: 1..=6,
            snapshot_s: 40..=240,
            image_s: 2..=15,
            register_network_s: 60..=180,
            balancer_s: 90..=200,
            settle_s: 5..=20,
        }
    }
}

/// How far reads lag behind the truth. Zero: not at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Staleness {
    /// Every read shows the world of this long ago.
    pub reads_lag: Duration,
    /// What a caller has changed stays invisible in reads for this long.
    pub own_writes_hidden: Duration,
    /// Each new instance is absent from reads for a time of its own, at most this long.
    pub launches_hidden: Duration,
}

/// The world: every account and region, all that lives there, and what is about to happen.
#[derive(Debug, Clone)]
pub struct World {
    now: Timestamp,
    rng: fastrand::Rng,
    /// Ids come from numbers of their own, so that a further object leaves the world's course alone.
    ids: fastrand::Rng,
    pace: Pace,
    throttling: bool,
    staleness: Staleness,
    /// Access key → who that is.
    keys: BTreeMap<String, identity::Key>,
    roles: BTreeMap<String, Role>,
    /// Any access key is one of this account's, any role can be assumed. `None`: only what is known here.
    open_to: Option<String>,
    instances: BTreeMap<String, Versioned<Instance>>,
    images: Shelf<Image>,
    /// Each account's and region's Allowed AMIs setting.
    allowed_images: BTreeMap<Scope, images::AllowedImages>,
    /// How long the Recycle Bin keeps an account's deregistered images.
    image_retention: BTreeMap<Scope, Duration>,
    subscriptions: images::Subscriptions,
    /// Regions whose public images are already there.
    stocked: BTreeSet<String>,
    volumes: Shelf<Volume>,
    snapshots: Shelf<Snapshot>,
    templates: Shelf<Template>,
    /// KMS keys, by ARN, that are disabled.
    disabled_keys: BTreeSet<String>,
    tokens: token::Tokens,
    most_per_page: Option<usize>,
    network: network::Network,
    security: security::Security,
    interfaces: interfaces::Interfaces,
    key_pairs: shelf::Shelf<keys::KeyPair>,
    quotas: BTreeMap<Scope, quota::Quota>,
    launching: launch::Room,
    /// A copy that a dry run tries itself on: EC2 looks at everything but capacity.
    is_rehearsal: bool,
    target_groups: BTreeMap<String, TargetGroup>,
    balancing: balancing::Room,
    groups: BTreeMap<(Scope, String), Group>,
    parameters: BTreeMap<(Scope, String), Versioned<Parameter>>,
    /// Region and name → the public parameters of AWS's own.
    public_parameters: BTreeMap<(String, String), Parameter>,
    webhooks: BTreeMap<String, webhook::Webhook>,
    buckets: throttle::Buckets,
    /// Zone and instance type (`None`: all types) that have no capacity.
    no_capacity: BTreeSet<(String, Option<String>)>,
    /// Account and action that are not authorised.
    denied: BTreeSet<(String, String)>,
    /// Existing instances that no read shows, until then.
    hidden: BTreeMap<String, Timestamp>,
    /// Subject → when a caller last changed it.
    own_writes: BTreeMap<String, Timestamp>,
    events: BTreeMap<(Timestamp, u64), Event>,
    events_made: u64,
    log: Log,
}

impl World {
    /// Answer one request at `now`, after everything that is due by then has happened.
    pub fn call(&mut self, now: Timestamp, request: &Request) -> Response {
        self.step(now);
        let (caller, operation) = (&request.caller, &request.operation);
        if self.throttling && !self.buckets.admit(self.now, caller, operation) {
            return Err(ApiError::throttled());
        }
        if self
            .denied
            .contains(&(caller.account.clone(), operation.name().to_owned()))
        {
            return Err(ApiError::not_authorized(operation.name()));
        }
        self.furnish(&caller.scope());
        self.stock(&caller.region);
        if self.most_per_page.is_none() {
            return self.answer(caller, operation);
        }
        let mut short = operation.clone();
        if let Some(page) = short.page_of_listing() {
            page.most = self.most_per_page;
        }
        self.answer(caller, &short)
    }

    /// When the next thing is due to happen by itself.
    pub fn next_event(&self) -> Option<Timestamp> {
        self.events.keys().next().map(|(at, _)| *at)
    }

    /// Let everything happen that is due by `now`, in order. Time never runs backwards: an earlier `now` does nothing.
    pub fn step(&mut self, now: Timestamp) {
        while let Some(entry) = self.events.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let ((at, _), event) = entry.remove_entry();
            self.now = self.now.max(at);
            self.happen(event);
        }
        self.now = self.now.max(now);
    }

    /// The world's time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// What happened so far.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The instance, in truth; terminated ones for as long as EC2 shows them.
    pub fn instance(&self, id: &str) -> Option<&Arc<Instance>> {
        self.instances.get(id)?.now()
    }

    /// Everything the instance was, in truth, at some moment since `from`.
    pub fn instance_since(&self, id: &str, from: Timestamp) -> Vec<Arc<Instance>> {
        let versions = self.instances.get(id);
        versions
            .map(|v| v.between(from, self.now).cloned().collect())
            .unwrap_or_default()
    }

    /// All instances, in truth, by id.
    pub fn instances(&self) -> impl Iterator<Item = &Arc<Instance>> {
        self.instances.values().filter_map(Versioned::now)
    }

    /// The image, in truth.
    pub fn image(&self, id: &str) -> Option<&Image> {
        self.images.get(id).map(AsRef::as_ref)
    }

    /// All target groups, in truth, by ARN.
    pub fn target_groups(&self) -> impl Iterator<Item = &TargetGroup> {
        self.target_groups.values()
    }

    /// The one target group of this name or ARN; `None` also if the name is in use in several accounts or regions.
    pub fn target_group(&self, name: &str) -> Option<&TargetGroup> {
        let mut found = self
            .target_groups
            .values()
            .filter(|g| g.name == name || g.arn == name);
        found.next().filter(|_| found.next().is_none())
    }

    /// What is there, without when and why: instances with their states, targets with their health. Two runs that
    /// ended alike have the same text.
    pub fn summary(&self) -> String {
        let instances = self
            .instances()
            .map(|i| format!("{} {} {}\n", i.id, i.name(), i.state.name()));
        let targets = self.target_groups().flat_map(|group| {
            let living = group.targets.iter().filter(|(_, target)| target.now().is_some());
            living.map(|((id, port), _)| {
                let (state, reason, _) = group.health_of(id, *port).names();
                format!("{}: {id}:{port} {state} {}\n", group.name, reason.unwrap_or(""))
            })
        });
        instances.chain(targets).collect()
    }

    /// How long reads lag now.
    pub fn staleness(&self) -> Staleness {
        self.staleness
    }

    fn answer(&mut self, caller: &Caller, operation: &Operation) -> Response {
        match operation {
            Operation::DescribeInstances { ids, filters, page } => {
                self.describe_instances(caller, ids, filters, page)
            }
            Operation::DescribeInstanceStatus {
                ids,
                filters,
                all,
                page,
            } => self.describe_instance_status(caller, ids, filters, *all, page),
            Operation::DescribeInstanceImageMetadata { ids, filters, page } => {
                self.describe_instance_image_metadata(caller, ids, filters, page)
            }
            Operation::DescribeImages(asked) => self.describe_images(caller, asked),
            Operation::StartInstances { ids, dry_run } => self.start_instances(caller, ids, *dry_run),
            Operation::StopInstances { ids, dry_run, .. } => self.stop_instances(caller, ids, *dry_run),
            Operation::TerminateInstances { ids, dry_run } => self.terminate_instances(caller, ids, *dry_run),
            Operation::CreateTags { ids, tags, dry_run } => self.create_tags(caller, ids, tags, *dry_run),
            Operation::DeleteTags { ids, tags, dry_run } => self.delete_tags(caller, ids, tags, *dry_run),
            Operation::DescribeTargetGroups {
                balancer,
                names,
                arns,
                page,
            } => self.describe_target_groups(caller, balancer.as_deref(), names, arns, page),
            Operation::DescribeTargetHealth { arn, targets } => {
                self.describe_target_health(caller, arn, targets)
            }
            Operation::DescribeAutoScalingGroups { names, page } => self.describe_groups(caller, names, page),
            Operation::GetParameter { name } => self.get_parameter(caller, name),
            Operation::GetParameters { names } => self.get_parameters(caller, names),
            Operation::PutParameter { name, value, new } => self.put_parameter(caller, name, value, new),
            Operation::DeleteParameter { name } => self.delete_parameter(caller, name),
            Operation::GetCallerIdentity => Ok(self.caller_identity(caller)),
            Operation::AssumeRole {
                role,
                session,
                external_id,
                seconds,
            } => self.assume_role(role, session, external_id.as_deref(), *seconds),
            Operation::DryRun(inner) => self.rehearse(caller, inner),
            other => match other.family() {
                Some(family) => family.answer(self, caller),
                None => Err(ApiError::not_modelled(other.name())),
            },
        }
    }

    /// A copy of the world tries it; this one stays as it is.
    fn rehearse(&self, caller: &Caller, operation: &Operation) -> Response {
        let mut copy = self.clone();
        copy.is_rehearsal = true;
        copy.answer(caller, operation)?;
        Err(ApiError::dry_run())
    }

    /// A new id, which nothing has had before.
    fn new_id(&mut self, prefix: &str) -> String {
        format!("{prefix}0{:016x}", self.ids.u64(..))
    }

    /// The moment whose truth a read of `subject` shows now.
    fn read_time(&self, subject: &str) -> Timestamp {
        let lagging = earlier(self.now, self.staleness.reads_lag);
        match self.own_writes.get(subject) {
            Some(written) if self.now < later(*written, self.staleness.own_writes_hidden) => {
                lagging.min(earlier(*written, Duration::from_nanos(1)))
            }
            _ => lagging,
        }
    }

    /// A caller has just changed `subject`.
    fn own_write(&mut self, subject: &str) {
        self.own_writes.insert(subject.to_owned(), self.now);
    }

    fn note(&mut self, subject: &str, what: impl Into<String>) {
        self.log.push(Entry {
            at: self.now,
            subject: subject.to_owned(),
            what: what.into(),
        });
    }

    fn draw(&mut self, seconds: &RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.rng.u64(seconds.start() * 1000..=seconds.end() * 1000))
    }

    fn schedule(&mut self, after: Duration, event: Event) {
        self.schedule_at(later(self.now, after), event);
    }

    fn schedule_at(&mut self, at: Timestamp, event: Event) {
        self.events.insert((at, self.events_made), event);
        self.events_made += 1;
    }
}

/// `by` after `at`; the end of time, if it is later still.
pub fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// `by` before `at`; the beginning of time, if it is earlier still.
pub fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

impl Caller {
    /// Where this caller's request looks.
    pub fn scope(&self) -> Scope {
        Scope {
            account: self.account.clone(),
            region: self.region.clone(),
        }
    }
}
