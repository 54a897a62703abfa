use super::*;
use crate::aws::canned::{Answer, Canned, ok};

fn json_error(code: &str) -> Answer {
    Answer::Of(
        400,
        serde_json::json!({ "__type": code, "message": "canned" }).to_string(),
    )
}

#[tokio::test(start_paused = true)]
async fn a_parameter_is_set_whatever_it_was_before() {
    let canned = Canned::new(|_| ok("{}"));
    Bookkeeping::new(&canned.sdk())
        .await
        .unwrap()
        .put_parameter("/keepgreen/pause", "held")
        .await
        .unwrap();
    let [asked] = &canned.asked()[..] else { panic!() };
    let body: serde_json::Value = serde_json::from_str(asked.param("body")).unwrap();
    let expected = serde_json::json!({ "Name": "/keepgreen/pause", "Value": "held", "Type": "String", "Overwrite": true });
    assert_eq!((asked.action.as_str(), body), ("PutParameter", expected));
}

#[tokio::test(start_paused = true)]
async fn removing_a_parameter_that_is_not_there_is_done_and_not_being_allowed_is_not() {
    let canned = Canned::new(|asked| match asked.param("body").contains("absent") {
        true => json_error("ParameterNotFound"),
        false => json_error("AccessDeniedException"),
    });
    let bookkeeping = Bookkeeping::new(&canned.sdk()).await.unwrap();
    bookkeeping.delete_parameter("absent").await.unwrap();
    let error = bookkeeping.delete_parameter("guarded").await.unwrap_err();
    assert_eq!(
        (error.class, error.object.as_deref()),
        (ErrorClass::NotAuthorised, Some("guarded"))
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_else_leaves_the_bookkeeping_clients() {
    let canned = Canned::new(|_| ok("{}"));
    let bookkeeping = Bookkeeping::new(&canned.sdk()).await.unwrap();
    bookkeeping
        .parameters
        .get_parameters()
        .names("a")
        .send()
        .await
        .unwrap_err();
    bookkeeping
        .parameters
        .send_command()
        .document_name("AWS-RunShellScript")
        .send()
        .await
        .unwrap_err();
    assert_eq!(canned.asked().len(), 0);
}
