//! Who calls: access keys, roles, GetCallerIdentity and AssumeRole.

use std::time::Duration;

use jiff::Timestamp;

use super::api::{Answer, ApiError, Caller, Refusal, Response};
use super::{World, earlier};

/// What the access keys begin with that AssumeRole hands out.
const SESSION_KEY: &str = "ASIASIM";

/// How long after its end a session's key is still answered with "expired".
const SESSION_KEPT: Duration = Duration::from_secs(24 * 3600);

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
        let Some(key) = self.keys.get(access_key) else {
            let account = self.account_of_any(access_key).ok_or_else(unknown)?;
            return Ok(Caller {
                account: account.to_owned(),
                region: region.to_owned(),
                arn: format!("arn:aws:iam::{account}:user/sim"),
            });
        };
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

    /// In an open world: the account of a key that nobody handed out. Twelve digits are an account's own key; a session's
    /// key that is not known here has ended, or is from another world.
    fn account_of_any<'a>(&'a self, access_key: &'a str) -> Option<&'a str> {
        let own = self.open_to.as_deref()?;
        let is_account = access_key.len() == 12 && access_key.bytes().all(|b| b.is_ascii_digit());
        match is_account {
            true => Some(access_key),
            false if access_key.is_empty() || access_key.starts_with(SESSION_KEY) => None,
            false => Some(own),
        }
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
        let is_trusted = match self.roles.get(role) {
            Some(known) => known.external_id.is_none() || known.external_id.as_deref() == external_id,
            None => self.open_to.is_some() && role.starts_with("arn:aws:iam::") && role.contains(":role/"),
        };
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
        let access_key = format!("{SESSION_KEY}{:016X}", self.rng.u64(..));
        let expiration = self.now + Duration::from_secs(u64::from(seconds));
        let key = Key {
            account: account.to_owned(),
            arn: arn.clone(),
            expiration: Some(expiration),
        };
        // A session that ended a day ago is asked for by nobody, and one key a call would be kept for ever.
        let forgotten = earlier(self.now, SESSION_KEPT);
        self.keys
            .retain(|_, key| key.expiration.is_none_or(|end| end > forgotten));
        self.keys.insert(access_key.clone(), key);
        Ok(Answer::Session {
            access_key,
            arn,
            expiration,
        })
    }
}
