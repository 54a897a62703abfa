//! What happens to instances behind their owner's back.

use super::fields::{Fields, Refused};
use super::{Port, Route, field};
use crate::sim::world::{App, Check, World, later};
use serde_json::{Value, json};
use std::time::Duration;

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: "POST",
        path: "/_sim/instance",
        fields: &[
            field("id", "an instance's id"),
            field(
                "action",
                "stop, start, terminate, reboot, impair, mend, app, fail-starts, poison, hide, vanish (one that is terminated, \
                 long before its time), retag, protect or encrypt-root",
            ),
            field("by", "for stop: aws (the default), person or guest"),
            field(
                "code",
                "for stop by aws: the state reason's code (default Server.ScheduledStop); for poison: the error's code, without \
                 it the poison ends",
            ),
            field("check", "for impair and mend: system, instance or attached-ebs"),
            field("app", "for app: serving, broken, boots-forever or shuts-down"),
            field(
                "seconds",
                "for app shuts-down: how long after each boot; for hide: for how long",
            ),
            field("times", "for fail-starts: how many starts, from 0"),
            field("key", "for retag: the tag's key"),
            field(
                "value",
                "for retag: the tag's value; without it the tag is deleted",
            ),
            field("termination", "for protect: whether it can not be terminated"),
            field("stop", "for protect: whether it can not be stopped"),
            field(
                "kms_key",
                "for encrypt-root: the ARN of the key of its root volume",
            ),
        ],
        what: "Does something to an instance as AWS, a person or its own guest would.",
        act: instance,
    },
    Route {
        method: "POST",
        path: "/_sim/event",
        fields: &[
            field("id", "an instance's id"),
            field(
                "code",
                "instance-retirement, instance-stop, instance-reboot, system-reboot or system-maintenance",
            ),
            field("seconds", "AWS carries it out so long from now"),
            field("at", "or at this RFC 3339 time"),
            field(
                "deadline_seconds",
                "until so long from now its start can be put off by ModifyInstanceEventStartTime (default: it cannot)",
            ),
            field(
                "cancel",
                "instead of the others: the id of an event that is called off",
            ),
        ],
        what: "Announces a scheduled event of an instance, which is carried out at its time, or calls one off.",
        act: event,
    },
];

/// What is done to an instance that exists; `false`: it is not in the state for it.
type Lever = Box<dyn FnOnce(&mut World, &str) -> bool>;

/// Reads the fields that an action needs.
type Read = fn(&Fields) -> Result<Lever, Refused>;

const ACTIONS: &[(&str, Read)] = &[
    ("stop", stop),
    ("start", |_| Ok(Box::new(World::start_by_person))),
    ("terminate", |_| Ok(Box::new(World::terminate))),
    ("reboot", |_| Ok(Box::new(World::reboot_by_person))),
    ("impair", |fields| {
        let check = check(fields)?;
        Ok(Box::new(move |world, id| world.impair(id, check)))
    }),
    ("mend", |fields| {
        let check = check(fields)?;
        Ok(Box::new(move |world, id| world.mend(id, check)))
    }),
    ("app", |fields| {
        let app = app(fields)?;
        Ok(Box::new(move |world, id| world.set_app(id, app)))
    }),
    ("fail-starts", |fields| {
        let times = fields.required("times", fields.number("times")?)?;
        Ok(Box::new(move |world, id| world.fail_start(id, times)))
    }),
    ("poison", |fields| {
        let code = fields.text("code")?;
        Ok(Box::new(move |world, id| world.poison(id, code.as_deref())))
    }),
    ("hide", |fields| {
        let length = fields.required("seconds", fields.seconds("seconds")?)?;
        Ok(Box::new(move |world, id| {
            world.hide_instance(id, later(world.now(), length));
            true
        }))
    }),
    ("vanish", |_| Ok(Box::new(World::vanish))),
    ("protect", |fields| {
        let termination = fields.required("termination", fields.flag("termination")?)?;
        let stop = fields.required("stop", fields.flag("stop")?)?;
        Ok(Box::new(move |world, id| world.protect(id, termination, stop)))
    }),
    ("encrypt-root", |fields| {
        let key = fields.required("kms_key", fields.text("kms_key")?)?;
        Ok(Box::new(move |world, id| world.encrypt_root(id, &key)))
    }),
    ("retag", |fields| {
        let key = fields.required("key", fields.text("key")?)?;
        let value = fields.any_text("value")?;
        Ok(Box::new(move |world, id| world.retag(id, &key, value.as_deref())))
    }),
];

fn instance(port: &Port, fields: &mut Fields) -> Result<Value, Refused> {
    let id = fields.required("id", fields.text("id")?)?;
    let read = fields.required("action", fields.one_of("action", ACTIONS)?)?;
    let lever = read(fields)?;
    fields.finish()?;
    port.act(|state| {
        let world = &mut state.world;
        known(world, &id)?;
        let is_done = lever(world, &id);
        let state = world.instance(&id).map_or("gone", |i| i.state.name());
        if !is_done {
            let why = format!("{id} is {state}: this cannot be done to it now");
            return Err(Refused::new(409, why));
        }
        Ok(json!({ "id": id, "state": state, "now": world.now().to_string() }))
    })
}

fn stop(fields: &Fields) -> Result<Lever, Refused> {
    let by = fields.one_of("by", &[("aws", 0), ("person", 1), ("guest", 2)])?;
    match by.unwrap_or(0) {
        0 => {
            let code = fields.text("code")?;
            let code = code.unwrap_or_else(|| "Server.ScheduledStop".to_owned());
            Ok(Box::new(move |world, id| world.stop_by_aws(id, &code)))
        }
        1 => Ok(Box::new(World::stop_by_person)),
        _ => Ok(Box::new(World::stop_by_guest)),
    }
}

fn check(fields: &Fields) -> Result<Check, Refused> {
    let words = [
        ("system", Check::System),
        ("instance", Check::Instance),
        ("attached-ebs", Check::AttachedEbs),
    ];
    fields.required("check", fields.one_of("check", &words)?)
}

fn app(fields: &Fields) -> Result<App, Refused> {
    let words = [
        ("serving", App::Serving),
        ("broken", App::Broken),
        ("boots-forever", App::BootsForever),
        ("shuts-down", App::ShutsDownAfter(Duration::ZERO)),
    ];
    match fields.required("app", fields.one_of("app", &words)?)? {
        App::ShutsDownAfter(_) => {
            let after = fields.required("seconds", fields.seconds("seconds")?)?;
            Ok(App::ShutsDownAfter(after))
        }
        app => Ok(app),
    }
}

/// 404 for an instance that nobody knows.
pub(super) fn known(world: &World, id: &str) -> Result<(), Refused> {
    match world.instance(id) {
        Some(_) => Ok(()),
        None => Err(Refused::new(404, format!("there is no instance {id}"))),
    }
}

const EVENTS: [&str; 5] = [
    "instance-retirement",
    "instance-stop",
    "instance-reboot",
    "system-reboot",
    "system-maintenance",
];

fn event(port: &Port, fields: &mut Fields) -> Result<Value, Refused> {
    let id = fields.required("id", fields.text("id")?)?;
    if let Some(event) = fields.text("cancel")? {
        fields.finish()?;
        return port.act(|state| {
            known(&state.world, &id)?;
            match state.world.cancel_event(&id, &event) {
                true => Ok(json!({ "id": id, "cancelled": event })),
                false => Err(Refused::new(404, format!("{id} has no open event {event}"))),
            }
        });
    }
    let code = fields.required("code", fields.one_of("code", &EVENTS.map(|code| (code, code)))?)?;
    let (after, at) = (fields.seconds("seconds")?, fields.time("at")?);
    let deadline = fields.seconds("deadline_seconds")?;
    fields.finish()?;
    port.act(|state| {
        let world = &mut state.world;
        known(world, &id)?;
        let at = match (after, at) {
            (Some(after), None) => later(world.now(), after),
            (None, Some(at)) if at >= world.now() => at,
            (None, Some(at)) => return Err(fields.refuse("at", format!("{at}, which is past"))),
            _ => return Err(Refused::new(400, "expected: either seconds or at")),
        };
        let event = world.schedule_event(&id, code, at);
        if let Some(deadline) = deadline {
            let deadline = later(world.now(), deadline);
            world.set_event_deadline(&id, &event, deadline);
        }
        Ok(json!({ "id": id, "event": event, "code": code, "not_before": at.to_string() }))
    })
}
