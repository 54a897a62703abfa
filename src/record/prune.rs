//! The journal's bounds: what is removed, and when. Nothing that a decision still needs is ever removed: intents that
//! have not ended stay, and so do those of the last day, which the caps count.

use super::store::Fault;
use jiff::Timestamp;
use rusqlite::{Connection, params};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// Looking for old entries costs a few index reads; once an hour keeps each removal small.
const EVERY: i64 = HOUR;

/// Ended intents are kept this long: a quarter, which is what reviews of incidents look back on.
const INTENTS_KEPT: i64 = 90 * DAY;

/// Ended intents beyond this number go earlier, oldest first, down to the last day: about 20 MB.
const MOST_INTENTS: i64 = 20_000;

/// A service without a look for so long is given up: its policy is gone, or it is on another host.
const SERVICES_KEPT: i64 = 90 * DAY;

/// A delivered notice's key is remembered for so long after it was last offered.
const NOTICES_KEPT: i64 = 30 * DAY;

/// An undelivered notice is given up after so long: what it says is no longer news, and reminders come daily.
const NOTICES_TRIED: i64 = 3 * DAY;

/// Notices that wait for one channel at most. A mass stop of 1,000 instances makes one for each; beyond that it is
/// a channel that does not work.
const MOST_WAITING: i64 = 2_000;

/// Remembered keys at most, so that a key that changes with each look cannot fill the disk.
const MOST_NOTICES: i64 = 50_000;

/// Removes what has expired if that was not done in the last hour; returns when it was done last, in milliseconds.
pub(super) fn when_due(connection: &Connection, now: Timestamp, last: Option<i64>) -> Result<i64, Fault> {
    let now = now.as_millisecond();
    if let Some(last) = last.filter(|last| (0..EVERY).contains(&now.saturating_sub(*last))) {
        return Ok(last);
    }
    intents(connection, now)?;
    connection.execute(
        "DELETE FROM services WHERE looked_at < ?1
         AND NOT EXISTS (SELECT 1 FROM intents WHERE service = name AND state <> 'ended')",
        params![now - SERVICES_KEPT],
    )?;
    notices(connection, now)?;
    Ok(now)
}

fn intents(connection: &Connection, now: i64) -> Result<(), Fault> {
    connection.execute(
        "DELETE FROM intents WHERE state = 'ended' AND ended_at < ?1",
        params![now - INTENTS_KEPT],
    )?;
    connection.execute(
        "DELETE FROM intents WHERE state = 'ended' AND ended_at < ?1 AND rowid IN
         (SELECT rowid FROM intents WHERE state = 'ended' ORDER BY ended_at DESC LIMIT -1 OFFSET ?2)",
        params![now - DAY, MOST_INTENTS],
    )?;
    Ok(())
}

fn notices(connection: &Connection, now: i64) -> Result<(), Fault> {
    let too_old = connection.execute(
        "UPDATE outbox SET state = 'given-up' WHERE state = 'waiting' AND enqueued_at < ?1",
        params![now - NOTICES_TRIED],
    )?;
    let too_many = connection.execute(
        "UPDATE outbox SET state = 'given-up' WHERE id IN
         (SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY channel ORDER BY kind = 'info', id DESC) AS place
                          FROM outbox WHERE state = 'waiting')
          WHERE place > ?1)",
        params![MOST_WAITING],
    )?;
    if too_old > 0 || too_many > 0 {
        tracing::warn!(
            too_old,
            too_many,
            "notices were given up: they could not be delivered in 3 days, or too many wait; `keepgreen status` \
             names the channels that do not work"
        );
    }
    connection.execute(
        "DELETE FROM outbox WHERE state <> 'waiting' AND offered_at < ?1",
        params![now - NOTICES_KEPT],
    )?;
    connection.execute(
        "DELETE FROM outbox WHERE state <> 'waiting' AND id IN
         (SELECT id FROM outbox WHERE state <> 'waiting' ORDER BY offered_at DESC, id DESC LIMIT -1 OFFSET ?1)",
        params![MOST_NOTICES],
    )?;
    connection.execute(
        "DELETE FROM channels WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE channel = channels.name)",
        [],
    )?;
    Ok(())
}
