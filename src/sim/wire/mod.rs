//! AWS's protocols: a request's bytes become an [`Operation`], an [`Answer`] becomes bytes. No I/O, no SDK types.
//!
//! EC2, Elastic Load Balancing, Auto Scaling and STS speak the query protocol (a form, answered in XML); SSM speaks
//! JSON 1.1. [`routes`] is the table of everything that is modelled. What is not in it, a parameter that no
//! parser has taken, a filter that the world does not know: a clear 400 that names it, never ignored, so that no
//! test passes because the simulation looked away.

pub mod address;
mod answer;
mod autoscaling;
mod ec2;
mod ec2_devices;
mod ec2_images;
mod ec2_instance;
mod ec2_interfaces;
mod ec2_keys;
mod ec2_launch_data;
mod ec2_network;
mod ec2_security;
mod ec2_settings;
mod ec2_templates;
mod ec2_types;
mod ec2_volumes;
mod ec2_xml;
mod elb;
mod error;
pub(super) mod query;
mod ssm;
mod sts;
mod xml;

use std::collections::BTreeMap;

use super::world::api::{Answer, ApiError, Operation};
pub use address::{Endpoint, Service};
pub use error::code_of;

use self::query::Params;

/// One HTTP request, as plain data. Header names in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HttpRequest {
    pub method: String,
    /// `ec2.eu-west-2.amazonaws.com`, without port.
    pub host: String,
    /// Path and query.
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// One HTTP response, as plain data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// How a route reads its parameters.
#[derive(Clone, Copy)]
pub enum Parse {
    Query(fn(&mut Params) -> Result<Operation, ApiError>),
    Json(fn(&mut serde_json::Map<String, serde_json::Value>) -> Result<Operation, ApiError>),
}

/// One operation that is modelled.
#[derive(Clone, Copy)]
pub struct Route {
    pub service: Service,
    pub action: &'static str,
    pub parse: Parse,
}

/// Everything that is modelled, by service.
pub fn routes() -> impl Iterator<Item = &'static Route> {
    let services: [&[Route]; 15] = [
        ec2::ROUTES,
        ec2_instance::ROUTES,
        ec2_settings::ROUTES,
        ec2_types::ROUTES,
        ec2_images::ROUTES,
        ec2_templates::ROUTES,
        ec2_volumes::ROUTES,
        ec2_network::ROUTES,
        ec2_security::ROUTES,
        ec2_interfaces::ROUTES,
        ec2_keys::ROUTES,
        elb::ROUTES,
        autoscaling::ROUTES,
        ssm::ROUTES,
        sts::ROUTES,
    ];
    services.into_iter().flatten()
}

/// What a request says.
#[derive(Debug)]
pub struct Said {
    /// `""` if it names none.
    pub action: String,
    /// Its parameters, sorted and readable: what a trace hashes.
    pub params: String,
    pub asks: Result<Operation, ApiError>,
}

/// Understand a request to `service`.
pub fn understand(service: Service, request: &HttpRequest) -> Said {
    match service {
        Service::Ssm => {
            let target = request.headers.get("x-amz-target").map_or("", String::as_str);
            let action = target.rsplit('.').next().unwrap_or("").to_owned();
            Said {
                params: text_of(request),
                asks: route(service, &action).and_then(|route| parse_json(route, &request.body)),
                action,
            }
        }
        _ => {
            let mut pairs = query::pairs(&request.body);
            let action = pairs.remove("Action").unwrap_or_default();
            pairs.remove("Version");
            Said {
                params: readable(&pairs),
                asks: route(service, &action).and_then(|route| parse_query(route, Params::of(pairs))),
                action,
            }
        }
    }
}

/// A request's body as it stands.
pub fn text_of(request: &HttpRequest) -> String {
    String::from_utf8_lossy(&request.body).into_owned()
}

fn readable(pairs: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    for (key, value) in pairs {
        let parts = [if text.is_empty() { "" } else { "&" }, key, "=", value];
        parts.iter().for_each(|part| text.push_str(part));
    }
    text
}

fn route(service: Service, action: &str) -> Result<&'static Route, ApiError> {
    let route = routes().find(|r| r.service == service && r.action == action);
    route.ok_or_else(|| ApiError::not_modelled(format!("action {action:?} of {}", service.name())))
}

fn parse_query(route: &Route, mut params: Params) -> Result<Operation, ApiError> {
    let Parse::Query(parse) = route.parse else {
        return Err(ApiError::not_modelled(route.action));
    };
    let mut operation = parse(&mut params)?;
    if route.service == Service::Ec2 && params.flag("DryRun")? {
        operation = Operation::DryRun(Box::new(operation));
    }
    params.finish(route.action)?;
    Ok(operation)
}

fn parse_json(route: &Route, body: &[u8]) -> Result<Operation, ApiError> {
    let Parse::Json(parse) = route.parse else {
        return Err(ApiError::not_modelled(route.action));
    };
    let mut body: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body)
        .map_err(|e| ApiError::new("SerializationException", format!("not a JSON object: {e}")))?;
    let operation = parse(&mut body)?;
    match body.keys().next() {
        Some(key) => Err(ApiError::not_modelled(format!(
            "parameter {key:?} of {}",
            route.action
        ))),
        None => Ok(operation),
    }
}

/// Write an answer to `action` of `service`.
pub fn respond(service: Service, action: &str, answer: &Answer, request_id: &str) -> HttpResponse {
    let body = answer::write(action, answer, request_id);
    HttpResponse {
        status: 200,
        headers: headers(service, request_id),
        body: body.into_bytes(),
    }
}

/// Write a refusal as `service` would.
pub fn refuse(service: Service, error: &ApiError, request_id: &str) -> HttpResponse {
    let (status, body) = error::write(service, error, request_id);
    HttpResponse {
        status,
        headers: headers(service, request_id),
        body: body.into_bytes(),
    }
}

fn headers(service: Service, request_id: &str) -> Vec<(String, String)> {
    let content_type = match service {
        Service::Ssm => "application/x-amz-json-1.1",
        _ => "text/xml;charset=UTF-8",
    };
    vec![
        ("content-type".to_owned(), content_type.to_owned()),
        ("x-amzn-requestid".to_owned(), request_id.to_owned()),
    ]
}
