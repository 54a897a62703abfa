//! The SSM parameter: `<name>` pauses everything, `<name>/<service>` one service, in the controller's own account and
//! region. Not found is not set; any other failure is an unreadable flag.

use super::files::require_plain;
use super::text::{Flag, LONGEST, shown};
use super::{Heard, PATIENCE, pause_of, scope_of};
use crate::model::{PauseSource, ServiceName};
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Reads SSM parameters.
pub trait ParameterSource: Send + Sync {
    /// The values of those of `names` that exist, by name; at most 10 names, the limit of GetParameters.
    ///
    /// # Errors
    /// For people: the operation and what AWS answered.
    fn values(&self, names: Vec<String>) -> BoxFuture<'_, Result<BTreeMap<String, String>, String>>;
}

/// The configured parameter.
#[derive(Clone)]
pub struct Parameter {
    /// `/keepgreen/pause`
    pub name: String,
    pub source: Arc<dyn ParameterSource>,
}

/// The parameter's name for one service, or for everything.
pub fn parameter_name(name: &str, service: Option<&ServiceName>) -> String {
    match service {
        None => name.to_owned(),
        Some(service) => format!("{}/{service}", name.trim_end_matches('/')),
    }
}

pub(super) async fn read(service: &ServiceName, parameter: Option<&Parameter>) -> Heard {
    let mut heard = Heard::default();
    let Some(parameter) = parameter else {
        return heard;
    };
    if let Err(bad) = require_plain(service) {
        heard
            .unreadable
            .push(format!("the pause parameter of a service: {bad}"));
        return heard;
    }
    let scopes = [None, Some(service)];
    let names: Vec<String> = scopes
        .iter()
        .map(|scope| parameter_name(&parameter.name, *scope))
        .collect();
    let why = match tokio::time::timeout(PATIENCE, parameter.source.values(names.clone())).await {
        Ok(Ok(values)) => {
            for (name, scope) in names.into_iter().zip(scopes) {
                let flag = values.get(&name).map(|value| flag_of(value));
                heard.set.extend(
                    flag.map(|flag| pause_of(flag, scope_of(scope), PauseSource::Parameter(name), None)),
                );
            }
            return heard;
        }
        Ok(Err(why)) => why,
        Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
    };
    heard
        .unreadable
        .push(format!("the SSM parameters {}: {why}", names.join(" and ")));
    heard
}

fn flag_of(value: &str) -> Flag {
    if value.len() > LONGEST {
        let reason = shown("(its text is too long and not shown)");
        return Flag {
            reason,
            ..Flag::default()
        };
    }
    Flag::parse(value)
}
