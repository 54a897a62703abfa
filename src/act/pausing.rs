//! The pause flags of one service, read afresh for one mutation, the policy file's own included.

use crate::env::Env;
use crate::model::{Mutant, PauseReading};
use crate::pause::{self, Sources};
use crate::policy::{Channels, Policy, parse_policy};

/// Reads flags for mutations.
#[derive(Clone)]
pub struct Pausing {
    pub sources: Sources,
    /// Whether policies are files that can have changed since they were loaded.
    pub policies_are_files: bool,
}

impl Pausing {
    /// Reads every source now. The policy's file is read again: a person who writes `pause: true` into it is heard before
    /// the reload is.
    pub async fn read(&self, policy: &Policy, env: &Env) -> PauseReading {
        let service = &policy.service;
        let begun = env.clock.now();
        let of_file = if self.policies_are_files {
            reread(policy, env).await
        } else {
            Ok(policy.pause.clone())
        };
        let (flag, unreadable) = match of_file {
            Ok(flag) => (pause::of_policy(service, &policy.file, &flag), None),
            Err(why) => (None, Some(why)),
        };
        let mut reading = pause::read(service, flag, &self.sources, env).await;
        reading.begun = begun;
        reading.unreadable.extend(unreadable);
        heeded(reading)
    }

    /// The flags for a plan, with the policy as it was loaded.
    pub async fn survey(&self, policy: &Policy, env: &Env) -> PauseReading {
        let flag = pause::of_policy(&policy.service, &policy.file, &policy.pause);
        heeded(pause::read(&policy.service, flag, &self.sources, env).await)
    }
}

fn heeded(mut reading: PauseReading) -> PauseReading {
    if Mutant::UnreadableIsNotSet.is_on() {
        reading.unreadable.clear();
    }
    reading
}

async fn reread(policy: &Policy, env: &Env) -> Result<crate::policy::PolicyPause, String> {
    let file = policy.file.clone();
    let read = env.blocking.run(move || std::fs::read_to_string(file)).await;
    let text = match read {
        Ok(Ok(text)) => text,
        // Whether a service without a file is given up or kept under its last good policy is the loader's business.
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => return Ok(policy.pause.clone()),
        Ok(Err(error)) => return Err(format!("the policy file {} cannot be read: {error}", policy.file)),
        Err(error) => return Err(error.to_string()),
    };
    Ok(parse_policy(&policy.file, &text, Channels::Unchecked).pause)
}
