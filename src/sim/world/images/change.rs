//! Changes of an image that exists: description and permissions, disabled or not, deprecated or not.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::super::World;
use super::super::api::{self, ApiError, Caller, Response};
use super::super::image::{Image, ImageState};
use super::super::later;
use super::super::snapshots::Sharing;
use super::{AttributeValue, Shown};

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// What ModifyImageAttribute changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    pub description: Option<String>,
    pub sharing: Sharing,
    /// `v2.0`: launches default to IMDSv2. It cannot be taken back.
    pub imds: Option<String>,
}

/// What DescribeImageAttribute shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    Description,
    LaunchPermission,
    ProductCodes,
    BlockDeviceMapping,
    SriovNetSupport,
    BootMode,
    TpmSupport,
    ImdsSupport,
}

impl World {
    pub(super) fn modify_image(&mut self, caller: &Caller, id: &str, change: &Change) -> Response {
        let image = self.own_image(caller, id)?;
        let is_sharing = change.sharing != Sharing::default();
        if is_sharing && image.state != ImageState::Available {
            return Err(unavailable(image));
        }
        let bad = change
            .sharing
            .add
            .iter()
            .chain(&change.sharing.remove)
            .find(|who| !is_account(who));
        if let Some(who) = bad {
            let text = format!("Invalid user ID: \"{who}\"");
            return Err(ApiError::new("InvalidAMIAttributeItemValue", text));
        }
        self.edit_image(id, "image's attributes changed", |image| {
            if let Some(description) = &change.description {
                image.description = description.clone();
            }
            if change.imds.is_some() {
                image.imds = change.imds.clone();
            }
            change.sharing.apply(&mut image.public, &mut image.shared_with);
        });
        Ok(api::Answer::Done)
    }

    pub(super) fn reset_image(&mut self, caller: &Caller, id: &str) -> Response {
        self.own_image(caller, id)?;
        self.edit_image(id, "image no longer shared", |image| {
            (image.public, image.shared_with) = (false, BTreeSet::new());
        });
        Ok(api::Answer::Done)
    }

    pub(super) fn image_attribute(
        &self,
        caller: &Caller,
        id: &str,
        attribute: Attribute,
    ) -> Result<AttributeValue, ApiError> {
        let image = self.own_image(caller, id)?;
        let value = match attribute {
            Attribute::Description => Shown::Text("description", Some(image.description.clone())),
            Attribute::LaunchPermission => Shown::Launch {
                public: image.public,
                accounts: image.shared_with.clone(),
            },
            Attribute::ProductCodes => Shown::ProductCodes(image.product_codes.clone()),
            Attribute::BlockDeviceMapping => Shown::Devices(image.devices.clone()),
            Attribute::SriovNetSupport => Shown::Text("sriovNetSupport", image.sriov.clone()),
            Attribute::BootMode => Shown::Text("bootMode", image.boot_mode.clone()),
            Attribute::TpmSupport => Shown::Text("tpmSupport", image.tpm.clone()),
            Attribute::ImdsSupport => Shown::Text("imdsSupport", image.imds.clone()),
        };
        Ok(AttributeValue {
            id: id.to_owned(),
            value,
        })
    }

    /// A disabled image is private: who could launch it no longer can, not even once it is enabled again.
    pub(super) fn disable(&mut self, caller: &Caller, id: &str) -> Response {
        let image = self.own_image(caller, id)?;
        if !matches!(image.state, ImageState::Available | ImageState::Disabled) {
            return Err(unavailable(image));
        }
        self.edit_image(id, "image disabled", |image| {
            image.state = ImageState::Disabled;
            (image.public, image.shared_with) = (false, BTreeSet::new());
        });
        Ok(api::Answer::Done)
    }

    pub(super) fn enable(&mut self, caller: &Caller, id: &str) -> Response {
        let image = self.own_image(caller, id)?;
        if !matches!(image.state, ImageState::Available | ImageState::Disabled) {
            return Err(unavailable(image));
        }
        self.edit_image(id, "image enabled", |image| image.state = ImageState::Available);
        Ok(api::Answer::Done)
    }

    /// From `at` on, to the minute; `None` takes it back.
    pub(super) fn deprecate(&mut self, caller: &Caller, id: &str, at: Option<Timestamp>) -> Response {
        let image = self.own_image(caller, id)?;
        // A public image lives two years at the most before it is deprecated.
        let years = if image.public { 2 } else { 10 };
        if let Some(at) = at
            && (at < self.now || at > later(self.now, YEAR * years))
        {
            let text = format!("The date must be in the future and at most {years} years ahead: {at}");
            return Err(ApiError::new("InvalidParameter", text));
        }
        let minute = |at: Timestamp| Timestamp::from_second((at.as_second() + 30) / 60 * 60).unwrap_or(at);
        let what = match at {
            Some(at) => format!("image deprecated from {at}"),
            None => "image no longer deprecated".to_owned(),
        };
        self.edit_image(id, &what, |image| image.deprecation = at.map(minute));
        Ok(api::Answer::Done)
    }

    fn edit_image(&mut self, id: &str, what: &str, change: impl FnOnce(&mut Image)) {
        self.images.edit(self.now, id, change);
        self.note(id, what);
        self.own_write(id);
    }
}

fn unavailable(image: &Image) -> ApiError {
    let text = format!(
        "The image ID '{}' is not available (state: {})",
        image.id,
        image.state.name()
    );
    ApiError::new("InvalidAMIID.Unavailable", text)
}

fn is_account(who: &str) -> bool {
    who == "all" || (who.len() == 12 && who.bytes().all(|b| b.is_ascii_digit()))
}
