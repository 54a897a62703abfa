//! Draws one disturbance of a class.

use super::draw::Dice;
use super::fleet::{Fleet, Kind, Select, StopBy, ZONES};
use super::night::{
    Action, Breakage, CallFault, Calls, Edit, EventCode, Hook, ImageChange, PauseBy, Tag, Trouble, What,
    Whereto, Word,
};
use super::replacing::Made;
use keepgreen::sim::CrashPhase;

/// What complete listings leave out for 15 minutes passes for gone, and its slot gets another one. No longer absence of what lives
/// has been reported of EC2.
const LONGEST_HIDDEN_S: u32 = 840;

/// A class of disturbances, enabled or not for a whole night.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Stops,
    MassStops,
    Outages,
    People,
    Tags,
    Targets,
    Images,
    Hardware,
    Applications,
    FailingStarts,
    Capacity,
    ReadFaults,
    WriteFaults,
    Network,
    Staleness,
    Permissions,
    Pauses,
    Edits,
    BrokenFiles,
    Crashes,
    Restarts,
    Clocks,
    Disk,
    Webhooks,
    Stalls,
    Visitors,
}

impl Class {
    pub const ALL: [Class; 26] = [
        Self::Stops,
        Self::MassStops,
        Self::Outages,
        Self::People,
        Self::Tags,
        Self::Targets,
        Self::Images,
        Self::Hardware,
        Self::Applications,
        Self::FailingStarts,
        Self::Capacity,
        Self::ReadFaults,
        Self::WriteFaults,
        Self::Network,
        Self::Staleness,
        Self::Permissions,
        Self::Pauses,
        Self::Edits,
        Self::BrokenFiles,
        Self::Crashes,
        Self::Restarts,
        Self::Clocks,
        Self::Disk,
        Self::Webhooks,
        Self::Stalls,
        Self::Visitors,
    ];
}

/// A disturbance of this class, around this server if it is about any, `left_s` before the storm ends.
pub fn what(dice: &mut Dice, class: Class, fleet: &Fleet, server: usize, left_s: u32) -> What {
    let lasts_s = dice.span(20, 3600).min(left_s);
    // What people get wrong, and bad instances, are found out late.
    let long_s = dice.within(60, 5400).min(left_s);
    match class {
        Class::Stops => What::Stop {
            server,
            by: stop(dice, fleet, server),
        },
        Class::MassStops => What::StopAll {
            by: dice.of(&StopBy::ALL),
        },
        Class::Outages => What::ZoneOutage {
            zone: dice.below(ZONES),
            lasts_s,
        },
        Class::People => people(dice, server),
        Class::Tags => What::Retag {
            server,
            tag: tag(dice, fleet, server),
            lasts_s: long_s,
        },
        Class::Targets if fleet.groups.is_empty() => people(dice, server),
        Class::Targets => What::Deregister {
            group: dice.below(fleet.groups.len()),
            server,
        },
        Class::Images => What::Image {
            made: Made::Common,
            what: dice.of(&[
                ImageChange::Deregistered,
                ImageChange::Disabled,
                ImageChange::NotAllowed,
            ]),
            lasts_s,
        },
        Class::Permissions => What::Deny {
            action: denied(dice),
            lasts_s: long_s,
        },
        Class::FailingStarts if dice.one_in(2) => What::Poison {
            server,
            lasts_s: long_s,
        },
        Class::FailingStarts => What::StartsFail {
            server,
            times: dice.within(1, 5),
        },
        _ => machinery(dice, class, fleet, (server, lasts_s), left_s),
    }
}

/// What goes wrong with hardware, calls and the controller's own machine.
fn machinery(
    dice: &mut Dice,
    class: Class,
    fleet: &Fleet,
    (server, lasts_s): (usize, u32),
    left_s: u32,
) -> What {
    match class {
        Class::Hardware => hardware(dice, server, lasts_s, left_s),
        Class::Applications => What::Application {
            server,
            app: match dice.below(3) {
                0 => Trouble::Broken,
                1 => Trouble::BootsForever,
                _ => Trouble::ShutsDownAfter(dice.within(5, 1500)),
            },
            // Long enough to spoil more than one start.
            lasts_s: dice.within(60, 7200).min(left_s),
        },
        Class::Capacity => What::NoCapacity {
            zone: dice.below(ZONES),
            lasts_s,
        },
        Class::ReadFaults | Class::WriteFaults | Class::Network => {
            let (which, fault) = call_fault(dice, class, server);
            // So many calls, whenever they come.
            let lasts_s = which.times.map_or(lasts_s, |_| left_s);
            What::Call {
                which,
                fault,
                lasts_s,
            }
        }
        Class::Staleness => staleness(dice, server, lasts_s),
        Class::Pauses => What::Pause {
            by: pause(dice, fleet.servers[server].service),
            lasts_s,
        },
        Class::Edits => edit(dice, fleet, fleet.servers[server].service),
        Class::BrokenFiles => broken(dice, fleet.servers[server].service, lasts_s),
        Class::Crashes => crash(dice),
        Class::Restarts => What::Restart {
            down_s: dice.span(0, 3600),
        },
        Class::Clocks => clock(dice, lasts_s),
        Class::Disk => What::DiskFull { lasts_s },
        Class::Stalls => What::Stall {
            for_s: dice.span(30, 6000).min(left_s),
        },
        Class::Visitors if dice.one_in(3) => What::Plan,
        Class::Visitors => What::Resume {
            service: fleet.servers[server].service,
        },
        _ => webhook(dice, lasts_s),
    }
}

fn webhook(dice: &mut Dice, lasts_s: u32) -> What {
    What::Webhook {
        answer: dice.of(&[
            Hook::TooManyRequests,
            Hook::ServerError,
            Hook::Redirect,
            Hook::Hang,
            Hook::Slow,
        ]),
        lasts_s,
    }
}

/// Who stops this server.
pub fn stop(dice: &mut Dice, fleet: &Fleet, server: usize) -> StopBy {
    if fleet.servers[server].kind == Kind::Spot && !dice.one_in(3) {
        return StopBy::SpotShutdown;
    }
    match dice.below(3) {
        0 => StopBy::Retirement,
        1 => StopBy::Person,
        _ => dice.of(&StopBy::ALL),
    }
}

fn people(dice: &mut Dice, server: usize) -> What {
    match dice.below(5) {
        0 => What::PersonTerminates { server },
        1 | 2 => What::PersonStarts { server },
        _ => What::Stop {
            server,
            by: StopBy::Person,
        },
    }
}

fn tag(dice: &mut Dice, fleet: &Fleet, server: usize) -> Tag {
    match dice.below(5) {
        0 => Tag::Lost,
        1 => Tag::Retired,
        2 => Tag::Paused,
        3 => Tag::PausedFor(dice.span(10, 3600)),
        _ => {
            let service = dice.below(fleet.services.len());
            let slot = dice.below(fleet.services[service].slots.len());
            let of = fleet.services[service].slots[slot].of;
            let taggable = matches!(fleet.select_of(service, of), Select::Name | Select::Tags);
            let here = fleet.services[service].place == fleet.place(server);
            if taggable && here {
                Tag::Taken(service, of)
            } else {
                Tag::Lost
            }
        }
    }
}

fn hardware(dice: &mut Dice, server: usize, lasts_s: u32, left_s: u32) -> What {
    if dice.one_in(3) {
        let code = dice.of(&[EventCode::Retirement, EventCode::Stop, EventCode::Reboot]);
        return What::Retire {
            server,
            after_s: dice.span(1, 7200).min(left_s),
            code,
        };
    }
    What::Impair {
        server,
        system: dice.one_in(2),
        lasts_s,
    }
}

fn call_fault(dice: &mut Dice, class: Class, server: usize) -> (Calls, CallFault) {
    let (action, fault) = match class {
        Class::WriteFaults => (Action::StartInstances, of_writes(dice)),
        Class::ReadFaults if dice.one_in(4) => (Action::GetParameters, of_reads(dice)),
        Class::ReadFaults => (dice.of(&Action::ALL[1..10]), of_reads(dice)),
        _ => (dice.of(&Action::ALL), of_network(dice)),
    };
    let times = if dice.one_in(3) {
        None
    } else {
        Some(dice.span(1, 12))
    };
    let about = (class == Class::WriteFaults && dice.one_in(3)).then_some(server);
    let which = Calls {
        action,
        about,
        whereto: if class == Class::Network {
            dice.of(&[
                Whereto::Anywhere,
                Whereto::Anywhere,
                Whereto::OtherRegion,
                Whereto::OtherAccount,
                Whereto::Channel,
            ])
        } else {
            Whereto::Anywhere
        },
        after: dice.span(0, if class == Class::WriteFaults { 2 } else { 6 }),
        times,
    };
    (which, fault)
}

fn of_reads(dice: &mut Dice) -> CallFault {
    use CallFault as F;
    let words = [
        Word::Running,
        Word::Stopped,
        Word::Stopping,
        Word::Healthy,
        Word::Ok,
        Word::Available,
    ];
    let faults = [
        F::Throttled,
        F::NotAuthorised,
        F::Unavailable,
        F::ExpiredCredentials,
        F::Html,
        F::Empty,
        F::Empty,
        F::Truncated,
        F::Truncated,
        F::Stale(dice.span(1, 600)),
        F::Unheard(dice.of(&words)),
        F::Unheard(dice.of(&words)),
        F::Slow(dice.span(1, 40)),
        F::Permanent,
    ];
    dice.of(&faults)
}

fn of_writes(dice: &mut Dice) -> CallFault {
    use CallFault as F;
    let faults = [
        F::Throttled,
        F::NotAuthorised,
        F::NoCapacity,
        F::Quota,
        F::InvalidState,
        F::NotFound,
        F::Permanent,
        F::Unavailable,
        F::BusyAfterEffect,
        F::UnavailableAfterEffect,
        F::Html,
        F::AppliedNoAnswer,
        F::AppliedNoAnswer,
        F::AppliedReset,
        F::NothingDone,
        F::NothingDone,
        F::Hang,
        F::Truncated,
        F::Slow(dice.span(1, 40)),
        F::ExpiredCredentials,
    ];
    dice.of(&faults)
}

fn of_network(dice: &mut Dice) -> CallFault {
    use CallFault as F;
    let faults = [
        F::Hang,
        F::ConnectionRefused,
        F::ConnectHang,
        F::NoSuchHost,
        F::Slow(dice.span(1, 40)),
        F::Html,
    ];
    dice.of(&faults)
}

fn denied(dice: &mut Dice) -> Action {
    if dice.one_in(2) {
        dice.of(&Action::OF_A_START)
    } else {
        dice.of(&Action::ALL[1..])
    }
}

fn staleness(dice: &mut Dice, server: usize, lasts_s: u32) -> What {
    match dice.below(3) {
        0 => What::Hide {
            server,
            lasts_s: lasts_s.min(LONGEST_HIDDEN_S),
        },
        1 => What::Stale {
            reads_s: 0,
            own_writes_s: dice.span(1, 300),
            lasts_s,
        },
        _ => What::Stale {
            reads_s: dice.span(1, 300),
            own_writes_s: 0,
            lasts_s,
        },
    }
}

fn pause(dice: &mut Dice, service: usize) -> PauseBy {
    match dice.below(5) {
        0 => PauseBy::File,
        1 => PauseBy::ServiceFile(service),
        2 => PauseBy::Parameter,
        3 => PauseBy::ServiceParameter(service),
        _ => PauseBy::Policy(service),
    }
}

fn edit(dice: &mut Dice, fleet: &Fleet, service: usize) -> What {
    let slot = dice.below(fleet.services[service].slots.len());
    let edit = match dice.below(7) {
        0 | 1 => Edit::Swap,
        2 => Edit::Idle { slot },
        3 => Edit::OperatorStart,
        4 => Edit::OperatorRespect,
        5 => Edit::Stopped {
            start: dice.one_in(2),
        },
        _ => Edit::Attempts(dice.within(1, 4)),
    };
    What::Edit { service, edit }
}

fn broken(dice: &mut Dice, service: usize, lasts_s: u32) -> What {
    let how = dice.of(&[
        Breakage::NotYaml,
        Breakage::UnknownKey,
        Breakage::BadValue,
        Breakage::Empty,
        Breakage::Paused,
    ]);
    let edit = if dice.one_in(3) {
        Edit::Deleted { lasts_s }
    } else {
        Edit::Broken { how, lasts_s }
    };
    What::Edit { service, edit }
}

fn crash(dice: &mut Dice) -> What {
    let down_s = if dice.one_in(2) { 1 } else { dice.span(1, 3600) };
    match dice.below(8) {
        0 | 1 => return What::Kill { down_s },
        2 => return What::Failover { down_s },
        _ => {}
    }
    let at = if dice.one_in(2) {
        Action::StartInstances
    } else {
        dice.of(&Action::ALL)
    };
    What::Crash {
        at,
        after: dice.span(0, 8),
        phase: dice.of(&CrashPhase::ALL),
        down_s,
    }
}

fn clock(dice: &mut Dice, lasts_s: u32) -> What {
    if dice.one_in(3) {
        return What::Suspend {
            for_s: dice.span(5, 1800),
        };
    }
    let by = i32::try_from(dice.span(30, 7200)).unwrap_or(0);
    What::WallClock {
        forward_s: if dice.one_in(2) { by } else { -by },
        lasts_s,
    }
}
