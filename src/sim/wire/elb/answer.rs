//! Answers of Elastic Load Balancing, with the element names of its API.

use std::collections::BTreeMap;

use super::super::xml::{Xml, time};
use super::action::{write_actions, write_conditions};
use crate::sim::world::api::Listing;
use crate::sim::world::balancing::{
    Answer, BalancerKind, Listener, LoadBalancer, Priority, Rule, assumed_arn,
};
use crate::sim::world::{TargetGroup, TargetHealth, Usage};

pub(in crate::sim::wire) fn write(xml: &mut Xml, answer: &Answer) {
    match answer {
        Answer::Balancers(listing) => paged(xml, "LoadBalancers", listing, write_balancer),
        Answer::Listeners(listing) => paged(xml, "Listeners", listing, write_listener),
        Answer::Rules(listing) => paged(xml, "Rules", listing, write_rule),
        Answer::Attributes(attributes) => pairs(xml, "Attributes", attributes),
        Answer::Subnets(balancer) => {
            write_zones(xml, balancer);
            xml.text("IpAddressType", "ipv4");
        }
        Answer::SecurityGroups(ids) => {
            xml.element("SecurityGroupIds", |xml| {
                ids.iter().for_each(|id| xml.text("member", id))
            });
        }
        Answer::Tags(lines) => xml.list("TagDescriptions", "member", lines, |xml, (arn, tags)| {
            xml.text("ResourceArn", arn);
            pairs(xml, "Tags", tags);
        }),
        Answer::Limits(listing) => paged(xml, "Limits", listing, |xml, quota| {
            xml.text("Name", quota.name);
            xml.text("Max", quota.max.to_string());
        }),
        Answer::Nothing => {}
    }
}

/// A list of one page, and the marker of the next.
fn paged<T>(xml: &mut Xml, name: &str, listing: &Listing<T>, each: impl FnMut(&mut Xml, &T)) {
    xml.list(name, "member", &listing.items, each);
    xml.maybe("NextMarker", listing.next.as_deref());
}

fn pairs(xml: &mut Xml, name: &str, all: &BTreeMap<String, String>) {
    xml.list(name, "member", all, |xml, (key, value)| {
        xml.text("Key", key);
        xml.text("Value", value);
    });
}

fn write_balancer(xml: &mut Xml, balancer: &LoadBalancer) {
    xml.text("LoadBalancerArn", &balancer.arn);
    xml.text("DNSName", balancer.dns_name());
    xml.text("CanonicalHostedZoneId", balancer.hosted_zone());
    xml.text("CreatedTime", time(balancer.created));
    xml.text("LoadBalancerName", &balancer.name);
    xml.text(
        "Scheme",
        if balancer.internal {
            "internal"
        } else {
            "internet-facing"
        },
    );
    xml.text("VpcId", &balancer.vpc);
    xml.element("State", |xml| {
        xml.text("Code", if balancer.active { "active" } else { "provisioning" });
    });
    xml.text("Type", balancer.kind.name());
    write_zones(xml, balancer);
    if balancer.kind == BalancerKind::Application || !balancer.security_groups.is_empty() {
        let groups = &balancer.security_groups;
        xml.element("SecurityGroups", |xml| {
            groups.iter().for_each(|id| xml.text("member", id))
        });
    }
    xml.text("IpAddressType", "ipv4");
}

fn write_zones(xml: &mut Xml, balancer: &LoadBalancer) {
    xml.list(
        "AvailabilityZones",
        "member",
        balancer.subnets.values(),
        |xml, subnet| {
            xml.text("ZoneName", &subnet.zone);
            xml.text("SubnetId", &subnet.id);
            xml.element("LoadBalancerAddresses", |_| {});
        },
    );
}

fn write_listener(xml: &mut Xml, listener: &Listener) {
    xml.text("ListenerArn", &listener.arn);
    xml.text("LoadBalancerArn", &listener.balancer);
    xml.text("Port", listener.port.to_string());
    xml.text("Protocol", &listener.protocol);
    if !listener.certificates.is_empty() {
        xml.list("Certificates", "member", &listener.certificates, |xml, arn| {
            xml.text("CertificateArn", arn)
        });
    }
    xml.maybe("SslPolicy", listener.ssl_policy.as_ref());
    write_actions(xml, "DefaultActions", &listener.actions);
    if !listener.alpn.is_empty() {
        xml.element("AlpnPolicy", |xml| {
            listener.alpn.iter().for_each(|name| xml.text("member", name))
        });
    }
}

fn write_rule(xml: &mut Xml, rule: &Rule) {
    let priority = match rule.priority {
        Priority::At(priority) => priority.to_string(),
        Priority::Default => "default".to_owned(),
    };
    xml.text("RuleArn", &rule.arn);
    xml.text("Priority", priority);
    write_conditions(xml, &rule.conditions);
    write_actions(xml, "Actions", &rule.actions);
    xml.text("IsDefault", (rule.priority == Priority::Default).to_string());
}

pub(in crate::sim::wire) fn target_groups(xml: &mut Xml, items: &[TargetGroup], next: Option<&str>) {
    xml.list("TargetGroups", "member", items, write_group);
    xml.maybe("NextMarker", next);
}

fn write_group(xml: &mut Xml, group: &TargetGroup) {
    let is_lambda = group.target_type == "lambda";
    xml.text("TargetGroupArn", &group.arn);
    xml.text("TargetGroupName", &group.name);
    xml.maybe("Protocol", group.protocol.as_ref());
    xml.maybe("Port", (!is_lambda).then(|| group.port.to_string()));
    xml.maybe("VpcId", group.vpc.as_ref());
    let checks = &group.checks;
    xml.maybe("HealthCheckProtocol", checks.protocol.as_ref());
    xml.maybe("HealthCheckPort", (!is_lambda).then_some(&checks.port));
    xml.text("HealthCheckEnabled", checks.enabled.to_string());
    xml.text(
        "HealthCheckIntervalSeconds",
        checks.interval.as_secs().to_string(),
    );
    xml.text("HealthCheckTimeoutSeconds", checks.timeout.as_secs().to_string());
    xml.text("HealthyThresholdCount", checks.healthy_threshold.to_string());
    xml.text("UnhealthyThresholdCount", checks.unhealthy_threshold.to_string());
    xml.maybe("HealthCheckPath", checks.path.as_ref());
    if let Some(codes) = &checks.matcher {
        xml.element("Matcher", |xml| xml.text("HttpCode", codes));
    }
    let balancers: Vec<String> = match &group.usage {
        Usage::Derived(attachments) => attachments.keys().cloned().collect(),
        Usage::Assumed(false) => Vec::new(),
        // A load balancer that nobody has described.
        Usage::Assumed(true) => vec![assumed_arn(&group.scope)],
    };
    xml.element("LoadBalancerArns", |xml| {
        balancers.iter().for_each(|arn| xml.text("member", arn));
    });
    xml.text("TargetType", &group.target_type);
    xml.maybe("ProtocolVersion", group.protocol_version.as_ref());
    xml.maybe("IpAddressType", (!is_lambda).then_some("ipv4"));
}

pub(in crate::sim::wire) fn target_health(xml: &mut Xml, lines: &[TargetHealth]) {
    xml.list("TargetHealthDescriptions", "member", lines, |xml, line| {
        xml.element("Target", |xml| {
            xml.text("Id", &line.id);
            xml.maybe("Port", line.port.map(|port| port.to_string()));
            xml.maybe("AvailabilityZone", line.zone.as_ref());
        });
        xml.maybe("HealthCheckPort", line.check_port.as_ref());
        let (state, reason, description) = line.health.names();
        xml.element("TargetHealth", |xml| {
            xml.text("State", state);
            xml.maybe("Reason", reason);
            xml.maybe("Description", reason.map(|_| description));
        });
    });
}
