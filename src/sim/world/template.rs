//! Launch templates: named launches, in versions that never change.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::World;
use super::api::ApiError;
use super::instance::Scope;
use super::launch::LaunchData;
use super::shelf::{Field, Resource, Tags, check_id, parts};

/// One launch template.
#[derive(Debug, Clone)]
pub struct Template {
    pub id: String,
    pub name: String,
    pub scope: Scope,
    pub created: Timestamp,
    /// The ARN of who made it.
    pub created_by: String,
    /// The version that `$Default` is.
    pub default: u64,
    /// The number of the newest version that was ever made: none is used twice.
    pub last: u64,
    pub versions: BTreeMap<u64, Version>,
    pub tags: Tags,
}

/// One version of a template.
#[derive(Debug, Clone)]
pub struct Version {
    pub number: u64,
    pub description: Option<String>,
    pub created: Timestamp,
    pub created_by: String,
    pub data: LaunchData,
}

/// How a request names a template: by one of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TemplateRef {
    pub id: Option<String>,
    pub name: Option<String>,
}

impl TemplateRef {
    /// The id or the name, for faults to match.
    pub fn subjects(&self) -> Vec<&str> {
        self.id.iter().chain(&self.name).map(String::as_str).collect()
    }
}

impl Template {
    /// The newest version that is still there.
    pub fn latest(&self) -> u64 {
        self.versions.keys().next_back().copied().unwrap_or(self.last)
    }

    /// The version that this text means: a number, `$Latest` or `$Default`.
    ///
    /// # Errors
    /// It is none of them, or there is no such version.
    pub(super) fn version(&self, wanted: &str) -> Result<&Version, ApiError> {
        let number = match wanted {
            "$Latest" => self.latest(),
            "$Default" => self.default,
            number => number.parse().map_err(|_| {
                let text = format!("Invalid launch template version: {number}");
                ApiError::new("InvalidLaunchTemplateId.VersionNotFound", text)
            })?,
        };
        self.versions.get(&number).ok_or_else(|| {
            let text = format!(
                "Could not find the specified version {number} for the launch template with ID {}.",
                self.id
            );
            ApiError::new("InvalidLaunchTemplateId.VersionNotFound", text)
        })
    }
}

impl World {
    /// The template that a request of this account and region names.
    ///
    /// # Errors
    /// It names none or two, or there is none of this id or name.
    pub(super) fn template(&self, scope: &Scope, named: &TemplateRef) -> Result<&Arc<Template>, ApiError> {
        match (&named.id, &named.name) {
            (Some(id), None) => {
                check_id::<Template>(id)?;
                let found = self.templates.get(id).filter(|t| t.scope == *scope);
                found.ok_or_else(|| {
                    let text =
                        format!("The specified launch template, with template ID {id}, does not exist.");
                    ApiError::new(Template::NOT_FOUND, text)
                })
            }
            (None, Some(name)) => {
                let mut found = self
                    .templates
                    .iter()
                    .filter(|t| t.scope == *scope && t.name == *name);
                found.next().ok_or_else(|| template_name_not_found(name))
            }
            (Some(_), Some(_)) => {
                let text = "You can specify either a launch template ID or a launch template name, not both.";
                Err(ApiError::new("InvalidParameterCombination", text))
            }
            (None, None) => {
                let text = "Either a launch template ID or a launch template name must be specified.";
                Err(ApiError::new("MissingParameter", text))
            }
        }
    }

    /// What a launch from the template would use. Without a version: the default one.
    ///
    /// # Errors
    /// There is no such template or version.
    pub fn resolve_template(
        &self,
        scope: &Scope,
        named: &TemplateRef,
        version: Option<&str>,
    ) -> Result<LaunchData, ApiError> {
        let template = self.template(scope, named)?;
        let version = template.version(version.unwrap_or("$Default"))?;
        Ok(version.data.clone())
    }
}

pub(super) fn template_name_not_found(name: &str) -> ApiError {
    let text = format!("The specified launch template, with template name {name}, does not exist.");
    ApiError::new("InvalidLaunchTemplateName.NotFoundException", text)
}

impl Resource for Template {
    const KIND: &'static str = "launch-template";
    const PREFIX: &'static str = "lt-";
    const NOUN: &'static str = "launch template";
    const NOT_FOUND: &'static str = "InvalidLaunchTemplateId.NotFound";
    const MALFORMED: &'static str = "InvalidLaunchTemplateId.Malformed";
    const FILTERS: &'static [Field<Self>] = &[
        ("create-time", |t| vec![format!("{:.3}", t.created)]),
        ("launch-template-name", |t| vec![t.name.clone()]),
    ];

    parts!();
}
