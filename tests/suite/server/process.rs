//! The controller as a process: one a state folder, it ends in order, takes over new policies and keeps good ones.

use crate::harness::{House, Running, TIS, count, mutations};
use serde_json::json;

fn looks(house: &House) -> usize {
    count(&house.server.calls(), "DescribeInstanceStatus")
}

fn wait_looks(house: &House, running: &Running, more: usize) {
    let before = looks(house);
    house.wait(running, "further looks", || looks(house) >= before + more);
}

#[test]
fn a_second_controller_on_a_state_folder_is_refused_and_told_who_holds_it() {
    let (house, _) = House::incident();
    let running = house.run();
    for words in [&["run"][..], &["run", "--once"]] {
        let second = house.keepgreen(words);
        second.assert_code(1);
        assert!(
            second.stderr.contains(&format!("process {}", running.pid())),
            "{second}"
        );
        assert!(second.stderr.contains("state"), "{second}");
    }
    // Everything else works beside it.
    for words in [
        &["plan"][..],
        &["status"],
        &["explain", "tis"],
        &["check"],
        &["run", "--dry-run", "--once"],
    ] {
        house.keepgreen(words).assert_code(0);
    }
    drop(running);
    house.once();
}

#[test]
fn on_sigterm_it_ends_in_order() {
    let (house, _) = House::incident();
    for signal in ["TERM", "INT"] {
        let running = house.run();
        running.signal(signal);
        let ran = running.end();
        ran.assert_code(0);
    }
}

#[test]
fn a_start_that_is_in_flight_at_sigterm_is_finished_and_journaled_and_not_sent_again() {
    let (house, incident) = House::struck();
    house.server.post(
        "fault",
        json!({ "action": "StartInstances", "kind": "delay", "delay_s": 2.0 }),
    );
    let running = house.start(&["run"]);
    house.wait(&running, "the start is in flight", || {
        count(&house.server.calls(), "StartInstances") == 1
    });
    running.signal("TERM");
    let ran = running.end();
    ran.assert_code(0);
    let doc = house.once();
    assert_eq!(doc["services"][0]["requests"], json!([]), "{doc:#}");
    house.until("green serves again", |_| house.server.is_whole());
    assert_eq!(count(&house.server.calls(), "StartInstances"), 1);
    let green = doc["open_repairs"]
        .as_array()
        .unwrap()
        .iter()
        .any(|repair| repair["instance"] == incident.green.as_str());
    assert!(green, "the repair that was begun is known: {doc:#}");
}

#[test]
fn a_policy_that_is_added_or_changed_is_taken_over_while_it_runs() {
    let (house, incident) = House::struck();
    house.policy("tis", &TIS.replace("notify", "heal: { stopped: alert }\nnotify"));
    let running = house.run();
    wait_looks(&house, &running, 2);
    assert!(mutations(&house.server.calls()).is_empty());
    house.policy("tis", TIS);
    house.wait(&running, "green serves again", || house.server.is_whole());
    let extra = house.server.post(
        "world/instance",
        json!({ "tags": { "Name": "extra" }, "state": "stopped", "code": "Server.ScheduledStop" }),
    );
    house.policy(
        "extra",
        "service: extra\nslots: { only: { select: { tags: { Name: extra } } } }\n",
    );
    let id = extra["ids"][0].as_str().unwrap();
    house.wait(&running, "the new service is healed", || {
        house.server.state(id) == "running"
    });
    assert_ne!(incident.green, id);
}

#[test]
fn on_sighup_the_policies_are_read_anew() {
    let (house, _) = House::incident();
    let running = house.run();
    let times = || running.stderr().matches("policies in force").count();
    let before = times();
    running.signal("HUP");
    house.wait(&running, "they are read again", || times() > before);
}

#[test]
fn a_policy_that_turns_bad_keeps_the_last_good_one_in_force_also_at_the_next_start() {
    let (house, _) = House::incident();
    let running = house.run();
    house.policy("tis", "service: tis\nslots: { blue: { selekt: {} } }\n");
    house.wait(&running, "people hear of it", || {
        house
            .server
            .messages()
            .iter()
            .any(|m| m.kind == "needs-person" && m.text.contains("tis.yaml"))
    });
    let strike = |house: &House| {
        let world = house.server.get("world");
        let green = world["instances"]
            .as_array()
            .unwrap()
            .iter()
            .find(|i| i["tags"]["Name"] == "tis-prod-green");
        house
            .server
            .stop(green.unwrap()["id"].as_str().unwrap(), "Server.ScheduledStop");
    };
    strike(&house);
    house.wait(&running, "green serves again", || house.server.is_whole());
    drop(running);
    strike(&house);
    let mut refused = String::new();
    house.wait_for("green serves again", || {
        let ran = house.keepgreen(&["run", "--once"]);
        ran.assert_code(1);
        refused = ran.stdout;
        house.server.is_whole()
    });
    assert!(refused.contains("tis.yaml"), "{refused}");
}

#[test]
fn all_policy_files_gone_at_once_keeps_the_last_good_set() {
    let (house, incident) = House::incident();
    house.once();
    std::fs::remove_file(house.path("policies/tis.yaml")).unwrap();
    house.server.stop(&incident.green, "Server.ScheduledStop");
    let ran = house.keepgreen(&["run", "--once", "--format", "json"]);
    assert_eq!(
        ran.json()["services"][0]["started"],
        json!([incident.green]),
        "{ran}"
    );
}

#[test]
fn a_dry_run_puts_no_mutation_on_the_wire_and_writes_nothing() {
    let (house, incident) = House::struck();
    let running = house.start(&["run", "--dry-run"]);
    house.wait(&running, "three looks", || looks(&house) >= 3);
    running.signal("TERM");
    let ran = running.end();
    ran.assert_code(0);
    assert!(mutations(&house.server.calls()).is_empty());
    assert!(
        ran.stdout.contains(&incident.green),
        "it says what it would do: {ran}"
    );
    assert!(!house.state().exists(), "it made a state folder");
    assert!(house.server.messages().is_empty());
}

#[test]
fn a_service_that_hangs_delays_no_other() {
    let (house, incident) = House::incident();
    house.policy(
        "far",
        "service: far\nregion: us-east-1\nslots: { only: { select: { tags: { Name: far } } } }\n",
    );
    house
        .server
        .fault(json!({ "action": "*", "region": "us-east-1", "kind": "hang" }));
    let running = house.run();
    house.server.stop(&incident.green, "Server.ScheduledStop");
    house.wait(&running, "green serves again", || house.server.is_whole());
}

#[test]
fn without_a_channel_it_says_so_at_start() {
    let (house, _) = House::incident();
    house.bare_config("interval: 1s\nlisten: none\n");
    house.policy("tis", &TIS.replace("notify: [hook]\n", ""));
    let running = house.run();
    assert!(
        running.stderr().to_lowercase().contains("channel"),
        "{}",
        running.output()
    );
    let status = house.keepgreen(&["status"]);
    assert!(status.stdout.to_lowercase().contains("channel"), "{status}");
}
