//! Server processes, leased to one test at a time: each takes a second to start, and tests run side by side.

use super::poll::eventually_some;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Condvar, Mutex, PoisonError};

/// More at once would only fight for the processor.
const MOST_SERVERS: usize = 4;

static POOL: Mutex<Pool> = Mutex::new(Pool {
    idle: Vec::new(),
    started: 0,
});
static RETURNED: Condvar = Condvar::new();

struct Pool {
    idle: Vec<Process>,
    started: usize,
}

/// A server process. It ends when its standard input closes, which the end of this process does, however it ends.
struct Process {
    address: String,
    child: Child,
}

/// The use of a server until it is dropped.
pub struct Lease {
    process: Option<Process>,
    pub address: String,
}

impl Lease {
    /// Waits for an idle server, or starts one.
    pub fn take() -> Self {
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        let process = loop {
            if let Some(process) = pool.idle.pop() {
                break process;
            }
            if pool.started < MOST_SERVERS {
                // Under the lock: one that does not start is not counted, and nobody waits for it for ever.
                let process = start();
                pool.started += 1;
                break process;
            }
            pool = RETURNED.wait(pool).unwrap_or_else(PoisonError::into_inner);
        };
        Self {
            address: process.address.clone(),
            process: Some(process),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut process) = self.process.take() {
            if process.child.try_wait().is_ok_and(|ended| ended.is_none()) {
                pool.idle.push(process);
            } else {
                pool.started -= 1;
            }
        }
        RETURNED.notify_one();
    }
}

fn start() -> Process {
    let python = std::env::var_os("KEEPGREEN_MOTO_PYTHON").expect(
        "KEEPGREEN_MOTO_PYTHON names the Python that has the test server: run the tests by `tests/run`",
    );
    let launcher = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/moto/launcher.py");
    let folder = tempfile::tempdir().unwrap();
    let ready = folder.path().join("ready");
    let mut child = Command::new(python)
        .arg(launcher)
        .arg("--exit-with-stdin")
        .arg("--ready-file")
        .arg(&ready)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let line = eventually_some("the test server listens", String::new, || {
        assert!(
            child.try_wait().unwrap().is_none(),
            "the test server ended at once; its words are above"
        );
        std::fs::read_to_string(&ready).ok()
    });
    let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    Process { address, child }
}
