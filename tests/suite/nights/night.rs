//! A night as data: what there is, how the controller is run, and everything that goes wrong, each at its second.
//!
//! Whatever a disturbance begins it ends by itself, so that any subset of a night's disturbances is a night as well.

use super::fleet::{Fleet, Place, StopBy};
use super::replacing::Made;
use keepgreen::model::Mutant;
use keepgreen::sim::CrashPhase;

#[derive(Clone, Debug, PartialEq)]
pub struct Night {
    /// Of the world's own course: how long things take.
    pub seed: u64,
    pub fleet: Fleet,
    pub settings: Settings,
    /// After so long every fault is over, and quiet begins.
    pub storm_s: u32,
    pub disturbances: Vec<Disturbance>,
    /// A deliberate bug of the controller's own.
    pub bug: Option<Mutant>,
}

/// The config file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    pub interval_s: u32,
    pub mutations_per_hour: u32,
    /// There is a pause parameter.
    pub parameter: bool,
    /// There is a channel to tell people by.
    pub channel: bool,
    /// There is a heartbeat.
    pub heartbeat: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Disturbance {
    pub at_s: u32,
    pub what: What,
}

/// Servers, services, zones and target groups by their places in the fleet.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    Stop {
        server: usize,
        by: StopBy,
    },
    StopAll {
        by: StopBy,
    },
    /// A zone of the home region loses its capacity and everything in it, for a while.
    ZoneOutage {
        zone: usize,
        lasts_s: u32,
    },
    PersonStarts {
        server: usize,
    },
    PersonTerminates {
        server: usize,
    },
    AwsTerminates {
        server: usize,
    },
    /// The image of a few is gone for good.
    ImageIsLost {
        place: Place,
    },
    /// What is launched from the image to launch from is no good.
    BadImage {
        place: Place,
        fault: Flaw,
        lasts_s: u32,
    },
    /// What was launched in this server's place, if anything was, meets this so long after its launch.
    Newcomer {
        of: usize,
        age_s: u32,
        fate: Fate,
    },
    Retag {
        server: usize,
        tag: Tag,
        lasts_s: u32,
    },
    Deregister {
        group: usize,
        server: usize,
    },
    Image {
        made: Made,
        what: ImageChange,
        lasts_s: u32,
    },
    Retire {
        server: usize,
        after_s: u32,
        code: EventCode,
    },
    Impair {
        server: usize,
        system: bool,
        lasts_s: u32,
    },
    Application {
        server: usize,
        app: Trouble,
        lasts_s: u32,
    },
    StartsFail {
        server: usize,
        times: u32,
    },
    Poison {
        server: usize,
        lasts_s: u32,
    },
    NoCapacity {
        zone: usize,
        lasts_s: u32,
    },
    Call {
        which: Calls,
        fault: CallFault,
        lasts_s: u32,
    },
    Stale {
        reads_s: u32,
        own_writes_s: u32,
        lasts_s: u32,
    },
    Hide {
        server: usize,
        lasts_s: u32,
    },
    Deny {
        action: Action,
        lasts_s: u32,
    },
    Pause {
        by: PauseBy,
        lasts_s: u32,
    },
    Edit {
        service: usize,
        edit: Edit,
    },
    /// The process dies at this call, and is started again after a while.
    Crash {
        at: Action,
        after: u32,
        phase: CrashPhase,
        down_s: u32,
    },
    /// The process dies now.
    Kill {
        down_s: u32,
    },
    Restart {
        down_s: u32,
    },
    /// The machine is lost, and another one takes over its folder after a while.
    Failover {
        down_s: u32,
    },
    /// The loop stands still, and nothing beside it.
    Stall {
        for_s: u32,
    },
    /// Somebody ends the quarantines of a service.
    Resume {
        service: usize,
    },
    /// Somebody looks at what would be done.
    Plan,
    WallClock {
        forward_s: i32,
        lasts_s: u32,
    },
    Suspend {
        for_s: u32,
    },
    DiskFull {
        lasts_s: u32,
    },
    Webhook {
        answer: Hook,
        lasts_s: u32,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tag {
    /// Its own tags are gone.
    Lost,
    /// It gets those of this service and number as well.
    Taken(usize, usize),
    /// `keepgreen:pause`, without end.
    Paused,
    /// `keepgreen:pause`, for so many seconds.
    PausedFor(u32),
    /// `keepgreen:retired`.
    Retired,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ImageChange {
    Deregistered,
    Disabled,
    NotAllowed,
}

/// What is wrong with whatever is launched from an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Flaw {
    NeverServes,
    NeverBoots,
    ShutsDownAfter(u32),
    LaunchFails,
}

/// What can happen to an instance that was launched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fate {
    Stops(StopBy),
    PersonTerminates,
    AwsTerminates,
    Breaks,
    IsImpaired,
    LosesItsTags,
    IsPaused,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum EventCode {
    Retirement,
    Stop,
    Reboot,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trouble {
    Broken,
    BootsForever,
    ShutsDownAfter(u32),
}

/// Which calls a fault is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calls {
    pub action: Action,
    /// Only those that name this server.
    pub about: Option<usize>,
    pub whereto: Whereto,
    pub after: u32,
    pub times: Option<u32>,
}

/// Where calls go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Whereto {
    Anywhere,
    OtherRegion,
    OtherAccount,
    /// Messages to people, whatever the action.
    Channel,
}

/// What can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Any,
    GetCallerIdentity,
    AssumeRole,
    DescribeInstances,
    DescribeInstanceStatus,
    DescribeInstanceImageMetadata,
    DescribeImages,
    DescribeTargetGroups,
    DescribeTargetHealth,
    GetParameters,
    StartInstances,
    RunInstances,
    RegisterTargets,
    DeregisterTargets,
    StopInstances,
    TerminateInstances,
    CreateTags,
    ModifyInstanceAttribute,
    DescribeSubnets,
    DescribeInstanceTypes,
    DescribeInstanceTypeOfferings,
    DescribeTargetGroupAttributes,
    DescribeInstanceAttribute,
    DescribeVolumes,
}

impl Action {
    pub const ALL: [Action; 11] = [
        Self::Any,
        Self::GetCallerIdentity,
        Self::AssumeRole,
        Self::DescribeInstances,
        Self::DescribeInstanceStatus,
        Self::DescribeInstanceImageMetadata,
        Self::DescribeImages,
        Self::DescribeTargetGroups,
        Self::DescribeTargetHealth,
        Self::GetParameters,
        Self::StartInstances,
    ];

    /// What each start takes.
    pub const OF_A_START: [Action; 4] = [
        Self::StartInstances,
        Self::GetParameters,
        Self::GetParameters,
        Self::DescribeInstances,
    ];

    /// What each replacement changes, in this order.
    pub const OF_A_REPLACEMENT: [Action; 7] = [
        Self::RunInstances,
        Self::RegisterTargets,
        Self::DeregisterTargets,
        Self::StopInstances,
        Self::TerminateInstances,
        Self::CreateTags,
        Self::ModifyInstanceAttribute,
    ];

    /// What a replacement has to know besides.
    pub const KNOWN_BEFORE_A_LAUNCH: [Action; 6] = [
        Self::DescribeSubnets,
        Self::DescribeInstanceTypes,
        Self::DescribeInstanceTypeOfferings,
        Self::DescribeTargetGroupAttributes,
        Self::DescribeInstanceAttribute,
        Self::DescribeVolumes,
    ];

    /// `None`: every one.
    pub fn name(self) -> Option<String> {
        (self != Self::Any).then(|| format!("{self:?}"))
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CallFault {
    Throttled,
    NotAuthorised,
    NoCapacity,
    Quota,
    InvalidState,
    NotFound,
    Permanent,
    Unavailable,
    ExpiredCredentials,
    /// There is no throttled one of this kind: AWS turns such a request away before it does anything.
    BusyAfterEffect,
    UnavailableAfterEffect,
    Html,
    Hang,
    AppliedNoAnswer,
    AppliedReset,
    NothingDone,
    ImageGone,
    TokenMismatch,
    TokenOfTerminated,
    ConnectionRefused,
    ConnectHang,
    NoSuchHost,
    Slow(u32),
    Stale(u32),
    Empty,
    Unheard(Word),
    Truncated,
}

/// A word of AWS's that is replaced by one that nobody has heard of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Word {
    Running,
    Stopped,
    Stopping,
    Healthy,
    Ok,
    Available,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PauseBy {
    File,
    ServiceFile(usize),
    Parameter,
    ServiceParameter(usize),
    Policy(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Edit {
    /// The first two slots swap what they select.
    Swap,
    Idle {
        slot: usize,
    },
    OperatorStart,
    OperatorRespect,
    Stopped {
        start: bool,
    },
    /// `heal.image_gone` and `heal.missing`.
    Replaces {
        on: bool,
    },
    /// `heal.deregistered`.
    Registers {
        on: bool,
    },
    /// A limit is changed; a change of the policy ends quarantines.
    Attempts(u32),
    /// For a while it cannot be read.
    Broken {
        how: Breakage,
        lasts_s: u32,
    },
    Deleted {
        lasts_s: u32,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Breakage {
    NotYaml,
    UnknownKey,
    BadValue,
    Empty,
    /// Broken, and `pause: true` in it.
    Paused,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Hook {
    TooManyRequests,
    ServerError,
    Redirect,
    Hang,
    Slow,
}

impl Night {
    /// The same night with these of its disturbances alone.
    pub fn only(&self, kept: &[usize]) -> Self {
        let disturbances = kept.iter().filter_map(|n| self.disturbances.get(*n).cloned());
        Self {
            disturbances: disturbances.collect(),
            ..self.clone()
        }
    }

    /// As Rust, to be pasted into a test.
    pub fn as_rust(&self) -> String {
        format!("{self:#?}").replace('[', "vec![")
    }
}
