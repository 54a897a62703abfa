//! How much may be done: S11, judged at every mutation that arrives, over all lives of the controller.

use std::collections::BTreeSet;

use super::case::{Attempt, Case, Memory};
use super::declared::Service;
use super::step::{self, REPLACES, disrupted, place};
use super::tally::Findings;
use super::{DAY, HOUR};
use crate::sim::world::api::Operation;
use crate::sim::world::{Health, World};

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
    } else {
        s11_at_once(case, findings);
    }
}

/// Repairs that disrupt or launch, of one service at once. One goes on until the instance serves again, or is gone.
fn s11_at_once(case: &Case, findings: &mut Findings) {
    let disrupted = disrupted(case).into_iter().map(|i| i.id.as_str());
    let replaced = step::tag_param(case.arrival.params, REPLACES).filter(|_| step::is_launch(case));
    let begun = disrupted.chain(replaced).map(|id| step::repaired(case, id));
    let begun: BTreeSet<&str> = begun.collect();
    let open = case
        .memory
        .repairs
        .keys()
        .filter(|id| !is_whole(case.world(), id));
    let all: BTreeSet<&str> = open
        .map(|id| step::repaired(case, id))
        .chain(begun.iter().copied())
        .collect();
    findings.require(
        begun.is_empty() || all.len() <= case.declared.max_concurrent,
        || {
            let limit = case.declared.max_concurrent;
            format!(
                "{} repairs at once over all services; the limit is {limit}",
                all.len()
            )
        },
    );
    for service in case.services() {
        let is_its = |id: &&String| {
            let owner = case.world().instance(id).and_then(|i| place(case, i));
            owner.is_some_and(|(of, _)| of.name == service.name)
        };
        let open = case.memory.repairs.keys().filter(is_its);
        let others = open
            .filter(|id| !is_whole(case.world(), id))
            .map(|id| step::repaired(case, id));
        let others: BTreeSet<&str> = others.filter(|id| !begun.contains(id)).collect();
        let at_once = others.len() + begun.len().min(1);
        findings.require(begun.is_empty() || at_once <= service.max_concurrent, || {
            format!(
                "{at_once} repairs of service {} at once; the limit is {}",
                service.name, service.max_concurrent
            )
        });
    }
}

/// It runs and serves everywhere again, or is not to.
pub(super) fn is_whole(world: &World, id: &str) -> bool {
    let Some(instance) = world.instance(id) else {
        return true;
    };
    let registrations = world.registrations_of(id);
    let serves = registrations
        .iter()
        .all(|r| r.health == Health::Healthy || r.health.is_unused());
    step::is_out(instance)
        || (step::passes(instance) && serves && step::replacements_in(world, id).next().is_none())
}

fn s11_attempts(case: &Case, findings: &mut Findings) {
    for id in case.operation().subjects() {
        let Some(instance) = case.world().instance(id) else {
            continue;
        };
        let Some((service, _)) = case.declared.owner_of(instance) else {
            continue;
        };
        let of_day = of_service(case.memory, service, id)
            .filter(|attempt| attempt.failed && attempt.at + DAY > case.now())
            .count();
        findings.require(of_day < service.attempts_per_day, || {
            format!(
                "{id}: {of_day} starts failed within a day; the limit is {}",
                service.attempts_per_day
            )
        });
        let row = failed_in_row(case.memory, service, id).count();
        findings.require(row < service.attempts, || {
            format!(
                "{id}: {row} starts failed in a row; the limit is {}",
                service.attempts
            )
        });
    }
}

/// The starts of an instance that this service answers for, newest first. Whoever ends a quarantine forgives what led to it;
/// and each service has its own incidents.
fn of_service<'a>(memory: &'a Memory, service: &'a Service, id: &str) -> impl Iterator<Item = &'a Attempt> {
    let released = memory.released.get(&service.name);
    let attempts = memory.attempts.get(id).into_iter().flatten().rev();
    attempts.filter(move |attempt| {
        attempt.service.as_ref() == Some(&service.name) && released.is_none_or(|at| attempt.at > *at)
    })
}

/// Those since anything good has come of one.
pub(super) fn failed_in_row<'a>(
    memory: &'a Memory,
    service: &'a Service,
    id: &str,
) -> impl Iterator<Item = &'a Attempt> {
    of_service(memory, service, id).take_while(|attempt| attempt.is_for_nothing())
}
