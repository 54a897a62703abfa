//! The one place where an SDK configuration is built, for production and for the simulation.
//!
//! Guarantees, whatever the environment and the profile say:
//! - every call ends: connect, read, attempt and operation timeouts are always set (the SDK has no default for the
//!   operation);
//! - reads are tried at most [`READ_ATTEMPTS`] times, each account, region and service out of its own retry quota: the
//!   SDK's default quota is one for a whole process per region, and one account's outage would starve another;
//! - mutations are tried once. `AWS_MAX_ATTEMPTS` and `AWS_RETRY_MODE` do not bring retries back: each repeat needs
//!   a new admission.
//!
//! Endpoints, region and credentials come from the SDK's usual chain, `AWS_ENDPOINT_URL` included. A simulation gives all
//! of them through [`Seams`] and then nothing of the machine is asked.

use super::budget::{Budgets, Purse};
use super::credentials::Kept;
use super::http::{self, HttpPoster};
use crate::env::{Clock, Env, PostError};
use crate::model::{AccountId, AwsError, ErrorClass, Region};
use crate::policy::Role;
use aws_config::identity::IdentityCache;
use aws_config::sts::AssumeRoleProvider;
use aws_config::{AppName, BehaviorVersion, Region as SdkRegion, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use aws_smithy_runtime::client::retries::RetryPartition;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use std::time::{Duration, SystemTime};
use tokio::sync::OnceCell;

/// A connection inside AWS takes milliseconds; two seconds survive one lost packet.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Between sending a request and the first byte of its answer. Listings of 1,000 instances take AWS about a second. Reads and
/// mutations have the same one, because the connector keeps a pool of connections for each pair of timeouts: so the
/// mutation goes out over a connection that the look before it has just used.
pub const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// One try of a read, credentials included.
const READ_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(6);

/// All tries of a read together: three of them, with the waits in between.
pub const READ_OPERATION_TIMEOUT: Duration = Duration::from_secs(20);

/// A mutation has one try. A second more than the read timeout leaves room for a new connection, no more: what takes
/// longer is ambiguous, and is looked at instead of waited for.
pub const WRITE_OPERATION_TIMEOUT: Duration = Duration::from_secs(8);

/// Tries of one read. Longer outages are for the next look, which begins with fresh eyes.
pub const READ_ATTEMPTS: u32 = 3;

/// The longest wait between two tries of one read; the three tries then fit the operation's timeout.
const MOST_READ_BACKOFF: Duration = Duration::from_secs(1);

/// The name by which AWS's logs show who called.
const APP_NAME: &str = "keepgreen";

/// What production and simulation differ in. Everything `None` is production.
#[derive(Clone, Debug, Default)]
pub struct Seams {
    pub http_client: Option<SharedHttpClient>,
    /// The clock that requests are signed by; `None`: the program's own wall clock.
    pub time_source: Option<SharedTimeSource>,
    /// With these, neither environment nor profile nor the instance's metadata service is asked for anything; `region`
    /// then is the default region.
    pub credentials: Option<SharedCredentialsProvider>,
    pub region: Option<Region>,
    /// Seeds this thread's generator of retry jitter and invocation ids.
    pub seed: Option<u64>,
}

/// Which credentials and region a group of services shares.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScopeKey {
    /// `None`: the process's own credentials.
    pub role: Option<Role>,
    /// `None`: the usual chain's.
    pub region: Option<Region>,
}

impl std::fmt::Display for ScopeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let role = self
            .role
            .as_ref()
            .map_or("own credentials", |role| role.arn.as_str());
        let region = self.region.as_ref().map_or("default region", Region::as_str);
        write!(f, "{role} in {region}")
    }
}

/// Everything that the clients of one scope are built from.
#[derive(Clone, Debug)]
pub struct Scope {
    pub sdk: SdkConfig,
    pub region: Region,
    pub purse: Purse,
    pub credentials: Kept,
}

/// What the clients of all scopes are built from.
#[derive(Debug)]
pub struct Sdk {
    pub env: Env,
    pub budgets: Budgets,
    seams: Seams,
    http_client: SharedHttpClient,
    own: OnceCell<Own>,
}

impl Sdk {
    /// In a simulation, once for each incarnation of the process: clients remember the clock skew that they saw.
    pub fn new(env: Env, seams: Seams) -> Self {
        if let Some(seed) = seams.seed {
            #[expect(
                clippy::disallowed_methods,
                reason = "the SDK's jitter and invocation ids draw from it"
            )]
            fastrand::seed(seed);
        }
        Self {
            budgets: Budgets::new(env.clock.clone()),
            http_client: seams.http_client.clone().unwrap_or_else(http::production_client),
            env,
            seams,
            own: OnceCell::new(),
        }
    }

    /// The connector that all requests of the process go through.
    fn http_client(&self) -> SharedHttpClient {
        self.http_client.clone()
    }

    /// What posts to webhooks, through the same connector.
    ///
    /// # Errors
    /// Never in practice: if the connector's settings are refused.
    pub fn poster(&self) -> Result<HttpPoster, PostError> {
        HttpPoster::new(self.http_client(), self.time_source())
            .map_err(|error| PostError::Unreachable(error.to_string()))
    }

    fn time_source(&self) -> SharedTimeSource {
        let own = || SharedTimeSource::new(EnvTime(self.env.clock.clone()));
        self.seams.time_source.clone().unwrap_or_else(own)
    }

    /// Builds what one scope's clients share. Asks no AWS API; roles are assumed when credentials are first needed.
    ///
    /// # Errors
    /// If no region, or no way to get credentials, is configured anywhere.
    pub async fn scope(&self, key: &ScopeKey) -> Result<Scope, AwsError> {
        let own = self.own.get_or_init(|| self.load()).await;
        let chain = || own.sdk.region().map(|region| Region::new(region.as_ref()));
        let region = key.region.clone().or_else(chain).ok_or_else(|| {
            not_configured(
                key,
                "no region: name one in the policy, in AWS_REGION or in the AWS profile",
            )
        })?;
        let sdk = own
            .sdk
            .to_builder()
            .region(SdkRegion::new(region.as_str().to_owned()))
            .build();
        let credentials = match (&key.role, &own.credentials) {
            (Some(role), Some(_)) => Kept::new(assume(role, &sdk).await, self.time_source()),
            (None, Some(own)) => own.clone(),
            (_, None) => return Err(not_configured(key, "no credentials of its own to begin with")),
        };
        let sdk = sdk
            .into_builder()
            .credentials_provider(credentials.share())
            .build();
        let account = key.role.as_ref().and_then(|role| account_in_arn(&role.arn));
        let purse = Purse {
            account,
            region: region.clone(),
        };
        Ok(Scope {
            sdk,
            region,
            purse,
            credentials,
        })
    }

    /// The process's own configuration, from the machine or from the seams, with everything that is ours set.
    async fn load(&self) -> Own {
        let region = self
            .seams
            .region
            .as_ref()
            .map(|region| SdkRegion::new(region.as_str().to_owned()));
        let ambient = match &self.seams.credentials {
            Some(credentials) => SdkConfig::builder()
                .region(region)
                .credentials_provider(credentials.clone())
                .build(),
            None => {
                // Given already here, because the chain's own requests (metadata service, SSO) use them too, and because
                // a retry setting in the environment that cannot be parsed would otherwise be read, and panic.
                let loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
                    .http_client(self.http_client())
                    .time_source(self.time_source())
                    .retry_config(read_retries())
                    .timeout_config(read_timeouts());
                match region {
                    Some(region) => loader.region(region).load().await,
                    None => loader.load().await,
                }
            }
        };
        let credentials = ambient
            .credentials_provider()
            .map(|source| Kept::new(source, self.time_source()));
        let mut builder = ambient.into_builder();
        builder.set_app_name(AppName::new(APP_NAME).ok());
        builder.set_credentials_provider(credentials.as_ref().map(Kept::share));
        let sdk = builder
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(self.http_client())
            .time_source(self.time_source())
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            // `Kept` is the cache; a second one in front of it would refresh at moments of its own.
            .identity_cache(IdentityCache::no_cache())
            .retry_config(read_retries())
            .timeout_config(read_timeouts())
            // Answers are small and have timeouts; its timers would be one more source of disorder in a simulation.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        Own { sdk, credentials }
    }
}

#[derive(Debug)]
struct Own {
    sdk: SdkConfig,
    credentials: Option<Kept>,
}

/// A role's credentials come from STS through the same connector, with a read's timeouts and retries.
async fn assume(role: &Role, sdk: &SdkConfig) -> SharedCredentialsProvider {
    let mut builder = AssumeRoleProvider::builder(role.arn.clone())
        .configure(sdk)
        .session_name(APP_NAME);
    if let Some(external_id) = &role.external_id {
        builder = builder.external_id(external_id.clone());
    }
    SharedCredentialsProvider::new(builder.build().await)
}

/// `arn:aws:iam::111122223333:role/keepgreen`
fn account_in_arn(arn: &str) -> Option<AccountId> {
    arn.split(':')
        .nth(4)
        .filter(|account| !account.is_empty())
        .map(AccountId::from)
}

fn not_configured(key: &ScopeKey, message: &str) -> AwsError {
    AwsError {
        operation: "configuration".to_owned(),
        object: Some(key.to_string()),
        class: ErrorClass::Permanent,
        code: None,
        message: message.to_owned(),
        request_id: None,
    }
}

pub(super) fn read_timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .operation_attempt_timeout(READ_ATTEMPT_TIMEOUT)
        .operation_timeout(READ_OPERATION_TIMEOUT)
        .build()
}

pub(super) fn write_timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .operation_attempt_timeout(WRITE_OPERATION_TIMEOUT)
        .operation_timeout(WRITE_OPERATION_TIMEOUT)
        .build()
}

pub(super) fn read_retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(READ_ATTEMPTS)
        .with_max_backoff(MOST_READ_BACKOFF)
}

/// A retry quota of its own for one account, region and service.
pub(super) fn retry_partition(scope: &Scope, service: &str) -> RetryPartition {
    let account = scope.purse.account.as_ref().map_or("own", AccountId::as_str);
    RetryPartition::custom(format!("{account}/{}/{service}", scope.region)).build()
}

/// Builds one service's client. The retry settings are the client's own, so that nothing from the environment stands
/// above them.
macro_rules! client {
    ($service:ident, $scope:expr, $retries:expr, $timeouts:expr, $interceptors:expr) => {{
        let scope: &$crate::aws::config::Scope = $scope;
        let mut builder = $service::config::Builder::from(&scope.sdk)
            .retry_config($retries)
            .timeout_config($timeouts)
            .retry_partition($crate::aws::config::retry_partition(scope, stringify!($service)));
        for interceptor in $interceptors {
            builder.push_interceptor(interceptor);
        }
        $service::Client::from_conf(builder.build())
    }};
}
pub(super) use client;

/// The program's clock in the SDK's shape: it signs requests with it.
#[derive(Debug)]
struct EnvTime(Clock);

impl TimeSource for EnvTime {
    fn now(&self) -> SystemTime {
        SystemTime::from(self.0.wall())
    }
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
