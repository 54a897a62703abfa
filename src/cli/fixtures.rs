//! Documents for the tests of rendering: made by the very decisions that they show.

use super::json::ServiceDoc;
use crate::decide::Plan;
use crate::decide::fixtures::{GREEN, Night, REGION, tis};
use crate::model::{AilmentKind, Outcome};

/// The document of a plan of this night's service, as a pass would make it.
pub fn document(night: &Night, plan: &Plan) -> ServiceDoc {
    let mut doc = ServiceDoc::of_policy(&night.policy, Some(plan));
    doc.region = Some(REGION.to_owned());
    doc.account = night.caller.as_ref().map(ToString::to_string);
    // A digest of the policy's text: another one after each change of the fixture.
    doc.policy_version = "0123456789abcdef".to_owned();
    doc
}

/// 04:01: AWS has stopped green.
pub fn stopped() -> Night {
    let mut night = Night::of(tis(""));
    night.plan();
    night.pass_time(60);
    night.stop(GREEN, "Server.ScheduledStop");
    night
}

/// Green does not stay up, whatever is tried.
pub fn quarantined() -> Night {
    let mut night = stopped();
    for _ in 0..3 {
        night.pass_time(3600);
        night.act(&Outcome::Accepted { request_id: None });
        night.pass_time(10);
        night.up(GREEN);
        night.plan();
        night.pass_time(10);
        night.stop(GREEN, "Client.InternalError");
        night.plan();
    }
    assert!(
        night.memory.incidents[&GREEN.into()].quarantined.is_some()
            && night.memory.incidents[&GREEN.into()].kind == AilmentKind::Stopped
    );
    night
}
