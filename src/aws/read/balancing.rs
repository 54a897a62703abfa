//! Elastic Load Balancing: target groups and the health of their targets.

use super::Reader;
use super::page::{Page, odd_answer, pages};
use crate::aws::api::Api;
use crate::aws::budget::Priority;
use crate::aws::convert;
use crate::model::{AwsError, Target, TargetGroupArn};

/// Target groups on one page: the most that AWS allows.
const PAGE: i32 = 400;

/// What a target group is, without its targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetGroup {
    pub arn: TargetGroupArn,
    pub name: String,
    /// The port that a target gets when the registration names none.
    pub port: Option<u16>,
    /// Whether targets are instances, rather than addresses, functions or other load balancers.
    pub of_instances: bool,
}

impl Reader {
    /// All target groups of the account in the region. Asked without names: a name that does not exist would fail the
    /// call for the others.
    ///
    /// # Errors
    /// If any page failed.
    pub async fn target_groups(&self, priority: Priority) -> Result<Vec<TargetGroup>, AwsError> {
        let listing = pages(Api::DescribeTargetGroups, "", |token| {
            let request = self
                .balancing
                .describe_target_groups()
                .page_size(PAGE)
                .set_marker(token);
            let answer = self
                .caller
                .read(Api::DescribeTargetGroups, "", priority, request.send());
            async {
                let answer = answer.await?;
                let items = answer.target_groups().iter().filter_map(|raw| {
                    Some(TargetGroup {
                        arn: TargetGroupArn::new(raw.target_group_arn()?),
                        name: raw.target_group_name()?.to_owned(),
                        port: raw.port().and_then(convert::port),
                        of_instances: raw.target_type().is_some_and(|kind| kind.as_str() == "instance"),
                    })
                });
                Ok(Page {
                    items: items.collect(),
                    next: answer.next_marker().map(str::to_owned),
                })
            }
        })
        .await;
        listing.complete()
    }

    /// Every target of the group. AWS answers in one page.
    ///
    /// # Errors
    /// If the call failed, or a target has no id: then it is not known who serves.
    pub async fn target_health(
        &self,
        group: &TargetGroupArn,
        priority: Priority,
    ) -> Result<Vec<Target>, AwsError> {
        let object = group.as_str();
        let request = self.balancing.describe_target_health().target_group_arn(object);
        let answer = self
            .caller
            .read(Api::DescribeTargetHealth, object, priority, request.send())
            .await?;
        let targets: Option<Vec<Target>> = answer
            .target_health_descriptions()
            .iter()
            .map(convert::target)
            .collect();
        targets.ok_or_else(|| {
            odd_answer(
                Api::DescribeTargetHealth,
                object,
                "the answer has a target without an id",
            )
        })
    }
}
