//! The controller's process as the machine's service manager sees it: which life is up, what it is told, and how long it
//! stays down.

use keepgreen::controller::{Message, Passed};
use keepgreen::decide::{Hold, HoldReason};
use keepgreen::model::Outcome;
use keepgreen::record::Journal;
use keepgreen::sim::stage::Backstage;
use keepgreen::sim::{CrashPhase, Ended, Incarnation, Stage};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// What restarts a process that ended by itself or could not begin.
const RESTART_S: u32 = 5;
/// A passed pass with these words means that the program caught a panic of its own.
const PANICKED: &str = "panicked";
/// What has changed since the look that a step was planned on, the next look shows. A step that is planned and not sent so often
/// running is one that the plan and the guard never agree on.
const MOST_REFUSALS_RUNNING: u32 = 20;

/// Shared by the one who lives the lives and the one who disturbs them.
#[derive(Default)]
pub struct Process(RefCell<Inner>);

#[derive(Default)]
struct Inner {
    life: Option<Incarnation>,
    tell: Option<mpsc::Sender<Message>>,
    journal: Arc<Mutex<Option<Journal>>>,
    /// It was told to end.
    asked: bool,
    /// The night is over.
    over: bool,
    /// Before the next life begins.
    down_s: u32,
    disk_full: bool,
    /// The next life is on another machine.
    moves: bool,
    faults: Vec<String>,
    /// Tells the oracles of what ails the machine itself.
    backstage: Option<Backstage>,
    lives: u32,
    crashes: u32,
    /// What the latest pass over each service did not do, and why.
    held: BTreeMap<String, Vec<Hold>>,
    /// How often running each service's passes have planned a step and not sent it.
    refused: BTreeMap<String, BTreeMap<String, u32>>,
}

impl Inner {
    fn take(&mut self, passed: &Passed) {
        let service = passed.service.to_string();
        if passed.trouble.as_ref().is_some_and(|why| why.contains(PANICKED)) {
            self.faults.push(format!("a pass over {service} panicked"));
        }
        let Some(plan) = &passed.plan else { return };
        self.held.insert(service.clone(), plan.holds.clone());
        let before = self.refused.remove(&service).unwrap_or_default();
        let mut refused = BTreeMap::new();
        for done in &passed.done {
            let Some(Outcome::NotSent { why }) = &done.outcome else {
                continue;
            };
            let what = done.intent.step.key();
            let times = before.get(&what).map_or(1, |times| times + 1);
            if times == MOST_REFUSALS_RUNNING {
                let fault = format!("{service} plans {what} again and again, and never sends it: {why}");
                self.faults.push(fault);
            }
            refused.insert(what, times);
        }
        self.refused.insert(service, refused);
    }
}

impl Process {
    pub fn new(stage: &Stage) -> Self {
        let inner = Inner {
            journal: stage.present_journal(),
            backstage: Some(stage.backstage().clone()),
            ..Inner::default()
        };
        Self(RefCell::new(inner))
    }

    /// One life after the other, until the night is over.
    pub async fn live(&self, stage: &mut Stage) {
        loop {
            self.settle(stage);
            let life = stage.next_life();
            let (tell, told) = mpsc::channel(64);
            stage.max_pages = self.0.borrow().disk_full.then_some(1);
            {
                let mut inner = self.0.borrow_mut();
                inner.life = Some(life.clone());
                inner.tell = Some(tell);
                inner.asked = false;
                inner.down_s = RESTART_S;
                inner.lives += 1;
            }
            let ended = stage
                .hear(&life, told, |passed| self.0.borrow_mut().take(passed))
                .await;
            let down_s = self.ended(&ended);
            if self.0.borrow().over {
                return;
            }
            tokio::time::sleep(Duration::from_secs(down_s.into())).await;
            if self.0.borrow().over {
                return;
            }
        }
    }

    /// On another machine, if this one is lost.
    fn settle(&self, stage: &mut Stage) {
        let mut inner = self.0.borrow_mut();
        if std::mem::take(&mut inner.moves) {
            *stage = stage.beside(&stage.config.state);
            inner.journal = stage.present_journal();
            let backstage = stage.backstage().clone();
            backstage.fill_disk(inner.disk_full);
            inner.backstage = Some(backstage);
        }
    }

    fn ended(&self, ended: &Ended) -> u32 {
        let mut inner = self.0.borrow_mut();
        inner.life = None;
        inner.tell = None;
        match ended {
            Ended::Orderly if !inner.asked => inner.faults.push("the controller ended by itself".to_owned()),
            Ended::Orderly | Ended::NoJournal(_) => {}
            Ended::Crashed => inner.crashes += 1,
        }
        inner.down_s
    }

    pub fn tell(&self, message: Message) {
        let mut inner = self.0.borrow_mut();
        inner.asked |= message == Message::Shutdown;
        if let Some(tell) = &inner.tell {
            // A full channel holds 64 orders to reload; one more says nothing new.
            let _ = tell.try_send(message);
        }
    }

    /// An orderly end; the next life comes after `down_s`.
    pub fn restart(&self, down_s: u32) {
        self.0.borrow_mut().down_s = down_s;
        self.tell(Message::Shutdown);
    }

    pub fn kill(&self, down_s: u32) {
        let mut inner = self.0.borrow_mut();
        inner.down_s = down_s;
        if let Some(life) = &inner.life {
            life.kill();
        }
    }

    /// The process dies with its machine, and lives on on another one.
    pub fn fail_over(&self, down_s: u32) {
        self.0.borrow_mut().moves = true;
        self.kill(down_s);
    }

    /// The loop stands still.
    pub fn stall(&self, duration: Duration, noticed_after: Duration) {
        if let Some(backstage) = &self.0.borrow().backstage {
            backstage.stall(duration, noticed_after);
        }
    }

    pub fn aim(&self, action: Option<&str>, after: u32, phase: CrashPhase, down_s: u32) {
        let mut inner = self.0.borrow_mut();
        inner.down_s = down_s;
        if let Some(life) = &inner.life {
            life.aim(action, after, phase);
        }
    }

    pub fn spare(&self) {
        if let Some(life) = &self.0.borrow().life {
            life.spare();
        }
    }

    /// The disk takes nothing more, or does again.
    pub async fn fill_disk(&self, full: bool) {
        let journal = {
            let mut inner = self.0.borrow_mut();
            inner.disk_full = full;
            if let Some(backstage) = &inner.backstage {
                backstage.fill_disk(full);
            }
            let journal = inner.journal.lock().unwrap_or_else(PoisonError::into_inner);
            journal.clone()
        };
        if let Some(journal) = journal {
            // A journal that cannot be asked now takes the limit with its next connection.
            let _ = journal.set_max_pages(full.then_some(1)).await;
        }
    }

    /// It can take up what people write: it is up and its disk is not full.
    pub fn is_well(&self) -> bool {
        let inner = self.0.borrow();
        inner.life.is_some() && !inner.disk_full
    }

    pub fn end(&self) {
        self.0.borrow_mut().over = true;
        self.tell(Message::Shutdown);
    }

    /// What the process did that no process should.
    pub fn faults(&self) -> Vec<String> {
        self.0.borrow().faults.clone()
    }

    /// What the controller itself said in the end about what it did not do, a line each.
    pub fn last_words(&self) -> String {
        let inner = self.0.borrow();
        let holds = inner
            .held
            .iter()
            .flat_map(|(service, holds)| holds.iter().map(move |hold| (service, hold)));
        holds
            .map(|(service, hold)| {
                let instance = hold.instance.as_ref().map(ToString::to_string);
                let instance = instance.unwrap_or_default();
                format!("{service} {} {instance}: {}\n", hold.slot, hold.reason.sentence())
            })
            .collect()
    }

    /// The latest pass over this service would launch nothing more before a person has looked.
    pub fn is_quarantined(&self, service: &str) -> bool {
        let inner = self.0.borrow();
        let mut holds = inner.held.get(service).into_iter().flatten();
        holds.any(|hold| {
            matches!(
                hold.reason,
                HoldReason::Quarantined { .. } | HoldReason::AfterFailure { .. }
            )
        })
    }

    /// It was never seen healthy, or has what a launch cannot repeat.
    pub fn cannot_clone(&self, instance: &str) -> bool {
        let inner = self.0.borrow();
        let mut holds = inner.held.values().flatten();
        holds.any(|hold| {
            let is_it = hold.instance.as_ref().is_some_and(|id| id.as_str() == instance);
            is_it
                && matches!(
                    hold.reason,
                    HoldReason::NoBlueprint | HoldReason::CannotCarry { .. }
                )
        })
    }

    pub fn lives(&self) -> u32 {
        self.0.borrow().lives
    }
}
