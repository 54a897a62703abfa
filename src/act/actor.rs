//! Carries out the steps of one service's plan, one after the other: no two mutations of a service overlap (S15).

use super::isolate::smaller;
use super::{Disrupting, Pausing};
use crate::aws::{Priority, Reader, Writer};
use crate::decide::Elsewhere;
use crate::decide::PlannedStep;
use crate::decide::claims::Claims;
use crate::decide::guard::{Admitted, Evidence, Refusal, admit};
use crate::decide::outcome::fold_outcome;
use crate::decide::replace::ours_by_journal;
use crate::env::Env;
use crate::model::{
    AccountId, AwsError, ErrorClass, GroupView, Intent, Lease, Mutant, Observation, Outcome, Region,
    ServiceMemory, Step, Supply, TargetGroupArn,
};
use crate::observe::{self, Asked, Lookout, TargetGroupDirectory};
use crate::policy::Policy;
use crate::record::{IntentDraft, Journal, RecordError};
use futures_util::StreamExt as _;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Everything that carrying out the steps of one service takes.
pub struct Actor<'a> {
    pub env: &'a Env,
    pub reader: &'a Reader,
    pub writer: &'a Writer,
    pub journal: &'a Journal,
    pub pausing: &'a Pausing,
    /// The policy and the claims that are in force when it is asked; `None`: the service has been given up.
    pub in_force: &'a (dyn Fn() -> Option<(Arc<Policy>, Claims)> + Sync),
    /// Why the account's breaker is about to open, by what has been seen by now.
    pub tripped: &'a (dyn Fn() -> Option<String> + Sync),
    /// The policy that the steps were decided under.
    pub planned_under: &'a Policy,
    pub lease: &'a Lease,
    pub account: AccountId,
    pub region: Region,
    pub mutations_per_hour: u32,
    pub directory: &'a TargetGroupDirectory,
    /// The look that the steps were planned on.
    pub planned_on: &'a Observation,
    pub provisions: Means<'a>,
    pub disrupting: &'a Disrupting,
    /// Set once the process is to end: what is in flight is finished, nothing new is begun.
    pub stopping: &'a AtomicBool,
}

/// What the steps were planned with, besides the look.
#[derive(Clone, Copy, Debug)]
pub struct Means<'a> {
    pub supply: Option<&'a Supply>,
    pub elsewhere: &'a Elsewhere,
}

/// What came of the steps.
#[derive(Debug)]
pub struct Carried {
    /// With every outcome folded in, and journaled so.
    pub memory: ServiceMemory,
    pub done: Vec<Done>,
    /// The journal failed: nothing was sent after that.
    pub stopped: Option<RecordError>,
    /// The guard found the program itself at fault; nothing was sent after that.
    pub own_faults: Vec<Refusal>,
}

/// One request and how it ended; `outcome` is `None` while it is ambiguous.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    pub intent: Intent,
    pub outcome: Option<Outcome>,
}

impl Actor<'_> {
    /// Carries out `steps` in their order. Never fails: what could not be done is in the memory, or in `stopped`.
    pub async fn carry_out(&self, steps: Vec<PlannedStep>, memory: ServiceMemory) -> Carried {
        let mut carried = Carried {
            memory,
            done: Vec::new(),
            stopped: None,
            own_faults: Vec::new(),
        };
        let mut queue: VecDeque<(Step, String)> = steps.into_iter().map(|s| (s.step, s.why)).collect();
        while let Some((step, why)) = queue.pop_front() {
            if self.stopping.load(Ordering::Relaxed) {
                break;
            }
            match self.one(step, &why, &mut carried).await {
                // Each part is smaller than what failed, so this ends.
                Ok(parts) => queue.extend(parts.into_iter().map(|part| (part, why.clone()))),
                Err(error) => {
                    tracing::error!(error = %error, "the journal failed: no further mutation is sent");
                    carried.stopped = Some(error);
                    break;
                }
            }
            if !carried.own_faults.is_empty() {
                break;
            }
        }
        carried
    }

    /// One mutation, in the order of the module's doc. Returns the smaller steps to try instead.
    async fn one(&self, step: Step, why: &str, carried: &mut Carried) -> Result<Vec<Step>, RecordError> {
        let groups = self.groups_of(&step);
        let Some(_turn) = self.disrupting.turn(groups) else {
            tracing::info!(
                operation = step.operation(),
                "another step on its target groups is under way: not in this pass"
            );
            return Ok(Vec::new());
        };
        self.writer.reserve(&step).await;
        if let Err(error) = self.writer.warm().await {
            tracing::warn!(error = %error, "no credentials to write with: nothing is sent in this pass");
            return Ok(Vec::new());
        }
        let intent = self.begin(self.draft(step, why)).await?;
        let outcome = match self.admitted(&intent, &carried.memory).await? {
            Ok(admitted) => self.send(admitted).await,
            Err(refusals) => {
                let own: Vec<Refusal> = refusals
                    .iter()
                    .filter(|refusal| !refusal.expected)
                    .cloned()
                    .collect();
                carried.own_faults.extend(own);
                Ok(Outcome::NotSent {
                    why: in_one_line(&refusals),
                })
            }
        };
        if Mutant::SentBeforeJournaled.is_on() {
            self.journal.begin(intent.clone()).await?;
        }
        if matches!(outcome, Ok(Outcome::Accepted { .. }) | Err(_)) {
            self.disrupting.sent(&intent.step, self.env.clock.boot());
        }
        match outcome {
            Ok(outcome) => self.ended(intent, outcome, carried).await,
            Err(ambiguous) => {
                tracing::warn!(intent = %intent.id, error = %ambiguous, "no answer: the next look tells what it did");
                self.journal.mark_ambiguous(&intent.id, ambiguous).await?;
                carried.done.push(Done {
                    intent,
                    outcome: None,
                });
                Ok(Vec::new())
            }
        }
    }

    /// The target groups that a step takes something out of.
    fn groups_of(&self, step: &Step) -> BTreeSet<TargetGroupArn> {
        match step {
            Step::Start { .. }
            | Step::Launch(_)
            | Step::Register(_)
            | Step::KeepVolume { .. }
            | Step::Retire { .. } => BTreeSet::new(),
            Step::Deregister(target) => BTreeSet::from([target.arn.clone()]),
            Step::Stop { instance, .. } | Step::Terminate { instance, .. } => {
                let serves_in =
                    |group: &&GroupView| group.targets.iter().any(|one| one.instance == *instance);
                let groups = self.planned_on.groups.values().filter(serves_in);
                groups.map(|group| group.arn.clone()).collect()
            }
        }
    }

    /// A start needs to see its own instance; everything else rests on a whole look of the service.
    async fn look_for(&self, step: &Step, asked: &Asked<'_>) -> Option<Observation> {
        if matches!(step, Step::Start { .. }) {
            return Some(observe::look_again(self.reader, asked, &self.env.clock, Priority::Start).await);
        }
        let from = Lookout {
            reader: self.reader,
            directory: self.directory,
            clock: &self.env.clock,
            priority: Priority::Repair,
        };
        let asked = std::slice::from_ref(asked);
        let mut looks = std::pin::pin!(observe::look(from, asked));
        let look = looks.next().await?;
        Some(self.disrupting.seen_through(look))
    }

    async fn begin(&self, draft: IntentDraft) -> Result<Intent, RecordError> {
        let intent = self.journal.intent_of(draft);
        if Mutant::SentBeforeJournaled.is_on() {
            return Ok(intent);
        }
        self.journal.begin(intent).await
    }

    fn draft(&self, step: Step, why: &str) -> IntentDraft {
        IntentDraft {
            service: self.planned_under.service.clone(),
            account: self.account.clone(),
            region: self.region.clone(),
            step,
            policy_version: self.planned_under.version.clone(),
            reason: why.to_owned(),
        }
    }

    /// Looks again, at everything that the guard wants to see, and asks it.
    async fn admitted(
        &self,
        intent: &Intent,
        memory: &ServiceMemory,
    ) -> Result<Result<Admitted, Vec<Refusal>>, RecordError> {
        let used = self.journal.mutations_last_hour(&self.account).await?;
        let Some((policy, claims)) = (self.in_force)() else {
            let why = "the service's policy is gone: it has been given up".to_owned();
            return Ok(Err(vec![Refusal {
                invariant: "S16",
                why,
                expected: true,
            }]));
        };
        let policy = policy.as_ref();
        let asked = Asked {
            policy,
            also: ours_by_journal(memory),
        };
        let Some(look) = self.look_for(&intent.step, &asked).await else {
            let why = "the service could not be looked at".to_owned();
            return Ok(Err(vec![Refusal {
                invariant: "S16",
                why,
                expected: true,
            }]));
        };
        let pauses = self.pausing.read(policy, self.env).await;
        let mut elsewhere = self.provisions.elsewhere.clone();
        elsewhere.breaker = elsewhere.breaker.or_else(|| (self.tripped)());
        let evidence = Evidence {
            look: &look,
            pauses: &pauses,
            lease: self.lease,
            policy,
            claims: &claims,
            memory,
            planned_on: self.planned_on,
            supply: self.provisions.supply,
            elsewhere: &elsewhere,
            mutations_last_hour: used,
            mutations_per_hour: self.mutations_per_hour,
            now: self.env.clock.now(),
        };
        Ok(admit(intent.clone(), &evidence))
    }

    /// # Errors
    /// Ambiguous only: whether it had its effect is not known.
    async fn send(&self, admitted: Admitted) -> Result<Outcome, AwsError> {
        match self.writer.send(admitted).await {
            Ok(accepted) => Ok(Outcome::Accepted {
                request_id: accepted.request_id,
                launched: accepted.launched,
            }),
            Err(error) if error.class == ErrorClass::Ambiguous && !Mutant::LostIsNeverSent.is_on() => {
                Err(error)
            }
            Err(error) if matches!(error.class, ErrorClass::NeverSent | ErrorClass::Ambiguous) => {
                Ok(Outcome::NotSent {
                    why: error.to_string(),
                })
            }
            Err(error) => Ok(Outcome::Failed { error }),
        }
    }

    async fn ended(
        &self,
        intent: Intent,
        outcome: Outcome,
        carried: &mut Carried,
    ) -> Result<Vec<Step>, RecordError> {
        log_outcome(&intent, &outcome);
        let parts = match &outcome {
            Outcome::Failed { error } => smaller(&intent.step, error),
            _ => Vec::new(),
        };
        // What failed for the company that it was sent in is nobody's failure yet.
        let memory = if parts.is_empty() {
            fold_outcome(
                &carried.memory,
                self.planned_under,
                &intent,
                &outcome,
                self.env.clock.wall(),
            )
        } else {
            carried.memory.clone()
        };
        self.journal
            .end_intent(&intent.id, outcome.clone(), Some(memory.clone()), Vec::new())
            .await?;
        carried.memory = memory;
        carried.done.push(Done {
            intent,
            outcome: Some(outcome),
        });
        Ok(parts)
    }
}

fn in_one_line(refusals: &[Refusal]) -> String {
    refusals
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}

fn log_outcome(intent: &Intent, outcome: &Outcome) {
    let instances = intent
        .step
        .instances()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" ");
    let (id, operation) = (&intent.id, intent.step.operation());
    match outcome {
        Outcome::Accepted { request_id, .. } => {
            tracing::info!(intent = %id, operation, instances, request_id, "AWS accepted the request");
        }
        Outcome::NotSent { why } => tracing::info!(intent = %id, operation, instances, why, "not sent"),
        Outcome::Failed { error } => {
            tracing::warn!(intent = %id, operation, instances, error = %error, "AWS refused the request");
        }
        Outcome::Settled { .. } => {}
    }
}
