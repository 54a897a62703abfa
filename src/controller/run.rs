//! The loop itself: starts passes over what is due, listens to messages, and ends in order.

use super::due::{Schedule, on_the_grid};
use super::fleet::Fleet;
use super::pass::{Passed, Rounds};
use super::pulse::Pulse;
use crate::aws::ScopeKey;
use crate::env::Backoff;
use crate::model::ServiceName;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;

/// How long passes under way have to end after a shutdown was asked for. Service managers kill after 30 s; what is open by
/// then is in the journal.
const LONGEST_GOODBYE: Duration = Duration::from_secs(25);
/// The loop turns at least this often, so that its pulse tells a stalled loop from a quiet one.
const LONGEST_TURN: Duration = Duration::from_secs(5);
/// After trouble (no journal, no credentials) a service is tried again this soon, then less often up to the interval.
const FIRST_RETRY: Duration = Duration::from_secs(5);
/// How often findings about policy files are told anew; only the daily reminder comes of it.
const BOOKS_EVERY: Duration = Duration::from_secs(300);

/// What the outside may ask of the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// The policy folder may have changed.
    Reload,
    Shutdown,
}

/// Runs until a shutdown is asked for (or nobody is left to ask). `seen` gets every pass as it ends.
pub async fn run(
    rounds: &Rounds,
    mut messages: mpsc::Receiver<Message>,
    pulse: &Pulse,
    mut seen: impl FnMut(&Passed),
) {
    let clock = &rounds.env.clock;
    let mut turn = Turn::new(rounds);
    turn.take_over_fleet();
    let mut passes = FuturesUnordered::new();
    // Each service is heard of as soon as it is done, not when the slowest of its scope is.
    let (done, mut news) = mpsc::unbounded_channel::<Passed>();
    let mut goodbye: Option<Duration> = None;
    let mut nobody_left = false;
    let mut reload_owed = false;
    let begun = clock.boot();
    let mut books = clock.boot();
    loop {
        let now = clock.boot();
        pulse.beat(now);
        if goodbye.is_some_and(|by| passes.is_empty() || now >= by) {
            break;
        }
        if goodbye.is_none() {
            if reload_owed {
                // A journal that is busy for an instant must not cost the change of a policy: the next turn tries again.
                let reloaded = rounds.reload().await;
                reload_owed = reloaded.is_err();
                report(reloaded);
                turn.take_over_fleet();
            }
            for (scope, services) in turn.due(now) {
                passes.push(pass_over(rounds, scope, services, done.clone()));
            }
            if now.saturating_sub(books) >= BOOKS_EVERY {
                books = now;
                report(rounds.tell_of_policies().await);
            }
        }
        let wait = turn.wait(now, goodbye);
        tokio::select! {
            biased;
            Some(passed) = news.recv() => {
                seen(&passed);
                turn.done(&passed);
            }
            Some(()) = passes.next() => {
                // Before every service was looked at, a few may look like all of them; one that hangs is not waited for.
                let is_late = clock.boot().saturating_sub(begun) >= rounds.config.interval;
                if is_late || rounds.board.has_seen(rounds.in_force.now().policies.keys()) {
                    report(rounds.check_breakers(turn.since_breakers()).await);
                }
            }
            message = messages.recv(), if !nobody_left => match message {
                Some(Message::Reload) if goodbye.is_none() => {
                    reload_owed = true;
                }
                Some(Message::Reload) => {}
                Some(Message::Shutdown) | None => {
                    if goodbye.is_none() {
                        tracing::info!("shutting down: what is in flight is finished, nothing new is begun");
                        goodbye = Some(clock.boot().saturating_add(LONGEST_GOODBYE));
                    }
                    if let Some(hands) = &rounds.hands {
                        hands.stopping.store(true, Ordering::Relaxed);
                    }
                    nobody_left = message.is_none();
                }
            },
            () = clock.sleep(wait) => {}
        }
    }
}

async fn pass_over(
    rounds: &Rounds,
    scope: ScopeKey,
    services: BTreeSet<ServiceName>,
    done: mpsc::UnboundedSender<Passed>,
) {
    rounds
        .pass(&scope, &services, |passed| drop(done.send(passed)))
        .await;
}

fn report(result: Result<(), crate::record::RecordError>) {
    if let Err(error) = result {
        tracing::error!(error = %error, "the journal failed");
    }
}

/// The loop's own bookkeeping.
struct Turn<'a> {
    rounds: &'a Rounds,
    schedule: Schedule,
    retries: BTreeMap<ServiceName, Backoff>,
    breakers_checked: Duration,
}

impl<'a> Turn<'a> {
    fn new(rounds: &'a Rounds) -> Self {
        let breakers_checked = rounds.env.clock.boot();
        Self {
            rounds,
            schedule: Schedule::default(),
            retries: BTreeMap::new(),
            breakers_checked,
        }
    }

    fn take_over_fleet(&mut self) {
        let now = self.rounds.env.clock.boot();
        let fleet = self.rounds.in_force.now();
        self.schedule.set_services(fleet.policies.keys(), now);
        self.schedule.all_due(now);
        self.retries
            .retain(|service, _| fleet.policies.contains_key(service));
    }

    /// What is due, by scope: services that share one are read together.
    fn due(&mut self, now: Duration) -> BTreeMap<ScopeKey, BTreeSet<ServiceName>> {
        let fleet = self.rounds.in_force.now();
        let mut by_scope: BTreeMap<ScopeKey, BTreeSet<ServiceName>> = BTreeMap::new();
        for service in self.schedule.take_due(now) {
            match fleet.policies.get(&service) {
                Some(policy) => {
                    by_scope
                        .entry(Fleet::scope_of(policy))
                        .or_default()
                        .insert(service);
                }
                None => self.schedule.done(&service, now),
            }
        }
        by_scope
    }

    fn wait(&self, now: Duration, goodbye: Option<Duration>) -> Duration {
        let next = match goodbye {
            Some(by) => by,
            None => self
                .schedule
                .next_due()
                .unwrap_or(now.saturating_add(LONGEST_TURN)),
        };
        next.saturating_sub(now).min(LONGEST_TURN)
    }

    fn done(&mut self, passed: &Passed) {
        let now = self.rounds.env.clock.now();
        let interval = self.rounds.config.interval;
        let next = match (&passed.plan, &passed.trouble) {
            (Some(plan), None) => {
                self.retries.remove(&passed.service);
                let is_quiet = Duration::try_from(plan.next_check.duration_since(plan.looked_at))
                    .is_ok_and(|wait| wait >= interval);
                if is_quiet {
                    on_the_grid(now.boot, interval)
                } else {
                    let left = Duration::try_from(plan.next_check.duration_since(now.wall));
                    now.boot
                        .saturating_add(left.unwrap_or(Duration::ZERO).min(interval))
                }
            }
            _ => {
                let seed = self.rounds.env.entropy.number();
                let fresh = || Backoff::new(FIRST_RETRY.min(interval), interval, seed);
                let retry = self.retries.entry(passed.service.clone()).or_insert_with(fresh);
                now.boot.saturating_add(retry.next_wait())
            }
        };
        self.schedule.done(&passed.service, next);
    }

    fn since_breakers(&mut self) -> Duration {
        let now = self.rounds.env.clock.boot();
        let elapsed = now.saturating_sub(self.breakers_checked);
        self.breakers_checked = now;
        elapsed
    }
}
