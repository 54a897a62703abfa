//! Elastic Load Balancing v2: requests and answers.

use super::xml::Xml;
use super::{Parse, Route, Service};
use crate::sim::world::api::Operation;
use crate::sim::world::{TargetGroup, TargetHealth};

pub(super) const ROUTES: &[Route] = &[
    Route {
        service: Service::Elb,
        action: "DescribeTargetGroups",
        parse: Parse::Query(|p| {
            let (names, arns) = (p.list("Names.member"), p.list("TargetGroupArns.member"));
            Ok(Operation::DescribeTargetGroups {
                names,
                arns,
                page: p.page("PageSize", "Marker")?,
            })
        }),
    },
    Route {
        service: Service::Elb,
        action: "DescribeTargetHealth",
        parse: Parse::Query(|p| {
            let mut targets = Vec::new();
            for mut target in p.structures("Targets.member") {
                targets.push((target.required("Id")?, target.number("Port")?));
                target.finish("Targets")?;
            }
            Ok(Operation::DescribeTargetHealth {
                arn: p.required("TargetGroupArn")?,
                targets,
            })
        }),
    },
];

pub(super) fn target_groups(xml: &mut Xml, items: &[TargetGroup], next: Option<&str>) {
    xml.list("TargetGroups", "member", items, |xml, group| {
        xml.text("TargetGroupArn", &group.arn);
        xml.text("TargetGroupName", &group.name);
        xml.text("Protocol", "HTTP");
        xml.text("Port", group.port.to_string());
        xml.text("VpcId", format!("vpc-{}", group.scope.region));
        xml.text("HealthCheckProtocol", "HTTP");
        xml.text("HealthCheckPort", "traffic-port");
        xml.text("HealthCheckEnabled", "true");
        xml.text("HealthCheckIntervalSeconds", group.interval.as_secs().to_string());
        xml.text("HealthCheckTimeoutSeconds", "5");
        xml.text("HealthyThresholdCount", group.healthy_threshold.to_string());
        xml.text("UnhealthyThresholdCount", group.unhealthy_threshold.to_string());
        xml.text("HealthCheckPath", "/health");
        xml.element("Matcher", |xml| xml.text("HttpCode", "200"));
        let balancer = || {
            let (region, account) = (&group.scope.region, &group.scope.account);
            format!("arn:aws:elasticloadbalancing:{region}:{account}:loadbalancer/app/sim/0000000000000001")
        };
        let balancers = group.in_use.then(balancer);
        xml.element("LoadBalancerArns", |xml| xml.maybe("member", balancers));
        xml.text("TargetType", &group.target_type);
    });
    xml.maybe("NextMarker", next);
}

pub(super) fn target_health(xml: &mut Xml, lines: &[TargetHealth]) {
    xml.list("TargetHealthDescriptions", "member", lines, |xml, line| {
        xml.element("Target", |xml| {
            xml.text("Id", &line.id);
            xml.text("Port", line.port.to_string());
        });
        xml.text("HealthCheckPort", line.port.to_string());
        let (state, reason, description) = line.health.names();
        xml.element("TargetHealth", |xml| {
            xml.text("State", state);
            xml.maybe("Reason", reason);
            xml.maybe("Description", reason.map(|_| description));
        });
    });
}
