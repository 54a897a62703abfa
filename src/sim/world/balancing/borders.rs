//! What load balancing asks of EC2's networks.

use super::super::World;
use super::super::api::{ApiError, Caller};
use super::super::instance::Scope;
use super::super::target::TargetGroup;

impl World {
    /// The account and region have this VPC.
    pub(super) fn has_vpc(&self, scope: &Scope, id: &str) -> bool {
        self.network.vpcs.get(id).is_some_and(|vpc| vpc.scope == *scope)
    }

    /// The zone of the subnet of the group's VPC in which an address lies.
    pub(super) fn zone_of_address(&self, group: &TargetGroup, address: &str) -> Option<String> {
        let address = address.parse().ok()?;
        let mut subnets = self
            .network
            .subnets
            .iter()
            .filter(|s| Some(&s.vpc) == group.vpc.as_ref());
        let found = subnets.find(|subnet| subnet.cidr.place(address).is_some());
        found.map(|subnet| subnet.zone.clone())
    }

    /// An instance lives in another VPC than the group.
    pub(super) fn is_outside(&self, _group: &TargetGroup, _id: &str) -> bool {
        false
    }

    /// The VPC's default security group.
    pub(super) fn default_groups(&self, _vpc: &str) -> Vec<String> {
        Vec::new()
    }

    /// The security groups exist, in the VPC.
    pub(super) fn check_security_groups(
        &self,
        _caller: &Caller,
        wanted: &[String],
        _vpc: &str,
    ) -> Result<(), ApiError> {
        match wanted.iter().find(|id| !id.starts_with("sg-")) {
            None => Ok(()),
            Some(id) => Err(ApiError::new(
                "InvalidSecurityGroup",
                format!("Security group '{id}' is not valid"),
            )),
        }
    }
}
