//! Reads the journal's file right after each commit, past the program's own reader, and tells the oracles what is in it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, Row};
use serde_json::Value;

use crate::record::{CommitHook, FILE_NAME};
use crate::sim::oracle::IntentRow;
use crate::sim::{Actor, Cloud, Incarnation};

/// The transactions that change intents.
const OF_INTENTS: [&str; 3] = ["begin-intent", "mark-ambiguous", "end-intent"];

/// More than one transaction ever changes.
const LATEST: u32 = 20;

/// A life's commits, witnessed.
pub(super) struct Witness {
    pub(super) cloud: Cloud,
    pub(super) life: Incarnation,
    pub(super) state: PathBuf,
}

impl Witness {
    /// Everything that the journal of a new life has in it.
    pub(super) fn open(&self) {
        if let Actor::Controller {
            incarnation,
            dry_run: false,
        } = self.life.actor()
        {
            self.cloud
                .journal_opened(incarnation, self.read(u32::MAX).unwrap_or_default());
        }
    }

    fn read(&self, latest: u32) -> rusqlite::Result<Vec<IntentRow>> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let journal = Connection::open_with_flags(self.state.join(FILE_NAME), flags)?;
        let mut statement = journal.prepare(
            "SELECT id, operation, state, body, detail,
                    (SELECT json_group_array(instance) FROM intent_instances WHERE intent = intents.id)
             FROM intents ORDER BY coalesce(ended_at, begun_at) DESC, rowid DESC LIMIT ?1",
        )?;
        statement.query_map([latest], row_of)?.collect()
    }
}

/// How many messages wait in a journal that nobody uses any more.
pub(super) fn waiting(state: &Path) -> rusqlite::Result<u64> {
    let journal = Connection::open_with_flags(state.join(FILE_NAME), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    journal.query_row("SELECT count(*) FROM outbox WHERE state = 'waiting'", [], |row| {
        row.get::<_, i64>(0).map(i64::unsigned_abs)
    })
}

fn row_of(row: &Row<'_>) -> rusqlite::Result<IntentRow> {
    let json =
        |text: Option<String>| serde_json::from_str::<Value>(&text.unwrap_or_default()).unwrap_or_default();
    let (body, detail) = (json(row.get(3)?), json(row.get(4)?));
    let instances: BTreeSet<String> = serde_json::from_value(json(row.get(5)?)).unwrap_or_default();
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    Ok(IntentRow {
        id: row.get(0)?,
        operation: row.get(1)?,
        state: row.get(2)?,
        instances,
        policy_version: text(&body, "policy_version"),
        reason: text(&body, "reason"),
        outcome: text(&detail, "outcome"),
        request_id: text(&detail, "request_id"),
    })
}

impl CommitHook for Witness {
    fn before_commit(&self, what: &str) -> bool {
        self.life.before_commit(what)
    }

    fn after_commit(&self, what: &str) -> bool {
        if OF_INTENTS.contains(&what)
            && let Ok(rows) = self.read(LATEST)
        {
            self.cloud.journal_committed(rows);
        }
        self.life.after_commit(what)
    }
}
