//! The words of the program as types: what exists in AWS, what was seen of it, what is remembered, what may be
//! done. No I/O, no clock, no SDK types; everything here can be written down and compared.
//!
//! Every enumeration that AWS may extend has an `Unknown` member that carries AWS's own word: an unknown member is
//! never taken for a known one, and never justifies an act (S10).

mod error;
mod ids;
mod instance;
mod intent;
mod memory;
pub mod mutant;
mod notice;
mod observation;
mod pause;
mod target;
mod time;

pub use error::{AwsError, ErrorClass};
pub use ids::{
    AccountId, ChannelName, ImageId, InstanceId, IntentId, PolicyVersion, Region, RepairId, ServiceName,
    SlotName, TargetGroupArn, Zone,
};
pub use instance::{
    CheckState, EventCode, ImageListing, ImageMetadata, ImageState, Instance, InstanceState, Lifecycle,
    RootDevice, ScheduledEvent, StateReason, StatusChecks, StoppedBy,
};
pub use intent::{Intent, IntentState, JournaledIntent, Outcome, StartOf, Step};
pub use memory::{
    Ailment, AilmentKind, Attempt, AttemptEnd, HeldBack, Incident, InstanceMemory, Retry, ServiceMemory,
    Standing, Timer,
};
pub use mutant::Mutant;
pub use notice::{Notice, NoticeKind};
pub use observation::{Coverage, Gap, Observation, Part};
pub use pause::{InstancePause, Lease, Pause, PauseReading, PauseScope, PauseSource};
pub use target::{GroupView, Target, TargetHealth, TargetState};
pub use time::Stamp;
