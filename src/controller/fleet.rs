//! The policies in force, and which of them share a scope.

use super::scopes::Scopes;
use crate::aws::ScopeKey;
use crate::decide::claims::Claims;
use crate::model::ServiceName;
use crate::policy::{
    Channels, Config, Effective, GoodText, Policy, PolicyFinding, load_folder, merge_last_good,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Every policy in force.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    pub policies: BTreeMap<ServiceName, Arc<Policy>>,
    pub findings: Vec<PolicyFinding>,
}

impl Fleet {
    /// Reads the policy folder and merges it with the last good texts.
    pub fn load(folder: &Path, config: &Config, last_good: &BTreeMap<ServiceName, GoodText>) -> Effective {
        let names = config.channel_names();
        merge_last_good(&load_folder(folder, Channels::Known(&names)), last_good)
    }

    /// `folder` is where the policy files are: a last good text remembers the bare name of its file, and the flag in that
    /// file is read again before every mutation.
    pub fn of(effective: &Effective, folder: &Path) -> Self {
        let in_folder = |policy: &Policy| {
            let is_bare = Path::new(&policy.file).components().count() == 1;
            let file = if is_bare {
                folder.join(&policy.file).display().to_string()
            } else {
                policy.file.clone()
            };
            Policy {
                file,
                ..policy.clone()
            }
        };
        let policies = effective.policies.iter();
        Self {
            policies: policies
                .map(|(name, policy)| (name.clone(), Arc::new(in_folder(policy))))
                .collect(),
            findings: effective.findings.clone(),
        }
    }

    /// Which clients a service is looked at with.
    pub fn scope_of(policy: &Policy) -> ScopeKey {
        ScopeKey {
            role: policy.role.clone(),
            region: policy.region.clone(),
        }
    }

    /// Every slot's claim, with the accounts and regions as far as they are known.
    pub fn claims(&self, scopes: &Scopes) -> Claims {
        let mut claims = Claims::default();
        for policy in self.policies.values() {
            let clients = scopes.known(&Self::scope_of(policy));
            let account = clients.as_ref().and_then(|clients| clients.account());
            claims.add(
                policy,
                account.as_ref(),
                clients.as_ref().map(|clients| clients.reader.region()),
            );
        }
        claims
    }
}

/// The fleet that is in force right now. A pass that began under an older one is not admitted to change anything (S16).
#[derive(Clone, Debug, Default)]
pub struct InForce(Arc<Mutex<Arc<Fleet>>>);

impl InForce {
    pub fn now(&self) -> Arc<Fleet> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn set(&self, fleet: Fleet) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(fleet);
    }
}
