//! What EC2 shows of images, with the rules that make "the AMI is gone" so easy to get wrong (aws-facts §1).

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::super::World;
use super::super::api::{Answer, ApiError, Caller, DescribeImages, Filter, Listing, Response};
use super::super::filter;
use super::super::image::{Image, ImageState, owner_alias};
use super::super::instance::State;
use super::super::page::paginate;
use super::super::shelf::{self, check_id};

/// How long DescribeImages by id still shows a deregistered image as such.
const SHOWN_DEREGISTERED: Duration = Duration::from_secs(30);

/// An image as one account sees it.
#[derive(Debug, Clone)]
pub struct ShownImage {
    pub image: Arc<Image>,
    /// It satisfies the account's Allowed AMIs criteria; `None` where the account has that setting off.
    pub allowed: Option<bool>,
}

impl World {
    pub(in super::super) fn describe_images(&self, caller: &Caller, asked: &DescribeImages) -> Response {
        let (on_allowed, filters): (Vec<&Filter>, Vec<&Filter>) =
            asked.filters.iter().partition(|f| f.name == "image-allowed");
        let filters: Vec<Filter> = filters.into_iter().cloned().collect();
        shelf::check_filters::<Image>(&filters)?;
        for id in &asked.ids {
            check_id::<Image>(id)?;
            self.check_image_known(caller, id)?;
        }
        let scope = caller.scope();
        let mut items = Vec::new();
        for image in self.images_seen(&asked.ids) {
            let is_wanted = image.scope.region == caller.region
                && is_owned_by(image, &asked.owners, &caller.account)
                && is_executable_by(image, &asked.executable_by, &caller.account)
                && self.is_listed(caller, image, asked)
                && shelf::passes(&**image, &filters);
            if !is_wanted {
                continue;
            }
            let allowed = self.image_allowed(&scope, image);
            let is_allowed = allowed.to_string();
            if on_allowed
                .iter()
                .all(|f| f.values.iter().any(|v| filter::matches(v, &is_allowed)))
            {
                items.push(ShownImage {
                    image: image.clone(),
                    allowed: self.shows_allowed(&scope).then_some(allowed),
                });
            }
        }
        let (items, next) = paginate(items, |i| i.image.id.clone(), &asked.page, 1..=1000, None)?;
        Ok(Answer::Images(Listing { items, next }))
    }

    /// The images of these ids, or all, as a read shows them now.
    fn images_seen(&self, ids: &[String]) -> Vec<&Arc<Image>> {
        if ids.is_empty() {
            return self.images.seen(self).collect();
        }
        let mut ids: Vec<&String> = ids.iter().collect();
        ids.sort();
        ids.dedup();
        ids.into_iter()
            .filter_map(|id| self.images.seen_one(self, id))
            .collect()
    }

    /// NotFound is said only of an image that no instance of the caller refers to, or that Allowed AMIs excludes.
    fn check_image_known(&self, caller: &Caller, id: &str) -> Result<(), ApiError> {
        let seen = self
            .images
            .seen_one(self, id)
            .filter(|i| i.scope.region == caller.region);
        let Some(image) = seen else {
            return Err(image_not_found(id));
        };
        if self.is_image_hidden(&caller.scope(), image) {
            return Err(image_not_found(id));
        }
        let is_gone = match image.state {
            ImageState::Deregistered(at) => self.now >= at + SHOWN_DEREGISTERED,
            ImageState::Pending | ImageState::Failed => image.scope.account != caller.account,
            ImageState::Available | ImageState::Disabled => !image.is_shared_with(&caller.account),
        };
        let is_referred_to = || {
            let scope = caller.scope();
            self.instances()
                .any(|i| i.image == id && i.scope == scope && i.state != State::Terminated)
        };
        if is_gone && !is_referred_to() {
            return Err(image_not_found(id));
        }
        Ok(())
    }

    fn is_listed(&self, caller: &Caller, image: &Image, asked: &DescribeImages) -> bool {
        let is_owner = image.scope.account == caller.account;
        let is_shown = match image.state {
            ImageState::Available => true,
            ImageState::Pending | ImageState::Failed => is_owner,
            ImageState::Disabled => asked.include_disabled && is_owner,
            ImageState::Deregistered(at) => {
                asked.ids.contains(&image.id) && self.now < at + SHOWN_DEREGISTERED
            }
        };
        let is_hidden_as_deprecated = image.is_deprecated(self.now) && !is_owner && !asked.include_deprecated;
        is_shown
            && !is_hidden_as_deprecated
            && image.is_shared_with(&caller.account)
            && !self.is_image_hidden(&caller.scope(), image)
    }
}

/// What EC2 says of an image that it does not show.
pub(in super::super) fn image_not_found(id: &str) -> ApiError {
    let text = format!("The image id '[{id}]' does not exist");
    ApiError::new("InvalidAMIID.NotFound", text)
}

fn is_owned_by(image: &Image, owners: &[String], account: &str) -> bool {
    let owner = image.scope.account.as_str();
    let is = |wanted: &String| {
        wanted == owner
            || (wanted == "self" && owner == account)
            || owner_alias(owner) == Some(wanted.as_str())
    };
    owners.is_empty() || owners.iter().any(is)
}

/// By explicit permission: neither the owner's own right nor, for an account, the public one counts.
fn is_executable_by(image: &Image, users: &[String], account: &str) -> bool {
    let can = |user: &String| match user.as_str() {
        "all" => image.public,
        "self" => image.shared_with.contains(account),
        user => image.shared_with.contains(user),
    };
    users.is_empty() || users.iter().any(can)
}

/// EC2's text for a time in an image: milliseconds and `Z`.
pub fn image_time(at: Timestamp) -> String {
    format!("{at:.3}")
}
