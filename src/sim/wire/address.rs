//! Which service, region and access key a request is for, from its host and its Authorization header.

use super::HttpRequest;

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
/// A regional host (`ec2.eu-west-2.amazonaws.com`) says it by itself. For any other host (the simulation on a port)
/// the signature's credential scope does: `Credential=KEY/20261122/eu-west-2/ec2/aws4_request`.
pub fn endpoint_of(request: &HttpRequest, on_any_host: bool) -> Option<Endpoint> {
    let credential = credential_of(request).unwrap_or_default();
    let mut scope = credential.split('/');
    let access_key = scope.next().unwrap_or("").to_owned();
    let service_named = |name: &str| Service::ALL.into_iter().find(|s| s.name() == name);
    if let Some(host) = request.host.strip_suffix(".amazonaws.com") {
        let (service, region) = host.split_once('.').unwrap_or((host, "us-east-1"));
        return Some(Endpoint {
            service: service_named(service)?,
            region: region.to_owned(),
            access_key,
        });
    }
    if !on_any_host {
        return None;
    }
    let region = scope.nth(1)?.to_owned();
    Some(Endpoint {
        service: service_named(scope.next()?)?,
        region,
        access_key,
    })
}

fn credential_of(request: &HttpRequest) -> Option<&str> {
    let header = request.headers.get("authorization")?;
    let (_, rest) = header.split_once("Credential=")?;
    rest.split([',', ' ']).next()
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
        let endpoint = endpoint_of(&request, false).unwrap();
        assert_eq!(
            (endpoint.service, endpoint.region.as_str()),
            (Service::Ec2, "eu-west-2")
        );
        assert_eq!(endpoint.access_key, "AKIA1");
        request.host = "127.0.0.1".into();
        assert_eq!(endpoint_of(&request, false), None);
        let endpoint = endpoint_of(&request, true).unwrap();
        assert_eq!(
            (endpoint.service, endpoint.region.as_str()),
            (Service::Ssm, "eu-north-1")
        );
    }
}
