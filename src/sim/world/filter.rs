//! EC2's filters. A filter that is not modelled is an error that names it, never a filter that matches all.
//!
//! A describe call takes out of a request's filters those that each of its tables knows ([`take`], [`take_tags`]), and
//! refuses what is left ([`none_left`]).

use std::collections::BTreeMap;

use super::api::{ApiError, Filter};
use super::instance::TagValue;
use super::shelf::Field;

/// What of an object a filter looks at, and the patterns of which one has to match.
type Test<'a, T> = (fn(&T) -> Vec<String>, &'a [String]);

/// Filters of a request that one table knows.
pub(super) struct Filters<'a, T>(Vec<Test<'a, T>>);

impl<T> Filters<'_, T> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The object passes all of them.
    pub(super) fn pass(&self, object: &T) -> bool {
        self.0
            .iter()
            .all(|(values, wanted)| values(object).iter().any(|value| any(wanted, value)))
    }
}

/// The filters that the table knows, and the others.
pub(super) fn take<'a, T>(table: &[Field<T>], filters: Vec<&'a Filter>) -> (Filters<'a, T>, Vec<&'a Filter>) {
    let (mut known, mut rest) = (Vec::new(), Vec::new());
    for filter in filters {
        match table.iter().find(|(name, _)| *name == filter.name) {
            Some((_, values)) => known.push((*values, filter.values.as_slice())),
            None => rest.push(filter),
        }
    }
    (Filters(known), rest)
}

/// The filters on an instance's tags, and the others.
pub(super) fn take_tags(filters: Vec<&Filter>) -> (TagFilters<'_>, Vec<&Filter>) {
    let is_tag = |filter: &&Filter| filter.name.starts_with("tag:") || filter.name == "tag-key";
    let (tags, rest) = filters.into_iter().partition(is_tag);
    (TagFilters(tags), rest)
}

/// Filters on tags.
pub(super) struct TagFilters<'a>(Vec<&'a Filter>);

impl TagFilters<'_> {
    pub(super) fn pass(&self, tags: &BTreeMap<String, TagValue>) -> bool {
        self.0
            .iter()
            .all(|filter| match filter.name.strip_prefix("tag:") {
                Some(key) => tags.get(key).is_some_and(|tag| any(&filter.values, &tag.value)),
                None => tags.keys().any(|key| any(&filter.values, key)),
            })
    }
}

/// Refuse what no table has taken.
pub(super) fn none_left(rest: &[&Filter], action: &str) -> Result<(), ApiError> {
    match rest.first() {
        None => Ok(()),
        Some(filter) => Err(ApiError::not_modelled(format!(
            "filter {:?} of {action}",
            filter.name
        ))),
    }
}

/// One of the patterns matches.
fn any(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, text))
}

/// `*` stands for any text, `?` for one character, a backslash for the next character itself.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    matches_from(&pattern, &text)
}

fn matches_from(pattern: &[char], text: &[char]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        (['*', rest @ ..], _) => {
            let tails = (0..=text.len()).filter_map(|at| text.get(at..));
            tails.into_iter().any(|tail| matches_from(rest, tail))
        }
        (['?', rest @ ..], [_, tail @ ..]) => matches_from(rest, tail),
        (['\\', want, rest @ ..], [have, tail @ ..]) => want == have && matches_from(rest, tail),
        ([want, rest @ ..], [have, tail @ ..]) => want == have && matches_from(rest, tail),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_as_on_ec2() {
        for (pattern, text, expected) in [
            ("tis-prod-green", "tis-prod-green", true),
            ("tis-*-green", "tis-prod-green", true),
            ("tis-prod-?", "tis-prod-x", true),
            ("tis-prod-?", "tis-prod-", false),
            ("*", "", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("tis", "tis-prod", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
