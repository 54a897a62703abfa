//! Every call of a run: to enumerate crash points from, and to compare two runs by one hash, which is over everything else
//! that happened as well.

use std::fmt;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::crash::Actor;

/// So many characters of a call's parameters are shown.
const PARAMS_SHOWN: usize = 200;
/// So many hexadecimal digits of their hash.
const HASH_SHOWN: usize = 16;

/// How a call ended, as its sender saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Not ended.
    Open,
    /// HTTP status, and the service's error code if it was an error.
    Answered { status: u16, error: Option<String> },
    /// The connector's timeout: connecting or reading.
    TimedOut,
    /// No connection came about: nothing was sent.
    NotConnected,
    /// The connection broke after the request was sent.
    Reset,
    /// The sender stopped waiting: its own timeout, or its death.
    Abandoned,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Open => f.write_str("open"),
            Outcome::Answered { status, error: None } => write!(f, "{status}"),
            Outcome::Answered {
                status,
                error: Some(code),
            } => write!(f, "{status} {code}"),
            Outcome::TimedOut => f.write_str("timed out"),
            Outcome::NotConnected => f.write_str("not connected"),
            Outcome::Reset => f.write_str("connection reset"),
            Outcome::Abandoned => f.write_str("abandoned"),
        }
    }
}

/// One call.
#[derive(Debug, Clone)]
pub struct CallRecord {
    /// In the whole run, counted from 1.
    pub number: u64,
    /// In its sender's life, counted from 1: what a crash plan names.
    pub call: u64,
    pub actor: Actor,
    pub sent: Timestamp,
    pub ended: Option<Timestamp>,
    /// `ec2`, …; a webhook's host.
    pub service: String,
    /// `StartInstances`, …; a webhook's method.
    pub action: String,
    pub account: String,
    pub region: String,
    /// The ids and names it asks for.
    pub subjects: Vec<String>,
    /// The beginning of its sorted parameters (of a webhook's body).
    pub params: String,
    /// SHA-256 over all of them, the first 16 hexadecimal digits.
    pub params_hash: String,
    /// It changes what AWS holds: instances, tags, parameters.
    pub is_write: bool,
    pub outcome: Outcome,
    /// A hash of the answer that its sender got to read; `None`: none. Equal for equal answers, whatever was asked.
    pub answer: Option<u64>,
}

impl CallRecord {
    /// It was for AWS, and no webhook.
    pub fn is_aws(&self) -> bool {
        !self.region.is_empty()
    }
}

impl fmt::Display for CallRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} #{} {} {}:{} {}/{} {} → {}",
            self.sent,
            self.call,
            self.actor,
            self.service,
            self.action,
            self.account,
            self.region,
            self.params,
            self.outcome
        )
    }
}

/// The calls of a run, in the order they were sent.
#[derive(Debug, Default)]
pub(super) struct Trace {
    calls: Vec<CallRecord>,
    /// How many calls before these were forgotten.
    forgotten: usize,
    /// Forget the oldest beyond twice this many. `None`: none, so that the whole run has its hash.
    kept: Option<usize>,
}

impl Trace {
    /// Keep the last `calls` at least, and not many more.
    pub(super) fn keep(&mut self, calls: usize) {
        self.kept = Some(calls);
    }

    /// Forget all calls so far, but not how many they were.
    pub(super) fn forget(&mut self) {
        self.forgotten += self.calls.len();
        self.calls.clear();
    }

    pub(super) fn begin(&mut self, mut record: CallRecord) -> u64 {
        if let Some(kept) = self.kept.filter(|kept| self.calls.len() >= kept * 2) {
            self.forgotten += kept;
            self.calls.drain(..kept);
        }
        record.number = (self.forgotten + self.calls.len()) as u64 + 1;
        let number = record.number;
        self.calls.push(record);
        number
    }

    fn record(&mut self, number: u64) -> Option<&mut CallRecord> {
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let index = number.checked_sub(self.forgotten + 1);
        index.and_then(|index| self.calls.get_mut(index))
    }

    /// The call's sender reads this answer.
    pub(super) fn read(&mut self, number: u64, body: &[u8]) {
        if let Some(record) = self.record(number) {
            record.answer = Some(digest(body));
        }
    }

    pub(super) fn end(&mut self, number: u64, at: Timestamp, outcome: Outcome) {
        if let Some(record) = self.record(number).filter(|r| r.outcome == Outcome::Open) {
            record.ended = Some(at);
            record.outcome = outcome;
        }
    }

    pub(super) fn calls(&self) -> &[CallRecord] {
        &self.calls
    }

    /// SHA-256 over action, sorted parameters, virtual times and outcome of each call, and then over `more`, in hexadecimal.
    pub(super) fn hash(&self, more: impl Iterator<Item = String>) -> String {
        let mut hash = Sha256::new();
        for call in &self.calls {
            let ended = call.ended.map(Timestamp::as_nanosecond);
            hash.update(format!("{call} {} {ended:?}\n", call.params_hash));
        }
        more.for_each(|line| hash.update(line + "\n"));
        hexadecimal(&hash.finalize())
    }
}

/// What a record keeps of parameters, which may list a thousand ids: their beginning, and a hash of all.
pub(super) fn abridge(params: &str) -> (String, String) {
    let hash = Sha256::digest(params);
    let shown = params.char_indices().nth(PARAMS_SHOWN).map(|(end, _)| end);
    let (shown, _) = params.split_at(shown.unwrap_or(params.len()));
    let (first, _) = hash.split_at(HASH_SHOWN / 2);
    (shown.to_owned(), hexadecimal(first))
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('?');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// A hash that costs little: answers are long, and there are many.
fn digest(bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(bytes.len() as u64, |hash, chunk| {
        let word = chunk.iter().fold(0, |word, byte| (word << 8) | u64::from(*byte));
        (hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95)
    })
}
