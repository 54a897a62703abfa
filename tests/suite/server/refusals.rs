//! What is not keepgreen's to touch: another account, a copied tag, an instance that two slots claim.

use crate::harness::{House, TIS, mutations};
use serde_json::{Value, json};

fn kinds(service: &Value) -> Vec<String> {
    let findings = service["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|finding| finding["kind"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn credentials_of_another_account_than_the_policys_change_nothing() {
    let (house, _) = House::struck();
    house.policy("tis", &format!("account: \"111122223333\"\n{TIS}"));
    let ran = house.keepgreen(&["run", "--once", "--format", "json"]);
    ran.assert_code(1);
    let service = &ran.json()["services"][0];
    assert!(
        kinds(service).contains(&"wrong-account".to_owned()),
        "{service:#}"
    );
    assert!(
        ran.stdout.contains("111122223333") && ran.stdout.contains("123456789012"),
        "{ran}"
    );
    assert!(mutations(&house.server.calls()).is_empty());
}

#[test]
fn a_tag_that_was_copied_elsewhere_makes_nothing_ours() {
    let (house, incident) = House::incident();
    let copy = |body: Value| {
        let mut body = body;
        body["tags"] =
            json!({ "Name": "tis-prod-green", "keepgreen:service": "tis", "keepgreen:slot": "green" });
        body["state"] = json!("stopped");
        body["code"] = json!("Server.ScheduledStop");
        house.server.post("world/instance", body)["ids"][0]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let copies = [
        copy(json!({ "account": "999988887777" })),
        copy(json!({ "region": "us-east-1" })),
        copy(json!({})),
    ];
    for _ in 0..3 {
        house.once();
    }
    // The one in the same account and region is a surplus: green has the one instance that it should have.
    assert!(
        mutations(&house.server.calls()).is_empty(),
        "{}",
        house.server.story()
    );
    assert!(kinds(&house.plan("tis")).contains(&"surplus-instances".to_owned()));
    // The true green stops, and it alone is started.
    house.server.stop(&incident.green, "Server.ScheduledStop");
    house.until("green runs again", |_| {
        house.server.state(&incident.green) == "running"
    });
    assert!(copies.iter().all(|id| house.server.state(id) == "stopped"));
}

#[test]
fn selectors_that_overlap_are_refused_with_both_places() {
    let (house, _) = House::struck();
    house.policy("tis", &TIS.replace("tis-prod-blue", "tis-prod-green"));
    let check = house.keepgreen(&["check"]);
    check.assert_code(1);
    assert!(
        check.output().contains("tis.yaml") && check.output().contains("select the same instances"),
        "{check}"
    );
    let ran = house.keepgreen(&["run", "--once"]);
    ran.assert_code(1);
    assert!(mutations(&house.server.calls()).is_empty());
}

#[test]
fn an_instance_that_two_slots_claim_is_touched_by_neither() {
    let (house, _) = House::struck();
    house.policy("tis", &TIS.replace("{ Name: tis-prod-green }", "{ team: tis }"));
    let ran = house.keepgreen(&["run", "--once", "--format", "json"]);
    if ran.code() == Some(0) {
        assert!(
            kinds(&ran.json()["services"][0]).contains(&"disputed-instance".to_owned()),
            "{ran}"
        );
    }
    assert!(mutations(&house.server.calls()).is_empty(), "{ran}");
}
