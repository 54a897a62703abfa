use super::*;
use crate::aws::ScopeKey;
use crate::aws::canned::{Asked, Canned, error, ok};
use crate::model::ErrorClass;

/// The id that a request for one instance's listing names.
fn id(asked: &Asked) -> String {
    asked.filters().get("instance-id").unwrap().join(",")
}

#[tokio::test(start_paused = true)]
async fn each_instance_has_its_own_answer_and_one_that_is_gone_has_none() {
    let canned = Canned::new(|asked| match id(asked).as_str() {
        "i-gone" => ok("<R><reservationSet/></R>"),
        "i-denied" => error(403, "UnauthorizedOperation"),
        // So little is told of a terminated instance.
        other => ok(format!(
            "<R><reservationSet><item><instancesSet><item><instanceId>{other}</instanceId></item></instancesSet>\
             </item></reservationSet></R>"
        )),
    });
    let sdk = canned.sdk();
    let own = ScopeKey {
        role: None,
        region: None,
    };
    let reader = Reader::new(&sdk, &own).await.unwrap();
    let now = canned.clock.now().wall;
    let wanted = ["i-denied", "i-gone", "i-terminated"].map(|id| (id.into(), "blue".into()));
    let read = blueprints(&reader, &wanted, now, Priority::Repair).await;
    let classes: Vec<(&str, ErrorClass)> = read
        .iter()
        .map(|(id, reading)| (id.as_str(), reading.as_ref().unwrap_err().class))
        .collect();
    assert_eq!(
        classes,
        [
            ("i-denied", ErrorClass::NotAuthorised),
            ("i-terminated", ErrorClass::Transient)
        ]
    );
    assert!(blueprints(&reader, &[], now, Priority::Repair).await.is_empty());
}
