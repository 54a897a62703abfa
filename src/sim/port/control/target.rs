//! What happens to targets behind their owner's back.

use super::fields::{Fields, Refused};
use super::instance::known;
use super::{Port, Route, field};
use crate::sim::world::World;
use serde_json::{Value, json};

pub(super) const ROUTES: &[Route] = &[Route {
    method: "POST",
    path: "/_sim/target",
    fields: &[
        field(
            "group",
            "a target group's ARN, or its name where no other account or region has one of that name",
        ),
        field("id", "an instance's id"),
        field("port", "its port (default: the group's)"),
        field("action", "register or deregister"),
    ],
    what: "Registers an instance in a target group, or deregisters it, as a person would.",
    act: target,
}];

/// Pulls a lever on an instance and a group that exist.
type Act = fn(&mut World, &str, &str, Option<u16>) -> bool;

const ACTIONS: &[(&str, Act)] = &[
    ("register", World::register_target),
    ("deregister", World::deregister_target),
];

fn target(port: &Port, fields: &mut Fields) -> Result<Value, Refused> {
    let group = fields.required("group", fields.text("group")?)?;
    let id = fields.required("id", fields.text("id")?)?;
    let on: Option<u16> = fields.number("port")?;
    let act = fields.required("action", fields.one_of("action", ACTIONS)?)?;
    port.act(|state| {
        let world = &mut state.world;
        known(world, &id)?;
        let found = world
            .target_group(&group)
            .map(|group| (group.name.clone(), group.port));
        let Some((name, usual)) = found else {
            let why =
                format!("there is no target group {group}, or more than one of that name: give its ARN");
            return Err(Refused::new(404, why));
        };
        act(world, &group, &id, on);
        let on = on.unwrap_or(usual);
        let health = world
            .target_group(&group)
            .map(|group| group.health_of(&id, on).names());
        let (state, reason, _) = health.unwrap_or_default();
        Ok(json!({ "group": name, "id": id, "port": on, "health": state, "reason": reason }))
    })
}
