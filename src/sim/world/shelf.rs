//! What EC2's smaller objects have in common: an id, an account and region, tags, filters, a history.
//!
//! An object that is a [`Resource`] lives on a [`Shelf`], and gets from it what every describe call of EC2 has in
//! common: ids that are malformed or unknown, filters (one that its table does not have is refused by name), pages, stale
//! reads; and tags, as soon as its shelf is listed in [`World::tag_rooms`].

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use jiff::Timestamp;

use super::World;
use super::api::{ApiError, Asked, Caller, Filter, Listing};
use super::filter;
use super::instance::Scope;
use super::page::paginate;
use super::versioned::Versioned;

/// Tags, by key.
pub type Tags = BTreeMap<String, String>;

/// The values of one filter that an object has; it passes if any of them is asked for.
pub type Field<T> = (&'static str, fn(&T) -> Vec<String>);

/// An object of EC2.
pub trait Resource: Clone + Debug + 'static {
    /// `security-group`: its type in tag specifications and in DescribeTags.
    const KIND: &'static str;
    /// `sg-`, before 8 or 17 hexadecimal digits.
    const PREFIX: &'static str;
    /// `security group`, as EC2's sentences call it.
    const NOUN: &'static str;
    /// `InvalidGroup.NotFound`.
    const NOT_FOUND: &'static str;
    /// `InvalidGroupId.Malformed`.
    const MALFORMED: &'static str;
    /// The filters of its describe call, besides those on tags.
    const FILTERS: &'static [Field<Self>];

    fn id(&self) -> &str;
    fn scope(&self) -> &Scope;
    fn tags(&self) -> &Tags;
    fn tags_mut(&mut self) -> &mut Tags;
}

/// The parts of a [`Resource`] that every object has under the same names: `id`, `scope` and `tags`.
macro_rules! parts {
    () => {
        fn id(&self) -> &str {
            &self.id
        }
        fn scope(&self) -> &Scope {
            &self.scope
        }
        fn tags(&self) -> &Tags {
            &self.tags
        }
        fn tags_mut(&mut self) -> &mut Tags {
            &mut self.tags
        }
    };
}
pub(in crate::sim::world) use parts;

/// All objects of one type, of every account and region, by id.
#[derive(Debug, Clone)]
pub struct Shelf<T>(BTreeMap<String, Versioned<T>>);

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Resource> Shelf<T> {
    /// The object, in truth.
    pub fn get(&self, id: &str) -> Option<&Arc<T>> {
        self.0.get(id)?.now()
    }

    /// All objects, in truth, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        self.0.values().filter_map(Versioned::now)
    }

    /// The objects of one account and region, in truth, by id.
    pub fn of<'a>(&'a self, scope: &'a Scope) -> impl Iterator<Item = &'a Arc<T>> {
        self.iter().filter(move |object| object.scope() == scope)
    }

    /// The caller's object of this id, in truth.
    ///
    /// # Errors
    /// The id is malformed, or the caller has no such object.
    pub(super) fn find(&self, caller: &Caller, id: &str) -> Result<&Arc<T>, ApiError> {
        check_id::<T>(id)?;
        self.get(id)
            .filter(|object| *object.scope() == caller.scope())
            .ok_or_else(|| not_found::<T>(&[id]))
    }

    /// Let the object exist from `now` on.
    pub(super) fn put(&mut self, now: Timestamp, object: T) -> Arc<T> {
        let object = Arc::new(object);
        match self.0.get_mut(object.id()) {
            Some(versions) => versions.put(now, T::clone(&object)),
            None => {
                let id = object.id().to_owned();
                self.0.insert(id, Versioned::new(now, T::clone(&object)));
            }
        }
        object
    }

    /// Change the object; `None` if it does not exist.
    pub(super) fn edit<R>(
        &mut self,
        now: Timestamp,
        id: &str,
        change: impl FnOnce(&mut T) -> R,
    ) -> Option<R> {
        self.0.get_mut(id)?.edit(now, change)
    }

    /// The object is gone from `now` on.
    pub fn delete(&mut self, now: Timestamp, id: &str) {
        if let Some(versions) = self.0.get_mut(id) {
            versions.delete(now);
        }
    }

    /// The object as a read of `caller` shows it: not necessarily the truth.
    pub(super) fn visible(&self, world: &World, caller: &Caller, id: &str) -> Option<&Arc<T>> {
        let object = self.0.get(id)?.at(world.read_time(id))?;
        (*object.scope() == caller.scope()).then_some(object)
    }

    /// All objects as reads show them now, whoever they belong to.
    pub(super) fn seen<'a>(&'a self, world: &'a World) -> impl Iterator<Item = &'a Arc<T>> {
        let versions = self.0.iter();
        versions.filter_map(|(id, versions)| versions.at(world.read_time(id)))
    }

    /// The object of this id likewise.
    pub(super) fn seen_one(&self, world: &World, id: &str) -> Option<&Arc<T>> {
        self.0.get(id)?.at(world.read_time(id))
    }

    /// What a describe call shows of objects that accounts share: those for which `visible` holds are all there are,
    /// and of them those for which `also` does.
    ///
    /// # Errors
    /// A malformed or unknown id, a filter that is not modelled, a bad page.
    pub(super) fn listed_among(
        &self,
        world: &World,
        asked: &Asked,
        visible: impl Fn(&T) -> bool,
        also: impl Fn(&T) -> bool,
    ) -> Result<Listing<Arc<T>>, ApiError> {
        check_filters::<T>(&asked.filters)?;
        for id in &asked.ids {
            check_id::<T>(id)?;
            if !self.seen_one(world, id).is_some_and(|object| visible(object)) {
                return Err(not_found::<T>(&[id]));
            }
        }
        let is_wanted = |object: &T| {
            (asked.ids.is_empty() || asked.ids.iter().any(|id| id == object.id()))
                && visible(object)
                && also(object)
                && passes(object, &asked.filters)
        };
        let items = self
            .seen(world)
            .filter(|object| is_wanted(object))
            .cloned()
            .collect();
        let key = |object: &Arc<T>| object.id().to_owned();
        let (items, next) = paginate(items, key, &asked.page, 5..=1000, None)?;
        Ok(Listing { items, next })
    }

    /// What a describe call shows: by id all or an error, else those that pass the filters.
    ///
    /// # Errors
    /// A malformed or unknown id, a filter that is not modelled, a bad page.
    pub(super) fn listed(
        &self,
        world: &World,
        caller: &Caller,
        asked: &Asked,
    ) -> Result<Listing<Arc<T>>, ApiError> {
        self.listed_where(world, caller, asked, |_| true)
    }

    /// Likewise, of the objects for which `also` holds.
    pub(super) fn listed_where(
        &self,
        world: &World,
        caller: &Caller,
        asked: &Asked,
        also: impl Fn(&T) -> bool,
    ) -> Result<Listing<Arc<T>>, ApiError> {
        check_filters::<T>(&asked.filters)?;
        let mut items: Vec<Arc<T>> = if asked.ids.is_empty() {
            let ids = self.0.keys();
            ids.filter_map(|id| self.visible(world, caller, id))
                .cloned()
                .collect()
        } else {
            self.named(world, caller, &asked.ids)?
        };
        items.retain(|object| also(object) && passes(&**object, &asked.filters));
        let (items, next) = paginate(
            items,
            |object| object.id().to_owned(),
            &asked.page,
            5..=1000,
            None,
        )?;
        Ok(Listing { items, next })
    }

    fn named(&self, world: &World, caller: &Caller, ids: &[String]) -> Result<Vec<Arc<T>>, ApiError> {
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for id in ids {
            check_id::<T>(id)?;
            match self.visible(world, caller, id) {
                Some(object) => found.push(object.clone()),
                None => missing.push(id.as_str()),
            }
        }
        if !missing.is_empty() {
            return Err(not_found::<T>(&missing));
        }
        found.sort_by(|a, b| a.id().cmp(b.id()));
        found.dedup_by(|a, b| a.id() == b.id());
        Ok(found)
    }
}

impl World {
    /// A caller has made an object, and `what` is the log's word for it: it comes to stand on its shelf.
    pub(super) fn shelve<T: Resource>(
        &mut self,
        shelf: fn(&mut World) -> &mut Shelf<T>,
        object: T,
        what: impl Into<String>,
    ) -> Arc<T> {
        self.own_write(object.id());
        self.note(object.id(), what);
        let now = self.now;
        shelf(self).put(now, object)
    }
}

/// A shelf, whatever stands on it: as much of it as tags need.
pub(super) trait TagRoom {
    fn kind(&self) -> &'static str;
    /// The tags of the object as they really are; `None` if the account and region have no such object.
    fn tags_of(&self, scope: &Scope, id: &str) -> Option<Tags>;
    /// The objects of the account and region that have tags, as they were at the moment that `at` says for each id.
    fn tagged(&self, scope: &Scope, at: &dyn Fn(&str) -> Timestamp) -> Vec<(String, Tags)>;
}

/// Likewise, to change them.
pub(super) trait TagRoomMut: TagRoom {
    /// Set a tag, or with `None` delete it; `false` if no object has this id.
    fn set_tag(&mut self, now: Timestamp, id: &str, key: &str, value: Option<&str>) -> bool;
}

impl<T: Resource> TagRoom for Shelf<T> {
    fn kind(&self) -> &'static str {
        T::KIND
    }

    fn tags_of(&self, scope: &Scope, id: &str) -> Option<Tags> {
        let object = self.get(id).filter(|object| object.scope() == scope)?;
        Some(object.tags().clone())
    }

    fn tagged(&self, scope: &Scope, at: &dyn Fn(&str) -> Timestamp) -> Vec<(String, Tags)> {
        let seen = self.0.iter().filter_map(|(id, versions)| versions.at(at(id)));
        seen.filter(|object| object.scope() == scope && !object.tags().is_empty())
            .map(|object| (object.id().to_owned(), object.tags().clone()))
            .collect()
    }
}

impl<T: Resource> TagRoomMut for Shelf<T> {
    fn set_tag(&mut self, now: Timestamp, id: &str, key: &str, value: Option<&str>) -> bool {
        let changed = self.edit(now, id, |object| match value {
            Some(value) => object.tags_mut().insert(key.to_owned(), value.to_owned()),
            None => object.tags_mut().remove(key),
        });
        changed.is_some()
    }
}

/// The id has EC2's form.
pub(super) fn check_id<T: Resource>(id: &str) -> Result<(), ApiError> {
    let hex = id.strip_prefix(T::PREFIX).unwrap_or("");
    if matches!(hex.len(), 8 | 17) && hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(());
    }
    let text = format!("Invalid id: \"{id}\" (expecting \"{}...\")", T::PREFIX);
    Err(ApiError::new(T::MALFORMED, text))
}

pub(super) fn not_found<T: Resource>(ids: &[&str]) -> ApiError {
    let text = match ids {
        [one] => format!("The {} '{one}' does not exist", T::NOUN),
        several => format!("The {}s '{}' do not exist", T::NOUN, several.join(", ")),
    };
    ApiError::new(T::NOT_FOUND, text)
}

pub(super) fn check_filters<T: Resource>(filters: &[Filter]) -> Result<(), ApiError> {
    for Filter { name, .. } in filters {
        let is_tag = name.starts_with("tag:") || matches!(name.as_str(), "tag-key" | "tag-value");
        if !is_tag && !T::FILTERS.iter().any(|(known, _)| known == name) {
            return Err(ApiError::not_modelled(format!(
                "filter {name:?} on a {}",
                T::NOUN
            )));
        }
    }
    Ok(())
}

/// The object passes all filters, which have been checked.
pub(super) fn passes<T: Resource>(object: &T, filters: &[Filter]) -> bool {
    filters.iter().all(|filter| {
        let any = |text: &str| filter.values.iter().any(|pattern| filter::matches(pattern, text));
        match filter.name.as_str() {
            "tag-key" => object.tags().keys().any(|key| any(key)),
            "tag-value" => object.tags().values().any(|value| any(value)),
            name => match name.strip_prefix("tag:") {
                Some(key) => object.tags().get(key).is_some_and(|value| any(value)),
                None => {
                    let field = T::FILTERS.iter().find(|(known, _)| *known == name);
                    field.is_some_and(|(_, values)| values(object).iter().any(|value| any(value)))
                }
            },
        }
    })
}
