//! `alert` and `respect`: people are told, nothing is done. The telling is `notices`' business.

use super::{Case, Proposal, Remedy};
use crate::decide::hold::HoldReason;

pub(super) struct Alert;

impl Remedy for Alert {
    fn propose(&self, case: &Case<'_>) -> Proposal {
        Proposal::Hold(vec![HoldReason::AlertOnly {
            ailment: case.ailment.kind,
        }])
    }
}

/// A person's stop stands.
pub(super) struct Respect;

impl Remedy for Respect {
    fn propose(&self, _: &Case<'_>) -> Proposal {
        let why = "the policy says `heal.stopped_by_operator: respect`".to_owned();
        Proposal::Hold(vec![HoldReason::StopRespected { why }])
    }
}
