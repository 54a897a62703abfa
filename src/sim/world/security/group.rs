//! Security groups: made, changed, shown, deleted.

use std::sync::Arc;

use jiff::Timestamp;

use super::super::World;
use super::super::api::{ApiError, Asked, Caller, Filter, Listing};
use super::super::filter;
use super::super::instance::Scope;
use super::super::network::{Vpc, fixed_id};
use super::super::page::paginate;
use super::super::shelf::{Field, Resource, Tags, not_found, parts};
use super::super::tags::{TagSpecs, tags_for};
use super::rule::{Peer, Permission, Rule, RuleLine};
use super::{Answer, GroupName};

/// A security group.
#[derive(Debug, Clone)]
pub struct SecurityGroup {
    pub id: String,
    pub scope: Scope,
    pub vpc: String,
    /// Unique in its VPC.
    pub name: String,
    pub description: String,
    pub rules: Vec<Rule>,
    pub tags: Tags,
}

impl Resource for SecurityGroup {
    const KIND: &'static str = "security-group";
    const PREFIX: &'static str = "sg-";
    const NOUN: &'static str = "security group";
    const NOT_FOUND: &'static str = "InvalidGroup.NotFound";
    const MALFORMED: &'static str = "InvalidGroupId.Malformed";
    const FILTERS: &'static [Field<Self>] = &[
        ("group-id", |g| vec![g.id.clone()]),
        ("group-name", |g| vec![g.name.clone()]),
        ("description", |g| vec![g.description.clone()]),
        ("vpc-id", |g| vec![g.vpc.clone()]),
        ("owner-id", |g| vec![g.scope.account.clone()]),
        ("ip-permission.cidr", |g| g.peers(false)),
        ("ip-permission.group-id", |g| g.peers(false)),
        ("ip-permission.protocol", |g| g.protocols(false)),
        ("ip-permission.from-port", |g| g.ports(false, |p| p.from_port)),
        ("ip-permission.to-port", |g| g.ports(false, |p| p.to_port)),
        ("egress.ip-permission.cidr", |g| g.peers(true)),
        ("egress.ip-permission.group-id", |g| g.peers(true)),
        ("egress.ip-permission.protocol", |g| g.protocols(true)),
        ("egress.ip-permission.from-port", |g| {
            g.ports(true, |p| p.from_port)
        }),
        ("egress.ip-permission.to-port", |g| g.ports(true, |p| p.to_port)),
    ];

    parts!();
}

impl SecurityGroup {
    pub fn arn(&self) -> String {
        let Scope { account, region } = &self.scope;
        format!("arn:aws:ec2:{region}:{account}:security-group/{}", self.id)
    }

    /// The rules of one direction.
    pub fn permissions(&self, egress: bool) -> impl Iterator<Item = &Permission> {
        self.rules
            .iter()
            .filter(move |rule| rule.egress == egress)
            .map(|rule| &rule.permission)
    }

    fn peers(&self, egress: bool) -> Vec<String> {
        let peers = self.permissions(egress).map(|p| match &p.peer {
            Peer::Ipv4(text) | Peer::Ipv6(text) | Peer::Group(text) | Peer::PrefixList(text) => text.clone(),
        });
        peers.collect()
    }

    fn protocols(&self, egress: bool) -> Vec<String> {
        self.permissions(egress).map(|p| p.protocol.clone()).collect()
    }

    fn ports(&self, egress: bool, port: fn(&Permission) -> Option<i32>) -> Vec<String> {
        self.permissions(egress)
            .filter_map(port)
            .map(|port| port.to_string())
            .collect()
    }

    fn line(&self, rule: &Rule) -> RuleLine {
        RuleLine {
            group: self.id.clone(),
            scope: self.scope.clone(),
            rule: rule.clone(),
        }
    }
}

/// The group that every VPC begins with: its members may talk to each other, and to everybody.
fn default_group(vpc: &Vpc) -> SecurityGroup {
    let id = fixed_id("sg-", &vpc.scope, &vpc.id);
    let rule = |egress: bool, peer: Peer| Rule {
        id: fixed_id("sgr-", &vpc.scope, &format!("{} {egress}", vpc.id)),
        egress,
        permission: Permission::all(peer),
        tags: Tags::new(),
    };
    SecurityGroup {
        rules: vec![
            rule(false, Peer::Group(id.clone())),
            rule(true, Peer::Ipv4("0.0.0.0/0".to_owned())),
        ],
        id,
        scope: vpc.scope.clone(),
        vpc: vpc.id.clone(),
        name: "default".to_owned(),
        description: "default VPC security group".to_owned(),
        tags: Tags::new(),
    }
}

impl World {
    /// A new VPC gets its default group.
    pub(in crate::sim::world) fn furnish_group(&mut self, at: Timestamp, vpc: &Vpc) {
        self.security.groups.put(at, default_group(vpc));
    }

    /// The group, in truth.
    pub fn security_group(&self, id: &str) -> Option<&Arc<SecurityGroup>> {
        self.security.groups.get(id)
    }

    /// The default group of a VPC.
    pub fn default_security_group(&self, vpc: &str) -> Option<&Arc<SecurityGroup>> {
        let mut groups = self.security.groups.iter();
        groups.find(|group| group.vpc == vpc && group.name == "default")
    }

    /// The groups of these ids and names, all of one VPC; without any, its default group.
    ///
    /// # Errors
    /// One does not exist, or is another VPC's.
    pub(in crate::sim::world) fn groups_for(
        &self,
        caller: &Caller,
        vpc: &str,
        ids: &[String],
        names: &[String],
    ) -> Result<Vec<String>, ApiError> {
        let mut groups = Vec::new();
        for id in ids {
            let group = self.security.groups.find(caller, id)?;
            if group.vpc != vpc {
                let text = format!("Security group {id} and the subnet belong to different networks.");
                return Err(ApiError::new("InvalidParameter", text));
            }
            groups.push(group.id.clone());
        }
        for name in names {
            groups.push(self.group_named(caller, vpc, name)?.id.clone());
        }
        if groups.is_empty() {
            groups.extend(self.default_security_group(vpc).map(|group| group.id.clone()));
        }
        groups.dedup();
        Ok(groups)
    }

    fn group_named(&self, caller: &Caller, vpc: &str, name: &str) -> Result<&Arc<SecurityGroup>, ApiError> {
        let mut groups = self.security.groups.iter();
        let found = groups.find(|g| g.scope == caller.scope() && g.vpc == vpc && g.name == name);
        found.ok_or_else(|| {
            let text = format!("The security group '{name}' does not exist in VPC '{vpc}'");
            ApiError::new("InvalidGroup.NotFound", text)
        })
    }

    fn the_group(&self, caller: &Caller, group: &GroupName) -> Result<Arc<SecurityGroup>, ApiError> {
        match (&group.id, &group.name) {
            (Some(id), _) => self.security.groups.find(caller, id).cloned(),
            (None, Some(name)) => {
                let vpc = self
                    .default_vpc(&caller.scope())
                    .map_or("", |vpc| vpc.id.as_str());
                self.group_named(caller, vpc, name).cloned()
            }
            (None, None) => {
                let text = "The request must contain the parameter groupName or groupId";
                Err(ApiError::new("MissingParameter", text))
            }
        }
    }

    pub(super) fn describe_groups_of_vpc(
        &self,
        caller: &Caller,
        asked: &Asked,
        names: &[String],
    ) -> Result<Answer, ApiError> {
        let vpc = self
            .default_vpc(&caller.scope())
            .map_or("", |vpc| vpc.id.as_str());
        for name in names {
            self.group_named(caller, vpc, name)?;
        }
        let is_named = |g: &SecurityGroup| names.is_empty() || (g.vpc == vpc && names.contains(&g.name));
        let listing = self.security.groups.listed_where(self, caller, asked, is_named)?;
        Ok(Answer::Groups(listing))
    }

    pub(super) fn describe_group_rules(&self, caller: &Caller, asked: &Asked) -> Result<Answer, ApiError> {
        for Filter { name, .. } in &asked.filters {
            if !matches!(name.as_str(), "group-id" | "security-group-rule-id") {
                return Err(ApiError::not_modelled(format!(
                    "filter {name:?} of DescribeSecurityGroupRules"
                )));
            }
        }
        let groups = self.security.groups.listed(self, caller, &Asked::default())?;
        let lines = groups
            .items
            .iter()
            .flat_map(|group| group.rules.iter().map(|rule| group.line(rule)));
        let mut lines: Vec<RuleLine> = lines.collect();
        let missing = asked
            .ids
            .iter()
            .find(|id| lines.iter().all(|line| line.rule.id != **id));
        if let Some(id) = missing {
            let text = format!("The security group rule ID '{id}' does not exist");
            return Err(ApiError::new("InvalidSecurityGroupRuleId.NotFound", text));
        }
        lines.retain(|line| {
            let is_named = asked.ids.is_empty() || asked.ids.contains(&line.rule.id);
            let passes = |f: &Filter| {
                let text = if f.name == "group-id" {
                    &line.group
                } else {
                    &line.rule.id
                };
                f.values.iter().any(|pattern| filter::matches(pattern, text))
            };
            is_named && asked.filters.iter().all(passes)
        });
        lines.sort_by(|a, b| a.rule.id.cmp(&b.rule.id));
        let (items, next) = paginate(lines, |line| line.rule.id.clone(), &asked.page, 5..=1000, None)?;
        Ok(Answer::Rules(Listing { items, next }))
    }

    pub(super) fn create_security_group(
        &mut self,
        caller: &Caller,
        name: &str,
        description: &str,
        vpc: Option<&str>,
        tags: &TagSpecs,
    ) -> Result<Answer, ApiError> {
        let vpc = match vpc {
            Some(id) => self.network.vpcs.find(caller, id)?.clone(),
            None => match self.default_vpc(&caller.scope()) {
                Some(vpc) => vpc.clone(),
                None => return Err(ApiError::new("VPCIdNotSpecified", "No default VPC for this user")),
            },
        };
        let tags = tags_for(tags, "security-group")?;
        if name.starts_with("sg-") || name.is_empty() || name.len() > 255 {
            let text = format!("Value ({name}) for parameter GroupName is invalid.");
            return Err(ApiError::new("InvalidParameterValue", text));
        }
        if self.group_named(caller, &vpc.id, name).is_ok() {
            let text = format!("The security group '{name}' already exists for VPC '{}'", vpc.id);
            return Err(ApiError::new("InvalidGroup.Duplicate", text));
        }
        let to_everybody = Rule {
            id: self.new_id("sgr-"),
            egress: true,
            permission: Permission::all(Peer::Ipv4("0.0.0.0/0".to_owned())),
            tags: Tags::new(),
        };
        let group = SecurityGroup {
            id: self.new_id("sg-"),
            scope: caller.scope(),
            vpc: vpc.id.clone(),
            name: name.to_owned(),
            description: description.to_owned(),
            rules: vec![to_everybody],
            tags,
        };
        self.own_write(&group.id);
        self.note(&group.id, format!("security group {name} created"));
        Ok(Answer::Created(self.security.groups.put(self.now, group)))
    }

    pub(super) fn delete_security_group(
        &mut self,
        caller: &Caller,
        group: &GroupName,
    ) -> Result<Answer, ApiError> {
        let group = self.the_group(caller, group)?;
        if group.name == "default" {
            let text = format!(
                "the specified group: \"{}\" name: \"default\" cannot be deleted by a user",
                group.id
            );
            return Err(ApiError::new("CannotDelete", text));
        }
        let peer = Peer::Group(group.id.clone());
        let is_named = |other: &Arc<SecurityGroup>| {
            other.id != group.id && other.rules.iter().any(|rule| rule.permission.peer == peer)
        };
        if self.is_group_in_use(&group.id) || self.security.groups.iter().any(is_named) {
            let text = format!("resource {} has a dependent object", group.id);
            return Err(ApiError::new("DependencyViolation", text));
        }
        self.security.groups.delete(self.now, &group.id);
        self.own_write(&group.id);
        self.note(&group.id, "security group deleted");
        Ok(Answer::Deleted(group.id.clone()))
    }

    pub(super) fn authorize(
        &mut self,
        caller: &Caller,
        group: &GroupName,
        egress: bool,
        permissions: &[Permission],
        tags: &TagSpecs,
    ) -> Result<Answer, ApiError> {
        let group = self.the_group(caller, group)?;
        let tags = tags_for(tags, "security-group-rule")?;
        let mut rules = Vec::new();
        for permission in permissions {
            let permission = permission.clone().checked()?;
            if let Peer::Group(id) = &permission.peer {
                self.security.groups.find(caller, id)?;
            }
            if group
                .permissions(egress)
                .any(|present| present.is_like(&permission))
            {
                let text = format!("the specified rule \"{permission:?}\" already exists");
                return Err(ApiError::new("InvalidPermission.Duplicate", text));
            }
            rules.push(Rule {
                id: self.new_id("sgr-"),
                egress,
                permission,
                tags: tags.clone(),
            });
        }
        if rules.is_empty() {
            let text = "The request must contain the parameter ipPermissions";
            return Err(ApiError::new("MissingParameter", text));
        }
        let lines = rules.iter().map(|rule| group.line(rule)).collect();
        self.security
            .groups
            .edit(self.now, &group.id, |g| g.rules.extend(rules));
        self.own_write(&group.id);
        self.note(&group.id, "rules added");
        Ok(Answer::Authorized(lines))
    }

    pub(super) fn revoke(
        &mut self,
        caller: &Caller,
        group: &GroupName,
        egress: bool,
        permissions: &[Permission],
        rules: &[String],
    ) -> Result<Answer, ApiError> {
        let group = self.the_group(caller, group)?;
        let mut doomed = Vec::new();
        for permission in permissions {
            let permission = permission.clone().checked()?;
            let found = group
                .rules
                .iter()
                .find(|r| r.egress == egress && r.permission.is_like(&permission));
            let text = "The specified rule does not exist in this security group.";
            doomed.push(found.ok_or_else(|| ApiError::new("InvalidPermission.NotFound", text))?);
        }
        for id in rules {
            let found = group.rules.iter().find(|r| r.egress == egress && r.id == *id);
            let text = format!("The security group rule ID '{id}' does not exist");
            doomed.push(found.ok_or_else(|| ApiError::new("InvalidSecurityGroupRuleId.NotFound", text))?);
        }
        let ids: Vec<String> = doomed.iter().map(|rule| rule.id.clone()).collect();
        let lines = doomed.into_iter().map(|rule| group.line(rule)).collect();
        let edited = self.security.groups.edit(self.now, &group.id, |g| {
            g.rules.retain(|rule| !ids.contains(&rule.id));
        });
        edited.ok_or_else(|| not_found::<SecurityGroup>(&[&group.id]))?;
        self.own_write(&group.id);
        self.note(&group.id, "rules removed");
        Ok(Answer::Revoked(lines))
    }
}
