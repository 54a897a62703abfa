//! The incident that keepgreen exists for: green was stopped by AWS at night, and its image is gone. And worse nights.

use crate::harness::{House, count, mutations, names};
use serde_json::{Value, json};

const TEN: &str = "\
service: ten
slots:
  blue: { select: { tags: { Name: ten } }, count: 10 }
";

fn started(doc: &Value) -> Vec<String> {
    let started = doc["services"][0]["started"].as_array().unwrap();
    started.iter().map(|id| id.as_str().unwrap().to_owned()).collect()
}

#[test]
fn green_is_started_within_two_looks_and_serves_again_and_blue_is_never_touched() {
    let (house, incident) = House::struck();
    let (first, second) = (house.once(), house.once());
    assert_eq!(
        [started(&first), started(&second)].concat(),
        [incident.green.as_str()]
    );
    house.until("green is healthy and in traffic", |_| house.server.is_whole());
    let calls = house.server.calls();
    let mutations = mutations(&calls);
    assert_eq!(mutations.len(), 1, "{mutations:?}");
    assert_eq!(names(mutations[0]), [incident.green]);
}

#[test]
fn a_later_run_finds_nothing_to_do_and_that_both_slots_could_not_be_rebuilt() {
    let (house, _) = House::struck();
    house.until("all is well", |doc| {
        doc["open_repairs"] == json!([]) && house.server.is_whole()
    });
    house.server.forget_calls();
    let doc = house.once();
    let calls = house.server.calls();
    assert!(
        mutations(&calls).is_empty() && count(&calls, "DescribeInstances") > 0,
        "{calls:#?}"
    );
    let findings = doc["services"][0]["findings"].as_array().unwrap();
    let slots: Vec<_> = findings
        .iter()
        .filter(|f| f["kind"] == "cannot-be-rebuilt")
        .map(|f| &f["slot"])
        .collect();
    assert_eq!(slots, ["blue", "green"], "{findings:#?}");
    house.keepgreen(&["plan"]).assert_code(0);
}

#[test]
fn people_are_told_once_when_the_repair_begins_and_once_when_it_is_done() {
    let (house, incident) = House::struck();
    let running = house.run();
    house.wait(&running, "both messages came", || {
        house.server.messages().iter().any(|m| m.kind == "repair-done")
    });
    let of_repair = |kind: &str| house.server.messages().iter().filter(|m| m.kind == kind).count();
    assert_eq!(
        (of_repair("repair-begun"), of_repair("repair-done")),
        (1, 1),
        "{}",
        house.server.story()
    );
    let told = house.server.messages();
    let begun = told.iter().find(|m| m.kind == "repair-begun").unwrap();
    assert!(
        begun.title.contains(&incident.green) && begun.text.contains("Server.ScheduledStop"),
        "{begun:?}"
    );
    // A restart forgets nothing that was said.
    drop(running);
    let running = house.run();
    let looks = count(&house.server.calls(), "DescribeTargetHealth");
    house.wait(&running, "two more looks", || {
        count(&house.server.calls(), "DescribeTargetHealth") >= looks + 4
    });
    assert_eq!(
        house.server.messages().len(),
        told.len(),
        "{}",
        house.server.story()
    );
}

#[test]
fn when_both_slots_are_stopped_both_are_started_by_one_request_in_the_same_pass() {
    let (house, incident) = House::struck();
    house.server.stop(&incident.blue, "Server.InternalError");
    let mut both = [incident.blue, incident.green];
    both.sort();
    assert_eq!(started(&house.once()), both);
    let calls = house.server.calls();
    let mutations = mutations(&calls);
    assert_eq!(mutations.len(), 1, "{mutations:?}");
    house.until("both serve", |_| house.server.is_whole());
}

#[test]
fn of_ten_stopped_instances_with_one_that_poisons_the_batch_nine_are_started_in_the_same_pass() {
    for message in [None, Some("Something is wrong with one of them")] {
        let house = House::new();
        let made = house.server.post(
            "world/instance",
            json!({ "tags": { "Name": "ten" }, "count": 10, "state": "stopped", "code": "Server.ScheduledStop" }),
        );
        let bad = made["ids"][3].as_str().unwrap();
        house.server.post(
            "start_outcome",
            json!({ "instance": bad, "outcome": "poison", "message": message.unwrap_or(
            &format!("The instance '{bad}' is not in a state from which it can be started.")) }),
        );
        house.policy("ten", TEN);
        let doc = house.once();
        assert_eq!(started(&doc).len(), 9, "{doc:#}");
        assert!(!started(&doc).contains(&bad.to_owned()));
        let requests = count(&house.server.calls(), "StartInstances");
        // Named, it costs one request; unnamed, it is found by halving.
        assert!(
            requests <= if message.is_none() { 3 } else { 9 },
            "{requests} requests"
        );
    }
}
