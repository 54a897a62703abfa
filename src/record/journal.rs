//! The journal for async code: each operation of [`Store`] where the environment does blocking work.
//!
//! Clones share one connection, and operations take turns on it. A future that is dropped half-way does not undo its
//! operation: an intent begun that way stays open, and is settled by looking.

use super::RecordError;
use super::intents::{IntentDraft, RecordedIntent};
use super::looks::{LookRecord, ServiceRecord};
use super::outbox::{ChannelRecord, Delivery, FailureOf, RecordedNotice};
use super::store::{Options, Store};
use crate::env::Env;
use crate::model::{
    AccountId, AwsError, ChannelName, Intent, IntentId, Notice, Outcome, ServiceMemory, ServiceName,
};
use crate::policy::GoodText;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// A handle on the journal; clones share it.
#[derive(Clone)]
pub struct Journal {
    store: Arc<Mutex<Store>>,
    env: Env,
}

impl Journal {
    /// See [`Store::open`].
    pub async fn open(folder: &Path, env: &Env, options: Options) -> Result<Self, RecordError> {
        let folder = folder.to_owned();
        let store = env.blocking.run(move || Store::open(&folder, options)).await??;
        Ok(Self::of(store, env))
    }

    /// See [`Store::open_read_only`].
    pub async fn open_read_only(folder: &Path, env: &Env) -> Result<Option<Self>, RecordError> {
        let folder = folder.to_owned();
        let store = env.blocking.run(move || Store::open_read_only(&folder)).await??;
        Ok(store.map(|store| Self::of(store, env)))
    }

    /// See [`Store::open_beside`].
    pub async fn open_beside(folder: &Path, env: &Env) -> Result<Self, RecordError> {
        let folder = folder.to_owned();
        let store = env.blocking.run(move || Store::open_beside(&folder)).await??;
        Ok(Self::of(store, env))
    }

    fn of(mut store: Store, env: &Env) -> Self {
        store.boot = env.clock.boot_id();
        Self {
            store: Arc::new(Mutex::new(store)),
            env: env.clone(),
        }
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Store) -> Result<T, RecordError> + Send + 'static,
    ) -> Result<T, RecordError> {
        let store = Arc::clone(&self.store);
        self.env
            .blocking
            .run(move || work(&mut store.lock().unwrap_or_else(PoisonError::into_inner)))
            .await?
    }

    /// See [`Store::set_max_pages`].
    pub async fn set_max_pages(&self, pages: Option<u32>) -> Result<(), RecordError> {
        self.run(move |store| store.set_max_pages(pages)).await
    }

    /// See [`Store::load`].
    pub async fn load(&self, service: &ServiceName) -> Result<ServiceRecord, RecordError> {
        let service = service.clone();
        self.run(move |store| store.load(&service)).await
    }

    /// See [`Store::load_all`].
    pub async fn load_all(
        &self,
    ) -> Result<BTreeMap<ServiceName, Result<ServiceRecord, RecordError>>, RecordError> {
        self.run(Store::load_all).await
    }

    /// See [`Store::commit_looks`].
    pub async fn commit_looks(&self, looks: Vec<LookRecord>) -> Result<(), RecordError> {
        let now = self.env.clock.wall();
        self.run(move |store| store.commit_looks(&looks, now)).await
    }

    /// Journals what is about to be done. Its stamp is taken after it has become durable, so a look that begins
    /// later has seen everything that was done before (S5, S16).
    ///
    /// # Errors
    /// Those of [`Store::begin_intent`]; on any of them the request must not be sent.
    pub async fn begin_intent(&self, draft: IntentDraft) -> Result<Intent, RecordError> {
        self.begin(self.intent_of(draft)).await
    }

    /// The intent that a draft becomes; not durable before [`Journal::begin`] returns it.
    pub fn intent_of(&self, draft: IntentDraft) -> Intent {
        let id = IntentId::new(self.env.entropy.id("intent"));
        draft.into_intent(id, self.env.clock.now())
    }

    /// See [`Store::begin_intent`]. The intent that it returns says when it had become durable.
    pub async fn begin(&self, intent: Intent) -> Result<Intent, RecordError> {
        let mut intent = self
            .run(move |store| store.begin_intent(&intent).map(|()| intent))
            .await?;
        intent.durable = self.env.clock.now();
        Ok(intent)
    }

    /// See [`Store::mark_ambiguous`].
    pub async fn mark_ambiguous(&self, id: &IntentId, error: AwsError) -> Result<(), RecordError> {
        let id = id.clone();
        self.run(move |store| store.mark_ambiguous(&id, &error)).await
    }

    /// See [`Store::end_intent`].
    pub async fn end_intent(
        &self,
        id: &IntentId,
        outcome: Outcome,
        memory: Option<ServiceMemory>,
        notices: Vec<(ChannelName, Notice)>,
    ) -> Result<(), RecordError> {
        let (id, now) = (id.clone(), self.env.clock.wall());
        self.run(move |store| store.end_intent(&id, &outcome, memory.as_ref(), &notices, now))
            .await
    }

    /// See [`Store::mutations_last_hour`].
    pub async fn mutations_last_hour(&self, account: &AccountId) -> Result<u32, RecordError> {
        let (account, now) = (account.clone(), self.env.clock.now());
        self.run(move |store| store.mutations_last_hour(&account, now))
            .await
    }

    /// See [`Store::intents`].
    pub async fn intents(
        &self,
        service: Option<&ServiceName>,
        limit: u32,
    ) -> Result<Vec<RecordedIntent>, RecordError> {
        let service = service.cloned();
        self.run(move |store| store.intents(service.as_ref(), limit))
            .await
    }

    /// See [`Store::good_policies`].
    pub async fn good_policies(&self) -> Result<BTreeMap<ServiceName, GoodText>, RecordError> {
        self.run(Store::good_policies).await
    }

    /// See [`Store::save_good_policies`].
    pub async fn save_good_policies(
        &self,
        good: BTreeMap<ServiceName, GoodText>,
        given_up: Vec<ServiceName>,
    ) -> Result<(), RecordError> {
        self.run(move |store| store.save_good_policies(&good, &given_up))
            .await
    }

    /// See [`Store::document_get`].
    pub async fn document_get(&self, key: &str) -> Result<Option<serde_json::Value>, RecordError> {
        let key = key.to_owned();
        self.run(move |store| store.document_get(&key)).await
    }

    /// See [`Store::document_put`].
    pub async fn document_put(&self, key: &str, body: serde_json::Value) -> Result<(), RecordError> {
        let key = key.to_owned();
        self.run(move |store| store.document_put(&key, &body)).await
    }

    /// See [`Store::enqueue`].
    pub async fn enqueue(&self, notices: Vec<(ChannelName, Notice)>) -> Result<(), RecordError> {
        let now = self.env.clock.wall();
        self.run(move |store| store.enqueue(&notices, now)).await
    }

    /// See [`Store::due`].
    pub async fn due(&self) -> Result<Vec<Delivery>, RecordError> {
        let now = self.env.clock.wall();
        self.run(move |store| store.due(now)).await
    }

    /// See [`Store::delivered`].
    pub async fn delivered(&self, delivery: Delivery) -> Result<(), RecordError> {
        let now = self.env.clock.wall();
        self.run(move |store| store.delivered(&delivery, now)).await
    }

    /// See [`Store::failed`].
    pub async fn failed(
        &self,
        delivery: Delivery,
        whose: FailureOf,
        error: String,
        next_try: Timestamp,
    ) -> Result<(), RecordError> {
        self.run(move |store| store.failed(&delivery, whose, &error, next_try))
            .await
    }

    /// See [`Store::notices`].
    pub async fn notices(&self, limit: u32) -> Result<Vec<RecordedNotice>, RecordError> {
        self.run(move |store| store.notices(limit)).await
    }

    /// See [`Store::channels`].
    pub async fn channels(&self) -> Result<Vec<ChannelRecord>, RecordError> {
        self.run(Store::channels).await
    }
}
