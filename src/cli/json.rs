//! The documents that `--format json` prints, and that the text is written from: nothing is in the one that is not in the
//! other. Stable: fields are added, never renamed or given another meaning, without a new [`VERSION`]. Users read about
//! them in `deploy/json.md`.
//!
//! Times are RFC 3339 in UTC; durations are whole seconds in fields that end in `_s`; `null` is "not known" or "does not
//! apply"; lists may be empty but are always there.

pub use super::json_replace::{QueuedDoc, StepDoc};
use super::paint::clean;
use crate::aws::ScopeKey;
use crate::controller::{Fleet, Passed, Rounds};
use crate::decide::verdict::Health;
use crate::decide::{Due, Finding, Hold, HoldReason, ImageVerdict, InstanceView, Plan, SlotView, TargetView};
use crate::model::{
    AttemptEnd, Gap, Incident, InstanceId, Pause, PauseScope, PauseSource, ServiceName, SlotName,
};
use crate::policy::{Policy, PolicyFinding};
use jiff::Timestamp;
use serde::Serialize;
use std::time::Duration;

/// Of every document.
pub const VERSION: u32 = 1;

/// One service: what was seen, decided and held back.
#[derive(Clone, Debug, Serialize)]
pub struct ServiceDoc {
    pub service: ServiceName,
    pub region: Option<String>,
    /// The account that the credentials belong to.
    pub account: Option<String>,
    pub policy_file: String,
    pub policy_version: String,
    /// Why there is no plan, or why it could not be kept; the rest is then empty or old.
    pub trouble: Option<String>,
    /// `now`, `by-time` (nobody has to do anything for it), `nothing`; `null`: no plan.
    pub due: Option<Due>,
    /// When the look began that all of this rests on.
    pub looked_at: Option<Timestamp>,
    pub next_check: Option<Timestamp>,
    pub steps: Vec<StepDoc>,
    /// What is being replaced, and what is to be.
    pub queue: Vec<QueuedDoc>,
    pub holds: Vec<HoldDoc>,
    pub findings: Vec<FindingDoc>,
    pub pauses: Vec<PauseDoc>,
    /// What could not be read.
    pub gaps: Vec<GapDoc>,
    pub slots: Vec<SlotDoc>,
}

/// One thing that is not being done.
#[derive(Clone, Debug, Serialize)]
pub struct HoldDoc {
    pub slot: SlotName,
    pub instance: Option<InstanceId>,
    /// The kind: `grace`, `paused`, `quarantined`…
    pub reason: String,
    pub sentence: String,
    /// Whether it ends without anybody doing anything.
    pub ends_by_time: bool,
    pub left_s: Option<u64>,
}

/// One standing risk.
#[derive(Clone, Debug, Serialize)]
pub struct FindingDoc {
    pub kind: &'static str,
    pub key: String,
    pub slot: Option<SlotName>,
    pub instance: Option<InstanceId>,
    pub since: Option<Timestamp>,
    pub text: String,
    pub next: String,
}

/// One pause flag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PauseDoc {
    /// `everything`, `service` or `instance`
    pub scope: &'static str,
    pub service: Option<ServiceName>,
    pub instance: Option<InstanceId>,
    /// `policy`, `file`, `parameter` or `tag`
    pub source: &'static str,
    /// The file's path, the parameter's name, the tagged instance.
    pub place: String,
    pub by: Option<String>,
    pub reason: Option<String>,
    pub since: Option<Timestamp>,
    /// `null`: until somebody clears it.
    pub until: Option<Timestamp>,
}

#[derive(Clone, Debug, Serialize)]
pub struct GapDoc {
    /// `the instances`, `target group tis-prod`…
    pub part: String,
    pub why: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct SlotDoc {
    pub name: SlotName,
    /// `running` or `stopped`
    pub desired: &'static str,
    pub count: u32,
    pub instances: Vec<InstanceDoc>,
}

#[derive(Clone, Debug, Serialize)]
pub struct InstanceDoc {
    pub id: InstanceId,
    /// AWS's word.
    pub state: String,
    pub zone: Option<String>,
    /// `healthy`, `ailing` or `unknown`
    pub health: &'static str,
    /// Why it is not healthy.
    pub why: Option<String>,
    /// The one word for a table: `healthy`, `ailing`, `unknown`, `starting`, `quarantined`.
    pub word: &'static str,
    pub ailments: Vec<AilmentDoc>,
    pub checks: String,
    pub targets: Vec<TargetDoc>,
    pub image: ImageDoc,
    pub holds: Vec<HoldDoc>,
    pub incident: Option<IncidentDoc>,
}

#[derive(Clone, Debug, Serialize)]
pub struct AilmentDoc {
    /// The policy's key under `heal`.
    pub kind: &'static str,
    pub evidence: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct TargetDoc {
    pub target_group: String,
    pub port: Option<u16>,
    /// AWS's word, `deregistered`, or `unknown`.
    pub state: String,
    pub reason: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct ImageDoc {
    /// `launchable`, `deregistered`, `disabled`, `not-allowed` or `unknown`
    pub state: &'static str,
    pub id: Option<String>,
    pub why: Option<String>,
}

/// One instance's trouble, until it was healthy for 30 minutes.
#[derive(Clone, Debug, Serialize)]
pub struct IncidentDoc {
    pub repair: String,
    pub kind: &'static str,
    pub evidence: String,
    pub opened: Timestamp,
    pub healed: Option<Timestamp>,
    pub quarantined: Option<Timestamp>,
    pub healthy_for_s: u64,
    /// What is left to wait before the next attempt.
    pub wait_s: u64,
    pub attempts: Vec<AttemptDoc>,
    pub retry: Option<RetryDoc>,
}

#[derive(Clone, Debug, Serialize)]
pub struct AttemptDoc {
    pub number: u32,
    pub intent: String,
    pub accepted: Timestamp,
    /// `awaited`, `healed`, `failed` or `overruled`
    pub end: &'static str,
    pub ended: Option<Timestamp>,
    pub why: Option<String>,
}

/// Tries that were refused for a reason outside the instance.
#[derive(Clone, Debug, Serialize)]
pub struct RetryDoc {
    pub why: String,
    pub since: Timestamp,
    pub tries: u32,
    pub needs_person: bool,
}

/// Something about the policy files.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyFindingDoc {
    /// Whether a file is refused or missing; a service that was given up on purpose is none.
    pub is_error: bool,
    pub key: String,
    pub service: Option<ServiceName>,
    pub text: String,
}

impl ServiceDoc {
    /// What one pass over one service says; `None` if its policy is gone.
    pub fn of(rounds: &Rounds, fleet: &Fleet, passed: &Passed) -> Option<Self> {
        let policy = fleet.policies.get(&passed.service)?;
        let scope: ScopeKey = Fleet::scope_of(policy);
        let clients = rounds.scopes.known(&scope);
        let region = clients
            .as_ref()
            .map(|clients| clients.reader.region().to_string());
        let account = clients.and_then(|clients| clients.account());
        let mut doc = Self::of_policy(policy, passed.plan.as_ref());
        doc.region = region.or(doc.region);
        doc.account = account.map(|account| account.to_string());
        doc.trouble = passed.trouble.as_deref().map(clean);
        if passed.plan.is_none() && doc.trouble.is_none() {
            doc.trouble = Some("it was not looked at".to_owned());
        }
        Some(doc)
    }

    pub(super) fn of_policy(policy: &Policy, plan: Option<&Plan>) -> Self {
        let none = Self {
            service: policy.service.clone(),
            region: policy.region.as_ref().map(ToString::to_string),
            account: None,
            policy_file: policy.file.clone(),
            policy_version: policy.version.to_string(),
            trouble: None,
            due: None,
            looked_at: None,
            next_check: None,
            steps: Vec::new(),
            queue: Vec::new(),
            holds: Vec::new(),
            findings: Vec::new(),
            pauses: Vec::new(),
            gaps: Vec::new(),
            slots: Vec::new(),
        };
        let Some(plan) = plan else { return none };
        Self {
            due: Some(plan.due),
            looked_at: Some(plan.looked_at),
            next_check: Some(plan.next_check),
            steps: plan.steps.iter().map(StepDoc::of).collect(),
            queue: plan.queue.iter().map(QueuedDoc::of).collect(),
            holds: plan.holds.iter().map(HoldDoc::of).collect(),
            findings: plan.findings.iter().map(FindingDoc::of).collect(),
            pauses: plan.pauses.iter().map(PauseDoc::of).collect(),
            gaps: plan.gaps.iter().map(GapDoc::of).collect(),
            slots: plan.slots.iter().map(SlotDoc::of).collect(),
            ..none
        }
    }

    pub fn instances(&self) -> impl Iterator<Item = (&SlotDoc, &InstanceDoc)> {
        self.slots
            .iter()
            .flat_map(|slot| slot.instances.iter().map(move |instance| (slot, instance)))
    }
}

impl HoldDoc {
    fn of(hold: &Hold) -> Self {
        Self::of_reason(&hold.slot, hold.instance.as_ref(), &hold.reason)
    }

    fn of_reason(slot: &SlotName, instance: Option<&InstanceId>, reason: &HoldReason) -> Self {
        Self {
            slot: slot.clone(),
            instance: instance.cloned(),
            reason: kind_of(reason),
            sentence: clean(&reason.sentence()),
            ends_by_time: reason.ends_by_time(),
            left_s: reason.left().as_ref().map(Duration::as_secs),
        }
    }
}

/// The name that the reason has wherever it is written down.
fn kind_of(reason: &HoldReason) -> String {
    let written = serde_json::to_value(reason).unwrap_or_default();
    let kind = written.get("reason").and_then(serde_json::Value::as_str);
    kind.unwrap_or("unknown").to_owned()
}

impl FindingDoc {
    fn of(finding: &Finding) -> Self {
        Self {
            kind: finding.kind.as_str(),
            key: finding.key.clone(),
            slot: finding.slot.clone(),
            instance: finding.instance.clone(),
            since: finding.since,
            text: clean(&finding.text),
            next: clean(&finding.next),
        }
    }
}

impl PauseDoc {
    pub fn of(pause: &Pause) -> Self {
        let (scope, service, instance) = match &pause.scope {
            PauseScope::Everything => ("everything", None, None),
            PauseScope::Service(service) => ("service", Some(service.clone()), None),
            PauseScope::Instance(instance) => ("instance", None, Some(instance.clone())),
        };
        let (source, place) = match &pause.source {
            PauseSource::Policy(file) => ("policy", file.clone()),
            PauseSource::File(path) => ("file", path.clone()),
            PauseSource::Parameter(name) => ("parameter", name.clone()),
            PauseSource::Tag(instance) => ("tag", instance.to_string()),
        };
        Self {
            scope,
            service,
            instance,
            source,
            place,
            by: pause.by.as_deref().map(clean),
            reason: pause.reason.as_deref().map(clean),
            since: pause.since,
            until: pause.until,
        }
    }
}

impl GapDoc {
    fn of(gap: &Gap) -> Self {
        Self {
            part: gap.part.to_string(),
            why: clean(&gap.why),
        }
    }
}

impl SlotDoc {
    /// By how many instances a slot that should serve is short.
    pub fn missing(&self) -> usize {
        if self.desired != "running" {
            return 0;
        }
        let gone =
            |instance: &&InstanceDoc| matches!(instance.state.as_str(), "terminated" | "shutting-down");
        let there = self.instances.iter().filter(|instance| !gone(instance)).count();
        usize::try_from(self.count)
            .unwrap_or(usize::MAX)
            .saturating_sub(there)
    }

    fn of(slot: &SlotView) -> Self {
        let instances = slot.instances.iter();
        Self {
            name: slot.name.clone(),
            desired: slot.desired,
            count: slot.count,
            instances: instances.map(|view| InstanceDoc::of(&slot.name, view)).collect(),
        }
    }
}

impl InstanceDoc {
    fn of(slot: &SlotName, view: &InstanceView) -> Self {
        let (health, why) = match &view.health {
            Health::Healthy => ("healthy", None),
            Health::Ailing { why } => ("ailing", Some(clean(why))),
            Health::Unknown { why } => ("unknown", Some(clean(why))),
        };
        let ailments = view.ailments.iter().map(|ailment| AilmentDoc {
            kind: ailment.kind.policy_key(),
            evidence: clean(&ailment.evidence),
        });
        let hold = |reason| HoldDoc::of_reason(slot, Some(&view.id), reason);
        Self {
            id: view.id.clone(),
            state: clean(&view.state),
            zone: view.zone.clone(),
            health,
            why,
            word: view.word(),
            ailments: ailments.collect(),
            checks: clean(&view.checks),
            targets: view.targets.iter().map(TargetDoc::of).collect(),
            image: ImageDoc::of(&view.image),
            holds: view.holds.iter().map(hold).collect(),
            incident: view.incident.as_ref().map(IncidentDoc::of),
        }
    }
}

impl TargetDoc {
    fn of(target: &TargetView) -> Self {
        Self {
            target_group: clean(&target.target_group),
            port: target.port,
            state: clean(&target.state),
            reason: target.reason.as_deref().map(clean),
        }
    }
}

impl ImageDoc {
    fn of(image: &ImageVerdict) -> Self {
        let (state, id, why) = match image {
            ImageVerdict::Launchable { id } => ("launchable", Some(id), None),
            ImageVerdict::Deregistered { id } => ("deregistered", Some(id), None),
            ImageVerdict::Private { id } => ("private", Some(id), None),
            ImageVerdict::Disabled { id } => ("disabled", Some(id), None),
            ImageVerdict::NotAllowed { id } => ("not-allowed", Some(id), None),
            ImageVerdict::Unknown { why } => ("unknown", None, Some(clean(why))),
        };
        Self {
            state,
            id: id.map(ToString::to_string),
            why,
        }
    }
}

impl IncidentDoc {
    fn of(incident: &Incident) -> Self {
        let attempts = incident.attempts.iter().map(|attempt| {
            let (end, ended, why) = match &attempt.end {
                None => ("awaited", None, None),
                Some(AttemptEnd::Healed { at }) => ("healed", Some(*at), None),
                Some(AttemptEnd::Failed { at, why }) => ("failed", Some(*at), Some(clean(why))),
                Some(AttemptEnd::Overruled { at }) => ("overruled", Some(*at), None),
            };
            AttemptDoc {
                number: attempt.number,
                intent: attempt.intent.to_string(),
                accepted: attempt.accepted,
                end,
                ended,
                why,
            }
        });
        let retry = incident.retry.as_ref().map(|retry| RetryDoc {
            why: clean(&retry.why),
            since: retry.since,
            tries: retry.tries,
            needs_person: retry.needs_person,
        });
        Self {
            repair: incident.repair.to_string(),
            kind: incident.kind.policy_key(),
            evidence: clean(&incident.evidence),
            opened: incident.opened,
            healed: incident.healed,
            quarantined: incident.quarantined,
            healthy_for_s: incident.healthy_for.as_secs(),
            wait_s: incident.wait.as_secs(),
            attempts: attempts.collect(),
            retry,
        }
    }

    /// Whether something is still to be done about it, by keepgreen or by a person.
    pub fn is_open(&self) -> bool {
        self.healed.is_none()
    }
}

impl PolicyFindingDoc {
    pub fn of(finding: &PolicyFinding) -> Self {
        Self {
            is_error: !matches!(finding, PolicyFinding::GivenUp { .. }),
            key: finding.key(),
            service: finding.service().cloned(),
            text: clean(&finding.sentence()),
        }
    }
}

/// A document as text, ready to print.
///
/// # Errors
/// Never in practice: every field can be written.
pub fn text_of(document: &impl Serialize) -> serde_json::Result<String> {
    Ok(serde_json::to_string_pretty(document)? + "\n")
}
