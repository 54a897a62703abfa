//! Routes that move the time.

use super::fields::{Fields, Refused};
use super::{Port, Route, field};
use serde_json::{Value, json};
use std::time::Duration;

pub(super) const ROUTES: &[Route] = &[Route {
    method: "POST",
    path: "/_sim/advance",
    fields: &[
        field("seconds", "how far, in seconds, at most a year"),
        field(
            "to",
            "or until when: an RFC 3339 time, not in the past, at most a year ahead",
        ),
    ],
    what: "Moves the time of this AWS forward at once; everything that is due meanwhile happens, in its order.",
    act: advance,
}];

fn advance(port: &Port, fields: &mut Fields) -> Result<Value, Refused> {
    let by = match (fields.seconds("seconds")?, fields.time("to")?) {
        (Some(by), None) => by,
        (None, Some(to)) => {
            let by = Duration::try_from(to.duration_since(port.clock.now())).ok();
            by.filter(|by| *by <= super::fields::LONGEST)
                .ok_or_else(|| fields.refuse("to", to.to_string()))?
        }
        _ => return Err(Refused::new(400, "expected: either seconds or to")),
    };
    port.clock.advance(by);
    let now = port.act(|state| state.world.now());
    Ok(json!({ "now": now.to_string() }))
}
