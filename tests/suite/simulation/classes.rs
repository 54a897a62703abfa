//! Every fault class, one at a time, at two moments of the incident: it leaves a trace, breaks nothing, and once it is over
//! what can be healed is.

use super::stage::*;
use keepgreen::sim::fault::Kind;
use keepgreen::sim::world::builder::incident::GREEN;
use keepgreen::sim::{Class, Strike, When};
use std::collections::BTreeSet;
use std::time::Duration;

/// What one night with the incident came to: its calls until the storm was over, and what was broken.
fn night(class: Option<&Class>, when: When) -> (String, Vec<String>) {
    at_night(71, async |stage| {
        stage.cloud.declare(declared());
        live(stage, 2).await;
        if let Some(class) = class {
            class.inject(stage, Strike::at(when, GREEN).lasting(Duration::from_secs(240)));
        }
        stage
            .cloud
            .world(|world| world.stop_by_aws(GREEN, "Server.ScheduledStop"));
        let until = stage.cloud.clock().now() + Duration::from_secs(30 * 60);
        while stage.cloud.clock().now() < until {
            let life = stage.next_life();
            live_as(stage, &life, 15).await;
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        let hash = stage.cloud.trace_hash();
        stage.cloud.calm();
        live(stage, 155).await;
        let broken = stage.cloud.finish();
        (hash, broken.iter().map(ToString::to_string).collect())
    })
}

#[test]
fn every_class_leaves_a_trace_and_breaks_nothing() {
    let at_calls = || When::any().after(3).times(6);
    let at_starts = || When::action("StartInstances").times(2);
    let (undisturbed, _) = night(None, at_calls());
    let mut without_trace = BTreeSet::new();
    let mut broken = Vec::new();
    for class in Class::ALL.iter().filter(|class| class.awaits.is_none()) {
        let (mut hash, mut violations) = night(Some(class), at_calls());
        if hash == undisturbed {
            (hash, violations) = night(Some(class), at_starts());
        }
        if hash == undisturbed {
            without_trace.insert(class.name);
        }
        broken.extend(violations.into_iter().map(|what| format!("{class:?}: {what}")));
    }
    assert!(broken.is_empty(), "{broken:#?}");
    // The trace has calls, what happens in the world and what people are told, not what answers say: these change none of it
    // here. Green is neither running when it is to be stopped nor stopped when it is to
    // be started; the rest is survived without a further call.
    let silent = [
        "a person starts it",
        "a person stops it",
        "policy reloaded",
        "stale read",
        "unknown enum member",
    ];
    assert_eq!(without_trace, BTreeSet::from(silent));
}

#[test]
fn class_names_are_unique_and_what_awaits_says_what() {
    let names: BTreeSet<&str> = Class::ALL.iter().map(|class| class.name).collect();
    assert_eq!(names.len(), Class::ALL.len());
    let kinds: BTreeSet<Kind> = Class::ALL.iter().map(|class| class.kind).collect();
    assert_eq!(kinds.len(), 6);
    assert!(
        Class::ALL
            .iter()
            .all(|class| (class.kind == Kind::Events) <= class.awaits.is_some())
    );
}
