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
    // A user's id begins with AIDA; a role's session is named by the role's and its own name.
    let user_id = match arn.contains(":assumed-role/") {
        true => role_id(arn),
        false => "AIDASIMULATED0000000A".to_owned(),
    };
    xml.text("UserId", user_id);
    xml.text("Account", account);
}

/// The id of the session that `arn` names.
fn role_id(arn: &str) -> String {
    format!("AROASIMULATED0000000A:{}", arn.rsplit('/').next().unwrap_or(""))
}

pub(super) fn session(xml: &mut Xml, access_key: &str, arn: &str, expiration: Timestamp) {
    xml.element("AssumedRoleUser", |xml| {
        xml.text("Arn", arn);
        xml.text("AssumedRoleId", role_id(arn));
    });
    xml.element("Credentials", |xml| {
        xml.text("AccessKeyId", access_key);
        xml.text("SecretAccessKey", "simulated-secret");
        xml.text("SessionToken", "simulated-token");
        xml.text("Expiration", time(expiration));
    });
}
