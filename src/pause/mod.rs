//! The pause flag and its sources: a person's hand always wins.
//!
//! [`read`] asks every source afresh, all at once, and stamps the reading before the first was asked: a flag that became
//! readable after that stamp may be missing from it, so whoever acts on it bounds its age (S13).
//!
//! Guarantees:
//! - A flag that cannot be read counts as set and says why it could not be read.
//! - Reading is bounded: by [`PATIENCE`] in time, by [`text::LONGEST`] in size; nothing that a person can put in the way
//!   (a pipe, a folder, a file without end) blocks it.
//! - Nothing here ever removes a flag, save [`write::clear`], which a person calls.
//!
//! The fourth source, the instance tag `keepgreen:pause`, comes with the instances themselves:
//! [`crate::model::InstancePause`].

mod expiry;
mod files;
mod parameter;
mod text;
mod write;

pub use expiry::{WARNED_BEFORE, expiry_warnings};
pub use files::{BadServiceName, FLAG_FILE, FLAG_FOLDER, flag_path};
pub use parameter::{Parameter, ParameterSource, parameter_name};
pub use text::{Flag, LONGEST};
pub use write::{DEFAULT_LENGTH, WriteError, Written, clear, set};

use crate::env::Env;
use crate::model::{Pause, PauseReading, PauseScope, PauseSource, ServiceName};
use crate::policy::PolicyPause;
use jiff::Timestamp;
use std::path::PathBuf;
use std::time::Duration;

/// A source that has not answered by then is unreadable. Longer would be of no use: a reading is too old to act on after
/// one second anyway, but a slow answer still tells whether and why it is paused.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// Where to look for flags, besides each policy.
#[derive(Clone)]
pub struct Sources {
    /// The state folder, which has the flag files; it need not exist.
    pub folder: PathBuf,
    /// The SSM parameter, if one is configured.
    pub parameter: Option<Parameter>,
}

/// What one source says.
#[derive(Debug, Default)]
struct Heard {
    set: Vec<Pause>,
    unreadable: Vec<String>,
}

/// Reads every flag that pauses `service`; `of_policy` is its policy's own, from [`of_policy`].
pub async fn read(
    service: &ServiceName,
    of_policy: Option<Pause>,
    sources: &Sources,
    env: &Env,
) -> PauseReading {
    let begun = env.clock.now();
    let (in_files, in_parameters) = futures_util::future::join(
        files::read(service, &sources.folder, env),
        parameter::read(service, sources.parameter.as_ref()),
    )
    .await;
    let now = env.clock.wall();
    let mut set: Vec<Pause> = of_policy.into_iter().collect();
    let mut unreadable = Vec::new();
    for heard in [in_files, in_parameters] {
        set.extend(heard.set);
        unreadable.extend(heard.unreadable);
    }
    set.retain(|pause| pause.holds_at(now));
    PauseReading {
        begun,
        service: service.clone(),
        set,
        unreadable,
    }
}

/// The flag in a policy file, which counts even if the rest of the file is refused.
pub fn of_policy(service: &ServiceName, file: &str, pause: &PolicyPause) -> Option<Pause> {
    let (until, reason, by) = match pause {
        PolicyPause::Off => return None,
        PolicyPause::On => (None, None, None),
        PolicyPause::Until { until, reason, by } => (Some(*until), reason.as_deref(), by.as_deref()),
    };
    Some(Pause {
        scope: PauseScope::Service(service.clone()),
        source: PauseSource::Policy(file.to_owned()),
        by: by.and_then(text::shown),
        reason: reason.and_then(text::shown),
        since: None,
        until,
    })
}

fn scope_of(service: Option<&ServiceName>) -> PauseScope {
    service.map_or(PauseScope::Everything, |service| {
        PauseScope::Service(service.clone())
    })
}

fn pause_of(flag: Flag, scope: PauseScope, source: PauseSource, since: Option<Timestamp>) -> Pause {
    Pause {
        scope,
        source,
        by: flag.by,
        reason: flag.reason,
        since: flag.since.or(since),
        until: flag.until,
    }
}

#[cfg(test)]
mod tests;
