//! How this AWS behaves as a whole: stale reads, request limits, a new beginning.

use super::fields::{Fields, Refused};
use super::{Port, Route, field};
use crate::sim::port::Beginning;
use crate::sim::world::Staleness;
use serde_json::{Value, json};

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: "POST",
        path: "/_sim/staleness",
        fields: &[
            field(
                "reads_lag",
                "reads show the world of so many seconds ago (default 0), at most 1,200",
            ),
            field(
                "own_writes_hidden",
                "what a caller changed stays invisible in reads for so many seconds (default 0), at most 1,200",
            ),
        ],
        what: "Lets reads lag behind the truth from now on; without fields they no longer do, as at the beginning.",
        act: staleness,
    },
    Route {
        method: "POST",
        path: "/_sim/throttling",
        fields: &[field(
            "on",
            "true, as at the beginning, or false: no request is ever throttled",
        )],
        what: "Turns the request limits of all accounts on or off.",
        act: throttling,
    },
    Route {
        method: "POST",
        path: "/_sim/reset",
        fields: &[
            field(
                "world",
                "empty (the default), or incident: two servers behind one load balancer, in eu-west-2, in service",
            ),
            field(
                "seed",
                "repeats the durations and ids of an earlier world (default: those of this one)",
            ),
        ],
        what: "Begins anew with another world, without faults and denials; the time goes on.",
        act: reset,
    },
];

fn staleness(port: &Port, fields: &mut Fields) -> Result<Value, Refused> {
    let lag = |name: &str| match fields.seconds(name)?.unwrap_or_default() {
        // Further back nothing is kept.
        lag if lag <= crate::sim::world::versioned::HORIZON => Ok(lag),
        lag => Err(fields.refuse(name, lag.as_secs_f64())),
    };
    let staleness = Staleness {
        reads_lag: lag("reads_lag")?,
        own_writes_hidden: lag("own_writes_hidden")?,
        ..Staleness::default()
    };
    port.act(|state| state.world.set_staleness(staleness));
    Ok(json!({
        "reads_lag": staleness.reads_lag.as_secs_f64(),
        "own_writes_hidden": staleness.own_writes_hidden.as_secs_f64(),
    }))
}

fn throttling(port: &Port, fields: &mut Fields) -> Result<Value, Refused> {
    let on = fields.required("on", fields.flag("on")?)?;
    port.act(|state| state.world.set_throttling(on));
    Ok(json!({ "on": on }))
}

fn reset(port: &Port, fields: &mut Fields) -> Result<Value, Refused> {
    let worlds = [("empty", Beginning::Empty), ("incident", Beginning::Incident)];
    let beginning = fields.one_of("world", &worlds)?.unwrap_or(Beginning::Empty);
    let seed = fields.number("seed")?;
    let (seed, now) = port.begin_anew(beginning, seed);
    Ok(json!({ "seed": seed, "now": now.to_string() }))
}
