//! The journal's tables, and how an older journal becomes a newer one.
//!
//! Each entry of [`MIGRATIONS`] leads from one schema version to the next; `PRAGMA user_version` says how many have
//! been applied. An entry that has been released is never edited. A migration and its version are one transaction:
//! a crash in between leaves the old schema, whole.
//!
//! Times are milliseconds since 1970, UTC. What only the program reads is JSON in a `body` column; what is searched
//! or counted has a column of its own, so that an entry of an unknown kind is still found, counted and held on.

use super::RecordError;
use rusqlite::Connection;
use std::path::Path;

/// `kgrn`: marks the file as ours, so that a mistaken `state` setting cannot turn another program's database into a
/// journal.
const APPLICATION_ID: i64 = 0x6b67_726e;

const MIGRATIONS: &[&str] = &["
CREATE TABLE services (
    name       TEXT PRIMARY KEY,
    memory     TEXT NOT NULL,
    looked_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE intents (
    id        TEXT PRIMARY KEY,
    service   TEXT NOT NULL,
    account   TEXT NOT NULL,
    operation TEXT NOT NULL,
    state     TEXT NOT NULL CHECK (state IN ('open', 'ambiguous', 'ended')),
    -- 0 only where it is known that the request was never sent.
    counts    INTEGER NOT NULL CHECK (counts IN (0, 1)),
    begun_at  INTEGER NOT NULL,
    -- Which boot of which machine it was journaled in, and when on that boot's own clock: the wall clock alone may jump
    -- forward, and would then forget what was sent minutes ago.
    boot       TEXT,
    begun_boot INTEGER,
    ended_at  INTEGER CHECK ((ended_at IS NOT NULL) = (state = 'ended')),
    body      TEXT NOT NULL,
    -- The error of an ambiguous intent, the outcome of an ended one.
    detail    TEXT
) STRICT;
CREATE INDEX intents_unsettled ON intents (service) WHERE state <> 'ended';
CREATE INDEX intents_counted ON intents (account, begun_at) WHERE counts = 1;
CREATE INDEX intents_counted_of_boot ON intents (account, boot, begun_boot) WHERE counts = 1;
CREATE INDEX intents_of_service ON intents (service, begun_at);
CREATE INDEX intents_ended ON intents (ended_at) WHERE state = 'ended';

CREATE TABLE intent_instances (
    intent    TEXT NOT NULL REFERENCES intents (id) ON DELETE CASCADE,
    instance  TEXT NOT NULL,
    PRIMARY KEY (intent, instance)
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
    id            INTEGER PRIMARY KEY,
    key           TEXT NOT NULL,
    channel       TEXT NOT NULL,
    service       TEXT,
    kind          TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'given-up')),
    body          TEXT NOT NULL,
    enqueued_at   INTEGER NOT NULL,
    -- The latest time that the same key was offered again; a key is forgotten only after it was not.
    offered_at    INTEGER NOT NULL,
    failures      INTEGER NOT NULL DEFAULT 0,
    next_try      INTEGER,
    delivered_at  INTEGER,
    UNIQUE (key, channel)
) STRICT;
CREATE INDEX outbox_waiting ON outbox (channel, id) WHERE state = 'waiting';
CREATE INDEX outbox_delivered ON outbox (service, key) WHERE state = 'delivered';

CREATE TABLE channels (
    name           TEXT PRIMARY KEY,
    failures       INTEGER NOT NULL DEFAULT 0,
    next_try       INTEGER,
    last_error     TEXT,
    last_delivery  INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE policies (
    service  TEXT PRIMARY KEY,
    file     TEXT NOT NULL,
    text     TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE documents (
    key   TEXT PRIMARY KEY,
    body  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"];

/// The schema that this version of the program writes.
#[expect(
    clippy::cast_possible_wrap,
    reason = "a handful, and constants know no other conversion"
)]
pub const KNOWN: i64 = MIGRATIONS.len() as i64;

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

/// Refuses a journal that is not ours or newer than this program; says how many migrations it has had.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<i64, RecordError> {
    let sqlite = |error: rusqlite::Error| RecordError::from_sqlite(path, &error);
    let found = pragma(connection, "user_version").map_err(sqlite)?;
    let application = pragma(connection, "application_id").map_err(sqlite)?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(sqlite)?;
    let is_new = application == 0 && found == 0 && tables == 0;
    if found < 0 || (!is_new && application != APPLICATION_ID) {
        let why = "it is a database of another program".to_owned();
        let path = path.to_owned();
        return Err(RecordError::Corrupt { path, why });
    }
    if found > KNOWN {
        let path = path.to_owned();
        return Err(RecordError::Newer {
            path,
            found,
            known: KNOWN,
        });
    }
    Ok(found)
}

/// Brings a journal up to [`KNOWN`], each step in a transaction of its own.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), RecordError> {
    let sqlite = |error: rusqlite::Error| RecordError::from_sqlite(path, &error);
    let found = check(connection, path)?;
    for (version, statements) in (1_i64..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
        let transaction = connection
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
            .map_err(sqlite)?;
        transaction.execute_batch(statements).map_err(sqlite)?;
        transaction
            .pragma_update(None, "application_id", APPLICATION_ID)
            .map_err(sqlite)?;
        transaction
            .pragma_update(None, "user_version", version)
            .map_err(sqlite)?;
        transaction.commit().map_err(sqlite)?;
    }
    Ok(())
}
