//! The connector that all requests go through.

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

/// Hyper on rustls with the machine's certificates and its proxy settings: the SDK's own default, but one for the whole
/// process, so that its clients share their connections.
pub(super) fn production_client() -> SharedHttpClient {
    Builder::new().build_with_connector_fn(|settings, components| {
        let mut builder =
            Connector::builder().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).proxy_config(ProxyConfig::from_env());
        builder.set_connector_settings(settings.cloned());
        builder.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        builder.build()
    })
}
