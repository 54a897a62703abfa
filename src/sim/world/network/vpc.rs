//! VPCs and subnets, and which of a subnet's addresses are taken.

use std::net::Ipv4Addr;
use std::sync::Arc;

use jiff::Timestamp;

use super::super::World;
use super::super::api::{self, ApiError, Asked, Caller, Listing, Response};
use super::super::instance::Scope;
use super::super::shelf::{Field, Resource, Tags, parts};
use super::super::tags::{TagSpecs, tags_for};
use super::zone::{zone_id, zones_of};
use super::{Answer, Cidr};

/// EC2 keeps the first four addresses of a subnet and the last one.
const RESERVED_FIRST: u64 = 4;
const RESERVED: u64 = RESERVED_FIRST + 1;

/// A virtual network.
#[derive(Debug, Clone)]
pub struct Vpc {
    pub id: String,
    pub scope: Scope,
    pub cidr: Cidr,
    pub is_default: bool,
    pub tags: Tags,
}

/// A part of a VPC in one zone.
#[derive(Debug, Clone)]
pub struct Subnet {
    pub id: String,
    pub scope: Scope,
    pub vpc: String,
    /// `eu-west-2a`.
    pub zone: String,
    pub cidr: Cidr,
    /// The zone's default: launches that name no subnet go there.
    pub is_default: bool,
    /// Instances that are launched into it get a public address.
    pub map_public_ip: bool,
    pub tags: Tags,
}

/// A subnet and how many of its addresses are free.
#[derive(Debug, Clone)]
pub struct SubnetView {
    pub subnet: Arc<Subnet>,
    pub free: u64,
}

/// CreateVpc's parameters.
#[derive(Debug, Clone)]
pub struct CreateVpc {
    pub cidr: String,
    pub tags: TagSpecs,
}

/// CreateSubnet's parameters.
#[derive(Debug, Clone)]
pub struct CreateSubnet {
    pub vpc: String,
    pub cidr: String,
    pub zone: Option<String>,
    pub zone_id: Option<String>,
    pub tags: TagSpecs,
}

impl Subnet {
    /// `euw2-az1`.
    pub fn zone_id(&self) -> String {
        zone_id(&self.zone)
    }

    pub fn arn(&self) -> String {
        let Scope { account, region } = &self.scope;
        format!("arn:aws:ec2:{region}:{account}:subnet/{}", self.id)
    }
}

impl Resource for Vpc {
    const KIND: &'static str = "vpc";
    const PREFIX: &'static str = "vpc-";
    const NOUN: &'static str = "vpc ID";
    const NOT_FOUND: &'static str = "InvalidVpcID.NotFound";
    const MALFORMED: &'static str = "InvalidVpcID.Malformed";
    const FILTERS: &'static [Field<Self>] = &[
        ("vpc-id", |v| vec![v.id.clone()]),
        ("cidr", |v| vec![v.cidr.to_string()]),
        ("cidr-block-association.cidr-block", |v| vec![v.cidr.to_string()]),
        ("is-default", |v| vec![v.is_default.to_string()]),
        ("isDefault", |v| vec![v.is_default.to_string()]),
        ("owner-id", |v| vec![v.scope.account.clone()]),
        ("state", |_| vec!["available".to_owned()]),
    ];

    parts!();
}

impl Resource for Subnet {
    const KIND: &'static str = "subnet";
    const PREFIX: &'static str = "subnet-";
    const NOUN: &'static str = "subnet ID";
    const NOT_FOUND: &'static str = "InvalidSubnetID.NotFound";
    const MALFORMED: &'static str = "InvalidSubnetID.Malformed";
    const FILTERS: &'static [Field<Self>] = &[
        ("subnet-id", |s| vec![s.id.clone()]),
        ("vpc-id", |s| vec![s.vpc.clone()]),
        ("availability-zone", |s| vec![s.zone.clone()]),
        ("availabilityZone", |s| vec![s.zone.clone()]),
        ("availability-zone-id", |s| vec![s.zone_id()]),
        ("cidr-block", |s| vec![s.cidr.to_string()]),
        ("cidr", |s| vec![s.cidr.to_string()]),
        ("default-for-az", |s| vec![s.is_default.to_string()]),
        ("defaultForAz", |s| vec![s.is_default.to_string()]),
        ("map-public-ip-on-launch", |s| vec![s.map_public_ip.to_string()]),
        ("owner-id", |s| vec![s.scope.account.clone()]),
        ("state", |_| vec!["available".to_owned()]),
    ];

    parts!();
}

impl World {
    /// Let the default network of an account and region be there, as if it always had been.
    pub(in crate::sim::world) fn furnish(&mut self, scope: &Scope) {
        if !self.network.furnished.insert(scope.clone()) {
            return;
        }
        let vpc = Vpc {
            id: fixed_id("vpc-", scope, "default"),
            scope: scope.clone(),
            cidr: Cidr::new(Ipv4Addr::new(172, 31, 0, 0), 16),
            is_default: true,
            tags: Tags::new(),
        };
        for (zone, place) in zones_of(&scope.region).into_iter().zip(0..) {
            let subnet = default_subnet(&vpc, &zone.name, place);
            self.network.subnets.put(Timestamp::MIN, subnet);
        }
        self.furnish_group(Timestamp::MIN, &vpc);
        self.network.vpcs.put(Timestamp::MIN, vpc);
    }

    /// The default subnet of a zone, also of one that regions do not begin with.
    pub(in crate::sim::world) fn furnish_zone(&mut self, scope: &Scope, zone: &str) -> Option<Arc<Subnet>> {
        self.furnish(scope);
        if let Some(subnet) = self.default_subnet(scope, zone) {
            return Some(subnet.clone());
        }
        let letter = zone.bytes().last().unwrap_or(b'a');
        let place = u64::from(letter.saturating_sub(b'a')) % 16;
        let subnet = default_subnet(self.default_vpc(scope)?, zone, place);
        Some(self.network.subnets.put(Timestamp::MIN, subnet))
    }

    /// The default VPC of an account and region.
    pub fn default_vpc(&self, scope: &Scope) -> Option<&Arc<Vpc>> {
        let mut vpcs = self.network.vpcs.iter();
        vpcs.find(|vpc| vpc.is_default && vpc.scope == *scope)
    }

    /// The default subnet of a zone.
    pub fn default_subnet(&self, scope: &Scope, zone: &str) -> Option<&Arc<Subnet>> {
        let mut subnets = self.network.subnets.iter();
        subnets.find(|subnet| subnet.is_default && subnet.zone == zone && subnet.scope == *scope)
    }

    /// The subnet, in truth.
    pub fn subnet(&self, id: &str) -> Option<&Arc<Subnet>> {
        self.network.subnets.get(id)
    }

    /// The subnet and how many of its addresses are free.
    pub(in crate::sim::world) fn subnet_view(&self, subnet: &Arc<Subnet>) -> SubnetView {
        let taken = self.network.taken.get(&subnet.id).map_or(0, |taken| taken.len());
        let taken = u64::try_from(taken).unwrap_or(u64::MAX);
        SubnetView {
            subnet: subnet.clone(),
            free: subnet.cidr.size().saturating_sub(RESERVED + taken),
        }
    }

    /// Take an address of the subnet: `wanted`, or a free one near the place that `hint` names.
    ///
    /// # Errors
    /// The wanted one is not the subnet's, or is taken; or none is free.
    pub fn take_address(
        &mut self,
        subnet: &Subnet,
        wanted: Option<Ipv4Addr>,
        hint: u64,
    ) -> Result<Ipv4Addr, ApiError> {
        let taken = self.network.taken.entry(subnet.id.clone()).or_default();
        let usable = RESERVED_FIRST..subnet.cidr.size().saturating_sub(1);
        let address = match wanted {
            Some(address) => {
                let place = subnet.cidr.place(address).filter(|place| usable.contains(place));
                if place.is_none() {
                    let text = format!("Address {address} does not fall within the subnet's address range");
                    return Err(ApiError::new("InvalidParameterValue", text));
                }
                if taken.contains(&address) {
                    return Err(ApiError::new(
                        "InvalidIPAddress.InUse",
                        format!("Address {address} is in use."),
                    ));
                }
                address
            }
            None => {
                let count = (usable.end - usable.start).max(1);
                let mut places = (0..count).map(|step| usable.start + (hint + step) % count);
                let free = places.find_map(|place| {
                    let address = subnet.cidr.address(place);
                    (!taken.contains(&address)).then_some(address)
                });
                free.ok_or_else(|| no_address(&subnet.id))?
            }
        };
        taken.insert(address);
        Ok(address)
    }

    /// Give an address back to its subnet.
    pub fn free_address(&mut self, subnet: &str, address: Ipv4Addr) {
        if let Some(taken) = self.network.taken.get_mut(subnet) {
            taken.remove(&address);
        }
    }

    pub(super) fn describe_subnets(&self, caller: &Caller, asked: &Asked) -> Result<Answer, ApiError> {
        let Listing { items, next } = self.network.subnets.listed(self, caller, asked)?;
        let items = items.iter().map(|subnet| self.subnet_view(subnet)).collect();
        Ok(Answer::Subnets(Listing { items, next }))
    }

    pub(super) fn create_vpc(&mut self, caller: &Caller, wanted: &CreateVpc) -> Result<Arc<Vpc>, ApiError> {
        let cidr = parse_cidr(&wanted.cidr, "InvalidVpc.Range")?;
        let vpc = Vpc {
            id: self.new_id("vpc-"),
            scope: caller.scope(),
            cidr,
            is_default: false,
            tags: tags_for(&wanted.tags, "vpc")?,
        };
        self.furnish_group(self.now, &vpc);
        Ok(self.shelve(|w| &mut w.network.vpcs, vpc, format!("created, {cidr}")))
    }

    pub(super) fn create_subnet(
        &mut self,
        caller: &Caller,
        wanted: &CreateSubnet,
    ) -> Result<Answer, ApiError> {
        let vpc = self.network.vpcs.find(caller, &wanted.vpc)?.clone();
        let cidr = parse_cidr(&wanted.cidr, "InvalidSubnet.Range")?;
        if !vpc.cidr.contains(cidr) {
            let text = format!("The CIDR '{cidr}' is invalid.");
            return Err(ApiError::new("InvalidSubnet.Range", text));
        }
        let is_taken = |other: &Arc<Subnet>| other.vpc == vpc.id && other.cidr.overlaps(cidr);
        if self.network.subnets.iter().any(is_taken) {
            let text = format!("The CIDR '{cidr}' conflicts with another subnet");
            return Err(ApiError::new("InvalidSubnet.Conflict", text));
        }
        let subnet = Subnet {
            zone: zone_of(caller, wanted)?,
            id: self.new_id("subnet-"),
            scope: caller.scope(),
            vpc: vpc.id.clone(),
            cidr,
            is_default: false,
            map_public_ip: false,
            tags: tags_for(&wanted.tags, "subnet")?,
        };
        let what = format!("created, {cidr} in {}", subnet.zone);
        let subnet = self.shelve(|w| &mut w.network.subnets, subnet, what);
        Ok(Answer::Subnet(self.subnet_view(&subnet)))
    }

    pub(super) fn modify_subnet(&mut self, caller: &Caller, id: &str, map_public_ip: bool) -> Response {
        self.network.subnets.find(caller, id)?;
        self.network
            .subnets
            .edit(self.now, id, |s| s.map_public_ip = map_public_ip);
        self.own_write(id);
        Ok(api::Answer::Done)
    }
}

/// The zone that a request means; the region's first, if it names none.
fn zone_of(caller: &Caller, wanted: &CreateSubnet) -> Result<String, ApiError> {
    let mut zones = zones_of(&caller.region).into_iter();
    let asked = wanted.zone.as_ref().or(wanted.zone_id.as_ref());
    let zone = match asked {
        None => zones.next(),
        Some(asked) => zones.find(|zone| zone.name == *asked || zone.id == *asked),
    };
    zone.map(|zone| zone.name).ok_or_else(|| {
        let asked = asked.map_or("", String::as_str);
        let text = format!(
            "Value ({asked}) for parameter availabilityZone is invalid. Subnets can currently only \
                            be created in the zones of {}.",
            caller.region
        );
        ApiError::new("InvalidParameterValue", text)
    })
}

fn parse_cidr(text: &str, range: &'static str) -> Result<Cidr, ApiError> {
    let cidr: Cidr = text.parse().map_err(|()| {
        let text =
            format!("Value ({text}) for parameter cidrBlock is invalid. This is not a valid CIDR block.");
        ApiError::new("InvalidParameterValue", text)
    })?;
    if !(16..=28).contains(&cidr.bits()) {
        return Err(ApiError::new(range, format!("The CIDR '{cidr}' is invalid.")));
    }
    Ok(cidr)
}

pub(in crate::sim::world) fn no_address(subnet: &str) -> ApiError {
    let text = format!(
        "There are not enough free addresses in subnet '{subnet}' to satisfy the requested number of \
                        instances."
    );
    ApiError::new("InsufficientFreeAddressesInSubnet", text)
}

/// The `place`th /20 of a default VPC.
fn default_subnet(vpc: &Vpc, zone: &str, place: u64) -> Subnet {
    Subnet {
        id: fixed_id("subnet-", &vpc.scope, zone),
        scope: vpc.scope.clone(),
        vpc: vpc.id.clone(),
        zone: zone.to_owned(),
        cidr: Cidr::new(vpc.cidr.address(place * 4096), 20),
        is_default: true,
        map_public_ip: true,
        tags: Tags::new(),
    }
}

/// An id that follows from account, region and `what` alone.
pub(in crate::sim::world) fn fixed_id(prefix: &str, scope: &Scope, what: &str) -> String {
    let text = format!("{prefix}/{}/{}/{what}", scope.account, scope.region);
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{prefix}0{hash:016x}")
}
