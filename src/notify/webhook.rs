//! A notice as the JSON that a plain webhook gets, by POST. This is a contract with its receivers:
//!
//! ```json
//! {
//!   "version": 1,
//!   "key": "repair/repair-1f00/begun",
//!   "kind": "repair-begun",
//!   "at": "2026-11-11T04:00:12Z",
//!   "service": "tis",
//!   "instance": "i-0123456789abcdef0",
//!   "title": "tis green: i-0123456789abcdef0 was stopped by AWS; starting it",
//!   "text": "It was stopped by AWS (Server.ScheduledStop) and is started again.",
//!   "facts": [{ "name": "state reason", "value": "Server.ScheduledStop" }]
//! }
//! ```
//! - `version`: 1; keys may be added within a version, never removed or given another meaning.
//! - `key`: the same message never has another one. It may arrive twice, after a crash or a lost answer: drop repeats by it.
//! - `kind`: `repair-begun`, `repair-done`, `needs-person`, `reminder`, `info`, or one that a later version adds.
//! - `at`: when it happened, RFC 3339, UTC.
//! - `service`, `instance`: `null` where it is about neither.
//! - `title`: one line, at most 500 UTF-16 units; `text`: at most 8,000; `facts`: at most 50, evidence in the order of
//!   weight.
//!
//! Texts hold what AWS and tags hold, as text: a receiver that shows them as HTML or Markdown escapes them itself.
//!
//! Any 2xx answer takes the message. 400, 413 and 422 refuse this message; 429 is obeyed with its `Retry-After`; anything
//! else is tried again later, redirects included, which are not followed.

use super::limit::{line, plain};
use crate::model::{InstanceId, Notice, ServiceName};
use serde::Serialize;

const VERSION: u32 = 1;
const MOST_FACTS: usize = 50;

#[derive(Serialize)]
struct Message<'a> {
    version: u32,
    key: &'a str,
    kind: &'static str,
    at: String,
    service: Option<&'a str>,
    instance: Option<&'a str>,
    title: String,
    text: String,
    facts: Vec<Fact>,
}

#[derive(Serialize)]
struct Fact {
    name: String,
    value: String,
}

/// The message's body.
pub fn body(notice: &Notice) -> String {
    let facts = notice.facts.iter().take(MOST_FACTS);
    let message = Message {
        version: VERSION,
        key: &notice.key,
        kind: notice.kind.as_str(),
        at: notice.at.to_string(),
        service: notice.service.as_ref().map(ServiceName::as_str),
        instance: notice.instance.as_ref().map(InstanceId::as_str),
        title: line(&notice.title, 500),
        text: plain(&notice.text, 8000),
        facts: facts
            .map(|(name, value)| Fact {
                name: line(name, 200),
                value: plain(value, 2000),
            })
            .collect(),
    };
    // Strings, numbers and lists always serialise.
    serde_json::to_string(&message).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NoticeKind;

    #[test]
    fn the_documented_message() {
        let notice = Notice {
            key: "repair/repair-1f00/begun".to_owned(),
            kind: NoticeKind::RepairBegun,
            at: "2026-11-11T04:00:12Z".parse().unwrap(),
            service: Some(ServiceName::new("tis")),
            instance: Some(InstanceId::new("i-0123456789abcdef0")),
            title: "tis green: i-0123456789abcdef0 was stopped by AWS; starting it".to_owned(),
            text: "It was stopped by AWS (Server.ScheduledStop) and is started again.".to_owned(),
            facts: vec![("state reason".to_owned(), "Server.ScheduledStop".to_owned())],
        };
        let documented: String = include_str!("webhook.rs")
            .lines()
            .skip_while(|line| *line != "//! ```json")
            .skip(1)
            .take_while(|line| *line != "//! ```")
            .map(|line| line.trim_start_matches("//!"))
            .collect();
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&body(&notice)), value(&documented));
    }

    #[test]
    fn what_it_is_not_about_is_null_and_everything_is_bounded() {
        let long = "x\u{1b}".repeat(20_000);
        let notice = Notice {
            key: "finding/no-channel".to_owned(),
            kind: NoticeKind::Info,
            at: "2026-11-11T04:00:12Z".parse().unwrap(),
            service: None,
            instance: None,
            title: long.clone(),
            text: long.clone(),
            facts: vec![(long.clone(), long); 100],
        };
        let body = body(&notice);
        assert!(body.contains(r#""service":null,"instance":null"#), "{body}");
        assert!(body.len() < 150_000 && !body.contains("u001b"));
    }
}
