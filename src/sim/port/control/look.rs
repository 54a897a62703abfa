//! Routes that look: what there is to call, and what happened.

use super::fields::{Fields, Refused};
use super::{Port, Route, field, routes};
use crate::sim::wire;
use serde_json::{Value, json};

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/_sim",
        fields: &[],
        what: "What this is, what it takes, and every control route.",
        act: about,
    },
    Route {
        method: "GET",
        path: "/_sim/operations",
        fields: &[],
        what: "Every operation of AWS that is modelled; any other is refused with NotModelledBySimulation.",
        act: operations,
    },
    Route {
        method: "GET",
        path: "/_sim/log",
        fields: &[
            field("since", "only what happened after this RFC 3339 time"),
            field(
                "about",
                "only what concerns this instance, target group, image, …",
            ),
        ],
        what: "What happened, oldest first; the last 50,000 entries are kept.",
        act: log,
    },
];

fn log(port: &Port, fields: &mut Fields) -> Result<Value, Refused> {
    let (since, about) = (fields.time("since")?, fields.text("about")?);
    port.act(|state| {
        let entries = state.world.log().iter();
        let entries = entries.filter(|entry| since.is_none_or(|since| entry.at > since));
        let entries = entries.filter(|entry| about.as_deref().is_none_or(|about| entry.subject == about));
        let entries = entries
            .map(|entry| json!({ "at": entry.at.to_string(), "about": entry.subject, "what": entry.what }));
        Ok(Value::Array(entries.collect()))
    })
}

fn about(port: &Port, _: &mut Fields) -> Result<Value, Refused> {
    let routes = routes().map(|route| {
        let fields = route.fields.iter();
        let fields = fields.map(|field| (field.name.to_owned(), Value::from(field.expects)));
        json!({
            "method": route.method,
            "path": route.path,
            "parameters": fields.collect::<serde_json::Map<_, _>>(),
            "what": route.what,
        })
    });
    Ok(json!({
        "what": "The simulated AWS of keepgreen. Any AWS client can use it as its endpoint.",
        "signatures": "Requests have to be signed (Signature Version 4), because the signature names service, region and \
                       caller. Signatures are not verified: any secret will do.",
        "accounts": format!(
            "Any access key is one of account {}, but for twelve digits, which are that account's own key, and for keys \
             that AssumeRole handed out. Any role can be assumed.",
            super::super::ACCOUNT
        ),
        "regions": "Any.",
        "now": port.clock.now().to_string(),
        "speed": port.clock.speed(),
        "parameters": "A JSON object in the body; for GET in the query string.",
        "routes": routes.collect::<Vec<_>>(),
    }))
}

fn operations(_: &Port, _: &mut Fields) -> Result<Value, Refused> {
    let operations =
        wire::routes().map(|route| json!({ "service": route.service.name(), "action": route.action }));
    Ok(Value::Array(operations.collect()))
}
