//! The program as users run it: a process with a clean environment, whose words are kept.

use super::house::HOOK_TOKEN;
use super::poll::eventually_some;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A process that goes on beside the test; it is killed when this is dropped.
pub struct Running {
    child: RefCell<Child>,
    words: String,
    stdout: PathBuf,
    stderr: PathBuf,
}

/// A process that has ended.
#[derive(Debug)]
pub struct Ran {
    pub words: String,
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// The program under test: the one that was built with the tests, unless the environment names another.
fn program() -> PathBuf {
    let other = std::env::var_os("KEEPGREEN_PROGRAM");
    other.map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_keepgreen")), PathBuf::from)
}

impl Running {
    /// `before`: what a shell does in the process before it becomes the program.
    pub fn start(
        folder: &Path,
        environment: &BTreeMap<String, String>,
        before: &str,
        words: &[&str],
    ) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let place = |name: &str| folder.join(format!("{number}.{name}"));
        let (stdout, stderr) = (place("stdout"), place("stderr"));
        let child = Command::new("/bin/sh")
            .args(["-c", &format!("{before}\nexec \"$0\" \"$@\"")])
            .arg(program())
            .args(words)
            .current_dir(folder)
            .env_clear()
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(File::create(&stdout).unwrap())
            .stderr(File::create(&stderr).unwrap())
            .spawn()
            .unwrap();
        Self {
            child: RefCell::new(child),
            words: words.join(" "),
            stdout,
            stderr,
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.borrow().id()
    }

    pub fn stderr(&self) -> String {
        fs::read_to_string(&self.stderr).unwrap()
    }

    /// Everything that it has said so far.
    pub fn output(&self) -> String {
        let stdout = fs::read_to_string(&self.stdout).unwrap();
        format!("$ keepgreen {}\n{stdout}{}", self.words, self.stderr())
    }

    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(
            Command::new("kill")
                .args([&format!("-{name}"), &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    pub fn has_ended(&self) -> bool {
        self.child.borrow_mut().try_wait().unwrap().is_some()
    }

    /// Waits for its end; one that does not end is killed, and fails the test.
    pub fn end(self) -> Ran {
        let words = self.words.clone();
        let story = || {
            format!(
                "{}{}",
                words,
                fs::read_to_string(&self.stderr).unwrap_or_default()
            )
        };
        let status = eventually_some("the program ends", story, || {
            self.child.borrow_mut().try_wait().unwrap()
        });
        let read = |path: &Path| String::from_utf8(fs::read(path).unwrap()).unwrap();
        let ran = Ran {
            words,
            status,
            stdout: read(&self.stdout),
            stderr: read(&self.stderr),
        };
        // Every run of every test is a test of this.
        assert!(
            !ran.stdout.contains(HOOK_TOKEN) && !ran.stderr.contains(HOOK_TOKEN),
            "a secret was shown: {ran:?}"
        );
        ran
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let child = self.child.get_mut();
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Ran {
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    pub fn was_killed(&self) -> bool {
        self.status.signal() == Some(9)
    }

    pub fn assert_code(&self, code: i32) {
        assert_eq!(self.code(), Some(code), "{self}");
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("not JSON ({error}): {self}"))
    }

    /// Everything that it said.
    pub fn output(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "$ keepgreen {} ({})\n{}{}",
            self.words, self.status, self.stdout, self.stderr
        )
    }
}
