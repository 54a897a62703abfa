//! Which instances a slot has lost: terminated, or nowhere to be seen for long, while the slot has fewer than it should.

use super::follow::by_a_person;
use super::{is_gone, members_left};
use crate::decide::claims::Owner;
use crate::decide::fold::{Seen, Tick};
use crate::decide::verdict::stop_evidence;
use crate::model::{
    Coverage, Instance, InstanceId, InstanceState, LaunchAttempt, LaunchEnd, Lost, Part, Replacement,
    ReplacementEnd, ServiceMemory, SlotName,
};
use crate::policy::SlotState;
use std::collections::{BTreeMap, BTreeSet};

/// Takes a look into what is remembered of lost instances. `absent`: those whose absence is believed in this very look.
pub(in crate::decide) fn remember_lost(
    memory: &mut ServiceMemory,
    seen: &Seen<'_>,
    by_slot: &BTreeMap<SlotName, Vec<&Instance>>,
    absent: BTreeMap<InstanceId, Lost>,
    coverage: &Coverage,
    tick: Tick,
) {
    if coverage.gap(&Part::Instances).is_some() {
        return;
    }
    let lacking: BTreeSet<&SlotName> = seen
        .policy
        .slots
        .iter()
        .filter(|(_, slot)| slot.state == SlotState::Running)
        .filter(|(name, slot)| {
            let left = members_left(seen.look, seen.claims, &memory.replacements, name);
            left < usize::try_from(slot.count).unwrap_or(usize::MAX)
        })
        .map(|(name, _)| name)
        .collect();
    let mut before = std::mem::take(&mut memory.lost);
    for name in &lacking {
        // Of `shutting-down` nothing is remembered: it has not ended yet.
        let terminated: Vec<&Instance> = by_slot
            .get(*name)
            .into_iter()
            .flatten()
            .filter(|instance| {
                instance.state == InstanceState::Terminated
                    && !is_launched(memory, &instance.id)
                    && !is_replaced(memory, &instance.id)
            })
            .copied()
            .collect();
        for instance in terminated {
            let timer = before.remove(&instance.id).map(|lost| lost.timer);
            let lost = Lost {
                slot: (*name).clone(),
                evidence: format!("terminated: {}", stop_evidence(instance)),
                by_person: by_a_person(instance),
                timer: tick.tick_or_start(timer),
                launched_at: instance.launched_at,
            };
            memory.lost.insert(instance.id.clone(), lost);
        }
    }
    // What has left the answers since, or was never seen to end.
    for (id, mut lost) in before.into_iter().chain(absent) {
        let shown = seen.look.instances.get(&id);
        let alive = shown.is_some_and(|instance| !is_gone(instance));
        // Marked as retired, or another slot's by now: it is not missed. That its tags are gone says nothing: AWS takes them off
        // what is terminated.
        let is_let_go = shown.is_some_and(|instance| match seen.claims.owner_of(instance) {
            Owner::Slot(service, slot) => service != seen.policy.service || slot != lost.slot,
            _ => instance.is_retired(),
        });
        let is_known = memory.lost.contains_key(&id) || is_replaced(memory, &id) || is_launched(memory, &id);
        if lacking.contains(&lost.slot) && !alive && !is_let_go && !is_known {
            tick.advance(&mut lost.timer);
            memory.lost.insert(id, lost);
        }
    }
    for name in lacking {
        keep_as_many_as_lack(memory, seen, name);
    }
}

/// A slot misses as many as it lacks, whatever has ended in it lately: those that are being replaced, then the latest.
fn keep_as_many_as_lack(memory: &mut ServiceMemory, seen: &Seen<'_>, name: &SlotName) {
    let left = members_left(seen.look, seen.claims, &memory.replacements, name);
    let count = seen
        .policy
        .slots
        .get(name)
        .map_or(0, |slot| usize::try_from(slot.count).unwrap_or(usize::MAX));
    let mut of_slot: Vec<_> = memory
        .lost
        .iter()
        .filter(|(_, lost)| lost.slot == *name)
        .map(|(id, lost)| {
            let open = memory.replacements.get(id).is_some_and(Replacement::is_open);
            (open, lost.launched_at, id.clone())
        })
        .collect();
    of_slot.sort();
    let too_many = of_slot.len().saturating_sub(count.saturating_sub(left));
    for (_, _, id) in of_slot.iter().take(too_many).filter(|(open, ..)| !open) {
        memory.lost.remove(id);
    }
}

/// Another one has its place already; what the slot lacks now, it lacks for another reason.
fn is_replaced(memory: &ServiceMemory, id: &InstanceId) -> bool {
    let one = memory.replacements.get(id);
    matches!(
        one.and_then(|one| one.ended.as_ref()),
        Some(ReplacementEnd::Done { .. })
    )
}

/// An attempt's own instance is that attempt's business; what never had a place is missed by nobody.
fn is_launched(memory: &ServiceMemory, id: &InstanceId) -> bool {
    let never_served = |attempt: &LaunchAttempt| {
        let end = attempt.end.as_ref();
        matches!(end, Some(LaunchEnd::Failed { .. } | LaunchEnd::Abandoned { .. }))
    };
    memory.replacements.values().any(|one| {
        let mut attempts = one.attempts.iter();
        attempts.any(|of| of.instance.as_ref() == Some(id) && (one.is_open() || never_served(of)))
    })
}
