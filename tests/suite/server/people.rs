//! A stop by a person: announced, undone once after its grace, respected where the policy says so or when it comes again.

use crate::harness::{House, TIS, count, mutations};
use serde_json::Value;

const BY_A_PERSON: &str = "Client.UserInitiatedShutdown";

fn holds<'a>(service: &'a Value, reason: &str) -> Vec<&'a Value> {
    service["holds"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|hold| hold["reason"] == reason)
        .collect()
}

#[test]
fn a_persons_stop_is_announced_and_then_undone_after_its_grace() {
    let (house, incident) = House::incident();
    house.server.stop(&incident.green, BY_A_PERSON);
    let running = house.run();
    house.wait(&running, "green serves again", || house.server.is_whole());
    let announced = house
        .server
        .messages()
        .into_iter()
        .find(|m| m.key.ends_with("/announced"))
        .unwrap();
    let calls = house.server.calls();
    let starts: Vec<u64> = mutations(&calls)
        .iter()
        .map(|call| call["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(starts.len(), 1);
    assert!(announced.calls_before < starts[0], "{}", house.server.story());
}

#[test]
fn a_persons_stop_that_could_not_be_announced_is_not_undone_for_an_hour() {
    let (house, incident) = House::incident();
    house.bare_config("interval: 1s\nlisten: none\n");
    house.policy("tis", &TIS.replace("notify: [hook]\n", ""));
    house.server.stop(&incident.green, BY_A_PERSON);
    house.once();
    let doc = house.once();
    let grace = holds(&doc["services"][0], "grace");
    assert!(grace[0]["left_s"].as_u64().unwrap() > 3500, "{grace:?}");
    assert_eq!(count(&house.server.calls(), "StartInstances"), 0);
}

#[test]
fn a_persons_stop_is_left_alone_where_the_policy_respects_it_or_only_wants_an_alert() {
    for choice in ["respect", "alert"] {
        let (house, incident) = House::incident();
        house.policy(
            "tis",
            &format!("{TIS}heal: {{ stopped_by_operator: {choice} }}\n"),
        );
        house.server.stop(&incident.green, BY_A_PERSON);
        let running = house.run();
        let looks = || {
            count(&house.server.calls(), "DescribeTargetGroups")
                .max(count(&house.server.calls(), "DescribeInstanceStatus"))
        };
        // Well beyond the grace of one second.
        house.wait(&running, "four looks", || looks() >= 4);
        assert!(
            mutations(&house.server.calls()).is_empty(),
            "{choice}: {}",
            house.server.story()
        );
        assert_eq!(house.server.state(&incident.green), "stopped");
        let plan = house.keepgreen(&["plan"]);
        plan.assert_code(0);
    }
}

#[test]
fn a_second_stop_by_a_person_is_respected_with_one_alert() {
    let (house, incident) = House::incident();
    house.server.stop(&incident.green, BY_A_PERSON);
    let running = house.run();
    house.wait(&running, "green serves again", || house.server.is_whole());
    house.wait(&running, "the repair is done", || {
        house.server.messages().iter().any(|m| m.kind == "repair-done")
    });
    house.server.stop(&incident.green, BY_A_PERSON);
    house.wait(&running, "the alert", || {
        house
            .server
            .messages()
            .iter()
            .any(|m| m.key.ends_with("/respected"))
    });
    let looks = count(&house.server.calls(), "DescribeInstanceStatus");
    house.wait(&running, "three more looks", || {
        count(&house.server.calls(), "DescribeInstanceStatus") >= looks + 3
    });
    assert_eq!(count(&house.server.calls(), "StartInstances"), 1);
    assert_eq!(
        house
            .server
            .messages()
            .iter()
            .filter(|m| m.kind == "needs-person")
            .count(),
        1,
        "{}",
        house.server.story()
    );
}
