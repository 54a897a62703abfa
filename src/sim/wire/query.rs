//! The query protocol's parameters: a form whose lists are numbered keys.
//!
//! Parsers take what they know; [`Params::finish`] refuses what is left.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::sim::world::api::{ApiError, Filter, Page};

/// EC2 takes no more values in one filter.
const FILTER_VALUES_MAX: usize = 200;

/// A request's parameters that no parser has taken yet.
pub struct Params(BTreeMap<String, String>);

/// All parameters of a form.
pub(super) fn pairs(body: &[u8]) -> BTreeMap<String, String> {
    form_urlencoded::parse(body)
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect()
}

impl Params {
    pub(super) fn new(body: &[u8]) -> Self {
        let mut pairs = pairs(body);
        pairs.remove("Action");
        pairs.remove("Version");
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
                let prefix = format!("{name}.{n}.");
                let keys: Vec<String> = self
                    .0
                    .keys()
                    .filter(|k| k.starts_with(&prefix))
                    .cloned()
                    .collect();
                let fields = keys.into_iter().filter_map(|key| {
                    let value = self.0.remove(&key)?;
                    Some((key.strip_prefix(&prefix)?.to_owned(), value))
                });
                let fields: BTreeMap<String, String> = fields.collect();
                (!fields.is_empty()).then_some(Params(fields))
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

    /// A page, whose size and token have another name in each service.
    pub(super) fn page(&mut self, size: &str, token: &str) -> Result<Page, ApiError> {
        Ok(Page {
            max: self.number(size)?,
            token: self.text(token),
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
