//! What runs beside the loop and never in its way: telling people, the heartbeat, the service manager's watchdog.
//!
//! All of it is driven by the same thread as the loop, and by its pulse: a loop that is stuck takes them down with it, which
//! is how it is noticed (L7).

use super::paint::clean;
use crate::controller::{Passed, Pulse, Rounds};
use crate::env::{Env, Poster};
use crate::model::{Notice, NoticeKind, ServiceName, Stamp};
use crate::notify::{self, Notifier, Resolver, Sweep};
use crate::policy::SecretRef;
use sd_notify::NotifyState;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// The loop turns at least every 5 s; a reload in it may wait for AWS for 20 s.
const LONGEST_TURN: Duration = Duration::from_secs(30);

/// A service that could not be dealt with so many times in a row is told of: what hinders it is the journal or the
/// credentials, so no notice would come of it in the usual way.
const TROUBLES_TOLD_AFTER: u32 = 3;

/// The side of a controller that may act. One that only looks has none: it tells nobody anything.
pub struct Side<'a> {
    rounds: &'a Rounds,
    notifier: Notifier,
    poster: Arc<dyn Poster>,
    resolver: Resolver,
    pulse: Pulse,
    last_pass: Cell<Option<Stamp>>,
    troubles: RefCell<BTreeMap<ServiceName, (u32, String)>>,
    trouble: Notify,
}

impl<'a> Side<'a> {
    /// `None`: the rounds keep no journal, so there is nothing to tell.
    pub fn new(rounds: &'a Rounds, pulse: Pulse) -> Option<Self> {
        let crate::controller::Ledger::Journal(journal) = &rounds.ledger else {
            return None;
        };
        let poster: Arc<dyn Poster> = match rounds.scopes.sdk().poster() {
            Ok(poster) => Arc::new(poster),
            Err(error) => {
                tracing::error!(%error, "nobody can be told anything");
                return None;
            }
        };
        let resolver: Resolver = Arc::new(|secret: &SecretRef| secret.resolve(|name| std::env::var_os(name)));
        let notifier = Notifier::new(
            journal.clone(),
            rounds.config.channels.clone(),
            Arc::clone(&resolver),
            Arc::clone(&poster),
            rounds.env.clone(),
        );
        Some(Self {
            rounds,
            notifier,
            poster,
            resolver,
            pulse,
            last_pass: Cell::new(None),
            troubles: RefCell::default(),
            trouble: Notify::new(),
        })
    }

    /// Takes note of a pass.
    pub fn seen(&self, passed: &Passed) {
        self.last_pass.set(Some(self.rounds.env.clock.now()));
        let news = passed.plan.as_ref().is_some_and(|plan| !plan.notices.is_empty());
        if news || !passed.done.is_empty() {
            self.notifier.wake();
        }
        let mut troubles = self.troubles.borrow_mut();
        match &passed.trouble {
            None => drop(troubles.remove(&passed.service)),
            Some(why) => {
                let trouble = troubles.entry(passed.service.clone()).or_default();
                trouble.0 = trouble.0.saturating_add(1);
                trouble.1.clone_from(why);
                if trouble.0 >= TROUBLES_TOLD_AFTER {
                    self.trouble.notify_one();
                }
            }
        }
    }

    /// Runs until it is dropped.
    pub async fn run(&self) {
        tokio::join!(self.notifier.run(), self.heartbeat(), self.cry_for_help());
    }

    async fn heartbeat(&self) {
        let Some(heartbeat) = &self.rounds.config.heartbeat else {
            return;
        };
        let env = &self.rounds.env;
        // Three intervals: one pass may hang for its whole patience without being a stalled loop.
        let stalled_after = self
            .rounds
            .config
            .interval
            .saturating_mul(3)
            .saturating_add(LONGEST_TURN);
        let last_pass = || self.last_sign_of_life();
        notify::beat(
            heartbeat,
            last_pass,
            stalled_after,
            &*self.poster,
            &self.resolver,
            env,
        )
        .await;
    }

    /// The last pass; without any service, the last turn of the loop.
    fn last_sign_of_life(&self) -> Option<Stamp> {
        let now = self.rounds.env.clock.now();
        if self.rounds.in_force.now().policies.is_empty() {
            return self.pulse.is_alive(now.boot, LONGEST_TURN).then_some(now);
        }
        self.last_pass.get()
    }

    /// Trouble that lasts is told past the journal, once a day and service.
    async fn cry_for_help(&self) {
        loop {
            self.trouble.notified().await;
            let now = self.rounds.env.clock.wall();
            let lasting: Vec<Notice> = self
                .troubles
                .borrow()
                .iter()
                .filter(|(_, (times, _))| *times >= TROUBLES_TOLD_AFTER)
                .map(|(service, (_, why))| Notice {
                    key: format!("trouble/{service}/{}", now.as_second() / 86_400),
                    kind: NoticeKind::NeedsPerson,
                    at: now,
                    service: Some(service.clone()),
                    instance: None,
                    title: format!("{service} is not being looked after"),
                    text: format!(
                        "{}. It is tried again at least each interval and goes on by itself once that works.",
                        clean(why).trim_end_matches('.')
                    ),
                    facts: Vec::new(),
                })
                .collect();
            for notice in lasting {
                self.notifier.tell_without_journal(&notice).await;
            }
        }
    }

    /// Tells what is still in the outbox, within bounds; the journal keeps the rest.
    pub async fn last_words(&self, most: Duration) -> Sweep {
        match tokio::time::timeout(most, self.notifier.flush()).await {
            Ok(Ok(sweep)) => sweep,
            Ok(Err(error)) => {
                tracing::error!(%error, "the outbox could not be read: its notices wait in the journal");
                Sweep::default()
            }
            Err(_) => {
                tracing::warn!("not everything could be told in time: it waits in the journal");
                Sweep::default()
            }
        }
    }
}

/// Tells the service manager that the loop is alive, as long as it is; does nothing where none asks.
pub async fn watchdog(env: &Env, pulse: &Pulse) {
    let Some(patience) = sd_notify::watchdog_enabled() else {
        return;
    };
    loop {
        if pulse.is_alive(env.clock.boot(), LONGEST_TURN) {
            tell_manager(&NotifyState::Watchdog);
        }
        env.clock.sleep(patience / 3).await;
    }
}

/// Tells the service manager, if there is one that wants to know.
pub fn tell_manager(state: &NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(std::slice::from_ref(state)) {
        tracing::warn!(%error, "the service manager could not be told: {state:?}");
    }
}
