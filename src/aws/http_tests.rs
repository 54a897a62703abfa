use super::*;
use crate::aws::canned::{Answer, Canned, ok};
use aws_smithy_runtime_api::client::result::ConnectorError;
use std::io;

const URL: &str = "https://hooks.example.com/services/T0/SECRET?key=HUSH";

async fn post(canned: &Canned, url: &str) -> Result<Posted, PostError> {
    canned
        .sdk()
        .poster()
        .unwrap()
        .post_json(url, "{\"text\":\"hello\"}".to_owned())
        .await
}

#[tokio::test(start_paused = true)]
async fn the_document_arrives_at_the_url() {
    let canned = Canned::new(|_| ok("ok"));
    let answer = post(&canned, URL).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!((answer.body.as_str(), answer.retry_after), ("ok", None));
    let [asked] = &canned.asked()[..] else { panic!() };
    assert_eq!(asked.url, URL);
    assert_eq!(
        asked.access_key, "",
        "a webhook is never signed with AWS credentials"
    );
}

#[tokio::test(start_paused = true)]
async fn any_status_is_an_answer_and_a_redirect_is_not_followed() {
    let location = vec![("location", "https://elsewhere.example.com/".to_owned())];
    let canned = Canned::new(move |_| Answer::With(307, location.clone(), String::new()));
    assert_eq!(post(&canned, URL).await.unwrap().status, 307);
    assert_eq!(canned.asked().len(), 1);
    let busy = Canned::new(|_| {
        Answer::With(
            429,
            vec![("retry-after", "30".to_owned())],
            "slow down".to_owned(),
        )
    });
    let answer = post(&busy, URL).await.unwrap();
    assert_eq!(
        (answer.status, answer.retry_after),
        (429, Some(Duration::from_secs(30)))
    );
    assert_eq!(busy.asked().len(), 1, "repeating is the caller's decision");
    let dated = Canned::new(|_| {
        Answer::With(
            503,
            vec![("retry-after", "Wed, 11 Nov".to_owned())],
            String::new(),
        )
    });
    assert_eq!(post(&dated, URL).await.unwrap().retry_after, None);
}

#[tokio::test(start_paused = true)]
async fn no_error_and_no_answer_tells_the_url() {
    let quoting = Canned::new(|asked| {
        Answer::Of(
            404,
            format!("no {} here, nor /services/T0/SECRET?key=HUSH", asked.url),
        )
    });
    let told = format!("{:?}", post(&quoting, URL).await.unwrap());
    let failing = Canned::new(|asked| {
        let url = asked.url.clone();
        Answer::Fails(Box::new(move || {
            ConnectorError::io(io::Error::other(format!("cannot reach {url}")).into())
        }))
    });
    let failed = post(&failing, URL).await.unwrap_err();
    let hanging = Canned::new(|_| Answer::Hangs);
    let timed_out = post(&hanging, URL).await.unwrap_err();
    assert_eq!(timed_out, PostError::Timeout);
    for text in [
        told,
        format!("{failed:?} {failed}"),
        format!("{timed_out:?} {timed_out}"),
    ] {
        assert!(!text.contains("SECRET") && !text.contains("HUSH"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_answer_is_cut_and_a_url_that_is_none_is_refused_unsent() {
    let long = Canned::new(|_| ok("x".repeat(1_000_000)));
    assert_eq!(post(&long, URL).await.unwrap().body.len(), ANSWER_KEPT_BYTES);
    let canned = Canned::new(|_| ok(""));
    for url in [
        "",
        "hooks",
        "file:///etc/passwd",
        "ftp://host/x",
        "http:///path",
        "https://user name/",
    ] {
        assert!(
            matches!(post(&canned, url).await, Err(PostError::BadUrl)),
            "{url}"
        );
    }
    assert_eq!(canned.asked().len(), 0);
}

#[tokio::test]
async fn the_real_connector_says_that_it_never_connected() {
    use crate::aws::config::{Sdk, Seams};
    // Nobody listens on a port that was just given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let sdk = Sdk::new(crate::env::Env::system(), Seams::default());
    let error = sdk
        .poster()
        .unwrap()
        .post_json(&format!("http://127.0.0.1:{port}/"), String::new())
        .await;
    let Err(PostError::Unreachable(why)) = error else {
        panic!("{error:?}")
    };
    assert!(
        why.contains("client error (Connect)"),
        "{why}: the error table knows a refused connection by this"
    );
}
