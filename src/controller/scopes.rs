//! The clients of each scope (role and region), built when they are first needed and kept.

use crate::aws::{Reader, ScopeKey, Sdk, Writer};
use crate::model::{AccountId, AwsError};
use crate::observe::TargetGroupDirectory;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// One scope's clients and what is known of it.
#[derive(Debug)]
pub struct ScopeClients {
    pub reader: Reader,
    /// `None`: this process may only look (`plan`, `--dry-run`); no write client exists then.
    pub writer: Option<Writer>,
    pub directory: TargetGroupDirectory,
    account: Mutex<Option<AccountId>>,
}

impl ScopeClients {
    /// The account that the scope's credentials were last seen to belong to.
    pub fn account(&self) -> Option<AccountId> {
        self.account
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub fn remember_account(&self, account: &AccountId) {
        *self.account.lock().unwrap_or_else(PoisonError::into_inner) = Some(account.clone());
    }
}

/// All scopes.
#[derive(Debug)]
pub struct Scopes {
    sdk: Sdk,
    may_write: bool,
    clients: Mutex<BTreeMap<ScopeKey, Arc<ScopeClients>>>,
}

impl Scopes {
    /// `may_write`: whether write clients are made at all.
    pub fn new(sdk: Sdk, may_write: bool) -> Self {
        Self {
            sdk,
            may_write,
            clients: Mutex::default(),
        }
    }

    pub fn sdk(&self) -> &Sdk {
        &self.sdk
    }

    /// The clients of a scope that was used before.
    pub fn known(&self, key: &ScopeKey) -> Option<Arc<ScopeClients>> {
        self.clients
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key)
            .cloned()
    }

    /// The clients of a scope, built if need be.
    ///
    /// # Errors
    /// If the scope has no region or no credentials to use.
    pub async fn of(&self, key: &ScopeKey) -> Result<Arc<ScopeClients>, AwsError> {
        if let Some(known) = self.known(key) {
            return Ok(known);
        }
        let reader = Reader::new(&self.sdk, key).await?;
        let writer = if self.may_write {
            Some(Writer::new(&self.sdk, key).await?)
        } else {
            None
        };
        let directory = TargetGroupDirectory::new();
        let made = Arc::new(ScopeClients {
            reader,
            writer,
            directory,
            account: Mutex::default(),
        });
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(clients.entry(key.clone()).or_insert(made)))
    }
}
