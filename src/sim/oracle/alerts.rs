//! That people are told, once, in time, and of what: L6.
//!
//! What must be told of is seen by the world's own truth, at each look that the controller is given: an instance that is
//! down, one that no start helps, an account of which too much ails, a flag that cannot be read, a policy file that is
//! refused. It stands from the first such look to the last. A stretch that is disturbed (a policy, a clock, the disk, a look
//! that did not come) begins anew, and one whose channel does not work demands nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::case::{Case, was_stopped_by_person};
use super::declared::{Declared, Service};
use super::tally::Findings;
use super::watch::Looks;
use super::{DAY, HOUR, caps, step};
use crate::sim::world::api::Answer;
use crate::sim::world::webhook::Post;
use crate::sim::world::{Instance, State, World, earlier, later};

/// What needs a person is told within so long of being seen.
const TOLD_WITHIN: Duration = Duration::from_secs(5 * 60);
/// A pass under way, the grid that quiet services share, and the way to the channel.
const SLACK: Duration = Duration::from_secs(60);
/// A breaker that was not below its threshold for so long has not closed.
const CLOSES_AFTER: Duration = Duration::from_secs(600);
/// A finding that may be a view's own fault is told after three looks in a row.
const LOOKS: u32 = 3;
/// So far may a wall clock be wrong, by which days are counted.
const CLOCK_OFF: Duration = Duration::from_secs(2 * 3600);

/// What stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// An instance that is meant to run is stopped.
    Down,
    /// No start helped.
    Quarantine,
    Breaker,
    UnreadableFlag,
    RefusedPolicy,
}

impl Kind {
    /// Exactly one alert, and a reminder each day.
    fn is_alert(self) -> bool {
        self != Kind::Down
    }
}

/// One thing that stands.
#[derive(Debug, Clone)]
struct Standing {
    /// Told of since then, it is told.
    origin: Timestamp,
    /// Undisturbed since.
    since: Timestamp,
    latest: Timestamp,
    /// Policies, clocks or the disk have changed since the latest look.
    jolted: bool,
    host: String,
    /// What the message must say: the object's id, and for an alert what is wrong with it.
    words: Vec<String>,
}

/// Everything that stands, by what it is and about which object.
#[derive(Debug, Default)]
pub(super) struct Alerts {
    standing: BTreeMap<(Kind, String), Standing>,
    /// Breakers whose cause was gone at some look: since when they stood, and when the cause was last seen.
    gone: BTreeMap<String, (Timestamp, Timestamp)>,
}

/// What a judgement needs.
struct Bench<'a> {
    looks: &'a Looks,
    world: &'a World,
    interval: Duration,
}

/// A slot of the service has fewer living instances than its count.
fn lacks_any(world: &World, declared: &Declared, service: &Service) -> bool {
    service.slots.iter().filter(|slot| !slot.idle).any(|slot| {
        let is_there = |i: &&Arc<Instance>| {
            let owner = declared.owner_of(i);
            owner.is_some_and(|(of, s)| of.name == service.name && s.name == slot.name) && !step::is_gone(i)
        };
        world.instances().filter(is_there).count() < slot.count
    })
}

impl Alerts {
    /// Policies, clocks or disk have changed: what stands has stood undisturbed until now.
    pub(super) fn jolt(&mut self) {
        self.standing
            .values_mut()
            .for_each(|standing| standing.jolted = true);
    }

    /// Other policies are declared: a file that is not refused any more may be refused anew.
    pub(super) fn declared(&mut self, declared: &Declared) {
        self.standing
            .retain(|(kind, file), _| *kind != Kind::RefusedPolicy || declared.refused.contains(file));
    }

    /// The run is over.
    pub(super) fn end(&mut self, looks: &Looks, world: &World, declared: &Declared, findings: &mut Findings) {
        let bench = Bench {
            looks,
            world,
            interval: declared.interval,
        };
        for ((kind, _), standing) in std::mem::take(&mut self.standing) {
            bench.judge(kind, &standing, findings);
        }
    }

    /// The controller was shown instances.
    pub(super) fn shown(&mut self, looks: &Looks, case: &Case, answer: &Answer, findings: &mut Findings) {
        let Answer::Instances { items, .. } = answer else {
            return;
        };
        // What a passer-by is shown the controller need not know.
        if case.arrival.dry_run {
            return;
        }
        let (world, declared) = (case.world(), case.newest);
        let bench = Bench {
            looks,
            world,
            interval: declared.interval,
        };
        for shown in items {
            self.of_instance(&bench, case, shown, findings);
        }
        let scope = case.arrival.request.caller.scope();
        let here = || declared.services.iter().filter(|service| service.scope == scope);
        let now = world.now();
        // What was told within the hour was told: a flag that could be read for a moment, an account that was well for one.
        let lately = earlier(now, HOUR);
        let read = case.memory.pause_reads.get(&case.arrival.incarnation);
        for (service, host) in here().filter_map(|s| Some((s, s.channel.as_ref()?))) {
            let is_unreadable = matches!(read, Some((_, false)));
            let words = [&service.name, "pause unreadable"];
            let key = (Kind::UnreadableFlag, service.name.clone());
            self.note(
                &bench,
                key,
                is_unreadable.then_some((lately, host, words)),
                findings,
            );
        }
        let Some(host) = here().find_map(|service| service.channel.as_ref()) else {
            return;
        };
        let melts = case
            .memory
            .meltdowns
            .get(&scope.account)
            .is_some_and(|melt| melt.last == now);
        let words = [scope.account.as_str(), "too much ails at once"];
        let key = (Kind::Breaker, scope.account.clone());
        let still_lacks = melts && here().any(|service| lacks_any(world, declared, service));
        let origin = self.origin_of_breaker(&bench, &key, (melts, still_lacks), lately);
        self.note(&bench, key, melts.then_some((origin, host, words)), findings);
        for file in &declared.refused {
            let key = (Kind::RefusedPolicy, file.clone());
            let words = [file.as_str(), "is refused"];
            self.note(&bench, key, Some((now, host, words)), findings);
        }
    }

    /// A breaker closes only after it was seen below its threshold for ten minutes: what comes back before that is the same one,
    /// and was told of when it began. What AWS has lost ails until somebody has brought its slot to its count again, also after
    /// it has left AWS's answers: so long it may not have been below.
    fn origin_of_breaker(
        &mut self,
        bench: &Bench,
        key: &(Kind, String),
        (melts, still_lacks): (bool, bool),
        lately: Timestamp,
    ) -> Timestamp {
        let now = bench.world.now();
        match self.standing.get(key) {
            Some(before) if !melts => {
                self.gone.insert(key.1.clone(), (before.origin, before.latest));
                before.origin
            }
            Some(before) => before.origin,
            None => {
                let may_last = CLOSES_AFTER + bench.interval * 2 + SLACK;
                let before = self
                    .gone
                    .get(&key.1)
                    .filter(|(_, latest)| still_lacks || later(*latest, may_last) >= now);
                before.map_or(lately, |(origin, _)| *origin)
            }
        }
    }

    fn of_instance(&mut self, bench: &Bench, case: &Case, shown: &Instance, findings: &mut Findings) {
        if shown.state != State::Stopped && self.standing.is_empty() {
            return;
        }
        let Some((service, truth)) = meant_to_run(case, shown) else {
            for kind in [Kind::Down, Kind::Quarantine] {
                self.note::<1>(bench, (kind, shown.id.clone()), None, findings);
            }
            return;
        };
        let Some(host) = service.channel.as_ref() else {
            return;
        };
        let id = truth.id.as_str();
        let failed = failed_since(case, service, id);
        let down = truth.stop_began.filter(|_| !was_tried(case, id));
        let key = (Kind::Down, id.to_owned());
        // Whose other calls fail, the one that says in which account it is among them, may know nothing for certain.
        let account = &case.arrival.request.caller.account;
        if let Some(standing) = self.standing.get_mut(&key) {
            standing.jolted |= bench.looks.was_disturbed(account, standing.latest);
        }
        self.note(
            bench,
            key,
            down.map(|began| (earlier(began, HOUR), host, [id])),
            findings,
        );
        let key = (Kind::Quarantine, id.to_owned());
        let words = [id, "quarantined"];
        self.note(bench, key, failed.map(|at| (at, host, words)), findings);
    }

    /// It stands, since then at the earliest; or it does not, and what stood is judged.
    fn note<const N: usize>(
        &mut self,
        bench: &Bench,
        key: (Kind, String),
        stands: Option<(Timestamp, &String, [&str; N])>,
        findings: &mut Findings,
    ) {
        let now = bench.world.now();
        let Some((origin, host, words)) = stands else {
            if let Some(before) = self.standing.remove(&key) {
                bench.judge(key.0, &before, findings);
            }
            return;
        };
        let words = words.map(str::to_owned);
        let fresh = Standing {
            origin,
            since: now,
            latest: now,
            jolted: false,
            host: host.clone(),
            words: words.to_vec(),
        };
        let Some(standing) = self.standing.get_mut(&key) else {
            self.standing.insert(key, fresh);
            return;
        };
        if standing.jolted || later(standing.latest, bench.interval * 2 + SLACK) < now {
            let origin = standing.origin;
            bench.judge(key.0, standing, findings);
            *standing = Standing { origin, ..fresh };
        }
        standing.latest = now;
    }
}

/// The instance is shown as stopped, is so, and its one service wants it to run, whatever it does about that.
fn meant_to_run<'a>(case: &Case<'a>, shown: &Instance) -> Option<(&'a Service, &'a Instance)> {
    let truth = case.world().instance(&shown.id)?;
    if shown.state != State::Stopped || truth.state != State::Stopped {
        return None;
    }
    let (service, slot) = case.newest.owner_of(truth)?;
    let account = service.account.as_ref();
    let members = case.world().instances().filter(|i| {
        !matches!(i.state, State::Terminated | State::ShuttingDown)
            && service.slots_of(i).any(|other| other.name == slot.name)
    });
    let is_wanted = !slot.idle
        && account.is_none_or(|account| *account == truth.scope.account)
        && !case.memory.excused.contains(&truth.id)
        && case.world().staleness() == Default::default()
        && members.count() <= slot.count;
    is_wanted.then_some((service, truth))
}

/// One that was started lately was told of then.
fn was_tried(case: &Case, id: &str) -> bool {
    let written = case.memory.own_writes.get(id);
    written.is_some_and(|at| later(*at, DAY) > case.now())
}

/// As many starts in a row as the policy allows came to nothing: since when that is so at the earliest.
pub(super) fn failed_since(case: &Case, service: &Service, id: &str) -> Option<Timestamp> {
    let mut in_row = caps::failed_in_row(case.memory, service, id);
    let last = in_row.next()?.at;
    (in_row.count() + 1 >= service.attempts).then_some(last)
}

impl Bench<'_> {
    fn judge(&self, kind: Kind, standing: &Standing, findings: &mut Findings) {
        let patience = match kind {
            // Of a stop that is left alone, at the end of its grace.
            Kind::Down if self.is_by_person(standing) => HOUR,
            _ => TOLD_WITHIN,
        } + self.interval * LOOKS
            + SLACK;
        let deadline = later(standing.since, patience);
        if standing.latest < deadline || !self.works(standing) {
            return;
        }
        let told: Vec<&Post> = self
            .world
            .posts(&standing.host)
            .iter()
            .filter(|post| {
                post.status == Some(200) && post.at >= standing.origin && post.at <= standing.latest
            })
            .filter(|post| {
                let headline = headline(post);
                let asks = !kind.is_alert() || headline.contains("eeds a person: ");
                asks && standing.words.iter().all(|word| headline.contains(word.as_str()))
            })
            .collect();
        let words = standing.words.join(" … ");
        findings.require(told.first().is_some_and(|post| post.at <= deadline), || {
            format!(
                "`{words}` stands since {} and was not told by {deadline}; first told at {:?}",
                standing.since,
                told.first().map(|post| post.at)
            )
        });
        if kind.is_alert() {
            // What comes and goes within a moment may be news again.
            let from = match kind {
                Kind::Breaker | Kind::UnreadableFlag => standing.since,
                _ => standing.origin,
            };
            let alerts = told
                .iter()
                .filter(|post| post.at >= from && headline(post).starts_with("Needs"));
            let count = alerts.count();
            findings.require(count <= 1, || {
                format!("`{words}` stands since {from}, and has {count} alerts")
            });
            self.reminders(standing, patience, &told, findings);
        }
    }

    /// One a day, of what stood for that day.
    fn reminders(&self, standing: &Standing, patience: Duration, told: &[&Post], findings: &mut Findings) {
        let mut day = later(standing.origin, DAY);
        while later(day, CLOCK_OFF + patience) < standing.latest {
            if standing.since < earlier(day, CLOCK_OFF) {
                let (from, to) = (earlier(day, CLOCK_OFF), later(day, CLOCK_OFF + patience));
                let reminded = told
                    .iter()
                    .any(|post| post.at >= from && post.at <= to && headline(post).starts_with("Still"));
                findings.require(reminded, || {
                    let words = standing.words.join(" … ");
                    format!(
                        "`{words}` stands since {}, with no reminder on {day}",
                        standing.origin
                    )
                });
            }
            day = later(day, DAY);
        }
    }

    fn is_by_person(&self, standing: &Standing) -> bool {
        let instance = standing.words.first().and_then(|id| self.world.instance(id));
        instance.is_none_or(|i| was_stopped_by_person(i))
    }

    /// Nothing was wrong with the channel, nor for so long before that something could still wait.
    fn works(&self, standing: &Standing) -> bool {
        let from = earlier(standing.since, HOUR);
        let is_hit = |post: &Post| post.at >= from && post.at <= standing.latest && post.status != Some(200);
        self.world.has_webhook(&standing.host)
            && !self.looks.was_disturbed(&standing.host, from)
            && !self.world.posts(&standing.host).iter().any(is_hit)
    }
}

/// What a phone shows of a message.
fn headline(post: &Post) -> String {
    let json: serde_json::Value = serde_json::from_str(&post.body).unwrap_or_default();
    let line = ["text", "title"].iter().find_map(|key| json.get(key)?.as_str());
    line.unwrap_or(&post.body).to_owned()
}

/// No message that asks for a person is told twice, but for those whose first answer was lost; and each names what it is
/// about: an instance, a service, an account or a file.
pub(super) fn l6_told_once(looks: &Looks, world: &World, declared: &Declared, findings: &mut Findings) {
    let accounts = declared.services.iter().map(|service| &service.scope.account);
    let names: Vec<&String> = declared
        .services
        .iter()
        .map(|s| &s.name)
        .chain(accounts)
        .collect();
    let mut told: BTreeMap<(&str, &str), Timestamp> = BTreeMap::new();
    for (host, post) in world.all_posts() {
        if post.status != Some(200) || !post.body.contains("eeds a person:") {
            continue;
        }
        let before = told.insert((host, post.body.as_str()), post.at);
        let lost = |since: Timestamp| !looks.is_quiet(host, since);
        findings.require(before.is_none_or(lost), || {
            let words: String = post.body.chars().take(160).collect();
            format!("told twice, at {before:?} and {}: {words}", post.at)
        });
        let headline = headline(post);
        let kinds = ["i-", "service ", "policy file"];
        let is_named = kinds.iter().any(|kind| headline.contains(kind))
            || names.iter().any(|name| headline.contains(name.as_str()));
        findings.require(is_named, || {
            format!("a message that says not of what: {headline}")
        });
    }
}
