//! The breaker (S12): when too much ails at once, the cause is not one server, and launching or taking out more would
//! make it worse. Starting stopped instances stays allowed.

use super::plan::InstanceView;
use super::replace::Role;
use crate::model::{AilmentKind, InstanceState};
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
    /// Of one that is terminated and in no answer any more, while its slot lacks one: where it was does not matter.
    pub fn of_lost() -> Self {
        Self {
            zone: None,
            ails: true,
            unknown: false,
        }
    }

    /// Ailing here is stopped by AWS, missing, impaired or unhealthy; a dead image or a scheduled event is not, nor is a
    /// person's stop. `None`: what was launched a moment ago and has yet to serve, and what has ended, is not counted at all, or
    /// a few launches would make light of what ails.
    pub fn of(view: &InstanceView) -> Option<Self> {
        if matches!(view.role, Some(Role::Incoming | Role::Leftover)) {
            return None;
        }
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
        // What is being retired is on its way out, and no sign of anything.
        let is_retiring = view.role == Some(Role::Outgoing);
        let ails = !is_retiring && view.ailments.iter().any(|ailment| counts(ailment.kind));
        // What has ended and is not missed is in AWS's answers for an hour yet: a few such would make light of the rest, too.
        let ended = [InstanceState::Terminated, InstanceState::ShuttingDown];
        if !ails && ended.iter().any(|state| view.state == state.as_str()) {
            return None;
        }
        // An instance that boots is unknown too, and no sign of anything.
        let unknown = !is_retiring && !ails && view.blind;
        Some(Self {
            zone: view.zone.clone(),
            ails,
            unknown,
        })
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
        let Some(zone) = vital.zone.as_deref() else {
            continue;
        };
        let zone = zones.entry(zone).or_default();
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
    /// The latest pass saw it below its threshold.
    #[serde(default)]
    pub is_below: bool,
    /// How long it has been below the threshold in a row, from the first pass that saw it there.
    pub below_for: Duration,
}

impl Breaker {
    /// The breaker after a pass over the account that took `elapsed` since the last one.
    pub fn after(&self, tripped: Option<String>, elapsed: Duration, now: Timestamp) -> Self {
        let open = match (&self.open, tripped) {
            (None, None) => None,
            (before, Some(why)) => Some(Open {
                since: before.as_ref().map_or(now, |open| open.since),
                why,
                is_below: false,
                below_for: Duration::ZERO,
            }),
            (Some(open), None) => {
                // When it fell below between this pass and the one before, nobody knows.
                let counted = if open.is_below { elapsed } else { Duration::ZERO };
                let below_for = open.below_for.saturating_add(counted);
                (below_for < CLOSES_AFTER).then(|| Open {
                    is_below: true,
                    below_for,
                    ..open.clone()
                })
            }
        };
        Self { open }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THRESHOLD: Threshold = Threshold {
        percent: 20,
        at_least: 3,
    };

    fn vitals(zones: &[(&str, usize, usize, usize)]) -> Vec<Vital> {
        let of = |(zone, well, ailing, unknown): &(&str, usize, usize, usize)| {
            let vital = |ails, unknown| Vital {
                zone: Some((*zone).to_owned()),
                ails,
                unknown,
            };
            let mut all = vec![vital(false, false); *well];
            all.extend(vec![vital(true, false); *ailing]);
            all.extend(vec![vital(false, true); *unknown]);
            all
        };
        zones.iter().flat_map(of).collect()
    }

    #[test]
    fn it_opens_at_a_share_and_a_count_together_or_a_whole_zone_or_blindness() {
        type Zone = (&'static str, usize, usize, usize);
        let table: Vec<(&[Zone], bool)> = vec![
            (&[("a", 2, 2, 0)], false),
            (&[("a", 12, 3, 0)], false),
            (&[("a", 11, 3, 0)], true),
            (&[("a", 1, 3, 0), ("b", 20, 0, 0)], false),
            (&[("a", 0, 3, 0), ("b", 20, 0, 0)], true),
            (&[("a", 0, 2, 0), ("b", 20, 0, 0)], false),
            (&[("a", 9, 0, 3)], false),
            (&[("a", 8, 0, 3)], true),
            (&[], false),
        ];
        for (zones, opens) in table {
            assert_eq!(trips(&vitals(zones), THRESHOLD).is_some(), opens, "{zones:?}");
        }
    }

    #[test]
    fn it_closes_only_after_ten_minutes_below_and_keeps_its_date() {
        let at: Timestamp = "2026-11-11T04:00:00Z".parse().unwrap();
        let why = || Some("3 of 10".to_owned());
        let minutes = |n: u64| Duration::from_secs(60 * n);
        let open = Breaker::default().after(why(), minutes(1), at);
        let below = open.after(None, minutes(20), at).after(None, minutes(9), at);
        assert_eq!(below.open.as_ref().map(|open| open.since), Some(at));
        let again = below.after(why(), minutes(1), at);
        let below = again.after(None, minutes(20), at);
        assert!(below.open.is_some(), "it may have fallen below a moment ago");
        let below = below.after(None, minutes(9), at);
        assert!(below.open.is_some(), "being below starts anew");
        assert!(below.after(None, minutes(1), at).open.is_none());
    }
}
