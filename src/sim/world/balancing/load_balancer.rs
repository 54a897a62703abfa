//! Load balancers: Application and Network.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::super::World;
use super::super::api::{ApiError, Caller, Listing, Page};
use super::super::instance::Scope;
use super::super::later;
use super::super::life::Event;
use super::super::page::paginate;
use super::super::shelf::Tags;
use super::attributes::{self, DELETION_PROTECTION};
use super::{check_name, invalid, tags};

/// `application` or `network`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BalancerKind {
    Application,
    Network,
}

impl BalancerKind {
    /// AWS's name of the type.
    pub fn name(self) -> &'static str {
        match self {
            BalancerKind::Application => "application",
            BalancerKind::Network => "network",
        }
    }

    /// The type in ARNs.
    pub(super) fn short(self) -> &'static str {
        match self {
            BalancerKind::Application => "app",
            BalancerKind::Network => "net",
        }
    }
}

/// A load balancer.
#[derive(Debug, Clone)]
pub struct LoadBalancer {
    pub arn: String,
    pub name: String,
    pub scope: Scope,
    pub kind: BalancerKind,
    /// `internal`, else `internet-facing`.
    pub internal: bool,
    pub created: Timestamp,
    /// When its nodes are there.
    pub active_at: Timestamp,
    /// They are: `active`, else `provisioning`.
    pub active: bool,
    pub vpc: String,
    /// One of each enabled zone, by zone.
    pub subnets: BTreeMap<String, SubnetOf>,
    pub security_groups: Vec<String>,
    pub attributes: BTreeMap<String, String>,
    pub tags: Tags,
}

/// A load balancer's subnet in one zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubnetOf {
    pub zone: String,
    pub id: String,
}

/// CreateLoadBalancer's parameters.
#[derive(Debug, Clone)]
pub struct NewLoadBalancer {
    pub name: String,
    pub kind: BalancerKind,
    pub internal: bool,
    pub subnets: Vec<String>,
    pub security_groups: Vec<String>,
    pub tags: Vec<(String, String)>,
}

impl LoadBalancer {
    /// The part of the ARN that listeners' and rules' ARNs repeat: `app/NAME/ID`.
    pub(super) fn path(&self) -> &str {
        self.arn.split_once(":loadbalancer/").map_or("", |(_, path)| path)
    }

    fn id(&self) -> &str {
        self.arn.rsplit('/').next().unwrap_or("")
    }

    /// Its name in DNS.
    pub fn dns_name(&self) -> String {
        let (name, id, region) = (&self.name, self.id(), &self.scope.region);
        let internal = if self.internal { "internal-" } else { "" };
        match self.kind {
            BalancerKind::Application => {
                let number = u64::from_str_radix(id, 16).unwrap_or(0) % 10_000_000_000;
                format!("{internal}{name}-{number}.{region}.elb.amazonaws.com")
            }
            BalancerKind::Network => format!("{name}-{id}.elb.{region}.amazonaws.com"),
        }
    }

    /// Route 53's zone of that name: AWS's own for the regions it has been looked up for.
    pub fn hosted_zone(&self) -> &'static str {
        match (self.scope.region.as_str(), self.kind) {
            ("us-east-1", BalancerKind::Application) => "Z35SXDOTRQ7X7K",
            ("us-east-1", BalancerKind::Network) => "Z26RNL4JYFTOTI",
            ("eu-west-1", BalancerKind::Application) => "Z32O12XQLNTSW2",
            ("eu-west-1", BalancerKind::Network) => "Z2IFOLAFXWLO4F",
            (_, BalancerKind::Application) => "ZHURV8PSTC4K8",
            (_, BalancerKind::Network) => "ZD4D7Y8KGAS4G",
        }
    }

    /// Cross-zone balancing as the load balancer has it: on for ALB, off for NLB unless set.
    pub fn is_cross_zone(&self) -> bool {
        self.attributes
            .get(attributes::CROSS_ZONE)
            .is_some_and(|value| value == "true")
    }
}

impl World {
    /// The caller's load balancer of this ARN, in truth.
    pub(super) fn balancer_of(&self, caller: &Caller, arn: &str) -> Result<&LoadBalancer, ApiError> {
        let balancer = self.balancing.balancers.get(arn);
        balancer
            .filter(|b| b.scope == caller.scope())
            .ok_or_else(|| not_found(arn))
    }

    pub(super) fn edit_balancer(
        &mut self,
        caller: &Caller,
        arn: &str,
    ) -> Result<&mut LoadBalancer, ApiError> {
        let balancer = self.balancing.balancers.get_mut(arn);
        balancer
            .filter(|b| b.scope == caller.scope())
            .ok_or_else(|| not_found(arn))
    }

    pub(super) fn create_load_balancer(
        &mut self,
        caller: &Caller,
        new: &NewLoadBalancer,
    ) -> Result<LoadBalancer, ApiError> {
        check_name("Load balancer", &new.name)?;
        if new.name.starts_with("internal-") {
            return Err(invalid(format!(
                "Load balancer name '{}' cannot begin with 'internal-'",
                new.name
            )));
        }
        let (vpc, subnets) = self.check_subnets(caller, new.kind, &new.subnets)?;
        let security_groups = self.security_groups_of(caller, new, &vpc)?;
        let tags = tags::of_new(&new.tags)?;
        let scope = caller.scope();
        if let Some(twin) = self.balancers_of(&scope).find(|b| b.name == new.name) {
            let is_same = twin.kind == new.kind
                && twin.internal == new.internal
                && twin.subnets == subnets
                && twin.security_groups == security_groups;
            let text = format!(
                "A load balancer with the same name '{}' exists, but with different settings",
                new.name
            );
            return match is_same {
                true => Ok(twin.clone()),
                false => Err(ApiError::new("DuplicateLoadBalancerName", text)),
            };
        }
        let quota = self.balancing_quota(&scope, &format!("{}-load-balancers", new.kind.name()));
        if self.balancers_of(&scope).filter(|b| b.kind == new.kind).count() >= quota {
            let text = "You've reached the limit on the number of load balancers for your AWS account";
            return Err(ApiError::new("TooManyLoadBalancers", text));
        }
        let (id, provisioning) = (self.balancing_id(), self.draw(&self.pace.balancer_s.clone()));
        let balancer = LoadBalancer {
            arn: format!(
                "arn:aws:elasticloadbalancing:{}:{}:loadbalancer/{}/{}/{id}",
                scope.region,
                scope.account,
                new.kind.short(),
                new.name
            ),
            name: new.name.clone(),
            scope,
            kind: new.kind,
            internal: new.internal,
            created: self.now,
            active_at: later(self.now, provisioning),
            active: false,
            vpc,
            subnets,
            security_groups,
            attributes: attributes::of_new_balancer(new.kind, new.internal),
            tags,
        };
        self.own_write(&balancer.arn);
        self.note(&balancer.arn, "load balancer created");
        self.schedule(
            provisioning,
            Event::BalancerActive {
                arn: balancer.arn.clone(),
            },
        );
        self.balancing
            .balancers
            .insert(balancer.arn.clone(), balancer.clone());
        Ok(balancer)
    }

    pub(in crate::sim::world) fn activate_balancer(&mut self, arn: &str) {
        if let Some(balancer) = self.balancing.balancers.get_mut(arn) {
            balancer.active = true;
            self.note(arn, "load balancer: provisioning → active");
        }
    }

    pub(super) fn describe_load_balancers(
        &self,
        caller: &Caller,
        names: &[String],
        arns: &[String],
        page: &Page,
    ) -> Result<Listing<LoadBalancer>, ApiError> {
        if !names.is_empty() && !arns.is_empty() {
            return Err(invalid(
                "Load balancer names and load balancer ARNs cannot be specified at the same time",
            ));
        }
        let scope = caller.scope();
        let mine = || {
            self.balancers_of(&scope)
                .filter(|b| b.created <= self.shown_until(&b.arn))
        };
        let assumed = self.assumed_balancer(&scope).filter(|b| arns.contains(&b.arn));
        let mine = || mine().chain(&assumed);
        let is_known = |wanted: &&String| mine().any(|b| b.name == **wanted || b.arn == **wanted);
        if let Some(unknown) = names.iter().chain(arns).find(|wanted| !is_known(wanted)) {
            return Err(not_found(unknown));
        }
        let all = names.is_empty() && arns.is_empty();
        let is_wanted = |b: &&LoadBalancer| all || names.contains(&b.name) || arns.contains(&b.arn);
        let items: Vec<LoadBalancer> = mine().filter(is_wanted).cloned().collect();
        let (items, next) = paginate(items, |b| b.arn.clone(), page, 1..=400, Some(400))?;
        Ok(Listing { items, next })
    }

    /// With its listeners and rules. One that does not exist is deleted already (D).
    pub(super) fn delete_load_balancer(&mut self, caller: &Caller, arn: &str) -> Result<(), ApiError> {
        let Ok(balancer) = self.balancer_of(caller, arn) else {
            return Ok(());
        };
        if balancer
            .attributes
            .get(DELETION_PROTECTION)
            .is_some_and(|v| v == "true")
        {
            let text =
                format!("Load balancer '{arn}' cannot be deleted because deletion protection is enabled");
            return Err(ApiError::new("OperationNotPermitted", text));
        }
        let is_target = |group: &super::super::TargetGroup| {
            let mut living = group.targets.iter().filter(|(_, t)| t.now().is_some());
            living.any(|((id, _), _)| id == arn)
        };
        if self.target_groups.values().any(is_target) {
            let text = format!("Load balancer '{arn}' is registered as a target of a target group");
            return Err(ApiError::new("ResourceInUse", text));
        }
        let touched = self.groups_behind(arn);
        let room = &mut self.balancing;
        room.balancers.remove(arn);
        room.rules.retain(|_, rule| rule.balancer != arn);
        room.listeners.retain(|_, listener| listener.balancer != arn);
        self.note(arn, "load balancer deleted");
        self.refresh_usage(&touched);
        Ok(())
    }

    pub(super) fn set_subnets(
        &mut self,
        caller: &Caller,
        arn: &str,
        wanted: &[String],
    ) -> Result<LoadBalancer, ApiError> {
        let kind = self.balancer_of(caller, arn)?.kind;
        let (vpc, subnets) = self.check_subnets(caller, kind, wanted)?;
        let balancer = self.edit_balancer(caller, arn)?;
        if balancer.vpc != vpc {
            let text = format!(
                "The subnets are not in the VPC '{}' of the load balancer",
                balancer.vpc
            );
            return Err(ApiError::new("InvalidConfigurationRequest", text));
        }
        balancer.subnets = subnets;
        let shown = balancer.clone();
        let zones: Vec<&str> = shown.subnets.keys().map(String::as_str).collect();
        self.note(arn, format!("load balancer: zones {}", zones.join(", ")));
        self.refresh_usage(&self.groups_behind(arn));
        Ok(shown)
    }

    pub(super) fn set_security_groups(
        &mut self,
        caller: &Caller,
        arn: &str,
        wanted: &[String],
    ) -> Result<(), ApiError> {
        let balancer = self.balancer_of(caller, arn)?;
        if balancer.kind == BalancerKind::Network && balancer.security_groups.is_empty() {
            let text =
                "You can set the security groups of a Network Load Balancer only if it was created with one";
            return Err(ApiError::new("InvalidConfigurationRequest", text));
        }
        if wanted.is_empty() {
            return Err(invalid("At least one security group must be specified"));
        }
        let vpc = balancer.vpc.clone();
        self.check_security_groups(caller, wanted, &vpc)?;
        self.edit_balancer(caller, arn)?.security_groups = wanted.to_vec();
        self.note(
            arn,
            format!("load balancer: security groups {}", wanted.join(", ")),
        );
        Ok(())
    }

    fn balancers_of<'a>(&'a self, scope: &'a Scope) -> impl Iterator<Item = &'a LoadBalancer> {
        self.balancing
            .balancers
            .values()
            .filter(move |b| b.scope == *scope)
    }

    /// The subnets by zone, and their VPC.
    fn check_subnets(
        &self,
        caller: &Caller,
        kind: BalancerKind,
        wanted: &[String],
    ) -> Result<(String, BTreeMap<String, SubnetOf>), ApiError> {
        let scope = caller.scope();
        let mut subnets = BTreeMap::new();
        let mut vpcs = BTreeSet::new();
        for id in wanted {
            let found = self.subnet(id).filter(|subnet| subnet.scope == scope);
            let Some(subnet) = found else {
                return Err(ApiError::new(
                    "SubnetNotFound",
                    format!("The subnet ID '{id}' does not exist"),
                ));
            };
            vpcs.insert(subnet.vpc.clone());
            let of_zone = SubnetOf {
                zone: subnet.zone.clone(),
                id: id.clone(),
            };
            let other = subnets.insert(subnet.zone.clone(), of_zone);
            if other.is_some() {
                let text =
                    "A load balancer cannot be attached to multiple subnets in the same Availability Zone";
                return Err(ApiError::new("InvalidConfigurationRequest", text));
            }
        }
        if vpcs.len() > 1 {
            let text = "The specified subnets are not all in the same VPC";
            return Err(ApiError::new("InvalidConfigurationRequest", text));
        }
        let least = if kind == BalancerKind::Application { 2 } else { 1 };
        match vpcs.pop_first() {
            Some(vpc) if subnets.len() >= least => Ok((vpc, subnets)),
            _ if least == 2 => Err(invalid(
                "At least two subnets in two different Availability Zones must be specified",
            )),
            _ => Err(invalid("At least one subnet must be specified")),
        }
    }

    /// The security groups that a new load balancer has: an Application Load Balancer without any gets its VPC's
    /// default one, a Network Load Balancer none.
    fn security_groups_of(
        &self,
        caller: &Caller,
        new: &NewLoadBalancer,
        vpc: &str,
    ) -> Result<Vec<String>, ApiError> {
        self.check_security_groups(caller, &new.security_groups, vpc)?;
        match new.kind {
            BalancerKind::Application if new.security_groups.is_empty() => Ok(self.default_groups(vpc)),
            _ => Ok(new.security_groups.clone()),
        }
    }

    /// Some Application Load Balancer of this ARN is active and listens on this port.
    pub(in crate::sim::world) fn listens(&self, arn: &str, port: u16) -> bool {
        let room = &self.balancing;
        let balancer = room.balancers.get(arn);
        balancer.is_some_and(|b| b.kind == BalancerKind::Application)
            && room
                .listeners
                .values()
                .any(|l| l.balancer == arn && l.port == port)
    }

    /// How long until the first load balancer that uses the group has its nodes; zero if one has.
    pub(in crate::sim::world) fn until_balancer_active(&self, group: &str) -> Duration {
        let users = self
            .balancers_using(group)
            .filter_map(|arn| self.balancing.balancers.get(arn));
        let first = users.map(|balancer| balancer.active_at).min();
        let left = first.map(|at| at.duration_since(self.now));
        left.and_then(|left| Duration::try_from(left).ok())
            .unwrap_or_default()
    }
}

pub(super) fn not_found(which: &str) -> ApiError {
    ApiError::new(
        "LoadBalancerNotFound",
        format!("Load balancers '[{which}]' not found"),
    )
}
