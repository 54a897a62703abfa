//! SSM's further calls on parameters: by path, described, tagged, deleted in numbers.

use super::World;
use super::api::{self, ApiError, Caller, Family, Listing, Page, Response};
use super::instance::Scope;
use super::page::paginate;
use super::parameter::{PUBLIC_PREFIX, Parameter, not_found};
use super::shelf::Tags;
use super::throttle::{Cost, limit};
use super::versioned::Versioned;

/// The family's operations.
#[derive(Debug, Clone)]
pub enum Op {
    GetParametersByPath {
        path: String,
        recursive: bool,
        filters: Vec<ParameterFilter>,
        page: Page,
    },
    DescribeParameters {
        filters: Vec<ParameterFilter>,
        page: Page,
    },
    DeleteParameters {
        names: Vec<String>,
    },
    AddTagsToResource {
        name: String,
        tags: Tags,
    },
    RemoveTagsFromResource {
        name: String,
        keys: Vec<String>,
    },
    ListTagsForResource {
        name: String,
    },
}

/// One of `ParameterFilters`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParameterFilter {
    /// `Name`, `Path`, `Type`, `DataType`, `Tier`, `tag:KEY`.
    pub key: String,
    /// `Equals`, `BeginsWith`, `Contains`, `Recursive`, `OneLevel`.
    pub option: Option<String>,
    pub values: Vec<String>,
}

/// The family's answers.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Whole, as GetParametersByPath shows them.
    Parameters(Listing<Parameter>),
    /// Without values, as DescribeParameters does.
    Described(Listing<Parameter>),
    Deleted {
        deleted: Vec<String>,
        invalid: Vec<String>,
    },
    Tags(Tags),
    Tagged,
}

impl Answer {
    pub(super) fn clear(&mut self) {
        match self {
            Answer::Parameters(listing) | Answer::Described(listing) => listing.clear(),
            Answer::Deleted { .. } | Answer::Tags(_) | Answer::Tagged => {}
        }
    }
}

impl Family for Op {
    fn name(&self) -> &'static str {
        match self {
            Op::GetParametersByPath { .. } => "GetParametersByPath",
            Op::DescribeParameters { .. } => "DescribeParameters",
            Op::DeleteParameters { .. } => "DeleteParameters",
            Op::AddTagsToResource { .. } => "AddTagsToResource",
            Op::RemoveTagsFromResource { .. } => "RemoveTagsFromResource",
            Op::ListTagsForResource { .. } => "ListTagsForResource",
        }
    }

    fn subjects(&self) -> Vec<&str> {
        match self {
            Op::GetParametersByPath { path: name, .. }
            | Op::AddTagsToResource { name, .. }
            | Op::RemoveTagsFromResource { name, .. }
            | Op::ListTagsForResource { name } => vec![name],
            Op::DeleteParameters { names } => names.iter().map(String::as_str).collect(),
            Op::DescribeParameters { .. } => Vec::new(),
        }
    }

    fn page(&self) -> Option<&Page> {
        match self {
            Op::GetParametersByPath { page, .. } | Op::DescribeParameters { page, .. } => Some(page),
            _ => None,
        }
    }

    fn is_mutation(&self) -> bool {
        // Bookkeeping: nothing that serves depends on it.
        false
    }

    fn costs(&self) -> Vec<Cost> {
        vec![("SSM", limit(40.0, 40.0), 1.0)]
    }

    fn answer(&self, world: &mut World, caller: &Caller) -> Response {
        let scope = caller.scope();
        let answer = match self {
            Op::GetParametersByPath {
                path,
                recursive,
                filters,
                page,
            } => world.parameters_by_path(&scope, path, *recursive, filters, page),
            Op::DescribeParameters { filters, page } => world.described_parameters(&scope, filters, page),
            Op::DeleteParameters { names } => Ok(world.delete_parameters(&scope, names)),
            Op::AddTagsToResource { name, tags } => world.tag_parameter(&scope, name, tags, &[]),
            Op::RemoveTagsFromResource { name, keys } => {
                world.tag_parameter(&scope, name, &Tags::new(), keys)
            }
            Op::ListTagsForResource { name } => {
                let parameter = world
                    .visible_parameter(&scope, name)
                    .ok_or_else(|| no_resource(name))?;
                Ok(Answer::Tags(parameter.tags))
            }
        };
        answer.map(api::Answer::Ssm)
    }
}

impl World {
    fn parameters_by_path(
        &self,
        scope: &Scope,
        path: &str,
        recursive: bool,
        filters: &[ParameterFilter],
        page: &Page,
    ) -> Result<Answer, ApiError> {
        if !path.starts_with('/') {
            let text = "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a \
                        forward slash \"/\".";
            return Err(ApiError::new("ValidationException", text));
        }
        let option = if recursive { "Recursive" } else { "OneLevel" };
        let public: Vec<Parameter> = match format!("{path}/").starts_with(PUBLIC_PREFIX) {
            true => {
                let all = self.public_parameters.iter();
                all.filter(|((region, _), _)| *region == scope.region)
                    .map(|(_, p)| p.clone())
                    .collect()
            }
            false => Vec::new(),
        };
        let mut items: Vec<Parameter> = self.own_parameters(scope).into_iter().chain(public).collect();
        items.retain(|p| is_under(&p.name, path, option));
        keep(&mut items, filters, &["Type", "KeyId"])?;
        let (items, next) = paginate(items, |p| p.name.clone(), page, 1..=10, Some(10))?;
        Ok(Answer::Parameters(Listing { items, next }))
    }

    fn described_parameters(
        &self,
        scope: &Scope,
        filters: &[ParameterFilter],
        page: &Page,
    ) -> Result<Answer, ApiError> {
        let mut items = self.own_parameters(scope);
        keep(
            &mut items,
            filters,
            &["Name", "Path", "Type", "KeyId", "DataType", "Tier"],
        )?;
        let (items, next) = paginate(items, |p| p.name.clone(), page, 1..=50, Some(50))?;
        Ok(Answer::Described(Listing { items, next }))
    }

    /// As reads show them, by name.
    fn own_parameters(&self, scope: &Scope) -> Vec<Parameter> {
        let names = self.parameters.keys().filter(|(whose, _)| whose == scope);
        names
            .filter_map(|(_, name)| self.visible_parameter(scope, name))
            .collect()
    }

    fn delete_parameters(&mut self, scope: &Scope, names: &[String]) -> Answer {
        let (mut deleted, mut invalid) = (Vec::new(), Vec::new());
        for name in names {
            if self.parameter(scope, name).is_some() {
                self.remove_parameter(scope, name);
                self.own_write(name);
                deleted.push(name.clone());
            } else {
                invalid.push(name.clone());
            }
        }
        Answer::Deleted { deleted, invalid }
    }

    fn tag_parameter(
        &mut self,
        scope: &Scope,
        name: &str,
        add: &Tags,
        remove: &[String],
    ) -> Result<Answer, ApiError> {
        let now = self.now;
        let versions = self.parameters.get_mut(&(scope.clone(), name.to_owned()));
        let versions: &mut Versioned<Parameter> = versions.ok_or_else(|| no_resource(name))?;
        let edited = versions.edit(now, |p| {
            p.tags
                .extend(add.iter().map(|(key, value)| (key.clone(), value.clone())));
            p.tags.retain(|key, _| !remove.contains(key));
        });
        edited.ok_or_else(|| no_resource(name))?;
        self.own_write(name);
        Ok(Answer::Tagged)
    }
}

/// A parameter lies below a path, at once or at any depth.
fn is_under(name: &str, path: &str, option: &str) -> bool {
    let path = path.trim_end_matches('/');
    let below = name.strip_prefix(path).and_then(|rest| rest.strip_prefix('/'));
    below.is_some_and(|below| option == "Recursive" || !below.contains('/'))
}

/// Keep what passes all filters; a filter that the call does not know is refused.
fn keep(items: &mut Vec<Parameter>, filters: &[ParameterFilter], known: &[&str]) -> Result<(), ApiError> {
    for filter in filters {
        let key = filter.key.as_str();
        let is_tag = key.starts_with("tag:") && known.contains(&"Name");
        if !is_tag && !known.contains(&key) {
            let text = format!("The following filter key is not valid: {key}.");
            return Err(ApiError::new("InvalidFilterKey", text));
        }
        let option = filter
            .option
            .as_deref()
            .unwrap_or(if key == "Path" { "OneLevel" } else { "Equals" });
        let is_known = match key {
            "Path" => matches!(option, "Recursive" | "OneLevel"),
            "Name" => matches!(option, "Equals" | "BeginsWith" | "Contains"),
            _ => matches!(option, "Equals" | "BeginsWith"),
        };
        if !is_known {
            let text = format!("The following filter option is not valid: {option}.");
            return Err(ApiError::new("InvalidFilterOption", text));
        }
        items.retain(|p| passes(p, key, option, &filter.values));
    }
    Ok(())
}

fn passes(parameter: &Parameter, key: &str, option: &str, values: &[String]) -> bool {
    if key == "Path" {
        return values.iter().any(|path| is_under(&parameter.name, path, option));
    }
    let own = match key {
        "Name" => Some(&parameter.name),
        "Type" => Some(&parameter.kind),
        "KeyId" => parameter.key.as_ref(),
        "DataType" => Some(&parameter.data_type),
        "Tier" => return values.iter().any(|value| value == "Standard"),
        tag => tag.strip_prefix("tag:").and_then(|key| parameter.tags.get(key)),
    };
    let Some(own) = own else { return false };
    // A tag without values asks whether it is there.
    values.is_empty()
        || values.iter().any(|value| match option {
            "BeginsWith" => own.starts_with(value.as_str()),
            "Contains" => own.contains(value.as_str()),
            _ => own == value,
        })
}

fn no_resource(name: &str) -> ApiError {
    let ApiError { message, .. } = not_found(name);
    ApiError::new("InvalidResourceId", message)
}
