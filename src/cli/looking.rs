//! Passes over chosen services: what `plan`, `status`, `explain` and `run --once` have in common.

use super::exit::Failure;
use super::json::ServiceDoc;
use crate::aws::ScopeKey;
use crate::controller::{Fleet, Passed, Rounds};
use crate::decide::{Due, HoldReason};
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
///
/// Which dead image comes first shows only when all have been looked at: whoever had to wait for that alone is looked at once
/// more. Without it the riskiest, if its turn came early, would wait for the others for ever, and they for it.
pub async fn look_at(rounds: &Rounds, services: &BTreeSet<ServiceName>) -> Vec<Passed> {
    let mut all = look_once(rounds, services).await;
    let knew_too_little = |one: &Passed| {
        let holds = one.plan.iter().flat_map(|plan| &plan.holds);
        let mut reasons = holds.map(|hold| &hold.reason);
        reasons.any(|reason| matches!(reason, HoldReason::FleetUnseen))
    };
    let early = all.iter().filter(|one| knew_too_little(one));
    let early: BTreeSet<ServiceName> = early.map(|one| one.service.clone()).collect();
    if early.is_empty() || !rounds.board.has_seen(rounds.in_force.now().policies.keys()) {
        return all;
    }
    for again in look_once(rounds, &early).await {
        if let Some(first) = all.iter_mut().find(|one| one.service == again.service) {
            first.done.extend(again.done);
            first.plan = again.plan.or(first.plan.take());
            first.trouble = first.trouble.take().or(again.trouble);
        }
    }
    all
}

async fn look_once(rounds: &Rounds, services: &BTreeSet<ServiceName>) -> Vec<Passed> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Channels, PolicyFinding, parse_policy};
    use std::sync::Arc;

    fn fleet(names: &[&str]) -> Fleet {
        let policy = |name: &&str| {
            let text =
                format!("service: {name}\nslots: {{ blue: {{ select: {{ tags: {{ Name: {name} }} }} }} }}\n");
            let policy = parse_policy("p.yaml", &text, Channels::Unchecked).policy.unwrap();
            (ServiceName::new(*name), Arc::new(policy))
        };
        Fleet {
            policies: names.iter().map(policy).collect(),
            findings: Vec::new(),
        }
    }

    fn chosen(fleet: &Fleet, named: &[&str]) -> Result<Vec<String>, String> {
        let named: Vec<String> = named.iter().map(|name| (*name).to_owned()).collect();
        let chosen = choose(fleet, &named).map_err(|failure| failure.0)?;
        Ok(chosen.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn services_are_those_named_or_all() {
        let fleet = fleet(&["app", "tis"]);
        assert_eq!(chosen(&fleet, &[]).unwrap(), ["app", "tis"]);
        assert_eq!(chosen(&fleet, &["tis", "tis"]).unwrap(), ["tis"]);
    }

    #[test]
    fn an_unknown_service_is_refused_with_those_that_there_are_and_the_one_that_is_near() {
        let fleet = fleet(&["tis", "upload", "upload-eu"]);
        for (name, meant) in [("tsi", "tis"), ("uplaod", "upload"), ("upload-ue", "upload-eu")] {
            let why = chosen(&fleet, &[name]).unwrap_err();
            assert!(why.contains(&format!("Did you mean {meant}?")), "{why}");
            assert!(why.contains("tis, upload, upload-eu"), "{why}");
        }
        let why = chosen(&fleet, &["billing"]).unwrap_err();
        assert!(!why.contains("Did you mean"), "{why}");
    }

    #[test]
    fn a_service_whose_file_is_refused_says_that_and_no_policy_at_all_is_an_error() {
        let mut fleet = fleet(&["app"]);
        fleet.findings.push(PolicyFinding::Refused {
            file: "tis.yaml".to_owned(),
            service: Some("tis".into()),
            last_good_in_force: false,
            paused_by_it: false,
            problems: Vec::new(),
        });
        let why = chosen(&fleet, &["tis"]).unwrap_err();
        assert!(why.contains("tis.yaml is refused"), "{why}");
        fleet.policies.clear();
        let why = chosen(&fleet, &[]).unwrap_err();
        assert!(
            why.contains("tis.yaml is refused") && why.contains("keepgreen check"),
            "{why}"
        );
    }
}
