//! Reboots, and the attributes of one instance: what RunInstances set and DescribeInstances does not show.

use std::str::FromStr;

use super::super::World;
use super::super::api::{self, ApiError, Caller, Response};
use super::super::ec2_write::incorrect_state;
use super::super::instance::State;
use super::Answer;

/// What DescribeInstanceAttribute can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    BlockDeviceMapping,
    DisableApiStop,
    DisableApiTermination,
    EbsOptimized,
    EnaSupport,
    EnclaveOptions,
    GroupSet,
    ShutdownBehavior,
    InstanceType,
    Kernel,
    ProductCodes,
    Ramdisk,
    RootDeviceName,
    SourceDestCheck,
    SriovNetSupport,
    UserData,
}

impl FromStr for Attribute {
    type Err = ApiError;

    fn from_str(name: &str) -> Result<Self, ApiError> {
        match name {
            "blockDeviceMapping" => Ok(Attribute::BlockDeviceMapping),
            "disableApiStop" => Ok(Attribute::DisableApiStop),
            "disableApiTermination" => Ok(Attribute::DisableApiTermination),
            "ebsOptimized" => Ok(Attribute::EbsOptimized),
            "enaSupport" => Ok(Attribute::EnaSupport),
            "enclaveOptions" => Ok(Attribute::EnclaveOptions),
            "groupSet" => Ok(Attribute::GroupSet),
            "instanceInitiatedShutdownBehavior" => Ok(Attribute::ShutdownBehavior),
            "instanceType" => Ok(Attribute::InstanceType),
            "kernel" => Ok(Attribute::Kernel),
            "productCodes" => Ok(Attribute::ProductCodes),
            "ramdisk" => Ok(Attribute::Ramdisk),
            "rootDeviceName" => Ok(Attribute::RootDeviceName),
            "sourceDestCheck" => Ok(Attribute::SourceDestCheck),
            "sriovNetSupport" => Ok(Attribute::SriovNetSupport),
            "userData" => Ok(Attribute::UserData),
            other => Err(ApiError::not_modelled(format!("instance attribute {other:?}"))),
        }
    }
}

impl World {
    /// Running instances boot again, on the same host. One bad id fails the batch, and nothing happens.
    pub(super) fn reboot_instances(&mut self, caller: &Caller, ids: &[String]) -> Response {
        self.check_batch(caller, ids)?;
        let mut asked = ids.iter().filter_map(|id| self.instance(id));
        if let Some(instance) = asked.find(|i| i.state != State::Running) {
            return Err(incorrect_state(instance, "rebooted"));
        }
        for id in ids {
            self.reboot(id);
            self.own_write(id);
        }
        Ok(api::Answer::Done)
    }

    pub(super) fn describe_instance_attribute(
        &self,
        caller: &Caller,
        id: &str,
        attribute: Attribute,
    ) -> Response {
        super::super::ec2_read::check_ids(&[id.to_owned()])?;
        let seen = self.visible_instance(caller, id);
        let instance = seen.ok_or_else(|| super::super::ec2_read::not_found(&[id]))?;
        let view = Box::new(self.instance_view(caller, instance));
        Ok(api::Answer::Launch(Answer::Attribute(attribute, view)))
    }
}
