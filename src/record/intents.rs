//! Intents: written down before the request is sent, ended exactly once after.
//!
//! The transition table is [`may_become`]; it refuses whatever would end an intent twice, or would say of a request
//! whose answer was lost anything but what a look has shown. An intent of a kind that this version does not know (an older
//! version runs on a newer one's entries, or an entry is damaged) is kept and listed as [`UnknownIntent`], and holds
//! back any new intent for the same instances: its request may be on its way.

use super::RecordError;
use super::looks::save_memory;
use super::outbox::enqueue;
use super::store::{Fault, Store};
use crate::model::{
    AccountId, AwsError, ChannelName, InstanceId, Intent, IntentId, IntentState, JournaledIntent, Mutant,
    Notice, Outcome, PolicyVersion, Region, ServiceMemory, ServiceName, Stamp, Step,
};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, named_params, params};
use std::collections::BTreeSet;
use std::time::Duration;

/// The window of `mutations_per_hour`: an hour between two requests as AWS sees them, which may be a little later than they
/// were journaled.
const WINDOW: Duration = Duration::from_secs(3600 + 30);

/// An intent that is not journaled yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntentDraft {
    pub service: ServiceName,
    pub account: AccountId,
    pub region: Region,
    pub step: Step,
    pub policy_version: PolicyVersion,
    /// Why, for people.
    pub reason: String,
}

impl IntentDraft {
    pub(super) fn into_intent(self, id: IntentId, durable: Stamp) -> Intent {
        Intent {
            id,
            service: self.service,
            account: self.account,
            region: self.region,
            step: self.step,
            policy_version: self.policy_version,
            reason: self.reason,
            durable,
        }
    }
}

/// One intent as it is listed, with the wall clock's times of its beginning and end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedIntent {
    pub begun: Timestamp,
    pub ended: Option<Timestamp>,
    pub intent: Result<JournaledIntent, UnknownIntent>,
}

/// An intent that this version cannot read, as far as it can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownIntent {
    pub id: IntentId,
    pub service: ServiceName,
    /// The API operation that it was journaled for.
    pub operation: String,
    pub instances: BTreeSet<InstanceId>,
    /// What could not be read.
    pub why: String,
}

/// Where an intent stands, as far as transitions care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    Ambiguous,
    Ended,
}

impl Stage {
    fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Ambiguous => "ambiguous",
            Self::Ended => "ended",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Open, Self::Ambiguous, Self::Ended]
            .into_iter()
            .find(|stage| stage.as_str() == word)
    }
}

/// What an intent is about to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Becoming {
    Ambiguous,
    Accepted,
    NotSent,
    Failed,
    Settled,
}

impl Becoming {
    fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Accepted { .. } => Self::Accepted,
            Outcome::NotSent { .. } => Self::NotSent,
            Outcome::Failed { .. } => Self::Failed,
            Outcome::Settled { .. } => Self::Settled,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Ambiguous => "ambiguous",
            Self::Accepted => "accepted",
            Self::NotSent => "not sent",
            Self::Failed => "failed",
            Self::Settled => "settled",
        }
    }
}

/// The transition table. An open intent may become anything (settled, if the process died before it could note the
/// outcome); an ambiguous one has no answer and never will, so only a look settles it; an ended one has ended.
fn may_become(from: Stage, to: Becoming) -> bool {
    match (from, to) {
        (Stage::Open, _) | (Stage::Ambiguous, Becoming::Settled) => true,
        (Stage::Ambiguous, _) | (Stage::Ended, _) => false,
    }
}

impl Store {
    /// Journals an intent. The caller takes the stamp after this has returned, for only then is it durable.
    ///
    /// # Errors
    /// [`RecordError::Unsettled`] if a request for one of its instances has not been settled.
    pub fn begin_intent(&mut self, intent: &Intent) -> Result<(), RecordError> {
        let body = to_json(&intent.id, intent)?;
        let boot = self.boot.clone();
        self.write("begin-intent", |connection| {
            require_settled(connection, intent)?;
            connection
                .prepare_cached(
                    "INSERT INTO intents
                       (id, service, account, operation, state, counts, begun_at, boot, begun_boot, body)
                     VALUES
                       (:id, :service, :account, :operation, 'open', 1, :begun_at, :boot, :begun_boot, :body)",
                )?
                .execute(named_params! {
                    ":id": intent.id.as_str(),
                    ":service": intent.service.as_str(),
                    ":account": intent.account.as_str(),
                    ":operation": intent.step.operation(),
                    ":begun_at": intent.durable.wall.as_millisecond(),
                    ":boot": boot,
                    ":begun_boot": milliseconds(intent.durable.boot),
                    ":body": body,
                })?;
            for instance in intent.step.instances() {
                connection
                    .prepare_cached("INSERT INTO intent_instances (intent, instance) VALUES (?1, ?2)")?
                    .execute(params![intent.id.as_str(), instance.as_str()])?;
            }
            Ok(())
        })
    }

    /// Notes that the request was sent and no answer came.
    pub fn mark_ambiguous(&mut self, id: &IntentId, error: &AwsError) -> Result<(), RecordError> {
        let detail = to_json(id, error)?;
        self.write("mark-ambiguous", |connection| {
            require_transition(connection, id, Becoming::Ambiguous)?;
            connection
                .prepare_cached("UPDATE intents SET state = 'ambiguous', detail = ?2 WHERE id = ?1")?
                .execute(params![id.as_str(), detail])?;
            Ok(())
        })
    }

    /// Ends an intent, together with what the end changes in the service's memory and what people are told of it.
    pub fn end_intent(
        &mut self,
        id: &IntentId,
        outcome: &Outcome,
        memory: Option<&ServiceMemory>,
        notices: &[(ChannelName, Notice)],
        now: Timestamp,
    ) -> Result<(), RecordError> {
        let detail = to_json(id, outcome)?;
        let counts = !matches!(outcome, Outcome::NotSent { .. });
        self.write("end-intent", |connection| {
            let service = require_transition(connection, id, Becoming::of(outcome))?;
            connection
                .prepare_cached(
                    "UPDATE intents SET state = 'ended', detail = ?2, ended_at = ?3, counts = ?4 WHERE id = ?1",
                )?
                .execute(params![id.as_str(), detail, now.as_millisecond(), counts],
            )?;
            if let Some(memory) = memory {
                save_memory(connection, &service, memory, now)?;
            }
            enqueue(connection, notices, now)
        })
    }

    /// Requests of `account` in the last hour that were or may have been sent. An hour is over only when both clocks say
    /// so: the wall clock may have been set forward, the boot clock knows nothing of what was before the machine booted.
    pub fn mutations_last_hour(&mut self, account: &AccountId, now: Stamp) -> Result<u32, RecordError> {
        if Mutant::HourIsForgotten.is_on() {
            return Ok(0);
        }
        let by_wall = now.wall.as_millisecond().saturating_sub(milliseconds(WINDOW));
        let by_boot = milliseconds(now.boot).saturating_sub(milliseconds(WINDOW));
        let boot = self.boot.clone();
        self.read(|connection| {
            Ok(connection
                .prepare_cached(
                    "SELECT count(*) FROM intents WHERE account = ?1 AND counts = 1
                     AND (begun_at > ?2 OR (boot = ?3 AND begun_boot > ?4))",
                )?
                .query_row(params![account.as_str(), by_wall, boot, by_boot], |row| {
                    row.get(0)
                })?)
        })
    }

    /// The latest intents of a service (of all services if `None`), newest first.
    pub fn intents(
        &mut self,
        service: Option<&ServiceName>,
        limit: u32,
    ) -> Result<Vec<RecordedIntent>, RecordError> {
        self.read(|connection| {
            select_intents(
                connection,
                "?1 IS NULL OR service = ?1 ORDER BY begun_at DESC, rowid DESC LIMIT ?2",
                params![service.map(ServiceName::as_str), limit],
            )
        })
    }
}

/// The intents of a service that have not ended, oldest first.
pub(super) fn unsettled(
    connection: &Connection,
    service: &ServiceName,
) -> Result<Vec<RecordedIntent>, Fault> {
    select_intents(
        connection,
        "service = ?1 AND state <> 'ended' ORDER BY begun_at, rowid",
        params![service.as_str()],
    )
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn require_settled(connection: &Connection, intent: &Intent) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT intents.id FROM intents JOIN intent_instances ON intent_instances.intent = intents.id
         WHERE intents.service = ?1 AND intents.state <> 'ended' AND intent_instances.instance = ?2",
    )?;
    for instance in intent.step.instances() {
        let found = statement
            .query_row(params![intent.service.as_str(), instance.as_str()], |row| {
                row.get::<_, String>(0)
            })
            .optional()?;
        if let Some(by) = found {
            return Err(Fault::Record(RecordError::Unsettled {
                service: intent.service.clone(),
                instance: instance.clone(),
                by: IntentId::new(by),
            }));
        }
    }
    Ok(())
}

/// Refuses a transition that the table does not have; says which service the intent is of.
fn require_transition(connection: &Connection, id: &IntentId, to: Becoming) -> Result<ServiceName, Fault> {
    let found: Option<(String, String)> = connection
        .prepare_cached("SELECT state, service FROM intents WHERE id = ?1")?
        .query_row(params![id.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((state, service)) = found else {
        return Err(Fault::Record(RecordError::NoSuchIntent { id: id.clone() }));
    };
    if Stage::from_word(&state).is_some_and(|from| may_become(from, to)) {
        return Ok(ServiceName::new(service));
    }
    Err(Fault::Record(RecordError::IllegalTransition {
        id: id.clone(),
        from: state,
        to: to.as_str().to_owned(),
    }))
}

fn select_intents(
    connection: &Connection,
    condition: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<RecordedIntent>, Fault> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT id, service, operation, state, begun_at, ended_at, body, detail,
                (SELECT json_group_array(instance) FROM intent_instances WHERE intent = intents.id)
         FROM intents WHERE {condition}"
    ))?;
    let rows = statement.query_map(parameters, read_intent)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read_intent(row: &Row<'_>) -> rusqlite::Result<RecordedIntent> {
    let (state, body, detail): (String, String, Option<String>) = (row.get(3)?, row.get(6)?, row.get(7)?);
    let instances: String = row.get(8)?;
    let intent = match parse_intent(&state, &body, detail.as_deref()) {
        Ok(intent) => Ok(intent),
        Err(why) => Err(UnknownIntent {
            id: IntentId::new(row.get::<_, String>(0)?),
            service: ServiceName::new(row.get::<_, String>(1)?),
            operation: row.get(2)?,
            instances: serde_json::from_str(&instances).unwrap_or_default(),
            why,
        }),
    };
    let time = |milliseconds: i64| Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH);
    Ok(RecordedIntent {
        begun: time(row.get(4)?),
        ended: row.get::<_, Option<i64>>(5)?.map(time),
        intent,
    })
}

fn parse_intent(state: &str, body: &str, detail: Option<&str>) -> Result<JournaledIntent, String> {
    let readable = |error: serde_json::Error| error.to_string();
    let intent = serde_json::from_str(body).map_err(readable)?;
    let detail = detail.unwrap_or_default();
    let state = match Stage::from_word(state) {
        Some(Stage::Open) => IntentState::Open,
        Some(Stage::Ambiguous) => IntentState::Ambiguous {
            error: serde_json::from_str(detail).map_err(readable)?,
        },
        Some(Stage::Ended) => IntentState::Ended {
            outcome: serde_json::from_str(detail).map_err(readable)?,
        },
        None => return Err(format!("it is in the unknown state {state}")),
    };
    Ok(JournaledIntent { intent, state })
}

fn to_json(id: &IntentId, value: &impl serde::Serialize) -> Result<String, RecordError> {
    serde_json::to_string(value).map_err(|error| RecordError::Unreadable {
        entry: format!("intent {id}"),
        why: error.to_string(),
        meaning: "it cannot be written, so its request is not sent",
    })
}
