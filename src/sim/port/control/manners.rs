//! How this AWS behaves as a whole: stale reads, request limits, a new beginning.

use super::fields::{Fields, LONGEST, Refused};
use super::{Port, Route, field};
use crate::sim::port::Beginning;
use crate::sim::world::{Pace, Staleness};
use serde_json::{Value, json};
use std::ops::RangeInclusive;

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
            field(
                "launches_hidden",
                "each new instance is absent from reads for a time of its own, up to so many seconds (default 0), at most 1,200",
            ),
        ],
        what: "Lets reads lag behind the truth from now on; without fields they no longer do, as at the beginning.",
        act: staleness,
    },
    Route {
        method: "POST",
        path: "/_sim/pace",
        fields: &[
            field(
                "of",
                "boot, stop, terminate, checks, app, register, register-network, volume, attach, snapshot, image, balancer or \
                 settle",
            ),
            field("least", "seconds, a whole number"),
            field(
                "most",
                "seconds, a whole number from least to a year; each time is drawn from there",
            ),
        ],
        what: "Says how long something takes from now on; what has begun takes as long as it was to.",
        act: pace,
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
        launches_hidden: lag("launches_hidden")?,
    };
    port.act(|state| state.world.set_staleness(staleness));
    Ok(json!({
        "reads_lag": staleness.reads_lag.as_secs_f64(),
        "own_writes_hidden": staleness.own_writes_hidden.as_secs_f64(),
        "launches_hidden": staleness.launches_hidden.as_secs_f64(),
    }))
}

/// One of the times that a world takes.
type Range = fn(&mut Pace) -> &mut RangeInclusive<u64>;

const PACES: &[(&str, Range)] = &[
    ("boot", |p| &mut p.boot_s),
    ("stop", |p| &mut p.stop_s),
    ("terminate", |p| &mut p.terminate_s),
    ("checks", |p| &mut p.checks_s),
    ("app", |p| &mut p.app_s),
    ("register", |p| &mut p.register_s),
    ("register-network", |p| &mut p.register_network_s),
    ("volume", |p| &mut p.volume_s),
    ("attach", |p| &mut p.attach_s),
    ("snapshot", |p| &mut p.snapshot_s),
    ("image", |p| &mut p.image_s),
    ("balancer", |p| &mut p.balancer_s),
    ("settle", |p| &mut p.settle_s),
];

fn pace(port: &Port, fields: &mut Fields) -> Result<Value, Refused> {
    let range = fields.required("of", fields.one_of("of", PACES)?)?;
    let least: u64 = fields.required("least", fields.number("least")?)?;
    let most: u64 = fields.required("most", fields.number("most")?)?;
    if most < least || most > LONGEST.as_secs() {
        return Err(fields.refuse("most", most));
    }
    port.act(|state| {
        let mut pace = state.world.pace().clone();
        *range(&mut pace) = least..=most;
        state.world.set_pace(pace);
    });
    Ok(json!({ "of": fields.text("of")?, "least": least, "most": most }))
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
