//! With the IAM policies that are shipped, and nothing else, the incident heals; and nothing in them is there for nothing.

use crate::harness::{House, TIS, mutations};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What the placeholders of the shipped policies stand for here.
const PLACES: &[(&str, &str)] = &[
    ("${Region}", "eu-west-2"),
    ("${Account}", "123456789012"),
    ("${TagKey}", "team"),
    ("${TagValue}", "tis"),
    ("${PauseParameter}", "/keepgreen/pause"),
    ("${ServiceRoleArn}", ROLE),
];
const ROLE: &str = "arn:aws:iam::222233334444:role/keepgreen";

fn shipped(name: &str, region_account: (&str, &str)) -> Value {
    let path = format!("{}/deploy/{name}", env!("CARGO_MANIFEST_DIR"));
    let mut text = std::fs::read_to_string(path).unwrap();
    text = text
        .replace("${Region}", region_account.0)
        .replace("${Account}", region_account.1);
    for (placeholder, value) in PLACES {
        text = text.replace(placeholder, value);
    }
    assert!(
        !text.contains("${"),
        "{name} has a placeholder that this test does not know: {text}"
    );
    serde_json::from_str(&text).unwrap()
}

const ALL: &[&str] = &["ec2", "elasticloadbalancing", "ssm", "sts", "autoscaling"];
const HERE: (&str, &str) = ("eu-west-2", "123456789012");

/// Every `service:Action` that the policies allow.
fn actions(policies: &[Value]) -> BTreeSet<String> {
    let statements = policies
        .iter()
        .flat_map(|policy| policy["Statement"].as_array().unwrap());
    let actions = statements.flat_map(|statement| match &statement["Action"] {
        Value::Array(all) => all.clone(),
        one => vec![one.clone()],
    });
    actions
        .map(|action| action.as_str().unwrap().to_owned())
        .collect()
}

/// All statements of several policies in one document, as one user has them.
fn together(policies: &[Value]) -> Value {
    let all: Vec<&Value> = policies
        .iter()
        .flat_map(|policy| policy["Statement"].as_array().unwrap())
        .collect();
    json!({ "Version": "2012-10-17", "Statement": all })
}

/// Makes the program somebody who may do what the policy allows, and nothing else.
fn become_somebody(house: &House, policy: &Value) {
    let keys = house
        .server
        .post("iam", json!({ "policy": policy, "enforce": true }));
    house.set("AWS_ACCESS_KEY_ID", keys["access_key"].as_str().unwrap());
    house.set("AWS_SECRET_ACCESS_KEY", keys["secret_key"].as_str().unwrap());
}

fn called(house: &House) -> BTreeSet<String> {
    let calls = house.server.calls();
    let name = |call: &Value| {
        format!(
            "{}:{}",
            call["service"].as_str().unwrap(),
            call["action"].as_str().unwrap()
        )
    };
    calls.iter().map(name).collect()
}

fn assert_nothing_denied(house: &House, services: &[&str]) {
    let mut calls = house.server.calls();
    calls.retain(|call| services.contains(&call["service"].as_str().unwrap()));
    let denied: Vec<&Value> = calls
        .iter()
        .filter(|call| call["status"].as_u64().is_some_and(|s| s >= 400))
        .collect();
    assert!(denied.is_empty() && !calls.is_empty(), "{denied:#?}");
}

#[test]
fn with_the_shipped_policy_alone_the_incident_heals_and_every_action_of_it_is_called() {
    let (house, _) = House::struck();
    house.config("pause: { ssm: /keepgreen/pause }\n");
    house.policy(
        "group",
        "service: group\nslots: { only: { select: { auto_scaling_group: workers } } }\n",
    );
    let policies = [shipped("iam-policy.json", HERE)];
    become_somebody(&house, &policies[0]);
    house.until("green serves again", |_| house.server.is_whole());
    assert_nothing_denied(&house, ALL);
    let unused: Vec<String> = actions(&policies).difference(&called(&house)).cloned().collect();
    assert!(unused.is_empty(), "allowed and never called: {unused:?}");
}

#[test]
fn an_instance_without_the_tag_that_the_policy_names_is_not_started_and_people_are_told() {
    let (house, incident) = House::struck();
    house.server.tag(&incident.green, "team", "somebody else");
    become_somebody(&house, &shipped("iam-policy.json", HERE));
    let running = house.run();
    house.wait(&running, "people are told", || {
        house
            .server
            .messages()
            .iter()
            .any(|m| m.kind == "needs-person" && m.text.contains("StartInstances"))
    });
    assert_eq!(house.server.state(&incident.green), "stopped");
}

#[test]
fn with_the_operators_policy_a_person_can_pause_and_resume_and_every_action_of_it_is_called() {
    let (house, _) = House::incident();
    house.config("pause: { ssm: /keepgreen/pause }\n");
    let policies = [shipped("iam-policy-operator.json", HERE)];
    become_somebody(&house, &policies[0]);
    // Whether an instance is paused by its tag is not for this person to see, and `resume` says so.
    for words in [
        &["pause", "--reason", "x"][..],
        &["resume"],
        &["pause", "tis", "--reason", "x"],
        &["resume", "tis"],
    ] {
        house.keepgreen(words).assert_code(0);
    }
    assert_nothing_denied(&house, &["ssm"]);
    let unused: Vec<String> = actions(&policies).difference(&called(&house)).cloned().collect();
    assert!(unused.is_empty(), "allowed and never called: {unused:?}");
}

#[test]
fn a_service_in_another_account_is_healed_through_the_role_that_the_shipped_policies_make() {
    let house = House::new();
    let there = ("eu-west-2", "222233334444");
    let made = house
        .server
        .post("world/incident", json!({ "account": there.1, "strike": true }));
    house.policy(
        "tis",
        &format!(
            "{TIS}account: \"{}\"\nrole: {ROLE}\nexternal_id: ops-7\n",
            there.1
        ),
    );
    become_somebody(
        &house,
        &together(&[
            shipped("iam-policy.json", HERE),
            shipped("iam-policy-roles.json", HERE),
        ]),
    );
    let role =
        json!({ "name": "keepgreen", "account": there.1, "policy": shipped("iam-policy.json", there) });
    house.server.post("iam", json!({ "role": role }));
    house.until("green serves again", |_| house.server.is_whole());
    assert_nothing_denied(&house, ALL);
    assert!(called(&house).contains("sts:AssumeRole"));
    let calls = house.server.calls();
    let starts = mutations(&calls);
    let starts: Vec<_> = starts
        .iter()
        .filter(|call| call["action"] == "StartInstances")
        .collect();
    assert_eq!(starts.len(), 1);
    assert_eq!(starts[0]["account"], there.1);
    assert_eq!(
        crate::harness::names(starts[0]),
        [made["green"].as_str().unwrap()]
    );
}
