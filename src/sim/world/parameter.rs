//! SSM parameters: what they are, their versions, and reading and writing one; `parameters` has the other calls.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::World;
use super::api::{Answer, ApiError, Caller, Response};
use super::image::ImageState;
use super::instance::Scope;
use super::shelf::Tags;
use super::versioned::Versioned;

/// Names that begin so are AWS's own parameters, the same for every account.
pub(super) const PUBLIC_PREFIX: &str = "/aws/service/";

/// SSM keeps so many versions of a parameter.
const HISTORY_MAX: usize = 100;

/// The types that a parameter can have.
const KINDS: [&str; 3] = ["String", "StringList", "SecureString"];

/// The longest value of a standard parameter.
const VALUE_LENGTH_MAX: usize = 4_096;

/// The data type of a parameter whose value is the id of an image.
const IMAGE_TYPE: &str = "aws:ec2:image";

/// An SSM parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    pub name: String,
    /// An empty account: one of AWS's own.
    pub scope: Scope,
    pub value: String,
    /// `String`, `StringList`, `SecureString`.
    pub kind: String,
    /// Counts from 1.
    pub version: u64,
    pub modified: Timestamp,
    pub description: Option<String>,
    /// `text` or `aws:ec2:image`.
    pub data_type: String,
    /// The KMS key of a `SecureString`.
    pub key: Option<String>,
    pub tags: Tags,
    /// Earlier values, by version.
    pub history: BTreeMap<u64, String>,
}

/// What PutParameter says besides name and value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewParameter {
    pub kind: Option<String>,
    pub overwrite: bool,
    pub description: Option<String>,
    pub data_type: Option<String>,
    pub key: Option<String>,
    pub tags: Tags,
}

impl Parameter {
    /// Version 1 of a plain text.
    pub(super) fn plain(name: &str, scope: Scope, value: &str, modified: Timestamp) -> Self {
        Self {
            name: name.to_owned(),
            scope,
            value: value.to_owned(),
            kind: "String".to_owned(),
            version: 1,
            modified,
            description: None,
            data_type: "text".to_owned(),
            key: None,
            tags: Tags::new(),
            history: BTreeMap::new(),
        }
    }

    pub fn arn(&self) -> String {
        let Scope { account, region } = &self.scope;
        format!(
            "arn:aws:ssm:{region}:{account}:parameter/{}",
            self.name.trim_start_matches('/')
        )
    }

    /// The parameter as it was in one of its versions.
    fn at_version(&self, version: u64) -> Option<Parameter> {
        if version == self.version {
            return Some(self.clone());
        }
        let value = self.history.get(&version)?.clone();
        Some(Parameter {
            value,
            version,
            ..self.clone()
        })
    }
}

impl World {
    pub(super) fn get_parameter(&self, caller: &Caller, name: &str) -> Response {
        self.shown_parameter(&caller.scope(), name).map(Answer::Parameter)
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
            match self.shown_parameter(&caller.scope(), name) {
                Ok(parameter) => found.push(parameter),
                Err(_) => invalid.push(name.clone()),
            }
        }
        Ok(Answer::Parameters { found, invalid })
    }

    pub(super) fn put_parameter(
        &mut self,
        caller: &Caller,
        name: &str,
        value: &str,
        new: &NewParameter,
    ) -> Response {
        check_name(name)?;
        check_new(value, new)?;
        let old = self.parameter(&caller.scope(), name).cloned();
        if old.is_some() && !new.overwrite {
            let text = "The parameter already exists. To overwrite this value, set the overwrite option in the \
                        request to true.";
            return Err(ApiError::new("ParameterAlreadyExists", text));
        }
        let kind = new.kind.clone().or_else(|| old.as_ref().map(|p| p.kind.clone()));
        let Some(kind) = kind else {
            return Err(ApiError::new(
                "ValidationException",
                "A parameter type is required when you create it.",
            ));
        };
        if new.data_type.as_deref() == Some(IMAGE_TYPE) && !self.is_usable_image(&caller.scope(), value) {
            // SSM looks at the image after it has answered, and a parameter that does not pass is never written.
            self.note(
                name,
                format!("parameter not written: {value} is no available image"),
            );
            return Ok(Answer::ParameterVersion(old.map_or(0, |p| p.version) + 1));
        }
        let version = self.write_parameter(&caller.scope(), name, value, &kind);
        self.describe_parameter(&caller.scope(), name, new);
        self.own_write(name);
        Ok(Answer::ParameterVersion(version))
    }

    /// What goes with the value that was just written.
    fn describe_parameter(&mut self, scope: &Scope, name: &str, new: &NewParameter) {
        let now = self.now;
        let Some(versions) = self.parameters.get_mut(&(scope.clone(), name.to_owned())) else {
            return;
        };
        versions.edit(now, |p| {
            p.description = new.description.clone().or(p.description.take());
            p.key = new.key.clone().or(p.key.take());
            p.tags
                .extend(new.tags.iter().map(|(key, value)| (key.clone(), value.clone())));
            if let Some(data_type) = &new.data_type {
                p.data_type = data_type.clone();
            }
        });
    }

    fn is_usable_image(&self, scope: &Scope, id: &str) -> bool {
        self.image(id).is_some_and(|image| {
            image.scope.region == scope.region
                && image.state == ImageState::Available
                && image.is_shared_with(&scope.account)
        })
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
        let old = self.parameter(scope, name).cloned();
        let version = old.as_ref().map_or(0, |p| p.version) + 1;
        let mut parameter = old.unwrap_or_else(|| Parameter::plain(name, scope.clone(), value, now));
        if version > 1 {
            let before = std::mem::replace(&mut parameter.value, value.to_owned());
            parameter.history.insert(parameter.version, before);
            while parameter.history.len() >= HISTORY_MAX {
                parameter.history.pop_first();
            }
        }
        (parameter.version, parameter.modified) = (version, now);
        parameter.kind = kind.to_owned();
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

    /// The value of a parameter, of the account's own or AWS's, in truth; `NAME:VERSION` is an earlier one.
    pub fn parameter_value(&self, scope: &Scope, name: &str) -> Option<String> {
        let (name, version) = selected(name);
        let public = || {
            self.public_parameters
                .get(&(scope.region.clone(), name.to_owned()))
        };
        let parameter = self.parameter(scope, name).or_else(public)?;
        match version {
            Some(version) => parameter.at_version(version).map(|p| p.value),
            None => Some(parameter.value.clone()),
        }
    }

    /// What a read of `NAME` or `NAME:VERSION` shows.
    fn shown_parameter(&self, scope: &Scope, selector: &str) -> Result<Parameter, ApiError> {
        let (name, version) = selected(selector);
        let parameter = self
            .visible_parameter(scope, name)
            .ok_or_else(|| not_found(selector))?;
        let Some(version) = version else {
            return Ok(parameter);
        };
        parameter.at_version(version).ok_or_else(|| {
            let text = format!("Systems Manager could not find version {version} of {name}.");
            ApiError::new("ParameterVersionNotFound", text)
        })
    }

    pub(super) fn visible_parameter(&self, scope: &Scope, name: &str) -> Option<Parameter> {
        if name.starts_with(PUBLIC_PREFIX) {
            let key = (scope.region.clone(), name.to_owned());
            return self.public_parameters.get(&key).cloned();
        }
        let versions = self.parameters.get(&(scope.clone(), name.to_owned()))?;
        versions.at(self.read_time(name)).map(|p| Parameter::clone(p))
    }
}

/// The name, and the version after its colon.
fn selected(selector: &str) -> (&str, Option<u64>) {
    match selector.rsplit_once(':') {
        Some((name, version)) => match version.parse() {
            Ok(version) => (name, Some(version)),
            Err(_) => (selector, None),
        },
        None => (selector, None),
    }
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("/aws") || lower.starts_with("/ssm") {
        let text = format!("No access to reserved parameter name: {name}.");
        return Err(ApiError::new("AccessDeniedException", text));
    }
    let is_valid = !name.is_empty()
        && name.len() <= 1_011
        && !lower.starts_with("aws")
        && !lower.starts_with("ssm")
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_.-/".contains(&b));
    if is_valid {
        return Ok(());
    }
    let text = "Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). It consists of letters, \
                numbers and the symbols .-_/";
    Err(ApiError::new("ValidationException", text))
}

fn check_new(value: &str, new: &NewParameter) -> Result<(), ApiError> {
    let refuse = |text: String| Err(ApiError::new("ValidationException", text));
    if value.is_empty() || value.len() > VALUE_LENGTH_MAX {
        return refuse(format!(
            "Standard tier parameters support a maximum parameter value of {VALUE_LENGTH_MAX} characters, and none \
             is empty."
        ));
    }
    if let Some(kind) = new.kind.as_deref().filter(|kind| !KINDS.contains(kind)) {
        return refuse(format!(
            "Value '{kind}' at 'type' failed to satisfy constraint: Member must satisfy enum value set: {KINDS:?}"
        ));
    }
    if !new.tags.is_empty() && new.overwrite {
        return refuse(
            "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please \
             remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or \
             RemoveTagsFromResource."
                .to_owned(),
        );
    }
    match new.data_type.as_deref() {
        None | Some("text") => Ok(()),
        Some(IMAGE_TYPE) if value.starts_with("ami-") => Ok(()),
        Some(IMAGE_TYPE) => refuse(format!("The value {value:?} is not the id of an image.")),
        Some(other) => Err(ApiError::not_modelled(format!(
            "data type {other:?} of a parameter"
        ))),
    }
}

pub(super) fn not_found(name: &str) -> ApiError {
    ApiError::new("ParameterNotFound", format!("Parameter {name} not found."))
}
