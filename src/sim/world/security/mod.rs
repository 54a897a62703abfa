//! EC2's security groups and their rules.
//!
//! They are kept and shown, and nothing more: no traffic flows in the simulation that they could let through.

mod group;
mod rule;

use std::sync::Arc;

use super::World;
use super::api::{self, Asked, Caller, Family, Listing, Page, Response};
use super::shelf::Shelf;
use super::tags::TagSpecs;
pub use group::SecurityGroup;
pub use rule::{Peer, Permission, Rule, RuleLine};

/// The family's operations.
#[derive(Debug, Clone)]
pub enum Op {
    /// `names`: groups of the default VPC by name.
    DescribeSecurityGroups {
        asked: Asked,
        names: Vec<String>,
    },
    DescribeSecurityGroupRules(Asked),
    CreateSecurityGroup {
        name: String,
        description: String,
        /// `None`: the default VPC.
        vpc: Option<String>,
        tags: TagSpecs,
    },
    DeleteSecurityGroup {
        group: GroupName,
    },
    AuthorizeSecurityGroup {
        group: GroupName,
        egress: bool,
        permissions: Vec<Permission>,
        tags: TagSpecs,
    },
    /// By permission, or by the rules' ids.
    RevokeSecurityGroup {
        group: GroupName,
        egress: bool,
        permissions: Vec<Permission>,
        rules: Vec<String>,
    },
}

/// How a request names a group: by its id, or by its name in the default VPC.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupName {
    pub id: Option<String>,
    pub name: Option<String>,
}

/// The family's answers.
#[derive(Debug, Clone)]
pub enum Answer {
    Groups(Listing<Arc<SecurityGroup>>),
    Rules(Listing<RuleLine>),
    Created(Arc<SecurityGroup>),
    Deleted(String),
    Authorized(Vec<RuleLine>),
    Revoked(Vec<RuleLine>),
}

impl Answer {
    pub(super) fn clear(&mut self) {
        match self {
            Answer::Groups(listing) => listing.clear(),
            Answer::Rules(listing) => listing.clear(),
            Answer::Created(_) | Answer::Deleted(_) | Answer::Authorized(_) | Answer::Revoked(_) => {}
        }
    }
}

/// What the world knows of security groups.
#[derive(Debug, Clone, Default)]
pub(super) struct Security {
    pub(super) groups: Shelf<SecurityGroup>,
}

impl GroupName {
    fn subjects(&self) -> Vec<&str> {
        self.id.iter().chain(&self.name).map(String::as_str).collect()
    }
}

impl Family for Op {
    fn name(&self) -> &'static str {
        match self {
            Op::DescribeSecurityGroups { .. } => "DescribeSecurityGroups",
            Op::DescribeSecurityGroupRules(_) => "DescribeSecurityGroupRules",
            Op::CreateSecurityGroup { .. } => "CreateSecurityGroup",
            Op::DeleteSecurityGroup { .. } => "DeleteSecurityGroup",
            Op::AuthorizeSecurityGroup { egress: false, .. } => "AuthorizeSecurityGroupIngress",
            Op::AuthorizeSecurityGroup { egress: true, .. } => "AuthorizeSecurityGroupEgress",
            Op::RevokeSecurityGroup { egress: false, .. } => "RevokeSecurityGroupIngress",
            Op::RevokeSecurityGroup { egress: true, .. } => "RevokeSecurityGroupEgress",
        }
    }

    fn subjects(&self) -> Vec<&str> {
        match self {
            Op::DescribeSecurityGroups { asked, names } => {
                asked.ids.iter().chain(names).map(String::as_str).collect()
            }
            Op::DescribeSecurityGroupRules(asked) => asked.subjects(),
            Op::CreateSecurityGroup { name, .. } => vec![name],
            Op::DeleteSecurityGroup { group }
            | Op::AuthorizeSecurityGroup { group, .. }
            | Op::RevokeSecurityGroup { group, .. } => group.subjects(),
        }
    }

    fn page(&self) -> Option<&Page> {
        match self {
            Op::DescribeSecurityGroups { asked, .. } | Op::DescribeSecurityGroupRules(asked) => {
                Some(&asked.page)
            }
            _ => None,
        }
    }

    fn answer(&self, world: &mut World, caller: &Caller) -> Response {
        let answer = match self {
            Op::DescribeSecurityGroups { asked, names } => {
                world.describe_groups_of_vpc(caller, asked, names)?
            }
            Op::DescribeSecurityGroupRules(asked) => world.describe_group_rules(caller, asked)?,
            Op::CreateSecurityGroup {
                name,
                description,
                vpc,
                tags,
            } => world.create_security_group(caller, name, description, vpc.as_deref(), tags)?,
            Op::DeleteSecurityGroup { group } => world.delete_security_group(caller, group)?,
            Op::AuthorizeSecurityGroup {
                group,
                egress,
                permissions,
                tags,
            } => world.authorize(caller, group, *egress, permissions, tags)?,
            Op::RevokeSecurityGroup {
                group,
                egress,
                permissions,
                rules,
            } => world.revoke(caller, group, *egress, permissions, rules)?,
        };
        Ok(api::Answer::Security(answer))
    }
}
