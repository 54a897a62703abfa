use super::*;
use crate::aws::Priority;
use crate::aws::canned::{Answer, Asked, Canned, Fleet, FleetInstance, error, ok};
use crate::model::{ErrorClass, ImageListing, ImageState, Instance, InstanceState};
use std::collections::BTreeSet;
use std::time::Duration;

const OWN: ScopeKey = ScopeKey {
    role: None,
    region: None,
};

async fn reader(canned: &Canned) -> Reader {
    Reader::new(&canned.sdk(), &OWN).await.unwrap()
}

fn by_name(name: &str) -> Vec<InstanceFilter> {
    vec![InstanceFilter {
        name: "tag:Name".to_owned(),
        values: BTreeSet::from([name.to_owned()]),
    }]
}

fn ids(instances: &[Instance]) -> Vec<&str> {
    instances.iter().map(|instance| instance.id.as_str()).collect()
}

fn fleet_of(count: usize, page: usize) -> Fleet {
    let instance = |number| FleetInstance::running(&format!("i-{number}"), "web");
    Fleet {
        instances: (0..count).map(instance).collect(),
        page,
        ..Fleet::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_listing_is_read_to_its_last_page() {
    let fleet = fleet_of(5, 2);
    let canned = Canned::new(move |asked| fleet.answer(asked));
    let listing = reader(&canned)
        .await
        .instances(&by_name("web"), Priority::Quiet)
        .await;
    assert_eq!(
        ids(&listing.complete().unwrap()),
        ["i-0", "i-1", "i-2", "i-3", "i-4"]
    );
    assert_eq!(canned.count("DescribeInstances"), 3);
    let [first, second, _] = &canned.asked()[..] else {
        panic!()
    };
    assert_eq!(
        (first.param("MaxResults"), first.param("NextToken")),
        ("1000", "")
    );
    assert_eq!(
        second.filters(),
        first.filters(),
        "the filters must be repeated with the token"
    );
}

#[tokio::test(start_paused = true)]
async fn a_second_page_that_fails_leaves_the_first_and_the_error() {
    let fleet = fleet_of(5, 2);
    let canned = Canned::new(move |asked| match asked.param("NextToken") {
        "" => fleet.answer(asked),
        _ => error(403, "UnauthorizedOperation"),
    });
    let reader = reader(&canned).await;
    let listing = reader.instances(&by_name("web"), Priority::Quiet).await;
    assert_eq!(ids(&listing.items), ["i-0", "i-1"]);
    assert_eq!(listing.failed.unwrap().class, ErrorClass::NotAuthorised);
    let metadata = reader.image_metadata(&by_name("web"), Priority::Quiet).await;
    assert_eq!(metadata.unwrap_err().class, ErrorClass::NotAuthorised);
}

#[tokio::test(start_paused = true)]
async fn filters_are_escaped_on_the_wire() {
    let canned = Canned::new(|_| ok("<R><reservationSet/></R>"));
    reader(&canned)
        .await
        .instances(&by_name(r"a*b?c\d"), Priority::Quiet)
        .await;
    let [asked] = &canned.asked()[..] else { panic!() };
    assert_eq!(asked.filters().get("tag:Name").unwrap(), &[r"a\*b\?c\\d"]);
}

#[tokio::test(start_paused = true)]
async fn missing_fields_and_unknown_words_are_no_errors_and_an_instance_without_an_id_is() {
    let set = |inner: &str| {
        ok(format!(
            "<R><reservationSet><item><instancesSet>{inner}</instancesSet></item></reservationSet></R>"
        ))
    };
    let canned = Canned::new(
        move |asked| match asked.filters().get("tag:Name").unwrap().join("").as_str() {
            "odd" => set(
                "<item><instanceId>i-1</instanceId><instanceState><name>levitating</name></instanceState></item>",
            ),
            _ => set("<item><imageId>ami-1</imageId></item>"),
        },
    );
    let reader = reader(&canned).await;
    let odd = reader
        .instances(&by_name("odd"), Priority::Quiet)
        .await
        .complete()
        .unwrap();
    assert_eq!(
        odd.first().unwrap().state,
        InstanceState::Unknown("levitating".to_owned())
    );
    let nameless = reader.instances(&by_name("nameless"), Priority::Quiet).await;
    assert!(nameless.failed.unwrap().message.contains("without an id"));
}

#[tokio::test(start_paused = true)]
async fn statuses_by_id_are_asked_without_a_page_size_and_all_of_them_with_one() {
    let canned = Canned::new(|_| ok("<R><instanceStatusSet/></R>"));
    let reader = reader(&canned).await;
    let these = StatusesOf::These(BTreeSet::from(["i-1".into(), "i-2".into()]));
    reader.statuses(&these, Priority::Quiet).await.unwrap();
    reader
        .statuses(&StatusesOf::AllRunning, Priority::Quiet)
        .await
        .unwrap();
    let [by_id, all] = &canned.asked()[..] else {
        panic!()
    };
    assert_eq!(
        (by_id.list("InstanceId").len(), by_id.param("MaxResults")),
        (2, "")
    );
    assert_eq!(
        (all.list("InstanceId").len(), all.param("MaxResults")),
        (0, "1000")
    );
}

#[tokio::test(start_paused = true)]
async fn an_image_is_absent_only_if_a_whole_answer_lacks_it() {
    let answer = |asked: &Asked| match asked.param("NextToken") {
        "" => ok(
            "<R><imagesSet><item><imageId>ami-1</imageId><imageState>disabled</imageState></item></imagesSet>\
                  <nextToken>t</nextToken></R>",
        ),
        _ => ok("<R><imagesSet><item><imageId>ami-2</imageId></item></imagesSet></R>"),
    };
    let images = BTreeSet::from(["ami-1".into(), "ami-2".into(), "ami-3".into()]);
    let canned = Canned::new(answer);
    let listings = reader(&canned)
        .await
        .image_listings(&images, Priority::Quiet)
        .await
        .unwrap();
    let expected = [
        ("ami-1".into(), ImageListing::Listed(ImageState::Disabled)),
        (
            "ami-2".into(),
            ImageListing::Listed(ImageState::Unknown(String::new())),
        ),
        ("ami-3".into(), ImageListing::Absent),
    ];
    assert_eq!(listings, expected.into());
    let [asked, _] = &canned.asked()[..] else { panic!() };
    assert_eq!(
        (asked.param("IncludeDisabled"), asked.param("IncludeDeprecated")),
        ("true", "true")
    );
    assert_eq!(
        asked.filters().get("image-id").unwrap(),
        &["ami-1", "ami-2", "ami-3"]
    );
    let broken = Canned::new(move |asked| match asked.param("NextToken") {
        "" => answer(asked),
        _ => error(503, "Unavailable"),
    });
    assert!(
        reader(&broken)
            .await
            .image_listings(&images, Priority::Quiet)
            .await
            .is_err()
    );
}

#[tokio::test(start_paused = true)]
async fn parameters_are_asked_ten_at_a_time_and_one_that_the_answer_does_not_mention_may_be_set() {
    let canned = Canned::new(|asked| {
        let body: serde_json::Value = serde_json::from_str(asked.param("body")).unwrap();
        let names = body["Names"].as_array().unwrap();
        assert!(names.len() <= 10);
        let unknown: Vec<_> = names
            .iter()
            .filter(|name| *name != "p-03" && *name != "p-99")
            .collect();
        let found = if names.iter().any(|name| name == "p-03") {
            serde_json::json!([{ "Name": "p-03", "Value": "held" }])
        } else {
            serde_json::json!([])
        };
        ok(serde_json::json!({ "Parameters": found, "InvalidParameters": unknown }).to_string())
    });
    let reader = reader(&canned).await;
    let names: BTreeSet<String> = (0..25).map(|number| format!("p-{number:02}")).collect();
    let values = reader.parameters(&names, Priority::Repair).await.unwrap();
    assert_eq!(values, [("p-03".to_owned(), "held".to_owned())].into());
    assert_eq!(canned.count("GetParameters"), 3);
    assert!(
        reader
            .parameters(&BTreeSet::from(["p-99".to_owned()]), Priority::Repair)
            .await
            .is_err()
    );
}

#[tokio::test(start_paused = true)]
async fn scaling_groups_that_do_not_exist_are_told_apart_from_empty_ones() {
    let canned = Canned::new(|_| {
        ok("<R><DescribeAutoScalingGroupsResult><AutoScalingGroups><member>\
            <AutoScalingGroupName>empty</AutoScalingGroupName></member></AutoScalingGroups>\
            </DescribeAutoScalingGroupsResult></R>")
    });
    let names = BTreeSet::from(["empty".to_owned(), "gone".to_owned()]);
    let groups = reader(&canned)
        .await
        .scaling_groups(&names, Priority::Quiet)
        .await
        .unwrap();
    assert_eq!(
        groups,
        [("empty".to_owned(), Some(0)), ("gone".to_owned(), None)].into()
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_but_reads_leaves_a_readers_clients() {
    let canned = Canned::new(|_| ok("<R/>"));
    let reader = reader(&canned).await;
    let refusals = [
        format!(
            "{:?}",
            reader
                .ec2
                .start_instances()
                .instance_ids("i-1")
                .send()
                .await
                .unwrap_err()
        ),
        format!(
            "{:?}",
            reader
                .ec2
                .start_instances()
                .instance_ids("i-1")
                .dry_run(true)
                .send()
                .await
                .unwrap_err()
        ),
        format!(
            "{:?}",
            reader
                .ec2
                .terminate_instances()
                .instance_ids("i-1")
                .send()
                .await
                .unwrap_err()
        ),
        format!(
            "{:?}",
            reader
                .balancing
                .deregister_targets()
                .target_group_arn("a")
                .send()
                .await
                .unwrap_err()
        ),
        format!(
            "{:?}",
            reader
                .scaling
                .enter_standby()
                .auto_scaling_group_name("a")
                .send()
                .await
                .unwrap_err()
        ),
        format!(
            "{:?}",
            reader
                .parameters
                .put_parameter()
                .name("a")
                .value("b")
                .send()
                .await
                .unwrap_err()
        ),
        format!(
            "{:?}",
            reader
                .identity
                .assume_role()
                .role_arn("a")
                .role_session_name("b")
                .send()
                .await
                .unwrap_err()
        ),
    ];
    for refusal in refusals {
        assert!(refusal.contains("HeldBack"), "{refusal}");
    }
    assert_eq!(canned.counts(), [].into(), "nothing may reach the connector");
}

#[tokio::test(start_paused = true)]
async fn a_read_whose_bytes_were_changed_to_a_mutation_does_not_leave() {
    #[derive(Debug)]
    struct Forge;
    impl aws_smithy_runtime_api::client::interceptors::Intercept for Forge {
        fn name(&self) -> &'static str {
            "Forge"
        }
        fn modify_before_transmit(
            &self,
            context: &mut aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut<'_>,
            _: &aws_smithy_runtime_api::client::runtime_components::RuntimeComponents,
            _: &mut aws_smithy_types::config_bag::ConfigBag,
        ) -> Result<(), aws_smithy_runtime_api::box_error::BoxError> {
            *context.request_mut().body_mut() = "Action=StartInstances&InstanceId.1=i-1".into();
            Ok(())
        }
    }
    let canned = Canned::new(|_| ok("<R/>"));
    let reader = reader(&canned).await;
    let refusal = reader
        .ec2
        .describe_instances()
        .customize()
        .interceptor(Forge)
        .send()
        .await
        .unwrap_err();
    assert!(format!("{refusal:?}").contains("HeldBack"));
    assert_eq!(canned.asked().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_read_is_tried_three_times_and_ends_within_its_timeout() {
    let failing = Canned::new(|_| error(503, "Unavailable"));
    let failed = reader(&failing)
        .await
        .instances(&by_name("web"), Priority::Quiet)
        .await
        .failed
        .unwrap();
    assert_eq!((failed.class, failing.asked().len()), (ErrorClass::Transient, 3));
    let hanging = Canned::new(|_| Answer::Hangs);
    let failed = reader(&hanging)
        .await
        .instances(&by_name("web"), Priority::Quiet)
        .await
        .failed
        .unwrap();
    assert_eq!(failed.class, ErrorClass::Transient);
    assert!(
        hanging.clock.now().boot <= crate::aws::config::READ_OPERATION_TIMEOUT + Duration::from_millis(10)
    );
}

#[tokio::test(start_paused = true)]
async fn the_sdks_own_retries_are_charged_to_the_budget() {
    let canned = Canned::new(|asked| match asked.action.as_str() {
        "DescribeTargetGroups" => crate::aws::canned::elb_error(503, "ServiceUnavailable"),
        _ => ok("<R/>"),
    });
    let sdk = canned.sdk();
    let reader = Reader::new(&sdk, &OWN).await.unwrap();
    for _ in 0..3 {
        reader.target_groups(Priority::Repair).await.unwrap_err();
    }
    assert_eq!(canned.asked().len(), 9);
    // Ten tokens, less nine, with what came back meanwhile: below the quiet reads' reserve or close to it.
    let before = canned.clock.now().boot;
    for _ in 0..4 {
        let _ = reader.target_health(&"arn".into(), Priority::Quiet).await;
    }
    assert!(
        canned.clock.now().boot - before > Duration::from_millis(300),
        "{:?}",
        sdk.budgets.stretches()
    );
}

#[tokio::test(start_paused = true)]
async fn one_accounts_outage_uses_up_no_other_accounts_retries() {
    let canned = Canned::new(|asked| match asked.url.contains("eu-west-1") {
        true => error(503, "Unavailable"),
        false if asked.param("NextToken").is_empty() => error(503, "Unavailable"),
        false => ok("<R/>"),
    });
    let sdk = canned.sdk();
    let down = Reader::new(
        &sdk,
        &ScopeKey {
            role: None,
            region: Some("eu-west-1".into()),
        },
    )
    .await
    .unwrap();
    for _ in 0..100 {
        down.instances(&by_name("web"), Priority::Start).await;
    }
    let tries_when_exhausted = {
        let before = canned.asked().len();
        down.instances(&by_name("web"), Priority::Start).await;
        canned.asked().len() - before
    };
    assert_eq!(tries_when_exhausted, 1, "its own quota is used up");
    let before = canned.asked().len();
    Reader::new(&sdk, &OWN)
        .await
        .unwrap()
        .instances(&by_name("web"), Priority::Start)
        .await;
    assert_eq!(canned.asked().len() - before, 3);
}
