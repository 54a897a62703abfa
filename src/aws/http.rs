//! The connector that all requests go through, and posting to a webhook with it.
//!
//! A webhook's URL is a secret: who knows it can post. It goes past the SDK's own request machinery, which prints requests
//! when tracing is on, straight to the connector; and no error of this file tells it.

use super::config::CONNECT_TIMEOUT;
use super::error::chain;
use crate::env::{ANSWER_KEPT_BYTES, PostError, Posted, Poster};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime::client::auth::no_auth::{NO_AUTH_SCHEME_ID, NoAuthScheme};
use aws_smithy_runtime::client::identity::no_auth::NoAuthIdentityResolver;
use aws_smithy_runtime::client::orchestrator::endpoints::StaticUriEndpointResolver;
use aws_smithy_runtime::client::retries::strategy::NeverRetryStrategy;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::http::{HttpClient as _, HttpConnector as _, HttpConnectorSettings};
use aws_smithy_runtime_api::client::http::{SharedHttpClient, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::{Method, Uri};
use std::time::Duration;

/// Hyper on rustls with the machine's certificates and its proxy settings: the SDK's own default, but one for the whole
/// process, so that its clients share their connections.
pub(super) fn production_client() -> SharedHttpClient {
    Builder::new().build_with_connector_fn(|settings, components| {
        let mut builder = Connector::builder()
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .proxy_config(ProxyConfig::from_env());
        builder.set_connector_settings(settings.cloned());
        builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        builder.build()
    })
}

/// The connector gives up after this; whoever posts has bounds of its own, shorter ones.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Posts to webhooks through the process's connector, so that the simulation plays Slack as well.
///
/// Follows no redirects: the address that a person configured is the only one that gets the text. Repeats nothing.
#[derive(Clone, Debug)]
pub struct HttpPoster {
    client: SharedHttpClient,
    components: RuntimeComponents,
}

impl HttpPoster {
    pub(super) fn new(client: SharedHttpClient, time_source: SharedTimeSource) -> Result<Self, BoxError> {
        // The connector takes its timers from here; the rest is what such a set must have to be one.
        let components = RuntimeComponents::builder("webhooks")
            .with_sleep_impl(Some(SharedAsyncSleep::new(TokioSleep::new())))
            .with_time_source(Some(time_source))
            .with_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(Vec::new())))
            .with_endpoint_resolver(Some(StaticUriEndpointResolver::http_localhost(1)))
            .with_auth_scheme(NoAuthScheme::new())
            .with_identity_resolver(NO_AUTH_SCHEME_ID, NoAuthIdentityResolver::new())
            .with_identity_cache(Some(aws_config::identity::IdentityCache::no_cache()))
            .with_retry_strategy(Some(NeverRetryStrategy::new()))
            .build()?;
        Ok(Self { client, components })
    }

    async fn send(&self, method: Method, url: &str, body: Option<String>) -> Result<Posted, PostError> {
        let request = request(method, url, body)?;
        let settings = HttpConnectorSettings::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(ANSWER_TIMEOUT);
        let connector = self.client.http_connector(&settings.build(), &self.components);
        match tokio::time::timeout(ANSWER_TIMEOUT, exchange(&connector, request)).await {
            Err(_) => Err(PostError::Timeout),
            Ok(Err(error)) if error.is_timeout() => Err(PostError::Timeout),
            Ok(Err(error)) => Err(PostError::Unreachable(without(url, &chain(&error)))),
            Ok(Ok(answer)) => Ok(Posted {
                body: without(url, &answer.body),
                ..answer
            }),
        }
    }
}

impl Poster for HttpPoster {
    fn post_json<'a>(&'a self, url: &'a str, body: String) -> BoxFuture<'a, Result<Posted, PostError>> {
        self.send(Method::POST, url, Some(body)).boxed()
    }

    fn get<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Posted, PostError>> {
        self.send(Method::GET, url, None).boxed()
    }
}

fn request(method: Method, url: &str, body: Option<String>) -> Result<HttpRequest, PostError> {
    let uri: Uri = url.parse().map_err(|_| PostError::BadUrl)?;
    let is_usable =
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|h| !h.is_empty());
    if !is_usable {
        return Err(PostError::BadUrl);
    }
    let mut request = http::Request::builder()
        .method(method)
        .uri(uri)
        .header("user-agent", concat!("keepgreen/", env!("CARGO_PKG_VERSION")));
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let body = body.map_or_else(SdkBody::empty, SdkBody::from);
    let request = request.body(body).map_err(|_| PostError::BadUrl)?;
    HttpRequest::try_from(request).map_err(|_| PostError::BadUrl)
}

async fn exchange(connector: &SharedHttpConnector, request: HttpRequest) -> Result<Posted, ConnectorError> {
    let response = connector.call(request).await?;
    let status = response.status().as_u16();
    let retry_after = response.headers().try_get("retry-after").and_then(Result::ok);
    let retry_after = retry_after
        .and_then(|text| text.trim().parse().ok())
        .map(Duration::from_secs);
    let mut kept: Vec<u8> = Vec::new();
    let mut body = ByteStream::new(response.into_body());
    // The status is the answer; a body that breaks off changes nothing about it.
    while let Some(Ok(bytes)) = body.next().await {
        let room = ANSWER_KEPT_BYTES.saturating_sub(kept.len());
        kept.extend(bytes.iter().take(room));
        if bytes.len() >= room {
            break;
        }
    }
    Ok(Posted {
        status,
        retry_after,
        body: String::from_utf8_lossy(&kept).into_owned(),
    })
}

/// A text in which the URL, or the path that makes it a secret, is not told, should somebody down there have quoted it.
fn without(url: &str, text: &str) -> String {
    let mut text = text.replace(url, "(the URL)");
    let secret = url
        .parse::<Uri>()
        .ok()
        .and_then(|uri| uri.path_and_query().map(|path| path.to_string()));
    if let Some(secret) = secret.filter(|secret| secret.len() > 1) {
        text = text.replace(&secret, "(the URL)");
    }
    text
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
