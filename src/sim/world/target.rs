//! Target groups and the health of their targets, by the load balancer's own interval and thresholds.
//!
//! A target is keyed by its id **and** port. Its health is not recomputed at each check: as long as what is behind it
//! behaves the same, only the moment matters when enough checks will have agreed, so one timer is set for it.
//! The result is that of checking every `interval`, at a phase of the target's own, without the cost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::instance::{Probe, Scope, State};
use super::versioned::Versioned;

/// A target's id and port; port 0 is a Lambda function's, which has none.
pub type TargetKey = (String, u16);

/// How long a deregistered target is `draining`.
pub const DEREGISTRATION_DELAY: &str = "deregistration_delay.timeout_seconds";

/// A target group: where its load balancer sends traffic, and how it checks.
#[derive(Debug, Clone)]
pub struct TargetGroup {
    pub arn: String,
    pub name: String,
    pub scope: Scope,
    pub created: Timestamp,
    /// `HTTP`, `TCP`, …; a Lambda function has none.
    pub protocol: Option<String>,
    /// `HTTP1`, `HTTP2`, `GRPC`; only with HTTP and HTTPS.
    pub protocol_version: Option<String>,
    /// The targets' port, unless one says otherwise.
    pub port: u16,
    /// `None`: of a Lambda function, and of a world without networks.
    pub vpc: Option<String>,
    /// `instance`, `ip`, `lambda`, `alb`.
    pub target_type: String,
    pub checks: Checks,
    /// As DescribeTargetGroupAttributes shows them: complete, by key.
    pub attributes: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    pub usage: Usage,
    pub targets: BTreeMap<TargetKey, Versioned<Target>>,
    /// Counts registrations.
    pub(super) registrations: u64,
    /// Targets whose draining does not end, whatever the delay says.
    pub stuck: BTreeSet<TargetKey>,
}

/// How a group's targets are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checks {
    /// Can be off for Lambda functions alone.
    pub enabled: bool,
    /// `HTTP`, `HTTPS`, `TCP`.
    pub protocol: Option<String>,
    /// `traffic-port`, or a number. The application behind each port of an instance is one and the same here, so the
    /// port that is checked changes nothing but what is shown.
    pub port: String,
    pub path: Option<String>,
    pub interval: Duration,
    /// A check that has no answer by then has failed.
    pub timeout: Duration,
    pub healthy_threshold: u32,
    pub unhealthy_threshold: u32,
    /// The HTTP codes that pass: `200`, `200-299,301`. An application that serves answers one of them, a broken one
    /// none.
    pub matcher: Option<String>,
}

/// Who sends traffic to a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Usage {
    /// A listener that this world does not show does so, in every zone, or does not: worlds built without load
    /// balancers. From the first action that names the group on, the listeners decide.
    Assumed(bool),
    /// The load balancers whose listeners or rules forward to it, by ARN.
    Derived(BTreeMap<String, Attachment>),
}

/// One load balancer that forwards to a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The zones that are enabled for the load balancer.
    pub zones: BTreeSet<String>,
    /// Cross-zone balancing, as the load balancer has it set.
    pub cross_zone: bool,
}

/// One registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub health: Health,
    /// Where the target is; `None`: everywhere (`all`, a Lambda function, another load balancer).
    pub zone: Option<String>,
    /// When in each interval its checks happen.
    pub phase: Duration,
    /// What the last checks found.
    pub probe: Probe,
    /// What is shown instead of `health` while it lasts, by a lever.
    pub forced: Option<Health>,
    /// When its draining has lasted for the group's delay.
    pub drained_at: Option<Timestamp>,
    /// Counts changes of what checks find, so that a timer set for an earlier one is recognised as stale.
    pub generation: u64,
}

/// A target's health, with ELB's reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    Registering,
    InitialChecks,
    Healthy,
    UnhealthyErrorCode,
    UnhealthyTimeout,
    /// What a Network Load Balancer says of every failed check.
    UnhealthyFailedChecks,
    /// The load balancer's own fault.
    UnhealthyInternalError,
    /// Unhealthy at a Network Load Balancer that lets connections end first.
    UnhealthyDraining,
    NotRunning(State),
    /// No listener forwards to the group.
    NotInUse,
    /// The target's zone is not enabled for the load balancer.
    ZoneNotEnabled,
    NotRegistered,
    Draining,
    /// Health checks are off.
    Unchecked,
}

impl Health {
    /// ELB's state, reason and description (the user guides' tables of reason codes).
    pub fn names(self) -> (&'static str, Option<&'static str>, String) {
        let (state, reason, text) = match self {
            Health::Registering => (
                "initial",
                "Elb.RegistrationInProgress",
                "Target registration is in progress",
            ),
            Health::InitialChecks => (
                "initial",
                "Elb.InitialHealthChecking",
                "Initial health checks in progress",
            ),
            Health::Healthy => return ("healthy", None, String::new()),
            Health::UnhealthyErrorCode => (
                "unhealthy",
                "Target.ResponseCodeMismatch",
                "Health checks failed with these codes: [503]",
            ),
            Health::UnhealthyTimeout => ("unhealthy", "Target.Timeout", "Request timed out"),
            Health::UnhealthyFailedChecks => {
                ("unhealthy", "Target.FailedHealthChecks", "Health checks failed")
            }
            Health::UnhealthyInternalError => (
                "unhealthy",
                "Elb.InternalError",
                "Health checks failed due to an internal error",
            ),
            Health::UnhealthyDraining => (
                "unhealthy.draining",
                "Target.FailedHealthChecks",
                "Health checks failed",
            ),
            Health::NotRunning(state) => {
                let text = format!("Target is in the {} state", state.name());
                return ("unused", Some("Target.InvalidState"), text);
            }
            Health::NotInUse => (
                "unused",
                "Target.NotInUse",
                "Target group is not configured to receive traffic from the load balancer",
            ),
            Health::ZoneNotEnabled => (
                "unused",
                "Target.NotInUse",
                "Target is in an Availability Zone that is not enabled for the load balancer",
            ),
            Health::NotRegistered => (
                "unused",
                "Target.NotRegistered",
                "Target is not registered to the target group",
            ),
            Health::Draining => (
                "draining",
                "Target.DeregistrationInProgress",
                "Target deregistration is in progress",
            ),
            Health::Unchecked => (
                "unavailable",
                "Target.HealthCheckDisabled",
                "Health checks are disabled for this target group",
            ),
        };
        (state, Some(reason), text.to_owned())
    }

    /// No load balancer sends traffic to where it is registered, whatever its own state.
    pub fn is_idle(self) -> bool {
        matches!(self, Health::NotInUse | Health::ZoneNotEnabled)
    }

    /// The load balancer neither checks it nor sends it anything.
    pub fn is_unused(self) -> bool {
        self.names().0 == "unused"
    }

    /// Checks of it have failed.
    pub fn is_unhealthy(self) -> bool {
        self.names().0.starts_with("unhealthy")
    }
}

/// One line of DescribeTargetHealth's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetHealth {
    pub id: String,
    /// `None`: a Lambda function.
    pub port: Option<u16>,
    /// Only where the caller of RegisterTargets may choose it: `ip` and `lambda`.
    pub zone: Option<String>,
    /// The port that is checked; `None`: a Lambda function.
    pub check_port: Option<String>,
    pub health: Health,
}

impl TargetGroup {
    /// How many targets are healthy, in truth.
    pub fn healthy_count(&self) -> usize {
        let living = self.targets.values().filter_map(|t| t.now());
        living.filter(|t| self.shown(t) == Health::Healthy).count()
    }

    /// The health of one target, in truth.
    pub fn health_of(&self, id: &str, port: u16) -> Health {
        match self.targets.get(&(id.to_owned(), port)).and_then(Versioned::now) {
            Some(target) => self.shown(target),
            None => Health::NotRegistered,
        }
    }

    /// Some listener or rule forwards to it.
    pub fn is_in_use(&self) -> bool {
        match &self.usage {
            Usage::Assumed(is_used) => *is_used,
            Usage::Derived(attachments) => !attachments.is_empty(),
        }
    }

    /// Where the load balancers that use the group send traffic; `None`: everywhere.
    pub fn enabled_zones(&self) -> Option<BTreeSet<&str>> {
        match &self.usage {
            Usage::Assumed(_) => None,
            Usage::Derived(all) => Some(all.values().flat_map(|a| &a.zones).map(String::as_str).collect()),
        }
    }

    /// Each load balancer node sends to targets in every zone, not to those of its own zone alone. The group's own
    /// attribute decides, else its load balancer's; several load balancers must agree.
    pub fn is_cross_zone(&self) -> bool {
        match self
            .attributes
            .get("load_balancing.cross_zone.enabled")
            .map(String::as_str)
        {
            Some("true") => true,
            Some("false") => false,
            _ => match &self.usage {
                Usage::Assumed(_) => true,
                Usage::Derived(all) => all.values().all(|attachment| attachment.cross_zone),
            },
        }
    }

    /// Its load balancer is a Network Load Balancer.
    pub fn is_network(&self) -> bool {
        matches!(self.protocol.as_deref(), Some("TCP" | "TLS" | "UDP" | "TCP_UDP"))
    }

    /// How long a deregistered target is `draining`.
    pub fn deregistration_delay(&self) -> Duration {
        self.seconds(DEREGISTRATION_DELAY)
    }

    /// How long an unhealthy target of a Network Load Balancer is `unhealthy.draining`.
    pub(super) fn unhealthy_delay(&self) -> Duration {
        match self.attribute("target_health_state.unhealthy.connection_termination.enabled") {
            "false" => self.seconds("target_health_state.unhealthy.draining_interval_seconds"),
            _ => Duration::ZERO,
        }
    }

    /// What an attribute says; `""` if the group has no such attribute.
    pub fn attribute(&self, key: &str) -> &str {
        self.attributes.get(key).map_or("", String::as_str)
    }

    fn seconds(&self, key: &str) -> Duration {
        Duration::from_secs(self.attribute(key).parse().unwrap_or(0))
    }

    /// A group or zone that no load balancer uses is not checked at all.
    pub(super) fn shown(&self, target: &Target) -> Health {
        let zones = self.enabled_zones();
        let is_elsewhere = |zone: &String| zones.as_ref().is_some_and(|on| !on.contains(zone.as_str()));
        match target.health {
            Health::Draining => Health::Draining,
            _ if !self.is_in_use() => Health::NotInUse,
            _ if target.zone.as_ref().is_some_and(is_elsewhere) => Health::ZoneNotEnabled,
            other @ Health::NotRunning(_) => other,
            _ if !self.checks.enabled => Health::Unchecked,
            other => target.forced.unwrap_or(other),
        }
    }

    /// What failed checks are called here.
    fn unhealthy(&self, probe: Probe) -> Health {
        match probe {
            // A Network Load Balancer tells no more than this (the user guide's table).
            _ if self.is_network() => Health::UnhealthyFailedChecks,
            Probe::ErrorCode => Health::UnhealthyErrorCode,
            _ => Health::UnhealthyTimeout,
        }
    }

    /// What a check of this group makes of what is there.
    fn finds(&self, probe: Probe) -> Probe {
        match probe {
            // An application that answers nonsense still accepts connections.
            Probe::ErrorCode if self.checks.protocol.as_deref() == Some("TCP") => Probe::Pass,
            other => other,
        }
    }

    /// How long until enough checks in a row have found the target's probe to leave its health for another.
    /// `None`: the present health is what such checks lead to.
    pub(super) fn time_to_change(&self, now: Timestamp, target: &Target) -> Option<(Duration, Health)> {
        let probe = self.finds(target.probe);
        let failed = self.unhealthy(probe);
        let (checks, next) = match (target.health, probe) {
            (Health::InitialChecks, Probe::Pass) => (1, Health::Healthy),
            (health, Probe::Pass) if health.is_unhealthy() => {
                (self.checks.healthy_threshold, Health::Healthy)
            }
            (Health::InitialChecks, Probe::ErrorCode | Probe::Timeout) => {
                (self.checks.unhealthy_threshold, failed)
            }
            (Health::Healthy, Probe::ErrorCode | Probe::Timeout) => match self.unhealthy_delay() {
                Duration::ZERO => (self.checks.unhealthy_threshold, failed),
                _ => (self.checks.unhealthy_threshold, Health::UnhealthyDraining),
            },
            (Health::UnhealthyDraining, Probe::ErrorCode | Probe::Timeout) => {
                return Some((self.unhealthy_delay(), failed));
            }
            (Health::UnhealthyTimeout | Health::UnhealthyErrorCode, Probe::ErrorCode | Probe::Timeout)
                if target.health != failed =>
            {
                (1, failed)
            }
            _ => return None,
        };
        let interval = self.checks.interval.as_millis().max(1).cast_signed();
        let since = i128::from(now.as_millisecond()) - target.phase.as_millis().cast_signed();
        let to_first = interval - since.rem_euclid(interval);
        let last = to_first + i128::from(checks.saturating_sub(1)) * interval;
        // That nobody answers is known once the time for an answer is over.
        let wait = match probe {
            Probe::Timeout => last + self.checks.timeout.as_millis().cast_signed(),
            _ => last,
        };
        Some((Duration::from_millis(u64::try_from(wait).unwrap_or(0)), next))
    }
}
