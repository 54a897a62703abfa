//! What can go wrong with the journal, each as a sentence for the person who has to do something about it.

use crate::env::BlockingFailed;
use crate::model::{InstanceId, IntentId, ServiceName};
use std::path::{Path, PathBuf};

/// A journal operation that did not happen. Whatever the error, nothing of the operation was recorded, except where
/// [`RecordError::Interrupted`] says that it is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error(
        "the disk under {} is full: nothing can be journaled, so keepgreen changes nothing in AWS until it can; \
         make room there, it then goes on by itself",
        .path.display()
    )]
    Full { path: PathBuf },
    #[error(
        "another process has locked {}: nothing can be journaled, so keepgreen changes nothing in AWS until it \
         can; end whatever has the file open (a backup, a database browser), keepgreen then goes on by itself",
        .path.display()
    )]
    Locked { path: PathBuf },
    #[error(
        "{} was written by a newer keepgreen (schema {found}, this one knows {known}): it is left untouched; run \
         the newer version, or restore a backup of the state folder from before the upgrade",
        .path.display()
    )]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error(
        "{} is not a usable keepgreen journal ({why}): keepgreen changes nothing in AWS without one; restore the \
         file from a backup, or move it away to begin a new journal, which forgets attempts and unsettled requests",
        .path.display()
    )]
    Corrupt { path: PathBuf, why: String },
    #[error(
        "{} was removed or replaced while keepgreen runs: nothing is journaled into a file that no longer counts, so \
         keepgreen changes nothing in AWS; put the file back if you can, then restart keepgreen",
        .path.display()
    )]
    Replaced { path: PathBuf },
    #[error(
        "{} cannot be used: {why}; nothing can be journaled, so keepgreen changes nothing in AWS until it can; check \
         the disk and the file's owner and mode, keepgreen then goes on by itself",
        .path.display()
    )]
    Io { path: PathBuf, why: String },
    /// Only from a journal that was opened for reading.
    #[error(
        "{} cannot be read ({why}): what the controller knows and has done cannot be shown; run this as the user \
         that keepgreen runs as, or try again if it was just starting or ending",
        .path.display()
    )]
    NotReadable { path: PathBuf, why: String },
    /// A bug of this program or of the one that wrote the entry, never of the disk.
    #[error("the journal's entry for {entry} cannot be read ({why}): {meaning}")]
    Unreadable {
        entry: String,
        why: String,
        meaning: &'static str,
    },
    #[error("intent {id} is {from} and cannot become {to}: each intent ends exactly once")]
    IllegalTransition { id: IntentId, from: String, to: String },
    #[error("there is no intent {id} in the journal: its outcome cannot be recorded")]
    NoSuchIntent { id: IntentId },
    #[error(
        "an earlier request for {instance} of service {service} is not settled yet (intent {by}): a second one is not \
         begun before a look has shown what became of the first"
    )]
    Unsettled {
        service: ServiceName,
        instance: InstanceId,
        by: IntentId,
    },
    /// This incarnation was declared dead by a crash hook.
    #[error("this process counts as crashed: its journal takes nothing more from it")]
    Dead,
    #[error("the journal's work was interrupted, so whether it was recorded is not known: {0}")]
    Interrupted(String),
}

impl RecordError {
    /// What SQLite said, in our words.
    pub(super) fn from_sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let path = path.to_owned();
        let why = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt { path, why },
            _ => Self::Io { path, why },
        }
    }

    pub(super) fn from_io(path: &Path, error: &std::io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::Full { path },
            _ => Self::Io {
                path,
                why: error.to_string(),
            },
        }
    }

    /// The same for somebody who only wants to read: for them nothing in AWS depends on it.
    pub(super) fn for_reader(self) -> Self {
        match self {
            Self::Io { path, why } => Self::NotReadable { path, why },
            Self::Locked { path } => Self::NotReadable {
                path,
                why: "another process has locked it".to_owned(),
            },
            other => other,
        }
    }

    /// Whether the connection that said so may be at fault, so that the next operation had better open a new one. Not
    /// after a full disk: SQLite undoes that cleanly, and opening a journal needs room of its own.
    pub(super) fn distrusts_connection(&self) -> bool {
        matches!(
            self,
            Self::Corrupt { .. } | Self::Io { .. } | Self::NotReadable { .. }
        )
    }
}

impl From<BlockingFailed> for RecordError {
    fn from(error: BlockingFailed) -> Self {
        Self::Interrupted(error.to_string())
    }
}
