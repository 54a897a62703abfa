//! Allowed AMIs: the setting of an account and region that hides all images but those which meet its criteria.
//!
//! The account's own images always pass. Switched on without criteria, everything passes. In audit mode nothing is
//! hidden, and `imageAllowed` says what would be.

use std::time::Duration;

use jiff::Timestamp;

use super::super::World;
use super::super::api::{self, ApiError, Caller, Response};
use super::super::filter;
use super::super::image::{Image, owner_alias};
use super::super::instance::Scope;
use super::super::later;

const DAY_S: u64 = 24 * 3600;
/// EC2 takes no more criteria.
const CRITERIA_MAX: usize = 10;
/// Nor more values in all lists of providers together.
const PROVIDERS_MAX: usize = 200;

/// Whether the criteria are in force.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AllowedState {
    #[default]
    Disabled,
    Audit,
    Enabled,
}

impl AllowedState {
    /// EC2's name.
    pub fn name(self) -> &'static str {
        match self {
            AllowedState::Disabled => "disabled",
            AllowedState::Audit => "audit-mode",
            AllowedState::Enabled => "enabled",
        }
    }
}

/// The setting of one account and region.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedImages {
    pub state: AllowedState,
    /// An image that meets any of them is allowed.
    pub criteria: Vec<Criterion>,
}

/// What an image must meet, all of it; what is empty or `None` asks for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Criterion {
    /// `amazon`, `aws-marketplace`, `aws-backup-vault`, accounts; or `none`: no image of others.
    pub providers: Vec<String>,
    pub product_codes: Vec<String>,
    /// With wildcards.
    pub names: Vec<String>,
    pub max_days_deprecated: Option<u32>,
    pub max_days_created: Option<u32>,
}

impl Criterion {
    fn is_met_by(&self, image: &Image, now: Timestamp) -> bool {
        let owner = image.scope.account.as_str();
        let is_from = |provider: &String| provider == owner || owner_alias(owner) == Some(provider.as_str());
        let is_younger =
            |at: Timestamp, days: u32| now <= later(at, Duration::from_secs(u64::from(days) * DAY_S));
        (self.providers.is_empty() || self.providers.iter().any(is_from))
            && (self.product_codes.is_empty()
                || image
                    .product_codes
                    .iter()
                    .any(|code| self.product_codes.contains(code)))
            && (self.names.is_empty() || self.names.iter().any(|name| filter::matches(name, &image.name)))
            && self
                .max_days_deprecated
                .is_none_or(|days| image.deprecation.is_none_or(|at| is_younger(at, days)))
            && self
                .max_days_created
                .is_none_or(|days| is_younger(image.creation, days))
    }

    fn check(&self) -> Result<(), ApiError> {
        let refuse = |text: String| Err(ApiError::new("InvalidParameterValue", text));
        let has_none = self.providers.iter().any(|p| p == "none");
        if has_none && self.providers.len() > 1 {
            return refuse("When none is specified, no other image provider can be specified.".to_owned());
        }
        let names = ["amazon", "aws-marketplace", "aws-backup-vault", "none"];
        let is_known = |p: &String| {
            names.contains(&p.as_str()) || (p.len() == 12 && p.bytes().all(|b| b.is_ascii_digit()))
        };
        match self.providers.iter().find(|p| !is_known(p)) {
            Some(bad) => refuse(format!("Invalid image provider: {bad}")),
            None => Ok(()),
        }
    }
}

impl World {
    /// The account's setting in the region.
    pub fn allowed_images_of(&self, scope: &Scope) -> AllowedImages {
        self.allowed_images.get(scope).cloned().unwrap_or_default()
    }

    /// The image meets the account's criteria: what `imageAllowed` says.
    pub(in super::super) fn image_allowed(&self, scope: &Scope, image: &Image) -> bool {
        if image.not_allowed_in.contains(&scope.account) {
            return false;
        }
        let setting = self.allowed_images.get(scope);
        setting.is_none_or(|setting| {
            setting.state == AllowedState::Disabled
                || image.scope.account == scope.account
                || setting.criteria.is_empty()
                || setting.criteria.iter().any(|c| c.is_met_by(image, self.now))
        })
    }

    /// The account is shown nothing of it, and can launch nothing from it.
    pub(in super::super) fn is_image_hidden(&self, scope: &Scope, image: &Image) -> bool {
        let is_enforced = self
            .allowed_images
            .get(scope)
            .is_some_and(|setting| setting.state == AllowedState::Enabled);
        image.not_allowed_in.contains(&scope.account) || (is_enforced && !self.image_allowed(scope, image))
    }

    /// DescribeImages says of each image whether it is allowed.
    pub(super) fn shows_allowed(&self, scope: &Scope) -> bool {
        self.allowed_images_of(scope).state != AllowedState::Disabled
    }

    pub(super) fn set_allowed_state(&mut self, caller: &Caller, state: AllowedState) -> &'static str {
        self.allowed_images.entry(caller.scope()).or_default().state = state;
        self.note(&caller.account, format!("Allowed AMIs: {}", state.name()));
        state.name()
    }

    pub(super) fn set_allowed_criteria(&mut self, caller: &Caller, criteria: &[Criterion]) -> Response {
        let providers: usize = criteria.iter().map(|c| c.providers.len()).sum();
        if criteria.len() > CRITERIA_MAX || providers > PROVIDERS_MAX {
            let text = format!("At most {CRITERIA_MAX} criteria with {PROVIDERS_MAX} image providers");
            return Err(ApiError::new("InvalidParameterValue", text));
        }
        criteria.iter().try_for_each(Criterion::check)?;
        self.allowed_images.entry(caller.scope()).or_default().criteria = criteria.to_vec();
        self.note(&caller.account, "Allowed AMIs: criteria replaced");
        Ok(api::Answer::Done)
    }
}
