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
}
