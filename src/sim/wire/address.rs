//! Which service, region and access key a request is for: from its host and its signature, or on a port, where all services
//! share one host, from its signature alone.

use super::HttpRequest;
use crate::sim::world::api::ApiError;

/// The services that have a room in the simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    Ec2,
    Elb,
    AutoScaling,
    Ssm,
    Sts,
}

impl Service {
    pub const ALL: [Service; 5] = [
        Service::Ec2,
        Service::Elb,
        Service::AutoScaling,
        Service::Ssm,
        Service::Sts,
    ];

    /// The name in endpoints, in signatures and before the colon in traces.
    pub fn name(self) -> &'static str {
        match self {
            Service::Ec2 => "ec2",
            Service::Elb => "elasticloadbalancing",
            Service::AutoScaling => "autoscaling",
            Service::Ssm => "ssm",
            Service::Sts => "sts",
        }
    }
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub service: Service,
    pub region: String,
    /// From the signature's credential; empty if the request is not signed.
    pub access_key: String,
}

/// The AWS endpoint a request is for; `None` if its host is not one that the simulation plays.
///
/// The host says service and region (`ec2.eu-west-2.amazonaws.com`; without a region it is us-east-1's), the signature
/// says who calls: `Credential=KEY/20261122/eu-west-2/ec2/aws4_request`.
pub fn endpoint_of(request: &HttpRequest) -> Option<Endpoint> {
    let host = request.host.strip_suffix(".amazonaws.com")?;
    let (name, region) = host.split_once('.').unwrap_or((host, "us-east-1"));
    let service = Service::ALL.into_iter().find(|service| service.name() == name)?;
    let access_key = credential_of(request).and_then(|credential| credential.split('/').next());
    Some(Endpoint {
        service,
        region: region.to_owned(),
        access_key: access_key.unwrap_or("").to_owned(),
    })
}

fn credential_of(request: &HttpRequest) -> Option<&str> {
    let header = request.headers.get("authorization")?;
    let (_, rest) = header.split_once("Credential=")?;
    rest.split([',', ' ']).next()
}

/// A request that cannot be taken to any service, in whose form to say so, and what to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unaddressed {
    pub service: Service,
    pub error: ApiError,
}

/// The AWS endpoint that a signed request is for, whatever host it was sent to.
///
/// On a port all services share one host; what tells them apart is the scope of the signature's credential,
/// `KEY/20261122/eu-west-2/ec2/aws4_request`, in the Authorization header or in the query string of a presigned URL. The
/// signature itself is not verified.
///
/// # Errors
/// Without a signature, with one of another kind, or for a service that is not modelled.
pub fn signed_endpoint_of(request: &HttpRequest) -> Result<Endpoint, Unaddressed> {
    let service = guess(request);
    let refuse = |service: Service, error: ApiError| Unaddressed { service, error };
    let Some(credential) = credential(request).map_err(|error| refuse(service, error))? else {
        return Err(refuse(service, unsigned(service)));
    };
    let parts: Vec<&str> = credential.split('/').collect();
    let [key, _, region, name, "aws4_request"] = parts.as_slice() else {
        let text = format!(
            "Credential {credential:?} is not of the form KEY/DATE/REGION/SERVICE/aws4_request (only Signature Version 4 \
             of one region is modelled)"
        );
        return Err(refuse(service, incomplete(text)));
    };
    let Some(found) = Service::ALL.into_iter().find(|service| service.name() == *name) else {
        let known = Service::ALL.map(Service::name).join(", ");
        let what = format!("the service {name:?} (it models {known})");
        return Err(refuse(service, ApiError::not_modelled(what)));
    };
    if !is_region(region) {
        let text = format!("Credential should be scoped to a valid region, not {region:?}");
        return Err(refuse(found, incomplete(text)));
    }
    Ok(Endpoint {
        service: found,
        region: (*region).to_owned(),
        access_key: (*key).to_owned(),
    })
}

/// The service in whose form the sender of a request reads an error, whatever is wrong with the request.
pub fn service_of(request: &HttpRequest) -> Service {
    match signed_endpoint_of(request) {
        Ok(endpoint) => endpoint.service,
        Err(refused) => refused.service,
    }
}

/// The credential of a request's signature; `None` if it is not signed at all.
fn credential(request: &HttpRequest) -> Result<Option<String>, ApiError> {
    if let Some(header) = request.headers.get("authorization") {
        return match credential_of(request) {
            Some(credential) if header.starts_with("AWS4-HMAC-SHA256 ") => Ok(Some(credential.to_owned())),
            _ => Err(incomplete(
                "Authorization header requires 'AWS4-HMAC-SHA256' and its 'Credential' parameter".to_owned(),
            )),
        };
    }
    let query = request.path.split_once('?').map_or("", |(_, query)| query);
    let presigned = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "X-Amz-Credential");
    Ok(presigned.map(|(_, credential)| credential.into_owned()))
}

/// The service whose form fits a request best that does not say: by its target, or its API's version.
fn guess(request: &HttpRequest) -> Service {
    if request.headers.contains_key("x-amz-target") {
        return Service::Ssm;
    }
    let query = request.path.split_once('?').map_or("", |(_, query)| query);
    let in_query = form_urlencoded::parse(query.as_bytes());
    let in_body = form_urlencoded::parse(&request.body);
    let version = in_query
        .chain(in_body)
        .find_map(|(key, value)| (key == "Version").then_some(value));
    match version.as_deref() {
        Some("2016-11-15") => Service::Ec2,
        Some("2015-12-01") => Service::Elb,
        Some("2011-01-01") => Service::AutoScaling,
        _ => Service::Sts,
    }
}

fn unsigned(service: Service) -> ApiError {
    let text = "Request is missing Authentication Token: sign it with any access key (GET /_sim says more)";
    match service {
        Service::Ssm => ApiError::new("MissingAuthenticationTokenException", text),
        _ => ApiError::with_status(403, "MissingAuthenticationToken", text),
    }
}

fn incomplete(text: String) -> ApiError {
    ApiError::new("IncompleteSignature", text)
}

/// `eu-west-2`, `us-gov-east-1`: any that has the form.
fn is_region(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    text.len() <= 32 && text.split('-').count() >= 3 && text.bytes().all(plain)
}

/// Parameters of the query string belong to those of the body: the query protocol takes them in either place. What belongs
/// to a presigned URL's signature is left out.
pub fn fold_query(request: &mut HttpRequest) {
    let Some((path, query)) = request.path.split_once('?') else {
        return;
    };
    let own = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| !key.starts_with("X-Amz-"));
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(own);
    let mut form = form.finish().into_bytes();
    if !form.is_empty() && !request.body.is_empty() {
        form.push(b'&');
    }
    form.append(&mut request.body);
    request.body = form;
    request.path = path.to_owned();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_names_service_and_region_and_the_signature_the_caller() {
        let mut request = HttpRequest {
            host: "ec2.eu-west-2.amazonaws.com".into(),
            ..Default::default()
        };
        let signature =
            "AWS4-HMAC-SHA256 Credential=AKIA1/20261122/eu-north-1/ssm/aws4_request, SignedHeaders=host";
        request.headers.insert("authorization".into(), signature.into());
        let endpoint = endpoint_of(&request).unwrap();
        assert_eq!(
            (endpoint.service, endpoint.region.as_str()),
            (Service::Ec2, "eu-west-2")
        );
        assert_eq!(endpoint.access_key, "AKIA1");
        request.host = "sts.amazonaws.com".into();
        assert_eq!(endpoint_of(&request).unwrap().region, "us-east-1");
        for host in [
            "127.0.0.1",
            "s3.eu-west-2.amazonaws.com",
            "ec2.eu-west-2.amazonaws.com.evil.test",
        ] {
            request.host = host.into();
            assert_eq!(endpoint_of(&request), None, "{host}");
        }
    }

    fn signed(credential: &str) -> HttpRequest {
        let mut request = HttpRequest {
            host: "127.0.0.1".into(),
            path: "/".into(),
            ..Default::default()
        };
        let header = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0");
        request.headers.insert("authorization".into(), header);
        request
    }

    #[test]
    fn on_a_port_the_signature_names_service_region_and_caller() {
        let endpoint = signed_endpoint_of(&signed("AKIA1/20261122/ap-south-1/ssm/aws4_request")).unwrap();
        assert_eq!(
            (
                endpoint.service,
                endpoint.region.as_str(),
                endpoint.access_key.as_str()
            ),
            (Service::Ssm, "ap-south-1", "AKIA1")
        );
        let presigned = HttpRequest {
            path: "/?Action=GetCallerIdentity&X-Amz-Credential=AKIA1%2F20261122%2Fus-east-1%2Fsts%2Faws4_request".into(),
            ..Default::default()
        };
        assert_eq!(signed_endpoint_of(&presigned).unwrap().service, Service::Sts);
    }

    #[test]
    fn a_request_that_is_not_signed_as_it_should_be_is_refused_in_the_form_that_its_sender_reads() {
        let code = |request: &HttpRequest| {
            let refused = signed_endpoint_of(request).unwrap_err();
            let (status, code) = super::super::code_of(refused.service, &refused.error.refusal);
            (refused.service, status, code)
        };
        let unsigned = HttpRequest {
            body: b"Action=DescribeInstances&Version=2016-11-15".to_vec(),
            ..Default::default()
        };
        assert_eq!(
            code(&unsigned),
            (Service::Ec2, 403, "MissingAuthenticationToken".into())
        );
        let mut json = HttpRequest::default();
        json.headers
            .insert("x-amz-target".into(), "AmazonSSM.GetParameter".into());
        let missing = "MissingAuthenticationTokenException".to_owned();
        assert_eq!(code(&json), (Service::Ssm, 400, missing));
        for credential in [
            "AKIA1",
            "AKIA1/20261122/ec2/aws4_request",
            "AKIA1/20261122/eu-west-2/ec2/aws4_request/x",
            "AKIA1/20261122//ec2/aws4_request",
            "AKIA1/20261122/EU_WEST/ec2/aws4_request",
        ] {
            assert_eq!(code(&signed(credential)).2, "IncompleteSignature", "{credential}");
        }
        let mut basic = HttpRequest::default();
        basic.headers.insert(
            "authorization".into(),
            "Basic Credential=AKIA1/1/eu-west-2/ec2/aws4_request".into(),
        );
        assert_eq!(code(&basic).2, "IncompleteSignature");
        let other = signed_endpoint_of(&signed("AKIA1/20261122/eu-west-2/s3/aws4_request")).unwrap_err();
        assert!(other.error.message.contains("\"s3\""), "{}", other.error.message);
    }

    #[test]
    fn parameters_count_in_the_query_string_too_and_those_of_the_signature_do_not() {
        let mut request = HttpRequest {
            path: "/?Action=A&X-Amz-Signature=0&Tag.1.Value=a%26b".into(),
            body: b"Version=1".to_vec(),
            ..Default::default()
        };
        fold_query(&mut request);
        assert_eq!(request.path, "/");
        assert_eq!(request.body, b"Action=A&Tag.1.Value=a%26b&Version=1");
    }
}
