//! What instances are made of, read while they are well.

use crate::aws::{Priority, Reader};
use crate::model::{AwsError, Blueprint, InstanceId, SlotName};
use futures_util::stream::{self, StreamExt as _};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Instances that are read at once: each takes eight calls, and all share the connections of the looks.
const MOST_AT_ONCE: usize = 4;

/// The blueprint of each wanted instance, or why it could not be read whole. An instance that does not exist is left out.
pub async fn blueprints(
    reader: &Reader,
    wanted: &[(InstanceId, SlotName)],
    now: Timestamp,
    priority: Priority,
) -> BTreeMap<InstanceId, Result<Blueprint, AwsError>> {
    let readings = wanted.iter().cloned().map(|(instance, slot)| async move {
        let blueprint = reader.blueprint(&instance, &slot, now, priority).await;
        (instance, blueprint)
    });
    stream::iter(readings)
        .buffer_unordered(MOST_AT_ONCE)
        .filter_map(|(instance, blueprint)| {
            std::future::ready(blueprint.transpose().map(|blueprint| (instance, blueprint)))
        })
        .collect()
        .await
}

#[cfg(test)]
#[path = "blueprints_tests.rs"]
mod tests;
