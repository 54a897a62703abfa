use super::*;
use crate::aws::canned::{Answer, Canned, error, ok};
use crate::aws::config::WRITE_OPERATION_TIMEOUT;
use crate::decide::guard::PAUSE_READ_HOLDS_FOR;
use crate::model::{ErrorClass, StartOf};
use aws_smithy_runtime_api::client::result::ConnectorError;
use std::io;
use std::time::Duration;

const OWN: ScopeKey = ScopeKey {
    role: None,
    region: None,
};
const STARTED: &str = "<R><instancesSet/></R>";

fn starting(canned: &Canned, ids: &[&str]) -> Intent {
    let start = || StartOf {
        slot: "green".into(),
        repair: "repair-1".into(),
        attempt: 1,
    };
    Intent {
        id: "intent-1".into(),
        service: "tis".into(),
        account: "111122223333".into(),
        region: "eu-west-2".into(),
        step: Step::Start {
            instances: ids.iter().map(|id| ((*id).into(), start())).collect(),
        },
        policy_version: "v1".into(),
        reason: "stopped by AWS".to_owned(),
        durable: canned.clock.now(),
    }
}

async fn send(canned: &Canned, pause_age: Duration) -> Result<Accepted, AwsError> {
    let writer = Writer::new(&canned.sdk(), &OWN).await.unwrap();
    let intent = starting(canned, &["i-1", "i-2"]);
    let pause_read = canned.clock.now();
    canned.clock.suspend(pause_age);
    writer.carry_out(&intent, pause_read).await
}

#[tokio::test(start_paused = true)]
async fn a_start_sends_exactly_the_admitted_instances_and_tells_aws_request_id() {
    let headers = vec![("x-amzn-requestid", "req-7".to_owned())];
    let canned = Canned::new(move |_| {
        Answer::With(
            200,
            headers.clone(),
            STARTED.replace('R', "StartInstancesResponse"),
        )
    });
    let accepted = send(&canned, Duration::ZERO).await.unwrap();
    assert_eq!(accepted.request_id.as_deref(), Some("req-7"));
    let [asked] = &canned.asked()[..] else { panic!() };
    assert_eq!(
        (asked.action.as_str(), asked.list("InstanceId")),
        ("StartInstances", vec!["i-1".into(), "i-2".into()])
    );
    assert!(
        asked
            .params
            .keys()
            .all(|key| ["Action", "Version"].contains(&&**key) || key.starts_with("InstanceId"))
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_leaves_once_the_pause_was_read_a_second_ago_suspend_included() {
    let canned = Canned::new(|_| ok(STARTED));
    let error = send(&canned, PAUSE_READ_HOLDS_FOR).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::NeverSent);
    assert!(
        error.message.contains("the pause flag was read 1s ago"),
        "{error}"
    );
    assert_eq!(canned.asked().len(), 0);
    send(&canned, PAUSE_READ_HOLDS_FOR - Duration::from_millis(1))
        .await
        .unwrap();
    assert_eq!(canned.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_mutation_is_sent_once_whatever_the_answer() {
    let lost: [fn() -> Answer; 5] = [
        || error(503, "Unavailable"),
        || error(500, "InternalError"),
        || Answer::Of(502, "<html>bad gateway</html>".to_owned()),
        || Answer::Of(200, "cut off".to_owned()),
        || {
            Answer::Fails(Box::new(|| {
                ConnectorError::io(io::Error::from(io::ErrorKind::ConnectionReset).into())
            }))
        },
    ];
    let refused: [(fn() -> Answer, ErrorClass); 4] = [
        (|| error(503, "RequestLimitExceeded"), ErrorClass::Throttled),
        (
            || error(500, "InsufficientInstanceCapacity"),
            ErrorClass::Capacity,
        ),
        (|| error(400, "IncorrectInstanceState"), ErrorClass::InvalidState),
        (|| error(400, "InvalidInstanceID.NotFound"), ErrorClass::NotFound),
    ];
    let all = lost
        .into_iter()
        .map(|answer| (answer, ErrorClass::Ambiguous))
        .chain(refused);
    for (answer, class) in all {
        let canned = Canned::new(move |_| answer());
        assert_eq!(send(&canned, Duration::ZERO).await.unwrap_err().class, class);
        assert_eq!(canned.asked().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_refused_was_no_request() {
    let refused = || {
        Answer::Fails(Box::new(|| {
            ConnectorError::io(io::Error::from(io::ErrorKind::ConnectionRefused).into())
        }))
    };
    let canned = Canned::new(move |_| refused());
    assert_eq!(
        send(&canned, Duration::ZERO).await.unwrap_err().class,
        ErrorClass::NeverSent
    );
    assert_eq!(canned.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_comes_is_ambiguous_within_the_timeout() {
    let canned = Canned::new(|_| Answer::Hangs);
    let before = canned.clock.now();
    assert_eq!(
        send(&canned, Duration::ZERO).await.unwrap_err().class,
        ErrorClass::Ambiguous
    );
    assert!(canned.clock.now().since(&before) <= WRITE_OPERATION_TIMEOUT + Duration::from_millis(2));
    assert_eq!(canned.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn credentials_that_are_slow_to_come_shut_the_gate() {
    // The role is assumed in the middle of the send, and that takes longer than the pause flag's second.
    let canned = Canned::new(|asked| match asked.action.as_str() {
        "AssumeRole" => Answer::Hangs,
        _ => ok(STARTED),
    });
    let role = crate::policy::Role {
        arn: "arn:aws:iam::111122223333:role/keepgreen".to_owned(),
        external_id: None,
    };
    let key = ScopeKey {
        role: Some(role),
        region: None,
    };
    let writer = Writer::new(&canned.sdk(), &key).await.unwrap();
    let intent = starting(&canned, &["i-1"]);
    let error = writer.carry_out(&intent, canned.clock.now()).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::NeverSent, "{error}");
    assert_eq!(canned.count("StartInstances"), 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_but_mutations_on_the_list_leaves_a_writers_clients() {
    let canned = Canned::new(|_| ok("<R/>"));
    let writer = Writer::new(&canned.sdk(), &OWN).await.unwrap();
    let ec2 = &writer.ec2;
    ec2.reboot_instances()
        .instance_ids("i-1")
        .send()
        .await
        .unwrap_err();
    ec2.delete_tags().resources("i-1").send().await.unwrap_err();
    ec2.describe_instances().send().await.unwrap_err();
    writer
        .balancing
        .delete_target_group()
        .target_group_arn("a")
        .send()
        .await
        .unwrap_err();
    assert_eq!(canned.asked().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn starts_never_wait_for_the_budget() {
    let canned = Canned::new(|_| ok(STARTED));
    let writer = Writer::new(&canned.sdk(), &OWN).await.unwrap();
    let step = starting(&canned, &["i-1"]).step;
    for _ in 0..100 {
        writer.reserve(&step).await;
    }
    assert_eq!(canned.clock.now().boot, Duration::ZERO);
}
