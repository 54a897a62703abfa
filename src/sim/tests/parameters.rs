//! SSM's parameters beyond get and put: versions, paths, tags, images, AWS's own.

use aws_sdk_ssm::types::{ParameterStringFilter, ParameterType, ResourceTypeForTagging, Tag};

use super::*;
use crate::sim::world::{Scope, incident};

type Ssm = aws_sdk_ssm::Client;

async fn put(ssm: &Ssm, name: &str, value: &str) {
    let put = ssm
        .put_parameter()
        .name(name)
        .value(value)
        .r#type(ParameterType::String);
    put.overwrite(true).send().await.unwrap();
}

#[test]
fn amazons_own_parameters_name_images_that_exist_in_each_region() {
    simulate(incident::world(1), |cloud| async move {
        for region in [REGION, "ap-southeast-2"] {
            let ssm = Ssm::new(&sdk_of(&cloud, &Incarnation::person(), ACCOUNT, region));
            let path = "/aws/service/ami-amazon-linux-latest";
            let pages = ssm
                .get_parameters_by_path()
                .path(path)
                .max_results(2)
                .into_paginator()
                .send();
            let pages: Vec<_> = pages.collect::<Result<_, _>>().await.unwrap();
            let all: Vec<_> = pages.iter().flat_map(|p| p.parameters()).collect();
            assert!(
                all.len() >= 4
                    && all.iter().all(|p| {
                        cloud.world(|w| {
                            w.image(p.value().unwrap())
                                .is_some_and(|i| i.scope.region == region)
                        })
                    })
            );
            let one = ssm
                .get_parameter()
                .name(all[0].name().unwrap())
                .send()
                .await
                .unwrap();
            assert_eq!(one.parameter().unwrap().value(), all[0].value());
            let mine = ssm
                .put_parameter()
                .name(all[0].name().unwrap())
                .value("x")
                .r#type(ParameterType::String);
            assert_eq!(code(&mine.send().await.unwrap_err()), "AccessDeniedException");
        }
    });
}

#[test]
fn parameters_are_found_by_path_at_one_level_or_all() {
    simulate(incident::world(1), |cloud| async move {
        let ssm = Ssm::new(&sdk(&cloud));
        for name in ["/tis/a", "/tis/b", "/tis/deep/c", "/tistle"] {
            put(&ssm, name, "1").await;
        }
        let by_path = async |recursive| {
            let answer = ssm
                .get_parameters_by_path()
                .path("/tis")
                .recursive(recursive)
                .send()
                .await
                .unwrap();
            answer
                .parameters()
                .iter()
                .map(|p| p.name().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(by_path(false).await, ["/tis/a", "/tis/b"]);
        assert_eq!(by_path(true).await, ["/tis/a", "/tis/b", "/tis/deep/c"]);
        let filter = ParameterStringFilter::builder()
            .key("Name")
            .option("BeginsWith")
            .values("/tis/")
            .build()
            .unwrap();
        let described = ssm
            .describe_parameters()
            .parameter_filters(filter)
            .send()
            .await
            .unwrap();
        assert_eq!(described.parameters().len(), 3);
        let filter = ParameterStringFilter::builder()
            .key("Colour")
            .values("blue")
            .build()
            .unwrap();
        let error = ssm
            .describe_parameters()
            .parameter_filters(filter)
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&error), "InvalidFilterKey");
        let gone = ssm
            .delete_parameters()
            .names("/tis/a")
            .names("/nope")
            .send()
            .await
            .unwrap();
        assert_eq!(
            (gone.deleted_parameters(), gone.invalid_parameters()),
            (&["/tis/a".to_owned()][..], &["/nope".to_owned()][..])
        );
    });
}

#[test]
fn earlier_versions_can_be_read_and_tags_put_and_taken() {
    simulate(incident::world(1), |cloud| async move {
        let ssm = Ssm::new(&sdk(&cloud));
        for value in ["one", "two", "three"] {
            put(&ssm, "/tis/base", value).await;
        }
        let value = async |name: &str| {
            let answer = ssm.get_parameter().name(name).send().await;
            answer
                .map(|a| a.parameter().unwrap().value().unwrap().to_owned())
                .map_err(|e| code(&e).to_owned())
        };
        assert_eq!(value("/tis/base").await, Ok("three".into()));
        assert_eq!(value("/tis/base:1").await, Ok("one".into()));
        assert_eq!(value("/tis/base:9").await, Err("ParameterVersionNotFound".into()));
        let tag = Tag::builder().key("team").value("tis").build().unwrap();
        let add = ssm
            .add_tags_to_resource()
            .resource_type(ResourceTypeForTagging::Parameter);
        add.resource_id("/tis/base").tags(tag).send().await.unwrap();
        let list = || {
            ssm.list_tags_for_resource()
                .resource_type(ResourceTypeForTagging::Parameter)
        };
        let tags = list().resource_id("/tis/base").send().await.unwrap();
        assert_eq!(tags.tag_list()[0].value(), "tis");
        let remove = ssm
            .remove_tags_from_resource()
            .resource_type(ResourceTypeForTagging::Parameter);
        remove
            .resource_id("/tis/base")
            .tag_keys("team")
            .send()
            .await
            .unwrap();
        assert_eq!(
            list()
                .resource_id("/tis/base")
                .send()
                .await
                .unwrap()
                .tag_list()
                .len(),
            0
        );
        let error = list().resource_id("/nope").send().await.unwrap_err();
        assert_eq!(code(&error), "InvalidResourceId");
    });
}

#[test]
fn a_parameter_for_an_image_is_written_only_for_one_that_is_available() {
    simulate(incident::world(1), |cloud| async move {
        let ssm = Ssm::new(&sdk(&cloud));
        let put = |value: &str| {
            let put = ssm
                .put_parameter()
                .name("/tis/image")
                .value(value)
                .data_type("aws:ec2:image");
            put.r#type(ParameterType::String).overwrite(true).send()
        };
        let scope = Scope::new(ACCOUNT, REGION);
        let value = || cloud.world(|w| w.parameter_value(&scope, "/tis/image"));
        assert_eq!(code(&put("no image").await.unwrap_err()), "ValidationException");
        assert!(put("ami-0123456789abcdef0").await.is_ok());
        assert_eq!(value(), None);
        assert!(put(incident::IMAGE).await.is_ok());
        assert_eq!(value().as_deref(), Some(incident::IMAGE));
        cloud.world(|w| {
            let image = w.launchable_image(&scope, "resolve:ssm:/tis/image").unwrap();
            assert_eq!(image.id, incident::IMAGE);
        });
    });
}
