//! How images come to be: registered from snapshots, taken of an instance, copied.
//!
//! A new image is `pending` until its snapshots are complete; if one of them fails, so does the image. Its name is its
//! owner's alone, in the region.

use std::time::Duration;

use super::super::World;
use super::super::api::{ApiError, Caller};
use super::super::device::{Shape, VolumeKind, merged};
use super::super::image::{Image, ImageState};
use super::super::instance::{Instance, Scope, State, StateReason};
use super::super::launch::{BlockDeviceSpec, EbsSpec};
use super::super::life::Event;
use super::super::shelf::{Resource, check_id};
use super::super::snapshot::{NewSnapshot, Snapshot, SnapshotState};
use super::super::snapshots::COPIED_VOLUME;
use super::super::tags::{self, TagSpecs, Tags};
use super::describe::image_not_found;

/// RegisterImage's parameters. With a location it is an instance-store image, else an EBS-backed one.
#[derive(Debug, Clone, Default)]
pub struct RegisterImage {
    pub name: String,
    pub description: String,
    pub location: Option<String>,
    pub architecture: Option<String>,
    pub root_device: Option<String>,
    pub devices: Vec<BlockDeviceSpec>,
    pub virtualization: Option<String>,
    pub ena: bool,
    pub sriov: Option<String>,
    pub boot_mode: Option<String>,
    pub tpm: Option<String>,
    pub imds: Option<String>,
    pub tags: TagSpecs,
}

/// CreateImage's parameters.
#[derive(Debug, Clone, Default)]
pub struct CreateImage {
    pub instance: String,
    pub name: String,
    pub description: String,
    pub no_reboot: bool,
    /// Laid over what the instance has.
    pub devices: Vec<BlockDeviceSpec>,
    pub tags: TagSpecs,
}

/// CopyImage's parameters.
#[derive(Debug, Clone, Default)]
pub struct CopyImage {
    pub source: String,
    pub source_region: String,
    pub name: String,
    pub description: Option<String>,
    pub encrypted: bool,
    pub key: Option<String>,
    pub copy_tags: bool,
    pub tags: TagSpecs,
    pub token: Option<String>,
}

impl World {
    pub(super) fn register_image(
        &mut self,
        caller: &Caller,
        asked: &RegisterImage,
    ) -> Result<String, ApiError> {
        let scope = caller.scope();
        self.check_name(&scope, &asked.name)?;
        let tags = tags::tags_for(&asked.tags, Image::KIND)?;
        let ebs_root = asked.location.is_none();
        let devices = self.registered_devices(&scope, asked)?;
        let mut image = self.blank(&scope, &asked.name, &asked.description, tags);
        image.devices = devices;
        image.ebs_root = ebs_root;
        image.location = asked.location.clone();
        image.root_device = asked
            .root_device
            .clone()
            .unwrap_or_else(|| "/dev/sda1".to_owned());
        // EC2's defaults here are those of 2008.
        image.architecture = asked.architecture.clone().unwrap_or_else(|| "i386".to_owned());
        image.virtualization = asked
            .virtualization
            .clone()
            .unwrap_or_else(|| "paravirtual".to_owned());
        image.ena = asked.ena;
        image.sriov = asked.sriov.clone();
        image.boot_mode = asked.boot_mode.clone();
        image.tpm = asked.tpm.clone();
        image.imds = asked.imds.clone();
        Ok(self.begin_image(image, Duration::ZERO))
    }

    /// The root volume needs a snapshot, and each volume must be one that EBS could make.
    fn registered_devices(
        &self,
        scope: &Scope,
        asked: &RegisterImage,
    ) -> Result<Vec<BlockDeviceSpec>, ApiError> {
        let mut devices = asked.devices.clone();
        for device in &mut devices {
            let Some(ebs) = &mut device.ebs else { continue };
            if ebs.snapshot.is_some() && ebs.encrypted.is_some() {
                let text = format!(
                    "the encrypted flag cannot be specified since device {} has a snapshot specified.",
                    device.device
                );
                return Err(ApiError::new("InvalidBlockDeviceMapping", text));
            }
            let new = self.new_volume(scope, ebs)?;
            ebs.size_gib = Some(new.shape.size_gib);
            ebs.encrypted = Some(new.encrypted);
            ebs.volume_type = Some(new.shape.kind.name().to_owned());
            ebs.delete_on_termination = Some(ebs.delete_on_termination.unwrap_or(true));
        }
        if asked.location.is_none() {
            let Some(root) = &asked.root_device else {
                let text = "The request must contain the parameter RootDeviceName";
                return Err(ApiError::new("MissingParameter", text));
            };
            let has_root = devices.iter().any(|device| {
                device.device == *root && device.ebs.as_ref().is_some_and(|ebs| ebs.snapshot.is_some())
            });
            if !has_root {
                let text = "No root snapshot specified in device mapping.";
                return Err(ApiError::new("InvalidBlockDeviceMapping", text));
            }
        }
        Ok(devices)
    }

    pub(super) fn create_image(&mut self, caller: &Caller, asked: &CreateImage) -> Result<String, ApiError> {
        let scope = caller.scope();
        let instance = self.own_instance(caller, &asked.instance)?.clone();
        self.check_name(&scope, &asked.name)?;
        let (image_tags, snapshot_tags) = image_and_snapshot_tags(&asked.tags)?;
        if !matches!(instance.state, State::Running | State::Stopped | State::Stopping) {
            let text = format!(
                "The instance '{}' is not in a state from which an image can be created.",
                instance.id
            );
            return Err(ApiError::new("IncorrectState", text));
        }
        if !instance.ebs_root || !instance.devices.contains_key(&instance.root_device) {
            let text = format!(
                "Invalid value '{}' for instanceId. Instance does not have a volume attached at root ({})",
                instance.id, instance.root_device
            );
            return Err(ApiError::new("InvalidParameterValue", text));
        }
        let devices = merged(&self.devices_of(&instance), &asked.devices);
        check_devices(&devices)?;
        let (devices, takes) = self.take_devices(&scope, &instance, devices, &snapshot_tags);
        let mut image = self.blank(&scope, &asked.name, &asked.description, image_tags);
        image.devices = devices;
        image.root_device = instance.root_device.clone();
        image.source_instance = Some(instance.id.clone());
        if let Some(from) = self.images.get(&instance.image).cloned() {
            image.architecture = from.architecture.clone();
            image.windows = from.windows;
            image.boot_mode = from.boot_mode.clone();
            image.tpm = from.tpm.clone();
            image.imds = from.imds.clone();
            image.product_codes = from.product_codes.clone();
        }
        if !asked.no_reboot && instance.state == State::Running {
            // Its file systems are whole in the image; its users wait meanwhile.
            self.reboot(&instance.id);
        }
        Ok(self.begin_image(image, takes))
    }

    /// The instance's volumes as block devices, without snapshots.
    pub(in super::super) fn devices_of(&self, instance: &Instance) -> Vec<BlockDeviceSpec> {
        let attached = instance.devices.values().filter_map(|attachment| {
            let volume = self.volume(&attachment.volume)?;
            let is_choice = volume.shape.kind != VolumeKind::Gp2;
            let ebs = EbsSpec {
                delete_on_termination: Some(attachment.delete_on_termination),
                encrypted: Some(volume.encrypted),
                iops: volume.shape.iops.filter(|_| is_choice),
                kms_key: None,
                snapshot: None,
                size_gib: Some(volume.shape.size_gib),
                throughput: volume.shape.throughput,
                volume_type: Some(volume.shape.kind.name().to_owned()),
            };
            Some(BlockDeviceSpec {
                device: attachment.device.clone(),
                ebs: Some(ebs),
                ..BlockDeviceSpec::default()
            })
        });
        attached.collect()
    }

    /// A snapshot of each volume that the instance has under these devices, and how long the last one takes.
    fn take_devices(
        &mut self,
        scope: &Scope,
        instance: &Instance,
        mut devices: Vec<BlockDeviceSpec>,
        tags: &Tags,
    ) -> (Vec<BlockDeviceSpec>, Duration) {
        let mut takes = Duration::ZERO;
        for device in &mut devices {
            let (Some(attachment), Some(ebs)) = (instance.devices.get(&device.device), &mut device.ebs)
            else {
                continue;
            };
            let Some(volume) = self.volume(&attachment.volume) else {
                continue;
            };
            let description = format!("Created by CreateImage({}) for the image", instance.id);
            let new = NewSnapshot::of(volume, description, tags.clone());
            let snapshot = self.take_snapshot(scope, new);
            takes = takes.max(self.time_left(&snapshot));
            ebs.snapshot = Some(snapshot.id.clone());
        }
        (devices, takes)
    }

    pub(super) fn copy_image(&mut self, caller: &Caller, asked: &CopyImage) -> Result<String, ApiError> {
        let scope = caller.scope();
        let request = format!(
            "{} {} {} {:?} {} {:?}",
            asked.source, asked.source_region, asked.name, asked.description, asked.encrypted, asked.key
        );
        let token = asked.token.as_deref();
        if let Some(made) = self.tokens.made(&scope, "CopyImage", token, &request)? {
            return Ok(made);
        }
        self.check_name(&scope, &asked.name)?;
        let (image_tags, snapshot_tags) = image_and_snapshot_tags(&asked.tags)?;
        let there = Scope::new(&caller.account, &asked.source_region);
        let source = self.copyable(&there, &asked.source)?;
        let (devices, takes) = self.copy_devices(&scope, asked, &there, &source, &snapshot_tags)?;
        let mut tags = if asked.copy_tags {
            source.tags.clone()
        } else {
            Tags::new()
        };
        tags.retain(|key, _| !key.starts_with("aws:"));
        tags.extend(image_tags);
        let blank = self.blank(&scope, &asked.name, "", tags);
        let image = Image {
            id: blank.id,
            name: blank.name,
            scope: blank.scope,
            description: asked.description.clone().unwrap_or_default(),
            state: blank.state,
            public: false,
            shared_with: blank.shared_with,
            deprecation: None,
            not_allowed_in: blank.not_allowed_in,
            creation: self.now,
            devices,
            location: None,
            source_instance: None,
            source_image: Some((asked.source.clone(), asked.source_region.clone())),
            ssm_name: None,
            tags: blank.tags,
            ..source
        };
        let id = self.begin_image(image, takes);
        self.tokens.keep(&scope, "CopyImage", token, request, &id);
        Ok(id)
    }

    /// Copies of the snapshots of the image's volumes, and how long the last one takes.
    fn copy_devices(
        &mut self,
        scope: &Scope,
        asked: &CopyImage,
        there: &Scope,
        source: &Image,
        tags: &Tags,
    ) -> Result<(Vec<BlockDeviceSpec>, Duration), ApiError> {
        let mut devices = source.devices.clone();
        let mut takes = Duration::ZERO;
        let of_source = self.snapshots_of(there, source)?;
        let mut keys = Vec::new();
        for snapshot in &of_source {
            keys.push(self.copied_key(scope, snapshot, asked.encrypted, asked.key.as_deref())?);
        }
        let volumes = devices.iter_mut().filter_map(|device| device.ebs.as_mut());
        let volumes = volumes.filter(|ebs| ebs.snapshot.is_some());
        for ((ebs, snapshot), key) in volumes.zip(of_source).zip(keys) {
            ebs.encrypted = Some(key.is_some());
            let description = format!(
                "Copied for DestinationAmi from SourceAmi {} for SourceSnapshot {}",
                source.id, snapshot.id
            );
            let new = NewSnapshot {
                volume: COPIED_VOLUME.to_owned(),
                size_gib: snapshot.size_gib,
                key,
                description,
                tags: tags.clone(),
            };
            let copy = self.take_snapshot(scope, new);
            takes = takes.max(self.time_left(&copy));
            ebs.snapshot = Some(copy.id.clone());
        }
        Ok((devices, takes))
    }

    fn copyable(&self, there: &Scope, id: &str) -> Result<Image, ApiError> {
        check_id::<Image>(id)?;
        let found = self.images.get(id).filter(|i| {
            i.scope.region == there.region
                && i.is_shared_with(&there.account)
                && !self.is_image_hidden(there, i)
                && !matches!(i.state, ImageState::Deregistered(_))
        });
        let image = found.ok_or_else(|| image_not_found(id))?;
        if image.state != ImageState::Available {
            let text = format!(
                "The image ID '{id}' is not available (state: {})",
                image.state.name()
            );
            return Err(ApiError::new("InvalidAMIID.Unavailable", text));
        }
        Ok(Image::clone(image))
    }

    /// Who may launch an image may not for that alone copy what is in it.
    fn snapshots_of(&self, there: &Scope, image: &Image) -> Result<Vec<Snapshot>, ApiError> {
        let usable = |id: &str| self.usable_snapshot(there, id).map(|s| Snapshot::clone(&s));
        let all: Result<Vec<_>, _> = image.snapshots().map(usable).collect();
        all.map_err(|_| {
            let text = "You do not have permission to access the storage of this ami";
            ApiError::new("InvalidRequest", text)
        })
    }

    /// An image is due: available, or failed with a snapshot of its.
    pub(in super::super) fn image_due(&mut self, id: &str) {
        let Some(image) = self.images.get(id).filter(|i| i.state == ImageState::Pending) else {
            return;
        };
        let failed = |id: &&str| self.snapshot(id).is_none_or(|s| s.state == SnapshotState::Error);
        let is_bad = image.source_image.is_some() || image.source_instance.is_some();
        if is_bad && image.snapshots().any(|id| failed(&id)) {
            self.fail_image(id);
            return;
        }
        self.images
            .edit(self.now, id, |image| image.state = ImageState::Available);
        self.note(id, "image available");
    }

    /// A pending image fails.
    pub fn fail_image(&mut self, id: &str) -> bool {
        let now = self.now;
        let failed = self.images.edit(now, id, |image| {
            let is_pending = image.state == ImageState::Pending;
            if is_pending {
                image.state = ImageState::Failed;
                image.reason = Some(StateReason {
                    code: "Client.InternalError".to_owned(),
                    message: "Client.InternalError: A snapshot of the image could not be created.".to_owned(),
                });
            }
            is_pending
        });
        if failed == Some(true) {
            self.note(id, "image failed");
        }
        failed == Some(true)
    }

    fn begin_image(&mut self, image: Image, takes: Duration) -> String {
        let id = image.id.clone();
        self.note(&id, format!("image {:?} begun", image.name));
        self.images.put(self.now, image);
        self.own_write(&id);
        let more = self.draw(&self.pace.image_s.clone());
        self.schedule(takes.saturating_add(more), Event::ImageDue { id: id.clone() });
        id
    }

    fn blank(&mut self, scope: &Scope, name: &str, description: &str, tags: Tags) -> Image {
        let id = self.new_id(Image::PREFIX);
        Image {
            name: name.to_owned(),
            description: description.to_owned(),
            state: ImageState::Pending,
            devices: Vec::new(),
            tags,
            ..Image::plain(&id, scope.clone(), self.now)
        }
    }

    fn time_left(&self, snapshot: &Snapshot) -> Duration {
        match snapshot.state {
            SnapshotState::Pending(ends) => {
                Duration::try_from(ends.duration_since(self.now)).unwrap_or(Duration::ZERO)
            }
            SnapshotState::Completed | SnapshotState::Error => Duration::ZERO,
        }
    }

    fn check_name(&self, scope: &Scope, name: &str) -> Result<(), ApiError> {
        let is_valid = (3..=128).contains(&name.chars().count())
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "()[] ./-'@_".contains(c));
        if !is_valid {
            let text = "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', \
                        ')', '.', '-', '/' and '_'";
            return Err(ApiError::new("InvalidAMIName.Malformed", text));
        }
        let mut others = self.images.of(scope).filter(|i| {
            i.name == name && !matches!(i.state, ImageState::Deregistered(_) | ImageState::Failed)
        });
        if let Some(other) = others.next() {
            let text = format!("AMI name {name} is already in use by AMI {}", other.id);
            return Err(ApiError::new("InvalidAMIName.Duplicate", text));
        }
        Ok(())
    }
}

/// Each volume is one that EBS could make.
fn check_devices(devices: &[BlockDeviceSpec]) -> Result<(), ApiError> {
    for ebs in devices.iter().filter_map(|device| device.ebs.as_ref()) {
        let kind = ebs.volume_type.as_deref().map(VolumeKind::parse).transpose()?;
        if let (Some(size), Some(kind)) = (ebs.size_gib, kind) {
            Shape::new(size, kind, ebs.iops, ebs.throughput)?;
        }
    }
    Ok(())
}

/// An image and its snapshots are tagged in one call.
fn image_and_snapshot_tags(specs: &TagSpecs) -> Result<(Tags, Tags), ApiError> {
    let mut images = specs.clone();
    let snapshots: TagSpecs = images.remove_entry(Snapshot::KIND).into_iter().collect();
    Ok((
        tags::tags_for(&images, Image::KIND)?,
        tags::tags_for(&snapshots, Snapshot::KIND)?,
    ))
}
