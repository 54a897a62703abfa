//! What can be asked of the world, and what it answers: AWS's operations without their wire form.
//!
//! `sim::wire` turns a request's text into an [`Operation`] and an [`Answer`] into text; the oracles judge
//! operations. What belongs together is one family: a room of the world with its own enums of operations and answers, a
//! [`Family`] that tells everything one may want to know of any operation, and its own routes and writer in `wire`.
//! A new family is one variant of [`Operation`] and of [`Answer`] and its line in [`Operation::family`] and
//! [`Answer::clear`]; a new operation of a family touches the family alone. The operations that have a variant of
//! their own are those that the controller itself lives by.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::World;
use super::balancing::{self, TargetAt};
use super::group::Group;
use super::image::Image;
use super::images::{self, ShownImage};
use super::instance::{Instance, State};
use super::interfaces;
use super::keys;
use super::launch::{self, InstanceView};
use super::network;
use super::parameter::{NewParameter, Parameter};
use super::parameters;
pub use super::refusal::{ApiError, Refusal};
use super::security;
use super::snapshots;
use super::tags;
use super::target::{TargetGroup, TargetHealth};
use super::templates;
use super::throttle::{self, Cost};
use super::volumes;

/// Who asks, as the world resolved the request's access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Twelve digits.
    pub account: String,
    /// The region whose endpoint was asked.
    pub region: String,
    pub arn: String,
}

/// One request, understood.
#[derive(Debug, Clone)]
pub struct Request {
    pub caller: Caller,
    pub operation: Operation,
}

/// A filter of an EC2 describe call: any of the values, `*` and `?` being wildcards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    pub name: String,
    pub values: Vec<String>,
}

/// Which page of a listing is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// At most so many.
    pub max: Option<usize>,
    /// What the page before handed out.
    pub token: Option<String>,
    /// The world has no more than so many on a page, whatever is asked for.
    pub most: Option<usize>,
}

/// What every describe call of EC2 takes: ids of objects that must exist, filters, a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    pub ids: Vec<String>,
    pub filters: Vec<Filter>,
    pub page: Page,
}

impl Asked {
    /// Neither ids nor filters nor a page: AWS grants fewer such calls.
    pub(super) fn is_bare(&self) -> bool {
        *self == Self::default()
    }

    pub fn subjects(&self) -> Vec<&str> {
        self.ids.iter().map(String::as_str).collect()
    }
}

/// One page of a listing.
#[derive(Debug, Clone)]
pub struct Listing<T> {
    pub items: Vec<T>,
    /// The token of the next page.
    pub next: Option<String>,
}

impl<T> Listing<T> {
    /// Nothing found, and no more to come.
    pub fn clear(&mut self) {
        (self.items, self.next) = (Vec::new(), None);
    }
}

/// What the operations of one family have in common with all others.
pub trait Family {
    /// AWS's name of the operation.
    fn name(&self) -> &'static str;

    /// The ids and names it asks for, for matching faults; empty for a listing of everything.
    fn subjects(&self) -> Vec<&str>;

    /// Which page of a listing it asks for.
    fn page(&self) -> Option<&Page> {
        None
    }

    /// It changes anything at all. AWS's names tell.
    fn is_write(&self) -> bool {
        !["Describe", "Get", "List"]
            .iter()
            .any(|verb| self.name().starts_with(verb))
    }

    /// It changes instances or what serves on them: what the project calls a mutation.
    fn is_mutation(&self) -> bool {
        self.is_write()
    }

    /// What it costs of the account's request limits.
    fn costs(&self) -> Vec<Cost> {
        throttle::ec2(self.name())
    }

    /// Do it.
    ///
    /// # Errors
    /// The service's refusal; nothing has changed then.
    fn answer(&self, world: &mut World, caller: &Caller) -> Response;
}

/// The world's answer to one request.
pub type Response = Result<Answer, ApiError>;

/// Everything that the world understands. Ids and names are as sent, unchecked.
#[derive(Debug, Clone)]
pub enum Operation {
    DescribeInstances {
        ids: Vec<String>,
        filters: Vec<Filter>,
        page: Page,
    },
    DescribeInstanceStatus {
        ids: Vec<String>,
        filters: Vec<Filter>,
        all: bool,
        page: Page,
    },
    DescribeInstanceImageMetadata {
        ids: Vec<String>,
        filters: Vec<Filter>,
        page: Page,
    },
    DescribeImages(DescribeImages),
    StartInstances {
        ids: Vec<String>,
        dry_run: bool,
    },
    StopInstances {
        ids: Vec<String>,
        force: bool,
        dry_run: bool,
    },
    TerminateInstances {
        ids: Vec<String>,
        dry_run: bool,
    },
    CreateTags {
        ids: Vec<String>,
        tags: BTreeMap<String, String>,
        dry_run: bool,
    },
    /// A tag without value is deleted whatever its value is.
    DeleteTags {
        ids: Vec<String>,
        tags: Vec<(String, Option<String>)>,
        dry_run: bool,
    },
    DescribeTargetGroups {
        /// Only those that this load balancer uses, by ARN.
        balancer: Option<String>,
        names: Vec<String>,
        arns: Vec<String>,
        page: Page,
    },
    /// Without targets: all that are registered.
    DescribeTargetHealth {
        arn: String,
        targets: Vec<TargetAt>,
    },
    DescribeAutoScalingGroups {
        names: Vec<String>,
        page: Page,
    },
    GetParameter {
        name: String,
    },
    GetParameters {
        names: Vec<String>,
    },
    PutParameter {
        name: String,
        value: String,
        new: NewParameter,
    },
    DeleteParameter {
        name: String,
    },
    GetCallerIdentity,
    AssumeRole {
        role: String,
        session: String,
        external_id: Option<String>,
        seconds: u32,
    },
    /// Load balancers, listeners, rules, target groups and registrations.
    Balancing(balancing::Op),
    /// EC2's images, beyond DescribeImages.
    Image(images::Op),
    Volumes(volumes::Op),
    Snapshots(snapshots::Op),
    /// EC2's networks: VPCs, subnets, zones.
    Network(network::Op),
    Security(security::Op),
    /// EC2's network interfaces and Elastic IPs.
    Interfaces(interfaces::Op),
    /// EC2's launches.
    Launch(launch::Op),
    /// EC2's key pairs.
    Keys(keys::Op),
    /// SSM's further calls on parameters.
    Ssm(parameters::Op),
    /// EC2's launch templates.
    Templates(templates::Op),
    /// What EC2 knows of tags beyond CreateTags and DeleteTags.
    Tags(tags::Op),
    /// EC2's `DryRun`: say whether it would have succeeded, and do nothing.
    DryRun(Box<Operation>),
}

/// DescribeImages' parameters.
#[derive(Debug, Clone, Default)]
pub struct DescribeImages {
    pub ids: Vec<String>,
    pub owners: Vec<String>,
    /// Accounts with explicit permission, `self`, or `all` for public images.
    pub executable_by: Vec<String>,
    pub filters: Vec<Filter>,
    pub include_disabled: bool,
    pub include_deprecated: bool,
    pub page: Page,
}

impl Operation {
    /// The family that the operation belongs to; `None` for those that have a variant of their own.
    pub(super) fn family(&self) -> Option<&dyn Family> {
        match self {
            Operation::Balancing(op) => Some(op),
            Operation::Network(op) => Some(op),
            Operation::Image(op) => Some(op),
            Operation::Volumes(op) => Some(op),
            Operation::Snapshots(op) => Some(op),
            Operation::Security(op) => Some(op),
            Operation::Interfaces(op) => Some(op),
            Operation::Keys(op) => Some(op),
            Operation::Templates(op) => Some(op),
            Operation::Ssm(op) => Some(op),
            Operation::Launch(op) => Some(op),
            Operation::Tags(op) => Some(op),
            Operation::DryRun(inner) => inner.family(),
            _ => None,
        }
    }

    /// AWS's name of the operation.
    pub fn name(&self) -> &'static str {
        match self {
            Operation::DescribeInstances { .. } => "DescribeInstances",
            Operation::DescribeInstanceStatus { .. } => "DescribeInstanceStatus",
            Operation::DescribeInstanceImageMetadata { .. } => "DescribeInstanceImageMetadata",
            Operation::DescribeImages(_) => "DescribeImages",
            Operation::StartInstances { .. } => "StartInstances",
            Operation::StopInstances { .. } => "StopInstances",
            Operation::TerminateInstances { .. } => "TerminateInstances",
            Operation::CreateTags { .. } => "CreateTags",
            Operation::DeleteTags { .. } => "DeleteTags",
            Operation::DescribeTargetGroups { .. } => "DescribeTargetGroups",
            Operation::DescribeTargetHealth { .. } => "DescribeTargetHealth",
            Operation::DescribeAutoScalingGroups { .. } => "DescribeAutoScalingGroups",
            Operation::GetParameter { .. } => "GetParameter",
            Operation::GetParameters { .. } => "GetParameters",
            Operation::PutParameter { .. } => "PutParameter",
            Operation::DeleteParameter { .. } => "DeleteParameter",
            Operation::GetCallerIdentity => "GetCallerIdentity",
            Operation::AssumeRole { .. } => "AssumeRole",
            Operation::DryRun(inner) => inner.name(),
            _ => self.family().map_or("", Family::name),
        }
    }

    /// It changes instances, what serves on them, or, by their tags, whose they are: what the project calls a mutation.
    /// Parameters are bookkeeping and not counted here.
    pub fn is_mutation(&self) -> bool {
        use Operation::{CreateTags, DryRun, StartInstances, StopInstances, TerminateInstances};
        match self {
            CreateTags { .. } | StartInstances { .. } | StopInstances { .. } | TerminateInstances { .. } => {
                true
            }
            DryRun(inner) => inner.is_mutation(),
            _ => self.family().is_some_and(Family::is_mutation),
        }
    }

    /// It changes anything at all, tags and parameters included.
    pub fn is_write(&self) -> bool {
        use Operation::{CreateTags, DeleteParameter, DeleteTags, DryRun, PutParameter};
        match self {
            CreateTags { .. } | DeleteTags { .. } | PutParameter { .. } | DeleteParameter { .. } => true,
            DryRun(inner) => inner.is_write(),
            _ => self.is_mutation() || self.family().is_some_and(Family::is_write),
        }
    }

    /// The ids and names it asks for, for matching faults; empty for a listing of everything.
    pub fn subjects(&self) -> Vec<&str> {
        match self {
            Operation::DescribeInstances { ids, .. }
            | Operation::DescribeInstanceStatus { ids, .. }
            | Operation::DescribeInstanceImageMetadata { ids, .. }
            | Operation::StartInstances { ids, .. }
            | Operation::StopInstances { ids, .. }
            | Operation::TerminateInstances { ids, .. }
            | Operation::CreateTags { ids, .. }
            | Operation::DeleteTags { ids, .. } => ids.iter().map(String::as_str).collect(),
            Operation::DescribeImages(asked) => asked.ids.iter().map(String::as_str).collect(),
            Operation::DescribeTargetGroups {
                balancer,
                names,
                arns,
                ..
            } => balancer
                .iter()
                .chain(names)
                .chain(arns)
                .map(String::as_str)
                .collect(),
            Operation::DescribeTargetHealth { arn, .. } => vec![arn],
            Operation::DescribeAutoScalingGroups { names, .. } | Operation::GetParameters { names } => {
                names.iter().map(String::as_str).collect()
            }
            Operation::GetParameter { name }
            | Operation::PutParameter { name, .. }
            | Operation::DeleteParameter { name } => vec![name],
            Operation::AssumeRole { role, .. } => vec![role],
            Operation::GetCallerIdentity => Vec::new(),
            Operation::DryRun(inner) => inner.subjects(),
            _ => self.family().map_or_else(Vec::new, Family::subjects),
        }
    }

    /// The page of a listing of everything, or of what filters let pass; what is named is answered at once.
    pub(super) fn page_of_listing(&mut self) -> Option<&mut Page> {
        match self {
            Operation::DescribeInstances { ids, page, .. }
            | Operation::DescribeInstanceStatus { ids, page, .. }
            | Operation::DescribeInstanceImageMetadata { ids, page, .. } => ids.is_empty().then_some(page),
            _ => None,
        }
    }

    /// Which page of a listing it asks for.
    pub fn page(&self) -> Option<&Page> {
        match self {
            Operation::DescribeInstances { page, .. }
            | Operation::DescribeInstanceStatus { page, .. }
            | Operation::DescribeInstanceImageMetadata { page, .. }
            | Operation::DescribeTargetGroups { page, .. }
            | Operation::DescribeAutoScalingGroups { page, .. } => Some(page),
            Operation::DescribeImages(asked) => Some(&asked.page),
            Operation::DryRun(inner) => inner.page(),
            _ => self.family().and_then(Family::page),
        }
    }
}

/// One instance's change by Start, Stop or TerminateInstances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateChange {
    pub id: String,
    pub previous: State,
    pub current: State,
}

/// An instance beside the image it was launched from, as DescribeInstanceImageMetadata tells it.
#[derive(Debug, Clone)]
pub struct ImageOfInstance {
    pub instance: Arc<Instance>,
    /// The image's state now; `None` for an image that the world never knew.
    pub image: Option<Arc<Image>>,
    /// The instance's account may use it, as far as Allowed AMIs go.
    pub allowed: bool,
}

/// What the world answers. Each variant is written by one function of `wire`.
#[derive(Debug, Clone)]
pub enum Answer {
    Instances {
        items: Vec<InstanceView>,
        next: Option<String>,
    },
    Statuses {
        items: Vec<Arc<Instance>>,
        next: Option<String>,
    },
    ImageMetadata {
        items: Vec<ImageOfInstance>,
        next: Option<String>,
    },
    Images(Listing<ShownImage>),
    StateChanges(Vec<StateChange>),
    /// EC2's `<return>true</return>`.
    Done,
    TargetGroups {
        items: Vec<TargetGroup>,
        next: Option<String>,
    },
    TargetHealth(Vec<TargetHealth>),
    Groups {
        items: Vec<GroupView>,
        next: Option<String>,
    },
    Parameter(Parameter),
    Parameters {
        found: Vec<Parameter>,
        invalid: Vec<String>,
    },
    /// PutParameter's new version.
    ParameterVersion(u64),
    ParameterDeleted,
    Identity {
        account: String,
        arn: String,
    },
    Session {
        access_key: String,
        arn: String,
        expiration: Timestamp,
    },
    Balancing(balancing::Answer),
    Network(network::Answer),
    Image(images::Answer),
    Volumes(volumes::Answer),
    Snapshots(snapshots::Answer),
    Security(security::Answer),
    Interfaces(interfaces::Answer),
    Keys(keys::Answer),
    Templates(templates::Answer),
    Ssm(parameters::Answer),
    Launch(launch::Answer),
    Tags(tags::Answer),
}

/// An Auto Scaling group with its members.
#[derive(Debug, Clone)]
pub struct GroupView {
    pub group: Group,
    pub members: Vec<Arc<Instance>>,
}

impl Answer {
    /// Nothing found: what a listing says when AWS's index has lost its mind.
    pub fn clear(&mut self) {
        match self {
            Answer::Instances { items, next } => (*items, *next) = (Vec::new(), None),
            Answer::Statuses { items, next } => (*items, *next) = (Vec::new(), None),
            Answer::ImageMetadata { items, next } => (*items, *next) = (Vec::new(), None),
            Answer::Images(listing) => listing.clear(),
            Answer::TargetGroups { items, next } => (*items, *next) = (Vec::new(), None),
            Answer::Groups { items, next } => (*items, *next) = (Vec::new(), None),
            Answer::TargetHealth(items) => items.clear(),
            Answer::Parameters { found, .. } => found.clear(),
            Answer::Balancing(answer) => answer.clear(),
            Answer::Network(answer) => answer.clear(),
            Answer::Image(answer) => answer.clear(),
            Answer::Volumes(answer) => answer.clear(),
            Answer::Snapshots(answer) => answer.clear(),
            Answer::Security(answer) => answer.clear(),
            Answer::Interfaces(answer) => answer.clear(),
            Answer::Keys(answer) => answer.clear(),
            Answer::Templates(answer) => answer.clear(),
            Answer::Ssm(answer) => answer.clear(),
            Answer::Tags(answer) => answer.clear(),
            Answer::Launch(answer) => answer.clear(),
            Answer::StateChanges(_)
            | Answer::Done
            | Answer::Parameter(_)
            | Answer::ParameterVersion(_)
            | Answer::ParameterDeleted
            | Answer::Identity { .. }
            | Answer::Session { .. } => {}
        }
    }
}
