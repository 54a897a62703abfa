//! `keepgreen sim` as a process: the program itself, scripts and the documentation's examples against it.

mod documented;
mod healed;
mod process;

use crate::harness::{Running, eventually, request};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// What finds programs and nothing else.
fn path() -> (String, String) {
    ("PATH".to_owned(), std::env::var("PATH").unwrap())
}

/// A simulated AWS in a process of its own, and a folder. Dropped, both are gone.
struct Sim {
    running: Running,
    address: String,
    folder: TempDir,
}

impl Sim {
    /// Starts one with these options, on a free port.
    fn start(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut words = vec!["sim", "--listen", "127.0.0.1:0"];
        words.extend(options);
        let running = Running::start(folder.path(), &BTreeMap::from([path()]), "", &words);
        let ready = || {
            let said = running.stderr();
            let line = said.lines().next().filter(|_| said.contains('\n'))?;
            line.strip_prefix("listening on ").map(str::to_owned)
        };
        eventually("it listens", || running.output(), || ready().is_some());
        let address = ready().unwrap();
        Self {
            running,
            address,
            folder,
        }
    }

    /// A control request that succeeds.
    fn control(&self, method: &str, path: &str, body: &str) -> Value {
        let (status, text) = request(&self.address, method, path, &[], body);
        assert_eq!(status, 200, "{method} {path} {body}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    fn post(&self, path: &str, body: &str) -> Value {
        self.control("POST", path, body)
    }

    fn get(&self, path: &str) -> Value {
        self.control("GET", path, "")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts the program with this AWS as its endpoint, in the folder.
    fn keepgreen(&self, words: &[&str]) -> Running {
        let environment = [
            ("AWS_ENDPOINT_URL", format!("http://{}", self.address)),
            ("AWS_REGION", "eu-west-2".to_owned()),
            ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "any".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("HOME", self.folder.path().display().to_string()),
        ];
        let mut environment: BTreeMap<String, String> =
            environment.map(|(name, value)| (name.to_owned(), value)).into();
        environment.extend([path()]);
        Running::start(self.folder.path(), &environment, "", words)
    }

    fn policy(&self, text: &str) {
        fs::create_dir_all(self.path("policies")).unwrap();
        fs::write(self.path("policies/tis.yaml"), text).unwrap();
    }
}
