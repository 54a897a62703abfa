//! EC2's filters. A filter that is not modelled is an error that names it, never a filter that matches all.

use super::api::{ApiError, Filter};
use super::instance::Instance;

/// The filters on instances that every describe call of an instance knows.
const ON_INSTANCES: [&str; 4] = [
    "instance-id",
    "instance-state-name",
    "availability-zone",
    "tag-key",
];

/// Refuse filters that are not modelled; `tags` says whether the call knows tag filters.
pub(super) fn check(filters: &[Filter], action: &str, tags: bool) -> Result<(), ApiError> {
    for filter in filters {
        let is_tag = filter.name.starts_with("tag:") || filter.name == "tag-key";
        let known = ON_INSTANCES.contains(&filter.name.as_str()) || filter.name.starts_with("tag:");
        if !known || (is_tag && !tags) {
            return Err(ApiError::not_modelled(format!(
                "filter {:?} of {action}",
                filter.name
            )));
        }
    }
    Ok(())
}

/// The instance passes all `filters`, which have been checked.
pub(super) fn passes(instance: &Instance, filters: &[Filter]) -> bool {
    filters.iter().all(|filter| {
        let any = |text: &str| filter.values.iter().any(|pattern| matches(pattern, text));
        match filter.name.as_str() {
            "instance-id" => any(&instance.id),
            "instance-state-name" => any(instance.state.name()),
            "availability-zone" => any(&instance.zone),
            "tag-key" => instance.tags.keys().any(|key| any(key)),
            name => match name.strip_prefix("tag:").and_then(|key| instance.tag(key)) {
                Some(value) => any(value),
                None => false,
            },
        }
    })
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
