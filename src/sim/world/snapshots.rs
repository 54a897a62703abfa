//! EC2's calls on snapshots: take, copy, share, delete, describe.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::World;
use super::api::{self, ApiError, Asked, Caller, Family, Listing, Page, Response};
use super::instance::{Instance, Scope};
use super::shelf::{Resource, Tags};
use super::snapshot::{NewSnapshot, Snapshot, SnapshotState};
use super::tags::{self, TagSpecs};
use super::volume::VolumeState;
use super::volumes::key_arn;

/// The family's operations.
#[derive(Debug, Clone)]
pub enum Op {
    CreateSnapshot {
        volume: String,
        description: String,
        tags: TagSpecs,
    },
    CreateSnapshots(CreateSnapshots),
    DescribeSnapshots(DescribeSnapshots),
    DeleteSnapshot {
        id: String,
    },
    CopySnapshot(CopySnapshot),
    ModifySnapshotAttribute {
        id: String,
        change: Sharing,
    },
    /// Who may make volumes of it.
    DescribeSnapshotAttribute {
        id: String,
    },
    /// Its owner alone may make volumes of it.
    ResetSnapshotAttribute {
        id: String,
    },
}

/// CreateSnapshots' parameters: all volumes of an instance at one moment.
#[derive(Debug, Clone, Default)]
pub struct CreateSnapshots {
    pub instance: String,
    pub without_root: bool,
    pub without_volumes: Vec<String>,
    pub description: String,
    pub tags: TagSpecs,
    /// The volumes' tags are copied.
    pub copy_tags: bool,
}

/// DescribeSnapshots' parameters.
#[derive(Debug, Clone, Default)]
pub struct DescribeSnapshots {
    pub asked: Asked,
    /// Accounts, `self` or `amazon`.
    pub owners: Vec<String>,
    /// Accounts, `self` or `all`.
    pub restorable_by: Vec<String>,
}

/// CopySnapshot's parameters.
#[derive(Debug, Clone, Default)]
pub struct CopySnapshot {
    pub source: String,
    pub source_region: String,
    pub description: String,
    pub encrypted: bool,
    pub key: Option<String>,
    pub tags: TagSpecs,
}

/// A change of who may use an image or a snapshot. `all` among them is everybody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sharing {
    pub add: Vec<String>,
    pub remove: Vec<String>,
}

/// The family's answers.
#[derive(Debug, Clone)]
pub enum Answer {
    Snapshot {
        snapshot: Arc<Snapshot>,
        now: Timestamp,
    },
    /// CreateSnapshots': like a listing, under other names.
    Taken {
        items: Vec<Arc<Snapshot>>,
        now: Timestamp,
    },
    Snapshots {
        listing: Listing<Arc<Snapshot>>,
        now: Timestamp,
    },
    Copied(Arc<Snapshot>),
    Permissions {
        id: String,
        public: bool,
        accounts: BTreeSet<String>,
    },
}

impl Answer {
    pub(super) fn clear(&mut self) {
        if let Answer::Snapshots { listing, .. } = self {
            listing.clear();
        }
    }
}

impl Family for Op {
    fn name(&self) -> &'static str {
        match self {
            Op::CreateSnapshot { .. } => "CreateSnapshot",
            Op::CreateSnapshots(_) => "CreateSnapshots",
            Op::DescribeSnapshots(_) => "DescribeSnapshots",
            Op::DeleteSnapshot { .. } => "DeleteSnapshot",
            Op::CopySnapshot(_) => "CopySnapshot",
            Op::ModifySnapshotAttribute { .. } => "ModifySnapshotAttribute",
            Op::DescribeSnapshotAttribute { .. } => "DescribeSnapshotAttribute",
            Op::ResetSnapshotAttribute { .. } => "ResetSnapshotAttribute",
        }
    }

    fn subjects(&self) -> Vec<&str> {
        match self {
            Op::CreateSnapshot { volume: id, .. }
            | Op::CreateSnapshots(CreateSnapshots { instance: id, .. })
            | Op::CopySnapshot(CopySnapshot { source: id, .. })
            | Op::DeleteSnapshot { id }
            | Op::ModifySnapshotAttribute { id, .. }
            | Op::DescribeSnapshotAttribute { id }
            | Op::ResetSnapshotAttribute { id } => vec![id],
            Op::DescribeSnapshots(asked) => asked.asked.ids.iter().map(String::as_str).collect(),
        }
    }

    fn page(&self) -> Option<&Page> {
        match self {
            Op::DescribeSnapshots(asked) => Some(&asked.asked.page),
            _ => None,
        }
    }

    fn answer(&self, world: &mut World, caller: &Caller) -> Response {
        let answer = match self {
            Op::CreateSnapshot {
                volume,
                description,
                tags,
            } => world.create_snapshot(caller, volume, description, tags),
            Op::CreateSnapshots(asked) => world.create_snapshots(caller, asked),
            Op::DescribeSnapshots(asked) => world.describe_snapshots(caller, asked),
            Op::CopySnapshot(asked) => world.copy_snapshot(caller, asked),
            Op::DescribeSnapshotAttribute { id } => {
                world.snapshots.find(caller, id).map(|s| Answer::Permissions {
                    id: id.clone(),
                    public: s.public,
                    accounts: s.shared_with.clone(),
                })
            }
            Op::DeleteSnapshot { id } => return world.delete_snapshot(caller, id),
            Op::ModifySnapshotAttribute { id, change } => {
                return world.share_snapshot(caller, id, Some(change));
            }
            Op::ResetSnapshotAttribute { id } => return world.share_snapshot(caller, id, None),
        };
        answer.map(api::Answer::Snapshots)
    }
}

impl World {
    fn create_snapshot(
        &mut self,
        caller: &Caller,
        volume: &str,
        description: &str,
        tags: &TagSpecs,
    ) -> Result<Answer, ApiError> {
        let volume = self.volumes.find(caller, volume)?;
        if !matches!(volume.state, VolumeState::Available | VolumeState::InUse) {
            let text = format!("The volume '{}' is '{}'.", volume.id, volume.state.name());
            return Err(ApiError::new("IncorrectState", text));
        }
        let tags = tags::tags_for(tags, Snapshot::KIND)?;
        let new = NewSnapshot::of(volume, description.to_owned(), tags);
        let snapshot = self.take_snapshot(&caller.scope(), new);
        self.own_write(&snapshot.id);
        Ok(Answer::Snapshot {
            snapshot,
            now: self.now,
        })
    }

    fn create_snapshots(&mut self, caller: &Caller, asked: &CreateSnapshots) -> Result<Answer, ApiError> {
        let instance = self.own_instance(caller, &asked.instance)?.clone();
        let tags = tags::tags_for(&asked.tags, Snapshot::KIND)?;
        let volumes = self.volumes_to_take(&instance, asked)?;
        let mut items = Vec::new();
        for new in volumes {
            let tags = if asked.copy_tags {
                with(new.tags, &tags)
            } else {
                tags.clone()
            };
            let snapshot = self.take_snapshot(&caller.scope(), NewSnapshot { tags, ..new });
            self.own_write(&snapshot.id);
            items.push(snapshot);
        }
        Ok(Answer::Taken { items, now: self.now })
    }

    /// What is to be taken of the instance's volumes, their own tags included.
    fn volumes_to_take(
        &self,
        instance: &Instance,
        asked: &CreateSnapshots,
    ) -> Result<Vec<NewSnapshot>, ApiError> {
        let data = |id: &String| {
            instance
                .devices
                .values()
                .any(|a| a.volume == *id && a.device != instance.root_device)
        };
        if let Some(id) = asked.without_volumes.iter().find(|id| !data(id)) {
            let text = format!(
                "The volume '{id}' is not a data volume of instance '{}'.",
                instance.id
            );
            return Err(ApiError::new("InvalidParameterValue", text));
        }
        let wanted = instance.devices.values().filter(|a| {
            let is_root = a.device == instance.root_device;
            let is_left_out = (is_root && asked.without_root) || asked.without_volumes.contains(&a.volume);
            !is_left_out
        });
        let volumes = wanted.filter_map(|a| self.volume(&a.volume));
        let taken = volumes.map(|v| NewSnapshot::of(v, asked.description.clone(), v.tags.clone()));
        Ok(taken.collect())
    }

    /// Those of the caller, those shared with it, and the public ones.
    fn describe_snapshots(&self, caller: &Caller, asked: &DescribeSnapshots) -> Result<Answer, ApiError> {
        let account = caller.account.as_str();
        let is_owner = |s: &Snapshot, owner: &str| {
            owner == s.scope.account
                || (owner == "self" && s.scope.account == account)
                || super::image::owner_alias(&s.scope.account) == Some(owner)
        };
        let can_restore = |s: &Snapshot, who: &str| match who {
            "all" => s.public,
            "self" => s.scope.account == account || s.shared_with.contains(account),
            who => s.scope.account == who || s.shared_with.contains(who),
        };
        let listing = self.snapshots.listed_among(
            self,
            &asked.asked,
            |s| s.scope.region == caller.region && s.is_shared_with(account),
            |s| {
                (asked.owners.is_empty() || asked.owners.iter().any(|owner| is_owner(s, owner)))
                    && (asked.restorable_by.is_empty()
                        || asked.restorable_by.iter().any(|who| can_restore(s, who)))
            },
        )?;
        Ok(Answer::Snapshots {
            listing,
            now: self.now,
        })
    }

    fn delete_snapshot(&mut self, caller: &Caller, id: &str) -> Response {
        self.snapshots.find(caller, id)?;
        if let Some(image) = self.image_of_snapshot(id) {
            let text = format!("The snapshot {id} is currently in use by {}", image.id);
            return Err(ApiError::new("InvalidSnapshot.InUse", text));
        }
        self.remove_snapshot(id);
        self.own_write(id);
        Ok(api::Answer::Done)
    }

    pub(super) fn remove_snapshot(&mut self, id: &str) {
        self.note(id, "snapshot deleted");
        self.snapshots.delete(self.now, id);
    }

    fn copy_snapshot(&mut self, caller: &Caller, asked: &CopySnapshot) -> Result<Answer, ApiError> {
        let there = Scope::new(&caller.account, &asked.source_region);
        let source = self.usable_snapshot(&there, &asked.source)?;
        let tags = tags::tags_for(&asked.tags, Snapshot::KIND)?;
        let key = self.copied_key(&caller.scope(), &source, asked.encrypted, asked.key.as_deref())?;
        let new = NewSnapshot {
            volume: COPIED_VOLUME.to_owned(),
            size_gib: source.size_gib,
            key,
            description: asked.description.clone(),
            tags,
        };
        let snapshot = self.take_snapshot(&caller.scope(), new);
        self.own_write(&snapshot.id);
        Ok(Answer::Copied(snapshot))
    }

    /// The key of a copy: what is encrypted stays so, with the key named or else the account's default one.
    pub(super) fn copied_key(
        &self,
        scope: &Scope,
        source: &Snapshot,
        encrypted: bool,
        key: Option<&str>,
    ) -> Result<Option<String>, ApiError> {
        if key.is_some() && !encrypted && source.key.is_none() {
            let text = "The parameter KmsKeyId requires the parameter Encrypted to be set.";
            return Err(ApiError::new("InvalidParameterDependency", text));
        }
        let is_encrypted = encrypted || source.key.is_some();
        let key = key.unwrap_or(super::volumes::DEFAULT_KEY);
        Ok(is_encrypted.then(|| key_arn(scope, key)))
    }

    fn share_snapshot(&mut self, caller: &Caller, id: &str, change: Option<&Sharing>) -> Response {
        let snapshot = self.snapshots.find(caller, id)?;
        if let SnapshotState::Error = snapshot.state {
            let text = format!("Snapshot is in invalid state - {}", snapshot.state_name());
            return Err(ApiError::new("IncorrectState", text));
        }
        let is_public = change.is_some_and(|change| change.add.iter().any(|who| who == "all"));
        if is_public && snapshot.key.is_some() {
            let text = "Encrypted snapshots cannot be shared publicly";
            return Err(ApiError::new("OperationNotPermitted", text));
        }
        let now = self.now;
        self.snapshots.edit(now, id, |s| match change {
            Some(change) => change.apply(&mut s.public, &mut s.shared_with),
            None => (s.public, s.shared_with) = (false, BTreeSet::new()),
        });
        self.note(id, "snapshot permissions changed");
        self.own_write(id);
        Ok(api::Answer::Done)
    }
}

/// EBS's id for the volume of a snapshot that was copied.
pub(super) const COPIED_VOLUME: &str = "vol-ffffffff";

impl Sharing {
    /// Change who may use the object.
    pub(super) fn apply(&self, public: &mut bool, shared_with: &mut BTreeSet<String>) {
        for who in &self.add {
            if who == "all" {
                *public = true;
            } else {
                shared_with.insert(who.clone());
            }
        }
        for who in &self.remove {
            if who == "all" {
                *public = false;
            } else {
                shared_with.remove(who);
            }
        }
    }
}

fn with(mut tags: Tags, more: &Tags) -> Tags {
    // AWS's own tags are not copied.
    tags.retain(|key, _| !key.starts_with("aws:"));
    tags.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
    tags
}
