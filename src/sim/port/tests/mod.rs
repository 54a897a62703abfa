//! A served world, driven by the real SDK and by raw bytes, on the machine's own time.

mod clients;
mod faults;
mod raw;
mod routes;

use super::{Actor, CALLS_KEPT, HttpRequest, Outcome, Parcel, Port, serve};
use crate::sim::world::builder::{ACCOUNT, REGION, incident};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_types::retry::RetryConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// Only a broken server makes a test wait so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A port that serves the incident's world, and its address.
struct Served {
    port: Arc<Port>,
    address: SocketAddr,
}

/// Serves the incident's world, with a time that stands still, for as long as `test` runs.
fn served<F: Future>(test: impl FnOnce(Served) -> F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let port = Arc::new(Port::new(0, 1));
        port.act(|state| {
            let now = state.world.now();
            state.world = incident::world(1).start(now).open_to(ACCOUNT).build();
        });
        let server = serve(listener, port.clone(), std::future::pending());
        tokio::select! {
            ended = server => panic!("the server ended: {ended:?}"),
            result = test(Served { port, address }) => result,
            () = tokio::time::sleep(PATIENCE) => panic!("waited {PATIENCE:?} in vain"),
        }
    })
}

impl Served {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends these bytes on a connection of their own, and returns all that comes back until it ends.
    async fn raw(&self, bytes: &[u8]) -> std::io::Result<String> {
        let mut stream = self.connect().await;
        write(&stream, bytes).await?;
        let mut answer = Vec::new();
        let ended = read_to_end(&mut stream, &mut answer).await;
        ended.map(|()| String::from_utf8(answer).unwrap())
    }

    /// A control request: its status and JSON.
    async fn control(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: sim\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        let answer = self.raw(request.as_bytes()).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap())
    }

    /// A control request that succeeds.
    async fn post(&self, path: &str, body: &str) -> Value {
        let (status, answer) = self.control("POST", path, body).await;
        assert_eq!(status, 200, "{path} {body}: {answer}");
        answer
    }

    /// An SDK configuration without retries, with this access key.
    fn sdk(&self, access_key: &str) -> SdkConfig {
        let key = Credentials::new(access_key, "any secret", None, None, "test");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .endpoint_url(format!("http://{}", self.address))
            .credentials_provider(SharedCredentialsProvider::new(key))
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .retry_config(RetryConfig::disabled())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build()
    }

    fn ec2(&self) -> aws_sdk_ec2::Client {
        aws_sdk_ec2::Client::new(&self.sdk("AKIAEXAMPLE"))
    }

    fn elb(&self) -> aws_sdk_elasticloadbalancingv2::Client {
        aws_sdk_elasticloadbalancingv2::Client::new(&self.sdk("AKIAEXAMPLE"))
    }

    fn state_of(&self, id: &str) -> &'static str {
        self.port
            .act(|state| state.world.instance(id).unwrap().state.name())
    }
}

async fn write(stream: &TcpStream, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn read_to_end(stream: &mut TcpStream, into: &mut Vec<u8>) -> std::io::Result<()> {
    loop {
        stream.readable().await?;
        match stream.try_read_buf(into) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}
