//! Where a pass gets its memory from and leaves it: the journal, or, for whoever may only look, the process's own memory
//! on top of a read-only journal.

use crate::model::{ChannelName, Notice, ServiceMemory, ServiceName};
use crate::record::{Journal, LookRecord, RecordError, ServiceRecord};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The key of the document that `keepgreen resume` leaves for the controller.
pub fn resume_key(service: &ServiceName) -> String {
    format!("resume/{service}")
}

/// A pass's memory.
#[derive(Clone)]
pub enum Ledger {
    Journal(Journal),
    /// Nothing is written anywhere.
    Scratch {
        journal: Option<Journal>,
        memories: Arc<Mutex<BTreeMap<ServiceName, ServiceMemory>>>,
    },
}

impl Ledger {
    /// For `plan`, `status`, `explain` and `--dry-run`.
    pub fn scratch(journal: Option<Journal>) -> Self {
        Self::Scratch {
            journal,
            memories: Arc::default(),
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
