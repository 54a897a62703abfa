//! The simulation, driven by the real SDK clients.

mod crashes;
mod ec2_images;
mod ec2_interfaces;
mod ec2_launch;
mod ec2_network;
mod ec2_settings;
mod ec2_templates;
mod ec2_volumes;
mod elb;
mod eyes;
mod faults;
mod images;
mod judged;
mod judged_harm;
mod judged_later;
mod judged_serving;
mod judged_standing;
mod judged_told;
mod life;
mod own;
mod parameters;
mod reads;
mod rebuild;
mod rooms;

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;

use super::world::builder::{ACCOUNT, REGION};
use super::world::{World, WorldBuilder};
use super::{Cloud, Incarnation, SimClock, runtime};

const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// Signs requests by the simulated machine's wall clock.
#[derive(Debug)]
struct Wall(SimClock);

impl TimeSource for Wall {
    fn now(&self) -> SystemTime {
        self.0.machine().now().wall.into()
    }
}

/// Run a test on virtual time around a world.
fn simulate<F, T>(world: WorldBuilder, test: impl FnOnce(Cloud) -> F) -> T
where
    F: Future<Output = T>,
{
    simulate_seeded(7, world, test)
}

fn simulate_seeded<F, T>(seed: u64, world: WorldBuilder, test: impl FnOnce(Cloud) -> F) -> T
where
    F: Future<Output = T>,
{
    runtime(seed)
        .unwrap()
        .block_on(async { test(Cloud::new(seed, world.build())).await })
        .unwrap()
}

/// An SDK configuration without retries, as a person in the usual account and region would have it.
fn sdk(cloud: &Cloud) -> SdkConfig {
    sdk_of(cloud, &Incarnation::person(), ACCOUNT, REGION)
}

fn sdk_of(cloud: &Cloud, sender: &Incarnation, account: &str, region: &str) -> SdkConfig {
    let key = World::access_key(account);
    let credentials = Credentials::new(key, "secret", None, None, "test");
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .read_timeout(READ_TIMEOUT);
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .time_source(SharedTimeSource::new(Wall(cloud.clock().clone())))
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .http_client(cloud.http_client(sender))
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts.build())
        .build()
}

/// The id of an instance by number: `i-00000000000000007`.
fn id(n: usize) -> String {
    format!("i-{n:017x}")
}

/// The error's code, as the SDK parsed it.
fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> &str {
    error.code().unwrap_or("(none)")
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}
