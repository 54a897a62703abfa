//! EC2's security groups: requests and answers.

use super::Route;
use super::ec2::route;
use super::ec2_xml::tag_set;
use super::query::Params;
use super::xml::Xml;
use crate::sim::world::api::{ApiError, Operation};
use crate::sim::world::security::{Answer, GroupName, Op, Peer, Permission, RuleLine, SecurityGroup};

pub(super) const ROUTES: &[Route] = &[
    route("DescribeSecurityGroups", |p| {
        let (asked, names) = (p.asked("GroupId")?, p.list("GroupName"));
        Ok(Operation::Security(Op::DescribeSecurityGroups { asked, names }))
    }),
    route("DescribeSecurityGroupRules", |p| {
        Ok(Operation::Security(Op::DescribeSecurityGroupRules(
            p.asked("SecurityGroupRuleId")?,
        )))
    }),
    route("CreateSecurityGroup", |p| {
        Ok(Operation::Security(Op::CreateSecurityGroup {
            name: p.required("GroupName")?,
            description: p.required("GroupDescription")?,
            vpc: p.text("VpcId"),
            tags: p.tag_specs()?,
        }))
    }),
    route("DeleteSecurityGroup", |p| {
        Ok(Operation::Security(Op::DeleteSecurityGroup {
            group: group_name(p),
        }))
    }),
    route("AuthorizeSecurityGroupIngress", |p| authorize(p, false)),
    route("AuthorizeSecurityGroupEgress", |p| authorize(p, true)),
    route("RevokeSecurityGroupIngress", |p| revoke(p, false)),
    route("RevokeSecurityGroupEgress", |p| revoke(p, true)),
];

fn group_name(p: &mut Params) -> GroupName {
    GroupName {
        id: p.text("GroupId"),
        name: p.text("GroupName"),
    }
}

fn authorize(p: &mut Params, egress: bool) -> Result<Operation, ApiError> {
    Ok(Operation::Security(Op::AuthorizeSecurityGroup {
        group: group_name(p),
        egress,
        permissions: permissions(p)?,
        tags: p.tag_specs()?,
    }))
}

fn revoke(p: &mut Params, egress: bool) -> Result<Operation, ApiError> {
    Ok(Operation::Security(Op::RevokeSecurityGroup {
        group: group_name(p),
        egress,
        permissions: permissions(p)?,
        rules: p.list("SecurityGroupRuleId"),
    }))
}

/// The list that names peers of one kind, the name of each in it, and what it is.
type PeerKind = (&'static str, &'static str, fn(String) -> Peer);

/// `IpPermissions.N`, or the one block that the old parameters beside it describe.
fn permissions(p: &mut Params) -> Result<Vec<Permission>, ApiError> {
    let mut permissions = Vec::new();
    for mut entry in p.structures("IpPermissions") {
        let (protocol, from, to) = (
            entry.required("IpProtocol")?,
            entry.number("FromPort")?,
            entry.number("ToPort")?,
        );
        let mut add = |peer: Peer, description: Option<String>| {
            permissions.push(Permission {
                protocol: protocol.clone(),
                from_port: from,
                to_port: to,
                peer,
                description,
            });
        };
        let kinds: [PeerKind; 4] = [
            ("IpRanges", "CidrIp", Peer::Ipv4),
            ("Ipv6Ranges", "CidrIpv6", Peer::Ipv6),
            ("Groups", "GroupId", Peer::Group),
            ("PrefixListIds", "PrefixListId", Peer::PrefixList),
        ];
        for (list, key, kind) in kinds {
            for mut peer in entry.structures(list) {
                let (whom, description) = (peer.required(key)?, peer.text("Description"));
                // The owner of a group follows from its id.
                peer.text("UserId");
                peer.finish(list)?;
                add(kind(whom), description);
            }
        }
        entry.finish("IpPermissions")?;
    }
    if let Some(cidr) = p.text("CidrIp") {
        permissions.push(Permission {
            protocol: p.required("IpProtocol")?,
            from_port: p.number("FromPort")?,
            to_port: p.number("ToPort")?,
            peer: Peer::Ipv4(cidr),
            description: None,
        });
    }
    Ok(permissions)
}

pub(super) fn write(xml: &mut Xml, answer: &Answer) {
    match answer {
        Answer::Groups(listing) => {
            xml.listing("securityGroupInfo", listing, |xml, group| write_group(xml, group))
        }
        Answer::Rules(listing) => xml.listing("securityGroupRuleSet", listing, write_rule),
        Answer::Created(group) => {
            xml.text("return", "true");
            xml.text("groupId", &group.id);
            tag_set(xml, &group.tags);
            xml.text("securityGroupArn", group.arn());
        }
        Answer::Deleted(id) => {
            xml.text("return", "true");
            xml.text("groupId", id);
        }
        Answer::Authorized(lines) => {
            xml.text("return", "true");
            xml.list("securityGroupRuleSet", "item", lines, write_rule);
        }
        Answer::Revoked(lines) => {
            xml.text("return", "true");
            xml.list("revokedSecurityGroupRuleSet", "item", lines, write_revoked);
        }
    }
}

fn write_group(xml: &mut Xml, group: &SecurityGroup) {
    xml.text("ownerId", &group.scope.account);
    xml.text("groupId", &group.id);
    xml.text("groupName", &group.name);
    xml.text("groupDescription", &group.description);
    xml.text("vpcId", &group.vpc);
    xml.text("securityGroupArn", group.arn());
    for (name, egress) in [("ipPermissions", false), ("ipPermissionsEgress", true)] {
        write_permissions(xml, name, group, egress);
    }
    tag_set(xml, &group.tags);
}

/// One entry for each protocol and range of ports, with all its peers.
fn write_permissions(xml: &mut Xml, name: &str, group: &SecurityGroup, egress: bool) {
    let mut ranges: Vec<(&str, Option<i32>, Option<i32>)> = Vec::new();
    for p in group.permissions(egress) {
        let range = (p.protocol.as_str(), p.from_port, p.to_port);
        if !ranges.contains(&range) {
            ranges.push(range);
        }
    }
    xml.list(name, "item", ranges, |xml, (protocol, from, to)| {
        xml.text("ipProtocol", protocol);
        xml.maybe("fromPort", from.map(|port| port.to_string()));
        xml.maybe("toPort", to.map(|port| port.to_string()));
        let of_range = group
            .permissions(egress)
            .filter(|p| (p.protocol.as_str(), p.from_port, p.to_port) == (protocol, from, to));
        let all: Vec<&Permission> = of_range.collect();
        let peers = |pick: fn(&Peer) -> Option<&String>| {
            let all = all.iter();
            all.filter_map(move |p| Some((pick(&p.peer)?, p.description.as_ref())))
                .collect::<Vec<_>>()
        };
        let mut write = |list: &str, key: &str, peers: Vec<(&String, Option<&String>)>| {
            xml.list(list, "item", peers, |xml, (peer, description)| {
                xml.maybe("userId", (key == "groupId").then_some(&group.scope.account));
                xml.text(key, peer);
                xml.maybe("description", description);
            });
        };
        write(
            "groups",
            "groupId",
            peers(|p| if let Peer::Group(id) = p { Some(id) } else { None }),
        );
        write(
            "ipRanges",
            "cidrIp",
            peers(|p| if let Peer::Ipv4(c) = p { Some(c) } else { None }),
        );
        write(
            "ipv6Ranges",
            "cidrIpv6",
            peers(|p| if let Peer::Ipv6(c) = p { Some(c) } else { None }),
        );
        write(
            "prefixListIds",
            "prefixListId",
            peers(|p| {
                if let Peer::PrefixList(l) = p {
                    Some(l)
                } else {
                    None
                }
            }),
        );
    });
}

fn write_rule(xml: &mut Xml, line: &RuleLine) {
    xml.text("groupOwnerId", &line.scope.account);
    write_common(xml, line);
    if let Peer::Group(id) = &line.rule.permission.peer {
        xml.element("referencedGroupInfo", |xml| {
            xml.text("groupId", id);
            xml.text("userId", &line.scope.account);
        });
    }
    tag_set(xml, &line.rule.tags);
}

fn write_revoked(xml: &mut Xml, line: &RuleLine) {
    write_common(xml, line);
    if let Peer::Group(id) = &line.rule.permission.peer {
        xml.text("referencedGroupId", id);
    }
}

fn write_common(xml: &mut Xml, line: &RuleLine) {
    let permission = &line.rule.permission;
    xml.text("securityGroupRuleId", &line.rule.id);
    xml.text("groupId", &line.group);
    xml.text("isEgress", line.rule.egress.to_string());
    xml.text("ipProtocol", &permission.protocol);
    xml.text("fromPort", permission.from_port.unwrap_or(-1).to_string());
    xml.text("toPort", permission.to_port.unwrap_or(-1).to_string());
    xml.maybe("description", permission.description.as_ref());
    match &permission.peer {
        Peer::Ipv4(cidr) => xml.text("cidrIpv4", cidr),
        Peer::Ipv6(cidr) => xml.text("cidrIpv6", cidr),
        Peer::PrefixList(list) => xml.text("prefixListId", list),
        Peer::Group(_) => {}
    }
}
