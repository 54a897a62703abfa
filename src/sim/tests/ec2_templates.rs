//! Launch templates through the real client.

use aws_sdk_ec2::types::{
    Filter, LaunchTemplateBlockDeviceMappingRequest, LaunchTemplateEbsBlockDeviceRequest,
    LaunchTemplateTagSpecificationRequest, RequestLaunchTemplateData, ResourceType, Tag,
};

use super::*;
use crate::sim::world::{Scope, TemplateRef, incident};

type Ec2 = aws_sdk_ec2::Client;

const LATEST: &str = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64";

fn data(image: &str) -> RequestLaunchTemplateData {
    let ebs = LaunchTemplateEbsBlockDeviceRequest::builder()
        .volume_size(30)
        .delete_on_termination(true)
        .build();
    let device = LaunchTemplateBlockDeviceMappingRequest::builder()
        .device_name("/dev/xvda")
        .ebs(ebs)
        .build();
    let tag = Tag::builder().key("role").value("web").build();
    let tags = LaunchTemplateTagSpecificationRequest::builder()
        .resource_type(ResourceType::Instance)
        .tags(tag);
    RequestLaunchTemplateData::builder()
        .image_id(image)
        .instance_type("m5.large".into())
        .block_device_mappings(device)
        .security_group_ids("sg-0123456789abcdef0")
        .tag_specifications(tags.build())
        .build()
}

async fn template(ec2: &Ec2) -> String {
    let made = ec2
        .create_launch_template()
        .launch_template_name("web")
        .launch_template_data(data(incident::IMAGE));
    let made = made.send().await.unwrap();
    made.launch_template()
        .unwrap()
        .launch_template_id()
        .unwrap()
        .to_owned()
}

fn named(name: &str) -> TemplateRef {
    TemplateRef {
        name: Some(name.to_owned()),
        id: None,
    }
}

#[test]
fn a_new_version_builds_on_another_and_the_default_changes_only_when_told() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = Ec2::new(&sdk(&cloud));
        let id = template(&ec2).await;
        let bigger = RequestLaunchTemplateData::builder()
            .instance_type("m5.xlarge".into())
            .build();
        let next = ec2
            .create_launch_template_version()
            .launch_template_id(&id)
            .source_version("1");
        let next = next
            .version_description("bigger")
            .launch_template_data(bigger)
            .send()
            .await
            .unwrap();
        let version = next.launch_template_version().unwrap();
        assert_eq!(
            (version.version_number(), version.default_version()),
            (Some(2), Some(false))
        );
        let shown = version.launch_template_data().unwrap();
        assert_eq!(
            (shown.image_id(), shown.instance_type().unwrap().as_str()),
            (Some(incident::IMAGE), "m5.xlarge")
        );
        assert_eq!(
            shown.block_device_mappings()[0].ebs().unwrap().volume_size(),
            Some(30)
        );
        assert_eq!(shown.security_group_ids(), ["sg-0123456789abcdef0"]);
        assert_eq!(shown.tag_specifications()[0].tags()[0].value(), Some("web"));

        let scope = Scope::new(ACCOUNT, REGION);
        let instance_type = |version: Option<&str>| {
            cloud.world(|w| {
                w.resolve_template(&scope, &named("web"), version)
                    .unwrap()
                    .instance_type
                    .unwrap()
            })
        };
        assert_eq!(
            (instance_type(None), instance_type(Some("$Latest"))),
            ("m5.large".into(), "m5.xlarge".into())
        );
        ec2.modify_launch_template()
            .launch_template_name("web")
            .default_version("2")
            .send()
            .await
            .unwrap();
        assert_eq!(
            (instance_type(None), instance_type(Some("1"))),
            ("m5.xlarge".into(), "m5.large".into())
        );
        let all = ec2
            .describe_launch_templates()
            .launch_template_names("web")
            .send()
            .await
            .unwrap();
        let one = &all.launch_templates()[0];
        assert_eq!(
            (one.default_version_number(), one.latest_version_number()),
            (Some(2), Some(2))
        );
    });
}

#[test]
fn versions_are_described_by_number_range_alias_and_filter_newest_first() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = Ec2::new(&sdk(&cloud));
        let id = template(&ec2).await;
        for image in [incident::IMAGE, LATEST, incident::IMAGE] {
            let next = ec2.create_launch_template_version().launch_template_id(&id);
            next.launch_template_data(data(image)).send().await.unwrap();
        }
        let ask = || ec2.describe_launch_template_versions();
        let numbers = |answer: aws_sdk_ec2::operation::describe_launch_template_versions::DescribeLaunchTemplateVersionsOutput| {
            answer.launch_template_versions().iter().filter_map(|v| v.version_number()).collect::<Vec<_>>()
        };
        assert_eq!(
            numbers(ask().launch_template_id(&id).send().await.unwrap()),
            [4, 3, 2, 1]
        );
        let some = ask()
            .launch_template_id(&id)
            .versions("$Latest")
            .versions("$Default");
        assert_eq!(numbers(some.send().await.unwrap()), [4, 1]);
        let range = ask()
            .launch_template_name("web")
            .min_version("2")
            .max_version("3");
        assert_eq!(numbers(range.send().await.unwrap()), [3, 2]);
        assert_eq!(numbers(ask().versions("$Latest").send().await.unwrap()), [4]);
        let filter = Filter::builder().name("image-id").values(LATEST).build();
        assert_eq!(
            numbers(
                ask()
                    .launch_template_id(&id)
                    .filters(filter)
                    .send()
                    .await
                    .unwrap()
            ),
            [3]
        );
        let page = ask().launch_template_id(&id).max_results(3).send().await.unwrap();
        let rest = ask()
            .launch_template_id(&id)
            .max_results(3)
            .next_token(page.next_token().unwrap());
        assert_eq!(numbers(rest.send().await.unwrap()), [1]);
        let resolved = ask()
            .launch_template_id(&id)
            .versions("3")
            .resolve_alias(true)
            .send()
            .await
            .unwrap();
        let image = resolved.launch_template_versions()[0]
            .launch_template_data()
            .unwrap()
            .image_id()
            .unwrap();
        assert!(image.starts_with("ami-0") && cloud.world(|w| w.image(image).is_some()));
        let error = ask()
            .launch_template_id(&id)
            .versions("9")
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&error), "InvalidLaunchTemplateId.VersionNotFound");
    });
}

#[test]
fn templates_and_versions_are_deleted_and_unknown_ones_named() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = Ec2::new(&sdk(&cloud));
        let id = template(&ec2).await;
        let next = ec2.create_launch_template_version().launch_template_id(&id);
        next.launch_template_data(data(incident::IMAGE))
            .send()
            .await
            .unwrap();
        let delete = ec2.delete_launch_template_versions().launch_template_id(&id);
        let deleted = delete
            .versions("1")
            .versions("2")
            .versions("7")
            .send()
            .await
            .unwrap();
        let gone = deleted.successfully_deleted_launch_template_versions();
        assert_eq!(
            gone.iter()
                .map(|v| v.version_number().unwrap())
                .collect::<Vec<_>>(),
            [2]
        );
        let kept = deleted.unsuccessfully_deleted_launch_template_versions();
        let kept: Vec<_> = kept
            .iter()
            .map(|v| v.response_error().unwrap().code().unwrap().as_str())
            .collect();
        assert_eq!(kept, ["unexpectedError", "launchTemplateVersionDoesNotExist"]);

        let twice = ec2
            .create_launch_template()
            .launch_template_name("web")
            .launch_template_data(data("ami-1"));
        assert_eq!(
            code(&twice.send().await.unwrap_err()),
            "InvalidLaunchTemplateName.AlreadyExistsException"
        );
        ec2.delete_launch_template()
            .launch_template_name("web")
            .send()
            .await
            .unwrap();
        let by_id = ec2
            .describe_launch_templates()
            .launch_template_ids(&id)
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&by_id), "InvalidLaunchTemplateId.NotFound");
        let by_name = ec2
            .describe_launch_templates()
            .launch_template_names("web")
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&by_name), "InvalidLaunchTemplateName.NotFoundException");
        let malformed = ec2
            .delete_launch_template()
            .launch_template_id("lt-x")
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&malformed), "InvalidLaunchTemplateId.Malformed");
    });
}

#[test]
fn a_template_can_be_made_of_what_an_instance_is() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = Ec2::new(&sdk(&cloud));
        let answer = ec2
            .get_launch_template_data()
            .instance_id(incident::GREEN)
            .send()
            .await
            .unwrap();
        let data = answer.launch_template_data().unwrap();
        assert_eq!(
            (data.image_id(), data.instance_type().unwrap().as_str()),
            (Some(incident::IMAGE), "m5.large")
        );
        assert_eq!(
            data.tag_specifications()[0].tags()[0].value(),
            Some("tis-prod-green")
        );
        assert_eq!(
            data.block_device_mappings()[0].ebs().unwrap().volume_size(),
            Some(8)
        );
    });
}
