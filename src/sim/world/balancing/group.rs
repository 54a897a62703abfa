//! Target groups: created, changed, deleted, shown.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::World;
use super::super::api::{self, ApiError, Caller, Page, Response};
use super::super::page::paginate;
use super::super::target::{Checks, TargetGroup, TargetKey, Usage};
use super::{attributes, check_name, invalid, tags};

const PROTOCOLS: [&str; 6] = ["HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP"];

/// CreateTargetGroup's parameters.
#[derive(Debug, Clone)]
pub struct NewTargetGroup {
    pub name: String,
    pub protocol: Option<String>,
    pub protocol_version: Option<String>,
    pub port: Option<u16>,
    pub vpc: Option<String>,
    /// `instance`, `ip`, `lambda`, `alb`.
    pub target_type: String,
    pub checks: CheckSettings,
    pub tags: Vec<(String, String)>,
}

/// Health check settings, as far as a request has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckSettings {
    pub enabled: Option<bool>,
    pub protocol: Option<String>,
    pub port: Option<String>,
    pub path: Option<String>,
    pub interval_s: Option<u32>,
    pub timeout_s: Option<u32>,
    pub healthy_threshold: Option<u32>,
    pub unhealthy_threshold: Option<u32>,
    pub matcher: Option<String>,
}

impl Checks {
    /// What a new group begins with (the API reference; for HTTP the user guide's timeout of 5 s, which is what AWS
    /// shows).
    pub fn of_new_group(target_type: &str, protocol: Option<&str>, checked_by: Option<&str>) -> Self {
        let is_http = matches!(protocol, Some("HTTP" | "HTTPS"));
        let own = match (target_type, protocol) {
            ("lambda", _) => None,
            (_, Some(protocol @ ("HTTP" | "HTTPS"))) => Some(protocol),
            ("alb", _) => Some("HTTP"),
            _ => Some("TCP"),
        };
        // An HTTPS group is checked over HTTP, unless it says otherwise (the API reference: "the default is HTTP").
        let own = own.map(|p| if p == "HTTPS" { "HTTP" } else { p });
        let checked_by = checked_by.or(own);
        let has_path = target_type == "lambda" || matches!(checked_by, Some("HTTP" | "HTTPS"));
        let (interval, timeout, unhealthy) = match (target_type, checked_by) {
            ("lambda", _) => (35, 30, 2),
            _ if is_http => (30, 5, 2),
            (_, Some("HTTP")) => (30, 6, 2),
            _ => (30, 10, 2),
        };
        let codes = if is_http || target_type == "lambda" {
            "200"
        } else {
            "200-399"
        };
        Self {
            enabled: target_type != "lambda",
            protocol: checked_by.map(str::to_owned),
            port: "traffic-port".to_owned(),
            path: has_path.then(|| "/".to_owned()),
            interval: Duration::from_secs(interval),
            timeout: Duration::from_secs(timeout),
            healthy_threshold: 5,
            unhealthy_threshold: unhealthy,
            matcher: has_path.then(|| codes.to_owned()),
        }
    }

    /// These, with what a request changes of them.
    fn with(mut self, wanted: &CheckSettings) -> Self {
        let wanted = wanted.clone();
        self.enabled = wanted.enabled.unwrap_or(self.enabled);
        self.protocol = wanted.protocol.or(self.protocol);
        self.port = wanted.port.unwrap_or(self.port);
        self.path = wanted.path.or(self.path);
        self.healthy_threshold = wanted.healthy_threshold.unwrap_or(self.healthy_threshold);
        self.unhealthy_threshold = wanted.unhealthy_threshold.unwrap_or(self.unhealthy_threshold);
        self.matcher = wanted.matcher.or(self.matcher);
        let seconds = |n: u32| Duration::from_secs(u64::from(n));
        self.interval = wanted.interval_s.map_or(self.interval, seconds);
        self.timeout = wanted.timeout_s.map_or(self.timeout, seconds);
        self
    }
}

impl World {
    /// The caller's target group of this ARN, in truth.
    pub(super) fn group_of(&self, caller: &Caller, arn: &str) -> Result<&TargetGroup, ApiError> {
        let group = self.target_groups.get(arn);
        group
            .filter(|g| g.scope == caller.scope())
            .ok_or_else(group_not_found)
    }

    pub(super) fn edit_group(&mut self, caller: &Caller, arn: &str) -> Result<&mut TargetGroup, ApiError> {
        let group = self.target_groups.get_mut(arn);
        group
            .filter(|g| g.scope == caller.scope())
            .ok_or_else(group_not_found)
    }

    pub(super) fn create_target_group(&mut self, caller: &Caller, new: &NewTargetGroup) -> Response {
        check_name("Target group", &new.name)?;
        self.check_placement(caller, new)?;
        let checks = Checks::of_new_group(
            &new.target_type,
            new.protocol.as_deref(),
            new.checks.protocol.as_deref(),
        )
        .with(&new.checks);
        check_checks(&new.target_type, new.protocol.as_deref(), &checks)?;
        let tags = tags::of_new(&new.tags)?;
        let scope = caller.scope();
        let mine = || self.target_groups.values().filter(|g| g.scope == scope);
        if let Some(twin) = mine().find(|g| g.name == new.name) {
            return match is_same(twin, new, &checks) {
                true => Ok(groups(vec![twin.clone()], None)),
                false => Err(duplicate(&new.name)),
            };
        }
        if mine().count() >= self.balancing_quota(&scope, "target-groups") {
            let text = "You've reached the limit on the number of target groups for your AWS account";
            return Err(ApiError::new("TooManyTargetGroups", text));
        }
        let is_http = matches!(new.protocol.as_deref(), Some("HTTP" | "HTTPS"));
        let group = TargetGroup {
            arn: format!(
                "arn:aws:elasticloadbalancing:{}:{}:targetgroup/{}/{}",
                scope.region,
                scope.account,
                new.name,
                self.balancing_id()
            ),
            name: new.name.clone(),
            scope,
            created: self.now,
            protocol: new.protocol.clone(),
            protocol_version: is_http.then(|| new.protocol_version.clone().unwrap_or("HTTP1".to_owned())),
            port: new.port.unwrap_or(0),
            vpc: new.vpc.clone(),
            target_type: new.target_type.clone(),
            checks,
            attributes: attributes::of_new_group(&new.target_type, new.protocol.as_deref()),
            tags,
            usage: Usage::Derived(BTreeMap::new()),
            targets: BTreeMap::new(),
            registrations: 0,
            stuck: BTreeSet::new(),
        };
        self.own_write(&group.arn);
        self.note(&group.arn, "target group created");
        self.target_groups.insert(group.arn.clone(), group.clone());
        Ok(groups(vec![group], None))
    }

    pub(super) fn modify_target_group(
        &mut self,
        caller: &Caller,
        arn: &str,
        wanted: &CheckSettings,
    ) -> Response {
        let group = self.group_of(caller, arn)?;
        let checks = group.checks.clone().with(wanted);
        check_checks(&group.target_type, group.protocol.as_deref(), &checks)?;
        let group = self.edit_group(caller, arn)?;
        group.checks = checks;
        let shown = group.clone();
        self.note(arn, "health checks modified");
        let keys: Vec<TargetKey> = shown.targets.keys().cloned().collect();
        for key in keys {
            self.recheck_target(arn, &key);
        }
        Ok(groups(vec![shown], None))
    }

    /// Deleting what does not exist succeeds (the API lists no such error).
    pub(super) fn delete_target_group(&mut self, caller: &Caller, arn: &str) -> Result<(), ApiError> {
        if self.group_of(caller, arn).is_err() {
            return Ok(());
        }
        if self.balancers_using(arn).next().is_some() {
            let text = format!("Target group '{arn}' is currently in use by a listener or a rule");
            return Err(ApiError::new("ResourceInUse", text));
        }
        self.target_groups.remove(arn);
        self.note(arn, "target group deleted");
        Ok(())
    }

    pub(in crate::sim::world) fn describe_target_groups(
        &self,
        caller: &Caller,
        balancer: Option<&str>,
        names: &[String],
        arns: &[String],
        page: &Page,
    ) -> Response {
        let kinds = [balancer.is_some(), !names.is_empty(), !arns.is_empty()];
        if kinds.into_iter().filter(|is_asked| *is_asked).count() > 1 {
            return Err(invalid(
                "Target group names, target group ARNs, and a load balancer ARN cannot be specified at the same time",
            ));
        }
        if let Some(balancer) = balancer {
            self.balancer_of(caller, balancer)?;
        }
        let scope = caller.scope();
        let visible = |g: &&TargetGroup| g.scope == scope && g.created <= self.shown_until(&g.arn);
        let mine = || self.target_groups.values().filter(visible);
        let is_known = |wanted: &String| mine().any(|g| g.name == *wanted || g.arn == *wanted);
        if !names.iter().chain(arns).all(is_known) {
            return Err(group_not_found());
        }
        let is_wanted = |g: &&TargetGroup| match balancer {
            Some(balancer) => self.balancers_using(&g.arn).any(|arn| arn == balancer),
            None if names.is_empty() && arns.is_empty() => true,
            None => names.contains(&g.name) || arns.contains(&g.arn),
        };
        let items: Vec<TargetGroup> = mine().filter(is_wanted).cloned().collect();
        let (items, next) = paginate(items, |g| g.arn.clone(), page, 1..=400, Some(400))?;
        Ok(groups(items, next))
    }

    /// Protocol, port and VPC are those that the target type needs.
    fn check_placement(&self, caller: &Caller, new: &NewTargetGroup) -> Result<(), ApiError> {
        if new.target_type == "lambda" {
            let given = [
                ("Protocol", new.protocol.is_some()),
                ("Port", new.port.is_some()),
                ("VPC ID", new.vpc.is_some()),
            ];
            return match given.into_iter().find(|(_, is_given)| *is_given) {
                None => Ok(()),
                Some((what, _)) => Err(invalid(format!(
                    "{what} cannot be specified for target groups with target type 'lambda'"
                ))),
            };
        }
        if !matches!(new.target_type.as_str(), "instance" | "ip" | "alb") {
            let text = format!(
                "Target type '{}' must be one of [instance, ip, lambda, alb]",
                new.target_type
            );
            return Err(invalid(text));
        }
        let Some(protocol) = new.protocol.as_deref() else {
            return Err(invalid("A protocol must be specified"));
        };
        if matches!(protocol, "GENEVE" | "QUIC" | "TCP_QUIC") {
            return Err(ApiError::not_modelled(format!(
                "target groups with protocol {protocol}"
            )));
        }
        if !PROTOCOLS.contains(&protocol) {
            return Err(invalid(format!(
                "Target group protocol '{protocol}' must be one of '{}'",
                PROTOCOLS.join(", ")
            )));
        }
        if new.target_type == "alb" && !matches!(protocol, "TCP" | "TLS") {
            return Err(invalid(format!(
                "Protocol '{protocol}' is not supported for target type 'alb'"
            )));
        }
        match new.port {
            None => return Err(invalid("A port must be specified")),
            Some(0) => {
                return Err(invalid(
                    "Target group port '0' must be between 1 and 65535 inclusive",
                ));
            }
            Some(_) => {}
        }
        match new.protocol_version.as_deref() {
            None | Some("HTTP1" | "HTTP2") => {}
            Some(other) => {
                return Err(ApiError::not_modelled(format!(
                    "protocol version {other:?} of CreateTargetGroup"
                )));
            }
        }
        let Some(vpc) = new.vpc.as_deref() else {
            return Err(invalid("A VPC ID must be specified"));
        };
        match self.has_vpc(&caller.scope(), vpc) {
            true => Ok(()),
            false => Err(invalid(format!("The VPC ID '{vpc}' is not found"))),
        }
    }
}

fn groups(items: Vec<TargetGroup>, next: Option<String>) -> api::Answer {
    api::Answer::TargetGroups { items, next }
}

fn is_same(twin: &TargetGroup, new: &NewTargetGroup, checks: &Checks) -> bool {
    twin.protocol == new.protocol
        && twin.port == new.port.unwrap_or(0)
        && twin.vpc == new.vpc
        && twin.target_type == new.target_type
        && twin.checks == *checks
}

fn duplicate(name: &str) -> ApiError {
    let text = format!("A target group with the same name '{name}' exists, but with different settings");
    ApiError::new("DuplicateTargetGroupName", text)
}

pub(super) fn group_not_found() -> ApiError {
    ApiError::new("TargetGroupNotFound", "One or more target groups not found")
}

/// The settings are within ELB's bounds, and fit together.
fn check_checks(target_type: &str, protocol: Option<&str>, checks: &Checks) -> Result<(), ApiError> {
    let is_http_group = matches!(protocol, Some("HTTP" | "HTTPS"));
    if !checks.enabled && target_type != "lambda" {
        let text =
            format!("Health check enabled must be true for target groups with target type '{target_type}'");
        return Err(invalid(text));
    }
    match checks.protocol.as_deref() {
        Some("TCP") if is_http_group => {
            let text =
                "Health check protocol 'TCP' is not supported for target groups with the HTTP protocol";
            return Err(ApiError::new("InvalidConfigurationRequest", text));
        }
        Some("HTTP" | "HTTPS" | "TCP") | None => {}
        Some(other) => {
            return Err(invalid(format!(
                "Health check protocol '{other}' must be one of 'HTTP, HTTPS, TCP'"
            )));
        }
    }
    let is_tcp = checks.protocol.as_deref() == Some("TCP");
    if is_tcp && (checks.path.is_some() || checks.matcher.is_some()) {
        return Err(invalid(
            "Health check path and matcher cannot be specified with health check protocol 'TCP'",
        ));
    }
    let is_number = checks.port.parse::<u16>().is_ok_and(|port| port > 0);
    if checks.port != "traffic-port" && !is_number {
        return Err(invalid(format!(
            "Health check port '{}' must be 'traffic-port' or between 1 and 65535",
            checks.port
        )));
    }
    if let Some(path) = checks
        .path
        .as_deref()
        .filter(|p| !p.starts_with('/') || p.len() > 1024)
    {
        return Err(invalid(format!(
            "Health check path '{path}' must begin with '/' and have at most 1024 characters"
        )));
    }
    check_times(checks, is_http_group)?;
    let highest = if is_http_group || target_type == "lambda" {
        499
    } else {
        599
    };
    match &checks.matcher {
        Some(codes) => check_matcher(codes, highest),
        None => Ok(()),
    }
}

fn check_times(checks: &Checks, is_http_group: bool) -> Result<(), ApiError> {
    let (interval, timeout) = (checks.interval.as_secs(), checks.timeout.as_secs());
    let bounds = [
        ("interval", interval, 5, 300),
        ("timeout", timeout, 2, 120),
        (
            "healthy threshold count",
            u64::from(checks.healthy_threshold),
            2,
            10,
        ),
        (
            "unhealthy threshold count",
            u64::from(checks.unhealthy_threshold),
            2,
            10,
        ),
    ];
    for (what, value, low, high) in bounds {
        if !(low..=high).contains(&value) {
            let text =
                format!("Health check {what} '{value}' must be between '{low}' and '{high}' inclusive");
            return Err(invalid(text));
        }
    }
    // A Network Load Balancer takes both alike.
    let fits = if is_http_group {
        timeout < interval
    } else {
        timeout <= interval
    };
    match fits {
        true => Ok(()),
        false => Err(invalid(format!(
            "Health check timeout '{timeout}' must be smaller than the interval '{interval}'"
        ))),
    }
}

/// `200`, `200,202`, `200-299`.
fn check_matcher(codes: &str, highest: u16) -> Result<(), ApiError> {
    let code = |text: &str| {
        text.trim()
            .parse::<u16>()
            .ok()
            .filter(|n| (200..=highest).contains(n))
    };
    let is_right = |part: &str| match part.split_once('-') {
        None => code(part).is_some(),
        Some((low, high)) => matches!((code(low), code(high)), (Some(low), Some(high)) if low <= high),
    };
    match codes.split(',').all(is_right) {
        true => Ok(()),
        false => Err(invalid(format!(
            "Health check matcher HTTP code '{codes}' must be within '200-{highest}' inclusive"
        ))),
    }
}
