//! What one run holds: the world, what is to go wrong and when, the trace and the judge. Behind [`Cloud`](super::Cloud)'s lock.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::crash::{Actor, CrashPhase};
use super::deliver::{Delivery, Parcel};
use super::fault::{CallFacts, Fault, Rules};
use super::oracle::{Oracle, Stall};
use super::trace::{self, CallRecord, Outcome, Trace};
use super::world::api::Operation;
use super::world::{self, World};

/// A change of the world, by somebody.
pub(super) type Meddling = Box<dyn FnMut(&mut World) + Send>;

/// A change that follows each time.
type Aftermath = Arc<Mutex<dyn FnMut(&mut World) + Send>>;

/// A change that a call brings about, and what follows from it that much later.
pub(super) struct Meddler {
    pub(super) act: Meddling,
    pub(super) then: Option<(Duration, Aftermath)>,
}

/// How the controller's surroundings are, set without the cloud's lock: by who acts while a call is being delivered.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    /// Something has changed since it was last asked.
    pub(super) jolted: AtomicBool,
    /// Something is wrong, and stays so.
    pub(super) unwell: AtomicBool,
    /// When the loop began to stand still.
    pub(super) stalls: Mutex<Vec<Standstill>>,
}

/// The loop stands still for a while, and nobody need make a call just then.
#[derive(Debug)]
pub(super) struct Standstill {
    pub(super) began: Instant,
    pub(super) lasts: Duration,
    /// The heartbeat should tell after so long.
    pub(super) noticed_after: Duration,
}

pub(super) struct State {
    pub(super) surroundings: Arc<Surroundings>,
    /// How long everything has been suspended so far.
    pub(super) suspended: Duration,
    pub(super) seed: u64,
    pub(super) world: World,
    pub(super) faults: Rules<Fault>,
    pub(super) meddlers: Rules<Meddler>,
    pub(super) crashes: Rules<CrashPhase>,
    pub(super) script: BTreeMap<(Timestamp, u64), Meddling>,
    pub(super) scripted: u64,
    pub(super) trace: Trace,
    pub(super) oracle: Oracle,
    pub(super) rng: fastrand::Rng,
    pub(super) instant: Option<(Instant, u32)>,
    /// Folders of this run alone, which messages may name: left out of everything that two runs are compared by.
    pub(super) folders: Vec<String>,
}

impl State {
    pub(super) fn new(seed: u64, world: World) -> Self {
        Self {
            surroundings: Arc::default(),
            suspended: Duration::ZERO,
            seed,
            world,
            faults: Rules::default(),
            meddlers: Rules::default(),
            crashes: Rules::default(),
            script: BTreeMap::new(),
            scripted: 0,
            trace: Trace::default(),
            oracle: Oracle::default(),
            // Latencies draw from their own numbers, so that a further call leaves the world's course alone.
            rng: fastrand::Rng::with_seed(seed ^ 0x6c61_7465_6e63_7921),
            instant: None,
            folders: Vec::new(),
        }
    }

    /// Another world takes this one's place: no faults, no script, no calls so far. Numbers of calls go on, so that one that
    /// is still under way ends as itself.
    pub(super) fn begin_anew(&mut self, seed: u64, world: World) {
        let mut trace = std::mem::take(&mut self.trace);
        trace.forget();
        *self = Self {
            trace,
            folders: std::mem::take(&mut self.folders),
            ..Self::new(seed, world)
        };
    }

    /// One hash over all calls, the world's log, every message and how the world is in the end: equal for equal runs.
    pub(super) fn hash(&self) -> String {
        let log = self.world.log();
        let happened = log.iter().map(ToString::to_string);
        let told = self.world.all_posts().map(|(host, post)| {
            let body = self.impersonal(&post.body);
            format!("{host} {} {} {:?} {body}", post.at, post.method, post.status)
        });
        let end = [format!("{} {}", log.written(), self.world.summary())];
        self.trace.hash(happened.chain(told).chain(end))
    }

    /// A text as every run with this seed has it.
    fn impersonal(&self, text: &str) -> String {
        let folders = self.folders.iter();
        folders.fold(text.to_owned(), |text, folder| text.replace(folder.as_str(), "~"))
    }

    /// A call leaves its sender at `now`: its number in the trace.
    pub(super) fn begin(&mut self, now: Timestamp, actor: Actor, call: u64, parcel: &mut Parcel) -> u64 {
        parcel.sent = now;
        let account = parcel.account(&self.world);
        let (params, params_hash) = match &parcel.endpoint {
            Some(_) => trace::abridge(parcel.params()),
            None => trace::abridge(&self.impersonal(parcel.params())),
        };
        self.trace.begin(CallRecord {
            number: 0,
            call,
            actor,
            sent: now,
            ended: None,
            service: parcel.service_name(),
            action: parcel.action.clone(),
            account,
            region: parcel.region(),
            subjects: parcel.operation().map(subjects_of).unwrap_or_default(),
            params,
            params_hash,
            is_write: parcel.operation().is_some_and(|o| o.is_write()),
            outcome: Outcome::Open,
            answer: None,
        })
    }

    /// The fault that strikes a call; counts it.
    pub(super) fn fault_of(&mut self, parcel: &Parcel) -> Option<Fault> {
        let account = parcel.account(&self.world);
        let facts = parcel.facts(&account, parcel.sent);
        let fault = self.faults.strike(&facts).map(|fault| fault.clone())?;
        let whom = if account.is_empty() { facts.host } else { &account };
        self.oracle.disturbed(parcel.sent, whom, fault.hangs());
        Some(fault)
    }

    /// A call arrives at `now`.
    pub(super) fn arrive(
        &mut self,
        now: Timestamp,
        number: u64,
        actor: Actor,
        parcel: &Parcel,
        fault: Option<&Fault>,
    ) -> Delivery {
        self.advance(now);
        let account = parcel.account(&self.world);
        self.meddle(&parcel.facts(&account, now));
        self.deliver(number, actor, parcel, fault)
    }

    /// A call has ended at `now`, so.
    pub(super) fn end(&mut self, now: Timestamp, number: u64, outcome: Outcome) {
        self.trace.end(number, now, outcome);
        self.oracle.settled(number);
    }

    /// Everybody who waited for this call does what they waited to do.
    fn meddle(&mut self, call: &CallFacts) {
        let State {
            meddlers,
            world,
            script,
            scripted,
            ..
        } = self;
        for meddler in meddlers.strike_all(call) {
            (meddler.act)(world);
            let Some((after, then)) = &meddler.then else {
                continue;
            };
            let then = Arc::clone(then);
            let later = move |world: &mut World| then.lock().unwrap_or_else(PoisonError::into_inner)(world);
            script.insert((world::later(world.now(), *after), *scripted), Box::new(later));
            *scripted += 1;
        }
    }

    fn look_around(&mut self, now: Timestamp) {
        let around = &self.surroundings;
        let jolted = around.jolted.swap(false, Ordering::Relaxed);
        if jolted || around.unwell.load(Ordering::Relaxed) {
            self.oracle.jolted(now);
        }
        let stalls = std::mem::take(&mut *around.stalls.lock().unwrap_or_else(PoisonError::into_inner));
        for stall in stalls {
            #[expect(
                clippy::disallowed_methods,
                reason = "tokio's paused clock is the simulation's own"
            )]
            let from = world::earlier(now, stall.began.elapsed());
            self.oracle.stalled(Stall {
                from,
                until: world::later(from, stall.lasts),
                noticed_after: stall.noticed_after,
            });
        }
    }

    /// So long has everything been suspended so far.
    pub(super) fn suspended_for(&mut self, total: Duration) {
        if total != self.suspended {
            self.suspended = total;
            self.surroundings.jolted.store(true, Ordering::Relaxed);
        }
    }

    /// Let everything happen that is due by `now`, the script's acts at their own times.
    pub(super) fn advance(&mut self, now: Timestamp) {
        while let Some(entry) = self.script.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let ((at, _), mut act) = entry.remove_entry();
            self.world.step(at);
            act(&mut self.world);
        }
        self.world.step(now);
        self.look_around(now);
        let State { oracle, world, .. } = self;
        oracle.observe(world);
    }
}

fn subjects_of(operation: &Operation) -> Vec<String> {
    operation.subjects().into_iter().map(str::to_owned).collect()
}

impl Parcel {
    pub(super) fn facts<'a>(&'a self, account: &'a str, at: Timestamp) -> CallFacts<'a> {
        CallFacts {
            action: &self.action,
            account,
            region: self.endpoint.as_ref().map_or("", |e| e.region.as_str()),
            host: &self.request.host,
            at,
            operation: self.operation(),
        }
    }
}
