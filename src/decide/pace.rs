//! When a service is to be looked at next, and whether something is due already.

use super::fold::LEAST_BETWEEN_LOOKS;
use super::hold::{Hold, HoldReason};
use super::plan::{Due, InstanceView};
use super::replace::Proposed;
use super::service::{Input, JudgedSlot};
use super::verdict::Health;
use crate::model::{AilmentKind, Incident, InstanceId, InstanceState, Replacement};
use jiff::{SignedDuration, Timestamp};

/// Whether some instance is held back by nothing but time.
pub(super) fn due_by_time(judged: &[JudgedSlot<'_>], proposed: &Proposed) -> Due {
    let by_time_alone = |view: &InstanceView| {
        let startable = view.ailments.iter().any(|ailment| {
            matches!(
                ailment.kind,
                AilmentKind::Stopped | AilmentKind::StoppedByOperator | AilmentKind::Deregistered
            )
        });
        let mut of_start = view
            .holds
            .iter()
            .filter(|hold| !concerns_another_ailment(hold))
            .peekable();
        startable && of_start.peek().is_some() && of_start.all(HoldReason::ends_by_time)
    };
    let waiting = judged
        .iter()
        .flat_map(|slot| &slot.view.instances)
        .any(by_time_alone);
    if waiting || !proposed.by_time.is_empty() {
        Due::ByTime
    } else {
        Due::Nothing
    }
}

/// A dead image or a scheduled event has its own holds, which do not keep the instance from being started.
fn concerns_another_ailment(hold: &HoldReason) -> bool {
    let stops = [AilmentKind::Stopped, AilmentKind::StoppedByOperator];
    match hold {
        HoldReason::AlertOnly { ailment } | HoldReason::NotInThisVersion { ailment, .. } => {
            !stops.contains(ailment)
        }
        _ => false,
    }
}

/// A service under repair is due every 10 s (or the interval); otherwise at the interval, or when a wait ends.
pub(super) fn next_check(
    input: &Input<'_>,
    judged: &[JudgedSlot<'_>],
    holds: &[Hold],
    acts: bool,
) -> Timestamp {
    let views = || judged.iter().flat_map(|slot| &slot.view.instances);
    let mut open = input.memory.replacements.values().filter(|one| one.is_open());
    let replacing = open.any(|one| gets_on(one, holds));
    let registering = input.memory.instances.values().any(|instance| {
        let of = instance.registration.as_ref();
        of.is_some_and(|of| of.in_traffic_for.is_zero() && of.retry.is_none() && !of.wait.is_zero())
    });
    let is_under_repair = |view| is_under_repair(view, input.now);
    let under_repair = acts || registering || replacing || views().any(is_under_repair);
    let soon = LEAST_BETWEEN_LOOKS.min(input.interval);
    let mut wait = if under_repair { soon } else { input.interval };
    let lefts = views().flat_map(|view| &view.holds);
    for left in lefts.filter_map(HoldReason::left) {
        // A look that comes sooner than this after the last one adds nothing to what has lasted.
        wait = wait.min(left.max(soon));
    }
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::from_secs(60));
    input.now.saturating_add(wait).unwrap_or(input.now)
}

/// Whether something of a replacement changes from look to look. One that waits for an image, for capacity or for its next attempt
/// is looked at like anything that waits; so is one whose next step waits for a floor, for the breaker or for people.
fn gets_on(one: &Replacement, holds: &[Hold]) -> bool {
    let is_of_it = |id: &InstanceId| *id == one.old || one.launched().any(|launched| launched == id);
    let of_it: Vec<&HoldReason> = holds
        .iter()
        .filter(|hold| hold.instance.as_ref().is_some_and(is_of_it))
        .map(|hold| &hold.reason)
        .collect();
    let is_stuck = |hold: &&HoldReason| matches!(hold, HoldReason::Breaker { .. } | HoldReason::Floor { .. });
    let stands =
        of_it.iter().any(is_stuck) || !(of_it.is_empty() || of_it.iter().any(|hold| hold.is_in_motion()));
    // Any look may show what an unanswered launch has made.
    let is_asked = one
        .attempt()
        .is_some_and(|attempt| attempt.unanswered().is_some());
    let is_held = one.attempt().is_some_and(|attempt| attempt.held);
    one.is_in_motion() && !is_held && (is_asked || !stands)
}

/// A repair is looked at often for so long even if all it does is wait: a grace needs its looks, and the wait may get shorter
/// once people have been told.
const FRESH_FOR: SignedDuration = SignedDuration::from_mins(2);

fn is_under_repair(view: &InstanceView, now: Timestamp) -> bool {
    let left_alone = |hold: &HoldReason| {
        let is_standing = matches!(
            hold,
            HoldReason::StopRespected { .. }
                | HoldReason::Surplus
                | HoldReason::Spot
                | HoldReason::InstanceStore
                | HoldReason::UnknownLifecycle { .. }
                | HoldReason::ScalingGroup { .. }
        );
        is_standing || (matches!(hold, HoldReason::AlertOnly { .. }) && !concerns_another_ailment(hold))
    };
    // One that runs, is ill and awaits nothing of its last start gets on no faster for being looked at.
    let awaits_nothing = |incident: &Incident| {
        view.state == InstanceState::Running.as_str()
            && matches!(view.health, Health::Ailing { .. })
            && incident.pending_attempt().is_none()
    };
    let goes_on = |incident: &Incident| {
        incident.healed.is_none() && incident.quarantined.is_none() && !awaits_nothing(incident)
    };
    let moves = |incident: &Incident| {
        now.duration_since(incident.opened) < FRESH_FOR
            || incident.pending_attempt().is_some()
            || view.holds.is_empty()
            || view.holds.iter().any(HoldReason::is_in_motion)
    };
    let ends = [InstanceState::ShuttingDown, InstanceState::Terminated];
    // What has ended is not repaired: its replacement is, which is looked at for its own sake.
    let has_ended = ends.iter().any(|state| view.state == state.as_str());
    let incident = view.incident.as_ref().filter(|incident| goes_on(incident));
    incident.is_some_and(moves) && !has_ended && !view.holds.iter().any(left_alone)
}
