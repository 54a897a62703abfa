//! The command line as scripts and people see it: exit codes, text and JSON, colours, no trace where none should be.

use crate::harness::{House, TIS, count, mutations};
use serde_json::Value;

#[test]
fn plan_exits_with_3_when_a_mutation_is_due_now_or_by_time_alone_and_with_0_when_none_is() {
    let (house, incident) = House::incident();
    house.keepgreen(&["plan"]).assert_code(0);
    house.server.stop(&incident.green, "Server.ScheduledStop");
    let due = house.keepgreen(&["plan", "tis"]);
    due.assert_code(3);
    assert!(
        due.stdout.contains(&incident.green) && due.stdout.contains("Server.ScheduledStop"),
        "{due}"
    );
    house.server.stop(&incident.green, "Client.UserInitiatedShutdown");
    house.keepgreen(&["plan"]).assert_code(3);
    house.keepgreen(&["pause", "--reason", "x"]).assert_code(0);
    house.keepgreen(&["plan"]).assert_code(0);
    assert!(mutations(&house.server.calls()).is_empty());
}

#[test]
fn looking_makes_no_state_folder() {
    let (house, _) = House::struck();
    for words in [
        &["plan"][..],
        &["status"],
        &["explain", "tis"],
        &["check"],
        &["run", "--once", "--dry-run"],
    ] {
        let ran = house.keepgreen(words);
        assert!(matches!(ran.code(), Some(0 | 3)), "{ran}");
        assert!(!house.state().exists(), "{ran}");
    }
    assert!(mutations(&house.server.calls()).is_empty());
}

#[test]
fn text_and_json_tell_the_same_and_results_go_to_stdout_alone() {
    let (house, incident) = House::struck();
    for command in [
        &["plan"][..],
        &["status"],
        &["explain", "tis"],
        &["run", "--once", "--dry-run"],
    ] {
        let text = house.keepgreen(command);
        let json = house.keepgreen(&[command, &["--format", "json"]].concat());
        assert_eq!(text.code(), json.code(), "{text}{json}");
        let doc = json.json();
        assert_eq!(doc["version"], 1, "{json}");
        // Of images, `status` shows only that there are findings.
        let words = [&incident.green, &incident.image];
        let words = if command[0] == "status" {
            &words[..1]
        } else {
            &words
        };
        for word in words {
            assert!(
                doc.to_string().contains(*word) && text.stdout.contains(*word),
                "{word}: {text}{json}"
            );
        }
        assert!(text.stdout.contains(&incident.green), "{text}");
        // Only the controller logs what it is about to do.
        assert!(command[0] == "run" || text.stderr.is_empty(), "{text}");
    }
}

#[test]
fn pipes_and_no_color_get_no_colours() {
    let (house, _) = House::struck();
    let plain = house.keepgreen(&["plan"]);
    assert!(!plain.output().contains('\u{1b}'), "{plain}");
    house.set("CLICOLOR_FORCE", "1");
    let coloured = house.keepgreen(&["plan"]);
    assert!(coloured.stdout.contains('\u{1b}'), "{coloured}");
    house.set("NO_COLOR", "1");
    for words in [
        &["plan"][..],
        &["status"],
        &["explain", "tis"],
        &["check"],
        &["run", "--once"],
    ] {
        let ran = house.keepgreen(words);
        assert!(!ran.output().contains('\u{1b}'), "{ran}");
    }
}

#[test]
fn check_shows_every_problem_of_every_file_with_its_place() {
    let house = House::new();
    house.policy("tis", &TIS.replace("select", "selekt"));
    house.policy("other", "service: other\nslots: {}\nheal: { stopped: reboot }\n");
    let checked = house.keepgreen(&["check"]);
    checked.assert_code(1);
    for words in [
        "policies/tis.yaml:3:",
        "policies/other.yaml:2:",
        "policies/other.yaml:3:",
        "`select`",
    ] {
        assert!(checked.output().contains(words), "{words}: {checked}");
    }
    let json = house.keepgreen(&["check", "--format", "json"]);
    json.assert_code(1);
    assert!(json.json().to_string().contains("policies/other.yaml"), "{json}");
    house.policy("tis", TIS);
    std::fs::remove_file(house.path("policies/other.yaml")).unwrap();
    house.keepgreen(&["check"]).assert_code(0);
    // Offline.
    assert!(house.server.calls().is_empty());
}

#[test]
fn the_schemas_are_json_and_the_example_policies_pass_the_check() {
    let house = House::new();
    for words in [&["schema"][..], &["schema", "--config"]] {
        let ran = house.keepgreen(words);
        ran.assert_code(0);
        assert_eq!(ran.json()["type"], "object", "{ran}");
    }
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/policies");
    house.keepgreen(&["check", examples]).assert_code(0);
}

#[test]
fn a_wrong_command_line_exits_with_2_and_an_unknown_service_with_1() {
    let (house, _) = House::incident();
    for words in [
        &["mend"][..],
        &["plan", "--fromat", "json"],
        &["pause"],
        &["explain"],
    ] {
        house.keepgreen(words).assert_code(2);
    }
    for words in [
        &["plan", "tiss"][..],
        &["explain", "tiss"],
        &["status", "tiss"],
        &["pause", "tiss", "--reason", "x"],
    ] {
        let ran = house.keepgreen(words);
        ran.assert_code(1);
        assert!(ran.stderr.contains("tiss") && ran.stderr.contains("tis"), "{ran}");
    }
}

#[test]
fn a_service_that_cannot_be_read_makes_one_pass_exit_with_1_and_the_others_are_looked_after() {
    let (house, incident) = House::struck();
    house.policy(
        "far",
        "service: far\nregion: us-east-1\nslots: { only: { select: { tags: { Name: far } } } }\n",
    );
    house.server.fault(
        serde_json::json!({ "action": "*", "region": "us-east-1", "status": 403, "code": "AccessDenied", "message": "no" }),
    );
    let ran = house.keepgreen(&["run", "--once", "--format", "json"]);
    ran.assert_code(1);
    let services = ran.json()["services"].as_array().unwrap().clone();
    let started: Vec<&Value> = services
        .iter()
        .flat_map(|service| service["started"].as_array().unwrap())
        .collect();
    assert_eq!(started, [incident.green.as_str()], "{ran}");
}

#[test]
fn logs_tell_each_aws_call_with_its_request_id_and_each_pass_with_its_service() {
    let (house, _) = House::struck();
    let ran = house.keepgreen(&["run", "--once", "-vv", "--log-format", "json"]);
    ran.assert_code(0);
    let lines: Vec<Value> = ran
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        lines
            .iter()
            .any(|line| line.to_string().contains("\"service\":\"tis\"")),
        "{ran}"
    );
    let calls = house.server.calls();
    for call in &calls {
        let id = call["request_id"].as_str().unwrap();
        assert!(
            ran.stderr.contains(id),
            "{} has left no request id {id}: {ran}",
            call["action"]
        );
    }
    assert!(count(&calls, "StartInstances") == 1);
}

#[test]
fn no_secret_is_in_any_output_or_in_the_state_folder() {
    let (house, _) = House::struck();
    house.config("heartbeat: { url: \"env:HOOK_URL\" }\n");
    // Deliveries that fail are where URLs leak.
    house.server.post("hook", serde_json::json!({ "mode": "error" }));
    let running = house.start(&["run", "-vv"]);
    house.wait(&running, "a delivery was tried twice", || {
        house.server.messages().len() >= 2
    });
    running.signal("TERM");
    running.end().assert_code(0);
    for words in [
        &["status", "-vv"][..],
        &["explain", "tis", "-vv"],
        &["plan", "-vv"],
        &["check", "-vv"],
    ] {
        house.keepgreen(words);
    }
    let written = String::from_utf8_lossy(&house.everything_written()).into_owned();
    assert!(written.contains("repair-begun"), "the journal was not searched");
    assert!(
        !written.contains(crate::harness::HOOK_TOKEN),
        "the journal holds a secret"
    );
}

#[test]
fn redirects_of_a_webhook_are_not_followed() {
    let (house, _) = House::struck();
    house.server.post(
        "hook",
        serde_json::json!({ "mode": "redirect", "location": "/_h/hook/elsewhere" }),
    );
    let running = house.run();
    house.wait(&running, "a delivery was tried", || {
        !house.server.messages().is_empty()
    });
    house.wait(&running, "green serves again", || house.server.is_whole());
    assert!(house.server.messages_of("elsewhere").is_empty());
}

#[test]
fn a_channel_that_hangs_holds_up_no_repair() {
    let (house, _) = House::struck();
    house.server.post("hook", serde_json::json!({ "mode": "hang" }));
    let running = house.run();
    house.wait(&running, "green serves again", || house.server.is_whole());
    running.signal("TERM");
    running.end().assert_code(0);
}
