//! Auto Scaling groups, as far as they can be seen: members and sizes.

use super::World;
use super::api::{Answer, ApiError, Caller, GroupView, Page, Response};
use super::instance::Scope;
use super::page::paginate;

/// An Auto Scaling group. Its members are the instances that name it.
#[derive(Debug, Clone)]
pub struct Group {
    pub name: String,
    pub scope: Scope,
    pub min: u32,
    pub max: u32,
    pub desired: u32,
    pub zones: Vec<String>,
    pub target_groups: Vec<String>,
}

impl Group {
    pub fn arn(&self) -> String {
        let Scope { account, region } = &self.scope;
        format!(
            "arn:aws:autoscaling:{region}:{account}:autoScalingGroup:sim:autoScalingGroupName/{}",
            self.name
        )
    }
}

impl World {
    pub(super) fn describe_groups(&self, caller: &Caller, names: &[String], page: &Page) -> Response {
        if names.len() > 50 {
            let text = format!("At most 50 group names in one request, got {}", names.len());
            return Err(ApiError::new("ValidationError", text));
        }
        let scope = caller.scope();
        let mine = self.groups.values().filter(|g| g.scope == scope);
        // Unknown names are left out silently, as by the real service.
        let wanted = mine.filter(|g| names.is_empty() || names.contains(&g.name));
        let (groups, next) = paginate(wanted.collect(), |g| g.name.clone(), page, 1..=100, Some(50))?;
        let items = groups.into_iter().map(|group| GroupView {
            group: group.clone(),
            members: self.members(caller, &group.name),
        });
        Ok(Answer::Groups {
            items: items.collect(),
            next,
        })
    }

    fn members(&self, caller: &Caller, group: &str) -> Vec<std::sync::Arc<super::Instance>> {
        let ids = self.instances.keys();
        let seen = ids.filter_map(|id| self.visible_instance(caller, id));
        let living = seen.filter(|i| i.state != super::State::Terminated);
        living
            .filter(|i| i.group.as_deref() == Some(group))
            .cloned()
            .collect()
    }
}
