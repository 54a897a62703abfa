//! Setting and clearing flag files, for `keepgreen pause` and `keepgreen resume`.
//!
//! A flag appears whole or not at all: it is written beside its place, made durable, then renamed. Files and folders that
//! root makes are given to the state folder's owner, or the controller could not read them, which would pause more
//! than was asked for and for longer.

use super::files::{BadServiceName, FLAG_FOLDER, flag_path, read_flag};
use super::text::Flag;
use crate::env::{BlockingFailed, Env};
use crate::model::{Pause, ServiceName};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A pause that is forgotten must end by itself: half a working day.
pub const DEFAULT_LENGTH: Duration = Duration::from_secs(4 * 3600);

/// A flag file that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub path: PathBuf,
    /// The flag that was there before and is not any more: somebody else's, perhaps, and longer.
    pub replaced: Option<Pause>,
}

#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error(transparent)]
    Name(#[from] BadServiceName),
    #[error("the pause file {} could not be {done} ({why}): {meaning}", .path.display())]
    File {
        path: PathBuf,
        done: &'static str,
        why: String,
        meaning: &'static str,
    },
    #[error(transparent)]
    Interrupted(#[from] BlockingFailed),
}

/// Sets the flag of one service, or of everything. The state folder need not exist.
pub async fn set(
    folder: &Path,
    service: Option<&ServiceName>,
    flag: &Flag,
    env: &Env,
) -> Result<Written, WriteError> {
    let path = flag_path(folder, service)?;
    let (folder, service, text) = (folder.to_owned(), service.cloned(), flag.to_json());
    let spare = env.entropy.id("new");
    env.blocking
        .run(move || {
            // Whatever is there that cannot be read is a flag too, of which nothing can be told.
            let replaced = read_flag(&path, service.as_ref()).ok().flatten();
            match write_whole(&folder, &path, &spare, &text) {
                Ok(()) => Ok(Written { path, replaced }),
                Err(error) => Err(WriteError::File {
                    path,
                    done: "written",
                    why: error.to_string(),
                    meaning: "nothing is paused by it; pause as the user that keepgreen runs as, or touch the file",
                }),
            }
        })
        .await?
}

/// Clears the flag file of one service, or of everything; says which one there was, `None` if none.
pub async fn clear(
    folder: &Path,
    service: Option<&ServiceName>,
    env: &Env,
) -> Result<Option<PathBuf>, WriteError> {
    let path = flag_path(folder, service)?;
    env.blocking
        .run(move || match fs::remove_file(&path) {
            Ok(()) => Ok(Some(path)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(WriteError::File {
                path,
                done: "removed",
                why: error.to_string(),
                meaning: "it still pauses; remove it by hand",
            }),
        })
        .await?
}

fn write_whole(folder: &Path, path: &Path, spare: &str, text: &str) -> io::Result<()> {
    let private = |path: &Path| DirBuilder::new().recursive(true).mode(0o700).create(path);
    private(folder)?;
    let owner = fs::metadata(folder)?;
    let home = path.parent().unwrap_or(folder);
    if home == folder.join(FLAG_FOLDER) && !home.exists() {
        private(home)?;
        give_to(&owner, home)?;
    }
    // A name that is no service's, so that it is never read as a flag.
    let draft = home.join(format!(".pause.{spare}"));
    let written = write_draft(&draft, text)
        .and_then(|()| give_to(&owner, &draft))
        .and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        // Best effort: what failed is reported, and what is left here is no flag.
        let _ = fs::remove_file(&draft);
        return written;
    }
    File::open(home)?.sync_all()
}

fn write_draft(draft: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn give_to(owner: &fs::Metadata, path: &Path) -> io::Result<()> {
    let own = fs::metadata(path)?;
    if (own.uid(), own.gid()) == (owner.uid(), owner.gid()) {
        return Ok(());
    }
    match chown(path, Some(owner.uid()), Some(owner.gid())) {
        // Another user without the right to give files away could write here, so the folder is shared by a group.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = if own.is_dir() { 0o755 } else { 0o644 };
            fs::set_permissions(path, fs::Permissions::from_mode(mode))
        }
        result => result,
    }
}
