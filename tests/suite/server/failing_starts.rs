//! Starts that do not heal: bounded attempts and quarantine where the instance is at fault, patience where AWS is.

use crate::harness::{House, TIS, count};
use serde_json::{Value, json};

fn green(doc: &Value) -> &Value {
    let slots = doc["slots"].as_array().unwrap();
    &slots.iter().find(|slot| slot["name"] == "green").unwrap()["instances"][0]
}

fn alerts(house: &House) -> usize {
    house
        .server
        .messages()
        .iter()
        .filter(|m| m.kind == "needs-person" && !m.key.contains("cannot-be-rebuilt"))
        .count()
}

#[test]
fn a_start_that_does_not_hold_is_tried_a_bounded_number_of_times_then_quarantined_with_one_alert() {
    let (house, incident) = House::struck();
    house.policy(
        "tis",
        &TIS.replace(
            "limits: { cooldown: 1s }",
            "limits: { cooldown: 1s, attempts: 2 }",
        ),
    );
    house.server.post(
        "start_outcome",
        json!({ "instance": incident.green, "outcome": "falls_back" }),
    );
    let running = house.run();
    house.wait(&running, "people hear of the quarantine", || alerts(&house) > 0);
    assert_eq!(green(&house.plan("tis"))["word"], "quarantined");
    let looks = count(&house.server.calls(), "DescribeInstanceStatus");
    house.wait(&running, "four more looks", || {
        count(&house.server.calls(), "DescribeInstanceStatus") >= looks + 4
    });
    assert_eq!(count(&house.server.calls(), "StartInstances"), 2);
    assert_eq!(alerts(&house), 1, "{}", house.server.story());
    let explained = house.keepgreen(&["explain", "tis"]);
    assert!(
        explained.stdout.contains("quarantined") && explained.stdout.contains("Client.InternalError"),
        "{explained}"
    );
    // A person has found out why, and says so.
    house.server.post(
        "start_outcome",
        json!({ "instance": incident.green, "outcome": "holds" }),
    );
    house.keepgreen(&["resume", "tis"]).assert_code(0);
    house.wait(&running, "green serves again", || house.server.is_whole());
    assert_eq!(count(&house.server.calls(), "StartInstances"), 3);
}

#[test]
fn a_quarantine_is_remembered_over_restarts_and_ended_by_a_change_of_the_policy() {
    let (house, incident) = House::struck();
    let policy = TIS.replace(
        "limits: { cooldown: 1s }",
        "limits: { cooldown: 1s, attempts: 1 }",
    );
    house.policy("tis", &policy);
    house.server.post(
        "start_outcome",
        json!({ "instance": incident.green, "outcome": "falls_back" }),
    );
    house.until("it is quarantined", |doc| {
        green(&doc["services"][0])["word"] == "quarantined"
    });
    house.once();
    assert_eq!(count(&house.server.calls(), "StartInstances"), 1);
    house.server.post(
        "start_outcome",
        json!({ "instance": incident.green, "outcome": "holds" }),
    );
    house.policy("tis", &policy.replace("attempts: 1", "attempts: 2"));
    house.until("green serves again", |_| house.server.is_whole());
}

#[test]
fn without_capacity_it_is_tried_again_and_again_with_one_alert_and_no_quarantine() {
    let (house, incident) = House::struck();
    let refusal = json!({
        "instance": incident.green, "outcome": "poison", "code": "InsufficientInstanceCapacity",
        "message": "We currently do not have sufficient t3.medium capacity in the zone you requested",
    });
    house.server.post("start_outcome", refusal);
    let running = house.run();
    // More than `attempts` would allow, if these counted.
    house.wait(&running, "it was tried four times", || {
        count(&house.server.calls(), "StartInstances") >= 4
    });
    let doc = house.plan("tis");
    assert_eq!(green(&doc)["incident"]["quarantined"], Value::Null, "{doc:#}");
    assert_eq!(green(&doc)["incident"]["attempts"], json!([]), "{doc:#}");
    assert_eq!(alerts(&house), 1, "{}", house.server.story());
    // Paced: the waits double, so the SDK's own retries, which come within milliseconds, would show.
    let looks = count(&house.server.calls(), "DescribeInstanceStatus");
    assert!(looks >= 4, "a try a look at most: {}", house.server.story());
    house.server.post(
        "start_outcome",
        json!({ "instance": incident.green, "outcome": "holds" }),
    );
    house.wait(&running, "green serves again", || house.server.is_whole());
}

#[test]
fn an_instance_that_runs_and_never_becomes_healthy_is_told_to_people_and_not_started_again() {
    let (house, incident) = House::struck();
    house.server.post(
        "start_outcome",
        json!({ "instance": incident.green, "outcome": "never_healthy" }),
    );
    let running = house.run();
    house.wait(&running, "people are told", || {
        house.server.messages().iter().any(|m| m.key.contains("/failed/"))
    });
    let looks = count(&house.server.calls(), "DescribeInstanceStatus");
    house.wait(&running, "three more looks", || {
        count(&house.server.calls(), "DescribeInstanceStatus") >= looks + 3
    });
    assert_eq!(count(&house.server.calls(), "StartInstances"), 1);
}

#[test]
fn a_lost_answer_is_settled_by_looking_and_the_start_is_not_sent_again_blind() {
    let (house, _) = House::struck();
    house.server.post(
        "fault",
        json!({ "action": "StartInstances", "kind": "drop", "phase": "after" }),
    );
    house.until("green serves again", |_| house.server.is_whole());
    assert_eq!(
        count(&house.server.calls(), "StartInstances"),
        1,
        "{}",
        house.server.story()
    );
}

#[test]
fn throttling_is_waited_out() {
    let (house, _) = House::struck();
    for action in ["StartInstances", "DescribeInstances"] {
        house.server.post(
            "fault",
            json!({ "action": action, "kind": "error", "status": 503, "code": "RequestLimitExceeded", "count": 2 }),
        );
    }
    let running = house.run();
    house.wait(&running, "green serves again", || house.server.is_whole());
}
