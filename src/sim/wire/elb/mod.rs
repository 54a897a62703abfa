//! Elastic Load Balancing v2: requests and answers.
//!
//! The routes and what they read are here; `action` reads and writes what listeners and rules do, `answer` writes the
//! rest.

mod action;
mod answer;

use self::action::{actions, conditions};
pub(super) use self::answer::{target_groups, target_health, write};
use super::query::Params;
use super::{Parse, Route, Service};
use crate::sim::world::api::{ApiError, Operation};
use crate::sim::world::balancing::{
    BalancerKind, CheckSettings, ListenerChange, NewListener, NewLoadBalancer, NewRule, NewTargetGroup, Op,
    TargetAt,
};

type Parser = fn(&mut Params) -> Result<Operation, ApiError>;

const fn route(action: &'static str, parse: Parser) -> Route {
    Route {
        service: Service::Elb,
        action,
        parse: Parse::Query(parse),
    }
}

pub(super) const ROUTES: &[Route] = &[
    route("CreateTargetGroup", create_target_group),
    route("ModifyTargetGroup", |p| {
        let (arn, checks) = (need(p, "TargetGroupArn")?, check_settings(p)?);
        Ok(Operation::Balancing(Op::ModifyTargetGroup { arn, checks }))
    }),
    route("DeleteTargetGroup", |p| {
        of_arn(p, "TargetGroupArn", |arn| Op::DeleteTargetGroup { arn })
    }),
    route("DescribeTargetGroups", |p| {
        Ok(Operation::DescribeTargetGroups {
            balancer: p.text("LoadBalancerArn"),
            names: p.list("Names.member"),
            arns: p.list("TargetGroupArns.member"),
            page: p.page("PageSize", "Marker")?,
        })
    }),
    route("DescribeTargetGroupAttributes", |p| {
        of_arn(p, "TargetGroupArn", |arn| Op::DescribeTargetGroupAttributes {
            arn,
        })
    }),
    route("ModifyTargetGroupAttributes", |p| {
        let attributes = pairs(p, "Attributes")?;
        of_arn(p, "TargetGroupArn", |arn| Op::ModifyTargetGroupAttributes {
            arn,
            attributes,
        })
    }),
    route("RegisterTargets", |p| {
        let targets = targets(p)?;
        of_arn(p, "TargetGroupArn", |arn| Op::RegisterTargets { arn, targets })
    }),
    route("DeregisterTargets", |p| {
        let targets = targets(p)?;
        of_arn(p, "TargetGroupArn", |arn| Op::DeregisterTargets { arn, targets })
    }),
    route("DescribeTargetHealth", |p| {
        let (arn, targets) = (need(p, "TargetGroupArn")?, targets(p)?);
        Ok(Operation::DescribeTargetHealth { arn, targets })
    }),
    route("CreateLoadBalancer", create_load_balancer),
    route("DescribeLoadBalancers", |p| {
        Ok(Operation::Balancing(Op::DescribeLoadBalancers {
            names: p.list("Names.member"),
            arns: p.list("LoadBalancerArns.member"),
            page: p.page("PageSize", "Marker")?,
        }))
    }),
    route("DeleteLoadBalancer", |p| {
        of_arn(p, "LoadBalancerArn", |arn| Op::DeleteLoadBalancer { arn })
    }),
    route("DescribeLoadBalancerAttributes", |p| {
        of_arn(p, "LoadBalancerArn", |arn| Op::DescribeLoadBalancerAttributes {
            arn,
        })
    }),
    route("ModifyLoadBalancerAttributes", |p| {
        let attributes = pairs(p, "Attributes")?;
        of_arn(p, "LoadBalancerArn", |arn| Op::ModifyLoadBalancerAttributes {
            arn,
            attributes,
        })
    }),
    route("SetSubnets", |p| {
        let (arn, subnets) = (need(p, "LoadBalancerArn")?, subnets(p)?);
        ipv4_only(p)?;
        Ok(Operation::Balancing(Op::SetSubnets { arn, subnets }))
    }),
    route("SetSecurityGroups", |p| {
        let (arn, groups) = (need(p, "LoadBalancerArn")?, p.list("SecurityGroups.member"));
        Ok(Operation::Balancing(Op::SetSecurityGroups { arn, groups }))
    }),
    route("CreateListener", |p| {
        Ok(Operation::Balancing(Op::CreateListener(Box::new(NewListener {
            balancer: need(p, "LoadBalancerArn")?,
            protocol: p.text("Protocol"),
            port: number(p, "Port")?,
            ssl_policy: p.text("SslPolicy"),
            certificates: certificates(p)?,
            alpn: p.list("AlpnPolicy.member"),
            actions: actions(p, "DefaultActions")?,
            tags: pairs(p, "Tags")?,
        }))))
    }),
    route("DescribeListeners", |p| {
        Ok(Operation::Balancing(Op::DescribeListeners {
            balancer: p.text("LoadBalancerArn"),
            arns: p.list("ListenerArns.member"),
            page: p.page("PageSize", "Marker")?,
        }))
    }),
    route("ModifyListener", |p| {
        let arn = need(p, "ListenerArn")?;
        let change = Box::new(ListenerChange {
            protocol: p.text("Protocol"),
            port: number(p, "Port")?,
            ssl_policy: p.text("SslPolicy"),
            certificates: certificates(p)?,
            alpn: p.list("AlpnPolicy.member"),
            actions: actions(p, "DefaultActions")?,
        });
        Ok(Operation::Balancing(Op::ModifyListener { arn, change }))
    }),
    route("DeleteListener", |p| {
        of_arn(p, "ListenerArn", |arn| Op::DeleteListener { arn })
    }),
    route("CreateRule", |p| {
        Ok(Operation::Balancing(Op::CreateRule(Box::new(NewRule {
            listener: need(p, "ListenerArn")?,
            priority: number(p, "Priority")?.unwrap_or(0),
            conditions: conditions(p)?,
            actions: actions(p, "Actions")?,
            tags: pairs(p, "Tags")?,
        }))))
    }),
    route("DescribeRules", |p| {
        Ok(Operation::Balancing(Op::DescribeRules {
            listener: p.text("ListenerArn"),
            arns: p.list("RuleArns.member"),
            page: p.page("PageSize", "Marker")?,
        }))
    }),
    route("ModifyRule", |p| {
        let arn = need(p, "RuleArn")?;
        let (conditions, actions) = (conditions(p)?, actions(p, "Actions")?);
        Ok(Operation::Balancing(Op::ModifyRule {
            arn,
            conditions: (!conditions.is_empty()).then_some(conditions),
            actions: (!actions.is_empty()).then_some(actions),
        }))
    }),
    route("DeleteRule", |p| {
        of_arn(p, "RuleArn", |arn| Op::DeleteRule { arn })
    }),
    route("SetRulePriorities", |p| {
        let mut wanted = Vec::new();
        for mut entry in p.structures("RulePriorities.member") {
            wanted.push((
                need(&mut entry, "RuleArn")?,
                number(&mut entry, "Priority")?.unwrap_or(0),
            ));
            entry.finish("RulePriorities")?;
        }
        Ok(Operation::Balancing(Op::SetRulePriorities(wanted)))
    }),
    route("AddTags", |p| {
        let (arns, tags) = (p.list("ResourceArns.member"), pairs(p, "Tags")?);
        Ok(Operation::Balancing(Op::AddTags { arns, tags }))
    }),
    route("RemoveTags", |p| {
        let (arns, keys) = (p.list("ResourceArns.member"), p.list("TagKeys.member"));
        Ok(Operation::Balancing(Op::RemoveTags { arns, keys }))
    }),
    route("DescribeTags", |p| {
        let arns = p.list("ResourceArns.member");
        Ok(Operation::Balancing(Op::DescribeTags { arns }))
    }),
    route("DescribeAccountLimits", |p| {
        let page = p.page("PageSize", "Marker")?;
        Ok(Operation::Balancing(Op::DescribeAccountLimits { page }))
    }),
];

/// An operation on what one parameter names, which is needed.
fn of_arn(p: &mut Params, name: &str, op: impl FnOnce(String) -> Op) -> Result<Operation, ApiError> {
    Ok(Operation::Balancing(op(need(p, name)?)))
}

fn create_target_group(p: &mut Params) -> Result<Operation, ApiError> {
    if let Some(kind) = p.text("IpAddressType").filter(|kind| kind != "ipv4") {
        return Err(ApiError::not_modelled(format!(
            "IpAddressType {kind:?} of CreateTargetGroup"
        )));
    }
    Ok(Operation::Balancing(Op::CreateTargetGroup(Box::new(
        NewTargetGroup {
            name: need(p, "Name")?,
            protocol: p.text("Protocol"),
            protocol_version: p.text("ProtocolVersion"),
            port: number(p, "Port")?,
            vpc: p.text("VpcId"),
            target_type: p.text("TargetType").unwrap_or_else(|| "instance".to_owned()),
            checks: check_settings(p)?,
            tags: pairs(p, "Tags")?,
        },
    ))))
}

fn check_settings(p: &mut Params) -> Result<CheckSettings, ApiError> {
    Ok(CheckSettings {
        enabled: p.maybe_flag("HealthCheckEnabled")?,
        protocol: p.text("HealthCheckProtocol"),
        port: p.text("HealthCheckPort"),
        path: p.text("HealthCheckPath"),
        interval_s: number(p, "HealthCheckIntervalSeconds")?,
        timeout_s: number(p, "HealthCheckTimeoutSeconds")?,
        healthy_threshold: number(p, "HealthyThresholdCount")?,
        unhealthy_threshold: number(p, "UnhealthyThresholdCount")?,
        matcher: p.text("Matcher.HttpCode"),
    })
}

fn create_load_balancer(p: &mut Params) -> Result<Operation, ApiError> {
    let kind = match p.text("Type").as_deref() {
        None | Some("application") => BalancerKind::Application,
        Some("network") => BalancerKind::Network,
        Some("gateway") => return Err(ApiError::not_modelled("load balancers of type gateway")),
        Some(other) => {
            let text = format!(
                "1 validation error detected: Value '{other}' at 'type' failed to satisfy constraint: Member must satisfy enum \
                 value set: [network, application, gateway]"
            );
            return Err(ApiError::new("ValidationError", text));
        }
    };
    let internal = match p.text("Scheme").as_deref() {
        None | Some("internet-facing") => false,
        Some("internal") => true,
        Some(other) => {
            return Err(ApiError::new(
                "InvalidScheme",
                format!("The scheme '{other}' is not valid"),
            ));
        }
    };
    ipv4_only(p)?;
    Ok(Operation::Balancing(Op::CreateLoadBalancer(Box::new(
        NewLoadBalancer {
            name: need(p, "Name")?,
            kind,
            internal,
            subnets: subnets(p)?,
            security_groups: p.list("SecurityGroups.member"),
            tags: pairs(p, "Tags")?,
        },
    ))))
}

/// Subnets, named or mapped; fixed addresses in them are not modelled.
fn subnets(p: &mut Params) -> Result<Vec<String>, ApiError> {
    let mut mapped = Vec::new();
    for mut mapping in p.structures("SubnetMappings.member") {
        mapped.push(need(&mut mapping, "SubnetId")?);
        mapping.finish("SubnetMappings")?;
    }
    let named = p.list("Subnets.member");
    match (named.is_empty(), mapped.is_empty()) {
        (false, false) => Err(ApiError::new(
            "ValidationError",
            "You must specify either subnets or subnet mappings, not both",
        )),
        (true, _) => Ok(mapped),
        (false, true) => Ok(named),
    }
}

fn ipv4_only(p: &mut Params) -> Result<(), ApiError> {
    match p.text("IpAddressType") {
        Some(kind) if kind != "ipv4" => Err(ApiError::not_modelled(format!(
            "IpAddressType {kind:?} of a load balancer"
        ))),
        _ => Ok(()),
    }
}

fn targets(p: &mut Params) -> Result<Vec<TargetAt>, ApiError> {
    let mut targets = Vec::new();
    for mut target in p.structures("Targets.member") {
        targets.push(TargetAt {
            id: need(&mut target, "Id")?,
            port: number(&mut target, "Port")?,
            zone: target.text("AvailabilityZone"),
        });
        target.finish("Targets")?;
    }
    Ok(targets)
}

fn certificates(p: &mut Params) -> Result<Vec<String>, ApiError> {
    let mut arns = Vec::new();
    for mut certificate in p.structures("Certificates.member") {
        arns.push(need(&mut certificate, "CertificateArn")?);
        certificate.finish("Certificates")?;
    }
    Ok(arns)
}

/// A list of keys and values: tags, attributes.
fn pairs(p: &mut Params, name: &str) -> Result<Vec<(String, String)>, ApiError> {
    let mut all = Vec::new();
    for mut pair in p.structures(&format!("{name}.member")) {
        all.push((need(&mut pair, "Key")?, pair.text("Value").unwrap_or_default()));
        pair.finish(name)?;
    }
    Ok(all)
}

/// A parameter that must be there, in ELB's words.
fn need(p: &mut Params, name: &str) -> Result<String, ApiError> {
    p.text(name).ok_or_else(|| {
        let text = format!(
            "1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"
        );
        ApiError::new("ValidationError", text)
    })
}

/// A number, in ELB's words if it is none.
fn number<T: std::str::FromStr>(p: &mut Params, name: &str) -> Result<Option<T>, ApiError> {
    let Some(text) = p.text(name) else {
        return Ok(None);
    };
    let wrong = || {
        ApiError::new(
            "ValidationError",
            format!("Value '{text}' at '{name}' is not within bounds"),
        )
    };
    text.parse().map(Some).map_err(|_| wrong())
}
