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

/// The action that a request to `service` names, `""` if it names none.
pub fn action_of(service: Service, request: &HttpRequest) -> String {
    match service {
        Service::Ssm => {
            let target = request.headers.get("x-amz-target").map_or("", String::as_str);
            target.rsplit('.').next().unwrap_or("").to_owned()
        }
        _ => query::pairs(&request.body).remove("Action").unwrap_or_default(),
    }
}

/// The request's parameters, sorted and readable: what a trace hashes.
pub fn canonical_params(service: Option<Service>, request: &HttpRequest) -> String {
    match service {
        Some(Service::Ssm) | None => String::from_utf8_lossy(&request.body).into_owned(),
        Some(_) => {
            let mut pairs = query::pairs(&request.body);
            pairs.remove("Action");
            pairs.remove("Version");
            let pairs = pairs.into_iter().map(|(key, value)| format!("{key}={value}"));
            pairs.collect::<Vec<_>>().join("&")
        }
    }
}

/// Understand a request to `service`.
pub fn parse(service: Service, request: &HttpRequest) -> Result<Operation, ApiError> {
    let action = action_of(service, request);
    let route = routes().find(|r| r.service == service && r.action == action);
    let route =
        route.ok_or_else(|| ApiError::not_modelled(format!("action {action:?} of {}", service.name())))?;
    match route.parse {
        Parse::Query(parse) => {
            let mut params = Params::new(&request.body);
            let mut operation = parse(&mut params)?;
            if service == Service::Ec2 && params.flag("DryRun")? {
                operation = Operation::DryRun(Box::new(operation));
            }
            params.finish(&action)?;
            Ok(operation)
        }
        Parse::Json(parse) => {
            let mut body: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&request.body)
                .map_err(|e| ApiError::new("SerializationException", format!("not a JSON object: {e}")))?;
            let operation = parse(&mut body)?;
            match body.keys().next() {
                Some(key) => Err(ApiError::not_modelled(format!("parameter {key:?} of {action}"))),
                None => Ok(operation),
            }
        }
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
