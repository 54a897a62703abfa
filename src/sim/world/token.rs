//! Client tokens of EC2's creating calls: the same token and the same request give the same object again; the same
//! token with another request is refused.
//!
//! A token belongs to its account, region and action; RunInstances' belongs to the zone that the request names. It is kept for as long as the world lives, which is longer than
//! AWS promises, so that no test can pass because a token was forgotten.

use std::collections::BTreeMap;

use super::api::ApiError;
use super::instance::Scope;

/// Longer tokens are refused (aws-facts §4).
const TOKEN_LENGTH_MAX: usize = 64;

/// The tokens that were used: what for, and what it made.
#[derive(Debug, Clone, Default)]
pub(super) struct Tokens(BTreeMap<(Scope, &'static str, String), (String, String)>);

impl Tokens {
    /// What this token has made; `None` if it is new.
    ///
    /// # Errors
    /// The token is too long, or was used for another request.
    pub(super) fn made(
        &self,
        scope: &Scope,
        action: &'static str,
        token: Option<&str>,
        request: &str,
    ) -> Result<Option<String>, ApiError> {
        let Some(token) = token else {
            return Ok(None);
        };
        if token.len() > TOKEN_LENGTH_MAX || !token.is_ascii() {
            let text = format!("The client token has more than {TOKEN_LENGTH_MAX} ASCII characters");
            return Err(ApiError::new("InvalidParameterValue", text));
        }
        match self.0.get(&(scope.clone(), action, token.to_owned())) {
            Some((before, made)) if before == request => Ok(Some(made.clone())),
            Some(_) => {
                let text = "Arguments on this idempotent request are inconsistent with arguments used in previous \
                            request(s).";
                Err(ApiError::new("IdempotentParameterMismatch", text))
            }
            None => Ok(None),
        }
    }

    /// The token has made `made`.
    pub(super) fn keep(
        &mut self,
        scope: &Scope,
        action: &'static str,
        token: Option<&str>,
        request: String,
        made: &str,
    ) {
        if let Some(token) = token {
            let key = (scope.clone(), action, token.to_owned());
            self.0.insert(key, (request, made.to_owned()));
        }
    }
}
