use super::*;
use crate::aws::canned::{Answer, Asked, Canned, Fleet, error, ok};
use crate::aws::{InstanceFilter, Priority, Reader, Writer};
use std::collections::BTreeSet;
use std::process::Command;

fn role(name: &str, external_id: Option<&str>) -> ScopeKey {
    let arn = format!("arn:aws:iam::444455556666:role/{name}");
    ScopeKey {
        role: Some(Role {
            arn,
            external_id: external_id.map(str::to_owned),
        }),
        region: Some("eu-west-1".into()),
    }
}

fn assumed(asked: &Asked) -> Answer {
    let key = asked.param("RoleArn").rsplit('/').next().unwrap();
    ok(format!(
        "<R><AssumeRoleResult><Credentials><AccessKeyId>AKIA-{key}</AccessKeyId>\
         <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
         <Expiration>2026-11-11T05:00:00Z</Expiration></Credentials></AssumeRoleResult></R>"
    ))
}

#[tokio::test(start_paused = true)]
async fn a_role_is_assumed_through_the_same_connector_once_for_reading_and_once_for_writing() {
    let canned = Canned::new(|asked| match asked.action.as_str() {
        "AssumeRole" => assumed(asked),
        _ => Fleet::default().answer(asked),
    });
    let sdk = canned.sdk();
    let key = role("keepgreen", Some("ext-1"));
    let reader = Reader::new(&sdk, &key).await.unwrap();
    for _ in 0..3 {
        reader.caller_account(Priority::Quiet).await.unwrap();
    }
    let asked = canned.asked();
    assert_eq!(canned.count("AssumeRole"), 1);
    let first = asked.first().unwrap();
    assert_eq!(
        (first.param("ExternalId"), first.param("RoleSessionName")),
        ("ext-1", "keepgreen")
    );
    assert_eq!(first.access_key, "AKIAOWN");
    assert!(first.url.contains("eu-west-1"), "{}", first.url);
    assert!(
        asked
            .iter()
            .skip(1)
            .all(|asked| asked.access_key == "AKIA-keepgreen")
    );
    let writer = Writer::new(&sdk, &key).await.unwrap();
    writer.warm().await.unwrap();
    writer.warm().await.unwrap();
    assert_eq!(canned.count("AssumeRole"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_role_that_may_not_be_assumed_is_not_authorised_and_says_so() {
    let canned = Canned::new(|asked| match asked.action.as_str() {
        "AssumeRole" => crate::aws::canned::elb_error(403, "AccessDenied"),
        _ => error(400, "unreachable"),
    });
    let reader = Reader::new(&canned.sdk(), &role("keepgreen", None))
        .await
        .unwrap();
    let error = reader.caller_account(Priority::Quiet).await.unwrap_err();
    assert_eq!(
        (error.class, error.code.as_deref()),
        (ErrorClass::NotAuthorised, Some("AccessDenied"))
    );
    assert!(error.message.contains("canned"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_scope_without_a_region_says_where_one_can_be_named() {
    let canned = Canned::new(|_| ok(""));
    let seams = Seams {
        region: None,
        ..canned.seams()
    };
    let sdk = Sdk::new(canned.env(), seams);
    let error = Reader::new(
        &sdk,
        &ScopeKey {
            role: None,
            region: None,
        },
    )
    .await
    .unwrap_err();
    assert_eq!(error.class, ErrorClass::Permanent);
    assert!(error.to_string().contains("AWS_REGION"), "{error}");
}

#[test]
fn a_purse_is_the_account_in_the_roles_arn() {
    assert_eq!(
        account_in_arn("arn:aws:iam::111122223333:role/x"),
        Some("111122223333".into())
    );
    assert_eq!(account_in_arn("nonsense"), None);
}

/// Run by the test below, in a process whose environment says things.
#[tokio::test(start_paused = true)]
#[ignore = "needs the environment that the test below gives it"]
async fn child_of_the_environment() {
    let canned = Canned::new(|_| error(503, "Unavailable"));
    let seams = Seams {
        http_client: canned.seams().http_client,
        ..Seams::default()
    };
    let sdk = Sdk::new(canned.env(), seams);
    let key = ScopeKey {
        role: None,
        region: None,
    };
    let filter = InstanceFilter {
        name: "instance-id".to_owned(),
        values: BTreeSet::from(["i-1".to_owned()]),
    };
    Reader::new(&sdk, &key)
        .await
        .unwrap()
        .instances(&[filter], Priority::Quiet)
        .await
        .failed
        .unwrap();
    let asked = canned.asked();
    assert_eq!(asked.len(), READ_ATTEMPTS as usize);
    assert!(
        asked
            .iter()
            .all(|asked| asked.url.starts_with("http://127.0.0.1:5999/")),
        "{asked:?}"
    );
    assert!(asked.iter().all(|asked| asked.access_key == "AKIAENV"));
    let writer = Writer::new(&sdk, &key).await.unwrap();
    assert_eq!(writer.region().as_str(), "eu-north-1");
    writer
        .ec2_for_tests()
        .start_instances()
        .instance_ids("i-1")
        .send()
        .await
        .unwrap_err();
    assert_eq!(canned.count("StartInstances"), 1);
}

#[test]
fn the_environment_gives_endpoint_region_and_credentials_but_never_retries() {
    for attempts in ["5", "nonsense"] {
        let child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "aws::config::tests::child_of_the_environment",
                "--ignored",
            ])
            .env("AWS_MAX_ATTEMPTS", attempts)
            .env("AWS_RETRY_MODE", "adaptive")
            .env("AWS_ENDPOINT_URL", "http://127.0.0.1:5999")
            .env("AWS_REGION", "eu-north-1")
            .env("AWS_ACCESS_KEY_ID", "AKIAENV")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&child.stdout);
        assert!(
            child.status.success() && told.contains("1 passed"),
            "AWS_MAX_ATTEMPTS={attempts}: {told}"
        );
    }
}
