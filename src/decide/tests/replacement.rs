//! Replacements as decisions: who, when, what from, and what holds them back. What happens then is played in the simulated
//! AWS, where orderings are.

use crate::decide::fixtures::*;
use crate::decide::replace::OfferVerdict;
use crate::decide::{Due, HoldReason, Plan};
use crate::model::*;
use std::collections::{BTreeMap, BTreeSet};

const REPLACE: &str = "grace: { image_gone: 10m, missing: 10m }\nreplace: { image: [ { ssm: /base }, { id: ami-0000000000000000f } ] }";
const GOOD: &str = "ami-0000000000000000f";

fn blueprint(id: &str, slot: &str) -> Blueprint {
    Blueprint {
        instance: id.into(),
        slot: slot.into(),
        account: ACCOUNT.into(),
        region: REGION.into(),
        taken: "2026-11-11T03:00:00Z".parse().unwrap(),
        digest: String::new(),
        launched_at: None,
        image: "ami-00000000000000001".into(),
        instance_type: "t3.large".to_owned(),
        zone: "eu-west-2a".into(),
        subnet: "subnet-a".to_owned(),
        security_groups: BTreeSet::from(["sg-1".to_owned()]),
        profile: Some("arn:aws:iam::111122223333:instance-profile/tis".to_owned()),
        key_name: None,
        user_data: Some(UserData::new("c2VjcmV0")),
        id_records: IdRecords::default(),
        metadata: MetadataOptions {
            tokens: Some("required".to_owned()),
            ..MetadataOptions::default()
        },
        monitoring: true,
        ebs_optimized: true,
        cpu_credits: Some("unlimited".to_owned()),
        public_ip: false,
        root: Some(RootVolume {
            device: "/dev/sda1".to_owned(),
            size_gib: 20,
            kind: "gp3".to_owned(),
            iops: Some(3000),
            throughput: Some(125),
            encrypted: false,
            kms_key: None,
            delete_on_termination: true,
            tags: BTreeMap::new(),
        }),
        tags: BTreeMap::from([
            ("Name".to_owned(), format!("tis-prod-{slot}")),
            ("team".to_owned(), "tis".to_owned()),
        ]),
        uncarried: Vec::new(),
    }
}

fn image(id: &str) -> ImageFacts {
    ImageFacts {
        id: id.into(),
        name: None,
        state: ImageState::Available,
        allowed: None,
        architecture: Some("x86_64".to_owned()),
        virtualization: Some("hvm".to_owned()),
        root_device: Some("/dev/xvda".to_owned()),
        root_is_ebs: true,
        root_size_gib: Some(30),
        keeps: BTreeSet::new(),
    }
}

fn supply(night: &Night) -> Supply {
    let offer = |source: &str, image: Result<ImageFacts, String>| ImageOffer {
        source: source.to_owned(),
        image,
    };
    let kind = |architecture: &str| TypeFacts {
        architectures: BTreeSet::from([architecture.to_owned()]),
        zones: BTreeSet::from(["eu-west-2a".into()]),
        burstable: true,
        ebs_optimizable: true,
    };
    Supply {
        begun: night.stamp(),
        policy_version: night.policy.version.clone(),
        images: vec![
            offer("ssm: /base", Err("there is no such parameter".to_owned())),
            offer("id: ami-0000000000000000f", Ok(image(GOOD))),
        ],
        types: BTreeMap::from([("t3.large".to_owned(), kind("x86_64"))]),
        subnets: BTreeMap::from([(
            "subnet-a".to_owned(),
            SubnetFacts {
                zone: "eu-west-2a".into(),
                vpc: "vpc-1".to_owned(),
                free_addresses: 10,
            },
        )]),
        template: None,
        groups: BTreeMap::new(),
        failed: Vec::new(),
    }
}

/// Everything for a replacement of either is at hand.
fn equipped(more: &str) -> Night {
    let mut night = Night::of(tis(&format!("{REPLACE}\n{more}")));
    night.blueprints = [(BLUE, "blue"), (GREEN, "green")]
        .into_iter()
        .map(|(id, slot)| (id.into(), blueprint(id, slot)))
        .collect();
    night.supply = Some(supply(&night));
    night
}

/// The image of both is gone, for longer than the grace.
pub(super) fn overdue(more: &str) -> Night {
    let mut night = equipped(more);
    night.image = Some(ImageState::Deregistered);
    for _ in 0..4 {
        night.plan();
        night.pass_time(300);
    }
    night.memory.replacements.clear();
    night
}

/// The policy names a template, whose facts these are. It says all that a launch needs, and keeps no volume.
pub(super) fn from_template(night: &mut Night) -> &mut TemplateFacts {
    let (name, version) = ("lt-base".to_owned(), "1".to_owned());
    night.policy.replace.as_mut().unwrap().launch = crate::policy::Launch::Template { name, version };
    let facts = TemplateFacts {
        version: 1,
        instance_type: Some("t3.large".to_owned()),
        subnet: Some("subnet-a".to_owned()),
        has_interfaces: false,
        keeps: BTreeSet::new(),
        ends: BTreeSet::new(),
        unfit: BTreeSet::new(),
    };
    let supply = night.supply.as_mut().unwrap();
    supply.template.insert(Ok(facts)).as_mut().unwrap()
}

pub(super) fn launch(plan: &Plan) -> Option<&Launch> {
    plan.steps.iter().find_map(|planned| match &planned.step {
        Step::Launch(launch) => Some(launch.as_ref()),
        _ => None,
    })
}

fn words(plan: &Plan, id: &str) -> Vec<String> {
    let of = plan
        .holds
        .iter()
        .filter(|hold| hold.instance.as_ref().is_some_and(|one| one.as_str() == id));
    of.map(|hold| hold.reason.word()).collect()
}

#[test]
fn one_slot_is_launched_from_the_first_source_that_resolves_and_the_other_waits_in_the_queue() {
    let plan = overdue("").plan();
    let launch = launch(&plan).unwrap_or_else(|| panic!("{:#?}", plan.holds));
    assert_eq!((launch.of.about.as_str(), launch.image.as_str()), (BLUE, GOOD));
    assert_eq!(plan.due, Due::Now);
    assert_eq!(words(&plan, GREEN), ["queued"]);
    let [first, second] = &plan.queue[..] else {
        panic!("{:?}", plan.queue)
    };
    assert!(first.rank < second.rank);
    let verdicts: Vec<bool> = first
        .offers
        .iter()
        .map(|offer| offer.verdict == OfferVerdict::Chosen)
        .collect();
    assert_eq!(verdicts, [false, true]);
}

#[test]
fn a_clone_has_what_the_old_one_had_and_nothing_of_its_past() {
    let plan = overdue("").plan();
    let launch = launch(&plan).unwrap();
    let LaunchForm::Clone(of) = &launch.form else {
        panic!()
    };
    assert_eq!(of.metadata.tokens.as_deref(), Some("required"));
    assert_eq!(of.user_data, Some(UserData::new("c2VjcmV0")));
    assert_eq!(
        (of.root.device.as_str(), of.root.size_gib),
        ("/dev/xvda", 30),
        "the image's device, no smaller than its snapshot"
    );
    let keys: Vec<&str> = launch.tags.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "Name",
            "keepgreen:repair",
            "keepgreen:replaces",
            "keepgreen:service",
            "keepgreen:slot",
            "team"
        ]
    );
    assert!(launch.token.len() <= 64 && launch.token.is_ascii());
    let shown = serde_json::to_string(&plan.steps).unwrap();
    assert!(!shown.contains("c2VjcmV0"), "user data is shown: {shown}");
}

/// What holds back the replacement of blue, and whether anything is launched.
fn held(change: impl FnOnce(&mut Night)) -> (Vec<String>, bool) {
    let mut night = overdue("");
    change(&mut night);
    let plan = night.plan();
    let of_blue = launch(&plan).is_some_and(|launch| launch.of.about.as_str() == BLUE);
    (words(&plan, BLUE), of_blue)
}

#[test]
fn each_thing_that_must_hold_a_launch_back_does_so_alone() {
    type Change = Box<dyn FnOnce(&mut Night)>;
    let table: Vec<(&str, Change)> = vec![
        (
            "partial-view",
            Box::new(|n| {
                n.gaps.push(Gap {
                    part: Part::Statuses,
                    why: "no".to_owned(),
                })
            }),
        ),
        (
            "breaker",
            Box::new(|n| n.elsewhere.breaker = Some("3 of 4 ail".to_owned())),
        ),
        ("no-blueprint", Box::new(|n| n.blueprints.clear())),
        ("supply-unread", Box::new(|n| n.supply = None)),
        (
            "supply-unread",
            Box::new(|n| n.supply.as_mut().unwrap().failed.push("no".to_owned())),
        ),
        (
            "supply-unread",
            Box::new(|n| {
                from_template(n).keeps.insert("/dev/xvda".to_owned());
            }),
        ),
        (
            "supply-unread",
            Box::new(|n| {
                from_template(n).unfit.insert("termination protection".to_owned());
            }),
        ),
        (
            "blueprint-unread",
            Box::new(|n| {
                n.unread.insert(BLUE.into(), "no permission".to_owned());
            }),
        ),
        (
            "blueprint-unread",
            Box::new(|n| n.instance(BLUE).digest = "another volume".to_owned()),
        ),
        (
            // Beside the root, whose settings a clone has of its own.
            "no-image",
            Box::new(|n| {
                let image = n.supply.as_mut().unwrap().images[1].image.as_mut();
                image.unwrap().keeps = BTreeSet::from(["/dev/xvda".to_owned(), "/dev/sdf".to_owned()]);
            }),
        ),
        (
            "no-image",
            Box::new(|n| n.supply.as_mut().unwrap().images.truncate(1)),
        ),
        (
            "no-image",
            Box::new(|n| {
                n.supply.as_mut().unwrap().images[1].image.as_mut().unwrap().state = ImageState::Disabled
            }),
        ),
        (
            "no-image",
            Box::new(|n| {
                n.supply.as_mut().unwrap().images[1]
                    .image
                    .as_mut()
                    .unwrap()
                    .allowed = Some(false)
            }),
        ),
        (
            "no-image",
            Box::new(|n| {
                n.supply.as_mut().unwrap().images[1]
                    .image
                    .as_mut()
                    .unwrap()
                    .architecture = Some("arm64".to_owned())
            }),
        ),
        (
            "no-image",
            Box::new(|n| {
                n.supply.as_mut().unwrap().images[1]
                    .image
                    .as_mut()
                    .unwrap()
                    .root_is_ebs = false
            }),
        ),
        ("no-place", Box::new(|n| n.supply.as_mut().unwrap().types.clear())),
        (
            "no-place",
            Box::new(|n| n.supply.as_mut().unwrap().subnets.clear()),
        ),
        ("fleet-busy", Box::new(|n| n.elsewhere.replacing = 4)),
        ("fleet-unseen", Box::new(|n| n.elsewhere.all_seen = false)),
        (
            "rest",
            Box::new(|n| n.memory.rest = std::time::Duration::from_secs(400)),
        ),
        (
            "cannot-carry",
            Box::new(|n| {
                let uncarried = Uncarried {
                    kind: UncarriedKind::DataVolume,
                    what: "data volume vol-1 on /dev/sdf".to_owned(),
                };
                n.blueprints
                    .get_mut(&BLUE.into())
                    .unwrap()
                    .uncarried
                    .push(uncarried);
            }),
        ),
        (
            "paused",
            Box::new(|n| {
                n.pauses.push(Pause {
                    scope: PauseScope::Everything,
                    source: PauseSource::File("f".to_owned()),
                    by: None,
                    reason: None,
                    since: None,
                    until: None,
                })
            }),
        ),
    ];
    for (word, change) in table {
        let (holds, launched) = held(change);
        assert!(
            !launched && holds.iter().any(|hold| hold == word),
            "{word}: {holds:?}"
        );
    }
    assert!(held(|_| {}).1, "and without any of them it is launched");
}

#[test]
fn what_the_launch_settles_of_an_images_volumes_is_in_nobodys_way() {
    let keeps = |n: &mut Night, devices: &[&str]| {
        let image = n.supply.as_mut().unwrap().images[1].image.as_mut();
        image.unwrap().keeps = devices.iter().map(ToString::to_string).collect();
    };
    let of_template = |n: &mut Night, ends: &[&str]| {
        from_template(n).ends = ends.iter().map(ToString::to_string).collect();
    };
    assert!(held(|n| keeps(n, &["/dev/xvda"])).1, "a clone's root");
    let settled = held(|n| {
        keeps(n, &["/dev/xvda", "/dev/sdf"]);
        of_template(n, &["/dev/sdf", "/dev/xvda"]);
    });
    assert!(settled.1, "{settled:?}");
    let root_is_left = held(|n| {
        keeps(n, &["/dev/xvda", "/dev/sdf"]);
        of_template(n, &["/dev/sdf"]);
    });
    assert!(!root_is_left.1, "a template says nothing of the root");
}

#[test]
fn a_grace_that_is_over_before_three_looks_says_what_it_waits_for() {
    let mut night = Night::of(tis(&REPLACE.replace("10m", "0s")));
    night.image = Some(ImageState::Deregistered);
    let plan = night.plan();
    let of_blue = plan
        .holds
        .iter()
        .find(|hold| matches!(hold.reason, HoldReason::Grace { .. }));
    let sentence = of_blue.unwrap().reason.sentence();
    assert!(
        sentence.contains("3 looks") && !sentence.contains("0s"),
        "{sentence}"
    );
}

#[test]
fn what_serves_waits_for_its_window_and_the_plan_says_when() {
    let mut night = overdue("maintenance: [ \"daily 22:00-23:00 UTC\" ]");
    let plan = night.plan();
    assert!(launch(&plan).is_none());
    assert!(words(&plan, BLUE).contains(&"window".to_owned()));
    assert_eq!(plan.due, Due::ByTime);
    let opens = plan.queue[0].not_before.map(|at| at.to_string());
    assert_eq!(opens.as_deref(), Some("2026-11-11T22:00:00Z"));
}

#[test]
fn a_stopped_one_is_started_first_whatever_its_image() {
    let mut night = overdue("");
    night.stop(BLUE, "Server.ScheduledStop");
    let plan = night.plan();
    assert_eq!(started(&plan).first(), Some(&BLUE));
    assert!(
        words(&plan, BLUE).contains(&"heal-first".to_owned()),
        "{:?}",
        words(&plan, BLUE)
    );
}

#[test]
fn disabled_and_unknown_images_and_those_of_one_look_are_never_replaced() {
    for state in [
        ImageState::Disabled,
        ImageState::Unknown("odd".to_owned()),
        ImageState::Available,
    ] {
        let mut night = overdue("");
        night.image = Some(state.clone());
        assert!(launch(&night.plan()).is_none(), "{state:?}");
    }
    let mut night = Night::of(tis(&format!("{REPLACE}\n")));
    night.blueprints.insert(BLUE.into(), blueprint(BLUE, "blue"));
    night.supply = Some(supply(&night));
    night.image = Some(ImageState::Deregistered);
    assert!(launch(&night.plan()).is_none());
}

#[test]
fn without_a_replace_section_nothing_is_launched_and_the_finding_stands_with_its_date() {
    let mut night = Night::of(tis("grace: { image_gone: 1m }"));
    night.image = Some(ImageState::Deregistered);
    let first = night.now;
    for _ in 0..5 {
        night.plan();
        night.pass_time(300);
    }
    let plan = night.plan();
    assert!(launch(&plan).is_none());
    let risks: Vec<_> = plan
        .findings
        .iter()
        .filter(|finding| finding.kind == crate::decide::FindingKind::CannotBeRebuilt)
        .collect();
    assert_eq!(risks.len(), 2);
    assert!(risks.iter().all(|finding| finding.since == Some(first)));
    assert!(words(&plan, BLUE).contains(&"nothing-to-launch-from".to_owned()));
}

#[test]
fn an_unanswered_launch_is_asked_again_with_the_same_request_and_never_with_another() {
    let mut night = overdue("");
    let plan = night.plan();
    let first = launch(&plan).unwrap().clone();
    let intent = night.intent(Step::Launch(Box::new(first.clone())));
    let lost = Outcome::Settled {
        applied: Vec::new(),
        not_applied: vec![BLUE.into()],
    };
    night.memory =
        crate::decide::outcome::fold_outcome(&night.memory, &night.policy, &intent, &lost, night.now);
    // The world has changed meanwhile: another image would be chosen now.
    night.supply.as_mut().unwrap().images[1]
        .image
        .as_mut()
        .unwrap()
        .id = "ami-0000000000000000e".into();
    night.pass_time(60);
    let plan = night.plan();
    assert_eq!(launch(&plan), Some(&first));
}

#[test]
fn a_refused_candidate_gives_way_to_the_next_and_all_are_asked_again_later() {
    let mut night = overdue("");
    let capacity = |message: &str| Outcome::Failed {
        error: AwsError {
            operation: "RunInstances".to_owned(),
            object: None,
            class: ErrorClass::Capacity,
            code: Some("InsufficientInstanceCapacity".to_owned()),
            message: message.to_owned(),
            request_id: None,
        },
    };
    let plan = night.plan();
    let first = launch(&plan).unwrap().clone();
    let intent = night.intent(Step::Launch(Box::new(first.clone())));
    night.memory = crate::decide::outcome::fold_outcome(
        &night.memory,
        &night.policy,
        &intent,
        &capacity("none"),
        night.now,
    );
    night.pass_time(10);
    let plan = night.plan();
    assert!(launch(&plan).is_none(), "there is no other candidate");
    assert!(
        words(&plan, BLUE).contains(&"no-place".to_owned()),
        "{:?}",
        words(&plan, BLUE)
    );
    let mut again = None;
    for _ in 0..40 {
        night.pass_time(10);
        again = launch(&night.plan()).cloned();
        if again.is_some() {
            break;
        }
    }
    assert_eq!(
        again.map(|launch| launch.token),
        Some(first.token),
        "the same candidate, the same token"
    );
    let one = &night.memory.replacements[&InstanceId::from(BLUE)];
    assert_eq!(one.failed_attempts(), 0, "capacity is nobody's failed attempt");
}

/// A night in which both are terminated, for longer than the grace.
fn both_lost(more: &str) -> Night {
    let mut night = equipped(more);
    night.plan();
    for id in [BLUE, GREEN] {
        night.instance(id).state = InstanceState::Terminated;
    }
    for _ in 0..4 {
        night.pass_time(300);
        night.plan();
        night.memory.replacements.clear();
    }
    night.pass_time(10);
    night
}

#[test]
fn two_that_are_lost_at_once_are_not_both_begun_by_one_plan() {
    for (limits, begun) in [("", 1), ("limits: { max_concurrent: 2 }", 2)] {
        let plan = both_lost(limits).plan();
        let launches = plan
            .steps
            .iter()
            .filter(|planned| matches!(planned.step, Step::Launch(_)));
        assert_eq!(launches.count(), begun, "{:#?}", plan.holds);
        let held: Vec<String> = [BLUE, GREEN].iter().flat_map(|id| words(&plan, id)).collect();
        assert_eq!(held.contains(&"concurrent".to_owned()), begun == 1, "{held:?}");
    }
}

#[test]
fn what_a_scaling_group_lost_is_for_the_group_to_replace_even_when_it_is_not_to_be_seen_any_more() {
    let mut night = both_lost("");
    let slot = night.policy.slots.get_mut(&SlotName::from("green")).unwrap();
    slot.select = crate::policy::Selector::AutoScalingGroup("web".to_owned());
    let plan = night.plan();
    assert!(
        words(&plan, GREEN).contains(&"scaling-group".to_owned()),
        "{:#?}",
        plan.holds
    );
}

#[test]
fn what_was_replaced_is_not_lost_again_when_its_slot_lacks_another() {
    let mut night = both_lost("");
    let plan = night.plan();
    let mut memory = crate::decide::replace::remember_launches(&night.memory, &plan);
    let old = memory.replacements.keys().next().cloned().unwrap();
    let one = memory.replacements.get_mut(&old).unwrap();
    one.ended = Some(ReplacementEnd::Done {
        at: night.now,
        new: "i-0000000000000000e".into(),
    });
    night.memory = memory;
    night.memory.lost.clear();
    night.pass_time(300);
    night.plan();
    assert!(!night.memory.lost.contains_key(&old));
    assert_eq!(night.memory.lost.len(), 1, "the other one is");
}

#[test]
fn a_hold_has_a_sentence_for_every_reason_of_a_replacement() {
    let holds = [
        HoldReason::NothingToLaunchFrom,
        HoldReason::Window { opens: None },
        HoldReason::FleetUnseen,
        HoldReason::HealFirst,
        HoldReason::NoBlueprint,
        HoldReason::AfterFailure {
            instance: BLUE.into(),
        },
        HoldReason::Queued {
            behind: "a/b/c".to_owned(),
        },
        HoldReason::FactsUnread {
            target_group: "tis".to_owned(),
        },
        HoldReason::TakenOutAgain { times: 3 },
        HoldReason::LaunchedAlready {
            instance: BLUE.into(),
        },
    ];
    for hold in holds {
        assert!(hold.sentence().len() > 20, "{hold:?}");
    }
}
