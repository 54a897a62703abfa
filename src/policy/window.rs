//! Maintenance windows: when disruptive work that can wait may be done.
//!
//! A window is weekdays, a start and an end on the wall clock of a time zone, as people plan them: `Mon-Fri
//! 02:00-05:00 Europe/London`. An end that is not after the start is on the next day, and the weekday is that of the
//! start.
//!
//! When clocks change, a window is never longer on the clock on the wall than it was planned, and never opens early:
//! - a start or end that is skipped (spring forward) is the moment of the change; a window that lies wholly within the
//!   skipped hour does not take place that day;
//! - a start or end that comes twice (fall back) is its first coming.
//!
//! Everything here is pure; time zones come from the bundled database, so that the same file means the same on every
//! host.

use super::problem::nearest;
use super::types::Maintenance;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};
use std::collections::BTreeSet;
use std::fmt;

/// How far ahead occurrences are searched for. A weekly window that finds none in this time has none: the longest
/// known gap of a time zone skips one day.
const SEARCH_DAYS: u32 = 400;

const MINUTES_PER_DAY: u16 = 24 * 60;

const DAY_NAMES: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// What a window looks like, for messages.
pub(super) const EXPECTED: &str =
    "DAYS HH:MM-HH:MM ZONE, such as \"Mon-Fri 02:00-05:00 Europe/London\" or \"daily 22:00-02:00 UTC\"";

/// A weekly recurring window.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Days on which it starts, Monday is 0; never empty.
    days: BTreeSet<i8>,
    /// Minutes after midnight, 0 to 1439.
    start: u16,
    /// Minutes after midnight, 1 to 1440; not after `start`: on the next day.
    end: u16,
    zone: TimeZone,
    text: String,
}

/// One time that a window takes place: from `start` until just before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Occurrence {
    pub start: Timestamp,
    pub end: Timestamp,
}

impl Occurrence {
    pub fn contains(&self, instant: Timestamp) -> bool {
        self.start <= instant && instant < self.end
    }

    /// How long it is; never negative.
    pub fn length(&self) -> std::time::Duration {
        self.start.duration_until(self.end).unsigned_abs()
    }
}

/// Why a text is not a window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct WindowError {
    pub message: String,
    pub suggestion: Option<String>,
}

impl WindowError {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            suggestion: None,
        }
    }

    fn suggest(self, suggestion: impl Into<String>) -> Self {
        Self {
            suggestion: Some(suggestion.into()),
            ..self
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl Window {
    /// Reads `Mon-Fri 02:00-05:00 Europe/London`, `Sat,Sun 22:00-02:00 UTC`, `daily 00:00-24:00 UTC`.
    ///
    /// # Errors
    /// What does not read so, an unknown day or time zone, and a window without length.
    pub fn parse(text: &str) -> Result<Self, WindowError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (days, times, zone) = match words.as_slice() {
            [days, times, zone] => (days, times, zone),
            [_, times] if times.contains(':') => {
                return Err(WindowError::new("the window has no time zone")
                    .suggest(format!("append one, such as `{text} UTC`")));
            }
            _ => {
                return Err(WindowError::new(
                    "a window is three words: days, times and a time zone",
                ));
            }
        };
        let days = parse_days(days)?;
        let (start, end) = parse_times(times)?;
        let zone = parse_zone(zone)?;
        Ok(Self {
            days,
            start,
            end,
            zone,
            text: words.join(" "),
        })
    }

    /// Whether the window is open.
    pub fn contains(&self, now: Timestamp) -> bool {
        self.at(now).is_some()
    }

    /// The occurrence that is open.
    pub fn at(&self, now: Timestamp) -> Option<Occurrence> {
        self.days_around(now)
            .take(3)
            .flatten()
            .find(|occurrence| occurrence.contains(now))
    }

    /// The first start later than `after`; `None` only at the end of the calendar.
    pub fn next_start(&self, after: Timestamp) -> Option<Timestamp> {
        let mut starts = self
            .days_around(after)
            .flatten()
            .map(|occurrence| occurrence.start);
        starts.find(|start| *start > after)
    }

    /// Occurrences that end after `from` and start before `until`, in order, at most 400 days ahead.
    pub fn occurrences(&self, from: Timestamp, until: Timestamp) -> impl Iterator<Item = Occurrence> {
        self.days_around(from)
            .flatten()
            .skip_while(move |occurrence| occurrence.end <= from)
            .take_while(move |occurrence| occurrence.start < until)
    }

    /// One item a local day, from the day before `instant` on: what starts then may still be open.
    fn days_around(&self, instant: Timestamp) -> impl Iterator<Item = Option<Occurrence>> {
        let first = self.zone.to_datetime(instant).date().yesterday().ok();
        let days = std::iter::successors(first, |day| day.tomorrow().ok()).take(SEARCH_DAYS as usize);
        days.map(|day| self.on(day))
    }

    /// The occurrence that starts on this local day.
    fn on(&self, day: Date) -> Option<Occurrence> {
        if !self.days.contains(&day.weekday().to_monday_zero_offset()) {
            return None;
        }
        let end_day = if self.end <= self.start {
            day.tomorrow().ok()?
        } else {
            day
        };
        let start = self.instant(at_minute(day, self.start)?)?;
        let end = self.instant(at_minute(end_day, self.end)?)?;
        (start < end).then_some(Occurrence { start, end })
    }

    /// The moment at which the clock on the wall first shows this, or passes over it.
    fn instant(&self, wall: DateTime) -> Option<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(wall);
        let AmbiguousOffset::Gap { after, .. } = ambiguous.offset() else {
            return ambiguous.compatible().ok();
        };
        // Read with the offset after the gap, a skipped time comes before the change, which is the next transition.
        let before_change = after.to_timestamp(wall).ok()?;
        self.zone
            .following(before_change)
            .next()
            .map(|transition| transition.timestamp())
    }
}

fn at_minute(day: Date, minute: u16) -> Option<DateTime> {
    if minute == MINUTES_PER_DAY {
        return Some(day.tomorrow().ok()?.to_datetime(Time::midnight()));
    }
    let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
    Some(day.to_datetime(Time::new(hour, minute, 0, 0).ok()?))
}

fn parse_days(text: &str) -> Result<BTreeSet<i8>, WindowError> {
    if text.eq_ignore_ascii_case("daily") {
        return Ok((0..7).collect());
    }
    let mut days = BTreeSet::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (parse_day(first)?, parse_day(last)?);
        // Fri-Mon runs over the weekend.
        days.extend(
            (0..7)
                .map(|ahead| (first + ahead) % 7)
                .take(usize::from((last + 7 - first).unsigned_abs() % 7) + 1),
        );
    }
    Ok(days)
}

fn parse_day(text: &str) -> Result<i8, WindowError> {
    let lower = text.to_ascii_lowercase();
    let known = DAY_NAMES.iter().find(|(name, _)| *name == lower);
    if let Some((_, day)) = known {
        return Ok(day.to_monday_zero_offset());
    }
    let error = WindowError::new(format!(
        "`{}` is not a day: Mon, Tue, Wed, Thu, Fri, Sat, Sun or daily",
        clip(text)
    ));
    let short = lower
        .get(..3)
        .and_then(|start| DAY_NAMES.iter().find(|(name, _)| *name == start));
    let Some((name, _)) = short else { return Err(error) };
    let capital: String = name
        .chars()
        .enumerate()
        .map(|(i, c)| if i == 0 { c.to_ascii_uppercase() } else { c })
        .collect();
    Err(error.suggest(format!("did you mean `{capital}`?")))
}

fn parse_times(text: &str) -> Result<(u16, u16), WindowError> {
    let Some((start, end)) = text.split_once('-') else {
        return Err(WindowError::new(format!(
            "`{}` is not a start and an end, such as 02:00-05:00",
            clip(text)
        )));
    };
    let (start, end) = (parse_time(start)?, parse_time(end)?);
    if start == MINUTES_PER_DAY {
        return Err(
            WindowError::new("a window cannot start at 24:00").suggest("start it at 00:00 of the next day")
        );
    }
    if start == end {
        return Err(WindowError::new("the window has no length").suggest("00:00-24:00 is the whole day"));
    }
    // Midnight as an end is the end of the day, not its beginning.
    Ok((start, if end == 0 { MINUTES_PER_DAY } else { end }))
}

fn parse_time(text: &str) -> Result<u16, WindowError> {
    let number = |part: &str| match part.as_bytes() {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => {
            Some(u16::from(tens - b'0') * 10 + u16::from(ones - b'0'))
        }
        _ => None,
    };
    let parts = text
        .split_once(':')
        .and_then(|(hour, minute)| Some((number(hour)?, number(minute)?)));
    match parts {
        Some((hour, minute)) if (hour < 24 && minute < 60) || (hour, minute) == (24, 0) => {
            Ok(hour * 60 + minute)
        }
        _ => {
            let error = WindowError::new(format!("`{}` is not a time from 00:00 to 24:00", clip(text)));
            match text.split_once(':').is_some_and(|(hour, _)| hour.len() == 1) {
                true => Err(error.suggest(format!("did you mean `0{}`?", clip(text)))),
                false => Err(error),
            }
        }
    }
}

fn parse_zone(text: &str) -> Result<TimeZone, WindowError> {
    let database = jiff::tz::db();
    if let Ok(zone) = database.get(text) {
        return Ok(zone);
    }
    let error = WindowError::new(format!(
        "`{}` is not a time zone of the IANA database",
        clip(text)
    ));
    let names: Vec<String> = database.available().map(|name| name.to_string()).collect();
    let city = |name: &&String| {
        name.rsplit('/')
            .next()
            .is_some_and(|city| city.eq_ignore_ascii_case(text))
    };
    let guess = names.iter().find(city).map(String::as_str);
    match guess.or_else(|| nearest(text, names.iter().map(String::as_str))) {
        Some(name) => Err(error.suggest(format!("did you mean `{name}`?"))),
        None => Err(error.suggest("use Area/City, such as Europe/London, or UTC")),
    }
}

/// Enough of a word to recognise it.
fn clip(text: &str) -> String {
    text.chars()
        .take(40)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

impl Maintenance {
    /// Whether disruptive work that can wait may be done now.
    pub fn contains(&self, now: Timestamp) -> bool {
        match self {
            Self::Always => true,
            Self::Windows(windows) => windows.iter().any(|window| window.contains(now)),
        }
    }

    /// When a window opens next, later than `after`; `None` with `always`, where nothing has to open.
    pub fn next_start(&self, after: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Always => None,
            Self::Windows(windows) => windows.iter().filter_map(|window| window.next_start(after)).min(),
        }
    }

    /// The times between `from` and `until` (at most 400 days) at which a window is open, in order; windows that
    /// overlap or touch are one. With `always` that is the whole time.
    pub fn occurrences(&self, from: Timestamp, until: Timestamp) -> Vec<Occurrence> {
        let windows = match self {
            Self::Always if from < until => {
                return vec![Occurrence {
                    start: from,
                    end: until,
                }];
            }
            Self::Always => return Vec::new(),
            Self::Windows(windows) => windows,
        };
        let until = from
            .checked_add((i64::from(SEARCH_DAYS) * 24).hours())
            .map_or(until, |bound| bound.min(until));
        let mut all: Vec<Occurrence> = windows
            .iter()
            .flat_map(|window| window.occurrences(from, until))
            .collect();
        all.sort();
        let mut merged: Vec<Occurrence> = Vec::new();
        for occurrence in all {
            match merged.last_mut() {
                Some(last) if occurrence.start <= last.end => last.end = last.end.max(occurrence.end),
                _ => merged.push(occurrence),
            }
        }
        merged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(text: &str) -> Window {
        Window::parse(text).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Occurrences from noon to noon, as `start/end`.
    fn on(text: &str, day: &str) -> Vec<String> {
        let from = at(&format!("{day}T00:00:00Z"));
        let until = from + 24.hours();
        window(text)
            .occurrences(from, until)
            .map(|o| format!("{}/{}", o.start, o.end))
            .collect()
    }

    #[test]
    fn a_window_follows_the_clock_on_the_wall() {
        let london = "Mon-Fri 02:00-05:00 Europe/London";
        assert_eq!(
            on(london, "2026-01-07"),
            ["2026-01-07T02:00:00Z/2026-01-07T05:00:00Z"]
        );
        assert_eq!(
            on(london, "2026-07-08"),
            ["2026-07-08T01:00:00Z/2026-07-08T04:00:00Z"]
        );
        assert_eq!(on(london, "2026-07-11"), Vec::<String>::new(), "a Saturday");
    }

    #[test]
    fn a_skipped_hour_shortens_or_cancels_a_window() {
        // London, 2026-03-29: 01:00 GMT is 02:00 BST.
        assert_eq!(
            on("Sun 00:30-01:30 Europe/London", "2026-03-29"),
            ["2026-03-29T00:30:00Z/2026-03-29T01:00:00Z"]
        );
        assert_eq!(
            on("Sun 01:30-02:30 Europe/London", "2026-03-29"),
            ["2026-03-29T01:00:00Z/2026-03-29T01:30:00Z"]
        );
        assert_eq!(
            on("Sun 01:10-01:50 Europe/London", "2026-03-29"),
            Vec::<String>::new()
        );
        assert_eq!(
            on("Sun 00:00-03:00 Europe/London", "2026-03-29"),
            ["2026-03-29T00:00:00Z/2026-03-29T02:00:00Z"]
        );
    }

    #[test]
    fn a_repeated_hour_counts_once() {
        // London, 2026-10-25: 02:00 BST is 01:00 GMT.
        assert_eq!(
            on("Sun 01:10-01:50 Europe/London", "2026-10-25"),
            ["2026-10-25T00:10:00Z/2026-10-25T00:50:00Z"]
        );
        assert_eq!(
            on("Sun 00:30-01:30 Europe/London", "2026-10-25"),
            ["2026-10-24T23:30:00Z/2026-10-25T00:30:00Z"]
        );
        assert_eq!(
            on("Sun 01:30-02:30 Europe/London", "2026-10-25"),
            ["2026-10-25T00:30:00Z/2026-10-25T02:30:00Z"]
        );
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_it_starts_on() {
        let window = window("Sat,Sun 22:00-02:00 UTC");
        // 2026-11-21 is a Saturday.
        for (instant, open) in [
            ("2026-11-21T21:59:59Z", false),
            ("2026-11-21T22:00:00Z", true),
            ("2026-11-22T01:59:59Z", true),
            ("2026-11-22T02:00:00Z", false),
            ("2026-11-23T01:00:00Z", true),
            ("2026-11-23T22:00:00Z", false),
        ] {
            assert_eq!(window.contains(at(instant)), open, "{instant}");
        }
        assert_eq!(
            window.next_start(at("2026-11-21T22:00:00Z")),
            Some(at("2026-11-22T22:00:00Z"))
        );
        assert_eq!(
            window.next_start(at("2026-11-22T22:00:00Z")),
            Some(at("2026-11-28T22:00:00Z"))
        );
    }

    #[test]
    fn the_whole_day_is_open_until_midnight_on_the_wall() {
        assert_eq!(on("daily 00:00-24:00 UTC", "2026-11-22").len(), 1);
        assert_eq!(
            on("daily 23:00-00:00 UTC", "2026-11-22"),
            ["2026-11-22T23:00:00Z/2026-11-23T00:00:00Z"]
        );
        let all_day = window("Sun 00:00-24:00 Europe/London")
            .at(at("2026-10-25T12:00:00Z"))
            .unwrap();
        assert_eq!(all_day.length().as_secs(), 25 * 3600);
    }

    #[test]
    fn a_day_that_a_zone_skipped_has_no_window() {
        assert_eq!(
            on("Fri 02:00-05:00 Pacific/Apia", "2011-12-30"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn days_may_be_ranges_lists_and_wrap_around_the_weekend() {
        let days = |text: &str| parse_days(text).unwrap().into_iter().collect::<Vec<_>>();
        assert_eq!(days("Mon-Fri"), [0, 1, 2, 3, 4]);
        assert_eq!(days("fri-mon"), [0, 4, 5, 6]);
        assert_eq!(days("Mon,Wed-Thu,SUN"), [0, 2, 3, 6]);
        assert_eq!(days("Tue"), [1]);
        assert_eq!(days("Mon-Mon"), [0]);
        assert_eq!(days("daily").len(), 7);
    }

    #[test]
    fn a_text_that_is_no_window_is_refused_with_what_was_meant() {
        for (text, suggestion) in [
            ("", None),
            ("Mon-Fri", None),
            (
                "Mon-Fri 02:00-05:00",
                Some("append one, such as `Mon-Fri 02:00-05:00 UTC`"),
            ),
            ("Monday 02:00-05:00 UTC", Some("did you mean `Mon`?")),
            ("Funday 02:00-05:00 UTC", None),
            ("Mo 02:00-05:00 UTC", None),
            ("Mon 2:00-05:00 UTC", Some("did you mean `02:00`?")),
            ("Mon 02:00-25:00 UTC", None),
            ("Mon 02:60-05:00 UTC", None),
            ("Mon 02.00-05.00 UTC", None),
            ("Mon 02:00 UTC", None),
            ("Mon 02:00-02:00 UTC", Some("00:00-24:00 is the whole day")),
            ("Mon 24:00-02:00 UTC", Some("start it at 00:00 of the next day")),
            ("Mon 02:00-05:00 London", Some("did you mean `Europe/London`?")),
            (
                "Mon 02:00-05:00 Europe/Lodnon",
                Some("did you mean `Europe/London`?"),
            ),
            (
                "Mon 02:00-05:00 +01:00",
                Some("use Area/City, such as Europe/London, or UTC"),
            ),
        ] {
            let error = Window::parse(text).unwrap_err();
            assert_eq!(error.suggestion.as_deref(), suggestion, "{text}: {error}");
        }
    }

    #[test]
    fn windows_that_overlap_are_one_time() {
        let maintenance = Maintenance::Windows(vec![
            window("Mon 02:00-04:00 UTC"),
            window("Mon 03:00-05:00 UTC"),
            window("Mon 05:00-06:00 UTC"),
            window("Tue 02:00-03:00 UTC"),
        ]);
        let found = maintenance.occurrences(at("2026-11-23T00:00:00Z"), at("2026-11-25T00:00:00Z"));
        let lengths: Vec<u64> = found.iter().map(|o| o.length().as_secs() / 3600).collect();
        assert_eq!(lengths, [4, 1]);
        assert_eq!(
            maintenance.next_start(at("2026-11-23T02:00:00Z")),
            Some(at("2026-11-23T03:00:00Z"))
        );
        assert!(Maintenance::Always.contains(at("2026-11-23T02:00:00Z")));
        assert_eq!(Maintenance::Always.next_start(at("2026-11-23T02:00:00Z")), None);
    }

    #[test]
    fn the_ends_of_the_calendar_have_no_windows_and_no_panic() {
        for instant in [Timestamp::MIN, Timestamp::MAX] {
            for text in [
                "daily 22:00-02:00 Pacific/Kiritimati",
                "daily 00:00-24:00 Pacific/Pago_Pago",
            ] {
                let window = window(text);
                let _ = (window.contains(instant), window.next_start(instant));
                let _ = Maintenance::Windows(vec![window]).occurrences(instant, Timestamp::MAX);
            }
        }
    }
}
