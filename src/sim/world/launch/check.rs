//! What EC2 refuses in a launch before it looks at anything else, and what becomes of the rest.

use super::super::World;
use super::super::api::ApiError;
use super::super::image::Image;
use super::super::instance::{Scope, State};
use super::super::tags::check_tags;
use super::{
    InstanceType, LaunchData, Metadata, MetadataSpec, PlacementSpec, RunInstances, Settings, Spot, vcpus_of,
};

/// User data may have so many bytes before it is encoded.
const USER_DATA_MAX: usize = 16_384;

/// The parameters make sense by themselves.
pub(super) fn data(data: &LaunchData) -> Result<(), ApiError> {
    for (kind, tags) in &data.tags {
        if !matches!(
            kind.as_str(),
            "instance" | "volume" | "network-interface" | "spot-instances-request"
        ) {
            let text = format!("'{kind}' is not a valid taggable resource type for this operation.");
            return Err(ApiError::new("InvalidParameterValue", text));
        }
        check_tags(tags)?;
    }
    if let Some(text) = &data.user_data {
        user_data(text)?;
    }
    metadata(&data.metadata)?;
    shutdown_behavior(data.shutdown_behavior.as_deref())?;
    credits(data.cpu_credits.as_deref())?;
    placement(&data.placement)?;
    let is_public = data
        .interfaces
        .iter()
        .any(|e| e.associate_public_ip == Some(true));
    if is_public && data.interfaces.len() > 1 {
        let text = "The associatePublicIPAddress parameter cannot be specified when launching with multiple network \
                    interfaces.";
        return Err(ApiError::new("InvalidParameterCombination", text));
    }
    if let Some(market) = &data.market {
        one_of("MarketType", market.kind.as_deref(), &["spot"])?;
        one_of(
            "SpotInstanceType",
            market.spot_type.as_deref(),
            &["one-time", "persistent"],
        )?;
        let keeps = matches!(market.interruption.as_deref(), Some("stop" | "hibernate"));
        if keeps && market.spot_type.as_deref() != Some("persistent") {
            let text =
                "The interruption behavior can be stop or hibernate for persistent Spot requests alone.";
            return Err(ApiError::new("InvalidParameterCombination", text));
        }
    }
    Ok(())
}

/// Shared hardware is all that is modelled, and no placement group can be made here, so that none exists.
fn placement(wanted: &PlacementSpec) -> Result<(), ApiError> {
    if let Some(name) = &wanted.group_name {
        let text = format!("The placement group '{name}' is unknown.");
        return Err(ApiError::new("InvalidPlacementGroup.Unknown", text));
    }
    match wanted.tenancy.as_deref() {
        None | Some("default") => Ok(()),
        Some(other @ ("dedicated" | "host")) => Err(ApiError::not_modelled(format!("tenancy {other:?}"))),
        other => one_of("Tenancy", other, &["default", "dedicated", "host"]),
    }
}

/// # Errors
/// There is no such behavior.
pub(super) fn shutdown_behavior(value: Option<&str>) -> Result<(), ApiError> {
    one_of("InstanceInitiatedShutdownBehavior", value, &["stop", "terminate"])
}

/// # Errors
/// There is no such credit option.
pub(super) fn credits(value: Option<&str>) -> Result<(), ApiError> {
    one_of("CpuCredits", value, &["standard", "unlimited"])
}

/// # Errors
/// The type cannot do what is asked of it.
pub(super) fn for_type(kind: &InstanceType, data: &LaunchData) -> Result<(), ApiError> {
    if data.cpu_credits.is_some() && !kind.burstable {
        return Err(super::tune::no_credits(&kind.name));
    }
    let (cores, threads) = kind.cpu();
    let is_too_much = data.cpu.core_count.is_some_and(|n| n == 0 || n > cores)
        || data.cpu.threads_per_core.is_some_and(|n| n == 0 || n > threads);
    if is_too_much {
        let text = format!(
            "The specified CPU options are not supported by the instance type {}, which has {cores} cores with {threads} \
             threads each.",
            kind.name
        );
        return Err(ApiError::new("InvalidParameterValue", text));
    }
    if data.ebs_optimized == Some(true) && kind.ebs_optimized_support() == "unsupported" {
        let text = "EBS-optimized instances are not supported for your requested configuration. Please check the \
                    documentation for supported configurations.";
        return Err(ApiError::new("Unsupported", text));
    }
    Ok(())
}

/// # Errors
/// A value that the metadata service does not have.
pub(super) fn metadata(wanted: &MetadataSpec) -> Result<(), ApiError> {
    one_of("HttpTokens", wanted.tokens.as_deref(), &["optional", "required"])?;
    let switch = ["enabled", "disabled"];
    one_of("HttpEndpoint", wanted.endpoint.as_deref(), &switch)?;
    one_of("HttpProtocolIpv6", wanted.ipv6.as_deref(), &switch)?;
    one_of("InstanceMetadataTags", wanted.tags.as_deref(), &switch)?;
    match wanted.hop_limit {
        Some(hops) if !(1..=64).contains(&hops) => {
            let text = format!(
                "Value ({hops}) for parameter HttpPutResponseHopLimit is invalid. Expecting 1 to 64."
            );
            Err(ApiError::new("InvalidParameterValue", text))
        }
        _ => Ok(()),
    }
}

/// # Errors
/// It is no base64, or too long.
pub(super) fn user_data(text: &str) -> Result<(), ApiError> {
    let digits = text.trim_end_matches('=');
    let is_base64 = digits
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'\n' | b'\r'));
    if !is_base64 {
        return Err(ApiError::new(
            "InvalidUserData.Malformed",
            "Invalid BASE64 encoding of user data.",
        ));
    }
    if digits.len() * 3 / 4 > USER_DATA_MAX {
        let text = format!("User data is limited to {USER_DATA_MAX} bytes");
        return Err(ApiError::new("InvalidParameterValue", text));
    }
    Ok(())
}

pub(super) fn counts(min: u32, max: u32) -> Result<(), ApiError> {
    if min >= 1 && max >= min {
        return Ok(());
    }
    let text = format!("Value ({min}, {max}) for parameters minCount, maxCount is invalid: 1 <= min <= max.");
    Err(ApiError::new("InvalidParameterValue", text))
}

pub(super) fn architecture(kind: &InstanceType, of_image: &str) -> Result<(), ApiError> {
    if kind.architecture == of_image {
        return Ok(());
    }
    let text = format!(
        "The architecture '{}' of the specified instance type does not match the architecture '{of_image}' of the \
         specified AMI. Specify an instance type and an AMI that have matching architectures, and try again.",
        kind.architecture
    );
    Err(ApiError::new("InvalidParameterValue", text))
}

fn one_of(what: &str, value: Option<&str>, known: &[&str]) -> Result<(), ApiError> {
    match value {
        Some(value) if !known.contains(&value) => {
            let text = format!(
                "Value ({value}) for parameter {what} is invalid. Expecting one of {}.",
                known.join(", ")
            );
            Err(ApiError::new("InvalidParameterValue", text))
        }
        _ => Ok(()),
    }
}

impl World {
    /// How many virtual processors of the quota are left.
    pub(in crate::sim::world) fn vcpus_left(&self, scope: &Scope, spot: bool) -> u32 {
        let quota = self.quota(scope);
        let most = if spot { quota.spot_vcpus } else { quota.vcpus };
        let using = self.instances().filter(|i| {
            i.scope == *scope && i.spot == spot && matches!(i.state, State::Pending | State::Running)
        });
        let used = using
            .map(|i| vcpus_of(&i.instance_type))
            .fold(0, u32::saturating_add);
        most.saturating_sub(used)
    }

    pub(in crate::sim::world) fn vcpu_limit(&self, scope: &Scope) -> ApiError {
        let text = format!(
            "You have requested more vCPU capacity than your current vCPU limit of {} allows for the instance bucket \
             that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request \
             to request an adjustment to this limit.",
            self.quota(scope).vcpus
        );
        ApiError::new("VcpuLimitExceeded", text)
    }

    /// The new instances' settings: what was asked for, and EC2's defaults.
    pub(super) fn settings_for(
        &mut self,
        scope: &Scope,
        wanted: &RunInstances,
        data: &LaunchData,
        kind: &InstanceType,
        image: &Image,
    ) -> Result<Settings, ApiError> {
        let usual = Settings::default();
        let spot = data.market.as_ref().map(|market| Spot {
            request: self.new_id("sir-"),
            persistent: market.spot_type.as_deref() == Some("persistent"),
            interruption: market
                .interruption
                .clone()
                .unwrap_or_else(|| "terminate".to_owned()),
        });
        let (cores, threads) = kind.cpu();
        let cpu = (
            data.cpu.core_count.unwrap_or(cores),
            data.cpu.threads_per_core.unwrap_or(threads),
        );
        let credits = data.cpu_credits.as_deref().or(kind.usual_credits());
        Ok(Settings {
            key_name: data.key_name.clone(),
            profile: self.profile_arn(scope, data)?,
            user_data: data.user_data.clone(),
            monitoring: data.monitoring.unwrap_or(false),
            monitoring_changes: false,
            ebs_optimized: data.ebs_optimized.unwrap_or(false),
            disable_api_termination: data.disable_api_termination.unwrap_or(false),
            disable_api_stop: data.disable_api_stop.unwrap_or(false),
            shutdown_terminates: data.shutdown_behavior.as_deref() == Some("terminate"),
            metadata: Metadata::of_image(image.imds.as_deref()).with(&data.metadata),
            cpu_credits: credits.map(str::to_owned),
            cpu: Some(cpu),
            hibernation: data.hibernation.unwrap_or(false),
            enclave: data.enclave.unwrap_or(false),
            tenancy: data.placement.tenancy.clone().unwrap_or(usual.tenancy),
            placement_group: data.placement.group_name.clone(),
            partition: data.placement.partition,
            affinity: data.placement.affinity.clone(),
            host: data.placement.host.clone(),
            hostname_kind: data.hostname.kind.clone().unwrap_or(usual.hostname_kind),
            a_record: data.hostname.a_record.unwrap_or(false),
            aaaa_record: data.hostname.aaaa_record.unwrap_or(false),
            auto_recovery: data.auto_recovery.clone().unwrap_or(usual.auto_recovery),
            capacity_reservation_preference: data
                .capacity_reservation_preference
                .clone()
                .unwrap_or(usual.capacity_reservation_preference),
            client_token: wanted.token.clone(),
            spot,
        })
    }

    fn profile_arn(&self, scope: &Scope, data: &LaunchData) -> Result<Option<String>, ApiError> {
        let Some(profile) = &data.profile else {
            return Ok(None);
        };
        let account = &scope.account;
        let arn = match (&profile.arn, &profile.name) {
            (Some(arn), None) => arn.clone(),
            (None, Some(name)) => format!("arn:aws:iam::{account}:instance-profile/{name}"),
            _ => {
                let text =
                    "Either the ARN or the name of an IAM instance profile must be specified, not both.";
                return Err(ApiError::new("InvalidParameterCombination", text));
            }
        };
        if self.launching.lost_profiles.contains(&arn) {
            let text = format!(
                "Value ({arn}) for parameter iamInstanceProfile is invalid. Invalid IAM Instance Profile"
            );
            return Err(ApiError::new("InvalidParameterValue", text));
        }
        Ok(Some(arn))
    }
}
