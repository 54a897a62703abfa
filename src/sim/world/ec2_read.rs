//! EC2's describe calls on instances.

use std::sync::Arc;

use super::World;
use super::api::{Answer, ApiError, Caller, Filter, ImageOfInstance, Page, Response};
use super::instance::{Instance, State};
use super::page::paginate;
use super::{filter, instance_filters};

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
        let (own, rest) = filter::take(instance_filters::OWN, filters.iter().collect());
        let (tags, rest) = filter::take_tags(rest);
        let (of_view, rest) = filter::take(instance_filters::INTERFACES, rest);
        filter::none_left(&rest, "DescribeInstances")?;
        never_both(ids, page)?;
        let passes = |i: &Arc<Instance>| {
            tags.pass(&i.tags)
                && own.pass(i)
                && (of_view.is_empty() || of_view.pass(&self.instance_view(caller, i)))
        };
        let items = self.listed_instances(caller, ids, passes)?;
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
        let (own, rest) = filter::take(instance_filters::STATUS, filters.iter().collect());
        filter::none_left(&rest, "DescribeInstanceStatus")?;
        never_both(ids, page)?;
        if ids.len() > STATUS_IDS_MAX {
            let text = format!(
                "At most {STATUS_IDS_MAX} instance ids in one request, got {}",
                ids.len()
            );
            return Err(ApiError::new("InvalidParameterValue", text));
        }
        let passes = |i: &Arc<Instance>| (all || i.state == State::Running) && own.pass(i);
        let items = self.listed_instances(caller, ids, passes)?;
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
        let (own, rest) = filter::take(instance_filters::OF_IMAGE, filters.iter().collect());
        let (tags, rest) = filter::take_tags(rest);
        let (of_image, rest) = filter::take(instance_filters::IMAGE, rest);
        filter::none_left(&rest, "DescribeInstanceImageMetadata")?;
        let passes = |i: &Arc<Instance>| tags.pass(&i.tags) && own.pass(i);
        let items = self.listed_instances(caller, ids, passes)?.into_iter();
        let items = items.map(|instance| ImageOfInstance {
            allowed: self
                .images
                .get(&instance.image)
                .is_none_or(|image| self.image_allowed(&instance.scope, image)),
            image: self.images.seen_one(self, &instance.image).cloned(),
            instance,
        });
        let items = items.filter(|of| of_image.pass(of)).collect();
        let key = |of: &ImageOfInstance| of.instance.id.clone();
        let (items, next) = paginate(items, key, page, 1..=1000, Some(1000))?;
        Ok(Answer::ImageMetadata { items, next })
    }

    /// The instances that a describe call of `caller` shows: by id all or an error, else those that pass.
    pub(super) fn listed_instances(
        &self,
        caller: &Caller,
        ids: &[String],
        passes: impl Fn(&Arc<Instance>) -> bool,
    ) -> Result<Vec<Arc<Instance>>, ApiError> {
        let mut items = if ids.is_empty() {
            let ids = self.instances.keys();
            ids.filter_map(|id| self.visible_instance(caller, id))
                .cloned()
                .collect()
        } else {
            self.named(caller, ids)?
        };
        items.retain(|i| passes(i));
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
pub(super) fn never_both(ids: &[String], page: &Page) -> Result<(), ApiError> {
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
