//! From the SDK's types to the model's.
//!
//! Nothing is guessed: a word that the model does not know becomes `Unknown` with that word, a missing one `Unknown` with
//! nothing, a number out of range is dropped. Only an object without its id is not an object.

use crate::model::{
    AccountId, CheckState, EventCode, ImageFacts, ImageMetadata, ImageState, Instance, InstanceId,
    InstanceState, Lifecycle, Region, RootDevice, ScheduledEvent, StateReason, StatusChecks, SubnetFacts,
    Target, TargetHealth, TargetState, TemplateFacts, Zone,
};
use aws_sdk_ec2::types as ec2;
use aws_sdk_elasticloadbalancingv2::types as elb;
use aws_smithy_types::DateTime;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// One instance of a reservation that belongs to `owner`. `None` if it has no id.
pub(super) fn instance(raw: &ec2::Instance, owner: Option<&str>, region: &Region) -> Option<Instance> {
    Some(Instance {
        id: InstanceId::new(raw.instance_id.as_deref()?),
        account: AccountId::new(owner.unwrap_or_default()),
        region: region.clone(),
        zone: raw
            .placement()
            .and_then(|placement| placement.availability_zone())
            .map(Zone::from),
        state: instance_state(raw.state()),
        state_reason: raw.state_reason().and_then(state_reason),
        transition_reason: raw
            .state_transition_reason()
            .filter(|text| !text.is_empty())
            .map(str::to_owned),
        image: raw.image_id().map(Into::into),
        instance_type: raw.instance_type().map(|kind| kind.as_str().to_owned()),
        launched_at: raw.launch_time().and_then(timestamp),
        client_token: raw
            .client_token()
            .filter(|token| !token.is_empty())
            .map(str::to_owned),
        lifecycle: lifecycle(raw.instance_lifecycle().map(|word| word.as_str())),
        root_device: root_device(raw.root_device_type().map(|word| word.as_str())),
        root_stays: root_stays(raw),
        tags: tags(raw.tags()),
        private_ip: raw.private_ip_address().map(str::to_owned),
        public_ip: raw.public_ip_address().map(str::to_owned),
        digest: super::digest::digest(raw),
    })
}

/// The name, checked against the low byte of the code where there is one. If the two contradict each other, nothing is
/// known.
fn instance_state(raw: Option<&ec2::InstanceState>) -> InstanceState {
    let name = raw.and_then(|state| state.name()).map(|name| name.as_str());
    let code = raw.and_then(|state| state.code()).map(|code| code & 0xff);
    let by_code = match code {
        None => None,
        Some(0) => Some("pending"),
        Some(16) => Some("running"),
        Some(32) => Some("shutting-down"),
        Some(48) => Some("terminated"),
        Some(64) => Some("stopping"),
        Some(80) => Some("stopped"),
        Some(_) => Some(""),
    };
    match (name, by_code) {
        (Some(name), Some(by_code)) if name == by_code => InstanceState::from_name(name),
        (Some(name), None) => InstanceState::from_name(name),
        (None, Some(by_code)) if !by_code.is_empty() => InstanceState::from_name(by_code),
        (name, _) => {
            let name = name.unwrap_or("no name");
            let code = code.map_or_else(|| "no code".to_owned(), |code| format!("code {code}"));
            InstanceState::Unknown(format!("{name} ({code})"))
        }
    }
}

fn state_reason(raw: &ec2::StateReason) -> Option<StateReason> {
    let code = raw.code()?.to_owned();
    Some(StateReason {
        code,
        message: raw.message().unwrap_or_default().to_owned(),
    })
}

/// AWS leaves the field out for an on-demand instance.
fn lifecycle(word: Option<&str>) -> Lifecycle {
    match word {
        None => Lifecycle::OnDemand,
        Some("spot") => Lifecycle::Spot,
        Some("scheduled") => Lifecycle::Scheduled,
        Some("capacity-block") => Lifecycle::CapacityBlock,
        Some(other) => Lifecycle::Unknown(other.to_owned()),
    }
}

fn root_device(word: Option<&str>) -> RootDevice {
    match word {
        Some("ebs") => RootDevice::Ebs,
        Some("instance-store") => RootDevice::InstanceStore,
        other => RootDevice::Unknown(other.unwrap_or_default().to_owned()),
    }
}

fn root_stays(raw: &ec2::Instance) -> Option<bool> {
    let is_root = |mapping: &&ec2::InstanceBlockDeviceMapping| {
        mapping.device_name().is_some() && mapping.device_name() == raw.root_device_name()
    };
    let root = raw.block_device_mappings().iter().find(is_root)?;
    root.ebs()?.delete_on_termination().map(|deleted| !deleted)
}

pub(super) fn tags(raw: &[ec2::Tag]) -> BTreeMap<String, String> {
    let pair = |tag: &ec2::Tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()));
    raw.iter().filter_map(pair).collect()
}

/// `None` if it has no id.
pub(super) fn status(raw: &ec2::InstanceStatus) -> Option<(InstanceId, StatusChecks)> {
    let word = |summary: Option<&ec2::InstanceStatusSummary>| {
        check(
            summary
                .and_then(|summary| summary.status())
                .map(|status| status.as_str()),
        )
    };
    let checks = StatusChecks {
        system: word(raw.system_status()),
        instance: word(raw.instance_status()),
        attached_ebs: raw
            .attached_ebs_status()
            .map(|ebs| check(ebs.status().map(|status| status.as_str()))),
        events: raw.events().iter().map(event).collect(),
    };
    Some((InstanceId::new(raw.instance_id()?), checks))
}

fn check(word: Option<&str>) -> CheckState {
    match word {
        Some("ok") => CheckState::Ok,
        Some("impaired") => CheckState::Impaired,
        Some("initializing") => CheckState::Initializing,
        Some("insufficient-data") => CheckState::InsufficientData,
        Some("not-applicable") => CheckState::NotApplicable,
        other => CheckState::Unknown(other.unwrap_or_default().to_owned()),
    }
}

fn event(raw: &ec2::InstanceStatusEvent) -> ScheduledEvent {
    let code = match raw.code().map(|code| code.as_str()) {
        Some("instance-reboot") => EventCode::InstanceReboot,
        Some("system-reboot") => EventCode::SystemReboot,
        Some("system-maintenance") => EventCode::SystemMaintenance,
        Some("instance-retirement") => EventCode::InstanceRetirement,
        Some("instance-stop") => EventCode::InstanceStop,
        other => EventCode::Unknown(other.unwrap_or_default().to_owned()),
    };
    ScheduledEvent {
        id: raw.instance_event_id().map(str::to_owned),
        code,
        description: raw.description().unwrap_or_default().to_owned(),
        not_before: raw.not_before().and_then(timestamp),
        not_after: raw.not_after().and_then(timestamp),
        deadline: raw.not_before_deadline().and_then(timestamp),
    }
}

/// `None` if the instance or the image has no id: then nothing is known of the image.
pub(super) fn image_metadata(raw: &ec2::InstanceImageMetadata) -> Option<(InstanceId, ImageMetadata)> {
    let image = raw.image_metadata()?;
    let metadata = ImageMetadata {
        image: image.image_id()?.into(),
        state: image_state(image.state()),
        allowed: image.image_allowed(),
        owner: image.owner_id().map(Into::into),
    };
    Some((InstanceId::new(raw.instance_id()?), metadata))
}

pub(super) fn image_state(raw: Option<&ec2::ImageState>) -> ImageState {
    match raw.map(|state| state.as_str()) {
        Some("pending") => ImageState::Pending,
        Some("available") => ImageState::Available,
        Some("invalid") => ImageState::Invalid,
        Some("deregistered") => ImageState::Deregistered,
        Some("transient") => ImageState::Transient,
        Some("failed") => ImageState::Failed,
        Some("error") => ImageState::Error,
        Some("disabled") => ImageState::Disabled,
        other => ImageState::Unknown(other.unwrap_or_default().to_owned()),
    }
}

/// `None` if it has no id.
pub(super) fn image_facts(raw: &ec2::Image) -> Option<ImageFacts> {
    let root = raw.root_device_name();
    let disks = raw.block_device_mappings();
    let of_root = disks
        .iter()
        .find(|disk| root.is_some() && disk.device_name() == root);
    Some(ImageFacts {
        id: raw.image_id()?.into(),
        name: raw.name().map(str::to_owned),
        state: image_state(raw.state()),
        allowed: raw.image_allowed(),
        architecture: raw.architecture().map(|word| word.as_str().to_owned()),
        virtualization: raw.virtualization_type().map(|word| word.as_str().to_owned()),
        root_device: root.map(str::to_owned),
        root_is_ebs: raw.root_device_type() == Some(&ec2::DeviceType::Ebs),
        root_size_gib: of_root.and_then(|disk| disk.ebs()?.volume_size()),
        keeps: disks
            .iter()
            .filter(|disk| disk.ebs().and_then(|ebs| ebs.delete_on_termination()) == Some(false))
            .filter_map(|disk| disk.device_name().map(str::to_owned))
            .collect(),
    })
}

/// `None` if it has no id or no zone.
pub(super) fn subnet(raw: &ec2::Subnet) -> Option<(String, SubnetFacts)> {
    let facts = SubnetFacts {
        zone: Zone::from(raw.availability_zone()?),
        vpc: raw.vpc_id().unwrap_or_default().to_owned(),
        free_addresses: raw.available_ip_address_count().unwrap_or(0),
    };
    Some((raw.subnet_id()?.to_owned(), facts))
}

/// `None` if it has no number.
pub(super) fn template(raw: &ec2::LaunchTemplateVersion) -> Option<TemplateFacts> {
    let data = raw.launch_template_data();
    let interfaces = data.map(|data| data.network_interfaces()).unwrap_or_default();
    let kind = data.and_then(|data| data.instance_type());
    let disks = data.map(|data| data.block_device_mappings()).unwrap_or_default();
    let devices = |ends: bool| {
        disks
            .iter()
            .filter(|disk| disk.ebs().and_then(|ebs| ebs.delete_on_termination()) == Some(ends))
            .filter_map(|disk| disk.device_name().map(str::to_owned))
            .collect()
    };
    Some(TemplateFacts {
        version: raw.version_number()?,
        instance_type: kind.map(|kind| kind.as_str().to_owned()),
        subnet: interfaces
            .iter()
            .find_map(|interface| interface.subnet_id())
            .map(str::to_owned),
        has_interfaces: !interfaces.is_empty(),
        keeps: devices(false),
        ends: devices(true),
        unfit: data.map(unfit).unwrap_or_default(),
    })
}

/// What a launch from this template would make of an instance that is to be ended if it does not serve.
fn unfit(data: &ec2::ResponseLaunchTemplateData) -> BTreeSet<String> {
    let market = data.instance_market_options().and_then(|of| of.market_type());
    let words = [
        (data.disable_api_termination() == Some(true)).then(|| "termination protection".to_owned()),
        market.map(|of| format!("the market `{}`", of.as_str())),
    ];
    words.into_iter().flatten().collect()
}

/// `None` if the target has no id.
pub(super) fn target(raw: &elb::TargetHealthDescription) -> Option<Target> {
    let target = raw.target()?;
    let health = raw.target_health();
    let state = health
        .and_then(|health| health.state())
        .map(|state| state.as_str());
    Some(Target {
        instance: InstanceId::new(target.id()?),
        port: target.port().and_then(port),
        health: TargetHealth {
            state: TargetState::from_name(state.unwrap_or_default()),
            reason: health
                .and_then(|health| health.reason())
                .map(|reason| reason.as_str().to_owned()),
            description: health.and_then(|health| health.description()).map(str::to_owned),
        },
    })
}

pub(super) fn port(raw: i32) -> Option<u16> {
    u16::try_from(raw).ok()
}

pub(super) fn timestamp(raw: &DateTime) -> Option<Timestamp> {
    Timestamp::new(raw.secs(), i32::try_from(raw.subsec_nanos()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(code: Option<i32>, name: Option<&str>) -> InstanceState {
        let raw = ec2::InstanceState::builder()
            .set_code(code)
            .set_name(name.map(ec2::InstanceStateName::from));
        instance_state(Some(&raw.build()))
    }

    #[test]
    fn a_state_is_known_only_if_name_and_code_agree() {
        let table = [
            (Some(16), Some("running"), InstanceState::Running),
            (Some(16 + 256), Some("running"), InstanceState::Running),
            (None, Some("stopped"), InstanceState::Stopped),
            (Some(80), None, InstanceState::Stopped),
            (
                None,
                Some("dreaming"),
                InstanceState::Unknown("dreaming".to_owned()),
            ),
            (
                Some(99),
                Some("dreaming"),
                InstanceState::Unknown("dreaming (code 99)".to_owned()),
            ),
            (
                Some(16),
                Some("stopped"),
                InstanceState::Unknown("stopped (code 16)".to_owned()),
            ),
            (
                Some(99),
                None,
                InstanceState::Unknown("no name (code 99)".to_owned()),
            ),
            (None, None, InstanceState::Unknown("no name (no code)".to_owned())),
        ];
        for (code, name, expected) in table {
            assert_eq!(state(code, name), expected, "{code:?} {name:?}");
        }
    }

    #[test]
    fn an_instance_with_nothing_but_its_id_is_an_instance_of_which_nothing_is_known() {
        let raw = ec2::Instance::builder().instance_id("i-1").build();
        let instance = instance(&raw, None, &"eu-west-2".into()).unwrap();
        assert!(matches!(instance.state, InstanceState::Unknown(_)));
        assert_eq!(instance.account.as_str(), "");
        assert_eq!(instance.root_device, RootDevice::Unknown(String::new()));
        assert_eq!(instance.launched_at, None);
        assert!(super::instance(&ec2::Instance::builder().build(), None, &"eu-west-2".into()).is_none());
    }

    #[test]
    fn unknown_words_and_missing_fields_of_checks_events_images_and_targets_are_kept_as_unknown() {
        let status = ec2::InstanceStatus::builder()
            .instance_id("i-1")
            .system_status(
                ec2::InstanceStatusSummary::builder()
                    .status("wobbly".into())
                    .build(),
            )
            .events(
                ec2::InstanceStatusEvent::builder()
                    .code("instance-teleport".into())
                    .build(),
            )
            .build();
        let (_, checks) = super::status(&status).unwrap();
        assert_eq!(checks.system, CheckState::Unknown("wobbly".to_owned()));
        assert_eq!(checks.instance, CheckState::Unknown(String::new()));
        assert_eq!(checks.attached_ebs, None);
        assert_eq!(
            checks.events.first().unwrap().code,
            EventCode::Unknown("instance-teleport".to_owned())
        );
        assert_eq!(
            image_state(Some(&"recycled".into())),
            ImageState::Unknown("recycled".to_owned())
        );
        assert_eq!(image_state(None), ImageState::Unknown(String::new()));
        let bare = elb::TargetHealthDescription::builder()
            .target(elb::TargetDescription::builder().id("i-1").port(70_000).build())
            .build();
        let target = super::target(&bare).unwrap();
        assert_eq!(
            (target.port, target.health.state),
            (None, TargetState::Unknown(String::new()))
        );
    }
}
