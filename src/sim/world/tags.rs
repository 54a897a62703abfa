//! Tags, on whatever has an id: one place for CreateTags, DeleteTags, DescribeTags, and for tags given at creation.

use std::collections::BTreeMap;

use super::World;
use super::api::{self, ApiError, Asked, Caller, Family, Listing, Page, Response};
use super::filter;
use super::instance::{Scope, TagValue};
use super::page::paginate;
pub use super::shelf::Tags;
use super::shelf::{TagRoom, TagRoomMut};

/// A resource has no more tags than this, `aws:` ones aside.
const TAGS_MAX: usize = 50;
const KEY_LENGTH_MAX: usize = 128;
const VALUE_LENGTH_MAX: usize = 256;

/// A request's `TagSpecification`s: tags by resource type.
pub type TagSpecs = BTreeMap<String, Tags>;

/// The family's operations.
#[derive(Debug, Clone)]
pub enum Op {
    DescribeTags(Asked),
}

/// The family's answers.
#[derive(Debug, Clone)]
pub enum Answer {
    Tags(Listing<TagLine>),
}

/// One line of DescribeTags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagLine {
    pub resource: String,
    /// `instance`, `volume`, …
    pub kind: &'static str,
    pub key: String,
    pub value: String,
}

impl Answer {
    pub(super) fn clear(&mut self) {
        match self {
            Answer::Tags(listing) => listing.clear(),
        }
    }
}

impl Family for Op {
    fn name(&self) -> &'static str {
        match self {
            Op::DescribeTags(_) => "DescribeTags",
        }
    }

    fn subjects(&self) -> Vec<&str> {
        Vec::new()
    }

    fn page(&self) -> Option<&Page> {
        match self {
            Op::DescribeTags(asked) => Some(&asked.page),
        }
    }

    fn answer(&self, world: &mut World, caller: &Caller) -> Response {
        match self {
            Op::DescribeTags(asked) => world.describe_tags(caller, asked),
        }
    }
}

impl World {
    /// Every type of object that can be tagged, instances aside.
    fn tag_rooms(&self) -> [&dyn TagRoom; 10] {
        [
            &self.network.vpcs,
            &self.network.subnets,
            &self.security.groups,
            &self.interfaces.all,
            &self.interfaces.addresses,
            &self.key_pairs,
            &self.images,
            &self.volumes,
            &self.snapshots,
            &self.templates,
        ]
    }

    /// The same, to change them.
    fn tag_rooms_mut(&mut self) -> [&mut dyn TagRoomMut; 10] {
        [
            &mut self.network.vpcs,
            &mut self.network.subnets,
            &mut self.security.groups,
            &mut self.interfaces.all,
            &mut self.interfaces.addresses,
            &mut self.key_pairs,
            &mut self.images,
            &mut self.volumes,
            &mut self.snapshots,
            &mut self.templates,
        ]
    }

    /// The type and the tags of the caller's object of this id, in truth.
    pub(super) fn tags_of(&self, scope: &Scope, id: &str) -> Option<(&'static str, Tags)> {
        if let Some(instance) = self.instance(id) {
            let tags = instance
                .tags
                .iter()
                .map(|(key, tag)| (key.clone(), tag.value.clone()));
            return (instance.scope == *scope).then(|| ("instance", tags.collect()));
        }
        let rooms = self.tag_rooms();
        let mut found = rooms
            .iter()
            .filter_map(|room| Some((room.kind(), room.tags_of(scope, id)?)));
        found.next()
    }

    /// Set a tag of whatever has this id, or with `None` delete it.
    pub(super) fn set_tag(&mut self, id: &str, key: &str, value: Option<&str>) {
        let now = self.now;
        let is_instance = self.edit(id, |i| match value {
            Some(value) => {
                let value = value.to_owned();
                i.tags.insert(key.to_owned(), TagValue { value, since: now });
            }
            None => {
                i.tags.remove(key);
            }
        });
        if is_instance.is_none() {
            let mut rooms = self.tag_rooms_mut();
            rooms.iter_mut().any(|room| room.set_tag(now, id, key, value));
        }
        match value {
            Some(value) => self.note(id, format!("tag {key} = {value:?}")),
            None => self.note(id, format!("tag {key} deleted")),
        }
    }

    pub(super) fn create_tags(
        &mut self,
        caller: &Caller,
        ids: &[String],
        tags: &Tags,
        dry_run: bool,
    ) -> Response {
        self.check_taggable(caller, ids)?;
        check_tags(tags)?;
        for id in ids {
            let Some((_, present)) = self.tags_of(&caller.scope(), id) else {
                continue;
            };
            let user_keys = present.keys().filter(|key| !key.starts_with("aws:"));
            let new = tags.keys().filter(|key| !present.contains_key(*key));
            if user_keys.count() + new.count() > TAGS_MAX {
                let text = format!("The maximum number of Tags for a resource has been reached: {id}");
                return Err(ApiError::new("TagLimitExceeded", text));
            }
        }
        super::ec2_write::answer_dry_run(dry_run)?;
        for id in ids {
            for (key, value) in tags {
                self.set_tag(id, key, Some(value));
            }
            self.own_write(id);
        }
        Ok(api::Answer::Done)
    }

    pub(super) fn delete_tags(
        &mut self,
        caller: &Caller,
        ids: &[String],
        tags: &[(String, Option<String>)],
        dry_run: bool,
    ) -> Response {
        self.check_taggable(caller, ids)?;
        super::ec2_write::answer_dry_run(dry_run)?;
        for id in ids {
            let present = self.tags_of(&caller.scope(), id).unwrap_or_default().1;
            // Without any tag named, all of the user's own are deleted.
            let all = present
                .keys()
                .filter(|key| tags.is_empty() && !key.starts_with("aws:"));
            let doomed = tags.iter().filter(|(key, value)| {
                let present = present.get(key);
                present.is_some() && (value.is_none() || value.as_ref() == present)
            });
            for key in all.chain(doomed.map(|(key, _)| key)) {
                self.set_tag(id, key, None);
            }
            self.own_write(id);
        }
        Ok(api::Answer::Done)
    }

    /// Each id is that of an object of the caller, in truth.
    fn check_taggable(&self, caller: &Caller, ids: &[String]) -> Result<(), ApiError> {
        let (instances, others): (Vec<String>, Vec<String>) =
            ids.iter().cloned().partition(|id| id.starts_with("i-"));
        if !instances.is_empty() || others.is_empty() {
            self.check_batch(caller, &instances)?;
        }
        for id in &others {
            if self.tags_of(&caller.scope(), id).is_none() {
                let text = format!("The ID '{id}' is not valid");
                return Err(ApiError::new("InvalidID", text));
            }
        }
        Ok(())
    }

    fn describe_tags(&self, caller: &Caller, asked: &Asked) -> Response {
        for filter in &asked.filters {
            let name = filter.name.as_str();
            if !matches!(name, "key" | "resource-id" | "resource-type" | "value") && !name.starts_with("tag:")
            {
                return Err(ApiError::not_modelled(format!("filter {name:?} of DescribeTags")));
            }
        }
        let scope = caller.scope();
        let instances = self
            .instances
            .keys()
            .filter_map(|id| self.visible_instance(caller, id));
        let mut lines: Vec<TagLine> = Vec::new();
        for instance in instances {
            let tags = instance.tags.iter().map(|(key, tag)| (key, &tag.value));
            lines.extend(tags.map(|(key, value)| line(&instance.id, "instance", key, value)));
        }
        for room in self.tag_rooms() {
            for (id, tags) in room.tagged(&scope, &|id| self.read_time(id)) {
                lines.extend(tags.iter().map(|(key, value)| line(&id, room.kind(), key, value)));
            }
        }
        lines.retain(|line| asked.filters.iter().all(|filter| line.passes(filter)));
        lines.sort_by_key(TagLine::place);
        let (items, next) = paginate(lines, TagLine::place, &asked.page, 5..=1000, None)?;
        Ok(api::Answer::Tags(Answer::Tags(Listing { items, next })))
    }
}

impl TagLine {
    /// Where it stands among all lines.
    fn place(&self) -> String {
        format!("{} {}", self.resource, self.key)
    }

    fn passes(&self, filter: &api::Filter) -> bool {
        let any = |text: &str| filter.values.iter().any(|pattern| filter::matches(pattern, text));
        match filter.name.as_str() {
            "key" => any(&self.key),
            "value" => any(&self.value),
            "resource-id" => any(&self.resource),
            "resource-type" => any(self.kind),
            name => name.strip_prefix("tag:") == Some(&self.key) && any(&self.value),
        }
    }
}

fn line(id: &str, kind: &'static str, key: &str, value: &str) -> TagLine {
    TagLine {
        resource: id.to_owned(),
        kind,
        key: key.to_owned(),
        value: value.to_owned(),
    }
}

/// The tags that a creating call gives to its new object of `kind`.
///
/// # Errors
/// Tags for another type of object, or tags that EC2 does not take.
pub(super) fn tags_for(specs: &TagSpecs, kind: &str) -> Result<Tags, ApiError> {
    for (other, tags) in specs {
        if other != kind {
            let text = format!("'{other}' is not a valid taggable resource type for this operation.");
            return Err(ApiError::new("InvalidParameterValue", text));
        }
        check_tags(tags)?;
    }
    Ok(specs.get(kind).cloned().unwrap_or_default())
}

/// EC2 takes these tags from a user.
pub(super) fn check_tags(tags: &Tags) -> Result<(), ApiError> {
    let refuse = |text: String| Err(ApiError::new("InvalidParameterValue", text));
    for (key, value) in tags {
        if key.starts_with("aws:") {
            return refuse(format!(
                "Tag keys starting with 'aws:' are reserved for internal use: {key}"
            ));
        }
        if key.is_empty() || key.chars().count() > KEY_LENGTH_MAX {
            return refuse(format!("Tag keys have 1 to {KEY_LENGTH_MAX} characters: {key:?}"));
        }
        if value.chars().count() > VALUE_LENGTH_MAX {
            return refuse(format!(
                "Tag value exceeds the maximum length of {VALUE_LENGTH_MAX} characters"
            ));
        }
    }
    if tags.len() > TAGS_MAX {
        let text = format!(
            "The maximum number of Tags for a resource is {TAGS_MAX}, got {}",
            tags.len()
        );
        return Err(ApiError::new("TagLimitExceeded", text));
    }
    Ok(())
}
