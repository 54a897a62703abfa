//! Durations as people write them in policies, the config file and on the command line: an integer with s, m, h or
//! d. A day is 24 hours: graces and cooldowns are elapsed time, not calendar time.

use std::time::Duration;

/// No duration may be longer: longer ones are slips, and sums of two still fit every clock.
pub const MAX_DURATION: Duration = Duration::from_secs(366 * 86_400);

/// The pattern of the schema for what [`parse_duration`] reads.
pub(super) const PATTERN: &str = "^[0-9]+[smhd]$";

/// Why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DurationError {
    /// What is wrong with it.
    pub message: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

/// Reads `90s`, `10m`, `4h`, `7d`.
///
/// # Errors
/// Everything else: no unit, another unit, two units, a fraction, or more than [`MAX_DURATION`].
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let refuse = |message: &str, suggestion: Option<String>| {
        Err(DurationError {
            message: message.to_owned(),
            suggestion,
        })
    };
    let (digits, unit) = split(text);
    if digits.is_empty() {
        return refuse("a duration starts with a whole number", None);
    }
    match unit {
        "s" | "m" | "h" | "d" => match read(text) {
            Some(duration) if duration <= MAX_DURATION => Ok(duration),
            _ => refuse("the duration is longer than 366 days", None),
        },
        "" if digits.bytes().all(|b| b == b'0') => {
            refuse("the duration has no unit", Some("`0s`".to_owned()))
        }
        "" => {
            let suggestion = format!("`{digits}s` for seconds, `{digits}m` for minutes");
            refuse(
                "the duration has no unit",
                (digits.len() < 10).then_some(suggestion),
            )
        }
        _ => refuse(
            "the duration is not one whole number with one unit",
            guess(text, digits, unit),
        ),
    }
}

fn split(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// One number with one unit, without a bound but that of the number's type.
fn read(text: &str) -> Option<Duration> {
    let (digits, unit) = split(text);
    let seconds: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    digits
        .parse::<u64>()
        .ok()?
        .checked_mul(seconds)
        .map(Duration::from_secs)
}

/// `1h30m` → `90m`, `10min` → `10m`, `2w` → `14d`, `1.5h` → nothing.
fn guess(text: &str, digits: &str, unit: &str) -> Option<String> {
    let one = match unit.trim().to_ascii_lowercase().as_str() {
        "s" | "sec" | "secs" | "second" | "seconds" => "s",
        "m" | "min" | "mins" | "minute" | "minutes" => "m",
        "h" | "hr" | "hrs" | "hour" | "hours" => "h",
        "d" | "day" | "days" => "d",
        "w" | "week" | "weeks" => {
            let days = digits.parse::<u64>().ok()?.checked_mul(7)?;
            return Some(format!("`{days}d`"));
        }
        _ => return sum(text).map(|total| format!("`{}`", format_duration(total))),
    };
    (digits.len() < 10).then(|| format!("`{digits}{one}`"))
}

/// The sum of several parts, each valid by itself.
fn sum(text: &str) -> Option<Duration> {
    let parts = text.split_inclusive(['s', 'm', 'h', 'd']);
    let total = parts
        .map(read)
        .try_fold(Duration::ZERO, |total, part| total.checked_add(part?))?;
    (total <= MAX_DURATION).then_some(total)
}

/// The shortest text that [`parse_duration`] reads as this duration; parts of a second are dropped.
pub fn format_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => "0s".to_owned(),
        // 24h rather than 1d and 60s rather than 1m, as people say it.
        s if s % 86_400 == 0 && s > 86_400 => format!("{}d", s / 86_400),
        s if s % 3_600 == 0 => format!("{}h", s / 3_600),
        s if s % 60 == 0 && s > 60 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_with_one_unit_is_read_and_written_back() {
        for (text, seconds) in [
            ("0s", 0),
            ("1s", 1),
            ("90s", 90),
            ("10m", 600),
            ("24h", 86_400),
            ("7d", 604_800),
        ] {
            let duration = parse_duration(text).unwrap();
            assert_eq!(duration, Duration::from_secs(seconds), "{text}");
            assert_eq!(format_duration(duration), text);
        }
        assert_eq!(parse_duration("366d").unwrap(), MAX_DURATION);
    }

    #[test]
    fn anything_else_is_refused_with_a_guess_at_what_was_meant() {
        for (text, suggestion) in [
            ("", None),
            ("m", None),
            ("-5m", None),
            ("1.5h", None),
            ("٣m", None),
            ("367d", None),
            ("99999999999999999999d", None),
            ("18446744073709551615s", None),
            ("5ms", None),
            ("10", Some("`10s` for seconds, `10m` for minutes")),
            ("0", Some("`0s`")),
            ("10min", Some("`10m`")),
            ("10 m", Some("`10m`")),
            ("10M", Some("`10m`")),
            ("2w", Some("`14d`")),
            ("1h30m", Some("`90m`")),
            ("1d12h", Some("`36h`")),
        ] {
            let error = parse_duration(text).unwrap_err();
            assert_eq!(error.suggestion.as_deref(), suggestion, "{text}: {error}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for seconds in (0..200_000).step_by(7).chain([86_400 * 366, 3_600 * 25, 86_401]) {
            let duration = Duration::from_secs(seconds);
            assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }
    }
}
