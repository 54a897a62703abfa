//! ModifyInstanceAttribute: one attribute of one instance a call, some of them only while the instance is stopped.

use std::str::FromStr;

use super::super::World;
use super::super::api::{self, ApiError, Caller, Response};
use super::super::ec2_write::incorrect_state;
use super::super::instance::{Instance, State};
use super::super::interfaces::Interface;
use super::{InstanceType, check, instance_type};

/// One attribute and its new value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    InstanceType(String),
    /// Base64; empty: none any more.
    UserData(String),
    DisableApiTermination(bool),
    DisableApiStop(bool),
    SourceDestCheck(bool),
    /// Security groups' ids.
    Groups(Vec<String>),
    EbsOptimized(bool),
    /// `stop` or `terminate`.
    ShutdownBehavior(String),
    /// Device names, and whether the volume there goes with its instance; `None`: as it is.
    Devices(Vec<(String, Option<bool>)>),
}

impl Change {
    /// The attribute's name in EC2's sentences.
    fn attribute(&self) -> &'static str {
        match self {
            Change::InstanceType(_) => "instanceType",
            Change::UserData(_) => "userData",
            Change::DisableApiTermination(_) => "disableApiTermination",
            Change::DisableApiStop(_) => "disableApiStop",
            Change::SourceDestCheck(_) => "sourceDestCheck",
            Change::Groups(_) => "groupSet",
            Change::EbsOptimized(_) => "ebsOptimized",
            Change::ShutdownBehavior(_) => "instanceInitiatedShutdownBehavior",
            Change::Devices(_) => "blockDeviceMapping",
        }
    }

    /// The change that the parameters `Attribute` and `Value` ask for: the older way to say it.
    ///
    /// # Errors
    /// A value that the attribute cannot have, or an attribute that is not modelled.
    pub fn named(attribute: &str, value: String) -> Result<Self, ApiError> {
        let flag = || {
            let text = format!("Invalid value '{value}' for {attribute}.");
            bool::from_str(&value).map_err(|_| ApiError::new("InvalidInstanceAttributeValue", text))
        };
        match attribute {
            "instanceType" => Ok(Change::InstanceType(value)),
            "userData" => Ok(Change::UserData(value)),
            "disableApiTermination" => flag().map(Change::DisableApiTermination),
            "disableApiStop" => flag().map(Change::DisableApiStop),
            "sourceDestCheck" => flag().map(Change::SourceDestCheck),
            "ebsOptimized" => flag().map(Change::EbsOptimized),
            "instanceInitiatedShutdownBehavior" => Ok(Change::ShutdownBehavior(value)),
            other => Err(ApiError::not_modelled(format!(
                "instance attribute {other:?} of ModifyInstanceAttribute"
            ))),
        }
    }

    /// EC2 takes it only while the instance is stopped: the machine is made of it.
    fn needs_a_stop(&self) -> bool {
        matches!(
            self,
            Change::InstanceType(_) | Change::UserData(_) | Change::EbsOptimized(_)
        )
    }
}

impl World {
    pub(super) fn modify_instance_attribute(
        &mut self,
        caller: &Caller,
        id: &str,
        changes: &[Change],
    ) -> Response {
        let change = the_one(changes)?;
        let instance = self.own_instance(caller, id)?.clone();
        if matches!(instance.state, State::ShuttingDown | State::Terminated) {
            return Err(incorrect_state(&instance, "modified"));
        }
        if change.needs_a_stop() && instance.state != State::Stopped {
            let text = format!("The instance '{id}' is not in the 'stopped' state.");
            return Err(ApiError::new("IncorrectInstanceState", text));
        }
        self.apply(caller, &instance, change)?;
        self.own_write(id);
        self.note(id, format!("attribute {} modified", change.attribute()));
        Ok(api::Answer::Done)
    }

    fn apply(&mut self, caller: &Caller, instance: &Instance, change: &Change) -> Result<(), ApiError> {
        let id = &instance.id;
        match change {
            Change::InstanceType(name) => {
                let kind = other_type(instance, name)?;
                self.edit(id, |i| resize(i, &kind));
            }
            Change::UserData(text) => {
                check::user_data(text)?;
                let data = Some(text.clone()).filter(|text| !text.is_empty());
                self.edit(id, |i| i.settings.user_data = data);
            }
            Change::DisableApiTermination(on) => {
                self.edit(id, |i| i.settings.disable_api_termination = *on);
            }
            Change::DisableApiStop(on) => {
                self.edit(id, |i| i.settings.disable_api_stop = *on);
            }
            Change::EbsOptimized(on) => {
                self.edit(id, |i| i.settings.ebs_optimized = *on);
            }
            Change::ShutdownBehavior(behavior) => {
                check::shutdown_behavior(Some(behavior))?;
                self.edit(id, |i| i.settings.shutdown_terminates = behavior == "terminate");
            }
            Change::SourceDestCheck(on) => {
                let interface = self.only_interface(id)?;
                self.edit_interface(&interface.id, |e| e.source_dest_check = *on);
                self.own_write(&interface.id);
            }
            Change::Groups(groups) => {
                let interface = self.only_interface(id)?;
                let groups = self.groups_for(caller, &interface.vpc, groups, &[])?;
                self.set_groups(&interface.id, groups);
                self.own_write(&interface.id);
            }
            Change::Devices(devices) => self.keep_or_release(instance, devices)?,
        }
        Ok(())
    }

    /// An attribute of the interface can be changed through the instance only where there is one.
    fn only_interface(&self, instance: &str) -> Result<Interface, ApiError> {
        match self.interfaces_of(instance).as_slice() {
            [only] => Ok(Interface::clone(only)),
            _ => {
                let text = format!(
                    "There are multiple interfaces attached to instance '{instance}'. Please specify an interface ID \
                     for the operation instead."
                );
                Err(ApiError::new("InvalidInstanceID", text))
            }
        }
    }

    fn keep_or_release(
        &mut self,
        instance: &Instance,
        devices: &[(String, Option<bool>)],
    ) -> Result<(), ApiError> {
        if let Some((unknown, _)) = devices
            .iter()
            .find(|(name, _)| !instance.devices.contains_key(name))
        {
            let text = format!("No device is currently mapped at {unknown}");
            return Err(ApiError::new("InvalidInstanceAttributeValue", text));
        }
        for (name, delete) in devices {
            if let (Some(delete), Some(attachment)) = (delete, instance.devices.get(name)) {
                self.set_delete_on_termination(&instance.id, name, *delete);
                self.own_write(&attachment.volume);
            }
        }
        Ok(())
    }
}

/// EC2 wants exactly one attribute.
fn the_one(changes: &[Change]) -> Result<&Change, ApiError> {
    let text = match changes {
        [one] => return Ok(one),
        [] => "No attributes specified.".to_owned(),
        several => {
            let names: Vec<&str> = several.iter().map(Change::attribute).collect();
            format!(
                "Fields for multiple attribute types specified: {}",
                names.join(", ")
            )
        }
    };
    Err(ApiError::new("InvalidParameterCombination", text))
}

/// The type of this name, if the instance can have it.
fn other_type(instance: &Instance, name: &str) -> Result<InstanceType, ApiError> {
    let refuse = |text: String| ApiError::new("InvalidInstanceAttributeValue", text);
    let kind = instance_type(name).map_err(|unknown| refuse(unknown.message))?;
    if kind.architecture != instance.architecture {
        let text = format!(
            "Modifying the instance type from {} to {name} is not allowed.",
            instance.instance_type
        );
        return Err(refuse(text));
    }
    Ok(kind)
}

/// Its credit option outlives the resize, also one to a type without credits.
fn resize(instance: &mut Instance, kind: &InstanceType) {
    instance.instance_type.clone_from(&kind.name);
    let settings = &mut instance.settings;
    settings.cpu = Some(kind.cpu());
    settings.cpu_credits = settings
        .cpu_credits
        .take()
        .or_else(|| kind.usual_credits().map(str::to_owned));
}
