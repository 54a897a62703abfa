//! What is launched in an instance's place: the first candidate that loses nothing and that AWS has not refused.

use super::answer::is_of_the_image;
use super::candidate::{Sought, candidates, offers, types};
use super::request::{Wanted, launch, uncarried};
use super::{Offer, is_gone};
use crate::decide::floor::is_bound_to_its_zone;
use crate::decide::hold::HoldReason;
use crate::decide::service::Input;
use crate::model::{
    ImageId, ImageState, Instance, InstanceId, Launch, LaunchAnswer, LaunchTry, RepairOf, Supply, Zone, tags,
};
use crate::policy::{Launch as LaunchPolicy, Slot};
use std::collections::BTreeMap;

/// What is to be launched, and what not again.
pub(super) struct Wish<'a> {
    pub slot: &'a Slot,
    pub old: &'a InstanceId,
    /// Tries of this attempt so far.
    pub refused: &'a [LaunchTry],
}

/// The launch of the first candidate that has not been refused yet.
///
/// # Errors
/// Why there is none.
pub(super) fn choose(input: &Input<'_>, wish: &Wish<'_>, of: &RepairOf) -> Result<Launch, HoldReason> {
    let replace = input
        .policy
        .replace
        .as_ref()
        .ok_or(HoldReason::NothingToLaunchFrom)?;
    if let Some(instance) = launched_by_others(input, wish.old) {
        return Err(HoldReason::LaunchedAlready { instance });
    }
    let blueprint = input.blueprints.get(wish.old);
    if blueprint.is_none() && matches!(replace.launch, LaunchPolicy::Clone) {
        return Err(HoldReason::NoBlueprint);
    }
    if let Some(hold) = would_lose(input, wish.old) {
        return Err(hold);
    }
    let supply = supply(input)?;
    let wanted_groups = wish.slot.target_groups.iter();
    let sought = Sought {
        blueprint,
        groups: wanted_groups.map(|wanted| wanted.name.clone()).collect(),
        dead: dead_image(input, wish.old),
        refused: images_refused(wish.refused),
        bound: bound_to(input, supply, wish),
    };
    let candidates = candidates(supply, replace, &sought)?;
    let wanted = Wanted {
        service: &input.policy.service,
        slot: wish.slot,
        replace,
        blueprint,
        supply,
    };
    let is_refused = |launch: &Launch| {
        let same = |one: &&LaunchTry| one.token == launch.token;
        let refused = |one: &LaunchTry| matches!(one.answer, LaunchAnswer::Refused { .. });
        wish.refused.iter().find(same).is_some_and(refused)
    };
    for candidate in &candidates {
        let launch = launch(&wanted, of, candidate)?;
        if !is_refused(&launch) {
            return Ok(launch);
        }
    }
    let why = candidates
        .iter()
        .map(|candidate| format!("{}: refused", candidate.in_words()));
    Err(HoldReason::NoPlace { why: why.collect() })
}

/// Of the tries of one attempt, the images that AWS refused whatever they were launched on.
fn images_refused(tries: &[LaunchTry]) -> BTreeMap<ImageId, String> {
    let refused = tries.iter().filter_map(|one| match &one.answer {
        LaunchAnswer::Refused { error } if is_of_the_image(error) => {
            let image = one.candidate.split(' ').next()?;
            Some((ImageId::new(image), error.to_string()))
        }
        _ => None,
    });
    refused.collect()
}

/// The group, and the zone, that the old one cannot leave to a new one elsewhere. What is gone has left it already.
fn bound_to(input: &Input<'_>, supply: &Supply, wish: &Wish<'_>) -> Option<(String, Zone)> {
    let old = input.look.instances.get(wish.old).filter(|old| !is_gone(old))?;
    let floors = &input.elsewhere.floors;
    let names = wish.slot.target_groups.iter().map(|wanted| &wanted.name);
    let mut bound = names.filter(|name| {
        let group = input.look.groups.get(*name);
        let facts = supply.groups.get(*name);
        group
            .zip(facts)
            .is_some_and(|(group, facts)| is_bound_to_its_zone(input.look, group, facts, floors, &old.id))
    });
    Some((bound.next()?.clone(), old.zone.clone()?))
}

/// What the old one has and nobody carries over, or may have: S20. Of one that is gone, what was last read of it counts.
pub(super) fn would_lose(input: &Input<'_>, old: &InstanceId) -> Option<HoldReason> {
    let replace = input.policy.replace.as_ref()?;
    let blueprint = input.blueprints.get(old)?;
    let seen = input.look.instances.get(old).filter(|seen| !is_gone(seen));
    if let (Some(_), Some(why)) = (seen, input.unread.get(old)) {
        return Some(HoldReason::BlueprintUnread { why: why.clone() });
    }
    if seen.is_some_and(|seen| seen.digest != blueprint.digest) {
        let why =
            "it has changed since how it is made was read; that is read again at the next look".to_owned();
        return Some(HoldReason::BlueprintUnread { why });
    }
    let what = uncarried(replace, blueprint);
    (!what.is_empty()).then_some(HoldReason::CannotCarry { what })
}

/// A living instance that its tags say is in this one's place, or in that of another one that still has it, and that no
/// attempt of this journal made. Its tags make it nobody's own, and are enough to launch no second one (S3, S11).
fn launched_by_others(input: &Input<'_>, old: &InstanceId) -> Option<InstanceId> {
    let has_its_place = |id: &InstanceId| {
        let other = input.look.instances.get(id);
        *id == *old || other.is_some_and(|other| !is_gone(other) && !other.is_retired())
    };
    let is_known = |of: &InstanceId, id: &InstanceId| {
        let one = input.memory.replacements.get(of);
        one.is_some_and(|one| one.launched().any(|launched| launched == id))
    };
    let is_strange = |instance: &&Instance| {
        let replaced = instance.tag(tags::REPLACES).map(InstanceId::new);
        replaced.is_some_and(|of| has_its_place(&of) && !is_gone(instance) && !is_known(&of, &instance.id))
    };
    let mut found = input.look.instances.values().filter(is_strange);
    found.next().map(|instance| instance.id.clone())
}

fn supply<'a>(input: &Input<'a>) -> Result<&'a Supply, HoldReason> {
    let unread = |why: Vec<String>| HoldReason::SupplyUnread { why };
    let supply = input
        .supply
        .ok_or_else(|| unread(vec!["it has not been read yet".to_owned()]))?;
    if supply.failed.is_empty() {
        Ok(supply)
    } else {
        Err(unread(supply.failed.clone()))
    }
}

fn dead_image(input: &Input<'_>, old: &InstanceId) -> ImageId {
    let seen = input
        .look
        .instances
        .get(old)
        .and_then(|instance| instance.image.clone());
    let known = input.blueprints.get(old).map(|blueprint| blueprint.image.clone());
    let is_dead = |image: &ImageId| {
        // The image of an instance that was terminated may be as good as ever.
        let metadata = input.look.image_metadata.get(old);
        metadata.is_some_and(|metadata| metadata.image == *image && metadata.state != ImageState::Available)
    };
    seen.or(known).filter(is_dead).unwrap_or_else(|| ImageId::new(""))
}

pub(super) fn all_offers(input: &Input<'_>, old: &InstanceId) -> Vec<Offer> {
    let (Some(supply), Some(replace)) = (input.supply, &input.policy.replace) else {
        return Vec::new();
    };
    let blueprint = input.blueprints.get(old);
    let types = types(supply, replace, blueprint).unwrap_or_default();
    offers(supply, replace, &types, &dead_image(input, old))
}
