//! What an account may and can do: permissions, capacity, keys, settings.

use super::fields::{Fields, Refused};
use super::{Port, Route, field};
use crate::sim::port::ACCOUNT;
use crate::sim::wire;
use crate::sim::world::{Quota, Scope};
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
    Route {
        method: "POST",
        path: "/_sim/offering",
        fields: &[
            field("zone", "an availability zone's name, such as eu-west-2a"),
            field("instance_type", "an instance type, such as m5.large"),
            field("offered", "false: the zone does not have it; true: it has it"),
        ],
        what: "Says whether a zone has an instance type at all.",
        act: offering,
    },
    Route {
        method: "POST",
        path: "/_sim/key",
        fields: &[
            field("arn", "a KMS key's ARN"),
            field(
                "disabled",
                "true: instances with volumes under it do not start; false: they do again",
            ),
        ],
        what: "Disables a KMS key, or enables it again.",
        act: key,
    },
    Route {
        method: "POST",
        path: "/_sim/quota",
        fields: &[
            field("region", "a region, such as eu-west-2"),
            field("account", "twelve digits (default 123456789012)"),
            field("vcpus", "virtual processors of On-Demand instances that run"),
            field("spot_vcpus", "likewise of Spot instances"),
            field("elastic_ips", "Elastic IP addresses"),
        ],
        what: "Sets EC2's quotas of an account in a region; those that are not named stay. What is there already stays.",
        act: quota,
    },
    Route {
        method: "POST",
        path: "/_sim/profile",
        fields: &[
            field("arn", "an instance profile's ARN"),
            field(
                "lost",
                "true: it does not exist; false: it does, as all do at the beginning",
            ),
        ],
        what: "Lets an instance profile not exist, or exist again.",
        act: profile,
    },
    Route {
        method: "POST",
        path: "/_sim/image-retention",
        fields: &[
            field("region", "a region, such as eu-west-2"),
            field("account", "twelve digits (default 123456789012)"),
            field(
                "seconds",
                "for how long images that are deregistered from now on can be restored; without it they cannot",
            ),
        ],
        what: "Sets the Recycle Bin's rule for an account's images in a region.",
        act: image_retention,
    },
    Route {
        method: "POST",
        path: "/_sim/subscription",
        fields: &[
            field("product_code", "a Marketplace product's code"),
            field("account", "twelve digits (default 123456789012)"),
        ],
        what: "Accepts the terms of a Marketplace product for an account, which may launch its images then.",
        act: subscription,
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

fn offering(port: &Port, fields: &mut Fields) -> Result<Value, Refused> {
    let zone = fields.required("zone", fields.text("zone")?)?;
    let instance_type = fields.required("instance_type", fields.text("instance_type")?)?;
    let offered = fields.required("offered", fields.flag("offered")?)?;
    port.act(|state| state.world.offer(&zone, &instance_type, offered));
    Ok(json!({ "zone": zone, "instance_type": instance_type, "offered": offered }))
}

fn key(port: &Port, fields: &mut Fields) -> Result<Value, Refused> {
    let arn = fields.required("arn", fields.text("arn")?)?;
    let disabled = fields.required("disabled", fields.flag("disabled")?)?;
    port.act(|state| state.world.disable_key(&arn, disabled));
    Ok(json!({ "arn": arn, "disabled": disabled }))
}

fn quota(port: &Port, fields: &mut Fields) -> Result<Value, Refused> {
    let region = fields.required("region", fields.text("region")?)?;
    let account = account(fields)?.unwrap_or_else(|| ACCOUNT.to_owned());
    let (vcpus, spot_vcpus) = (fields.number("vcpus")?, fields.number("spot_vcpus")?);
    let elastic_ips = fields.number("elastic_ips")?;
    let scope = Scope::new(&account, &region);
    let quota = port.act(|state| {
        let now = state.world.quota(&scope);
        let quota = Quota {
            vcpus: vcpus.unwrap_or(now.vcpus),
            spot_vcpus: spot_vcpus.unwrap_or(now.spot_vcpus),
            elastic_ips: elastic_ips.unwrap_or(now.elastic_ips),
        };
        state.world.set_quota(&scope, quota);
        quota
    });
    Ok(json!({
        "account": account, "region": region, "vcpus": quota.vcpus, "spot_vcpus": quota.spot_vcpus,
        "elastic_ips": quota.elastic_ips,
    }))
}

fn profile(port: &Port, fields: &mut Fields) -> Result<Value, Refused> {
    let arn = fields.required("arn", fields.text("arn")?)?;
    let lost = fields.required("lost", fields.flag("lost")?)?;
    port.act(|state| state.world.lose_profile(&arn, lost));
    Ok(json!({ "arn": arn, "lost": lost }))
}

fn image_retention(port: &Port, fields: &mut Fields) -> Result<Value, Refused> {
    let region = fields.required("region", fields.text("region")?)?;
    let account = account(fields)?.unwrap_or_else(|| ACCOUNT.to_owned());
    let retention = fields.seconds("seconds")?;
    let scope = Scope::new(&account, &region);
    port.act(|state| state.world.set_image_retention(&scope, retention));
    let seconds = retention.map(|retention| retention.as_secs_f64());
    Ok(json!({ "account": account, "region": region, "seconds": seconds }))
}

fn subscription(port: &Port, fields: &mut Fields) -> Result<Value, Refused> {
    let product_code = fields.required("product_code", fields.text("product_code")?)?;
    let account = account(fields)?.unwrap_or_else(|| ACCOUNT.to_owned());
    port.act(|state| state.world.subscribe(&account, &product_code));
    Ok(json!({ "account": account, "product_code": product_code }))
}
