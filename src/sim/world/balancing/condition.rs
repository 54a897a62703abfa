//! When a rule applies.

use super::super::api::ApiError;
use super::invalid;

const FIELDS: [&str; 6] = [
    "http-header",
    "http-request-method",
    "host-header",
    "path-pattern",
    "query-string",
    "source-ip",
];
const VALUE_LENGTH_MAX: usize = 128;
const HEADER_LENGTH_MAX: usize = 40;

/// One condition of a rule: any of its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// `path-pattern`, `host-header`, …
    pub field: String,
    /// Texts and patterns; of a query string's pairs only the values, for which `keys` are the keys.
    pub values: Vec<String>,
    /// Of a query string: the key of each value, `None` for a value with any key.
    pub keys: Vec<Option<String>>,
    /// Of an HTTP header: its name.
    pub header: Option<String>,
}

impl Condition {
    /// Its values are shown in the old place as well, outside the field's own structure.
    pub fn has_plain_values(&self) -> bool {
        matches!(self.field.as_str(), "host-header" | "path-pattern")
    }
}

/// The conditions of one rule are well-formed, and no more values than `max`.
pub(super) fn check(conditions: &[Condition], max: usize) -> Result<(), ApiError> {
    if conditions.is_empty() {
        return Err(invalid("A condition must be specified"));
    }
    for condition in conditions {
        check_one(condition)?;
        let repeats = conditions.iter().filter(|other| other.field == condition.field);
        let may_repeat = matches!(condition.field.as_str(), "http-header" | "query-string");
        if repeats.count() > 1 && !may_repeat {
            let text = format!("A rule can only have one '{}' condition", condition.field);
            return Err(ApiError::new("InvalidConfigurationRequest", text));
        }
    }
    let values: usize = conditions.iter().map(|condition| condition.values.len()).sum();
    if values > max {
        return Err(invalid(format!("A rule can only have '{max}' condition values")));
    }
    Ok(())
}

fn check_one(condition: &Condition) -> Result<(), ApiError> {
    let field = condition.field.as_str();
    if !FIELDS.contains(&field) {
        let known = FIELDS.join(",");
        return Err(invalid(format!(
            "Condition field '{field}' must be one of '[{known}]'"
        )));
    }
    if condition.values.is_empty() {
        return Err(invalid("A condition value must be specified"));
    }
    if let Some(long) = condition
        .values
        .iter()
        .find(|v| v.chars().count() > VALUE_LENGTH_MAX)
    {
        return Err(invalid(format!(
            "The '{field}' value '{long}' is too long; the limit is '{VALUE_LENGTH_MAX}'"
        )));
    }
    match (field, &condition.header) {
        ("http-header", None) => Err(invalid(
            "A 'HttpHeaderConfig' must be specified with 'http-header'",
        )),
        ("http-header", Some(name)) if name.len() > HEADER_LENGTH_MAX => Err(invalid(format!(
            "The 'HttpHeaderName' value is too long; the limit is '{HEADER_LENGTH_MAX}'"
        ))),
        ("http-request-method", _) if !condition.values.iter().all(|method| is_method(method)) => {
            Err(invalid(
                "The 'http-request-method' value is invalid; the allowed characters are A-Z, hyphen and underscore",
            ))
        }
        _ => Ok(()),
    }
}

fn is_method(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_uppercase() || c == '-' || c == '_')
}
