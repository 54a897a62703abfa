//! Which listings of instances answer the selectors of many services with the fewest requests.
//!
//! Selectors that share a tag key go into one request: `tag:Name` is any of their values. Ids go through a filter,
//! because an explicit id that does not exist fails the whole call. What comes back besides is dropped by
//! [`super::assign`].

use super::assign::Asked;
use crate::aws::InstanceFilter;
use crate::model::Mutant;
use crate::policy::Selector;
use std::collections::{BTreeMap, BTreeSet};

/// The tag that AWS puts on the members of an Auto Scaling group.
const GROUP_TAG: &str = "aws:autoscaling:groupName";

/// One listing, and the services that need it, by their places in the list of what is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub filters: Vec<InstanceFilter>,
    pub services: BTreeSet<usize>,
}

/// A selector by tags, and the service that it is of.
type TagSelector = (BTreeMap<String, String>, usize);

/// Filter values, and the services that need each.
type Values = BTreeMap<String, BTreeSet<usize>>;

/// Plans the listings; together they return every instance that any selector asks for, and every one asked for besides.
pub(super) fn plan(asked: &[Asked<'_>]) -> Vec<Query> {
    let mut by_tags: Vec<TagSelector> = Vec::new();
    let mut by_id = Values::new();
    for (service, asked) in asked.iter().enumerate() {
        for id in &asked.also {
            by_id.entry(id.to_string()).or_default().insert(service);
        }
        for slot in asked.policy.slots.values() {
            match &slot.select {
                Selector::Tags(tags) => by_tags.push((tags.clone(), service)),
                Selector::AutoScalingGroup(name) => {
                    by_tags.push((BTreeMap::from([(GROUP_TAG.to_owned(), name.clone())]), service));
                }
                Selector::InstanceIds(ids) => {
                    for id in ids {
                        by_id.entry(id.to_string()).or_default().insert(service);
                    }
                }
            }
        }
    }
    let mut queries = chunked("instance-id", by_id, &[]);
    while let Some(key) = best_key(&by_tags) {
        let (group, rest) = by_tags.into_iter().partition(|(tags, _)| tags.contains_key(&key));
        by_tags = rest;
        queries.extend(of_group(&key, &group));
    }
    if Mutant::StoppedAreNotAskedFor.is_on() {
        let running = InstanceFilter {
            name: "instance-state-name".to_owned(),
            values: BTreeSet::from(["running".to_owned()]),
        };
        queries
            .iter_mut()
            .for_each(|query| query.filters.push(running.clone()));
    }
    queries
}

/// The key that the most selectors have; of several, the one with the most values, which returns the fewest instances
/// that nobody asked for.
fn best_key(selectors: &[TagSelector]) -> Option<String> {
    let mut keys: BTreeMap<&str, (usize, BTreeSet<&str>)> = BTreeMap::new();
    for (tags, _) in selectors {
        for (key, value) in tags {
            let (uses, values) = keys.entry(key).or_default();
            *uses += 1;
            values.insert(value);
        }
    }
    let best = keys
        .iter()
        .max_by_key(|(key, (uses, values))| (*uses, values.len(), **key == "Name"));
    best.map(|(key, _)| (*key).to_owned())
}

/// The listings for selectors that all have `key`. Keys that all of them have besides narrow the answer, if the values
/// fit into one request.
fn of_group(key: &str, group: &[TagSelector]) -> Vec<Query> {
    let mut values = Values::new();
    let mut others: BTreeMap<&str, (usize, BTreeSet<String>)> = BTreeMap::new();
    for (tags, service) in group {
        for (tag, value) in tags {
            if tag == key {
                values.entry(value.clone()).or_default().insert(*service);
            } else {
                let (uses, values) = others.entry(tag).or_default();
                *uses += 1;
                values.insert(value.clone());
            }
        }
    }
    others.retain(|_, (uses, _)| *uses == group.len());
    let total = values.len() + others.values().map(|(_, values)| values.len()).sum::<usize>();
    let narrowing: Vec<InstanceFilter> = others
        .into_iter()
        .filter(|_| total <= InstanceFilter::MOST_VALUES)
        .map(|(other, (_, values))| InstanceFilter {
            name: format!("tag:{other}"),
            values,
        })
        .collect();
    chunked(&format!("tag:{key}"), values, &narrowing)
}

/// Listings of one filter, each with as many values as a request may hold.
fn chunked(name: &str, values: Values, narrowing: &[InstanceFilter]) -> Vec<Query> {
    let values: Vec<(String, BTreeSet<usize>)> = values.into_iter().collect();
    let query = |chunk: &[(String, BTreeSet<usize>)]| {
        let values = chunk.iter().map(|(value, _)| value.clone()).collect();
        let mut filters = vec![InstanceFilter {
            name: name.to_owned(),
            values,
        }];
        filters.extend_from_slice(narrowing);
        Query {
            filters,
            services: chunk.iter().flat_map(|(_, services)| services).copied().collect(),
        }
    };
    values.chunks(InstanceFilter::MOST_VALUES).map(query).collect()
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;
