//! What happens to images behind the back of those who launch from them.

use super::account::account;
use super::fields::{Fields, Refused};
use super::{Port, Route, field};
use crate::sim::world::{World, later};
use serde_json::{Value, json};

pub(super) const ROUTES: &[Route] = &[Route {
    method: "POST",
    path: "/_sim/image",
    fields: &[
        field("id", "an image's id"),
        field(
            "action",
            "deregister, disable, restore, share, unshare, allow, disallow, deprecate or fail (one that is pending)",
        ),
        field(
            "account",
            "for share, unshare, allow and disallow (Allowed AMIs): which account, twelve digits",
        ),
        field("seconds", "for deprecate: from so long from now (default 0)"),
    ],
    what: "Deregisters, disables or restores an image, or changes who may use it.",
    act: image,
}];

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
    ("deprecate", |fields| {
        let after = fields.seconds("seconds")?.unwrap_or_default();
        Ok(Box::new(move |world, id| {
            world.deprecate_image(id, later(world.now(), after))
        }))
    }),
];

fn of_account(
    fields: &Fields,
    lever: fn(&mut World, &str, &str, bool) -> bool,
    on: bool,
) -> Result<Lever, Refused> {
    let account = fields.required("account", account(fields)?)?;
    Ok(Box::new(move |world, id| lever(world, id, &account, on)))
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
