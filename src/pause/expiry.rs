//! A pause that is about to end by itself is announced, so that nobody is surprised by a hand that moves again.

use crate::model::{Notice, NoticeKind, Pause, PauseScope, PauseSource};
use jiff::{SignedDuration, Timestamp};

/// How long before its end a pause is announced to end.
pub const WARNED_BEFORE: SignedDuration = SignedDuration::from_mins(15);

/// The warnings due at `now`; the same pause with the same end has the same key. A pause that was set for no longer
/// than [`WARNED_BEFORE`] is not warned of: whoever set it just said when it ends.
pub fn expiry_warnings(pauses: &[Pause], now: Timestamp) -> Vec<Notice> {
    pauses.iter().filter_map(|pause| warning(pause, now)).collect()
}

fn warning(pause: &Pause, now: Timestamp) -> Option<Notice> {
    let until = pause.until?;
    let left = until.duration_since(now);
    let is_short = pause
        .since
        .is_some_and(|since| until.duration_since(since) <= WARNED_BEFORE);
    if left <= SignedDuration::ZERO || left > WARNED_BEFORE || is_short {
        return None;
    }
    let (what, service, instance) = match &pause.scope {
        PauseScope::Everything => ("everything".to_owned(), None, None),
        PauseScope::Service(service) => (service.to_string(), Some(service.clone()), None),
        PauseScope::Instance(instance) => (instance.to_string(), None, Some(instance.clone())),
    };
    let place = match &pause.source {
        PauseSource::Policy(file) => format!("policy file {file}"),
        PauseSource::File(path) => format!("file {path}"),
        PauseSource::Parameter(name) => format!("SSM parameter {name}"),
        PauseSource::Tag(instance) => format!("tag keepgreen:pause of {instance}"),
    };
    let mut facts = vec![
        ("set by the".to_owned(), place.clone()),
        ("until".to_owned(), format!("{until:.0}")),
    ];
    facts.extend(pause.by.iter().map(|by| ("by".to_owned(), by.clone())));
    facts.extend(
        pause
            .reason
            .iter()
            .map(|reason| ("reason".to_owned(), reason.clone())),
    );
    Some(Notice {
        key: format!("pause/{what}/{place}/{}/expires", until.as_second()),
        kind: NoticeKind::Info,
        at: now,
        service,
        instance,
        title: format!("The pause of {what} ends at {until:.0}"),
        text: "Then keepgreen looks at what ails and repairs it. To hold it back longer, pause again: \
               `keepgreen pause`."
            .to_owned(),
        facts,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ServiceName;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn pause(since: Option<&str>, until: Option<&str>) -> Pause {
        Pause {
            scope: PauseScope::Service(ServiceName::new("tis")),
            source: PauseSource::File("/state/pause.d/tis".to_owned()),
            by: Some("ann".to_owned()),
            reason: Some("release".to_owned()),
            since: since.map(at),
            until: until.map(at),
        }
    }

    #[test]
    fn it_is_warned_of_in_its_last_quarter_of_an_hour_once() {
        let four_hours = [pause(Some("2026-11-11T04:00:00Z"), Some("2026-11-11T08:00:00Z"))];
        let keys = |now: &str| -> Vec<String> {
            expiry_warnings(&four_hours, at(now))
                .into_iter()
                .map(|notice| notice.key)
                .collect()
        };
        assert!(keys("2026-11-11T07:44:59Z").is_empty());
        let first = keys("2026-11-11T07:45:00Z");
        assert_eq!(first, ["pause/tis/file /state/pause.d/tis/1794384000/expires"]);
        assert_eq!(keys("2026-11-11T07:59:59Z"), first);
        assert!(keys("2026-11-11T08:00:00Z").is_empty());
    }

    #[test]
    fn one_without_end_or_set_for_minutes_only_is_not() {
        let now = at("2026-11-11T07:55:00Z");
        let pauses = [
            pause(None, None),
            pause(Some("2026-11-11T07:50:00Z"), Some("2026-11-11T08:00:00Z")),
        ];
        assert!(expiry_warnings(&pauses, now).is_empty());
        let beginning_unknown = [pause(None, Some("2026-11-11T08:00:00Z"))];
        assert_eq!(expiry_warnings(&beginning_unknown, now).len(), 1);
    }
}
