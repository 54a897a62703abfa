//! Deregistering images, and the Recycle Bin that may give them back.
//!
//! An account has a retention or has none ([`World::set_image_retention`]); with one, what is deregistered can be
//! restored until it is over. To DescribeImages an image in the bin is as gone as any other.

use std::time::Duration;

use jiff::Timestamp;

use super::super::World;
use super::super::api::{self, ApiError, Caller, Listing, Page, Response};
use super::super::image::{Image, ImageState, InBin};
use super::super::instance::Scope;
use super::super::later;
use super::super::page::paginate;
use super::super::shelf::check_id;
use super::describe::image_not_found;

/// An image in the Recycle Bin.
#[derive(Debug, Clone)]
pub struct BinLine {
    pub id: String,
    pub name: String,
    pub description: String,
    pub since: Timestamp,
    pub until: Timestamp,
}

impl World {
    /// From now on, images that the account deregisters in the region stay restorable for this long; `None`: not.
    pub fn set_image_retention(&mut self, scope: &Scope, retention: Option<Duration>) {
        match retention {
            Some(time) => self.image_retention.insert(scope.clone(), time),
            None => self.image_retention.remove(scope),
        };
    }

    /// The image that needs this snapshot, as long as it exists.
    pub(in super::super) fn image_of_snapshot(&self, snapshot: &str) -> Option<&Image> {
        let living = self
            .images
            .iter()
            .filter(|i| !matches!(i.state, ImageState::Deregistered(_)));
        let mut users = living.filter(|image| image.snapshots().any(|s| s == snapshot));
        users.next().map(AsRef::as_ref)
    }

    /// The caller's own image, which still exists.
    ///
    /// # Errors
    /// It is not there, it is another's, or it was deregistered.
    pub(super) fn own_image(&self, caller: &Caller, id: &str) -> Result<&Image, ApiError> {
        check_id::<Image>(id)?;
        let found = self.images.get(id).filter(|i| i.scope.region == caller.region);
        let image = found.ok_or_else(|| image_not_found(id))?;
        if image.scope.account != caller.account {
            if !image.is_shared_with(&caller.account) || self.is_image_hidden(&caller.scope(), image) {
                return Err(image_not_found(id));
            }
            let text = format!("Not authorized for image:{id}");
            return Err(ApiError::with_status(403, "AuthFailure", text));
        }
        if let ImageState::Deregistered(_) = image.state {
            let text = format!("The image ID '{id}' is no longer available");
            return Err(ApiError::new("InvalidAMIID.Unavailable", text));
        }
        Ok(image)
    }

    pub(super) fn deregister(
        &mut self,
        caller: &Caller,
        id: &str,
        delete_snapshots: bool,
    ) -> Result<Vec<(String, &'static str)>, ApiError> {
        let image = self.own_image(caller, id)?;
        let snapshots: Vec<String> = image.snapshots().map(str::to_owned).collect();
        let now = self.now;
        let retention = self.image_retention.get(&caller.scope()).copied();
        self.images.edit(now, id, |image| {
            image.state = ImageState::Deregistered(now);
            image.bin = retention.map(|time| InBin {
                since: now,
                until: later(now, time),
            });
        });
        self.note(id, "image deregistered");
        self.own_write(id);
        let mut results = Vec::new();
        if delete_snapshots {
            for snapshot in snapshots {
                // Another image needs it, or it is gone already, or it is another's.
                let is_own = self
                    .snapshot(&snapshot)
                    .is_some_and(|s| s.scope == caller.scope());
                let can = is_own && self.image_of_snapshot(&snapshot).is_none();
                if can {
                    self.remove_snapshot(&snapshot);
                }
                results.push((snapshot, if can { "success" } else { "skipped" }));
            }
        }
        Ok(results)
    }

    pub(super) fn images_in_bin(
        &self,
        caller: &Caller,
        ids: &[String],
        page: &Page,
    ) -> Result<Listing<BinLine>, ApiError> {
        let mut lines: Vec<BinLine> = Vec::new();
        let scope = caller.scope();
        for image in self.images.iter().filter(|i| i.scope == scope) {
            let is_wanted = ids.is_empty() || ids.contains(&image.id);
            if let Some(bin) = image.bin.filter(|bin| is_wanted && self.now < bin.until) {
                lines.push(BinLine {
                    id: image.id.clone(),
                    name: image.name.clone(),
                    description: image.description.clone(),
                    since: bin.since,
                    until: bin.until,
                });
            }
        }
        if let Some(missing) = ids.iter().find(|id| lines.iter().all(|line| line.id != **id)) {
            return Err(image_not_found(missing));
        }
        let (items, next) = paginate(lines, |line| line.id.clone(), page, 1..=1000, None)?;
        Ok(Listing { items, next })
    }

    pub(super) fn restore_from_bin(&mut self, caller: &Caller, id: &str) -> Response {
        check_id::<Image>(id)?;
        let now = self.now;
        let found = self.images.get(id).filter(|i| i.scope == caller.scope());
        let can = found
            .and_then(|image| image.bin)
            .is_some_and(|bin| now < bin.until);
        if !can {
            return Err(image_not_found(id));
        }
        self.images.edit(now, id, |image| {
            image.state = ImageState::Available;
            image.bin = None;
        });
        self.note(id, "image restored from the Recycle Bin");
        self.own_write(id);
        Ok(api::Answer::Done)
    }
}
