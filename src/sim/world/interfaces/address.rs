//! Elastic IPs.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::super::World;
use super::super::api::{self, ApiError, Asked, Caller, Response};
use super::super::instance::{Scope, State};
use super::super::shelf::{Field, Resource, Tags, parts};
use super::super::tags::{TagSpecs, tags_for};
use super::{Answer, Association, Interface};

/// An Elastic IP, and where it is.
#[derive(Debug, Clone)]
pub struct Address {
    /// `eipalloc-…`.
    pub id: String,
    pub scope: Scope,
    pub public_ip: Ipv4Addr,
    /// The association's id, and the interface with the instance that it is on.
    pub association: Option<(String, Arc<Interface>)>,
    pub tags: Tags,
}

/// AssociateAddress's parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Associate {
    pub allocation: String,
    pub instance: Option<String>,
    pub interface: Option<String>,
    pub private_ip: Option<String>,
    pub allow_reassociation: Option<bool>,
}

impl Address {
    /// The instance that has it.
    pub fn instance(&self) -> Option<&str> {
        let (_, interface) = self.association.as_ref()?;
        interface.attachment.as_ref().map(|a| a.instance.as_str())
    }

    fn of_interface(&self, text: fn(&Interface) -> String) -> Vec<String> {
        self.association
            .iter()
            .map(|(_, interface)| text(interface))
            .collect()
    }
}

impl Resource for Address {
    const KIND: &'static str = "elastic-ip";
    const PREFIX: &'static str = "eipalloc-";
    const NOUN: &'static str = "allocation ID";
    const NOT_FOUND: &'static str = "InvalidAllocationID.NotFound";
    const MALFORMED: &'static str = "InvalidAllocationID.NotFound";
    const FILTERS: &'static [Field<Self>] = &[
        ("allocation-id", |a| vec![a.id.clone()]),
        ("association-id", |a| {
            a.association.iter().map(|(id, _)| id.clone()).collect()
        }),
        ("public-ip", |a| vec![a.public_ip.to_string()]),
        ("instance-id", |a| {
            a.instance().map(str::to_owned).into_iter().collect()
        }),
        ("network-interface-id", |a| a.of_interface(|e| e.id.clone())),
        ("network-interface-owner-id", |a| {
            a.of_interface(|e| e.scope.account.clone())
        }),
        ("private-ip-address", |a| {
            a.of_interface(|e| e.private_ip.to_string())
        }),
        ("network-border-group", |a| vec![a.scope.region.clone()]),
        ("domain", |_| vec!["vpc".to_owned()]),
    ];

    parts!();
}

impl World {
    /// The Elastic IP, in truth.
    pub fn address(&self, allocation: &str) -> Option<&Arc<Address>> {
        self.interfaces.addresses.get(allocation)
    }

    /// All Elastic IPs, in truth, by id.
    pub fn addresses(&self) -> impl Iterator<Item = &Arc<Address>> {
        self.interfaces.addresses.iter()
    }

    pub(super) fn describe_addresses(
        &self,
        caller: &Caller,
        asked: &Asked,
        public_ips: &[String],
    ) -> Result<Answer, ApiError> {
        let is_named = |a: &Address| public_ips.is_empty() || public_ips.contains(&a.public_ip.to_string());
        let addresses = &self.interfaces.addresses;
        let found = addresses.listed_where(self, caller, asked, is_named)?.items;
        let missing = public_ips
            .iter()
            .find(|ip| found.iter().all(|a| a.public_ip.to_string() != **ip));
        if let (Some(ip), true) = (missing, asked.filters.is_empty()) {
            return Err(ApiError::new(
                "InvalidAddress.NotFound",
                format!("Address '{ip}' not found."),
            ));
        }
        Ok(Answer::Addresses(found))
    }

    pub(super) fn allocate_address(&mut self, caller: &Caller, tags: &TagSpecs) -> Result<Answer, ApiError> {
        let scope = caller.scope();
        let limit = self.quota(&scope).elastic_ips;
        if self.interfaces.addresses.of(&scope).count() >= limit {
            let text = "The maximum number of addresses has been reached.";
            return Err(ApiError::new("AddressLimitExceeded", text));
        }
        let address = Address {
            id: self.new_id("eipalloc-"),
            scope,
            public_ip: self.new_public_ip(),
            association: None,
            tags: tags_for(tags, "elastic-ip")?,
        };
        let what = format!("Elastic IP {} allocated", address.public_ip);
        let address = self.shelve(|w| &mut w.interfaces.addresses, address, what);
        Ok(Answer::Allocated(address))
    }

    pub(super) fn associate_address(
        &mut self,
        caller: &Caller,
        wanted: &Associate,
    ) -> Result<Answer, ApiError> {
        let address = self
            .interfaces
            .addresses
            .find(caller, &wanted.allocation)?
            .clone();
        let interface = self.interface_for(caller, wanted)?;
        if let Some(ip) = &wanted.private_ip
            && *ip != interface.private_ip.to_string()
        {
            let text = format!(
                "Network interface '{}' has no private IP address {ip}",
                interface.id
            );
            return Err(ApiError::new("InvalidParameterValue", text));
        }
        let elsewhere = address.association.as_ref().filter(|(_, e)| e.id != interface.id);
        if let (Some((association, _)), Some(false)) = (elsewhere, wanted.allow_reassociation) {
            let text = format!(
                "resource {} is already associated with associate-id {association}",
                address.id
            );
            return Err(ApiError::new("Resource.AlreadyAssociated", text));
        }
        if let Some((before, association)) = interface.elastic() {
            if *before == address.id {
                return Ok(Answer::Associated(association.clone()));
            }
            if wanted.allow_reassociation == Some(false) {
                let text = format!("resource {} already has an Elastic IP, {before}", interface.id);
                return Err(ApiError::new("Resource.AlreadyAssociated", text));
            }
            self.disassociate(before);
        }
        self.disassociate(&address.id);
        let association = self.new_id("eipassoc-");
        self.edit_interface(&interface.id, |e| {
            e.association = Some(Association {
                public_ip: address.public_ip,
                elastic: Some((address.id.clone(), association.clone())),
            });
        });
        let here = (association.clone(), interface.clone());
        self.interfaces
            .addresses
            .edit(self.now, &address.id, |a| a.association = Some(here));
        self.own_write(&address.id);
        self.own_write(&interface.id);
        self.note(
            &address.id,
            format!("{} associated with {}", address.public_ip, interface.id),
        );
        Ok(Answer::Associated(association))
    }

    /// The interface that a request means: the one it names, or its instance's primary one.
    fn interface_for(&self, caller: &Caller, wanted: &Associate) -> Result<Arc<Interface>, ApiError> {
        if let Some(id) = &wanted.interface {
            return self.interfaces.all.find(caller, id).cloned();
        }
        let Some(instance) = &wanted.instance else {
            let text = "Either 'instanceId' or 'networkInterfaceId' must be specified";
            return Err(ApiError::new("MissingParameter", text));
        };
        self.check_batch(caller, std::slice::from_ref(instance))?;
        let is_fit = self.instance(instance).is_some_and(|i| {
            matches!(
                i.state,
                State::Pending | State::Running | State::Stopping | State::Stopped
            )
        });
        let interfaces = self.interfaces_of(instance);
        if !is_fit {
            let text = format!("The instance '{instance}' is not in a valid state for this operation.");
            return Err(ApiError::new("InvalidInstanceID", text));
        }
        let [only] = interfaces.as_slice() else {
            let text = format!(
                "There are multiple interfaces attached to instance '{instance}'. Please specify an \
                                interface ID for the operation instead."
            );
            return Err(ApiError::new("InvalidInstanceID", text));
        };
        Ok(only.clone())
    }

    pub(super) fn disassociate_address(&mut self, caller: &Caller, association: &str) -> Response {
        let scope = caller.scope();
        let is_meant = |a: &&Arc<Address>| {
            a.scope == scope && a.association.as_ref().is_some_and(|(id, _)| id == association)
        };
        let found = self.interfaces.addresses.iter().find(is_meant);
        let Some(id) = found.map(|address| address.id.clone()) else {
            let text = format!("The association ID '{association}' does not exist");
            return Err(ApiError::new("InvalidAssociationID.NotFound", text));
        };
        self.disassociate(&id);
        self.own_write(&id);
        Ok(api::Answer::Done)
    }

    /// An interface has changed its instance: its Elastic IP goes with it.
    pub(super) fn follow(&mut self, interface: &str) {
        let Some(interface) = self.interface(interface).cloned() else {
            return;
        };
        if let Some((allocation, association)) = interface.elastic() {
            let here = (association.clone(), interface.clone());
            self.interfaces
                .addresses
                .edit(self.now, allocation, |a| a.association = Some(here));
        }
    }

    /// Take an Elastic IP from where it is. A running instance that may have an address by itself gets one again.
    pub(super) fn disassociate(&mut self, allocation: &str) {
        let before = self
            .interfaces
            .addresses
            .edit(self.now, allocation, |a| a.association.take());
        let Some(Some((_, interface))) = before else {
            return;
        };
        self.note(allocation, format!("disassociated from {}", interface.id));
        self.edit_interface(&interface.id, |e| e.association = None);
        let attachment = self.interface(&interface.id).and_then(|e| e.attachment.clone());
        if let Some(instance) = attachment.map(|a| a.instance)
            && self
                .instance(&instance)
                .is_some_and(|i| i.state == State::Running)
        {
            self.assign_public_ip(&instance);
        }
    }

    pub(super) fn release_address(&mut self, caller: &Caller, allocation: &str) -> Response {
        let address = self.interfaces.addresses.find(caller, allocation)?.clone();
        if address.association.is_some() {
            let text = format!("Address {} is in use.", address.public_ip);
            return Err(ApiError::new("InvalidIPAddress.InUse", text));
        }
        self.interfaces.addresses.delete(self.now, allocation);
        self.own_write(allocation);
        self.note(allocation, format!("Elastic IP {} released", address.public_ip));
        Ok(api::Answer::Done)
    }
}
