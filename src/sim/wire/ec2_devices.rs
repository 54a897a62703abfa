//! Block device mappings, as images, launches and launch templates have them in their requests and answers.

use super::query::Params;
use super::xml::Xml;
use crate::sim::world::api::ApiError;
use crate::sim::world::{BlockDevice, EbsSpec, Mapped, VolumeKind};

/// The list `BlockDeviceMapping.N` of a request.
pub(super) fn devices(params: &mut Params) -> Result<Vec<BlockDevice>, ApiError> {
    let mut devices = Vec::new();
    for mut entry in params.structures("BlockDeviceMapping") {
        let device = BlockDevice {
            name: entry.required("DeviceName")?,
            what: mapped(&mut entry)?,
        };
        entry.finish("BlockDeviceMapping")?;
        devices.push(device);
    }
    Ok(devices)
}

fn mapped(entry: &mut Params) -> Result<Mapped, ApiError> {
    if entry.text("NoDevice").is_some() {
        return Ok(Mapped::Nothing);
    }
    if let Some(name) = entry.text("VirtualName") {
        return Ok(Mapped::Ephemeral(name));
    }
    let kind = entry.text("Ebs.VolumeType").as_deref().map(VolumeKind::parse).transpose()?;
    Ok(Mapped::Ebs(EbsSpec {
        snapshot: entry.text("Ebs.SnapshotId"),
        size_gib: entry.number("Ebs.VolumeSize")?,
        kind,
        iops: entry.number("Ebs.Iops")?,
        throughput: entry.number("Ebs.Throughput")?,
        encrypted: entry.number("Ebs.Encrypted")?,
        key: entry.text("Ebs.KmsKeyId"),
        delete_on_termination: entry.number("Ebs.DeleteOnTermination")?,
    }))
}

/// The list in an answer; its name is `blockDeviceMapping` in images and `blockDeviceMappingSet` in launch templates.
pub(super) fn write(xml: &mut Xml, name: &str, devices: &[BlockDevice]) {
    xml.list(name, "item", devices, |xml, device| {
        xml.text("deviceName", &device.name);
        match &device.what {
            Mapped::Nothing => xml.text("noDevice", ""),
            Mapped::Ephemeral(name) => xml.text("virtualName", name),
            Mapped::Ebs(ebs) => xml.element("ebs", |xml| write_ebs(xml, ebs)),
        }
    });
}

fn write_ebs(xml: &mut Xml, ebs: &EbsSpec) {
    xml.maybe("deleteOnTermination", ebs.delete_on_termination.map(|d| d.to_string()));
    xml.maybe("iops", ebs.iops.map(|n| n.to_string()));
    xml.maybe("snapshotId", ebs.snapshot.as_ref());
    xml.maybe("volumeSize", ebs.size_gib.map(|n| n.to_string()));
    xml.maybe("volumeType", ebs.kind.map(VolumeKind::name));
    xml.maybe("kmsKeyId", ebs.key.as_ref());
    xml.maybe("throughput", ebs.throughput.map(|n| n.to_string()));
    xml.maybe("encrypted", ebs.encrypted.map(|e| e.to_string()));
}
