//! From what there is to what could be launched: the image, and the types and subnets to try in their order.
//!
//! Each image is proven launchable before anything is launched: available, allowed, of the type's architecture, on EBS.
//! What is not proven is not used, and why it is not is said.

use crate::decide::hold::HoldReason;
use crate::model::{Blueprint, ImageFacts, ImageId, ImageState, SubnetFacts, Supply, TypeFacts, Zone};
use crate::policy::{Launch as LaunchPolicy, Replace};
use serde::Serialize;
use std::collections::BTreeMap;

/// One of the policy's image sources, judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Offer {
    /// In the policy's words.
    pub source: String,
    pub image: Option<ImageId>,
    pub verdict: OfferVerdict,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "offer")]
pub enum OfferVerdict {
    /// The first that can be launched.
    Chosen,
    /// It could be launched as well.
    Spare,
    Refused {
        why: String,
    },
}

/// One combination to ask AWS for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate<'a> {
    pub image: &'a ImageFacts,
    pub instance_type: &'a str,
    pub kind: &'a TypeFacts,
    pub subnet: &'a str,
}

impl Candidate<'_> {
    /// `ami-… on t3.large in subnet-…`
    pub fn in_words(&self) -> String {
        format!("{} on {} in {}", self.image.id, self.instance_type, self.subnet)
    }
}

/// Judges every source against the types that would be launched. `dead` is the image that is being replaced.
pub(crate) fn offers(
    supply: &Supply,
    replace: &Replace,
    types: &[(&str, &TypeFacts)],
    dead: &ImageId,
) -> Vec<Offer> {
    let mut chosen = false;
    let judged = supply.images.iter().map(|offer| {
        let (image, refusal) = match &offer.image {
            Err(why) => (None, Some(why.clone())),
            Ok(image) => {
                let why = not_launchable(image, types, dead).or_else(|| leaves(image, supply, replace));
                (Some(image.id.clone()), why)
            }
        };
        let verdict = match refusal {
            Some(why) => OfferVerdict::Refused { why },
            None if chosen => OfferVerdict::Spare,
            None => {
                chosen = true;
                OfferVerdict::Chosen
            }
        };
        Offer {
            source: offer.source.clone(),
            image,
            verdict,
        }
    });
    judged.collect()
}

/// Why an image cannot be launched; `None`: it can, for all that AWS tells.
fn not_launchable(image: &ImageFacts, types: &[(&str, &TypeFacts)], dead: &ImageId) -> Option<String> {
    let id = &image.id;
    if id == dead {
        return Some(format!("{id} is the very image that is gone"));
    }
    if image.state != ImageState::Available {
        return Some(format!("{id} is {}", image.state.as_str()));
    }
    if image.allowed == Some(false) {
        return Some(format!("{id} is not allowed here: Allowed AMIs excludes it"));
    }
    if !image.root_is_ebs || image.root_device.is_none() {
        return Some(format!("{id} has no EBS root device"));
    }
    if let Some(word) = image.virtualization.as_deref().filter(|word| *word != "hvm") {
        return Some(format!(
            "{id} is virtualised by `{word}`, which current types do not boot"
        ));
    }
    let Some(architecture) = &image.architecture else {
        return Some(format!("AWS does not say which architecture {id} is of"));
    };
    if types
        .iter()
        .any(|(_, kind)| kind.architectures.contains(architecture))
    {
        return None;
    }
    let names: Vec<&str> = types.iter().map(|(name, _)| *name).collect();
    Some(format!(
        "{id} is for {architecture}, which {} is not",
        names.join(", ")
    ))
}

/// What a failed launch of it would leave behind: volumes that outlive their instance. A clone has its root's own settings.
fn leaves(image: &ImageFacts, supply: &Supply, replace: &Replace) -> Option<String> {
    let is_settled = |device: &String| match &replace.launch {
        LaunchPolicy::Clone => image.root_device.as_ref() == Some(device),
        LaunchPolicy::Template { .. } => template(supply).is_some_and(|facts| facts.ends.contains(device)),
    };
    let kept: Vec<&str> = image
        .keeps
        .iter()
        .filter(|device| !is_settled(device))
        .map(String::as_str)
        .collect();
    (!kept.is_empty()).then(|| {
        let (id, devices) = (&image.id, kept.join(", "));
        format!(
            "{id} keeps the volume on {devices} after termination, so what a failed launch made would stay; it takes an image \
             with DeleteOnTermination there"
        )
    })
}

/// The types to launch, the original one first, as far as AWS has them.
///
/// # Errors
/// If none of them is known.
pub(crate) fn types<'a>(
    supply: &'a Supply,
    replace: &'a Replace,
    blueprint: Option<&'a Blueprint>,
) -> Result<Vec<(&'a str, &'a TypeFacts)>, HoldReason> {
    let original = match &replace.launch {
        LaunchPolicy::Clone => blueprint.map(|blueprint| blueprint.instance_type.as_str()),
        LaunchPolicy::Template { .. } => template(supply)
            .and_then(|facts| facts.instance_type.as_deref())
            .or_else(|| blueprint.map(|blueprint| blueprint.instance_type.as_str())),
    };
    let mut names: Vec<&str> = Vec::new();
    for name in original
        .into_iter()
        .chain(replace.instance_types.iter().map(String::as_str))
    {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let known: Vec<_> = names
        .iter()
        .filter_map(|name| Some((*name, supply.types.get(*name)?)))
        .collect();
    if known.is_empty() {
        let why = vec![format!("AWS offers none of the types {} here", names.join(", "))];
        return Err(HoldReason::NoPlace { why });
    }
    Ok(known)
}

fn template(supply: &Supply) -> Option<&crate::model::TemplateFacts> {
    supply.template.as_ref().and_then(|facts| facts.as_ref().ok())
}

/// What is to be launched: like what, and for where.
pub(crate) struct Sought<'a> {
    pub blueprint: Option<&'a Blueprint>,
    /// Of the target groups that it is to serve in, the names.
    pub groups: Vec<String>,
    pub dead: ImageId,
    /// Images that AWS has refused to launch in this attempt, with its words: the next source is used.
    pub refused: BTreeMap<ImageId, String>,
    /// A group, and the zone that has to be kept for its sake.
    pub bound: Option<(String, Zone)>,
}

/// Every combination, in the order to try them: another type first, for it keeps the place; then another subnet.
///
/// # Errors
/// If there is no subnet or no image to launch with.
pub(crate) fn candidates<'a>(
    supply: &'a Supply,
    replace: &'a Replace,
    sought: &Sought<'a>,
) -> Result<Vec<Candidate<'a>>, HoldReason> {
    let types = types(supply, replace, sought.blueprint)?;
    let offers = offers(supply, replace, &types, &sought.dead);
    let usable = |offer: &&Offer| {
        let is_refused = offer
            .image
            .as_ref()
            .is_some_and(|id| sought.refused.contains_key(id));
        !is_refused && !matches!(offer.verdict, OfferVerdict::Refused { .. })
    };
    let image = offers
        .iter()
        .position(|offer| usable(&offer))
        .and_then(|at| supply.images.get(at))
        .and_then(|offer| offer.image.as_ref().ok());
    let Some(image) = image else {
        let in_words = |offer: &Offer| {
            let refusal = offer.image.as_ref().and_then(|id| sought.refused.get(id));
            refusal.map_or_else(
                || refusal_in_words(offer),
                |why| format!("{}: {why}", offer.source),
            )
        };
        return Err(HoldReason::NoImage {
            offers: offers.iter().map(in_words).collect(),
        });
    };
    let (subnets, mut why) = subnets(supply, replace, sought);
    let mut found = Vec::new();
    for (subnet, facts) in subnets {
        for (name, kind) in &types {
            let suits = image
                .architecture
                .as_ref()
                .is_some_and(|architecture| kind.architectures.contains(architecture));
            if !suits {
                continue;
            }
            if !kind.zones.contains(&facts.zone) {
                why.push(format!("{name} is not offered in {}", facts.zone));
                continue;
            }
            found.push(Candidate {
                image,
                instance_type: name,
                kind,
                subnet,
            });
        }
    }
    if found.is_empty() {
        return Err(HoldReason::NoPlace { why });
    }
    Ok(found)
}

fn refusal_in_words(offer: &Offer) -> String {
    match &offer.verdict {
        OfferVerdict::Refused { why } => format!("{}: {why}", offer.source),
        OfferVerdict::Chosen | OfferVerdict::Spare => offer.source.clone(),
    }
}

/// Subnets to launch into: in the same VPC as the original, in zones that the load balancers reach; and why not others.
fn subnets<'a>(
    supply: &'a Supply,
    replace: &'a Replace,
    sought: &Sought<'a>,
) -> (Vec<(&'a str, &'a SubnetFacts)>, Vec<String>) {
    let of_template = template(supply).and_then(|facts| facts.subnet.as_deref());
    let original = match &replace.launch {
        LaunchPolicy::Clone => None,
        LaunchPolicy::Template { .. } => of_template,
    };
    let original = original.or_else(|| sought.blueprint.map(|blueprint| blueprint.subnet.as_str()));
    let vpc = original
        .and_then(|subnet| supply.subnets.get(subnet))
        .map(|facts| facts.vpc.as_str());
    let (mut good, mut why): (Vec<(&str, &SubnetFacts)>, Vec<String>) = (Vec::new(), Vec::new());
    for id in original
        .into_iter()
        .chain(replace.subnets.iter().map(String::as_str))
    {
        if good.iter().any(|(known, _)| *known == id) {
            continue;
        }
        let Some(facts) = supply.subnets.get(id) else {
            why.push(format!("there is no subnet {id}"));
            continue;
        };
        let unreached = sought.groups.iter().find(|group| {
            let facts_of_group = supply.groups.get(*group);
            facts_of_group.is_some_and(|of| !of.zones.is_empty() && !of.zones.contains(&facts.zone))
        });
        if vpc.is_some_and(|vpc| vpc != facts.vpc) {
            why.push(format!("{id} is in another VPC"));
        } else if let Some(group) = unreached {
            why.push(format!(
                "the load balancer of {group} does not reach {} ({id})",
                facts.zone
            ));
        } else if let Some((group, zone)) = sought.bound.as_ref().filter(|(_, zone)| *zone != facts.zone) {
            why.push(format!(
                "target group {group} keeps traffic within each zone, and the floor of {zone} needs another one there ({id} is \
                 in {})",
                facts.zone
            ));
        } else if facts.free_addresses < 1 {
            why.push(format!("{id} has no free address"));
        } else {
            good.push((id, facts));
        }
    }
    (good, why)
}
