//! What becomes of one call: who it is for, what the world answers, and what a fault makes of it.

use std::time::Duration;

use jiff::Timestamp;

use super::crash::Actor;
use super::fault::Fault;
use super::oracle::Arrival;
use super::requests;
use super::state::State;
use super::wire::{self, Endpoint, HttpRequest, HttpResponse, address};
use super::world::api::{Answer, ApiError, Operation, Refusal, Request, Response};
use super::world::webhook::{Post, WebhookAnswer};
use super::world::{Staleness, World};

/// What a webhook that is struck by throttling asks for.
const THROTTLED_FOR_S: u64 = 10;

/// A request on its way, understood as far as possible.
pub(super) struct Parcel {
    pub(super) request: HttpRequest,
    /// `None`: a webhook, or a host that does not exist.
    pub(super) endpoint: Option<Endpoint>,
    /// `StartInstances`; a webhook's method.
    pub(super) action: String,
    pub(super) sent: Timestamp,
    /// Sorted and readable.
    params: String,
    parsed: Option<Result<Operation, ApiError>>,
}

/// What comes back to the caller.
#[derive(Debug)]
pub(super) enum Delivery {
    /// This response, that much later than usual, and its error code if it is one.
    Answer {
        response: HttpResponse,
        late: Duration,
        error: Option<String>,
    },
    /// Nothing, ever.
    Nothing,
    /// The connection breaks.
    Reset,
    /// The connection breaks in the middle of this.
    CutOff(HttpResponse),
    /// No such host.
    NoSuchHost,
}

impl Parcel {
    /// A request that goes where its host says.
    pub(super) fn new(request: HttpRequest) -> Self {
        Self::to(address::endpoint_of(&request), request)
    }

    /// A request to `endpoint`.
    pub(super) fn to(endpoint: Option<Endpoint>, request: HttpRequest) -> Self {
        let (action, params, parsed) = match &endpoint {
            Some(endpoint) => {
                let said = wire::understand(endpoint.service, &request);
                requests::record(endpoint.service, &said.action, &request);
                (said.action, said.params, Some(said.asks))
            }
            None => (request.method.clone(), wire::text_of(&request), None),
        };
        Self {
            request,
            endpoint,
            action,
            sent: Timestamp::UNIX_EPOCH,
            params,
            parsed,
        }
    }

    pub(super) fn operation(&self) -> Option<&Operation> {
        self.parsed.as_ref().and_then(|parsed| parsed.as_ref().ok())
    }

    pub(super) fn service_name(&self) -> String {
        match &self.endpoint {
            Some(endpoint) => endpoint.service.name().to_owned(),
            None => self.request.host.clone(),
        }
    }

    pub(super) fn region(&self) -> String {
        self.endpoint
            .as_ref()
            .map_or_else(String::new, |e| e.region.clone())
    }

    pub(super) fn account(&self, world: &World) -> String {
        let caller = self
            .endpoint
            .as_ref()
            .and_then(|e| world.caller(&e.access_key, &e.region).ok());
        caller.map_or_else(String::new, |caller| caller.account)
    }

    pub(super) fn params(&self) -> &str {
        &self.params
    }
}

impl State {
    /// The call arrives at the present moment: it takes effect, unless its fault prevents that.
    pub(super) fn deliver(
        &mut self,
        number: u64,
        actor: Actor,
        parcel: &Parcel,
        fault: Option<&Fault>,
    ) -> Delivery {
        let Some(endpoint) = &parcel.endpoint else {
            return self.deliver_webhook(parcel, fault);
        };
        let request_id = self.request_id();
        let refuse = |error: &ApiError| Delivery::Answer {
            response: wire::refuse(endpoint.service, error, &request_id),
            late: Duration::ZERO,
            error: Some(wire::code_of(endpoint.service, &error.refusal).1),
        };
        let request = match understand(&self.world, endpoint, parcel) {
            Ok(request) => request,
            Err(error) => return refuse(&error),
        };
        if request.operation.is_mutation() {
            self.oracle.answered(number, &request_id);
        }
        let response = self.answer(number, actor, parcel, &request, fault);
        let mut delivery = match &response {
            Err(error) => refuse(error),
            Ok(answer) => Delivery::Answer {
                response: wire::respond(endpoint.service, &parcel.action, answer, &request_id),
                late: Duration::ZERO,
                error: None,
            },
        };
        if let Some(fault) = fault {
            spoil(&mut delivery, fault, |error| refuse(error));
        }
        delivery
    }

    /// What the world says, with the oracles looking on.
    fn answer(
        &mut self,
        number: u64,
        actor: Actor,
        parcel: &Parcel,
        request: &Request,
        fault: Option<&Fault>,
    ) -> Response {
        if let Some(arrival) = arrival(number, actor, parcel, request, &self.world) {
            self.oracle.judge(&arrival);
        }
        let is_half = fault == Some(&Fault::Partial);
        let half = is_half.then(|| first_half(request)).flatten();
        let response = self.carry_out(request, half.as_ref(), fault);
        if let Some(arrival) = arrival(number, actor, parcel, request, &self.world) {
            // Of a half the world has done no more than that.
            let done = match &half {
                Some(half) => Some(Arrival {
                    request: half,
                    ..arrival
                }),
                None => is_done(fault).then_some(arrival),
            };
            if let Some(done) = done {
                self.oracle.effected(&done, &response);
            }
            if fault.is_none_or(Fault::lets_the_answer_be_read) {
                self.oracle.shown(&arrival, &response);
            }
        }
        response
    }

    /// What the world does of a request that meets this fault, and says of it.
    fn carry_out(&mut self, request: &Request, half: Option<&Request>, fault: Option<&Fault>) -> Response {
        let now = self.world.now();
        match fault {
            Some(Fault::Refuse(error)) => Err(error.clone()),
            Some(Fault::Hang | Fault::HtmlError(_)) => Err(ApiError::throttled()),
            // A copy of the world has done it; this one has not.
            Some(Fault::NothingDone) => self.world.clone().call(now, request),
            Some(Fault::Partial) => match half {
                Some(half) => self.world.call(now, half),
                None if is_about_instances(request) => Ok(Answer::StateChanges(Vec::new())),
                None => self.world.clone().call(now, request),
            },
            Some(Fault::Stale(lag)) => {
                let usual = self.world.staleness();
                self.world.set_staleness(Staleness {
                    reads_lag: *lag,
                    ..usual
                });
                let response = self.world.call(now, request);
                self.world.set_staleness(usual);
                response
            }
            Some(Fault::EmptyAnswer) => self.world.call(now, request).map(|mut answer| {
                answer.clear();
                answer
            }),
            _ => self.world.call(now, request),
        }
    }

    fn deliver_webhook(&mut self, parcel: &Parcel, fault: Option<&Fault>) -> Delivery {
        let request = &parcel.request;
        if !self.world.has_webhook(&request.host) {
            return Delivery::NoSuchHost;
        }
        let answer = match fault {
            Some(Fault::Hang) => return Delivery::Nothing,
            Some(throttled) if *throttled == Fault::throttled() => {
                Some(WebhookAnswer::TooManyRequests(THROTTLED_FOR_S))
            }
            _ => {
                let post = Post {
                    at: Timestamp::UNIX_EPOCH,
                    method: request.method.clone(),
                    path: request.path.clone(),
                    content_type: request.headers.get("content-type").cloned(),
                    body: String::from_utf8_lossy(&request.body).into_owned(),
                    status: None,
                };
                self.world.receive(self.world.now(), &request.host, post)
            }
        };
        if let Some(WebhookAnswer::Hang | WebhookAnswer::Slow(_)) = answer {
            self.oracle.disturbed(self.world.now(), &request.host, true);
        }
        let plain = |status: u16, header: Option<(&str, String)>, body: &str| Delivery::Answer {
            response: HttpResponse {
                status,
                headers: header
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect(),
                body: body.as_bytes().to_vec(),
            },
            late: Duration::ZERO,
            error: None,
        };
        let mut delivery = match answer {
            None => Delivery::NoSuchHost,
            Some(WebhookAnswer::Ok) => plain(200, None, "ok"),
            Some(WebhookAnswer::Slow(late)) => match plain(200, None, "ok") {
                Delivery::Answer { response, error, .. } => Delivery::Answer {
                    response,
                    late,
                    error,
                },
                other => other,
            },
            Some(WebhookAnswer::TooManyRequests(seconds)) => {
                plain(429, Some(("retry-after", seconds.to_string())), "rate_limited")
            }
            Some(WebhookAnswer::ServerError) => plain(500, None, "server error"),
            Some(WebhookAnswer::Redirect(to)) => plain(302, Some(("location", to)), ""),
            Some(WebhookAnswer::Hang) => Delivery::Nothing,
        };
        if let Some(fault) = fault {
            spoil(&mut delivery, fault, |_| plain(500, None, "server error"));
        }
        delivery
    }

    pub(super) fn request_id(&mut self) -> String {
        let (a, b) = (self.rng.u64(..), self.rng.u64(..));
        let (high, low) = (a >> 32, a & 0xffff_ffff);
        let (mid, last) = (low >> 16, b & 0xffff_ffff_ffff);
        format!(
            "{high:08x}-{mid:04x}-{:04x}-{:04x}-{last:012x}",
            low & 0xffff,
            b >> 48
        )
    }
}

/// What the oracles see of a call, if the controller has sent it.
fn arrival<'a>(
    number: u64,
    actor: Actor,
    parcel: &'a Parcel,
    request: &'a Request,
    world: &'a World,
) -> Option<Arrival<'a>> {
    let Actor::Controller { incarnation, dry_run } = actor else {
        return None;
    };
    Some(Arrival {
        number,
        sent: parcel.sent,
        incarnation,
        dry_run,
        request,
        params: parcel.params(),
        world,
    })
}

fn understand(world: &World, endpoint: &Endpoint, parcel: &Parcel) -> Result<Request, ApiError> {
    let caller = world.caller(&endpoint.access_key, &endpoint.region)?;
    match &parcel.parsed {
        Some(Ok(operation)) => Ok(Request {
            caller,
            operation: operation.clone(),
        }),
        Some(Err(error)) => Err(error.clone()),
        None => Err(ApiError {
            refusal: Refusal::NotModelled,
            message: "no such endpoint".to_owned(),
        }),
    }
}

/// Its answer lists what was done.
fn is_about_instances(request: &Request) -> bool {
    use Operation::{StartInstances, StopInstances, TerminateInstances};
    matches!(
        request.operation,
        StartInstances { .. } | StopInstances { .. } | TerminateInstances { .. }
    )
}

/// The same request for the first half of what it names; `None` if that is nothing. What names no list has no half.
fn first_half(request: &Request) -> Option<Request> {
    use crate::sim::world::balancing::Op;
    let mut half = request.clone();
    let left = match &mut half.operation {
        Operation::StartInstances { ids, .. }
        | Operation::StopInstances { ids, .. }
        | Operation::TerminateInstances { ids, .. }
        | Operation::CreateTags { ids, .. }
        | Operation::DeleteTags { ids, .. } => {
            ids.truncate(ids.len() / 2);
            ids.len()
        }
        Operation::Balancing(Op::RegisterTargets { targets, .. } | Op::DeregisterTargets { targets, .. }) => {
            targets.truncate(targets.len() / 2);
            targets.len()
        }
        _ => 1,
    };
    (left > 0).then_some(half)
}

/// The world itself has done what was asked for, if it agreed.
fn is_done(fault: Option<&Fault>) -> bool {
    !matches!(
        fault,
        Some(Fault::Refuse(_) | Fault::Hang | Fault::HtmlError(_) | Fault::NothingDone | Fault::Partial)
    )
}

/// What a fault makes of an answer on its way back.
fn spoil(delivery: &mut Delivery, fault: &Fault, refuse: impl Fn(&ApiError) -> Delivery) {
    match fault {
        Fault::Hang | Fault::AppliedNoAnswer => *delivery = Delivery::Nothing,
        Fault::AppliedReset => *delivery = Delivery::Reset,
        Fault::RefuseAfterEffect(error) => *delivery = refuse(error),
        Fault::HtmlError(status) => {
            let body = b"<html><body><h1>Service Unavailable</h1></body></html>".to_vec();
            let headers = vec![("content-type".to_owned(), "text/html".to_owned())];
            let response = HttpResponse {
                status: *status,
                headers,
                body,
            };
            *delivery = Delivery::Answer {
                response,
                late: Duration::ZERO,
                error: Some("(html)".to_owned()),
            };
        }
        _ => {}
    }
    let Delivery::Answer { response, late, .. } = delivery else {
        return;
    };
    match fault {
        Fault::CutOff => {
            let response = response.clone();
            *delivery = Delivery::CutOff(response);
        }
        Fault::Slow(by) => *late = *by,
        Fault::Truncated => response.body.truncate(response.body.len() / 2),
        Fault::UnknownMember(member) => {
            let text = String::from_utf8_lossy(&response.body);
            let text = text.replace(&format!(">{member}<"), ">unheard-of<");
            let text = text.replace(&format!("\"{member}\""), "\"unheard-of\"");
            response.body = text.into_bytes();
        }
        _ => {}
    }
}
