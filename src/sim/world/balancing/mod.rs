//! Elastic Load Balancing v2: load balancers, listeners, rules, target groups and registrations.
//!
//! One file a kind of object: `load_balancer`, `listener`, `rule` with `action` and `condition`, `group`,
//! `registration`; `attributes` and `tags` serve all of them, `usage` tells who sends traffic to which group, and
//! `truth` answers what the oracles ask. How health follows from all that is in `super::target_health`.
//!
//! Reads show configuration as it is, except that what was created within the lag of reads is not there yet; targets
//! have a full history. Not modelled, and refused by name: Gateway Load Balancers, QUIC, authentication, mutual TLS,
//! trust stores, capacity reservations. Certificates and Lambda functions are taken at their ARN's word.

mod action;
mod assumed;
mod attributes;
mod borders;
mod condition;
mod group;
mod levers;
mod limits;
mod listener;
mod load_balancer;
mod registration;
mod rule;
mod tags;
mod truth;
mod usage;

use std::collections::BTreeMap;

pub use self::action::{Action, FixedResponse, Forward, Kind, Redirect, WeightedGroup};
pub use self::assumed::assumed_arn;
pub use self::attributes::of_new_group;
pub use self::condition::Condition;
pub use self::group::{CheckSettings, NewTargetGroup};
pub use self::limits::Quota;
pub use self::listener::{Listener, ListenerChange, NewListener};
pub use self::load_balancer::{BalancerKind, LoadBalancer, NewLoadBalancer, SubnetOf};
pub use self::registration::TargetAt;
pub use self::rule::{NewRule, Priority, Rule};
pub use self::truth::Registration;
use super::World;
use super::api::{self, ApiError, Caller, Family, Listing, Page, Response};
use super::instance::Scope;
use super::shelf::Tags;
use super::throttle::{Cost, limit};

/// Everything of the family but the target groups.
#[derive(Debug, Clone, Default)]
pub(super) struct Room {
    pub(super) balancers: BTreeMap<String, LoadBalancer>,
    pub(super) listeners: BTreeMap<String, Listener>,
    pub(super) rules: BTreeMap<String, Rule>,
    /// Quotas that are not the default, by account, region and name.
    pub(super) quotas: BTreeMap<(Scope, String), usize>,
}

/// The family's operations.
#[derive(Debug, Clone)]
pub enum Op {
    CreateTargetGroup(Box<NewTargetGroup>),
    ModifyTargetGroup {
        arn: String,
        checks: CheckSettings,
    },
    DeleteTargetGroup {
        arn: String,
    },
    DescribeTargetGroupAttributes {
        arn: String,
    },
    ModifyTargetGroupAttributes {
        arn: String,
        attributes: Vec<(String, String)>,
    },
    RegisterTargets {
        arn: String,
        targets: Vec<TargetAt>,
    },
    DeregisterTargets {
        arn: String,
        targets: Vec<TargetAt>,
    },
    CreateLoadBalancer(Box<NewLoadBalancer>),
    DescribeLoadBalancers {
        names: Vec<String>,
        arns: Vec<String>,
        page: Page,
    },
    DeleteLoadBalancer {
        arn: String,
    },
    DescribeLoadBalancerAttributes {
        arn: String,
    },
    ModifyLoadBalancerAttributes {
        arn: String,
        attributes: Vec<(String, String)>,
    },
    SetSubnets {
        arn: String,
        subnets: Vec<String>,
    },
    SetSecurityGroups {
        arn: String,
        groups: Vec<String>,
    },
    CreateListener(Box<NewListener>),
    DescribeListeners {
        balancer: Option<String>,
        arns: Vec<String>,
        page: Page,
    },
    ModifyListener {
        arn: String,
        change: Box<ListenerChange>,
    },
    DeleteListener {
        arn: String,
    },
    CreateRule(Box<NewRule>),
    DescribeRules {
        listener: Option<String>,
        arns: Vec<String>,
        page: Page,
    },
    ModifyRule {
        arn: String,
        conditions: Option<Vec<Condition>>,
        actions: Option<Vec<Action>>,
    },
    DeleteRule {
        arn: String,
    },
    SetRulePriorities(Vec<(String, u32)>),
    AddTags {
        arns: Vec<String>,
        tags: Vec<(String, String)>,
    },
    RemoveTags {
        arns: Vec<String>,
        keys: Vec<String>,
    },
    DescribeTags {
        arns: Vec<String>,
    },
    DescribeAccountLimits {
        page: Page,
    },
}

/// The family's answers, target groups and their health aside.
#[derive(Debug, Clone)]
pub enum Answer {
    Balancers(Listing<LoadBalancer>),
    Listeners(Listing<Listener>),
    Rules(Listing<Rule>),
    /// Complete, by key.
    Attributes(BTreeMap<String, String>),
    /// SetSubnets: the load balancer as it is now.
    Subnets(Box<LoadBalancer>),
    SecurityGroups(Vec<String>),
    /// Each resource with its tags.
    Tags(Vec<(String, Tags)>),
    Limits(Listing<Quota>),
    Nothing,
}

impl Answer {
    pub(super) fn clear(&mut self) {
        match self {
            Answer::Balancers(listing) => listing.clear(),
            Answer::Listeners(listing) => listing.clear(),
            Answer::Rules(listing) => listing.clear(),
            Answer::Limits(listing) => listing.clear(),
            Answer::Tags(lines) => lines.clear(),
            Answer::Attributes(_) | Answer::Subnets(_) | Answer::SecurityGroups(_) | Answer::Nothing => {}
        }
    }
}

impl Family for Op {
    fn name(&self) -> &'static str {
        match self {
            Op::CreateTargetGroup(_) => "CreateTargetGroup",
            Op::ModifyTargetGroup { .. } => "ModifyTargetGroup",
            Op::DeleteTargetGroup { .. } => "DeleteTargetGroup",
            Op::DescribeTargetGroupAttributes { .. } => "DescribeTargetGroupAttributes",
            Op::ModifyTargetGroupAttributes { .. } => "ModifyTargetGroupAttributes",
            Op::RegisterTargets { .. } => "RegisterTargets",
            Op::DeregisterTargets { .. } => "DeregisterTargets",
            Op::CreateLoadBalancer(_) => "CreateLoadBalancer",
            Op::DescribeLoadBalancers { .. } => "DescribeLoadBalancers",
            Op::DeleteLoadBalancer { .. } => "DeleteLoadBalancer",
            Op::DescribeLoadBalancerAttributes { .. } => "DescribeLoadBalancerAttributes",
            Op::ModifyLoadBalancerAttributes { .. } => "ModifyLoadBalancerAttributes",
            Op::SetSubnets { .. } => "SetSubnets",
            Op::SetSecurityGroups { .. } => "SetSecurityGroups",
            Op::CreateListener(_) => "CreateListener",
            Op::DescribeListeners { .. } => "DescribeListeners",
            Op::ModifyListener { .. } => "ModifyListener",
            Op::DeleteListener { .. } => "DeleteListener",
            Op::CreateRule(_) => "CreateRule",
            Op::DescribeRules { .. } => "DescribeRules",
            Op::ModifyRule { .. } => "ModifyRule",
            Op::DeleteRule { .. } => "DeleteRule",
            Op::SetRulePriorities(_) => "SetRulePriorities",
            Op::AddTags { .. } => "AddTags",
            Op::RemoveTags { .. } => "RemoveTags",
            Op::DescribeTags { .. } => "DescribeTags",
            Op::DescribeAccountLimits { .. } => "DescribeAccountLimits",
        }
    }

    /// A registration's subjects are its targets, as an instance's start has the instance.
    fn subjects(&self) -> Vec<&str> {
        match self {
            Op::RegisterTargets { targets, .. } | Op::DeregisterTargets { targets, .. } => {
                targets.iter().map(|target| target.id.as_str()).collect()
            }
            _ => self.resources(),
        }
    }

    fn page(&self) -> Option<&Page> {
        match self {
            Op::DescribeLoadBalancers { page, .. }
            | Op::DescribeListeners { page, .. }
            | Op::DescribeRules { page, .. }
            | Op::DescribeAccountLimits { page } => Some(page),
            _ => None,
        }
    }

    fn is_mutation(&self) -> bool {
        let is_bookkeeping = matches!(self, Op::AddTags { .. } | Op::RemoveTags { .. });
        self.is_write() && !is_bookkeeping
    }

    /// aws-facts §4: registrations 20/4, reads 40/10, other writes 20/3, and 40/10 for all calls together.
    fn costs(&self) -> Vec<Cost> {
        let own = match self {
            Op::RegisterTargets { .. } | Op::DeregisterTargets { .. } => {
                ("ELB registration", limit(20.0, 4.0), 1.0)
            }
            _ if self.is_write() => ("ELB mutating", limit(20.0, 3.0), 1.0),
            _ => ("ELB describe", limit(40.0, 10.0), 1.0),
        };
        vec![own, ("ELB all", limit(40.0, 10.0), 1.0)]
    }

    fn answer(&self, world: &mut World, caller: &Caller) -> Response {
        world.check_resources_allowed(caller, self.name(), &self.resources())?;
        match self {
            Op::CreateTargetGroup(_)
            | Op::ModifyTargetGroup { .. }
            | Op::DeleteTargetGroup { .. }
            | Op::DescribeTargetGroupAttributes { .. }
            | Op::ModifyTargetGroupAttributes { .. }
            | Op::RegisterTargets { .. }
            | Op::DeregisterTargets { .. } => self.answer_on_groups(world, caller),
            Op::CreateListener(_)
            | Op::DescribeListeners { .. }
            | Op::ModifyListener { .. }
            | Op::DeleteListener { .. }
            | Op::CreateRule(_)
            | Op::DescribeRules { .. }
            | Op::ModifyRule { .. }
            | Op::DeleteRule { .. }
            | Op::SetRulePriorities(_) => self.answer_on_listeners(world, caller),
            _ => self.answer_on_balancers(world, caller),
        }
    }
}

impl Op {
    /// The ARNs and names of ELB's own resources that it asks for.
    fn resources(&self) -> Vec<&str> {
        match self {
            Op::CreateTargetGroup(new) => vec![&new.name],
            Op::CreateLoadBalancer(new) => vec![&new.name],
            Op::CreateListener(new) => vec![&new.balancer],
            Op::CreateRule(new) => vec![&new.listener],
            Op::ModifyTargetGroup { arn, .. }
            | Op::DeleteTargetGroup { arn }
            | Op::DescribeTargetGroupAttributes { arn }
            | Op::ModifyTargetGroupAttributes { arn, .. }
            | Op::RegisterTargets { arn, .. }
            | Op::DeregisterTargets { arn, .. }
            | Op::DeleteLoadBalancer { arn }
            | Op::DescribeLoadBalancerAttributes { arn }
            | Op::ModifyLoadBalancerAttributes { arn, .. }
            | Op::SetSubnets { arn, .. }
            | Op::SetSecurityGroups { arn, .. }
            | Op::ModifyListener { arn, .. }
            | Op::DeleteListener { arn }
            | Op::ModifyRule { arn, .. }
            | Op::DeleteRule { arn } => vec![arn],
            Op::DescribeLoadBalancers { names, arns, .. } => {
                names.iter().chain(arns).map(String::as_str).collect()
            }
            Op::DescribeListeners {
                balancer: of, arns, ..
            }
            | Op::DescribeRules {
                listener: of, arns, ..
            } => of.iter().chain(arns).map(String::as_str).collect(),
            Op::SetRulePriorities(rules) => rules.iter().map(|(arn, _)| arn.as_str()).collect(),
            Op::AddTags { arns, .. } | Op::RemoveTags { arns, .. } | Op::DescribeTags { arns } => {
                arns.iter().map(String::as_str).collect()
            }
            Op::DescribeAccountLimits { .. } => Vec::new(),
        }
    }

    fn answer_on_groups(&self, world: &mut World, caller: &Caller) -> Response {
        match self {
            Op::CreateTargetGroup(new) => return world.create_target_group(caller, new),
            Op::ModifyTargetGroup { arn, checks } => return world.modify_target_group(caller, arn, checks),
            Op::DeleteTargetGroup { arn } => world.delete_target_group(caller, arn)?,
            Op::DescribeTargetGroupAttributes { arn } => {
                return answer(Answer::Attributes(
                    world.group_of(caller, arn)?.attributes.clone(),
                ));
            }
            Op::ModifyTargetGroupAttributes { arn, attributes } => {
                return world
                    .modify_group_attributes(caller, arn, attributes)
                    .and_then(|all| answer(Answer::Attributes(all)));
            }
            Op::RegisterTargets { arn, targets } => world.register_targets(caller, arn, targets)?,
            Op::DeregisterTargets { arn, targets } => world.deregister_targets(caller, arn, targets)?,
            _ => {}
        }
        answer(Answer::Nothing)
    }

    fn answer_on_balancers(&self, world: &mut World, caller: &Caller) -> Response {
        answer(match self {
            Op::CreateLoadBalancer(new) => Answer::Balancers(one(world.create_load_balancer(caller, new)?)),
            Op::DescribeLoadBalancers { names, arns, page } => {
                Answer::Balancers(world.describe_load_balancers(caller, names, arns, page)?)
            }
            Op::DeleteLoadBalancer { arn } => {
                world.delete_load_balancer(caller, arn)?;
                Answer::Nothing
            }
            Op::DescribeLoadBalancerAttributes { arn } => {
                let assumed = world.assumed_balancer(&caller.scope());
                let assumed = assumed.filter(|balancer| balancer.arn == *arn);
                let shown = assumed.map_or_else(|| world.balancer_of(caller, arn).cloned(), Ok);
                Answer::Attributes(shown?.attributes)
            }
            Op::ModifyLoadBalancerAttributes { arn, attributes } => {
                Answer::Attributes(world.modify_balancer_attributes(caller, arn, attributes)?)
            }
            Op::SetSubnets { arn, subnets } => {
                Answer::Subnets(Box::new(world.set_subnets(caller, arn, subnets)?))
            }
            Op::SetSecurityGroups { arn, groups } => {
                world.set_security_groups(caller, arn, groups)?;
                Answer::SecurityGroups(groups.clone())
            }
            Op::AddTags { arns, tags } => {
                world.add_balancing_tags(caller, arns, tags)?;
                Answer::Nothing
            }
            Op::RemoveTags { arns, keys } => {
                world.remove_balancing_tags(caller, arns, keys)?;
                Answer::Nothing
            }
            Op::DescribeTags { arns } => Answer::Tags(world.balancing_tags(caller, arns)?),
            Op::DescribeAccountLimits { page } => Answer::Limits(world.balancing_limits(caller, page)?),
            _ => Answer::Nothing,
        })
    }

    fn answer_on_listeners(&self, world: &mut World, caller: &Caller) -> Response {
        answer(match self {
            Op::CreateListener(new) => Answer::Listeners(one(world.create_listener(caller, new)?)),
            Op::DescribeListeners { balancer, arns, page } => {
                Answer::Listeners(world.describe_listeners(caller, balancer.as_deref(), arns, page)?)
            }
            Op::ModifyListener { arn, change } => {
                Answer::Listeners(one(world.modify_listener(caller, arn, change)?))
            }
            Op::DeleteListener { arn } => {
                world.delete_listener(caller, arn)?;
                Answer::Nothing
            }
            Op::CreateRule(new) => Answer::Rules(one(world.create_rule(caller, new)?)),
            Op::DescribeRules { listener, arns, page } => {
                Answer::Rules(world.describe_rules(caller, listener.as_deref(), arns, page)?)
            }
            Op::ModifyRule {
                arn,
                conditions,
                actions,
            } => {
                let rule = world.modify_rule(caller, arn, conditions.as_deref(), actions.as_deref())?;
                Answer::Rules(one(rule))
            }
            Op::DeleteRule { arn } => {
                world.delete_rule(caller, arn)?;
                Answer::Nothing
            }
            Op::SetRulePriorities(wanted) => {
                let items = world.set_rule_priorities(caller, wanted)?;
                Answer::Rules(Listing { items, next: None })
            }
            _ => Answer::Nothing,
        })
    }
}

fn answer(answer: Answer) -> Response {
    Ok(api::Answer::Balancing(answer))
}

fn one<T>(item: T) -> Listing<T> {
    Listing {
        items: vec![item],
        next: None,
    }
}

impl World {
    /// IAM's refusals of single resources, which ELB knows for all writes and for no Describe: what
    /// [`World::deny`] was told as `"RegisterTargets ARN"`.
    fn check_resources_allowed(
        &self,
        caller: &Caller,
        action: &str,
        resources: &[&str],
    ) -> Result<(), ApiError> {
        let is_denied = |arn: &&&str| {
            let rule = (caller.account.clone(), format!("{action} {arn}"));
            self.denied.contains(&rule)
        };
        match resources.iter().find(is_denied) {
            None => Ok(()),
            Some(arn) => Err(ApiError::not_authorized(&format!(
                "elasticloadbalancing:{action} on resource: {arn}"
            ))),
        }
    }

    /// An id as ELB makes them: 16 hexadecimal digits.
    fn balancing_id(&mut self) -> String {
        format!("{:016x}", self.ids.u64(..))
    }

    /// What was created later than this is not shown yet.
    fn shown_until(&self, arn: &str) -> jiff::Timestamp {
        self.read_time(arn)
    }
}

/// ELB's refusal of a parameter.
fn invalid(text: impl Into<String>) -> ApiError {
    ApiError::new("ValidationError", text)
}

/// A name as ELB wants it: up to 32 letters, digits and hyphens, no hyphen at an end.
fn check_name(what: &str, name: &str) -> Result<(), ApiError> {
    if name.chars().count() > 32 {
        return Err(invalid(format!(
            "{what} name '{name}' cannot be longer than '32' characters"
        )));
    }
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Err(invalid(format!(
            "{what} name '{name}' can only contain characters that are alphanumeric characters or hyphens(-)"
        )));
    }
    if name.starts_with('-') || name.ends_with('-') {
        return Err(invalid(format!(
            "{what} name '{name}' cannot begin or end with '-'"
        )));
    }
    Ok(())
}
