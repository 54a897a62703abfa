//! Every distinct request that reaches the simulation, written down for a checker that knows AWS's own models.
//!
//! The simulation understands what it has parsers for; whether the real service would is another question, and AWS's
//! models answer it. With [`FOLDER_VARIABLE`] set, each process writes the requests it sees into a file of its own in that
//! folder, one JSON object a line, and `tests/sim/asked.py` validates them. Without it nothing is written and
//! nothing costs.
//!
//! A thousand nights send millions of requests of a few dozen kinds. Two are of one kind if they name the same members,
//! with about as many entries and about as long values, and agree in every value that is a word: an enum member, a
//! filter's name, a flag. One of each kind is kept, and no more than [`KINDS_MAX`] of them. Most requests repeat an earlier
//! one but for ids and numbers, and a glance that skips those is enough for them.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::{Value, json};

use super::wire::{HttpRequest, Service, query};

/// Names the folder that requests are written to, which has to exist.
pub const FOLDER_VARIABLE: &str = "KEEPGREEN_SIM_REQUESTS";

/// More kinds than this are a kind made too fine: the checker fails on the mark that is left then.
const KINDS_MAX: usize = 10_000;

/// Requests remembered at a glance; beyond that each is looked at in full.
const GLANCES_MAX: usize = 100_000;

/// A longer value is data, not a member of an enum.
const WORD_MAX: usize = 64;

/// The headers that the models say something about; no others, since they hold signatures.
const HEADERS: [&str; 3] = ["content-type", "x-amz-target", "user-agent"];

static RECORDER: OnceLock<Option<Mutex<Recorder>>> = OnceLock::new();

/// Write a request down, if this process writes requests and has seen none of this kind.
pub(super) fn record(service: Service, action: &str, request: &HttpRequest) {
    let recorder = RECORDER.get_or_init(|| {
        let folder = std::env::var_os(FOLDER_VARIABLE).filter(|folder| !folder.is_empty())?;
        let recorder = Recorder::create(Path::new(&folder));
        let told = recorder.map_err(|error| {
            tracing::error!(
                ?folder,
                %error,
                "requests cannot be written to this folder of {FOLDER_VARIABLE}: none will be"
            );
        });
        told.ok().map(Mutex::new)
    });
    let Some(recorder) = recorder else { return };
    let mut recorder = recorder.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(error) = recorder.record(service, action, request) {
        tracing::error!(%error, action, "this request could not be written down");
    }
}

/// One process's file, and the kinds that are in it.
#[derive(Debug)]
struct Recorder {
    file: File,
    kinds: BTreeSet<String>,
    glances: BTreeSet<u64>,
}

impl Recorder {
    fn create(folder: &Path) -> io::Result<Self> {
        let path = folder.join(format!("sim-{}.jsonl", std::process::id()));
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self {
            file,
            kinds: BTreeSet::new(),
            glances: BTreeSet::new(),
        })
    }

    fn record(&mut self, service: Service, action: &str, request: &HttpRequest) -> io::Result<()> {
        let glance = glance(service, action, request);
        if self.glances.contains(&glance) {
            return Ok(());
        }
        if self.glances.len() < GLANCES_MAX {
            self.glances.insert(glance);
        }
        let kind = kind_of(service, action, request);
        if self.kinds.len() > KINDS_MAX || self.kinds.contains(&kind) {
            return Ok(());
        }
        self.kinds.insert(kind);
        let line = if self.kinds.len() > KINDS_MAX {
            json!({ "incomplete": format!("more than {KINDS_MAX} kinds of requests: the rest is not written") })
        } else {
            line_of(service, action, request)
        };
        // In one write, so that two processes that share a number after each other's end mix no lines.
        self.file.write_all(format!("{line}\n").as_bytes())
    }
}

/// FNV-1a over everything that counts, without what ids and numbers are made of.
fn glance(service: Service, action: &str, request: &HttpRequest) -> u64 {
    let body = request.body.iter().filter(|byte| !byte.is_ascii_hexdigit());
    let parts = [service.name(), action, &request.path, client_of(request)];
    let length = size_class(request.body.len()).to_le_bytes();
    let bytes = parts
        .into_iter()
        .flat_map(str::as_bytes)
        .chain(&length)
        .chain(body);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Who asks counts: a person's request does not stand for the same one of the program.
fn client_of(request: &HttpRequest) -> &str {
    let agent = request.headers.get("user-agent").map_or("", String::as_str);
    agent
        .split(' ')
        .rfind(|part| part.starts_with("app/"))
        .unwrap_or("")
}

fn line_of(service: Service, action: &str, request: &HttpRequest) -> Value {
    let headers = HEADERS.into_iter().filter_map(|name| {
        let value = request.headers.get(name)?;
        Some((name.to_owned(), Value::from(value.as_str())))
    });
    json!({
        "service": service.name(),
        "action": action,
        "method": request.method,
        "path": request.path,
        "headers": headers.collect::<serde_json::Map<_, _>>(),
        "body": String::from_utf8_lossy(&request.body),
    })
}

/// Equal for requests that a model cannot tell apart, but for values that it says little about.
fn kind_of(service: Service, action: &str, request: &HttpRequest) -> String {
    let mut parts = BTreeSet::new();
    let mut most = 0;
    match serde_json::from_slice::<Value>(&request.body) {
        Ok(body) => json_parts(&body, "", &mut parts, &mut most),
        Err(_) => {
            for (key, value) in query::pairs(&request.body) {
                let name: Vec<&str> = key
                    .split('.')
                    .map(|part| match part.parse::<usize>() {
                        Ok(number) => {
                            most = most.max(number);
                            "N"
                        }
                        Err(_) => part,
                    })
                    .collect();
                parts.insert(format!("{}={}", name.join("."), value_kind(&value)));
            }
        }
    }
    let parts: Vec<String> = parts.into_iter().collect();
    format!(
        "{} {} {action} {} {} {}",
        client_of(request),
        service.name(),
        request.path,
        size_class(most),
        parts.join("&")
    )
}

fn json_parts(value: &Value, at: &str, parts: &mut BTreeSet<String>, most: &mut usize) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                json_parts(member, &format!("{at}.{name}"), parts, most);
            }
        }
        Value::Array(entries) => {
            *most = (*most).max(entries.len());
            for entry in entries {
                json_parts(entry, &format!("{at}.N"), parts, most);
            }
        }
        Value::String(text) => {
            parts.insert(format!("{at}={}", value_kind(text)));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            parts.insert(format!("{at}={value}"));
        }
    }
}

/// A word is itself; anything else is about as long as it is.
fn value_kind(value: &str) -> String {
    let is_word = value.len() <= WORD_MAX
        && value
            .bytes()
            .all(|byte| byte.is_ascii_alphabetic() || b"-_.:".contains(&byte));
    if is_word {
        value.to_owned()
    } else {
        format!("{}#", size_class(value.len()))
    }
}

/// Sizes up to the same power of two are one class: limits are mostly such powers, or lie far from them.
fn size_class(size: usize) -> usize {
    size.next_power_of_two()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(body: &str) -> HttpRequest {
        let mut request = HttpRequest {
            method: "POST".into(),
            path: "/".into(),
            body: body.as_bytes().to_vec(),
            ..Default::default()
        };
        request
            .headers
            .insert("user-agent".into(), "aws-sdk-rust/1 app/keepgreen".into());
        request.headers.insert("authorization".into(), "secret".into());
        request
    }

    fn kind(body: &str) -> String {
        kind_of(Service::Ec2, "DescribeInstances", &request(body))
    }

    #[test]
    fn requests_that_differ_in_ids_alone_are_of_one_kind() {
        assert_eq!(kind("InstanceId.1=i-0a"), kind("InstanceId.1=i-0b"));
        assert_eq!(kind("InstanceId.1=i-0a"), kind("InstanceId.1=i-0c"));
        assert_eq!(kind(r#"{"Name":"/a/1"}"#), kind(r#"{"Name":"/b/2"}"#));
    }

    #[test]
    fn a_further_member_an_enum_a_flag_a_long_list_and_another_client_make_another_kind() {
        let plain = kind("InstanceId.1=i-0a&State=running");
        let long: String = (1..=150).map(|n| format!("InstanceId.{n}=i-0a&")).collect();
        for other in [
            "InstanceId.1=i-0a&State=stopped",
            "InstanceId.1=i-0a&State=running&DryRun=true",
            "InstanceId.1=i-0a-and-much-longer&State=running",
            &format!("{long}State=running"),
        ] {
            assert_ne!(plain, kind(other), "{other}");
        }
        assert_ne!(kind(r#"{"Overwrite":true}"#), kind(r#"{"Overwrite":false}"#));
        let mut by_a_person = request("InstanceId.1=i-0a&State=running");
        by_a_person.headers.remove("user-agent");
        assert_ne!(plain, kind_of(Service::Ec2, "DescribeInstances", &by_a_person));
    }

    #[test]
    fn each_kind_is_written_once_without_its_signature_and_too_many_leave_a_mark() {
        let folder = tempfile::tempdir().unwrap();
        let mut recorder = Recorder::create(folder.path()).unwrap();
        for number in 0..KINDS_MAX + 5 {
            // Letters alone, and none of a hexadecimal number's: a word, and so another kind each time.
            let word: String = number.to_string().bytes().map(|b| char::from(b + 60)).collect();
            let body = format!("Action=DescribeInstances&State={word}");
            recorder
                .record(Service::Ec2, "DescribeInstances", &request(&body))
                .unwrap();
            recorder
                .record(Service::Ec2, "DescribeInstances", &request(&body))
                .unwrap();
        }
        let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), KINDS_MAX + 1);
        assert_eq!(lines[0]["service"], "ec2");
        assert_eq!(lines[0]["body"], "Action=DescribeInstances&State=l");
        assert!(lines[KINDS_MAX]["incomplete"].is_string());
        assert!(!text.contains("secret"));
    }
}
