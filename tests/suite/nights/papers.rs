//! A service written down twice, each from the drawn data alone: as the policy file that the controller reads, and as
//! what the oracles are told. Neither is derived from the other.

use super::fleet::{
    Fleet, HOOK, Operator, Place, ROLE, Select, Service, Slot, group_name, scaling_group, service_name,
    slot_name, tags_of,
};
use super::replacing::Replacing;
use keepgreen::sim::oracle;
use std::fmt::Write as _;
use std::time::Duration;

/// The name of the one channel.
pub const CHANNEL: &str = "ops";

pub fn file_name(service: usize) -> String {
    format!("{}.yaml", service_name(service))
}

/// The policy file. `pause` is its `pause:` value, if it has one.
pub fn policy(fleet: &Fleet, number: usize, service: &Service, pause: Option<&str>) -> String {
    let mut text = format!("service: {}\n", service_name(number));
    let scope = service.place.scope();
    if service.says_where || service.place == Place::OtherAccount {
        let _ = writeln!(text, "account: \"{}\"", scope.account);
    }
    if service.says_where || service.place == Place::OtherRegion {
        let _ = writeln!(text, "region: {}", scope.region);
    }
    if service.place == Place::OtherAccount {
        let _ = writeln!(text, "role: {ROLE}");
    }
    if let Some(pause) = pause {
        let _ = writeln!(text, "pause: {pause}");
    }
    text.push_str("slots:\n");
    for (index, slot) in service.slots.iter().enumerate() {
        text.push_str(&slot_text(fleet, number, index, slot));
    }
    let stopped = if service.starts_stopped { "start" } else { "alert" };
    let operator = match service.operator {
        Operator::Start => "start",
        Operator::Respect => "respect",
        Operator::Alert => "alert",
    };
    let deregistered = match service.registers_after_s {
        Some(_) => "register",
        None => "alert",
    };
    let (choices, graces) = service
        .replace
        .as_ref()
        .map_or_else(Default::default, |replace| (replace.choices(), replace.graces()));
    let _ = writeln!(
        text,
        "heal: {{ stopped: {stopped}, stopped_by_operator: {operator}, deregistered: {deregistered}{choices} }}"
    );
    let _ = writeln!(
        text,
        "grace: {{ boot: {}s, operator_stop: {}s, deregistered: {}s{graces} }}",
        service.boot_s,
        service.operator_grace_s,
        service.registers_after_s.unwrap_or(900)
    );
    if let Some(replace) = &service.replace {
        let _ = writeln!(text, "replace: {}", replace.text(service.place));
    }
    let _ = writeln!(
        text,
        "limits: {{ attempts: {}, attempts_per_day: {}, cooldown: {}s }}",
        service.attempts, service.attempts_per_day, service.cooldown_s
    );
    if service.told {
        let _ = writeln!(text, "notify: [{CHANNEL}]");
    }
    text
}

fn slot_text(fleet: &Fleet, service: usize, index: usize, slot: &Slot) -> String {
    let select = match slot.select {
        Select::Name | Select::Tags => {
            let tags = tags_of(service, slot.of, slot.select);
            let tags: Vec<String> = tags
                .iter()
                .map(|(key, value)| format!("{key}: \"{value}\""))
                .collect();
            format!("tags: {{ {} }}", tags.join(", "))
        }
        Select::Ids => format!("instance_ids: [{}]", ids_of(fleet, service, slot.of).join(", ")),
        Select::ScalingGroup => format!("auto_scaling_group: {}", scaling_group(service, slot.of)),
    };
    let state = if slot.idle { "stopped" } else { "running" };
    let groups: Vec<String> = slot
        .groups
        .iter()
        .map(|wanted| {
            let mut text = format!("{{ name: {}", group_name(wanted.group));
            if let Some(port) = wanted.port {
                let _ = write!(text, ", port: {port}");
            }
            if let Some(floor) = fleet.groups[wanted.group].min_healthy {
                let _ = write!(text, ", min_healthy: {floor}");
            }
            text + " }"
        })
        .collect();
    let (name, count) = (slot_name(index), slot.count);
    format!(
        "  {name}: {{ select: {{ {select} }}, count: {count}, state: {state}, target_groups: [{}] }}\n",
        groups.join(", ")
    )
}

fn ids_of(fleet: &Fleet, service: usize, of: usize) -> Vec<String> {
    let servers = fleet.servers.iter().enumerate();
    servers
        .filter(|(_, server)| server.service == service && server.of == of)
        .map(|(number, _)| Fleet::id(number))
        .collect()
}

/// The same service, for the oracles.
pub fn declared(fleet: &Fleet, number: usize, service: &Service) -> oracle::Service {
    let slots = service.slots.iter().enumerate().map(|(index, slot)| {
        let select = match slot.select {
            Select::Name | Select::Tags => {
                oracle::Select::Tags(tags_of(number, slot.of, slot.select).into_iter().collect())
            }
            Select::Ids => oracle::Select::Ids(ids_of(fleet, number, slot.of)),
            Select::ScalingGroup => oracle::Select::Group(scaling_group(number, slot.of)),
        };
        let groups = slot.groups.iter().map(|wanted| oracle::Membership {
            group: group_name(wanted.group),
            port: wanted.port,
            min_healthy: fleet.groups[wanted.group].min_healthy.map(count),
        });
        oracle::Slot {
            name: slot_name(index).to_owned(),
            select,
            idle: slot.idle,
            count: count(slot.count),
            groups: groups.collect(),
        }
    });
    let operator_stop = match service.operator {
        Operator::Start => {
            oracle::OperatorStop::StartAfter(Duration::from_secs(service.operator_grace_s.into()))
        }
        Operator::Respect | Operator::Alert => oracle::OperatorStop::Leave,
    };
    let after = |grace_s: fn(&Replacing) -> Option<u32>| {
        let grace_s = service.replace.as_ref().and_then(grace_s);
        grace_s.map(|s| Duration::from_secs(s.into()))
    };
    let says_account = service.says_where || service.place == Place::OtherAccount;
    oracle::Service {
        name: service_name(number),
        scope: service.place.scope(),
        account: says_account.then(|| service.place.scope().account),
        slots: slots.collect(),
        starts_stopped: service.starts_stopped,
        operator_stop,
        attempts: count(service.attempts),
        attempts_per_day: count(service.attempts_per_day),
        max_concurrent: 1,
        min_healthy: 1,
        cooldown: Duration::from_secs(service.cooldown_s.into()),
        // This version does nothing about any other ailment.
        heal: oracle::Heal {
            image_gone: after(|replace| replace.image_gone_s),
            missing: after(|replace| replace.missing_s),
            ..oracle::Heal::default()
        },
        replace: service.replace.as_ref().map(|replace| oracle::Replace {
            keep_elastic_ip: true,
            keep_data_volumes: true,
            keep_network_interface: false,
            terminates_old: replace.terminates,
            retain: None,
        }),
        channel: service.told.then(|| HOOK.to_owned()),
    }
}

fn count(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}
