//! HTTP around a [`Port`]: limits, requests and answers, shutdown.

use super::{Port, Reply, control};
use crate::sim::wire::{HttpRequest, HttpResponse};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// AWS takes no larger body in any operation that is modelled.
const BODY_MAX_BYTES: usize = 1024 * 1024;

/// How long answers that are under way may take once the end was asked for. Faults can make them take for ever.
const LONGEST_END: Duration = Duration::from_secs(2);

/// Take the address.
///
/// # Errors
/// If it is in use, or not one of this machine's.
pub async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
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
    tokio::select! {
        result = axum::serve(listener, router).with_graceful_shutdown(stop).into_future() => result,
        () = too_long => Ok(()),
        () = port.live() => Ok(()),
    }
}

async fn answer(State(port): State<Arc<Port>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let headers = head.headers.iter();
    let headers = headers.map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    let Ok(body) = to_bytes(body, BODY_MAX_BYTES).await else {
        return plain(413, "the body is cut off, or larger than 1 MiB\n");
    };
    let request = HttpRequest {
        method: head.method.as_str().to_owned(),
        host: String::new(),
        path: path.to_owned(),
        headers: headers.collect(),
        body: body.to_vec(),
    };
    if control::is_control(&request.path) {
        return whole(control::answer(&port, &request));
    }
    match port.call(request).await {
        Reply::Answer(response) => whole(response),
        Reply::Silence | Reply::Reset => plain(500, ""),
    }
}

fn plain(status: u16, text: &str) -> Response {
    whole(HttpResponse {
        status,
        headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
        body: text.as_bytes().to_vec(),
    })
}

fn whole(response: HttpResponse) -> Response {
    let mut answer = Response::new(Body::from(response.body));
    *answer.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in response.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            answer.headers_mut().append(name, value);
        }
    }
    answer
}
