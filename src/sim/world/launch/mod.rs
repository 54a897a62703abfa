//! Launching instances, and what can be asked and done of one that was launched.

mod attributes;
mod check;
mod data;
mod run;
mod settings;
mod types;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::api::{Caller, Family, Response};
use super::throttle::{self, Cost, limit};
use super::{TemplateRef, World};
pub use attributes::Attribute;
pub use data::{
    BlockDeviceSpec, CpuOptions, EbsSpec, HostnameOptions, InterfaceSpec, LaunchData, MarketSpec,
    MetadataSpec, PlacementSpec, ProfileSpec,
};
pub use settings::{Metadata, Settings, Spot};
pub use types::{InstanceType, instance_type, instance_types, vcpus_of};
pub use view::InstanceView;

/// The family's operations.
#[derive(Debug, Clone)]
pub enum Op {
    RunInstances(Box<RunInstances>),
    RebootInstances(Vec<String>),
    DescribeInstanceAttribute { id: String, attribute: Attribute },
}

/// RunInstances' parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunInstances {
    pub min: u32,
    pub max: u32,
    pub token: Option<String>,
    pub subnet: Option<String>,
    pub private_ip: Option<String>,
    /// A launch template and its version, over which `data` is laid.
    pub template: Option<(TemplateRef, Option<String>)>,
    pub data: LaunchData,
}

/// The family's answers.
#[derive(Debug, Clone)]
pub enum Answer {
    /// What one launch has made.
    Reservation {
        id: String,
        owner: String,
        instances: Vec<InstanceView>,
    },
    /// An attribute of an instance.
    Attribute(Attribute, Box<InstanceView>),
}

/// What makes launches go wrong.
#[derive(Debug, Clone, Default)]
pub(super) struct Room {
    /// Images whose instances do not work.
    pub(super) image_faults: BTreeMap<String, ImageFault>,
    /// Instance profiles, by ARN, that do not exist; all others do.
    pub(super) lost_profiles: BTreeSet<String>,
}

/// What is wrong with an image: instances launched from it show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageFault {
    /// They run, and their application answers with an error.
    NeverServes,
    /// They run, and never come up: their instance check fails.
    NeverBoots,
    /// They shut themselves down this long after each boot.
    ShutsDownAfter(Duration),
    /// They go from pending to terminated, for this reason.
    LaunchFails(String),
}

impl Family for Op {
    fn name(&self) -> &'static str {
        match self {
            Op::RunInstances(_) => "RunInstances",
            Op::RebootInstances(_) => "RebootInstances",
            Op::DescribeInstanceAttribute { .. } => "DescribeInstanceAttribute",
        }
    }

    fn subjects(&self) -> Vec<&str> {
        match self {
            Op::RunInstances(wanted) => {
                let data = &wanted.data;
                let named = data.image.iter().chain(&wanted.subnet).chain(&wanted.token);
                named.map(String::as_str).collect()
            }
            Op::RebootInstances(ids) => ids.iter().map(String::as_str).collect(),
            Op::DescribeInstanceAttribute { id, .. } => vec![id],
        }
    }

    fn costs(&self) -> Vec<Cost> {
        match self {
            Op::RunInstances(wanted) => vec![
                ("RunInstances", limit(5.0, 2.0), 1.0),
                (
                    "RunInstances instances",
                    limit(1000.0, 2.0),
                    f64::from(wanted.max),
                ),
            ],
            Op::RebootInstances(_) | Op::DescribeInstanceAttribute { .. } => throttle::ec2(self.name()),
        }
    }

    fn answer(&self, world: &mut World, caller: &Caller) -> Response {
        match self {
            Op::RunInstances(wanted) => world.run_instances(caller, wanted),
            Op::RebootInstances(ids) => world.reboot_instances(caller, ids),
            Op::DescribeInstanceAttribute { id, attribute } => {
                world.describe_instance_attribute(caller, id, *attribute)
            }
        }
    }
}
