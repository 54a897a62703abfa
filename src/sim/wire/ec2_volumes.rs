//! EBS's volumes and snapshots: requests and answers.

use jiff::Timestamp;

use super::Route;
use super::ec2::route;
use super::ec2_images::{flat_sharing, permissions};
use super::ec2_xml::tag_set;
use super::query::Params;
use super::xml::{Xml, time};
use crate::sim::world::api::{ApiError, Operation};
use crate::sim::world::launch::EbsSpec;
use crate::sim::world::network::zone_id;
use crate::sim::world::snapshots::{self, CopySnapshot, CreateSnapshots, DescribeSnapshots, Sharing};
use crate::sim::world::volumes::{Answer, CreateVolume, Modified, ModifyVolume, Op};
use crate::sim::world::{Attachment, Shape, Snapshot, Volume, VolumeKind, owner_alias};

pub(super) const ROUTES: &[Route] = &[
    route("CreateVolume", |p| {
        Ok(Operation::Volumes(Op::CreateVolume(CreateVolume {
            zone: p.required("AvailabilityZone")?,
            spec: EbsSpec {
                snapshot: p.text("SnapshotId"),
                size_gib: p.number("Size")?,
                volume_type: p.text("VolumeType"),
                iops: p.number("Iops")?,
                throughput: p.number("Throughput")?,
                encrypted: p.maybe_flag("Encrypted")?,
                kms_key: p.text("KmsKeyId"),
                delete_on_termination: None,
            },
            tags: p.tag_specs()?,
            token: p.text("ClientToken"),
        })))
    }),
    route("DescribeVolumes", |p| {
        Ok(Operation::Volumes(Op::DescribeVolumes(p.asked("VolumeId")?)))
    }),
    route("DeleteVolume", |p| {
        Ok(Operation::Volumes(Op::DeleteVolume {
            id: p.required("VolumeId")?,
        }))
    }),
    route("AttachVolume", |p| {
        Ok(Operation::Volumes(Op::AttachVolume {
            volume: p.required("VolumeId")?,
            instance: p.required("InstanceId")?,
            device: p.required("Device")?,
        }))
    }),
    route("DetachVolume", |p| {
        Ok(Operation::Volumes(Op::DetachVolume {
            volume: p.required("VolumeId")?,
            instance: p.text("InstanceId"),
            device: p.text("Device"),
            force: p.flag("Force")?,
        }))
    }),
    route("ModifyVolume", |p| {
        let kind = p
            .text("VolumeType")
            .as_deref()
            .map(VolumeKind::parse)
            .transpose()?;
        Ok(Operation::Volumes(Op::ModifyVolume(ModifyVolume {
            id: p.required("VolumeId")?,
            size_gib: p.number("Size")?,
            kind,
            iops: p.number("Iops")?,
            throughput: p.number("Throughput")?,
        })))
    }),
    route("DescribeVolumesModifications", |p| {
        Ok(Operation::Volumes(Op::DescribeVolumesModifications(
            p.asked("VolumeId")?,
        )))
    }),
    route("CreateSnapshot", |p| {
        Ok(Operation::Snapshots(snapshots::Op::CreateSnapshot {
            volume: p.required("VolumeId")?,
            description: p.text("Description").unwrap_or_default(),
            tags: p.tag_specs()?,
        }))
    }),
    route("CreateSnapshots", |p| {
        Ok(Operation::Snapshots(snapshots::Op::CreateSnapshots(
            CreateSnapshots {
                instance: p.required("InstanceSpecification.InstanceId")?,
                without_root: p.flag("InstanceSpecification.ExcludeBootVolume")?,
                without_volumes: p.list("InstanceSpecification.ExcludeDataVolumeId"),
                description: p.text("Description").unwrap_or_default(),
                copy_tags: copies_tags(p)?,
                tags: p.tag_specs()?,
            },
        )))
    }),
    route("DescribeSnapshots", |p| {
        Ok(Operation::Snapshots(snapshots::Op::DescribeSnapshots(
            DescribeSnapshots {
                asked: p.asked("SnapshotId")?,
                owners: p.list("Owner"),
                restorable_by: p.list("RestorableBy"),
            },
        )))
    }),
    route("DeleteSnapshot", |p| {
        Ok(Operation::Snapshots(snapshots::Op::DeleteSnapshot {
            id: p.required("SnapshotId")?,
        }))
    }),
    route("CopySnapshot", |p| {
        // Where it goes is where it was asked; the URL is how the source region recognises the request.
        p.text("DestinationRegion");
        p.text("PresignedUrl");
        Ok(Operation::Snapshots(snapshots::Op::CopySnapshot(CopySnapshot {
            source: p.required("SourceSnapshotId")?,
            source_region: p.required("SourceRegion")?,
            description: p.text("Description").unwrap_or_default(),
            encrypted: p.flag("Encrypted")?,
            key: p.text("KmsKeyId"),
            tags: p.tag_specs()?,
        })))
    }),
    route("ModifySnapshotAttribute", |p| {
        let mut change = Sharing {
            add: permissions(p, "CreateVolumePermission.Add")?,
            remove: permissions(p, "CreateVolumePermission.Remove")?,
        };
        if p.text("Attribute").is_some_and(|a| a != "createVolumePermission") {
            return Err(ApiError::not_modelled(
                "other attributes of ModifySnapshotAttribute",
            ));
        }
        flat_sharing(p, &mut change)?;
        let id = p.required("SnapshotId")?;
        Ok(Operation::Snapshots(snapshots::Op::ModifySnapshotAttribute {
            id,
            change,
        }))
    }),
    route("DescribeSnapshotAttribute", |p| {
        let id = permission_of(p)?;
        Ok(Operation::Snapshots(snapshots::Op::DescribeSnapshotAttribute {
            id,
        }))
    }),
    route("ResetSnapshotAttribute", |p| {
        let id = permission_of(p)?;
        Ok(Operation::Snapshots(snapshots::Op::ResetSnapshotAttribute { id }))
    }),
];

fn copies_tags(p: &mut Params) -> Result<bool, ApiError> {
    match p.text("CopyTagsFromSource").as_deref() {
        None => Ok(false),
        Some("volume") => Ok(true),
        Some(other) => {
            let text = format!("Value ({other}) for parameter CopyTagsFromSource is invalid.");
            Err(ApiError::new("InvalidParameterValue", text))
        }
    }
}

/// The snapshot of a call whose only modelled attribute is the permission to make volumes.
fn permission_of(p: &mut Params) -> Result<String, ApiError> {
    let attribute = p.required("Attribute")?;
    if attribute != "createVolumePermission" {
        return Err(ApiError::not_modelled(format!(
            "attribute {attribute:?} of a snapshot"
        )));
    }
    p.required("SnapshotId")
}

pub(super) fn write_volumes(xml: &mut Xml, answer: &Answer) {
    match answer {
        Answer::Volume(volume) => write_volume(xml, volume),
        Answer::Volumes(listing) => {
            xml.listing("volumeSet", listing, |xml, volume| write_volume(xml, volume))
        }
        Answer::Attachment(attachment) => write_attachment(xml, attachment),
        Answer::Modification(modified) => {
            xml.element("volumeModification", |xml| write_modified(xml, modified));
        }
        Answer::Modifications(listing) => xml.listing("volumeModificationSet", listing, write_modified),
    }
}

fn write_volume(xml: &mut Xml, volume: &Volume) {
    xml.text("volumeId", &volume.id);
    xml.text("size", volume.shape.size_gib.to_string());
    xml.text("snapshotId", volume.snapshot.as_deref().unwrap_or(""));
    xml.text("availabilityZone", &volume.zone);
    xml.text("availabilityZoneId", zone_id(&volume.zone));
    xml.text("status", volume.state.name());
    xml.text("createTime", time(volume.created));
    xml.list("attachmentSet", "item", &volume.attachment, write_attachment);
    xml.text("volumeType", volume.shape.kind.name());
    xml.maybe("iops", volume.shape.iops.map(|n| n.to_string()));
    xml.maybe("throughput", volume.shape.throughput.map(|n| n.to_string()));
    xml.text("encrypted", volume.encrypted.to_string());
    xml.maybe("kmsKeyId", volume.key.as_ref());
    xml.text("multiAttachEnabled", "false");
    tag_set(xml, &volume.tags);
}

fn write_attachment(xml: &mut Xml, attachment: &Attachment) {
    xml.text("volumeId", &attachment.volume);
    xml.text("instanceId", &attachment.instance);
    xml.text("device", &attachment.device);
    xml.text("status", attachment.state.name());
    xml.text("attachTime", time(attachment.since));
    xml.text(
        "deleteOnTermination",
        attachment.delete_on_termination.to_string(),
    );
}

fn write_modified(xml: &mut Xml, modified: &Modified) {
    xml.text("volumeId", &modified.volume);
    xml.text("modificationState", modified.state);
    let mut shape = |prefix: &str, shape: &Shape| {
        xml.text(&format!("{prefix}Size"), shape.size_gib.to_string());
        xml.maybe(&format!("{prefix}Iops"), shape.iops.map(|n| n.to_string()));
        xml.text(&format!("{prefix}VolumeType"), shape.kind.name());
        xml.maybe(
            &format!("{prefix}Throughput"),
            shape.throughput.map(|n| n.to_string()),
        );
        xml.text(&format!("{prefix}MultiAttachEnabled"), "false");
    };
    shape("target", &modified.modification.target);
    shape("original", &modified.modification.original);
    xml.text("progress", modified.percent.to_string());
    xml.text("startTime", time(modified.modification.started));
    let ends = (modified.state == "completed").then(|| time(modified.modification.ends));
    xml.maybe("endTime", ends);
}

pub(super) fn write_snapshots(xml: &mut Xml, answer: &snapshots::Answer) {
    use snapshots::Answer as A;
    match answer {
        A::Snapshot { snapshot, now } => write_snapshot(xml, snapshot, *now, "status"),
        A::Snapshots { listing, now } => {
            xml.listing("snapshotSet", listing, |xml, s| {
                write_snapshot(xml, s, *now, "status")
            });
        }
        A::Taken { items, now } => {
            xml.list("snapshotSet", "item", items, |xml, s| {
                write_snapshot(xml, s, *now, "state")
            });
        }
        A::Copied(snapshot) => {
            xml.text("snapshotId", &snapshot.id);
            tag_set(xml, &snapshot.tags);
        }
        A::Permissions { id, public, accounts } => {
            xml.text("snapshotId", id);
            xml.element("createVolumePermission", |xml| {
                if *public {
                    xml.element("item", |xml| xml.text("group", "all"));
                }
                for account in accounts {
                    xml.element("item", |xml| xml.text("userId", account));
                }
            });
        }
    }
}

/// `state` is the element that says pending or completed: CreateSnapshots has another name for it than all others.
fn write_snapshot(xml: &mut Xml, snapshot: &Snapshot, now: Timestamp, state: &str) {
    xml.text("snapshotId", &snapshot.id);
    xml.text("volumeId", &snapshot.volume);
    xml.text(state, snapshot.state_name());
    xml.text("startTime", time(snapshot.started));
    xml.text("progress", format!("{}%", snapshot.progress(now)));
    xml.text("ownerId", &snapshot.scope.account);
    xml.maybe("ownerAlias", owner_alias(&snapshot.scope.account));
    xml.text("volumeSize", snapshot.size_gib.to_string());
    xml.text("description", &snapshot.description);
    xml.text("encrypted", snapshot.key.is_some().to_string());
    if state == "status" {
        xml.maybe("kmsKeyId", snapshot.key.as_ref());
        xml.text("storageTier", "standard");
    }
    tag_set(xml, &snapshot.tags);
}
