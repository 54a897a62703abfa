//! The incident's second half against the test server, with the real SDK: green is started although its image is gone, then
//! rebuilt, then blue; and what was terminated is rebuilt from what was recorded of it.

use crate::harness::{House, Incident, count, mutations};
use serde_json::{Value, json};

/// What it is launched from is a parameter, as people have it.
const POLICY: &str = "\
service: tis
slots:
  blue:  { select: { tags: { Name: tis-prod-blue } },  target_groups: [tis-prod] }
  green: { select: { tags: { Name: tis-prod-green } }, target_groups: [tis-prod, { name: tis-upload, port: 8443 }] }
grace: { operator_stop: 1s, boot: 60s, unhealthy: 5s, image_gone: 2s, missing: 2s }
limits: { cooldown: 1s }
replace: { image: [ { ssm: /tis/base-image } ] }
notify: [hook]
";

/// At peace, looked at once, with a parameter that names a good image.
fn house() -> (House, Incident, String) {
    let (house, incident) = House::incident();
    house.policy("tis", POLICY);
    let image = house.server.register_image("tis-base-2026-11-01");
    house.server.set_parameter("/tis/base-image", &image);
    house.once();
    (house, incident, image)
}

/// The running instances of a name, from the world's own truth.
fn running(house: &House, name: &str) -> Vec<Value> {
    let world = house.server.get("world");
    let rows = world["instances"].as_array().unwrap().iter();
    rows.filter(|row| row["state"] == "running" && row["tags"]["Name"] == name)
        .cloned()
        .collect()
}

fn healthy_targets(house: &House, group: &str) -> usize {
    let health = house.server.health();
    health
        .iter()
        .filter(|(key, state)| key.starts_with(&format!("{group}/")) && *state == "healthy")
        .count()
}

/// The slot is whole with another instance than the old one, of the good image.
fn is_rebuilt(house: &House, name: &str, old: &str, image: &str) -> bool {
    let now = running(house, name);
    let [one] = &now[..] else { return false };
    one["id"] != old && one["image"] == image
}

#[test]
fn green_is_started_first_then_both_are_rebuilt_and_one_target_is_healthy_at_every_moment() {
    let (house, incident, image) = house();
    house.server.stop(&incident.green, "Server.ScheduledStop");
    house
        .server
        .post("ami", json!({ "image": incident.image, "action": "deregister" }));
    let mut lowest = usize::MAX;
    house.until("both are rebuilt", |_| {
        lowest = lowest.min(healthy_targets(&house, "tis-prod"));
        is_rebuilt(&house, "tis-prod-green", &incident.green, &image)
            && is_rebuilt(&house, "tis-prod-blue", &incident.blue, &image)
            && house.server.state(&incident.blue) == "stopped"
            && house.server.state(&incident.green) == "stopped"
    });
    assert!(lowest >= 1, "{}", house.server.story());
    let calls = house.server.calls();
    let order: Vec<&str> = mutations(&calls)
        .iter()
        .map(|call| call["action"].as_str().unwrap())
        .collect();
    assert_eq!(order.first(), Some(&"StartInstances"), "{order:?}");
    assert_eq!(count(&calls, "RunInstances"), 2, "{order:?}");
    house.until("the old ones are marked, and nothing is left to do", |doc| {
        doc["open_repairs"] == json!([]) && count(&house.server.calls(), "CreateTags") == 2
    });
    house.server.forget_calls();
    house.once();
    assert!(
        mutations(&house.server.calls()).is_empty(),
        "{}",
        house.server.story()
    );
    house.keepgreen(&["plan"]).assert_code(0);
}

#[test]
fn what_aws_terminated_is_rebuilt_once_even_if_the_answer_to_the_launch_is_lost() {
    let (house, incident, image) = house();
    house.server.post(
        "state",
        json!({ "instance": incident.green, "state": "terminated", "code": "Server.InternalError" }),
    );
    let fault = json!({ "action": "RunInstances", "count": 1, "kind": "drop", "phase": "after" });
    house.server.fault(fault);
    house.until("green is rebuilt", |_| {
        is_rebuilt(&house, "tis-prod-green", &incident.green, &image)
            && healthy_targets(&house, "tis-upload") == 1
    });
    let launched: Vec<Value> = house.server.get("world")["instances"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["tags"]["keepgreen:replaces"] == incident.green.as_str())
        .cloned()
        .collect();
    assert_eq!(launched.len(), 1, "{launched:?}");
}

/// Which service comes first shows only when all have been looked at, and each run begins with none.
#[test]
fn two_services_of_one_dead_image_are_rebuilt_one_after_the_other_by_runs_of_one_round() {
    let (house, incident, image) = house();
    let policy = |colour: &str| {
        POLICY
            .replace("service: tis", &format!("service: tis-{colour}"))
            .lines()
            .filter(|line| !line.starts_with("  ") || line.contains(&format!("tis-prod-{colour}")))
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    std::fs::remove_file(house.path("policies/tis.yaml")).unwrap();
    house.policy("tis-blue", &policy("blue"));
    house.policy("tis-green", &policy("green"));
    house.once();
    house
        .server
        .post("ami", json!({ "image": incident.image, "action": "deregister" }));
    house.until("both are rebuilt", |_| {
        is_rebuilt(&house, "tis-prod-green", &incident.green, &image)
            && is_rebuilt(&house, "tis-prod-blue", &incident.blue, &image)
    });
    assert_eq!(count(&house.server.calls(), "RunInstances"), 2);
}

#[test]
fn without_an_image_to_launch_from_nothing_is_launched_and_one_finding_says_what_to_do() {
    let (house, incident, _) = house();
    house.server.delete_parameter("/tis/base-image");
    house
        .server
        .post("ami", json!({ "image": incident.image, "action": "deregister" }));
    house.until("the finding stands", |doc| {
        let findings = doc["services"][0]["findings"].as_array().unwrap();
        findings
            .iter()
            .any(|finding| finding["kind"] == "no-image-to-launch")
    });
    assert!(
        mutations(&house.server.calls()).is_empty(),
        "{}",
        house.server.story()
    );
    let plan = house.plan("tis");
    let offers = &plan["queue"][0]["offers"];
    assert_eq!(offers[0]["verdict"], "refused", "{plan:#}");
}
