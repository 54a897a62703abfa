//! Who calls: access keys, roles, GetCallerIdentity and AssumeRole.

use std::time::Duration;

use jiff::Timestamp;

use super::World;
use super::api::{Answer, ApiError, Caller, Refusal, Response};

/// What an access key stands for.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub account: String,
    pub arn: String,
    /// Temporary credentials end.
    pub expiration: Option<Timestamp>,
}

/// A role that can be assumed.
#[derive(Debug, Clone)]
pub struct Role {
    pub arn: String,
    /// Must be given, if there is one.
    pub external_id: Option<String>,
}

impl World {
    /// The access key of an account's own user; its secret is not checked.
    pub fn access_key(account: &str) -> String {
        format!("AKIASIM{account}")
    }

    /// Resolve who sends a request with this access key to this region.
    pub fn caller(&self, access_key: &str, region: &str) -> Result<Caller, ApiError> {
        let unknown = || ApiError {
            refusal: Refusal::UnknownKey,
            message: "The security token included in the request is invalid.".to_owned(),
        };
        let key = self.keys.get(access_key).ok_or_else(unknown)?;
        if key.expiration.is_some_and(|end| end <= self.now) {
            let message = "The security token included in the request is expired".to_owned();
            return Err(ApiError {
                refusal: Refusal::ExpiredCredentials,
                message,
            });
        }
        Ok(Caller {
            account: key.account.clone(),
            region: region.to_owned(),
            arn: key.arn.clone(),
        })
    }

    pub(super) fn caller_identity(&self, caller: &Caller) -> Answer {
        Answer::Identity {
            account: caller.account.clone(),
            arn: caller.arn.clone(),
        }
    }

    pub(super) fn assume_role(
        &mut self,
        role: &str,
        session: &str,
        external_id: Option<&str>,
        seconds: u32,
    ) -> Response {
        let known = self.roles.get(role);
        let is_trusted =
            known.is_some_and(|r| r.external_id.is_none() || r.external_id.as_deref() == external_id);
        let mut parts = role.split(':');
        let (Some(account), Some(name), true) = (
            parts.nth(4),
            role.rsplit('/').next(),
            is_trusted && (900..=43_200).contains(&seconds),
        ) else {
            return Err(ApiError::not_authorized(&format!(
                "sts:AssumeRole on resource: {role}"
            )));
        };
        let arn = format!("arn:aws:sts::{account}:assumed-role/{name}/{session}");
        let access_key = format!("ASIASIM{:016X}", self.rng.u64(..));
        let expiration = self.now + Duration::from_secs(u64::from(seconds));
        let key = Key {
            account: account.to_owned(),
            arn: arn.clone(),
            expiration: Some(expiration),
        };
        self.keys.insert(access_key.clone(), key);
        Ok(Answer::Session {
            access_key,
            arn,
            expiration,
        })
    }
}
