//! What an account may and can do: permissions and capacity.

use super::fields::{Fields, Refused};
use super::{Port, Route, field};
use crate::sim::port::ACCOUNT;
use crate::sim::wire;
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
    let action = fields.required("action", operation(fields)?)?;
    let account = account(fields)?.unwrap_or_else(|| ACCOUNT.to_owned());
    let denied = fields.flag("denied")?.unwrap_or(true);
    port.act(|state| state.world.deny(&account, &action, denied));
    Ok(json!({ "account": account, "action": action, "denied": denied }))
}

/// The field `action` of a route where it is an operation: one that is modelled.
pub(super) fn operation(fields: &Fields) -> Result<Option<String>, Refused> {
    let action = fields.text("action")?;
    match action {
        Some(action) if !wire::routes().any(|route| route.action == action) => {
            Err(fields.refuse("action", action))
        }
        other => Ok(other),
    }
}

/// The field `account`: twelve digits.
pub(super) fn account(fields: &Fields) -> Result<Option<String>, Refused> {
    match fields.text("account")? {
        Some(id) if id.len() != 12 || !id.bytes().all(|b| b.is_ascii_digit()) => {
            Err(fields.refuse("account", id))
        }
        other => Ok(other),
    }
}

fn capacity(port: &Port, fields: &mut Fields) -> Result<Value, Refused> {
    let zone = fields.required("zone", fields.text("zone")?)?;
    let instance_type = fields.text("instance_type")?;
    let available = fields.required("available", fields.flag("available")?)?;
    port.act(|state| {
        state.world.capacity(&zone, instance_type.as_deref(), available);
    });
    Ok(json!({ "zone": zone, "instance_type": instance_type, "available": available }))
}
