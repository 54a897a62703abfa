//! SSM's parameters: requests and answers, in JSON 1.1.

use serde_json::{Map, Value, json};

use super::{Parse, Route, Service};
use crate::sim::world::Parameter;
use crate::sim::world::api::{ApiError, Operation};

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
        let names = body.remove("Names").unwrap_or_default();
        let names: Vec<String> = serde_json::from_value(names).map_err(|e| invalid("Names", e))?;
        Ok(Operation::GetParameters { names })
    }),
    route("PutParameter", |body| {
        Ok(Operation::PutParameter {
            name: required(body, "Name")?,
            value: required(body, "Value")?,
            kind: text(body, "Type")?,
            overwrite: body
                .remove("Overwrite")
                .and_then(|v| v.as_bool())
                .unwrap_or(false),
        })
    }),
    route("DeleteParameter", |body| {
        Ok(Operation::DeleteParameter {
            name: required(body, "Name")?,
        })
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
        "DataType": "text",
    })
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
