//! The second witness for images of other accounts.
//!
//! An image that its owner has made private goes on being called available by the metadata of its instances, and is simply
//! absent from DescribeImages; so is every image while AWS answers with an empty listing. What tells the two apart is to ask
//! for the image alone, and right beside it for one that is known to be there (S9). Whatever fails on the way leaves the
//! image absent without a witness, from which nothing follows.

use super::scope::is_foreign;
use crate::aws::{Priority, Reader};
use crate::model::{ImageId, ImageListing, ImageMetadata, ImageState, Instance, InstanceId};
use std::collections::{BTreeMap, BTreeSet};

/// Images that are asked for alone in one look, two calls each. Those beyond wait until some of these are replaced.
const MOST_ASKED_ALONE: usize = 10;

/// An instance's image, with the instance.
pub(super) type Told<'a> = (&'a Instance, &'a ImageMetadata);

/// Turns `Absent` into `AbsentBesideAWitness` where that is so.
pub(super) async fn confirm(
    reader: &Reader,
    told: &[Told<'_>],
    listings: &mut BTreeMap<ImageId, ImageListing>,
    priority: Priority,
) {
    let vanished = vanished(told, listings);
    if vanished.is_empty() {
        return;
    }
    let Some(witness) = witness(reader, told, listings, priority).await else {
        return;
    };
    for image in vanished.into_iter().take(MOST_ASKED_ALONE) {
        let Ok(shown) = reader.image(&image, priority).await else {
            continue;
        };
        let listing = match shown {
            Some(facts) => ImageListing::Listed(facts.state),
            None if is_there(reader, &witness, priority).await => ImageListing::AbsentBesideAWitness,
            None => continue,
        };
        listings.insert(image, listing);
    }
}

/// Images of other accounts that should be there, by the metadata, and that a complete listing does not have.
fn vanished(told: &[Told<'_>], listings: &BTreeMap<ImageId, ImageListing>) -> BTreeSet<ImageId> {
    let is_it = |(instance, image): &&Told<'_>| {
        image.state == ImageState::Available
            && image.allowed == Some(true)
            && is_foreign(image, instance)
            && listings.get(&image.image) == Some(&ImageListing::Absent)
    };
    told.iter()
        .filter(is_it)
        .map(|(_, image)| image.image.clone())
        .collect()
}

/// An image that AWS shows when it is asked for by its id: of another instance, else of the account, else one of Amazon's.
async fn witness(
    reader: &Reader,
    told: &[Told<'_>],
    listings: &BTreeMap<ImageId, ImageListing>,
    priority: Priority,
) -> Option<ImageId> {
    let of_others = told.iter().map(|(_, image)| *image).find(|image| {
        let listing = listings.get(&image.image);
        let is_listed = matches!(listing, None | Some(ImageListing::Listed(ImageState::Available)));
        image.state == ImageState::Available && image.allowed == Some(true) && is_listed
    });
    if let Some(image) = of_others
        && is_there(reader, &image.image, priority).await
    {
        return Some(image.image.clone());
    }
    for owner in ["self", "amazon"] {
        if let Ok(Some(image)) = reader.any_image_of(owner, priority).await
            && is_there(reader, &image, priority).await
        {
            return Some(image);
        }
    }
    None
}

async fn is_there(reader: &Reader, image: &ImageId, priority: Priority) -> bool {
    let shown = reader.image(image, priority).await;
    matches!(shown, Ok(Some(facts)) if facts.state == ImageState::Available)
}

/// What the metadata says of the instances that are looked at.
pub(super) fn told<'a>(
    managed: &'a BTreeMap<InstanceId, Instance>,
    metadata: impl Iterator<Item = (&'a InstanceId, &'a ImageMetadata)>,
) -> Vec<Told<'a>> {
    metadata
        .filter_map(|(id, image)| Some((managed.get(id)?, image)))
        .collect()
}
