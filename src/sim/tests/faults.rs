//! Faults of calls, as the SDK meets them.

use aws_smithy_runtime_api::client::result::ConnectorError;
use tokio::time::{Instant, sleep};

use super::*;
use crate::sim::fault::{Fault, When};
use crate::sim::trace::Outcome;
use crate::sim::world::{InstanceSpec, State, incident};

fn one_stopped() -> WorldBuilder {
    WorldBuilder::new(1).instance(InstanceSpec::new(&id(1)).stopped("Server.ScheduledStop"))
}

type StartError = SdkError<
    aws_sdk_ec2::operation::start_instances::StartInstancesError,
    aws_smithy_runtime_api::client::orchestrator::HttpResponse,
>;

async fn start(cloud: &Cloud) -> Result<(), StartError> {
    let ec2 = aws_sdk_ec2::Client::new(&sdk(cloud));
    ec2.start_instances().instance_ids(id(1)).send().await.map(|_| ())
}

fn state(cloud: &Cloud) -> State {
    cloud.world(|w| w.instance(&id(1)).unwrap().state)
}

/// The kind of a connector error, and the texts of it and all its causes.
fn dispatch(error: StartError) -> (&'static str, String) {
    let SdkError::DispatchFailure(failure) = error else {
        panic!("{error:?}")
    };
    let error: &ConnectorError = failure.as_connector_error().unwrap();
    let kinds = [
        ("timeout", error.is_timeout()),
        ("io", error.is_io()),
        ("user", error.is_user()),
    ];
    let kind = kinds.iter().find(|(_, is)| *is).map_or("other", |(kind, _)| kind);
    let mut texts = Vec::new();
    let mut next: Option<&dyn std::error::Error> = Some(error);
    while let Some(cause) = next {
        texts.push(cause.to_string());
        next = cause.source();
    }
    let texts = texts.join(": ");
    (kind, texts)
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long the SDK waited is under test")]
fn a_start_can_be_done_and_its_answer_lost() {
    simulate(one_stopped(), |cloud| async move {
        cloud.inject(When::action("StartInstances").once(), Fault::AppliedNoAnswer);
        let began = Instant::now();
        let (error, texts) = dispatch(start(&cloud).await.unwrap_err());
        assert_eq!(error, "timeout");
        assert_eq!(texts, "timeout: HTTP read timeout occurred after 5s: timed out");
        assert_eq!(began.elapsed(), READ_TIMEOUT);
        assert_eq!(state(&cloud), State::Pending);
        assert_eq!(cloud.calls()[0].outcome, Outcome::TimedOut);
    });
    simulate(one_stopped(), |cloud| async move {
        cloud.inject(When::action("StartInstances").once(), Fault::AppliedReset);
        let (error, _) = dispatch(start(&cloud).await.unwrap_err());
        assert_eq!(error, "io");
        assert_eq!(state(&cloud), State::Pending);
    });
}

#[test]
fn a_start_can_be_answered_and_never_done() {
    simulate(one_stopped(), |cloud| async move {
        cloud.inject(When::action("StartInstances").once(), Fault::NothingDone);
        start(&cloud).await.unwrap();
        sleep(seconds(600)).await;
        assert_eq!(state(&cloud), State::Stopped);
    });
}

#[test]
fn what_never_reached_aws_fails_like_the_real_connector() {
    simulate(one_stopped(), |cloud| async move {
        let when = || When::action("StartInstances").once();
        cloud.inject(when(), Fault::ConnectionRefused);
        cloud.inject(when(), Fault::DnsFailure);
        cloud.inject(when(), Fault::ConnectHang);
        cloud.inject(when(), Fault::Hang);
        let (refused, texts) = dispatch(start(&cloud).await.unwrap_err());
        assert!(
            refused == "io" && texts.contains("client error (Connect)"),
            "{texts}"
        );
        let (dns, texts) = dispatch(start(&cloud).await.unwrap_err());
        assert!(dns == "io" && texts.contains("dns error"), "{texts}");
        let (connect, texts) = dispatch(start(&cloud).await.unwrap_err());
        assert!(
            connect == "timeout" && texts.contains("HTTP connect timeout occurred after 2s"),
            "{texts}"
        );
        let (hang, texts) = dispatch(start(&cloud).await.unwrap_err());
        assert!(
            hang == "timeout" && texts.contains("HTTP read timeout"),
            "{texts}"
        );
        assert_eq!(state(&cloud), State::Stopped);
        start(&cloud).await.unwrap();
    });
}

#[test]
fn refusals_have_each_services_own_code() {
    simulate(incident::world(1), |cloud| async move {
        let sdk = sdk(&cloud);
        let (ec2, elb) = (
            aws_sdk_ec2::Client::new(&sdk),
            aws_sdk_elasticloadbalancingv2::Client::new(&sdk),
        );
        let (ssm, scaling) = (
            aws_sdk_ssm::Client::new(&sdk),
            aws_sdk_autoscaling::Client::new(&sdk),
        );
        for (fault, expected) in [
            (
                Fault::throttled(),
                [
                    "RequestLimitExceeded",
                    "Throttling",
                    "Throttling",
                    "ThrottlingException",
                ],
            ),
            (
                Fault::not_authorized("x"),
                [
                    "UnauthorizedOperation",
                    "AccessDenied",
                    "AccessDenied",
                    "AccessDeniedException",
                ],
            ),
            (
                Fault::expired_credentials(),
                [
                    "RequestExpired",
                    "ExpiredToken",
                    "ExpiredToken",
                    "ExpiredTokenException",
                ],
            ),
        ] {
            cloud.inject(When::any().times(4), fault);
            let seen = [
                code(&ec2.describe_instances().send().await.unwrap_err()).to_owned(),
                code(&elb.describe_target_groups().send().await.unwrap_err()).to_owned(),
                code(&scaling.describe_auto_scaling_groups().send().await.unwrap_err()).to_owned(),
                code(&ssm.get_parameter().name("/x").send().await.unwrap_err()).to_owned(),
            ];
            assert_eq!(seen, expected);
        }
        cloud.world(|w| w.deny(ACCOUNT, "DescribeInstances", true));
        let error = ec2.describe_instances().send().await.unwrap_err();
        assert_eq!(code(&error), "UnauthorizedOperation");
    });
}

#[test]
fn listings_can_fail_on_a_page_come_back_empty_break_off_or_say_the_unheard_of() {
    let world = (1..=12).fold(WorldBuilder::new(1), |w, n| w.instance(InstanceSpec::new(&id(n))));
    simulate(world, |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let all = async || {
            let pages = ec2.describe_instances().max_results(5).into_paginator().send();
            pages.collect::<Result<Vec<_>, _>>().await
        };
        cloud.inject(
            When::action("DescribeInstances").page(2).once(),
            Fault::throttled(),
        );
        assert_eq!(code(&all().await.unwrap_err()), "RequestLimitExceeded");
        assert_eq!(cloud.count("DescribeInstances"), 2);
        cloud.inject(When::action("DescribeInstances").once(), Fault::EmptyAnswer);
        assert_eq!(all().await.unwrap()[0].reservations().len(), 0);
        cloud.inject(When::action("DescribeInstances").once(), Fault::Truncated);
        // The SDK takes a body that breaks off for the whole: fewer instances, no next page, no error.
        let seen: Vec<usize> = all()
            .await
            .unwrap()
            .iter()
            .map(|p| p.reservations().len())
            .collect();
        assert_eq!(seen, [3]);
        cloud.inject(When::action("DescribeInstances").once(), Fault::HtmlError(200));
        // What cannot be parsed arrives as a service error without a code, beside its status.
        let garbled = all().await.unwrap_err();
        assert_eq!(
            (code(&garbled), garbled.raw_response().unwrap().status().as_u16()),
            ("(none)", 200)
        );
        cloud.inject(When::action("DescribeInstances").once(), Fault::HtmlError(502));
        assert_eq!(
            all().await.unwrap_err().raw_response().unwrap().status().as_u16(),
            502
        );
        cloud.inject(
            When::action("DescribeInstances").once(),
            Fault::UnknownMember("running".to_owned()),
        );
        let first = &all().await.unwrap()[0];
        let name = first.reservations()[0].instances()[0]
            .state()
            .unwrap()
            .name()
            .unwrap()
            .clone();
        assert_eq!(name.as_str(), "unheard-of");
        assert_eq!(all().await.unwrap().len(), 3);
    });
}

#[test]
fn one_read_can_be_stale_and_somebody_can_meddle_while_a_call_is_on_its_way() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let green = async || {
            let answer = ec2
                .describe_instances()
                .instance_ids(incident::GREEN)
                .send()
                .await
                .unwrap();
            answer.reservations()[0].instances()[0]
                .state()
                .unwrap()
                .name()
                .unwrap()
                .as_str()
                .to_owned()
        };
        cloud.on_call(When::action("DescribeInstances").after(1).once(), |w| {
            w.stop_by_aws(incident::GREEN, "Server.ScheduledStop");
        });
        assert_eq!(green().await, "running");
        assert_eq!(green().await, "stopping");
        cloud.inject(
            When::action("DescribeInstances").once(),
            Fault::Stale(seconds(30)),
        );
        assert_eq!(green().await, "running");
        assert_eq!(green().await, "stopping");
    });
}

#[test]
fn the_account_runs_dry_when_called_too_fast_and_recovers() {
    simulate(one_stopped(), |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let burst: Vec<_> = (0..60).map(|_| ec2.describe_instances().send()).collect();
        let answers = futures_util::future::join_all(burst).await;
        let refused = answers.iter().filter(|a| a.is_err()).count();
        assert!((9..=10).contains(&refused), "{refused}");
        sleep(seconds(1)).await;
        assert!(ec2.describe_instances().send().await.is_ok());
    });
}

#[test]
fn the_script_happens_at_its_own_times() {
    simulate(incident::world(1), |cloud| async move {
        let four = cloud.clock().now() + seconds(3600);
        cloud.at(four, |w| {
            w.stop_by_aws(incident::GREEN, "Server.ScheduledStop");
        });
        sleep(seconds(7200)).await;
        let first = cloud
            .world(|w| w.log().about(incident::GREEN).next().cloned())
            .unwrap();
        assert_eq!(
            (first.at, first.what.as_str()),
            (four, "running → stopping (Server.ScheduledStop)")
        );
    });
}
