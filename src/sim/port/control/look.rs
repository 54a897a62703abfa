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
    Route {
        method: "POST",
        path: "/_sim/log",
        fields: &[
            field("about", "what it concerns: an id, a name"),
            field("what", "a sentence"),
        ],
        what: "Writes into the log what no API shows, such as a mail.",
        act: remark,
    },
    Route {
        method: "GET",
        path: "/_sim/calls",
        fields: &[
            field("after", "only calls after the one with this number"),
            field("action", "only calls of this operation"),
        ],
        what: "The calls of AWS clients, oldest first, with how each ended; the last 10,000 at least are kept.",
        act: calls,
    },
    Route {
        method: "GET",
        path: "/_sim/state",
        fields: &[],
        what: "What there is: the time, instances with their states, targets with their health.",
        act: state,
    },
];

fn remark(port: &Port, fields: &mut Fields) -> Result<Value, Refused> {
    let about = fields.required("about", fields.text("about")?)?;
    let what = fields.required("what", fields.text("what")?)?;
    port.act(|state| state.world.remark(&about, &what));
    Ok(json!({ "about": about, "what": what }))
}

fn calls(port: &Port, fields: &mut Fields) -> Result<Value, Refused> {
    let (after, action) = (fields.number("after")?.unwrap_or(0), fields.text("action")?);
    port.act(|state| {
        let calls = state.trace.calls().iter();
        let calls = calls.filter(|call| call.number > after);
        let calls = calls.filter(|call| action.as_deref().is_none_or(|action| call.action == action));
        let calls = calls.map(|call| {
            json!({
                "number": call.number,
                "sent": call.sent.to_string(),
                "ended": call.ended.map(|at| at.to_string()),
                "service": call.service,
                "action": call.action,
                "account": call.account,
                "region": call.region,
                "parameters": call.params,
                "outcome": call.outcome.to_string(),
            })
        });
        Ok(Value::Array(calls.collect()))
    })
}

fn state(port: &Port, _: &mut Fields) -> Result<Value, Refused> {
    port.act(|state| {
        let world = &state.world;
        let instances = world.instances().map(|i| {
            json!({
                "id": i.id,
                "name": i.tag("Name"),
                "account": i.scope.account,
                "region": i.scope.region,
                "zone": i.zone,
                "image": i.image,
                "state": i.state.name(),
            })
        });
        let groups = world.target_groups().map(|group| {
            let living = group.targets.iter().filter(|(_, target)| target.now().is_some());
            let targets = living.map(|((id, port), _)| {
                let (health, reason, _) = group.health_of(id, *port).names();
                json!({ "id": id, "port": port, "health": health, "reason": reason })
            });
            json!({ "arn": group.arn, "name": group.name, "targets": targets.collect::<Vec<_>>() })
        });
        Ok(json!({
            "now": world.now().to_string(),
            "speed": port.clock.speed(),
            "seed": state.seed,
            "instances": instances.collect::<Vec<_>>(),
            "target_groups": groups.collect::<Vec<_>>(),
            "faults": state.faults.len(),
        }))
    })
}

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
