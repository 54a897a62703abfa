//! A notice as a message for a Slack incoming webhook.
//!
//! Texts come from tags, AWS and people, so nothing in them may act: they are put into `plain_text` objects, in which Slack
//! looks for no markup; `&`, `<` and `>` are escaped, so that there is no mention, channel or disguised link even where
//! Slack does look (the notification's `text`); links are not unfurled, names not linked. Lengths stay within Slack's
//! limits (header 150, section 3000, field 2000, 10 fields), because one field too long has the whole message refused.

use super::limit::{line, plain};
use crate::model::{Notice, NoticeKind};
use serde_json::{Value, json};

/// Slack shows at most so many fields in one section.
const MOST_FIELDS: usize = 10;

/// The message's body.
pub fn body(notice: &Notice) -> String {
    let mut blocks = vec![
        json!({ "type": "header", "text": text(&line(&headline(notice), 140)) }),
        json!({ "type": "section", "text": text(&plain(&notice.text, 2500)) }),
    ];
    let fields: Vec<Value> = notice.facts.iter().take(MOST_FIELDS).map(field).collect();
    if !fields.is_empty() {
        blocks.push(json!({ "type": "section", "fields": fields }));
    }
    blocks.push(json!({ "type": "context", "elements": [text(&line(&footer(notice), 300))] }));
    let fallback = escaped(&line(&headline(notice), 1000));
    json!({
        "text": fallback,
        "mrkdwn": false,
        "parse": "none",
        "link_names": false,
        "unfurl_links": false,
        "unfurl_media": false,
        "blocks": blocks,
    })
    .to_string()
}

/// What a phone shows of it: whether somebody has to get up comes first.
fn headline(notice: &Notice) -> String {
    let prefix = match notice.kind {
        NoticeKind::NeedsPerson => "Needs a person: ",
        NoticeKind::Reminder => "Still needs a person: ",
        NoticeKind::RepairBegun | NoticeKind::RepairDone | NoticeKind::Info => "",
    };
    format!("{prefix}{}", notice.title)
}

fn footer(notice: &Notice) -> String {
    let service = notice.service.as_ref().map(|service| format!(" · {service}"));
    format!(
        "keepgreen{} · {} · {:.0}",
        service.unwrap_or_default(),
        notice.kind.as_str(),
        notice.at
    )
}

fn field((name, value): &(String, String)) -> Value {
    text(&format!("{}\n{}", line(name, 200), plain(value, 1000)))
}

/// Slack refuses a message with an empty text in it.
fn text(content: &str) -> Value {
    let content = if content.is_empty() { "-" } else { content };
    json!({ "type": "plain_text", "text": escaped(content), "emoji": false })
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{InstanceId, ServiceName};
    use proptest::prelude::*;

    fn notice(kind: NoticeKind) -> Notice {
        Notice {
            key: "repair/r-1/begun".to_owned(),
            kind,
            at: "2026-11-11T04:00:12.5Z".parse().unwrap(),
            service: Some(ServiceName::new("tis")),
            instance: Some(InstanceId::new("i-0abc")),
            title: "tis green: i-0abc was stopped by AWS; starting it".to_owned(),
            text: "Uploads are down until it serves again. Nothing to do.".to_owned(),
            facts: vec![("state reason".to_owned(), "Server.ScheduledStop".to_owned())],
        }
    }

    /// The message without its blocks, then one block a line.
    fn shown(notice: &Notice) -> String {
        let mut value: Value = serde_json::from_str(&body(notice)).unwrap();
        let blocks = value["blocks"].take();
        let lines: Vec<String> = blocks.as_array().unwrap().iter().map(Value::to_string).collect();
        format!("{value}\n{}", lines.join("\n"))
    }

    #[test]
    fn a_repair_that_begins() {
        insta::assert_snapshot!(shown(&notice(NoticeKind::RepairBegun)), @r#"
        {"text":"tis green: i-0abc was stopped by AWS; starting it","mrkdwn":false,"parse":"none","link_names":false,"unfurl_links":false,"unfurl_media":false,"blocks":null}
        {"type":"header","text":{"type":"plain_text","text":"tis green: i-0abc was stopped by AWS; starting it","emoji":false}}
        {"type":"section","text":{"type":"plain_text","text":"Uploads are down until it serves again. Nothing to do.","emoji":false}}
        {"type":"section","fields":[{"type":"plain_text","text":"state reason\nServer.ScheduledStop","emoji":false}]}
        {"type":"context","elements":[{"type":"plain_text","text":"keepgreen · tis · repair-begun · 2026-11-11T04:00:12Z","emoji":false}]}
        "#);
    }

    #[test]
    fn what_needs_a_person_says_so_first() {
        let value: Value = serde_json::from_str(&body(&notice(NoticeKind::NeedsPerson))).unwrap();
        let fallback = value["text"].as_str().unwrap();
        assert!(fallback.starts_with("Needs a person: tis green"), "{fallback}");
    }

    #[test]
    fn hostile_text_is_inert_and_within_slacks_limits() {
        let hostile = "<!channel> <@U123> <https://evil.example|click> *b* & \u{202e}\u{1b}[2J\n".repeat(200);
        let notice = Notice {
            title: hostile.clone(),
            text: hostile.clone(),
            facts: vec![(hostile.clone(), hostile); 30],
            ..notice(NoticeKind::Info)
        };
        assert_inert(&body(&notice));
    }

    /// No raw angle bracket anywhere, only plain text, every length within Slack's limit.
    fn assert_inert(body: &str) {
        assert!(!body.contains(['<', '>']), "{body}");
        assert!(
            !body.contains("\"mrkdwn\",") && body.contains("plain_text"),
            "{body}"
        );
        let value: Value = serde_json::from_str(body).unwrap();
        // Slack counts characters as they are shown.
        let length = |text: &Value| {
            let text = text["text"].as_str().unwrap();
            assert!(!text.is_empty());
            assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
            let shown = text
                .replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&amp;", "&");
            shown.encode_utf16().count()
        };
        for block in value["blocks"].as_array().unwrap() {
            match block["type"].as_str().unwrap() {
                "header" => assert!(length(&block["text"]) <= 150),
                "context" => assert!(length(&block["elements"][0]) <= 2000),
                _ => {
                    if let Some(fields) = block["fields"].as_array() {
                        assert!(fields.len() <= 10 && fields.iter().all(|field| length(field) <= 2000));
                    } else {
                        assert!(length(&block["text"]) <= 3000);
                    }
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_text_gets_out_of_its_place(title in any::<String>(), text in any::<String>(), fact in any::<String>()) {
            let notice = Notice { title, text, facts: vec![(fact.clone(), fact)], ..notice(NoticeKind::Info) };
            assert_inert(&body(&notice));
        }
    }
}
