//! Whether the image that an instance was launched from still exists: the most dangerous verdict there is (S9).
//!
//! Two witnesses must agree: DescribeInstanceImageMetadata, which still speaks of an image that is gone, and
//! DescribeImages, which tells what can be launched. An absence alone, an error or an empty answer proves nothing.

use crate::model::{ImageId, ImageListing, ImageState, InstanceId, Mutant, Observation, Part};
use serde::Serialize;

/// What is known of an instance's image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "image")]
pub enum ImageVerdict {
    Launchable {
        id: ImageId,
    },
    /// Both witnesses say so: the instance cannot be rebuilt.
    Deregistered {
        id: ImageId,
    },
    /// Its owner, another account, shares it with this one no more: the instance cannot be rebuilt either.
    Private {
        id: ImageId,
    },
    /// Reversible: reported, never replaced.
    Disabled {
        id: ImageId,
    },
    /// The account's Allowed AMIs setting hides it: reported, never replaced.
    NotAllowed {
        id: ImageId,
    },
    Unknown {
        why: String,
    },
}

/// Another account's image can be taken away by it; only DescribeImages tells whether it still can be launched.
fn is_foreign(look: &Observation, instance: &InstanceId) -> bool {
    let owner = look
        .image_metadata
        .get(instance)
        .and_then(|metadata| metadata.owner.as_ref());
    let ours = look.instances.get(instance).map(|instance| &instance.account);
    matches!((owner, ours), (Some(owner), Some(ours)) if owner != ours)
}

/// Judges one instance's image from one look.
pub fn image_verdict(look: &Observation, instance: &InstanceId) -> ImageVerdict {
    let unknown = |why: &str| ImageVerdict::Unknown { why: why.to_owned() };
    if let Some(gap) = look.coverage.gap(&Part::ImageMetadata) {
        return unknown(&gap.why);
    }
    let Some(metadata) = look.image_metadata.get(instance) else {
        return unknown("AWS's answer has no image metadata for this instance");
    };
    let id = metadata.image.clone();
    if look
        .instances
        .get(instance)
        .and_then(|seen| seen.image.as_ref())
        .is_some_and(|seen| *seen != id)
    {
        return unknown("AWS names two different images for this instance");
    }
    let listing = look.image_listings.get(&id);
    match (&metadata.state, metadata.allowed) {
        (ImageState::Available, Some(false)) => ImageVerdict::NotAllowed { id },
        (ImageState::Available, _) if is_foreign(look, instance) => match listing {
            Some(ImageListing::Listed(ImageState::Available)) => ImageVerdict::Launchable { id },
            Some(ImageListing::AbsentBesideAWitness) => ImageVerdict::Private { id },
            _ => unknown(
                "another account's image that DescribeImages does not show: it may have been made private",
            ),
        },
        (ImageState::Available, _) => ImageVerdict::Launchable { id },
        (ImageState::Deregistered | ImageState::Disabled, _)
            if look.coverage.gap(&Part::ImageListings).is_some() =>
        {
            unknown("DescribeImages could not be asked whether the image can still be launched")
        }
        (ImageState::Deregistered, _) => match listing {
            Some(
                ImageListing::Absent
                | ImageListing::AbsentBesideAWitness
                | ImageListing::Listed(ImageState::Deregistered),
            ) => ImageVerdict::Deregistered { id },
            Some(ImageListing::Listed(state)) => unknown(&format!(
                "the instance's metadata calls the image deregistered, DescribeImages calls it {state:?}"
            )),
            None => unknown("DescribeImages was not asked about this image"),
        },
        (ImageState::Disabled, _) => match listing {
            Some(ImageListing::Listed(ImageState::Disabled)) if Mutant::DisabledIsGone.is_on() => {
                ImageVerdict::Deregistered { id }
            }
            Some(ImageListing::Listed(ImageState::Disabled)) => ImageVerdict::Disabled { id },
            _ => unknown("the two witnesses do not agree that the image is disabled"),
        },
        (state, _) => unknown(&format!("AWS calls the image {state:?}")),
    }
}
