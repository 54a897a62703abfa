//! What a policy can have done about an ailment: one file a remedy, behind one small interface.
//!
//! A remedy proposes; it never acts. Everything that holds it back it names, all at once, so that a person sees the
//! whole list and not its first line.

mod alert;
mod gates;
mod register;
mod start;
mod unavailable;

pub(crate) use gates::gates_of;
pub use gates::{paused_by_tag, source_in_words};
pub(crate) use start::{GRACE_OF_UNANNOUNCED, announcement_key, is_ours_to_start, is_respected};

use super::hold::HoldReason;
use super::service::Input;
use crate::model::{Ailment, AilmentKind, Incident, Instance, InstanceMemory, SlotName, StartOf, TargetStep};
use crate::policy::{
    Heal, OnDeregistered, OnImpaired, OnOperatorStop, OnReplaceable, OnScheduledEvent, OnStopped, Slot,
};

/// One ailment of one instance, with everything that a remedy may look at.
pub(crate) struct Case<'a> {
    pub input: &'a Input<'a>,
    pub slot_name: &'a SlotName,
    pub slot: &'a Slot,
    pub instance: &'a Instance,
    pub ailment: &'a Ailment,
    pub memory: Option<&'a InstanceMemory>,
    pub incident: Option<&'a Incident>,
    /// The slot lacks nothing that this instance could give it.
    pub surplus: bool,
}

/// What a remedy wants.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Proposal {
    Start(StartOf),
    /// Never empty.
    Register(Vec<TargetStep>),
    /// Another instance takes its place: [`crate::decide::replace`] says when and how.
    Replace,
    /// Never empty.
    Hold(Vec<HoldReason>),
}

/// One way of dealing with an ailment.
pub(crate) trait Remedy {
    fn propose(&self, case: &Case<'_>) -> Proposal;
}

/// The remedy that a policy chose for an ailment.
pub(crate) fn chosen(heal: &Heal, kind: AilmentKind) -> Box<dyn Remedy> {
    let impaired = |choice| match choice {
        OnImpaired::Reboot => unavailable("reboot"),
        OnImpaired::Relocate => unavailable("relocate"),
        OnImpaired::Replace => unavailable("replace"),
        OnImpaired::Alert => alert(),
    };
    let replaceable = |choice| match choice {
        OnReplaceable::Replace => Box::new(Replace),
        OnReplaceable::Alert => alert(),
    };
    match kind {
        AilmentKind::Stopped => match heal.stopped {
            OnStopped::Start => Box::new(start::Start),
            OnStopped::Alert => alert(),
        },
        AilmentKind::StoppedByOperator => match heal.stopped_by_operator {
            OnOperatorStop::Start => Box::new(start::Start),
            OnOperatorStop::Respect => Box::new(alert::Respect),
            OnOperatorStop::Alert => alert(),
        },
        AilmentKind::Deregistered => match heal.deregistered {
            OnDeregistered::Register => Box::new(register::Register),
            OnDeregistered::Alert => alert(),
        },
        AilmentKind::ImpairedSystem => impaired(heal.impaired_system),
        AilmentKind::ImpairedInstance => impaired(heal.impaired_instance),
        AilmentKind::Unhealthy => impaired(heal.unhealthy),
        AilmentKind::ScheduledEvent => match heal.scheduled_event {
            OnScheduledEvent::Relocate => unavailable("relocate"),
            OnScheduledEvent::Alert => alert(),
        },
        AilmentKind::ImageGone => replaceable(heal.image_gone),
        AilmentKind::Missing => replaceable(heal.missing),
    }
}

/// Left to the room that replacements have of their own.
struct Replace;

impl Remedy for Replace {
    fn propose(&self, case: &Case<'_>) -> Proposal {
        if case.input.policy.replace.is_some() {
            Proposal::Replace
        } else {
            Proposal::Hold(vec![HoldReason::NothingToLaunchFrom])
        }
    }
}

fn alert() -> Box<dyn Remedy> {
    Box::new(alert::Alert)
}

fn unavailable(name: &'static str) -> Box<dyn Remedy> {
    Box::new(unavailable::NotInThisVersion(name))
}
