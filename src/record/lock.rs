//! The state folder's lock: one controller a folder (S15).
//!
//! An advisory lock of the operating system on `<state>/lock`: it is given up when the process ends, however it ends, so
//! nothing is ever left locked. The file's text says who holds it; only the lock decides. Only controllers take it: all
//! other commands work beside them.

use crate::env::Env;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The lock's file name in the state folder.
pub const LOCK_FILE_NAME: &str = "lock";

/// A holder's details are a few hundred bytes; more than this is not ours.
const LONGEST_DETAILS: u64 = 16 * 1024;

/// The right to write into a state folder; given up on drop.
#[derive(Debug)]
pub struct StateLock {
    _file: File,
}

/// Who holds a state folder, as it wrote itself down; a field is `None` if it could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Holder {
    pub pid: Option<u32>,
    pub host: Option<String>,
    pub since: Option<Timestamp>,
    /// The command line.
    pub command: Option<String>,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "process {pid}")?,
            None => f.write_str("another process")?,
        }
        if let Some(command) = &self.command {
            write!(f, " (`{command}`)")?;
        }
        if let Some(host) = &self.host {
            write!(f, " on {host}")?;
        }
        if let Some(since) = self.since {
            write!(f, ", since {since:.0}")?;
        }
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    #[error(
        "the state folder {} is held by {holder}: two controllers on one journal would repair the same instance \
         twice; stop that one first, or give this one another `state` folder and other services",
        .folder.display()
    )]
    Held { folder: PathBuf, holder: Holder },
    #[error(
        "the state folder {} cannot be locked ({why}): without the lock a second controller could act on the same \
         journal; check the folder's owner and mode, and that it is on a file system with locks",
        .folder.display()
    )]
    Io { folder: PathBuf, why: String },
}

impl StateLock {
    /// Takes the lock, making the folder if there is none. Never waits.
    pub fn acquire(folder: &Path, env: &Env) -> Result<Self, LockError> {
        let io = |error: std::io::Error| LockError::Io {
            folder: folder.to_owned(),
            why: error.to_string(),
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(io)?;
        let path = folder.join(LOCK_FILE_NAME);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let folder = folder.to_owned();
                let holder = read_holder(&mut file);
                return Err(LockError::Held { folder, holder });
            }
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        require_same_file(&file, &path).map_err(io)?;
        write_holder(&mut file, env).map_err(io)?;
        Ok(Self { _file: file })
    }
}

/// A lock on a file that was removed in between locks nobody out.
fn require_same_file(file: &File, path: &Path) -> std::io::Result<()> {
    let (locked, named) = (file.metadata()?, fs::metadata(path)?);
    if (locked.dev(), locked.ino()) == (named.dev(), named.ino()) {
        return Ok(());
    }
    Err(std::io::Error::other(
        "the lock file was replaced just now; try again",
    ))
}

fn read_holder(file: &mut File) -> Holder {
    let mut text = String::new();
    match file.take(LONGEST_DETAILS).read_to_string(&mut text) {
        Ok(_) => serde_json::from_str(&text).unwrap_or_default(),
        Err(_) => Holder::default(),
    }
}

fn write_holder(file: &mut File, env: &Env) -> std::io::Result<()> {
    let holder = Holder {
        pid: Some(std::process::id()),
        host: fs::read_to_string("/proc/sys/kernel/hostname")
            .ok()
            .map(|name| name.trim().to_owned()),
        since: Some(env.clock.wall()),
        command: Some(
            std::env::args_os()
                .map(|word| word.display().to_string())
                .collect::<Vec<_>>()
                .join(" "),
        ),
    };
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(serde_json::to_string(&holder)?.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_one_is_refused_and_told_who_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let env = Env::system();
        let first = StateLock::acquire(&state, &env).unwrap();
        let error = StateLock::acquire(&state, &env).unwrap_err();
        let LockError::Held { holder, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(holder.pid, Some(std::process::id()));
        assert!(holder.since.is_some() && holder.host.is_some());
        assert!(
            error.to_string().contains(holder.command.as_ref().unwrap()),
            "{error}"
        );
        drop(first);
        StateLock::acquire(&state, &env).unwrap();
    }

    #[test]
    fn a_file_left_by_a_dead_process_locks_nobody_out() {
        let folder = tempfile::tempdir().unwrap();
        let text = r#"{"pid": 1, "host": "gone", "command": "keepgreen run"}"#;
        fs::write(folder.path().join(LOCK_FILE_NAME), text).unwrap();
        let _lock = StateLock::acquire(folder.path(), &Env::system()).unwrap();
        let error = StateLock::acquire(folder.path(), &Env::system()).unwrap_err();
        assert!(!error.to_string().contains("gone"), "{error}");
    }

    #[test]
    fn a_holder_that_cannot_be_read_is_still_a_holder() {
        let folder = tempfile::tempdir().unwrap();
        let _lock = StateLock::acquire(folder.path(), &Env::system()).unwrap();
        fs::write(folder.path().join(LOCK_FILE_NAME), [0xff, 0x00]).unwrap();
        let error = StateLock::acquire(folder.path(), &Env::system()).unwrap_err();
        assert!(error.to_string().contains("held by another process"), "{error}");
    }
}
