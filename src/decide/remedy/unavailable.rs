//! A remedy that policies can name and that this version does not have: it says so, and never silently does nothing.

use super::{Case, Proposal, Remedy};
use crate::decide::hold::HoldReason;

pub(super) struct NotInThisVersion(pub &'static str);

impl Remedy for NotInThisVersion {
    fn propose(&self, case: &Case<'_>) -> Proposal {
        Proposal::Hold(vec![HoldReason::NotInThisVersion {
            ailment: case.ailment.kind,
            remedy: self.0.to_owned(),
        }])
    }
}
