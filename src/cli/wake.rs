//! What the outside tells the controller: signals, and policy files that change. All of it becomes messages; nothing depends
//! on their number or order, so several changes in a moment are one.

use crate::controller::Message;
use crate::env::Env;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, mpsc};

/// Files are written in several steps, and several files together: after a change, this much quiet is waited for…
const QUIET: Duration = Duration::from_millis(300);
/// …at most so many times.
const MOST_QUIETS: u32 = 10;

/// How often it is looked whether the policy folder is still the one that is watched: it can be missing at start, moved
/// away, or mounted over, of which no event tells.
const FOLDER_CHECKED_EVERY: Duration = Duration::from_secs(5);

/// Passes have 25 s to end; what hangs longer is in the journal, and is settled by the next process. Service managers kill
/// after 30 s.
const LONGEST_END: Duration = Duration::from_secs(26);

/// The signals that mean something to a controller.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// From here on these signals do not end the process by themselves.
    ///
    /// # Errors
    /// If the system refuses to hand them over.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The next one to end the process; others are left for later.
    pub async fn stop(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    /// The next one of any kind, by name and number: for a command that has nothing to reload.
    pub async fn any(&mut self) -> (&'static str, u8) {
        tokio::select! {
            _ = self.terminate.recv() => ("SIGTERM", 15),
            _ = self.interrupt.recv() => ("SIGINT", 2),
            _ = self.hangup.recv() => ("SIGHUP", 1),
        }
    }

    /// Hands signals on, until the process has to end whatever is still under way: [`LONGEST_END`] after it was asked to, or
    /// when it is asked a second time.
    pub async fn forward(&mut self, messages: &mpsc::Sender<Message>, env: &Env, stopping: impl Fn()) {
        loop {
            let message = tokio::select! {
                _ = self.terminate.recv() => Message::Shutdown,
                _ = self.interrupt.recv() => Message::Shutdown,
                _ = self.hangup.recv() => Message::Reload,
            };
            if messages.send(message).await.is_err() {
                // Nobody listens: the loop has ended.
                return;
            }
            if message == Message::Shutdown {
                stopping();
                break;
            }
        }
        tokio::select! {
            again = self.stop() => tracing::warn!(signal = again, "asked to end twice: ending at once"),
            () = env.clock.sleep(LONGEST_END) => {
                tracing::warn!("what is under way did not end in time; the journal has it, the next process settles it");
            }
        }
    }
}

/// What changed, as the file watcher's own thread tells it.
#[derive(Debug, Default)]
struct Changes {
    policies: Notify,
    config: Notify,
}

/// Watches the policy folder, and the config file for changes that need a restart.
pub struct FileWatch {
    folder: PathBuf,
    config: Option<PathBuf>,
    changes: Arc<Changes>,
    watcher: Option<RecommendedWatcher>,
    /// Device and inode of the folder that is watched.
    watched: Option<(u64, u64)>,
    warned: bool,
}

impl FileWatch {
    /// Begins to watch. What cannot be watched is said once; SIGHUP works all the same.
    pub fn new(folder: &Path, config: Option<&Path>) -> Self {
        // The watcher tells absolute paths.
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let (folder, config) = (&absolute(folder), config.map(absolute));
        let changes = Arc::new(Changes::default());
        let sink = Sink {
            folder: folder.clone(),
            config: config.clone(),
            changes: Arc::clone(&changes),
        };
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| sink.take(event));
        let mut watch = Self {
            folder: folder.clone(),
            config,
            changes,
            watcher: watcher.map_err(|error| warn_of(folder, &error)).ok(),
            watched: None,
            warned: false,
        };
        watch.watch_config();
        watch.watch_folder(identity(folder));
        watch
    }

    /// Sends a reload after each burst of changes. Never ends while somebody listens.
    pub async fn forward(&mut self, messages: &mpsc::Sender<Message>, env: &Env) {
        loop {
            tokio::select! {
                () = self.changes.policies.notified() => {
                    quiet(&self.changes.policies, env).await;
                    tracing::info!(folder = %self.folder.display(), "policy files changed");
                    if messages.send(Message::Reload).await.is_err() {
                        return;
                    }
                }
                () = self.changes.config.notified() => {
                    quiet(&self.changes.config, env).await;
                    tracing::warn!("the config file changed: restart keepgreen to use it; until then the old one holds");
                }
                () = env.clock.sleep(FOLDER_CHECKED_EVERY) => {
                    let folder = self.folder.clone();
                    let now = env.blocking.run(move || identity(&folder)).await.ok().flatten();
                    if now != self.watched {
                        self.watch_folder(now);
                        self.changes.policies.notify_one();
                    }
                }
            }
        }
    }

    fn watch_folder(&mut self, now: Option<(u64, u64)>) {
        let Some(watcher) = &mut self.watcher else { return };
        // Of the folder that was there before; there may have been none.
        let _ = watcher.unwatch(&self.folder);
        self.watched = now;
        if now.is_none() {
            return;
        }
        match watcher.watch(&self.folder, RecursiveMode::NonRecursive) {
            Ok(()) => self.warned = false,
            Err(error) if !self.warned => {
                self.warned = true;
                warn_of(&self.folder, &error);
            }
            Err(_) => {}
        }
    }

    /// Its folder, because editors put a new file in the old one's place.
    fn watch_config(&mut self) {
        let (Some(watcher), Some(config)) = (&mut self.watcher, &self.config) else {
            return;
        };
        let folder = parent(config);
        if folder == self.folder {
            return;
        }
        if let Err(error) = watcher.watch(folder, RecursiveMode::NonRecursive) {
            tracing::debug!(%error, "changes of the config file will not be noticed");
        }
    }
}

/// Waits until the last change is a moment ago.
async fn quiet(changed: &Notify, env: &Env) {
    for _ in 0..MOST_QUIETS {
        tokio::select! {
            () = changed.notified() => {}
            () = env.clock.sleep(QUIET) => return,
        }
    }
}

fn warn_of(folder: &Path, error: &notify::Error) {
    tracing::warn!(
        folder = %folder.display(),
        %error,
        "the policy files cannot be watched; send SIGHUP after changing them"
    );
}

fn identity(folder: &Path) -> Option<(u64, u64)> {
    let metadata = std::fs::metadata(folder).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

fn parent(file: &Path) -> &Path {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Sorts the watcher's events.
struct Sink {
    folder: PathBuf,
    config: Option<PathBuf>,
    changes: Arc<Changes>,
}

impl Sink {
    fn take(&self, event: notify::Result<Event>) {
        // After an error events may be missing.
        let Ok(event) = event else {
            return self.changes.policies.notify_one();
        };
        if event.need_rescan() {
            self.changes.policies.notify_one();
        }
        if is_reading(event.kind) {
            return;
        }
        for path in &event.paths {
            if self.config.as_deref() == Some(path.as_path()) {
                self.changes.config.notify_one();
            } else if is_policy(&self.folder, path) {
                self.changes.policies.notify_one();
            }
        }
    }
}

/// Reading the files is no change of them: a reload would call for the next one, for ever.
fn is_reading(kind: EventKind) -> bool {
    use notify::event::{AccessKind, AccessMode};
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
        EventKind::Access(_) => true,
        _ => false,
    }
}

/// The folder itself, a policy file in it, or one of the `..` links by which mounted configuration is exchanged as a whole;
/// not what editors leave beside them.
fn is_policy(folder: &Path, path: &Path) -> bool {
    if path == folder || path.parent() != Some(folder) {
        return path == folder;
    }
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().to_ascii_lowercase());
    name.is_some_and(|name| {
        name.starts_with("..")
            || (!name.starts_with('.') && (name.ends_with(".yaml") || name.ends_with(".yml")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{AccessKind, AccessMode, CreateKind};

    #[test]
    fn only_what_can_change_a_policy_calls_for_a_reload() {
        let folder = Path::new("/etc/keepgreen/policies");
        for (path, counts) in [
            ("/etc/keepgreen/policies/tis.yaml", true),
            ("/etc/keepgreen/policies/TIS.YML", true),
            ("/etc/keepgreen/policies", true),
            ("/etc/keepgreen/policies/..data", true),
            ("/etc/keepgreen/policies/.tis.yaml.swp", false),
            ("/etc/keepgreen/policies/.tis.yaml", false),
            ("/etc/keepgreen/policies/README.md", false),
            ("/etc/keepgreen/policies/4913", false),
            ("/etc/keepgreen/config.yaml", false),
            ("/etc/keepgreen/..data", false),
        ] {
            assert_eq!(is_policy(folder, Path::new(path)), counts, "{path}");
        }
    }

    #[test]
    fn reading_a_file_calls_for_nothing() {
        assert!(is_reading(EventKind::Access(AccessKind::Open(AccessMode::Any))));
        assert!(is_reading(EventKind::Access(AccessKind::Close(AccessMode::Read))));
        assert!(!is_reading(EventKind::Access(AccessKind::Close(
            AccessMode::Write
        ))));
        assert!(!is_reading(EventKind::Create(CreateKind::File)));
    }
}
