//! Auto Scaling: requests and answers.

use super::xml::{Xml, time};
use super::{Parse, Route, Service};
use crate::sim::world::State;
use crate::sim::world::api::{GroupView, Operation};

pub(super) const ROUTES: &[Route] = &[Route {
    service: Service::AutoScaling,
    action: "DescribeAutoScalingGroups",
    parse: Parse::Query(|p| {
        let names = p.list("AutoScalingGroupNames.member");
        Ok(Operation::DescribeAutoScalingGroups {
            names,
            page: p.page("MaxRecords", "NextToken")?,
        })
    }),
}];

pub(super) fn groups(xml: &mut Xml, items: &[GroupView], next: Option<&str>) {
    xml.list(
        "AutoScalingGroups",
        "member",
        items,
        |xml, GroupView { group, members }| {
            xml.text("AutoScalingGroupName", &group.name);
            xml.text("AutoScalingGroupARN", group.arn());
            xml.text("MinSize", group.min.to_string());
            xml.text("MaxSize", group.max.to_string());
            xml.text("DesiredCapacity", group.desired.to_string());
            xml.text("DefaultCooldown", "300");
            xml.element("AvailabilityZones", |xml| {
                group.zones.iter().for_each(|zone| xml.text("member", zone));
            });
            xml.element("TargetGroupARNs", |xml| {
                group.target_groups.iter().for_each(|arn| xml.text("member", arn));
            });
            xml.text("HealthCheckType", "EC2");
            xml.text("HealthCheckGracePeriod", "300");
            xml.text("CreatedTime", time(jiff::Timestamp::UNIX_EPOCH));
            xml.list("Instances", "member", members, |xml, i| {
                xml.text("InstanceId", &i.id);
                xml.text("InstanceType", &i.instance_type);
                xml.text("AvailabilityZone", &i.zone);
                let (lifecycle, health) = match i.state {
                    State::Pending => ("Pending", "Healthy"),
                    State::Running => ("InService", "Healthy"),
                    State::Stopping | State::Stopped => ("InService", "Unhealthy"),
                    State::ShuttingDown | State::Terminated => ("Terminating", "Unhealthy"),
                };
                xml.text("LifecycleState", lifecycle);
                xml.text("HealthStatus", health);
                xml.text("ProtectedFromScaleIn", "false");
            });
        },
    );
    xml.maybe("NextToken", next);
}
