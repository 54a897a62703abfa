//! A person's hand always wins: whatever the source of a pause, nothing more is sent, and everything goes on being seen.

use crate::harness::{House, TIS, count, mutations};
use serde_json::{Value, json};

const BY_PARAMETER: &str = "pause: { ssm: /keepgreen/pause }\n";

/// A way to pause the incident's service: its name, how the flag is set, how it is cleared.
struct Source {
    kind: &'static str,
    set: fn(&House, &str),
    clear: fn(&House, &str),
}

fn write(house: &House, name: &str) {
    let path = house.path(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, "a release is going on").unwrap();
}

fn remove(house: &House, name: &str) {
    std::fs::remove_file(house.path(name)).unwrap();
}

const SOURCES: &[Source] = &[
    Source {
        kind: "file",
        set: |house, _| write(house, "state/pause"),
        clear: |house, _| remove(house, "state/pause"),
    },
    Source {
        kind: "file",
        set: |house, _| write(house, "state/pause.d/tis"),
        clear: |house, _| remove(house, "state/pause.d/tis"),
    },
    Source {
        kind: "policy",
        set: |house, _| house.policy("tis", &format!("{TIS}pause: true\n")),
        clear: |house, _| house.policy("tis", TIS),
    },
    Source {
        kind: "parameter",
        set: |house, _| {
            house
                .server
                .set_parameter("/keepgreen/pause", "a release is going on")
        },
        clear: |house, _| house.server.delete_parameter("/keepgreen/pause"),
    },
    Source {
        kind: "parameter",
        set: |house, _| house.server.set_parameter("/keepgreen/pause/tis", "{}"),
        clear: |house, _| house.server.delete_parameter("/keepgreen/pause/tis"),
    },
    Source {
        kind: "tag",
        set: |house, green| house.server.tag(green, "keepgreen:pause", ""),
        clear: |house, green| house.server.tag(green, "keepgreen:pause", "2001-01-01T00:00:00Z"),
    },
];

#[test]
fn a_pause_by_any_source_stops_its_hands_and_healing_goes_on_when_it_is_cleared() {
    for source in SOURCES {
        let (house, incident) = House::struck();
        house.config(BY_PARAMETER);
        (source.set)(&house, &incident.green);
        for _ in 0..3 {
            let doc = house.once();
            let service = &doc["services"][0];
            let paused = service["holds"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|hold| hold["reason"] == "paused")
                .count();
            assert_eq!(
                (service["steps"].clone(), paused),
                (json!([]), 1),
                "{}: {doc:#}",
                source.kind
            );
        }
        house.keepgreen(&["plan"]).assert_code(0);
        let calls = house.server.calls();
        assert!(mutations(&calls).is_empty(), "{}", house.server.story());
        assert!(count(&calls, "DescribeTargetHealth") >= 6, "it goes on looking");
        (source.clear)(&house, &incident.green);
        house.until("green serves again", |_| house.server.is_whole());
    }
}

#[test]
fn a_flag_that_is_set_while_a_start_is_being_prepared_stops_it() {
    for source in SOURCES.iter().filter(|source| source.kind != "tag") {
        let (house, incident) = House::struck();
        house.config(BY_PARAMETER);
        // The look that comes right before the sending is the second listing of the pass.
        house.server.post(
            "fault",
            json!({ "action": "DescribeInstances", "kind": "delay", "delay_s": 2.0, "skip": 1 }),
        );
        let running = house.start(&["run", "--once", "--format", "json"]);
        let listings = || count(&house.server.calls(), "DescribeInstances");
        let before = listings();
        house.wait(&running, "the look before the sending", || {
            listings() >= before + 2
        });
        (source.set)(&house, &incident.green);
        let ran = running.end();
        assert!(
            mutations(&house.server.calls()).is_empty(),
            "{}: {ran}\n{}",
            source.kind,
            house.server.story()
        );
        let request = &ran.json()["services"][0]["requests"][0];
        assert_eq!(request["outcome"], "not-sent", "{ran}");
        (source.clear)(&house, &incident.green);
        house.until("green serves again", |_| house.server.is_whole());
    }
}

#[test]
fn a_flag_that_took_longer_than_a_second_to_read_is_too_old_to_act_on() {
    let (house, _) = House::struck();
    house.config(BY_PARAMETER);
    house
        .server
        .fault(json!({ "action": "GetParameters", "kind": "delay", "delay_s": 1.2 }));
    for _ in 0..2 {
        house.keepgreen(&["run", "--once"]);
    }
    assert!(
        mutations(&house.server.calls()).is_empty(),
        "{}",
        house.server.story()
    );
    house.server.clear_faults();
    house.until("green serves again", |_| house.server.is_whole());
}

#[test]
fn a_flag_that_cannot_be_read_counts_as_set_and_says_so() {
    let (house, _) = House::struck();
    house.config(BY_PARAMETER);
    house.server.fault(
        json!({ "action": "GetParameters", "status": 400, "code": "AccessDeniedException", "message": "no" }),
    );
    let running = house.run();
    house.wait(&running, "people are told", || {
        house
            .server
            .messages()
            .iter()
            .any(|m| m.kind == "needs-person" && m.key.contains("pause"))
    });
    let plan = house.plan("tis");
    assert!(
        plan["holds"]
            .as_array()
            .unwrap()
            .iter()
            .any(|hold| hold["reason"] == "pause-unreadable"),
        "{plan:#}"
    );
    assert!(mutations(&house.server.calls()).is_empty());
    house.server.clear_faults();
    house.wait(&running, "green serves again", || house.server.is_whole());
}

#[test]
fn a_pause_while_something_is_down_alerts_at_once_and_once() {
    let (house, incident) = House::incident();
    let running = house.run();
    house
        .keepgreen(&["pause", "tis", "--reason", "a release"])
        .assert_code(0);
    house.server.stop(&incident.green, "Server.ScheduledStop");
    let alerts = || {
        house
            .server
            .messages()
            .iter()
            .filter(|m| m.key.contains("/paused/"))
            .count()
    };
    house.wait(&running, "the alert", || alerts() > 0);
    let looks = count(&house.server.calls(), "DescribeInstanceStatus");
    house.wait(&running, "three more looks", || {
        count(&house.server.calls(), "DescribeInstanceStatus") >= looks + 3
    });
    assert_eq!(alerts(), 1, "{}", house.server.story());
    assert!(mutations(&house.server.calls()).is_empty());
    house.keepgreen(&["resume", "tis"]).assert_code(0);
    house.wait(&running, "green serves again", || house.server.is_whole());
}

#[test]
fn the_command_writes_a_flag_that_says_who_why_and_until_when_and_every_view_shows_it() {
    for (config, source) in [("", "file"), (BY_PARAMETER, "parameter")] {
        let (house, _) = House::struck();
        house.config(config);
        house
            .keepgreen(&["pause", "tis", "--for", "30m", "--reason", "release 7"])
            .assert_code(0);
        for command in [&["plan"][..], &["status"], &["explain", "tis"]] {
            let shown = house.keepgreen(command);
            shown.assert_code(0);
            assert!(
                shown.stdout.contains("release 7") && shown.stdout.contains("until"),
                "{shown}"
            );
        }
        let pause = house.plan("tis")["pauses"][0].clone();
        assert_eq!(
            (pause["source"].as_str(), pause["reason"].as_str()),
            (Some(source), Some("release 7"))
        );
        assert!(minutes_of(&pause) == 30, "{pause}");
        house.once();
        assert!(mutations_of_instances(&house).is_empty());
        house.keepgreen(&["resume", "tis"]).assert_code(0);
        assert_eq!(house.plan("tis")["pauses"], json!([]));
        house.until("green serves again", |_| house.server.is_whole());
    }
}

#[test]
fn a_pause_of_everything_lasts_four_hours_unless_told_otherwise() {
    let (house, _) = House::struck();
    house
        .keepgreen(&["pause", "--reason", "a long night"])
        .assert_code(0);
    let pause = house.plan("tis")["pauses"][0].clone();
    assert_eq!(
        (pause["scope"].as_str(), minutes_of(&pause)),
        (Some("everything"), 240),
        "{pause}"
    );
    // One service's resume does not end it, and says so.
    let resumed = house.keepgreen(&["resume", "tis"]);
    assert_eq!(
        house.plan("tis")["pauses"].as_array().unwrap().len(),
        1,
        "{resumed}"
    );
    house.keepgreen(&["resume"]).assert_code(0);
    assert_eq!(house.plan("tis")["pauses"], json!([]));
}

fn minutes_of(pause: &Value) -> i64 {
    let time = |name: &str| pause[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    (time("until").duration_since(time("since")).as_secs() + 30) / 60
}

/// Setting a parameter is the person's own mutation, by the command.
fn mutations_of_instances(house: &House) -> Vec<Value> {
    let calls = house.server.calls();
    mutations(&calls)
        .into_iter()
        .filter(|call| call["service"] != "ssm")
        .cloned()
        .collect()
}
