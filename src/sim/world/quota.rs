//! What an account may have in a region. AWS raises quotas on request: this world's account has had them raised.

use super::World;
use super::instance::Scope;

/// The quotas of an account in a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Virtual processors of running On-Demand instances of the standard families.
    pub vcpus: u32,
    /// Likewise, of Spot instances.
    pub spot_vcpus: u32,
    pub elastic_ips: usize,
}

impl Default for Quota {
    /// Room for 10,000 instances of a common size.
    fn default() -> Self {
        Self {
            vcpus: 80_000,
            spot_vcpus: 80_000,
            elastic_ips: 1_000,
        }
    }
}

impl World {
    /// The quotas of an account in a region.
    pub fn quota(&self, scope: &Scope) -> Quota {
        self.quotas.get(scope).copied().unwrap_or_default()
    }

    /// AWS sets an account's quotas in a region. What runs already stays.
    pub fn set_quota(&mut self, scope: &Scope, quota: Quota) {
        self.note(&scope.account, format!("quotas in {}: {quota:?}", scope.region));
        self.quotas.insert(scope.clone(), quota);
    }
}
