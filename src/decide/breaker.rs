//! The breaker (S12): when too much ails at once, the cause is not one server, and launching or taking out more would
//! make it worse. Starting stopped instances stays allowed.

use super::plan::InstanceView;
use super::verdict::Health;
use crate::model::AilmentKind;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// The breaker closes again once it was below its threshold for this long.
pub const CLOSES_AFTER: Duration = Duration::from_secs(600);
/// More than this share unknown opens it as well.
const UNKNOWN_PERCENT: usize = 25;
/// A zone with fewer instances than this does not open it by itself.
const LEAST_IN_ZONE: usize = 3;

/// When it opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    pub percent: u32,
    pub at_least: u32,
}

/// What one instance contributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vital {
    pub zone: Option<String>,
    pub ails: bool,
    pub unknown: bool,
}

impl Vital {
    /// Ailing here is stopped by AWS, missing, impaired or unhealthy; a dead image or a scheduled event is not, nor is a
    /// person's stop.
    pub fn of(view: &InstanceView) -> Self {
        let counts = |kind: AilmentKind| {
            matches!(
                kind,
                AilmentKind::Stopped
                    | AilmentKind::Missing
                    | AilmentKind::ImpairedSystem
                    | AilmentKind::ImpairedInstance
                    | AilmentKind::Unhealthy
            )
        };
        let ails = view.ailments.iter().any(|ailment| counts(ailment.kind));
        let unknown = !ails && matches!(view.health, Health::Unknown { .. });
        Self {
            zone: view.zone.clone(),
            ails,
            unknown,
        }
    }
}

/// Why it should be open now; `None`: it should not.
pub fn trips(vitals: &[Vital], threshold: Threshold) -> Option<String> {
    let all = vitals.len();
    let at_least = usize::try_from(threshold.at_least).unwrap_or(usize::MAX);
    let percent = usize::try_from(threshold.percent).unwrap_or(100);
    let ailing = vitals.iter().filter(|vital| vital.ails).count();
    if ailing >= at_least && ailing * 100 > all * percent {
        return Some(format!("{ailing} of {all} managed instances ail"));
    }
    let unknown = vitals.iter().filter(|vital| vital.unknown).count();
    if unknown >= at_least && unknown * 100 > all * UNKNOWN_PERCENT {
        return Some(format!(
            "the health of {unknown} of {all} managed instances is unknown"
        ));
    }
    let mut zones: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for vital in vitals {
        let zone = zones
            .entry(vital.zone.as_deref().unwrap_or("an unknown zone"))
            .or_default();
        zone.0 += 1;
        zone.1 += usize::from(vital.ails);
    }
    zones
        .into_iter()
        .find(|(_, (in_zone, ails))| *in_zone >= LEAST_IN_ZONE && ails == in_zone)
        .map(|(zone, (in_zone, _))| format!("all {in_zone} managed instances in {zone} ail"))
}

/// An account's breaker over time; journaled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    pub open: Option<Open>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    pub since: Timestamp,
    pub why: String,
    /// How long it has been below the threshold in a row.
    pub below_for: Duration,
}

impl Breaker {
    /// The breaker after a pass over the account that took `elapsed` since the last one.
    pub fn after(&self, tripped: Option<String>, elapsed: Duration, now: Timestamp) -> Self {
        let open = match (&self.open, tripped) {
            (None, None) => None,
            (None, Some(why)) => Some(Open {
                since: now,
                why,
                below_for: Duration::ZERO,
            }),
            (Some(open), Some(why)) => Some(Open {
                since: open.since,
                why,
                below_for: Duration::ZERO,
            }),
            (Some(open), None) => {
                let below_for = open.below_for.saturating_add(elapsed);
                (below_for < CLOSES_AFTER).then(|| Open {
                    below_for,
                    ..open.clone()
                })
            }
        };
        Self { open }
    }
}
