//! Documents for the tests of rendering: made by the very decisions that they show. And the check that users can read about
//! each of their fields.

use super::json::ServiceDoc;
use crate::decide::Plan;
use crate::decide::fixtures::{GREEN, Night, REGION, tis};
use crate::model::{AilmentKind, Outcome};
use serde::Serialize;
use std::collections::BTreeSet;

/// The document of a plan of this night's service, as a pass would make it.
pub fn document(night: &Night, plan: &Plan) -> ServiceDoc {
    let mut doc = ServiceDoc::of_policy(&night.policy, Some(plan));
    doc.region = Some(REGION.to_owned());
    doc.account = night.caller.as_ref().map(ToString::to_string);
    // A digest of the policy's text: another one after each change of the fixture.
    doc.policy_version = "0123456789abcdef".to_owned();
    doc
}

/// Every field of this document, at any depth, is in `deploy/json.md`.
pub fn assert_documented(document: &impl Serialize) {
    let text = include_str!("../../deploy/json.md");
    let undocumented: Vec<String> = fields(&serde_json::to_value(document).unwrap())
        .into_iter()
        .filter(|field| !text.contains(&format!("`{field}`")))
        .collect();
    assert_eq!(
        undocumented,
        Vec::<String>::new(),
        "fields that deploy/json.md does not name"
    );
}

fn fields(value: &serde_json::Value) -> BTreeSet<String> {
    match value {
        serde_json::Value::Array(items) => items.iter().flat_map(fields).collect(),
        serde_json::Value::Object(map) => {
            let is_name = |key: &&String| !key.starts_with("i-");
            let own = map.keys().filter(is_name).cloned();
            own.chain(map.values().flat_map(fields)).collect()
        }
        _ => BTreeSet::new(),
    }
}

/// 04:01: AWS has stopped green.
pub fn stopped() -> Night {
    let mut night = Night::of(tis(""));
    night.plan();
    night.pass_time(60);
    night.stop(GREEN, "Server.ScheduledStop");
    night
}

/// Green does not stay up, whatever is tried.
pub fn quarantined() -> Night {
    let mut night = stopped();
    for _ in 0..3 {
        night.pass_time(3600);
        night.act(&Outcome::Accepted {
            request_id: None,
            launched: None,
        });
        night.pass_time(10);
        night.up(GREEN);
        night.plan();
        night.pass_time(10);
        night.stop(GREEN, "Client.InternalError");
        night.plan();
    }
    assert!(
        night.memory.incidents[&GREEN.into()].quarantined.is_some()
            && night.memory.incidents[&GREEN.into()].kind == AilmentKind::Stopped
    );
    night
}
