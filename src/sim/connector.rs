//! The seam: the AWS SDK's HTTP connector, over a [`Cloud`] instead of a network, on virtual time.
//!
//! The SDK's own code runs unchanged above it: signing, retries, timeouts, parsing. The connector keeps the
//! real one's manners: it applies the connect and the read timeout, and its errors have the kinds and the sources that the
//! real one's have, so that what is learnt about ambiguity here holds there. Every call takes at least two
//! milliseconds of virtual time, so that no loop of calls can stand still in time.

use std::error::Error;
use std::fmt;
use std::future::pending;
use std::io;
use std::time::Duration;

use aws_smithy_async::future::timeout::TimedOutError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest as SdkRequest, HttpResponse as SdkResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use tokio::time::{Instant, sleep, sleep_until};

use super::cloud::Cloud;
use super::crash::{CrashPlan, Incarnation};
use super::deliver::{Delivery, Parcel};
use super::fault::Fault;
use super::trace::Outcome;
use super::wire::{HttpRequest, HttpResponse};
use super::world::api::Operation;

impl Cloud {
    /// The HTTP client of one life of a process: for `SdkConfig`, and for webhooks.
    pub fn http_client(&self, sender: &Incarnation) -> SharedHttpClient {
        SharedHttpClient::new(SimHttpClient {
            cloud: self.clone(),
            sender: sender.clone(),
        })
    }
}

#[derive(Debug, Clone)]
struct SimHttpClient {
    cloud: Cloud,
    sender: Incarnation,
}

impl HttpClient for SimHttpClient {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(SimConnector {
            client: self.clone(),
            settings: settings.clone(),
        })
    }
}

#[derive(Debug)]
struct SimConnector {
    client: SimHttpClient,
    settings: HttpConnectorSettings,
}

impl HttpConnector for SimConnector {
    fn call(&self, request: SdkRequest) -> HttpConnectorFuture {
        let SimHttpClient { cloud, sender } = self.client.clone();
        let settings = self.settings.clone();
        HttpConnectorFuture::new(async move { Call::run(cloud, sender, settings, request).await })
    }
}

/// One call under way. Dropped unfinished, it counts as abandoned.
struct Call {
    cloud: Cloud,
    sender: Incarnation,
    settings: HttpConnectorSettings,
    /// In its sender's life.
    call: u64,
    /// In the run's trace.
    number: u64,
    is_mutation: bool,
    started: Instant,
    ended: bool,
}

impl Call {
    async fn run(
        cloud: Cloud,
        sender: Incarnation,
        settings: HttpConnectorSettings,
        request: SdkRequest,
    ) -> Result<SdkResponse, ConnectorError> {
        let mut parcel = Parcel::new(plain_request(&request)?);
        let Some(call) = sender.enter_call(&parcel.action) else {
            return pending().await;
        };
        let number = cloud.begin(&sender, call, &mut parcel);
        let number = number.map_err(|why| ConnectorError::other(why.into(), None))?;
        if let Some(phase) = cloud.crash_of(&parcel)
            && !sender.strike(CrashPlan { call, phase })
        {
            cloud.end(number, Outcome::Abandoned);
            return pending().await;
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "tokio's paused clock is the simulation's own"
        )]
        let started = Instant::now();
        let is_mutation = parcel.operation().is_some_and(Operation::is_mutation);
        let call = Call {
            cloud,
            sender,
            settings,
            call,
            number,
            is_mutation,
            started,
            ended: false,
        };
        call.exchange(parcel).await
    }

    async fn exchange(mut self, parcel: Parcel) -> Result<SdkResponse, ConnectorError> {
        let (there, back) = self.cloud.latency();
        let fault = self.cloud.fault_of(&parcel);
        match &fault {
            Some(Fault::ConnectionRefused) => {
                sleep(there).await;
                let refused = io::Error::new(
                    io::ErrorKind::ConnectionRefused,
                    "Connection refused (os error 111)",
                );
                return self.fail(Outcome::NotConnected, ConnectorError::io(connect_error(refused)));
            }
            Some(Fault::DnsFailure) => return self.no_such_host(there).await,
            Some(Fault::ConnectHang) => return self.never_connect().await,
            _ => {}
        }
        if let Some(late) = self.sleep_or_time_out(there).await {
            return late;
        }
        if self.sender.is_dead() {
            return pending().await;
        }
        let delivery = self
            .cloud
            .deliver(self.number, self.sender.actor(), &parcel, fault.as_ref());
        if !self.sender.effect_done(self.call) {
            return pending().await;
        }
        match delivery {
            Delivery::NoSuchHost => self.no_such_host(back).await,
            Delivery::Nothing => match self.settings.read_timeout() {
                None => pending().await,
                Some(limit) => {
                    sleep_until(self.started + limit).await;
                    self.time_out(limit)
                }
            },
            // What was read of a broken answer is thrown away by the client.
            Delivery::Reset | Delivery::CutOff(_) => {
                sleep(back).await;
                let reset = io::Error::new(
                    io::ErrorKind::ConnectionReset,
                    "Connection reset by peer (os error 104)",
                );
                let error = SourcedError::new("client error (SendRequest)", reset);
                self.fail(Outcome::Reset, ConnectorError::io(error.into()))
            }
            Delivery::Answer {
                response,
                late,
                error,
            } => match self.sleep_or_time_out(back + late).await {
                Some(late) => late,
                None => self.succeed(response, error).await,
            },
        }
    }

    async fn succeed(
        mut self,
        response: HttpResponse,
        error: Option<String>,
    ) -> Result<SdkResponse, ConnectorError> {
        if !self.sender.answered(self.call, self.is_mutation) {
            return pending().await;
        }
        self.cloud.read(self.number, &response.body);
        self.end(Outcome::Answered {
            status: response.status,
            error,
        });
        sdk_response(response)
    }

    /// Sleep, or only until the read timeout, and then fail with it.
    async fn sleep_or_time_out(&mut self, duration: Duration) -> Option<Result<SdkResponse, ConnectorError>> {
        #[expect(
            clippy::disallowed_methods,
            reason = "tokio's paused clock is the simulation's own"
        )]
        let end = Instant::now() + duration;
        match self.settings.read_timeout() {
            Some(limit) if self.started + limit < end => {
                sleep_until(self.started + limit).await;
                Some(self.time_out(limit))
            }
            _ => {
                sleep_until(end).await;
                None
            }
        }
    }

    async fn never_connect(&mut self) -> Result<SdkResponse, ConnectorError> {
        let limits = [self.settings.connect_timeout(), self.settings.read_timeout()];
        match limits.into_iter().flatten().min() {
            None => pending().await,
            Some(limit) => {
                sleep(limit).await;
                let error = connect_error(timeout_error("HTTP connect", limit));
                self.fail(Outcome::NotConnected, ConnectorError::timeout(error))
            }
        }
    }

    async fn no_such_host(&mut self, after: Duration) -> Result<SdkResponse, ConnectorError> {
        sleep(after).await;
        let unknown = io::Error::other("failed to lookup address information: Name or service not known");
        let error = connect_error(SourcedError::new("dns error", unknown));
        self.fail(Outcome::NotConnected, ConnectorError::io(error))
    }

    fn time_out(&mut self, limit: Duration) -> Result<SdkResponse, ConnectorError> {
        self.fail(
            Outcome::TimedOut,
            ConnectorError::timeout(timeout_error("HTTP read", limit).into()),
        )
    }

    fn fail(&mut self, outcome: Outcome, error: ConnectorError) -> Result<SdkResponse, ConnectorError> {
        self.end(outcome);
        // A failure is read like an answer, and its outcome journaled.
        self.sender.answered(self.call, self.is_mutation);
        Err(error)
    }

    fn end(&mut self, outcome: Outcome) {
        self.ended = true;
        self.cloud.end(self.number, outcome);
    }
}

impl Drop for Call {
    /// Only the trace learns of it; nothing in the world changes.
    fn drop(&mut self) {
        if !self.ended {
            self.cloud.end(self.number, Outcome::Abandoned);
        }
    }
}

/// An error with a cause, as hyper's are.
#[derive(Debug)]
struct SourcedError {
    what: String,
    source: Box<dyn Error + Send + Sync>,
}

impl SourcedError {
    fn new(what: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            what: what.into(),
            source: source.into(),
        }
    }
}

impl fmt::Display for SourcedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for SourcedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.source.as_ref())
    }
}

fn connect_error(source: impl Into<Box<dyn Error + Send + Sync>>) -> Box<dyn Error + Send + Sync> {
    SourcedError::new("client error (Connect)", source).into()
}

fn timeout_error(kind: &str, limit: Duration) -> SourcedError {
    SourcedError::new(format!("{kind} timeout occurred after {limit:?}"), TimedOutError)
}

fn plain_request(request: &SdkRequest) -> Result<HttpRequest, ConnectorError> {
    let user = |why: String| ConnectorError::user(why.into());
    let uri: http::Uri = request.uri().parse().map_err(|e| user(format!("bad URI: {e}")))?;
    let body = request
        .body()
        .bytes()
        .ok_or_else(|| user("a streamed body".to_owned()))?;
    let headers = request
        .headers()
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    Ok(HttpRequest {
        method: request.method().to_owned(),
        host: uri.host().unwrap_or("").to_owned(),
        path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        headers: headers.collect(),
        body: body.to_vec(),
    })
}

fn sdk_response(response: HttpResponse) -> Result<SdkResponse, ConnectorError> {
    let status = StatusCode::try_from(response.status).map_err(|e| ConnectorError::other(e.into(), None))?;
    let mut answer = SdkResponse::new(status, SdkBody::from(response.body));
    for (name, value) in response.headers {
        answer.headers_mut().append(name, value);
    }
    Ok(answer)
}
