//! EC2's calls on images, beyond DescribeImages: make, copy, share, deprecate, disable, deregister, restore, allow.
//!
//! One file a concern: `describe` (what is shown), `make` (register, create, copy), `change` (share, deprecate,
//! disable), `bin` (deregister and the Recycle Bin), `allowed` (Allowed AMIs), `launch` (may it be launched), `public`
//! (what Amazon and the Marketplace offer in every region).

pub mod allowed;
mod bin;
mod change;
mod describe;
mod launch;
mod make;
mod public;

use std::collections::BTreeSet;

use jiff::Timestamp;

pub use self::allowed::{AllowedImages, AllowedState, Criterion};
pub use self::bin::BinLine;
pub use self::change::{Attribute, Change};
pub use self::describe::{ShownImage, image_time};
pub(super) use self::launch::Subscriptions;
pub use self::make::{CopyImage, CreateImage, RegisterImage};
use super::World;
use super::api::{self, Caller, Family, Listing, Page, Response};
use super::launch::BlockDeviceSpec;

/// The family's operations.
#[derive(Debug, Clone)]
pub enum Op {
    RegisterImage(Box<RegisterImage>),
    CreateImage(CreateImage),
    CopyImage(CopyImage),
    DeregisterImage {
        id: String,
        delete_snapshots: bool,
    },
    ModifyImageAttribute {
        id: String,
        change: Change,
    },
    DescribeImageAttribute {
        id: String,
        attribute: Attribute,
    },
    /// Its owner alone may launch it.
    ResetImageAttribute {
        id: String,
    },
    DisableImage {
        id: String,
    },
    EnableImage {
        id: String,
    },
    EnableImageDeprecation {
        id: String,
        at: Timestamp,
    },
    DisableImageDeprecation {
        id: String,
    },
    ListImagesInRecycleBin {
        ids: Vec<String>,
        page: Page,
    },
    RestoreImageFromRecycleBin {
        id: String,
    },
    GetAllowedImagesSettings,
    EnableAllowedImagesSettings {
        audit: bool,
    },
    DisableAllowedImagesSettings,
    ReplaceImageCriteriaInAllowedImagesSettings {
        criteria: Vec<Criterion>,
    },
}

/// The family's answers.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The id of a new image.
    Made(String),
    /// DeregisterImage's: each snapshot and whether it was deleted (`success`, `skipped`).
    Deregistered(Vec<(String, &'static str)>),
    Attribute(Box<AttributeValue>),
    InBin(Listing<BinLine>),
    Settings(AllowedImages),
    /// The settings' new state.
    SettingsState(&'static str),
}

/// What DescribeImageAttribute shows.
#[derive(Debug, Clone)]
pub struct AttributeValue {
    pub id: String,
    pub value: Shown,
}

/// One attribute of an image.
#[derive(Debug, Clone)]
pub enum Shown {
    /// The element's name and its text, if it has one.
    Text(&'static str, Option<String>),
    Launch {
        public: bool,
        accounts: BTreeSet<String>,
    },
    ProductCodes(Vec<String>),
    Devices(Vec<BlockDeviceSpec>),
}

impl Answer {
    pub(super) fn clear(&mut self) {
        if let Answer::InBin(listing) = self {
            listing.clear();
        }
    }
}

impl Family for Op {
    fn name(&self) -> &'static str {
        match self {
            Op::RegisterImage(_) => "RegisterImage",
            Op::CreateImage(_) => "CreateImage",
            Op::CopyImage(_) => "CopyImage",
            Op::DeregisterImage { .. } => "DeregisterImage",
            Op::ModifyImageAttribute { .. } => "ModifyImageAttribute",
            Op::DescribeImageAttribute { .. } => "DescribeImageAttribute",
            Op::ResetImageAttribute { .. } => "ResetImageAttribute",
            Op::DisableImage { .. } => "DisableImage",
            Op::EnableImage { .. } => "EnableImage",
            Op::EnableImageDeprecation { .. } => "EnableImageDeprecation",
            Op::DisableImageDeprecation { .. } => "DisableImageDeprecation",
            Op::ListImagesInRecycleBin { .. } => "ListImagesInRecycleBin",
            Op::RestoreImageFromRecycleBin { .. } => "RestoreImageFromRecycleBin",
            Op::GetAllowedImagesSettings => "GetAllowedImagesSettings",
            Op::EnableAllowedImagesSettings { .. } => "EnableAllowedImagesSettings",
            Op::DisableAllowedImagesSettings => "DisableAllowedImagesSettings",
            Op::ReplaceImageCriteriaInAllowedImagesSettings { .. } => {
                "ReplaceImageCriteriaInAllowedImagesSettings"
            }
        }
    }

    fn subjects(&self) -> Vec<&str> {
        match self {
            Op::CreateImage(asked) => vec![&asked.instance],
            Op::CopyImage(asked) => vec![&asked.source],
            Op::DeregisterImage { id, .. }
            | Op::ModifyImageAttribute { id, .. }
            | Op::DescribeImageAttribute { id, .. }
            | Op::ResetImageAttribute { id }
            | Op::DisableImage { id }
            | Op::EnableImage { id }
            | Op::EnableImageDeprecation { id, .. }
            | Op::DisableImageDeprecation { id }
            | Op::RestoreImageFromRecycleBin { id } => vec![id],
            Op::ListImagesInRecycleBin { ids, .. } => ids.iter().map(String::as_str).collect(),
            Op::RegisterImage(_)
            | Op::GetAllowedImagesSettings
            | Op::EnableAllowedImagesSettings { .. }
            | Op::DisableAllowedImagesSettings
            | Op::ReplaceImageCriteriaInAllowedImagesSettings { .. } => Vec::new(),
        }
    }

    fn page(&self) -> Option<&Page> {
        match self {
            Op::ListImagesInRecycleBin { page, .. } => Some(page),
            _ => None,
        }
    }

    fn answer(&self, world: &mut World, caller: &Caller) -> Response {
        let answer = match self {
            Op::RegisterImage(asked) => world.register_image(caller, asked).map(Answer::Made),
            Op::CreateImage(asked) => world.create_image(caller, asked).map(Answer::Made),
            Op::CopyImage(asked) => world.copy_image(caller, asked).map(Answer::Made),
            Op::DeregisterImage { id, delete_snapshots } => world
                .deregister(caller, id, *delete_snapshots)
                .map(Answer::Deregistered),
            Op::ModifyImageAttribute { id, change } => return world.modify_image(caller, id, change),
            Op::DescribeImageAttribute { id, attribute } => world
                .image_attribute(caller, id, *attribute)
                .map(|value| Answer::Attribute(Box::new(value))),
            Op::ResetImageAttribute { id } => return world.reset_image(caller, id),
            Op::DisableImage { id } => return world.disable(caller, id),
            Op::EnableImage { id } => return world.enable(caller, id),
            Op::EnableImageDeprecation { id, at } => return world.deprecate(caller, id, Some(*at)),
            Op::DisableImageDeprecation { id } => return world.deprecate(caller, id, None),
            Op::ListImagesInRecycleBin { ids, page } => {
                world.images_in_bin(caller, ids, page).map(Answer::InBin)
            }
            Op::RestoreImageFromRecycleBin { id } => return world.restore_from_bin(caller, id),
            Op::GetAllowedImagesSettings => Ok(Answer::Settings(world.allowed_images_of(&caller.scope()))),
            Op::EnableAllowedImagesSettings { audit } => {
                let state = if *audit {
                    AllowedState::Audit
                } else {
                    AllowedState::Enabled
                };
                Ok(Answer::SettingsState(world.set_allowed_state(caller, state)))
            }
            Op::DisableAllowedImagesSettings => Ok(Answer::SettingsState(
                world.set_allowed_state(caller, AllowedState::Disabled),
            )),
            Op::ReplaceImageCriteriaInAllowedImagesSettings { criteria } => {
                return world.set_allowed_criteria(caller, criteria);
            }
        };
        answer.map(api::Answer::Image)
    }
}
