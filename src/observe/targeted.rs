//! The look that admits a mutation: one service, read afresh, and only what the guard needs of it.

use super::assign::{Asked, as_seen};
use super::query::plan;
use crate::aws::{Priority, Reader};
use crate::env::Clock;
use crate::model::{Coverage, Gap, Observation, Part};
use crate::policy::Policy;
use futures_util::future::join_all;
use std::collections::BTreeMap;

/// Reads the caller's identity and the service's instances with their tags, at the same time.
///
/// The parts that are not read are gaps: nothing may be concluded from their emptiness.
pub async fn look_again(
    reader: &Reader,
    asked: &Asked<'_>,
    clock: &Clock,
    priority: Priority,
) -> Observation {
    let begun = clock.now();
    let policy = asked.policy;
    let queries = plan(std::slice::from_ref(asked));
    let (caller, listings) = tokio::join!(
        reader.caller_account(priority),
        join_all(
            queries
                .iter()
                .map(|query| reader.instances(&query.filters, priority))
        ),
    );
    let mut gaps: Vec<Gap> = not_read(policy);
    let caller = caller
        .map_err(|error| {
            gaps.push(Gap {
                part: Part::Identity,
                why: error.to_string(),
            });
        })
        .ok();
    let mut instances = BTreeMap::new();
    for listing in listings {
        let ours = listing.items.into_iter().filter(|instance| asked.wants(instance));
        instances.extend(ours.map(|instance| (instance.id.clone(), as_seen(instance))));
        gaps.extend(listing.failed.map(|error| Gap {
            part: Part::Instances,
            why: error.to_string(),
        }));
    }
    Observation {
        service: policy.service.clone(),
        policy_version: policy.version.clone(),
        begun,
        ended: clock.now(),
        caller,
        region: reader.region().clone(),
        instances,
        statuses: BTreeMap::new(),
        image_metadata: BTreeMap::new(),
        image_listings: BTreeMap::new(),
        groups: BTreeMap::new(),
        scaling_groups: BTreeMap::new(),
        coverage: Coverage::from_gaps(gaps),
    }
}

fn not_read(policy: &Policy) -> Vec<Gap> {
    let groups = policy.slots.values().flat_map(|slot| &slot.target_groups);
    let mut parts: Vec<Part> = groups
        .map(|group| Part::TargetGroup(group.name.clone()))
        .collect();
    parts.extend([
        Part::Statuses,
        Part::ImageMetadata,
        Part::ImageListings,
        Part::ScalingGroups,
    ]);
    parts.sort();
    parts.dedup();
    parts
        .into_iter()
        .map(|part| Gap {
            part,
            why: "not asked for in this look".to_owned(),
        })
        .collect()
}
