//! EC2's network interfaces and public addresses.
//!
//! Every instance has a primary interface with a private address of its subnet: taken at launch, kept while it is
//! stopped, given back once it is terminated. An Elastic IP stays where it is associated through stop and start; an address
//! that was assigned automatically is lost at the stop, and a start brings another one.

mod address;
mod eni;
mod operate;

use std::sync::Arc;

use super::World;
use super::api::{self, Asked, Caller, Family, Listing, Page, Response};
use super::shelf::Shelf;
use super::tags::TagSpecs;
pub use address::{Address, Associate};
pub use eni::{Association, Interface, InterfaceAttachment, NewInterface};
pub(super) use operate::parse_ip;
pub use operate::{CreateInterface, ModifyInterface};

/// The family's operations.
#[derive(Debug, Clone)]
pub enum Op {
    DescribeNetworkInterfaces(Asked),
    CreateNetworkInterface(CreateInterface),
    AttachNetworkInterface {
        interface: String,
        instance: String,
        device_index: u32,
    },
    DetachNetworkInterface {
        attachment: String,
    },
    ModifyNetworkInterfaceAttribute(ModifyInterface),
    DeleteNetworkInterface {
        interface: String,
    },
    /// `public_ips` must all exist, as the ids must.
    DescribeAddresses {
        asked: Asked,
        public_ips: Vec<String>,
    },
    AllocateAddress {
        tags: TagSpecs,
    },
    AssociateAddress(Associate),
    DisassociateAddress {
        association: String,
    },
    ReleaseAddress {
        allocation: String,
    },
}

/// The family's answers.
#[derive(Debug, Clone)]
pub enum Answer {
    Interfaces(Listing<Arc<Interface>>),
    Interface(Arc<Interface>),
    /// The id of a new attachment.
    Attached(String),
    Addresses(Vec<Arc<Address>>),
    Allocated(Arc<Address>),
    /// The id of a new association.
    Associated(String),
}

impl Answer {
    pub(super) fn clear(&mut self) {
        match self {
            Answer::Interfaces(listing) => listing.clear(),
            Answer::Addresses(addresses) => addresses.clear(),
            Answer::Interface(_) | Answer::Attached(_) | Answer::Allocated(_) | Answer::Associated(_) => {}
        }
    }
}

/// What the world knows of interfaces and public addresses.
#[derive(Debug, Clone, Default)]
pub(super) struct Interfaces {
    pub(super) all: Shelf<Interface>,
    pub(super) addresses: Shelf<Address>,
}

impl Family for Op {
    fn name(&self) -> &'static str {
        match self {
            Op::DescribeNetworkInterfaces(_) => "DescribeNetworkInterfaces",
            Op::CreateNetworkInterface(_) => "CreateNetworkInterface",
            Op::AttachNetworkInterface { .. } => "AttachNetworkInterface",
            Op::DetachNetworkInterface { .. } => "DetachNetworkInterface",
            Op::ModifyNetworkInterfaceAttribute(_) => "ModifyNetworkInterfaceAttribute",
            Op::DeleteNetworkInterface { .. } => "DeleteNetworkInterface",
            Op::DescribeAddresses { .. } => "DescribeAddresses",
            Op::AllocateAddress { .. } => "AllocateAddress",
            Op::AssociateAddress(_) => "AssociateAddress",
            Op::DisassociateAddress { .. } => "DisassociateAddress",
            Op::ReleaseAddress { .. } => "ReleaseAddress",
        }
    }

    fn subjects(&self) -> Vec<&str> {
        match self {
            Op::DescribeNetworkInterfaces(asked) => asked.subjects(),
            Op::CreateNetworkInterface(wanted) => vec![&wanted.subnet],
            Op::AttachNetworkInterface {
                interface, instance, ..
            } => vec![instance, interface],
            Op::DetachNetworkInterface { attachment } => vec![attachment],
            Op::ModifyNetworkInterfaceAttribute(change) => vec![&change.interface],
            Op::DeleteNetworkInterface { interface } => vec![interface],
            Op::DescribeAddresses { asked, public_ips } => {
                asked.ids.iter().chain(public_ips).map(String::as_str).collect()
            }
            Op::AllocateAddress { .. } => Vec::new(),
            Op::AssociateAddress(wanted) => {
                let whom = wanted.instance.iter().chain(&wanted.interface);
                whom.map(String::as_str)
                    .chain([wanted.allocation.as_str()])
                    .collect()
            }
            Op::DisassociateAddress { association } => vec![association],
            Op::ReleaseAddress { allocation } => vec![allocation],
        }
    }

    fn page(&self) -> Option<&Page> {
        match self {
            Op::DescribeNetworkInterfaces(asked) => Some(&asked.page),
            _ => None,
        }
    }

    fn answer(&self, world: &mut World, caller: &Caller) -> Response {
        let answer = match self {
            Op::DescribeNetworkInterfaces(asked) => {
                Answer::Interfaces(world.interfaces.all.listed(world, caller, asked)?)
            }
            Op::CreateNetworkInterface(wanted) => world.create_interface(caller, wanted)?,
            Op::AttachNetworkInterface {
                interface,
                instance,
                device_index,
            } => world.attach_interface_to(caller, interface, instance, *device_index)?,
            Op::DetachNetworkInterface { attachment } => {
                return world.detach_interface_by(caller, attachment);
            }
            Op::ModifyNetworkInterfaceAttribute(change) => return world.modify_interface(caller, change),
            Op::DeleteNetworkInterface { interface } => return world.delete_interface(caller, interface),
            Op::DescribeAddresses { asked, public_ips } => {
                world.describe_addresses(caller, asked, public_ips)?
            }
            Op::AllocateAddress { tags } => world.allocate_address(caller, tags)?,
            Op::AssociateAddress(wanted) => world.associate_address(caller, wanted)?,
            Op::DisassociateAddress { association } => {
                return world.disassociate_address(caller, association);
            }
            Op::ReleaseAddress { allocation } => return world.release_address(caller, allocation),
        };
        Ok(api::Answer::Interfaces(answer))
    }
}
