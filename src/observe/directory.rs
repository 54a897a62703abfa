//! Which target groups exist: the one thing that is remembered between looks, because it changes by a person's hand only,
//! and asking costs a page for every 400 groups of the account.

use crate::aws::{Priority, Reader, TargetGroup};
use crate::env::Clock;
use crate::model::AwsError;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// After so long the list is read again. A group that was deleted and made again under its name is noticed earlier:
/// AWS does not know the old ARN.
const KEPT_FOR: Duration = Duration::from_secs(600);

/// A group that is not on the list may have been made since; but one that never was must not cost a call each look.
const MISSING_KEPT_FOR: Duration = Duration::from_secs(60);

/// The target groups of one scope, by name.
pub(super) type Groups = Arc<BTreeMap<String, TargetGroup>>;

/// One scope's list of target groups.
#[derive(Debug, Default)]
pub struct TargetGroupDirectory {
    held: Mutex<Option<Held>>,
}

#[derive(Clone, Debug)]
struct Held {
    /// The boot clock's reading before the list was asked for.
    read_at: Duration,
    groups: Groups,
}

impl TargetGroupDirectory {
    pub fn new() -> Self {
        Self::default()
    }

    /// All target groups, from memory if that has all the `wanted` ones and is not too old. Without any wanted, nothing is
    /// asked.
    ///
    /// # Errors
    /// If the list could not be read, and what is remembered lacks a wanted group.
    pub(super) async fn groups(
        &self,
        wanted: &BTreeSet<String>,
        reader: &Reader,
        clock: &Clock,
        priority: Priority,
    ) -> Result<Groups, AwsError> {
        if wanted.is_empty() {
            return Ok(Groups::default());
        }
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let has_all = |held: &Held| wanted.iter().all(|name| held.groups.contains_key(name));
        let now = clock.boot();
        if let Some(held) = &held {
            let most = if has_all(held) { KEPT_FOR } else { MISSING_KEPT_FOR };
            if now.saturating_sub(held.read_at) < most {
                return Ok(held.groups.clone());
            }
        }
        match reader.target_groups(priority).await {
            Ok(list) => {
                let groups: Groups = Arc::new(
                    list.into_iter()
                        .map(|group| (group.name.clone(), group))
                        .collect(),
                );
                self.hold(Some(Held {
                    read_at: now,
                    groups: groups.clone(),
                }));
                Ok(groups)
            }
            // Being out of date is harmless: DescribeTargetHealth fails for a group that is gone.
            Err(error) => match held.filter(has_all) {
                Some(held) => {
                    tracing::warn!(%error, "the target groups could not be listed; the earlier list serves");
                    Ok(held.groups)
                }
                None => Err(error),
            },
        }
    }

    /// Something on the list turned out to be gone.
    pub(super) fn forget(&self) {
        self.hold(None);
    }

    fn hold(&self, held: Option<Held>) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
    }
}

/// The name of a target group in an ARN (`…:targetgroup/NAME/0123456789abcdef`), or the name itself.
pub(super) fn name_of(name_or_arn: &str) -> &str {
    match name_or_arn.strip_prefix("arn:") {
        Some(_) => name_or_arn.split('/').nth(1).unwrap_or(name_or_arn),
        None => name_or_arn,
    }
}

/// What the policy's name or ARN stands for.
pub(super) fn find<'a>(groups: &'a Groups, name_or_arn: &str) -> Option<&'a TargetGroup> {
    let group = groups.get(name_of(name_or_arn))?;
    let is_it = group.name == name_or_arn || group.arn.as_str() == name_or_arn;
    is_it.then_some(group)
}
