//! EC2's networks. Every account has, in every region, a default VPC with a /20 subnet in each of three zones and a default
//! security group, as if they had always been there: they come about when they are first needed, with ids that follow from
//! account, region and zone alone, so that no seed's course depends on them.

mod cidr;
mod vpc;
mod zone;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::World;
use super::api::{self, Asked, Caller, Family, Filter, Listing, Page, Response};
use super::instance::Scope;
use super::shelf::Shelf;
pub use cidr::Cidr;
pub use vpc::{CreateSubnet, CreateVpc, Subnet, SubnetView, Vpc};
pub(super) use vpc::{fixed_id, no_address};
pub use zone::{REGIONS, Zone, zone_id, zones_of};

/// The family's operations.
#[derive(Debug, Clone)]
pub enum Op {
    DescribeVpcs(Asked),
    DescribeSubnets(Asked),
    DescribeAvailabilityZones {
        names: Vec<String>,
        ids: Vec<String>,
        filters: Vec<Filter>,
    },
    DescribeRegions {
        names: Vec<String>,
        filters: Vec<Filter>,
    },
    CreateVpc(CreateVpc),
    CreateSubnet(CreateSubnet),
    /// `true`: instances that are launched into it get a public address.
    ModifySubnetAttribute {
        subnet: String,
        map_public_ip: bool,
    },
}

/// The family's answers.
#[derive(Debug, Clone)]
pub enum Answer {
    Vpcs(Listing<Arc<Vpc>>),
    Vpc(Arc<Vpc>),
    Subnets(Listing<SubnetView>),
    Subnet(SubnetView),
    Zones(Vec<Zone>),
    Regions(Vec<&'static str>),
}

impl Answer {
    pub(super) fn clear(&mut self) {
        match self {
            Answer::Vpcs(listing) => listing.clear(),
            Answer::Subnets(listing) => listing.clear(),
            Answer::Zones(zones) => zones.clear(),
            Answer::Regions(regions) => regions.clear(),
            Answer::Vpc(_) | Answer::Subnet(_) => {}
        }
    }
}

/// What the world knows of networks.
#[derive(Debug, Clone, Default)]
pub(super) struct Network {
    pub(super) vpcs: Shelf<Vpc>,
    pub(super) subnets: Shelf<Subnet>,
    /// By subnet: the addresses that are taken, in truth.
    taken: BTreeMap<String, BTreeSet<Ipv4Addr>>,
    /// Where the default VPC is already there.
    furnished: BTreeSet<Scope>,
}

impl Family for Op {
    fn name(&self) -> &'static str {
        match self {
            Op::DescribeVpcs(_) => "DescribeVpcs",
            Op::DescribeSubnets(_) => "DescribeSubnets",
            Op::DescribeAvailabilityZones { .. } => "DescribeAvailabilityZones",
            Op::DescribeRegions { .. } => "DescribeRegions",
            Op::CreateVpc(_) => "CreateVpc",
            Op::CreateSubnet(_) => "CreateSubnet",
            Op::ModifySubnetAttribute { .. } => "ModifySubnetAttribute",
        }
    }

    fn subjects(&self) -> Vec<&str> {
        match self {
            Op::DescribeVpcs(asked) | Op::DescribeSubnets(asked) => asked.subjects(),
            Op::DescribeAvailabilityZones { names, ids, .. } => {
                names.iter().chain(ids).map(String::as_str).collect()
            }
            Op::DescribeRegions { names, .. } => names.iter().map(String::as_str).collect(),
            Op::CreateVpc(_) => Vec::new(),
            Op::CreateSubnet(wanted) => vec![&wanted.vpc],
            Op::ModifySubnetAttribute { subnet, .. } => vec![subnet],
        }
    }

    fn page(&self) -> Option<&Page> {
        match self {
            Op::DescribeVpcs(asked) | Op::DescribeSubnets(asked) => Some(&asked.page),
            _ => None,
        }
    }

    fn is_mutation(&self) -> bool {
        // Nothing that serves depends on it yet.
        false
    }

    fn answer(&self, world: &mut World, caller: &Caller) -> Response {
        let answer = match self {
            Op::DescribeVpcs(asked) => Answer::Vpcs(world.network.vpcs.listed(world, caller, asked)?),
            Op::DescribeSubnets(asked) => world.describe_subnets(caller, asked)?,
            Op::DescribeAvailabilityZones { names, ids, filters } => {
                world.describe_zones(caller, names, ids, filters)?
            }
            Op::DescribeRegions { names, filters } => world.describe_regions(names, filters)?,
            Op::CreateVpc(wanted) => Answer::Vpc(world.create_vpc(caller, wanted)?),
            Op::CreateSubnet(wanted) => world.create_subnet(caller, wanted)?,
            Op::ModifySubnetAttribute {
                subnet,
                map_public_ip,
            } => {
                return world.modify_subnet(caller, subnet, *map_public_ip);
            }
        };
        Ok(api::Answer::Network(answer))
    }
}
