//! One instance for another: the image that it came from is gone, or it is itself.
//!
//! # Guarantees
//! Replacement before disruption (S7), in this order, each step for an outage that another order allows:
//! 1. launch the new one — so that the old one serves until there is something better;
//! 2. register it once its status checks pass — so that no traffic goes to a machine that does not work;
//! 3. wait until it was healthy in every group for three looks running — a first healthy check is luck;
//! 4. take the old one out of its groups, on all ports, within the floor, and let it drain — so that no request is cut off;
//! 5. stop or terminate it, and mark it retired — so that nothing starts it again.
//!
//! Where a replacement stands is derived at each look ([`follow`], [`progress`]) from the world and the journal; killed
//! anywhere, the next pass goes on. A failed attempt's instance is ended before the next one is launched (S3); the old one is
//! brought back into the groups that it was taken out of.
//!
//! | File | |
//! |---|---|
//! | `need` | who is to be replaced, and what holds that back |
//! | `queue` | in which order, over all services |
//! | `candidate`, `request` | which image, type and subnet; the launch itself |
//! | `choose` | what is launched: the first candidate that loses nothing |
//! | `progress` | the next step of one that is under way |
//! | `gone` | whether the reason for it still stands |
//! | `serve` | the proof that an instance serves |
//! | `follow`, `answer` | what a look and an answer mean for it |

mod answer;
mod candidate;
mod choose;
mod follow;
mod gone;
mod lost;
mod need;
mod progress;
mod queue;
mod remember;
mod request;
mod serve;

pub(in crate::decide) use answer::{fold_answer, settle_step};
pub use candidate::{Offer, OfferVerdict};
pub(in crate::decide) use follow::{adopt_launched, follow, is_down};
pub(in crate::decide) use lost::remember_lost;
pub(in crate::decide) use need::{Member, Proposed, announcement_key, propose_all};
pub use queue::{Queued, Rank, Risk};
pub use remember::remember_launches;
pub(in crate::decide) use serve::{Serves, is_out, serves};
pub use serve::{is_registered, is_sound};

use super::claims::{Claims, Owner};
use crate::model::{
    AilmentKind, Instance, InstanceId, InstanceState, Observation, Replacement, ServiceMemory, SlotName,
};
use crate::policy::{OnReplaceable, Policy, SlotState};
use std::collections::{BTreeMap, BTreeSet};

/// Looks in a row in which an instance serves before anything rests on it (S7).
pub const PROVEN_AFTER_LOOKS: u32 = 3;

/// What an instance is to a replacement that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Launched, and on its way to serve.
    Incoming,
    /// Of an attempt that has ended without success: it is to be ended too.
    Leftover,
    /// Being taken out, its replacement serves.
    Outgoing,
}

/// The role of `id`, and the replacement that it is of.
pub fn role_of<'a>(
    replacements: &'a BTreeMap<InstanceId, Replacement>,
    id: &InstanceId,
) -> Option<(Role, &'a Replacement)> {
    let mut open = replacements.values().filter(|one| one.is_open());
    open.find_map(|one| {
        let role = if one.new_instance() == Some(id) {
            Role::Incoming
        } else if one.leftovers().any(|left| left == id) {
            Role::Leftover
        } else if one.old == *id && (one.draining_since.is_some() || one.put_down.is_some()) {
            Role::Outgoing
        } else {
            return None;
        };
        Some((role, one))
    })
}

/// Instances that the journal says are ours, whatever their tags say: launched, or being retired.
pub fn ours_by_journal(memory: &ServiceMemory) -> BTreeSet<InstanceId> {
    let open = memory.replacements.values().filter(|one| one.is_open());
    open.flat_map(|one| one.launched().chain([&one.old]).cloned())
        .collect()
}

/// Whether it takes what a replacement is launched from: something is to be replaced, or is being replaced.
pub fn wants_supply(policy: &Policy, memory: &ServiceMemory) -> bool {
    let dead = |kind: AilmentKind| {
        memory
            .instances
            .values()
            .any(|instance| instance.timers.contains_key(&kind))
    };
    // What was launched is to be ended even under a policy that launches no more: the groups' facts are asked for that.
    memory.replacements.values().any(Replacement::is_open)
        || (policy.replace.is_some()
            && (!memory.lost.is_empty()
                || (policy.heal.image_gone == OnReplaceable::Replace && dead(AilmentKind::ImageGone))))
}

/// Whether the policy, as it is, has a replacement made for an ailment in a slot.
pub(in crate::decide) fn wants(policy: &Policy, slot: &SlotName, kind: AilmentKind) -> bool {
    let choice = match kind {
        AilmentKind::Missing => policy.heal.missing,
        _ => policy.heal.image_gone,
    };
    let runs = policy
        .slots
        .get(slot)
        .is_some_and(|slot| slot.state == SlotState::Running);
    runs && policy.replace.is_some() && choice == OnReplaceable::Replace
}

pub fn is_gone(instance: &Instance) -> bool {
    matches!(
        instance.state,
        InstanceState::Terminated | InstanceState::ShuttingDown
    )
}

/// The old one was taken out for it, and is no living member of its slot any more: all that is left to do is about the new one.
pub(in crate::decide) fn has_the_place(one: &Replacement, look: &Observation, claims: &Claims) -> bool {
    let is_member = |old: &Instance| matches!(claims.owner_of(old), Owner::Slot(..)) && !is_gone(old);
    let is_out = one.put_down.is_some() || one.draining_since.is_some();
    is_out && !look.instances.get(&one.old).is_some_and(is_member)
}

/// How many instances a slot has without what is being launched for it.
pub(in crate::decide) fn members_left(
    look: &Observation,
    claims: &Claims,
    replacements: &BTreeMap<InstanceId, Replacement>,
    name: &SlotName,
) -> usize {
    let is_member = |instance: &&Instance| match claims.owner_of(instance) {
        Owner::Slot(service, slot) => service == look.service && slot == *name,
        _ => false,
    };
    let launched = |id: &InstanceId| match role_of(replacements, id) {
        Some((Role::Incoming, one)) => !has_the_place(one, look, claims),
        Some((Role::Leftover, _)) => true,
        _ => false,
    };
    look.instances
        .values()
        .filter(is_member)
        .filter(|instance| !is_gone(instance) && !launched(&instance.id))
        .count()
}
