//! What a look changes: the memory of its services and the notices that it gave rise to, in one transaction, so that
//! neither a grace nor an announcement is there without the other after a crash.

use super::intents::{RecordedIntent, UnknownIntent, unsettled};
use super::outbox::{delivered_keys, enqueue};
use super::store::{Fault, Store};
use super::{RecordError, prune};
use crate::model::{ChannelName, JournaledIntent, Mutant, Notice, ServiceMemory, ServiceName};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that the journal knows of one service and that a decision needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServiceRecord {
    pub memory: ServiceMemory,
    /// Open or ambiguous, oldest first.
    pub unsettled: Vec<JournaledIntent>,
    /// Not ended either, and not readable by this version: nothing may be done to their instances.
    pub unknown: Vec<UnknownIntent>,
    /// Keys of the service's notices that have reached people on at least one channel.
    pub delivered: BTreeSet<String>,
}

/// One service's part of a look.
#[derive(Clone, Debug, PartialEq)]
pub struct LookRecord {
    pub service: ServiceName,
    pub memory: ServiceMemory,
    pub notices: Vec<(ChannelName, Notice)>,
}

impl Store {
    /// A service that the journal has never heard of has an empty record.
    ///
    /// # Errors
    /// [`RecordError::Unreadable`] if its memory cannot be read: it is never taken for an empty one, which would
    /// forget attempts and graces.
    pub fn load(&mut self, service: &ServiceName) -> Result<ServiceRecord, RecordError> {
        self.read(|connection| load(connection, service))
    }

    /// Every service that the journal knows; one whose entry cannot be read hinders no other.
    pub fn load_all(
        &mut self,
    ) -> Result<BTreeMap<ServiceName, Result<ServiceRecord, RecordError>>, RecordError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT name FROM services UNION SELECT service FROM intents WHERE state <> 'ended'",
            )?;
            let names: Vec<String> = statement
                .query_map([], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            let mut records = BTreeMap::new();
            for name in names.into_iter().map(ServiceName::new) {
                let record = match load(connection, &name) {
                    Ok(record) => Ok(record),
                    Err(Fault::Record(error)) => Err(error),
                    Err(fault) => return Err(fault),
                };
                records.insert(name, record);
            }
            Ok(records)
        })
    }

    /// Journals a look at several services. A notice whose key a channel has had already is not told it again.
    pub fn commit_looks(&mut self, looks: &[LookRecord], now: Timestamp) -> Result<(), RecordError> {
        let pruned_at = self.pruned_at;
        let pruned = self.write("looks", |connection| {
            for look in looks {
                save_memory(connection, &look.service, &look.memory, now)?;
                enqueue(connection, &look.notices, now)?;
            }
            prune::when_due(connection, now, pruned_at)
        })?;
        self.pruned_at = Some(pruned);
        Ok(())
    }
}

fn load(connection: &Connection, service: &ServiceName) -> Result<ServiceRecord, Fault> {
    let mut record = ServiceRecord {
        memory: load_memory(connection, service)?,
        delivered: delivered_keys(connection, service)?,
        ..ServiceRecord::default()
    };
    for RecordedIntent { intent, .. } in unsettled(connection, service)? {
        match intent {
            Ok(intent) => record.unsettled.push(intent),
            Err(unknown) => record.unknown.push(unknown),
        }
    }
    Ok(record)
}

fn load_memory(connection: &Connection, service: &ServiceName) -> Result<ServiceMemory, Fault> {
    let memory: Option<String> = connection
        .prepare_cached("SELECT memory FROM services WHERE name = ?1")?
        .query_row(params![service.as_str()], |row| row.get(0))
        .optional()?;
    let Some(memory) = memory else {
        return Ok(ServiceMemory::default());
    };
    serde_json::from_str(&memory).map_err(|error| {
        Fault::Record(RecordError::Unreadable {
            entry: format!("service {service}"),
            why: error.to_string(),
            meaning: "its attempts and graces are not known, so nothing is done for it; run the version that wrote \
                      it, or restore the journal from a backup",
        })
    })
}

pub(super) fn save_memory(
    connection: &Connection,
    service: &ServiceName,
    memory: &ServiceMemory,
    now: Timestamp,
) -> Result<(), Fault> {
    let memory = serde_json::to_string(&kept(memory)).map_err(|error| {
        Fault::Record(RecordError::Unreadable {
            entry: format!("service {service}"),
            why: error.to_string(),
            meaning: "its look cannot be written and does not count",
        })
    })?;
    connection
        .prepare_cached(
            "INSERT INTO services (name, memory, looked_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (name) DO UPDATE SET memory = excluded.memory, looked_at = excluded.looked_at",
        )?
        .execute(params![service.as_str(), memory, now.as_millisecond()])?;
    Ok(())
}

/// All of it, unless a deliberate bug forgets some.
fn kept(memory: &ServiceMemory) -> Cow<'_, ServiceMemory> {
    let mut memory = Cow::Borrowed(memory);
    if Mutant::AttemptsAreForgotten.is_on() {
        let memory = memory.to_mut();
        memory
            .incidents
            .values_mut()
            .for_each(|incident| incident.attempts.clear());
        memory
            .instances
            .values_mut()
            .for_each(|instance| instance.failed_attempts.clear());
    }
    if Mutant::UndoneStopIsForgotten.is_on() {
        let memory = memory.to_mut();
        memory
            .instances
            .values_mut()
            .for_each(|instance| instance.operator_stops_undone.clear());
    }
    if Mutant::ReplacementsAreForgotten.is_on() {
        memory.to_mut().replacements.clear();
    }
    memory
}
