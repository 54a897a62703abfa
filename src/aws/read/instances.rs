//! EC2: instances, their statuses, the images behind them.

use super::Reader;
use super::page::{Listing, Page, odd_answer, pages};
use crate::aws::api::Api;
use crate::aws::budget::Priority;
use crate::aws::convert;
use crate::model::{AwsError, ImageId, ImageListing, ImageMetadata, Instance, InstanceId, StatusChecks};
use aws_sdk_ec2::types::Filter;
use std::collections::{BTreeMap, BTreeSet};

/// Objects on one page of EC2's: the most that it allows.
const PAGE: i32 = 1_000;

/// Values that EC2 takes in all filters of one request.
pub(super) const MOST_FILTER_VALUES: usize = 200;

/// One filter of a listing of instances: any of the values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InstanceFilter {
    /// `tag:KEY` or `instance-id`.
    pub name: String,
    /// Literal values; wildcards in them are escaped on the way out.
    pub values: BTreeSet<String>,
}

impl InstanceFilter {
    /// Values that one request can hold.
    pub const MOST_VALUES: usize = MOST_FILTER_VALUES;
}

/// Whose statuses are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusesOf {
    /// At most [`StatusesOf::MOST_IDS`]; one that does not exist fails the call.
    These(BTreeSet<InstanceId>),
    /// Every running instance of the account in the region.
    AllRunning,
}

impl StatusesOf {
    /// Ids that DescribeInstanceStatus takes in one request.
    pub const MOST_IDS: usize = 100;
}

impl Reader {
    /// The instances that pass all filters, terminated ones included while they linger.
    pub async fn instances(&self, filters: &[InstanceFilter], priority: Priority) -> Listing<Instance> {
        let object = told(filters);
        let listing = pages(Api::DescribeInstances, &object, |token| {
            let request = self
                .ec2
                .describe_instances()
                .set_filters(Some(on_the_wire(filters)))
                .max_results(PAGE)
                .set_next_token(token);
            let answer = self
                .caller
                .read(Api::DescribeInstances, &object, priority, request.send());
            async {
                let answer = answer.await?;
                let mut items = Vec::new();
                for reservation in answer.reservations() {
                    let owner = reservation.owner_id();
                    items.extend(
                        reservation
                            .instances()
                            .iter()
                            .map(|raw| convert::instance(raw, owner, &self.region)),
                    );
                }
                Ok(Page {
                    items,
                    next: answer.next_token().map(str::to_owned),
                })
            }
        })
        .await;
        let mut failed = listing.failed;
        if failed.is_none() && listing.items.iter().any(Option::is_none) {
            failed = Some(odd_answer(
                Api::DescribeInstances,
                &object,
                "the answer has an instance without an id",
            ));
        }
        Listing {
            items: listing.items.into_iter().flatten().collect(),
            failed,
        }
    }

    /// The state of the images that the instances passing all filters were launched from.
    ///
    /// # Errors
    /// If any page failed.
    pub async fn image_metadata(
        &self,
        filters: &[InstanceFilter],
        priority: Priority,
    ) -> Result<BTreeMap<InstanceId, ImageMetadata>, AwsError> {
        let object = told(filters);
        let listing = pages(Api::DescribeInstanceImageMetadata, &object, |token| {
            let request = self
                .ec2
                .describe_instance_image_metadata()
                .set_filters(Some(on_the_wire(filters)))
                .max_results(PAGE)
                .set_next_token(token);
            let answer = self.caller.read(
                Api::DescribeInstanceImageMetadata,
                &object,
                priority,
                request.send(),
            );
            async {
                let answer = answer.await?;
                let items = answer
                    .instance_image_metadata()
                    .iter()
                    .filter_map(convert::image_metadata)
                    .collect();
                Ok(Page {
                    items,
                    next: answer.next_token().map(str::to_owned),
                })
            }
        })
        .await;
        Ok(listing.complete()?.into_iter().collect())
    }

    /// Status checks and scheduled events. Instances that do not run are not in the answer.
    ///
    /// # Errors
    /// If any page failed.
    pub async fn statuses(
        &self,
        of: &StatusesOf,
        priority: Priority,
    ) -> Result<BTreeMap<InstanceId, StatusChecks>, AwsError> {
        let (ids, most, object) = match of {
            // AWS refuses MaxResults together with ids.
            StatusesOf::These(ids) => {
                let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
                let object = abridged(ids.iter().map(String::as_str));
                (Some(ids), None, object)
            }
            StatusesOf::AllRunning => (None, Some(PAGE), "all running instances".to_owned()),
        };
        let listing = pages(Api::DescribeInstanceStatus, &object, |token| {
            let request = self
                .ec2
                .describe_instance_status()
                .set_instance_ids(ids.clone())
                .set_max_results(most)
                .set_next_token(token);
            let answer = self
                .caller
                .read(Api::DescribeInstanceStatus, &object, priority, request.send());
            async {
                let answer = answer.await?;
                let items = answer
                    .instance_statuses()
                    .iter()
                    .filter_map(convert::status)
                    .collect();
                Ok(Page {
                    items,
                    next: answer.next_token().map(str::to_owned),
                })
            }
        })
        .await;
        Ok(listing.complete()?.into_iter().collect())
    }

    /// What DescribeImages says of each of these images, disabled and deprecated ones included. Asked through a filter: an
    /// id among others that does not exist would fail the call.
    ///
    /// # Errors
    /// If any page failed. An image is `Absent` only if the whole answer does not have it.
    pub async fn image_listings(
        &self,
        images: &BTreeSet<ImageId>,
        priority: Priority,
    ) -> Result<BTreeMap<ImageId, ImageListing>, AwsError> {
        let mut listings: BTreeMap<ImageId, ImageListing> = images
            .iter()
            .map(|image| (image.clone(), ImageListing::Absent))
            .collect();
        let ids: Vec<String> = images.iter().map(ToString::to_string).collect();
        for ids in ids.chunks(MOST_FILTER_VALUES) {
            let object = abridged(ids.iter().map(String::as_str));
            let filter = Filter::builder()
                .name("image-id")
                .set_values(Some(ids.to_vec()))
                .build();
            let listing = pages(Api::DescribeImages, &object, |token| {
                let request = self
                    .ec2
                    .describe_images()
                    .filters(filter.clone())
                    .include_disabled(true)
                    .include_deprecated(true)
                    .set_next_token(token);
                let answer = self
                    .caller
                    .read(Api::DescribeImages, &object, priority, request.send());
                async {
                    let answer = answer.await?;
                    let listed = answer.images().iter().filter_map(|image| {
                        Some((
                            ImageId::new(image.image_id()?),
                            convert::image_state(image.state()),
                        ))
                    });
                    Ok(Page {
                        items: listed.collect(),
                        next: answer.next_token().map(str::to_owned),
                    })
                }
            })
            .await;
            for (image, state) in listing.complete()? {
                if let Some(listing) = listings.get_mut(&image) {
                    *listing = ImageListing::Listed(state);
                }
            }
        }
        Ok(listings)
    }
}

fn on_the_wire(filters: &[InstanceFilter]) -> Vec<Filter> {
    let filter = |filter: &InstanceFilter| {
        let values = filter.values.iter().map(|value| literal(value)).collect();
        Filter::builder()
            .name(filter.name.clone())
            .set_values(Some(values))
            .build()
    };
    filters.iter().map(filter).collect()
}

/// EC2 takes `*` and `?` in a filter's value for wildcards, and a backslash for an escape.
fn literal(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for character in value.chars() {
        if matches!(character, '*' | '?' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// `tag:Name=a, b and 3 more`
fn told(filters: &[InstanceFilter]) -> String {
    let one = |filter: &InstanceFilter| {
        format!(
            "{}={}",
            filter.name,
            abridged(filter.values.iter().map(String::as_str))
        )
    };
    filters.iter().map(one).collect::<Vec<_>>().join(" and ")
}

/// The first few of many names.
pub(super) fn abridged<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 3;
    let more = names.len().saturating_sub(SHOWN);
    let shown = names.take(SHOWN).collect::<Vec<_>>().join(", ");
    if more == 0 {
        shown
    } else {
        format!("{shown} and {more} more")
    }
}
