//! STS: requests and answers.

use jiff::Timestamp;

use super::xml::{Xml, time};
use super::{Parse, Route, Service};
use crate::sim::world::api::Operation;

pub(super) const ROUTES: &[Route] = &[
    Route {
        service: Service::Sts,
        action: "GetCallerIdentity",
        parse: Parse::Query(|_| Ok(Operation::GetCallerIdentity)),
    },
    Route {
        service: Service::Sts,
        action: "AssumeRole",
        parse: Parse::Query(|p| {
            Ok(Operation::AssumeRole {
                role: p.required("RoleArn")?,
                session: p.required("RoleSessionName")?,
                external_id: p.text("ExternalId"),
                seconds: p.number("DurationSeconds")?.unwrap_or(3600),
            })
        }),
    },
];

pub(super) fn identity(xml: &mut Xml, account: &str, arn: &str) {
    xml.text("Arn", arn);
    xml.text("UserId", "AIDASIMULATED0000000A");
    xml.text("Account", account);
}

pub(super) fn session(xml: &mut Xml, access_key: &str, arn: &str, expiration: Timestamp) {
    xml.element("AssumedRoleUser", |xml| {
        xml.text("Arn", arn);
        xml.text(
            "AssumedRoleId",
            format!("AROASIMULATED0000000A:{}", arn.rsplit('/').next().unwrap_or("")),
        );
    });
    xml.element("Credentials", |xml| {
        xml.text("AccessKeyId", access_key);
        xml.text("SecretAccessKey", "simulated-secret");
        xml.text("SessionToken", "simulated-token");
        xml.text("Expiration", time(expiration));
    });
}
