//! EBS snapshots: what they are, how they become complete, and who may use them.
//!
//! A snapshot is of the moment it was asked for, whatever the volume does while it is copied. It outlives its volume
//! and its image; only DeleteSnapshot ends it, and that not while an image needs it.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::World;
use super::api::ApiError;
use super::image::Image;
use super::instance::Scope;
use super::life::Event;
use super::shelf::{Field, Resource, Tags, parts};
use super::volume::{Volume, percent};

/// A snapshot's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotState {
    /// Being copied; it is complete at that time.
    Pending(Timestamp),
    Completed,
    Error,
}

/// One EBS snapshot.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub id: String,
    pub scope: Scope,
    /// The volume it was taken of; EBS's `vol-ffffffff` for a copy.
    pub volume: String,
    pub size_gib: u32,
    pub state: SnapshotState,
    pub started: Timestamp,
    pub description: String,
    /// The ARN of its KMS key, if it is encrypted.
    pub key: Option<String>,
    pub tags: Tags,
    /// Everybody may make volumes of it.
    pub public: bool,
    /// Accounts, besides the owner's, that may.
    pub shared_with: BTreeSet<String>,
}

/// What a new snapshot is of.
#[derive(Debug, Clone)]
pub(super) struct NewSnapshot {
    pub volume: String,
    pub size_gib: u32,
    pub key: Option<String>,
    pub description: String,
    pub tags: Tags,
}

impl NewSnapshot {
    pub(super) fn of(volume: &Volume, description: String, tags: Tags) -> Self {
        Self {
            volume: volume.id.clone(),
            size_gib: volume.shape.size_gib,
            key: volume.key.clone(),
            description,
            tags,
        }
    }
}

impl Snapshot {
    /// EBS's name of its state.
    pub fn state_name(&self) -> &'static str {
        match self.state {
            SnapshotState::Pending(_) => "pending",
            SnapshotState::Completed => "completed",
            SnapshotState::Error => "error",
        }
    }

    /// How far it is, in percent.
    pub fn progress(&self, now: Timestamp) -> u8 {
        match self.state {
            // Complete is said by the state, never by the number before it.
            SnapshotState::Pending(ends) => percent(self.started, ends, now).min(99),
            SnapshotState::Completed => 100,
            SnapshotState::Error => 0,
        }
    }

    /// `account` may make volumes of it.
    pub fn is_shared_with(&self, account: &str) -> bool {
        self.public || self.scope.account == account || self.shared_with.contains(account)
    }
}

impl World {
    /// The snapshot, in truth; `None` once it is deleted.
    pub fn snapshot(&self, id: &str) -> Option<&Snapshot> {
        self.snapshots.get(id).map(AsRef::as_ref)
    }

    /// All snapshots, in truth, by id.
    pub fn snapshots(&self) -> impl Iterator<Item = &Snapshot> {
        self.snapshots.iter().map(AsRef::as_ref)
    }

    /// A snapshot begins to be taken; it completes by itself.
    pub(super) fn take_snapshot(&mut self, scope: &Scope, new: NewSnapshot) -> Arc<Snapshot> {
        let id = self.new_id(Snapshot::PREFIX);
        let takes = self.draw(&self.pace.snapshot_s.clone());
        let snapshot = Snapshot {
            id: id.clone(),
            scope: scope.clone(),
            volume: new.volume,
            size_gib: new.size_gib,
            state: SnapshotState::Pending(super::later(self.now, takes)),
            started: self.now,
            description: new.description,
            key: new.key,
            tags: new.tags,
            public: false,
            shared_with: BTreeSet::new(),
        };
        self.note(&id, format!("snapshot of {} begun", snapshot.volume));
        let snapshot = self.snapshots.put(self.now, snapshot);
        self.schedule(takes, Event::SnapshotDue { id });
        snapshot
    }

    /// An image that has been there for long, with the snapshots of its volumes.
    pub(super) fn add_image(&mut self, image: Image) {
        for (_, ebs) in image.volumes() {
            let Some(id) = &ebs.snapshot else { continue };
            let snapshot = Snapshot {
                id: id.clone(),
                scope: image.scope.clone(),
                volume: super::snapshots::COPIED_VOLUME.to_owned(),
                size_gib: ebs.size_gib.unwrap_or(8),
                state: SnapshotState::Completed,
                started: image.creation,
                description: format!("Of image {}", image.id),
                key: None,
                tags: Tags::new(),
                public: image.public,
                shared_with: image.shared_with.clone(),
            };
            self.snapshots.put(image.creation, snapshot);
        }
        self.images.put(image.creation, image);
    }

    pub(super) fn snapshot_due(&mut self, id: &str) {
        let now = self.now;
        let done = self.snapshots.edit(now, id, |s| {
            let is_pending = matches!(s.state, SnapshotState::Pending(_));
            if is_pending {
                s.state = SnapshotState::Completed;
            }
            is_pending
        });
        if done == Some(true) {
            self.note(id, "snapshot completed");
        }
    }

    /// The snapshot fails, if it is not complete yet; an image that waits for it fails with it.
    pub fn fail_snapshot(&mut self, id: &str) -> bool {
        let now = self.now;
        let failed = self.snapshots.edit(now, id, |s| {
            let is_pending = matches!(s.state, SnapshotState::Pending(_));
            if is_pending {
                s.state = SnapshotState::Error;
            }
            is_pending
        });
        if failed == Some(true) {
            self.note(id, "snapshot failed");
        }
        failed == Some(true)
    }

    /// The snapshot, if volumes of this account and region can be made of it now.
    ///
    /// # Errors
    /// There is none that the account may use, or it is not complete.
    pub(super) fn usable_snapshot(&self, scope: &Scope, id: &str) -> Result<Arc<Snapshot>, ApiError> {
        super::shelf::check_id::<Snapshot>(id)?;
        let found = self
            .snapshots
            .get(id)
            .filter(|s| s.scope.region == scope.region && s.is_shared_with(&scope.account));
        let snapshot = found.ok_or_else(|| super::shelf::not_found::<Snapshot>(&[id]))?;
        if snapshot.state != SnapshotState::Completed {
            let text = format!("Snapshot is in invalid state - {}", snapshot.state_name());
            return Err(ApiError::new("IncorrectState", text));
        }
        Ok(snapshot.clone())
    }
}

impl Resource for Snapshot {
    const KIND: &'static str = "snapshot";
    const PREFIX: &'static str = "snap-";
    const NOUN: &'static str = "snapshot";
    const NOT_FOUND: &'static str = "InvalidSnapshot.NotFound";
    const MALFORMED: &'static str = "InvalidSnapshotID.Malformed";
    const FILTERS: &'static [Field<Self>] = &[
        ("snapshot-id", |s| vec![s.id.clone()]),
        ("description", |s| vec![s.description.clone()]),
        ("encrypted", |s| vec![s.key.is_some().to_string()]),
        ("owner-id", |s| vec![s.scope.account.clone()]),
        ("owner-alias", |s| {
            super::image::owner_alias(&s.scope.account)
                .map(str::to_owned)
                .into_iter()
                .collect()
        }),
        ("start-time", |s| vec![format!("{:.3}", s.started)]),
        ("status", |s| vec![s.state_name().to_owned()]),
        ("storage-tier", |_| vec!["standard".to_owned()]),
        ("volume-id", |s| vec![s.volume.clone()]),
        ("volume-size", |s| vec![s.size_gib.to_string()]),
    ];

    parts!();
}
