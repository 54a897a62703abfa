//! EC2's calls on volumes: create, attach, detach, modify, delete, describe.

use std::sync::Arc;
use std::time::Duration;

use super::api::{self, ApiError, Asked, Caller, Family, Listing, Page, Response};
use super::device::{Shape, VolumeKind};
use super::instance::{Instance, Scope, State};
use super::launch::EbsSpec;
use super::network::zones_of;
use super::shelf::Resource;
use super::tags::{self, TagSpecs};
use super::throttle::{self, Cost};
use super::volume::{self, Attachment, Modification, NewVolume, Volume, VolumeState};
use super::{World, later};

/// EBS lets a volume rest so long after a modification.
const MODIFY_PAUSE: Duration = Duration::from_secs(6 * 3600);

/// The family's operations.
#[derive(Debug, Clone)]
pub enum Op {
    CreateVolume(CreateVolume),
    DescribeVolumes(Asked),
    DeleteVolume {
        id: String,
    },
    AttachVolume {
        volume: String,
        instance: String,
        device: String,
    },
    /// Without instance or device: from whatever has it.
    DetachVolume {
        volume: String,
        instance: Option<String>,
        device: Option<String>,
        force: bool,
    },
    ModifyVolume(ModifyVolume),
    DescribeVolumesModifications(Asked),
}

/// CreateVolume's parameters.
#[derive(Debug, Clone, Default)]
pub struct CreateVolume {
    pub zone: String,
    pub spec: EbsSpec,
    pub tags: TagSpecs,
    pub token: Option<String>,
}

/// ModifyVolume's parameters; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct ModifyVolume {
    pub id: String,
    pub size_gib: Option<u32>,
    pub kind: Option<VolumeKind>,
    pub iops: Option<u32>,
    pub throughput: Option<u32>,
}

/// The family's answers.
#[derive(Debug, Clone)]
pub enum Answer {
    Volume(Arc<Volume>),
    Volumes(Listing<Arc<Volume>>),
    Attachment(Attachment),
    /// One volume's modification and how far it is.
    Modification(Modified),
    Modifications(Listing<Modified>),
}

/// A volume's last modification.
#[derive(Debug, Clone)]
pub struct Modified {
    pub volume: String,
    pub modification: Modification,
    /// `modifying`, `optimizing`, `completed`.
    pub state: &'static str,
    pub percent: u8,
}

impl Answer {
    pub(super) fn clear(&mut self) {
        match self {
            Answer::Volumes(listing) => listing.clear(),
            Answer::Modifications(listing) => listing.clear(),
            Answer::Volume(_) | Answer::Attachment(_) | Answer::Modification(_) => {}
        }
    }
}

impl Family for Op {
    fn name(&self) -> &'static str {
        match self {
            Op::CreateVolume(_) => "CreateVolume",
            Op::DescribeVolumes(_) => "DescribeVolumes",
            Op::DeleteVolume { .. } => "DeleteVolume",
            Op::AttachVolume { .. } => "AttachVolume",
            Op::DetachVolume { .. } => "DetachVolume",
            Op::ModifyVolume(_) => "ModifyVolume",
            Op::DescribeVolumesModifications(_) => "DescribeVolumesModifications",
        }
    }

    fn subjects(&self) -> Vec<&str> {
        match self {
            Op::CreateVolume(asked) => asked.spec.snapshot.iter().map(String::as_str).collect(),
            Op::DescribeVolumes(asked) | Op::DescribeVolumesModifications(asked) => {
                asked.ids.iter().map(String::as_str).collect()
            }
            Op::DeleteVolume { id } | Op::ModifyVolume(ModifyVolume { id, .. }) => vec![id],
            Op::AttachVolume { volume, instance, .. } => vec![volume, instance],
            Op::DetachVolume { volume, instance, .. } => {
                [volume].into_iter().chain(instance).map(String::as_str).collect()
            }
        }
    }

    fn page(&self) -> Option<&Page> {
        match self {
            Op::DescribeVolumes(asked) | Op::DescribeVolumesModifications(asked) => Some(&asked.page),
            _ => None,
        }
    }

    fn costs(&self) -> Vec<Cost> {
        match self {
            Op::DescribeVolumes(asked) if asked.is_bare() => throttle::bare("DescribeVolumes bare"),
            _ => throttle::ec2(self.name()),
        }
    }

    fn answer(&self, world: &mut World, caller: &Caller) -> Response {
        let answer = match self {
            Op::CreateVolume(asked) => world.create_volume(caller, asked).map(Answer::Volume),
            Op::DescribeVolumes(asked) => world.volumes.listed(world, caller, asked).map(Answer::Volumes),
            Op::DeleteVolume { id } => return world.delete_volume(caller, id),
            Op::AttachVolume {
                volume,
                instance,
                device,
            } => world.attach_volume(caller, volume, instance, device),
            Op::DetachVolume {
                volume,
                instance,
                device,
                force,
            } => world.detach_volume(caller, volume, instance.as_deref(), device.as_deref(), *force),
            Op::ModifyVolume(asked) => world.modify_volume(caller, asked).map(Answer::Modification),
            Op::DescribeVolumesModifications(asked) => world
                .describe_modifications(caller, asked)
                .map(Answer::Modifications),
        };
        answer.map(api::Answer::Volumes)
    }
}

impl World {
    /// Everything about a volume that is to be made: from what was asked for, the snapshot, and EBS's defaults.
    ///
    /// # Errors
    /// A snapshot that the scope cannot use, a size or speed out of the type's limits, a key without encryption.
    pub(super) fn new_volume(&self, scope: &Scope, spec: &EbsSpec) -> Result<NewVolume, ApiError> {
        self.new_volume_from(scope, scope, spec)
    }

    /// The same, with a snapshot that `user` can use.
    ///
    /// # Errors
    /// As for [`World::new_volume`].
    pub(super) fn new_volume_from(
        &self,
        scope: &Scope,
        user: &Scope,
        spec: &EbsSpec,
    ) -> Result<NewVolume, ApiError> {
        let snapshot = match &spec.snapshot {
            Some(id) => Some(self.usable_snapshot(user, id)?),
            None => None,
        };
        let least = snapshot.as_ref().map_or(0, |s| s.size_gib);
        let size_gib = match (spec.size_gib, &snapshot) {
            (Some(size), _) => size,
            (None, Some(snapshot)) => snapshot.size_gib,
            (None, None) => {
                let text = "The request must contain the parameter size/snapshot";
                return Err(ApiError::new("MissingParameter", text));
            }
        };
        if size_gib < least {
            let snapshot = spec.snapshot.as_deref().unwrap_or("");
            let text = format!(
                "Volume of size {size_gib}GB is smaller than snapshot '{snapshot}', expect size>= {least}GB"
            );
            return Err(ApiError::new("InvalidBlockDeviceMapping", text));
        }
        let kind = spec.volume_type.as_deref().map(VolumeKind::parse).transpose()?;
        let kind = kind.unwrap_or(VolumeKind::Gp2);
        let shape = Shape::new(size_gib, kind, spec.iops, spec.throughput)?;
        let of_snapshot = snapshot.as_ref().and_then(|s| s.key.clone());
        let encrypted = spec.encrypted.unwrap_or(false) || of_snapshot.is_some();
        if spec.kms_key.is_some() && !encrypted {
            let text = "The parameter KmsKeyId requires the parameter Encrypted to be set.";
            return Err(ApiError::new("InvalidParameterDependency", text));
        }
        let key = spec.kms_key.as_deref().map(|key| key_arn(scope, key));
        let key = key.or(of_snapshot).unwrap_or_else(|| key_arn(scope, DEFAULT_KEY));
        Ok(NewVolume {
            shape,
            snapshot: spec.snapshot.clone(),
            encrypted,
            key: encrypted.then_some(key),
        })
    }

    fn create_volume(&mut self, caller: &Caller, asked: &CreateVolume) -> Result<Arc<Volume>, ApiError> {
        let scope = caller.scope();
        let request = format!("{:?} {:?} {:?}", asked.zone, asked.spec, asked.tags);
        let made = self
            .tokens
            .made(&scope, "CreateVolume", asked.token.as_deref(), &request)?;
        if let Some(made) = made {
            return self.volumes.find(caller, &made).cloned();
        }
        check_zone(&scope, &asked.zone)?;
        let new = self.new_volume(&scope, &asked.spec)?;
        let tags = tags::tags_for(&asked.tags, Volume::KIND)?;
        let id = self.make_volume(&scope, &asked.zone, new, tags);
        self.tokens
            .keep(&scope, "CreateVolume", asked.token.as_deref(), request, &id);
        self.own_write(&id);
        self.volumes.find(caller, &id).cloned()
    }

    fn delete_volume(&mut self, caller: &Caller, id: &str) -> Response {
        let volume = self.volumes.find(caller, id)?;
        if let Some(attachment) = &volume.attachment {
            let text = format!("Volume {id} is currently attached to {}", attachment.instance);
            return Err(ApiError::new("VolumeInUse", text));
        }
        match volume.state {
            VolumeState::Available | VolumeState::Error => self.begin_delete_volume(id),
            // A repeat, which changes nothing.
            VolumeState::Deleting => {}
            VolumeState::Creating | VolumeState::InUse => {
                let text = format!("The volume '{id}' is not in a state from which it can be deleted.");
                return Err(ApiError::new("IncorrectState", text));
            }
        }
        self.own_write(id);
        Ok(api::Answer::Done)
    }

    fn attach_volume(
        &mut self,
        caller: &Caller,
        id: &str,
        instance: &str,
        device: &str,
    ) -> Result<Answer, ApiError> {
        let volume = self.volumes.find(caller, id)?;
        let found = self.own_instance(caller, instance)?;
        if volume.attachment.is_some() {
            let text = format!("{id} is already attached to an instance");
            return Err(ApiError::new("VolumeInUse", text));
        }
        if volume.state != VolumeState::Available {
            return Err(ApiError::new(
                "IncorrectState",
                format!("{id} is not 'available'."),
            ));
        }
        if volume.zone != found.zone {
            let text =
                format!("The volume '{id}' is not in the same availability zone as instance '{instance}'");
            return Err(ApiError::new("InvalidVolume.ZoneMismatch", text));
        }
        if !volume::can_attach(found.state) {
            let text = format!("Instance '{instance}' is not 'running'.");
            return Err(ApiError::new("IncorrectState", text));
        }
        check_device(device)?;
        if found.devices.contains_key(device) {
            let text = format!(
                "Invalid value '{device}' for unixDevice. Attachment point {device} is already in use"
            );
            return Err(ApiError::new("InvalidParameterValue", text));
        }
        self.attach(id, instance, device, false);
        self.own_write(id);
        self.own_write(instance);
        self.attachment_of(id)
    }

    fn detach_volume(
        &mut self,
        caller: &Caller,
        id: &str,
        instance: Option<&str>,
        device: Option<&str>,
        force: bool,
    ) -> Result<Answer, ApiError> {
        let volume = self.volumes.find(caller, id)?;
        let Some(attachment) = volume.attachment.clone() else {
            let text = format!("Volume '{id}' is in the '{}' state.", volume.state.name());
            return Err(ApiError::new("IncorrectState", text));
        };
        let other_instance = instance.filter(|wanted| *wanted != attachment.instance);
        let other_device = device.filter(|wanted| *wanted != attachment.device);
        if let Some(wanted) = other_instance.or(other_device) {
            let text = format!("The volume '{id}' is not attached to '{wanted}'.");
            return Err(ApiError::new("InvalidAttachment.NotFound", text));
        }
        let holder = self.instance(&attachment.instance);
        let is_root = holder.is_some_and(|i| i.root_device == attachment.device && i.state != State::Stopped);
        if is_root {
            let text = format!(
                "Unable to detach root volume '{id}' from instance '{}'",
                attachment.instance
            );
            return Err(ApiError::new("OperationNotPermitted", text));
        }
        let answer = if attachment.state == volume::AttachmentState::Detaching && !force {
            Ok(Answer::Attachment(attachment.clone()))
        } else {
            self.detach(id);
            self.attachment_of(id)
        };
        self.own_write(id);
        self.own_write(&attachment.instance);
        answer
    }

    fn modify_volume(&mut self, caller: &Caller, asked: &ModifyVolume) -> Result<Modified, ApiError> {
        let volume = self.volumes.find(caller, &asked.id)?;
        if !matches!(volume.state, VolumeState::Available | VolumeState::InUse) {
            let text = format!(
                "Volume {} in {} state cannot be modified",
                asked.id,
                volume.state.name()
            );
            return Err(ApiError::new("IncorrectState", text));
        }
        if let Some(last) = &volume.modification {
            if self.now < last.ends {
                let text = format!("Volume '{}' is already being modified.", asked.id);
                return Err(ApiError::new("IncorrectModificationState", text));
            }
            if self.now < later(last.started, MODIFY_PAUSE) {
                let text = "You've reached the maximum modification rate per volume limit. Wait at least 6 hours \
                            between modifications per EBS volume.";
                return Err(ApiError::new("VolumeModificationRateExceeded", text));
            }
        }
        let original = volume.shape.clone();
        let kind = asked.kind.unwrap_or(original.kind);
        let size_gib = asked.size_gib.unwrap_or(original.size_gib);
        if size_gib < original.size_gib {
            let text = "New size cannot be smaller than existing size";
            return Err(ApiError::new("InvalidParameterValue", text));
        }
        let is_same = kind == original.kind && kind != VolumeKind::Gp2;
        let target = Shape::new(
            size_gib,
            kind,
            asked.iops.or(original.iops.filter(|_| is_same)),
            asked.throughput.or(original.throughput.filter(|_| is_same)),
        )?;
        let started = self.now;
        let optimizing = later(started, self.draw(&self.pace.volume_s.clone()));
        let ends = later(optimizing, self.draw(&self.pace.snapshot_s.clone()) * 10);
        let modification = Modification {
            original,
            target: target.clone(),
            started,
            optimizing,
            ends,
        };
        self.edit_volume(&asked.id, |v| {
            v.modification = Some(modification.clone());
            v.shape = target;
        });
        self.note(&asked.id, "volume modified");
        self.own_write(&asked.id);
        Ok(Modified {
            volume: asked.id.clone(),
            modification,
            state: "modifying",
            percent: 0,
        })
    }

    fn describe_modifications(&self, caller: &Caller, asked: &Asked) -> Result<Listing<Modified>, ApiError> {
        let listed = self
            .volumes
            .listed_where(self, caller, asked, |v| v.modification.is_some())?;
        if listed.items.len() < asked.ids.len() {
            let id = asked.ids.first().map_or("", String::as_str);
            let text = format!("Modification for volume '{id}' does not exist.");
            return Err(ApiError::new("InvalidVolumeModification.NotFound", text));
        }
        let items = listed.items.iter().filter_map(|volume| {
            let (state, percent) = volume.modification_progress(self.now)?;
            Some(Modified {
                volume: volume.id.clone(),
                modification: volume.modification.clone()?,
                state,
                percent,
            })
        });
        Ok(Listing {
            items: items.collect(),
            next: listed.next,
        })
    }

    fn attachment_of(&self, id: &str) -> Result<Answer, ApiError> {
        let attachment = self.volume(id).and_then(|v| v.attachment.clone());
        let missing = || {
            ApiError::new(
                "InvalidAttachment.NotFound",
                format!("Volume '{id}' is not attached."),
            )
        };
        attachment.map(Answer::Attachment).ok_or_else(missing)
    }

    pub(super) fn own_instance(&self, caller: &Caller, id: &str) -> Result<&Arc<Instance>, ApiError> {
        super::ec2_read::check_ids(std::slice::from_ref(&id.to_owned()))?;
        self.instance(id)
            .filter(|i| i.scope == caller.scope())
            .ok_or_else(|| super::ec2_read::not_found(&[id]))
    }
}

/// The key that AWS makes for EBS in each account and region.
pub(super) const DEFAULT_KEY: &str = "alias/aws/ebs";

/// A KMS key's ARN, from its id, alias or ARN.
pub(super) fn key_arn(scope: &Scope, key: &str) -> String {
    let Scope { account, region } = scope;
    match key {
        arn if arn.starts_with("arn:") => arn.to_owned(),
        alias if alias.starts_with("alias/") => format!("arn:aws:kms:{region}:{account}:{alias}"),
        id => format!("arn:aws:kms:{region}:{account}:key/{id}"),
    }
}

fn check_zone(scope: &Scope, zone: &str) -> Result<(), ApiError> {
    if zones_of(&scope.region).iter().any(|z| z.name == zone) {
        return Ok(());
    }
    let text = format!("The zone '{zone}' does not exist.");
    Err(ApiError::new("InvalidZone.NotFound", text))
}

/// EC2's names for devices: `/dev/sd…`, `/dev/xvd…`, or without `/dev/`.
fn check_device(device: &str) -> Result<(), ApiError> {
    let name = device.strip_prefix("/dev/").unwrap_or(device);
    let rest = ["sd", "xvd", "hd"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix));
    let is_valid = rest.is_some_and(|rest| {
        rest.starts_with(|c: char| c.is_ascii_lowercase())
            && rest.len() <= 3
            && rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    });
    if is_valid {
        return Ok(());
    }
    let text =
        format!("Value ({device}) for parameter device is invalid. {device} is not a valid EBS device name.");
    Err(ApiError::new("InvalidParameterValue", text))
}
