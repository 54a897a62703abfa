//! The simulated AWS on a TCP port, for any AWS client: the same world, wire and faults as in process, on a clock of its own.
//!
//! A thin shell. [`Port`] is one world behind one lock, with the time that it lives by; [`server`] is HTTP; [`control`] are
//! the routes under `/_sim` by which scripts move the time and disturb the world. What AWS would decide is decided in
//! `world` alone.
//!
//! Guarantees, whoever is at the other end:
//! - One request is one step of the world: requests that come together are answered one after another, each wholly.
//! - What is due happens at its time, whether anybody calls or not.
//! - A request that cannot be understood is answered with an error in its service's own form, and changes nothing.
//! - Bodies, parameters, connections, the trace and the log are bounded. A client that is slow, silent or gone costs its
//!   own connection.
//!
//! Differences from the world in process: it is open (any access key is account 123456789012's, twelve digits as the key
//! are that account's; any role can be assumed; signatures are not verified), the oracles judge nobody, and webhooks are
//! not played, because nobody's webhook is at this address.

mod clock;
mod connection;
mod control;
mod server;
#[cfg(test)]
mod tests;

use super::crash::Actor;
use super::deliver::{Delivery, Parcel};
use super::fault::Fault;
use super::state::State;
use super::trace::Outcome;
use super::wire::{self, Endpoint, HttpRequest, HttpResponse, Service, address};
use super::world::api::ApiError;
use super::world::builder::{REGION, incident};
use super::world::{ImageSpec, InstanceSpec, TargetGroupSpec, World, WorldBuilder, later};
use crate::env::ScaledClock;
use crate::sim::Cloud;
use clock::PortClock;
use jiff::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

pub use server::{listen, serve};

/// The account that any access key stands for.
pub const ACCOUNT: &str = "123456789012";

/// Above the largest honest request, 1,000 targets with port and zone; reading a form's lists takes time by the square of it,
/// and everybody waits meanwhile.
const PARAMETERS_MAX: usize = 4_000;

/// What the trace keeps; a server runs for days.
const CALLS_KEPT: usize = 10_000;

/// One simulated AWS, to be served.
pub struct Port {
    state: Arc<Mutex<State>>,
    clock: PortClock,
    /// The world or its time was changed: what is waited for may be due earlier, or is.
    changed: watch::Sender<()>,
}

/// What becomes of a call on its connection.
enum Reply {
    Answer(HttpResponse),
    /// Its first half, then the connection breaks.
    CutOff(HttpResponse),
    /// The connection breaks at once.
    Reset,
}

impl Port {
    /// A new world whose time is now and runs `speed` times as fast as the machine's; at 0 it stands still.
    pub fn new(speed: u32, seed: u64) -> Self {
        let clock = ScaledClock::starting_now(speed);
        let mut state = State::new(seed, world(Beginning::Empty, seed, clock.now()));
        state.trace.keep(CALLS_KEPT);
        Self {
            state: Arc::new(Mutex::new(state)),
            clock: PortClock::Own(clock),
            changed: watch::Sender::new(()),
        }
    }

    /// The world of a cloud, which lives on by its own time. That is said to run `speed` times as fast as the machine's, and
    /// it is whoever drives the cloud's runtime that sees to it.
    pub fn on(cloud: &Cloud, speed: u32) -> Self {
        let state = Arc::clone(&cloud.state);
        state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .trace
            .keep(CALLS_KEPT);
        Self {
            state,
            clock: PortClock::Shared(cloud.clock().clone(), speed),
            changed: watch::Sender::new(()),
        }
    }

    /// Act on the world at the present moment, after everything that is due.
    fn act<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.lock();
        state.advance(self.clock.now());
        let result = act(&mut state);
        drop(state);
        self.changed.send_replace(());
        result
    }

    /// Another world takes this one's place, without faults, by default from the same seed. Calls that wait for an
    /// answer of the old one still get it.
    fn begin_anew(&self, beginning: Beginning, seed: Option<u64>) -> (u64, Timestamp) {
        self.act(|state| {
            let (seed, now) = (seed.unwrap_or(state.seed), self.clock.now());
            state.begin_anew(seed, world(beginning, seed, now));
            (seed, now)
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets things happen when they are due, for ever.
    async fn live(&self) {
        let mut changed = self.changed.subscribe();
        loop {
            let next = {
                let mut state = self.lock();
                state.advance(self.clock.now());
                state.world.next_event()
            };
            let wait = next.and_then(|next| self.clock.until(next));
            wait_or_change(wait, &mut changed).await;
        }
    }

    /// Waits until it is `at`, however often the time is moved meanwhile.
    async fn reach(&self, at: Timestamp) {
        let mut changed = self.changed.subscribe();
        while self.clock.now() < at {
            wait_or_change(self.clock.until(at), &mut changed).await;
        }
    }

    /// Answers one request to AWS; a fault can make it wait for ever. Dropped before its end, the call counts as abandoned by its sender.
    async fn call(&self, mut request: HttpRequest) -> Reply {
        let endpoint = match address::signed_endpoint_of(&request) {
            Ok(endpoint) => endpoint,
            Err(refused) => return Reply::Answer(self.refuse(refused.service, &refused.error)),
        };
        if let Err(error) = fit(&mut request, &endpoint) {
            return Reply::Answer(self.refuse(endpoint.service, &error));
        }
        let mut parcel = Parcel::to(Some(endpoint.clone()), request);
        let (number, delivery) = self.act(|state| {
            let now = self.clock.now();
            let number = state.begin(now, Actor::Person, 0, &mut parcel);
            let fault = state.fault_of(&parcel);
            let delivery = match fault {
                // There is a connection already: it is broken with nothing done.
                Some(Fault::ConnectionRefused) => Delivery::Reset,
                fault => state.arrive(now, number, Actor::Person, &parcel, fault.as_ref()),
            };
            (number, delivery)
        });
        let mut call = Call {
            port: self,
            number,
            ended: false,
        };
        match delivery {
            Delivery::Answer {
                response,
                late,
                error,
            } => {
                if !late.is_zero() {
                    self.reach(later(self.clock.now(), late)).await;
                }
                call.end(Outcome::Answered {
                    status: response.status,
                    error,
                });
                Reply::Answer(response)
            }
            Delivery::CutOff(response) => {
                call.end(Outcome::Reset);
                Reply::CutOff(response)
            }
            Delivery::Reset | Delivery::NoSuchHost => {
                call.end(Outcome::Reset);
                Reply::Reset
            }
            Delivery::Nothing => std::future::pending().await,
        }
    }

    /// An error of `service`, without any effect.
    fn refuse(&self, service: Service, error: &ApiError) -> HttpResponse {
        let request_id = self.lock().request_id();
        wire::refuse(service, error, &request_id)
    }
}

/// One call whose answer is awaited.
struct Call<'a> {
    port: &'a Port,
    number: u64,
    ended: bool,
}

impl Call<'_> {
    fn end(&mut self, outcome: Outcome) {
        self.ended = true;
        self.port.lock().end(self.port.clock.now(), self.number, outcome);
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.end(Outcome::Abandoned);
        }
    }
}

/// What a world begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beginning {
    /// What every account has by default, and nothing else.
    Empty,
    /// Two servers behind one load balancer, as in the incident that keepgreen exists for: everything serves.
    Incident,
}

/// An open world that begins so, at `start`.
fn world(beginning: Beginning, seed: u64, start: Timestamp) -> World {
    let builder = WorldBuilder::new(seed)
        .start(start)
        .account(ACCOUNT)
        .open_to(ACCOUNT);
    let builder = match beginning {
        Beginning::Empty => builder,
        Beginning::Incident => {
            let server = |id: &str, name: &str, zone: &str| {
                let server = InstanceSpec::new(id).name(name).image(incident::IMAGE);
                server.scope(ACCOUNT, REGION).zone(zone)
            };
            let group = |name: &str, port: u16| TargetGroupSpec::new(name, port).scope(ACCOUNT, REGION);
            builder
                .image(ImageSpec::new(incident::IMAGE).owner(ACCOUNT))
                .instance(server(incident::BLUE, "tis-prod-blue", "eu-west-2a"))
                .instance(server(incident::GREEN, "tis-prod-green", "eu-west-2b"))
                .target_group(
                    group(incident::TIS_PROD, 8080)
                        .target(incident::BLUE)
                        .target(incident::GREEN),
                )
                .target_group(group(incident::TIS_UPLOAD, 8443).target(incident::GREEN))
        }
    };
    builder.build()
}

/// Sleeps for `wait`, without one for ever, but no longer than until the next change.
async fn wait_or_change(wait: Option<Duration>, changed: &mut watch::Receiver<()>) {
    let waited = async {
        match wait {
            Some(wait) => tokio::time::sleep(wait).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = waited => {}
        _ = changed.changed() => {}
    }
}

/// Bring a request that came to a port into the form in which it comes to an endpoint of AWS.
fn fit(request: &mut HttpRequest, endpoint: &Endpoint) -> Result<(), ApiError> {
    request.host = format!("{}.{}.amazonaws.com", endpoint.service.name(), endpoint.region);
    if endpoint.service != Service::Ssm {
        address::fold_query(request);
    }
    if request.path != "/" {
        return Err(ApiError::not_modelled(format!(
            "the path {:?}: every operation that it models is at \"/\"",
            request.path
        )));
    }
    if endpoint.service == Service::Ssm {
        return Ok(());
    }
    if request.body.iter().filter(|byte| **byte == b'&').count() >= PARAMETERS_MAX {
        let text = format!("The request has more than {PARAMETERS_MAX} parameters");
        return Err(ApiError::new("MalformedQueryString", text));
    }
    // What is stored is answered in XML, to everybody who lists it.
    let mut pairs = form_urlencoded::parse(&request.body);
    match pairs.find(|(name, value)| !is_xml(name) || !is_xml(value)) {
        None => Ok(()),
        Some((name, _)) => {
            let text = format!("The parameter {name:?} contains characters that XML cannot carry");
            Err(ApiError::new("InvalidParameterValue", text))
        }
    }
}

/// XML 1.0 has no way to write other control characters, not even escaped.
fn is_xml(text: &str) -> bool {
    text.chars()
        .all(|c| matches!(c, '\t' | '\n' | '\r') || (c >= ' ' && !matches!(c, '\u{fffe}' | '\u{ffff}')))
}
