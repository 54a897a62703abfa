//! Reading AWS, typed and paged to the end.
//!
//! # Guarantees
//! - A [`Reader`]'s clients refuse, before transmit, every operation that is not a read.
//! - A page that fails is never passed over: a list is complete, or it comes with the error. Only the instances' listing
//!   hands out what the earlier pages had, because a start needs no more than to see its own instance.
//! - Listings are filtered on AWS's side; filters, unlike ids, do not fail when an object is gone.

mod balancing;
mod catalogue;
mod images;
mod instances;
mod other;
mod page;
mod parts;

pub use balancing::{CrossZone, GroupAttributes, LoadBalancer, TargetGroup};
pub use catalogue::InstanceKind;
pub use instances::{InstanceFilter, StatusesOf};
pub use page::Listing;

use super::api::Kind;
use super::budget::Budgets;
use super::call::Caller;
use super::config::{Scope, ScopeKey, Sdk, client, read_retries, read_timeouts};
use super::interceptors::{CountRetries, OnlyThese, WholeAnswers};
use crate::model::{AwsError, Region};
use aws_smithy_runtime_api::client::interceptors::SharedInterceptor;

/// The read clients of one scope.
#[derive(Debug)]
pub struct Reader {
    caller: Caller,
    region: Region,
    ec2: aws_sdk_ec2::Client,
    balancing: aws_sdk_elasticloadbalancingv2::Client,
    scaling: aws_sdk_autoscaling::Client,
    parameters: aws_sdk_ssm::Client,
    identity: aws_sdk_sts::Client,
}

impl Reader {
    /// # Errors
    /// If the scope is not configured well enough to send anything.
    pub async fn new(sdk: &Sdk, key: &ScopeKey) -> Result<Self, AwsError> {
        let scope = sdk.scope(key).await?;
        let (retries, timeouts) = (read_retries, read_timeouts);
        let guards = || read_guards(&scope, &sdk.budgets);
        Ok(Self {
            ec2: client!(aws_sdk_ec2, &scope, retries(), timeouts(), guards()),
            balancing: client!(
                aws_sdk_elasticloadbalancingv2,
                &scope,
                retries(),
                timeouts(),
                guards()
            ),
            scaling: client!(aws_sdk_autoscaling, &scope, retries(), timeouts(), guards()),
            parameters: client!(aws_sdk_ssm, &scope, retries(), timeouts(), guards()),
            identity: client!(aws_sdk_sts, &scope, retries(), timeouts(), guards()),
            caller: Caller {
                clock: sdk.env.clock.clone(),
                budgets: sdk.budgets.clone(),
                purse: scope.purse.clone(),
            },
            region: scope.region,
        })
    }

    pub fn region(&self) -> &Region {
        &self.region
    }
}

/// Permanent: the SDK can otherwise switch an interceptor off for one request.
fn read_guards(scope: &Scope, budgets: &Budgets) -> [SharedInterceptor; 3] {
    [
        SharedInterceptor::permanent(CountRetries {
            budgets: budgets.clone(),
            purse: scope.purse.clone(),
        }),
        SharedInterceptor::permanent(OnlyThese { kinds: &[Kind::Read] }),
        SharedInterceptor::permanent(WholeAnswers),
    ]
}

#[cfg(test)]
#[path = "read/tests.rs"]
mod tests;

#[cfg(test)]
#[path = "read/rebuild_tests.rs"]
mod rebuild_tests;
