//! What a flag says: the JSON that `keepgreen pause` writes, or whatever a person put there.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A flag's text is read up to this many bytes; an SSM parameter has at most 8 KiB. More is a flag all the same, whose
/// text is not shown.
pub const LONGEST: usize = 16 * 1024;

/// A reason or name is shown in one line of a table.
const LONGEST_SHOWN: usize = 300;

/// What is known of a flag that is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flag {
    pub by: Option<String>,
    pub reason: Option<String>,
    pub since: Option<Timestamp>,
    /// `None`: until somebody clears it.
    pub until: Option<Timestamp>,
}

impl Flag {
    /// The text of a flag in the form that [`Flag::parse`] reads.
    pub fn to_json(&self) -> String {
        // Strings and times always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Never fails: only the JSON object with well-formed times can have an end; any other text, JSON with a mistake
    /// in it included, is the reason of a flag without one.
    pub(super) fn parse(text: &str) -> Self {
        let flag = match serde_json::from_str::<Self>(text) {
            Ok(flag) => flag,
            Err(_) => Self {
                reason: Some(text.to_owned()),
                ..Self::default()
            },
        };
        Self {
            by: flag.by.as_deref().and_then(shown),
            reason: flag.reason.as_deref().and_then(shown),
            ..flag
        }
    }
}

/// One bounded line without control characters, which could rewrite a terminal; `None` if nothing is left.
pub(super) fn shown(text: &str) -> Option<String> {
    let spaced: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST_SHOWN)
        .collect();
    let trimmed = spaced.trim();
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reason(text: &str) -> Flag {
        Flag {
            reason: Some(text.to_owned()),
            ..Flag::default()
        }
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let flag = Flag {
            by: Some("ann".to_owned()),
            reason: Some("a \"release\"".to_owned()),
            since: Some("2026-11-11T04:00:00Z".parse().unwrap()),
            until: Some("2026-11-11T08:00:00Z".parse().unwrap()),
        };
        assert_eq!(Flag::parse(&flag.to_json()), flag);
        assert_eq!(Flag::parse(&Flag::default().to_json()), Flag::default());
    }

    #[test]
    fn only_well_formed_json_has_an_end() {
        for text in [
            "release",
            "{\"until\": \"tomorrow\"}",
            "{\"until\": \"2026-11-11T08:00:00Z\"",
            "{\"until\": 1762848000}",
            "{\"reason\": 5, \"until\": \"2026-11-11T08:00:00Z\"}",
            "\"2026-11-11T08:00:00Z\"",
        ] {
            assert_eq!(Flag::parse(text), reason(text), "{text}");
        }
        assert_eq!(Flag::parse(""), Flag::default());
        assert_eq!(Flag::parse(" \n"), Flag::default());
    }

    #[test]
    fn unknown_keys_do_not_hide_the_end() {
        let flag = Flag::parse("{\"until\": \"2026-11-11T08:00:00Z\", \"ticket\": 7}");
        assert_eq!(flag.until, Some("2026-11-11T08:00:00Z".parse().unwrap()));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_text_can_harm_a_terminal_or_fill_a_screen(text in any::<String>()) {
            let reason = Flag::parse(&text).reason.unwrap_or_default();
            prop_assert!(!reason.chars().any(char::is_control));
            prop_assert!(reason.chars().count() <= LONGEST_SHOWN);
        }
    }
}
