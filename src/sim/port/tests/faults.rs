//! Faults on a real connection: what hangs hangs, what is reset is reset.

use super::*;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// A signed StopInstances of green, as bytes; the connection ends with its answer.
fn stop_green() -> Vec<u8> {
    let body = format!(
        "Action=StopInstances&Version=2016-11-15&InstanceId.1={}",
        incident::GREEN
    );
    signed("ec2", &body)
}

/// A signed request to a query service, as bytes.
pub fn signed(service: &str, body: &str) -> Vec<u8> {
    let credential = format!("AKIA/20261122/{REGION}/{service}/aws4_request");
    format!(
        "POST / HTTP/1.1\r\nhost: sim\r\nconnection: close\r\nauthorization: AWS4-HMAC-SHA256 Credential={credential}, \
         SignedHeaders=host, Signature=0\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

impl Served {
    async fn inject(&self, fault: &str) {
        self.post("/_sim/fault", fault).await;
    }

    /// Waits until the last call's outcome is this one.
    async fn last_call_is(&self, outcome: &str) {
        let is_it = || {
            let mut state = self.port.lock();
            state.advance(self.port.clock.now());
            state
                .trace
                .calls()
                .last()
                .is_some_and(|call| call.outcome.to_string() == outcome)
        };
        while !is_it() {
            tokio::task::yield_now().await;
        }
    }
}

#[test]
fn a_refusal_has_the_code_status_and_message_that_were_asked_for() {
    served(async |served| {
        for (fault, code, status) in [
            (r#"{"kind": "throttle", "times": 1}"#, "RequestLimitExceeded", 503),
            (
                r#"{"kind": "not-authorized", "times": 1}"#,
                "UnauthorizedOperation",
                403,
            ),
            (
                r#"{"kind": "no-capacity", "times": 1}"#,
                "InsufficientInstanceCapacity",
                500,
            ),
            (
                r#"{"kind": "expired-credentials", "times": 1}"#,
                "RequestExpired",
                400,
            ),
            (
                r#"{"kind": "error", "code": "Odd", "message": "as said", "status": 418, "times": 1}"#,
                "Odd",
                418,
            ),
        ] {
            served.inject(fault).await;
            let error = served
                .ec2()
                .stop_instances()
                .instance_ids(incident::GREEN)
                .send()
                .await
                .unwrap_err();
            assert_eq!(error.code(), Some(code), "{fault}");
            assert_eq!(error.raw_response().unwrap().status().as_u16(), status, "{fault}");
            assert_eq!(served.state_of(incident::GREEN), "running", "{fault}");
        }
        served
            .inject(r#"{"kind": "error-after-effect", "code": "Odd"}"#)
            .await;
        let error = served
            .ec2()
            .stop_instances()
            .instance_ids(incident::GREEN)
            .send()
            .await
            .unwrap_err();
        assert_eq!(
            (error.code(), served.state_of(incident::GREEN)),
            (Some("Odd"), "stopping")
        );
    });
}

#[test]
fn a_hanging_call_gets_no_byte_and_ends_when_its_sender_leaves() {
    for (kind, state) in [("hang", "running"), ("applied-no-answer", "stopping")] {
        served(async |served| {
            served
                .inject(&format!(r#"{{"kind": "{kind}", "action": "StopInstances"}}"#))
                .await;
            let stream = served.connect().await;
            write(&stream, &stop_green()).await.unwrap();
            served.last_call_is("open").await;
            // Others are answered meanwhile.
            served.ec2().describe_instances().send().await.unwrap();
            assert_eq!(served.state_of(incident::GREEN), state, "{kind}");
            let nothing = stream.try_read(&mut [0; 1]).unwrap_err();
            assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock, "{kind}");
            drop(stream);
            let is_abandoned = || {
                served
                    .port
                    .act(|s| s.trace.calls().iter().any(|c| c.outcome == Outcome::Abandoned))
            };
            while !is_abandoned() {
                tokio::task::yield_now().await;
            }
        });
    }
}

#[test]
fn a_reset_connection_is_reset_with_the_effect_or_without_as_the_fault_says() {
    for (kind, state) in [("reset", "running"), ("applied-reset", "stopping")] {
        served(async |served| {
            served
                .inject(&format!(
                    r#"{{"kind": "{kind}", "subject": "{}"}}"#,
                    incident::GREEN
                ))
                .await;
            let error = served.raw(&stop_green()).await.unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{kind}");
            assert_eq!(served.state_of(incident::GREEN), state, "{kind}");
            served.last_call_is("connection reset").await;
        });
    }
}

#[test]
fn an_answer_that_is_cut_off_announces_more_than_comes() {
    served(async |served| {
        served.inject(r#"{"kind": "cut-off", "times": 1}"#).await;
        let answer = served.raw(&stop_green()).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .unwrap();
        assert!(
            body.len() * 2 <= length.parse().unwrap() && !body.is_empty(),
            "{answer}"
        );
        assert_eq!(served.state_of(incident::GREEN), "stopping");
        served.inject(r#"{"kind": "cut-off", "times": 1}"#).await;
        let error = served.ec2().describe_instances().send().await.unwrap_err();
        assert_eq!(error.code(), None, "{error:?}");
    });
}

#[test]
fn an_answer_that_is_half_and_claims_to_be_whole_can_be_read_to_its_end() {
    served(async |served| {
        let whole = served
            .raw(&signed("sts", "Action=GetCallerIdentity&Version=2011-06-15"))
            .await
            .unwrap();
        served.inject(r#"{"kind": "truncated"}"#).await;
        let half = served
            .raw(&signed("sts", "Action=GetCallerIdentity&Version=2011-06-15"))
            .await
            .unwrap();
        let body = |answer: &str| answer.split_once("\r\n\r\n").unwrap().1.len();
        assert_eq!(body(&half), body(&whole) / 2);
        assert!(
            half.contains(&format!("content-length: {}", body(&half))),
            "{half}"
        );
    });
}

#[test]
fn a_slow_answer_comes_when_this_worlds_time_has_come() {
    served(async |served| {
        served.inject(r#"{"kind": "slow", "seconds": 30}"#).await;
        let stream = served.connect().await;
        write(&stream, &stop_green()).await.unwrap();
        served.last_call_is("open").await;
        served.post("/_sim/advance", r#"{"seconds": 29}"#).await;
        served.last_call_is("open").await;
        served.post("/_sim/advance", r#"{"seconds": 1}"#).await;
        served.last_call_is("200").await;
        let mut stream = stream;
        let mut answer = Vec::new();
        read_to_end(&mut stream, &mut answer).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200"));
    });
}

#[test]
fn a_request_can_be_done_by_half() {
    served(async |served| {
        let partial = |action: &str| format!(r#"{{"kind": "partial", "action": "{action}", "times": 1}}"#);
        let elb = served.elb();
        let group = elb
            .describe_target_groups()
            .names("tis-prod")
            .send()
            .await
            .unwrap();
        let arn = group.target_groups()[0].target_group_arn().unwrap().to_owned();
        let both = [incident::BLUE, incident::GREEN];
        let targets = both.map(|id| {
            aws_sdk_elasticloadbalancingv2::types::TargetDescription::builder()
                .id(id)
                .build()
        });
        served.inject(&partial("DeregisterTargets")).await;
        let call = elb.deregister_targets().target_group_arn(&arn);
        call.set_targets(Some(targets.to_vec())).send().await.unwrap();
        let healths = elb
            .describe_target_health()
            .target_group_arn(&arn)
            .send()
            .await
            .unwrap();
        let drains = healths.target_health_descriptions().iter().filter(|one| {
            let state = one.target_health().and_then(|health| health.state());
            state.is_some_and(|state| state.as_str() == "draining")
        });
        assert_eq!(drains.count(), 1);

        served.inject(&partial("StopInstances")).await;
        let call = served
            .ec2()
            .stop_instances()
            .set_instance_ids(Some(both.map(str::to_owned).to_vec()));
        let answer = call.send().await.unwrap();
        let stopped: Vec<_> = answer
            .stopping_instances()
            .iter()
            .filter_map(|one| one.instance_id())
            .collect();
        assert_eq!(stopped, [incident::BLUE], "the answer lists what was done");
        assert_eq!(served.state_of(incident::GREEN), "running");
    });
}

#[test]
fn what_an_answer_says_can_be_stale_empty_unheard_of_html_or_a_lie() {
    served(async |served| {
        let describe = async || {
            let answer = served
                .ec2()
                .describe_instances()
                .instance_ids(incident::GREEN)
                .send()
                .await;
            answer.map(|answer| {
                let green = answer.reservations().first().map(|r| r.instances()[0].clone());
                green.map(|green| green.state().unwrap().name().unwrap().as_str().to_owned())
            })
        };
        served
            .inject(r#"{"kind": "nothing-done", "action": "StopInstances", "times": 1}"#)
            .await;
        served
            .ec2()
            .stop_instances()
            .instance_ids(incident::GREEN)
            .send()
            .await
            .unwrap();
        assert_eq!(served.state_of(incident::GREEN), "running");

        served
            .inject(r#"{"kind": "unknown-member", "member": "running", "times": 1}"#)
            .await;
        assert_eq!(describe().await.unwrap().unwrap(), "unheard-of");
        served.inject(r#"{"kind": "empty", "times": 1}"#).await;
        assert_eq!(describe().await.unwrap(), None);
        served.inject(r#"{"kind": "html", "times": 1}"#).await;
        let error = describe().await.unwrap_err();
        assert_eq!(
            (error.code(), error.raw_response().unwrap().status().as_u16()),
            (None, 503)
        );

        served.post("/_sim/advance", r#"{"seconds": 100}"#).await;
        served
            .ec2()
            .stop_instances()
            .instance_ids(incident::GREEN)
            .send()
            .await
            .unwrap();
        served.post("/_sim/advance", r#"{"seconds": 50}"#).await;
        served
            .inject(r#"{"kind": "stale", "seconds": 60, "times": 1}"#)
            .await;
        assert_eq!(describe().await.unwrap().unwrap(), "running");
        assert_eq!(describe().await.unwrap().unwrap(), "stopped");
    });
}

#[test]
fn faults_are_listed_with_what_is_left_of_them_and_cleared_one_by_one_or_all() {
    served(async |served| {
        served
            .inject(r#"{"kind": "throttle", "action": "StopInstances", "after": 1, "times": 2}"#)
            .await;
        served.inject(r#"{"kind": "hang", "region": "ap-south-1"}"#).await;
        let codes = async || {
            let answer = served
                .ec2()
                .stop_instances()
                .instance_ids(incident::GREEN)
                .send()
                .await;
            answer.err().and_then(|error| error.code().map(str::to_owned))
        };
        assert_eq!(codes().await, None);
        assert_eq!(codes().await.as_deref(), Some("RequestLimitExceeded"));
        let (_, rules) = served.control("GET", "/_sim/fault", "").await;
        assert_eq!(
            (&rules[0]["when"]["after"], &rules[0]["when"]["times"]),
            (&0.into(), &1.into())
        );
        assert_eq!(
            (&rules[1]["fault"], &rules[1]["when"]["region"]),
            (&"hang".into(), &"ap-south-1".into())
        );
        let (status, _) = served.control("DELETE", "/_sim/fault", r#"{"id": 1}"#).await;
        assert_eq!((status, codes().await), (200, None));
        assert_eq!(
            served.control("DELETE", "/_sim/fault", r#"{"id": 1}"#).await.0,
            404
        );
        assert_eq!(served.control("DELETE", "/_sim/fault", "").await.1["cleared"], 1);
    });
}
