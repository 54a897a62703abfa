//! What a running instance may be touched for: S8, judged at every mutation that arrives.

use std::time::Duration;

use jiff::Timestamp;

use super::case::Case;
use super::declared::{Heal, Service};
use super::step::{self, interrupted};
use super::tally::Findings;
use crate::sim::world::api::Operation;
use crate::sim::world::{CheckStatus, Health, Instance, State, earlier, later};

/// A running instance is stopped, rebooted or terminated only for a status check that is impaired beyond its grace, for an
/// unhealthy target where the policy says so and another one serves, for a scheduled event, because its replacement serves,
/// or as the attempt that failed.
pub(super) fn s8_do_no_harm(case: &Case, findings: &mut Findings) {
    for id in interrupted(case) {
        let lives = case.world().instance_since(id, case.window());
        let Some(instance) = lives.last().filter(|i| i.state == State::Running) else {
            continue;
        };
        let ends = matches!(case.operation(), Operation::TerminateInstances { .. });
        let is_its_own =
            step::is_attempt(case, instance) || step::lately_replaced_by(case, id).next().is_some();
        let owner = case.declared.owner_of(instance);
        let is_ill = |(service, _): (&Service, _)| {
            lives
                .iter()
                .any(|life| is_impaired(&service.heal, life, case.now()))
                || is_unhealthy(case, service.heal.unhealthy, id)
                || (service.heal.scheduled_event && is_to_move(case, instance))
        };
        let has_reason = is_its_own || (!ends && owner.is_some_and(is_ill));
        findings.require(has_reason, || {
            format!(
                "{} on {id}, which runs, and nothing that its policy acts on is wrong with it",
                case.operation().name()
            )
        });
    }
}

fn is_impaired(heal: &Heal, instance: &Instance, now: Timestamp) -> bool {
    let beyond = |check: CheckStatus, grace: Option<Duration>| match (check, grace) {
        (CheckStatus::Impaired(since), Some(grace)) => later(since, grace) <= now,
        _ => false,
    };
    beyond(instance.system_check, heal.impaired_system)
        || beyond(instance.instance_check, heal.impaired_instance)
}

/// A group has called it unhealthy for the whole grace, and every group that it is in has another healthy target.
fn is_unhealthy(case: &Case, grace: Option<Duration>, id: &str) -> bool {
    let Some(grace) = grace else { return false };
    let world = case.world();
    let histories = world.healths_since(id, earlier(case.now(), grace));
    let lasts = |all: &[Health]| !all.is_empty() && all.iter().all(|health| health.is_unhealthy());
    let has_other = |arn: &String| {
        let group = world.target_groups().find(|group| group.arn == *arn);
        group.is_some_and(|group| group.healthy_targets().iter().any(|key| key.0 != id))
    };
    histories.iter().any(|(_, all)| lasts(all)) && histories.iter().all(|(arn, _)| has_other(arn))
}

/// AWS is about to stop it. A reboot in place does not move it.
fn is_to_move(case: &Case, instance: &Instance) -> bool {
    let reboots = !matches!(case.operation(), Operation::StopInstances { .. });
    !reboots && instance.events.iter().any(|event| event.is_open())
}
