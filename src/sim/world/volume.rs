//! EBS volumes: what they are, how they live, and which instance has them.
//!
//! creating → available → in-use → available → deleting → gone. An attachment is written in two places, the volume and
//! its instance, because EC2's two describe calls lag behind the truth each on its own; the functions here are the
//! only ones that write it, and they write both.
//!
//! A volume is never lost by itself: it goes when somebody deletes it, or when its instance terminates and the
//! attachment says `delete_on_termination`. Everything else is left available.

use std::time::Duration;

use jiff::Timestamp;

use super::World;
use super::device::{Shape, VolumeKind};
use super::instance::{Instance, Scope, State};
use super::life::Event;
use super::shelf::{Field, Resource, Tags, parts};

/// A volume's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VolumeState {
    Creating,
    Available,
    InUse,
    Deleting,
    /// It could not be made: its key is disabled.
    Error,
}

impl VolumeState {
    /// EBS's name.
    pub fn name(self) -> &'static str {
        match self {
            VolumeState::Creating => "creating",
            VolumeState::Available => "available",
            VolumeState::InUse => "in-use",
            VolumeState::Deleting => "deleting",
            VolumeState::Error => "error",
        }
    }
}

/// How far an attachment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttachmentState {
    Attaching,
    Attached,
    Detaching,
}

impl AttachmentState {
    /// EBS's name.
    pub fn name(self) -> &'static str {
        match self {
            AttachmentState::Attaching => "attaching",
            AttachmentState::Attached => "attached",
            AttachmentState::Detaching => "detaching",
        }
    }
}

/// A volume under a device name of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    pub volume: String,
    pub instance: String,
    /// `/dev/xvda`.
    pub device: String,
    pub state: AttachmentState,
    pub since: Timestamp,
    pub delete_on_termination: bool,
}

/// A change of a volume's size or speed, while the volume stays in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modification {
    pub original: Shape,
    pub target: Shape,
    pub started: Timestamp,
    /// It is `optimizing` from then on: the new size and speed are there.
    pub optimizing: Timestamp,
    pub ends: Timestamp,
}

/// One EBS volume.
#[derive(Debug, Clone)]
pub struct Volume {
    pub id: String,
    pub scope: Scope,
    /// `eu-west-2a`.
    pub zone: String,
    pub shape: Shape,
    /// The snapshot that it was made from.
    pub snapshot: Option<String>,
    pub encrypted: bool,
    /// The ARN of its KMS key, if it is encrypted.
    pub key: Option<String>,
    pub state: VolumeState,
    pub created: Timestamp,
    pub attachment: Option<Attachment>,
    pub tags: Tags,
    pub modification: Option<Modification>,
}

impl Volume {
    /// How its last modification goes, and how far it is in percent.
    pub fn modification_progress(&self, now: Timestamp) -> Option<(&'static str, u8)> {
        let modification = self.modification.as_ref()?;
        Some(if now >= modification.ends {
            ("completed", 100)
        } else if now >= modification.optimizing {
            (
                "optimizing",
                percent(modification.optimizing, modification.ends, now),
            )
        } else {
            ("modifying", 0)
        })
    }
}

/// How much of the time from `from` to `to` is over.
pub(super) fn percent(from: Timestamp, to: Timestamp, now: Timestamp) -> u8 {
    let (done, all) = (
        now.duration_since(from).as_millis(),
        to.duration_since(from).as_millis(),
    );
    let percent = if all <= 0 {
        100
    } else {
        (done * 100 / all).clamp(0, 100)
    };
    u8::try_from(percent).unwrap_or(100)
}

impl Resource for Volume {
    const KIND: &'static str = "volume";
    const PREFIX: &'static str = "vol-";
    const NOUN: &'static str = "volume";
    const NOT_FOUND: &'static str = "InvalidVolume.NotFound";
    const MALFORMED: &'static str = "InvalidVolumeID.Malformed";
    const FILTERS: &'static [Field<Self>] = &[
        ("volume-id", |v| vec![v.id.clone()]),
        ("availability-zone", |v| vec![v.zone.clone()]),
        ("create-time", |v| vec![format!("{:.3}", v.created)]),
        ("encrypted", |v| vec![v.encrypted.to_string()]),
        ("fast-restored", |_| vec!["false".to_owned()]),
        ("multi-attach-enabled", |_| vec!["false".to_owned()]),
        ("size", |v| vec![v.shape.size_gib.to_string()]),
        ("snapshot-id", |v| v.snapshot.iter().cloned().collect()),
        ("status", |v| vec![v.state.name().to_owned()]),
        ("volume-type", |v| vec![v.shape.kind.name().to_owned()]),
        ("attachment.attach-time", |v| {
            attached(v, |a| format!("{:.3}", a.since))
        }),
        ("attachment.delete-on-termination", |v| {
            attached(v, |a| a.delete_on_termination.to_string())
        }),
        ("attachment.device", |v| attached(v, |a| a.device.clone())),
        ("attachment.instance-id", |v| attached(v, |a| a.instance.clone())),
        ("attachment.status", |v| {
            attached(v, |a| a.state.name().to_owned())
        }),
    ];

    parts!();
}

fn attached(volume: &Volume, what: fn(&Attachment) -> String) -> Vec<String> {
    volume.attachment.iter().map(what).collect()
}

/// A volume to be made: everything that has been decided about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVolume {
    pub shape: Shape,
    pub snapshot: Option<String>,
    pub encrypted: bool,
    pub key: Option<String>,
}

/// What becomes of a volume by itself.
#[derive(Debug, Clone)]
pub(super) enum Due {
    Created,
    Attached,
    Detached,
    Deleted,
}

impl World {
    /// The volume, in truth; `None` once it is deleted.
    pub fn volume(&self, id: &str) -> Option<&Volume> {
        self.volumes.get(id).map(AsRef::as_ref)
    }

    /// All volumes, in truth, by id.
    pub fn volumes(&self) -> impl Iterator<Item = &Volume> {
        self.volumes.iter().map(AsRef::as_ref)
    }

    /// A volume begins to exist; it is available a moment later.
    pub(super) fn make_volume(&mut self, scope: &Scope, zone: &str, new: NewVolume, tags: Tags) -> String {
        let id = self.new_id(Volume::PREFIX);
        let volume = Volume {
            id: id.clone(),
            scope: scope.clone(),
            zone: zone.to_owned(),
            shape: new.shape,
            snapshot: new.snapshot,
            encrypted: new.encrypted,
            key: new.key,
            state: VolumeState::Creating,
            created: self.now,
            attachment: None,
            tags,
            modification: None,
        };
        self.note(
            &id,
            format!("volume of {} GiB created in {zone}", volume.shape.size_gib),
        );
        self.volumes.put(self.now, volume);
        let after = self.draw(&self.pace.volume_s.clone());
        self.schedule_volume(after, &id, Due::Created);
        id
    }

    /// The volume begins to be attached, whatever its state: the caller has checked it. At a launch the volume may
    /// still be creating.
    pub(super) fn attach(&mut self, volume: &str, instance: &str, device: &str, delete_on_termination: bool) {
        let attachment = Attachment {
            volume: volume.to_owned(),
            instance: instance.to_owned(),
            device: device.to_owned(),
            state: AttachmentState::Attaching,
            since: self.now,
            delete_on_termination,
        };
        self.note(volume, format!("attaching to {instance} as {device}"));
        self.edit_volume(volume, |v| v.state = VolumeState::InUse);
        self.write_attachment(volume, attachment);
        let after = self.draw(&self.pace.attach_s.clone());
        self.schedule_volume(after, volume, Due::Attached);
    }

    /// The volume begins to be detached, from whatever has it.
    pub(super) fn detach(&mut self, volume: &str) {
        let Some(attachment) = self.volume(volume).and_then(|v| v.attachment.clone()) else {
            return;
        };
        self.note(volume, format!("detaching from {}", attachment.instance));
        let attachment = Attachment {
            state: AttachmentState::Detaching,
            ..attachment
        };
        self.write_attachment(volume, attachment);
        let after = self.draw(&self.pace.attach_s.clone());
        self.schedule_volume(after, volume, Due::Detached);
    }

    /// Whether the volume under `device` goes with its instance; `false` if nothing is attached there.
    pub fn set_delete_on_termination(&mut self, instance: &str, device: &str, delete: bool) -> bool {
        let attached = self
            .instance(instance)
            .and_then(|i| i.devices.get(device).cloned());
        let Some(attachment) = attached else {
            return false;
        };
        let volume = attachment.volume.clone();
        self.write_attachment(
            &volume,
            Attachment {
                delete_on_termination: delete,
                ..attachment
            },
        );
        true
    }

    /// The volume begins to be deleted. The caller has checked that nothing has it.
    pub(super) fn begin_delete_volume(&mut self, id: &str) {
        self.note(id, "volume deleting");
        self.edit_volume(id, |v| v.state = VolumeState::Deleting);
        let after = self.draw(&self.pace.volume_s.clone());
        self.schedule_volume(after, id, Due::Deleted);
    }

    /// A terminated instance gives its volumes back: those that go with it are deleted, the others are available at
    /// once.
    pub(super) fn release_volumes(&mut self, instance: &str) {
        let devices = self
            .instance(instance)
            .map(|i| i.devices.clone())
            .unwrap_or_default();
        for attachment in devices.into_values() {
            let volume = attachment.volume.as_str();
            self.finish_detach(volume);
            if attachment.delete_on_termination {
                self.note(volume, format!("volume deleted with {instance}"));
                self.volumes.delete(self.now, volume);
            }
        }
    }

    /// The instance cannot run: an encrypted volume of it needs a key that is disabled.
    pub(super) fn lacks_a_key(&self, instance: &str) -> bool {
        let devices = self
            .instance(instance)
            .map(|i| i.devices.clone())
            .unwrap_or_default();
        let mut keys = devices
            .values()
            .filter_map(|a| self.volume(&a.volume)?.key.as_ref());
        keys.any(|key| self.disabled_keys.contains(key))
    }

    pub(super) fn volume_due(&mut self, id: &str, due: Due) {
        let Some((state, attachment)) = self.volume(id).map(|v| (v.state, v.attachment.clone())) else {
            return;
        };
        let is = |wanted| attachment.as_ref().is_some_and(|a| a.state == wanted);
        match due {
            Due::Created if state == VolumeState::Creating => {
                let key = self.volume(id).and_then(|v| v.key.as_ref());
                let is_bad = key.is_some_and(|key| self.disabled_keys.contains(key));
                let state = if is_bad {
                    VolumeState::Error
                } else {
                    VolumeState::Available
                };
                self.note(id, format!("volume {}", state.name()));
                self.edit_volume(id, |v| v.state = state);
            }
            Due::Attached if is(AttachmentState::Attaching) => {
                if let Some(attachment) = attachment {
                    self.note(id, format!("attached to {}", attachment.instance));
                    let attachment = Attachment {
                        state: AttachmentState::Attached,
                        ..attachment
                    };
                    self.write_attachment(id, attachment);
                }
            }
            Due::Detached if is(AttachmentState::Detaching) => self.finish_detach(id),
            Due::Deleted if state == VolumeState::Deleting => self.volumes.delete(self.now, id),
            // A timer of something that has been overtaken.
            Due::Created | Due::Attached | Due::Detached | Due::Deleted => {}
        }
    }

    /// The root volume of an instance that a world begins with, which names it already.
    pub(super) fn add_root_volume(&mut self, instance: &Instance) {
        for attachment in instance.devices.values() {
            let snapshot = self
                .images
                .get(&instance.image)
                .and_then(|i| i.snapshots().next().map(str::to_owned));
            let volume = Volume {
                id: attachment.volume.clone(),
                scope: instance.scope.clone(),
                zone: instance.zone.clone(),
                shape: Shape {
                    size_gib: 8,
                    kind: VolumeKind::Gp3,
                    iops: Some(3_000),
                    throughput: Some(125),
                },
                snapshot,
                encrypted: false,
                key: None,
                state: VolumeState::InUse,
                created: attachment.since,
                attachment: Some(attachment.clone()),
                tags: Tags::new(),
                modification: None,
            };
            self.volumes.put(attachment.since, volume);
        }
    }

    pub(super) fn encrypt_volume(&mut self, id: &str, key: &str) -> bool {
        let encrypted = self.edit_volume(id, |v| {
            v.encrypted = true;
            v.key = Some(key.to_owned());
        });
        encrypted.is_some()
    }

    pub(super) fn edit_volume<R>(&mut self, id: &str, change: impl FnOnce(&mut Volume) -> R) -> Option<R> {
        self.volumes.edit(self.now, id, change)
    }

    fn finish_detach(&mut self, id: &str) {
        let gone = self.edit_volume(id, |v| {
            v.state = VolumeState::Available;
            v.attachment.take()
        });
        if let Some(Some(gone)) = gone {
            self.note(id, format!("detached from {}", gone.instance));
            self.edit(&gone.instance, |i| i.devices.remove(&gone.device));
        }
    }

    fn write_attachment(&mut self, volume: &str, attachment: Attachment) {
        let (instance, device) = (attachment.instance.clone(), attachment.device.clone());
        self.edit_volume(volume, |v| v.attachment = Some(attachment.clone()));
        self.edit(&instance, |i| i.devices.insert(device, attachment));
    }

    fn schedule_volume(&mut self, after: Duration, id: &str, due: Due) {
        let id = id.to_owned();
        self.schedule(after, Event::Volume { id, due });
    }
}

/// An instance in this state can take or give a volume.
pub(super) fn can_attach(state: State) -> bool {
    matches!(state, State::Running | State::Stopped | State::Stopping)
}
