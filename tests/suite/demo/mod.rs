//! `keepgreen demo` as users run it: without an AWS account, a network, or anything of their own.

use crate::harness::{Running, eventually, request};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Time passes at once.
const AT_ONCE: &str = "--speed=86400";

/// An empty place to run in; temporary files go there, too.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn environment(&self) -> BTreeMap<String, String> {
        let words = [
            ("PATH", "/usr/bin:/bin"),
            ("TMPDIR", self.path().to_str().unwrap()),
        ];
        words
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    fn demo(&self, words: &[&str]) -> Running {
        self.demo_in(&self.environment(), words)
    }

    fn demo_in(&self, environment: &BTreeMap<String, String>, words: &[&str]) -> Running {
        let mut all = vec!["demo"];
        all.extend(words);
        Running::start(self.path(), environment, "", &all)
    }

    /// Folders that a demo has made here and not removed.
    fn left(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap());
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with("keepgreen-demo")).collect()
    }
}

#[test]
fn it_heals_with_exit_code_0_and_leaves_nothing_behind() {
    let place = Place::new();
    let ran = place.demo(&[AT_ONCE]).end();
    ran.assert_code(0);
    assert!(
        ran.stdout.contains("Healed, and rebuilt.") && ran.stdout.contains("4 h 50 min"),
        "{ran}"
    );
    for words in [
        "time-lapse until Monday",
        "passed; keepgreen sent",
        "still stands    nothing",
    ] {
        assert!(ran.stdout.contains(words), "{words}: {ran}");
    }
    assert_eq!(ran.stderr, "");
    assert!(
        !ran.stdout.contains('\u{1b}') && !ran.stdout.contains('\r'),
        "no terminal reads this: {ran}"
    );
    assert_eq!(place.left(), [""; 0]);
}

#[test]
fn it_does_not_heal_with_exit_code_1_when_it_may_not_start() {
    let place = Place::new();
    let ran = place.demo(&[AT_ONCE, "--deny", "StartInstances"]).end();
    ran.assert_code(1);
    assert!(
        ran.stdout.contains("Not healed.") && ran.stdout.contains("UnauthorizedOperation"),
        "{ran}"
    );
    let json = place
        .demo(&[AT_ONCE, "--deny", "StartInstances", "--format", "json"])
        .end();
    json.assert_code(1);
    assert_eq!(json.json()["healed"], false);
}

#[test]
fn it_is_not_rebuilt_with_exit_code_1_when_it_may_not_launch() {
    let place = Place::new();
    let ran = place
        .demo(&[AT_ONCE, "--deny", "RunInstances", "--format", "json"])
        .end();
    ran.assert_code(1);
    let json = ran.json();
    assert_eq!((&json["healed"], &json["rebuilt"]), (&true.into(), &false.into()));
    assert_eq!(json["images_gone"][0]["instances"].as_array().unwrap().len(), 2);
}

#[test]
fn it_is_the_same_story_whatever_the_environment_says() {
    let place = Place::new();
    let ran = place.demo(&[AT_ONCE]).end();
    let mut poisoned = place.environment();
    for (name, value) in [
        ("KEEPGREEN_CONFIG", "/nowhere/config.yaml"),
        ("AWS_PROFILE", "production"),
        ("AWS_CONFIG_FILE", "/nowhere/config"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/credentials"),
        ("AWS_ACCESS_KEY_ID", "AKIAPOISON"),
        ("AWS_SECRET_ACCESS_KEY", "poison"),
        ("AWS_REGION", "us-gov-west-1"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("AWS_MAX_ATTEMPTS", "99"),
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("HTTPS_PROXY", "http://127.0.0.1:1"),
        ("HTTP_PROXY", "http://127.0.0.1:1"),
        ("HOME", "/nowhere"),
        ("TZ", "Asia/Tokyo"),
        ("TIS_ALERTS", "https://hooks.slack.com/services/real/real/real"),
    ] {
        poisoned.insert(name.to_owned(), value.to_owned());
    }
    let other = place.demo_in(&poisoned, &[AT_ONCE]).end();
    other.assert_code(0);
    assert_eq!((other.stdout, other.stderr), (ran.stdout, ran.stderr));
}

#[test]
fn ctrl_c_sums_up_what_was_and_leaves_nothing_behind() {
    let place = Place::new();
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let running = place.demo(&["--speed=1"]);
        eventually(
            "the story begins",
            || running.output(),
            || running.output().contains("03:5"),
        );
        assert_eq!(place.left().len(), 1);
        running.signal(signal);
        let ran = running.end();
        ran.assert_code(code);
        assert!(ran.stdout.contains("Ended before its end"), "{ran}");
        assert_eq!(place.left(), [""; 0], "{ran}");
    }
}

#[test]
fn a_reader_that_has_read_enough_ends_it_without_an_error() {
    let place = Place::new();
    let environment = place.environment();
    let running = Running::start(
        place.path(),
        &environment,
        // The program's stdout is a pipe that nobody holds the other end of.
        "set -- \"$@\"; mkfifo pipe; (exec <pipe) & exec >pipe; wait",
        &["demo", "--speed=1"],
    );
    let ran = running.end();
    ran.assert_code(0);
    assert_eq!(ran.stderr, "");
    assert_eq!(place.left(), [""; 0]);
}

#[test]
fn one_document_has_the_whole_story() {
    let place = Place::new();
    let json = place.demo(&[AT_ONCE, "--format", "json"]).end().json();
    assert_eq!((&json["version"], &json["healed"]), (&1.into(), &true.into()));
    assert_eq!(json["rebuilt"], true);
    assert_eq!(json["mutations"].as_array().unwrap().len(), 13);
    for rebuild in json["rebuilds"].as_array().unwrap() {
        assert_eq!(rebuild["done"], true, "{json:#}");
        assert_eq!(rebuild["fewest_healthy"]["tis-prod"], 2, "{json:#}");
    }
    assert_eq!(json["by_hand_s"], 17_400);
    let story = json["story"].as_array().unwrap();
    for who in ["aws", "slot", "saw", "decided", "did", "told", "time"] {
        assert!(story.iter().any(|line| line["who"] == who), "{who}: {json:#}");
    }
}

#[test]
fn what_cannot_be_denied_and_what_would_not_be_read_is_said() {
    let place = Place::new();
    for (words, says) in [
        (&["--deny", "StartInstance"][..], "StartInstances"),
        (&["--config", "config.yaml"], "leave out `--config`"),
        (&["--policies", "."], "leave out `--config` and `--policies`"),
    ] {
        let ran = place.demo(words).end();
        ran.assert_code(1);
        assert!(ran.stderr.contains(says), "{ran}");
        assert_eq!(ran.stdout, "");
    }
    place.demo(&["--speed", "0"]).end().assert_code(2);
}

/// Where a demo listens, once its story is over.
fn address(running: &Running) -> String {
    let line = || {
        let stderr = running.stderr();
        let address = stderr.lines().find_map(|line| line.strip_prefix("listening on "));
        address.map(str::to_owned)
    };
    eventually("it listens", || running.output(), || line().is_some());
    line().unwrap()
}

#[test]
fn served_it_lives_on_and_heals_what_a_viewer_breaks() {
    let place = Place::new();
    let running = place.demo(&["--serve", "--speed=3600"]);
    let address = address(&running);
    assert!(
        running.output().contains("Healed, and rebuilt."),
        "{}",
        running.output()
    );
    // The very command that it shows.
    let stderr = running.stderr();
    let shown = stderr
        .split('\'')
        .find(|words| words.contains("\"stop\""))
        .unwrap();
    let (status, answer) = request(&address, "POST", "/_sim/instance", &[], shown);
    assert_eq!(status, 200, "{answer}");
    let blue: serde_json::Value = serde_json::from_str(shown).unwrap();
    let healed = format!("{} healthy again", blue["id"].as_str().unwrap());
    eventually(
        "blue is healed",
        || running.output(),
        || running.output().contains(&healed),
    );
    let (status, log) = request(&address, "GET", "/_sim/log", &[], "");
    assert_eq!(status, 200);
    assert!(log.contains("nobody reads that mailbox"), "{log}");
    running.signal("INT");
    let ran = running.end();
    ran.assert_code(0);
    assert_eq!(ran.stdout.matches("Healed, and rebuilt.").count(), 1, "{ran}");
    assert_eq!(place.left(), [""; 0]);
}

#[test]
fn an_address_that_is_taken_is_said_before_the_story_and_not_after_it() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let serve = format!("--serve={}", taken.local_addr().unwrap());
    let ran = place.demo(&[&serve]).end();
    ran.assert_code(1);
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains("cannot listen on 127.0.0.1:"), "{ran}");
    assert_eq!(place.left(), [""; 0]);
}
