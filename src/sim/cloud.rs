//! One run's cloud: the world, the faults, the oracles, the trace and the clock, behind one handle.
//!
//! Tests hold a [`Cloud`] and pull its levers; the connector delivers calls to it. It is the thin shell of the design:
//! it decides nothing that AWS would decide.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::aws::Seams;
use crate::env::Env;
use crate::model::Region;

use super::clock::SimClock;
use super::crash::{Actor, CrashPhase, Incarnation};
use super::deliver::{Delivery, Parcel};
use super::fault::{Fault, When};
use super::oracle::{Declared, IntentRow, Leftovers, Violation};
use super::state::{Meddler, Meddling, State, Surroundings};
use super::trace::{CallRecord, Outcome};
use super::world::{Staleness, World};

/// More calls at one instant of virtual time are a loop that does not wait: each call takes at least a millisecond,
/// so only that many at once could be honest.
pub const CALLS_PER_INSTANT_MAX: u32 = 2_000;

/// A handle on one run's cloud. Clones are the same cloud.
#[derive(Clone)]
pub struct Cloud {
    pub(super) clock: SimClock,
    pub(super) state: Arc<Mutex<State>>,
}

impl Cloud {
    /// A cloud around a world, whose time begins to run now. Call it inside the runtime.
    pub fn new(seed: u64, world: World) -> Self {
        let clock = SimClock::new(world.now());
        let state = State::new(seed, world);
        Self {
            clock,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// The outside of one simulated process: this run's machine, and a seed of its own.
    pub fn env(&self, seed: u64) -> Env {
        Env::simulated(self.clock.machine().clone(), seed)
    }

    /// What makes the one SDK configuration a simulated one: this life's connector, `account`'s own access key and
    /// `region`. The wall clock is that of [`Cloud::env`].
    pub fn seams(&self, life: &Incarnation, account: &str, region: &str, seed: u64) -> Seams {
        let key = Credentials::new(World::access_key(account), "simulated", None, None, "simulation");
        Seams {
            http_client: Some(self.http_client(life)),
            time_source: None,
            credentials: Some(SharedCredentialsProvider::new(key)),
            region: Some(Region::new(region.to_owned())),
            seed: Some(seed),
        }
    }

    /// The time of this run.
    pub fn clock(&self) -> &SimClock {
        &self.clock
    }

    /// Look at the world, or pull its levers (`world::control`), at the present moment.
    pub fn world<R>(&self, act: impl FnOnce(&mut World) -> R) -> R {
        let mut state = self.lock();
        state.advance(self.clock.now());
        act(&mut state.world)
    }

    /// Somebody does this to the world when its time is `at`.
    pub fn at(&self, at: Timestamp, act: impl FnMut(&mut World) + Send + 'static) {
        let mut state = self.lock();
        let key = (at, state.scripted);
        state.scripted += 1;
        state.script.insert(key, Box::new(act));
    }

    /// Somebody does this to the world when a matching call arrives, just before it takes effect.
    pub fn on_call(&self, when: When, act: impl FnMut(&mut World) + Send + 'static) {
        let act: Meddling = Box::new(act);
        self.lock().meddlers.add(when, Meddler { act, then: None });
    }

    /// Like [`Cloud::on_call`]; and that much later, somebody does `then`.
    pub fn on_call_then(
        &self,
        when: When,
        act: impl FnMut(&mut World) + Send + 'static,
        after: Duration,
        then: impl FnMut(&mut World) + Send + 'static,
    ) {
        let meddler = Meddler {
            act: Box::new(act),
            then: Some((after, Arc::new(Mutex::new(then)))),
        };
        self.lock().meddlers.add(when, meddler);
    }

    /// The process that makes a matching call dies at this phase of it.
    pub fn crash(&self, when: When, phase: CrashPhase) {
        self.lock().crashes.add(when, phase);
    }

    /// From now on, matching calls go wrong so. Of several rules the first that matches decides.
    pub fn inject(&self, when: When, fault: Fault) {
        self.lock().faults.add(when, fault);
    }

    /// No further faults and crashes at calls. Stale reads and the like end in the world.
    pub fn end_faults(&self) {
        let mut state = self.lock();
        state.faults.clear();
        state.crashes.clear();
    }

    /// What the policies of this run say from now on; without it nothing belongs to anybody, and any mutation breaks S1.
    pub fn declare(&self, declared: Declared) {
        let now = self.clock.now();
        self.lock().oracle.declare(now, declared);
    }

    /// Somebody has just ended the quarantine of a service (`keepgreen resume`).
    pub fn released(&self, service: &str) {
        let now = self.clock.now();
        self.lock().oracle.released(now, service);
    }

    /// From now on this text is a secret: no request to AWS, log, journal or message of the controller may contain it.
    pub fn keep_secret(&self, secret: &str) {
        self.lock().oracle.keep_secret(secret);
    }

    /// From now on this text is user data: nothing but a launch may contain it, and the journal.
    pub fn keep_user_data(&self, text: &str) {
        self.lock().oracle.keep_user_data(text);
    }

    /// No further faults of calls, no stale reads, no further meddling: from now on the run is to become stable (L1).
    pub fn calm(&self) {
        let now = self.clock.now();
        let mut state = self.lock();
        state.advance(now);
        state.faults.clear();
        state.meddlers.clear();
        state.crashes.clear();
        state.script.clear();
        state.world.set_staleness(Staleness::default());
        state.oracle.calm(now);
    }

    /// The run is over: judges what can only be judged at its end. Returns everything that was broken.
    pub fn finish(&self) -> Vec<Violation> {
        let mut state = self.lock();
        state.advance(self.clock.now());
        let State { oracle, world, .. } = &mut *state;
        oracle.finish(world);
        oracle.violations().to_vec()
    }

    /// Every invariant with how often its premise held so far; for `oracle::awaits::check`.
    pub fn premises(&self) -> BTreeMap<&'static str, u64> {
        self.lock().oracle.premises()
    }

    /// Only a person can heal this instance any more: L1 and L2 expect nothing of it.
    pub fn excuse(&self, instance: &str) {
        self.lock().oracle.excuse(instance);
    }

    /// A process begins.
    pub fn life_began(&self, life: u32) {
        let now = self.clock.now();
        self.lock().oracle.life_began(now, life);
    }

    /// A process is gone, however it ended.
    pub fn life_ended(&self, life: u32) {
        let now = self.clock.now();
        self.lock().oracle.life_ended(now, life);
    }

    /// The store that the replicas share has taken this life's claim of a service's lease, or its renewal, which was sent at
    /// `asked`.
    pub fn lease_taken(&self, life: u32, service: &str, asked: Timestamp) {
        let now = self.clock.now();
        self.lock().oracle.lease_taken(now, life, service, asked);
    }

    /// This life has given up a service's lease.
    pub fn lease_given_up(&self, life: u32, service: &str) {
        let now = self.clock.now();
        self.lock().oracle.lease_given_up(now, life, service);
    }

    /// A life has opened its journal, and this is in it.
    pub(super) fn journal_opened(&self, life: u32, rows: Vec<IntentRow>) {
        let now = self.clock.now();
        self.lock().oracle.journal_opened(now, life, rows);
    }

    /// A transaction is durable, after which these are the journal's latest intents.
    pub(super) fn journal_committed(&self, rows: Vec<IntentRow>) {
        let now = self.clock.now();
        self.lock().oracle.journal_committed(now, rows);
    }

    /// A life is over, and this is what it left.
    pub(super) fn examine(&self, found: &Leftovers) {
        let mut state = self.lock();
        state.advance(self.clock.now());
        let State { oracle, world, .. } = &mut *state;
        oracle.examine(world, found);
    }

    /// Everything that was declared a secret.
    pub(super) fn secrets(&self) -> Vec<String> {
        self.lock().oracle.secrets()
    }

    /// How the controller's surroundings are.
    pub(super) fn surroundings(&self) -> Arc<Surroundings> {
        Arc::clone(&self.lock().surroundings)
    }

    /// The declared service that an instance belongs to now.
    pub fn owner_of(&self, instance: &str) -> Option<String> {
        let state = self.lock();
        let instance = state.world.instance(instance)?;
        state.oracle.owner_of(instance)
    }

    /// Which invariants were broken so far.
    pub fn violations(&self) -> Vec<Violation> {
        self.lock().oracle.violations().to_vec()
    }

    /// Every call so far.
    pub fn calls(&self) -> Vec<CallRecord> {
        self.lock().trace.calls().to_vec()
    }

    /// How often an action was called so far, by whomever.
    pub fn count(&self, action: &str) -> usize {
        self.lock()
            .trace
            .calls()
            .iter()
            .filter(|call| call.action == action)
            .count()
    }

    /// One hash over all calls, the world's log and every message so far, and how the world is now: equal for equal runs.
    pub fn trace_hash(&self) -> String {
        self.lock().hash()
    }

    /// A folder of this run alone, whose name in a message makes no difference to [`Cloud::trace_hash`].
    pub fn disregard_folder(&self, folder: &Path) {
        self.lock().folders.push(folder.to_string_lossy().into_owned());
    }

    /// The calls and the world's log in one story, for a test that failed.
    pub fn story(&self) -> String {
        let state = self.lock();
        let happened = state
            .world
            .log()
            .iter()
            .map(|entry| (entry.at, entry.to_string()));
        let called = state
            .trace
            .calls()
            .iter()
            .map(|call| (call.sent, call.to_string()));
        let broken = state.oracle.violations().iter().map(|v| (v.at, v.to_string()));
        let mut lines: Vec<(Timestamp, String)> = happened.chain(called).chain(broken).collect();
        lines.sort_by_key(|(at, _)| *at);
        lines.into_iter().map(|(_, line)| line + "\n").collect()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call leaves its sender: count and record it. `Err`: it is one too many at this instant.
    pub(super) fn begin(&self, sender: &Incarnation, call: u64, parcel: &mut Parcel) -> Result<u64, String> {
        let mut state = self.lock();
        let now = self.clock.now();
        let number = state.begin(now, sender.actor(), call, parcel);
        #[expect(
            clippy::disallowed_methods,
            reason = "tokio's paused clock is the simulation's own"
        )]
        let instant = Instant::now();
        let calls = match state.instant {
            Some((at, calls)) if at == instant => calls + 1,
            _ => 1,
        };
        state.instant = Some((instant, calls));
        if calls <= CALLS_PER_INSTANT_MAX {
            return Ok(number);
        }
        let what =
            format!("more than {CALLS_PER_INSTANT_MAX} calls at one instant: a loop that does not wait");
        state.oracle.accuse("S22 Bounded", now, number, what.clone());
        Err(what)
    }

    /// The fault that strikes a call, decided once, as it leaves.
    pub(super) fn fault_of(&self, parcel: &Parcel) -> Option<Fault> {
        self.lock().fault_of(parcel)
    }

    /// Where in this call its sender dies, if it does.
    pub(super) fn crash_of(&self, parcel: &Parcel) -> Option<CrashPhase> {
        let mut state = self.lock();
        let account = parcel.account(&state.world);
        state
            .crashes
            .strike(&parcel.facts(&account, parcel.sent))
            .copied()
    }

    /// A call arrives.
    pub(super) fn deliver(
        &self,
        number: u64,
        actor: Actor,
        parcel: &Parcel,
        fault: Option<&Fault>,
    ) -> Delivery {
        let machine = self.clock.machine();
        let suspended = machine.now().boot.saturating_sub(machine.monotonic());
        let mut state = self.lock();
        state.suspended_for(suspended);
        state.arrive(self.clock.now(), number, actor, parcel, fault)
    }

    /// The sender of a call reads this answer.
    pub(super) fn read(&self, number: u64, body: &[u8]) {
        self.lock().trace.read(number, body);
    }

    pub(super) fn end(&self, number: u64, outcome: Outcome) {
        self.lock().end(self.clock.now(), number, outcome);
    }

    /// How long a request travels, and how long its answer: a millisecond at least, each way.
    pub(super) fn latency(&self) -> (Duration, Duration) {
        let mut state = self.lock();
        let mut draw = |range: std::ops::RangeInclusive<u64>| Duration::from_micros(state.rng.u64(range));
        (draw(1_000..=3_000), draw(1_000..=30_000))
    }
}

impl std::fmt::Debug for Cloud {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cloud({} calls)", self.lock().trace.calls().len())
    }
}
