//! The smaller rooms: tags, parameters, roles, Auto Scaling groups, webhooks.

use aws_smithy_runtime_api::client::http::{HttpClient, HttpConnector, HttpConnectorSettings};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_types::body::SdkBody;

use super::*;
use crate::sim::wire::{self, Service};
use crate::sim::world::webhook::WebhookAnswer;
use crate::sim::world::{GroupSpec, InstanceSpec, Scope, incident};

#[test]
fn people_can_meddle_with_tags_through_the_wire() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let tag = |key: &str, value: &str| aws_sdk_ec2::types::Tag::builder().key(key).value(value).build();
        ec2.create_tags()
            .resources(incident::GREEN)
            .tags(tag("note", "<&\"'>"))
            .send()
            .await
            .unwrap();
        let answer = ec2
            .describe_instances()
            .instance_ids(incident::GREEN)
            .send()
            .await
            .unwrap();
        let tags = answer.reservations()[0].instances()[0].tags();
        assert!(
            tags.iter()
                .any(|t| t.key() == Some("note") && t.value() == Some("<&\"'>"))
        );
        let key = aws_sdk_ec2::types::Tag::builder().key("note").build();
        ec2.delete_tags()
            .resources(incident::GREEN)
            .tags(key)
            .send()
            .await
            .unwrap();
        assert_eq!(
            cloud.world(|w| w.instance(incident::GREEN).unwrap().tags.len()),
            1
        );
        let error = ec2
            .create_tags()
            .resources(incident::GREEN)
            .tags(tag("aws:x", ""))
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&error), "InvalidParameterValue");
    });
}

#[test]
fn parameters_are_put_read_listed_as_invalid_and_deleted() {
    simulate(incident::world(1), |cloud| async move {
        let ssm = aws_sdk_ssm::Client::new(&sdk(&cloud));
        let error = ssm
            .get_parameter()
            .name("/keepgreen/pause")
            .send()
            .await
            .unwrap_err();
        assert!(error.into_service_error().is_parameter_not_found());
        let put = || {
            ssm.put_parameter()
                .name("/keepgreen/pause")
                .value("{\"by\":\"me\"}")
        };
        put()
            .r#type(aws_sdk_ssm::types::ParameterType::String)
            .send()
            .await
            .unwrap();
        let error = put().send().await.unwrap_err();
        assert!(error.into_service_error().is_parameter_already_exists());
        assert_eq!(put().overwrite(true).send().await.unwrap().version(), 2);
        let answer = ssm
            .get_parameters()
            .names("/keepgreen/pause")
            .names("/keepgreen/pause/tis")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.parameters()[0].value(), Some("{\"by\":\"me\"}"));
        assert_eq!(
            answer.parameters()[0].last_modified_date().unwrap().secs(),
            cloud.clock().now().as_second()
        );
        assert_eq!(answer.invalid_parameters(), ["/keepgreen/pause/tis"]);
        ssm.delete_parameter()
            .name("/keepgreen/pause")
            .send()
            .await
            .unwrap();
        assert!(cloud.world(|w| {
            w.parameter(&Scope::new(ACCOUNT, REGION), "/keepgreen/pause")
                .is_none()
        }));
    });
}

#[test]
fn a_role_needs_its_external_id_and_its_credentials_end() {
    let role = "arn:aws:iam::444455556666:role/keepgreen";
    let world = incident::world(1)
        .role(role, Some("secret-handshake"))
        .instance(InstanceSpec::new(&id(1)).scope("444455556666", REGION));
    simulate(world, |cloud| async move {
        let config = sdk(&cloud);
        let sts = aws_sdk_sts::Client::new(&config);
        let assume = || {
            sts.assume_role()
                .role_arn(role)
                .role_session_name("tests")
                .duration_seconds(900)
        };
        assert_eq!(code(&assume().send().await.unwrap_err()), "AccessDenied");
        let session = assume().external_id("secret-handshake").send().await.unwrap();
        let keys = session.credentials().unwrap();
        let provider = Credentials::new(keys.access_key_id(), "s", Some("t".to_owned()), None, "role");
        let config = config
            .into_builder()
            .credentials_provider(SharedCredentialsProvider::new(provider))
            .build();
        let identity = aws_sdk_sts::Client::new(&config)
            .get_caller_identity()
            .send()
            .await
            .unwrap();
        assert_eq!(identity.account(), Some("444455556666"));
        let ec2 = aws_sdk_ec2::Client::new(&config);
        assert_eq!(
            ec2.describe_instances()
                .send()
                .await
                .unwrap()
                .reservations()
                .len(),
            1
        );
        tokio::time::sleep(seconds(900)).await;
        assert_eq!(
            code(&ec2.describe_instances().send().await.unwrap_err()),
            "RequestExpired"
        );
    });
}

#[test]
fn groups_show_their_members_and_unknown_names_are_left_out() {
    let world = WorldBuilder::new(1)
        .group(GroupSpec::new("web", 1, 2, 3))
        .instance(InstanceSpec::new(&id(1)).group("web"))
        .instance(
            InstanceSpec::new(&id(2))
                .group("web")
                .stopped("Client.UserInitiatedShutdown"),
        );
    simulate(world, |cloud| async move {
        let scaling = aws_sdk_autoscaling::Client::new(&sdk(&cloud));
        let names = ["web".to_owned(), "nobody".to_owned()];
        let asked = scaling
            .describe_auto_scaling_groups()
            .set_auto_scaling_group_names(Some(names.to_vec()));
        let answer = asked.send().await.unwrap();
        let [group] = answer.auto_scaling_groups() else {
            panic!("{answer:?}")
        };
        let members = group
            .instances()
            .iter()
            .map(|i| (i.instance_id().unwrap(), i.health_status().unwrap()));
        let expected = [(id(1), "Healthy"), (id(2), "Unhealthy")];
        assert_eq!(
            members.collect::<Vec<_>>(),
            expected.each_ref().map(|(id, health)| (id.as_str(), *health))
        );
        assert_eq!(group.desired_capacity(), Some(2));
    });
}

async fn post(cloud: &Cloud, url: &str) -> Result<(u16, Option<String>), ConnectorError> {
    let settings = HttpConnectorSettings::builder()
        .read_timeout(READ_TIMEOUT)
        .build();
    let parts = RuntimeComponentsBuilder::for_tests().build().unwrap();
    let connector = cloud
        .http_client(&Incarnation::person())
        .http_connector(&settings, &parts);
    let mut request = HttpRequest::new(SdkBody::from("{\"text\":\"hello\"}"));
    request.set_method("POST").unwrap();
    request.set_uri(url).unwrap();
    request.headers_mut().insert("content-type", "application/json");
    let answer = connector.call(request).await?;
    let header = answer
        .headers()
        .get("retry-after")
        .or(answer.headers().get("location"));
    Ok((answer.status().as_u16(), header.map(str::to_owned)))
}

#[test]
fn webhooks_record_what_they_get_and_answer_as_told() {
    simulate(incident::world(1), |cloud| async move {
        let url = "https://hooks.slack.test/services/T0/B0/secret";
        assert_eq!(post(&cloud, url).await.unwrap(), (200, None));
        let first = cloud.world(|w| w.posts("hooks.slack.test")[0].clone());
        assert_eq!(
            (first.path.as_str(), first.body.as_str()),
            ("/services/T0/B0/secret", "{\"text\":\"hello\"}")
        );
        assert_eq!(first.content_type.as_deref(), Some("application/json"));
        let answers = [
            (WebhookAnswer::TooManyRequests(30), (429, Some("30".to_owned()))),
            (WebhookAnswer::ServerError, (500, None)),
            (
                WebhookAnswer::Redirect("https://evil.test/".to_owned()),
                (302, Some("https://evil.test/".to_owned())),
            ),
        ];
        for (told, expected) in answers {
            cloud.world(|w| w.set_webhook("hooks.slack.test", told));
            assert_eq!(post(&cloud, url).await.unwrap(), expected);
        }
        cloud.world(|w| w.set_webhook("hooks.slack.test", WebhookAnswer::Hang));
        assert!(post(&cloud, url).await.unwrap_err().is_timeout());
        assert!(post(&cloud, "https://nowhere.test/").await.unwrap_err().is_io());
        assert_eq!(cloud.world(|w| w.posts("hooks.slack.test").len()), 5);
    });
}

#[test]
fn every_service_has_a_room_and_no_operation_is_listed_twice() {
    let mut routes: Vec<_> = wire::routes().map(|r| (r.service, r.action)).collect();
    let all = routes.len();
    routes.sort();
    routes.dedup();
    assert_eq!(routes.len(), all);
    assert!(
        Service::ALL
            .iter()
            .all(|service| routes.iter().any(|(s, _)| s == service))
    );
}
