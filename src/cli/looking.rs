//! Passes over chosen services: what `plan`, `status`, `explain` and `run --once` have in common.

use super::exit::Failure;
use super::json::ServiceDoc;
use crate::aws::ScopeKey;
use crate::controller::{Fleet, Passed, Rounds};
use crate::decide::Due;
use crate::model::ServiceName;
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};

/// The gaps that leave nothing known of a service: which instances it has, and in whose account.
const NOTHING_KNOWN_WITHOUT: [&str; 2] = ["the instances", "the account's identity"];

/// A misspelt name has a slip in so many letters at most…
const LETTERS_PER_SLIP: usize = 4;
/// …or is this alike all the same (0 to 1): a part of the name.
const ALIKE: f64 = 0.85;

/// The services that are meant: those named, or all.
///
/// # Errors
/// A name that no policy has, with those that there are; no policy at all.
pub fn choose(fleet: &Fleet, named: &[String]) -> Result<BTreeSet<ServiceName>, Failure> {
    if named.is_empty() && fleet.policies.is_empty() {
        let findings: Vec<String> = fleet.findings.iter().map(|finding| finding.sentence()).collect();
        let why = if findings.is_empty() {
            "there is no policy file".to_owned()
        } else {
            findings.join("\n")
        };
        return Err(Failure::new(format!(
            "no policy is in force: {why}\nNext: `keepgreen check`."
        )));
    }
    named
        .iter()
        .map(|name| {
            let service = ServiceName::new(name.as_str());
            if fleet.policies.contains_key(&service) {
                Ok(service)
            } else {
                Err(unknown(fleet, name))
            }
        })
        .collect::<Result<BTreeSet<ServiceName>, Failure>>()
        .map(|chosen| match named {
            [] => fleet.policies.keys().cloned().collect(),
            _ => chosen,
        })
}

/// Nobody knows this service.
pub fn unknown(fleet: &Fleet, name: &str) -> Failure {
    let refused = fleet
        .findings
        .iter()
        .find(|finding| finding.service().is_some_and(|service| service.as_str() == name));
    if let Some(finding) = refused {
        return Failure::new(format!("service {name} is not in force: {}", finding.sentence()));
    }
    let meant = meant(fleet, name).map_or(String::new(), |known| format!(" Did you mean {known}?"));
    let known: Vec<&str> = fleet.policies.keys().map(ServiceName::as_str).collect();
    let known = if known.is_empty() {
        "no service has a policy in force; `keepgreen check` says why".to_owned()
    } else {
        format!("there are policies for: {}", known.join(", "))
    };
    Failure::new(format!("there is no service {name}.{meant} ({known})"))
}

/// The service that was probably meant: the nearest in letters, if it is near.
fn meant<'f>(fleet: &'f Fleet, name: &str) -> Option<&'f ServiceName> {
    let distance = |known: &ServiceName| strsim::osa_distance(known.as_str(), name);
    let near = |known: &&ServiceName| {
        let most = (name.chars().count() / LETTERS_PER_SLIP).max(1);
        distance(known) <= most || strsim::jaro_winkler(known.as_str(), name) >= ALIKE
    };
    fleet
        .policies
        .keys()
        .filter(near)
        .min_by_key(|known| distance(known))
}

/// Looks at `services`, those that share a scope together, all scopes at once. In order of name.
pub async fn look_at(rounds: &Rounds, services: &BTreeSet<ServiceName>) -> Vec<Passed> {
    let fleet = rounds.in_force.now();
    let mut scopes: BTreeMap<ScopeKey, BTreeSet<ServiceName>> = BTreeMap::new();
    for service in services {
        if let Some(policy) = fleet.policies.get(service) {
            let scope = Fleet::scope_of(policy);
            scopes.entry(scope).or_default().insert(service.clone());
        }
    }
    let passes = scopes.into_iter().map(|(scope, services)| async move {
        let mut passed = Vec::new();
        rounds.pass(&scope, &services, |one| passed.push(one)).await;
        passed
    });
    let mut all: Vec<Passed> = join_all(passes).await.into_iter().flatten().collect();
    all.sort_by(|one, other| one.service.cmp(&other.service));
    all
}

/// The documents of what passes said.
pub fn documents(rounds: &Rounds, passed: &[Passed]) -> Vec<ServiceDoc> {
    let fleet = rounds.in_force.now();
    passed
        .iter()
        .filter_map(|one| ServiceDoc::of(rounds, &fleet, one))
        .collect()
}

/// Whether so little could be read of a service that nothing can be said of it.
pub fn is_unread(service: &ServiceDoc) -> bool {
    let blind = |part: &str| NOTHING_KNOWN_WITHOUT.contains(&part);
    service.trouble.is_some() || service.due.is_none() || service.gaps.iter().any(|gap| blind(&gap.part))
}

/// Whether a mutation is due, now or by time.
pub fn is_due(service: &ServiceDoc) -> bool {
    matches!(service.due, Some(Due::Now | Due::ByTime))
}
