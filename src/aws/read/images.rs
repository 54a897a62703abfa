//! EC2: images that could be launched.

use super::Reader;
use super::page::{Page, pages};
use crate::aws::api::Api;
use crate::aws::budget::Priority;
use crate::aws::convert;
use crate::model::{AwsError, ImageFacts, ImageId};
use aws_sdk_ec2::types::{Filter, Image};
use jiff::Timestamp;

/// What EC2 answers when it is asked for one image by its id and has none to show.
const NO_SUCH_IMAGE: &str = "InvalidAMIID.NotFound";

impl Reader {
    /// One image, asked for alone and by its id, disabled and deprecated ones included. `None`: AWS answered, and shows no such
    /// image to this account, in either of the ways that it has of saying so.
    ///
    /// # Errors
    /// If the call failed otherwise: then nothing is known.
    pub async fn image(&self, image: &ImageId, priority: Priority) -> Result<Option<ImageFacts>, AwsError> {
        let request = self
            .ec2
            .describe_images()
            .image_ids(image.as_str())
            .include_disabled(true)
            .include_deprecated(true);
        let answer = self
            .caller
            .read(Api::DescribeImages, image.as_str(), priority, request.send())
            .await;
        match answer {
            Ok(answer) => {
                let mut shown = answer.images().iter().filter_map(convert::image_facts);
                Ok(shown.find(|shown| shown.id == *image))
            }
            Err(error) if error.code.as_deref() == Some(NO_SUCH_IMAGE) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The newest available image of these owners whose name has this pattern (`*` and `?`). Of two from the same moment the
    /// one with the greater id; a deprecated one only if there is no other.
    ///
    /// # Errors
    /// If any page failed: the newest may have been on it.
    pub async fn newest_image(
        &self,
        owners: &[String],
        name: &str,
        now: Timestamp,
        priority: Priority,
    ) -> Result<Option<ImageFacts>, AwsError> {
        let filter = |key: &str, value: &str| Filter::builder().name(key).values(value).build();
        let object = format!("name={name}");
        let listing = pages(Api::DescribeImages, &object, |token| {
            let request = self
                .ec2
                .describe_images()
                .set_owners(Some(owners.to_vec()))
                .filters(filter("name", name))
                .filters(filter("state", "available"))
                .include_deprecated(true)
                .set_next_token(token);
            let answer = self
                .caller
                .read(Api::DescribeImages, &object, priority, request.send());
            async {
                let answer = answer.await?;
                Ok(Page {
                    items: answer.images().iter().filter_map(|raw| rank(raw, now)).collect(),
                    next: answer.next_token().map(str::to_owned),
                })
            }
        })
        .await;
        let best = listing.complete()?.into_iter().max_by(|a, b| a.0.cmp(&b.0));
        Ok(best.map(|(_, facts)| facts))
    }

    /// Some available image of this owner (`self`, `amazon`), whichever comes first. `None`: none came.
    ///
    /// # Errors
    /// If a call failed.
    pub async fn any_image_of(&self, owner: &str, priority: Priority) -> Result<Option<ImageId>, AwsError> {
        let mut token = None;
        for _ in 0..ANY_PAGES {
            let request = self
                .ec2
                .describe_images()
                .owners(owner)
                .filters(Filter::builder().name("state").values("available").build())
                .max_results(ANY_PAGE)
                .set_next_token(token);
            let object = format!("any of {owner}");
            let answer = self
                .caller
                .read(Api::DescribeImages, &object, priority, request.send())
                .await?;
            if let Some(id) = answer.images().iter().find_map(|image| image.image_id()) {
                return Ok(Some(ImageId::new(id)));
            }
            token = answer
                .next_token()
                .filter(|token| !token.is_empty())
                .map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        Ok(None)
    }
}

/// Images that are asked for when any one will do, and pages that are turned for it: AWS hands out empty ones.
const ANY_PAGE: i32 = 10;
const ANY_PAGES: usize = 3;

/// What the newest image is chosen by: still recommended, then age, then id.
type Rank = (bool, Option<Timestamp>, ImageId);

fn rank(raw: &Image, now: Timestamp) -> Option<(Rank, ImageFacts)> {
    let time = |text: Option<&str>| text.and_then(|text| text.parse::<Timestamp>().ok());
    let is_deprecated = time(raw.deprecation_time()).is_some_and(|at| at <= now);
    let facts = convert::image_facts(raw)?;
    let rank = (!is_deprecated, time(raw.creation_date()), facts.id.clone());
    Some((rank, facts))
}
