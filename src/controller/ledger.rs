//! Where a pass gets its memory from and leaves it: the journal, or, for whoever may only look, the process's own memory
//! on top of a read-only journal.

use crate::model::{Blueprint, ChannelName, InstanceId, Notice, ServiceMemory, ServiceName};
use crate::record::{Journal, LookRecord, RecordError, ServiceRecord};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The key of the document that `keepgreen resume` leaves for the controller.
pub fn resume_key(service: &ServiceName) -> String {
    format!("resume/{service}")
}

fn blueprints_key(service: &ServiceName) -> String {
    format!("blueprints/{service}")
}

/// How each instance of a service was made.
pub type Blueprints = BTreeMap<InstanceId, Blueprint>;

/// A pass's memory.
#[derive(Clone)]
pub enum Ledger {
    Journal(Journal),
    /// Nothing is written anywhere.
    Scratch {
        journal: Option<Journal>,
        memories: Arc<Mutex<BTreeMap<ServiceName, ServiceMemory>>>,
        blueprints: Arc<Mutex<BTreeMap<ServiceName, Blueprints>>>,
    },
}

impl Ledger {
    /// For `plan`, `status`, `explain` and `--dry-run`.
    pub fn scratch(journal: Option<Journal>) -> Self {
        Self::Scratch {
            journal,
            memories: Arc::default(),
            blueprints: Arc::default(),
        }
    }

    /// The journal, if there is one to read.
    pub fn journal(&self) -> Option<&Journal> {
        match self {
            Self::Journal(journal) => Some(journal),
            Self::Scratch { journal, .. } => journal.as_ref(),
        }
    }

    /// Everything that is remembered of a service, and when it was last resumed.
    ///
    /// # Errors
    /// If the journal cannot be read: it is never taken for an empty one.
    pub async fn load(
        &self,
        service: &ServiceName,
    ) -> Result<(ServiceRecord, Option<Timestamp>), RecordError> {
        let (mut record, resumed) = match self.journal() {
            Some(journal) => {
                let resumed = journal.document_get(&resume_key(service)).await?;
                let resumed = resumed.and_then(|value| value.as_str().and_then(|text| text.parse().ok()));
                (journal.load(service).await?, resumed)
            }
            None => (ServiceRecord::default(), None),
        };
        if let Self::Scratch { memories, .. } = self
            && let Some(memory) = memories
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get(service)
        {
            record.memory = memory.clone();
        }
        Ok((record, resumed))
    }

    /// How the service's instances were made, as far as they were seen well.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub async fn blueprints(&self, service: &ServiceName) -> Result<Blueprints, RecordError> {
        if let Self::Scratch { blueprints, .. } = self {
            let kept = blueprints.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(kept) = kept.get(service) {
                return Ok(kept.clone());
            }
        }
        let Some(journal) = self.journal() else {
            return Ok(Blueprints::new());
        };
        let document = journal.document_get(&blueprints_key(service)).await?;
        // One that an older or newer version has written is read from AWS again.
        Ok(document
            .and_then(|value| serde_json::from_value(value).ok())
            .unwrap_or_default())
    }

    /// Keeps them, instead of what was kept before.
    ///
    /// # Errors
    /// If they are not durable.
    pub async fn keep_blueprints(
        &self,
        service: &ServiceName,
        blueprints: &Blueprints,
    ) -> Result<(), RecordError> {
        match self {
            Self::Journal(journal) => {
                let document = serde_json::json!(blueprints);
                journal.document_put(&blueprints_key(service), document).await
            }
            Self::Scratch { blueprints: kept, .. } => {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.insert(service.clone(), blueprints.clone());
                Ok(())
            }
        }
    }

    /// Keeps a look's memory and what is to be told about it.
    ///
    /// # Errors
    /// If it is not durable: nothing may be done on the strength of this look then.
    pub async fn keep(
        &self,
        service: &ServiceName,
        memory: &ServiceMemory,
        notices: Vec<(ChannelName, Notice)>,
    ) -> Result<(), RecordError> {
        match self {
            Self::Journal(journal) => {
                let record = LookRecord {
                    service: service.clone(),
                    memory: memory.clone(),
                    notices,
                };
                journal.commit_looks(vec![record]).await
            }
            Self::Scratch { memories, .. } => {
                let mut memories = memories.lock().unwrap_or_else(PoisonError::into_inner);
                memories.insert(service.clone(), memory.clone());
                Ok(())
            }
        }
    }
}
