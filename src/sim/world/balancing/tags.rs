//! Tags of load balancers, listeners, rules and target groups.

use super::super::World;
use super::super::api::{ApiError, Caller};
use super::super::shelf::Tags;
use super::group::group_not_found;
use super::invalid;

/// So many resources in one DescribeTags.
const RESOURCES_MAX: usize = 20;
/// So many tags on one resource.
const TAGS_MAX: usize = 50;

/// The tags of a new resource.
pub(super) fn of_new(tags: &[(String, String)]) -> Result<Tags, ApiError> {
    let mut all = Tags::new();
    add(&mut all, tags)?;
    Ok(all)
}

/// Add to `present`, or refuse all of `new`.
fn add(present: &mut Tags, new: &[(String, String)]) -> Result<(), ApiError> {
    for (place, (key, value)) in new.iter().enumerate() {
        if key.starts_with("aws:") {
            return Err(invalid(
                "Tag keys starting with 'aws:' are reserved for system use",
            ));
        }
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(invalid(format!(
                "Tag '{key}' must have a key of 1-128 and a value of 0-256 characters"
            )));
        }
        if new.iter().take(place).any(|(earlier, _)| earlier == key) {
            let text = format!("Tag key was specified more than once: {key}");
            return Err(ApiError::new("DuplicateTagKeys", text));
        }
    }
    present.extend(new.iter().cloned());
    match present.len() {
        0..=TAGS_MAX => Ok(()),
        _ => Err(ApiError::new(
            "TooManyTags",
            format!("A resource can have at most {TAGS_MAX} tags"),
        )),
    }
}

impl World {
    pub(super) fn add_balancing_tags(
        &mut self,
        caller: &Caller,
        arns: &[String],
        tags: &[(String, String)],
    ) -> Result<(), ApiError> {
        for arn in arns {
            add(&mut self.tags_on(caller, arn)?.clone(), tags)?;
        }
        for arn in arns {
            add(self.tags_on(caller, arn)?, tags)?;
        }
        Ok(())
    }

    pub(super) fn remove_balancing_tags(
        &mut self,
        caller: &Caller,
        arns: &[String],
        keys: &[String],
    ) -> Result<(), ApiError> {
        for arn in arns {
            self.tags_on(caller, arn)?;
        }
        for arn in arns {
            self.tags_on(caller, arn)?.retain(|key, _| !keys.contains(key));
        }
        Ok(())
    }

    pub(super) fn balancing_tags(
        &mut self,
        caller: &Caller,
        arns: &[String],
    ) -> Result<Vec<(String, Tags)>, ApiError> {
        if arns.len() > RESOURCES_MAX {
            let text = format!("The tags of at most {RESOURCES_MAX} resources can be described at once");
            return Err(invalid(text));
        }
        let mut lines: Vec<(String, Tags)> = Vec::new();
        for arn in arns {
            let tags = self.tags_on(caller, arn)?.clone();
            lines.push((arn.clone(), tags));
        }
        Ok(lines)
    }

    /// The tags of the caller's resource of this ARN, whatever it is.
    fn tags_on(&mut self, caller: &Caller, arn: &str) -> Result<&mut Tags, ApiError> {
        let scope = caller.scope();
        let kind = arn
            .split(':')
            .nth(5)
            .and_then(|rest| rest.split('/').next())
            .unwrap_or("");
        let room = &mut self.balancing;
        let (found, missing) = match kind {
            "targetgroup" => {
                let group = self.target_groups.get_mut(arn).filter(|g| g.scope == scope);
                (group.map(|g| &mut g.tags), group_not_found())
            }
            "loadbalancer" => {
                let balancer = room.balancers.get_mut(arn).filter(|b| b.scope == scope);
                (
                    balancer.map(|b| &mut b.tags),
                    super::load_balancer::not_found(arn),
                )
            }
            "listener" => {
                let listener = room.listeners.get_mut(arn).filter(|l| l.scope == scope);
                (listener.map(|l| &mut l.tags), super::listener::not_found(arn))
            }
            "listener-rule" => {
                let rule = room.rules.get_mut(arn).filter(|r| r.scope == scope);
                (rule.map(|r| &mut r.tags), super::rule::not_found(arn))
            }
            _ => {
                return Err(invalid(format!(
                    "'{arn}' is not a valid ARN of a load balancer, listener, rule or target group"
                )));
            }
        };
        found.ok_or(missing)
    }
}
