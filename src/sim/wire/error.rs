//! Errors in each protocol's form, with the code and status that each service uses for the same refusal.

use super::Service;
use super::xml::Xml;
use crate::sim::world::api::{ApiError, Refusal};

/// The service's code and HTTP status for a refusal.
pub fn code_of(service: Service, refusal: &Refusal) -> (u16, String) {
    let (status, code) = match (refusal, service) {
        (Refusal::Service { status, code }, _) => (*status, code.as_ref()),
        (Refusal::NotModelled, _) => (400, "NotModelledBySimulation"),
        (Refusal::Throttled, Service::Ec2) => (503, "RequestLimitExceeded"),
        (Refusal::Throttled, Service::Ssm) => (400, "ThrottlingException"),
        (Refusal::Throttled, _) => (400, "Throttling"),
        (Refusal::NotAuthorized, Service::Ec2) => (403, "UnauthorizedOperation"),
        (Refusal::NotAuthorized, Service::Ssm) => (400, "AccessDeniedException"),
        (Refusal::NotAuthorized, _) => (403, "AccessDenied"),
        (Refusal::UnknownKey, Service::Ec2) => (401, "AuthFailure"),
        (Refusal::UnknownKey, Service::Ssm) => (400, "UnrecognizedClientException"),
        (Refusal::UnknownKey, _) => (403, "InvalidClientTokenId"),
        (Refusal::ExpiredCredentials, Service::Ec2) => (400, "RequestExpired"),
        (Refusal::ExpiredCredentials, Service::Ssm) => (400, "ExpiredTokenException"),
        (Refusal::ExpiredCredentials, _) => (403, "ExpiredToken"),
    };
    (status, code.to_owned())
}

/// Status and body.
pub(super) fn write(service: Service, error: &ApiError, request_id: &str) -> (u16, String) {
    let (status, code) = code_of(service, &error.refusal);
    let body = match service {
        Service::Ec2 => Xml::bare("Response", |xml| {
            xml.element("Errors", |xml| {
                xml.element("Error", |xml| {
                    xml.text("Code", &code);
                    xml.text("Message", &error.message);
                });
            });
            xml.text("RequestID", request_id);
        }),
        Service::Ssm => serde_json::json!({ "__type": code, "message": error.message }).to_string(),
        Service::Elb | Service::AutoScaling | Service::Sts => {
            Xml::document("ErrorResponse", namespace(service), |xml| {
                xml.element("Error", |xml| {
                    xml.text("Type", if status < 500 { "Sender" } else { "Receiver" });
                    xml.text("Code", &code);
                    xml.text("Message", &error.message);
                });
                xml.text("RequestId", request_id);
            })
        }
    };
    (status, body)
}

/// The XML namespace of a service's answers.
pub(super) fn namespace(service: Service) -> &'static str {
    match service {
        Service::Ec2 => "http://ec2.amazonaws.com/doc/2016-11-15/",
        Service::Elb => "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
        Service::AutoScaling => "http://autoscaling.amazonaws.com/doc/2011-01-01/",
        Service::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
        Service::Ssm => "",
    }
}
