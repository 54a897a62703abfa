//! What happens to targets and their groups behind their owner's back.

use super::account::account;
use super::fields::{Fields, Refused};
use super::instance::known;
use super::{Port, Route, field};
use crate::sim::port::ACCOUNT;
use crate::sim::world::{Health, Scope, World};
use serde_json::{Value, json};

/// A target that flaps more often than this flaps for ever.
const FLAPS_MAX: u32 = 1_000;

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: "POST",
        path: "/_sim/target",
        fields: &[
            field(
                "group",
                "a target group's ARN, or its name where no other account or region has one of that name",
            ),
            field("id", "an instance's id"),
            field("port", "its port (default: the group's)"),
            field(
                "action",
                "register, deregister, health (it is shown so, whatever its checks find), flap, stick (its draining does not \
                 end) or unstick",
            ),
            field(
                "health",
                "for health: healthy, initial, timeout, error-code or internal-error",
            ),
            field(
                "seconds",
                "for health: how long it lasts; for flap: failed for half of so long, then passed",
            ),
            field("times", "for flap: how often, 1 to 1,000"),
        ],
        what: "Registers an instance in a target group or deregisters it as a person would, or says what is shown of it.",
        act: target,
    },
    Route {
        method: "POST",
        path: "/_sim/target-group",
        fields: &[
            field(
                "group",
                "a target group's ARN, or its name where no other account or region has one of that name",
            ),
            field("in_use", "whether a load balancer forwards to it"),
        ],
        what: "Lets a target group be in use, or not, whatever listeners there are.",
        act: target_group,
    },
    Route {
        method: "POST",
        path: "/_sim/balancing-quota",
        fields: &[
            field(
                "name",
                "a quota's name as DescribeAccountLimits shows it, such as targets-per-target-group",
            ),
            field("max", "how many; without it AWS's default again"),
            field("region", "a region, such as eu-west-2"),
            field("account", "twelve digits (default 123456789012)"),
        ],
        what: "Sets one of Elastic Load Balancing's quotas of an account in a region.",
        act: quota,
    },
];

/// What is done to an instance and a group that exist; `false`: it is not registered there.
type Lever = Box<dyn FnOnce(&mut World, &str, &str, Option<u16>) -> bool>;

/// Reads the fields that an action needs.
type Read = fn(&Fields) -> Result<Lever, Refused>;

const ACTIONS: &[(&str, Read)] = &[
    ("register", |_| Ok(Box::new(World::register_target))),
    ("deregister", |_| Ok(Box::new(World::deregister_target))),
    ("health", |fields| {
        let words = [
            ("healthy", Health::Healthy),
            ("initial", Health::InitialChecks),
            ("timeout", Health::UnhealthyTimeout),
            ("error-code", Health::UnhealthyErrorCode),
            ("internal-error", Health::UnhealthyInternalError),
        ];
        let health = fields.required("health", fields.one_of("health", &words)?)?;
        let lasting = fields.required("seconds", fields.seconds("seconds")?)?;
        Ok(Box::new(move |world, group, id, on| {
            world.set_target_health(group, id, on, health, lasting)
        }))
    }),
    ("flap", |fields| {
        let period = fields.required("seconds", fields.seconds("seconds")?)?;
        let times = fields.required("times", fields.count("times")?)?;
        if times > FLAPS_MAX {
            return Err(fields.refuse("times", times));
        }
        Ok(Box::new(move |world, group, id, on| {
            world.flap_target(group, id, on, period, times)
        }))
    }),
    ("stick", |_| {
        Ok(Box::new(|world, group, id, on| {
            world.stick_draining(group, id, on, true)
        }))
    }),
    ("unstick", |_| {
        Ok(Box::new(|world, group, id, on| {
            world.stick_draining(group, id, on, false)
        }))
    }),
];

fn target(port: &Port, fields: &mut Fields) -> Result<Value, Refused> {
    let group = fields.required("group", fields.text("group")?)?;
    let id = fields.required("id", fields.text("id")?)?;
    let on: Option<u16> = fields.number("port")?;
    let read = fields.required("action", fields.one_of("action", ACTIONS)?)?;
    let lever = read(fields)?;
    fields.finish()?;
    port.act(|state| {
        let world = &mut state.world;
        known(world, &id)?;
        let found = world
            .target_group(&group)
            .map(|group| (group.name.clone(), group.port));
        let Some((name, usual)) = found else {
            return Err(unknown_group(&group));
        };
        let number = on.unwrap_or(usual);
        if !lever(world, &group, &id, on) {
            let why = format!("{id}:{number} is not registered in {name}");
            return Err(Refused::new(409, why));
        }
        let group = world.target_group(&group);
        let (state, reason, _) = group
            .map(|group| group.health_of(&id, number).names())
            .unwrap_or_default();
        Ok(json!({ "group": name, "id": id, "port": number, "health": state, "reason": reason }))
    })
}

fn target_group(port: &Port, fields: &mut Fields) -> Result<Value, Refused> {
    let group = fields.required("group", fields.text("group")?)?;
    let in_use = fields.required("in_use", fields.flag("in_use")?)?;
    match port.act(|state| state.world.set_in_use(&group, in_use)) {
        true => Ok(json!({ "group": group, "in_use": in_use })),
        false => Err(unknown_group(&group)),
    }
}

fn unknown_group(group: &str) -> Refused {
    let why = format!("there is no target group {group}, or more than one of that name: give its ARN");
    Refused::new(404, why)
}

fn quota(port: &Port, fields: &mut Fields) -> Result<Value, Refused> {
    let name = fields.required("name", fields.text("name")?)?;
    let max: Option<usize> = fields.number("max")?;
    let region = fields.required("region", fields.text("region")?)?;
    let account = account(fields)?.unwrap_or_else(|| ACCOUNT.to_owned());
    let scope = Scope::new(&account, &region);
    match port.act(|state| state.world.set_balancing_quota(&scope, &name, max)) {
        true => Ok(json!({ "name": name, "max": max, "account": account, "region": region })),
        false => Err(fields.refuse("name", name)),
    }
}
