//! Network interfaces: what they are, and how they come and go with their instances.

use std::net::Ipv4Addr;
use std::sync::Arc;

use jiff::Timestamp;

use super::super::World;
use super::super::api::ApiError;
use super::super::instance::Scope;
use super::super::network::Subnet;
use super::super::shelf::{Field, Resource, Tags, parts};

/// A network interface.
#[derive(Debug, Clone)]
pub struct Interface {
    pub id: String,
    pub scope: Scope,
    pub subnet: String,
    pub vpc: String,
    pub zone: String,
    pub description: String,
    /// Security groups' ids, and their names.
    pub groups: Vec<(String, String)>,
    pub private_ip: Ipv4Addr,
    pub source_dest_check: bool,
    /// It gets a public address by itself whenever its instance starts.
    pub auto_public_ip: bool,
    pub association: Option<Association>,
    pub attachment: Option<InterfaceAttachment>,
    pub tags: Tags,
}

/// A public address on an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Association {
    pub public_ip: Ipv4Addr,
    /// The Elastic IP's allocation and association; `None` for an address that was assigned automatically.
    pub elastic: Option<(String, String)>,
}

/// An interface on an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceAttachment {
    /// `eni-attach-…`.
    pub id: String,
    pub instance: String,
    pub device_index: u32,
    pub since: Timestamp,
    pub delete_on_termination: bool,
}

/// What a new interface is made of.
#[derive(Debug, Clone, Default)]
pub struct NewInterface {
    /// `None`: any that is free.
    pub private_ip: Option<Ipv4Addr>,
    /// Where among the subnet's addresses to look for a free one.
    pub hint: u64,
    pub groups: Vec<String>,
    pub description: String,
    pub auto_public_ip: bool,
    pub tags: Tags,
}

impl Resource for Interface {
    const KIND: &'static str = "network-interface";
    const PREFIX: &'static str = "eni-";
    const NOUN: &'static str = "networkInterface ID";
    const NOT_FOUND: &'static str = "InvalidNetworkInterfaceID.NotFound";
    const MALFORMED: &'static str = "InvalidNetworkInterfaceId.Malformed";
    const FILTERS: &'static [Field<Self>] = &[
        ("network-interface-id", |e| vec![e.id.clone()]),
        ("subnet-id", |e| vec![e.subnet.clone()]),
        ("vpc-id", |e| vec![e.vpc.clone()]),
        ("availability-zone", |e| vec![e.zone.clone()]),
        ("description", |e| vec![e.description.clone()]),
        ("group-id", |e| {
            e.groups.iter().map(|(id, _)| id.clone()).collect()
        }),
        ("group-name", |e| {
            e.groups.iter().map(|(_, name)| name.clone()).collect()
        }),
        ("private-ip-address", |e| vec![e.private_ip.to_string()]),
        ("addresses.private-ip-address", |e| vec![e.private_ip.to_string()]),
        ("mac-address", |e| vec![e.mac()]),
        ("owner-id", |e| vec![e.scope.account.clone()]),
        ("requester-managed", |_| vec!["false".to_owned()]),
        ("source-dest-check", |e| vec![e.source_dest_check.to_string()]),
        ("status", |e| vec![e.status().to_owned()]),
        ("association.public-ip", |e| {
            some(e.association.as_ref(), |a| a.public_ip.to_string())
        }),
        ("association.allocation-id", |e| {
            some(e.elastic(), |(allocation, _)| allocation.clone())
        }),
        ("association.association-id", |e| {
            some(e.elastic(), |(_, association)| association.clone())
        }),
        ("attachment.instance-id", |e| {
            some(e.attachment.as_ref(), |a| a.instance.clone())
        }),
        ("attachment.attachment-id", |e| {
            some(e.attachment.as_ref(), |a| a.id.clone())
        }),
        ("attachment.device-index", |e| {
            some(e.attachment.as_ref(), |a| a.device_index.to_string())
        }),
        ("attachment.status", |e| {
            some(e.attachment.as_ref(), |_| "attached".to_owned())
        }),
        ("attachment.delete-on-termination", |e| {
            some(e.attachment.as_ref(), |a| a.delete_on_termination.to_string())
        }),
    ];

    parts!();
}

fn some<T>(of: Option<T>, text: impl Fn(T) -> String) -> Vec<String> {
    of.map(text).into_iter().collect()
}

impl Interface {
    pub fn status(&self) -> &'static str {
        if self.attachment.is_some() {
            "in-use"
        } else {
            "available"
        }
    }

    /// A locally administered address that follows from the id.
    pub fn mac(&self) -> String {
        let digits: Vec<char> = self.id.chars().rev().take(10).collect();
        let pairs = digits.chunks(2).map(|pair| pair.iter().collect::<String>());
        format!("06:{}", pairs.collect::<Vec<_>>().join(":"))
    }

    /// `ip-172-31-0-4.eu-west-2.compute.internal`.
    pub fn private_dns_name(&self) -> String {
        private_dns_name(self.private_ip, &self.scope.region)
    }

    /// `ec2-18-130-1-2.eu-west-2.compute.amazonaws.com`, if it has a public address.
    pub fn public_dns_name(&self) -> Option<String> {
        let dashed = self.association.as_ref()?.public_ip.to_string().replace('.', "-");
        Some(match self.scope.region.as_str() {
            "us-east-1" => format!("ec2-{dashed}.compute-1.amazonaws.com"),
            region => format!("ec2-{dashed}.{region}.compute.amazonaws.com"),
        })
    }

    pub fn is_primary(&self) -> bool {
        self.attachment.as_ref().is_some_and(|a| a.device_index == 0)
    }

    /// The allocation and the association of its Elastic IP.
    pub fn elastic(&self) -> Option<&(String, String)> {
        self.association.as_ref()?.elastic.as_ref()
    }
}

pub(in crate::sim::world) fn private_dns_name(ip: Ipv4Addr, region: &str) -> String {
    let dashed = ip.to_string().replace('.', "-");
    match region {
        "us-east-1" => format!("ip-{dashed}.ec2.internal"),
        _ => format!("ip-{dashed}.{region}.compute.internal"),
    }
}

impl World {
    /// The interface, in truth.
    pub fn interface(&self, id: &str) -> Option<&Arc<Interface>> {
        self.interfaces.all.get(id)
    }

    /// The interfaces of an instance, in truth, the primary one first.
    pub fn interfaces_of(&self, instance: &str) -> Vec<Arc<Interface>> {
        let ids = self
            .instance(instance)
            .map(|i| i.interfaces.clone())
            .unwrap_or_default();
        ids.values()
            .filter_map(|id| self.interface(id))
            .cloned()
            .collect()
    }

    /// A new interface, on nothing yet.
    ///
    /// # Errors
    /// The subnet has no such address, or none left.
    pub(in crate::sim::world) fn new_interface(
        &mut self,
        subnet: &Subnet,
        new: NewInterface,
    ) -> Result<String, ApiError> {
        let private_ip = self.take_address(subnet, new.private_ip, new.hint)?;
        let names = new.groups.into_iter().map(|id| {
            let name = self
                .security_group(&id)
                .map_or_else(String::new, |group| group.name.clone());
            (id, name)
        });
        let groups = names.collect();
        let id = self.new_id("eni-");
        let interface = Interface {
            id: id.clone(),
            scope: subnet.scope.clone(),
            subnet: subnet.id.clone(),
            vpc: subnet.vpc.clone(),
            zone: subnet.zone.clone(),
            description: new.description,
            groups,
            private_ip,
            source_dest_check: true,
            auto_public_ip: new.auto_public_ip,
            association: None,
            attachment: None,
            tags: new.tags,
        };
        self.interfaces.all.put(self.now, interface);
        Ok(id)
    }

    pub(in crate::sim::world) fn edit_interface<R>(
        &mut self,
        id: &str,
        change: impl FnOnce(&mut Interface) -> R,
    ) -> Option<R> {
        self.interfaces.all.edit(self.now, id, change)
    }

    /// The caller has checked that both are free for it. Returns the attachment's id.
    pub(in crate::sim::world) fn attach_interface(
        &mut self,
        id: &str,
        instance: &str,
        device_index: u32,
        delete_on_termination: bool,
    ) -> String {
        let attachment = InterfaceAttachment {
            id: self.new_id("eni-attach-"),
            instance: instance.to_owned(),
            device_index,
            since: self.now,
            delete_on_termination,
        };
        let attachment_id = attachment.id.clone();
        self.edit_interface(id, |e| e.attachment = Some(attachment));
        self.edit(instance, |i| i.interfaces.insert(device_index, id.to_owned()));
        self.follow(id);
        attachment_id
    }

    pub(in crate::sim::world) fn detach_interface(&mut self, id: &str) {
        if let Some(Some(gone)) = self.edit_interface(id, |e| e.attachment.take()) {
            self.edit(&gone.instance, |i| i.interfaces.remove(&gone.device_index));
            self.follow(id);
        }
    }

    /// The interface is gone, and its address free.
    pub(in crate::sim::world) fn remove_interface(&mut self, id: &str) {
        self.detach_interface(id);
        let Some(interface) = self.interface(id).cloned() else {
            return;
        };
        if let Some((allocation, _)) = interface.elastic() {
            self.disassociate(&allocation.clone());
        }
        self.free_address(&interface.subnet, interface.private_ip);
        self.interfaces.all.delete(self.now, id);
    }

    /// An instance starts: its primary interface gets the public address that it is to have.
    pub(in crate::sim::world) fn assign_public_ip(&mut self, instance: &str) {
        let interfaces = self.interfaces_of(instance);
        let [only] = interfaces.as_slice() else {
            // With several interfaces EC2 assigns none.
            return;
        };
        if only.auto_public_ip && only.association.is_none() {
            let public_ip = self.new_public_ip();
            self.edit_interface(&only.id, |e| {
                e.association = Some(Association {
                    public_ip,
                    elastic: None,
                });
            });
        }
    }

    /// An instance has stopped: the public address that it got by itself is lost.
    pub(in crate::sim::world) fn drop_public_ip(&mut self, instance: &str) {
        for interface in self.interfaces_of(instance) {
            if interface
                .association
                .as_ref()
                .is_some_and(|a| a.elastic.is_none())
            {
                self.edit_interface(&interface.id, |e| e.association = None);
            }
        }
    }

    /// A terminated instance gives its interfaces back: those that go with it are deleted, the others are available.
    pub(in crate::sim::world) fn release_interfaces(&mut self, instance: &str) {
        for interface in self.interfaces_of(instance) {
            let goes = interface
                .attachment
                .as_ref()
                .is_some_and(|a| a.delete_on_termination);
            match goes {
                true => self.remove_interface(&interface.id),
                false => self.detach_interface(&interface.id),
            }
        }
    }

    /// Whether an interface is in this security group.
    pub(in crate::sim::world) fn is_group_in_use(&self, group: &str) -> bool {
        self.interfaces
            .all
            .iter()
            .any(|e| e.groups.iter().any(|(id, _)| id == group))
    }

    pub(super) fn new_public_ip(&mut self) -> Ipv4Addr {
        Ipv4Addr::new(18, self.ids.u8(128..=175), self.ids.u8(..), self.ids.u8(1..=254))
    }
}
