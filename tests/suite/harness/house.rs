//! A house: the folders of one installation, its server, and the program run in it.

use super::program::{Ran, Running};
use super::{Incident, Server};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The incident's service. Its graces are a person's patience in a hurry: what waits minutes in life waits a second here.
pub const TIS: &str = "\
service: tis
slots:
  blue:  { select: { tags: { Name: tis-prod-blue } },  target_groups: [tis-prod] }
  green: { select: { tags: { Name: tis-prod-green } }, target_groups: [tis-prod, { name: tis-upload, port: 8443 }] }
grace: { operator_stop: 1s, boot: 3s, unhealthy: 1s }
limits: { cooldown: 1s }
notify: [hook]
";

/// In the URL of the webhook, and so in no output, log or file.
pub const HOOK_TOKEN: &str = "T0pS3cr3tT0k3n";

/// The configuration of a channel whose URL is a secret.
pub const WEBHOOK: &str = "notify: { hook: { webhook: { url: \"env:HOOK_URL\" } } }\n";

/// One installation. Dropped, it is gone.
pub struct House {
    pub server: Server,
    folder: TempDir,
    environment: RefCell<BTreeMap<String, String>>,
}

impl House {
    /// An empty world, an empty policy folder, a webhook, one look a second.
    pub fn new() -> Self {
        let server = Server::lease();
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("policies")).unwrap();
        let environment = [
            ("AWS_ENDPOINT_URL", server.url()),
            ("AWS_REGION", "eu-west-2".to_owned()),
            ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLEEXAMPLE00".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("HOME", folder.path().display().to_string()),
            (
                "HOOK_URL",
                format!("{}/_h/hook/people?token={HOOK_TOKEN}", server.url()),
            ),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value));
        let house = Self {
            server,
            folder,
            environment: RefCell::new(BTreeMap::from(environment)),
        };
        house.config("");
        house
    }

    /// The incident's world at peace, and its policy.
    pub fn incident() -> (Self, Incident) {
        let house = Self::new();
        let incident = house.server.incident();
        house.policy("tis", TIS);
        (house, incident)
    }

    /// The incident after it struck: green stopped by AWS, its image deregistered.
    pub fn struck() -> (Self, Incident) {
        let (house, incident) = Self::incident();
        house.server.stop(&incident.green, "Server.ScheduledStop");
        house.server.post(
            "ami",
            serde_json::json!({ "image": incident.image, "action": "deregister" }),
        );
        (house, incident)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// Writes a policy file, whole at once.
    pub fn policy(&self, name: &str, text: &str) {
        let place = self.path(&format!("policies/{name}.yaml"));
        let draft = self.path("draft");
        fs::write(&draft, text).unwrap();
        fs::rename(draft, place).unwrap();
    }

    /// Writes the config file: the usual keys, and these.
    pub fn config(&self, keys: &str) {
        self.bare_config(&format!("interval: 1s\nlisten: none\n{WEBHOOK}{keys}"));
    }

    pub fn bare_config(&self, text: &str) {
        fs::write(self.path("config.yaml"), text).unwrap();
    }

    /// Sets a variable of the program's environment.
    pub fn set(&self, name: &str, value: &str) {
        self.environment
            .borrow_mut()
            .insert(name.to_owned(), value.to_owned());
    }

    /// Runs a command to its end.
    pub fn keepgreen(&self, words: &[&str]) -> Ran {
        self.start(words).end()
    }

    /// Runs one pass, which has to succeed, and returns its document.
    pub fn once(&self) -> serde_json::Value {
        let ran = self.keepgreen(&["run", "--once", "--format", "json"]);
        ran.assert_code(0);
        ran.json()
    }

    /// The plan's document for a service, whatever the exit code.
    pub fn plan(&self, service: &str) -> serde_json::Value {
        let ran = self.keepgreen(&["plan", service, "--format", "json"]);
        ran.json()["services"][0].clone()
    }

    /// Starts a command that goes on beside the test; dropped, it is killed.
    pub fn start(&self, words: &[&str]) -> Running {
        self.start_after("", words)
    }

    /// The same, after what a shell does first in that very process.
    pub fn start_after(&self, before: &str, words: &[&str]) -> Running {
        let mut all = vec!["--config", "config.yaml"];
        if words.first() == Some(&"schema") || words.contains(&"--config") {
            all.clear();
        }
        all.extend(words);
        Running::start(self.folder.path(), &self.environment.borrow(), before, &all)
    }

    /// Starts the controller and waits until it has looked once.
    pub fn run(&self) -> Running {
        let before = self.server.calls().len();
        let running = self.start(&["run"]);
        self.wait(&running, "the first look", || {
            super::count(&self.server.calls()[before..], "DescribeTargetHealth") > 0
        });
        running
    }

    /// Waits until it is so, while `running` lives.
    pub fn wait(&self, running: &Running, what: &str, mut is_so: impl FnMut() -> bool) {
        let story = || format!("{}\n{}", running.output(), self.server.story());
        super::eventually(what, story, || {
            let so = is_so();
            assert!(
                so || !running.has_ended(),
                "it ended before this: {what}\n{}",
                story()
            );
            so
        });
    }

    /// Waits until it is so; what `is_so` does is what makes it so.
    pub fn wait_for(&self, what: &str, is_so: impl FnMut() -> bool) {
        super::eventually(what, || self.server.story(), is_so);
    }

    /// Makes passes until it is so.
    pub fn until(&self, what: &str, mut is_so: impl FnMut(&serde_json::Value) -> bool) {
        self.wait_for(what, || is_so(&self.once()));
    }

    /// Every file of the state folder, as bytes: what a secret must not be in.
    pub fn everything_written(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        read_all(&self.state(), &mut bytes);
        bytes
    }
}

fn read_all(folder: &Path, into: &mut Vec<u8>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, into);
        } else {
            into.extend(fs::read(&path).unwrap_or_default());
        }
    }
}
