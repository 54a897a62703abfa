//! Takes one look into the memory of its service: since when something ails, whether an attempt healed, when an
//! incident begins and ends. Pure: the memory that goes in and the look decide the memory that comes out.
//!
//! Time is added up look by look from the boot clock while one process runs. Over a restart it is the lesser of what the wall
//! clock and the boot clock say, never backwards and at most [`MOST_BETWEEN_LOOKS`].

use super::claims::{Claims, Owner};
use super::replace::{adopt_launched, follow, remember_lost, role_of};
use super::verdict::{Health, Verdict, checks_are_ok, verdict};
use crate::model::{
    Ailment, AilmentKind, Attempt, AttemptEnd, Coverage, Gap, Incident, Instance, InstanceId, InstanceMemory,
    InstanceState, LaunchEnd, Lost, Mutant, Observation, Part, Registration, RepairId, ServiceMemory,
    SlotName, Stamp, Timer,
};
use crate::policy::{Policy, Slot, SlotState};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

/// Looks closer together than this do not count (design: a look is at least 10 s after the last one).
pub const LEAST_BETWEEN_LOOKS: Duration = Duration::from_secs(10);
/// What a restart may add to a timer at once: a week offline must not look like a week of evidence.
pub const MOST_BETWEEN_LOOKS: Duration = Duration::from_secs(3600);
/// An incident ends after it was healthy for this long in a row.
pub const HEALTHY_FOR_AN_END: Duration = Duration::from_secs(30 * 60);
/// How long an accepted start may be invisible in AWS's answers before it counts as not having held.
pub const NOT_YET_VISIBLE: Duration = Duration::from_secs(120);
/// The same in looks.
const NOT_YET_VISIBLE_LOOKS: u32 = 3;
/// Looks that must all miss an instance, or call it terminated, before it is believed.
pub const LOOKS_FOR_ABSENCE: u32 = 3;
/// How long an instance must be missing from complete listings before its absence is believed.
pub const ABSENT_FOR_GONE: Duration = Duration::from_secs(15 * 60);
/// Attempts are counted over this window for `attempts_per_day`.
pub const DAY: SignedDuration = SignedDuration::from_hours(24);
/// A person's stop that comes within this time of an undone one is respected.
pub const OPERATOR_STOP_MEMORY: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The cooldown doubles up to this.
pub const LONGEST_COOLDOWN: Duration = Duration::from_secs(3600);

/// One look and its circumstances.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    pub policy: &'a Policy,
    pub claims: &'a Claims,
    pub look: &'a Observation,
    /// Names the process: its boot clock cannot be compared with another's.
    pub incarnation: &'a str,
    pub interval: Duration,
    /// The latest `keepgreen resume` of this service.
    pub resumed: Option<Timestamp>,
}

/// The instances of a service by slot, as far as they are claimed by exactly one.
pub fn members<'a>(seen_in: &'a Observation, claims: &Claims) -> BTreeMap<SlotName, Vec<&'a Instance>> {
    let mut slots: BTreeMap<SlotName, Vec<&Instance>> = BTreeMap::new();
    for instance in seen_in.instances.values() {
        if let Owner::Slot(service, slot) = claims.owner_of(instance)
            && service == seen_in.service
        {
            slots.entry(slot).or_default().push(instance);
        }
    }
    slots
}

/// What a look could not see, with an empty answer where there was a fleet counted as not seen.
pub fn true_coverage(look: &Observation, memory: &ServiceMemory) -> Coverage {
    // Of what AWS said itself that it is terminated, no answer has to speak any more.
    let known = memory
        .instances
        .iter()
        .filter(|(id, instance)| instance.absent.is_none() && !memory.lost.contains_key(*id))
        .filter(|(id, _)| !has_ended(memory, id))
        .count();
    let mut gaps = look.coverage.gaps().to_vec();
    if look.instances.is_empty() && known > 0 && look.coverage.gap(&Part::Instances).is_none() {
        let why = format!("DescribeInstances answered with nothing where {known} instances were known");
        gaps.push(Gap {
            part: Part::Instances,
            why,
        });
    }
    Coverage::from_gaps(gaps)
}

/// What an attempt launched and AWS has terminated.
fn has_ended(memory: &ServiceMemory, id: &InstanceId) -> bool {
    let attempts = memory.replacements.values().flat_map(|one| &one.attempts);
    let mut ended = attempts.filter(|attempt| attempt.gone);
    ended.any(|attempt| attempt.instance.as_ref() == Some(id))
}

/// The memory after this look.
pub fn fold(before: &ServiceMemory, seen: &Seen<'_>) -> ServiceMemory {
    let mut memory = before.clone();
    let tick = Tick::between(before, seen);
    forgive(&mut memory, seen);
    adopt_launched(&mut memory, seen.look);
    let coverage = true_coverage(seen.look, before);
    let listing_complete = coverage.gap(&Part::Instances).is_none();
    let by_slot = members(seen.look, seen.claims);
    for (name, slot) in &seen.policy.slots {
        for instance in by_slot.get(name).into_iter().flatten() {
            let verdict = verdict(seen.look, slot, instance, memory.instances.get(&instance.id));
            remember_instance(&mut memory, name, instance, &verdict, seen.look, tick);
            let role = role_of(&memory.replacements, &instance.id).map(|(role, _)| role);
            if slot.state == SlotState::Stopped {
                // Nobody wants it up any more: there is nothing to repair, and nothing to be looked at for.
                memory.incidents.remove(&instance.id);
            } else if role.is_none() {
                follow_incident(&mut memory, seen.policy, name, instance, &verdict, tick);
            }
        }
        if listing_complete {
            remember_missing(
                &mut memory,
                name,
                slot,
                by_slot.get(name).map_or(&[], Vec::as_slice),
                tick,
            );
        }
    }
    let mut absent = BTreeMap::new();
    if listing_complete {
        absent = remember_absent(&mut memory, &by_slot, tick);
    }
    remember_lost(&mut memory, seen, &by_slot, absent, &coverage, tick);
    follow(&mut memory, seen, &coverage, tick);
    let slots = &seen.policy.slots;
    memory.missing.retain(|slot, _| slots.contains_key(slot));
    memory.policy_version = Some(seen.policy.version.clone());
    if tick.counts {
        memory.looks += 1;
        memory.last_look = Some(seen.look.begun);
        seen.incarnation.clone_into(&mut memory.incarnation);
    }
    memory
}

/// What one look adds to every timer.
#[derive(Clone, Copy)]
pub(in crate::decide) struct Tick {
    pub now: Timestamp,
    pub elapsed: Duration,
    pub counts: bool,
}

/// The time between two looks of two processes, at least: whose clock was set meanwhile, or whose machine booted anew, is
/// not known. A wall clock that was back for a moment before a restart must not cut a person's grace short.
fn over_a_restart(last: &Stamp, begun: &Stamp) -> Duration {
    let by_wall = Duration::try_from(begun.wall.duration_since(last.wall)).unwrap_or(Duration::ZERO);
    // The boot clock goes on over a restart of the process alone; if the machine booted anew, it began at zero.
    let by_boot = begun.boot.checked_sub(last.boot).unwrap_or(Duration::MAX);
    by_wall.min(by_boot).min(MOST_BETWEEN_LOOKS)
}

impl Tick {
    fn between(memory: &ServiceMemory, seen: &Seen<'_>) -> Self {
        let begun: Stamp = seen.look.begun;
        let Some(last) = memory.last_look else {
            return Self {
                now: begun.wall,
                elapsed: Duration::ZERO,
                counts: true,
            };
        };
        let elapsed = if memory.incarnation == seen.incarnation {
            begun.since(&last)
        } else {
            over_a_restart(&last, &begun)
        };
        let counts = elapsed >= LEAST_BETWEEN_LOOKS.min(seen.interval);
        Self {
            now: begun.wall,
            elapsed: if counts { elapsed } else { Duration::ZERO },
            counts,
        }
    }

    fn start(self) -> Timer {
        Timer {
            since: self.now,
            lasted: Duration::ZERO,
            looks: 1,
        }
    }

    pub fn advance(self, timer: &mut Timer) {
        timer.lasted = timer.lasted.saturating_add(self.elapsed);
        timer.looks = timer.looks.saturating_add(u32::from(self.counts));
    }

    pub fn tick_or_start(self, timer: Option<Timer>) -> Timer {
        timer.map_or_else(
            || self.start(),
            |mut timer| {
                self.advance(&mut timer);
                timer
            },
        )
    }
}

/// A changed policy and `keepgreen resume` end every quarantine and the counts that led to it.
fn forgive(memory: &mut ServiceMemory, seen: &Seen<'_>) {
    let policy_changed = memory
        .policy_version
        .as_ref()
        .is_some_and(|version| *version != seen.policy.version);
    let resumed = seen.resumed.is_some() && seen.resumed != memory.resumed;
    memory.resumed = seen.resumed.or(memory.resumed);
    if !policy_changed && !resumed {
        return;
    }
    for incident in memory.incidents.values_mut() {
        incident.quarantined = None;
        incident.wait = Duration::ZERO;
        incident.retry = None;
        // An attempt that healed, or whose effect is still awaited, is a fact and not a count.
        incident
            .attempts
            .retain(|attempt| !matches!(attempt.end, Some(AttemptEnd::Failed { .. })));
    }
    for one in memory.replacements.values_mut().filter(|one| one.is_open()) {
        one.quarantined = None;
        one.wait = Duration::ZERO;
        one.retry = None;
        // What they launched is still theirs.
        for attempt in &mut one.attempts {
            attempt.forgiven = matches!(attempt.end, Some(LaunchEnd::Failed { .. }));
        }
    }
    for instance in memory.instances.values_mut() {
        instance.failed_attempts.clear();
        instance.failed_launches.clear();
        instance.registration = None;
    }
}

fn new_to_the_journal(slot: &SlotName, now: Timestamp) -> InstanceMemory {
    InstanceMemory {
        slot: slot.clone(),
        first_seen: now,
        last_seen: now,
        was_up: false,
        timers: BTreeMap::new(),
        ok_looks: 0,
        last_in_traffic: None,
        operator_stops_undone: Vec::new(),
        failed_attempts: Vec::new(),
        failed_launches: Vec::new(),
        registration: None,
        put_down: false,
        absent: None,
    }
}

fn remember_instance(
    memory: &mut ServiceMemory,
    slot: &SlotName,
    instance: &Instance,
    verdict: &Verdict,
    look: &Observation,
    tick: Tick,
) {
    let entry = memory
        .instances
        .entry(instance.id.clone())
        .or_insert_with(|| new_to_the_journal(slot, tick.now));
    entry.slot = slot.clone();
    entry.last_seen = tick.now;
    entry.absent = None;
    entry.was_up = matches!(instance.state, InstanceState::Pending | InstanceState::Running);
    entry.put_down &= !entry.was_up;
    if verdict.in_traffic {
        entry.last_in_traffic = Some(tick.now);
    }
    entry.registration = entry
        .registration
        .take()
        .and_then(|of| follow_registration(of, verdict, tick));
    // A stop that came within the 7 days is respected for as long as it lasts, not until the 7 days are over.
    let stopped_since = entry
        .timers
        .get(&AilmentKind::StoppedByOperator)
        .map(|timer| timer.since);
    entry.operator_stops_undone.retain(|at| {
        tick.now.duration_since(*at) < OPERATOR_STOP_MEMORY
            || stopped_since.is_some_and(|since| since.duration_since(*at) < OPERATOR_STOP_MEMORY)
    });
    for failed in [&mut entry.failed_attempts, &mut entry.failed_launches] {
        failed.retain(|at| tick.now.duration_since(*at) < DAY);
    }
    if look.coverage.gap(&Part::Statuses).is_none() {
        let ok = instance.state == InstanceState::Running
            && look.statuses.get(&instance.id).is_some_and(checks_are_ok);
        entry.ok_looks = if ok {
            entry.ok_looks.saturating_add(u32::from(tick.counts))
        } else {
            0
        };
    }
    let mut timers = BTreeMap::new();
    for ailment in &verdict.ailments {
        // Out of two target groups is two ailments of one kind: the second must not begin its timer anew.
        timers
            .entry(ailment.kind)
            .or_insert_with(|| tick.tick_or_start(entry.timers.remove(&ailment.kind)));
    }
    for (kind, timer) in std::mem::take(&mut entry.timers) {
        // What this look cannot tell neither goes on nor ends.
        if verdict.untold.contains(&kind) {
            timers.entry(kind).or_insert(timer);
        }
    }
    entry.timers = timers;
}

/// What was registered again counts until it has served for as long as an incident takes to end.
fn follow_registration(mut of: Registration, verdict: &Verdict, tick: Tick) -> Option<Registration> {
    of.wait = of.wait.saturating_sub(tick.elapsed);
    of.in_traffic_for = if verdict.in_traffic && verdict.ails_with(AilmentKind::Deregistered).is_none() {
        of.in_traffic_for.saturating_add(tick.elapsed)
    } else {
        Duration::ZERO
    };
    (of.in_traffic_for < HEALTHY_FOR_AN_END).then_some(of)
}

fn remember_missing(
    memory: &mut ServiceMemory,
    name: &SlotName,
    slot: &Slot,
    members: &[&Instance],
    tick: Tick,
) {
    let present = members
        .iter()
        .filter(|i| !matches!(i.state, InstanceState::Terminated | InstanceState::ShuttingDown))
        .count();
    if present < usize::try_from(slot.count).unwrap_or(usize::MAX) {
        let timer = tick.tick_or_start(memory.missing.remove(name));
        memory.missing.insert(name.clone(), timer);
    } else {
        memory.missing.remove(name);
    }
}

/// An instance that is nowhere in a complete listing is gone only after a while, and only while others are seen.
///
/// Returns those of which that is believed in this very look.
fn remember_absent(
    memory: &mut ServiceMemory,
    by_slot: &BTreeMap<SlotName, Vec<&Instance>>,
    tick: Tick,
) -> BTreeMap<InstanceId, Lost> {
    let seen = |id: &InstanceId| by_slot.values().flatten().any(|instance| instance.id == *id);
    let others_seen = by_slot.values().any(|members| !members.is_empty());
    for (id, entry) in &mut memory.instances {
        if !seen(id) && others_seen {
            entry.absent = Some(tick.tick_or_start(entry.absent.take()));
        }
    }
    let is_gone = |entry: &InstanceMemory| {
        let believed = |timer: &Timer| timer.looks >= LOOKS_FOR_ABSENCE && timer.lasted >= ABSENT_FOR_GONE;
        entry.absent.as_ref().is_some_and(believed)
    };
    let newly_gone = |(id, entry): (&InstanceId, &InstanceMemory)| {
        let timer = entry.absent.clone().filter(|_| is_gone(entry))?;
        let lost = Lost {
            slot: entry.slot.clone(),
            evidence: "nowhere in complete listings for 15 minutes".to_owned(),
            by_person: false,
            timer,
            launched_at: None,
        };
        Some((id.clone(), lost))
    };
    let gone = memory.instances.iter().filter_map(newly_gone).collect();
    let known = &memory.instances;
    memory
        .incidents
        .retain(|id, _| known.get(id).is_some_and(|entry| !is_gone(entry)));
    memory.instances.retain(|_, entry| {
        let gone = is_gone(entry);
        entry.was_up &= !gone;
        !gone || outlasts_absence(entry, tick.now)
    });
    gone
}

/// Should it be there again after all, what a person did to it and what failed on it count as before.
fn outlasts_absence(entry: &InstanceMemory, now: Timestamp) -> bool {
    let within =
        |times: &[Timestamp], most: SignedDuration| times.iter().any(|at| now.duration_since(*at) < most);
    within(&entry.operator_stops_undone, OPERATOR_STOP_MEMORY)
        || within(&entry.failed_attempts, DAY)
        || within(&entry.failed_launches, DAY)
}

/// Opens, follows and ends the incident of one instance.
fn follow_incident(
    memory: &mut ServiceMemory,
    policy: &Policy,
    slot: &SlotName,
    instance: &Instance,
    verdict: &Verdict,
    tick: Tick,
) {
    let stop = verdict
        .ails_with(AilmentKind::Stopped)
        .or_else(|| verdict.ails_with(AilmentKind::StoppedByOperator));
    if let Some(stop) = stop {
        let incident = memory.incidents.entry(instance.id.clone()).or_insert_with(|| {
            let repair = format!("{}-{}-{}", policy.service, instance.id, tick.now.as_second());
            Incident {
                repair: RepairId::new(repair),
                slot: slot.clone(),
                kind: stop.kind,
                evidence: stop.evidence.clone(),
                launched_at: instance.launched_at,
                opened: tick.now,
                attempts: Vec::new(),
                retry: None,
                tried: 0,
                held_back: None,
                wait: Duration::ZERO,
                healthy_for: Duration::ZERO,
                healed: None,
                relapses: 0,
                quarantined: None,
            }
        });
        incident.wait = incident.wait.saturating_sub(tick.elapsed);
        incident.healthy_for = Duration::ZERO;
        // Started and stopped by others, both since the last look: this is another stop, of which nobody has been told.
        if incident.pending_attempt().is_none()
            && incident.healed.is_none()
            && was_launched_since(instance, incident.launched_at)
        {
            incident.relapses = incident.relapses.saturating_add(1);
            if let Some(entry) = memory.instances.get_mut(&instance.id) {
                entry.timers.insert(stop.kind, tick.tick_or_start(None));
            }
        }
        let never_showed = judge_attempt_of_stopped(incident, instance, stop, tick);
        if incident.healed.take().is_some() {
            incident.relapses = incident.relapses.saturating_add(1);
        }
        incident.kind = stop.kind;
        stop.evidence.clone_into(&mut incident.evidence);
        incident.launched_at = instance.launched_at;
        if let (Some(accepted), Some(entry)) = (never_showed, memory.instances.get_mut(&instance.id)) {
            // What never happened has undone nothing: the stop is still the person's first.
            entry.operator_stops_undone.retain(|at| *at != accepted);
        }
    } else if let Some(incident) = memory.incidents.get_mut(&instance.id) {
        incident.wait = incident.wait.saturating_sub(tick.elapsed);
        judge_attempt_of_running(incident, policy, instance, verdict, tick);
    }
    settle_counts(memory, policy, &instance.id, tick);
    memory
        .incidents
        .retain(|_, incident| incident.healthy_for < HEALTHY_FOR_AN_END && !is_healed_too_soon(incident));
}

/// A start has failed once the instance is stopping or stopped again, unless AWS's answers are merely old.
///
/// Returns when AWS accepted the start that has just failed, if that never showed at all.
fn judge_attempt_of_stopped(
    incident: &mut Incident,
    instance: &Instance,
    stop: &Ailment,
    tick: Tick,
) -> Option<Timestamp> {
    let (before, evidence) = (incident.kind, &stop.evidence);
    let attempt = incident.attempts.last_mut()?;
    let pending = attempt.end.is_none();
    let healed = matches!(attempt.end, Some(AttemptEnd::Healed { .. }));
    if !pending && !healed {
        return None;
    }
    if pending {
        attempt.lasted = attempt.lasted.saturating_add(tick.elapsed);
    }
    let new_stop = attempt.seen_up
        || healed
        || attempt.before != *evidence
        || was_launched_since(instance, attempt.launched_before);
    if !new_stop && attempt.lasted < NOT_YET_VISIBLE.max(LEAST_BETWEEN_LOOKS * NOT_YET_VISIBLE_LOOKS) {
        return None;
    }
    let by_a_person =
        stop.kind == AilmentKind::StoppedByOperator && (new_stop || before != AilmentKind::StoppedByOperator);
    attempt.end = Some(if by_a_person {
        AttemptEnd::Overruled { at: tick.now }
    } else {
        let why = if new_stop {
            "stopped again"
        } else {
            "the start that AWS accepted never showed"
        };
        AttemptEnd::Failed {
            at: tick.now,
            why: format!("{why}: {evidence}"),
        }
    });
    (!new_stop && !by_a_person).then_some(attempt.accepted)
}

/// AWS moves the launch time at each start, however short-lived.
pub(super) fn was_launched_since(instance: &Instance, before: Option<Timestamp>) -> bool {
    instance
        .launched_at
        .zip(before)
        .is_some_and(|(now, before)| now > before)
}

fn judge_attempt_of_running(
    incident: &mut Incident,
    policy: &Policy,
    instance: &Instance,
    verdict: &Verdict,
    tick: Tick,
) {
    let up = matches!(instance.state, InstanceState::Pending | InstanceState::Running);
    let pending = incident
        .attempts
        .last_mut()
        .filter(|attempt| attempt.end.is_none());
    if verdict.health == Health::Healthy {
        if incident.healed.is_none() {
            incident.healed = Some(tick.now);
        } else {
            incident.healthy_for = incident.healthy_for.saturating_add(tick.elapsed);
        }
        incident.retry = None;
        incident.held_back = None;
        if let Some(attempt) = pending {
            attempt.seen_up = true;
            attempt.end = Some(AttemptEnd::Healed { at: tick.now });
        }
        return;
    }
    if matches!(verdict.health, Health::Ailing { .. }) {
        incident.healthy_for = Duration::ZERO;
    }
    let Some(attempt) = pending else { return };
    attempt.lasted = attempt.lasted.saturating_add(tick.elapsed);
    attempt.seen_up |= up;
    // Our failure to see is never its failure.
    if attempt.lasted >= policy.grace.boot && !verdict.blind {
        let why = match &verdict.health {
            Health::Ailing { why } | Health::Unknown { why } => why.clone(),
            Health::Healthy => return,
        };
        attempt.end = Some(AttemptEnd::Failed {
            at: tick.now,
            why: format!("not healthy in time: {why}"),
        });
    }
}

/// Counts what failed in this very look: cooldown, the day's count, quarantine.
fn settle_counts(memory: &mut ServiceMemory, policy: &Policy, id: &InstanceId, tick: Tick) {
    let Some(incident) = memory.incidents.get_mut(id) else {
        return;
    };
    let failed_now =
        |attempt: &Attempt| matches!(&attempt.end, Some(AttemptEnd::Failed { at, .. }) if *at == tick.now);
    if !incident.attempts.last().is_some_and(failed_now) {
        return;
    }
    count_failure(incident, memory.instances.get_mut(id), policy, tick.now);
}

/// One more attempt did not heal.
pub(super) fn count_failure(
    incident: &mut Incident,
    instance: Option<&mut InstanceMemory>,
    policy: &Policy,
    now: Timestamp,
) {
    let failed = incident.failed_attempts();
    incident.wait = cooldown(
        policy.limits.cooldown,
        failed,
        LONGEST_COOLDOWN,
        incident.repair.as_str(),
    );
    let today = instance.map_or(0, |instance| {
        if instance.failed_attempts.last() != Some(&now) {
            instance.failed_attempts.push(now);
        }
        u32::try_from(instance.failed_attempts.len()).unwrap_or(u32::MAX)
    });
    let exhausted = failed >= policy.limits.attempts || today >= policy.limits.attempts_per_day;
    if exhausted && incident.quarantined.is_none() {
        incident.quarantined = Some(now);
    }
}

fn is_healed_too_soon(incident: &Incident) -> bool {
    Mutant::HealthyOnceIsHealed.is_on() && !incident.healthy_for.is_zero()
}

/// The wait before try `n + 1`: doubling from `first` to `most`, lengthened by up to a tenth, the same for the same repair
/// and try, so that a plan does not change by being made again.
pub fn cooldown(first: Duration, n: u32, most: Duration, repair: &str) -> Duration {
    let doublings = n.saturating_sub(1).min(16);
    let wait = first.saturating_mul(1_u32 << doublings).min(most);
    let seed = repair
        .bytes()
        .fold(u64::from(n).wrapping_add(0xcbf2_9ce4_8422_2325), |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    let permille = u32::try_from(seed % 100).unwrap_or(0);
    wait.saturating_add(wait / 1000 * permille)
}
