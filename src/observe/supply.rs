//! What a replacement could be made from, read when one is wanted.
//!
//! Nothing is left out without a word: a source without an image says why, and what could not be read is in
//! [`Supply::failed`], so that a person sees why nothing is launched.

use super::directory::{TargetGroupDirectory, find, name_of};
use super::scope::group_names;
use crate::aws::{CrossZone, LoadBalancer, Priority, Reader, TargetGroup};
use crate::env::Clock;
use crate::model::{
    AwsError, Blueprint, ErrorClass, GroupFacts, ImageFacts, ImageId, ImageOffer, Supply, TemplateFacts,
    TypeFacts,
};
use crate::policy::{ImageSource, Launch, Policy};
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Target groups whose attributes are read at once.
const MOST_GROUPS_AT_ONCE: usize = 4;

/// Reads everything that a launch for this service could draw on.
///
/// Types and subnets are those of the blueprints, of the policy's `replace`, and of the launch template.
pub async fn supply(
    reader: &Reader,
    policy: &Policy,
    blueprints: &[&Blueprint],
    clock: &Clock,
    priority: Priority,
    directory: &TargetGroupDirectory,
) -> Supply {
    let begun = clock.now();
    let replace = policy.replace.as_ref();
    let sources = replace
        .map(|replace| replace.image.as_slice())
        .unwrap_or_default();
    let offers = sources
        .iter()
        .map(|source| offer(reader, source, begun.wall, priority));
    let lookup = Groups {
        reader,
        directory,
        clock,
        priority,
    };
    let (images, template, (groups, mut failed)) = tokio::join!(
        join_all(offers),
        template(reader, policy, priority),
        lookup.of(policy),
    );
    let of_template = template.as_ref().and_then(|facts| facts.as_ref().ok());
    let kinds: BTreeSet<String> = blueprints
        .iter()
        .map(|blueprint| blueprint.instance_type.clone())
        .chain(replace.iter().flat_map(|replace| replace.instance_types.clone()))
        .chain(of_template.and_then(|facts| facts.instance_type.clone()))
        .collect();
    let subnets: BTreeSet<String> = blueprints
        .iter()
        .map(|blueprint| blueprint.subnet.clone())
        .chain(replace.iter().flat_map(|replace| replace.subnets.clone()))
        .chain(of_template.and_then(|facts| facts.subnet.clone()))
        .collect();
    let (types, subnets) = tokio::join!(
        types(reader, &kinds, priority),
        reader.subnets(&subnets, priority)
    );
    Supply {
        begun,
        policy_version: policy.version.clone(),
        images,
        types: known(types, &mut failed),
        subnets: known(subnets, &mut failed),
        template,
        groups,
        failed,
    }
}

/// What came, or nothing and the reason.
fn known<T: Default>(reading: Result<T, AwsError>, failed: &mut Vec<String>) -> T {
    reading.unwrap_or_else(|error| {
        failed.push(error.to_string());
        T::default()
    })
}

async fn offer(reader: &Reader, source: &ImageSource, now: Timestamp, priority: Priority) -> ImageOffer {
    let image = match source {
        ImageSource::Ssm(name) => of_parameter(reader, name, priority).await,
        ImageSource::Newest { owners, name } => newest(reader, owners, name, now, priority).await,
        ImageSource::Id(id) => by_id(reader, id, priority).await,
        ImageSource::Rescue => {
            Err("rescue images are not in this version: name another source of images beside it".to_owned())
        }
    };
    ImageOffer {
        source: told(source),
        image,
    }
}

/// In the policy's words.
fn told(source: &ImageSource) -> String {
    match source {
        ImageSource::Ssm(name) => format!("ssm: {name}"),
        ImageSource::Newest { owners, name } => {
            format!("newest: {{ owners: [{}], name: {name} }}", owners.join(", "))
        }
        ImageSource::Id(id) => format!("id: {id}"),
        ImageSource::Rescue => "rescue".to_owned(),
    }
}

async fn of_parameter(reader: &Reader, name: &str, priority: Priority) -> Result<ImageFacts, String> {
    let values = reader
        .parameters(&BTreeSet::from([name.to_owned()]), priority)
        .await;
    let values = values.map_err(|error| error.to_string())?;
    let Some(value) = values.get(name) else {
        return Err(format!("there is no parameter {name}"));
    };
    let value = value.trim();
    // The value itself is not shown: who knows what a wrong name leads to.
    if !is_image_id(value) {
        return Err(format!("the value of the parameter {name} is no image id"));
    }
    by_id(reader, &ImageId::new(value), priority).await
}

/// `ami-` and hexadecimal digits.
fn is_image_id(text: &str) -> bool {
    let digits = text.strip_prefix("ami-").unwrap_or_default();
    !digits.is_empty() && digits.chars().all(|digit| digit.is_ascii_hexdigit())
}

async fn by_id(reader: &Reader, id: &ImageId, priority: Priority) -> Result<ImageFacts, String> {
    match reader.image(id, priority).await {
        Ok(Some(facts)) => Ok(facts),
        Ok(None) => Err(format!(
            "AWS shows no image {id} to this account: it was deregistered, was never shared, or is not allowed here"
        )),
        Err(error) => Err(error.to_string()),
    }
}

async fn newest(
    reader: &Reader,
    owners: &[String],
    name: &str,
    now: Timestamp,
    priority: Priority,
) -> Result<ImageFacts, String> {
    let found = reader.newest_image(owners, name, now, priority).await;
    found.map_err(|error| error.to_string())?.ok_or_else(|| {
        format!(
            "no available image of {} has a name like {name}",
            owners.join(", ")
        )
    })
}

/// `None`: replacements are not launched from a template.
async fn template(
    reader: &Reader,
    policy: &Policy,
    priority: Priority,
) -> Option<Result<TemplateFacts, String>> {
    match &policy.replace.as_ref()?.launch {
        Launch::Clone => None,
        Launch::Template { name, version } => {
            let facts = reader.template(name, version, priority).await;
            Some(facts.map_err(|error| error.to_string()))
        }
    }
}

/// Without the zones a type is not known: it would seem to be offered nowhere.
async fn types(
    reader: &Reader,
    names: &BTreeSet<String>,
    priority: Priority,
) -> Result<BTreeMap<String, TypeFacts>, AwsError> {
    let (kinds, mut zones) = tokio::try_join!(
        reader.instance_kinds(names, priority),
        reader.offered_in(names, priority)
    )?;
    let facts = kinds.into_iter().map(|(name, kind)| {
        let zones = zones.remove(&name).unwrap_or_default();
        let facts = TypeFacts {
            architectures: kind.architectures,
            zones,
            burstable: kind.burstable,
            ebs_optimizable: kind.ebs_optimizable,
        };
        (name, facts)
    });
    Ok(facts.collect())
}

/// Where the facts on target groups come from.
struct Groups<'a> {
    reader: &'a Reader,
    directory: &'a TargetGroupDirectory,
    clock: &'a Clock,
    priority: Priority,
}

impl Groups<'_> {
    /// By the policy's names for them, and what is not known of them.
    async fn of(&self, policy: &Policy) -> (BTreeMap<String, GroupFacts>, Vec<String>) {
        let names: Vec<&str> = group_names(policy).collect();
        let wanted = names.iter().map(|name| name_of(name).to_owned()).collect();
        let listed = self
            .directory
            .groups(&wanted, self.reader, self.clock, self.priority)
            .await;
        let listed = match listed {
            Ok(listed) => listed,
            Err(error) => return (BTreeMap::new(), vec![error.to_string()]),
        };
        let mut failed = Vec::new();
        let mut groups = Vec::new();
        for name in names {
            match find(&listed, name) {
                Some(group) => groups.push((name.to_owned(), group.clone())),
                None => failed.push(format!("there is no target group {name}")),
            }
        }
        let arns = groups.iter().flat_map(|(_, group)| group.load_balancers.clone());
        let load_balancers = match self.reader.load_balancers(&arns.collect(), self.priority).await {
            Ok(load_balancers) => load_balancers,
            Err(error) => {
                if error.class == ErrorClass::NotFound {
                    self.directory.forget();
                }
                failed.push(error.to_string());
                return (BTreeMap::new(), failed);
            }
        };
        let readings = groups.into_iter().map(|(name, group)| {
            let load_balancers = &load_balancers;
            async move { (name, self.facts(&group, load_balancers).await) }
        });
        let readings: Vec<_> = stream::iter(readings)
            .buffered(MOST_GROUPS_AT_ONCE)
            .collect()
            .await;
        let mut facts = BTreeMap::new();
        for (name, reading) in readings {
            match reading {
                Ok(of_group) => {
                    facts.insert(name, of_group);
                }
                Err(error) => failed.push(error.to_string()),
            }
        }
        (facts, failed)
    }

    async fn facts(
        &self,
        group: &TargetGroup,
        load_balancers: &BTreeMap<String, LoadBalancer>,
    ) -> Result<GroupFacts, AwsError> {
        let attributes = self.reader.group_attributes(&group.arn, self.priority).await?;
        let cross_zone = match attributes.cross_zone {
            CrossZone::On => true,
            CrossZone::Off => false,
            CrossZone::OfLoadBalancer => self.all_cross(group, load_balancers).await?,
        };
        let its = group
            .load_balancers
            .iter()
            .filter_map(|arn| load_balancers.get(arn));
        Ok(GroupFacts {
            cross_zone,
            zones: its.flat_map(|one| one.zones.clone()).collect(),
            deregistration_delay_s: attributes.deregistration_delay_s,
        })
    }

    /// Whether every load balancer of the group spreads its traffic over all zones. Without any, nothing is spread: the
    /// stricter floor is taken, because one may just have been put in front.
    async fn all_cross(
        &self,
        group: &TargetGroup,
        load_balancers: &BTreeMap<String, LoadBalancer>,
    ) -> Result<bool, AwsError> {
        for arn in &group.load_balancers {
            let own = self
                .reader
                .load_balancer_crosses_zones(arn, self.priority)
                .await?;
            let usual = load_balancers
                .get(arn)
                .is_some_and(|one| one.crosses_zones_by_default);
            if !own.unwrap_or(usual) {
                return Ok(false);
            }
        }
        Ok(!group.load_balancers.is_empty())
    }
}

#[cfg(test)]
#[path = "supply_tests.rs"]
mod tests;
