//! What the journal says: S5 and S23. Its rows are read from the file right after each commit, as plain data, and held
//! against the calls that really arrived.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::case::{Arrival, Case};
use super::step;
use super::tally::Findings;

/// One intent, as the journal's file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntentRow {
    pub id: String,
    pub operation: String,
    /// `open`, `ambiguous`, `ended`.
    pub state: String,
    pub instances: BTreeSet<String>,
    pub policy_version: Option<String>,
    pub reason: Option<String>,
    /// How it ended: `accepted`, `failed`, …
    pub outcome: Option<String>,
    /// Of an accepted one.
    pub request_id: Option<String>,
}

/// An intent and what became of it.
#[derive(Debug)]
struct Known {
    row: IntentRow,
    /// When it had become durable, in true time.
    durable: Timestamp,
    /// The call that carried it out.
    call: Option<u64>,
}

/// The journal, and the calls that it should account for.
#[derive(Debug, Default)]
pub(super) struct Books {
    intents: BTreeMap<String, Known>,
    /// Lives whose journal is read.
    lives: BTreeMap<u32, Timestamp>,
    /// Answered mutations: the request id that the answer carries.
    request_ids: BTreeMap<u64, String>,
    /// Mutations that AWS carried out.
    effected: BTreeSet<u64>,
}

impl Books {
    /// A life has opened its journal: what is in it counts, whatever was known of another one.
    pub(super) fn opened(&mut self, now: Timestamp, life: u32, rows: Vec<IntentRow>) {
        let calls: BTreeMap<String, Option<u64>> = self
            .intents
            .iter()
            .map(|(id, known)| (id.clone(), known.call))
            .collect();
        self.lives.insert(life, now);
        self.intents = rows
            .into_iter()
            .map(|row| {
                let call = calls.get(&row.id).copied().flatten();
                // What was there before this life is older than it, by a moment at least.
                let durable = super::earlier(now, Duration::from_millis(1));
                (row.id.clone(), Known { row, durable, call })
            })
            .collect();
    }

    /// A transaction is durable, after which the latest intents are these. Judges each that ends.
    pub(super) fn committed(
        &mut self,
        now: Timestamp,
        rows: Vec<IntentRow>,
        s5: &mut Findings,
        s23: &mut Findings,
    ) {
        for row in rows {
            let before = self.intents.get(&row.id);
            let ends = row.state == "ended" && before.is_none_or(|known| known.row != row);
            if ends {
                let was = before.map_or("never begun", |known| known.row.state.as_str());
                s5.require(matches!(was, "open" | "ambiguous"), || {
                    format!("intent {} ended, and was {was}", row.id)
                });
                self.audit(&row, s23);
            }
            let known = self.intents.entry(row.id.clone()).or_insert_with(|| Known {
                row: row.clone(),
                durable: now,
                call: None,
            });
            known.row = row;
        }
    }

    /// The record of an effect says what, why, under which policy, and which request it was.
    fn audit(&self, row: &IntentRow, s23: &mut Findings) {
        let call = self.intents.get(&row.id).and_then(|known| known.call);
        if row.outcome.as_deref() == Some("not-sent") {
            let done = call.filter(|call| self.effected.contains(call));
            s23.require(done.is_none(), || {
                format!(
                    "intent {} records that nothing was sent, and call {done:?} was carried out",
                    row.id
                )
            });
        }
        if row.outcome.as_deref() == Some("accepted") {
            let real = call.and_then(|call| self.request_ids.get(&call));
            s23.require(
                row.request_id.is_some() && row.request_id.as_ref() == real,
                || {
                    format!(
                        "intent {} records request {:?}, and call {call:?} was {real:?}",
                        row.id, row.request_id
                    )
                },
            );
            let said = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
            s23.require(said(&row.policy_version) && said(&row.reason), || {
                format!("intent {} does not say why, or under which policy", row.id)
            });
        }
    }

    pub(super) fn answered(&mut self, call: u64, request_id: &str) {
        self.request_ids.insert(call, request_id.to_owned());
    }

    /// AWS did what the call asked for.
    pub(super) fn effected(&mut self, call: u64) {
        self.effected.insert(call);
    }

    /// The open intent that this mutation carries out, which no call has carried out before.
    fn intent_of(&self, arrival: &Arrival) -> Option<&Known> {
        let operation = &arrival.request.operation;
        let named: BTreeSet<String> = step::concerned(arrival).into_iter().map(str::to_owned).collect();
        self.intents.values().find(|known| {
            let row = &known.row;
            row.state == "open"
                && known.call.is_none()
                && row.operation == operation.name()
                && row.instances == named
        })
    }

    /// The mutation is on its way.
    pub(super) fn sent(&mut self, arrival: &Arrival) {
        let id = self.intent_of(arrival).map(|known| known.row.id.clone());
        if let Some(known) = id.and_then(|id| self.intents.get_mut(&id)) {
            known.call = Some(arrival.number);
        }
    }

    fn is_read(&self, arrival: &Arrival) -> bool {
        self.lives.contains_key(&arrival.incarnation)
    }

    /// When the life that sends this began, if another one was before it.
    pub(super) fn resumed(&self, arrival: &Arrival) -> Option<Timestamp> {
        let began = self.lives.get(&arrival.incarnation)?;
        let has_predecessor = self.lives.keys().any(|life| *life < arrival.incarnation);
        has_predecessor.then_some(*began)
    }

    /// When the intent that this mutation carries out had become durable.
    pub(super) fn decided(&self, arrival: &Arrival) -> Option<Timestamp> {
        self.intent_of(arrival).map(|known| known.durable)
    }
}

/// A durable intent before each mutation, and one mutation for each.
pub(super) fn s5_write_ahead(case: &Case, findings: &mut Findings) {
    if !case.books.is_read(case.arrival) {
        return;
    }
    findings.require(case.books.intent_of(case.arrival).is_some(), || {
        let operation = case.operation();
        format!(
            "no open intent that was not sent before says {} on {:?}",
            operation.name(),
            step::concerned(case.arrival)
        )
    });
}
