//! EC2's network interfaces and Elastic IPs: requests and answers.

use super::Route;
use super::ec2::route;
use super::ec2_xml::tag_set;
use super::query::Params;
use super::xml::{Xml, time};
use crate::sim::world::api::{ApiError, Asked, Operation};
use crate::sim::world::interfaces::{
    Address, Answer, Associate, CreateInterface, Interface, ModifyInterface, Op,
};

pub(super) const ROUTES: &[Route] = &[
    route("DescribeNetworkInterfaces", |p| {
        Ok(Operation::Interfaces(Op::DescribeNetworkInterfaces(
            p.asked("NetworkInterfaceId")?,
        )))
    }),
    route("CreateNetworkInterface", |p| {
        Ok(Operation::Interfaces(Op::CreateNetworkInterface(
            CreateInterface {
                subnet: p.required("SubnetId")?,
                description: p.text("Description").unwrap_or_default(),
                private_ip: p.text("PrivateIpAddress"),
                groups: p.list("SecurityGroupId"),
                tags: p.tag_specs()?,
                client_token: p.text("ClientToken"),
            },
        )))
    }),
    route("AttachNetworkInterface", |p| {
        Ok(Operation::Interfaces(Op::AttachNetworkInterface {
            interface: p.required("NetworkInterfaceId")?,
            instance: p.required("InstanceId")?,
            device_index: p.number("DeviceIndex")?.unwrap_or(1),
        }))
    }),
    route("DetachNetworkInterface", |p| {
        // Detaching is immediate here, so that there is nothing to force.
        p.flag("Force")?;
        let attachment = p.required("AttachmentId")?;
        Ok(Operation::Interfaces(Op::DetachNetworkInterface { attachment }))
    }),
    route("ModifyNetworkInterfaceAttribute", modify),
    route("DeleteNetworkInterface", |p| {
        let interface = p.required("NetworkInterfaceId")?;
        Ok(Operation::Interfaces(Op::DeleteNetworkInterface { interface }))
    }),
    route("DescribeAddresses", |p| {
        let asked = Asked {
            ids: p.list("AllocationId"),
            filters: p.filters()?,
            ..Asked::default()
        };
        let public_ips = p.list("PublicIp");
        Ok(Operation::Interfaces(Op::DescribeAddresses { asked, public_ips }))
    }),
    route("AllocateAddress", |p| {
        if let Some(domain) = p.text("Domain").filter(|domain| domain != "vpc") {
            return Err(ApiError::not_modelled(format!("addresses in domain {domain:?}")));
        }
        Ok(Operation::Interfaces(Op::AllocateAddress {
            tags: p.tag_specs()?,
        }))
    }),
    route("AssociateAddress", |p| {
        Ok(Operation::Interfaces(Op::AssociateAddress(Associate {
            allocation: p.required("AllocationId")?,
            instance: p.text("InstanceId"),
            interface: p.text("NetworkInterfaceId"),
            private_ip: p.text("PrivateIpAddress"),
            allow_reassociation: p.maybe_flag("AllowReassociation")?,
        })))
    }),
    route("DisassociateAddress", |p| {
        let association = p.required("AssociationId")?;
        Ok(Operation::Interfaces(Op::DisassociateAddress { association }))
    }),
    route("ReleaseAddress", |p| {
        let allocation = p.required("AllocationId")?;
        Ok(Operation::Interfaces(Op::ReleaseAddress { allocation }))
    }),
];

fn modify(p: &mut Params) -> Result<Operation, ApiError> {
    let attachment = p.within("Attachment", |a| {
        Ok((
            a.required("AttachmentId")?,
            a.required_flag("DeleteOnTermination")?,
        ))
    })?;
    Ok(Operation::Interfaces(Op::ModifyNetworkInterfaceAttribute(
        ModifyInterface {
            interface: p.required("NetworkInterfaceId")?,
            description: p.text("Description.Value"),
            source_dest_check: p.maybe_flag("SourceDestCheck.Value")?,
            groups: p.list("SecurityGroupId"),
            delete_on_termination: attachment,
        },
    )))
}

pub(super) fn write(xml: &mut Xml, answer: &Answer) {
    match answer {
        Answer::Interfaces(listing) => {
            xml.listing("networkInterfaceSet", listing, |xml, e| write_interface(xml, e))
        }
        Answer::Interface(interface) => {
            xml.element("networkInterface", |xml| write_interface(xml, interface))
        }
        Answer::Attached(id) => xml.text("attachmentId", id),
        Answer::Addresses(items) => xml.list("addressesSet", "item", items, |xml, a| write_address(xml, a)),
        Answer::Allocated(address) => {
            xml.text("publicIp", address.public_ip.to_string());
            xml.text("domain", "vpc");
            xml.text("allocationId", &address.id);
            xml.text("publicIpv4Pool", "amazon");
            xml.text("networkBorderGroup", &address.scope.region);
        }
        Answer::Associated(id) => {
            xml.text("return", "true");
            xml.text("associationId", id);
        }
    }
}

/// What instances show of their interfaces, and interfaces of themselves.
pub(super) fn write_itself(xml: &mut Xml, e: &Interface) {
    xml.text("networkInterfaceId", &e.id);
    xml.text("subnetId", &e.subnet);
    xml.text("vpcId", &e.vpc);
    xml.text("description", &e.description);
    xml.text("ownerId", &e.scope.account);
    xml.text("status", e.status());
    xml.text("interfaceType", "interface");
    xml.text("macAddress", e.mac());
    xml.text("privateIpAddress", e.private_ip.to_string());
    xml.text("privateDnsName", e.private_dns_name());
    xml.text("sourceDestCheck", e.source_dest_check.to_string());
    groups(xml, &e.groups);
}

fn write_interface(xml: &mut Xml, e: &Interface) {
    write_itself(xml, e);
    xml.text("availabilityZone", &e.zone);
    xml.text("requesterManaged", "false");
    if let Some(attachment) = &e.attachment {
        xml.element("attachment", |xml| {
            xml.text("instanceId", &attachment.instance);
            xml.text("instanceOwnerId", &e.scope.account);
            write_attachment(xml, e);
        });
    }
    association(xml, e, true);
    xml.list("privateIpAddressesSet", "item", [e], |xml, e| {
        write_private_ip(xml, e, true)
    });
    tag_set(xml, &e.tags);
}

/// The part of an attachment that instances show too.
pub(super) fn write_attachment(xml: &mut Xml, e: &Interface) {
    if let Some(attachment) = &e.attachment {
        xml.text("attachmentId", &attachment.id);
        xml.text("deviceIndex", attachment.device_index.to_string());
        xml.text("networkCardIndex", "0");
        xml.text("status", "attached");
        xml.text("attachTime", time(attachment.since));
        xml.text(
            "deleteOnTermination",
            attachment.delete_on_termination.to_string(),
        );
    }
}

pub(super) fn groups(xml: &mut Xml, groups: &[(String, String)]) {
    xml.list("groupSet", "item", groups, |xml, (id, name)| {
        xml.text("groupId", id);
        xml.text("groupName", name);
    });
}

pub(super) fn write_private_ip(xml: &mut Xml, e: &Interface, with_ids: bool) {
    xml.text("privateIpAddress", e.private_ip.to_string());
    xml.text("privateDnsName", e.private_dns_name());
    xml.text("primary", "true");
    association(xml, e, with_ids);
}

/// The public address; `with_ids`: with the ids of an Elastic IP, which an instance's own listing does not show.
pub(super) fn association(xml: &mut Xml, e: &Interface, with_ids: bool) {
    let Some(association) = &e.association else {
        return;
    };
    xml.element("association", |xml| {
        xml.text("publicIp", association.public_ip.to_string());
        xml.text("publicDnsName", e.public_dns_name().unwrap_or_default());
        xml.text(
            "ipOwnerId",
            if association.elastic.is_some() {
                &e.scope.account
            } else {
                "amazon"
            },
        );
        if with_ids && let Some((allocation, association)) = &association.elastic {
            xml.text("allocationId", allocation);
            xml.text("associationId", association);
        }
    });
}

fn write_address(xml: &mut Xml, address: &Address) {
    xml.text("publicIp", address.public_ip.to_string());
    xml.text("allocationId", &address.id);
    xml.text("domain", "vpc");
    xml.maybe("instanceId", address.instance());
    if let Some((id, interface)) = &address.association {
        xml.text("associationId", id);
        xml.text("networkInterfaceId", &interface.id);
        xml.text("networkInterfaceOwnerId", &interface.scope.account);
        xml.text("privateIpAddress", interface.private_ip.to_string());
    }
    xml.text("publicIpv4Pool", "amazon");
    xml.text("networkBorderGroup", &address.scope.region);
    tag_set(xml, &address.tags);
}
