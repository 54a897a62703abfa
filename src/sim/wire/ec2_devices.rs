//! Block device mappings in answers, as images and launch templates show them.

use super::xml::Xml;
use crate::sim::world::launch::{BlockDeviceSpec, EbsSpec};

/// The list is `blockDeviceMapping` in images and `blockDeviceMappingSet` in launch templates.
pub(super) fn write(xml: &mut Xml, list: &str, devices: &[BlockDeviceSpec]) {
    xml.list(list, "item", devices, |xml, device| {
        xml.text("deviceName", &device.device);
        xml.maybe("virtualName", device.virtual_name.as_ref());
        xml.maybe("noDevice", device.no_device.then_some(""));
        if let Some(ebs) = &device.ebs {
            xml.element("ebs", |xml| write_ebs(xml, ebs));
        }
    });
}

fn write_ebs(xml: &mut Xml, ebs: &EbsSpec) {
    xml.maybe(
        "deleteOnTermination",
        ebs.delete_on_termination.map(|d| d.to_string()),
    );
    xml.maybe("iops", ebs.iops.map(|n| n.to_string()));
    xml.maybe("snapshotId", ebs.snapshot.as_ref());
    xml.maybe("volumeSize", ebs.size_gib.map(|n| n.to_string()));
    xml.maybe("volumeType", ebs.volume_type.as_ref());
    xml.maybe("kmsKeyId", ebs.kms_key.as_ref());
    xml.maybe("throughput", ebs.throughput.map(|n| n.to_string()));
    xml.maybe("encrypted", ebs.encrypted.map(|e| e.to_string()));
}
