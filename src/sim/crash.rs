//! Crashes: one life of the controller's process, and where it ends.
//!
//! A crash takes no time to clean up. It is marked at one of four points of one call, and from then on nothing of this
//! life has any effect: its connector accepts nothing, its store commits nothing, its futures never resolve, and
//! [`Incarnation::run`] drops it after the very poll in which it died. Drop code runs then, as it does not in a real
//! crash: it must have no effects.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use super::nap::Nap;
use crate::record::CommitHook;

/// Where in a call the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CrashPhase {
    /// The request never leaves.
    BeforeSend,
    /// AWS has done it; nobody reads the answer.
    EffectDoneAnswerLost,
    /// The answer was read, but its outcome is not durable: at the next commit, which does not happen.
    AnswerReadOutcomeNotDurable,
    /// Right after the next commit.
    After,
}

impl CrashPhase {
    pub const ALL: [CrashPhase; 4] = [
        CrashPhase::BeforeSend,
        CrashPhase::EffectDoneAnswerLost,
        CrashPhase::AnswerReadOutcomeNotDurable,
        CrashPhase::After,
    ];
}

/// Die at this phase of this life's n-th call, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CrashPlan {
    pub call: u64,
    pub phase: CrashPhase,
}

/// The journal's transactions that make a mutation's outcome durable.
const OUTCOME_COMMITS: [&str; 2] = ["end-intent", "mark-ambiguous"];

/// One life of a process. Clones are the same life.
#[derive(Clone)]
pub struct Incarnation(Arc<Inner>);

struct Inner {
    /// Who sends its calls.
    actor: Actor,
    life: Mutex<Life>,
    nap: Nap,
}

#[derive(Default)]
struct Life {
    plan: Option<CrashPlan>,
    aim: Option<Aim>,
    /// The planned call was answered: die at the next commit, in this phase.
    armed: Option<Armed>,
    dead: bool,
    calls: u64,
    waker: Option<Waker>,
}

/// Die at a call that is not numbered yet.
struct Aim {
    /// `None`: any.
    action: Option<String>,
    /// Matching calls that pass first.
    after: u32,
    phase: CrashPhase,
}

/// A planned call was answered.
#[derive(Clone, Copy)]
struct Armed {
    phase: CrashPhase,
    /// A mutation's outcome is made durable by certain transactions; a read's by any, or never.
    is_mutation: bool,
}

/// Who makes a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Actor {
    /// A life of the controller, by number; the oracles judge what it does.
    Controller { incarnation: u32, dry_run: bool },
    /// A person at a console or a script of theirs; may do anything.
    Person,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actor::Controller { incarnation, .. } => write!(f, "controller {incarnation}"),
            Actor::Person => f.write_str("person"),
        }
    }
}

/// The process died while it ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crashed;

impl Incarnation {
    /// The controller's n-th life.
    pub fn controller(n: u32) -> Self {
        Self::new(Actor::Controller {
            incarnation: n,
            dry_run: false,
        })
    }

    /// A life of the controller that must not change anything: `plan`, `--dry-run`.
    pub fn dry_run(n: u32) -> Self {
        Self::new(Actor::Controller {
            incarnation: n,
            dry_run: true,
        })
    }

    /// Somebody else with an AWS client.
    pub fn person() -> Self {
        Self::new(Actor::Person)
    }

    fn new(actor: Actor) -> Self {
        Self(Arc::new(Inner {
            actor,
            life: Mutex::default(),
            nap: Nap::default(),
        }))
    }

    /// This life will end there.
    pub fn with_crash(self, plan: CrashPlan) -> Self {
        self.with(|life| life.plan = Some(plan));
        self
    }

    /// While it lives: it will end at a coming call of `action` (`None`: any), after so many of them.
    pub fn aim(&self, action: Option<&str>, after: u32, phase: CrashPhase) {
        let action = action.map(str::to_owned);
        self.with(|life| life.aim = Some(Aim { action, after, phase }));
    }

    /// Whatever was to end it does so no more.
    pub fn spare(&self) {
        self.with(|life| {
            life.aim = None;
            life.plan = None;
            life.armed = None;
        });
    }

    pub fn actor(&self) -> Actor {
        self.0.actor
    }

    pub fn is_dead(&self) -> bool {
        self.with(|life| life.dead)
    }

    /// Die now, wherever it is.
    pub fn kill(&self) {
        self.with(Life::die);
    }

    /// It will die at this phase of this call, which is just being made. `false`: it has died right now.
    pub(super) fn strike(&self, plan: CrashPlan) -> bool {
        self.with(|life| {
            life.plan = Some(plan);
            if plan.phase == CrashPhase::BeforeSend {
                life.die();
            }
            !life.dead
        })
    }

    /// For so long nothing of it runs; time goes on for everybody, itself included.
    pub fn freeze(&self, duration: Duration) {
        self.0.nap.take(duration);
    }

    /// Run a process until it ends or dies. On death the future is dropped after the poll it died in, and its
    /// result, should that poll have brought one, is lost.
    pub async fn run<F: Future>(&self, process: F) -> Result<F::Output, Crashed> {
        let mut process = pin!(self.0.nap.run(process));
        poll_fn(|context| {
            let polled = if self.is_dead() {
                Poll::Pending
            } else {
                process.as_mut().poll(context)
            };
            let dead = self.with(|life| {
                life.waker = Some(context.waker().clone());
                life.dead
            });
            if dead {
                Poll::Ready(Err(Crashed))
            } else {
                polled.map(Ok)
            }
        })
        .await
    }

    /// A call enters the connector: its number, or `None` if this life is over.
    pub(super) fn enter_call(&self, action: &str) -> Option<u64> {
        self.with(|life| {
            life.calls += 1;
            life.take_aim(action);
            // Nothing was committed since a read's answer: its crash is now.
            if life.armed.is_some_and(|armed| !armed.is_mutation)
                || life.is_planned(life.calls, CrashPhase::BeforeSend)
            {
                life.die();
            }
            (!life.dead).then_some(life.calls)
        })
    }

    /// The call's effect is done. `false`: this life is over.
    pub(super) fn effect_done(&self, call: u64) -> bool {
        self.with(|life| {
            if life.is_planned(call, CrashPhase::EffectDoneAnswerLost) {
                life.die();
            }
            !life.dead
        })
    }

    /// The call's answer is about to be read. `false`: this life is over.
    pub(super) fn answered(&self, call: u64, is_mutation: bool) -> bool {
        self.with(|life| {
            for phase in [CrashPhase::AnswerReadOutcomeNotDurable, CrashPhase::After] {
                if life.is_planned(call, phase) {
                    life.armed = Some(Armed { phase, is_mutation });
                }
            }
            !life.dead
        })
    }

    /// A transaction reaches `phase`. `false`: this life is over.
    fn commit(&self, what: &str, phase: CrashPhase) -> bool {
        self.with(|life| {
            let is_hit = |armed: Armed| {
                armed.phase == phase && (!armed.is_mutation || OUTCOME_COMMITS.contains(&what))
            };
            if life.armed.is_some_and(is_hit) {
                life.die();
            }
            !life.dead
        })
    }

    fn with<R>(&self, f: impl FnOnce(&mut Life) -> R) -> R {
        f(&mut self.0.life.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Life {
    fn take_aim(&mut self, action: &str) {
        let Some(aim) = &mut self.aim else { return };
        if aim.action.as_deref().is_some_and(|wanted| wanted != action) {
            return;
        }
        if aim.after > 0 {
            aim.after -= 1;
            return;
        }
        self.plan = Some(CrashPlan {
            call: self.calls,
            phase: aim.phase,
        });
        self.aim = None;
    }

    fn is_planned(&self, call: u64, phase: CrashPhase) -> bool {
        self.plan == Some(CrashPlan { call, phase })
    }

    fn die(&mut self) {
        self.dead = true;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// Hand it to the store (`record::Options::hook`), so that the two later phases are hit.
impl CommitHook for Incarnation {
    fn before_commit(&self, what: &str) -> bool {
        self.commit(what, CrashPhase::AnswerReadOutcomeNotDurable)
    }

    fn after_commit(&self, what: &str) -> bool {
        self.commit(what, CrashPhase::After)
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dead = if self.is_dead() { ", dead" } else { "" };
        write!(f, "Incarnation({}{dead})", self.0.actor)
    }
}
