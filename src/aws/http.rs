//! The connector that all requests go through, and posting to a webhook with it.
//!
//! A webhook's URL is a secret: who knows it can post. It goes past the SDK's own request machinery, which prints requests
//! when tracing is on, straight to the connector; and no error of this file tells it.

use super::config::CONNECT_TIMEOUT;
use super::error::chain;
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
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
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

/// What is kept of an answer's body, for people: services say in a line what they did not like.
const MOST_ANSWER_BYTES: usize = 1_024;

/// Posts to webhooks. Follows no redirects: the address that a person configured is the only one that gets the text.
#[derive(Clone, Debug)]
pub struct HttpPoster {
    client: SharedHttpClient,
    components: RuntimeComponents,
}

/// An answer, of whatever status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostAnswer {
    pub status: u16,
    /// The answer's `Retry-After`, if it is a number of seconds.
    pub retry_after: Option<Duration>,
    /// The beginning of the answer's text.
    pub text: String,
}

impl PostAnswer {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Why there is no answer. Never tells the URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// Nothing was sent; it will be the same each time.
    #[error("the URL is not usable: {0}")]
    Url(&'static str),
    #[error("no answer came within {0:?}; it may have arrived")]
    TimedOut(Duration),
    #[error("it could not be posted: {0}")]
    Failed(String),
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

    /// Posts a JSON document, once.
    ///
    /// # Errors
    /// If no answer came in time. An answer of any status is an answer, a redirect included.
    pub async fn post_json(
        &self,
        url: &str,
        body: String,
        timeout: Duration,
    ) -> Result<PostAnswer, PostError> {
        let request = request(url, body)?;
        let settings = HttpConnectorSettings::builder()
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .read_timeout(timeout);
        let connector = self.client.http_connector(&settings.build(), &self.components);
        match tokio::time::timeout(timeout, exchange(&connector, request)).await {
            Err(_) => Err(PostError::TimedOut(timeout)),
            Ok(Err(why)) => Err(PostError::Failed(without(url, &why))),
            Ok(Ok(answer)) => Ok(PostAnswer {
                text: without(url, &answer.text),
                ..answer
            }),
        }
    }
}

fn request(url: &str, body: String) -> Result<HttpRequest, PostError> {
    let uri: http::Uri = url.parse().map_err(|_| PostError::Url("it cannot be parsed"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(PostError::Url("it begins with neither http:// nor https://"));
    }
    if uri.host().is_none_or(str::is_empty) {
        return Err(PostError::Url("it names no host"));
    }
    let request = http::Request::post(uri)
        .header("content-type", "application/json")
        .header("user-agent", concat!("keepgreen/", env!("CARGO_PKG_VERSION")))
        .header("content-length", body.len())
        .body(SdkBody::from(body))
        .map_err(|_| PostError::Url("it cannot be requested"))?;
    HttpRequest::try_from(request).map_err(|_| PostError::Url("it cannot be requested"))
}

async fn exchange(connector: &SharedHttpConnector, request: HttpRequest) -> Result<PostAnswer, String> {
    let response = connector.call(request).await.map_err(|error| chain(&error))?;
    let status = response.status().as_u16();
    let retry_after = response.headers().try_get("retry-after").and_then(Result::ok);
    let retry_after = retry_after
        .and_then(|text| text.trim().parse().ok())
        .map(Duration::from_secs);
    let mut kept: Vec<u8> = Vec::new();
    let mut body = ByteStream::new(response.into_body());
    // The status is the answer; a body that breaks off changes nothing about it.
    while let Some(Ok(bytes)) = body.next().await {
        let room = MOST_ANSWER_BYTES.saturating_sub(kept.len());
        kept.extend(bytes.iter().take(room));
        if bytes.len() >= room {
            break;
        }
    }
    let text = String::from_utf8_lossy(&kept).into_owned();
    Ok(PostAnswer {
        status,
        retry_after,
        text,
    })
}

/// A text in which the URL, or the path that makes it a secret, is not told, should somebody down there have quoted it.
fn without(url: &str, text: &str) -> String {
    let mut text = text.replace(url, "(the URL)");
    let secret = url
        .parse::<http::Uri>()
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
