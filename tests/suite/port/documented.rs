//! deploy/sim.md: its examples run, in their order, and it names every route.

use super::{Sim, path};
use std::fs;
use std::path::Path;
use std::process::Command;

fn document() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/sim.md")).unwrap()
}

/// The code blocks, each with its language.
fn blocks(text: &str) -> Vec<(String, String)> {
    let parts: Vec<&str> = text.split("```").collect();
    assert_eq!(parts.len() % 2, 1, "a code block does not end");
    let inside = parts.iter().skip(1).step_by(2);
    inside
        .map(|part| {
            let (language, code) = part.split_once('\n').unwrap();
            (language.to_owned(), code.to_owned())
        })
        .collect()
}

#[test]
fn every_example_runs_and_every_route_has_one() {
    let text = document();
    let blocks = blocks(&text);
    let (begin, rest) = blocks.split_first().unwrap();
    let words: Vec<&str> = begin.1.split_whitespace().collect();
    assert_eq!(words[..4], ["keepgreen", "sim", "--listen", "127.0.0.1:4566"]);
    let sim = Sim::start(&words[4..]);
    let python = std::env::var("KEEPGREEN_MOTO_PYTHON").expect("run the tests by `tests/run`");
    for (language, code) in rest {
        let code = code.replace("127.0.0.1:4566", &sim.address);
        let mut command = match language.as_str() {
            // A request that is refused fails its example.
            "sh" => Command::new("bash"),
            "python" => Command::new(&python),
            other => panic!("an example in {other}"),
        };
        let code = match language.as_str() {
            "sh" => format!(
                "set -euo pipefail\ncurl() {{ command curl --silent --fail-with-body \"$@\"; }}\n{code}"
            ),
            _ => code,
        };
        let ran = command
            .args(["-c", &code])
            .env_clear()
            .envs([path()])
            .output()
            .unwrap();
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(
            ran.status.success(),
            "{code}\n{}{}",
            said(&ran.stdout),
            said(&ran.stderr)
        );
    }
    let about = sim.get("/_sim");
    for route in about["routes"].as_array().unwrap() {
        let path = route["path"].as_str().unwrap();
        let is_shown = text
            .lines()
            .any(|line| line.split(['/', ' ', '\'', '?', '`']).count() > 1 && shows(line, path));
        assert!(is_shown, "{path} has no example in deploy/sim.md");
    }
}

/// The line calls this very route, not one whose name begins alike.
fn shows(line: &str, path: &str) -> bool {
    line.split("127.0.0.1:4566").skip(1).any(|rest| {
        rest.strip_prefix(path)
            .is_some_and(|after| !after.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/'))
    })
}
