//! The control routes: what they do, and what they refuse.

use super::super::control::routes;
use super::*;

#[test]
fn the_list_of_routes_is_the_table() {
    served(async |served| {
        let (status, about) = served.control("GET", "/_sim", "").await;
        assert_eq!(status, 200);
        assert_eq!(about["routes"].as_array().unwrap().len(), routes().count());
        let (_, operations) = served.control("GET", "/_sim/operations", "").await;
        let start = serde_json::json!({ "service": "ec2", "action": "StartInstances" });
        assert!(operations.as_array().unwrap().contains(&start));
    });
}

#[test]
fn unknown_routes_methods_and_fields_are_refused_by_name() {
    served(async |served| {
        let error = async |method: &str, path: &str, body: &str| {
            let (status, answer) = served.control(method, path, body).await;
            (status, answer["error"].as_str().unwrap_or("").to_owned())
        };
        assert_eq!(error("POST", "/_sim/advanced", "").await.0, 404);
        let (status, why) = error("PUT", "/_sim/fault", "").await;
        assert!(status == 405 && why.contains("POST or GET or DELETE"), "{why}");
        for body in ["seconds", "[]", "\"x\"", "{\"seconds\": 1", "\u{0}"] {
            assert_eq!(error("POST", "/_sim/advance", body).await.0, 400, "{body}");
        }
        for route in routes() {
            let body = r#"{"no-such-field": 1}"#;
            let path = match route.method {
                "GET" => format!("{}?no-such-field=1", route.path),
                _ => route.path.to_owned(),
            };
            let (status, why) = error(route.method, &path, body).await;
            assert!(
                status == 400 && why.contains("no-such-field"),
                "{path}: {status} {why}"
            );
        }
    });
}

#[test]
fn a_field_of_the_wrong_kind_is_refused_by_name_with_what_is_expected() {
    served(async |served| {
        for (path, body, says) in [
            ("/_sim/advance", r#"{"seconds": -1}"#, "seconds is -1"),
            ("/_sim/advance", r#"{"seconds": 1e300}"#, "at most a year"),
            ("/_sim/advance", r#"{"seconds": "soon"}"#, "seconds is \"soon\""),
            (
                "/_sim/advance",
                r#"{"to": "2001-01-01T00:00:00Z"}"#,
                "not in the past",
            ),
            ("/_sim/advance", r#"{}"#, "either seconds or to"),
            (
                "/_sim/advance",
                r#"{"seconds": 1, "to": "2099-01-01T00:00:00Z"}"#,
                "either seconds or to",
            ),
            ("/_sim/instance", r#"{"action": "stop"}"#, "id is missing"),
            ("/_sim/instance", r#"{"id": 7, "action": "stop"}"#, "id is 7"),
            (
                "/_sim/instance",
                r#"{"id": "i-1", "action": "explode"}"#,
                "terminate",
            ),
            (
                "/_sim/instance",
                r#"{"id": "i-1", "action": "start", "by": "aws"}"#,
                "by means nothing here",
            ),
            (
                "/_sim/instance",
                r#"{"id": "i-1", "action": "impair", "check": "heart"}"#,
                "attached-ebs",
            ),
            (
                "/_sim/instance",
                r#"{"id": "i-1", "action": "fail-starts", "times": 4294967296}"#,
                "times is",
            ),
            (
                "/_sim/event",
                r#"{"id": "i-1", "code": "instance-party"}"#,
                "instance-retirement",
            ),
            ("/_sim/fault", r#"{"kind": "gremlin"}"#, "applied-no-answer"),
            (
                "/_sim/fault",
                r#"{"kind": "hang", "action": "StartInstance"}"#,
                "StartInstance",
            ),
            (
                "/_sim/fault",
                r#"{"kind": "hang", "code": "Odd"}"#,
                "code means nothing here",
            ),
            ("/_sim/fault", r#"{"kind": "slow"}"#, "seconds is missing"),
            ("/_sim/fault", r#"{"kind": "error"}"#, "code is missing"),
            ("/_sim/fault", r#"{"kind": "html", "status": 200}"#, "400 to 599"),
            ("/_sim/fault", r#"{"kind": "hang", "page": 0}"#, "from 1"),
            (
                "/_sim/fault",
                r#"{"kind": "hang", "account": "12"}"#,
                "twelve digits",
            ),
            (
                "/_sim/image",
                r#"{"id": "ami-1", "action": "share"}"#,
                "account is missing",
            ),
            (
                "/_sim/target",
                r#"{"group": "g", "id": "i-1", "port": 65536, "action": "register"}"#,
                "port is",
            ),
            (
                "/_sim/capacity",
                r#"{"zone": "eu-west-2a"}"#,
                "available is missing",
            ),
            (
                "/_sim/image",
                r#"{"id": "ami-1", "action": "break"}"#,
                "fault is missing",
            ),
            (
                "/_sim/image",
                r#"{"id": "ami-1", "action": "break", "fault": "shuts-down"}"#,
                "seconds is missing",
            ),
            (
                "/_sim/image",
                r#"{"id": "ami-1", "action": "mend", "fault": "never-boots"}"#,
                "fault means nothing here",
            ),
            ("/_sim/quota", r#"{"vcpus": 4}"#, "region is missing"),
            (
                "/_sim/pace",
                r#"{"of": "boot", "least": 9, "most": 8}"#,
                "from least",
            ),
            (
                "/_sim/instance",
                r#"{"id": "i-1", "action": "protect", "stop": true}"#,
                "termination is missing",
            ),
            ("/_sim/deny", r#"{"action": "Fly"}"#, "Fly"),
            ("/_sim/staleness", r#"{"reads_lag": 1201}"#, "1,200"),
            ("/_sim/throttling", r#"{"on": "yes"}"#, "on is"),
        ] {
            let (status, answer) = served.control("POST", path, body).await;
            let why = answer["error"].as_str().unwrap_or("");
            assert!(
                status == 400 && why.contains(says),
                "{path} {body}: {status} {answer}"
            );
        }
    });
}

#[test]
fn levers_on_what_is_not_there_or_not_in_the_state_for_it_are_refused() {
    served(async |served| {
        let green = incident::GREEN;
        for (path, body, status) in [
            (
                "/_sim/instance",
                r#"{"id": "i-0", "action": "stop"}"#.to_owned(),
                404,
            ),
            (
                "/_sim/instance",
                format!(r#"{{"id": "{green}", "action": "start"}}"#),
                409,
            ),
            (
                "/_sim/event",
                r#"{"id": "i-0", "code": "instance-stop", "seconds": 1}"#.to_owned(),
                404,
            ),
            (
                "/_sim/event",
                format!(r#"{{"id": "{green}", "cancel": "none"}}"#),
                404,
            ),
            (
                "/_sim/image",
                r#"{"id": "ami-0", "action": "disable"}"#.to_owned(),
                404,
            ),
            (
                "/_sim/image",
                format!(r#"{{"id": "{}", "action": "fail"}}"#, incident::IMAGE),
                409,
            ),
            (
                "/_sim/target",
                format!(r#"{{"group": "none", "id": "{green}", "action": "register"}}"#),
                404,
            ),
        ] {
            assert_eq!(
                served.control("POST", path, &body).await.0,
                status,
                "{path} {body}"
            );
        }
    });
}

#[test]
fn instances_live_through_what_is_done_to_them() {
    served(async |served| {
        let green = incident::GREEN;
        let act = async |fields: &str| {
            served
                .post("/_sim/instance", &format!(r#"{{"id": "{green}", {fields}}}"#))
                .await
        };
        let instance = || {
            served
                .port
                .act(|state| state.world.instance(green).unwrap().clone())
        };
        for (by, code) in [
            (r#""by": "guest""#, "Client.InstanceInitiatedShutdown"),
            (r#""by": "person""#, "Client.UserInitiatedShutdown"),
            (
                r#""by": "aws", "code": "Server.InternalError""#,
                "Server.InternalError",
            ),
            (r#""by": "aws""#, "Server.ScheduledStop"),
        ] {
            assert_eq!(
                act(&format!(r#""action": "stop", {by}"#)).await["state"],
                "stopping"
            );
            assert_eq!(instance().reason.as_ref().unwrap().code, code);
            served.post("/_sim/advance", r#"{"seconds": 60}"#).await;
            act(r#""action": "start""#).await;
            served.post("/_sim/advance", r#"{"seconds": 300}"#).await;
            assert_eq!(instance().state.name(), "running");
        }
        act(r#""action": "impair", "check": "system""#).await;
        assert_eq!(instance().system_check.name(), "impaired");
        act(r#""action": "mend", "check": "system""#).await;
        act(r#""action": "app", "app": "broken""#).await;
        assert_eq!(instance().app, crate::sim::world::App::Broken);
        act(r#""action": "retag", "key": "Name", "value": """#).await;
        assert_eq!(instance().tag("Name"), Some(""));
        act(r#""action": "hide", "seconds": 60"#).await;
        assert!(
            served
                .ec2()
                .describe_instances()
                .instance_ids(green)
                .send()
                .await
                .is_err()
        );
        act(r#""action": "terminate""#).await;
        assert_eq!(instance().state.name(), "shutting-down");
    });
}

#[test]
fn an_announced_retirement_stops_the_instance_at_its_time_unless_it_is_called_off() {
    served(async |served| {
        let announce = async |id: &str| {
            let body = format!(r#"{{"id": "{id}", "code": "instance-retirement", "seconds": 3600}}"#);
            served.post("/_sim/event", &body).await["event"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        announce(incident::GREEN).await;
        let event = announce(incident::BLUE).await;
        served
            .post(
                "/_sim/event",
                &format!(r#"{{"id": "{}", "cancel": "{event}"}}"#, incident::BLUE),
            )
            .await;
        served.post("/_sim/advance", r#"{"seconds": 3700}"#).await;
        assert_eq!(served.state_of(incident::GREEN), "stopped");
        assert_eq!(served.state_of(incident::BLUE), "running");
        let (_, log) = served
            .control("GET", &format!("/_sim/log?about={}", incident::GREEN), "")
            .await;
        assert!(log.to_string().contains("Server.ScheduledStop"), "{log}");
    });
}

#[test]
fn a_reset_begins_anew_with_an_empty_world() {
    served(async |served| {
        served.post("/_sim/fault", r#"{"kind": "throttle"}"#).await;
        served
            .post("/_sim/deny", r#"{"action": "DescribeInstances"}"#)
            .await;
        served.post("/_sim/reset", r#"{"seed": 5}"#).await;
        assert!(
            served
                .ec2()
                .describe_instances()
                .send()
                .await
                .unwrap()
                .reservations()
                .is_empty()
        );
        let (_, state) = served.control("GET", "/_sim/state", "").await;
        assert_eq!((&state["seed"], &state["faults"]), (&5.into(), &0.into()));
    });
}

#[test]
fn the_health_of_a_target_is_shown_as_it_was_set_for_as_long_as_it_was_said() {
    served(async |served| {
        let fields = format!(r#"{{"group": "tis-prod", "id": "{}", "action": "#, incident::BLUE);
        let act = async |rest: &str| served.post("/_sim/target", &format!("{fields}{rest}}}")).await;
        let set = act(r#""health", "health": "timeout", "seconds": 60"#).await;
        assert_eq!(set["health"], "unhealthy");
        let health = || {
            served.port.act(|state| {
                let group = state.world.target_group("tis-prod").unwrap();
                group.health_of(incident::BLUE, 8080).names().0
            })
        };
        served.post("/_sim/advance", r#"{"seconds": 59}"#).await;
        assert_eq!(health(), "unhealthy");
        served.post("/_sim/advance", r#"{"seconds": 2}"#).await;
        assert_eq!(health(), "healthy");
        assert_eq!(act(r#""deregister""#).await["health"], "draining");
    });
}
