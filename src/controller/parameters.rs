//! The pause parameter, read with the controller's own credentials in its own region.

use super::scopes::Scopes;
use crate::aws::{Priority, ScopeKey};
use crate::pause::ParameterSource;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// SSM parameters of the controller's own account and region, whatever role a service is repaired with.
#[derive(Clone, Debug)]
pub struct OwnParameters(pub Arc<Scopes>);

impl ParameterSource for OwnParameters {
    fn values(&self, names: Vec<String>) -> BoxFuture<'_, Result<BTreeMap<String, String>, String>> {
        async move {
            let own = ScopeKey {
                role: None,
                region: None,
            };
            let clients = self.0.of(&own).await.map_err(|error| error.to_string())?;
            let names: BTreeSet<String> = names.into_iter().collect();
            let values = clients.reader.parameters(&names, Priority::Start).await;
            values.map_err(|error| error.to_string())
        }
        .boxed()
    }
}
