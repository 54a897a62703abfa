//! What an account may and can do: permissions and capacity.

use super::fields::{Fields, Refused};
use super::{Port, Route, field};
use serde_json::{Value, json};

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: "POST",
        path: "/_sim/deny",
        fields: &[
            field("action", "an operation's name, such as StartInstances"),
            field("account", "twelve digits (default 123456789012)"),
            field("denied", "true (the default), or false to allow it again"),
        ],
        what: "Takes an account's permission for an operation away, or gives it back.",
        act: deny,
    },
    Route {
        method: "POST",
        path: "/_sim/capacity",
        fields: &[
            field("zone", "an availability zone's name, such as eu-west-2a"),
            field("instance_type", "only for this type (default: all types)"),
            field("available", "false: it is gone; true: it is back"),
        ],
        what: "Lets a zone run out of capacity for starts and launches, or have it again.",
        act: capacity,
    },
];

fn deny(port: &Port, fields: &mut Fields) -> Result<Value, Refused> {
    let action = fields.required("action", fields.text("action")?)?;
    if !crate::sim::wire::routes().any(|route| route.action == action) {
        return Err(fields.refuse("action", action));
    }
    let account = account(fields)?;
    let denied = fields.flag("denied")?.unwrap_or(true);
    port.act(|state| state.world.deny(&account, &action, denied));
    Ok(json!({ "account": account, "action": action, "denied": denied }))
}

/// The field `account`, the port's own if it is not there.
fn account(fields: &Fields) -> Result<String, Refused> {
    match fields.text("account")? {
        None => Ok(super::super::ACCOUNT.to_owned()),
        Some(id) if id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit()) => Ok(id),
        Some(other) => Err(fields.refuse("account", other)),
    }
}

fn capacity(port: &Port, fields: &mut Fields) -> Result<Value, Refused> {
    let zone = fields.required("zone", fields.text("zone")?)?;
    let instance_type = fields.text("instance_type")?;
    let available = fields.required("available", fields.flag("available")?)?;
    port.act(|state| state.world.capacity(&zone, instance_type.as_deref(), available));
    Ok(json!({ "zone": zone, "instance_type": instance_type, "available": available }))
}
