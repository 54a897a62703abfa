//! People who use the program's other commands while the controller runs: `keepgreen plan`, `keepgreen resume`.

use jiff::Timestamp;
use keepgreen::aws::{ScopeKey, Sdk};
use keepgreen::controller::{Fleet, Ledger, Rounds, resume_key};
use keepgreen::env::Env;
use keepgreen::model::ServiceName;
use keepgreen::policy::Config;
use keepgreen::record::{Journal, RecordError};
use keepgreen::sim::{Cloud, Incarnation, Stage};
use std::collections::{BTreeMap, BTreeSet};

/// Commands are lives of their own, numbered far above the controller's.
const FIRST_LIFE: u32 = 1_000_000;

/// Somebody at the machine's command line.
pub struct Visitor {
    cloud: Cloud,
    config: Config,
    account: String,
    region: String,
    visits: u32,
}

impl Visitor {
    pub fn new(stage: &Stage) -> Self {
        Self {
            cloud: stage.cloud.clone(),
            config: stage.config.clone(),
            account: stage.account.clone(),
            region: stage.region.clone(),
            visits: 0,
        }
    }

    fn env(&mut self) -> Env {
        self.visits += 1;
        self.cloud.env(u64::from(self.visits))
    }

    /// `keepgreen resume SERVICE`, of which the quarantine's end alone: flags are other people's. Returns whether word
    /// could be left for the controller.
    pub async fn resume(&mut self, service: &str, now: Timestamp) -> bool {
        let env = self.env();
        let leave = async {
            let journal = Journal::open_beside(&self.config.state, &env).await?;
            let word = serde_json::json!(now.to_string());
            let key = resume_key(&ServiceName::from(service));
            journal.document_put(&key, word).await
        };
        let left: Result<(), RecordError> = leave.await;
        if left.is_ok() {
            self.cloud.released(service);
        }
        left.is_ok()
    }

    /// `keepgreen plan`: a look and a decision about every service, that changes nothing (S24).
    pub async fn plan(&mut self) {
        let env = self.env();
        let Ok(journal) = Journal::open_read_only(&self.config.state, &env).await else {
            return;
        };
        let life = Incarnation::dry_run(FIRST_LIFE + self.visits);
        let seed = u64::from(self.visits);
        let sdk = Sdk::new(
            env.clone(),
            self.cloud.seams(&life, &self.account, &self.region, seed),
        );
        let rounds = Rounds::new(env, self.config.clone(), sdk, Ledger::scratch(journal), None);
        if rounds.reload().await.is_err() {
            return;
        }
        let mut scopes: BTreeMap<ScopeKey, BTreeSet<ServiceName>> = BTreeMap::new();
        for policy in rounds.in_force.now().policies.values() {
            let services = scopes.entry(Fleet::scope_of(policy)).or_default();
            services.insert(policy.service.clone());
        }
        for (scope, services) in &scopes {
            Box::pin(rounds.pass(scope, services, drop)).await;
        }
    }
}
