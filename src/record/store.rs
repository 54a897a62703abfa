//! The journal's file: opening it, one transaction at a time, and what happens when the disk does not play along.
//!
//! Guarantees:
//! - What an operation reported as done is on the disk (WAL with `synchronous=FULL`), and an operation is whole or not
//!   there at all.
//! - The controller never waits for a lock (busy timeout 0): a journal that somebody else has locked is an error at once,
//!   and the next pass tries again. A command beside a running controller may wait a little instead.
//! - After an error the same handle goes on by itself as soon as the disk allows it.
//! - A file that was removed or replaced under a running process takes nothing more: entries in an unlinked file would
//!   be forgotten at the next start, and with them attempts and unsettled requests.

use super::{RecordError, schema};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The journal's file name in the state folder.
pub const FILE_NAME: &str = "journal.db";

/// SQLite's own upper bound, for a journal without one.
const MOST_PAGES: u32 = 0xffff_fffe;

/// The write-ahead file is cut back to this many bytes once its content is in the journal: SQLite moves it there about
/// every 4 MB, so a larger one is left over from a burst.
const WAL_BYTES_KEPT: u32 = 8 * 1024 * 1024;

/// Prepared statements that a connection keeps: more than there are in this folder.
const STATEMENTS_KEPT: usize = 64;

/// How long a command that only reads waits while a controller starts or ends, the only moments at which one of them
/// locks out the other.
const READER_PATIENCE: Duration = Duration::from_secs(2);

/// How long a command that writes one thing beside a controller waits for its transactions, of a few milliseconds each.
const COMMAND_PATIENCE: Duration = Duration::from_secs(5);

/// What tests and the simulation do to a journal; nothing in production.
#[derive(Clone, Default)]
pub struct Options {
    /// The journal may not grow beyond this many pages: a full disk.
    pub max_pages: Option<u32>,
    pub hook: Option<Arc<dyn CommitHook>>,
    /// A commit does not wait for the disk: what dies is a simulated process, never the machine under it.
    pub unsynced: bool,
}

/// Crashes at the journal: each answer `false` means that the process died right there. The store then takes nothing
/// more.
pub trait CommitHook: Send + Sync {
    /// Everything of the transaction is written, nothing is durable.
    fn before_commit(&self, what: &str) -> bool;
    /// The transaction is durable, nobody knows yet.
    fn after_commit(&self, what: &str) -> bool;
}

/// An error inside a transaction, before it is known which file it is about.
pub(super) enum Fault {
    Sqlite(rusqlite::Error),
    Record(RecordError),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<RecordError> for Fault {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Write,
    Read,
}

/// One connection to one journal. Blocks; [`super::Journal`] is the handle for async code.
pub struct Store {
    path: PathBuf,
    /// Device and inode: which file was opened first.
    identity: (u64, u64),
    access: Access,
    /// `None` after an error that may be the connection's fault; the next operation opens another.
    connection: Option<Connection>,
    /// How long to wait for another process's transaction.
    patience: Duration,
    options: Options,
    /// Which boot of the machine the stamps are of, if it is known.
    pub(super) boot: Option<String>,
    dead: bool,
    /// When entries that nobody needs any more were last removed, in milliseconds since 1970.
    pub(super) pruned_at: Option<i64>,
}

impl Store {
    /// Opens the journal in `folder`, making both if they do not exist, for their owner alone. A folder that exists
    /// keeps its mode: somebody may have opened it to others so that they can set a pause flag in it.
    pub fn open(folder: &Path, options: Options) -> Result<Self, RecordError> {
        Self::open_for_writing(folder, Duration::ZERO, options)
    }

    /// Opens the journal in `folder` for a command that writes one thing, beside a running controller or without one:
    /// like [`Store::open`], but each operation waits for the controller's instead of failing at once.
    pub fn open_beside(folder: &Path) -> Result<Self, RecordError> {
        Self::open_for_writing(folder, COMMAND_PATIENCE, Options::default())
    }

    fn open_for_writing(folder: &Path, patience: Duration, options: Options) -> Result<Self, RecordError> {
        let path = folder.join(FILE_NAME);
        let io = |error: std::io::Error| RecordError::from_io(&path, &error);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(io)?;
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        if metadata.mode() & 0o077 != 0 {
            file.set_permissions(Permissions::from_mode(0o600)).map_err(io)?;
        }
        // SQLite's locks belong to the process, and closing any other handle on the file releases them: close this
        // one before SQLite opens its own.
        drop(file);
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(io)?;
        let mut connection = connect(&path, Access::Write, patience, &options)?;
        schema::migrate(&mut connection, &path)?;
        verify(&connection, &path)?;
        Ok(Self {
            identity: (metadata.dev(), metadata.ino()),
            access: Access::Write,
            patience,
            connection: Some(connection),
            options,
            boot: None,
            dead: false,
            pruned_at: None,
            path,
        })
    }

    /// Opens the journal in `folder` for reading, beside a running controller or without one; `None` if there is none
    /// yet. Makes neither folder nor journal.
    pub fn open_read_only(folder: &Path) -> Result<Option<Self>, RecordError> {
        let path = folder.join(FILE_NAME);
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(RecordError::from_io(&path, &error).for_reader()),
        };
        let options = Options::default();
        let connection =
            connect(&path, Access::Read, READER_PATIENCE, &options).map_err(RecordError::for_reader)?;
        if schema::check(&connection, &path).map_err(RecordError::for_reader)? == 0 {
            // A controller is just making it.
            return Ok(None);
        }
        Ok(Some(Self {
            identity: (metadata.dev(), metadata.ino()),
            access: Access::Read,
            patience: READER_PATIENCE,
            connection: Some(connection),
            options,
            boot: None,
            dead: false,
            pruned_at: None,
            path,
        }))
    }

    /// Lets the journal grow to at most so many pages from now on: a disk that fills up or has room again.
    pub fn set_max_pages(&mut self, pages: Option<u32>) -> Result<(), RecordError> {
        self.options.max_pages = pages;
        let path = self.path.clone();
        if let Some(connection) = &self.connection {
            limit_pages(connection, pages).map_err(|error| RecordError::from_sqlite(&path, &error))?;
        }
        Ok(())
    }

    /// Runs `work` in one transaction, named `what` for the crash hooks, and makes it durable.
    pub(super) fn write<T>(
        &mut self,
        what: &str,
        work: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, RecordError> {
        self.require_alive()?;
        self.require_in_place()?;
        let hook = self.options.hook.clone();
        let result = self.reconnected().and_then(|connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            if hook.as_ref().is_some_and(|hook| !hook.before_commit(what)) {
                return Err(Fault::Record(RecordError::Dead));
            }
            transaction.commit()?;
            if hook.as_ref().is_some_and(|hook| !hook.after_commit(what)) {
                return Err(Fault::Record(RecordError::Dead));
            }
            Ok(value)
        });
        self.concluded(result)
    }

    /// Runs `work` on one unchanging view of the journal.
    pub(super) fn read<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, RecordError> {
        self.require_alive()?;
        let result = self.reconnected().and_then(|connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
            work(&transaction)
        });
        self.concluded(result)
    }

    fn require_alive(&self) -> Result<(), RecordError> {
        if self.dead { Err(RecordError::Dead) } else { Ok(()) }
    }

    fn require_in_place(&self) -> Result<(), RecordError> {
        let replaced = || RecordError::Replaced {
            path: self.path.clone(),
        };
        match fs::metadata(&self.path) {
            Ok(metadata) if (metadata.dev(), metadata.ino()) == self.identity => Ok(()),
            Ok(_) => Err(replaced()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(replaced()),
            Err(error) => Err(RecordError::from_io(&self.path, &error)),
        }
    }

    fn reconnected(&mut self) -> Result<&mut Connection, Fault> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                self.require_in_place()?;
                let connection = connect(&self.path, self.access, self.patience, &self.options)?;
                schema::check(&connection, &self.path)?;
                connection
            }
        };
        Ok(self.connection.insert(connection))
    }

    fn concluded<T>(&mut self, result: Result<T, Fault>) -> Result<T, RecordError> {
        result.map_err(|fault| {
            let error = match fault {
                Fault::Sqlite(error) => RecordError::from_sqlite(&self.path, &error),
                Fault::Record(error) => error,
            };
            let error = match self.access {
                Access::Write => error,
                Access::Read => error.for_reader(),
            };
            self.dead |= error == RecordError::Dead;
            if error.distrusts_connection() {
                self.connection = None;
            }
            error
        })
    }
}

fn connect(
    path: &Path,
    access: Access,
    patience: Duration,
    options: &Options,
) -> Result<Connection, RecordError> {
    let sqlite = |error: rusqlite::Error| RecordError::from_sqlite(path, &error);
    let flags = match access {
        Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
        Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    let connection =
        Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(sqlite)?;
    connection.busy_timeout(patience).map_err(sqlite)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    // Otherwise each new value that is bound to a statement of which a partial index is weighed has it planned anew.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map_err(sqlite)?;
    // Before anything is set: a newer version's journal is left untouched.
    schema::check(&connection, path)?;
    if access == Access::Write {
        prepare_for_writing(&connection, options).map_err(sqlite)?;
    }
    Ok(connection)
}

fn prepare_for_writing(connection: &Connection, options: &Options) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    let synchronous = if options.unsynced { "off" } else { "full" };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update_and_check(None, "journal_size_limit", WAL_BYTES_KEPT, |_| Ok(()))?;
    limit_pages(connection, options.max_pages)
}

fn limit_pages(connection: &Connection, pages: Option<u32>) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "max_page_count", pages.unwrap_or(MOST_PAGES), |_| Ok(()))
}

/// Finds a damaged file at the start rather than at the first repair of the night.
fn verify(connection: &Connection, path: &Path) -> Result<(), RecordError> {
    let verdict: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|error| RecordError::from_sqlite(path, &error))?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(RecordError::Corrupt {
        path: path.to_owned(),
        why: verdict,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn folder_and_files_belong_to_their_owner_alone() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("var/state");
        let mut store = Store::open(&folder, Options::default()).unwrap();
        store.write("test", |_| Ok(())).unwrap();
        assert_eq!(mode(&folder), 0o700);
        for file in fs::read_dir(&folder).unwrap() {
            let path = file.unwrap().path();
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }

    #[test]
    fn a_file_that_others_could_read_is_closed_to_them() {
        let folder = tempfile::tempdir().unwrap();
        drop(Store::open(folder.path(), Options::default()).unwrap());
        let path = folder.path().join(FILE_NAME);
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let _store = Store::open(folder.path(), Options::default()).unwrap();
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn it_is_durable_at_each_commit_and_never_waits_for_a_lock() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path(), Options::default()).unwrap();
        let settings = store.read(|connection| {
            let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
            let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
            Ok((
                mode,
                number("synchronous")?,
                number("foreign_keys")?,
                number("busy_timeout")?,
            ))
        });
        assert_eq!(settings.unwrap(), ("wal".to_owned(), 2, 1, 0));
    }

    #[test]
    fn a_newer_journal_is_refused_and_left_untouched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        let mut store = Store::open(folder.path(), Options::default()).unwrap();
        let raise = |c: &Connection| Ok(c.pragma_update(None, "user_version", schema::KNOWN + 1)?);
        store.write("test", raise).unwrap();
        drop(store);
        let before = fs::read(&path).unwrap();
        let newer = RecordError::Newer {
            path: path.clone(),
            found: schema::KNOWN + 1,
            known: schema::KNOWN,
        };
        assert_eq!(
            Store::open(folder.path(), Options::default()).err(),
            Some(newer.clone())
        );
        assert_eq!(Store::open_read_only(folder.path()).err(), Some(newer));
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn what_is_no_journal_is_refused_and_left_untouched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        fs::write(
            &path,
            "not a database, but long enough to be taken for a header".repeat(40),
        )
        .unwrap();
        let before = fs::read(&path).unwrap();
        let error = Store::open(folder.path(), Options::default()).err().unwrap();
        assert!(matches!(error, RecordError::Corrupt { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), before);
        fs::remove_file(&path).unwrap();
        Connection::open(&path)
            .unwrap()
            .execute_batch("CREATE TABLE theirs (a)")
            .unwrap();
        let error = Store::open(folder.path(), Options::default()).err().unwrap();
        assert!(error.to_string().contains("another program"), "{error}");
    }

    #[test]
    fn a_damaged_page_is_found_at_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        drop(Store::open(folder.path(), Options::default()).unwrap());
        let mut bytes = fs::read(&path).unwrap();
        bytes[4096 * 2..4096 * 4].fill(0x5a);
        fs::write(&path, bytes).unwrap();
        let error = Store::open(folder.path(), Options::default()).err().unwrap();
        assert!(matches!(error, RecordError::Corrupt { .. }), "{error}");
    }

    #[test]
    fn a_file_removed_or_replaced_under_a_running_process_takes_nothing_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        let mut store = Store::open(folder.path(), Options::default()).unwrap();
        fs::rename(&path, folder.path().join("aside")).unwrap();
        let replaced = Err(RecordError::Replaced { path: path.clone() });
        assert_eq!(store.write("test", |_| Ok(())), replaced);
        fs::write(&path, "").unwrap();
        assert_eq!(store.write("test", |_| Ok(())), replaced);
        fs::rename(folder.path().join("aside"), &path).unwrap();
        assert_eq!(store.write("test", |_| Ok(())), Ok(()));
    }

    #[test]
    fn reading_makes_no_folder_and_no_journal() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("state");
        assert!(Store::open_read_only(&folder).unwrap().is_none());
        assert!(!folder.exists());
        fs::create_dir(&folder).unwrap();
        assert!(Store::open_read_only(&folder).unwrap().is_none());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        fs::write(folder.join(FILE_NAME), "").unwrap();
        assert!(
            Store::open_read_only(&folder).unwrap().is_none(),
            "a controller is just making it"
        );
    }

    #[test]
    fn after_a_failure_of_the_disk_the_same_handle_opens_a_new_connection() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path(), Options::default()).unwrap();
        let broken = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR);
        let failed = store.write("test", |_| -> Result<(), Fault> {
            Err(rusqlite::Error::SqliteFailure(broken, None).into())
        });
        assert!(matches!(failed, Err(RecordError::Io { .. })));
        assert!(store.connection.is_none());
        assert_eq!(store.write("test", |_| Ok(())), Ok(()));
    }

    #[test]
    fn a_command_beside_the_controller_waits_for_it_instead() {
        let folder = tempfile::tempdir().unwrap();
        let timeout = |mut store: Store| {
            let read =
                |c: &Connection| Ok(c.pragma_query_value(None, "busy_timeout", |row| row.get::<_, i64>(0))?);
            store.read(read).unwrap()
        };
        assert_eq!(timeout(Store::open_beside(folder.path()).unwrap()), 5000);
        assert_eq!(
            timeout(Store::open_read_only(folder.path()).unwrap().unwrap()),
            2000
        );
    }

    #[test]
    fn a_reader_is_told_what_a_reader_can_do() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(FILE_NAME)).unwrap();
        let error = Store::open_read_only(folder.path()).err().unwrap();
        assert!(matches!(error, RecordError::NotReadable { .. }), "{error}");
        assert!(!error.to_string().contains("AWS"), "{error}");
    }

    #[test]
    fn another_process_that_holds_the_file_is_an_error_at_once_and_is_outlived() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path(), Options::default()).unwrap();
        let other = Connection::open(folder.path().join(FILE_NAME)).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let error = store.write("test", |_| Ok(())).unwrap_err();
        assert!(matches!(error, RecordError::Locked { .. }), "{error}");
        other.execute_batch("ROLLBACK").unwrap();
        assert_eq!(store.write("test", |_| Ok(())), Ok(()));
    }
}
