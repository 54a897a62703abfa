//! What happens to images behind the back of those who launch from them.

use super::account::account;
use super::fields::{Fields, Refused};
use super::{Port, Route, field};
use crate::sim::world::launch::ImageFault;
use crate::sim::world::{World, later};
use serde_json::{Value, json};

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: "POST",
        path: "/_sim/image",
        fields: &[
            field("id", "an image's id"),
            field(
                "action",
                "deregister, disable, restore, share, unshare, allow, disallow, deprecate, fail (one that is pending), break (what \
             is launched from it does not work) or mend",
            ),
            field(
                "account",
                "for share, unshare, allow and disallow (Allowed AMIs): which account, twelve digits",
            ),
            field(
                "seconds",
                "for deprecate: from so long from now (default 0); for break by shuts-down: how long after each boot",
            ),
            field(
                "fault",
                "for break: never-serves, never-boots, shuts-down or launch-fails",
            ),
            field(
                "code",
                "for break by launch-fails: the state reason's code (default Server.InternalError)",
            ),
        ],
        what: "Deregisters, disables, restores or breaks an image, or changes who may use it.",
        act: image,
    },
    Route {
        method: "POST",
        path: "/_sim/snapshot",
        fields: &[field("id", "the id of a snapshot that is pending")],
        what: "Lets a snapshot fail.",
        act: snapshot,
    },
];

/// What is done to an image that exists.
type Lever = Box<dyn FnOnce(&mut World, &str) -> bool>;

/// Reads the fields that an action needs.
type Read = fn(&Fields) -> Result<Lever, Refused>;

const ACTIONS: &[(&str, Read)] = &[
    ("deregister", |_| Ok(Box::new(World::deregister_image))),
    ("disable", |_| Ok(Box::new(World::disable_image))),
    ("restore", |_| Ok(Box::new(World::restore_image))),
    ("share", |fields| of_account(fields, World::share_image, true)),
    ("unshare", |fields| of_account(fields, World::share_image, false)),
    ("allow", |fields| of_account(fields, World::allow_image, true)),
    ("disallow", |fields| of_account(fields, World::allow_image, false)),
    ("fail", |_| Ok(Box::new(World::fail_image))),
    ("break", |fields| {
        let fault = image_fault(fields)?;
        Ok(Box::new(move |world, id| {
            world.break_image(id, Some(fault));
            true
        }))
    }),
    ("mend", |_| {
        Ok(Box::new(|world, id| {
            world.break_image(id, None);
            true
        }))
    }),
    ("deprecate", |fields| {
        let after = fields.seconds("seconds")?.unwrap_or_default();
        Ok(Box::new(move |world, id| {
            world.deprecate_image(id, later(world.now(), after))
        }))
    }),
];

fn image_fault(fields: &Fields) -> Result<ImageFault, Refused> {
    let words = [
        ("never-serves", 0),
        ("never-boots", 1),
        ("shuts-down", 2),
        ("launch-fails", 3),
    ];
    Ok(match fields.required("fault", fields.one_of("fault", &words)?)? {
        0 => ImageFault::NeverServes,
        1 => ImageFault::NeverBoots,
        2 => {
            let after = fields.required("seconds", fields.seconds("seconds")?)?;
            ImageFault::ShutsDownAfter(after)
        }
        _ => {
            let code = fields.text("code")?;
            ImageFault::LaunchFails(code.unwrap_or_else(|| "Server.InternalError".to_owned()))
        }
    })
}

fn of_account(
    fields: &Fields,
    lever: fn(&mut World, &str, &str, bool) -> bool,
    on: bool,
) -> Result<Lever, Refused> {
    let account = fields.required("account", account(fields)?)?;
    Ok(Box::new(move |world, id| lever(world, id, &account, on)))
}

fn snapshot(port: &Port, fields: &mut Fields) -> Result<Value, Refused> {
    let id = fields.required("id", fields.text("id")?)?;
    match port.act(|state| state.world.fail_snapshot(&id)) {
        true => Ok(json!({ "id": id, "state": "error" })),
        false => Err(Refused::new(409, format!("{id} is no snapshot that is pending"))),
    }
}

fn image(port: &Port, fields: &mut Fields) -> Result<Value, Refused> {
    let id = fields.required("id", fields.text("id")?)?;
    let read = fields.required("action", fields.one_of("action", ACTIONS)?)?;
    let lever = read(fields)?;
    fields.finish()?;
    port.act(|state| {
        let world = &mut state.world;
        if world.image(&id).is_none() {
            return Err(Refused::new(404, format!("there is no image {id}")));
        }
        if !lever(world, &id) {
            let why = format!("{id} is not in the state for this");
            return Err(Refused::new(409, why));
        }
        Ok(json!({ "id": id, "now": world.now().to_string() }))
    })
}
