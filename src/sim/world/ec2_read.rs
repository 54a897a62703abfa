//! EC2's describe calls on instances.

use std::sync::Arc;

use super::World;
use super::api::{Answer, ApiError, Caller, Filter, ImageOfInstance, Page, Response};
use super::filter;
use super::instance::{Instance, State};
use super::page::paginate;

/// DescribeInstanceStatus takes no more explicit ids (aws-facts §4).
const STATUS_IDS_MAX: usize = 100;

impl World {
    pub(super) fn describe_instances(
        &self,
        caller: &Caller,
        ids: &[String],
        filters: &[Filter],
        page: &Page,
    ) -> Response {
        filter::check(filters, "DescribeInstances", true)?;
        never_both(ids, page)?;
        let items = self.listed(caller, ids, filters)?;
        let (items, next) = paginate(items, |i| i.id.clone(), page, 5..=1000, None)?;
        let items = items
            .iter()
            .map(|instance| self.instance_view(caller, instance))
            .collect();
        Ok(Answer::Instances { items, next })
    }

    pub(super) fn describe_instance_status(
        &self,
        caller: &Caller,
        ids: &[String],
        filters: &[Filter],
        all: bool,
        page: &Page,
    ) -> Response {
        filter::check(filters, "DescribeInstanceStatus", false)?;
        never_both(ids, page)?;
        if ids.len() > STATUS_IDS_MAX {
            let text = format!(
                "At most {STATUS_IDS_MAX} instance ids in one request, got {}",
                ids.len()
            );
            return Err(ApiError::new("InvalidParameterValue", text));
        }
        let mut items = self.listed(caller, ids, filters)?;
        items.retain(|i| all || i.state == State::Running);
        let (items, next) = paginate(items, |i| i.id.clone(), page, 5..=1000, Some(1000))?;
        Ok(Answer::Statuses { items, next })
    }

    pub(super) fn describe_instance_image_metadata(
        &self,
        caller: &Caller,
        ids: &[String],
        filters: &[Filter],
        page: &Page,
    ) -> Response {
        filter::check(filters, "DescribeInstanceImageMetadata", true)?;
        let items = self.listed(caller, ids, filters)?;
        let (items, next) = paginate(items, |i| i.id.clone(), page, 1..=1000, Some(1000))?;
        let items = items
            .into_iter()
            .map(|instance| ImageOfInstance {
                allowed: self
                    .images
                    .get(&instance.image)
                    .is_none_or(|image| self.image_allowed(&instance.scope, image)),
                image: self.images.seen_one(self, &instance.image).cloned(),
                instance,
            })
            .collect();
        Ok(Answer::ImageMetadata { items, next })
    }

    /// The instances that a describe call of `caller` shows: by id all or an error, else those that pass.
    fn listed(
        &self,
        caller: &Caller,
        ids: &[String],
        filters: &[Filter],
    ) -> Result<Vec<Arc<Instance>>, ApiError> {
        let mut items = if ids.is_empty() {
            let ids = self.instances.keys();
            ids.filter_map(|id| self.visible_instance(caller, id))
                .cloned()
                .collect()
        } else {
            self.named(caller, ids)?
        };
        items.retain(|i| filter::passes(i, filters));
        Ok(items)
    }

    fn named(&self, caller: &Caller, ids: &[String]) -> Result<Vec<Arc<Instance>>, ApiError> {
        check_ids(ids)?;
        let mut found = Vec::new();
        let mut missing = Vec::new();
        for id in ids {
            match self.visible_instance(caller, id) {
                Some(instance) => found.push(instance.clone()),
                None => missing.push(id.as_str()),
            }
        }
        if !missing.is_empty() {
            return Err(not_found(&missing));
        }
        found.sort_by(|a, b| a.id.cmp(&b.id));
        found.dedup_by(|a, b| a.id == b.id);
        Ok(found)
    }

    /// What a read of `id` shows to `caller` now: not necessarily the truth.
    pub(super) fn visible_instance(&self, caller: &Caller, id: &str) -> Option<&Arc<Instance>> {
        if self.hidden.get(id).is_some_and(|until| self.now < *until) {
            return None;
        }
        let instance = self.instances.get(id)?.at(self.read_time(id))?;
        (instance.scope.account == caller.account && instance.scope.region == caller.region)
            .then_some(instance)
    }
}

/// EC2 refuses ids together with a page size.
fn never_both(ids: &[String], page: &Page) -> Result<(), ApiError> {
    if !ids.is_empty() && page.max.is_some() {
        let text = "The parameter instancesSet cannot be used with the parameter maxResults";
        return Err(ApiError::new("InvalidParameterCombination", text));
    }
    Ok(())
}

/// Every id has EC2's form.
pub(super) fn check_ids(ids: &[String]) -> Result<(), ApiError> {
    for id in ids {
        let hex = id.strip_prefix("i-").unwrap_or("");
        let is_valid = matches!(hex.len(), 8 | 17) && hex.bytes().all(|b| b.is_ascii_hexdigit());
        if !is_valid {
            return Err(ApiError::new(
                "InvalidInstanceID.Malformed",
                format!("Invalid id: \"{id}\""),
            ));
        }
    }
    Ok(())
}

pub(super) fn not_found(ids: &[&str]) -> ApiError {
    let text = match ids {
        [one] => format!("The instance ID '{one}' does not exist"),
        several => format!("The instance IDs '{}' do not exist", several.join(", ")),
    };
    ApiError::new("InvalidInstanceID.NotFound", text)
}
