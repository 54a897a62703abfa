//! Follows replacements from look to look: which instance came of a launch, whether it serves, whether it has failed, whether
//! it is still wanted, when it is done. The part of [`crate::decide::fold`] that is about them.

use super::serve::{Serves, is_registered, serves};
use super::{PROVEN_AFTER_LOOKS, is_gone, members_left, wants};
use crate::decide::claims::{Claims, Owner};
use crate::decide::fold::{ABSENT_FOR_GONE, DAY, LONGEST_COOLDOWN, LOOKS_FOR_ABSENCE, Seen, Tick, cooldown};
use crate::decide::image::{ImageVerdict, image_verdict};
use crate::decide::outcome::LONGEST_RETRY;
use crate::decide::verdict::stop_evidence;
use crate::model::{
    AilmentKind, Coverage, Instance, InstanceId, InstanceMemory, InstanceState, LaunchAnswer, LaunchAttempt,
    LaunchEnd, LaunchTry, Mutant, Observation, Part, Replacement, ReplacementEnd, ServiceMemory, StoppedBy,
    tags,
};
use crate::policy::{OldInstance, Policy, Slot};
use std::collections::BTreeMap;
use std::time::Duration;

/// Of the time between two looks, so much counts for an attempt. They are 10 s apart unless something keeps keepgreen from looking.
const MOST_COUNTED: Duration = Duration::from_secs(60);

/// Takes a look into every replacement of the service.
pub(in crate::decide) fn follow(
    memory: &mut ServiceMemory,
    seen: &Seen<'_>,
    coverage: &Coverage,
    tick: Tick,
) {
    memory.rest = memory.rest.saturating_sub(tick.elapsed);
    let mut all = std::mem::take(&mut memory.replacements);
    all.retain(|_, one| match &one.ended {
        None => true,
        Some(ReplacementEnd::Done { at, .. } | ReplacementEnd::Abandoned { at, .. }) => {
            tick.now.duration_since(*at) < DAY
        }
    });
    // Whether a slot lacks somebody is judged with everything that is under way taken out of the count.
    let lacking: BTreeMap<_, _> = seen
        .policy
        .slots
        .iter()
        .map(|(name, slot)| (name.clone(), lacks(seen, &all, name, slot)))
        .collect();
    let listed = coverage.gap(&Part::Instances).is_none();
    for one in all.values_mut().filter(|one| one.is_open()) {
        let mut follower = Follower {
            memory,
            seen,
            listed,
            tick,
        };
        follower.follow(one, lacking.get(&one.slot).copied().unwrap_or(false));
    }
    memory.replacements = all;
}

/// Finds what came of launches whose answers were lost, before anybody counts the members of a slot: what is being launched
/// is none of them yet.
pub(in crate::decide) fn adopt_launched(memory: &mut ServiceMemory, look: &Observation) {
    for one in memory.replacements.values_mut().filter(|one| one.is_open()) {
        adopt(one, look);
    }
}

/// An answer may be lost, and the instance is there all the same: its tag says which repair it is of, and its token which
/// attempt made it, which no copy of its tags has. That the request was sent need not be known: who sent it may have died.
///
/// It may be of an attempt that was given up because nothing was to be seen of it: then it is one to be ended, and as long as
/// it lives the repair launches nothing else.
fn adopt(one: &mut Replacement, look: &Observation) {
    let known: Vec<InstanceId> = one.launched().cloned().collect();
    let repair = one.repair.clone();
    let of_it = look.instances.values().filter(|instance| {
        instance.tag(tags::REPAIR) == Some(repair.as_str()) && !known.contains(&instance.id)
    });
    for instance in of_it {
        let token = instance.client_token.as_ref();
        let mut attempts = one
            .attempts
            .iter_mut()
            .filter(|attempt| attempt.instance.is_none());
        let made_it =
            |attempt: &&mut LaunchAttempt| attempt.tries.iter().any(|asked| Some(&asked.token) == token);
        let Some(attempt) = attempts.find(made_it) else {
            continue;
        };
        (attempt.instance, attempt.gone, attempt.absent) = (Some(instance.id.clone()), false, None);
        if let Some(asked) = attempt.tries.iter_mut().find(|asked| Some(&asked.token) == token) {
            (asked.answer, asked.request) = (LaunchAnswer::Launched, None);
        }
    }
}

/// Whether the slot has fewer members than it should, what is being launched aside.
fn lacks(
    seen: &Seen<'_>,
    replacements: &BTreeMap<InstanceId, Replacement>,
    name: &crate::model::SlotName,
    slot: &Slot,
) -> bool {
    members_left(seen.look, seen.claims, replacements, name)
        < usize::try_from(slot.count).unwrap_or(usize::MAX)
}

/// How far a replacement is.
#[derive(Clone, Copy)]
struct Stage<'a> {
    slot: Option<&'a Slot>,
    draining: bool,
    /// A group was full: the old one left it so that the new one could come.
    swapping: bool,
    put_down: bool,
}

struct Follower<'a> {
    memory: &'a mut ServiceMemory,
    seen: &'a Seen<'a>,
    /// The listing of instances was complete.
    listed: bool,
    tick: Tick,
}

impl Follower<'_> {
    fn follow(&mut self, one: &mut Replacement, lacking: bool) {
        one.wait = one.wait.saturating_sub(self.tick.elapsed);
        one.asked.retain(|_, left| {
            *left = left.saturating_sub(self.tick.elapsed);
            !left.is_zero()
        });
        let slot = self.seen.policy.slots.get(&one.slot);
        let stage = Stage {
            slot,
            draining: one.draining_since.is_some(),
            swapping: !one.full.is_empty(),
            put_down: one.put_down.is_some(),
        };
        self.give_away(one);
        self.ask_again(one);
        if let Some(attempt) = one.attempt_mut() {
            self.track(attempt, slot);
            if let Some(why) = self.failure(attempt, stage) {
                attempt.end = Some(LaunchEnd::Failed {
                    at: self.tick.now,
                    why,
                });
                self.count_failure(one);
            }
        }
        self.clear_leftovers(one);
        self.note_taken_out(one);
        if one.put_down.is_none() {
            let old = self.seen.look.instances.get(&one.old);
            one.old_started = old.and_then(|old| old.launched_at).or(one.old_started);
        }
        if one.abandoned.is_none() && one.put_down.is_none() {
            one.abandoned = self.not_wanted(one, lacking);
        }
        if one.abandoned.is_some() {
            self.give_up(one);
        }
        self.conclude(one);
    }

    /// Capacity that no candidate had comes back: after a wait that grows from round to round, every one is asked again.
    fn ask_again(&self, one: &mut Replacement) {
        let rounds = one.retry.as_ref().map_or(1, |retry| retry.tries);
        let first = self.seen.policy.limits.cooldown;
        let wait = cooldown(first, rounds, LONGEST_RETRY, one.repair.as_str());
        let is_refused = |one: &LaunchTry| matches!(one.answer, LaunchAnswer::Refused { .. });
        let elapsed = self.tick.elapsed;
        let Some(attempt) = one.attempt_mut().filter(|attempt| attempt.instance.is_none()) else {
            return;
        };
        if !attempt.tries.last().is_some_and(is_refused) {
            attempt.refused_for = Duration::ZERO;
            return;
        }
        attempt.refused_for = attempt.refused_for.saturating_add(elapsed);
        if attempt.refused_for >= wait {
            attempt.refused_for = Duration::ZERO;
            attempt.tries.retain(|one| !is_refused(one));
            if let Some(retry) = &mut one.retry {
                retry.tries = retry.tries.saturating_add(1);
            }
        }
    }

    fn track(&self, attempt: &mut LaunchAttempt, slot: Option<&Slot>) {
        let Some(id) = &attempt.instance else {
            if attempt.unanswered().is_some() && self.listed {
                attempt.absent = Some(self.tick.tick_or_start(attempt.absent.take()));
            }
            return;
        };
        // While nobody looked, or might act, nothing could be done for it either: it is not held against it.
        let elapsed = match attempt.held {
            true => Duration::ZERO,
            false => self.tick.elapsed.min(MOST_COUNTED),
        };
        attempt.lasted = attempt.lasted.saturating_add(elapsed);
        let Some(instance) = self.seen.look.instances.get(id) else {
            attempt.healthy_looks = 0;
            if self.listed {
                attempt.absent = Some(self.tick.tick_or_start(attempt.absent.take()));
            }
            return;
        };
        attempt.seen = true;
        attempt.absent = None;
        match slot.map(|slot| serves(self.seen.look, slot, instance)) {
            Some(Serves::Yes) => {
                let proves = if Mutant::OneHealthyLookIsProof.is_on() {
                    PROVEN_AFTER_LOOKS
                } else {
                    u32::from(self.tick.counts)
                };
                attempt.healthy_looks = attempt.healthy_looks.saturating_add(proves);
                attempt.proven |= attempt.healthy_looks >= PROVEN_AFTER_LOOKS;
                attempt.unwell = Duration::ZERO;
            }
            Some(Serves::No(_)) => {
                attempt.healthy_looks = 0;
                attempt.unwell = attempt.unwell.saturating_add(elapsed);
            }
            // Three looks running: one that could not tell breaks the row, and proves nothing bad.
            Some(Serves::Unknown(_)) | None => attempt.healthy_looks = 0,
        }
    }

    /// Why the attempt that is under way has failed, if it has.
    fn failure(&self, attempt: &LaunchAttempt, stage: Stage<'_>) -> Option<String> {
        let believed =
            |timer: &crate::model::Timer| timer.looks >= LOOKS_FOR_ABSENCE && timer.lasted >= ABSENT_FOR_GONE;
        let Some(id) = &attempt.instance else {
            // AWS knows the token, and nothing came of it that anybody could see: the next attempt has another one.
            let asked = attempt.unanswered().filter(|asked| asked.request.is_none())?;
            let nothing = attempt.absent.as_ref().is_some_and(believed);
            return nothing.then(|| {
                format!(
                    "AWS says that token {} was used before, and nothing of it was to be seen for 15 minutes",
                    asked.token
                )
            });
        };
        let Some(instance) = self.seen.look.instances.get(id) else {
            return attempt
                .absent
                .as_ref()
                .is_some_and(believed)
                .then(|| format!("{id} was nowhere to be seen for 15 minutes"));
        };
        match instance.state {
            InstanceState::Terminated | InstanceState::ShuttingDown => {
                return Some(format!("{id} was terminated: {}", stop_evidence(instance)));
            }
            // With the old one down already, what is left is to finish; the new one then heals like any other.
            InstanceState::Stopped | InstanceState::Stopping if !stage.put_down => {
                return Some(format!("{id} stopped: {}", stop_evidence(instance)));
            }
            _ => {}
        }
        let grace = &self.seen.policy.grace;
        let is_late = attempt.lasted >= grace.boot;
        let is_unwell = attempt.unwell >= grace.unhealthy;
        let too_late = (!stage.draining || stage.swapping)
            && attempt.healthy_looks == 0
            && is_late
            && (!attempt.proven || is_unwell);
        // One that had to wait for the old one's place in a group is given its time to boot all the same.
        let unwell = stage.draining && !stage.put_down && is_unwell && (is_late || !stage.swapping);
        // Our failure to see is never its failure: without an unwell look it is not judged.
        match serves(self.seen.look, stage.slot?, instance) {
            Serves::No(why) if too_late || unwell => Some(format!("{id} was not healthy in time: {why}")),
            _ => None,
        }
    }

    /// Somebody's tags have put it into another slot: it is that slot's now, and nobody's to end. Two are not launched for one
    /// place, so the replacement ends here; a person has to say what is to become of the place.
    fn give_away(&self, one: &mut Replacement) {
        let Some(attempt) = one.attempt() else { return };
        let new = attempt
            .instance
            .as_ref()
            .and_then(|id| self.seen.look.instances.get(id));
        let Some(Owner::Slot(service, slot)) = new.map(|new| self.seen.claims.owner_of(new)) else {
            return;
        };
        if one.put_down.is_some() || (service == self.seen.policy.service && slot == one.slot) {
            return;
        }
        // Unless the old one is where it was, the slots have changed around both: what was launched is one too many.
        let old = self.seen.look.instances.get(&one.old).filter(|old| !is_gone(old));
        if old.is_some_and(|old| !self.is_member(one, old)) {
            return;
        }
        let at = self.tick.now;
        if let Some(attempt) = one.attempt_mut() {
            (attempt.end, attempt.gone) = (Some(LaunchEnd::GivenAway { at }), true);
        }
        one.abandoned = Some(format!(
            "the tags of its instance give it to slot {slot} of {service}"
        ));
        one.draining_since = None;
    }

    fn count_failure(&mut self, one: &mut Replacement) {
        let limits = &self.seen.policy.limits;
        let failed = one.failed_attempts();
        one.wait = cooldown(limits.cooldown, failed, LONGEST_COOLDOWN, one.repair.as_str());
        one.retry = None;
        // What was taken out for it is brought back, and what was stopped for it is started.
        one.draining_since = None;
        let was_put_down = one.put_down.take().is_some();
        let now = self.tick.now;
        let of_old = self.memory.instances.get_mut(&one.old);
        let today = of_old.map_or(failed, |memory: &mut InstanceMemory| {
            memory.put_down |= was_put_down;
            memory.failed_launches.push(now);
            let all = memory.failed_attempts.len() + memory.failed_launches.len();
            u32::try_from(all).unwrap_or(u32::MAX)
        });
        if failed >= limits.attempts || today >= limits.attempts_per_day {
            one.quarantined = one.quarantined.or(Some(now));
        }
    }

    /// Ended attempts of which nothing is left any more. What was gone and is seen alive is left again.
    fn clear_leftovers(&self, one: &mut Replacement) {
        let is_to_go = |attempt: &&mut LaunchAttempt| {
            let end = attempt.end.as_ref();
            matches!(end, Some(LaunchEnd::Failed { .. } | LaunchEnd::Abandoned { .. }))
        };
        for attempt in one.attempts.iter_mut().filter(is_to_go) {
            let Some(id) = &attempt.instance else {
                // Every answer of an ended attempt is known, and none of them was a launch.
                attempt.gone = true;
                continue;
            };
            match self.seen.look.instances.get(id) {
                Some(instance) => {
                    attempt.absent = None;
                    attempt.gone =
                        instance.state == InstanceState::Terminated || Mutant::FailedIsLeft.is_on();
                }
                None if self.listed && !attempt.gone => {
                    let timer = self.tick.tick_or_start(attempt.absent.take());
                    attempt.gone = timer.looks >= LOOKS_FOR_ABSENCE && timer.lasted >= ABSENT_FOR_GONE;
                    attempt.absent = Some(timer);
                }
                None => {}
            }
        }
    }

    /// What of the old one is registered again is not out any more, unless it is being taken out.
    fn note_taken_out(&self, one: &mut Replacement) {
        if one.draining_since.is_some() && one.abandoned.is_none() {
            return;
        }
        let groups = &self.seen.look.groups;
        let old = &one.old;
        let shown = self.seen.look.instances.get(old).filter(|old| !is_gone(old));
        // Where its slot does not list it, nobody may put it (S19); and nobody at all once it is not its slot's.
        let is_its = shown.is_some_and(|old| self.is_member(one, old));
        let slot = self.seen.policy.slots.get(&one.slot);
        let wanted = || slot.into_iter().flat_map(|slot| &slot.target_groups);
        let unread = wanted().any(|wanted| !groups.contains_key(&wanted.name));
        one.taken_out.retain(|(arn, port)| {
            let Some((name, group)) = groups.iter().find(|(_, group)| group.arn == *arn) else {
                return is_its && unread;
            };
            let is_listed =
                wanted().any(|wanted| wanted.name == *name && wanted.port.or(group.port) == *port);
            let mut own = group
                .targets
                .iter()
                .filter(|target| target.instance == *old && target.port == *port);
            is_its && is_listed && !own.any(is_registered)
        });
    }

    /// Why it is not wanted any more.
    fn not_wanted(&self, one: &Replacement, lacking: bool) -> Option<String> {
        let policy = self.seen.policy;
        if !wants(policy, &one.slot, one.kind) {
            return Some("the policy does not ask for it any more".to_owned());
        }
        let serving = one.attempt().is_some_and(|attempt| attempt.healthy_looks > 0);
        let old = self.seen.look.instances.get(&one.old).filter(|old| !is_gone(old));
        let Some(old) = old else {
            let replaces_lost = wants(policy, &one.slot, AilmentKind::Missing);
            if self.listed && !replaces_lost && !one.is_in_motion() {
                return Some("it is gone, and the policy replaces nothing that is".to_owned());
            }
            // Whoever brought the slot to its count meanwhile wants no second one.
            return (self.listed && !lacking && !serving).then(|| "the slot is whole without it".to_owned());
        };
        // It has been marked by this very replacement, whether or not that is known: what serves in its place stays.
        let is_proven = one
            .attempt()
            .is_some_and(|attempt| attempt.healthy_looks >= PROVEN_AFTER_LOOKS);
        // Or by a person, who wants no other one in its place than what is on its way there.
        let comes = one.attempt().is_some() && !terminates(policy);
        if old.is_retired() && (one.draining_since.is_some() || is_proven || comes) {
            return None;
        }
        // Whoever took it out of the slot meanwhile has it: what serves in its place stays.
        if is_proven && is_let_go(one, self.seen.claims, old) {
            return None;
        }
        if !self.is_member(one, old) {
            return Some(format!("{} is not in slot {} any more", one.old, one.slot));
        }
        if one.kind == AilmentKind::Missing {
            return Some(format!("{} is there again", one.old));
        }
        let back = matches!(
            image_verdict(self.seen.look, &one.old),
            ImageVerdict::Launchable { .. }
        );
        back.then(|| "its image is there again".to_owned())
    }

    fn is_member(&self, one: &Replacement, old: &Instance) -> bool {
        match self.seen.claims.owner_of(old) {
            Owner::Slot(service, slot) => service == self.seen.policy.service && slot == one.slot,
            _ => false,
        }
    }

    /// Ends what is under way, as soon as it is known what that is.
    fn give_up(&self, one: &mut Replacement) {
        one.draining_since = None;
        let now = self.tick.now;
        let Some(attempt) = one.attempt_mut() else { return };
        let unknown = attempt.instance.is_none() && attempt.unanswered().is_some();
        let never_was = attempt
            .absent
            .as_ref()
            .is_some_and(|timer| timer.looks >= LOOKS_FOR_ABSENCE && timer.lasted >= ABSENT_FOR_GONE);
        if !unknown || never_was {
            attempt.end = Some(LaunchEnd::Abandoned { at: now });
        }
    }

    fn conclude(&mut self, one: &mut Replacement) {
        let now = self.tick.now;
        if let Some(why) = &one.abandoned {
            let all_gone = one.attempts.iter().all(|attempt| attempt.gone);
            if all_gone && one.taken_out.is_empty() {
                one.ended = Some(ReplacementEnd::Abandoned {
                    at: now,
                    why: why.clone(),
                });
                self.memory.rest = self.seen.policy.limits.cooldown;
            }
            return;
        }
        let is_down = is_down(
            one,
            self.seen.policy,
            self.seen.claims,
            (self.seen.look, self.memory),
        );
        let shows = |id: &InstanceId| self.seen.look.instances.get(id);
        let put_down = one.put_down.is_some();
        let keeps = one.keeps_root.is_some();
        let proven = |attempt: &&mut LaunchAttempt| put_down || attempt.healthy_looks >= PROVEN_AFTER_LOOKS;
        let Some(attempt) = one.attempt_mut().filter(proven) else {
            return;
        };
        let Some(new) = attempt.instance.clone().filter(|_| is_down) else {
            return;
        };
        if keeps && shows(&new).is_none_or(|new| new.root_stays != Some(true)) {
            return;
        }
        attempt.end = Some(LaunchEnd::Serves { at: now });
        one.ended = Some(ReplacementEnd::Done { at: now, new });
        self.memory.rest = self.seen.policy.limits.cooldown;
        self.memory.lost.remove(&one.old);
        self.memory.incidents.remove(&one.old);
    }
}

/// The old one is gone, retired, or somebody else's: nothing is left to do with it.
pub(in crate::decide) fn is_down(
    one: &Replacement,
    policy: &Policy,
    claims: &Claims,
    (look, memory): (&Observation, &ServiceMemory),
) -> bool {
    let Some(old) = look.instances.get(&one.old) else {
        let is_listed = look.coverage.gap(&Part::Instances).is_none();
        return is_listed && (one.kind == AilmentKind::Missing || memory.lost.contains_key(&one.old));
    };
    is_gone(old) || (!terminates(policy) && old.is_retired()) || is_let_go(one, claims, old)
}

/// It is on its way out, and belongs to no slot any more: whoever took its tags away took it out, and nothing is left to mark.
fn is_let_go(one: &Replacement, claims: &Claims, old: &Instance) -> bool {
    (one.draining_since.is_some() || one.put_down.is_some())
        && !matches!(claims.owner_of(old), Owner::Slot(..))
}

fn terminates(policy: &Policy) -> bool {
    policy
        .replace
        .as_ref()
        .is_some_and(|replace| replace.old_instance == OldInstance::Terminate)
}

/// Whose hand terminated an instance.
pub(in crate::decide) fn by_a_person(instance: &Instance) -> bool {
    instance
        .state_reason
        .as_ref()
        .is_some_and(|reason| reason.stopped_by() == StoppedBy::Operator)
}
