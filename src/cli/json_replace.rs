//! Steps and replacements in `--format json`: documented in deploy/json.md. User data is never among them.

use super::paint::clean;
use crate::decide::PlannedStep;
use crate::decide::replace::{Offer, OfferVerdict, Queued};
use crate::model::{InstanceId, Launch, LaunchForm, SlotName, StartOf, Step};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// One mutation.
#[derive(Clone, Debug, Serialize)]
pub struct StepDoc {
    /// `start`, `launch`, `register`, `deregister`, `stop`, `terminate`, `retire`
    pub step: &'static str,
    /// `StartInstances`, `RunInstances`…
    pub operation: &'static str,
    /// The instances that it touches; of a launch, the one that is replaced.
    pub instances: BTreeMap<InstanceId, StartOf>,
    /// Of `register` and `deregister` alone.
    pub target_group: Option<String>,
    pub port: Option<u16>,
    /// Of `launch` alone.
    pub launch: Option<LaunchDoc>,
    pub why: String,
}

/// What a launch would make.
#[derive(Clone, Debug, Serialize)]
pub struct LaunchDoc {
    pub image: String,
    pub instance_type: String,
    pub subnet: String,
    /// `clone`, or `template NAME version N`
    pub from: String,
    pub security_groups: Vec<String>,
    pub tags: BTreeMap<String, String>,
    /// An auto-assigned public IPv4 address is asked for: another one than the old instance's.
    pub new_public_ip: bool,
    pub has_user_data: bool,
}

impl StepDoc {
    pub fn of(planned: &PlannedStep) -> Self {
        let of_repair = |step: &Step| {
            let of = step.repair();
            let one = |id: &InstanceId| {
                let of = of.map(|of| StartOf {
                    slot: of.slot.clone(),
                    repair: of.repair.clone(),
                    attempt: of.attempt,
                });
                Some((id.clone(), of?))
            };
            step.instances().filter_map(one).collect()
        };
        let target = match &planned.step {
            Step::Register(target) | Step::Deregister(target) => Some(target),
            _ => None,
        };
        Self {
            step: word(&planned.step),
            operation: planned.step.operation(),
            instances: match &planned.step {
                Step::Start { instances } => instances.clone(),
                other => of_repair(other),
            },
            target_group: target.map(|target| target.group.clone()),
            port: target.and_then(|target| target.port),
            launch: match &planned.step {
                Step::Launch(launch) => Some(LaunchDoc::of(launch)),
                _ => None,
            },
            why: clean(&planned.why),
        }
    }

    /// `into tis-prod:8080`, `from ami-…`, or nothing.
    pub fn object(&self) -> String {
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        match (&self.target_group, &self.launch) {
            (Some(group), _) if self.step == "register" => format!("into {group}{port}: "),
            (Some(group), _) => format!("from {group}{port}: "),
            (None, Some(launch)) => {
                let address = if launch.new_public_ip {
                    ", with a new public IPv4 address"
                } else {
                    ""
                };
                format!(
                    "{} as {} in {} ({}){address}: ",
                    launch.image, launch.instance_type, launch.subnet, launch.from
                )
            }
            (None, None) => String::new(),
        }
    }
}

fn word(step: &Step) -> &'static str {
    match step {
        Step::Start { .. } => "start",
        Step::Launch(_) => "launch",
        Step::Register(_) => "register",
        Step::Deregister(_) => "deregister",
        Step::Stop { .. } => "stop",
        Step::Terminate { .. } => "terminate",
        Step::KeepVolume { .. } => "keep-volume",
        Step::Retire { .. } => "retire",
    }
}

impl LaunchDoc {
    fn of(launch: &Launch) -> Self {
        let (from, groups, new_public_ip, has_user_data) = match &launch.form {
            LaunchForm::Clone(of) => (
                "clone".to_owned(),
                of.security_groups.iter().cloned().collect(),
                of.public_ip,
                of.user_data.is_some(),
            ),
            LaunchForm::Template { name, version } => (
                format!("template {name} version {version}"),
                Vec::new(),
                false,
                false,
            ),
        };
        Self {
            image: launch.image.to_string(),
            instance_type: launch.instance_type.clone(),
            subnet: launch.subnet.clone(),
            from,
            security_groups: groups,
            tags: launch.tags.clone(),
            new_public_ip,
            has_user_data,
        }
    }
}

/// One instance that is being replaced or is to be.
#[derive(Clone, Debug, Serialize)]
pub struct QueuedDoc {
    pub slot: SlotName,
    pub instance: InstanceId,
    /// `image gone`, `missing`
    pub kind: &'static str,
    pub evidence: String,
    /// `down`, `alone`, `serving`: the riskiest goes first.
    pub risk: crate::decide::replace::Risk,
    /// Of one that is under way: when it began.
    pub since: Timestamp,
    pub under_way: bool,
    /// It is under way, and waits for a person.
    pub quarantined: bool,
    /// Not before this time, as far as time alone tells.
    pub not_before: Option<Timestamp>,
    /// What would be launched.
    pub candidate: Option<String>,
    pub new_public_ip: bool,
    pub offers: Vec<OfferDoc>,
}

/// One of the policy's image sources.
#[derive(Clone, Debug, Serialize)]
pub struct OfferDoc {
    pub source: String,
    pub image: Option<String>,
    /// `chosen`, `spare`, `refused`
    pub verdict: &'static str,
    pub why: Option<String>,
}

impl QueuedDoc {
    pub fn of(queued: &Queued) -> Self {
        Self {
            slot: queued.slot.clone(),
            instance: queued.rank.instance.clone(),
            kind: queued.kind.as_str(),
            evidence: clean(&queued.evidence),
            risk: queued.rank.risk,
            since: queued.rank.since,
            under_way: queued.under_way,
            quarantined: queued.quarantined,
            not_before: queued.not_before,
            candidate: queued.candidate.clone(),
            new_public_ip: queued.new_public_ip,
            offers: queued.offers.iter().map(OfferDoc::of).collect(),
        }
    }

    /// When, from what, and why not from the other sources.
    pub fn sentence(&self) -> String {
        let (what, since) = match self.under_way {
            true => (
                if self.quarantined {
                    "replacement quarantined"
                } else {
                    "being replaced"
                },
                format!("{}; begun at {:.0}", self.kind, self.since),
            ),
            false => ("to be replaced", format!("{} since {:.0}", self.kind, self.since)),
        };
        let when = self
            .not_before
            .map(|at| format!(", not before {at:.0}"))
            .unwrap_or_default();
        let with = self
            .candidate
            .as_ref()
            .map(|with| format!(" by {with}"))
            .unwrap_or_default();
        let address = if self.new_public_ip {
            "; it gets a new public IPv4 address"
        } else {
            ""
        };
        let offers: Vec<String> = self.offers.iter().map(OfferDoc::sentence).collect();
        let offers = if offers.is_empty() {
            String::new()
        } else {
            format!("\n{}", offers.join("\n"))
        };
        format!("{what}{with}{when}{address} ({since}){offers}")
    }
}

impl OfferDoc {
    fn of(offer: &Offer) -> Self {
        let (verdict, why) = match &offer.verdict {
            OfferVerdict::Chosen => ("chosen", None),
            OfferVerdict::Spare => ("spare", None),
            OfferVerdict::Refused { why } => ("refused", Some(clean(why))),
        };
        Self {
            source: clean(&offer.source),
            image: offer.image.as_ref().map(ToString::to_string),
            verdict,
            why,
        }
    }

    fn sentence(&self) -> String {
        let image = self
            .image
            .as_ref()
            .map(|id| format!(" → {id}"))
            .unwrap_or_default();
        match (self.verdict, &self.why) {
            ("chosen", _) => format!("source {}{image}: would be used", self.source),
            ("refused", Some(why)) => format!("source {}: not used: {why}", self.source),
            _ => format!("source {}{image}: not needed", self.source),
        }
    }
}
