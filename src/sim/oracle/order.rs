//! One after the other, on a fresh look: S13, S15, S16, judged at every mutation that arrives.

use super::case::{Case, Memory};
use super::tally::Findings;
use super::{LOOK_AGE_MAX, PAUSE_DELAY_MAX, pause, step};

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

/// A lease is given up only after every call under it is answered, or nobody waits for its answer any more.
pub(super) fn s15_settled(memory: &Memory, service: &str, findings: &mut Findings) {
    let mut in_flight = memory.in_flight.iter();
    let open = in_flight.find(|(_, names)| names.iter().any(|name| name == service));
    findings.require(open.is_none(), || {
        let call = open.map_or(0, |(call, _)| *call);
        format!("the lease of service {service} is given up, and call {call} on it has not been answered yet")
    });
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
