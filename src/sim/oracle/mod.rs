//! The oracles: the project's invariants, checked against the world's own truth.
//!
//! They never see the controller's view. They know the request, the world before it, what the policies declare (as
//! plain data, written down by the test), and what was sent before. One function per invariant, named after it; a violation
//! is recorded and the run goes on, so that it shows all that is wrong with it. Each function counts how often its premise
//! held: an oracle that was never put to the test has proved nothing ([`awaits`]).
//!
//! A controller acts on a look that is a few seconds old, and on reads that may be stale: what was true at any
//! moment of that window counts as what it could rightly believe, and so does what was declared then.
//!
//! - [`tally`]: names, counts, violations; [`awaits`]: which invariants cannot be tested yet, and why.
//! - [`declared`]: what the policies say; `case`: what a function gets to see.
//! - `step`: what a mutation does to what serves.
//! - `ours`, `harm`, `floor`, `breaker`, `replace`, `order`, `caps`, `pause`, `journal`: judged as each mutation arrives, and as the journal changes.
//! - `secrets`, `budget`: judged at every call; `surroundings`: once a life is over.
//! - `lives`: who lives and holds which lease; `resume`: what comes after a standstill.
//! - `liveness`, `watch`, `alerts`: judged as time passes, and at the end.

mod alerts;
pub mod awaits;
mod breaker;
mod budget;
mod caps;
mod case;
pub mod declared;
mod floor;
mod harm;
mod journal;
mod liveness;
mod lives;
mod order;
mod ours;
mod pause;
mod replace;
mod resume;
mod secrets;
mod step;
mod surroundings;
pub mod tally;
mod watch;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use self::alerts::Alerts;
use self::budget::Purse;
pub(super) use self::case::Arrival;
use self::case::{Case, Memory};
pub use self::declared::{
    Declared, Heal, LeaseRule, Membership, OperatorStop, Pause, Replace, Select, Service, Slot,
};
use self::declared::{History, TAKES_FORCE_WITHIN};
use self::journal::Books;
pub use self::journal::IntentRow;
use self::liveness::Watch;
pub use self::surroundings::{Leftovers, Stall};
pub use self::tally::Violation;
use self::tally::{Findings, Tally};
use self::watch::Looks;
use super::world::api::Response;
use super::world::{Instance, World, earlier};

/// The oldest look that may admit a mutation (S16).
pub const LOOK_AGE_MAX: Duration = Duration::from_secs(5);
/// After a pause flag is readable, nothing is sent for longer than this (S13).
pub const PAUSE_DELAY_MAX: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// Where the simulation's heartbeats go.
pub const HEARTBEAT_HOST: &str = "heartbeat.test";

type Check = fn(&Case, &mut Findings);

/// Judged at every mutation that arrives.
const AT_MUTATIONS: &[(&str, Check)] = &[
    ("S1 Ownership", ours::s1_ownership),
    ("S2 Identity", ours::s2_identity),
    ("S3 At most one", replace::s3_at_most_one),
    ("S4 Token purity", replace::s4_token_purity),
    ("S5 Write-ahead", journal::s5_write_ahead),
    ("S6 Floor", floor::s6_floor),
    ("S7 Replace order", replace::s7_replace_order),
    ("S8 Do no harm", harm::s8_do_no_harm),
    ("S9 Absence is not gone", replace::s9_absence_is_not_gone),
    ("S10 Unknown is not false", floor::s10_unknown_is_not_false),
    ("S11 Caps", caps::s11_caps),
    ("S12 Breaker", breaker::s12_breaker),
    ("S13 Pause", order::s13_pause),
    ("S14 Lease", lives::s14_lease),
    ("S15 One writer", order::s15_one_writer),
    ("S16 Freshness", order::s16_freshness),
    ("S17 Legal transitions", ours::s17_legal_transitions),
    ("S18 Others' intent", ours::s18_others_intent),
    ("S19 Colours", floor::s19_colours),
    ("S20 Nothing lost, nothing left", replace::s20_nothing_lost),
    ("L5 Resume", resume::l5_resume),
];

/// Judged at every call that arrives, reads too.
const AT_CALLS: &[(&str, Check)] = &[
    ("S24 Dry run", ours::s24_dry_run),
    ("S25 Secrets", secrets::s25_secrets),
];

/// The judge of a run.
#[derive(Debug, Default)]
pub(super) struct Oracle {
    declared: History,
    memory: Memory,
    books: Books,
    purse: Purse,
    looks: Looks,
    alerts: Alerts,
    stalls: Vec<Stall>,
    /// The latest life that has called.
    life: u32,
    watch: Watch,
    tally: Tally,
}

impl Oracle {
    /// From `now` on, this is what the policies say.
    pub(super) fn declare(&mut self, now: Timestamp, declared: Declared) {
        for service in &declared.services {
            self.memory.released.insert(service.name.clone(), now);
        }
        self.alerts.declared(&declared);
        self.declared.declare(now, declared);
        self.jolted(now);
    }

    /// Somebody ended the quarantine of a service.
    pub(super) fn released(&mut self, now: Timestamp, service: &str) {
        self.memory.released.insert(service.to_owned(), now);
    }

    /// From now on this text is a secret: nothing that leaves the controller may contain it.
    pub(super) fn keep_secret(&mut self, secret: &str) {
        self.memory.secrets.insert(secret.to_owned());
    }

    /// From now on this text is user data: nothing but a launch may contain it, and the journal.
    pub(super) fn keep_user_data(&mut self, text: &str) {
        self.memory.user_data.insert(text.to_owned());
    }

    /// Only a person can heal this instance any more.
    pub(super) fn excuse(&mut self, instance: &str) {
        self.memory.excused.insert(instance.to_owned());
    }

    /// The one declared service that selects the instance.
    pub(super) fn owner_of(&self, instance: &Instance) -> Option<String> {
        let (service, _) = self.declared.newest().owner_of(instance)?;
        Some(service.name.clone())
    }

    pub(super) fn violations(&self) -> &[Violation] {
        self.tally.violations()
    }

    /// Every invariant with how often its premise held.
    pub(super) fn premises(&self) -> BTreeMap<&'static str, u64> {
        self.tally.premises()
    }

    /// Record what no invariant function can see: a runaway, say.
    pub(super) fn accuse(&mut self, invariant: &'static str, at: Timestamp, call: u64, what: String) {
        let mut findings = Findings::default();
        findings.require(false, || what);
        self.tally.take(invariant, at, call, findings);
    }

    /// Judge a call of the controller as it arrives, before it takes effect.
    pub(super) fn judge(&mut self, arrival: &Arrival) {
        self.observe(arrival.world);
        if arrival.incarnation > self.life {
            self.life = arrival.incarnation;
            // Whoever comes after a life that stood still does not stand still.
            let now = arrival.world.now();
            self.stalls
                .iter_mut()
                .for_each(|stall| stall.until = stall.until.min(now));
        }
        self.check(arrival, AT_CALLS);
        self.price(arrival);
        if arrival.request.operation.is_mutation() {
            self.check(arrival, AT_MUTATIONS);
            self.note_groups(arrival);
            self.memory.sent(arrival, self.declared.newest());
            self.watch.sent(arrival);
            self.books.sent(arrival);
            let mut l2 = Findings::default();
            self.looks
                .started(arrival.world, &step::concerned(arrival), &mut l2);
            self.tally
                .take("L2 Prompt start", arrival.world.now(), arrival.number, l2);
        }
    }

    /// The target groups that the call takes targets from are under way until it is answered.
    fn note_groups(&mut self, arrival: &Arrival) {
        let newest = self.declared.newest();
        let case = Case {
            arrival,
            declared: newest,
            newest,
            memory: &self.memory,
            books: &self.books,
        };
        let is_repair = !step::disrupted(&case).is_empty() || step::is_launch(&case);
        let groups: Vec<String> = step::lost_targets(&case)
            .into_iter()
            .map(|(group, _)| group.arn.clone())
            .collect();
        if is_repair {
            self.memory.begun(&step::concerned(arrival));
        }
        if !groups.is_empty() {
            self.memory.disrupting.insert(arrival.number, groups);
        }
    }

    fn price(&mut self, arrival: &Arrival) {
        let now = arrival.world.now();
        let overdrawn = self.purse.take(arrival);
        let (mut s21, mut s22) = (Findings::default(), Findings::default());
        budget::s21_budget(&mut self.purse, arrival, &overdrawn, &mut s21);
        budget::s22_calls(&self.purse, &mut s22);
        if let Some(overdrawn) = self.purse.wave(arrival) {
            let mut l5 = Findings::default();
            budget::l5_no_wave(&overdrawn, arrival, &mut l5);
            self.tally.take("L5 Resume", now, arrival.number, l5);
        }
        self.tally.take("S21 Budget", now, arrival.number, s21);
        self.tally.take("S22 Bounded", now, arrival.number, s22);
    }

    /// A life has opened its journal, and this is in it.
    pub(super) fn journal_opened(&mut self, now: Timestamp, life: u32, rows: Vec<IntentRow>) {
        self.books.opened(now, life, rows);
        self.jolted(now);
    }

    /// A process begins.
    pub(super) fn life_began(&mut self, now: Timestamp, life: u32) {
        self.memory.lives.began(now, life);
    }

    /// A process is gone.
    pub(super) fn life_ended(&mut self, now: Timestamp, life: u32) {
        self.memory.lives.ended(now, life);
    }

    /// A claim or renewal of a lease, sent at `asked`, is taken.
    pub(super) fn lease_taken(&mut self, now: Timestamp, life: u32, service: &str, asked: Timestamp) {
        let mut l4 = Findings::default();
        let rule = self.declared.newest().lease;
        self.memory
            .lives
            .taken((now, rule), life, service, asked, &mut l4);
        self.tally.take("L4 Takeover", now, 0, l4);
    }

    /// A lease is given up, which must not be before the calls under it have settled.
    pub(super) fn lease_given_up(&mut self, now: Timestamp, life: u32, service: &str) {
        let mut s15 = Findings::default();
        order::s15_settled(&self.memory, service, &mut s15);
        self.tally.take("S15 One writer", now, 0, s15);
        self.memory.lives.given_up(life, service);
    }

    /// A transaction is durable, after which these are the journal's latest intents.
    pub(super) fn journal_committed(&mut self, now: Timestamp, rows: Vec<IntentRow>) {
        let (mut s5, mut s23) = (Findings::default(), Findings::default());
        self.books.committed(now, rows, &mut s5, &mut s23);
        self.tally.take("S5 Write-ahead", now, 0, s5);
        self.tally.take("S23 Audit", now, 0, s23);
    }

    /// The answer to a mutation carries this id.
    pub(super) fn answered(&mut self, call: u64, request_id: &str) {
        self.books.answered(call, request_id);
    }

    /// A call to this account or host goes wrong; `hangs`: in that nothing comes back for long.
    pub(super) fn disturbed(&mut self, now: Timestamp, whom: &str, hangs: bool) {
        self.looks.disturb(now, whom, hangs);
    }

    /// Clocks, disk, process: something of the controller's surroundings has changed.
    pub(super) fn jolted(&mut self, now: Timestamp) {
        self.looks.jolt(now);
        self.alerts.jolt();
    }

    /// A life is over, and this is what it left.
    pub(super) fn examine(&mut self, world: &World, found: &Leftovers) {
        let (mut s22, mut s25) = (Findings::default(), Findings::default());
        surroundings::s22_bounded(found, &mut s22);
        let secrets = self.memory.secrets.iter().map(String::as_str);
        let user_data = self.memory.user_data.iter().map(String::as_str);
        surroundings::s25_leftovers(secrets, user_data, found, world, &mut s25);
        self.tally.take("S22 Bounded", world.now(), 0, s22);
        self.tally.take("S25 Secrets", world.now(), 0, s25);
    }

    /// The loop stands still.
    pub(super) fn stalled(&mut self, stall: Stall) {
        self.stalls.push(stall);
    }

    /// What must never be seen.
    pub(super) fn secrets(&self) -> Vec<String> {
        let memory = &self.memory;
        memory.secrets.iter().chain(&memory.user_data).cloned().collect()
    }

    fn check(&mut self, arrival: &Arrival, checks: &[(&'static str, Check)]) {
        let now = arrival.world.now();
        let window = earlier(arrival.sent, TAKES_FORCE_WITHIN);
        let newest = self.declared.newest();
        for (name, check) in checks {
            let judged = |declared| {
                let case = Case {
                    arrival,
                    declared,
                    newest,
                    memory: &self.memory,
                    books: &self.books,
                };
                let mut findings = Findings::default();
                check(&case, &mut findings);
                findings
            };
            let mut findings = judged(newest);
            // What was right under the policy that was in force a moment ago is right.
            if !findings.broken.is_empty()
                && self
                    .declared
                    .since(window)
                    .skip(1)
                    .any(|before| judged(before).broken.is_empty())
            {
                findings.broken.clear();
            }
            self.tally.take(name, now, arrival.number, findings);
        }
    }

    /// The call was answered, or nobody waits for its answer any more.
    pub(super) fn settled(&mut self, call: u64) {
        self.memory.in_flight.remove(&call);
        self.memory.disrupting.remove(&call);
    }

    /// The world has answered: it did what was asked for, or refused.
    pub(super) fn effected(&mut self, arrival: &Arrival, response: &Response) {
        if response.is_ok() {
            self.memory.effected(arrival, self.declared.newest());
            if arrival.request.operation.is_mutation() {
                self.books.effected(arrival.number);
            }
        }
    }

    /// The world answered, and the controller can read it.
    pub(super) fn shown(&mut self, arrival: &Arrival, response: &Response) {
        self.memory.shown(arrival, response, self.declared.newest());
        let newest = self.declared.newest();
        let case = Case {
            arrival,
            declared: newest,
            newest,
            memory: &self.memory,
            books: &self.books,
        };
        let (mut l2, mut l3, mut l6) = (Findings::default(), Findings::default(), Findings::default());
        match response {
            Ok(answer) => {
                self.looks.shown(&case, answer, &mut l2, &mut l3);
                self.alerts.shown(&self.looks, &case, answer, &mut l6);
            }
            Err(error) if case::is_absence(error) => {}
            Err(_) if self.looks.spoiled(arrival) => {}
            Err(_) => {
                let account = &arrival.request.caller.account;
                self.looks.disturb(arrival.world.now(), account, false);
            }
        }
        self.tally
            .take("L2 Prompt start", arrival.world.now(), arrival.number, l2);
        self.tally
            .take("L3 Isolation", arrival.world.now(), arrival.number, l3);
        self.tally.take("L6 One alert", arrival.world.now(), 0, l6);
    }

    /// Time has passed.
    pub(super) fn observe(&mut self, world: &World) {
        let since = self.watch.observed(world.now());
        self.memory.observe(world, since);
    }

    /// From now on nothing is injected and nobody meddles: what is not whole is to become so, and then to be left alone.
    pub(super) fn calm(&mut self, now: Timestamp) {
        self.watch.calm(now);
    }

    /// The run is over.
    pub(super) fn finish(&mut self, world: &World) {
        self.observe(world);
        let mut findings = Findings::default();
        liveness::l1_eventually_stable(
            &self.watch,
            world,
            self.declared.newest(),
            &self.memory,
            &mut findings,
        );
        self.tally.take("L1 Eventually stable", world.now(), 0, findings);
        let (mut l6, mut l7) = (Findings::default(), Findings::default());
        let declared = self.declared.newest();
        alerts::l6_told_once(&self.looks, world, declared, &mut l6);
        self.alerts.end(&self.looks, world, declared, &mut l6);
        let mut l4 = Findings::default();
        lives::l4_takeover(&self.memory.lives, world.now(), declared.lease, &mut l4);
        self.tally.take("L4 Takeover", world.now(), 0, l4);
        surroundings::l7_stalled_loop(&self.stalls, HEARTBEAT_HOST, world, &mut l7);
        self.tally.take("L6 One alert", world.now(), 0, l6);
        self.tally.take("L7 Stalled loop", world.now(), 0, l7);
    }
}
