//! The guard trusts nobody: each invariant is broken once, alone.

use crate::decide::fixtures::*;
use crate::decide::guard::{Evidence, admit};
use crate::model::*;
use std::time::Duration;

/// A night in which a start is due, and everything that would admit it; `change` breaks one thing.
fn refused(change: impl FnOnce(&mut Case)) -> Vec<&'static str> {
    let mut night = Night::of(tis(""));
    night.stop(GREEN, "Server.ScheduledStop");
    let step = night.plan().steps.remove(0).step;
    let intent = night.intent(step);
    night.boot += Duration::from_millis(5);
    let mut case = Case {
        look: night.look(),
        pauses: night.readings(),
        now: night.stamp(),
        lease: Lease::Folder,
        used: 1,
        intent,
        night,
    };
    change(&mut case);
    let evidence = Evidence {
        look: &case.look,
        pauses: &case.pauses,
        lease: &case.lease,
        policy: &case.night.policy,
        claims: &case.night.claims,
        memory: &case.night.memory,
        planned_on: &case.look,
        supply: None,
        elsewhere: &case.night.elsewhere,
        mutations_last_hour: case.used,
        mutations_per_hour: 60,
        now: case.now,
    };
    match admit(case.intent, &evidence) {
        Ok(_) => Vec::new(),
        Err(refusals) => refusals.iter().map(|refusal| refusal.invariant).collect(),
    }
}

struct Case {
    night: Night,
    look: Observation,
    pauses: PauseReading,
    lease: Lease,
    used: u32,
    now: Stamp,
    intent: Intent,
}

impl Case {
    fn green(&mut self) -> &mut Instance {
        self.look.instances.get_mut(&GREEN.into()).unwrap()
    }

    fn incident(&mut self) -> &mut Incident {
        self.night.memory.incidents.get_mut(&GREEN.into()).unwrap()
    }
}

#[test]
fn what_breaks_nothing_is_admitted() {
    assert_eq!(refused(|_| {}), [""; 0]);
}

#[test]
fn each_broken_invariant_refuses_by_its_name() {
    type Break = fn(&mut Case);
    let table: Vec<(&str, &str, Break)> = vec![
        ("not in the look", "S1", |c| {
            drop(c.look.instances.remove(&GREEN.into()));
        }),
        ("retagged", "S1", |c| {
            drop(c.green().tags.insert("Name".into(), "other".into()));
        }),
        ("swapped slots", "S1", |c| {
            drop(c.green().tags.insert("Name".into(), "tis-prod-blue".into()));
        }),
        ("retired", "S1", |c| {
            drop(c.green().tags.insert("keepgreen:retired".into(), String::new()));
        }),
        ("another account's", "S1", |c| {
            c.green().account = "999999999999".into();
        }),
        ("wrong credentials", "S2", |c| {
            c.look.caller = Some("999999999999".into());
        }),
        ("unknown credentials", "S2", |c| c.look.caller = None),
        ("another region", "S2", |c| c.look.region = "us-east-1".into()),
        ("look before intent", "S5", |c| {
            c.look.begun.boot -= Duration::from_millis(6);
        }),
        ("pause before intent", "S5", |c| {
            c.pauses.begun.boot -= Duration::from_millis(6);
        }),
        ("hourly cap", "S11", |c| c.used = 61),
        ("quarantined", "S11", |c| {
            c.incident().quarantined = Some(c.now.wall);
        }),
        ("no incident", "S11", |c| c.night.memory.incidents.clear()),
        ("another repair", "S11", |c| {
            c.incident().repair = RepairId::new("other");
        }),
        ("paused", "S13", |c| {
            c.pauses.set.push(Pause {
                scope: PauseScope::Everything,
                source: PauseSource::File("pause".into()),
                by: None,
                reason: None,
                since: None,
                until: None,
            });
        }),
        ("unreadable flag", "S13", |c| {
            c.pauses.unreadable.push("denied".into());
        }),
        ("paused by tag", "S13", |c| {
            drop(c.green().tags.insert("keepgreen:pause".into(), String::new()));
        }),
        ("flags of another service", "S13", |c| {
            c.pauses.service = "other".into();
        }),
        ("flags read long ago", "S13", |c| {
            c.now.boot += Duration::from_millis(1001);
        }),
        ("no lease", "S14", |c| c.lease = Lease::None { holder: None }),
        ("old view", "S16", |c| c.now.boot += Duration::from_millis(5001)),
        ("policy changed", "S16", |c| {
            c.night.policy = tis("limits: { attempts: 5 }");
        }),
        ("look under an older policy", "S16", |c| {
            c.look.policy_version = PolicyVersion::new("old");
        }),
        ("running", "S17", |c| c.green().state = InstanceState::Running),
        ("stopping", "S17", |c| c.green().state = InstanceState::Stopping),
        ("terminated", "S17", |c| {
            c.green().state = InstanceState::Terminated;
        }),
        ("Spot", "S17", |c| c.green().lifecycle = Lifecycle::Spot),
        ("instance store", "S17", |c| {
            c.green().root_device = RootDevice::InstanceStore;
        }),
        ("in a scaling group", "S17", |c| {
            drop(
                c.green()
                    .tags
                    .insert("aws:autoscaling:groupName".into(), "asg".into()),
            );
        }),
        ("a person stopped it meanwhile", "S18", |c| {
            c.green().state_reason = Some(StateReason {
                code: "Client.UserInitiatedShutdown".into(),
                message: String::new(),
            });
        }),
    ];
    for (name, invariant, change) in table {
        let refused = refused(change);
        assert!(refused.contains(&invariant), "{name}: {refused:?}");
    }
}
