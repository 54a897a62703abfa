//! One pass: the due services of one scope, looked at together, each then on its own.

use super::board::Board;
use super::fleet::{Fleet, InForce};
use super::ledger::Ledger;
use super::parameters::OwnParameters;
use super::provisions::{Provisions, Trouble};
use super::scopes::{ScopeClients, Scopes};
use super::vitals::Vitals;
use crate::act::{Actor, Carried, Disrupting, Done, Means, Pausing};
use crate::aws::{Priority, ScopeKey, Sdk};
use crate::decide::claims::Claims;
use crate::decide::fold::{Seen, fold};
use crate::decide::outcome::{fold_settled, settle};
use crate::decide::replace::{ours_by_journal, remember_launches};
use crate::decide::{FleetLimits, Input, Plan, UnknownIntent, decide, remember_findings};
use crate::env::Env;
use crate::model::{
    AccountId, AwsError, ChannelName, Lease, Notice, NoticeKind, Observation, PauseReading, ServiceMemory,
    ServiceName, Supply,
};
use crate::observe::{Asked, Lookout, look};
use crate::pause::{Parameter, ParameterSource, Sources};
use crate::policy::{Config, Policy};
use crate::record::{RecordError, ServiceRecord};
use futures_util::FutureExt as _;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// The right and the means to change something; without it a pass only looks.
#[derive(Clone, Debug)]
pub struct Hands {
    pub lease: Lease,
    /// Set once the process is to end: what is in flight is finished, nothing new is begun.
    pub stopping: Arc<AtomicBool>,
}

/// Makes passes. Everything that all of them share.
pub struct Rounds {
    pub env: Env,
    pub config: Config,
    pub scopes: Arc<Scopes>,
    pub ledger: Ledger,
    pub pausing: Pausing,
    pub in_force: InForce,
    pub vitals: Vitals,
    pub board: Board,
    /// Channels that can be used; others are known to the policies all the same.
    pub channels: BTreeSet<ChannelName>,
    /// Names this process in the memory, whose boot clock no other process shares.
    pub incarnation: String,
    pub hands: Option<Hands>,
    /// What there is to launch from, as it was last read, by service.
    pub supplies: Mutex<BTreeMap<ServiceName, Supply>>,
    /// Instances of which it could not be read how they are made: how often in a row, and why, by service.
    pub unread: Mutex<BTreeMap<ServiceName, Trouble>>,
    /// Target groups in which a step that takes something out is being carried out, by any service.
    pub disrupting: Disrupting,
}

/// What one pass over one service came to.
#[derive(Debug)]
pub struct Passed {
    pub service: ServiceName,
    /// `None`: the scope has no clients, or the pass failed in a way that left no plan.
    pub plan: Option<Plan>,
    pub done: Vec<Done>,
    /// Why nothing could be decided or kept, for people.
    pub trouble: Option<String>,
}

impl Rounds {
    /// `hands`: whoever has none only looks, and makes no write client.
    pub fn new(env: Env, config: Config, sdk: Sdk, ledger: Ledger, hands: Option<Hands>) -> Self {
        let scopes = Arc::new(Scopes::new(sdk, hands.is_some()));
        let parameter = config.pause_parameter.clone().map(|name| {
            let source: Arc<dyn ParameterSource> = Arc::new(OwnParameters(Arc::clone(&scopes)));
            Parameter { name, source }
        });
        let sources = Sources {
            folder: config.state.clone(),
            parameter,
        };
        Self {
            incarnation: env.entropy.id("process"),
            pausing: Pausing {
                sources,
                policies_are_files: true,
            },
            scopes,
            in_force: InForce::default(),
            vitals: Vitals::default(),
            board: Board::default(),
            channels: BTreeSet::new(),
            env,
            config,
            ledger,
            hands,
            supplies: Mutex::default(),
            unread: Mutex::default(),
            disrupting: Disrupting::default(),
        }
    }

    /// Looks at `services`, which share `scope`, and acts where it may. `report` gets each service as soon as it is done.
    pub async fn pass(
        &self,
        scope: &ScopeKey,
        services: &BTreeSet<ServiceName>,
        mut report: impl FnMut(Passed),
    ) {
        let fleet = self.in_force.now();
        let policies: Vec<Arc<Policy>> = services
            .iter()
            .filter_map(|name| fleet.policies.get(name).cloned())
            .collect();
        let clients = match self.scopes.of(scope).await {
            Ok(clients) => clients,
            Err(error) => {
                services.iter().for_each(|service| {
                    self.board.lost_sight_of(service);
                    report(no_clients(service, &error));
                });
                return;
            }
        };
        let refs: Vec<&Policy> = policies.iter().map(AsRef::as_ref).collect();
        let (asked, under_repair) = self.asked(&refs).await;
        let priority = if under_repair {
            Priority::Repair
        } else {
            Priority::Quiet
        };
        let from = Lookout {
            reader: &clients.reader,
            directory: &clients.directory,
            clock: &self.env.clock,
            priority,
        };
        let mut looks = std::pin::pin!(look(from, &asked));
        let mut passes = FuturesUnordered::new();
        let mut left: BTreeSet<ServiceName> = services.clone();
        loop {
            tokio::select! {
                biased;
                Some(passed) = passes.next() => {
                    let passed: Passed = passed;
                    left.remove(&passed.service);
                    report(passed);
                }
                Some(seen) = looks.next() => passes.push(self.caught(&fleet, &clients, seen)),
                else => break,
            }
        }
        // Gone from the policies since it was due: nothing to look at any more.
        for service in left {
            report(Passed {
                service,
                plan: None,
                done: Vec::new(),
                trouble: None,
            });
        }
    }

    /// What each service is asked about: besides what its selectors match, what the journal says is ours. And whether any
    /// of them is under repair: it is read before quiet ones when requests are scarce.
    async fn asked<'a>(&self, policies: &[&'a Policy]) -> (Vec<Asked<'a>>, bool) {
        let (mut asked, mut under_repair) = (Vec::new(), false);
        for policy in policies {
            let mut one = Asked::of(policy);
            // A journal that cannot be read is told of when the service's own turn comes.
            if let Ok((record, _)) = self.ledger.load(&policy.service).await {
                let memory = &record.memory;
                one.also = ours_by_journal(memory);
                under_repair |= !memory.incidents.is_empty() || !one.also.is_empty();
            }
            asked.push(one);
        }
        (asked, under_repair)
    }

    /// A panic in one service ends that service's pass and no other.
    async fn caught(&self, fleet: &Fleet, clients: &ScopeClients, seen: Observation) -> Passed {
        let service = seen.service.clone();
        let span = tracing::info_span!("pass", service = %service);
        let pass = tracing::Instrument::instrument(self.service(fleet, clients, seen), span);
        let passed = AssertUnwindSafe(pass)
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Passed {
                service: service.clone(),
                plan: None,
                done: Vec::new(),
                trouble: Some(
                    "the pass panicked: a fault of keepgreen's own; nothing was done after it".to_owned(),
                ),
            });
        self.board.seen(&service);
        if passed.plan.is_none() {
            self.board.lost_sight_of(&service);
        }
        passed
    }

    async fn service(&self, fleet: &Fleet, clients: &ScopeClients, seen: Observation) -> Passed {
        let service = seen.service.clone();
        let failed = |trouble: String| Passed {
            service: service.clone(),
            plan: None,
            done: Vec::new(),
            trouble: Some(trouble),
        };
        if let Some(caller) = &seen.caller {
            clients.remember_account(caller);
        }
        let Some(policy) = fleet.policies.get(&service) else {
            return failed("its policy is gone".to_owned());
        };
        let claims = self.in_force.now().claims(&self.scopes);
        let bench = Bench {
            rounds: self,
            policy,
            claims: &claims,
            clients,
            look: &seen,
        };
        match bench.work().await {
            Ok(passed) => passed,
            Err(error) => {
                tracing::error!(error = %error, "the journal failed: nothing is done about this service");
                failed(error.to_string())
            }
        }
    }
}

fn no_clients(service: &ServiceName, error: &AwsError) -> Passed {
    tracing::error!(service = %service, error = %error, "AWS cannot be asked about this service");
    Passed {
        service: service.clone(),
        plan: None,
        done: Vec::new(),
        trouble: Some(error.to_string()),
    }
}

/// One service on the bench: its policy, its look, and what it takes to work on it.
pub(super) struct Bench<'a> {
    pub rounds: &'a Rounds,
    pub policy: &'a Policy,
    pub claims: &'a Claims,
    pub clients: &'a ScopeClients,
    pub look: &'a Observation,
}

impl Bench<'_> {
    async fn work(&self) -> Result<Passed, RecordError> {
        let service = &self.policy.service;
        let (mut record, resumed) = self.rounds.ledger.load(service).await?;
        self.settle(&mut record).await?;
        let memory = fold(&record.memory, &self.seen(resumed));
        let pauses = self.rounds.pausing.survey(self.policy, &self.rounds.env).await;
        let used = self.mutations_last_hour().await?;
        let provisions = self.provisions(&memory).await?;
        let plan = self.decide(&memory, &record, (&pauses, used), &provisions);
        self.rounds
            .vitals
            .take(service, self.account().as_ref(), &plan, &memory);
        let (mut provisions, anew) = self.fit_for(&plan, provisions, &memory).await?;
        // From here until the launches of this plan are on the board nothing is waited for, so no other pass comes in between.
        let moved = provisions.elsewhere.take_over(self.others_now());
        let plan = if anew || moved {
            self.decide(&memory, &record, (&pauses, used), &provisions)
        } else {
            plan
        };
        let memory = remember_findings(&memory, &plan, false);
        let before_acting = memory.clone();
        let memory = if self.rounds.hands.is_some() {
            let memory = remember_launches(&memory, &plan);
            let account = self.account();
            self.rounds.board.claim(service, account.as_ref(), &plan, &memory);
            memory
        } else {
            memory
        };
        self.keep(&memory, &plan, &pauses).await?;
        self.log(&plan);
        let carried = self.act(&plan, memory, &provisions).await;
        let (plan, done, trouble, memory) = match carried {
            None => (plan, Vec::new(), None, before_acting),
            Some(carried) => {
                self.after_acting(carried, record, (&pauses, resumed), &provisions)
                    .await?
            }
        };
        self.rounds
            .board
            .post(service, self.account().as_ref(), &plan, &memory);
        self.rounds
            .vitals
            .take(service, self.account().as_ref(), &plan, &memory);
        Ok(Passed {
            service: service.clone(),
            plan: Some(plan),
            done,
            trouble,
        })
    }

    fn seen(&self, resumed: Option<Timestamp>) -> Seen<'_> {
        Seen {
            policy: self.policy,
            claims: self.claims,
            look: self.look,
            incarnation: &self.rounds.incarnation,
            interval: self.rounds.config.interval,
            resumed,
        }
    }

    pub(super) fn account(&self) -> Option<AccountId> {
        self.look.caller.clone().or_else(|| self.clients.account())
    }

    /// Ends what earlier processes or lost answers left open, as far as this look tells how it ended.
    async fn settle(&self, record: &mut ServiceRecord) -> Result<(), RecordError> {
        let mut open = Vec::new();
        for journaled in std::mem::take(&mut record.unsettled) {
            let Some(outcome) = settle(&journaled, self.look, &record.memory, self.rounds.config.interval)
            else {
                open.push(journaled);
                continue;
            };
            let intent = &journaled.intent;
            tracing::info!(intent = %intent.id, ?outcome, "settled by looking");
            let now = self.look.begun.wall;
            record.memory = fold_settled(&record.memory, self.policy, &journaled, &outcome, now);
            if let super::Ledger::Journal(journal) = &self.rounds.ledger {
                journal
                    .end_intent(&intent.id, outcome, Some(record.memory.clone()), Vec::new())
                    .await?;
            }
        }
        record.unsettled = open;
        Ok(())
    }

    async fn mutations_last_hour(&self) -> Result<u32, RecordError> {
        match (self.rounds.ledger.journal(), self.account()) {
            (Some(journal), Some(account)) => journal.mutations_last_hour(&account).await,
            _ => Ok(0),
        }
    }

    fn channels(&self) -> Vec<ChannelName> {
        self.policy
            .notify
            .iter()
            .filter(|name| self.rounds.channels.contains(name))
            .cloned()
            .collect()
    }

    fn decide(
        &self,
        memory: &ServiceMemory,
        record: &ServiceRecord,
        (pauses, mutations_last_hour): (&PauseReading, u32),
        provisions: &Provisions,
    ) -> Plan {
        let unknown = record.unknown.iter();
        let unknown: Vec<UnknownIntent> = unknown
            .map(|intent| UnknownIntent {
                id: intent.id.clone(),
                instances: intent.instances.clone(),
            })
            .collect();
        let mutations_per_hour = self.rounds.config.limits.mutations_per_hour;
        decide(&Input {
            policy: self.policy,
            claims: self.claims,
            look: self.look,
            memory,
            unsettled: &record.unsettled,
            unknown_intents: &unknown,
            pauses,
            delivered: &record.delivered,
            limits: FleetLimits {
                mutations_last_hour,
                mutations_per_hour,
            },
            blueprints: &provisions.blueprints,
            unread: &provisions.unread,
            supply: provisions.supply.as_ref(),
            elsewhere: &provisions.elsewhere,
            can_announce: !self.channels().is_empty(),
            interval: self.rounds.config.interval,
            now: self.look.begun.wall,
        })
    }

    async fn keep(
        &self,
        memory: &ServiceMemory,
        plan: &Plan,
        pauses: &PauseReading,
    ) -> Result<(), RecordError> {
        let mut notices = plan.notices.clone();
        notices.extend(crate::pause::expiry_warnings(&pauses.set, self.look.begun.wall));
        let notices = self.addressed(notices);
        self.rounds
            .ledger
            .keep(&self.policy.service, memory, notices)
            .await
    }

    fn addressed(&self, notices: Vec<Notice>) -> Vec<(ChannelName, Notice)> {
        let channels = self.channels();
        let to_each = |notice: Notice| {
            channels
                .iter()
                .map(move |channel| (channel.clone(), notice.clone()))
        };
        notices.into_iter().flat_map(to_each).collect()
    }

    fn log(&self, plan: &Plan) {
        for gap in &plan.gaps {
            tracing::warn!(part = %gap.part, why = gap.why, "could not be read: nothing but safe starts is done");
        }
        for step in &plan.steps {
            let instances = step
                .step
                .instances()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" ");
            tracing::info!(
                operation = step.step.operation(),
                instances,
                why = step.why,
                "planned"
            );
        }
        tracing::debug!(due = ?plan.due, findings = plan.findings.len(), holds = plan.holds.len(), "decided");
    }

    /// `None`: nothing to do, or no hands to do it with.
    async fn act(&self, plan: &Plan, memory: ServiceMemory, provisions: &Provisions) -> Option<Carried> {
        let hands = self.rounds.hands.as_ref()?;
        let super::Ledger::Journal(journal) = &self.rounds.ledger else {
            return None;
        };
        let (writer, account) = (self.clients.writer.as_ref()?, self.look.caller.clone()?);
        if plan.steps.is_empty() || hands.stopping.load(Ordering::Relaxed) {
            return None;
        }
        let actor = Actor {
            env: &self.rounds.env,
            reader: &self.clients.reader,
            writer,
            journal,
            pausing: &self.rounds.pausing,
            in_force: &|| {
                let fleet = self.rounds.in_force.now();
                let policy = fleet.policies.get(&self.policy.service).cloned()?;
                Some((policy, fleet.claims(&self.rounds.scopes)))
            },
            tripped: &|| self.tripped(),
            planned_under: self.policy,
            lease: &hands.lease,
            account,
            region: self.look.region.clone(),
            mutations_per_hour: self.rounds.config.limits.mutations_per_hour,
            stopping: &hands.stopping,
            directory: &self.clients.directory,
            planned_on: self.look,
            provisions: Means {
                supply: provisions.supply.as_ref(),
                elsewhere: &provisions.elsewhere,
            },
            disrupting: &self.rounds.disrupting,
        };
        Some(actor.carry_out(plan.steps.clone(), memory).await)
    }

    /// Decides again on what came of the steps: says what is to be said about it now, not at the next pass.
    async fn after_acting(
        &self,
        carried: Carried,
        record: ServiceRecord,
        (pauses, resumed): (&PauseReading, Option<Timestamp>),
        provisions: &Provisions,
    ) -> Result<(Plan, Vec<Done>, Option<String>, ServiceMemory), RecordError> {
        let (after, _) = self.rounds.ledger.load(&self.policy.service).await?;
        let record = ServiceRecord {
            delivered: record.delivered,
            ..after
        };
        let memory = ServiceMemory {
            resumed: resumed.or(carried.memory.resumed),
            ..carried.memory.clone()
        };
        let used = self.mutations_last_hour().await?;
        let mut plan = self.decide(&memory, &record, (pauses, used), provisions);
        plan.notices
            .extend(own_faults(&carried, self.policy, self.look.begun.wall));
        let memory = remember_findings(&memory, &plan, true);
        self.keep(&memory, &plan, pauses).await?;
        let trouble = carried.stopped.map(|error| error.to_string());
        Ok((plan, carried.done, trouble, memory))
    }
}

/// The guard found the program itself at fault: nothing more is sent for this service in this pass, and people are told.
fn own_faults(carried: &Carried, policy: &Policy, now: Timestamp) -> Vec<Notice> {
    let of = |refusal: &crate::decide::guard::Refusal| Notice {
        key: format!(
            "own-fault/{}/{}/{}",
            policy.service,
            refusal.invariant,
            now.as_second() / 86_400
        ),
        kind: NoticeKind::NeedsPerson,
        at: now,
        service: Some(policy.service.clone()),
        instance: None,
        title: format!(
            "{}: a mutation was refused by invariant {}",
            policy.service, refusal.invariant
        ),
        text: format!(
            "{}. It was planned all the same, which is a fault of keepgreen's own; nothing was sent. Next: report it, \
             with the log of this pass, and heal by hand meanwhile.",
            refusal.why
        ),
        facts: Vec::new(),
    };
    carried.own_faults.iter().map(of).collect()
}
