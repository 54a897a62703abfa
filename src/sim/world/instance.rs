//! EC2 instances: states, reasons, status checks, scheduled events, and the application that runs on them.
//!
//! The names of states and codes are AWS's own; aws-sdk types are not used, because code shared with the
//! controller would share its mistakes.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::image::platform;
use super::launch::Settings;
use super::volume::Attachment;

/// Where something lives: account and region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    /// Twelve digits.
    pub account: String,
    /// `eu-west-2`.
    pub region: String,
}

impl Scope {
    pub fn new(account: &str, region: &str) -> Self {
        Self {
            account: account.to_owned(),
            region: region.to_owned(),
        }
    }
}

/// An instance's life-cycle state, with EC2's codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

impl State {
    /// EC2's code, low byte.
    pub fn code(self) -> u16 {
        match self {
            State::Pending => 0,
            State::Running => 16,
            State::ShuttingDown => 32,
            State::Terminated => 48,
            State::Stopping => 64,
            State::Stopped => 80,
        }
    }

    /// EC2's name.
    pub fn name(self) -> &'static str {
        match self {
            State::Pending => "pending",
            State::Running => "running",
            State::ShuttingDown => "shutting-down",
            State::Terminated => "terminated",
            State::Stopping => "stopping",
            State::Stopped => "stopped",
        }
    }
}

/// Why an instance is in its state: EC2's `StateReason`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateReason {
    /// `Server.ScheduledStop`, `Client.UserInitiatedShutdown`, …
    pub code: String,
    pub message: String,
}

impl StateReason {
    /// The reason with the message that EC2 puts beside this code.
    pub fn of(code: &str) -> Self {
        let text = match code {
            "Client.UserInitiatedShutdown" => "User initiated shutdown",
            "Client.UserInitiatedHibernate" => "User initiated hibernate",
            "Client.InstanceInitiatedShutdown" => "Instance initiated shutdown",
            "Client.InstanceTerminated" => "Instance terminated",
            "Client.InternalError" => "Client error on launch",
            "Client.VolumeLimitExceeded" => "Volume limit exceeded",
            "Client.InvalidSnapshot.NotFound" => "The specified snapshot was not found",
            "Server.ScheduledStop" => "Stopped due to a scheduled retirement",
            "Server.InternalError" => "Internal error on launch",
            "Server.InsufficientInstanceCapacity" => "Insufficient instance capacity",
            "Server.SpotInstanceShutdown" => "Spot instance shutdown",
            "Server.SpotInstanceTermination" => "Spot instance termination",
            other => other,
        };
        Self {
            code: code.to_owned(),
            message: format!("{code}: {text}"),
        }
    }
}

/// One of the three status checks of a running instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    System,
    Instance,
    AttachedEbs,
}

impl Check {
    pub fn name(self) -> &'static str {
        match self {
            Check::System => "system",
            Check::Instance => "instance",
            Check::AttachedEbs => "attached EBS",
        }
    }
}

/// What a status check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckStatus {
    Ok,
    Initializing,
    InsufficientData,
    /// Failing since then.
    Impaired(Timestamp),
    /// The instance is not running.
    NotApplicable,
}

impl CheckStatus {
    /// EC2's name for the summary of the check.
    pub fn name(self) -> &'static str {
        match self {
            CheckStatus::Ok => "ok",
            CheckStatus::Initializing => "initializing",
            CheckStatus::InsufficientData => "insufficient-data",
            CheckStatus::Impaired(_) => "impaired",
            CheckStatus::NotApplicable => "not-applicable",
        }
    }

    /// EC2's name for the check's one detail; `None` where there is none to show.
    pub fn reachability(self) -> Option<&'static str> {
        match self {
            CheckStatus::Ok => Some("passed"),
            CheckStatus::Impaired(_) => Some("failed"),
            CheckStatus::Initializing => Some("initializing"),
            CheckStatus::InsufficientData => Some("insufficient-data"),
            CheckStatus::NotApplicable => None,
        }
    }
}

/// A scheduled event, as AWS announces it days ahead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledEvent {
    pub id: String,
    /// `instance-retirement`, `instance-stop`, `instance-reboot`, `system-reboot`, `system-maintenance`.
    pub code: String,
    /// Starts with `[Completed]` or `[Canceled]` once it is history.
    pub description: String,
    pub not_before: Timestamp,
    pub not_after: Option<Timestamp>,
    pub not_before_deadline: Option<Timestamp>,
}

impl ScheduledEvent {
    /// It still lies ahead.
    pub fn is_open(&self) -> bool {
        !self.description.starts_with('[')
    }
}

/// The application on an instance: what a load balancer's health check finds there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum App {
    /// Serves, once it has come up after a boot.
    Serving,
    /// Answers its health checks with an error.
    Broken,
    /// Runs, and never answers anything.
    BootsForever,
    /// Shuts its own instance down this long after each boot.
    ShutsDownAfter(Duration),
}

/// A tag's value, and since when it has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagValue {
    pub value: String,
    pub since: Timestamp,
}

/// One EC2 instance, as it really is.
#[derive(Debug, Clone)]
pub struct Instance {
    pub id: String,
    pub scope: Scope,
    /// `eu-west-2a`.
    pub zone: String,
    pub instance_type: String,
    pub image: String,
    pub private_ip: String,
    pub subnet: String,
    pub vpc: String,
    /// Network interfaces' ids by device index; 0 is the primary one's.
    pub interfaces: BTreeMap<u32, String>,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// It runs Windows.
    pub windows: bool,
    /// Those of its image: it is of a Marketplace product.
    pub product_codes: Vec<String>,
    /// Its place among the instances of one launch.
    pub launch_index: u32,
    pub settings: Settings,
    pub reservation: String,
    /// `/dev/xvda`.
    pub root_device: String,
    /// By device name. The volumes say the same.
    pub devices: BTreeMap<String, Attachment>,
    pub state: State,
    /// Since when it is in this state.
    pub state_since: Timestamp,
    /// When its last stop began.
    pub stop_began: Option<Timestamp>,
    pub reason: Option<StateReason>,
    /// EC2's `StateTransitionReason`: free text, and not to be trusted (aws-facts §1).
    pub transition_reason: String,
    pub launch_time: Timestamp,
    pub tags: BTreeMap<String, TagValue>,
    pub spot: bool,
    /// Root device: EBS, else instance store (which cannot be stopped).
    pub ebs_root: bool,
    /// The Auto Scaling group that it belongs to.
    pub group: Option<String>,
    pub system_check: CheckStatus,
    pub instance_check: CheckStatus,
    pub ebs_check: CheckStatus,
    pub events: Vec<ScheduledEvent>,
    pub app: App,
    /// The application has come up since the last boot.
    pub app_up: bool,
    /// The hardware it runs on: a number that changes with each start.
    pub host: u64,
    /// The next starts fall back to stopped, this many times.
    pub failing_starts: u32,
    /// A start that names it fails with this error code, and with it the whole batch.
    pub poison: Option<String>,
    /// Counts state changes, so that a timer set for an earlier one is recognised as stale.
    pub generation: u64,
}

impl Instance {
    /// The value of tag `key`.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags.get(key).map(|tag| tag.value.as_str())
    }

    /// Its `Name` tag, else its id: for sentences.
    pub fn name(&self) -> &str {
        self.tag("Name").unwrap_or(&self.id)
    }

    /// EC2's `PlatformDetails`, and its code for what its bill is made of.
    pub fn platform(&self) -> (&'static str, &'static str) {
        platform(self.windows)
    }

    /// How far its detailed monitoring is, in EC2's words.
    pub fn monitoring_state(&self) -> &'static str {
        let is_changing = self.settings.monitoring_changes || self.state == State::Pending;
        match (self.settings.monitoring, is_changing) {
            (true, true) => "pending",
            (true, false) => "enabled",
            (false, true) if self.settings.monitoring_changes => "disabling",
            (false, _) => "disabled",
        }
    }

    /// What a health check on it finds now.
    pub fn probe(&self) -> Probe {
        if self.state != State::Running {
            return Probe::NotRunning(self.state);
        }
        match self.app {
            _ if !self.app_up => Probe::Timeout,
            App::Serving | App::ShutsDownAfter(_) => Probe::Pass,
            App::Broken => Probe::ErrorCode,
            App::BootsForever => Probe::Timeout,
        }
    }
}

/// What a load balancer's health check finds on an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    Pass,
    ErrorCode,
    Timeout,
    NotRunning(State),
}
