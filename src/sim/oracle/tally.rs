//! What the oracles found: how often each invariant was really put to the test, and where it broke.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

/// Every invariant, by the name that its violations carry.
pub const ALL: [&str; 32] = [
    "S1 Ownership",
    "S2 Identity",
    "S3 At most one",
    "S4 Token purity",
    "S5 Write-ahead",
    "S6 Floor",
    "S7 Replace order",
    "S8 Do no harm",
    "S9 Absence is not gone",
    "S10 Unknown is not false",
    "S11 Caps",
    "S12 Breaker",
    "S13 Pause",
    "S14 Lease",
    "S15 One writer",
    "S16 Freshness",
    "S17 Legal transitions",
    "S18 Others' intent",
    "S19 Colours",
    "S20 Nothing lost, nothing left",
    "S21 Budget",
    "S22 Bounded",
    "S23 Audit",
    "S24 Dry run",
    "S25 Secrets",
    "L1 Eventually stable",
    "L2 Prompt start",
    "L3 Isolation",
    "L4 Takeover",
    "L5 Resume",
    "L6 One alert",
    "L7 Stalled loop",
];

/// An invariant was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// `S1 Ownership`: one of [`ALL`].
    pub invariant: &'static str,
    pub at: Timestamp,
    /// The call's number in the trace; 0: no single call did it.
    pub call: u64,
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} broken at {}", self.invariant, self.at)?;
        if self.call > 0 {
            write!(f, " by call {}", self.call)?;
        }
        write!(f, ": {}", self.what)
    }
}

/// What one invariant's function has to say: each [`require`](Self::require) is one evaluation whose premise held.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) evaluations: u64,
    pub(super) broken: Vec<String>,
}

impl Findings {
    /// The premise held; does the invariant?
    pub(super) fn require(&mut self, holds: bool, what: impl FnOnce() -> String) {
        self.evaluations += 1;
        if !holds {
            self.broken.push(what());
        }
    }
}

/// The sum of a run.
#[derive(Debug, Default)]
pub(super) struct Tally {
    premises: BTreeMap<&'static str, u64>,
    violations: Vec<Violation>,
}

impl Tally {
    pub(super) fn take(&mut self, invariant: &'static str, at: Timestamp, call: u64, findings: Findings) {
        *self.premises.entry(invariant).or_default() += findings.evaluations;
        self.violations
            .extend(findings.broken.into_iter().map(|what| Violation {
                invariant,
                at,
                call,
                what,
            }));
    }

    pub(super) fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Every invariant with the number of its evaluations, zeros included.
    pub(super) fn premises(&self) -> BTreeMap<&'static str, u64> {
        let count = |name: &'static str| (name, self.premises.get(name).copied().unwrap_or(0));
        ALL.into_iter().map(count).collect()
    }
}
