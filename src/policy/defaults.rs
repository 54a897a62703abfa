//! The value of every key that may be left out, once: the decoder fills it in and the schema shows it.

use super::types::{
    Grace, Heal, Keep, Limits, OldInstance, OnDeregistered, OnImpaired, OnOperatorStop, OnReplaceable,
    OnScheduledEvent, OnStopped, RescueImage, SlotState,
};
use std::time::Duration;

pub(super) const COUNT: u32 = 1;
pub(super) const STATE: SlotState = SlotState::Running;
pub(super) const IMAGE_OWNER: &str = "self";
pub(super) const TEMPLATE_VERSION: &str = "$Default";
pub(super) const OLD_INSTANCE: OldInstance = OldInstance::Stop;

pub(super) const HEAL: Heal = Heal {
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
};

pub(super) const GRACE: Grace = Grace {
    boot: minutes(10),
    operator_stop: minutes(15),
    deregistered: minutes(15),
    impaired_system: minutes(15),
    impaired_instance: minutes(5),
    unhealthy: minutes(5),
    image_gone: hours(24),
    missing: minutes(5),
    lead: hours(24),
};

pub(super) const KEEP: Keep = Keep {
    elastic_ip: true,
    data_volumes: true,
    network_interface: false,
};

pub(super) const RESCUE_IMAGE: RescueImage = RescueImage {
    every: hours(7 * 24),
    keep: 2,
};

pub(super) const LIMITS: Limits = Limits {
    min_healthy: 1,
    max_concurrent: 1,
    attempts: 3,
    attempts_per_day: 6,
    cooldown: minutes(2),
};

/// Of the config file.
pub(super) mod config {
    use super::minutes;
    use std::time::Duration;

    pub const POLICIES: &str = "policies";
    pub const STATE: &str = "./state";
    pub const INTERVAL: Duration = minutes(1);
    pub const LISTEN: &str = "127.0.0.1:9180";
    pub const MAX_CONCURRENT: u32 = 4;
    pub const MUTATIONS_PER_HOUR: u32 = 60;
    pub const BREAKER_PERCENT: u32 = 20;
    pub const BREAKER_AT_LEAST: u32 = 3;
    pub const HEARTBEAT_EVERY: Duration = minutes(1);
}

const fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

const fn hours(n: u64) -> Duration {
    minutes(n * 60)
}
