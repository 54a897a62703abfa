//! The calls on network interfaces.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::super::World;
use super::super::api::{self, ApiError, Caller, Response};
use super::super::instance::State;
use super::super::tags::{TagSpecs, tags_for};
use super::{Answer, Interface, NewInterface};

/// CreateNetworkInterface's parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateInterface {
    pub subnet: String,
    pub description: String,
    pub private_ip: Option<String>,
    pub groups: Vec<String>,
    pub tags: TagSpecs,
    pub client_token: Option<String>,
}

/// ModifyNetworkInterfaceAttribute's parameters: one of them a call, as EC2 wants it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModifyInterface {
    pub interface: String,
    pub description: Option<String>,
    pub source_dest_check: Option<bool>,
    pub groups: Vec<String>,
    /// An attachment, and whether the interface goes with its instance.
    pub delete_on_termination: Option<(String, bool)>,
}

impl World {
    pub(super) fn create_interface(
        &mut self,
        caller: &Caller,
        wanted: &CreateInterface,
    ) -> Result<Answer, ApiError> {
        let (scope, action) = (caller.scope(), "CreateNetworkInterface");
        let token = wanted.client_token.as_deref();
        let request = format!(
            "{:?}",
            CreateInterface {
                client_token: None,
                ..wanted.clone()
            }
        );
        if let Some(made) = self.tokens.made(&scope, action, token, &request)? {
            let interface = self.interfaces.all.find(caller, &made)?;
            return Ok(Answer::Interface(interface.clone()));
        }
        let subnet = self.network.subnets.find(caller, &wanted.subnet)?.clone();
        let new = NewInterface {
            private_ip: wanted.private_ip.as_deref().map(parse_ip).transpose()?,
            hint: self.ids.u64(..),
            groups: self.groups_for(caller, &subnet.vpc, &wanted.groups, &[])?,
            description: wanted.description.clone(),
            auto_public_ip: false,
            tags: tags_for(&wanted.tags, "network-interface")?,
        };
        let id = self.new_interface(&subnet, new)?;
        self.tokens.keep(&scope, action, token, request, &id);
        self.own_write(&id);
        self.note(&id, format!("interface created in {}", subnet.id));
        let interface = self.interfaces.all.find(caller, &id)?;
        Ok(Answer::Interface(interface.clone()))
    }

    pub(super) fn attach_interface_to(
        &mut self,
        caller: &Caller,
        id: &str,
        instance: &str,
        device_index: u32,
    ) -> Result<Answer, ApiError> {
        let interface = self.interfaces.all.find(caller, id)?.clone();
        self.check_batch(caller, &[instance.to_owned()])?;
        let Some(machine) = self.instance(instance).cloned() else {
            return Err(super::super::ec2_read::not_found(&[instance]));
        };
        if interface.attachment.is_some() {
            let text = format!("Interface: [{id}] in use.");
            return Err(ApiError::new("InvalidNetworkInterface.InUse", text));
        }
        if !matches!(machine.state, State::Running | State::Stopped) {
            let text = format!("Instance '{instance}' is not 'running' or 'stopped'.");
            return Err(ApiError::new("IncorrectState", text));
        }
        if machine.zone != interface.zone {
            let text = "You may not attach a network interface to an instance if they are not in the same \
                        availability zone";
            return Err(ApiError::new("InvalidParameterCombination", text));
        }
        if machine.interfaces.contains_key(&device_index) {
            let text = format!(
                "Instance '{instance}' already has an interface attached at device index '{device_index}'."
            );
            return Err(ApiError::new("InvalidParameterValue", text));
        }
        let attachment = self.attach_interface(id, instance, device_index, false);
        self.own_write(id);
        self.own_write(instance);
        self.note(id, format!("attached to {instance} as device {device_index}"));
        Ok(Answer::Attached(attachment))
    }

    pub(super) fn detach_interface_by(&mut self, caller: &Caller, attachment: &str) -> Response {
        let scope = caller.scope();
        let is_meant = |e: &&Arc<Interface>| {
            e.scope == scope && e.attachment.as_ref().is_some_and(|a| a.id == attachment)
        };
        let found = self.interfaces.all.iter().find(is_meant).cloned();
        let Some(interface) = found else {
            let text = format!("An attachment with ID '{attachment}' does not exist");
            return Err(ApiError::new("InvalidAttachmentID.NotFound", text));
        };
        if interface.is_primary() {
            let text = format!(
                "The network interface at device index 0 cannot be detached: {}",
                interface.id
            );
            return Err(ApiError::new("OperationNotPermitted", text));
        }
        self.detach_interface(&interface.id);
        self.own_write(&interface.id);
        if let Some(attachment) = &interface.attachment {
            self.own_write(&attachment.instance);
            self.note(&interface.id, format!("detached from {}", attachment.instance));
        }
        Ok(api::Answer::Done)
    }

    pub(super) fn modify_interface(&mut self, caller: &Caller, change: &ModifyInterface) -> Response {
        let id = &change.interface;
        let interface = self.interfaces.all.find(caller, id)?.clone();
        let groups = match change.groups.is_empty() {
            true => None,
            false => Some(self.groups_for(caller, &interface.vpc, &change.groups, &[])?),
        };
        if let Some((attachment, _)) = &change.delete_on_termination
            && interface.attachment.as_ref().is_none_or(|a| a.id != *attachment)
        {
            let text = format!("An attachment with ID '{attachment}' does not exist");
            return Err(ApiError::new("InvalidAttachmentID.NotFound", text));
        }
        if let Some(groups) = groups {
            self.set_groups(id, groups);
        }
        self.edit_interface(id, |e| {
            if let Some(description) = &change.description {
                e.description.clone_from(description);
            }
            if let Some(check) = change.source_dest_check {
                e.source_dest_check = check;
            }
            if let (Some(attachment), Some((_, delete))) = (&mut e.attachment, &change.delete_on_termination)
            {
                attachment.delete_on_termination = *delete;
            }
        });
        self.own_write(id);
        self.note(id, "interface modified");
        Ok(api::Answer::Done)
    }

    pub(super) fn delete_interface(&mut self, caller: &Caller, id: &str) -> Response {
        let interface = self.interfaces.all.find(caller, id)?.clone();
        if let Some(attachment) = &interface.attachment {
            let text = format!(
                "Network interface '{id}' is currently in use by {}.",
                attachment.instance
            );
            return Err(ApiError::new("InvalidNetworkInterface.InUse", text));
        }
        self.remove_interface(id);
        self.own_write(id);
        self.note(id, "interface deleted");
        Ok(api::Answer::Done)
    }

    /// The interface is in these security groups from now on.
    pub(in crate::sim::world) fn set_groups(&mut self, id: &str, groups: Vec<String>) {
        let named = groups.into_iter().map(|id| {
            let name = self
                .security_group(&id)
                .map_or_else(String::new, |group| group.name.clone());
            (id, name)
        });
        let named = named.collect();
        self.edit_interface(id, |e| e.groups = named);
    }
}

/// # Errors
/// It is no IPv4 address.
pub(in crate::sim::world) fn parse_ip(text: &str) -> Result<Ipv4Addr, ApiError> {
    text.parse().map_err(|_| {
        let text = format!("invalid value for parameter address: {text}");
        ApiError::new("InvalidParameterValue", text)
    })
}
