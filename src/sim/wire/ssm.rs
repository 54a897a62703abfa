//! SSM's parameters: requests and answers, in JSON 1.1.

use serde_json::{Map, Value, json};

use super::{Parse, Route, Service};
use crate::sim::world::api::{ApiError, Operation, Page};
use crate::sim::world::parameters::{Answer, Op, ParameterFilter};
use crate::sim::world::tags::Tags;
use crate::sim::world::{NewParameter, Parameter};

type Body = Map<String, Value>;

const fn route(action: &'static str, parse: fn(&mut Body) -> Result<Operation, ApiError>) -> Route {
    Route {
        service: Service::Ssm,
        action,
        parse: Parse::Json(parse),
    }
}

pub(super) const ROUTES: &[Route] = &[
    route("GetParameter", |body| {
        // Nothing is encrypted here, so there is nothing to decrypt.
        body.remove("WithDecryption");
        Ok(Operation::GetParameter {
            name: required(body, "Name")?,
        })
    }),
    route("GetParameters", |body| {
        body.remove("WithDecryption");
        Ok(Operation::GetParameters {
            names: texts(body, "Names")?,
        })
    }),
    route("PutParameter", |body| {
        match text(body, "Tier")?.as_deref() {
            // What is small enough for the standard tier is put there.
            None | Some("Standard" | "Intelligent-Tiering") => {}
            Some("Advanced") => {
                return Err(ApiError::not_modelled("the tier \"Advanced\" of parameters"));
            }
            Some(other) => return Err(invalid("Tier", format!("no such tier: {other:?}"))),
        }
        Ok(Operation::PutParameter {
            name: required(body, "Name")?,
            value: required(body, "Value")?,
            new: NewParameter {
                kind: text(body, "Type")?,
                overwrite: flag(body, "Overwrite")?,
                description: text(body, "Description")?,
                data_type: text(body, "DataType")?,
                key: text(body, "KeyId")?,
                tags: tags(body)?,
            },
        })
    }),
    route("DeleteParameter", |body| {
        Ok(Operation::DeleteParameter {
            name: required(body, "Name")?,
        })
    }),
    route("DeleteParameters", |body| {
        Ok(Operation::Ssm(Op::DeleteParameters {
            names: texts(body, "Names")?,
        }))
    }),
    route("GetParametersByPath", |body| {
        body.remove("WithDecryption");
        Ok(Operation::Ssm(Op::GetParametersByPath {
            path: required(body, "Path")?,
            recursive: flag(body, "Recursive")?,
            filters: filters(body)?,
            page: page(body)?,
        }))
    }),
    route("DescribeParameters", |body| {
        Ok(Operation::Ssm(Op::DescribeParameters {
            filters: filters(body)?,
            page: page(body)?,
        }))
    }),
    route("AddTagsToResource", |body| {
        let name = parameter_named(body)?;
        let tags = tags(body)?;
        Ok(Operation::Ssm(Op::AddTagsToResource { name, tags }))
    }),
    route("RemoveTagsFromResource", |body| {
        let name = parameter_named(body)?;
        let keys = texts(body, "TagKeys")?;
        Ok(Operation::Ssm(Op::RemoveTagsFromResource { name, keys }))
    }),
    route("ListTagsForResource", |body| {
        let name = parameter_named(body)?;
        Ok(Operation::Ssm(Op::ListTagsForResource { name }))
    }),
];

fn text(body: &mut Body, name: &str) -> Result<Option<String>, ApiError> {
    match body.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(invalid(name, format!("not a string: {other}"))),
    }
}

fn required(body: &mut Body, name: &str) -> Result<String, ApiError> {
    text(body, name)?.ok_or_else(|| invalid(name, "missing"))
}

fn texts(body: &mut Body, name: &str) -> Result<Vec<String>, ApiError> {
    let list = body.remove(name).unwrap_or_default();
    serde_json::from_value(list).map_err(|e| invalid(name, e))
}

fn flag(body: &mut Body, name: &str) -> Result<bool, ApiError> {
    match body.remove(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(set)) => Ok(set),
        Some(other) => Err(invalid(name, format!("neither true nor false: {other}"))),
    }
}

fn page(body: &mut Body) -> Result<Page, ApiError> {
    let max = match body.remove("MaxResults") {
        None | Some(Value::Null) => None,
        Some(value) => {
            let number = value.as_u64().and_then(|n| usize::try_from(n).ok());
            Some(number.ok_or_else(|| invalid("MaxResults", "not a number"))?)
        }
    };
    Ok(Page {
        max,
        token: text(body, "NextToken")?,
        most: None,
    })
}

/// The objects of a list.
fn objects(body: &mut Body, name: &str) -> Result<Vec<Body>, ApiError> {
    match body.remove(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(list) => serde_json::from_value(list).map_err(|e| invalid(name, e)),
    }
}

/// Nothing of the object is left.
fn finish(object: &Body, name: &str) -> Result<(), ApiError> {
    match object.keys().next() {
        Some(key) => Err(ApiError::not_modelled(format!("parameter {key:?} of {name}"))),
        None => Ok(()),
    }
}

fn tags(body: &mut Body) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for mut tag in objects(body, "Tags")? {
        tags.insert(required(&mut tag, "Key")?, required(&mut tag, "Value")?);
        finish(&tag, "Tags")?;
    }
    Ok(tags)
}

fn filters(body: &mut Body) -> Result<Vec<ParameterFilter>, ApiError> {
    let mut filters = Vec::new();
    for mut filter in objects(body, "ParameterFilters")? {
        filters.push(ParameterFilter {
            key: required(&mut filter, "Key")?,
            option: text(&mut filter, "Option")?,
            values: if filter.contains_key("Values") {
                texts(&mut filter, "Values")?
            } else {
                Vec::new()
            },
        });
        finish(&filter, "ParameterFilters")?;
    }
    Ok(filters)
}

/// The name of the parameter whose tags are meant; no other type of resource is modelled.
fn parameter_named(body: &mut Body) -> Result<String, ApiError> {
    let kind = required(body, "ResourceType")?;
    if kind != "Parameter" {
        return Err(ApiError::not_modelled(format!(
            "tags of SSM's resource type {kind:?}"
        )));
    }
    required(body, "ResourceId")
}

fn invalid(name: &str, why: impl std::fmt::Display) -> ApiError {
    ApiError::new("ValidationException", format!("{name}: {why}"))
}

fn value(parameter: &Parameter) -> Value {
    json!({
        "Name": parameter.name,
        "Type": parameter.kind,
        "Value": parameter.value,
        "Version": parameter.version,
        "LastModifiedDate": parameter.modified.as_millisecond() as f64 / 1000.0,
        "ARN": parameter.arn(),
        "DataType": parameter.data_type,
    })
}

fn metadata(parameter: &Parameter) -> Value {
    let mut described = json!({
        "Name": parameter.name,
        "ARN": parameter.arn(),
        "Type": parameter.kind,
        "LastModifiedDate": parameter.modified.as_millisecond() as f64 / 1000.0,
        "LastModifiedUser": format!("arn:aws:iam::{}:user/sim", parameter.scope.account),
        "Version": parameter.version,
        "Tier": "Standard",
        "Policies": [],
        "DataType": parameter.data_type,
    });
    if let Some(fields) = described.as_object_mut() {
        let more = [("Description", &parameter.description), ("KeyId", &parameter.key)];
        for (name, text) in more {
            if let Some(text) = text {
                fields.insert(name.to_owned(), json!(text));
            }
        }
    }
    described
}

pub(super) fn parameter(parameter: &Parameter) -> String {
    json!({ "Parameter": value(parameter) }).to_string()
}

pub(super) fn parameters(found: &[Parameter], invalid: &[String]) -> String {
    let found: Vec<Value> = found.iter().map(value).collect();
    json!({ "Parameters": found, "InvalidParameters": invalid }).to_string()
}

pub(super) fn version(version: u64) -> String {
    json!({ "Version": version, "Tier": "Standard" }).to_string()
}

pub(super) fn write(answer: &Answer) -> String {
    let listing = |items: Vec<Value>, next: &Option<String>| match next {
        Some(next) => json!({ "Parameters": items, "NextToken": next }),
        None => json!({ "Parameters": items }),
    };
    let body = match answer {
        Answer::Parameters(list) => listing(list.items.iter().map(value).collect(), &list.next),
        Answer::Described(list) => listing(list.items.iter().map(metadata).collect(), &list.next),
        Answer::Deleted { deleted, invalid } => {
            json!({ "DeletedParameters": deleted, "InvalidParameters": invalid })
        }
        Answer::Tags(tags) => {
            let tags = tags
                .iter()
                .map(|(key, value)| json!({ "Key": key, "Value": value }));
            json!({ "TagList": tags.collect::<Vec<_>>() })
        }
        Answer::Tagged => json!({}),
    };
    body.to_string()
}
