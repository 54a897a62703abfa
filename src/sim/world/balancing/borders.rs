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

    /// An instance lives in another VPC than the group; one of a fleet too big for its subnets has none.
    pub(super) fn is_outside(&self, group: &TargetGroup, id: &str) -> bool {
        let vpc = self.instance(id).map_or("", |instance| instance.vpc.as_str());
        !vpc.is_empty() && group.vpc.as_ref().is_some_and(|own| own != vpc)
    }

    /// The VPC's default security group.
    pub(super) fn default_groups(&self, vpc: &str) -> Vec<String> {
        self.default_security_group(vpc)
            .map(|group| group.id.clone())
            .into_iter()
            .collect()
    }

    /// The security groups exist, in the VPC.
    pub(super) fn check_security_groups(
        &self,
        caller: &Caller,
        wanted: &[String],
        vpc: &str,
    ) -> Result<(), ApiError> {
        for id in wanted {
            let group = self.security_group(id).filter(|g| g.scope == caller.scope());
            let text = match group {
                Some(group) if group.vpc == vpc => continue,
                Some(_) => format!("Security group '{id}' is not in the VPC '{vpc}' of the load balancer"),
                None => format!("The security group '{id}' does not exist"),
            };
            return Err(ApiError::new("InvalidSecurityGroup", text));
        }
        Ok(())
    }
}
