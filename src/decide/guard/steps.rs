//! The invariants of every step but a start, one function each: asked on a whole look of its own, begun after the intent was
//! durable, and on what the journal remembers of the repair. The plan is not trusted.

use super::{Evidence, Refusal, expected, own_fault};
use crate::decide::claims::Owner;
use crate::decide::floor::may_take_out;
use crate::decide::fold::{LOOKS_FOR_ABSENCE, true_coverage};
use crate::decide::image::{ImageVerdict, image_verdict};
use crate::decide::replace::{PROVEN_AFTER_LOOKS, Serves, is_down, is_gone, is_out, serves, wants};
use crate::decide::verdict::checks_are_ok;
use crate::model::{
    AilmentKind, GroupView, Instance, InstanceId, InstanceState, Intent, Launch, Lifecycle, RepairOf,
    Replacement, Step, TargetStep, Timer, tags,
};
use crate::policy::{OldInstance, OnDeregistered, Slot};
use std::time::Duration;

/// S1: the complete read that a step rests on is at most this old.
const COMPLETE_READ_HOLDS_FOR: Duration = Duration::from_secs(60);

/// Everything that a step other than a start would break.
pub(super) fn check(intent: &Intent, evidence: &Evidence<'_>, out: &mut Vec<Refusal>) {
    if matches!(intent.step, Step::Start { .. }) {
        return;
    }
    s1_whole_view(evidence, out);
    let case = Case {
        evidence,
        one: replacement_of(intent, evidence),
        of: intent.step.repair(),
    };
    match &intent.step {
        Step::Start { .. } => {}
        Step::Launch(launch) => case.launch(launch, out),
        Step::Register(target) => case.register(target, out),
        Step::Deregister(target) => case.deregister(target, out),
        Step::Stop { instance, .. } => case.put_down(instance, false, out),
        Step::Terminate { instance, .. } => case.put_down(instance, true, out),
        Step::KeepVolume { instance, device, .. } => case.keep_volume(instance, device, out),
        Step::Retire { instance, .. } => case.retire(instance, out),
    }
}

fn replacement_of<'a>(intent: &Intent, evidence: &Evidence<'a>) -> Option<&'a Replacement> {
    let of = intent.step.repair()?;
    let one = evidence.memory.replacements.get(&of.about)?;
    (one.repair == of.repair && one.is_open()).then_some(one)
}

/// Nothing but a start rests on half a view: neither the one that it was planned on nor this one.
fn s1_whole_view(evidence: &Evidence<'_>, out: &mut Vec<Refusal>) {
    let views = [("planned on", evidence.planned_on), ("looked at", evidence.look)];
    for (which, look) in views {
        if let Some(gap) = true_coverage(look, evidence.memory).gaps().first() {
            let why = format!(
                "{} could not be read in the view that it was {which}: {}",
                gap.part, gap.why
            );
            out.push(expected("S1", why));
        }
    }
    if evidence.now.since(&evidence.planned_on.begun) > COMPLETE_READ_HOLDS_FOR {
        out.push(expected(
            "S1",
            "the complete view that it was planned on is older than 60 s".to_owned(),
        ));
    }
}

/// One step's surroundings.
struct Case<'a> {
    evidence: &'a Evidence<'a>,
    /// The open replacement that the step says it belongs to.
    one: Option<&'a Replacement>,
    of: Option<&'a RepairOf>,
}

impl<'a> Case<'a> {
    fn instance(&self, id: &InstanceId, out: &mut Vec<Refusal>) -> Option<&'a Instance> {
        let found = self.evidence.look.instances.get(id);
        if found.is_none() {
            out.push(expected(
                "S1",
                format!("{id} is not in the look that should admit the step"),
            ));
        }
        found
    }

    fn slot(&self, out: &mut Vec<Refusal>) -> Option<&'a Slot> {
        let name = &self.of?.slot;
        let slot = self.evidence.policy.slots.get(name);
        if slot.is_none() {
            out.push(expected("S16", format!("there is no slot {name} any more")));
        }
        slot
    }

    fn replacement(&self, out: &mut Vec<Refusal>) -> Option<&'a Replacement> {
        if self.one.is_none() {
            out.push(own_fault(
                "S3",
                "no replacement under way has this step".to_owned(),
            ));
        }
        self.one
    }

    /// The instance is the slot's, by its own id and tags.
    fn s1_of_slot(&self, instance: &Instance, out: &mut Vec<Refusal>) {
        let (Some(of), service) = (self.of, &self.evidence.policy.service) else {
            return;
        };
        let owner = self.evidence.claims.owner_of(instance);
        if owner != Owner::Slot(service.clone(), of.slot.clone()) {
            out.push(expected(
                "S1",
                format!("{} is not slot {}'s any more", instance.id, of.slot),
            ));
        }
        if Some(&instance.account) != self.evidence.look.caller.as_ref() {
            out.push(expected(
                "S1",
                format!("{} is in account {}", instance.id, instance.account),
            ));
        }
    }

    /// S12: too much ails at once.
    fn s12_breaker(&self, out: &mut Vec<Refusal>) {
        if let Some(why) = &self.evidence.elsewhere.breaker {
            out.push(expected("S12", format!("too much ails at once: {why}")));
        }
    }

    /// S17: never what others run.
    fn s17_ours_to_end(&self, instance: &Instance, out: &mut Vec<Refusal>) {
        let id = &instance.id;
        if !matches!(
            instance.lifecycle,
            Lifecycle::OnDemand | Lifecycle::Scheduled | Lifecycle::CapacityBlock
        ) {
            out.push(expected("S17", format!("{id} is not an on-demand instance")));
        }
        if let Some(group) = instance.auto_scaling_group() {
            out.push(expected(
                "S17",
                format!("{id} is a member of Auto Scaling group {group}"),
            ));
        }
    }

    /// S9 and S8: what is replaced is still gone, or its image is, for long enough.
    fn s9_gone(&self, one: &Replacement, out: &mut Vec<Refusal>) {
        let (look, memory) = (self.evidence.look, self.evidence.memory);
        let grace = &self.evidence.policy.grace;
        let lasted = |timer: Option<&Timer>, grace: Duration| {
            timer.is_some_and(|timer| timer.lasted >= grace && timer.looks >= LOOKS_FOR_ABSENCE)
        };
        let old = look.instances.get(&one.old).filter(|old| !is_gone(old));
        if one.kind == AilmentKind::Missing || old.is_none() {
            if old.is_some() {
                out.push(expected("S9", format!("{} is there again", one.old)));
            }
            let timer = memory.lost.get(&one.old).map(|lost| &lost.timer);
            if one.kind == AilmentKind::Missing && !lasted(timer, grace.missing) {
                out.push(own_fault(
                    "S9",
                    format!("{} is not gone for long enough", one.old),
                ));
            }
            // What ended, or hides, while its replacement for another reason waits is missing from then on.
            if one.kind == AilmentKind::ImageGone && !lasted(timer, grace.missing) {
                out.push(expected(
                    "S9",
                    format!("{} is not to be seen, and not gone for long enough", one.old),
                ));
            }
            return;
        }
        let verdict = image_verdict(look, &one.old);
        if !matches!(
            verdict,
            ImageVerdict::Deregistered { .. } | ImageVerdict::Private { .. }
        ) {
            out.push(expected(
                "S9",
                format!("the image of {} is not surely gone now", one.old),
            ));
        }
        let timer = memory
            .instances
            .get(&one.old)
            .and_then(|of| of.timers.get(&AilmentKind::ImageGone));
        if !lasted(timer, grace.image_gone) {
            out.push(own_fault(
                "S9",
                format!("the image of {} is not gone for long enough", one.old),
            ));
        }
    }

    fn launch(&self, launch: &Launch, out: &mut Vec<Refusal>) {
        self.s12_breaker(out);
        let Some(one) = self.replacement(out) else { return };
        self.s3_at_most_one(one, launch, out);
        self.s9_gone(one, out);
        if let Some(old) = self
            .evidence
            .look
            .instances
            .get(&one.old)
            .filter(|old| !is_gone(old))
        {
            self.s1_of_slot(old, out);
            self.s17_ours_to_end(old, out);
            self.s20_as_planned(old, out);
        }
        if one.abandoned.is_some() || one.quarantined.is_some() {
            out.push(own_fault(
                "S3",
                format!("the replacement of {} is not wanted", one.old),
            ));
        }
        if !wants(self.evidence.policy, &one.slot, one.kind) {
            out.push(expected(
                "S17",
                "the policy does not ask for a replacement any more".to_owned(),
            ));
        }
        self.s11_at_once(one, out);
        let has = |all: &std::collections::BTreeMap<String, String>| {
            let says = |key, value: &str| all.get(key).is_some_and(|said| said == value);
            says(tags::SERVICE, self.evidence.policy.service.as_str())
                && says(tags::REPAIR, one.repair.as_str())
        };
        if !has(&launch.tags) || !has(&launch.volume_tags) {
            out.push(own_fault("S20", "what it makes would have no owner".to_owned()));
        }
    }

    /// S3 and S4: one live instance a repair, one created by an attempt, one request by a token.
    fn s3_at_most_one(&self, one: &Replacement, launch: &Launch, out: &mut Vec<Refusal>) {
        let Some(attempt) = one
            .attempt()
            .filter(|attempt| attempt.number == launch.of.attempt)
        else {
            out.push(own_fault(
                "S3",
                format!("attempt {} is not under way", launch.of.attempt),
            ));
            return;
        };
        if attempt.instance.is_some() {
            out.push(own_fault(
                "S3",
                format!("attempt {} has its instance already", attempt.number),
            ));
        }
        let ended = one.attempts.iter().filter(|attempt| attempt.end.is_some());
        if let Some(left) = ended.into_iter().find(|attempt| !attempt.gone) {
            out.push(own_fault(
                "S3",
                format!("something of attempt {} may be left", left.number),
            ));
        }
        let living =
            self.evidence.look.instances.values().find(|instance| {
                instance.tag(tags::REPAIR) == Some(one.repair.as_str()) && !is_gone(instance)
            });
        if let Some(living) = living {
            out.push(expected("S3", format!("{} of this repair is alive", living.id)));
        }
        let stranger = self.evidence.look.instances.values().find(|instance| {
            instance.tag(tags::REPLACES) == Some(one.old.as_str())
                && !is_gone(instance)
                && !one.launched().any(|launched| *launched == instance.id)
        });
        if let Some(stranger) = stranger {
            let why = format!("{} is in the place of {} already", stranger.id, one.old);
            out.push(expected("S3", why));
        }
        let Some(last) = attempt.tries.last().filter(|last| last.token == launch.token) else {
            out.push(own_fault(
                "S4",
                "its token was not journaled with the plan".to_owned(),
            ));
            return;
        };
        if last.request.as_ref().is_some_and(|request| **request != *launch) {
            out.push(own_fault(
                "S4",
                "its token was used for another request".to_owned(),
            ));
        }
        let unanswered = attempt
            .tries
            .iter()
            .rev()
            .skip(1)
            .find(|one| one.answer == crate::model::LaunchAnswer::Unknown);
        if unanswered.is_some() {
            out.push(own_fault(
                "S3",
                "an earlier candidate has not been answered".to_owned(),
            ));
        }
    }

    /// S11: repairs at once.
    fn s11_at_once(&self, one: &Replacement, out: &mut Vec<Refusal>) {
        // Of several that have launched nothing yet, the one that was begun first goes first: none waits for the other.
        let is_ahead = |other: &Replacement| {
            let is_earlier = (other.opened, &other.old) < (one.opened, &one.old);
            other.has_launched() || (is_earlier && !other.is_waiting())
        };
        let is_under_way = |other: &&Replacement| {
            other.is_open() && other.quarantined.is_none() && other.old != one.old && is_ahead(other)
        };
        let others = self
            .evidence
            .memory
            .replacements
            .values()
            .filter(is_under_way)
            .count();
        let others = u32::try_from(others).unwrap_or(u32::MAX);
        let (here, fleet) = (
            self.evidence.policy.limits.max_concurrent,
            self.evidence.elsewhere.max_concurrent,
        );
        if others >= here || others.saturating_add(self.evidence.elsewhere.launched) >= fleet {
            out.push(expected(
                "S11",
                "as many repairs as are allowed at once are under way".to_owned(),
            ));
        }
        if one.failed_attempts() >= self.evidence.policy.limits.attempts {
            out.push(own_fault("S11", format!("{} has used up its attempts", one.old)));
        }
    }

    fn register(&self, target: &TargetStep, out: &mut Vec<Refusal>) {
        let (Some(instance), Some(slot)) = (self.instance(&target.instance, out), self.slot(out)) else {
            return;
        };
        if instance.state != InstanceState::Running {
            let why = format!(
                "{} is {}; a target has to run",
                instance.id,
                instance.state.as_str()
            );
            out.push(expected("S17", why));
        }
        self.s19_colours(target, slot, out);
        match self.one {
            Some(one) => {
                let comes_in = one.new_instance() == Some(&instance.id);
                let comes_back = one.old == instance.id
                    && one.taken_out.contains(&(target.arn.clone(), target.port))
                    && one.attempt().is_none();
                if !comes_in && !comes_back {
                    out.push(own_fault(
                        "S19",
                        format!("{} is neither coming in nor back", instance.id),
                    ));
                }
                // What was launched may have lost its tags; those of another slot make it another slot's.
                let is_anybodys = self.evidence.claims.owner_of(instance) == Owner::Nobody;
                if comes_back || !is_anybodys {
                    self.s1_of_slot(instance, out);
                }
            }
            None => self.s18_taken_out_by_others(instance, out),
        }
    }

    /// S18: what somebody has taken out is put back only as the policy says.
    fn s18_taken_out_by_others(&self, instance: &Instance, out: &mut Vec<Refusal>) {
        self.s1_of_slot(instance, out);
        self.s17_ours_to_end(instance, out);
        let policy = self.evidence.policy;
        if policy.heal.deregistered != OnDeregistered::Register {
            out.push(expected(
                "S18",
                "the policy does not say `deregistered: register`".to_owned(),
            ));
        }
        let memory = self.evidence.memory.instances.get(&instance.id);
        let timer = memory.and_then(|memory| memory.timers.get(&AilmentKind::Deregistered));
        if timer.is_none_or(|timer| timer.lasted < policy.grace.deregistered) {
            out.push(own_fault(
                "S18",
                format!("{} is not out for its whole grace", instance.id),
            ));
        }
        let times = memory.and_then(|memory| memory.registration.as_ref());
        let times = times
            .and_then(|of| of.accepted.values().max())
            .copied()
            .unwrap_or(0);
        if times >= policy.limits.attempts {
            out.push(own_fault(
                "S11",
                format!("{} was registered {times} times", instance.id),
            ));
        }
    }

    /// S19: the slot lists the group, under the policy that is in force, at this port.
    fn s19_colours(&self, target: &TargetStep, slot: &Slot, out: &mut Vec<Refusal>) {
        let group = self.evidence.look.groups.get(&target.group);
        let lists = group.is_some_and(|group| {
            let mut wanted = slot.target_groups.iter();
            group.arn == target.arn
                && group.of_instances
                && wanted
                    .any(|wanted| wanted.name == target.group && wanted.port.or(group.port) == target.port)
        });
        if !lists {
            out.push(expected(
                "S19",
                format!("its slot does not list {} at this port", target.group),
            ));
        }
    }

    fn deregister(&self, target: &TargetStep, out: &mut Vec<Refusal>) {
        self.s12_breaker(out);
        let (Some(one), Some(instance)) = (self.replacement(out), self.instance(&target.instance, out))
        else {
            return;
        };
        if one.old == instance.id && one.full.contains(&target.arn) {
            self.may_make_room(one, instance, out);
        } else {
            self.may_go(one, instance, out);
        }
        let Some(group) = self
            .evidence
            .look
            .groups
            .values()
            .find(|group| group.arn == target.arn)
        else {
            out.push(expected(
                "S6",
                format!("target group {} is not in the look", target.group),
            ));
            return;
        };
        self.s6_floor(group, &target.group, (&target.instance, target.port), out);
    }

    fn s6_floor(
        &self,
        group: &GroupView,
        name: &str,
        target: (&InstanceId, Option<u16>),
        out: &mut Vec<Refusal>,
    ) {
        let facts = self.evidence.supply.and_then(|supply| supply.groups.get(name));
        let floors = &self.evidence.elsewhere.floors;
        if let Err(hold) = may_take_out(self.evidence.look, group, facts, floors, target) {
            out.push(expected("S6", hold.sentence()));
        }
    }

    /// S7 and S8: the instance is the old one, whose replacement is proven, or what a failed attempt has left.
    fn may_go(&self, one: &Replacement, instance: &Instance, out: &mut Vec<Refusal>) {
        if one.leftovers().any(|left| *left == instance.id) {
            return;
        }
        if instance.id != one.old {
            out.push(own_fault(
                "S8",
                format!("{} is no business of this repair", instance.id),
            ));
            return;
        }
        self.s1_of_slot(instance, out);
        self.s17_ours_to_end(instance, out);
        self.s20_as_planned(instance, out);
        if one.put_down.is_none() {
            self.s9_gone(one, out);
        }
        self.s7_proven(one, out);
    }

    /// S20: nothing has come to hang on the old one, or gone, since it was decided that nothing would be lost with it.
    fn s20_as_planned(&self, old: &Instance, out: &mut Vec<Refusal>) {
        let planned = self.evidence.planned_on.instances.get(&old.id);
        if planned.is_some_and(|planned| planned.digest != old.digest) {
            out.push(expected(
                "S20",
                format!("{} has changed since the look that this was planned on", old.id),
            ));
        }
    }

    /// S7: a full group is left by the old one before its replacement can be proven there. It has to be up, at least; the floor
    /// is asked as for any other.
    fn may_make_room(&self, one: &Replacement, instance: &Instance, out: &mut Vec<Refusal>) {
        self.s1_of_slot(instance, out);
        self.s17_ours_to_end(instance, out);
        self.s20_as_planned(instance, out);
        self.s9_gone(one, out);
        let look = self.evidence.look;
        let is_up = |id: &InstanceId| {
            let runs = look
                .instances
                .get(id)
                .is_some_and(|new| new.state == InstanceState::Running);
            runs && look.statuses.get(id).is_some_and(checks_are_ok)
        };
        if !one.new_instance().is_some_and(is_up) {
            let why = format!("the replacement of {} is not up now", one.old);
            out.push(expected("S7", why));
        }
    }

    fn s7_proven(&self, one: &Replacement, out: &mut Vec<Refusal>) {
        let proven = one
            .attempt()
            .filter(|attempt| attempt.healthy_looks >= PROVEN_AFTER_LOOKS);
        let Some(attempt) = proven else {
            out.push(own_fault(
                "S7",
                format!("the replacement of {} is not proven", one.old),
            ));
            return;
        };
        let new = attempt
            .instance
            .as_ref()
            .and_then(|id| self.evidence.look.instances.get(id));
        let serves_now = match (new, self.slot(out)) {
            (Some(new), Some(slot)) => serves(self.evidence.look, slot, new),
            _ => Serves::Unknown("it is not to be seen".to_owned()),
        };
        if let Serves::No(why) | Serves::Unknown(why) = serves_now {
            out.push(expected(
                "S7",
                format!("the replacement of {} does not serve now: {why}", one.old),
            ));
        }
    }

    fn put_down(&self, id: &InstanceId, ends: bool, out: &mut Vec<Refusal>) {
        self.s12_breaker(out);
        let (Some(one), Some(instance)) = (self.replacement(out), self.instance(id, out)) else {
            return;
        };
        self.may_go(one, instance, out);
        let replace = self.evidence.policy.replace.as_ref();
        let policy_ends = replace.is_some_and(|replace| replace.old_instance == OldInstance::Terminate);
        if *id == one.old && ends != policy_ends {
            out.push(expected(
                "S20",
                format!("the policy does not want {id} to end so"),
            ));
        }
        if *id != one.old && !ends {
            out.push(own_fault("S8", format!("{id} is to be terminated, not stopped")));
        }
        for group in self.evidence.look.groups.values() {
            let mut left = group
                .targets
                .iter()
                .filter(|target| target.instance == *id && !is_out(target));
            if left.next().is_some() {
                out.push(expected("S7", format!("{id} is not drained from {}", group.name)));
            }
        }
        self.s6_without_groups(instance, out);
    }

    /// S6 without target groups: enough of the service's instances stay sound.
    fn s6_without_groups(&self, instance: &Instance, out: &mut Vec<Refusal>) {
        let policy = self.evidence.policy;
        if policy.slots.values().any(|slot| !slot.target_groups.is_empty()) {
            return;
        }
        let look = self.evidence.look;
        let is_sound = |one: &&Instance| {
            one.state == InstanceState::Running && look.statuses.get(&one.id).is_some_and(checks_are_ok)
        };
        let is_ours = |one: &&Instance| matches!(self.evidence.claims.owner_of(one), Owner::Slot(service, _) if service == policy.service);
        let stay = look.instances.values().filter(|one| one.id != instance.id);
        let sound = stay.filter(is_sound).filter(is_ours).count();
        let floor = policy.limits.min_healthy;
        if is_sound(&instance) && u32::try_from(sound).unwrap_or(u32::MAX) < floor {
            out.push(expected(
                "S6",
                format!("{sound} sound instances would stay; the floor is {floor}"),
            ));
        }
    }

    /// S20: only what the repair has launched, on the device that the launch named, and only once the old one is down.
    fn keep_volume(&self, id: &InstanceId, device: &str, out: &mut Vec<Refusal>) {
        let (Some(one), Some(instance)) = (self.replacement(out), self.instance(id, out)) else {
            return;
        };
        if one.new_instance() != Some(id) || one.keeps_root.as_deref() != Some(device) {
            out.push(own_fault(
                "S20",
                format!("the volume on {device} of {id} is not this repair's to keep"),
            ));
        }
        self.s17_ours_to_end(instance, out);
        let (look, memory) = (self.evidence.look, self.evidence.memory);
        if !is_down(one, self.evidence.policy, self.evidence.claims, (look, memory)) {
            let why = format!("{} is not down: what takes its place may still fail", one.old);
            out.push(expected("S20", why));
        }
        if one.put_down.is_none() {
            self.s7_proven(one, out);
        }
    }

    fn retire(&self, id: &InstanceId, out: &mut Vec<Refusal>) {
        let (Some(one), Some(instance)) = (self.replacement(out), self.instance(id, out)) else {
            return;
        };
        if *id != one.old {
            out.push(own_fault("S8", format!("{id} is not the one that is replaced")));
        }
        self.s1_of_slot(instance, out);
        if instance.state != InstanceState::Stopped && one.put_down.is_none() {
            out.push(expected("S7", format!("{id} is {}", instance.state.as_str())));
        }
        if one.put_down.is_none() {
            self.s7_proven(one, out);
        }
    }
}
