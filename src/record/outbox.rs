//! The outbox: notices on their way to the channels.
//!
//! A notice is enqueued in the transaction of the look or outcome that it tells of, once for each channel and key, over
//! restarts. It leaves the outbox when its channel has taken it. A process that dies between the channel's answer
//! and [`Store::delivered`] tells it a second time: told twice is better than never.
//!
//! A channel that fails waits as a whole, whatever number of notices wait for it, and delays no other.

use super::RecordError;
use super::store::{Fault, Store};
use crate::model::{ChannelName, Mutant, Notice, NoticeKind, ServiceName};
use jiff::Timestamp;
use rusqlite::{Connection, Row, named_params, params};
use std::collections::BTreeSet;

/// Notices that one call of [`Store::due`] returns for one channel at most: a sweep stays short, and Slack takes about
/// one a second.
pub const MOST_DUE_PER_CHANNEL: u32 = 10;

/// An error text is cut to this many characters: it is shown in one line of `status`.
const LONGEST_ERROR: usize = 300;

/// A key that is offered again is noted as still in use this often, in milliseconds: a daily write, not one a look.
const OFFER_NOTED_EVERY: i64 = 24 * 3_600_000;

/// One notice on its way to one channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    pub id: i64,
    pub channel: ChannelName,
    pub notice: Notice,
    /// How often this very notice was refused.
    pub refusals: u32,
    /// How often the channel has failed in a row.
    pub channel_failures: u32,
}

/// One notice as it is listed.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedNotice {
    pub id: i64,
    pub channel: ChannelName,
    /// `None`: it waits, or was given up.
    pub delivered: Option<Timestamp>,
    pub notice: Notice,
}

/// Why a delivery did not happen, as far as pacing cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureOf {
    /// The channel does not answer or takes nothing: all of its notices wait.
    Channel,
    /// The channel works and refuses this one.
    Notice,
}

/// How a channel does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelRecord {
    pub channel: ChannelName,
    pub waiting: u32,
    /// Failures in a row; 0 is a channel that works, or was never tried.
    pub failures: u32,
    pub last_error: Option<String>,
    pub next_try: Option<Timestamp>,
    pub last_delivery: Option<Timestamp>,
}

impl Store {
    /// Puts notices that belong to no look into the outbox.
    pub fn enqueue(&mut self, notices: &[(ChannelName, Notice)], now: Timestamp) -> Result<(), RecordError> {
        self.write("notices", |connection| enqueue(connection, notices, now))
    }

    /// What should be delivered now, for each channel that is not waiting: what needs a person first, then in the order
    /// of events.
    pub fn due(&mut self, now: Timestamp) -> Result<Vec<Delivery>, RecordError> {
        self.read(|connection| {
            // Asked every few seconds for weeks, and nearly always answered with no.
            let waits = connection
                .prepare_cached("SELECT 1 FROM outbox WHERE state = 'waiting'")?
                .exists([])?;
            if !waits {
                return Ok(Vec::new());
            }
            let mut statement = connection.prepare_cached(
                "SELECT id, channel, body, failures, channel_failures FROM
                   (SELECT outbox.id, outbox.channel, body, outbox.failures,
                           coalesce(channels.failures, 0) AS channel_failures,
                           row_number() OVER (PARTITION BY outbox.channel
                                              ORDER BY kind <> :first, outbox.id) AS place
                    FROM outbox LEFT JOIN channels ON channels.name = outbox.channel
                    WHERE state = 'waiting' AND coalesce(outbox.next_try, :now) <= :now
                          AND coalesce(channels.next_try, :now) <= :now)
                 WHERE place <= :most ORDER BY channel, place",
            )?;
            let rows = statement.query_map(
                named_params! {
                    ":first": NoticeKind::NeedsPerson.as_str(),
                    ":now": now.as_millisecond(),
                    ":most": MOST_DUE_PER_CHANNEL,
                },
                read_delivery,
            )?;
            let deliveries: Vec<Option<Delivery>> = rows.collect::<Result<_, _>>()?;
            Ok(deliveries.into_iter().flatten().collect())
        })
    }

    /// The channel has taken it.
    pub fn delivered(&mut self, delivery: &Delivery, at: Timestamp) -> Result<(), RecordError> {
        let at = at.as_millisecond();
        if Mutant::DeliveryIsForgotten.is_on() {
            return Ok(());
        }
        self.write("delivered", |connection| {
            connection
                .prepare_cached(
                    "UPDATE outbox SET state = 'delivered', delivered_at = ?2, next_try = NULL WHERE id = ?1",
                )?
                .execute(params![delivery.id, at])?;
            connection
                .prepare_cached(
                    "INSERT INTO channels (name, last_delivery) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET failures = 0, next_try = NULL, last_error = NULL,
                                                  last_delivery = excluded.last_delivery",
                )?
                .execute(params![delivery.channel.as_str(), at])?;
            Ok(())
        })
    }

    /// It did not happen; `error` is for people and must hold no secret.
    pub fn failed(
        &mut self,
        delivery: &Delivery,
        whose: FailureOf,
        error: &str,
        next_try: Timestamp,
    ) -> Result<(), RecordError> {
        let error: String = error.chars().take(LONGEST_ERROR).collect();
        let next_try = next_try.as_millisecond();
        self.write("delivery-failed", |connection| {
            if whose == FailureOf::Notice {
                connection
                    .prepare_cached("UPDATE outbox SET failures = failures + 1, next_try = ?2 WHERE id = ?1")?
                    .execute(params![delivery.id, next_try])?;
            }
            let channel_waits = (whose == FailureOf::Channel).then_some(next_try);
            connection
                .prepare_cached(
                    "INSERT INTO channels (name, failures, next_try, last_error) VALUES (?1, 1, ?2, ?3)
                 ON CONFLICT (name) DO UPDATE SET failures = failures + 1, next_try = excluded.next_try,
                                                  last_error = excluded.last_error",
                )?
                .execute(params![delivery.channel.as_str(), channel_waits, error])?;
            Ok(())
        })
    }

    /// The latest notices to any channel, oldest first.
    pub fn notices(&mut self, limit: u32) -> Result<Vec<RecordedNotice>, RecordError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT id, channel, body, delivered_at FROM outbox ORDER BY id DESC LIMIT ?1",
            )?;
            let rows = statement.query_map(params![limit], |row| {
                // One of a newer version's is left out, as in deliveries.
                let Ok(notice) = serde_json::from_str(&row.get::<_, String>(2)?) else {
                    return Ok(None);
                };
                let delivered: Option<i64> = row.get(3)?;
                Ok(Some(RecordedNotice {
                    id: row.get(0)?,
                    channel: ChannelName::new(row.get::<_, String>(1)?),
                    delivered: delivered.and_then(|at| Timestamp::from_millisecond(at).ok()),
                    notice,
                }))
            })?;
            let newest_first: Vec<Option<RecordedNotice>> = rows.collect::<Result<_, _>>()?;
            Ok(newest_first.into_iter().rev().flatten().collect())
        })
    }

    /// Every channel that has had or awaits a notice.
    pub fn channels(&mut self) -> Result<Vec<ChannelRecord>, RecordError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT outbox.channel, sum(state = 'waiting'), coalesce(channels.failures, 0), last_error,
                        channels.next_try, last_delivery
                 FROM outbox LEFT JOIN channels ON channels.name = outbox.channel
                 GROUP BY outbox.channel ORDER BY outbox.channel",
            )?;
            let time = |milliseconds: i64| Timestamp::from_millisecond(milliseconds).ok();
            let rows = statement.query_map([], |row| {
                Ok(ChannelRecord {
                    channel: ChannelName::new(row.get::<_, String>(0)?),
                    waiting: row.get(1)?,
                    failures: row.get(2)?,
                    last_error: row.get(3)?,
                    next_try: row.get::<_, Option<i64>>(4)?.and_then(time),
                    last_delivery: row.get::<_, Option<i64>>(5)?.and_then(time),
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

/// A notice that cannot be read (an older version runs on a newer one's journal) is left for the version that can.
fn read_delivery(row: &Row<'_>) -> rusqlite::Result<Option<Delivery>> {
    let body: String = row.get(2)?;
    let Ok(notice) = serde_json::from_str(&body) else {
        return Ok(None);
    };
    Ok(Some(Delivery {
        id: row.get(0)?,
        channel: ChannelName::new(row.get::<_, String>(1)?),
        notice,
        refusals: row.get(3)?,
        channel_failures: row.get(4)?,
    }))
}

pub(super) fn enqueue(
    connection: &Connection,
    notices: &[(ChannelName, Notice)],
    now: Timestamp,
) -> Result<(), Fault> {
    let now = now.as_millisecond();
    let mut statement = connection.prepare_cached(
        "INSERT INTO outbox (key, channel, service, kind, state, body, enqueued_at, offered_at)
         VALUES (?1, ?2, ?3, ?4, 'waiting', ?5, ?6, ?6)
         ON CONFLICT (key, channel) DO UPDATE SET offered_at = excluded.offered_at
         WHERE excluded.offered_at - outbox.offered_at > ?7",
    )?;
    for (channel, notice) in notices {
        let body = serde_json::to_string(notice).map_err(|error| {
            Fault::Record(RecordError::Unreadable {
                entry: format!("notice {}", notice.key),
                why: error.to_string(),
                meaning: "it cannot be written, and nothing of its transaction is",
            })
        })?;
        statement.execute(params![
            notice.key,
            channel.as_str(),
            notice.service.as_ref().map(ServiceName::as_str),
            notice.kind.as_str(),
            body,
            now,
            OFFER_NOTED_EVERY,
        ])?;
    }
    Ok(())
}

pub(super) fn delivered_keys(
    connection: &Connection,
    service: &ServiceName,
) -> Result<BTreeSet<String>, Fault> {
    let mut statement = connection
        .prepare_cached("SELECT DISTINCT key FROM outbox WHERE service = ?1 AND state = 'delivered'")?;
    let keys = statement.query_map(params![service.as_str()], |row| row.get(0))?;
    Ok(keys.collect::<Result<_, _>>()?)
}
