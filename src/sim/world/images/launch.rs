//! Whether an account may launch an image, and what a launch gets from it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::World;
use super::super::api::ApiError;
use super::super::image::{Image, ImageState};
use super::super::instance::Scope;
use super::super::shelf::check_id;
use super::describe::image_not_found;

/// Accounts with the Marketplace products they have subscribed to.
pub(in super::super) type Subscriptions = BTreeSet<(String, String)>;

impl World {
    /// The image that a launch in this account and region would use, with its block devices. `wanted` is an id, or
    /// `resolve:ssm:NAME`, with a version or a label after a further colon.
    ///
    /// # Errors
    /// What RunInstances says: no such image, not available, not shared with the account, not allowed in it, or not
    /// subscribed to.
    pub fn launchable_image(&self, scope: &Scope, wanted: &str) -> Result<Arc<Image>, ApiError> {
        let id = self.resolve_image(scope, wanted)?;
        check_id::<Image>(&id)?;
        let found = self.images.get(&id).filter(|i| i.scope.region == scope.region);
        let image = found.ok_or_else(|| image_not_found(&id))?;
        if self.is_image_hidden(scope, image) {
            return Err(image_not_found(&id));
        }
        if !image.is_shared_with(&scope.account) {
            let text = format!("Not authorized for images: [{id}]");
            return Err(ApiError::with_status(403, "AuthFailure", text));
        }
        match image.state {
            ImageState::Available => {}
            ImageState::Deregistered(_) => return Err(image_not_found(&id)),
            ImageState::Pending | ImageState::Failed | ImageState::Disabled => {
                let text = format!(
                    "The image ID '{id}' is not available (state: {})",
                    image.state.name()
                );
                return Err(ApiError::new("InvalidAMIID.Unavailable", text));
            }
        }
        let lacking = image.product_codes.iter().find(|code| {
            let key = (scope.account.clone(), (*code).clone());
            image.scope.account != scope.account && !self.subscriptions.contains(&key)
        });
        if let Some(code) = lacking {
            let text = format!(
                "In order to use this AWS Marketplace product you need to accept terms and subscribe. To do so please \
                 visit https://aws.amazon.com/marketplace/pp?sku={code}"
            );
            return Err(ApiError::with_status(401, "OptInRequired", text));
        }
        Ok(image.clone())
    }

    /// The image id that this text stands for in the account and region.
    ///
    /// # Errors
    /// An SSM parameter that is not there.
    pub fn resolve_image(&self, scope: &Scope, wanted: &str) -> Result<String, ApiError> {
        let Some(name) = wanted.strip_prefix("resolve:ssm:") else {
            return Ok(wanted.to_owned());
        };
        self.parameter_value(scope, name).ok_or_else(|| {
            let text = format!("The SSM parameter '{name}' could not be resolved to an image id.");
            ApiError::new("InvalidParameterValue", text)
        })
    }

    /// The account accepts the terms of a Marketplace product, and may launch its images.
    pub fn subscribe(&mut self, account: &str, product_code: &str) {
        self.subscriptions
            .insert((account.to_owned(), product_code.to_owned()));
    }
}
