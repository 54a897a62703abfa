//! The query protocol's parameters: a form whose lists are numbered keys.
//!
//! Parsers take what they know; [`Params::finish`] refuses what is left.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::sim::world::api::{ApiError, Asked, Filter, Page};
use crate::sim::world::tags::{TagSpecs, Tags};

/// EC2 takes no more values in one filter.
const FILTER_VALUES_MAX: usize = 200;

/// A request's parameters that no parser has taken yet.
pub struct Params(BTreeMap<String, String>);

/// All parameters of a form.
pub(in crate::sim) fn pairs(body: &[u8]) -> BTreeMap<String, String> {
    form_urlencoded::parse(body)
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect()
}

impl Params {
    /// Those of a form, without what names its action.
    pub(super) fn of(pairs: BTreeMap<String, String>) -> Self {
        Self(pairs)
    }

    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    pub(super) fn required(&mut self, name: &str) -> Result<String, ApiError> {
        self.text(name).ok_or_else(|| {
            ApiError::new(
                "MissingParameter",
                format!("The request must contain the parameter {name}"),
            )
        })
    }

    pub(super) fn number<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, ApiError> {
        self.parsed(name)
    }

    pub(super) fn flag(&mut self, name: &str) -> Result<bool, ApiError> {
        Ok(self.parsed(name)?.unwrap_or(false))
    }

    /// A flag of which it matters whether it was said at all.
    pub(super) fn maybe_flag(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        self.parsed(name)
    }

    pub(super) fn required_number<T: FromStr>(&mut self, name: &str) -> Result<T, ApiError> {
        let text = self.required(name)?;
        self.0.insert(name.to_owned(), text);
        let missing = || ApiError::new("MissingParameter", name);
        self.number(name)?.ok_or_else(missing)
    }

    pub(super) fn required_flag(&mut self, name: &str) -> Result<bool, ApiError> {
        let text = self.required(name)?;
        self.0.insert(name.to_owned(), text);
        self.flag(name)
    }

    /// The parameters of a structure, `Name.Key=…`, which must all be taken; `None` if there are none.
    pub(super) fn within<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&mut Params) -> Result<T, ApiError>,
    ) -> Result<Option<T>, ApiError> {
        let mut inner = self.under(&format!("{name}."));
        if inner.0.is_empty() {
            return Ok(None);
        }
        let parsed = parse(&mut inner)?;
        inner.finish(name)?;
        Ok(Some(parsed))
    }

    /// Take all parameters that begin with `prefix`, without it.
    fn under(&mut self, prefix: &str) -> Params {
        let keys: Vec<String> = self.0.keys().filter(|k| k.starts_with(prefix)).cloned().collect();
        let fields = keys.into_iter().filter_map(|key| {
            let value = self.0.remove(&key)?;
            Some((key.strip_prefix(prefix)?.to_owned(), value))
        });
        Params(fields.collect())
    }

    /// `Name.1`, `Name.2`, …; outside EC2 the name ends in `.member`.
    pub(super) fn list(&mut self, name: &str) -> Vec<String> {
        (1..)
            .map_while(|n| self.0.remove(&format!("{name}.{n}")))
            .collect()
    }

    /// `Name.1.Key=…&Name.1.Value=…`: the fields of each entry of a list of structures.
    pub(super) fn structures(&mut self, name: &str) -> Vec<Params> {
        (1..)
            .map_while(|n| {
                let fields = self.under(&format!("{name}.{n}."));
                (!fields.0.is_empty()).then_some(fields)
            })
            .collect()
    }

    /// EC2's `Filter.N.Name` and `Filter.N.Value.M`.
    pub(super) fn filters(&mut self) -> Result<Vec<Filter>, ApiError> {
        let mut filters = Vec::new();
        for mut entry in self.structures("Filter") {
            let filter = Filter {
                name: entry.required("Name")?,
                values: entry.list("Value"),
            };
            entry.finish("Filter")?;
            if filter.values.len() > FILTER_VALUES_MAX {
                let text = format!(
                    "The filter {:?} has more than {FILTER_VALUES_MAX} values",
                    filter.name
                );
                return Err(ApiError::new("FilterLimitExceeded", text));
            }
            filters.push(filter);
        }
        Ok(filters)
    }

    /// EC2's `Tag.N.Key` and `Tag.N.Value`.
    pub(super) fn tags(&mut self) -> Result<Tags, ApiError> {
        let mut tags = Tags::new();
        for mut tag in self.structures("Tag") {
            tags.insert(tag.required("Key")?, tag.text("Value").unwrap_or_default());
            tag.finish("Tag")?;
        }
        Ok(tags)
    }

    /// EC2's `TagSpecification.N`: tags by resource type.
    pub(super) fn tag_specs(&mut self) -> Result<TagSpecs, ApiError> {
        let mut specs = TagSpecs::new();
        for mut entry in self.structures("TagSpecification") {
            let kind = entry.required("ResourceType")?;
            specs.entry(kind).or_default().extend(entry.tags()?);
            entry.finish("TagSpecification")?;
        }
        Ok(specs)
    }

    /// What every describe call of EC2 takes; its list of ids has a name of its own.
    pub(super) fn asked(&mut self, ids: &str) -> Result<Asked, ApiError> {
        Ok(Asked {
            ids: self.list(ids),
            filters: self.filters()?,
            page: self.page("MaxResults", "NextToken")?,
        })
    }

    /// A page, whose size and token have another name in each service.
    pub(super) fn page(&mut self, size: &str, token: &str) -> Result<Page, ApiError> {
        Ok(Page {
            max: self.number(size)?,
            token: self.text(token),
            most: None,
        })
    }

    /// Refuse what has not been taken.
    pub(super) fn finish(&self, action: &str) -> Result<(), ApiError> {
        match self.0.keys().next() {
            Some(key) => Err(ApiError::not_modelled(format!("parameter {key:?} of {action}"))),
            None => Ok(()),
        }
    }

    fn parsed<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, ApiError> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let error = || {
            ApiError::new(
                "InvalidParameterValue",
                format!("Invalid value {text:?} for {name}"),
            )
        };
        text.parse().map(Some).map_err(|_| error())
    }
}
