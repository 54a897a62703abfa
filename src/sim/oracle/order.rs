//! One after the other, on a fresh look, within the caps: S11, S13, S15, S16, judged at every mutation that arrives.

use super::case::{Attempt, Case};
use super::tally::Findings;
use super::{DAY, HOUR, LOOK_AGE_MAX, PAUSE_DELAY_MAX, pause, step};
use crate::sim::world::api::Operation;

/// Mutations per account and hour, over all lives of the controller; failed attempts per incident and per day.
pub(super) fn s11_caps(case: &Case, findings: &mut Findings) {
    if let Some(cap) = case.declared.mutations_per_hour {
        let account = &case.arrival.request.caller.account;
        let since = case.arrival.sent - HOUR;
        let mutations = case.memory.mutations.iter();
        let sent = mutations.filter(|(at, of)| *at > since && of == account).count() + 1;
        findings.require(sent <= cap, || {
            format!("{sent} mutations within an hour in {account}; the cap is {cap}")
        });
    }
    if matches!(case.operation(), Operation::StartInstances { .. }) {
        s11_attempts(case, findings);
    }
}

fn s11_attempts(case: &Case, findings: &mut Findings) {
    for id in case.operation().subjects() {
        let Some(instance) = case.world().instance(id) else {
            continue;
        };
        let Some((service, _)) = case.declared.owner_of(instance) else {
            continue;
        };
        let Some(attempts) = case.memory.attempts.get(id) else {
            continue;
        };
        let now = case.now();
        // Whoever ends a quarantine forgives what led to it; and each service has its own incidents.
        let released = case.memory.released.get(&service.name);
        let counts =
            |a: &&Attempt| a.service.as_ref() == Some(&service.name) && released.is_none_or(|at| a.at > *at);
        let of_day = attempts.iter().filter(counts);
        let of_day = of_day.filter(|a| a.failed && a.at + DAY > now).count();
        findings.require(of_day < service.attempts_per_day, || {
            format!(
                "{id}: {of_day} starts failed within a day; the limit is {}",
                service.attempts_per_day
            )
        });
        let row = attempts.iter().rev().filter(counts);
        let row = row.take_while(|a| a.is_for_nothing()).count();
        findings.require(row < service.attempts, || {
            format!(
                "{id}: {row} starts failed in a row; the limit is {}",
                service.attempts
            )
        });
    }
}

/// Nothing is sent later than a second after a pause became readable, nor on an unreadable or old reading of it.
pub(super) fn s13_pause(case: &Case, findings: &mut Findings) {
    for (id, lives) in case.named() {
        let Some(instance) = lives.last() else { continue };
        if let Some(pause) = pause::readable_since(case, instance) {
            findings.require(case.arrival.sent <= pause.since + PAUSE_DELAY_MAX, || {
                format!("{id} is paused by {} since {}", pause.source, pause.since)
            });
        }
    }
    if case.newest.pause_parameter.is_some() {
        let read = case.memory.pause_reads.get(&case.arrival.incarnation);
        let is_fresh = matches!(read, Some((at, true)) if case.arrival.sent <= *at + PAUSE_DELAY_MAX);
        findings.require(is_fresh, || match read {
            Some((at, true)) => format!("the pause parameter was last read at {at}"),
            Some((at, false)) => format!("the pause parameter was unreadable at {at}"),
            None => "the pause parameter was never read".to_owned(),
        });
    }
}

/// No two mutations of a service are in flight at once.
pub(super) fn s15_one_writer(case: &Case, findings: &mut Findings) {
    for service in case.services() {
        let mut in_flight = case.memory.in_flight.iter();
        let other = in_flight.find(|(_, names)| names.contains(&service.name));
        findings.require(other.is_none(), || {
            let call = other.map_or(0, |(call, _)| *call);
            format!(
                "call {call} on service {} has not been answered yet",
                service.name
            )
        });
    }
}

/// Each instance was shown by a look younger than 5 s, which includes every earlier own write.
pub(super) fn s16_freshness(case: &Case, findings: &mut Findings) {
    for (id, lives) in case.named() {
        // What is gone for good is shown no more.
        if step::is_launch(case) && lives.iter().all(|i| step::is_gone(i)) {
            continue;
        }
        let look = case
            .memory
            .looks
            .get(&(case.arrival.incarnation, id.to_owned()))
            .copied();
        let Some(look) = look else {
            findings.require(false, || {
                format!("{id} was never shown to this life of the controller")
            });
            continue;
        };
        findings.require(look + LOOK_AGE_MAX >= case.arrival.sent, || {
            format!("{id} was last shown by a look at {look}")
        });
        let written = case.memory.own_writes.get(id);
        findings.require(written.is_none_or(|written| look > *written), || {
            format!("{id} was not looked at since the last mutation of it")
        });
    }
}
