//! The demo's own folder, for its policies and its journal: made for this one run, and gone after it, however it ends.

use crate::cli::exit::Failure;
use crate::env::Env;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// Removed when it is dropped.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// A new folder among the system's temporary ones, for its owner alone.
    ///
    /// # Errors
    /// If it cannot be made; one that is there already is not used.
    pub fn new(env: &Env) -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(env.entropy.id("keepgreen-demo"));
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|error| {
            Failure::new(format!(
                "the demo needs a folder for its journal, and {} could not be made: {error}; name a place for temporary \
                 files in TMPDIR",
                path.display()
            ))
        })?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Removes it, and says so if that fails.
    ///
    /// # Errors
    /// If something of it stays behind.
    pub fn remove(self) -> Result<(), Failure> {
        match std::fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::new(format!(
                "the demo's folder {} could not be removed: {error}",
                self.0.display()
            ))),
            _ => Ok(()),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // After an error nobody is left to tell; the folder has nothing of the user's in it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
