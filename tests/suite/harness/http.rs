//! One HTTP request to the server's control routes: enough of HTTP/1.1 for a server that is our own.

use super::PATIENCE;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// Sends a request and returns the status and the body of its answer. `headers` are whole lines.
pub fn request(address: &str, method: &str, path: &str, headers: &[String], body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    headers
        .iter()
        .for_each(|line| head.push_str(&format!("{line}\r\n")));
    head.push_str("\r\n");
    stream.write_all((head + body).as_bytes()).unwrap();
    // The length is said, so an answer that is cut off is told from a whole one even where the server keeps connections.
    let mut answer = Vec::new();
    let mut part = [0; 64 * 1024];
    loop {
        if let Some((status, start, length)) = head_of(&answer)
            && answer.len() >= start + length
        {
            return (
                status,
                String::from_utf8(answer[start..start + length].to_vec()).unwrap(),
            );
        }
        let count = stream.read(&mut part).unwrap();
        assert!(
            count > 0,
            "{method} {path}: the server closed before its answer was whole"
        );
        answer.extend_from_slice(&part[..count]);
    }
}

/// Status, where the body begins, and its length; `None` while the head is not whole.
fn head_of(answer: &[u8]) -> Option<(u16, usize, usize)> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let length = head.lines().find_map(|line| {
        line.to_ascii_lowercase()
            .strip_prefix("content-length: ")?
            .parse()
            .ok()
    });
    Some((status, end + 4, length.unwrap()))
}
