//! Our failure to see is never their failure: an answer that is missing, partial or not understood allows safe starts at most.

use crate::harness::{House, count, mutations, names};
use serde_json::{Value, json};

const READS: &[&str] = &[
    "GetCallerIdentity",
    "DescribeInstances",
    "DescribeInstanceStatus",
    "DescribeInstanceImageMetadata",
    "DescribeImages",
    "DescribeTargetGroups",
    "DescribeTargetHealth",
];

fn faults() -> Vec<Value> {
    vec![
        json!({ "kind": "error", "status": 403, "code": "AccessDenied", "message": "not allowed" }),
        json!({ "kind": "error", "status": 500, "code": "InternalError" }),
        json!({ "kind": "empty" }),
        json!({ "kind": "unknown_enum" }),
    ]
}

#[test]
fn a_read_that_fails_in_peace_changes_nothing() {
    let (house, _) = House::incident();
    house.once();
    for action in READS {
        for mut fault in faults() {
            fault["action"] = json!(action);
            house.server.fault(fault.clone());
            house.keepgreen(&["run", "--once"]);
            house.keepgreen(&["run", "--once"]);
            assert!(
                mutations(&house.server.calls()).is_empty(),
                "{fault}: {}",
                house.server.story()
            );
            house.server.clear_faults();
        }
    }
    assert!(house.server.is_whole());
}

#[test]
fn a_read_that_fails_while_green_is_down_allows_its_start_and_nothing_else_and_healing_resumes() {
    for action in READS {
        for mut fault in faults() {
            let (house, incident) = House::struck();
            fault["action"] = json!(action);
            house.server.fault(fault.clone());
            house.keepgreen(&["run", "--once"]);
            house.server.clear_faults();
            house.until("green serves again", |_| house.server.is_whole());
            let calls = house.server.calls();
            let all = mutations(&calls);
            let only_green = all
                .iter()
                .all(|call| call["action"] == "StartInstances" && names(call) == [incident.green.clone()]);
            assert!(only_green && all.len() == 1, "{fault}: {}", house.server.story());
        }
    }
}

#[test]
fn when_the_second_page_fails_what_the_first_one_showed_may_be_started() {
    let (house, incident) = House::struck();
    house.server.stop(&incident.blue, "Server.ScheduledStop");
    house.server.post("mode", json!({ "page_size": 1 }));
    house
        .server
        .fault(json!({ "action": "DescribeInstances", "kind": "page_fail" }));
    let ran = house.keepgreen(&["run", "--once", "--format", "json"]);
    ran.assert_code(1);
    assert!(
        ran.json()["services"][0]["gaps"][0]["part"] == "the instances",
        "{ran}"
    );
    let calls = house.server.calls();
    for call in mutations(&calls) {
        assert_eq!(
            (call["action"].as_str().unwrap(), names(call).len()),
            ("StartInstances", 1),
            "{call}"
        );
    }
    house.server.clear_faults();
    house.until("both serve again", |_| house.server.is_whole());
}

#[test]
fn an_empty_answer_where_there_was_a_fleet_is_no_proof_that_it_is_gone() {
    let (house, _) = House::incident();
    house.once();
    house
        .server
        .fault(json!({ "action": "DescribeInstances", "kind": "empty" }));
    for _ in 0..4 {
        let ran = house.keepgreen(&["run", "--once", "--format", "json"]);
        assert!(!ran.stdout.contains("missing-instances"), "{ran}");
        assert!(
            ran.stdout.contains("DescribeInstances answered with nothing"),
            "{ran}"
        );
    }
    assert!(mutations(&house.server.calls()).is_empty());
}

#[test]
fn an_instance_whose_state_has_an_unknown_name_is_left_alone() {
    let (house, incident) = House::struck();
    house
        .server
        .fault(json!({ "action": "DescribeInstances", "kind": "unknown_enum", "instance": incident.green }));
    for _ in 0..3 {
        house.keepgreen(&["run", "--once"]);
    }
    assert!(
        mutations(&house.server.calls()).is_empty(),
        "{}",
        house.server.story()
    );
    let explained = house.keepgreen(&["explain", "tis"]);
    assert!(
        explained.stdout.contains("unknown") && explained.stdout.contains("rebuilding"),
        "{explained}"
    );
}

#[test]
fn when_all_targets_of_a_group_are_unhealthy_people_are_told_and_nothing_is_done() {
    let (house, incident) = House::incident();
    for instance in [&incident.blue, &incident.green] {
        house.server.post(
            "target",
            json!({ "target_group": "tis-prod", "instance": instance, "state": "unhealthy", "reason": "Target.Timeout" }),
        );
    }
    let running = house.run();
    house.wait(&running, "people are told", || {
        house
            .server
            .messages()
            .iter()
            .any(|m| m.kind == "needs-person" && m.text.contains("tis-prod"))
    });
    let looks = count(&house.server.calls(), "DescribeInstanceStatus");
    house.wait(&running, "three more looks", || {
        count(&house.server.calls(), "DescribeInstanceStatus") >= looks + 3
    });
    assert!(mutations(&house.server.calls()).is_empty());
    let plan = house.plan("tis");
    let findings = plan["findings"].as_array().unwrap();
    assert!(
        findings
            .iter()
            .any(|finding| finding["kind"] == "all-targets-unhealthy"),
        "{plan:#}"
    );
}
