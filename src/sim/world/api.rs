//! What can be asked of the world, and what it answers: AWS's operations without their wire form.
//!
//! `sim::wire` turns a request's text into an [`Operation`] and an [`Answer`] into text; the oracles judge
//! operations. A new operation is a variant here, a function in the world, and one route and one writer in `wire`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::group::Group;
use super::image::Image;
use super::instance::{Instance, State};
use super::parameter::Parameter;
use super::target::{TargetGroup, TargetHealth};

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
}

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
        names: Vec<String>,
        arns: Vec<String>,
        page: Page,
    },
    /// Without targets: all that are registered.
    DescribeTargetHealth {
        arn: String,
        targets: Vec<(String, Option<u16>)>,
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
        kind: Option<String>,
        overwrite: bool,
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
}

/// DescribeImages' parameters.
#[derive(Debug, Clone, Default)]
pub struct DescribeImages {
    pub ids: Vec<String>,
    pub owners: Vec<String>,
    pub filters: Vec<Filter>,
    pub include_disabled: bool,
    pub include_deprecated: bool,
    pub page: Page,
}

impl Operation {
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
        }
    }

    /// It changes instances or what serves on them: what the project calls a mutation. Tags and parameters are
    /// bookkeeping and not counted here.
    pub fn is_mutation(&self) -> bool {
        use Operation::{StartInstances, StopInstances, TerminateInstances};
        matches!(
            self,
            StartInstances { .. } | StopInstances { .. } | TerminateInstances { .. }
        )
    }

    /// It changes anything at all, tags and parameters included.
    pub fn is_write(&self) -> bool {
        use Operation::{CreateTags, DeleteParameter, DeleteTags, PutParameter};
        let is_bookkeeping = matches!(
            self,
            CreateTags { .. } | DeleteTags { .. } | PutParameter { .. } | DeleteParameter { .. }
        );
        self.is_mutation() || is_bookkeeping
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
            Operation::DescribeTargetGroups { names, arns, .. } => {
                names.iter().chain(arns).map(String::as_str).collect()
            }
            Operation::DescribeTargetHealth { arn, .. } => vec![arn],
            Operation::DescribeAutoScalingGroups { names, .. } | Operation::GetParameters { names } => {
                names.iter().map(String::as_str).collect()
            }
            Operation::GetParameter { name }
            | Operation::PutParameter { name, .. }
            | Operation::DeleteParameter { name } => vec![name],
            Operation::AssumeRole { role, .. } => vec![role],
            Operation::GetCallerIdentity => Vec::new(),
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
            _ => None,
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
    pub image: Option<Image>,
}

/// What the world answers. Each variant is written by one function of `wire`.
#[derive(Debug, Clone)]
pub enum Answer {
    Instances {
        items: Vec<Arc<Instance>>,
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
    Images {
        items: Vec<Image>,
        next: Option<String>,
    },
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
            Answer::Instances { items, next } | Answer::Statuses { items, next } => {
                (*items, *next) = (Vec::new(), None);
            }
            Answer::ImageMetadata { items, next } => (*items, *next) = (Vec::new(), None),
            Answer::Images { items, next } => (*items, *next) = (Vec::new(), None),
            Answer::TargetGroups { items, next } => (*items, *next) = (Vec::new(), None),
            Answer::Groups { items, next } => (*items, *next) = (Vec::new(), None),
            Answer::TargetHealth(items) => items.clear(),
            Answer::Parameters { found, .. } => found.clear(),
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

/// Why the world refuses. The same refusal has another code and status in each service; `wire` knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    Throttled,
    /// The caller may not do this.
    NotAuthorized,
    /// The access key is unknown here.
    UnknownKey,
    /// The credentials' time is over.
    ExpiredCredentials,
    /// The simulation does not model this; never ignored, so that a test cannot pass by luck.
    NotModelled,
    /// A code and HTTP status of the service itself.
    Service {
        status: u16,
        code: Cow<'static, str>,
    },
}

/// A refusal, with a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    pub refusal: Refusal,
    pub message: String,
}

impl ApiError {
    /// A service's own error with status 400.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::with_status(400, code, message)
    }

    pub fn with_status(status: u16, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self {
            refusal: Refusal::Service {
                status,
                code: code.into(),
            },
            message: message.into(),
        }
    }

    pub fn not_modelled(what: impl Into<String>) -> Self {
        let message = format!("the simulated AWS does not model {}", what.into());
        Self {
            refusal: Refusal::NotModelled,
            message,
        }
    }

    pub fn throttled() -> Self {
        Self {
            refusal: Refusal::Throttled,
            message: "Request limit exceeded.".to_owned(),
        }
    }

    pub fn not_authorized(action: &str) -> Self {
        let message = format!("You are not authorized to perform this operation: {action}");
        Self {
            refusal: Refusal::NotAuthorized,
            message,
        }
    }
}

/// The world's answer to one request.
pub type Response = Result<Answer, ApiError>;
