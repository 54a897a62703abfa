//! The guard on the steps of a replacement: each invariant is broken once, alone, on a night in which the step is due.

use super::replacement::overdue;
use crate::decide::fixtures::*;
use crate::decide::guard::{Evidence, admit};
use crate::decide::outcome::fold_outcome;
use crate::model::*;
use std::collections::BTreeSet;
use std::time::Duration;

const NEW: &str = "i-0000000000000000c";

/// Group facts without which no target is taken out.
fn knows_its_group(night: &mut Night) {
    let facts = GroupFacts {
        cross_zone: true,
        zones: BTreeSet::new(),
        deregistration_delay_s: 60,
    };
    let supply = night.supply.as_mut().unwrap();
    supply.groups.insert("tis-prod".to_owned(), facts);
    // Only blue's image is gone for the rest of the night: one replacement to look at.
    night.blueprints.remove(&GREEN.into());
}

/// Blue's launch is due.
fn before_the_launch() -> Night {
    let mut night = overdue("");
    knows_its_group(&mut night);
    night
}

/// The new one runs with its checks ok, and is to be registered.
fn launched() -> Night {
    let mut night = before_the_launch();
    night.act(&Outcome::Accepted {
        request_id: None,
        launched: Some(NEW.into()),
    });
    let repair = night.memory.replacements[&BLUE.into()].repair.to_string();
    let mut new = running(NEW, "tis-prod-blue");
    new.tags.insert("keepgreen:repair".to_owned(), repair);
    night.instances.push(new);
    night.all_checks(CheckState::Ok);
    night.pass_time(10);
    night
}

/// The new one has served for three looks: blue is to be taken out.
fn proven() -> Night {
    let mut night = launched();
    night.targets.push(target(NEW, TargetState::Healthy, None));
    for _ in 0..2 {
        night.plan();
        night.pass_time(10);
    }
    night
}

/// Blue is drained: it is to be stopped.
fn drained() -> Night {
    let mut night = proven();
    night.act(&Outcome::Accepted {
        request_id: None,
        launched: None,
    });
    night.targets.retain(|target| target.instance.as_str() != BLUE);
    night.pass_time(70);
    night
}

struct Case {
    night: Night,
    look: Observation,
    intent: Intent,
}

/// The invariants that break when the step that is due on this night is admitted after `change`.
fn refused(mut night: Night, operation: &str, change: impl FnOnce(&mut Case)) -> Vec<&'static str> {
    let plan = night.plan();
    let step = plan
        .steps
        .iter()
        .find(|planned| planned.step.operation() == operation);
    let step = step
        .unwrap_or_else(|| panic!("{operation}: {:#?}", plan.holds))
        .step
        .clone();
    let intent = night.intent(step);
    night.boot += Duration::from_millis(5);
    let look = night.look();
    let planned_on = look.clone();
    let mut case = Case { night, look, intent };
    change(&mut case);
    let evidence = Evidence {
        look: &case.look,
        pauses: &case.night.readings(),
        lease: &Lease::Folder,
        policy: &case.night.policy,
        claims: &case.night.claims,
        memory: &case.night.memory,
        planned_on: &planned_on,
        supply: case.night.supply.as_ref(),
        elsewhere: &case.night.elsewhere,
        mutations_last_hour: 1,
        mutations_per_hour: 60,
        now: case.night.stamp(),
    };
    match admit(case.intent, &evidence) {
        Ok(_) => Vec::new(),
        Err(refusals) => refusals.iter().map(|refusal| refusal.invariant).collect(),
    }
}

fn of_look<'a>(case: &'a mut Case, id: &str) -> &'a mut Instance {
    case.look.instances.get_mut(&id.into()).unwrap()
}

fn one(case: &mut Case) -> &mut Replacement {
    case.night.memory.replacements.get_mut(&BLUE.into()).unwrap()
}

fn attempt(case: &mut Case) -> &mut LaunchAttempt {
    one(case).attempts.last_mut().unwrap()
}

fn target_state(case: &mut Case, id: &str, state: TargetState) {
    let group = case.look.groups.get_mut("tis-prod").unwrap();
    for target in group
        .targets
        .iter_mut()
        .filter(|target| target.instance.as_str() == id)
    {
        target.health.state = state.clone();
    }
}

fn set_image(case: &mut Case, state: ImageState) {
    case.night.image = Some(state);
    case.look = case.night.look();
}

/// What is broken, by name, and how.
type Breach = (&'static str, Box<dyn FnOnce(&mut Case)>);

fn check(night: fn() -> Night, operation: &str, breaches: Vec<Breach>) {
    assert_eq!(
        refused(night(), operation, |_| {}),
        Vec::<&str>::new(),
        "{operation} is admitted as it is"
    );
    for (number, (invariant, change)) in breaches.into_iter().enumerate() {
        let found = refused(night(), operation, change);
        assert!(
            found.contains(&invariant),
            "{operation}, breach {number}: {invariant} is not among {found:?}"
        );
    }
}

#[test]
fn no_launch_breaks_an_invariant() {
    let breaches: Vec<Breach> = vec![
        (
            "S1",
            Box::new(|c| {
                c.look.coverage = Coverage::Partial(vec![Gap {
                    part: Part::Statuses,
                    why: "no".to_owned(),
                }])
            }),
        ),
        (
            "S1",
            Box::new(|c| {
                let blue = c.look.instances.get_mut(&BLUE.into()).unwrap();
                blue.tags.insert("Name".to_owned(), "tis-prod-green".to_owned());
            }),
        ),
        ("S2", Box::new(|c| c.look.caller = Some("999999999999".into()))),
        (
            "S3",
            Box::new(|c| drop(c.night.memory.replacements.remove(&BLUE.into()))),
        ),
        ("S3", Box::new(|c| attempt(c).instance = Some(NEW.into()))),
        ("S3", Box::new(|c| attempt(c).number = 7)),
        (
            "S3",
            Box::new(|c| {
                let repair = one(c).repair.to_string();
                let mut other = running(NEW, "tis-prod-blue");
                other.tags.insert("keepgreen:repair".to_owned(), repair);
                c.look.instances.insert(NEW.into(), other);
            }),
        ),
        ("S4", Box::new(|c| attempt(c).tries.clear())),
        ("S9", Box::new(|c| set_image(c, ImageState::Available))),
        ("S9", Box::new(|c| set_image(c, ImageState::Disabled))),
        (
            "S9",
            Box::new(|c| {
                let blue = c.night.memory.instances.get_mut(&BLUE.into()).unwrap();
                blue.timers.get_mut(&AilmentKind::ImageGone).unwrap().looks = 2;
            }),
        ),
        ("S11", Box::new(|c| c.night.elsewhere.launched = 4)),
        (
            "S12",
            Box::new(|c| c.night.elsewhere.breaker = Some("3 of 4 ail".to_owned())),
        ),
        ("S17", Box::new(|c| c.night.policy.replace = None)),
        (
            "S17",
            Box::new(|c| c.look.instances.get_mut(&BLUE.into()).unwrap().lifecycle = Lifecycle::Spot),
        ),
        (
            "S20",
            Box::new(|c| {
                if let Step::Launch(launch) = &mut c.intent.step {
                    launch.tags.remove("keepgreen:service");
                }
            }),
        ),
    ];
    check(before_the_launch, "RunInstances", breaches);
}

#[test]
fn no_registration_breaks_an_invariant() {
    let breaches: Vec<Breach> = vec![
        (
            "S17",
            Box::new(|c| c.look.instances.get_mut(&NEW.into()).unwrap().state = InstanceState::Stopping),
        ),
        (
            "S19",
            Box::new(|c| {
                c.night
                    .policy
                    .slots
                    .get_mut(&SlotName::from("blue"))
                    .unwrap()
                    .target_groups
                    .clear()
            }),
        ),
        (
            "S19",
            Box::new(|c| {
                if let Step::Register(target) = &mut c.intent.step {
                    target.port = Some(1);
                }
            }),
        ),
        ("S19", Box::new(|c| attempt(c).instance = None)),
    ];
    check(launched, "RegisterTargets", breaches);
}

#[test]
fn nothing_is_taken_out_below_the_floor_or_before_its_replacement_is_proven() {
    let breaches: Vec<Breach> = vec![
        (
            "S6",
            Box::new(|c| {
                target_state(c, GREEN, TargetState::Unhealthy);
                c.night.elsewhere.floors.insert("tis-prod".to_owned(), 2);
            }),
        ),
        (
            "S6",
            Box::new(|c| c.night.supply.as_mut().unwrap().groups.clear()),
        ),
        ("S7", Box::new(|c| attempt(c).healthy_looks = 2)),
        ("S7", Box::new(|c| target_state(c, NEW, TargetState::Unhealthy))),
        ("S7", Box::new(|c| target_state(c, NEW, TargetState::Unavailable))),
        (
            "S7",
            Box::new(|c| c.look.instances.get_mut(&NEW.into()).unwrap().state = InstanceState::Stopped),
        ),
        ("S9", Box::new(|c| set_image(c, ImageState::Available))),
        (
            "S9",
            Box::new(|c| set_image(c, ImageState::Unknown("odd".to_owned()))),
        ),
        (
            "S12",
            Box::new(|c| c.night.elsewhere.breaker = Some("3 of 4 ail".to_owned())),
        ),
        (
            "S8",
            Box::new(|c| {
                if let Step::Deregister(target) = &mut c.intent.step {
                    target.instance = GREEN.into();
                }
            }),
        ),
    ];
    check(proven, "DeregisterTargets", breaches);
    let another: Breach = (
        "S20",
        Box::new(|c| of_look(c, BLUE).digest = "another".to_owned()),
    );
    check(proven, "DeregisterTargets", vec![another]);
}

#[test]
fn nothing_is_stopped_that_serves_or_whose_replacement_does_not() {
    let breaches: Vec<Breach> = vec![
        (
            "S7",
            Box::new(|c| {
                let group = c.look.groups.get_mut("tis-prod").unwrap();
                group.targets.push(target(BLUE, TargetState::Draining, None));
            }),
        ),
        ("S7", Box::new(|c| attempt(c).healthy_looks = 0)),
        ("S7", Box::new(|c| target_state(c, NEW, TargetState::Initial))),
        (
            "S20",
            Box::new(|c| {
                c.night.policy.replace.as_mut().unwrap().old_instance = crate::policy::OldInstance::Terminate
            }),
        ),
        (
            "S8",
            Box::new(|c| {
                if let Step::Stop { instance, .. } = &mut c.intent.step {
                    *instance = GREEN.into();
                }
            }),
        ),
    ];
    check(drained, "StopInstances", breaches);
    let another: Breach = (
        "S20",
        Box::new(|c| of_look(c, BLUE).digest = "another".to_owned()),
    );
    check(drained, "StopInstances", vec![another]);
}

/// Blue is stopped and marked; its root volume outlived it.
fn retired() -> Night {
    let mut night = drained();
    night.stop(BLUE, "Client.UserInitiatedShutdown");
    let mark = ("keepgreen:retired".to_owned(), "now".to_owned());
    night.instance(BLUE).tags.extend([mark]);
    let one = night.memory.replacements.get_mut(&BLUE.into()).unwrap();
    one.keeps_root = Some("/dev/xvda".to_owned());
    night.pass_time(70);
    night
}

#[test]
fn no_volume_is_kept_but_that_of_what_has_the_old_ones_place() {
    let breaches: Vec<Breach> = vec![
        ("S20", Box::new(|c| one(c).keeps_root = None)),
        (
            "S20",
            Box::new(|c| one(c).keeps_root = Some("/dev/sdf".to_owned())),
        ),
        ("S20", Box::new(|c| attempt(c).instance = Some(GREEN.into()))),
        (
            "S20",
            Box::new(|c| {
                let old = c.look.instances.get_mut(&BLUE.into()).unwrap();
                old.tags.remove("keepgreen:retired");
            }),
        ),
        ("S7", Box::new(|c| attempt(c).healthy_looks = 0)),
        (
            "S17",
            Box::new(|c| c.look.instances.get_mut(&NEW.into()).unwrap().lifecycle = Lifecycle::Spot),
        ),
    ];
    check(retired, "ModifyInstanceAttribute", breaches);
}

#[test]
fn an_answer_of_another_attempt_changes_nothing() {
    let mut night = launched();
    let one = night.memory.replacements[&BLUE.into()].clone();
    let mut launch = night.intent(Step::Terminate {
        instance: GREEN.into(),
        of: RepairOf {
            slot: "blue".into(),
            repair: "another".into(),
            about: BLUE.into(),
            attempt: 1,
        },
    });
    launch.reason = "of a repair that is over".to_owned();
    let accepted = Outcome::Accepted {
        request_id: None,
        launched: None,
    };
    let after = fold_outcome(&night.memory, &night.policy, &launch, &accepted, night.now);
    assert_eq!(after.replacements[&BLUE.into()], one);
}
