//! SSM parameters: one room, one file: the data and its four operations.

use jiff::Timestamp;

use super::World;
use super::api::{Answer, ApiError, Caller, Response};
use super::instance::Scope;
use super::versioned::Versioned;

/// Names that begin so are AWS's own parameters, the same for every account.
pub(super) const PUBLIC_PREFIX: &str = "/aws/service/";

/// An SSM parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    pub name: String,
    pub scope: Scope,
    pub value: String,
    /// `String`, `StringList`, `SecureString`.
    pub kind: String,
    /// Counts from 1.
    pub version: u64,
    pub modified: Timestamp,
}

impl Parameter {
    pub fn arn(&self) -> String {
        let Scope { account, region } = &self.scope;
        format!(
            "arn:aws:ssm:{region}:{account}:parameter/{}",
            self.name.trim_start_matches('/')
        )
    }
}

impl World {
    pub(super) fn get_parameter(&self, caller: &Caller, name: &str) -> Response {
        match self.visible_parameter(&caller.scope(), name) {
            Some(parameter) => Ok(Answer::Parameter(parameter)),
            None => Err(not_found(name)),
        }
    }

    pub(super) fn get_parameters(&self, caller: &Caller, names: &[String]) -> Response {
        if names.is_empty() || names.len() > 10 {
            let text = format!(
                "Member must have length less than or equal to 10, got {}",
                names.len()
            );
            return Err(ApiError::new("ValidationException", text));
        }
        let (mut found, mut invalid) = (Vec::new(), Vec::new());
        for name in names {
            match self.visible_parameter(&caller.scope(), name) {
                Some(parameter) => found.push(parameter),
                None => invalid.push(name.clone()),
            }
        }
        Ok(Answer::Parameters { found, invalid })
    }

    pub(super) fn put_parameter(
        &mut self,
        caller: &Caller,
        name: &str,
        value: &str,
        kind: Option<&str>,
        overwrite: bool,
    ) -> Response {
        let old = self.parameter(&caller.scope(), name).cloned();
        if old.is_some() && !overwrite {
            let text = "The parameter already exists. To overwrite this value, set the overwrite option in the \
                        request to true.";
            return Err(ApiError::new("ParameterAlreadyExists", text));
        }
        let kind = kind.map(str::to_owned).or(old.map(|p| p.kind));
        let Some(kind) = kind else {
            return Err(ApiError::new(
                "ValidationException",
                "A parameter type is required when you create it.",
            ));
        };
        let version = self.write_parameter(&caller.scope(), name, value, &kind);
        self.own_write(name);
        Ok(Answer::ParameterVersion(version))
    }

    pub(super) fn delete_parameter(&mut self, caller: &Caller, name: &str) -> Response {
        if self.parameter(&caller.scope(), name).is_none() {
            return Err(not_found(name));
        }
        self.remove_parameter(&caller.scope(), name);
        self.own_write(name);
        Ok(Answer::ParameterDeleted)
    }

    /// The parameter, in truth.
    pub fn parameter(&self, scope: &Scope, name: &str) -> Option<&Parameter> {
        let key = (scope.clone(), name.to_owned());
        self.parameters.get(&key)?.now().map(AsRef::as_ref)
    }

    pub(super) fn write_parameter(&mut self, scope: &Scope, name: &str, value: &str, kind: &str) -> u64 {
        let now = self.now;
        let version = self.parameter(scope, name).map_or(0, |p| p.version) + 1;
        let parameter = Parameter {
            name: name.to_owned(),
            scope: scope.clone(),
            value: value.to_owned(),
            kind: kind.to_owned(),
            version,
            modified: now,
        };
        let key = (scope.clone(), name.to_owned());
        match self.parameters.get_mut(&key) {
            Some(versions) => versions.put(now, parameter),
            None => {
                self.parameters.insert(key, Versioned::new(now, parameter));
            }
        }
        self.note(name, format!("parameter set (version {version})"));
        version
    }

    pub(super) fn remove_parameter(&mut self, scope: &Scope, name: &str) {
        let now = self.now;
        if let Some(versions) = self.parameters.get_mut(&(scope.clone(), name.to_owned())) {
            versions.delete(now);
            self.note(name, "parameter deleted");
        }
    }

    /// The value of a parameter, of the account's own or AWS's, in truth.
    pub fn parameter_value(&self, scope: &Scope, name: &str) -> Option<String> {
        let public = || {
            self.public_parameters
                .get(&(scope.region.clone(), name.to_owned()))
        };
        self.parameter(scope, name)
            .or_else(public)
            .map(|p| p.value.clone())
    }

    fn visible_parameter(&self, scope: &Scope, name: &str) -> Option<Parameter> {
        if name.starts_with(PUBLIC_PREFIX) {
            let key = (scope.region.clone(), name.to_owned());
            return self.public_parameters.get(&key).cloned();
        }
        let versions = self.parameters.get(&(scope.clone(), name.to_owned()))?;
        versions.at(self.read_time(name)).map(|p| Parameter::clone(p))
    }
}

fn not_found(name: &str) -> ApiError {
    ApiError::new("ParameterNotFound", format!("Parameter {name} not found."))
}
