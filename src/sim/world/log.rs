//! What happened in the world, in order: for the demo, and for a test that failed.

use std::collections::VecDeque;
use std::fmt;

use jiff::Timestamp;

/// More would be a runaway; the oldest are dropped.
const LOG_MAX: usize = 50_000;

/// One happening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub at: Timestamp,
    /// Whom it concerns: an instance id, a target group's name, a parameter, …
    pub subject: String,
    pub what: String,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} {} {}", self.at, self.subject, self.what)
    }
}

/// The world's log, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Log {
    entries: VecDeque<Entry>,
    /// Entries ever written.
    written: u64,
}

impl Log {
    pub(super) fn push(&mut self, entry: Entry) {
        if self.entries.len() == LOG_MAX {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
        self.written += 1;
    }

    /// How many entries were ever written.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// What was written after the first `number` entries, as far as it is still kept.
    pub fn after(&self, number: u64) -> impl Iterator<Item = &Entry> {
        let newer = usize::try_from(self.written.saturating_sub(number)).unwrap_or(usize::MAX);
        self.entries.iter().skip(self.entries.len().saturating_sub(newer))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// The entries about one subject.
    pub fn about<'a>(&'a self, subject: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |entry| entry.subject == subject)
    }
}
