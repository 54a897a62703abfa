//! Draws what chance alone rarely brings together: two things that mean something only at once.
//!
//! Drawn after everything else and from numbers of its own, so that nothing else depends on it.

use super::draw::Dice;
use super::fleet::{Fleet, Place};
use super::night::{Action, CallFault, Calls, Disturbance, Flaw, Settings, What, Whereto};

/// A loop that stands still is noticed after three intervals.
const LONGEST_STALL_S: u32 = 6000;

pub fn disturbances(
    dice: &mut Dice,
    fleet: &Fleet,
    settings: Settings,
    drawn: &[Disturbance],
    storm_s: u32,
) -> Vec<Disturbance> {
    let mut pairs = Vec::new();
    let stops = moments(drawn, |what| matches!(what, What::Stop { .. }));
    if settings.parameter && !stops.is_empty() && dice.one_in(3) {
        let stopped_s = dice.of(&stops);
        pairs.push(unreadable_flag(dice, stopped_s, storm_s));
    }
    if settings.heartbeat && dice.one_in(2) {
        let at_s = dice.within(0, storm_s / 4);
        let for_s = dice
            .within(3 * settings.interval_s, LONGEST_STALL_S)
            .min(storm_s - at_s);
        pairs.push(Disturbance {
            at_s,
            what: What::Stall { for_s },
        });
    }
    let lost = |disturbance: &Disturbance| match disturbance.what {
        What::ImageIsLost { place } => Some((disturbance.at_s, place)),
        _ => None,
    };
    let losses: Vec<(u32, Place)> = drawn.iter().filter_map(lost).collect();
    if !losses.is_empty() && dice.one_in(2) {
        let loss = dice.of(&losses);
        pairs.push(bad_image(dice, loss, storm_s));
    }
    let several = moments(drawn, |what| matches!(what, What::StopAll { .. }));
    if !several.is_empty() && dice.one_in(2) {
        let at_s = dice.of(&several).saturating_sub(dice.span(1, 60));
        pairs.push(Disturbance {
            at_s,
            what: What::Poison {
                server: dice.below(fleet.servers.len()),
                lasts_s: dice.within(600, 5400).min(storm_s - at_s),
            },
        });
    }
    pairs
}

/// When such things happen.
fn moments(drawn: &[Disturbance], is_it: impl Fn(&What) -> bool) -> Vec<u32> {
    let such = drawn.iter().filter(|disturbance| is_it(&disturbance.what));
    such.map(|disturbance| disturbance.at_s).collect()
}

/// A server stops, and the pause flag cannot be read.
fn unreadable_flag(dice: &mut Dice, stopped_s: u32, storm_s: u32) -> Disturbance {
    let at_s = stopped_s.saturating_sub(dice.span(0, 60));
    Disturbance {
        at_s,
        what: What::Call {
            which: Calls {
                action: Action::GetParameters,
                about: None,
                whereto: Whereto::Anywhere,
                after: 0,
                times: None,
            },
            fault: dice.of(&[
                CallFault::Unavailable,
                CallFault::NotAuthorised,
                CallFault::Throttled,
                CallFault::Permanent,
            ]),
            lasts_s: dice.within(60, 1800).min(storm_s - at_s),
        },
    }
}

/// An image is gone, and the one to launch from is no good.
fn bad_image(dice: &mut Dice, (lost_s, place): (u32, Place), storm_s: u32) -> Disturbance {
    Disturbance {
        at_s: lost_s,
        what: What::BadImage {
            place,
            fault: dice.of(&[Flaw::NeverServes, Flaw::NeverBoots]),
            lasts_s: dice.within(1800, 5400).min(storm_s - lost_s),
        },
    }
}
