//! The last look before a mutation: nothing is sent without it.
//!
//! # Guarantees
//! [`admit`] is the only maker of [`Admitted`], and `aws::write` takes nothing else. It trusts neither the plan nor the look
//! that the plan was made from: it checks the invariants again, one function each (those of a start here, those of every other
//! step in `steps`), on a look, a reading of the pause flags and a lease that are all younger than the durable intent.
//!
//! # Caveats
//! Between the look and AWS's receipt of the request the world can change; the send gate bounds that to the pause's one second.
//!
//! An unguarded mutation does not compile. `Admitted` cannot be made:
//! ```compile_fail,E0451
//! let admitted = keepgreen::decide::guard::Admitted { intent: todo!(), pause_read: todo!() };
//! ```
//! nor copied, to be sent twice:
//! ```compile_fail,E0277
//! fn needs_clone<T: Clone>() {}
//! needs_clone::<keepgreen::decide::guard::Admitted>();
//! ```
//! nor conjured from nothing:
//! ```compile_fail,E0277
//! fn needs_default<T: Default>() {}
//! needs_default::<keepgreen::decide::guard::Admitted>();
//! ```
//! nor read back from a file:
//! ```compile_fail,E0277
//! fn needs_deserialize<T: serde::de::DeserializeOwned>() {}
//! needs_deserialize::<keepgreen::decide::guard::Admitted>();
//! ```

mod steps;

use super::claims::{Claims, Owner};
use super::hold::HoldReason;
use super::remedy::paused_by_tag;
use super::service::Elsewhere;
use super::verdict::stopped_by;
use crate::model::{
    Instance, InstanceState, Intent, Lease, Lifecycle, Observation, Part, PauseReading, PauseScope,
    RootDevice, ServiceMemory, Stamp, StartOf, Step, StoppedBy, Supply,
};
use crate::policy::{OnOperatorStop, OnStopped, Policy, SlotState};
use std::time::Duration;

/// S16: the view that admits a mutation is younger than this.
pub const FRESHEST_VIEW: Duration = Duration::from_secs(5);
/// S13: nothing is sent later than this after the pause flags were read.
pub const PAUSE_READ_HOLDS_FOR: Duration = Duration::from_secs(1);

/// The right to send one mutation once. It holds the step: what was admitted is what is sent.
#[derive(Debug)]
pub struct Admitted {
    intent: Intent,
    pause_read: Stamp,
}

impl Admitted {
    /// The intent to carry out, and when the pause flags were read: the send gate closes
    /// [`PAUSE_READ_HOLDS_FOR`] after that.
    pub fn into_parts(self) -> (Intent, Stamp) {
        (self.intent, self.pause_read)
    }
}

/// One invariant that the mutation would break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its name: `S1`.
    pub invariant: &'static str,
    pub why: String,
    /// Whether the world merely moved on since the plan was made. Anything else is a fault of the program's own.
    pub expected: bool,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.why, self.invariant)
    }
}

/// Everything that an admission looks at besides the intent itself.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The targeted look, begun after the intent was durable.
    pub look: &'a Observation,
    pub pauses: &'a PauseReading,
    pub lease: &'a Lease,
    pub policy: &'a Policy,
    pub claims: &'a Claims,
    pub memory: &'a ServiceMemory,
    /// The look that the step was planned on.
    pub planned_on: &'a Observation,
    pub supply: Option<&'a Supply>,
    pub elsewhere: &'a Elsewhere,
    /// Mutations of this account in the last hour, this intent included.
    pub mutations_last_hour: u32,
    pub mutations_per_hour: u32,
    pub now: Stamp,
}

/// Admits a mutation, or says every invariant that it would break.
///
/// # Errors
/// All refusals at once; never empty.
pub fn admit(intent: Intent, evidence: &Evidence<'_>) -> Result<Admitted, Vec<Refusal>> {
    let mut refusals = Vec::new();
    s2_identity(&intent, evidence, &mut refusals);
    s5_write_ahead(&intent, evidence, &mut refusals);
    s11_caps(&intent, evidence, &mut refusals);
    s13_pause(&intent, evidence, &mut refusals);
    s14_lease(evidence, &mut refusals);
    s16_freshness(&intent, evidence, &mut refusals);
    steps::check(&intent, evidence, &mut refusals);
    let starts = match &intent.step {
        Step::Start { instances } => Some(instances),
        _ => None,
    };
    for (id, start) in starts.into_iter().flatten() {
        match evidence.look.instances.get(id) {
            Some(instance) => {
                s1_ownership(&intent, instance, start, evidence, &mut refusals);
                s17_legal_transition(instance, evidence, start, &mut refusals);
                s18_others_intent(instance, evidence, &mut refusals);
            }
            None => refusals.push(expected(
                "S1",
                format!("{id} is not in the look that should admit its start"),
            )),
        }
    }
    if refusals.is_empty() {
        Ok(Admitted {
            intent,
            pause_read: evidence.pauses.begun,
        })
    } else {
        Err(refusals)
    }
}

fn expected(invariant: &'static str, why: String) -> Refusal {
    Refusal {
        invariant,
        why,
        expected: true,
    }
}

fn own_fault(invariant: &'static str, why: String) -> Refusal {
    Refusal {
        invariant,
        why,
        expected: false,
    }
}

/// For a start, the look shows id, tags, state and account matching exactly one slot: the one that the step names.
fn s1_ownership(
    intent: &Intent,
    instance: &Instance,
    start: &StartOf,
    evidence: &Evidence<'_>,
    out: &mut Vec<Refusal>,
) {
    match evidence.claims.owner_of(instance) {
        Owner::Slot(service, slot) if service == intent.service && slot == start.slot => {}
        Owner::Slot(service, slot) => out.push(expected(
            "S1",
            format!(
                "{} belongs to {service}/{slot} now, not to {}/{}",
                instance.id, intent.service, start.slot
            ),
        )),
        Owner::Nobody => {
            out.push(expected(
                "S1",
                format!("{} matches no slot any more", instance.id),
            ));
        }
        Owner::Disputed(claims) => {
            let claims: Vec<String> = claims
                .iter()
                .map(|(service, slot)| format!("{service}/{slot}"))
                .collect();
            out.push(expected(
                "S1",
                format!("{}: {}", instance.id, HoldReason::Disputed { claims }.sentence()),
            ));
        }
    }
    if instance.account != intent.account {
        let why = format!(
            "{} is in account {}, not {}",
            instance.id, instance.account, intent.account
        );
        out.push(expected("S1", why));
    }
}

/// GetCallerIdentity's account is the policy's account.
fn s2_identity(intent: &Intent, evidence: &Evidence<'_>, out: &mut Vec<Refusal>) {
    let look = evidence.look;
    match &look.caller {
        None => {
            let why = look
                .coverage
                .gap(&Part::Identity)
                .map_or("no answer", |gap| gap.why.as_str());
            out.push(expected(
                "S2",
                format!("the credentials' account could not be verified: {why}"),
            ));
        }
        Some(caller) => {
            let policy_account = evidence.policy.account.as_ref().unwrap_or(&intent.account);
            if caller != policy_account || *caller != intent.account {
                let why = format!("the credentials belong to {caller}, the policy says {policy_account}");
                out.push(expected("S2", why));
            }
        }
    }
    if intent.region != look.region {
        let why = format!("decided for {}, looked at {}", intent.region, look.region);
        out.push(own_fault("S2", why));
    }
}

/// A durable intent before each mutation: the look began after it had become durable.
fn s5_write_ahead(intent: &Intent, evidence: &Evidence<'_>, out: &mut Vec<Refusal>) {
    if evidence.look.begun.boot < intent.durable.boot {
        out.push(own_fault(
            "S5",
            "the look began before the intent was durable".to_owned(),
        ));
    }
    if evidence.pauses.begun.boot < intent.durable.boot {
        out.push(own_fault(
            "S5",
            "the pause flags were read before the intent was durable".to_owned(),
        ));
    }
}

/// The hourly cap, and the attempts of each repair.
fn s11_caps(intent: &Intent, evidence: &Evidence<'_>, out: &mut Vec<Refusal>) {
    let Evidence {
        mutations_last_hour: used,
        mutations_per_hour: limit,
        ..
    } = *evidence;
    if used > limit {
        out.push(expected("S11", HoldReason::HourlyCap { used, limit }.sentence()));
    }
    let Step::Start { instances } = &intent.step else {
        return;
    };
    for (id, start) in instances {
        let incident = evidence
            .memory
            .incidents
            .get(id)
            .filter(|incident| incident.repair == start.repair);
        let Some(incident) = incident else {
            out.push(own_fault(
                "S11",
                format!("{id} has no open incident {} to count this under", start.repair),
            ));
            continue;
        };
        if incident.quarantined.is_some() || incident.failed_attempts() >= evidence.policy.limits.attempts {
            out.push(own_fault("S11", format!("{id} has used up its attempts")));
        }
        if incident.pending_attempt().is_some() {
            out.push(own_fault(
                "S11",
                format!("an earlier attempt on {id} is still awaited"),
            ));
        }
    }
}

/// No flag is set, every flag could be read.
fn s13_pause(intent: &Intent, evidence: &Evidence<'_>, out: &mut Vec<Refusal>) {
    let now = evidence.now.wall;
    let pauses = evidence.pauses;
    if pauses.service != intent.service {
        out.push(own_fault(
            "S13",
            format!(
                "the flags of {} were read, not of {}",
                pauses.service, intent.service
            ),
        ));
    }
    for why in &pauses.unreadable {
        out.push(expected(
            "S13",
            HoldReason::PauseUnreadable { why: why.clone() }.sentence(),
        ));
    }
    for pause in pauses.set.iter().filter(|pause| pause.holds_at(now)) {
        let applies = match &pause.scope {
            PauseScope::Everything => true,
            PauseScope::Service(service) => *service == intent.service,
            PauseScope::Instance(id) => intent.step.instances().any(|touched| touched == id),
        };
        if applies {
            let by = pause.by.as_deref().unwrap_or("somebody");
            out.push(expected(
                "S13",
                format!("paused by {by} since the step was planned"),
            ));
        }
    }
    for id in intent.step.instances() {
        let instance = evidence.look.instances.get(id);
        if instance.is_some_and(|instance| paused_by_tag(instance).holds_at(now)) {
            out.push(expected(
                "S13",
                format!("{id} is paused by its tag keepgreen:pause"),
            ));
        }
    }
    if evidence.now.since(&pauses.begun) > PAUSE_READ_HOLDS_FOR {
        out.push(expected(
            "S13",
            "the pause flags were read more than 1 s ago".to_owned(),
        ));
    }
}

/// This process has the right to act on the service.
fn s14_lease(evidence: &Evidence<'_>, out: &mut Vec<Refusal>) {
    match evidence.lease {
        Lease::Folder => {}
        Lease::None { holder } => {
            let holder = holder.as_deref().unwrap_or("nobody known");
            out.push(own_fault(
                "S14",
                format!("this process does not hold the lease; {holder} does"),
            ));
        }
    }
}

/// The view is younger than 5 s and was made under the policy that the step was decided under.
fn s16_freshness(intent: &Intent, evidence: &Evidence<'_>, out: &mut Vec<Refusal>) {
    if evidence.now.since(&evidence.look.begun) > FRESHEST_VIEW {
        out.push(expected(
            "S16",
            "the look that should admit it is older than 5 s".to_owned(),
        ));
    }
    let policy = &evidence.policy.version;
    if intent.policy_version != *policy || evidence.look.policy_version != *policy {
        out.push(expected(
            "S16",
            "the policy has changed since the step was planned".to_owned(),
        ));
    }
    if intent.service != evidence.look.service || intent.service != evidence.policy.service {
        out.push(own_fault("S16", "the look is of another service".to_owned()));
    }
}

/// A start only from `stopped`, in a slot that should run, and never of what others run.
fn s17_legal_transition(
    instance: &Instance,
    evidence: &Evidence<'_>,
    start: &StartOf,
    out: &mut Vec<Refusal>,
) {
    let id = &instance.id;
    if instance.state != InstanceState::Stopped {
        out.push(expected(
            "S17",
            format!(
                "{id} is {} now; only a stopped instance is started",
                instance.state.as_str()
            ),
        ));
    }
    if !matches!(
        instance.lifecycle,
        Lifecycle::OnDemand | Lifecycle::Scheduled | Lifecycle::CapacityBlock
    ) {
        out.push(expected("S17", format!("{id} is not an on-demand instance")));
    }
    if instance.root_device == RootDevice::InstanceStore {
        out.push(expected("S17", format!("{id} has an instance-store root device")));
    }
    if let Some(group) = instance.auto_scaling_group() {
        out.push(expected(
            "S17",
            format!("{id} is a member of Auto Scaling group {group}"),
        ));
    }
    let runs = evidence
        .policy
        .slots
        .get(&start.slot)
        .is_some_and(|slot| slot.state == SlotState::Running);
    if !runs {
        out.push(expected(
            "S17",
            format!("slot {} is not one that should run", start.slot),
        ));
    }
}

/// A stop by a person is handled only as the policy says.
fn s18_others_intent(instance: &Instance, evidence: &Evidence<'_>, out: &mut Vec<Refusal>) {
    let heal = &evidence.policy.heal;
    let operator = stopped_by(instance) == Some(StoppedBy::Operator);
    let allowed = if operator {
        heal.stopped_by_operator == OnOperatorStop::Start
    } else {
        heal.stopped == OnStopped::Start
    };
    if !allowed {
        let whose = if operator {
            "a person stopped it"
        } else {
            "it stopped"
        };
        out.push(expected(
            "S18",
            format!("{}: {whose}, and the policy does not say `start`", instance.id),
        ));
    }
    let incident = evidence.memory.incidents.get(&instance.id);
    let planned_as_operator =
        incident.is_some_and(|incident| incident.kind == crate::model::AilmentKind::StoppedByOperator);
    if operator && !planned_as_operator {
        out.push(expected(
            "S18",
            format!(
                "{}: a person has stopped it since the step was planned",
                instance.id
            ),
        ));
    }
}
