//! From one look at one service to its plan.

use super::claims::{Claims, Owner};
use super::floor::Floors;
use super::fold::{LOOKS_FOR_ABSENCE, members, true_coverage};
use super::hold::{Hold, HoldReason};
use super::plan::{Due, InstanceView, Plan, PlannedStep, SlotView, TargetView};
use super::remedy::{Case, Proposal, chosen, is_ours_to_start, is_respected, paused_by_tag};
use super::replace::{self, Member, Proposed, Queued, Role, is_gone, role_of};
use super::verdict::Health;
use super::verdict::{Verdict, target_of, verdict};
use super::{findings, notices, pace};
use crate::model::{
    AilmentKind, Blueprint, Instance, InstanceId, InstanceMemory, InstancePause, InstanceState, IntentId,
    JournaledIntent, Mutant, Observation, Part, Pause, PauseReading, PauseScope, PauseSource, ServiceMemory,
    SlotName, Standing, StartOf, Step, Supply, TargetStep,
};
use crate::policy::{OnOperatorStop, OnStopped, Policy, Slot, SlotState};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Everything that a plan depends on.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    pub policy: &'a Policy,
    pub claims: &'a Claims,
    pub look: &'a Observation,
    /// With `look` already folded in.
    pub memory: &'a ServiceMemory,
    /// Intents of this service that have not ended.
    pub unsettled: &'a [JournaledIntent],
    /// Open intents that this version cannot read.
    pub unknown_intents: &'a [UnknownIntent],
    pub pauses: &'a PauseReading,
    /// Keys of notices that reached somebody.
    pub delivered: &'a BTreeSet<String>,
    pub limits: FleetLimits,
    /// How each of the service's instances was made, as far as it was seen well.
    pub blueprints: &'a BTreeMap<InstanceId, Blueprint>,
    /// Instances of which that could not be read lately, with the reason.
    pub unread: &'a BTreeMap<InstanceId, String>,
    /// What there is to launch from; read only when [`replace::wants_supply`].
    pub supply: Option<&'a Supply>,
    pub elsewhere: &'a Elsewhere,
    /// Whether any channel could tell anybody anything.
    pub can_announce: bool,
    pub interval: Duration,
    pub now: Timestamp,
}

/// An open intent of a kind that this version does not know: nothing is done to its instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownIntent {
    pub id: IntentId,
    /// Empty: not even these could be read.
    pub instances: BTreeSet<InstanceId>,
}

/// The account's caps and how much of them is used.
#[derive(Clone, Copy, Debug)]
pub struct FleetLimits {
    pub mutations_last_hour: u32,
    pub mutations_per_hour: u32,
}

/// What the rest of the account is at, as far as a replacement depends on it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Elsewhere {
    /// Why the account's breaker is open; `None`: it is not.
    pub breaker: Option<String>,
    /// Replacements under way in other services.
    pub replacing: u32,
    /// Of those, how many have launched something, or may have.
    pub launched: u32,
    /// The config's `limits.max_concurrent`.
    pub max_concurrent: u32,
    /// What `min_healthy` all policies want of each target group.
    pub floors: Floors,
    /// What other services want to replace.
    pub queue: Vec<Queued>,
    /// Every service has been looked at since this process began.
    pub all_seen: bool,
}

impl Elsewhere {
    /// Takes over what other services are at, as `now` has it. Returns whether that is something else than was known.
    pub fn take_over(&mut self, now: Self) -> bool {
        let fresh = Self {
            breaker: self.breaker.clone().or(now.breaker),
            replacing: now.replacing,
            launched: now.launched,
            queue: now.queue,
            all_seen: now.all_seen,
            ..self.clone()
        };
        let moved = fresh != *self;
        *self = fresh;
        moved
    }
}

/// Makes the plan. Pure and total.
pub fn decide(input: &Input<'_>) -> Plan {
    let mut judged = judge_slots(input);
    let mut proposed = replacements(input, &mut judged);
    let steps = cap_and_batch(input, &mut judged, std::mem::take(&mut proposed.steps));
    let coverage = true_coverage(input.look, input.memory);
    let holds = collect_holds(&judged, &proposed);
    let findings = findings::find(input, &judged, &holds, &coverage);
    let due = if steps.is_empty() {
        pace::due_by_time(&judged, &proposed)
    } else {
        Due::Now
    };
    let next_check = pace::next_check(input, &judged, &holds, !steps.is_empty());
    let mut plan = Plan {
        service: input.policy.service.clone(),
        policy_version: input.policy.version.clone(),
        due,
        looked_at: input.now,
        next_check,
        steps,
        holds,
        findings,
        queue: proposed.queue,
        pauses: standing_pauses(input, &judged),
        slots: judged.into_iter().map(|slot| slot.view).collect(),
        gaps: coverage.gaps().to_vec(),
        notices: Vec::new(),
    };
    plan.notices = notices::of_plan(input, &plan);
    plan
}

/// Every flag that holds now, those on instances included.
fn standing_pauses(input: &Input<'_>, judged: &[JudgedSlot<'_>]) -> Vec<Pause> {
    let tagged = judged
        .iter()
        .flat_map(|slot| &slot.members)
        .filter_map(|(instance, _)| {
            let until = match paused_by_tag(instance) {
                InstancePause::NotSet => return None,
                InstancePause::Until(until) => Some(until),
                InstancePause::WithoutEnd => None,
            };
            Some(Pause {
                scope: PauseScope::Instance(instance.id.clone()),
                source: PauseSource::Tag(instance.id.clone()),
                by: None,
                reason: None,
                since: None,
                until,
            })
        });
    let set = input.pauses.set.iter().cloned().chain(tagged);
    set.filter(|pause| pause.holds_at(input.now)).collect()
}

/// The memory with the plan's findings in it, so that each keeps the time of its first look.
///
/// What a partial look did not show may stand all the same, and keeps its date: it is not told anew once it is seen again.
/// `same_look`: the plan was made once more from a look that was counted already.
pub fn remember_findings(memory: &ServiceMemory, plan: &Plan, same_look: bool) -> ServiceMemory {
    let mut after = memory.clone();
    if plan.gaps.is_empty() {
        // Nor is what a listing leaves out for a moment well for that.
        let hidden = memory.instances.iter().filter(|(_, one)| one.absent.is_some());
        let hidden: Vec<&str> = hidden.map(|(id, _)| id.as_str()).collect();
        after
            .standing
            .retain(|key, _| hidden.iter().any(|id| key.contains(id)));
    }
    for finding in &plan.findings {
        let known = memory.standing.get(&finding.key).copied();
        let first = Standing {
            since: plan.looked_at,
            looks: 0,
        };
        let mut standing = known.unwrap_or(first);
        if known.is_none() || !same_look {
            standing.looks = standing.looks.saturating_add(1);
        }
        after.standing.insert(finding.key.clone(), standing);
    }
    after
}

/// One slot, judged.
pub(super) struct JudgedSlot<'a> {
    pub slot: &'a Slot,
    pub members: Vec<(&'a Instance, Verdict)>,
    pub surplus: BTreeSet<InstanceId>,
    pub starts: BTreeMap<InstanceId, (StartOf, String)>,
    pub registers: Vec<(TargetStep, String)>,
    pub view: SlotView,
}

/// Replacements, with what holds them back told of each instance that they concern.
fn replacements(input: &Input<'_>, judged: &mut [JudgedSlot<'_>]) -> Proposed {
    let mut proposed = {
        let members: Vec<Member<'_>> = judged
            .iter()
            .flat_map(|slot| {
                slot.members.iter().map(|(instance, verdict)| Member {
                    slot_name: &slot.view.name,
                    slot: slot.slot,
                    instance,
                    ailments: &verdict.ailments,
                })
            })
            .collect();
        replace::propose_all(input, &members)
    };
    proposed.holds.retain(|(_, id, hold)| {
        let mut views = judged.iter_mut().flat_map(|slot| &mut slot.view.instances);
        let Some(view) = views.find(|view| view.id == *id) else {
            return true;
        };
        if !view.holds.contains(hold) {
            view.holds.push(hold.clone());
        }
        false
    });
    proposed
}

/// An instance that is no member for now, and why: its role, or none if it has departed.
type SetApart<'a> = (&'a Instance, Verdict, Option<Role>);

/// Drops from the members those that a replacement is about: they neither count nor ail.
fn set_apart<'a>(
    input: &Input<'a>,
    members: Vec<(&'a Instance, Verdict)>,
) -> (Vec<(&'a Instance, Verdict)>, Vec<SetApart<'a>>) {
    let (mut own, mut apart) = (Vec::new(), Vec::new());
    for (instance, mut verdict) in members {
        let role = role_of(&input.memory.replacements, &instance.id).map(|(role, _)| role);
        let departed = is_gone(instance) && !input.memory.lost.contains_key(&instance.id);
        if role.is_none() && !departed {
            own.push((instance, verdict));
            continue;
        }
        let why = match role {
            Some(Role::Incoming) => "it is being launched",
            Some(Role::Leftover) => "it is what a failed attempt has left",
            Some(Role::Outgoing) => "it is being retired",
            None => "it is gone, and its slot is whole without it",
        };
        if role != Some(Role::Incoming) || verdict.health != Health::Healthy {
            verdict.health = Health::Unknown { why: why.to_owned() };
        }
        verdict.ailments.clear();
        verdict.blind = false;
        apart.push((instance, verdict, role));
    }
    (own, apart)
}

fn judge_slots<'a>(input: &Input<'a>) -> Vec<JudgedSlot<'a>> {
    let mut by_slot = members(input.look, input.claims);
    let mut judged = Vec::new();
    for (name, slot) in &input.policy.slots {
        let members: Vec<(&Instance, Verdict)> = by_slot
            .remove(name)
            .unwrap_or_default()
            .into_iter()
            .map(|i| (i, verdict(input.look, slot, i, input.memory.instances.get(&i.id))))
            .collect();
        let (members, apart) = set_apart(input, members);
        let taken = apart.iter().filter(|(i, ..)| takes_a_place(input, i)).count();
        let surplus = surplus(input, (name, slot), &members, taken);
        let (mut starts, mut registers) = (BTreeMap::new(), Vec::new());
        let mut instances = Vec::new();
        for (instance, verdict) in &members {
            let wish = propose(input, (name, slot), instance, verdict, &surplus);
            if let Some(start) = wish.start {
                starts.insert(instance.id.clone(), start);
            }
            registers.extend(wish.registers);
            instances.push(view_of(input, slot, (instance, None), verdict, wish.holds));
        }
        for (instance, verdict, role) in &apart {
            instances.push(view_of(input, slot, (instance, *role), verdict, Vec::new()));
        }
        let desired = if slot.state == SlotState::Running {
            "running"
        } else {
            "stopped"
        };
        let view = SlotView {
            name: name.clone(),
            desired,
            count: slot.count,
            instances,
        };
        judged.push(JudgedSlot {
            slot,
            members,
            surplus,
            starts,
            registers,
            view,
        });
    }
    judged
}

/// Whether a replacement that is under way fills a place of its slot with it: the one that is let go while another one serves
/// for it, or the one that comes for one that is lost.
fn takes_a_place(input: &Input<'_>, instance: &Instance) -> bool {
    let has_the_place = |one| replace::has_the_place(one, input.look, input.claims);
    match role_of(&input.memory.replacements, &instance.id) {
        Some((Role::Outgoing, one)) => !has_the_place(one),
        Some((Role::Incoming, one)) => one.kind == AilmentKind::Missing || has_the_place(one),
        _ => false,
    }
}

/// The stopped matches that the slot does not need: of those, the ones most recently in traffic are started. `taken`: places
/// that replacements fill.
fn surplus(
    input: &Input<'_>,
    (name, slot): (&SlotName, &Slot),
    members: &[(&Instance, Verdict)],
    taken: usize,
) -> BTreeSet<InstanceId> {
    let is_down = |i: &Instance| matches!(i.state, InstanceState::Stopped | InstanceState::Stopping);
    let is_up = |i: &Instance| {
        matches!(
            i.state,
            InstanceState::Pending | InstanceState::Running | InstanceState::Unknown(_)
        )
    };
    let up = members.iter().filter(|(i, _)| is_up(i)).count();
    // What was up and is missing from a partial listing, or only since a look or two, still counts as up.
    let partial = true_coverage(input.look, input.memory)
        .gap(&Part::Instances)
        .is_some();
    let may_be_up = |memory: &InstanceMemory| {
        memory.was_up
            && (partial
                || memory
                    .absent
                    .as_ref()
                    .is_none_or(|absent| absent.looks < LOOKS_FOR_ABSENCE))
    };
    let unseen_up = input
        .memory
        .instances
        .iter()
        .filter(|(id, memory)| {
            memory.slot == *name && !input.look.instances.contains_key(*id) && may_be_up(memory)
        })
        .count();
    let wanted = usize::try_from(slot.count).unwrap_or(usize::MAX);
    if Mutant::SurplusIsStarted.is_on() {
        return BTreeSet::new();
    }
    let lacking = wanted.saturating_sub(up + unseen_up + taken);
    let mut down: Vec<_> = members.iter().filter(|(i, _)| is_down(i)).collect();
    down.sort_by_key(|(instance, verdict)| {
        let remembered = input.memory.instances.get(&instance.id);
        let in_traffic = remembered.and_then(|memory| memory.last_in_traffic);
        let registered = is_registered(input.look, slot, instance);
        std::cmp::Reverse((
            !is_left_down(input, instance, verdict),
            in_traffic,
            registered,
            instance.launched_at,
            std::cmp::Reverse(instance.id.clone()),
        ))
    });
    down.into_iter()
        .skip(lacking)
        .map(|(instance, _)| instance.id.clone())
        .collect()
}

/// Whether others alone bring it up again, or a person has to: it takes no place from one that can be started.
fn is_left_down(input: &Input<'_>, instance: &Instance, verdict: &Verdict) -> bool {
    let incident = input.memory.incidents.get(&instance.id);
    let heal = &input.policy.heal;
    let is_left = |kind: AilmentKind| match kind {
        AilmentKind::Stopped => heal.stopped != OnStopped::Start,
        AilmentKind::StoppedByOperator => {
            let memory = input.memory.instances.get(&instance.id);
            heal.stopped_by_operator != OnOperatorStop::Start || is_respected(memory, incident)
        }
        _ => false,
    };
    !is_ours_to_start(instance)
        || incident.is_some_and(|incident| incident.quarantined.is_some())
        || paused_by_tag(instance).holds_at(input.now)
        || verdict.ailments.iter().any(|ailment| is_left(ailment.kind))
}

fn is_registered(look: &Observation, slot: &Slot, instance: &Instance) -> bool {
    slot.target_groups.iter().any(|wanted| {
        look.groups
            .get(&wanted.name)
            .is_some_and(|group| target_of(group, wanted, instance).is_some())
    })
}

/// What the policy's remedies want of one instance, and everything that holds them back.
#[derive(Default)]
struct Wish {
    start: Option<(StartOf, String)>,
    registers: Vec<(TargetStep, String)>,
    holds: Vec<HoldReason>,
}

fn propose(
    input: &Input<'_>,
    (slot_name, slot): (&SlotName, &Slot),
    instance: &Instance,
    verdict: &Verdict,
    surplus: &BTreeSet<InstanceId>,
) -> Wish {
    let mut wish = Wish::default();
    let mut holds = BTreeSet::new();
    if slot.state == SlotState::Stopped {
        return wish;
    }
    for ailment in &verdict.ailments {
        let case = Case {
            input,
            slot_name,
            slot,
            instance,
            ailment,
            memory: input.memory.instances.get(&instance.id),
            incident: input.memory.incidents.get(&instance.id),
            surplus: surplus.contains(&instance.id),
        };
        match chosen(&input.policy.heal, ailment.kind).propose(&case) {
            Proposal::Start(of) => wish.start = Some((of, ailment.evidence.clone())),
            Proposal::Register(steps) => {
                for step in steps {
                    // Out of two target groups is two ailments, and each of them has both put right.
                    if wish.registers.iter().all(|(other, _)| *other != step) {
                        wish.registers.push((step, ailment.evidence.clone()));
                    }
                }
            }
            Proposal::Replace => {}
            Proposal::Hold(reasons) => holds.extend(reasons),
        }
    }
    wish.holds = holds.into_iter().collect();
    wish
}

fn view_of(
    input: &Input<'_>,
    slot: &Slot,
    (instance, role): (&Instance, Option<Role>),
    verdict: &Verdict,
    holds: Vec<HoldReason>,
) -> InstanceView {
    let checks = input.look.statuses.get(&instance.id).map_or_else(
        || "no status checks".to_owned(),
        |c| format!("system {}, instance {}", c.system.as_str(), c.instance.as_str()),
    );
    InstanceView {
        id: instance.id.clone(),
        state: instance.state.as_str().to_owned(),
        zone: instance.zone.as_ref().map(ToString::to_string),
        health: verdict.health.clone(),
        ailments: verdict.ailments.clone(),
        targets: slot
            .target_groups
            .iter()
            .map(|wanted| target_view(input.look, wanted, instance))
            .collect(),
        image: verdict.image.clone(),
        blind: verdict.blind,
        role,
        holds,
        incident: input.memory.incidents.get(&instance.id).cloned(),
        checks,
    }
}

fn target_view(
    look: &Observation,
    wanted: &crate::policy::SlotTargetGroup,
    instance: &Instance,
) -> TargetView {
    let group = look.groups.get(&wanted.name);
    let target = group.and_then(|group| target_of(group, wanted, instance));
    let state = match (group, target) {
        (None, _) => "unknown",
        (Some(_), None) => "deregistered",
        (Some(_), Some(target)) => target.health.state.as_str(),
    };
    TargetView {
        target_group: wanted.name.clone(),
        port: wanted.port.or(group.and_then(|group| group.port)),
        state: state.to_owned(),
        reason: target.and_then(|target| target.health.reason.clone()),
    }
}

/// Puts the starts of all slots into as few requests as possible, under the account's hourly cap.
fn cap_and_batch(
    input: &Input<'_>,
    judged: &mut [JudgedSlot<'_>],
    of_replacements: Vec<PlannedStep>,
) -> Vec<PlannedStep> {
    let FleetLimits {
        mutations_last_hour: used,
        mutations_per_hour: limit,
    } = input.limits;
    let mut left = limit.saturating_sub(used);
    let starts: Vec<(InstanceId, StartOf, String)> = judged
        .iter()
        .flat_map(|slot| {
            slot.starts
                .iter()
                .map(|(id, (of, why))| (id.clone(), of.clone(), why.clone()))
        })
        .collect();
    let is_alone = |(id, ..): &(InstanceId, StartOf, String)| {
        let incident = input.memory.incidents.get(id);
        incident
            .and_then(|incident| incident.retry.as_ref())
            .is_some_and(|retry| retry.alone && !Mutant::BatchIsNeverSplit.is_on())
    };
    let (alone, together): (Vec<_>, Vec<_>) = starts.into_iter().partition(is_alone);
    let mut steps = Vec::new();
    for batch in together.chunks(Step::MOST_STARTED_AT_ONCE).chain(alone.chunks(1)) {
        if left == 0 {
            hold_back(judged, batch, &HoldReason::HourlyCap { used, limit });
            continue;
        }
        left -= 1;
        let instances: BTreeMap<_, _> = batch.iter().map(|(id, of, _)| (id.clone(), of.clone())).collect();
        let whys: BTreeSet<&str> = batch.iter().map(|(_, _, why)| why.as_str()).collect();
        let why = whys.into_iter().collect::<Vec<_>>().join("; ");
        steps.push(PlannedStep {
            step: Step::Start { instances },
            why,
        });
    }
    let registers = judged.iter().flat_map(|slot| &slot.registers);
    let registers = registers.map(|(target, why)| PlannedStep {
        step: Step::Register(target.clone()),
        why: why.clone(),
    });
    for planned in registers.collect::<Vec<_>>().into_iter().chain(of_replacements) {
        if left == 0 {
            let touched: Vec<InstanceId> = planned.step.instances().cloned().collect();
            hold_these_back(judged, &touched, &HoldReason::HourlyCap { used, limit });
            continue;
        }
        left -= 1;
        steps.push(planned);
    }
    steps
}

fn hold_back(judged: &mut [JudgedSlot<'_>], batch: &[(InstanceId, StartOf, String)], reason: &HoldReason) {
    let ids: Vec<InstanceId> = batch.iter().map(|(id, ..)| id.clone()).collect();
    hold_these_back(judged, &ids, reason);
}

fn hold_these_back(judged: &mut [JudgedSlot<'_>], ids: &[InstanceId], reason: &HoldReason) {
    for view in judged.iter_mut().flat_map(|slot| slot.view.instances.iter_mut()) {
        if ids.contains(&view.id) && !view.holds.contains(reason) {
            view.holds.push(reason.clone());
        }
    }
}

fn collect_holds(judged: &[JudgedSlot<'_>], proposed: &Proposed) -> Vec<Hold> {
    let of_slot = |slot: &SlotView| {
        let name = slot.name.clone();
        let holds = slot.instances.iter().flat_map(|view| {
            view.holds
                .iter()
                .map(|reason| (Some(view.id.clone()), reason.clone()))
                .collect::<Vec<_>>()
        });
        holds
            .map(|(instance, reason)| Hold {
                slot: name.clone(),
                instance,
                reason,
            })
            .collect::<Vec<_>>()
    };
    // What holds back the replacement of an instance that is not to be seen any more.
    let of_lost = proposed.holds.iter().map(|(slot, id, reason)| Hold {
        slot: slot.clone(),
        instance: Some(id.clone()),
        reason: reason.clone(),
    });
    judged
        .iter()
        .flat_map(|slot| of_slot(&slot.view))
        .chain(of_lost)
        .collect()
}

/// Instances in this look that more than one slot claims.
pub(super) fn disputed(input: &Input<'_>) -> Vec<(InstanceId, Vec<String>)> {
    let of = |instance: &Instance| match input.claims.owner_of(instance) {
        Owner::Disputed(owners) => {
            let names = owners
                .iter()
                .map(|(service, slot)| format!("{service}/{slot}"))
                .collect();
            Some((instance.id.clone(), names))
        }
        _ => None,
    };
    input.look.instances.values().filter_map(of).collect()
}
