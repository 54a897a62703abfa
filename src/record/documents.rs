//! Small things that survive restarts: the last good text of each policy, and documents by key (the breaker's state and
//! the like), whose content is their owner's business.

use super::RecordError;
use super::store::Store;
use crate::model::ServiceName;
use crate::policy::GoodText;
use rusqlite::{OptionalExtension as _, params};
use std::collections::BTreeMap;

impl Store {
    pub fn good_policies(&mut self) -> Result<BTreeMap<ServiceName, GoodText>, RecordError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT service, file, text FROM policies")?;
            let rows = statement.query_map([], |row| {
                let policy = GoodText {
                    file: row.get(1)?,
                    text: row.get(2)?,
                };
                Ok((ServiceName::new(row.get::<_, String>(0)?), policy))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Remembers `good` and forgets `given_up`; any other service keeps what it has.
    pub fn save_good_policies(
        &mut self,
        good: &BTreeMap<ServiceName, GoodText>,
        given_up: &[ServiceName],
    ) -> Result<(), RecordError> {
        self.write("policies", |connection| {
            for (service, policy) in good {
                connection
                    .prepare_cached(
                        "INSERT INTO policies (service, file, text) VALUES (?1, ?2, ?3)
                     ON CONFLICT (service) DO UPDATE SET file = excluded.file, text = excluded.text",
                    )?
                    .execute(params![service.as_str(), policy.file, policy.text])?;
            }
            for service in given_up {
                connection
                    .prepare_cached("DELETE FROM policies WHERE service = ?1")?
                    .execute(params![service.as_str()])?;
            }
            Ok(())
        })
    }

    /// `None` if it was never put.
    pub fn document_get(&mut self, key: &str) -> Result<Option<serde_json::Value>, RecordError> {
        self.read(|connection| {
            let body: Option<String> = connection
                .prepare_cached("SELECT body FROM documents WHERE key = ?1")?
                .query_row(params![key], |row| row.get(0))
                .optional()?;
            let parsed = body.map(|body| serde_json::from_str(&body)).transpose();
            Ok(parsed.map_err(|error| RecordError::Unreadable {
                entry: format!("document {key}"),
                why: error.to_string(),
                meaning: "restore the journal from a backup",
            })?)
        })
    }

    pub fn document_put(&mut self, key: &str, body: &serde_json::Value) -> Result<(), RecordError> {
        self.write("document", |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO documents (key, body) VALUES (?1, ?2)
                 ON CONFLICT (key) DO UPDATE SET body = excluded.body",
                )?
                .execute(params![key, body.to_string()])?;
            Ok(())
        })
    }
}
