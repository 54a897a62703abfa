//! Whether a controller works on the state folder. Asked without taking part: nothing is created, and the lock is shared
//! for an instant at most, which `run` allows for.

use crate::env::Env;
use crate::record::{Holder, LOCK_FILE_NAME};
use std::fs::{File, TryLockError};
use std::io::Read as _;
use std::path::Path;

/// A holder's details are a few hundred bytes.
const LONGEST_DETAILS: u64 = 16 * 1024;

/// Who holds the folder; `None`: nobody, or it cannot be told.
pub async fn holder(folder: &Path, env: &Env) -> Option<Holder> {
    let path = folder.join(LOCK_FILE_NAME);
    env.blocking.run(move || probe(&path)).await.ok().flatten()
}

fn probe(path: &Path) -> Option<Holder> {
    let mut file = File::open(path).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {}
        _ => return None,
    }
    let mut text = String::new();
    let read = (&mut file).take(LONGEST_DETAILS).read_to_string(&mut text);
    Some(match read {
        Ok(_) => serde_json::from_str(&text).unwrap_or_default(),
        Err(_) => Holder::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::StateLock;

    #[test]
    fn a_holder_is_seen_while_it_holds_and_nothing_is_created() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LOCK_FILE_NAME);
        assert_eq!(probe(&path), None);
        assert!(!path.exists());
        let lock = StateLock::acquire(folder.path(), &Env::system()).unwrap();
        assert_eq!(probe(&path).unwrap().pid, Some(std::process::id()));
        drop(lock);
        assert_eq!(probe(&path), None);
        StateLock::acquire(folder.path(), &Env::system()).unwrap();
    }
}
