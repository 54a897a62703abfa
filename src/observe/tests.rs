//! Builders of policies for the tests of this folder.

use crate::policy::{
    Grace, Heal, Limits, Maintenance, OnDeregistered, OnImpaired, OnOperatorStop, OnReplaceable,
    OnScheduledEvent, OnStopped, Policy, PolicyPause, Selector, Slot, SlotState, SlotTargetGroup,
};
use std::collections::BTreeMap;
use std::time::Duration;

pub fn slot(select: Selector) -> Slot {
    Slot {
        select,
        count: 1,
        state: SlotState::Running,
        target_groups: Vec::new(),
    }
}

pub fn named(name: &str) -> Selector {
    Selector::Tags(BTreeMap::from([("Name".to_owned(), name.to_owned())]))
}

pub fn serving(name: &str, groups: &[&str]) -> Slot {
    let group = |name: &&str| SlotTargetGroup {
        name: (*name).to_owned(),
        port: None,
        min_healthy: None,
    };
    Slot {
        target_groups: groups.iter().map(group).collect(),
        ..slot(named(name))
    }
}

pub fn policy(service: &str, slots: Vec<Slot>) -> Policy {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    Policy {
        service: service.into(),
        description: None,
        owner: None,
        account: None,
        region: None,
        role: None,
        pause: PolicyPause::Off,
        slots: slots
            .into_iter()
            .enumerate()
            .map(|(n, slot)| (format!("slot-{n}").as_str().into(), slot))
            .collect(),
        heal: Heal {
            stopped: OnStopped::Start,
            stopped_by_operator: OnOperatorStop::Start,
            deregistered: OnDeregistered::Alert,
            impaired_system: OnImpaired::Relocate,
            impaired_instance: OnImpaired::Reboot,
            unhealthy: OnImpaired::Alert,
            scheduled_event: OnScheduledEvent::Relocate,
            image_gone: OnReplaceable::Replace,
            missing: OnReplaceable::Replace,
            force_stop: false,
        },
        grace: Grace {
            boot: minutes(10),
            operator_stop: minutes(15),
            deregistered: minutes(15),
            impaired_system: minutes(15),
            impaired_instance: minutes(5),
            unhealthy: minutes(5),
            image_gone: minutes(24 * 60),
            missing: minutes(5),
            lead: minutes(24 * 60),
        },
        replace: None,
        limits: Limits {
            min_healthy: 1,
            max_concurrent: 1,
            attempts: 3,
            attempts_per_day: 6,
            cooldown: minutes(2),
        },
        maintenance: Maintenance::Always,
        notify: Vec::new(),
        version: "v1".into(),
        file: format!("{service}.yaml"),
    }
}
