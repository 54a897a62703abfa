//! Elastic Load Balancing: target groups, the health of their targets, and how load balancers spread traffic over them.

use super::Reader;
use super::page::{Page, odd_answer, pages};
use crate::aws::api::Api;
use crate::aws::budget::Priority;
use crate::aws::convert;
use crate::model::{AwsError, Target, TargetGroupArn, Zone};
use aws_sdk_elasticloadbalancingv2::types::{LoadBalancer as RawLoadBalancer, LoadBalancerTypeEnum};
use std::collections::{BTreeMap, BTreeSet};

/// Target groups on one page: the most that AWS allows.
const PAGE: i32 = 400;

/// ARNs that DescribeLoadBalancers takes.
const MOST_LOAD_BALANCERS: usize = 20;

/// The attribute of target groups and load balancers that says whether traffic crosses zones.
const CROSS_ZONE: &str = "load_balancing.cross_zone.enabled";

/// What a target group is, without its targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetGroup {
    pub arn: TargetGroupArn,
    pub name: String,
    /// The port that a target gets when the registration names none.
    pub port: Option<u16>,
    /// Whether targets are instances, rather than addresses, functions or other load balancers.
    pub of_instances: bool,
    /// The ARNs of the load balancers that send traffic to it.
    pub load_balancers: BTreeSet<String>,
}

/// What a target group's own attributes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupAttributes {
    pub cross_zone: CrossZone,
    /// How long a deregistered target drains, in seconds.
    pub deregistration_delay_s: u32,
}

/// Whether traffic that came in at one zone also goes to the targets of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrossZone {
    On,
    Off,
    /// As the load balancer's own attribute says.
    OfLoadBalancer,
}

/// A load balancer, as far as it matters to its target groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadBalancer {
    /// What cross-zone is unless its attribute says otherwise.
    pub crosses_zones_by_default: bool,
    /// The zones that it is enabled in.
    pub zones: BTreeSet<Zone>,
}

impl Reader {
    /// All target groups of the account in the region. Asked without names: a name that does not exist would fail the
    /// call for the others.
    ///
    /// # Errors
    /// If any page failed.
    pub async fn target_groups(&self, priority: Priority) -> Result<Vec<TargetGroup>, AwsError> {
        let listing = pages(Api::DescribeTargetGroups, "", |token| {
            let request = self
                .balancing
                .describe_target_groups()
                .page_size(PAGE)
                .set_marker(token);
            let answer = self
                .caller
                .read(Api::DescribeTargetGroups, "", priority, request.send());
            async {
                let answer = answer.await?;
                let items = answer.target_groups().iter().filter_map(|raw| {
                    Some(TargetGroup {
                        arn: TargetGroupArn::new(raw.target_group_arn()?),
                        name: raw.target_group_name()?.to_owned(),
                        port: raw.port().and_then(convert::port),
                        of_instances: raw.target_type().is_some_and(|kind| kind.as_str() == "instance"),
                        load_balancers: raw.load_balancer_arns().iter().cloned().collect(),
                    })
                });
                Ok(Page {
                    items: items.collect(),
                    next: answer.next_marker().map(str::to_owned),
                })
            }
        })
        .await;
        listing.complete()
    }

    /// Every target of the group. AWS answers in one page.
    ///
    /// # Errors
    /// If the call failed, or a target has no id: then it is not known who serves.
    pub async fn target_health(
        &self,
        group: &TargetGroupArn,
        priority: Priority,
    ) -> Result<Vec<Target>, AwsError> {
        let object = group.as_str();
        let request = self.balancing.describe_target_health().target_group_arn(object);
        let answer = self
            .caller
            .read(Api::DescribeTargetHealth, object, priority, request.send())
            .await?;
        let targets: Option<Vec<Target>> = answer
            .target_health_descriptions()
            .iter()
            .map(convert::target)
            .collect();
        targets.ok_or_else(|| {
            odd_answer(
                Api::DescribeTargetHealth,
                object,
                "the answer has a target without an id",
            )
        })
    }
    /// The group's attributes.
    ///
    /// # Errors
    /// If the call failed, or the answer is not understood: then the floor is not known to hold.
    pub async fn group_attributes(
        &self,
        group: &TargetGroupArn,
        priority: Priority,
    ) -> Result<GroupAttributes, AwsError> {
        let object = group.as_str();
        let request = self
            .balancing
            .describe_target_group_attributes()
            .target_group_arn(object);
        let answer = self
            .caller
            .read(
                Api::DescribeTargetGroupAttributes,
                object,
                priority,
                request.send(),
            )
            .await?;
        let value = |key: &str| {
            let mut all = answer.attributes().iter();
            all.find(|attribute| attribute.key() == Some(key))
                .and_then(|attribute| attribute.value())
        };
        let odd = |what: &str| odd_answer(Api::DescribeTargetGroupAttributes, object, what);
        let cross_zone = match value(CROSS_ZONE) {
            Some("true") => CrossZone::On,
            Some("false") => CrossZone::Off,
            // Groups that are older than the attribute do not show it.
            Some("use_load_balancer_configuration") | None => CrossZone::OfLoadBalancer,
            Some(other) => return Err(odd(&format!("{CROSS_ZONE} is {other:?}"))),
        };
        let delay = value("deregistration_delay.timeout_seconds").and_then(|text| text.parse().ok());
        Ok(GroupAttributes {
            cross_zone,
            deregistration_delay_s: delay
                .ok_or_else(|| odd("the answer does not tell how long its targets drain"))?,
        })
    }

    /// The load balancers of these ARNs.
    ///
    /// # Errors
    /// If a call failed, as it does when one of them does not exist.
    pub async fn load_balancers(
        &self,
        arns: &BTreeSet<String>,
        priority: Priority,
    ) -> Result<BTreeMap<String, LoadBalancer>, AwsError> {
        let mut found = BTreeMap::new();
        let arns: Vec<String> = arns.iter().cloned().collect();
        for arns in arns.chunks(MOST_LOAD_BALANCERS) {
            let object = arns.join(", ");
            let listing = pages(Api::DescribeLoadBalancers, &object, |token| {
                let request = self
                    .balancing
                    .describe_load_balancers()
                    .set_load_balancer_arns(Some(arns.to_vec()))
                    .set_marker(token);
                let answer = self
                    .caller
                    .read(Api::DescribeLoadBalancers, &object, priority, request.send());
                async {
                    let answer = answer.await?;
                    Ok(Page {
                        items: answer.load_balancers().iter().filter_map(load_balancer).collect(),
                        next: answer.next_marker().map(str::to_owned),
                    })
                }
            })
            .await;
            found.extend(listing.complete()?);
        }
        Ok(found)
    }

    /// Whether the load balancer's own attribute lets traffic cross zones; `None`: it does not say.
    ///
    /// # Errors
    /// If the call failed.
    pub async fn load_balancer_crosses_zones(
        &self,
        arn: &str,
        priority: Priority,
    ) -> Result<Option<bool>, AwsError> {
        let request = self
            .balancing
            .describe_load_balancer_attributes()
            .load_balancer_arn(arn);
        let answer = self
            .caller
            .read(Api::DescribeLoadBalancerAttributes, arn, priority, request.send())
            .await?;
        let mut all = answer.attributes().iter();
        let found = all.find(|attribute| attribute.key() == Some(CROSS_ZONE));
        match found.and_then(|attribute| attribute.value()) {
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            None => Ok(None),
            Some(other) => {
                let why = format!("{CROSS_ZONE} is {other:?}");
                Err(odd_answer(Api::DescribeLoadBalancerAttributes, arn, &why))
            }
        }
    }
}

/// `None` if it has no ARN.
fn load_balancer(raw: &RawLoadBalancer) -> Option<(String, LoadBalancer)> {
    let zones = raw.availability_zones().iter();
    let load_balancer = LoadBalancer {
        crosses_zones_by_default: raw.r#type() == Some(&LoadBalancerTypeEnum::Application),
        zones: zones
            .filter_map(|zone| zone.zone_name().map(Zone::from))
            .collect(),
    };
    Some((raw.load_balancer_arn()?.to_owned(), load_balancer))
}
