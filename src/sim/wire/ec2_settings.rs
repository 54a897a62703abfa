//! Changes of an instance's settings: requests and answers.

use super::Route;
use super::ec2::route;
use super::ec2_instance::write_metadata;
use super::ec2_launch_data::metadata_options;
use super::query::Params;
use super::xml::Xml;
use crate::sim::world::api::{ApiError, Listing, Operation};
use crate::sim::world::launch::{Change, Metadata, NotChanged, Op};

pub(super) const ROUTES: &[Route] = &[
    route("ModifyInstanceAttribute", |p| {
        let id = p.required("InstanceId")?;
        let changes = changes(p)?;
        Ok(Operation::Launch(Op::ModifyInstanceAttribute { id, changes }))
    }),
    route("ModifyInstanceMetadataOptions", |p| {
        let id = p.required("InstanceId")?;
        let wanted = metadata_options(p)?;
        Ok(Operation::Launch(Op::ModifyInstanceMetadataOptions {
            id,
            wanted,
        }))
    }),
    route("MonitorInstances", |p| {
        Ok(Operation::Launch(Op::MonitorInstances(p.list("InstanceId"))))
    }),
    route("UnmonitorInstances", |p| {
        Ok(Operation::Launch(Op::UnmonitorInstances(p.list("InstanceId"))))
    }),
    route("DescribeInstanceCreditSpecifications", |p| {
        let asked = p.asked("InstanceId")?;
        Ok(Operation::Launch(Op::DescribeInstanceCreditSpecifications(asked)))
    }),
    route("ModifyInstanceCreditSpecification", |p| {
        let mut wanted = Vec::new();
        for mut entry in p.structures("InstanceCreditSpecification") {
            wanted.push((entry.required("InstanceId")?, entry.required("CpuCredits")?));
            entry.finish("InstanceCreditSpecification")?;
        }
        let token = p.text("ClientToken");
        Ok(Operation::Launch(Op::ModifyInstanceCreditSpecification {
            wanted,
            token,
        }))
    }),
    route("ModifyInstanceEventStartTime", |p| {
        Ok(Operation::Launch(Op::ModifyInstanceEventStartTime {
            id: p.required("InstanceId")?,
            event: p.required("InstanceEventId")?,
            not_before: p.required_number("NotBefore")?,
        }))
    }),
];

/// The name of a parameter, and the change that its value asks for.
type Attribute<T> = (&'static str, fn(T) -> Change);

/// Every change that the request asks for; EC2 wants one.
fn changes(p: &mut Params) -> Result<Vec<Change>, ApiError> {
    let mut changes = Vec::new();
    if let Some(attribute) = p.text("Attribute")
        && let Some(value) = p.text("Value")
    {
        changes.push(Change::named(&attribute, value)?);
    }
    let texts: [Attribute<String>; 3] = [
        ("InstanceType", Change::InstanceType),
        ("UserData", Change::UserData),
        ("InstanceInitiatedShutdownBehavior", Change::ShutdownBehavior),
    ];
    for (name, change) in texts {
        changes.extend(p.text(&format!("{name}.Value")).map(change));
    }
    let flags: [Attribute<bool>; 4] = [
        ("DisableApiTermination", Change::DisableApiTermination),
        ("DisableApiStop", Change::DisableApiStop),
        ("SourceDestCheck", Change::SourceDestCheck),
        ("EbsOptimized", Change::EbsOptimized),
    ];
    for (name, change) in flags {
        changes.extend(p.maybe_flag(&format!("{name}.Value"))?.map(change));
    }
    let groups = p.list("GroupId");
    if !groups.is_empty() {
        changes.push(Change::Groups(groups));
    }
    let mut devices = Vec::new();
    for mut entry in p.structures("BlockDeviceMapping") {
        let delete = entry.within("Ebs", |ebs| ebs.maybe_flag("DeleteOnTermination"))?;
        devices.push((entry.required("DeviceName")?, delete.flatten()));
        entry.finish("BlockDeviceMapping")?;
    }
    if !devices.is_empty() {
        changes.push(Change::Devices(devices));
    }
    Ok(changes)
}

pub(super) fn metadata(xml: &mut Xml, id: &str, options: &Metadata) {
    xml.text("instanceId", id);
    xml.element("instanceMetadataOptions", |xml| write_metadata(xml, options));
}

pub(super) fn monitoring(xml: &mut Xml, states: &[(String, &'static str)]) {
    xml.list("instancesSet", "item", states, |xml, (id, state)| {
        xml.text("instanceId", id);
        xml.element("monitoring", |xml| xml.text("state", state));
    });
}

pub(super) fn credits(xml: &mut Xml, listing: &Listing<(String, String)>) {
    xml.listing("instanceCreditSpecificationSet", listing, |xml, (id, credits)| {
        xml.text("instanceId", id);
        xml.text("cpuCredits", credits);
    });
}

pub(super) fn credits_changed(xml: &mut Xml, done: &[String], failed: &[NotChanged]) {
    let list = "successfulInstanceCreditSpecificationSet";
    xml.list(list, "item", done, |xml, id| xml.text("instanceId", id));
    let list = "unsuccessfulInstanceCreditSpecificationSet";
    xml.list(list, "item", failed, |xml, (id, code, text)| {
        xml.text("instanceId", id);
        xml.element("error", |xml| {
            xml.text("code", code);
            xml.text("message", text);
        });
    });
}
