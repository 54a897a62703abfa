//! Target groups and the health of their targets, by the load balancer's own interval and thresholds.
//!
//! A target is keyed by instance **and** port. Its health is not recomputed at each check: as long as the
//! instance behaves the same, only the moment matters when enough checks will have agreed, so one timer is set for it.
//! The result is that of checking every `interval`, at a phase of the target's own, without the cost.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::instance::{Probe, Scope, State};
use super::versioned::Versioned;

/// A target group: where its load balancer sends traffic, and how it checks.
#[derive(Debug, Clone)]
pub struct TargetGroup {
    pub arn: String,
    pub name: String,
    pub scope: Scope,
    /// The targets' port, unless one says otherwise.
    pub port: u16,
    /// A listener forwards to it; without one its targets are `unused`.
    pub in_use: bool,
    /// `instance`, `ip`, `lambda`.
    pub target_type: String,
    pub interval: Duration,
    pub healthy_threshold: u32,
    pub unhealthy_threshold: u32,
    /// How long a deregistered target is `draining`.
    pub deregistration_delay: Duration,
    pub targets: BTreeMap<(String, u16), Versioned<Target>>,
}

/// One registration: an instance and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub health: Health,
    /// When in each interval its checks happen.
    pub phase: Duration,
    /// What the last checks found.
    pub probe: Probe,
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
    NotRunning(State),
    NotInUse,
    NotRegistered,
    Draining,
}

impl Health {
    /// ELB's state, reason and description.
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
            Health::NotRunning(state) => {
                let text = format!("Target is in the {} state", state.name());
                return ("unused", Some("Target.InvalidState"), text);
            }
            Health::NotInUse => (
                "unused",
                "Target.NotInUse",
                "Target group is not configured to receive traffic from the load balancer",
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
        };
        (state, Some(reason), text.to_owned())
    }
}

/// One line of DescribeTargetHealth's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetHealth {
    pub id: String,
    pub port: u16,
    pub health: Health,
}

impl TargetGroup {
    /// How many targets are healthy, in truth.
    pub fn healthy_count(&self) -> usize {
        self.targets
            .values()
            .filter_map(|t| t.now())
            .filter(|t| self.in_use && t.health == Health::Healthy)
            .count()
    }

    /// The health of one target, in truth.
    pub fn health_of(&self, id: &str, port: u16) -> Health {
        match self.targets.get(&(id.to_owned(), port)).and_then(Versioned::now) {
            Some(target) => self.shown(target.health),
            None => Health::NotRegistered,
        }
    }

    /// A group that no listener uses checks nothing.
    pub(super) fn shown(&self, health: Health) -> Health {
        match health {
            Health::Draining => Health::Draining,
            _ if !self.in_use => Health::NotInUse,
            other => other,
        }
    }

    /// How long until enough checks in a row have found `probe` to leave `health` for another.
    /// `None`: the present health is what such checks lead to.
    pub(super) fn time_to_change(&self, now: Timestamp, target: &Target) -> Option<(Duration, Health)> {
        let (checks, next) = match (target.health, target.probe) {
            (Health::InitialChecks, Probe::Pass) => (1, Health::Healthy),
            (Health::UnhealthyErrorCode | Health::UnhealthyTimeout, Probe::Pass) => {
                (self.healthy_threshold, Health::Healthy)
            }
            (Health::InitialChecks | Health::Healthy, Probe::ErrorCode) => {
                (self.unhealthy_threshold, Health::UnhealthyErrorCode)
            }
            (Health::InitialChecks | Health::Healthy, Probe::Timeout) => {
                (self.unhealthy_threshold, Health::UnhealthyTimeout)
            }
            (Health::UnhealthyTimeout, Probe::ErrorCode) => (1, Health::UnhealthyErrorCode),
            (Health::UnhealthyErrorCode, Probe::Timeout) => (1, Health::UnhealthyTimeout),
            _ => return None,
        };
        let interval = self.interval.as_millis().max(1).cast_signed();
        let since = i128::from(now.as_millisecond()) - target.phase.as_millis().cast_signed();
        let to_first = interval - since.rem_euclid(interval);
        let wait = to_first + i128::from(checks.saturating_sub(1)) * interval;
        Some((Duration::from_millis(u64::try_from(wait).unwrap_or(0)), next))
    }
}
