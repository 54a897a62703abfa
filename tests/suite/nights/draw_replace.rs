//! Draws what one half of the nights has besides: policies that replace and register, images that go, newcomers and what
//! becomes of them.
//!
//! Drawn after everything else and from numbers of its own, so that the other half does not depend on it.

use super::draw::Dice;
use super::fleet::{Fleet, Select, StopBy};
use super::night::{
    Action, CallFault, Calls, Disturbance, Edit, Fate, Flaw, ImageChange, Tag, What, Whereto,
};
use super::replacing::{Made, Replacing, Source};
use keepgreen::sim::CrashPhase;

/// Each of them takes its turn, and the night ends.
const MOST_LOST: usize = 4;
/// A replacement takes two for each target group, and three besides; a cap that lets none come to its end is another night.
pub const LEAST_AN_HOUR: u32 = 20;
/// `min_healthy` of a target group. Some have never had so many.
const FLOORS: [u32; 4] = [0, 2, 2, 3];
/// In two hours.
const MOST_FOCI: usize = 4;
const MOST_COMPANIONS: usize = 5;

/// A class of disturbances, enabled or not for a whole night.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Images,
    BadImages,
    Fates,
    LaunchFaults,
    StepFaults,
    Knowledge,
    Denials,
    Crashes,
    Edits,
    Tags,
    Targets,
}

impl Class {
    const ALL: [Class; 11] = [
        Self::Images,
        Self::BadImages,
        Self::Fates,
        Self::LaunchFaults,
        Self::StepFaults,
        Self::Knowledge,
        Self::Denials,
        Self::Crashes,
        Self::Edits,
        Self::Tags,
        Self::Targets,
    ];
}

/// Adds `replace`, `register` and floors to policies, and gives a few servers an image that can be lost.
pub fn policies(dice: &mut Dice, fleet: &mut Fleet) {
    for service in &mut fleet.services {
        service.registers_after_s = dice.one_in(2).then(|| dice.of(&[0, 60, 300]));
        let by_id = service.slots.iter().any(|slot| slot.select == Select::Ids);
        if !by_id && !dice.one_in(5) {
            service.replace = Some(replacing(dice));
        }
    }
    for group in &mut fleet.groups {
        group.min_healthy = dice.one_in(2).then(|| dice.of(&FLOORS));
    }
    let mut lost = 0;
    for server in &mut fleet.servers {
        if lost < MOST_LOST && dice.one_in(3) {
            server.image = Made::Other;
            lost += 1;
        }
    }
}

fn replacing(dice: &mut Dice) -> Replacing {
    let good = [Source::Id, Source::Newest, Source::Parameter];
    let sources = match dice.below(8) {
        0 if dice.one_in(2) => vec![Source::Nothing],
        1 | 2 => vec![Source::Nothing, dice.of(&good)],
        3 => vec![dice.of(&good), dice.of(&good)],
        _ => vec![dice.of(&good)],
    };
    let mut sources = sources;
    sources.dedup();
    let grace = |dice: &mut Dice| (!dice.one_in(8)).then(|| dice.of(&[0, 0, 30, 60, 300, 900]));
    Replacing {
        sources,
        falls_back: dice.one_in(2),
        terminates: dice.one_in(3),
        image_gone_s: grace(dice),
        missing_s: grace(dice),
    }
}

/// What happens in such a night, besides what happens in any.
pub fn disturbances(dice: &mut Dice, fleet: &Fleet, storm_s: u32) -> Vec<Disturbance> {
    let mut classes: Vec<Class> = Class::ALL.into_iter().filter(|_| dice.one_in(4)).collect();
    if classes.is_empty() {
        classes.push(Class::Fates);
    }
    let mut drawn = Vec::new();
    let times = storm_s.div_ceil(7200) as usize;
    for _ in 0..2 * times + dice.below(MOST_FOCI * times) {
        let (at_s, server) = (dice.within(0, storm_s * 3 / 4), dice.below(fleet.servers.len()));
        drawn.push(Disturbance {
            at_s,
            what: cause(dice, fleet, server, storm_s - at_s),
        });
        for _ in 0..dice.below(MOST_COMPANIONS + 1) {
            let at_s = (at_s + dice.span(0, 2400)).min(storm_s - 1);
            let class = dice.of(&classes);
            let what = companion(dice, class, fleet, server, storm_s - at_s);
            drawn.push(Disturbance { at_s, what });
        }
    }
    drawn
}

/// Why something is replaced.
fn cause(dice: &mut Dice, fleet: &Fleet, server: usize, left_s: u32) -> What {
    match dice.below(8) {
        0 => What::PersonTerminates { server },
        1 => What::AwsTerminates { server },
        // Gone, and back before anything has come of it, or in the middle.
        2 | 3 => What::Image {
            made: Made::Common,
            what: ImageChange::Deregistered,
            lasts_s: dice.span(30, 1800).min(left_s),
        },
        _ => What::ImageIsLost {
            place: fleet.place(server),
        },
    }
}

fn image(dice: &mut Dice, left_s: u32) -> What {
    What::Image {
        made: dice.of(&[Made::Common, Made::Good]),
        what: dice.of(&[
            ImageChange::Deregistered,
            ImageChange::Deregistered,
            ImageChange::Disabled,
            ImageChange::NotAllowed,
        ]),
        lasts_s: dice.within(60, 7200).min(left_s),
    }
}

fn companion(dice: &mut Dice, class: Class, fleet: &Fleet, server: usize, left_s: u32) -> What {
    let lasts_s = dice.span(20, 3600).min(left_s);
    let service = fleet.servers[server].service;
    match class {
        Class::Images => image(dice, left_s),
        Class::BadImages => What::BadImage {
            place: fleet.place(server),
            fault: match dice.below(4) {
                0 => Flaw::NeverServes,
                1 => Flaw::NeverBoots,
                2 => Flaw::ShutsDownAfter(dice.within(5, 900)),
                _ => Flaw::LaunchFails,
            },
            lasts_s: dice.within(60, 5400).min(left_s),
        },
        Class::Fates => What::Newcomer {
            of: server,
            age_s: dice.span(0, 900),
            fate: fate(dice),
        },
        Class::LaunchFaults => call(dice, Action::RunInstances, left_s),
        Class::StepFaults => {
            let action = dice.of(&Action::OF_A_REPLACEMENT);
            call(dice, action, left_s)
        }
        Class::Knowledge => knowledge(dice, left_s),
        Class::Denials => What::Deny {
            action: match dice.below(4) {
                0 => dice.of(&Action::KNOWN_BEFORE_A_LAUNCH),
                _ => dice.of(&Action::OF_A_REPLACEMENT),
            },
            lasts_s,
        },
        Class::Crashes => What::Crash {
            at: dice.of(&Action::OF_A_REPLACEMENT),
            after: dice.span(0, 3),
            phase: dice.of(&CrashPhase::ALL),
            down_s: if dice.one_in(2) { 1 } else { dice.span(1, 3600) },
        },
        Class::Edits => What::Edit {
            service,
            edit: match dice.below(4) {
                0 => Edit::Swap,
                1 => Edit::Registers { on: dice.one_in(2) },
                _ => Edit::Replaces { on: dice.one_in(2) },
            },
        },
        Class::Tags => What::Retag {
            server,
            tag: dice.of(&[Tag::Lost, Tag::Paused, Tag::Retired]),
            lasts_s,
        },
        Class::Targets if fleet.groups.is_empty() => What::AwsTerminates { server },
        Class::Targets => What::Deregister {
            group: dice.below(fleet.groups.len()),
            server,
        },
    }
}

/// A fault of a call that tells what to launch, and where.
fn knowledge(dice: &mut Dice, left_s: u32) -> What {
    let action = dice.of(&Action::KNOWN_BEFORE_A_LAUNCH);
    let faults = [
        CallFault::Throttled,
        CallFault::NotAuthorised,
        CallFault::Unavailable,
        CallFault::Empty,
        CallFault::Truncated,
        CallFault::Hang,
        CallFault::Html,
    ];
    let which = calls(action, dice.span(0, 3), Some(dice.span(1, 12)));
    What::Call {
        which,
        fault: dice.of(&faults),
        lasts_s: left_s,
    }
}

fn fate(dice: &mut Dice) -> Fate {
    match dice.below(8) {
        0 => Fate::Stops(StopBy::Person),
        1 => Fate::Stops(StopBy::InternalError),
        2 => Fate::PersonTerminates,
        3 => Fate::AwsTerminates,
        4 => Fate::Breaks,
        5 => Fate::IsImpaired,
        6 => Fate::LosesItsTags,
        _ => Fate::IsPaused,
    }
}

fn calls(action: Action, after: u32, times: Option<u32>) -> Calls {
    Calls {
        action,
        about: None,
        whereto: Whereto::Anywhere,
        after,
        times,
    }
}

/// A fault of a call that changes something.
fn call(dice: &mut Dice, action: Action, left_s: u32) -> What {
    use CallFault as F;
    let of_any = [
        F::Throttled,
        F::NotAuthorised,
        F::NotFound,
        F::Permanent,
        F::Unavailable,
        F::UnavailableAfterEffect,
        F::BusyAfterEffect,
        F::Html,
        F::AppliedNoAnswer,
        F::AppliedNoAnswer,
        F::AppliedReset,
        F::NothingDone,
        F::Hang,
        F::Truncated,
        F::Slow(dice.span(1, 40)),
        F::ExpiredCredentials,
    ];
    let of_launches = [
        F::NoCapacity,
        F::NoCapacity,
        F::Quota,
        F::ImageGone,
        F::TokenMismatch,
        F::TokenOfTerminated,
    ];
    let fault = if action == Action::RunInstances && dice.one_in(3) {
        dice.of(&of_launches)
    } else {
        dice.of(&of_any)
    };
    let times = (!dice.one_in(4)).then(|| dice.span(1, 6));
    let after = dice.span(0, 2);
    What::Call {
        which: calls(action, after, times),
        fault,
        // So many calls, whenever they come.
        lasts_s: if times.is_some() {
            left_s
        } else {
            dice.span(20, 1800).min(left_s)
        },
    }
}
