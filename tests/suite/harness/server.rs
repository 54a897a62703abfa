//! A leased moto server and its control routes; `GET /_h` documents them.

use super::http;
use super::lease::Lease;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How the names of operations begin that change nothing.
const READS: &[&str] = &["Describe", "Get", "List"];

/// The key of whoever sets the stage: calls made with it are not the program's.
const SETUP_KEY: &str = "AKIASETUPSETUPSETUPX";

/// A server with an empty world.
pub struct Server {
    lease: Lease,
}

/// The incident's objects, by id.
#[derive(Clone, Debug)]
pub struct Incident {
    pub blue: String,
    pub green: String,
    pub image: String,
}

/// A message that the webhook got.
#[derive(Clone, Debug)]
pub struct Message {
    pub key: String,
    pub kind: String,
    pub title: String,
    pub text: String,
    /// How many AWS calls had been made before it came.
    pub calls_before: u64,
}

impl Server {
    pub fn lease() -> Self {
        let server = Self { lease: Lease::take() };
        server.post("reset", json!({}));
        server
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.lease.address)
    }

    /// A control route; the answer is JSON.
    ///
    /// # Panics
    /// If the server does not understand it.
    pub fn ask(&self, method: &str, route: &str, body: &Value) -> Value {
        let (status, text) = http::request(
            &self.lease.address,
            method,
            &format!("/_h/{route}"),
            &[],
            &body.to_string(),
        );
        assert_eq!(status, 200, "{method} {route} {body}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    pub fn post(&self, route: &str, body: Value) -> Value {
        self.ask("POST", route, &body)
    }

    pub fn get(&self, route: &str) -> Value {
        self.ask("GET", route, &json!({}))
    }

    /// `tis-prod-blue` and `-green`, at peace.
    pub fn incident(&self) -> Incident {
        let made = self.post("world/incident", json!({}));
        let id = |name: &str| made[name].as_str().unwrap().to_owned();
        Incident {
            blue: id("blue"),
            green: id("green"),
            image: id("image"),
        }
    }

    pub fn stop(&self, instance: &str, code: &str) {
        self.post("stop", json!({ "instance": instance, "code": code }));
    }

    /// Arms a fault; it stays until it is cleared.
    pub fn fault(&self, fault: Value) {
        let mut fault = fault;
        fault.as_object_mut().unwrap().entry("count").or_insert(json!(0));
        self.post("fault", fault);
    }

    pub fn clear_faults(&self) {
        self.ask("DELETE", "fault", &json!({}));
    }

    /// Every AWS call of the program so far.
    pub fn calls(&self) -> Vec<Value> {
        let mut calls = self.get("calls")["calls"].as_array().unwrap().clone();
        calls.retain(|call| call["access_key"] != SETUP_KEY);
        calls
    }

    /// Tags an instance, as a person does.
    pub fn tag(&self, instance: &str, name: &str, value: &str) {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", "CreateTags")
            .append_pair("Version", "2016-11-15")
            .append_pair("ResourceId.1", instance)
            .append_pair("Tag.1.Key", name)
            .append_pair("Tag.1.Value", value)
            .finish();
        self.as_a_person(
            "ec2",
            &["Content-Type: application/x-www-form-urlencoded".to_owned()],
            &body,
        );
    }

    /// Registers an image, as a person's build does, and returns its id.
    pub fn register_image(&self, name: &str) -> String {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("Action", "RegisterImage")
            .append_pair("Version", "2016-11-15")
            .append_pair("Name", name)
            .append_pair("Architecture", "x86_64")
            .append_pair("RootDeviceName", "/dev/sda1")
            .append_pair("VirtualizationType", "hvm")
            .finish();
        let form = ["Content-Type: application/x-www-form-urlencoded".to_owned()];
        let answer = self.as_a_person("ec2", &form, &body);
        let id = answer
            .split("<imageId>")
            .nth(1)
            .and_then(|rest| rest.split('<').next());
        id.unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// Sets a parameter, as a person does.
    pub fn set_parameter(&self, name: &str, value: &str) {
        let body = json!({ "Name": name, "Value": value, "Type": "String", "Overwrite": true });
        self.ssm("PutParameter", &body);
    }

    pub fn delete_parameter(&self, name: &str) {
        self.ssm("DeleteParameter", &json!({ "Name": name }));
    }

    fn ssm(&self, action: &str, body: &Value) {
        let kind = "Content-Type: application/x-amz-json-1.1".to_owned();
        self.as_a_person(
            "ssm",
            &[kind, format!("X-Amz-Target: AmazonSSM.{action}")],
            &body.to_string(),
        );
    }

    /// One AWS call that is not the program's. The server checks no signatures, only who signed for what.
    fn as_a_person(&self, service: &str, headers: &[String], body: &str) -> String {
        let scope = format!("{SETUP_KEY}/20261111/eu-west-2/{service}/aws4_request");
        let mut lines = headers.to_vec();
        lines.push(format!(
            "Authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
        ));
        let (status, text) = http::request(&self.lease.address, "POST", "/", &lines, body);
        assert_eq!(status, 200, "{body}: {text}");
        text
    }

    pub fn forget_calls(&self) {
        self.ask("DELETE", "calls", &json!({}));
    }

    /// What the webhook got, in order.
    pub fn messages(&self) -> Vec<Message> {
        self.messages_of("people")
    }

    pub fn messages_of(&self, hook: &str) -> Vec<Message> {
        let all = self.get("hook");
        let rows = all["hooks"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|row| row["name"] == hook && row["method"] == "POST");
        rows.map(|row| {
            let body: Value = serde_json::from_str(row["body"].as_str().unwrap()).unwrap_or_default();
            let word = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
            Message {
                key: word("key"),
                kind: word("kind"),
                title: word("title"),
                text: word("text"),
                calls_before: row["calls_before"].as_u64().unwrap(),
            }
        })
        .collect()
    }

    /// Instance id → state.
    pub fn states(&self) -> BTreeMap<String, String> {
        let world = self.get("world");
        let rows = world["instances"].as_array().unwrap().iter();
        rows.map(|row| {
            (
                row["id"].as_str().unwrap().to_owned(),
                row["state"].as_str().unwrap().to_owned(),
            )
        })
        .collect()
    }

    pub fn state(&self, instance: &str) -> String {
        self.states()[instance].clone()
    }

    /// `target group/instance:port` → health.
    pub fn health(&self) -> BTreeMap<String, String> {
        let world = self.get("world");
        let name = |row: &Value| {
            let word = |key: &str| row[key].as_str().unwrap().to_owned();
            format!("{}/{}:{}", word("target_group"), word("instance"), row["port"])
        };
        let rows = world["targets"].as_array().unwrap().iter();
        rows.map(|row| (name(row), row["state"].as_str().unwrap().to_owned()))
            .collect()
    }

    /// Whether everything runs and every target is healthy.
    pub fn is_whole(&self) -> bool {
        self.states().values().all(|state| state == "running")
            && self.health().values().all(|state| state == "healthy")
    }

    /// For the message of a failed test: the calls and the messages so far.
    pub fn story(&self) -> String {
        let line = |call: &Value| {
            format!(
                "{:>4} {} {} {} {}",
                call["seq"], call["action"], call["params"], call["outcome"], call["error"]
            )
        };
        let calls: Vec<String> = self.calls().iter().map(line).collect();
        let messages: Vec<String> = self
            .messages()
            .iter()
            .map(|m| format!("{}: {}", m.key, m.title))
            .collect();
        format!(
            "calls:\n{}\nmessages:\n{}\nworld: {:#}",
            calls.join("\n"),
            messages.join("\n"),
            self.get("world")
        )
    }
}

/// How many of the calls are of this operation.
pub fn count(calls: &[Value], action: &str) -> usize {
    calls.iter().filter(|call| call["action"] == action).count()
}

/// The calls that change something.
pub fn mutations(calls: &[Value]) -> Vec<&Value> {
    let reads = |call: &&Value| {
        let action = call["action"].as_str().unwrap();
        READS.iter().any(|start| action.starts_with(start))
    };
    calls.iter().filter(|call| !reads(call)).collect()
}

/// The instances that a call names.
pub fn names(call: &Value) -> Vec<String> {
    let params = call["params"].as_object().unwrap();
    let ids = params.iter().filter(|(name, _)| name.starts_with("InstanceId."));
    ids.map(|(_, id)| id.as_str().unwrap().to_owned()).collect()
}
