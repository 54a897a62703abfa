//! The load balancer of worlds that are built without one.
//!
//! Their target groups say that some listener forwards to them ([`Usage::Assumed`]) and name this load balancer. Whoever asks
//! for it by its ARN is shown an Application Load Balancer in every zone of the region; it is in no listing, and nothing
//! can be done to it.

use std::collections::BTreeMap;

use super::super::World;
use super::super::instance::Scope;
use super::super::network::zones_of;
use super::super::shelf::Tags;
use super::super::target::Usage;
use super::attributes;
use super::load_balancer::{BalancerKind, LoadBalancer, SubnetOf};

/// Its ARN in an account and region.
pub fn assumed_arn(scope: &Scope) -> String {
    format!(
        "arn:aws:elasticloadbalancing:{}:{}:loadbalancer/app/sim/0000000000000001",
        scope.region, scope.account
    )
}

impl World {
    /// Where some group needs it; `None`: there is none.
    pub(super) fn assumed_balancer(&self, scope: &Scope) -> Option<LoadBalancer> {
        let mut groups = self.target_groups.values().filter(|group| group.scope == *scope);
        let group = groups.find(|group| group.usage == Usage::Assumed(true))?;
        let subnet = |zone: String| {
            let subnet = self.default_subnet(scope, &zone)?;
            let id = subnet.id.clone();
            Some((zone.clone(), SubnetOf { zone, id }))
        };
        let zones = zones_of(&scope.region).into_iter().map(|zone| zone.name);
        let kind = BalancerKind::Application;
        Some(LoadBalancer {
            arn: assumed_arn(scope),
            name: "sim".to_owned(),
            scope: scope.clone(),
            kind,
            internal: true,
            created: group.created,
            active_at: group.created,
            active: true,
            vpc: group.vpc.clone().unwrap_or_default(),
            subnets: zones.filter_map(subnet).collect::<BTreeMap<_, _>>(),
            security_groups: Vec::new(),
            attributes: attributes::of_new_balancer(kind, true),
            tags: Tags::new(),
        })
    }
}
