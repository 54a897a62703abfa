//! The process: how it begins, how it ends, and what it says when it cannot.

use super::Sim;
use crate::harness::request;
use std::io::Write as _;
use std::net::TcpStream;

#[test]
fn it_says_where_it_listens_and_ends_in_order_on_either_signal() {
    for signal in ["TERM", "INT"] {
        let sim = Sim::start(&["--seed", "7"]);
        assert_eq!(sim.get("/_sim/state")["seed"], 7);
        // Neither an idle client, nor one that hangs by its own wish, holds up the end.
        sim.post("/_sim/fault", r#"{"kind": "hang"}"#);
        let _idle = TcpStream::connect(&sim.address).unwrap();
        let mut hanging = TcpStream::connect(&sim.address).unwrap();
        let head = "authorization: AWS4-HMAC-SHA256 Credential=K/20261122/eu-west-2/sts/aws4_request";
        let body = "Action=GetCallerIdentity";
        let length = body.len();
        write!(
            hanging,
            "POST / HTTP/1.1\r\n{head}\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        crate::harness::eventually(
            "the call hangs",
            || sim.running.output(),
            || sim.get("/_sim/calls").as_array().unwrap().len() == 1,
        );
        sim.running.signal(signal);
        let Sim { running, .. } = sim;
        running.end().assert_code(0);
    }
}

#[test]
fn an_address_that_is_taken_or_no_address_is_an_error_that_names_it() {
    let sim = Sim::start(&[]);
    for address in [sim.address.as_str(), "nowhere.invalid:1", "127.0.0.1"] {
        let ran = sim.keepgreen(&["sim", "--listen", address]).end();
        ran.assert_code(1);
        assert!(
            ran.stderr.contains(address) && !ran.stderr.contains("listening on"),
            "{ran}"
        );
    }
    for words in [
        &["sim"][..],
        &["sim", "--listen", "127.0.0.1:0", "--speed", "86401"],
        &["sim", "--listen", "127.0.0.1:0", "--speed", "fast"],
    ] {
        sim.keepgreen(words).end().assert_code(2);
    }
}

#[test]
fn malformed_requests_leave_it_alive() {
    let sim = Sim::start(&[]);
    for bytes in [
        &b"\x16\x03\x01\x02\x00"[..],
        b"GET",
        b"\r\n\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nx",
    ] {
        TcpStream::connect(&sim.address)
            .unwrap()
            .write_all(bytes)
            .unwrap();
    }
    let (status, text) = request(
        &sim.address,
        "POST",
        "/",
        &[],
        "Action=DescribeInstances&Version=2016-11-15",
    );
    assert_eq!(status, 403);
    assert!(text.contains("<Code>MissingAuthenticationToken</Code>"), "{text}");
    assert!(!sim.running.has_ended());
}
