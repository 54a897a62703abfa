//! Attributes of target groups and load balancers: which there are, what they begin with, what they may say.
//!
//! The tables are the API reference's (`TargetGroupAttribute`, `LoadBalancerAttribute`). Of all attributes the
//! deregistration delay, cross-zone balancing, deletion protection and the draining of unhealthy targets have an
//! effect here, since they decide which target is in traffic; the rest is kept and shown.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::super::World;
use super::super::api::{ApiError, Caller};
use super::super::target::{DEREGISTRATION_DELAY, TargetGroup};
use super::{BalancerKind, invalid};

pub(super) const CROSS_ZONE: &str = "load_balancing.cross_zone.enabled";
pub(super) const DELETION_PROTECTION: &str = "deletion_protection.enabled";

/// Attributes, by key.
type Attributes = BTreeMap<String, String>;

/// What a value must be.
#[derive(Clone, Copy)]
enum Value {
    Flag,
    OneOf(&'static [&'static str]),
    Number(u32, u32),
    /// Zero, or within the bounds.
    ZeroOr(u32, u32),
    /// `off`, or within the bounds.
    OffOr(u32, u32),
    Text,
}

use Value::{Flag, Number, OffOr, OneOf, Text, ZeroOr};

/// Key, what it begins with, what it may say.
type Row = (&'static str, &'static str, Value);

const DAY_S: &str = "86400";
const WEEK_S: u32 = 604_800;
const TARGETS_MAX: u32 = 1000;

const OF_EVERY_GROUP: &[Row] = &[
    (
        CROSS_ZONE,
        "use_load_balancer_configuration",
        OneOf(&["true", "false", "use_load_balancer_configuration"]),
    ),
    ("stickiness.enabled", "false", Flag),
    (
        "target_group_health.dns_failover.minimum_healthy_targets.count",
        "1",
        OffOr(1, TARGETS_MAX),
    ),
    (
        "target_group_health.dns_failover.minimum_healthy_targets.percentage",
        "off",
        OffOr(1, 100),
    ),
    (
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count",
        "1",
        Number(1, TARGETS_MAX),
    ),
    (
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage",
        "off",
        OffOr(1, 100),
    ),
];

const OF_SERVERS: &[Row] = &[(DEREGISTRATION_DELAY, "300", Number(0, 3600))];

const OF_APPLICATION_GROUPS: &[Row] = &[
    (
        "stickiness.type",
        "lb_cookie",
        OneOf(&["lb_cookie", "app_cookie"]),
    ),
    ("stickiness.lb_cookie.duration_seconds", DAY_S, Number(1, WEEK_S)),
    ("stickiness.app_cookie.cookie_name", "", Text),
    ("stickiness.app_cookie.duration_seconds", DAY_S, Number(1, WEEK_S)),
    ("slow_start.duration_seconds", "0", ZeroOr(30, 900)),
    (
        "load_balancing.algorithm.type",
        "round_robin",
        OneOf(&["round_robin", "least_outstanding_requests", "weighted_random"]),
    ),
    (
        "load_balancing.algorithm.anomaly_mitigation",
        "off",
        OneOf(&["on", "off"]),
    ),
];

const OF_LAMBDA_GROUPS: &[Row] = &[("lambda.multi_value_headers.enabled", "false", Flag)];

const OF_NETWORK_GROUPS: &[Row] = &[
    ("stickiness.type", "source_ip", OneOf(&["source_ip"])),
    (
        "deregistration_delay.connection_termination.enabled",
        "false",
        Flag,
    ),
    ("preserve_client_ip.enabled", "true", Flag),
    ("proxy_protocol_v2.enabled", "false", Flag),
    (
        "target_health_state.unhealthy.connection_termination.enabled",
        "true",
        Flag,
    ),
    (
        "target_health_state.unhealthy.draining_interval_seconds",
        "0",
        Number(0, 360_000),
    ),
];

const OF_EVERY_BALANCER: &[Row] = &[
    (DELETION_PROTECTION, "false", Flag),
    ("access_logs.s3.enabled", "false", Flag),
    ("access_logs.s3.bucket", "", Text),
    ("access_logs.s3.prefix", "", Text),
    ("ipv6.deny_all_igw_traffic", "false", Flag),
    ("zonal_shift.config.enabled", "false", Flag),
];

const OF_APPLICATION_BALANCERS: &[Row] = &[
    (CROSS_ZONE, "true", Flag),
    ("idle_timeout.timeout_seconds", "60", Number(1, 4000)),
    ("client_keep_alive.seconds", "3600", Number(60, WEEK_S)),
    ("connection_logs.s3.enabled", "false", Flag),
    ("connection_logs.s3.bucket", "", Text),
    ("connection_logs.s3.prefix", "", Text),
    ("health_check_logs.s3.enabled", "false", Flag),
    ("health_check_logs.s3.bucket", "", Text),
    ("health_check_logs.s3.prefix", "", Text),
    (
        "routing.http.desync_mitigation_mode",
        "defensive",
        OneOf(&["monitor", "defensive", "strictest"]),
    ),
    ("routing.http.drop_invalid_header_fields.enabled", "false", Flag),
    ("routing.http.preserve_host_header.enabled", "false", Flag),
    (
        "routing.http.x_amzn_tls_version_and_cipher_suite.enabled",
        "false",
        Flag,
    ),
    ("routing.http.xff_client_port.enabled", "false", Flag),
    (
        "routing.http.xff_header_processing.mode",
        "append",
        OneOf(&["append", "preserve", "remove"]),
    ),
    ("routing.http2.enabled", "true", Flag),
    ("waf.fail_open.enabled", "false", Flag),
];

const OF_NETWORK_BALANCERS: &[Row] = &[
    (CROSS_ZONE, "false", Flag),
    (
        "dns_record.client_routing_policy",
        "any_availability_zone",
        OneOf(&[
            "any_availability_zone",
            "availability_zone_affinity",
            "partial_availability_zone_affinity",
        ]),
    ),
    ("secondary_ips.auto_assigned.per_subnet", "0", Number(0, 7)),
];

/// What a group of this type and protocol begins with.
pub fn of_new_group(target_type: &str, protocol: Option<&str>) -> Attributes {
    let mut attributes = defaults(&group_tables(target_type, protocol));
    if matches!(protocol, Some("UDP" | "TCP_UDP")) {
        let udp = [
            ("deregistration_delay.connection_termination.enabled", "true"),
            (
                "target_health_state.unhealthy.connection_termination.enabled",
                "false",
            ),
        ];
        attributes.extend(udp.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }
    if target_type == "ip" && matches!(protocol, Some("TCP" | "TLS")) {
        attributes.insert("preserve_client_ip.enabled".to_owned(), "false".to_owned());
    }
    attributes
}

/// What a load balancer begins with.
pub(super) fn of_new_balancer(kind: BalancerKind, internal: bool) -> Attributes {
    let mut attributes = defaults(&balancer_tables(kind));
    if internal {
        attributes.insert("ipv6.deny_all_igw_traffic".to_owned(), "true".to_owned());
    }
    attributes
}

fn group_tables(target_type: &str, protocol: Option<&str>) -> Vec<&'static [Row]> {
    match (target_type, protocol) {
        ("lambda", _) => vec![OF_EVERY_GROUP, OF_LAMBDA_GROUPS],
        (_, Some("HTTP" | "HTTPS")) => vec![OF_EVERY_GROUP, OF_SERVERS, OF_APPLICATION_GROUPS],
        _ => vec![OF_EVERY_GROUP, OF_SERVERS, OF_NETWORK_GROUPS],
    }
}

fn balancer_tables(kind: BalancerKind) -> Vec<&'static [Row]> {
    match kind {
        BalancerKind::Application => vec![OF_EVERY_BALANCER, OF_APPLICATION_BALANCERS],
        BalancerKind::Network => vec![OF_EVERY_BALANCER, OF_NETWORK_BALANCERS],
    }
}

fn defaults(tables: &[&'static [Row]]) -> Attributes {
    let rows = tables.iter().flat_map(|table| table.iter());
    rows.map(|(key, value, _)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

impl World {
    pub(super) fn modify_group_attributes(
        &mut self,
        caller: &Caller,
        arn: &str,
        wanted: &[(String, String)],
    ) -> Result<Attributes, ApiError> {
        let group = self.group_of(caller, arn)?;
        let known = [
            OF_EVERY_GROUP,
            OF_SERVERS,
            OF_APPLICATION_GROUPS,
            OF_LAMBDA_GROUPS,
            OF_NETWORK_GROUPS,
        ];
        let tables = group_tables(&group.target_type, group.protocol.as_deref());
        check(wanted, &tables, &known, "Target group", &describe_group(group))?;
        let wanted = self.settled(arn, wanted);
        let group = self.edit_group(caller, arn)?;
        group.attributes.extend(wanted);
        Ok(group.attributes.clone())
    }

    pub(super) fn modify_balancer_attributes(
        &mut self,
        caller: &Caller,
        arn: &str,
        wanted: &[(String, String)],
    ) -> Result<Attributes, ApiError> {
        let kind = self.balancer_of(caller, arn)?.kind;
        let known = [OF_EVERY_BALANCER, OF_APPLICATION_BALANCERS, OF_NETWORK_BALANCERS];
        check(
            wanted,
            &balancer_tables(kind),
            &known,
            "Load balancer",
            kind.name(),
        )?;
        let is_off = |(key, value): &(String, String)| key == CROSS_ZONE && value == "false";
        if kind == BalancerKind::Application && wanted.iter().any(is_off) {
            let text = "Cross-zone load balancing cannot be disabled for Application Load Balancers; set the \
                        attribute of the target group";
            return Err(ApiError::new("InvalidConfigurationRequest", text));
        }
        let wanted = self.settled(arn, wanted);
        let balancer = self.edit_balancer(caller, arn)?;
        balancer.attributes.extend(wanted);
        let all = balancer.attributes.clone();
        self.refresh_usage(&self.groups_behind(arn));
        Ok(all)
    }

    /// The attributes as they are to be, and a line in the log for each.
    fn settled(&mut self, arn: &str, wanted: &[(String, String)]) -> Attributes {
        for (key, value) in wanted {
            self.note(arn, format!("attribute {key} = {value}"));
        }
        wanted.iter().cloned().collect()
    }
}

fn describe_group(group: &TargetGroup) -> String {
    match &group.protocol {
        None => format!("target type '{}'", group.target_type),
        Some(protocol) => format!("the {protocol} protocol"),
    }
}

/// Each attribute is in `tables` and says what it may. One that only other objects have (`known`) is another error
/// than one that nothing has.
fn check(
    wanted: &[(String, String)],
    tables: &[&'static [Row]],
    known: &[&'static [Row]],
    what: &str,
    which: &str,
) -> Result<(), ApiError> {
    for (key, value) in wanted {
        let find = |tables: &[&'static [Row]]| {
            let mut rows = tables.iter().flat_map(|table| table.iter());
            rows.find(|row| row.0 == key).map(|row| row.2)
        };
        match (find(tables), find(known)) {
            (Some(rule), _) => check_value(key, value, rule)?,
            (None, Some(_)) => {
                let text = format!(
                    "A {} with {which} does not support the attribute {key}",
                    what.to_lowercase()
                );
                return Err(ApiError::new("InvalidConfigurationRequest", text));
            }
            (None, None) => return Err(invalid(format!("{what} attribute key '{key}' is not recognized"))),
        }
    }
    Ok(())
}

fn check_value(key: &str, value: &str, rule: Value) -> Result<(), ApiError> {
    let within = |bounds: RangeInclusive<u32>| value.parse().is_ok_and(|n: u32| bounds.contains(&n));
    let (is_right, wanted) = match rule {
        Flag => (
            matches!(value, "true" | "false"),
            "must be one of 'true, false'".to_owned(),
        ),
        OneOf(all) => (
            all.contains(&value),
            format!("must be one of '{}'", all.join(", ")),
        ),
        Number(low, high) => (
            within(low..=high),
            format!("must be between '{low}-{high}' inclusive"),
        ),
        ZeroOr(low, high) => (
            value == "0" || within(low..=high),
            format!("must be '0' or between '{low}-{high}' inclusive"),
        ),
        OffOr(low, high) => (
            value == "off" || within(low..=high),
            format!("must be 'off' or between '{low}-{high}' inclusive"),
        ),
        Text => (true, String::new()),
    };
    match is_right {
        true => Ok(()),
        false => Err(invalid(format!("'{key}' value '{value}' {wanted}"))),
    }
}
