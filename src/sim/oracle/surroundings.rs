//! What the process leaves on its machine: S25 in its log, journal and messages, S22 in how much there is of it, L7 in its
//! heartbeat.

use std::time::Duration;

use jiff::Timestamp;

use super::secrets::leaked;
use super::tally::Findings;
use crate::sim::world::{World, later};

/// Lines of one life within a minute: a mass stop of a large account says something about each instance, thrice over.
pub const LINES_PER_MINUTE_MAX: usize = 5_000;
/// A journal of months is far smaller.
pub const JOURNAL_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Messages that wait; the journal drops none by itself, and a night does not bring more.
pub const WAITING_MAX: u64 = 2_000;

/// What was found where a life was lived.
#[derive(Debug, Clone, Default)]
pub struct Leftovers {
    /// The most that was logged within one minute.
    pub lines_per_minute: usize,
    pub log_has_secret: bool,
    /// The bytes of the journal's files.
    pub journal: Vec<u8>,
    /// Messages not delivered yet.
    pub waiting: u64,
}

pub(super) fn s22_bounded(found: &Leftovers, findings: &mut Findings) {
    findings.require(found.lines_per_minute <= LINES_PER_MINUTE_MAX, || {
        format!("{} lines were logged within a minute", found.lines_per_minute)
    });
    let bytes = found.journal.len() as u64;
    findings.require(bytes <= JOURNAL_BYTES_MAX, || {
        format!("the journal has {bytes} bytes")
    });
    findings.require(found.waiting <= WAITING_MAX, || {
        format!("{} messages wait", found.waiting)
    });
}

pub(super) fn s25_leftovers<'a>(
    secrets: impl Iterator<Item = &'a str> + Clone,
    user_data: impl Iterator<Item = &'a str> + Clone,
    found: &Leftovers,
    world: &World,
    findings: &mut Findings,
) {
    findings.require(!found.log_has_secret, || "a secret is in the log".to_owned());
    let mut in_journal = secrets.clone();
    // As a text, which is searched much faster than bytes are; a secret has no byte that is lost so.
    let journal = String::from_utf8_lossy(&found.journal);
    let has = |secret: &str| journal.contains(secret);
    findings.require(!in_journal.any(has), || "a secret is in the journal".to_owned());
    let mut posts = world.all_posts();
    let all = secrets.chain(user_data);
    let in_posts = posts.any(|(_, post)| leaked(all.clone(), &post.body));
    findings.require(!in_posts, || "a secret is in a message".to_owned());
}

/// A stretch of a stalled loop, and how soon the heartbeat must have stopped.
#[derive(Debug, Clone, Copy)]
pub struct Stall {
    pub from: Timestamp,
    pub until: Timestamp,
    /// The heartbeat's own patience.
    pub noticed_after: Duration,
}

/// While the loop stands still, the heartbeat stops.
pub(super) fn l7_stalled_loop(stalls: &[Stall], host: &str, world: &World, findings: &mut Findings) {
    for stall in stalls {
        let deadline = later(stall.from, stall.noticed_after);
        if deadline >= stall.until.min(world.now()) {
            continue;
        }
        // Without a heartbeat before it there is none to stop.
        if !world.posts(host).iter().any(|post| post.at <= stall.from) {
            continue;
        }
        let mut beats = world.posts(host).iter();
        let late = beats.find(|post| post.at > deadline && post.at < stall.until);
        findings.require(late.is_none(), || {
            format!(
                "the loop stood still since {}, and the heartbeat went on at {:?}",
                stall.from,
                late.map(|p| p.at)
            )
        });
    }
}
