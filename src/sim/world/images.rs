//! DescribeImages, with the rules that make "the AMI is gone" so easy to get wrong (aws-facts §1).

use std::time::Duration;

use super::World;
use super::api::{Answer, ApiError, Caller, DescribeImages, Response};
use super::image::{Image, ImageState};
use super::instance::State;
use super::page::paginate;

/// How long DescribeImages by id still shows a deregistered image as such.
const SHOWN_DEREGISTERED: Duration = Duration::from_secs(30);

impl World {
    pub(super) fn describe_images(&self, caller: &Caller, asked: &DescribeImages) -> Response {
        let mut wanted = asked.ids.clone();
        for filter in &asked.filters {
            if filter.name != "image-id" {
                return Err(ApiError::not_modelled(format!(
                    "filter {:?} of DescribeImages",
                    filter.name
                )));
            }
        }
        for id in &asked.ids {
            let hex = id.strip_prefix("ami-").unwrap_or("");
            if !matches!(hex.len(), 8 | 17) || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(ApiError::new(
                    "InvalidAMIID.Malformed",
                    format!("Invalid id: \"{id}\""),
                ));
            }
            self.check_image_known(caller, id)?;
        }
        wanted.sort();
        let mut items = Vec::new();
        for image in self.images.values().filter(|image| image.region == caller.region) {
            let by_id = wanted.binary_search(&image.id).is_ok();
            if (wanted.is_empty() || by_id)
                && asked
                    .filters
                    .iter()
                    .all(|f| f.values.iter().any(|v| super::filter::matches(v, &image.id)))
                && is_owned_by(image, &asked.owners, &caller.account)
                && self.is_listed(caller, image, asked, by_id)
            {
                items.push(image.clone());
            }
        }
        let (items, next) = paginate(items, |i| i.id.clone(), &asked.page, 1..=1000, None)?;
        Ok(Answer::Images { items, next })
    }

    /// NotFound is said only of an image that no instance of the caller refers to, or that Allowed AMIs excludes.
    fn check_image_known(&self, caller: &Caller, id: &str) -> Result<(), ApiError> {
        let not_found = || {
            ApiError::new(
                "InvalidAMIID.NotFound",
                format!("The image id '[{id}]' does not exist"),
            )
        };
        let image = self
            .images
            .get(id)
            .filter(|image| image.region == caller.region)
            .ok_or_else(not_found)?;
        let is_referred_to = self
            .instances()
            .any(|i| i.image == id && i.scope == caller.scope() && i.state != State::Terminated);
        let is_gone = match image.state {
            ImageState::Deregistered(at) => self.now >= at + SHOWN_DEREGISTERED,
            ImageState::Available | ImageState::Disabled => !image.is_shared_with(&caller.account),
        };
        if !image.is_allowed_in(&caller.account) || (is_gone && !is_referred_to) {
            return Err(not_found());
        }
        Ok(())
    }

    fn is_listed(&self, caller: &Caller, image: &Image, asked: &DescribeImages, by_id: bool) -> bool {
        let is_shown = match image.state {
            ImageState::Available => true,
            ImageState::Disabled => asked.include_disabled && image.owner == caller.account,
            ImageState::Deregistered(at) => by_id && self.now < at + SHOWN_DEREGISTERED,
        };
        let is_hidden_as_deprecated =
            image.is_deprecated(self.now) && image.owner != caller.account && !asked.include_deprecated;
        is_shown
            && !is_hidden_as_deprecated
            && image.is_shared_with(&caller.account)
            && image.is_allowed_in(&caller.account)
    }
}

fn is_owned_by(image: &Image, owners: &[String], account: &str) -> bool {
    owners.is_empty()
        || owners
            .iter()
            .any(|o| *o == image.owner || (o == "self" && image.owner == account))
}
