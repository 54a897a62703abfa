//! The fault classes as data: a name, a kind, which calls they can strike, and how.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::When;
use super::classes;
use crate::sim::{CallRecord, Stage};

/// Where a fault comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Crash,
    Read,
    Write,
    World,
    Events,
    Environment,
}

/// Which calls a class can strike. Whatever happens to the world, to the process or to its surroundings can happen at
/// any of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strikes {
    AnyCall,
    Reads,
    /// Reads that list, page by page or all at once.
    Listings,
    /// The second page of a listing.
    SecondPages,
    /// Anything that changes something.
    Writes,
    /// One action alone.
    Action(&'static str),
}

/// One blow.
#[derive(Debug, Clone)]
pub struct Strike {
    /// The calls at which it falls; a moment is `When::any().from(at).once()`.
    pub when: When,
    /// The instance that suffers, of classes that need one.
    pub target: String,
    /// How long it lasts, of classes that end by themselves.
    pub lasts: Duration,
    /// Of how many the class has several shapes, which one: any number will do.
    pub variant: u64,
}

impl Strike {
    /// At matching calls.
    pub fn at(when: When, target: &str) -> Self {
        Self {
            when,
            target: target.to_owned(),
            lasts: Duration::from_secs(300),
            variant: 0,
        }
    }

    /// At the first call after this moment.
    pub fn moment(at: Timestamp, target: &str) -> Self {
        Self::at(When::any().from(at).once(), target)
    }

    pub fn lasting(mut self, duration: Duration) -> Self {
        self.lasts = duration;
        self
    }

    pub fn variant(mut self, variant: u64) -> Self {
        self.variant = variant;
        self
    }
}

/// One class of faults.
pub struct Class {
    /// Unique: `applied and never answered`.
    pub name: &'static str,
    pub kind: Kind,
    pub strikes: Strikes,
    /// The capability without which nothing that it strikes exists yet.
    pub awaits: Option<&'static str>,
    pub(super) how: fn(&Stage, Strike),
}

impl Class {
    /// Every class.
    pub const ALL: &'static [Class] = classes::ALL;

    /// The class of this name.
    pub fn named(name: &str) -> Option<&'static Class> {
        Self::ALL.iter().find(|class| class.name == name)
    }

    /// Whether it can strike a call like this one.
    pub fn applies_to(&self, call: &CallRecord) -> bool {
        let lists = ["Describe", "List", "GetParameters"];
        let is_listing = lists.iter().any(|prefix| call.action.starts_with(prefix));
        let is_aws = call.is_aws();
        match self.strikes {
            Strikes::AnyCall => true,
            Strikes::Reads => is_aws && !call.is_write,
            Strikes::Listings => is_aws && is_listing && !call.is_write,
            Strikes::SecondPages => is_aws && is_listing && call.params.contains("NextToken="),
            Strikes::Writes => is_aws && call.is_write,
            Strikes::Action(action) => call.action == action,
        }
    }

    /// Let it happen. `strike.when` should match calls that it applies to.
    pub fn inject(&self, stage: &Stage, strike: Strike) {
        (self.how)(stage, strike);
    }
}

impl fmt::Debug for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.name)
    }
}
