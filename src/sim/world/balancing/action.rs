//! What listeners and rules do with a request: forward, redirect, or answer it.

use super::super::World;
use super::super::api::{ApiError, Caller};
use super::super::target::TargetGroup;
use super::{BalancerKind, LoadBalancer, invalid};

/// A forward's weights lie between 0 and this.
const WEIGHT_MAX: u32 = 999;
const CONTENT_TYPES: [&str; 5] = [
    "text/plain",
    "text/css",
    "text/html",
    "application/javascript",
    "application/json",
];

/// One action, with its place among several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    pub order: Option<u32>,
    pub kind: Kind,
}

/// What an action does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Forward(Forward),
    Redirect(Redirect),
    FixedResponse(FixedResponse),
}

/// To which groups a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    pub groups: Vec<WeightedGroup>,
    /// `TargetGroupStickinessConfig`: whether, and for how many seconds.
    pub sticky: bool,
    pub sticky_s: Option<u32>,
}

/// A target group and its share of the requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightedGroup {
    pub arn: String,
    pub weight: u32,
}

/// Where a client is sent; what is not given stays as it was requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    pub protocol: String,
    pub port: String,
    pub host: String,
    pub path: String,
    pub query: String,
    /// `HTTP_301`, `HTTP_302`.
    pub status: String,
}

/// What the load balancer answers by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedResponse {
    /// Three digits.
    pub status: String,
    pub body: Option<String>,
    pub content_type: Option<String>,
}

impl Forward {
    /// All requests to one group.
    pub fn to(arn: &str) -> Self {
        Self {
            groups: vec![WeightedGroup {
                arn: arn.to_owned(),
                weight: 1,
            }],
            sticky: false,
            sticky_s: None,
        }
    }
}

impl Action {
    /// The groups that it forwards to.
    pub fn groups(&self) -> &[WeightedGroup] {
        match &self.kind {
            Kind::Forward(forward) => &forward.groups,
            _ => &[],
        }
    }
}

impl World {
    /// The actions may stand at a listener of this protocol.
    ///
    /// # Errors
    /// ELB's refusals, in its order: the actions' form, the groups, their protocol, VPC and other load balancers.
    pub(super) fn check_actions(
        &self,
        caller: &Caller,
        balancer: &LoadBalancer,
        protocol: &str,
        actions: &[Action],
    ) -> Result<(), ApiError> {
        let [action] = actions else {
            return Err(match actions {
                [] => invalid("Actions must be specified"),
                _ => {
                    refused("You must specify exactly one action of type forward, redirect or fixed-response")
                }
            });
        };
        match &action.kind {
            Kind::Forward(forward) => self.check_forward(caller, balancer, protocol, forward),
            _ if balancer.kind == BalancerKind::Network => Err(refused(
                "Only the action type 'forward' is supported by Network Load Balancers",
            )),
            Kind::Redirect(redirect) => check_redirect(redirect),
            Kind::FixedResponse(response) => check_response(response),
        }
    }

    fn check_forward(
        &self,
        caller: &Caller,
        balancer: &LoadBalancer,
        protocol: &str,
        forward: &Forward,
    ) -> Result<(), ApiError> {
        let quota = match balancer.kind {
            BalancerKind::Application => "target-groups-per-action-on-application-load-balancer",
            BalancerKind::Network => "target-groups-per-action-on-network-load-balancer",
        };
        if forward.groups.is_empty() {
            return Err(invalid("A target group ARN must be specified"));
        }
        if forward.groups.len() > self.balancing_quota(&balancer.scope, quota) {
            let text = "You've reached the limit on the number of target groups per action";
            return Err(ApiError::new("TooManyTargetGroups", text));
        }
        for WeightedGroup { arn, weight } in &forward.groups {
            if *weight > WEIGHT_MAX {
                return Err(invalid(format!(
                    "Target group weight '{weight}' must be between 0 and {WEIGHT_MAX} inclusive"
                )));
            }
            let unknown = || ApiError::new("TargetGroupNotFound", format!("Target group '{arn}' not found"));
            let group = self.group_of(caller, arn).map_err(|_| unknown())?;
            self.check_group_for(balancer, protocol, group)?;
        }
        Ok(())
    }

    fn check_group_for(
        &self,
        balancer: &LoadBalancer,
        protocol: &str,
        group: &TargetGroup,
    ) -> Result<(), ApiError> {
        let fits = matches!(
            (protocol, group.protocol.as_deref()),
            ("HTTP" | "HTTPS", None | Some("HTTP" | "HTTPS"))
                | ("TCP", Some("TCP" | "TCP_UDP"))
                | ("TLS", Some("TCP" | "TLS"))
                | ("UDP", Some("UDP" | "TCP_UDP"))
                | ("TCP_UDP", Some("TCP_UDP"))
        );
        if !fits {
            let text = format!(
                "Listener protocol '{protocol}' is not supported with a target group with the protocol '{}'",
                group.protocol.as_deref().unwrap_or("none")
            );
            return Err(ApiError::new("IncompatibleProtocols", text));
        }
        if group.vpc.as_ref().is_some_and(|vpc| *vpc != balancer.vpc) {
            let text = format!(
                "The target group '{}' is not in the load balancer's VPC '{}'",
                group.arn, balancer.vpc
            );
            return Err(ApiError::new("InvalidConfigurationRequest", text));
        }
        // One load balancer a target group.
        if self
            .balancers_using(&group.arn)
            .any(|other| other != balancer.arn)
        {
            let text = format!(
                "The following target groups cannot be associated with more than one load balancer: {}",
                group.arn
            );
            return Err(ApiError::new("TargetGroupAssociationLimit", text));
        }
        Ok(())
    }
}

fn check_redirect(redirect: &Redirect) -> Result<(), ApiError> {
    if !matches!(redirect.protocol.as_str(), "HTTP" | "HTTPS" | "#{protocol}") {
        return Err(invalid(format!(
            "Redirect protocol '{}' must be HTTP, HTTPS or #{{protocol}}",
            redirect.protocol
        )));
    }
    if !matches!(redirect.status.as_str(), "HTTP_301" | "HTTP_302") {
        return Err(invalid(format!(
            "Redirect status code '{}' must be HTTP_301 or HTTP_302",
            redirect.status
        )));
    }
    let is_port = redirect.port.parse::<u16>().is_ok_and(|port| port > 0);
    if !is_port && redirect.port != "#{port}" {
        return Err(invalid(format!(
            "Redirect port '{}' must be between 1 and 65535 or #{{port}}",
            redirect.port
        )));
    }
    if !redirect.path.starts_with('/') {
        return Err(invalid("The redirect path must start with '/'"));
    }
    let is_loop = redirect.protocol == "#{protocol}"
        && redirect.port == "#{port}"
        && redirect.host == "#{host}"
        && redirect.path == "/#{path}";
    if is_loop {
        return Err(refused(
            "The RedirectConfig configuration is not valid because it creates a loop",
        ));
    }
    Ok(())
}

fn check_response(response: &FixedResponse) -> Result<(), ApiError> {
    let code = response.status.parse::<u16>().unwrap_or(0);
    if response.status.len() != 3 || !matches!(code, 200..=299 | 400..=599) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{}' at 'actions.1.member.fixedResponseConfig.statusCode' failed to satisfy \
             constraint: Member must satisfy regular expression pattern: ^(2|4|5)\\d\\d$",
            response.status
        )));
    }
    if response
        .body
        .as_ref()
        .is_some_and(|body| body.chars().count() > 1024)
    {
        return Err(invalid("The MessageBody can have at most 1024 characters"));
    }
    match &response.content_type {
        Some(kind) if !CONTENT_TYPES.contains(&kind.as_str()) => Err(refused(format!(
            "The ContentType must be one of: {}",
            CONTENT_TYPES.join(", ")
        ))),
        _ => Ok(()),
    }
}

fn refused(text: impl Into<String>) -> ApiError {
    ApiError::new("InvalidLoadBalancerAction", text)
}
