//! What happens to the process and its machine, and not to AWS: levers that a script or a fault can pull while a life is
//! being lived.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use rusqlite::{Connection, OpenFlags, params};
use tokio::sync::mpsc;

use crate::controller::Message;
use crate::env::VirtualClock;
use crate::record::{FILE_NAME, Journal};
use crate::sim::Incarnation;
use crate::sim::nap::Nap;
use crate::sim::state::{Standstill, Surroundings};

/// So many pages hold nothing: the disk is full.
const NO_PAGES: u32 = 1;

/// Something that is done to the state folder while no life is lived.
type Chore = Box<dyn FnOnce(&Path) -> io::Result<()> + Send>;

/// The levers. Clones are the same.
#[derive(Clone)]
pub struct Backstage(Arc<Inner>);

struct Inner {
    machine: VirtualClock,
    state: PathBuf,
    policies: PathBuf,
    /// What the oracles should know of it.
    around: Arc<Surroundings>,
    /// The loop's own naps.
    stall: Nap,
    now: Mutex<Now>,
}

/// What there is to pull at just now.
#[derive(Default)]
struct Now {
    life: Option<Incarnation>,
    journal: Option<Journal>,
    messages: Option<mpsc::Sender<Message>>,
    chores: Vec<Chore>,
    is_full: bool,
}

impl Backstage {
    pub(super) fn new(
        machine: VirtualClock,
        around: Arc<Surroundings>,
        state: &Path,
        policies: &Path,
    ) -> Self {
        Self(Arc::new(Inner {
            around,
            machine,
            state: state.to_owned(),
            policies: policies.to_owned(),
            stall: Nap::default(),
            now: Mutex::default(),
        }))
    }

    /// The machine's clocks, to be set wrong and suspended.
    pub fn machine(&self) -> &VirtualClock {
        &self.0.machine
    }

    /// The process dies now, if one lives.
    pub fn kill(&self) {
        self.with(|now| now.life.iter().for_each(Incarnation::kill));
    }

    /// The process stands still for so long: a paused virtual machine, a swapping one.
    pub fn freeze(&self, duration: Duration) {
        self.jolt();
        self.with(|now| now.life.iter().for_each(|life| life.freeze(duration)));
    }

    /// The loop stands still for so long, and nothing beside it; the heartbeat should tell after `noticed_after`.
    pub fn stall(&self, duration: Duration, noticed_after: Duration) {
        self.jolt();
        let mut stalls = self
            .0
            .around
            .stalls
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        stalls.push(Standstill {
            began: self.0.stall.take(duration),
            lasts: duration,
            noticed_after,
        });
    }

    fn jolt(&self) {
        self.0.around.jolted.store(true, Ordering::Relaxed);
    }

    /// The disk is full, or has room again.
    pub fn fill_disk(&self, full: bool) {
        self.jolt();
        self.0.around.unwell.store(full, Ordering::Relaxed);
        self.with(|now| {
            now.is_full = full;
            if let Some(journal) = &now.journal {
                // In line, as everything that blocks in the simulation: it is done when this returns.
                let done = journal.set_max_pages(full.then_some(NO_PAGES)).now_or_never();
                drop(done);
            }
        });
    }

    /// Somebody writes a policy file, and the controller notices.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_policy(&self, file: &str, text: &str) -> io::Result<()> {
        std::fs::write(self.0.policies.join(file), text)?;
        self.reload();
        Ok(())
    }

    /// What a policy file says.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read_policy(&self, file: &str) -> io::Result<String> {
        std::fs::read_to_string(self.0.policies.join(file))
    }

    /// The controller is told that the policy folder may have changed.
    pub fn reload(&self) {
        self.jolt();
        // A full mailbox holds a message already, which has the same effect.
        self.with(|now| {
            if let Some(messages) = &now.messages {
                let _ = messages.try_send(Message::Reload);
            }
        });
    }

    /// Every policy file, by name.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn policy_files(&self) -> io::Result<Vec<String>> {
        let entries = std::fs::read_dir(&self.0.policies)?;
        let mut names = Vec::new();
        for entry in entries {
            names.extend(entry?.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }

    /// Copies the journal as it is now.
    ///
    /// # Errors
    /// If there is none yet, or the copy exists.
    pub fn back_up(&self, copy: &Path) -> Result<(), rusqlite::Error> {
        let journal = open(&self.0.state)?;
        journal.execute("VACUUM INTO ?1", [copy.to_string_lossy()])?;
        Ok(())
    }

    /// Before the next life begins, the journal is what that copy is: older than the world.
    pub fn restore_before_next_life(&self, copy: &Path) {
        let copy = copy.to_owned();
        self.before_next_life(move |state| {
            for suffix in ["-wal", "-shm"] {
                let beside = state.join(format!("{FILE_NAME}{suffix}"));
                if beside.exists() {
                    std::fs::remove_file(beside)?;
                }
            }
            std::fs::copy(&copy, state.join(FILE_NAME)).map(drop)
        });
    }

    /// Before the next life begins, the journal holds an open intent of a kind that this version does not know, about this
    /// instance.
    pub fn plant_unknown_intent(&self, service: &str, account: &str, instance: &str) {
        let (service, account, instance) = (service.to_owned(), account.to_owned(), instance.to_owned());
        let begun = self.0.machine.now().wall.as_millisecond();
        self.before_next_life(move |state| {
            insert_unknown_intent(state, &service, &account, &instance, begun).map_err(io::Error::other)
        });
    }

    /// Something is done to the state folder before the next life begins.
    pub fn before_next_life(&self, chore: impl FnOnce(&Path) -> io::Result<()> + Send + 'static) {
        self.with(|now| now.chores.push(Box::new(chore)));
    }

    pub(super) fn do_chores(&self) -> io::Result<()> {
        let chores = self.with(|now| std::mem::take(&mut now.chores));
        chores.into_iter().try_for_each(|chore| chore(&self.0.state))
    }

    pub(super) fn is_full(&self) -> bool {
        self.with(|now| now.is_full)
    }

    pub(super) fn stall_order(&self) -> &Nap {
        &self.0.stall
    }

    pub(super) fn enter(&self, life: &Incarnation, messages: mpsc::Sender<Message>) {
        self.with(|now| {
            now.life = Some(life.clone());
            now.messages = Some(messages);
        });
    }

    pub(super) fn take_journal(&self, journal: Option<Journal>) {
        self.with(|now| now.journal = journal);
    }

    pub(super) fn leave(&self) {
        self.with(|now| {
            now.life = None;
            now.messages = None;
            now.journal = None;
        });
    }

    fn with<R>(&self, act: impl FnOnce(&mut Now) -> R) -> R {
        act(&mut self.0.now.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The journal of a state folder; one that does not exist is not made.
fn open(state: &Path) -> Result<Connection, rusqlite::Error> {
    Connection::open_with_flags(state.join(FILE_NAME), OpenFlags::SQLITE_OPEN_READ_WRITE)
}

fn insert_unknown_intent(
    state: &Path,
    service: &str,
    account: &str,
    instance: &str,
    begun: i64,
) -> Result<(), rusqlite::Error> {
    let journal = open(state)?;
    let id = format!("intent-of-the-future-{begun}");
    journal.execute(
        "INSERT INTO intents (id, service, account, operation, state, counts, begun_at, body)
         VALUES (?1, ?2, ?3, 'TeleportInstances', 'open', 1, ?4, '{\"step\":\"teleport\"}')",
        params![id, service, account, begun],
    )?;
    journal.execute(
        "INSERT INTO intent_instances (intent, instance) VALUES (?1, ?2)",
        params![id, instance],
    )?;
    Ok(())
}
