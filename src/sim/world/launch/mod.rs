//! Launching instances, and what can be asked and done of one that was launched.

mod attributes;
mod change;
mod check;
mod data;
mod like;
mod offers;
mod run;
mod settings;
mod tune;
mod types;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::api::{Asked, Caller, Family, Filter, Listing, Page, Response};
use super::instance::ScheduledEvent;
use super::throttle::{self, Cost, limit};
use super::{TemplateRef, World};
pub use attributes::Attribute;
pub use change::Change;
pub use data::{
    BlockDeviceSpec, CpuOptions, EbsSpec, HostnameOptions, InterfaceSpec, LaunchData, MarketSpec,
    MetadataSpec, PlacementSpec, ProfileSpec,
};
pub use offers::Offering;
pub use settings::{Metadata, Settings, Spot};
pub use tune::NotChanged;
pub use types::{InstanceType, instance_type, instance_types, vcpus_of};
pub use view::InstanceView;

/// The family's operations.
#[derive(Debug, Clone)]
pub enum Op {
    RunInstances(Box<RunInstances>),
    RebootInstances(Vec<String>),
    DescribeInstanceAttribute {
        id: String,
        attribute: Attribute,
    },
    /// EC2 wants exactly one change.
    ModifyInstanceAttribute {
        id: String,
        changes: Vec<Change>,
    },
    ModifyInstanceMetadataOptions {
        id: String,
        wanted: MetadataSpec,
    },
    MonitorInstances(Vec<String>),
    UnmonitorInstances(Vec<String>),
    /// Instance types' names for ids.
    DescribeInstanceTypes(Asked),
    DescribeInstanceTypeOfferings {
        location_type: Option<String>,
        filters: Vec<Filter>,
        page: Page,
    },
    DescribeInstanceCreditSpecifications(Asked),
    /// Instances' ids, and the credit option of each.
    ModifyInstanceCreditSpecification {
        wanted: Vec<(String, String)>,
        token: Option<String>,
    },
    ModifyInstanceEventStartTime {
        id: String,
        event: String,
        not_before: Timestamp,
    },
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
    MetadataOptions {
        id: String,
        options: Metadata,
    },
    /// Instances' ids, and how far the monitoring of each is.
    Monitoring(Vec<(String, &'static str)>),
    Types(Listing<InstanceType>),
    Offerings(Listing<Offering>),
    /// Instances' ids, and the credit option of each.
    Credits(Listing<(String, String)>),
    CreditsChanged {
        done: Vec<String>,
        failed: Vec<NotChanged>,
    },
    Event(ScheduledEvent),
}

impl Answer {
    pub(super) fn clear(&mut self) {
        match self {
            Answer::Types(listing) => listing.clear(),
            Answer::Offerings(listing) => listing.clear(),
            Answer::Credits(listing) => listing.clear(),
            Answer::Reservation { .. }
            | Answer::Attribute(..)
            | Answer::MetadataOptions { .. }
            | Answer::Monitoring(_)
            | Answer::CreditsChanged { .. }
            | Answer::Event(_) => {}
        }
    }
}

/// What makes launches go wrong.
#[derive(Debug, Clone, Default)]
pub(super) struct Room {
    /// Images whose instances do not work.
    pub(super) image_faults: BTreeMap<String, ImageFault>,
    /// Instance profiles, by ARN, that do not exist; all others do.
    pub(super) lost_profiles: BTreeSet<String>,
    /// Zones and the instance types that they do not have at all.
    pub(super) not_offered: BTreeSet<(String, String)>,
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
            Op::ModifyInstanceAttribute { .. } => "ModifyInstanceAttribute",
            Op::ModifyInstanceMetadataOptions { .. } => "ModifyInstanceMetadataOptions",
            Op::MonitorInstances(_) => "MonitorInstances",
            Op::UnmonitorInstances(_) => "UnmonitorInstances",
            Op::DescribeInstanceTypes(_) => "DescribeInstanceTypes",
            Op::DescribeInstanceTypeOfferings { .. } => "DescribeInstanceTypeOfferings",
            Op::DescribeInstanceCreditSpecifications(_) => "DescribeInstanceCreditSpecifications",
            Op::ModifyInstanceCreditSpecification { .. } => "ModifyInstanceCreditSpecification",
            Op::ModifyInstanceEventStartTime { .. } => "ModifyInstanceEventStartTime",
        }
    }

    fn subjects(&self) -> Vec<&str> {
        match self {
            Op::RunInstances(wanted) => {
                let data = &wanted.data;
                let named = data.image.iter().chain(&wanted.subnet).chain(&wanted.token);
                named.map(String::as_str).collect()
            }
            Op::RebootInstances(ids) | Op::MonitorInstances(ids) | Op::UnmonitorInstances(ids) => {
                ids.iter().map(String::as_str).collect()
            }
            Op::DescribeInstanceAttribute { id, .. }
            | Op::ModifyInstanceAttribute { id, .. }
            | Op::ModifyInstanceMetadataOptions { id, .. }
            | Op::ModifyInstanceEventStartTime { id, .. } => vec![id],
            Op::DescribeInstanceTypes(asked) | Op::DescribeInstanceCreditSpecifications(asked) => {
                asked.subjects()
            }
            Op::DescribeInstanceTypeOfferings { .. } => Vec::new(),
            Op::ModifyInstanceCreditSpecification { wanted, .. } => {
                wanted.iter().map(|(id, _)| id.as_str()).collect()
            }
        }
    }

    fn page(&self) -> Option<&Page> {
        match self {
            Op::DescribeInstanceTypes(asked) | Op::DescribeInstanceCreditSpecifications(asked) => {
                Some(&asked.page)
            }
            Op::DescribeInstanceTypeOfferings { page, .. } => Some(page),
            _ => None,
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
            _ => throttle::ec2(self.name()),
        }
    }

    fn answer(&self, world: &mut World, caller: &Caller) -> Response {
        match self {
            Op::RunInstances(wanted) => world.run_instances(caller, wanted),
            Op::RebootInstances(ids) => world.reboot_instances(caller, ids),
            Op::DescribeInstanceAttribute { id, attribute } => {
                world.describe_instance_attribute(caller, id, *attribute)
            }
            Op::ModifyInstanceAttribute { id, changes } => {
                world.modify_instance_attribute(caller, id, changes)
            }
            Op::ModifyInstanceMetadataOptions { id, wanted } => {
                world.modify_metadata_options(caller, id, wanted)
            }
            Op::MonitorInstances(ids) => world.monitor(caller, ids, true),
            Op::UnmonitorInstances(ids) => world.monitor(caller, ids, false),
            Op::DescribeInstanceTypes(asked) => world.describe_types(caller, asked),
            Op::DescribeInstanceTypeOfferings {
                location_type,
                filters,
                page,
            } => world.describe_offerings(caller, location_type.as_deref(), filters, page),
            Op::DescribeInstanceCreditSpecifications(asked) => world.describe_credits(caller, asked),
            Op::ModifyInstanceCreditSpecification { wanted, token } => {
                world.modify_credits(caller, wanted, token.as_deref())
            }
            Op::ModifyInstanceEventStartTime {
                id,
                event,
                not_before,
            } => world.modify_event_start(caller, id, event, *not_before),
        }
    }
}
