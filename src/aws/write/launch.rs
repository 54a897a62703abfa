//! RunInstances: one launch's request, complete, and what its answer says.
//!
//! The request is a function of the [`Launch`] alone, with everything in a fixed order: a repeat is the same to the byte
//! (S4). What is not named here AWS takes from the image, the template or the subnet.

use crate::aws::api::Api;
use crate::model::{
    AwsError, CloneOf, ErrorClass, IdRecords, InstanceId, Launch, LaunchForm, MetadataOptions, RootVolume,
};
use aws_sdk_ec2::operation::run_instances::RunInstancesOutput;
use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{
    BlockDeviceMapping, CreditSpecificationRequest, EbsBlockDevice, IamInstanceProfileSpecification,
    InstanceMetadataOptionsRequest, InstanceNetworkInterfaceSpecification, LaunchTemplateSpecification,
    PrivateDnsNameOptionsRequest, ResourceType, RunInstancesMonitoringEnabled, Tag, TagSpecification,
};
use aws_types::request_id::RequestId as _;
use std::collections::BTreeMap;

/// What the launch is about, for people and without what must not be shown.
pub(super) fn told(launch: &Launch) -> String {
    format!(
        "a replacement of {} from {} as {} in {}",
        launch.of.about, launch.image, launch.instance_type, launch.subnet
    )
}

/// Everything that is asked for, in the one request.
pub(super) fn request(blank: RunInstancesFluentBuilder, launch: &Launch) -> RunInstancesFluentBuilder {
    // The tags are in the call itself: an instance that came into being without them would be nobody's.
    let tags = [
        (ResourceType::Instance, &launch.tags),
        (ResourceType::Volume, &launch.volume_tags),
    ];
    let tags: Vec<TagSpecification> = tags
        .into_iter()
        .filter_map(|(of, tags)| tagged(of, tags))
        .collect();
    let common = blank
        .min_count(1)
        .max_count(1)
        .client_token(&launch.token)
        .image_id(launch.image.as_str())
        .instance_type(launch.instance_type.as_str().into())
        .set_tag_specifications(Some(tags).filter(|tags| !tags.is_empty()));
    match &launch.form {
        LaunchForm::Clone(of) => like(common, of, &launch.subnet),
        LaunchForm::Template { name, version } => {
            let template = LaunchTemplateSpecification::builder()
                .launch_template_name(name)
                .version(version.to_string())
                .build();
            common.launch_template(template).subnet_id(&launch.subnet)
        }
    }
}

fn like(common: RunInstancesFluentBuilder, of: &CloneOf, subnet: &str) -> RunInstancesFluentBuilder {
    // Spelt out as an interface, because only so can the subnet's own default for public addresses be overruled; AWS then
    // takes no subnet and no groups beside it.
    let interface = InstanceNetworkInterfaceSpecification::builder()
        .device_index(0)
        .subnet_id(subnet)
        .set_groups(Some(of.security_groups.iter().cloned().collect()))
        .associate_public_ip_address(of.public_ip)
        .delete_on_termination(true)
        .build();
    let profile = of
        .profile
        .as_ref()
        .map(|arn| IamInstanceProfileSpecification::builder().arn(arn).build());
    let user_data = of.user_data.as_ref().map(|data| data.reveal().to_owned());
    let credits = of.cpu_credits.as_ref();
    let credits = credits.map(|credits| CreditSpecificationRequest::builder().cpu_credits(credits).build());
    let monitoring = RunInstancesMonitoringEnabled::builder()
        .enabled(of.monitoring)
        .build();
    common
        .network_interfaces(interface)
        .set_iam_instance_profile(profile)
        .set_key_name(of.key_name.clone())
        .set_user_data(user_data)
        .set_metadata_options(metadata(&of.metadata))
        .set_private_dns_name_options(id_records(of.id_records))
        .monitoring(monitoring)
        .ebs_optimized(of.ebs_optimized)
        .set_credit_specification(credits)
        .block_device_mappings(root(&of.root))
}

/// Nothing that is known is left to AWS's defaults, which may be weaker. Beside a disabled endpoint AWS takes no other
/// option, and none matters.
fn metadata(options: &MetadataOptions) -> Option<InstanceMetadataOptionsRequest> {
    if *options == MetadataOptions::default() {
        return None;
    }
    let word = |word: &Option<String>| word.clone();
    let request = InstanceMetadataOptionsRequest::builder()
        .set_http_endpoint(word(&options.endpoint).map(|word| word.as_str().into()));
    if options.endpoint.as_deref() == Some("disabled") {
        return Some(request.build());
    }
    let request = request
        .set_http_tokens(word(&options.tokens).map(|word| word.as_str().into()))
        .set_http_put_response_hop_limit(options.hop_limit)
        .set_http_protocol_ipv6(word(&options.ipv6).map(|word| word.as_str().into()))
        .set_instance_metadata_tags(word(&options.tags).map(|word| word.as_str().into()));
    Some(request.build())
}

/// The subnet's defaults, which may be others than when the old one was launched, are overruled.
fn id_records(records: IdRecords) -> Option<PrivateDnsNameOptionsRequest> {
    (records != IdRecords::default()).then(|| {
        PrivateDnsNameOptionsRequest::builder()
            .set_enable_resource_name_dns_a_record(records.a)
            .set_enable_resource_name_dns_aaaa_record(records.aaaa)
            .build()
    })
}

/// The settings of the old root volume on the image's root device; its content is the image's snapshot. Whatever the old one
/// did, it ends with its instance until that has proven itself ([`crate::model::Step::KeepVolume`]): what fails leaves nothing.
fn root(volume: &RootVolume) -> BlockDeviceMapping {
    let settings = EbsBlockDevice::builder()
        .volume_size(volume.size_gib)
        .volume_type(volume.kind.as_str().into())
        .set_iops(volume.iops)
        .set_throughput(volume.throughput)
        // `false` could not take the encryption of the image's snapshot away, and AWS refuses the attempt.
        .set_encrypted(volume.encrypted.then_some(true))
        .set_kms_key_id(volume.kms_key.clone().filter(|_| volume.encrypted))
        .delete_on_termination(true)
        .build();
    BlockDeviceMapping::builder()
        .device_name(&volume.device)
        .ebs(settings)
        .build()
}

fn tagged(of: ResourceType, tags: &BTreeMap<String, String>) -> Option<TagSpecification> {
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    let specification = TagSpecification::builder()
        .resource_type(of)
        .set_tags(Some(tags.iter().map(tag).collect()));
    // AWS refuses a specification without a tag.
    (!tags.is_empty()).then(|| specification.build())
}

/// The one instance that was made.
///
/// # Errors
/// Ambiguous, if the answer does not name exactly one: then nobody knows what was made. The same token asks again.
pub(super) fn made(answer: &RunInstancesOutput, object: String) -> Result<InstanceId, AwsError> {
    let ids: Vec<Option<&str>> = answer
        .instances()
        .iter()
        .map(|instance| instance.instance_id())
        .collect();
    match ids[..] {
        [Some(id)] if !id.is_empty() => Ok(InstanceId::new(id)),
        _ => Err(AwsError {
            operation: Api::RunInstances.name().to_owned(),
            object: Some(object),
            class: ErrorClass::Ambiguous,
            code: None,
            message: format!(
                "the answer names {} instances where one was asked for",
                ids.iter().flatten().count()
            ),
            request_id: answer.request_id().map(str::to_owned),
        }),
    }
}
