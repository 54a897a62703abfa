//! The program heals what happens on the port, as it would in AWS.

use super::Sim;
use crate::harness::{Running, eventually};

const GREEN: &str = "i-09ee2000000000002";

const TIS: &str = "\
service: tis
slots:
  blue:  { select: { tags: { Name: tis-prod-blue } },  target_groups: [tis-prod] }
  green: { select: { tags: { Name: tis-prod-green } }, target_groups: [tis-prod, { name: tis-upload, port: 8443 }] }
";

fn state_of(sim: &Sim, id: &str) -> String {
    let state = sim.get("/_sim/state");
    let instances = state["instances"].as_array().unwrap();
    let instance = instances.iter().find(|instance| instance["id"] == id).unwrap();
    instance["state"].as_str().unwrap().to_owned()
}

fn healthy_targets(sim: &Sim) -> usize {
    let state = sim.get("/_sim/state");
    let groups = state["target_groups"].as_array().unwrap().iter();
    let targets = groups.flat_map(|group| group["targets"].as_array().unwrap());
    targets.filter(|target| target["health"] == "healthy").count()
}

fn ends_with(running: Running, code: i32) {
    running.end().assert_code(code);
}

#[test]
fn an_instance_that_aws_stopped_is_started_and_serves_again() {
    let sim = Sim::start(&["--speed", "60", "--seed", "1"]);
    sim.post("/_sim/reset", r#"{"world": "incident"}"#);
    sim.policy(TIS);
    ends_with(sim.keepgreen(&["plan"]), 0);
    sim.post(
        "/_sim/event",
        &format!(r#"{{"id": "{GREEN}", "code": "instance-retirement", "seconds": 60}}"#),
    );
    eventually(
        "AWS retires green",
        || sim.running.output(),
        || state_of(&sim, GREEN) == "stopped",
    );
    ends_with(sim.keepgreen(&["plan"]), 3);
    ends_with(sim.keepgreen(&["run", "--once"]), 0);
    eventually(
        "green serves",
        || sim.running.output(),
        || healthy_targets(&sim) == 3,
    );
    let starts = sim.get("/_sim/calls?action=StartInstances");
    assert_eq!(starts.as_array().unwrap().len(), 1, "{starts}");
    ends_with(sim.keepgreen(&["plan"]), 0);
}

#[test]
fn a_start_whose_answer_never_comes_is_not_sent_again_while_it_works() {
    let sim = Sim::start(&["--speed", "60", "--seed", "1"]);
    sim.post("/_sim/reset", r#"{"world": "incident"}"#);
    sim.policy(TIS);
    sim.post(
        "/_sim/instance",
        &format!(r#"{{"id": "{GREEN}", "action": "stop"}}"#),
    );
    eventually(
        "green stops",
        || sim.running.output(),
        || state_of(&sim, GREEN) == "stopped",
    );
    let fault = r#"{"kind": "applied-reset", "action": "StartInstances", "times": 1}"#;
    sim.post("/_sim/fault", fault);
    sim.keepgreen(&["run", "--once"]).end();
    sim.keepgreen(&["run", "--once"]).end();
    eventually(
        "green serves",
        || sim.running.output(),
        || healthy_targets(&sim) == 3,
    );
    sim.keepgreen(&["run", "--once"]).end().assert_code(0);
    let starts = sim.get("/_sim/calls?action=StartInstances");
    assert_eq!(starts.as_array().unwrap().len(), 1, "{starts}");
}
