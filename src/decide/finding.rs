//! Standing risks: what is wrong, or would go wrong, and is not being repaired by itself.

use crate::model::{InstanceId, ServiceName, SlotName};
use jiff::Timestamp;
use serde::Serialize;

/// One standing risk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub kind: FindingKind,
    /// Identifies it from look to look, and over restarts.
    pub key: String,
    pub service: ServiceName,
    pub slot: Option<SlotName>,
    pub instance: Option<InstanceId>,
    /// The first look that had it.
    pub since: Option<Timestamp>,
    /// What is wrong, with which object, and what that means.
    pub text: String,
    /// What somebody should do next.
    pub next: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// The image is deregistered: the instance runs, and cannot be rebuilt.
    CannotBeRebuilt,
    ImageDisabled,
    ImageNotAllowed,
    ScheduledEvent,
    MissingInstances,
    SurplusInstances,
    DisputedInstance,
    WrongAccount,
    PartialView,
    TargetGroupMissing,
    TargetGroupNotOfInstances,
    ScalingGroupMissing,
    AllTargetsUnhealthy,
    IdleSlotRuns,
    IdleSlotHasTraffic,
    /// The policy asks for a remedy that this version does not have.
    NotInThisVersion,
    StuckStopping,
    StuckDraining,
    /// A replacement could not be like the instance that it replaces.
    CannotBeCloned,
    /// It cannot be read how an instance is made.
    BlueprintUnread,
    /// A replacement that is under way stands still, because the image may be back.
    ImageUncertain,
    NoImageToLaunch,
    NowhereToLaunch,
    /// What a launch or a removal rests on could not be read.
    SupplyUnread,
    /// Another one has been launched in its place, by nobody whom this journal knows.
    LaunchedAlready,
    /// Somebody keeps taking it out of a target group.
    TakenOutAgain,
    /// A step waits for another target to become healthy.
    FloorHolds,
    Quarantined,
    PauseUnreadable,
    /// The journal holds an open request that this version cannot read.
    UnknownIntent,
    NoChannel,
}

impl FindingKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CannotBeRebuilt => "cannot-be-rebuilt",
            Self::ImageDisabled => "image-disabled",
            Self::ImageNotAllowed => "image-not-allowed",
            Self::ScheduledEvent => "scheduled-event",
            Self::MissingInstances => "missing-instances",
            Self::SurplusInstances => "surplus-instances",
            Self::DisputedInstance => "disputed-instance",
            Self::WrongAccount => "wrong-account",
            Self::PartialView => "partial-view",
            Self::TargetGroupMissing => "target-group-missing",
            Self::TargetGroupNotOfInstances => "target-group-not-of-instances",
            Self::ScalingGroupMissing => "scaling-group-missing",
            Self::AllTargetsUnhealthy => "all-targets-unhealthy",
            Self::IdleSlotRuns => "idle-slot-runs",
            Self::IdleSlotHasTraffic => "idle-slot-has-traffic",
            Self::NotInThisVersion => "not-in-this-version",
            Self::StuckStopping => "stuck-stopping",
            Self::StuckDraining => "stuck-draining",
            Self::CannotBeCloned => "cannot-be-cloned",
            Self::BlueprintUnread => "blueprint-unread",
            Self::ImageUncertain => "image-uncertain",
            Self::NoImageToLaunch => "no-image-to-launch",
            Self::NowhereToLaunch => "nowhere-to-launch",
            Self::SupplyUnread => "supply-unread",
            Self::LaunchedAlready => "launched-already",
            Self::TakenOutAgain => "taken-out-again",
            Self::FloorHolds => "floor-holds",
            Self::Quarantined => "quarantined",
            Self::PauseUnreadable => "pause-unreadable",
            Self::UnknownIntent => "unknown-intent",
            Self::NoChannel => "no-channel",
        }
    }

    /// How many looks in a row must have it before people are told: a view that was partial once is no news.
    pub fn alerts_after_looks(self) -> Option<u32> {
        match self {
            Self::SurplusInstances | Self::IdleSlotRuns | Self::NoChannel => None,
            Self::PartialView | Self::SupplyUnread | Self::BlueprintUnread => Some(5),
            Self::FloorHolds => Some(30),
            Self::TargetGroupMissing
            | Self::ScalingGroupMissing
            | Self::MissingInstances
            | Self::CannotBeCloned
            | Self::ImageUncertain
            | Self::NoImageToLaunch
            | Self::NowhereToLaunch => Some(3),
            _ => Some(1),
        }
    }

    /// Whether people are reminded of it each day while it stands (L6).
    pub fn reminds_daily(self) -> bool {
        matches!(
            self,
            Self::Quarantined | Self::PauseUnreadable | Self::UnknownIntent | Self::WrongAccount
        )
    }
}
