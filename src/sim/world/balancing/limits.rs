//! The account's quotas.

use super::super::World;
use super::super::api::{ApiError, Caller, Listing, Page};
use super::super::instance::Scope;
use super::super::page::paginate;

/// A quota's name and what it allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    pub name: &'static str,
    pub max: usize,
}

/// What AWS gives every account (the example of DescribeAccountLimits).
const DEFAULTS: [(&str, usize); 17] = [
    ("application-load-balancers", 50),
    ("certificates-per-application-load-balancer", 25),
    ("certificates-per-network-load-balancer", 25),
    ("condition-values-per-alb-rule", 5),
    ("condition-wildcards-per-alb-rule", 5),
    ("listeners-per-application-load-balancer", 50),
    ("listeners-per-network-load-balancer", 50),
    ("network-load-balancers", 50),
    ("rules-per-application-load-balancer", 100),
    ("target-groups", 3000),
    ("target-groups-per-action-on-application-load-balancer", 5),
    ("target-groups-per-action-on-network-load-balancer", 1),
    ("target-groups-per-application-load-balancer", 100),
    ("targets-per-application-load-balancer", 1000),
    ("targets-per-availability-zone-per-network-load-balancer", 500),
    ("targets-per-network-load-balancer", 3000),
    ("targets-per-target-group", 1000),
];

impl World {
    /// What a quota allows in an account and region; unbounded if there is none of this name.
    pub(super) fn balancing_quota(&self, scope: &Scope, name: &str) -> usize {
        let own = self.balancing.quotas.get(&(scope.clone(), name.to_owned()));
        let default = DEFAULTS.iter().find(|(known, _)| *known == name);
        own.or(default.map(|(_, max)| max)).copied().unwrap_or(usize::MAX)
    }

    /// AWS grants an account another quota, or takes it back to the default. `false`: there is none of this name.
    pub fn set_balancing_quota(&mut self, scope: &Scope, name: &str, max: Option<usize>) -> bool {
        let key = (scope.clone(), name.to_owned());
        match max {
            Some(max) => self.balancing.quotas.insert(key, max),
            None => self.balancing.quotas.remove(&key),
        };
        DEFAULTS.iter().any(|(known, _)| *known == name)
    }

    pub(super) fn balancing_limits(&self, caller: &Caller, page: &Page) -> Result<Listing<Quota>, ApiError> {
        let scope = caller.scope();
        let all = DEFAULTS.iter().map(|(name, _)| Quota {
            name,
            max: self.balancing_quota(&scope, name),
        });
        let (items, next) = paginate(all.collect(), |q| q.name.to_owned(), page, 1..=400, Some(400))?;
        Ok(Listing { items, next })
    }
}
