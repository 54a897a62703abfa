//! What a life logs: how much, and whether a secret is in it. Nothing is kept of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::env::VirtualClock;

/// Everything that `run -v` would print.
const MOST_TALKATIVE: Level = Level::DEBUG;

/// Listens to one life. Clones share what was heard.
#[derive(Clone)]
pub(super) struct Logbook {
    clock: VirtualClock,
    secrets: Arc<Vec<String>>,
    heard: Arc<Mutex<Heard>>,
    spans: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct Heard {
    /// Minute of the machine's boot clock → lines.
    lines: BTreeMap<u64, usize>,
    has_secret: bool,
}

impl Logbook {
    pub(super) fn new(clock: VirtualClock, secrets: Vec<String>) -> Self {
        Self {
            clock,
            secrets: Arc::new(secrets),
            heard: Arc::default(),
            spans: Arc::new(AtomicU64::new(1)),
        }
    }

    /// The most lines within one minute.
    pub(super) fn lines_per_minute(&self) -> usize {
        self.heard().lines.values().copied().max().unwrap_or(0)
    }

    pub(super) fn has_secret(&self) -> bool {
        self.heard().has_secret
    }

    fn heard(&self) -> std::sync::MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn examine(&self, text: &str) {
        if self.secrets.iter().any(|secret| text.contains(secret)) {
            self.heard().has_secret = true;
        }
    }
}

/// All fields of an event or a span, as text.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a string cannot fail.
        let _ = write!(self.0, "{field}={value:?} ");
    }
}

impl Subscriber for Logbook {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= MOST_TALKATIVE && metadata.target().starts_with("keepgreen")
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(MOST_TALKATIVE))
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut text = Text::default();
        span.record(&mut text);
        self.examine(&text.0);
        Id::from_u64(self.spans.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut text = Text::default();
        values.record(&mut text);
        self.examine(&text.0);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        self.examine(&text.0);
        let minute = self.clock.now().boot.as_secs() / 60;
        *self.heard().lines.entry(minute).or_default() += 1;
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn a_secret_in_a_line_or_a_span_is_heard_and_lines_are_counted_by_the_minute() {
        let heard = |speak: fn()| {
            let clock = VirtualClock::starting_at(Timestamp::UNIX_EPOCH);
            let logbook = Logbook::new(clock, vec!["not-a-real-token".to_owned()]);
            tracing::subscriber::with_default(logbook.clone(), speak);
            (logbook.lines_per_minute(), logbook.has_secret())
        };
        assert_eq!(heard(|| tracing::info!("all is well")), (1, false));
        assert_eq!(heard(|| tracing::debug!("x/not-a-real-token")), (1, true));
        let field = || tracing::warn!(url = "x/not-a-real-token", "refused");
        assert_eq!(heard(field), (1, true));
        let span = || drop(tracing::info_span!("post", url = "x/not-a-real-token").entered());
        assert_eq!(heard(span), (0, true));
    }
}
