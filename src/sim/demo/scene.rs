//! What an audience gets to see: lines of the story, and how every slot is.

use crate::sim::world::State;
use jiff::Timestamp;
use std::time::Duration;

/// Where something was written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Voice {
    /// The world's log: AWS, and what people did to it.
    Aws,
    /// The journal: what a look told.
    Saw,
    /// The journal: an intent, before anything is sent.
    Decided,
    /// The journal: how the intent ended.
    Did,
    /// The journal: a message that people have got.
    Told,
}

/// One line of the story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    pub at: Timestamp,
    pub voice: Voice,
    pub slot: Option<String>,
    /// An instance's id, or whatever else it is about.
    pub subject: Option<String>,
    pub text: String,
    /// People are needed.
    pub is_bad: bool,
}

/// One instance of a slot, in truth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotLine {
    pub slot: String,
    pub instance: String,
    /// EC2's word.
    pub state: String,
    /// Target group and ELB's word.
    pub targets: Vec<(String, String)>,
}

impl SlotLine {
    /// It runs, and every target group that it is in takes it for healthy; there is one.
    pub fn is_well(&self) -> bool {
        self.state == State::Running.name()
            && !self.targets.is_empty()
            && self.targets.iter().all(|(_, health)| health == "healthy")
    }

    /// It is neither well nor beyond hope: something is under way.
    pub fn is_coming(&self) -> bool {
        let starting = self.state == State::Pending.name() || self.state == State::Running.name();
        starting && !self.is_well() && self.targets.iter().all(|(_, health)| health != "unhealthy")
    }
}

/// One thing to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Beat(Beat),
    /// A slot's instance is otherwise than it was before.
    Slot(Timestamp, SlotLine),
    /// Time passes quickly from here, or did until here.
    Lapse(Timestamp, Lapse),
}

/// Hours in which nothing is to be expected. The controller lives through all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lapse {
    Begins {
        until: Timestamp,
        /// What is waited for.
        why: String,
    },
    /// What keepgreen sent to AWS meanwhile.
    Over {
        from: Timestamp,
        reads: usize,
        mutations: usize,
    },
}

/// Where in the story a scene is: each has a pace of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// A server is stopped, and serves again.
    Incident,
    /// Nothing happens, for hours.
    Lapse,
    /// What cannot be built again is replaced while everything serves.
    Rebuild,
    /// The story is over, and its world lives on.
    Encore,
}

impl Event {
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Beat(beat) => beat.at,
            Self::Slot(at, _) | Self::Lapse(at, _) => *at,
        }
    }
}

/// What there is to see at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scene {
    pub now: Timestamp,
    /// How long it lasts, in its own time.
    pub lasts: Duration,
    pub act: Act,
    /// What is new, in order of time.
    pub events: Vec<Event>,
    /// Everything, as it is.
    pub slots: Vec<SlotLine>,
}
