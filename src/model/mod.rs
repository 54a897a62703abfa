//! The words of the program as types: what exists in AWS, what was seen of it, what is remembered, what may be
//! done. No I/O, no clock, no SDK types; everything here can be written down and compared.
//!
//! Every enumeration that AWS may extend has an `Unknown` member that carries AWS's own word: an unknown member is
//! never taken for a known one, and never justifies an act (S10).

mod blueprint;
mod error;
mod ids;
mod instance;
mod intent;
mod launch;
mod memory;
pub mod mutant;
mod notice;
mod observation;
mod pause;
mod replacement;
mod supply;
pub mod tags;
mod target;
mod time;

pub use blueprint::{Blueprint, IdRecords, MetadataOptions, RootVolume, Uncarried, UncarriedKind, UserData};
pub use error::{AwsError, ErrorClass};
pub use ids::{
    AccountId, ChannelName, ImageId, InstanceId, IntentId, PolicyVersion, Region, RepairId, ServiceName,
    SlotName, TargetGroupArn, Zone,
};
pub use instance::{
    CheckState, EventCode, ImageListing, ImageMetadata, ImageState, Instance, InstanceState, Lifecycle,
    RootDevice, ScheduledEvent, StateReason, StatusChecks, StoppedBy,
};
pub use intent::{Intent, IntentState, JournaledIntent, Outcome, RepairOf, StartOf, Step, TargetStep};
pub use launch::{CloneOf, Launch, LaunchForm};
pub use memory::{
    Ailment, AilmentKind, Attempt, AttemptEnd, HeldBack, Incident, InstanceMemory, Lost, Registration, Retry,
    ServiceMemory, Standing, Timer,
};
pub use mutant::Mutant;
pub use notice::{Notice, NoticeKind};
pub use observation::{Coverage, Gap, Observation, Part};
pub use pause::{InstancePause, Lease, Pause, PauseReading, PauseScope, PauseSource};
pub use replacement::{LaunchAnswer, LaunchAttempt, LaunchEnd, LaunchTry, Replacement, ReplacementEnd};
pub use supply::{GroupFacts, ImageFacts, ImageOffer, SubnetFacts, Supply, TemplateFacts, TypeFacts};
pub use target::{GroupView, Target, TargetHealth, TargetState};
pub use time::Stamp;
