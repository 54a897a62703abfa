//! The disturbances of the world and of calls, in the simulation's own terms.

use super::fleet::{Fleet, Kind, Place, StopBy, group_name, tags_of};
use super::night::{CallFault, EventCode, Flaw, Hook, ImageChange, Tag, Trouble, What, Word};
use super::replacing::Made;
use jiff::Timestamp;
use keepgreen::sim::Fault;
use keepgreen::sim::world::api::ApiError;
use keepgreen::sim::world::launch::ImageFault;
use keepgreen::sim::world::webhook::WebhookAnswer;
use keepgreen::sim::world::{App, Check, Instance, Staleness, State, World};
use std::time::Duration;

const RETIRED: &str = "keepgreen:retired";
const RETIRED_BY_HAND: &str = "i-0";

fn seconds(n: u32) -> Duration {
    Duration::from_secs(n.into())
}

/// AWS or a person does this to the world.
pub fn strike(world: &mut World, fleet: &Fleet, what: &What, now: Timestamp) {
    match *what {
        What::Stop { server, by } => stop(world, fleet, server, by),
        What::StopAll { by } => (0..fleet.servers.len()).for_each(|n| stop(world, fleet, n, by)),
        What::ZoneOutage { zone, .. } => {
            world.capacity(&Place::Home.zone(zone), None, false);
            let there = |n: &usize| fleet.servers[*n].zone == zone && fleet.place(*n) == Place::Home;
            for n in (0..fleet.servers.len()).filter(there) {
                stop(world, fleet, n, StopBy::InternalError);
            }
        }
        What::PersonStarts { server } => {
            world.start_by_person(&Fleet::id(server));
        }
        What::PersonTerminates { server } => {
            world.terminate(&Fleet::id(server));
        }
        What::AwsTerminates { server } => {
            world.terminate_by_aws(&Fleet::id(server), "Server.InternalError");
        }
        What::ImageIsLost { place } => {
            world.deregister_image(&place.image(Made::Other));
        }
        What::BadImage { place, fault, .. } => {
            world.break_image(&place.image(Made::Good), Some(flaw(fault)));
        }
        What::Retag { server, tag, .. } => retag(world, fleet, server, tag, now, true),
        What::Deregister { group, server } => {
            world.deregister_target(&group_name(group), &Fleet::id(server), None);
        }
        What::Image { made, what, .. } => {
            let (image, account) = (Place::Home.image(made), Place::Home.scope().account);
            match what {
                ImageChange::Deregistered => world.deregister_image(&image),
                ImageChange::Disabled => world.disable_image(&image),
                ImageChange::NotAllowed => world.allow_image(&image, &account, false),
            };
        }
        What::Retire {
            server,
            after_s,
            code,
        } => {
            let code = match code {
                EventCode::Retirement => "instance-retirement",
                EventCode::Stop => "instance-stop",
                EventCode::Reboot => "instance-reboot",
            };
            world.schedule_event(&Fleet::id(server), code, now + seconds(after_s));
        }
        What::Impair { server, system, .. } => {
            world.impair(&Fleet::id(server), check(system));
        }
        _ => strike_service(world, what, now),
    }
}

/// Applications, capacity, and what can be read or called.
fn strike_service(world: &mut World, what: &What, now: Timestamp) {
    match *what {
        What::Application { server, app, .. } => {
            let app = match app {
                Trouble::Broken => App::Broken,
                Trouble::BootsForever => App::BootsForever,
                Trouble::ShutsDownAfter(s) => App::ShutsDownAfter(seconds(s)),
            };
            world.set_app(&Fleet::id(server), app);
        }
        What::StartsFail { server, times } => {
            world.fail_start(&Fleet::id(server), times);
        }
        What::Poison { server, .. } => {
            world.poison(&Fleet::id(server), Some("UnsupportedOperation"));
        }
        What::NoCapacity { zone, .. } => world.capacity(&Place::Home.zone(zone), None, false),
        What::Stale {
            reads_s,
            own_writes_s,
            ..
        } => world.set_staleness(Staleness {
            reads_lag: seconds(reads_s),
            own_writes_hidden: seconds(own_writes_s),
            ..Staleness::default()
        }),
        What::Hide { server, lasts_s } => {
            world.hide_instance(&Fleet::id(server), now + seconds(lasts_s));
        }
        What::Deny { action, .. } => {
            let name = action.name().unwrap_or_default();
            for place in Place::ALL {
                world.deny(&place.scope().account, &name, true);
            }
        }
        _ => {}
    }
}

/// The simulation's fault of that name.
pub fn fault_of(fault: CallFault) -> Fault {
    match fault {
        CallFault::Throttled => Fault::throttled(),
        CallFault::NotAuthorised => Fault::not_authorized("it"),
        CallFault::NoCapacity => Fault::no_capacity(),
        CallFault::Quota => Fault::error("VcpuLimitExceeded", "You have requested more vCPU capacity"),
        CallFault::InvalidState => Fault::error("IncorrectInstanceState", "is not in a state"),
        CallFault::NotFound => Fault::error("InvalidInstanceID.NotFound", "does not exist"),
        CallFault::Permanent => Fault::error("InvalidParameterValue", "is not valid"),
        CallFault::Unavailable => Fault::Refuse(ApiError::with_status(503, "Unavailable", "unavailable")),
        CallFault::ExpiredCredentials => Fault::expired_credentials(),
        CallFault::BusyAfterEffect => {
            Fault::RefuseAfterEffect(ApiError::with_status(503, "Unavailable", "unavailable"))
        }
        CallFault::UnavailableAfterEffect => {
            Fault::RefuseAfterEffect(ApiError::with_status(500, "InternalError", "an error occurred"))
        }
        CallFault::Html => Fault::HtmlError(503),
        CallFault::Hang => Fault::Hang,
        CallFault::AppliedNoAnswer => Fault::AppliedNoAnswer,
        CallFault::AppliedReset => Fault::AppliedReset,
        CallFault::NothingDone => Fault::NothingDone,
        CallFault::ImageGone => Fault::error("InvalidAMIID.NotFound", "The image id does not exist"),
        CallFault::TokenMismatch => Fault::error(
            "IdempotentParameterMismatch",
            "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
        ),
        CallFault::TokenOfTerminated => Fault::error(
            "IdempotentInstanceTerminated",
            "The instance that was launched with this token is terminated.",
        ),
        CallFault::ConnectionRefused => Fault::ConnectionRefused,
        CallFault::ConnectHang => Fault::ConnectHang,
        CallFault::NoSuchHost => Fault::DnsFailure,
        CallFault::Slow(s) => Fault::Slow(seconds(s)),
        CallFault::Stale(s) => Fault::Stale(seconds(s)),
        CallFault::Empty => Fault::EmptyAnswer,
        CallFault::Unheard(word) => Fault::UnknownMember(heard(word).to_owned()),
        CallFault::Truncated => Fault::Truncated,
    }
}
fn heard(word: Word) -> &'static str {
    match word {
        Word::Running => "running",
        Word::Stopped => "stopped",
        Word::Stopping => "stopping",
        Word::Healthy => "healthy",
        Word::Ok => "ok",
        Word::Available => "available",
    }
}

pub fn hook(answer: Hook) -> WebhookAnswer {
    match answer {
        Hook::TooManyRequests => WebhookAnswer::TooManyRequests(30),
        Hook::ServerError => WebhookAnswer::ServerError,
        Hook::Redirect => WebhookAnswer::Redirect("https://elsewhere.test/".to_owned()),
        Hook::Hang => WebhookAnswer::Hang,
        Hook::Slow => WebhookAnswer::Slow(seconds(20)),
    }
}

pub fn check(system: bool) -> Check {
    if system { Check::System } else { Check::Instance }
}

fn flaw(fault: Flaw) -> ImageFault {
    match fault {
        Flaw::NeverServes => ImageFault::NeverServes,
        Flaw::NeverBoots => ImageFault::NeverBoots,
        Flaw::ShutsDownAfter(s) => ImageFault::ShutsDownAfter(seconds(s)),
        Flaw::LaunchFails => ImageFault::LaunchFails("Client.InternalError".to_owned()),
    }
}

pub fn mend_image(world: &mut World, made: Made) {
    let (image, account) = (Place::Home.image(made), Place::Home.scope().account);
    world.restore_image(&image);
    world.allow_image(&image, &account, true);
}

fn stop(world: &mut World, fleet: &Fleet, server: usize, by: StopBy) {
    let id = Fleet::id(server);
    // There is no such stop; AWS terminates it.
    if fleet.servers[server].kind == Kind::InstanceStore {
        return;
    }
    match by {
        StopBy::Person => world.stop_by_person(&id),
        StopBy::Guest => world.stop_by_guest(&id),
        _ => world.stop_by_aws(&id, by.code()),
    };
}

pub fn retag(world: &mut World, fleet: &Fleet, server: usize, tag: Tag, now: Timestamp, begins: bool) {
    let id = Fleet::id(server);
    let is_gone = |i: &Instance| matches!(i.state, State::Terminated | State::ShuttingDown);
    let Some(instance) = world.instance(&id).filter(|i| !is_gone(i)) else {
        return;
    };
    // A mark of keepgreen's own is nobody's to take away again.
    if tag == Tag::Retired && instance.tag(RETIRED).is_some_and(|mark| mark != RETIRED_BY_HAND) {
        return;
    }
    let mut set = |key: &str, value: Option<&str>| {
        world.retag(&id, key, value);
    };
    let own = fleet.tags(server);
    match (tag, begins) {
        (Tag::Lost, true) => own.iter().for_each(|(key, _)| set(key, None)),
        (Tag::Taken(service, of), true) => {
            for (key, value) in tags_of(service, of, fleet.select_of(service, of)) {
                set(&key, Some(&value));
            }
        }
        (Tag::Taken(service, of), false) => {
            for (key, _) in tags_of(service, of, fleet.select_of(service, of)) {
                set(&key, None);
            }
            own.iter().for_each(|(key, value)| set(key, Some(value)));
        }
        (Tag::Lost, false) => own.iter().for_each(|(key, value)| set(key, Some(value))),
        (Tag::Paused, true) => set("keepgreen:pause", Some("")),
        (Tag::PausedFor(s), true) => set("keepgreen:pause", Some(&(now + seconds(s)).to_string())),
        (Tag::Paused | Tag::PausedFor(_), false) => set("keepgreen:pause", None),
        (Tag::Retired, true) => set(RETIRED, Some(RETIRED_BY_HAND)),
        (Tag::Retired, false) => set(RETIRED, None),
    }
}
