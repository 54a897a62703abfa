//! What is changed of an instance while it exists, through the real client, and what its next start makes of it.

use tokio::time::sleep;

use super::*;
use aws_sdk_ec2::types::{AttributeBooleanValue, AttributeValue, Filter};

use crate::sim::world::{Quota, Scope, State, incident};

type Modify =
    aws_sdk_ec2::operation::modify_instance_attribute::builders::ModifyInstanceAttributeFluentBuilder;

fn modify(ec2: &aws_sdk_ec2::Client) -> Modify {
    ec2.modify_instance_attribute().instance_id(incident::GREEN)
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::builder().value(value).build()
}

fn flag(value: bool) -> AttributeBooleanValue {
    AttributeBooleanValue::builder().value(value).build()
}

async fn started(ec2: &aws_sdk_ec2::Client) -> Result<(), String> {
    let start = ec2.start_instances().instance_ids(incident::GREEN).send().await;
    start.map(|_| ()).map_err(|error| code(&error).to_owned())
}

/// Green is stopped, a while ago.
fn with_green_stopped<F: Future<Output = ()>>(test: impl FnOnce(Cloud) -> F) {
    simulate(incident::world(1), |cloud| async move {
        cloud.world(|w| w.stop_by_person(incident::GREEN));
        sleep(seconds(120)).await;
        test(cloud).await;
    });
}

#[test]
fn what_the_machine_is_made_of_changes_while_it_is_stopped_and_not_before() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let resize = || modify(&ec2).instance_type(text("t3.large"));
        let error = resize().send().await.unwrap_err();
        assert_eq!(code(&error), "IncorrectInstanceState");
        cloud.world(|w| w.stop_by_person(incident::GREEN));
        let error = resize().send().await.unwrap_err();
        assert_eq!(code(&error), "IncorrectInstanceState", "stopping is not stopped");
        sleep(seconds(120)).await;
        resize().send().await.unwrap();
        let green = cloud.world(|w| w.instance(incident::GREEN).unwrap().clone());
        assert_eq!(green.instance_type, "t3.large");
        assert_eq!(green.settings.cpu_credits.as_deref(), Some("unlimited"));
        assert_eq!(started(&ec2).await, Ok(()));
    });
}

#[test]
fn a_resize_to_what_cannot_be_is_noticed_at_the_start() {
    with_green_stopped(async |cloud| {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        modify(&ec2).ebs_optimized(flag(true)).send().await.unwrap();
        modify(&ec2).instance_type(text("t2.large")).send().await.unwrap();
        assert_eq!(started(&ec2).await, Err("Unsupported".to_owned()));
        modify(&ec2)
            .instance_type(text("m5.xlarge"))
            .send()
            .await
            .unwrap();
        cloud.world(|w| w.offer(&format!("{REGION}b"), "m5.xlarge", false));
        assert_eq!(started(&ec2).await, Err("Unsupported".to_owned()));
        cloud.world(|w| w.offer(&format!("{REGION}b"), "m5.xlarge", true));
        assert_eq!(started(&ec2).await, Ok(()));
    });
}

#[test]
fn a_start_beyond_the_quota_is_refused() {
    with_green_stopped(async |cloud| {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let scope = Scope::new(ACCOUNT, REGION);
        let quota = |vcpus| Quota {
            vcpus,
            ..Quota::default()
        };
        // Blue runs on two, and green wants two more.
        cloud.world(|w| w.set_quota(&scope, quota(3)));
        assert_eq!(started(&ec2).await, Err("VcpuLimitExceeded".to_owned()));
        cloud.world(|w| w.set_quota(&scope, quota(4)));
        assert_eq!(started(&ec2).await, Ok(()));
    });
}

#[test]
fn a_termination_of_several_zones_ends_where_nothing_is_protected() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        modify(&ec2)
            .disable_api_termination(flag(true))
            .send()
            .await
            .unwrap();
        let both = ec2.terminate_instances().instance_ids(incident::BLUE);
        let error = both.instance_ids(incident::GREEN).send().await.unwrap_err();
        assert_eq!(code(&error), "OperationNotPermitted");
        let state = |id: &str| cloud.world(|w| w.instance(id).unwrap().state);
        assert_eq!(state(incident::GREEN), State::Running);
        assert_eq!(state(incident::BLUE), State::ShuttingDown);
    });
}

#[test]
fn a_filter_on_interfaces_looks_at_the_interfaces() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let group = cloud.world(|w| w.interfaces_of(incident::GREEN)[0].groups[0].0.clone());
        let found = async |value: &str| {
            let filter = Filter::builder().name("instance.group-id").values(value).build();
            let found = ec2.describe_instances().filters(filter).send().await.unwrap();
            found.reservations().len()
        };
        assert_eq!((found(&group).await, found("sg-0").await), (2, 0));
    });
}
