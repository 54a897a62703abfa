//! Which policies are in force, given what the files say now and the last good text of each service.
//!
//! Pure. The caller reads the files, keeps the good texts in its journal, and tells people the findings.
//!
//! The rules, in order:
//! 1. **No file at all** (or the folder cannot be read): every last good text stays in force. An unmounted disk must not
//!    look like the wish to give everything up.
//! 2. **A file that is good** is in force.
//! 3. **A file that is bad** keeps its service's last good text in force. The text is recognised by the file's name,
//!    or, for a file that was renamed as well, by the service that it names.
//! 4. **A pause in a bad file counts**: a flag that cannot be read is a set flag. Whoever writes `pause: true` and slips
//!    two lines below must not be ignored. What a bad file cannot do is end a pause.
//! 5. **Two files that clash** (one service twice, or selectors that share instances): the one that was in force as it
//!    is stays, the other is refused and falls back to its own last good text. If neither was there before, both are
//!    refused: nothing tells which one is meant. For one service in two files, the file that the last good text came
//!    from is the one that was there.
//! 6. **A service that no file claims any more** is given up, once.

use super::load::{Loaded, LoadedFile, file_name};
use super::overlap::{self, Clash};
use super::parse::{Channels, parse_policy};
use super::problem::Problem;
use super::types::{Policy, PolicyPause};
use crate::model::ServiceName;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A policy's text as it was last in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoodText {
    /// The file it came from.
    pub file: String,
    pub text: String,
}

/// What is in force, and what has to be remembered and told about it.
#[derive(Clone, Debug, Default)]
pub struct Effective {
    pub policies: BTreeMap<ServiceName, Policy>,
    pub findings: Vec<PolicyFinding>,
    /// Texts that are now good: to be journaled before anything is done under them.
    pub store: BTreeMap<ServiceName, GoodText>,
    /// Services that were given up: their text is to be forgotten, so that this is told once.
    pub forget: BTreeSet<ServiceName>,
}

/// Something about the policy files that a person has to know while it lasts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PolicyFinding {
    /// A file is refused.
    Refused {
        file: String,
        /// The service whose file it is, if that can be told.
        service: Option<ServiceName>,
        /// Whether the service's last good text is in force in its place.
        last_good_in_force: bool,
        /// Whether it is paused because the refused file asks for a pause.
        paused_by_it: bool,
        problems: Vec<Problem>,
    },
    /// A service has no file any more, and is left alone from now on. Told once.
    GivenUp { service: ServiceName, file: String },
    /// There is no policy file, or the folder cannot be read; the last good texts are in force.
    AllGone {
        services: BTreeSet<ServiceName>,
        problems: Vec<Problem>,
    },
    /// A last good text is needed and this version of keepgreen refuses it: the service is not looked after.
    LastGoodRefused {
        service: ServiceName,
        file: String,
        problems: Vec<Problem>,
    },
}

impl PolicyFinding {
    /// The same as long as the finding is: what deduplicates alerts.
    pub fn key(&self) -> String {
        match self {
            Self::Refused { file, .. } => format!("policy-refused/{}", file_name(file)),
            Self::GivenUp { service, .. } => format!("policy-given-up/{service}"),
            Self::AllGone { .. } => "policy-all-gone".to_owned(),
            Self::LastGoodRefused { service, .. } => format!("policy-last-good-refused/{service}"),
        }
    }

    /// The service that it is about.
    pub fn service(&self) -> Option<&ServiceName> {
        match self {
            Self::Refused { service, .. } => service.as_ref(),
            Self::GivenUp { service, .. } | Self::LastGoodRefused { service, .. } => Some(service),
            Self::AllGone { .. } => None,
        }
    }

    /// What happened, what it means and what to do next.
    pub fn sentence(&self) -> String {
        match self {
            Self::Refused {
                file,
                service,
                last_good_in_force,
                paused_by_it,
                problems,
            } => {
                let service = service
                    .as_ref()
                    .map_or("its service".to_owned(), |service| format!("service {service}"));
                let means = match (last_good_in_force, paused_by_it) {
                    (true, true) => format!(
                        "{service} stays under its last good policy, and is paused because the file asks for it"
                    ),
                    (true, false) => format!("{service} stays under its last good policy"),
                    (false, _) => format!("{service} is not looked after"),
                };
                format!(
                    "{file} is refused: {means}. {}; `keepgreen check` shows everything.",
                    first(problems)
                )
            }
            Self::GivenUp { service, file } => format!(
                "Service {service} is given up: its file {file} is gone. Nothing of it is repaired any more; put the \
                 file back to have it looked after again."
            ),
            Self::AllGone { services, problems } => format!(
                "All policy files are gone at once, which looks like a lost folder: {} {} under the last good \
                 {}. {}; put the files back.",
                count(services.len(), "service"),
                if services.len() == 1 { "stays" } else { "stay" },
                if services.len() == 1 { "policy" } else { "policies" },
                first(problems)
            ),
            Self::LastGoodRefused {
                service,
                file,
                problems,
            } => format!(
                "The last good policy of service {service} (from {file}) is refused by this version: the service is \
                 not looked after. {}; correct the file.",
                first(problems)
            ),
        }
    }
}

fn first(problems: &[Problem]) -> String {
    match problems.split_first() {
        None => "No file was found".to_owned(),
        Some((problem, [])) => problem.one_line(),
        Some((problem, more)) => format!("{} (and {} more)", problem.one_line(), more.len()),
    }
}

fn count(number: usize, what: &str) -> String {
    if number == 1 {
        format!("1 {what}")
    } else {
        format!("{number} {what}s")
    }
}

/// What is in force.
pub fn merge_last_good(loaded: &Loaded, last_good: &BTreeMap<ServiceName, GoodText>) -> Effective {
    if loaded.files.is_empty() {
        return all_gone(loaded, last_good);
    }
    let present: BTreeSet<&str> = loaded.files.iter().map(LoadedFile::name).collect();
    let mut claims: Vec<Claim<'_>> = loaded
        .files
        .iter()
        .map(|file| Claim::of_file(file, last_good, &present))
        .collect();
    settle(&mut claims);
    let mut effective = Effective::default();
    let claimed: BTreeSet<&ServiceName> = claims.iter().filter_map(|claim| claim.service()).collect();
    for (service, good) in last_good.iter().filter(|(service, _)| !claimed.contains(service)) {
        effective.findings.push(PolicyFinding::GivenUp {
            service: service.clone(),
            file: good.file.clone(),
        });
        effective.forget.insert(service.clone());
    }
    for claim in &claims {
        claim.report(&mut effective.findings);
    }
    for claim in claims {
        let Some(policy) = claim.policy else { continue };
        if claim.fresh {
            let good = GoodText {
                file: claim.file.name().to_owned(),
                text: claim.file.text.clone(),
            };
            if last_good.get(&policy.service) != Some(&good) {
                effective.store.insert(policy.service.clone(), good);
            }
        }
        effective.policies.insert(policy.service.clone(), policy);
    }
    effective
}

fn all_gone(loaded: &Loaded, last_good: &BTreeMap<ServiceName, GoodText>) -> Effective {
    let mut effective = Effective::default();
    if last_good.is_empty() && loaded.problems.is_empty() {
        return effective;
    }
    for (service, good) in last_good {
        match good_policy(good) {
            Ok(policy) => {
                effective.policies.insert(service.clone(), policy);
            }
            Err(problems) => effective
                .findings
                .push(last_good_refused(service, good, problems)),
        }
    }
    let services = effective.policies.keys().cloned().collect();
    effective.findings.push(PolicyFinding::AllGone {
        services,
        problems: loaded.problems.clone(),
    });
    effective
}

fn last_good_refused(service: &ServiceName, good: &GoodText, problems: Vec<Problem>) -> PolicyFinding {
    PolicyFinding::LastGoodRefused {
        service: service.clone(),
        file: good.file.clone(),
        problems,
    }
}

/// A last good text is read without looking at the channels: one that was removed from the config since must not
/// take the service out of force.
fn good_policy(good: &GoodText) -> Result<Policy, Vec<Problem>> {
    let parsed = parse_policy(&good.file, &good.text, Channels::Unchecked);
    parsed.policy.ok_or(parsed.problems)
}

/// What one file claims, and what it falls back to.
struct Claim<'l> {
    file: &'l LoadedFile,
    /// What is in force for it.
    policy: Option<Policy>,
    /// `policy` is what the file says now.
    fresh: bool,
    /// The last good text that is this file's to fall back to.
    good: Option<(&'l ServiceName, &'l GoodText)>,
    clashes: Vec<Problem>,
    good_problems: Vec<Problem>,
}

impl<'l> Claim<'l> {
    fn of_file(
        file: &'l LoadedFile,
        last_good: &'l BTreeMap<ServiceName, GoodText>,
        present: &BTreeSet<&str>,
    ) -> Self {
        let by_service = file
            .parsed
            .service
            .as_ref()
            .and_then(|service| last_good.get_key_value(service));
        // Another file's text is not ours to fall back to, as long as that file is there.
        let ours =
            by_service.filter(|(_, good)| good.file == file.name() || !present.contains(good.file.as_str()));
        let good = ours.or_else(|| last_good.iter().find(|(_, good)| good.file == file.name()));
        let policy = file.parsed.policy.clone();
        let fresh = policy.is_some();
        let mut claim = Self {
            file,
            policy,
            fresh,
            good,
            clashes: Vec::new(),
            good_problems: Vec::new(),
        };
        if !fresh {
            claim.fall_back();
        }
        claim
    }

    /// Whether what is in force for it was in force before, word for word.
    fn anchored(&self) -> bool {
        let unchanged = self.good.is_some_and(|(_, good)| good.text == self.file.text);
        self.policy.is_some() && (!self.fresh || unchanged)
    }

    /// Gives up what the file says for the last good text; the file's pause stays.
    fn fall_back(&mut self) {
        self.fresh = false;
        self.policy = None;
        let Some((_, good)) = self.good else { return };
        match good_policy(good) {
            Ok(mut policy) => {
                if let Some(asked) = self.pause_asked_for() {
                    policy.pause = asked;
                }
                self.policy = Some(policy);
            }
            Err(problems) => self.good_problems = problems,
        }
    }

    fn pause_asked_for(&self) -> Option<PolicyPause> {
        Some(self.file.parsed.pause.clone()).filter(|pause| *pause != PolicyPause::Off)
    }

    /// One step down: from the file to the last good text, from there to nothing.
    fn demote(&mut self) {
        if self.fresh && !self.anchored() {
            self.fall_back();
        } else {
            self.fresh = false;
            self.policy = None;
        }
    }

    /// The service that this claim keeps from being given up.
    fn service(&self) -> Option<&ServiceName> {
        self.policy
            .as_ref()
            .map(|policy| &policy.service)
            .or(self.good.map(|(service, _)| service))
    }

    fn report(&self, findings: &mut Vec<PolicyFinding>) {
        if let (Some((service, good)), false) = (self.good, self.good_problems.is_empty()) {
            findings.push(last_good_refused(service, good, self.good_problems.clone()));
        }
        let file = self.file;
        let problems = [file.parsed.problems.as_slice(), self.clashes.as_slice()].concat();
        if self.fresh || problems.is_empty() {
            return;
        }
        let last_good_in_force = self.policy.is_some();
        findings.push(PolicyFinding::Refused {
            file: file.file.clone(),
            service: self.service().or(file.parsed.service.as_ref()).cloned(),
            last_good_in_force,
            paused_by_it: last_good_in_force && self.pause_asked_for().is_some(),
            problems,
        });
    }
}

/// Demotes claims until none clash. Each round takes at least one claim a step down, and there are two steps.
fn settle(claims: &mut [Claim<'_>]) {
    for _ in 0..=claims.len() * 2 {
        let indexes: Vec<usize> = (0..claims.len())
            .filter(|index| in_force(claims, *index).is_some())
            .collect();
        let policies: Vec<&Policy> = indexes
            .iter()
            .filter_map(|index| in_force(claims, *index))
            .collect();
        let clashes = overlap::clashes(&policies);
        let mut losers: BTreeMap<usize, Vec<Problem>> = BTreeMap::new();
        for (one, other, clash) in clashes {
            let (Some(one), Some(other)) = (indexes.get(one), indexes.get(other)) else {
                continue;
            };
            let (Some(claim), Some(rival)) = (claims.get(*one), claims.get(*other)) else {
                continue;
            };
            if !yields(claim, rival, &clash, one > other) {
                continue;
            }
            let problems = losers.entry(*one).or_default();
            problems.push(claim.file.clash_problem(&clash, &rival.file.file));
        }
        if losers.is_empty() {
            return;
        }
        for (index, problems) in losers {
            if let Some(claim) = claims.get_mut(index) {
                // A fallback that yields has its file's problems already.
                if claim.fresh {
                    claim.clashes = problems;
                }
                claim.demote();
            }
        }
    }
}

fn in_force<'c>(claims: &'c [Claim<'_>], index: usize) -> Option<&'c Policy> {
    claims.get(index)?.policy.as_ref()
}

/// Whether `claim` yields to `rival`. Of two that are equally entitled both yield, but for two that fell back to one
/// and the same text: there the later one does.
fn yields(claim: &Claim<'_>, rival: &Claim<'_>, clash: &Clash, later: bool) -> bool {
    let entitled = |claim: &Claim<'_>| {
        let owner =
            matches!(clash, Clash::Service(service) if claim.good.is_some_and(|(its, _)| its == service));
        (owner, claim.anchored())
    };
    match entitled(claim).cmp(&entitled(rival)) {
        std::cmp::Ordering::Less => true,
        std::cmp::Ordering::Greater => false,
        std::cmp::Ordering::Equal if matches!(clash, Clash::Service(_)) && claim.anchored() => later,
        std::cmp::Ordering::Equal => true,
    }
}

#[cfg(test)]
mod tests;
