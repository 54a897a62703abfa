//! The next step of a replacement that is under way, or what it waits for.

use super::choose::{Wish, choose, would_lose};
use super::follow::is_down;
use super::gone::image_is_doubtful;
use super::need::{Proposed, breaker, half_a_view, in_words, outside_of_windows};
use super::queue::{Queued, Rank, Risk};
use super::serve::{Serves, is_out, is_registered, serves};
use super::{PROVEN_AFTER_LOOKS, is_gone};
use crate::decide::claims::Owner;
use crate::decide::floor::may_take_out;
use crate::decide::fold::LOOKS_FOR_ABSENCE;
use crate::decide::hold::{HoldReason, short};
use crate::decide::plan::PlannedStep;
use crate::decide::remedy::gates_of;
use crate::decide::service::Input;
use crate::decide::verdict::{checks_are_ok, target_of};
use crate::model::{
    AilmentKind, GroupView, Instance, InstanceId, InstanceState, LaunchAnswer, LaunchAttempt, RepairOf,
    Replacement, Step, Target, TargetStep,
};
use crate::policy::{OldInstance, Slot};
use jiff::SignedDuration;
use std::time::Duration;

/// AWS's answers are no older than this.
const SHOWN_WITHIN: SignedDuration = SignedDuration::from_mins(5);
/// A stop that AWS accepts again and again, and that never comes, is given up after this: what runs is left to people.
const STOPPED_IN_VAIN: SignedDuration = SignedDuration::from_mins(30);

/// Adds the steps and holds of one replacement.
pub(super) fn go_on(input: &Input<'_>, one: &Replacement, proposed: &mut Proposed) {
    let mut worker = Worker {
        input,
        one,
        slot: input.policy.slots.get(&one.slot),
        steps: Vec::new(),
        holds: Vec::new(),
    };
    worker.work();
    let Worker { steps, holds, .. } = worker;
    proposed.queue.push(queued(input, one, &holds));
    proposed.steps.extend(steps);
    let new = one.new_instance().cloned();
    for hold in holds {
        // Both see why nothing moves.
        for id in new.iter().chain([&one.old]) {
            proposed.holds.push((one.slot.clone(), id.clone(), hold.clone()));
        }
    }
}

/// Its place in the queue. Others wait for what has launched something or taken something out, and while nothing but its own
/// cooldown keeps it from going on; not for another week's window, for capacity or for a person.
fn queued(input: &Input<'_>, one: &Replacement, holds: &[HoldReason]) -> Queued {
    let is_awaited =
        |hold: &HoldReason| matches!(hold, HoldReason::Cooldown { .. } | HoldReason::Replacing { .. });
    let attempt = one.attempt();
    let candidate = attempt
        .and_then(|attempt| attempt.tries.last())
        .map(|last| last.candidate.clone());
    Queued {
        rank: Rank {
            risk: Risk::Down,
            since: one.opened,
            service: input.policy.service.clone(),
            instance: one.old.clone(),
        },
        slot: one.slot.clone(),
        kind: one.kind,
        evidence: one.evidence.clone(),
        ready: one.quarantined.is_none(),
        under_way: true,
        goes_on: one.quarantined.is_none() && (one.is_in_motion() || holds.iter().all(is_awaited)),
        in_motion: one.quarantined.is_none() && one.is_in_motion(),
        quarantined: one.quarantined.is_some(),
        not_before: None,
        candidate,
        new_public_ip: input
            .blueprints
            .get(&one.old)
            .is_some_and(|blueprint| blueprint.public_ip),
        offers: Vec::new(),
    }
}

struct Worker<'a> {
    input: &'a Input<'a>,
    one: &'a Replacement,
    slot: Option<&'a Slot>,
    steps: Vec<PlannedStep>,
    holds: Vec<HoldReason>,
}

impl<'a> Worker<'a> {
    fn work(&mut self) {
        let look = self.input.look;
        let mut touched: Vec<(&InstanceId, Option<&Instance>)> =
            vec![(&self.one.old, look.instances.get(&self.one.old))];
        touched.extend(self.one.launched().map(|id| (id, look.instances.get(id))));
        self.holds = gates_of(self.input, &touched);
        if self.holds.is_empty() {
            self.holds.extend(half_a_view(self.input));
        }
        if !self.holds.is_empty() {
            return;
        }
        if let Some(retry) = self.one.retry.as_ref().filter(|_| !self.one.wait.is_zero()) {
            self.holds.push(HoldReason::Retry {
                why: retry.why.clone(),
                tries: retry.tries,
                left: self.one.wait,
            });
            return;
        }
        if self.one.attempt().is_none() {
            self.bring_back();
        }
        self.end_leftovers();
        if let Some(why) = &self.one.abandoned {
            self.waits(format!("being given up: {why}"));
            return;
        }
        match self.one.attempt() {
            None => self.try_again(),
            Some(attempt) => self.follow_attempt(attempt),
        }
    }

    fn waits(&mut self, phase: String) {
        let attempt = self.one.attempts.last();
        self.holds.push(HoldReason::Replacing {
            attempt: attempt.map_or(1, |attempt| attempt.number),
            with: attempt.and_then(|attempt| attempt.instance.clone()),
            phase,
        });
    }

    fn step(&mut self, step: Step, why: String) {
        if self.one.asked.contains_key(&step.key()) {
            self.waits(format!(
                "AWS accepted {}; its effect is awaited",
                step.operation()
            ));
            return;
        }
        // While too much ails at once, nothing goes down and nothing new comes; what runs may serve.
        let is_harmless = matches!(step, Step::Register(_) | Step::Retire { .. });
        if let Some(hold) = breaker(self.input).filter(|_| !is_harmless) {
            if !self.holds.contains(&hold) {
                self.holds.push(hold);
            }
            return;
        }
        self.steps.push(PlannedStep { step, why });
    }

    fn of(&self) -> RepairOf {
        RepairOf {
            slot: self.one.slot.clone(),
            repair: self.one.repair.clone(),
            about: self.one.old.clone(),
            attempt: self.one.attempts.last().map_or(1, |attempt| attempt.number),
        }
    }

    fn groups(&self) -> impl Iterator<Item = (&'a String, &'a GroupView)> + use<'a> {
        let mut seen = Vec::new();
        self.input.look.groups.iter().filter(move |(_, group)| {
            let fresh = group.of_instances && !seen.contains(&&group.arn);
            seen.push(&group.arn);
            fresh
        })
    }

    /// An attempt has failed, or is given up, after the old one had been taken out: it serves again.
    fn bring_back(&mut self) {
        let old = self.input.look.instances.get(&self.one.old);
        if old.is_none_or(|old| old.state != InstanceState::Running) {
            return;
        }
        for (arn, port) in &self.one.taken_out {
            let Some((name, group)) = self.groups().find(|(_, group)| group.arn == *arn) else {
                continue;
            };
            if self.one.full.contains(arn) && self.holds_a_place(group) {
                continue;
            }
            let is_it = |target: &&Target| target.instance == self.one.old && target.port == *port;
            if group.targets.iter().filter(is_it).any(is_registered) || !self.lists(name, group, *port) {
                continue;
            }
            let step = Step::Register(TargetStep {
                instance: self.one.old.clone(),
                group: name.clone(),
                arn: arn.clone(),
                port: *port,
                of: self.of(),
            });
            self.step(
                step,
                "its replacement failed after it was taken out: it serves again".to_owned(),
            );
        }
    }

    /// What a failed attempt has left is still in the group, which has no room for both.
    fn holds_a_place(&self, group: &GroupView) -> bool {
        let mut left = self.one.leftovers();
        left.any(|id| {
            group
                .targets
                .iter()
                .any(|target| target.instance == *id && is_registered(target))
        })
    }

    /// S19: whether the slot, as the policy has it now, lists the group at this port.
    fn lists(&self, name: &str, group: &GroupView, port: Option<u16>) -> bool {
        self.slot.is_some_and(|slot| {
            let mut wanted = slot.target_groups.iter();
            wanted.any(|wanted| wanted.name == name && wanted.port.or(group.port) == port)
        })
    }

    /// What failed attempts have left: out of every group, then terminated.
    fn end_leftovers(&mut self) {
        let left: Vec<InstanceId> = self.one.leftovers().cloned().collect();
        for id in left {
            let Some(instance) = self.input.look.instances.get(&id) else {
                self.waits(format!("{id} of a failed attempt is not to be seen"));
                continue;
            };
            if is_gone(instance) {
                self.waits(format!("{id} of a failed attempt is terminating"));
                continue;
            }
            let why = format!(
                "{id} was launched to take the place of {}, and did not",
                self.one.old
            );
            if self.take_out(&id, &why) {
                let step = Step::Terminate {
                    instance: id.clone(),
                    of: self.of(),
                };
                self.step(step, why);
            }
        }
    }

    /// Takes an instance out of every group that it is in, on all ports. Returns whether nothing of it is left there.
    fn take_out(&mut self, id: &InstanceId, why: &str) -> bool {
        let mut is_clear = true;
        let groups: Vec<(&String, &GroupView)> = self.groups().collect();
        for (name, group) in groups {
            for target in group
                .targets
                .iter()
                .filter(|target| target.instance == *id && !is_out(target))
            {
                is_clear = false;
                self.take_out_of((name, group), target, why);
            }
        }
        is_clear
    }

    fn take_out_of(&mut self, (name, group): (&str, &GroupView), target: &Target, why: &str) {
        let id = &target.instance;
        if !is_registered(target) {
            let since = self.one.draining_since;
            let lasted = since.map(|since| self.input.now.duration_since(since));
            let lasted = lasted
                .and_then(|lasted| Duration::try_from(lasted).ok())
                .unwrap_or_default();
            self.waits(format!("{id} drains from {name} for {}", short(lasted)));
            return;
        }
        let facts = self.input.supply.and_then(|supply| supply.groups.get(name));
        let floors = &self.input.elsewhere.floors;
        match may_take_out(self.input.look, group, facts, floors, (id, target.port)) {
            Err(hold) => self.holds.push(hold),
            Ok(()) => {
                let step = Step::Deregister(TargetStep {
                    instance: id.clone(),
                    group: name.to_owned(),
                    arn: group.arn.clone(),
                    port: target.port,
                    of: self.of(),
                });
                self.step(step, why.to_owned());
            }
        }
    }

    /// No attempt is under way: begin the next one, once nothing is left of the last.
    fn try_again(&mut self) {
        if let Some(since) = self.one.quarantined {
            self.holds.push(HoldReason::Quarantined {
                since,
                failed: self.one.failed_attempts(),
            });
            return;
        }
        if self
            .one
            .attempts
            .iter()
            .any(|attempt| attempt.end.is_some() && !attempt.gone)
            || !self.one.taken_out.is_empty()
        {
            if self.holds.is_empty() && self.steps.is_empty() {
                self.waits("the last attempt is being cleared away".to_owned());
            }
            return;
        }
        if !self.one.wait.is_zero() {
            self.holds.push(HoldReason::Cooldown {
                failed: self.one.failed_attempts(),
                left: self.one.wait,
            });
            return;
        }
        if let Some(hold) = self.others_at_once() {
            self.holds.push(hold);
            return;
        }
        let number = self.one.tried.saturating_add(1);
        self.launch(number, &[]);
    }

    /// Whoever began while this one waited goes first.
    fn others_at_once(&self) -> Option<HoldReason> {
        let is_ahead = |one: &&Replacement| {
            one.is_open() && one.quarantined.is_none() && one.old != self.one.old && !one.is_waiting()
        };
        let others = self.input.memory.replacements.values().filter(is_ahead);
        let others: Vec<InstanceId> = others.map(|one| one.old.clone()).collect();
        let limit = self.input.policy.limits.max_concurrent;
        let is_full = u32::try_from(others.len()).unwrap_or(u32::MAX) >= limit;
        is_full.then_some(HoldReason::Concurrent { others, limit })
    }

    /// Of several that wait for their launch, what was begun first goes first; none waits for one that waits itself.
    fn others_ahead(&self) -> Option<HoldReason> {
        if self.one.has_launched() {
            return None;
        }
        let is_ahead = |other: &&Replacement| {
            let is_other = other.is_open() && other.quarantined.is_none() && other.old != self.one.old;
            let is_earlier = (other.opened, &other.old) < (self.one.opened, &self.one.old);
            is_other && (other.has_launched() || (is_earlier && !other.is_waiting()))
        };
        let others = self.input.memory.replacements.values().filter(is_ahead);
        let others: Vec<InstanceId> = others.map(|one| one.old.clone()).collect();
        let here = u32::try_from(others.len()).unwrap_or(u32::MAX);
        let limit = self.input.policy.limits.max_concurrent;
        if here >= limit {
            return Some(HoldReason::Concurrent { others, limit });
        }
        let elsewhere = self.input.elsewhere.launched;
        let limit = self.input.elsewhere.max_concurrent;
        (here.saturating_add(elsewhere) >= limit).then_some(HoldReason::FleetBusy {
            others: elsewhere,
            limit,
        })
    }

    /// While this one waited, another service's dead image had its turn: one at a time over all of them.
    fn another_under_way(&self) -> Option<HoldReason> {
        if self.one.kind != AilmentKind::ImageGone || self.one.is_in_motion() {
            return None;
        }
        let is_it = |other: &&Queued| other.kind == AilmentKind::ImageGone && other.in_motion;
        let other = self.input.elsewhere.queue.iter().find(is_it)?;
        Some(HoldReason::Queued {
            behind: other.in_words(),
        })
    }

    fn launch(&mut self, number: u32, refused: &[crate::model::LaunchTry]) {
        let Some(slot) = self.slot else { return };
        // What was not sent in one window, or failed in it, waits for the next while the old one serves.
        let old = self.input.look.instances.get(&self.one.old);
        // What ended, or hides, while this waited is missing from then on, whatever its image.
        let lost = self.input.memory.lost.get(&self.one.old);
        let is_lost = lost.is_some_and(|lost| {
            lost.timer.lasted >= self.input.policy.grace.missing && lost.timer.looks >= LOOKS_FOR_ABSENCE
        });
        if self.one.kind == AilmentKind::ImageGone && old.is_none_or(is_gone) && !is_lost {
            self.waits(format!("{} is not to be seen any more", self.one.old));
            return;
        }
        // What is down waits for nobody's dead image.
        if let Some(hold) = self.another_under_way().filter(|_| !old.is_none_or(is_gone)) {
            self.holds.push(hold);
            return;
        }
        if let Some(hold) = image_is_doubtful(self.input, self.one).or_else(|| self.others_ahead()) {
            self.holds.push(hold);
            return;
        }
        let serves = old.is_some_and(|old| old.state == InstanceState::Running);
        if self.one.kind == AilmentKind::ImageGone
            && serves
            && let Some(hold) = outside_of_windows(self.input)
        {
            self.holds.push(hold);
            return;
        }
        let of = RepairOf {
            attempt: number,
            ..self.of()
        };
        let wish = Wish {
            slot,
            old: &self.one.old,
            refused,
        };
        match choose(self.input, &wish, &of) {
            Ok(launch) => {
                let why = format!(
                    "{}: {}; {}",
                    self.one.kind.as_str(),
                    self.one.evidence,
                    in_words(&launch)
                );
                self.step(Step::Launch(Box::new(launch)), why);
            }
            Err(hold) => self.holds.push(hold),
        }
    }

    fn follow_attempt(&mut self, attempt: &LaunchAttempt) {
        let Some(id) = &attempt.instance else {
            match attempt.tries.last() {
                Some(last) if last.answer == LaunchAnswer::Unknown => match &last.request {
                    Some(_) if let Some(hold) = image_is_doubtful(self.input, self.one) => {
                        self.holds.push(hold);
                    }
                    // The same token, the same request: AWS says what became of the first one, and makes no second.
                    Some(request) => {
                        let why = "no answer came to this launch: the same token is asked again".to_owned();
                        self.step(Step::Launch(request.clone()), why);
                    }
                    None => self
                        .waits("AWS says that its token was used: looking for what was launched".to_owned()),
                },
                _ => self.launch(attempt.number, &attempt.tries),
            }
            return;
        };
        let Some(new) = self.input.look.instances.get(id) else {
            self.waits(format!("{id} was launched and is not to be seen yet"));
            return;
        };
        match &new.state {
            InstanceState::Running => self.bring_in(attempt, new),
            // The old one is down already: what is left is to mark it.
            _ if self.one.put_down.is_some() => self.put_down(),
            state => self.waits(format!("{id} is {}", state.as_str())),
        }
    }

    /// It has the old one's place for good: its root volume outlives it from now on, if the old one's did. Returns whether that
    /// is left to do.
    fn keep_volume(&mut self, new: &Instance) -> bool {
        let Some(device) = self.one.keeps_root.clone() else {
            return false;
        };
        let (memory, look) = (self.input.memory, self.input.look);
        if !is_down(self.one, self.input.policy, self.input.claims, (look, memory)) {
            return false;
        }
        match new.root_stays {
            Some(true) => return false,
            Some(false) => {
                let (instance, of) = (new.id.clone(), self.of());
                let why = format!("the root volume of {} outlives it, too", self.one.old);
                self.step(Step::KeepVolume { instance, device, of }, why);
            }
            None => self.waits(format!("{}: its root volume is not to be seen", new.id)),
        }
        true
    }

    /// It runs: into the groups, and then in the old one's place.
    fn bring_in(&mut self, attempt: &LaunchAttempt, new: &Instance) {
        let (look, id) = (self.input.look, &new.id);
        if self.one.put_down.is_some() {
            if self.keep_volume(new) {
                return;
            }
            self.put_down();
            return;
        }
        let Some(slot) = self.slot else { return };
        if let Owner::Slot(service, other) = self.input.claims.owner_of(new)
            && (service != self.input.policy.service || other != self.one.slot)
        {
            self.waits(format!("the tags of {id} give it to slot {other} of {service}"));
            return;
        }
        if !look.statuses.get(id).is_some_and(checks_are_ok) {
            let lasted = short(attempt.lasted);
            self.waits(format!(
                "{id} runs, its status checks are awaited ({lasted} since its launch)"
            ));
            return;
        }
        let (before, held) = (self.steps.len(), self.holds.len());
        for wanted in &slot.target_groups {
            let Some(group) = look.groups.get(&wanted.name).filter(|group| group.of_instances) else {
                continue;
            };
            if target_of(group, wanted, new).is_some_and(is_registered) {
                continue;
            }
            if self.one.full.contains(&group.arn) && self.makes_room((&wanted.name, group), id) {
                continue;
            }
            let step = Step::Register(TargetStep {
                instance: id.clone(),
                group: wanted.name.clone(),
                arn: group.arn.clone(),
                port: wanted.port.or(group.port),
                of: self.of(),
            });
            self.step(step, format!("it takes the place of {}", self.one.old));
        }
        if self.steps.len() > before || self.holds.len() > held {
            return;
        }
        if attempt.healthy_looks < PROVEN_AFTER_LOOKS {
            let why = match serves(look, slot, new) {
                Serves::No(why) | Serves::Unknown(why) => why,
                Serves::Yes => format!(
                    "healthy in {} of the {PROVEN_AFTER_LOOKS} looks in a row that it needs",
                    attempt.healthy_looks
                ),
            };
            self.waits(format!("{id}: {why}"));
            return;
        }
        if !self.keep_volume(new) {
            self.hand_over(new);
        }
    }

    /// The group is full: the old one gives its place up first, if the floor allows. Returns whether the place is still taken.
    fn makes_room(&mut self, (name, group): (&str, &GroupView), new: &InstanceId) -> bool {
        let old = &self.one.old;
        let theirs = group
            .targets
            .iter()
            .filter(|target| target.instance == *old && is_registered(target));
        let theirs: Vec<&Target> = theirs.collect();
        let doubt = || image_is_doubtful(self.input, self.one).or_else(|| would_lose(self.input, old));
        if let Some(hold) = doubt().filter(|_| !theirs.is_empty()) {
            self.holds.push(hold);
            return true;
        }
        for target in &theirs {
            let why = format!("target group {name} has no room for {new} beside it");
            self.take_out_of((name, group), target, &why);
        }
        !theirs.is_empty()
    }

    /// The new one is proven: the old one goes.
    fn hand_over(&mut self, new: &Instance) {
        let Some(old) = self
            .input
            .look
            .instances
            .get(&self.one.old)
            .filter(|old| !is_gone(old))
        else {
            self.waits(format!("{} serves in its place", new.id));
            return;
        };
        if self.one.kind == AilmentKind::Missing {
            self.waits(format!("{} serves in its place", new.id));
            return;
        }
        // What has come to hang on it since the launch is not given up with it.
        let doubt = image_is_doubtful(self.input, self.one);
        if let Some(hold) = doubt.or_else(|| would_lose(self.input, &self.one.old)) {
            self.holds.push(hold);
            return;
        }
        let why = format!("{} serves in its place, and its image is gone", new.id);
        if self.take_out(&old.id, &why) {
            self.put_down();
        }
    }

    /// It was stopped by this repair, and runs all the same, longer than AWS's answers are old: it has been started since, or
    /// will not be stopped. Either way it is for people.
    fn is_left_to_people(&self, old: &Instance) -> bool {
        let lasted = self.one.put_down.map(|at| self.input.now.duration_since(at));
        let is_another_start = self.one.old_started.is_none() || old.launched_at != self.one.old_started;
        let is_sure = |lasted| lasted > SHOWN_WITHIN && (is_another_start || lasted > STOPPED_IN_VAIN);
        lasted.is_some_and(is_sure)
    }

    /// The new one was proven, or the old one would not have been put down; it is not well at this moment.
    fn serves_no_more(&self) -> bool {
        let attempt = self.one.attempt();
        attempt.is_some_and(|attempt| attempt.healthy_looks < PROVEN_AFTER_LOOKS)
    }

    fn put_down(&mut self) {
        let Some(old) = self.input.look.instances.get(&self.one.old) else {
            return;
        };
        let replace = self.input.policy.replace.as_ref();
        let ends = replace.is_some_and(|replace| replace.old_instance == OldInstance::Terminate);
        let (instance, of) = (old.id.clone(), self.of());
        match &old.state {
            InstanceState::Pending | InstanceState::Running if !ends && self.is_left_to_people(old) => {
                // A person's hand wins: it may run, and counts no more.
                let at = format!("{:.0}", self.input.now);
                let step = Step::Retire { instance, of, at };
                let why = if old.launched_at == self.one.old_started {
                    "its replacement serves, and AWS accepts its stop again and again without stopping it: it is left to people"
                } else {
                    "its replacement serves, and somebody has started it: it is left to them"
                };
                self.step(step, why.to_owned());
            }
            InstanceState::Pending | InstanceState::Running if self.serves_no_more() => {
                let why = format!("{} still runs, and its replacement does not serve now", old.id);
                self.waits(why);
            }
            InstanceState::Pending | InstanceState::Running if !ends => {
                self.step(
                    Step::Stop { instance, of },
                    "it is drained, and its replacement serves".to_owned(),
                );
            }
            InstanceState::Pending | InstanceState::Running | InstanceState::Stopped if ends => {
                let step = Step::Terminate { instance, of };
                self.step(step, "it is drained, and its replacement serves".to_owned());
            }
            InstanceState::Stopped if !old.is_retired() => {
                let at = format!("{:.0}", self.input.now);
                let step = Step::Retire { instance, of, at };
                self.step(step, "its replacement serves: it counts no more".to_owned());
            }
            state => self.waits(format!("{} is {}", old.id, state.as_str())),
        }
    }
}
