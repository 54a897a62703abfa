//! The control routes: what AWS and people do behind a client's back, the world's time, and what happened so far.
//!
//! [`ROUTES`] is the one table. From it requests are dispatched, fields that it does not know are refused, and `GET /_sim`
//! is answered, so that no route and no parameter is without its sentence.

mod account;
mod fault;
mod fields;
mod image;
mod instance;
mod look;
mod manners;
mod target;
mod time;

use super::Port;
use crate::sim::wire::{HttpRequest, HttpResponse};
use fields::{Fields, Refused};
use serde_json::{Value, json};

/// Where the control routes begin. No operation of AWS has such a path.
const ROOT: &str = "/_sim";

/// One field of a route's request.
pub struct Field {
    pub name: &'static str,
    /// What it holds: shown by `GET /_sim`, and to whoever sends something else.
    pub expects: &'static str,
}

const fn field(name: &'static str, expects: &'static str) -> Field {
    Field { name, expects }
}

/// One control route.
pub struct Route {
    pub method: &'static str,
    pub path: &'static str,
    /// Fields of the JSON body; of the query string for GET.
    pub fields: &'static [Field],
    pub what: &'static str,
    act: fn(&Port, &mut Fields) -> Result<Value, Refused>,
}

/// Every route.
pub(super) fn routes() -> impl Iterator<Item = &'static Route> {
    let tables: [&[Route]; 8] = [
        look::ROUTES,
        time::ROUTES,
        instance::ROUTES,
        image::ROUTES,
        target::ROUTES,
        account::ROUTES,
        fault::ROUTES,
        manners::ROUTES,
    ];
    tables.into_iter().flatten()
}

/// A request for a control route, not for AWS.
pub fn is_control(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or("");
    path == ROOT || path.starts_with("/_sim/")
}

/// Answers a request for a control route, in JSON.
pub fn answer(port: &Port, request: &HttpRequest) -> HttpResponse {
    let (status, body) = match dispatch(port, request) {
        Ok(value) => (200, value),
        Err(refused) => (refused.status, json!({ "error": refused.why })),
    };
    HttpResponse {
        status,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: format!("{body:#}\n").into_bytes(),
    }
}

fn dispatch(port: &Port, request: &HttpRequest) -> Result<Value, Refused> {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let path = path.strip_suffix('/').unwrap_or(path);
    if !routes().any(|route| route.path == path) {
        let why = format!("there is no control route {path}: GET {ROOT} lists them");
        return Err(Refused::new(404, why));
    }
    let route = routes().find(|route| route.path == path && route.method == request.method);
    let route = route.ok_or_else(|| {
        let methods: Vec<&str> = routes().filter(|r| r.path == path).map(|r| r.method).collect();
        let why = format!("{path} takes {}, not {}", methods.join(" or "), request.method);
        Refused::new(405, why)
    })?;
    let mut fields = Fields::read(route, query, &request.body)?;
    (route.act)(port, &mut fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_routes_are_the_same_and_each_says_what_it_does() {
        let mut names: Vec<(&str, &str)> = routes().map(|route| (route.path, route.method)).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        for route in routes() {
            assert!(route.what.ends_with('.'), "{}", route.path);
            assert!(
                route.fields.iter().all(|field| !field.expects.is_empty()),
                "{}",
                route.path
            );
        }
    }
}
