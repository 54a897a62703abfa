//! EC2's calls on launch templates.

use std::sync::Arc;

use super::World;
use super::api::{self, ApiError, Asked, Caller, Family, Filter, Listing, Page, Response};
use super::filter;
use super::instance::Scope;
use super::launch::LaunchData;
use super::page::paginate;
use super::shelf::Resource;
use super::tags::{self, TagSpecs};
use super::template::{Template, TemplateRef, Version, template_name_not_found};

/// The family's operations.
#[derive(Debug, Clone)]
pub enum Op {
    CreateLaunchTemplate(Box<CreateTemplate>),
    CreateLaunchTemplateVersion(Box<CreateVersion>),
    DescribeLaunchTemplates {
        asked: Asked,
        names: Vec<String>,
    },
    DescribeLaunchTemplateVersions(DescribeVersions),
    /// Another version becomes the default one.
    ModifyLaunchTemplate {
        template: TemplateRef,
        default: Option<String>,
    },
    DeleteLaunchTemplate {
        template: TemplateRef,
    },
    DeleteLaunchTemplateVersions {
        template: TemplateRef,
        versions: Vec<String>,
    },
    GetLaunchTemplateData {
        instance: String,
    },
}

/// CreateLaunchTemplate's parameters.
#[derive(Debug, Clone, Default)]
pub struct CreateTemplate {
    pub name: String,
    pub description: Option<String>,
    pub data: LaunchData,
    pub tags: TagSpecs,
    pub token: Option<String>,
}

/// CreateLaunchTemplateVersion's parameters.
#[derive(Debug, Clone, Default)]
pub struct CreateVersion {
    pub template: TemplateRef,
    /// The version whose data are laid under the new ones.
    pub source: Option<String>,
    pub description: Option<String>,
    pub data: LaunchData,
    pub token: Option<String>,
    /// The answer shows the image that an SSM parameter stands for.
    pub resolve: bool,
}

/// DescribeLaunchTemplateVersions' parameters. Without a template: `$Latest` or `$Default` of all.
#[derive(Debug, Clone, Default)]
pub struct DescribeVersions {
    pub template: TemplateRef,
    pub versions: Vec<String>,
    pub min: Option<u64>,
    pub max: Option<u64>,
    pub filters: Vec<Filter>,
    pub page: Page,
    pub resolve: bool,
}

/// The family's answers.
#[derive(Debug, Clone)]
pub enum Answer {
    Template(Arc<Template>),
    Templates(Listing<Arc<Template>>),
    Version(Box<VersionView>),
    Versions(Listing<VersionView>),
    Deleted {
        template: Arc<Template>,
        gone: Vec<u64>,
        /// Version, code, sentence.
        kept: Vec<(u64, &'static str, String)>,
    },
    Data(Box<LaunchData>),
}

/// A version with the template it belongs to.
#[derive(Debug, Clone)]
pub struct VersionView {
    pub template: Arc<Template>,
    pub version: Version,
}

impl Answer {
    pub(super) fn clear(&mut self) {
        match self {
            Answer::Templates(listing) => listing.clear(),
            Answer::Versions(listing) => listing.clear(),
            Answer::Template(_) | Answer::Version(_) | Answer::Deleted { .. } | Answer::Data(_) => {}
        }
    }
}

impl Family for Op {
    fn name(&self) -> &'static str {
        match self {
            Op::CreateLaunchTemplate(_) => "CreateLaunchTemplate",
            Op::CreateLaunchTemplateVersion(_) => "CreateLaunchTemplateVersion",
            Op::DescribeLaunchTemplates { .. } => "DescribeLaunchTemplates",
            Op::DescribeLaunchTemplateVersions(_) => "DescribeLaunchTemplateVersions",
            Op::ModifyLaunchTemplate { .. } => "ModifyLaunchTemplate",
            Op::DeleteLaunchTemplate { .. } => "DeleteLaunchTemplate",
            Op::DeleteLaunchTemplateVersions { .. } => "DeleteLaunchTemplateVersions",
            Op::GetLaunchTemplateData { .. } => "GetLaunchTemplateData",
        }
    }

    fn subjects(&self) -> Vec<&str> {
        match self {
            Op::CreateLaunchTemplate(asked) => vec![&asked.name],
            Op::CreateLaunchTemplateVersion(asked) => asked.template.subjects(),
            Op::DescribeLaunchTemplates { asked, names } => {
                asked.ids.iter().chain(names).map(String::as_str).collect()
            }
            Op::DescribeLaunchTemplateVersions(asked) => asked.template.subjects(),
            Op::ModifyLaunchTemplate { template, .. }
            | Op::DeleteLaunchTemplate { template }
            | Op::DeleteLaunchTemplateVersions { template, .. } => template.subjects(),
            Op::GetLaunchTemplateData { instance } => vec![instance],
        }
    }

    fn page(&self) -> Option<&Page> {
        match self {
            Op::DescribeLaunchTemplates { asked, .. } => Some(&asked.page),
            Op::DescribeLaunchTemplateVersions(asked) => Some(&asked.page),
            _ => None,
        }
    }

    fn answer(&self, world: &mut World, caller: &Caller) -> Response {
        let answer = match self {
            Op::CreateLaunchTemplate(asked) => world.create_template(caller, asked),
            Op::CreateLaunchTemplateVersion(asked) => world.create_version(caller, asked),
            Op::DescribeLaunchTemplates { asked, names } => world.describe_templates(caller, asked, names),
            Op::DescribeLaunchTemplateVersions(asked) => world.describe_versions(caller, asked),
            Op::ModifyLaunchTemplate { template, default } => {
                world.modify_template(caller, template, default.as_deref())
            }
            Op::DeleteLaunchTemplate { template } => world.delete_template(caller, template),
            Op::DeleteLaunchTemplateVersions { template, versions } => {
                world.delete_versions(caller, template, versions)
            }
            Op::GetLaunchTemplateData { instance } => world.template_data(caller, instance),
        };
        answer.map(api::Answer::Templates)
    }
}

impl World {
    fn create_template(&mut self, caller: &Caller, asked: &CreateTemplate) -> Result<Answer, ApiError> {
        let scope = caller.scope();
        let (action, token) = ("CreateLaunchTemplate", asked.token.as_deref());
        let request = format!(
            "{} {:?} {:?} {:?}",
            asked.name, asked.description, asked.data, asked.tags
        );
        if let Some(made) = self.tokens.made(&scope, action, token, &request)? {
            return self.templates.find(caller, &made).cloned().map(Answer::Template);
        }
        check_name(&asked.name)?;
        if self.templates.of(&scope).any(|t| t.name == asked.name) {
            let text = "Launch template name already in use.";
            return Err(ApiError::new(
                "InvalidLaunchTemplateName.AlreadyExistsException",
                text,
            ));
        }
        let tags = tags::tags_for(&asked.tags, Template::KIND)?;
        let template = Template {
            id: self.new_id(Template::PREFIX),
            name: asked.name.clone(),
            scope: scope.clone(),
            created: self.now,
            created_by: caller.arn.clone(),
            default: 1,
            last: 1,
            versions: [(
                1,
                self.version_of(caller, 1, asked.description.clone(), asked.data.clone()),
            )]
            .into(),
            tags,
        };
        let what = format!("launch template {:?} created", template.name);
        let template = self.shelve(|w| &mut w.templates, template, what);
        self.tokens.keep(&scope, action, token, request, &template.id);
        Ok(Answer::Template(template))
    }

    fn create_version(&mut self, caller: &Caller, asked: &CreateVersion) -> Result<Answer, ApiError> {
        let scope = caller.scope();
        let (action, token) = ("CreateLaunchTemplateVersion", asked.token.as_deref());
        let template = self.template(&scope, &asked.template)?.clone();
        let request = format!(
            "{} {:?} {:?} {:?}",
            template.id, asked.source, asked.description, asked.data
        );
        if let Some(made) = self.tokens.made(&scope, action, token, &request)? {
            let version = template.version(&made)?.clone();
            return self
                .view(&scope, template.clone(), version, asked.resolve)
                .map(|v| Answer::Version(Box::new(v)));
        }
        let data = match &asked.source {
            Some(source) => asked.data.clone().over(template.version(source)?.data.clone()),
            None => asked.data.clone(),
        };
        let number = template.last + 1;
        let version = self.version_of(caller, number, asked.description.clone(), data);
        self.templates.edit(self.now, &template.id, |t| {
            t.last = number;
            t.versions.insert(number, version.clone());
        });
        self.note(&template.id, format!("launch template version {number} created"));
        self.tokens
            .keep(&scope, action, token, request, &number.to_string());
        self.own_write(&template.id);
        let template = self.templates.find(caller, &template.id)?.clone();
        let view = self.view(&scope, template, version, asked.resolve)?;
        Ok(Answer::Version(Box::new(view)))
    }

    fn version_of(
        &self,
        caller: &Caller,
        number: u64,
        description: Option<String>,
        data: LaunchData,
    ) -> Version {
        Version {
            number,
            description,
            created: self.now,
            created_by: caller.arn.clone(),
            data,
        }
    }

    fn describe_templates(
        &self,
        caller: &Caller,
        asked: &Asked,
        names: &[String],
    ) -> Result<Answer, ApiError> {
        let all = Asked {
            page: Page::default(),
            ..asked.clone()
        };
        let is_named = |t: &Template| names.is_empty() || names.contains(&t.name);
        let items = self.templates.listed_where(self, caller, &all, is_named)?.items;
        if let Some(missing) = names.iter().find(|name| items.iter().all(|t| t.name != **name)) {
            return Err(template_name_not_found(missing));
        }
        let (items, next) = paginate(items, |t| t.id.clone(), &asked.page, 1..=200, None)?;
        Ok(Answer::Templates(Listing { items, next }))
    }

    fn describe_versions(&self, caller: &Caller, asked: &DescribeVersions) -> Result<Answer, ApiError> {
        let scope = caller.scope();
        for filter in &asked.filters {
            if !VERSION_FILTERS.iter().any(|(name, _)| *name == filter.name) {
                let text = format!("filter {:?} of DescribeLaunchTemplateVersions", filter.name);
                return Err(ApiError::not_modelled(text));
            }
        }
        let mut views = Vec::new();
        if asked.template == TemplateRef::default() {
            let is_alias = |version: &String| matches!(version.as_str(), "$Latest" | "$Default");
            if asked.versions.is_empty() || !asked.versions.iter().all(is_alias) {
                let text = "Without a launch template, the versions must be $Latest or $Default.";
                return Err(ApiError::new("MissingParameter", text));
            }
            for template in self.templates.seen(self).filter(|t| t.scope == scope) {
                self.views_of(&scope, template, asked, &mut views)?;
            }
        } else {
            let template = self.template(&scope, &asked.template)?;
            let seen = self.templates.visible(self, caller, &template.id);
            let seen = seen.ok_or_else(|| super::shelf::not_found::<Template>(&[&template.id]))?;
            self.views_of(&scope, seen, asked, &mut views)?;
        }
        views.retain(|view| asked.filters.iter().all(|filter| view.passes(filter)));
        let key = |view: &VersionView| view.place();
        views.sort_by_key(key);
        views.dedup_by_key(|view| view.place());
        let (items, next) = paginate(views, key, &asked.page, 1..=200, None)?;
        Ok(Answer::Versions(Listing { items, next }))
    }

    fn views_of(
        &self,
        scope: &Scope,
        template: &Arc<Template>,
        asked: &DescribeVersions,
        views: &mut Vec<VersionView>,
    ) -> Result<(), ApiError> {
        let versions: Vec<&Version> = if asked.versions.is_empty() {
            let range = asked.min.unwrap_or(0)..=asked.max.unwrap_or(u64::MAX);
            template
                .versions
                .values()
                .filter(|v| range.contains(&v.number))
                .collect()
        } else {
            asked
                .versions
                .iter()
                .map(|v| template.version(v))
                .collect::<Result<_, _>>()?
        };
        for version in versions {
            views.push(self.view(scope, template.clone(), version.clone(), asked.resolve)?);
        }
        Ok(())
    }

    fn view(
        &self,
        scope: &Scope,
        template: Arc<Template>,
        mut version: Version,
        resolve: bool,
    ) -> Result<VersionView, ApiError> {
        if let Some(image) = version.data.image.take() {
            version.data.image = Some(if resolve {
                self.resolve_image(scope, &image)?
            } else {
                image
            });
        }
        Ok(VersionView { template, version })
    }

    fn modify_template(
        &mut self,
        caller: &Caller,
        named: &TemplateRef,
        default: Option<&str>,
    ) -> Result<Answer, ApiError> {
        let template = self.template(&caller.scope(), named)?.clone();
        if let Some(default) = default {
            let number = template.version(default)?.number;
            self.templates
                .edit(self.now, &template.id, |t| t.default = number);
            self.note(
                &template.id,
                format!("launch template: version {number} is the default"),
            );
            self.own_write(&template.id);
        }
        self.templates
            .find(caller, &template.id)
            .cloned()
            .map(Answer::Template)
    }

    fn delete_template(&mut self, caller: &Caller, named: &TemplateRef) -> Result<Answer, ApiError> {
        let template = self.template(&caller.scope(), named)?.clone();
        self.templates.delete(self.now, &template.id);
        self.note(&template.id, "launch template deleted");
        self.own_write(&template.id);
        Ok(Answer::Template(template))
    }

    /// Each version by itself: what cannot be deleted is told, the others go.
    fn delete_versions(
        &mut self,
        caller: &Caller,
        named: &TemplateRef,
        versions: &[String],
    ) -> Result<Answer, ApiError> {
        let template = self.template(&caller.scope(), named)?.clone();
        if versions.is_empty() {
            let text = "The request must contain the parameter LaunchTemplateVersion";
            return Err(ApiError::new("MissingParameter", text));
        }
        let (mut gone, mut kept) = (Vec::new(), Vec::new());
        for version in versions {
            let number: u64 = version.parse().map_err(|_| {
                let text = format!("Invalid launch template version: {version}");
                ApiError::new("InvalidParameterValue", text)
            })?;
            if !template.versions.contains_key(&number) {
                let text = format!("Could not find launch template version {number}");
                kept.push((number, "launchTemplateVersionDoesNotExist", text));
            } else if number == template.default {
                let text = "Cannot delete default launch template version.".to_owned();
                kept.push((number, "unexpectedError", text));
            } else {
                gone.push(number);
            }
        }
        self.templates.edit(self.now, &template.id, |t| {
            t.versions.retain(|n, _| !gone.contains(n))
        });
        self.own_write(&template.id);
        Ok(Answer::Deleted { template, gone, kept })
    }

    fn template_data(&self, caller: &Caller, instance: &str) -> Result<Answer, ApiError> {
        let data = self.data_like(self.own_instance(caller, instance)?);
        Ok(Answer::Data(Box::new(data)))
    }
}

impl VersionView {
    /// Where it stands: by template, the newest version first.
    fn place(&self) -> String {
        format!("{}.{:020}", self.template.id, u64::MAX - self.version.number)
    }

    fn passes(&self, filter: &Filter) -> bool {
        let field = VERSION_FILTERS.iter().find(|(name, _)| *name == filter.name);
        let value = field.and_then(|(_, value)| value(self));
        value.is_some_and(|value| {
            filter
                .values
                .iter()
                .any(|pattern| filter::matches(pattern, &value))
        })
    }
}

/// The value of a version that a filter looks at.
type VersionField = (&'static str, fn(&VersionView) -> Option<String>);

/// The filters of DescribeLaunchTemplateVersions.
const VERSION_FILTERS: [VersionField; 8] = [
    ("create-time", |v| Some(format!("{:.3}", v.version.created))),
    ("ebs-optimized", |v| {
        v.version.data.ebs_optimized.map(|e| e.to_string())
    }),
    ("http-endpoint", |v| v.version.data.metadata.endpoint.clone()),
    ("http-tokens", |v| v.version.data.metadata.tokens.clone()),
    ("iam-instance-profile", |v| {
        v.version.data.profile.as_ref()?.arn.clone()
    }),
    ("image-id", |v| v.version.data.image.clone()),
    ("instance-type", |v| v.version.data.instance_type.clone()),
    ("is-default-version", |v| {
        Some((v.version.number == v.template.default).to_string())
    }),
];

fn check_name(name: &str) -> Result<(), ApiError> {
    let is_valid = (3..=128).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"().-/_".contains(&b));
    if is_valid {
        return Ok(());
    }
    let text = "Launch template names must be between 3 and 128 characters long, and may contain letters, numbers, \
                and the following characters: - ( ) . / _";
    Err(ApiError::new(
        "InvalidLaunchTemplateName.MalformedException",
        text,
    ))
}
