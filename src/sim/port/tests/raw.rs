//! Requests that no AWS client sends: each is answered, none changes anything, and the server lives on.

use super::faults::signed;
use super::*;
use futures_util::future::join_all;

fn post(headers: &str, body: &[u8]) -> Vec<u8> {
    let mut request = format!(
        "POST / HTTP/1.1\r\nhost: sim\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}

fn authorized(service: &str, more: &str, body: &[u8]) -> Vec<u8> {
    let credential = format!("AKIA/20261122/{REGION}/{service}/aws4_request");
    let header = format!(
        "authorization: AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0\r\n{more}"
    );
    post(&header, body)
}

#[test]
fn malformed_requests_are_refused_in_the_form_of_their_service() {
    let ssm = "x-amz-target: AmazonSSM.GetParameter\r\ncontent-type: application/x-amz-json-1.1\r\n";
    let deep = "[".repeat(100_000);
    let many = "a&".repeat(10_001);
    let large = "x".repeat(1024 * 1024 + 1);
    let cases: Vec<(Vec<u8>, u16, &str)> = vec![
        (b"nonsense\r\n\r\n".to_vec(), 400, ""),
        (b"POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n".to_vec(), 400, ""),
        (
            post("", b"Version=2016-11-15"),
            403,
            "<Code>MissingAuthenticationToken</Code>",
        ),
        (
            post(ssm, b"{}"),
            400,
            r#""__type":"MissingAuthenticationTokenException""#,
        ),
        (
            post("authorization: Basic abc\r\n", b""),
            400,
            "<Code>IncompleteSignature</Code>",
        ),
        (
            authorized("s3", "", b""),
            400,
            "<Code>NotModelledBySimulation</Code>",
        ),
        (
            authorized("ec2", "", b""),
            400,
            "<Response><Errors><Error><Code>NotModelledBySimulation</Code>",
        ),
        (
            authorized("ec2", "", b"Action=RunAway&Version=2016-11-15"),
            400,
            "RunAway",
        ),
        (
            authorized("ec2", "", b"Action=DescribeInstances&Odd.1=2"),
            400,
            "Odd.1",
        ),
        (
            authorized("ec2", "", b"Action=DescribeInstances&MaxResults=many"),
            400,
            "<Code>InvalidParameterValue</Code>",
        ),
        (
            authorized("ec2", "", b"Action=%ff&&&=&=="),
            400,
            "<Code>NotModelledBySimulation</Code>",
        ),
        (
            authorized(
                "ec2",
                "",
                b"Action=CreateTags&ResourceId.1=i-1&Tag.1.Key=a&Tag.1.Value=%00",
            ),
            400,
            "Tag.1.Value",
        ),
        (
            authorized("ec2", "", b"\xff\xfe<xml/>"),
            400,
            "<Code>NotModelledBySimulation</Code>",
        ),
        (
            authorized("elasticloadbalancing", "", many.as_bytes()),
            400,
            "<Code>MalformedQueryString</Code>",
        ),
        (
            authorized("sts", "", large.as_bytes()),
            413,
            "<Code>RequestEntityTooLarge</Code>",
        ),
        (
            authorized("ssm", ssm, large.as_bytes()),
            413,
            r#""__type":"RequestEntityTooLarge""#,
        ),
        (
            authorized("ssm", ssm, b""),
            400,
            r#""__type":"SerializationException""#,
        ),
        (
            authorized("ssm", ssm, b"[1]"),
            400,
            r#""__type":"SerializationException""#,
        ),
        (
            authorized("ssm", ssm, b"\xff"),
            400,
            r#""__type":"SerializationException""#,
        ),
        (
            authorized("ssm", ssm, deep.as_bytes()),
            400,
            r#""__type":"SerializationException""#,
        ),
        (
            authorized("ssm", ssm, br#"{"Name": 7}"#),
            400,
            r#""__type":"ValidationException""#,
        ),
        (
            authorized("ssm", "", b"{}"),
            400,
            r#""__type":"NotModelledBySimulation""#,
        ),
    ];
    served(async |served| {
        for (request, status, says) in cases {
            let shown = String::from_utf8_lossy(&request[..request.len().min(300)]).into_owned();
            // A server that has answered may close before all was sent.
            let answer = served
                .raw(&request)
                .await
                .unwrap_or_else(|error| panic!("{shown}: {error}"));
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{shown}\n{answer}"
            );
            assert!(answer.contains(says), "{shown}\n{answer}");
        }
        served.ec2().describe_instances().send().await.unwrap();
        assert_eq!(served.state_of(incident::GREEN), "running");
    });
}

#[test]
fn parameters_may_come_in_the_query_string_and_the_signature_too() {
    served(async |served| {
        let presigned = format!(
            "GET /?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=\
             999988887777%2F20261122%2F{REGION}%2Fsts%2Faws4_request&X-Amz-Signature=0 HTTP/1.1\r\nhost: sim\r\n\
             connection: close\r\n\r\n"
        );
        let answer = served.raw(presigned.as_bytes()).await.unwrap();
        assert!(answer.contains("<Account>999988887777</Account>"), "{answer}");
    });
}

#[test]
fn half_a_request_costs_nobody_but_its_sender() {
    served(async |served| {
        let whole = signed("ec2", "Action=DescribeInstances&Version=2016-11-15");
        let slow = join_all((0..200).map(async |n: usize| {
            let stream = served.connect().await;
            write(&stream, &whole[..(n % whole.len()).max(1)]).await.unwrap();
            stream
        }))
        .await;
        served.ec2().describe_instances().send().await.unwrap();
        drop(slow);
        served.ec2().describe_instances().send().await.unwrap();
    });
}
