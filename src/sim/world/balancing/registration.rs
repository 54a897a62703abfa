//! RegisterTargets, DeregisterTargets and DescribeTargetHealth.

use std::net::Ipv4Addr;

use super::super::World;
use super::super::api::{self, ApiError, Caller, Response};
use super::super::instance::State;
use super::super::target::{Health, TargetGroup, TargetHealth, TargetKey};
use super::super::target_health::is_address;
use super::invalid;

/// A target as a request names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetAt {
    /// An instance's id, an address, or the ARN of a function or of a load balancer.
    pub id: String,
    /// `None`: the group's.
    pub port: Option<u16>,
    /// A zone or `all`; only with addresses and functions.
    pub zone: Option<String>,
}

impl World {
    /// A target that is registered stays as it is; one that drains is registered anew (D: "You can register the target
    /// with the target group again when you are ready"), and passes its initial checks again (K).
    pub(super) fn register_targets(
        &mut self,
        caller: &Caller,
        arn: &str,
        targets: &[TargetAt],
    ) -> Result<(), ApiError> {
        let group = self.group_of(caller, arn)?;
        check_targets(group, targets)?;
        self.check_registrable(group, targets)?;
        let zones: Vec<Option<String>> = targets
            .iter()
            .map(|target| self.zone_of_target(group, target))
            .collect::<Result<_, _>>()?;
        let wanted: Vec<TargetKey> = targets.iter().map(|target| key_of(group, target)).collect();
        let is_new = |key: &TargetKey| {
            matches!(
                group.health_of(&key.0, key.1),
                Health::NotRegistered | Health::Draining
            )
        };
        let mut new: Vec<(TargetKey, Option<String>)> = wanted
            .into_iter()
            .zip(zones)
            .filter(|(key, _)| is_new(key))
            .collect();
        new.sort();
        new.dedup_by(|a, b| a.0 == b.0);
        self.check_room(group, new.len())?;
        for (key, zone) in new {
            self.register(arn, &key, zone);
        }
        self.own_write(arn);
        Ok(())
    }

    /// Deregistering what is not registered succeeds and does nothing (D). A target without a port means the group's
    /// own port, and no other: whoever registered with another port must name it, or is answered 200 while the target
    /// stays in traffic (D: "If you specified a port override when you registered a target, you must specify both the
    /// target ID and the port when you deregister it"; seen in chaostoolkit-aws#60).
    pub(super) fn deregister_targets(
        &mut self,
        caller: &Caller,
        arn: &str,
        targets: &[TargetAt],
    ) -> Result<(), ApiError> {
        let group = self.group_of(caller, arn)?;
        check_targets(group, targets)?;
        let keys: Vec<TargetKey> = targets.iter().map(|target| key_of(group, target)).collect();
        for key in keys {
            self.begin_drain(arn, &key);
        }
        self.own_write(arn);
        Ok(())
    }

    pub(in crate::sim::world) fn describe_target_health(
        &self,
        caller: &Caller,
        arn: &str,
        asked: &[TargetAt],
    ) -> Response {
        let group = self.group_of(caller, arn)?;
        check_ids(group, asked)?;
        let lines = if asked.is_empty() {
            let keys = group.targets.keys();
            keys.filter_map(|key| self.visible_health(group, key)).collect()
        } else {
            // Also of an instance that does not exist: unused, as seen (moto#7692).
            let lines = asked.iter().map(|target| {
                let key = key_of(group, target);
                let unknown = || line(group, &key, target.zone.clone(), Health::NotRegistered);
                self.visible_health(group, &key).unwrap_or_else(unknown)
            });
            lines.collect()
        };
        Ok(api::Answer::TargetHealth(lines))
    }

    fn visible_health(&self, group: &TargetGroup, key: &TargetKey) -> Option<TargetHealth> {
        let target = group.targets.get(key)?.at(self.read_time(&group.arn))?;
        let zone = match group.target_type.as_str() {
            "ip" => Some(target.zone.clone().unwrap_or_else(|| "all".to_owned())),
            "lambda" => Some("all".to_owned()),
            _ => None,
        };
        Some(line(group, key, zone, group.shown(target)))
    }

    /// The targets exist and are such as can be registered now.
    fn check_registrable(&self, group: &TargetGroup, targets: &[TargetAt]) -> Result<(), ApiError> {
        match group.target_type.as_str() {
            "instance" => self.check_instances(group, targets),
            "alb" => {
                let is_wrong = |target: &&TargetAt| !self.listens(&target.id, group.port);
                match targets.iter().find(is_wrong) {
                    None => Ok(()),
                    Some(target) => Err(bad_target(format!(
                        "'{}' is not an Application Load Balancer with a listener on port {}",
                        target.id, group.port
                    ))),
                }
            }
            _ => Ok(()),
        }
    }

    fn check_instances(&self, group: &TargetGroup, targets: &[TargetAt]) -> Result<(), ApiError> {
        let (mut missing, mut elsewhere, mut stopped) = (Vec::new(), Vec::new(), Vec::new());
        for target in targets {
            let found = self.instance(&target.id).filter(|i| i.scope == group.scope);
            match found {
                None => missing.push(target.id.as_str()),
                Some(i) if self.is_outside(group, &i.id) => elsewhere.push(target.id.as_str()),
                Some(i) if i.state != State::Running => stopped.push(target.id.as_str()),
                Some(_) => {}
            }
        }
        let list = |ids: &[&str]| format!("'{}'", ids.join("', '"));
        if !missing.is_empty() {
            let text = format!("The following targets do not exist: {}", list(&missing));
            return Err(bad_target(text));
        }
        if !elsewhere.is_empty() {
            let text = format!(
                "The following targets are not in the target group VPC: {}",
                list(&elsewhere)
            );
            return Err(bad_target(text));
        }
        if !stopped.is_empty() {
            let text = "The following targets are not in a running state and cannot be registered";
            return Err(bad_target(format!("{text}: {}", list(&stopped))));
        }
        Ok(())
    }

    /// So many more targets fit into the group.
    fn check_room(&self, group: &TargetGroup, more: usize) -> Result<(), ApiError> {
        let living = group.targets.values().filter_map(|t| t.now());
        let present = living.filter(|t| t.health != Health::Draining).count();
        let quota = self.balancing_quota(&group.scope, "targets-per-target-group");
        let quota = if group.target_type == "lambda" { 1 } else { quota };
        if present + more <= quota {
            return Ok(());
        }
        let text = format!(
            "You've reached the limit on the number of targets in target group '{}': {quota}",
            group.arn
        );
        Err(ApiError::new("TooManyTargets", text))
    }

    /// Where a target is; `None`: everywhere.
    fn zone_of_target(&self, group: &TargetGroup, target: &TargetAt) -> Result<Option<String>, ApiError> {
        match group.target_type.as_str() {
            "instance" => Ok(self.instance(&target.id).map(|i| i.zone.clone())),
            "ip" => {
                let here = self.instance_at(group, &target.id).map(|i| i.zone.clone());
                let here = here.or_else(|| self.zone_of_address(group, &target.id));
                match (here, target.zone.as_deref()) {
                    (Some(zone), _) => Ok(Some(zone)),
                    (None, Some("all")) => Ok(None),
                    (None, Some(zone)) => Ok(Some(zone.to_owned())),
                    (None, None) => Err(invalid(format!(
                        "You must specify an Availability Zone for the IP address '{}', which is outside the VPC",
                        target.id
                    ))),
                }
            }
            _ => Ok(None),
        }
    }
}

/// The key of a target: its own port, else the group's.
pub(super) fn key_of(group: &TargetGroup, target: &TargetAt) -> TargetKey {
    (target.id.clone(), target.port.unwrap_or(group.port))
}

fn line(group: &TargetGroup, key: &TargetKey, zone: Option<String>, health: Health) -> TargetHealth {
    let (id, port) = key.clone();
    let has_port = group.target_type != "lambda";
    let check_port = match group.checks.port.as_str() {
        "traffic-port" => port.to_string(),
        other => other.to_owned(),
    };
    TargetHealth {
        id,
        port: has_port.then_some(port),
        zone,
        check_port: has_port.then_some(check_port),
        health,
    }
}

/// A request to change registrations names targets, of the group's type.
fn check_targets(group: &TargetGroup, targets: &[TargetAt]) -> Result<(), ApiError> {
    if targets.is_empty() {
        return Err(invalid("At least one target must be specified"));
    }
    check_ids(group, targets)?;
    let may_have_zone = matches!(group.target_type.as_str(), "ip" | "lambda");
    if !may_have_zone && targets.iter().any(|target| target.zone.is_some()) {
        return Err(invalid(format!(
            "An Availability Zone cannot be specified for targets of type '{}'",
            group.target_type
        )));
    }
    if targets.iter().any(|target| target.port == Some(0)) {
        return Err(invalid("Port '0' must be between 1 and 65535 inclusive"));
    }
    Ok(())
}

fn check_ids(group: &TargetGroup, targets: &[TargetAt]) -> Result<(), ApiError> {
    for TargetAt { id, .. } in targets {
        let fits = match group.target_type.as_str() {
            "instance" => is_instance_id(id),
            "ip" => is_address(id),
            "lambda" => id.starts_with("arn:aws:lambda:"),
            _ => id.contains(":loadbalancer/app/"),
        };
        if !fits {
            let what = match group.target_type.as_str() {
                "instance" => "Instance ID",
                "ip" => "IP address",
                "lambda" => "Lambda function ARN",
                _ => "Application Load Balancer ARN",
            };
            return Err(invalid(format!("{what} '{id}' is not valid")));
        }
        if group.target_type == "ip" && !is_private(id) {
            return Err(bad_target(format!(
                "The IP address '{id}' is not within the VPC or a private address range"
            )));
        }
    }
    Ok(())
}

fn is_instance_id(text: &str) -> bool {
    let hex = text.strip_prefix("i-").unwrap_or("");
    matches!(hex.len(), 8 | 17) && hex.bytes().all(|b| b.is_ascii_hexdigit())
}

/// RFC 1918 or RFC 6598.
fn is_private(text: &str) -> bool {
    text.parse::<Ipv4Addr>().is_ok_and(|address| {
        let [a, b, ..] = address.octets();
        address.is_private() || (a == 100 && (64..128).contains(&b))
    })
}

fn bad_target(text: String) -> ApiError {
    ApiError::new("InvalidTarget", text)
}
