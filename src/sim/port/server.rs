//! HTTP around a [`Port`]: limits, requests and answers, shutdown.

use super::connection::{Door, Line, TRANSFER};
use super::{Port, Reply, control};
use crate::sim::wire::address::service_of;
use crate::sim::wire::{HttpRequest, HttpResponse};
use crate::sim::world::api::ApiError;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, request};
use axum::response::Response;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// AWS takes no larger body in any operation that is modelled.
const BODY_MAX_BYTES: usize = 1024 * 1024;

/// How long answers that are under way may take once the end was asked for. Faults can make them take for ever.
const LONGEST_END: Duration = Duration::from_secs(2);

/// Between the first half of an answer that is cut off and its end: so that the half is on its way before the connection
/// breaks.
const BEFORE_THE_CUT: Duration = Duration::from_millis(50);

/// Takes the address, `127.0.0.1:4566` or `localhost:0`.
///
/// # Errors
/// If it is in use, not one of this machine's, or no address.
pub async fn listen(address: &str) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves the world until `stop` ends, and then finishes what is under way.
///
/// # Errors
/// If the listener fails for good.
pub async fn serve(
    listener: TcpListener,
    port: Arc<Port>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let router = Router::new().fallback(answer).with_state(port.clone());
    let service = router.into_make_service_with_connect_info::<Line>();
    let (ending, ended) = tokio::sync::oneshot::channel::<()>();
    let stop = async move {
        stop.await;
        // Nobody listens once the server has ended by itself.
        let _ = ending.send(());
    };
    let too_long = async {
        // An error means that the sender is gone, and the server with it.
        let _ = ended.await;
        tokio::time::sleep(LONGEST_END).await;
    };
    let server = axum::serve(Door::new(listener), service).with_graceful_shutdown(stop);
    tokio::select! {
        result = server.into_future() => result,
        () = too_long => Ok(()),
        () = port.live() => Ok(()),
    }
}

/// Answers one request, whatever it is. A panic is the server's own mistake, and says so to the one client that met it.
async fn answer(
    State(port): State<Arc<Port>>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request,
) -> Response {
    let _busy = line.busy();
    let (head, body) = request.into_parts();
    let mut request = plain_request(&head);
    let body = tokio::time::timeout(TRANSFER, to_bytes(body, BODY_MAX_BYTES)).await;
    let Ok(Ok(body)) = body else {
        let text = format!("The body is cut off, too slow, or larger than {BODY_MAX_BYTES} bytes");
        let error = ApiError::with_status(413, "RequestEntityTooLarge", text);
        return whole(port.refuse(service_of(&request), &error));
    };
    request.body = body.to_vec();
    let service = service_of(&request);
    let answered = AssertUnwindSafe(respond(&port, &line, request))
        .catch_unwind()
        .await;
    answered.unwrap_or_else(|_| {
        let text = "The simulated AWS has met a mistake of its own; its log on stderr has it";
        whole(port.refuse(service, &ApiError::with_status(500, "InternalFailure", text)))
    })
}

async fn respond(port: &Port, line: &Line, request: HttpRequest) -> Response {
    if control::is_control(&request.path) {
        return whole(control::answer(port, &request));
    }
    match port.call(request).await {
        Reply::Answer(response) => whole(response),
        Reply::CutOff(response) => half(response),
        Reply::Reset => {
            line.break_off();
            Response::new(Body::empty())
        }
    }
}

fn plain_request(head: &request::Parts) -> HttpRequest {
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let headers = head.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    HttpRequest {
        method: head.method.as_str().to_owned(),
        host: String::new(),
        path: path.to_owned(),
        headers: headers.collect(),
        body: Vec::new(),
    }
}

fn whole(response: HttpResponse) -> Response {
    let body = Body::from(response.body);
    headed(body, response.status, response.headers)
}

/// An answer whose length is said in full, and of which half comes before the connection breaks.
fn half(mut response: HttpResponse) -> Response {
    let length = response.body.len();
    response
        .headers
        .push(("content-length".to_owned(), length.to_string()));
    response.body.truncate(length / 2);
    let first = stream::once(std::future::ready(Ok(Bytes::from(response.body))));
    let then = stream::once(async {
        tokio::time::sleep(BEFORE_THE_CUT).await;
        Err::<Bytes, _>(io::Error::from(io::ErrorKind::ConnectionReset))
    });
    headed(
        Body::from_stream(first.chain(then)),
        response.status,
        response.headers,
    )
}

fn headed(body: Body, status: u16, headers: Vec<(String, String)>) -> Response {
    let mut answer = Response::new(body);
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            answer.headers_mut().append(name, value);
        }
    }
    answer
}
