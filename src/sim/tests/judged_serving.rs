//! Oracles of what no remedy does yet: a hand-made caller breaks each, and its careful twin does not.

use aws_sdk_ec2::types::{InstanceType, ResourceType, Tag, TagSpecification};
use aws_sdk_elasticloadbalancingv2::types::TargetDescription;
use tokio::time::sleep;

use super::judged::{Controller, declared};
use super::*;
use crate::sim::oracle::Declared;
use crate::sim::world::{InstanceSpec, Scope, TargetGroupSpec, incident};

/// Three sound instances in `tis-prod`; the slots are `blue`, `green` and `new`.
/// What replacements are launched from.
const TO_LAUNCH: &str = "ami-0b5e0000000000001";

fn world() -> WorldBuilder {
    WorldBuilder::new(1)
        .image(crate::sim::world::ImageSpec::new(incident::IMAGE))
        .image(crate::sim::world::ImageSpec::new(TO_LAUNCH))
        .instance(
            InstanceSpec::new(incident::BLUE)
                .name("tis-prod-blue")
                .zone("eu-west-2a"),
        )
        .instance(
            InstanceSpec::new(incident::GREEN)
                .name("tis-prod-green")
                .zone("eu-west-2b"),
        )
        .target_group(
            TargetGroupSpec::new("tis-prod", 8080)
                .target(incident::BLUE)
                .target(incident::GREEN),
        )
        .target_group(TargetGroupSpec::new("other", 8443))
}

pub(super) fn listed() -> Declared {
    let mut declared = declared();
    for slot in &mut declared.services[0].slots {
        *slot = slot.clone().group("tis-prod", None);
    }
    declared
}

pub(super) fn arn(name: &str) -> String {
    crate::sim::world::builder::target_group_arn(&Scope::new(ACCOUNT, REGION), name)
}

/// What the test's caller breaks, by name.
pub(super) fn breaks<F: Future<Output = ()>>(
    declared: Declared,
    test: impl FnOnce(Controller, aws_sdk_elasticloadbalancingv2::Client) -> F,
) -> Vec<&'static str> {
    simulate(world(), |cloud| async move {
        cloud.declare(declared);
        let life = Incarnation::controller(1);
        let elb = aws_sdk_elasticloadbalancingv2::Client::new(&sdk_of(&cloud, &life, ACCOUNT, REGION));
        let c = Controller::new(&cloud, &life);
        sleep(seconds(60)).await;
        c.look().await;
        test(Controller::new(&cloud, &life), elb).await;
        let names: std::collections::BTreeSet<_> = c.broken().into_iter().collect();
        names.into_iter().collect()
    })
}

pub(super) fn target(id: &str) -> TargetDescription {
    TargetDescription::builder().id(id).build()
}

#[test]
fn s6_the_last_healthy_target_stays() {
    let run = |min_healthy: usize| {
        let mut declared = listed();
        declared.services[0].min_healthy = min_healthy;
        breaks(declared, |_, elb| async move {
            let call = elb.deregister_targets().target_group_arn(arn("tis-prod"));
            call.targets(target(incident::BLUE)).send().await.unwrap();
        })
    };
    assert_eq!(run(1), [""; 0]);
    assert_eq!(run(2), ["S6 Floor"]);
}

#[test]
fn s19_an_instance_is_registered_only_where_its_slot_is_listed() {
    let run = |group: &'static str| {
        breaks(listed(), move |_, elb| async move {
            let call = elb.register_targets().target_group_arn(arn(group));
            call.targets(target(incident::BLUE)).send().await.unwrap();
        })
    };
    assert_eq!(run("tis-prod"), [""; 0]);
    assert_eq!(run("other"), ["S19 Colours"]);
}

#[test]
fn s12_nothing_drastic_is_done_while_the_breaker_is_open() {
    let run = |least: usize, known_for: u64| {
        let mut declared = listed();
        declared.breaker = (20, least);
        breaks(declared, move |c, elb| async move {
            c.cloud
                .world(|w| assert!(w.stop_by_aws(incident::GREEN, "Server.ScheduledStop")));
            sleep(seconds(120)).await;
            c.look().await;
            // What a look has shown a moment ago, a step that is on its way cannot know.
            sleep(seconds(known_for)).await;
            c.look().await;
            let call = elb.deregister_targets().target_group_arn(arn("tis-prod"));
            call.targets(target(incident::GREEN)).send().await.unwrap();
        })
    };
    assert_eq!(run(3, 10), [""; 0]);
    assert_eq!(run(1, 1), [""; 0]);
    assert_eq!(run(1, 10), ["S12 Breaker"]);
}

#[test]
fn s12_the_breaker_stays_open_for_ten_minutes_and_no_longer() {
    let run = |after: u64| {
        let mut declared = listed();
        declared.breaker = (20, 1);
        breaks(declared, move |c, elb| async move {
            c.cloud
                .world(|w| assert!(w.stop_by_aws(incident::GREEN, "Server.ScheduledStop")));
            sleep(seconds(120)).await;
            c.look().await;
            c.cloud.world(|w| assert!(w.start_by_person(incident::GREEN)));
            sleep(seconds(after)).await;
            c.look().await;
            let call = elb.deregister_targets().target_group_arn(arn("tis-prod"));
            call.targets(target(incident::GREEN)).send().await.unwrap();
        })
    };
    assert_eq!(run(570), ["S12 Breaker"]);
    assert_eq!(run(630), [""; 0]);
}

#[test]
fn s12_what_began_after_the_look_cannot_be_known() {
    let mut declared = listed();
    declared.breaker = (20, 1);
    let broken = breaks(declared, |c, elb| async move {
        c.cloud
            .world(|w| assert!(w.impair(incident::GREEN, crate::sim::world::Check::System)));
        sleep(seconds(2)).await;
        c.look().await;
        let call = elb.deregister_targets().target_group_arn(arn("tis-prod"));
        call.targets(target(incident::GREEN)).send().await.unwrap();
    });
    assert_eq!(broken, [""; 0]);
}

#[test]
fn s7_and_s20_the_old_one_goes_last_and_only_if_the_policy_says_so() {
    let run = |careful: bool| {
        breaks(listed(), move |c, elb| async move {
            c.cloud
                .world(|w| assert!(w.retag(incident::GREEN, "keepgreen:replaces", Some(incident::BLUE))));
            if careful {
                let call = elb.deregister_targets().target_group_arn(arn("tis-prod"));
                call.targets(target(incident::BLUE)).send().await.unwrap();
                sleep(seconds(120)).await;
            }
            c.look().await;
            let _ = c.ec2.stop_instances().instance_ids(incident::BLUE).send().await;
        })
    };
    assert_eq!(run(true), [""; 0]);
    assert_eq!(run(false), ["S7 Replace order"]);
    let broken = breaks(listed(), |c, _| async move {
        let _ = c
            .ec2
            .terminate_instances()
            .instance_ids(incident::BLUE)
            .send()
            .await;
    });
    assert_eq!(broken, ["S20 Nothing lost, nothing left", "S8 Do no harm"]);
}

/// A launch in blue's place, with what `more` adds.
pub(super) async fn launch(c: &Controller, token: &str, owner: &str, repair: &str, kind: InstanceType) {
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
    let tags = TagSpecification::builder()
        .resource_type(ResourceType::Instance)
        .tags(tag(owner, "tis"))
        .tags(tag("keepgreen:repair", repair))
        .tags(tag("keepgreen:replaces", incident::BLUE));
    let placement = aws_sdk_ec2::types::Placement::builder().availability_zone("eu-west-2a");
    let call = c.ec2.run_instances().image_id(TO_LAUNCH).instance_type(kind);
    let call = call
        .min_count(1)
        .max_count(1)
        .client_token(token)
        .placement(placement.build());
    let _ = call.tag_specifications(tags.build()).send().await;
}

/// What is wrong with blue.
#[derive(Clone, Copy)]
enum Bad {
    Nothing,
    Checks,
    Image { for_s: u64 },
}

#[test]
fn s3_s4_s9_s20_a_launch_is_one_is_asked_for_alike_has_a_reason_and_an_owner() {
    let run = |bad: Bad, second: Option<(&'static str, InstanceType)>, owner: &'static str| {
        let mut declared = listed();
        declared.services[0].heal.image_gone = Some(seconds(60));
        breaks(declared, move |c, _| async move {
            match bad {
                Bad::Image { for_s } => {
                    c.cloud.world(|w| assert!(w.deregister_image(incident::IMAGE)));
                    sleep(seconds(for_s)).await;
                }
                Bad::Checks => c
                    .cloud
                    .world(|w| assert!(w.impair(incident::BLUE, crate::sim::world::Check::System))),
                Bad::Nothing => {}
            }
            c.look().await;
            launch(&c, "one", owner, "r1", InstanceType::T3Small).await;
            if let Some((token, kind)) = second {
                c.look().await;
                launch(&c, token, owner, "r1", kind).await;
            }
        })
    };
    let owner = "keepgreen:service";
    let gone = Bad::Image { for_s: 90 };
    assert_eq!(run(gone, None, owner), [""; 0]);
    assert_eq!(run(gone, Some(("one", InstanceType::T3Small)), owner), [""; 0]);
    assert_eq!(
        run(gone, Some(("two", InstanceType::T3Small)), owner),
        ["S3 At most one"]
    );
    assert_eq!(
        run(gone, Some(("one", InstanceType::T3Large)), owner),
        ["S4 Token purity"]
    );
    for bad in [Bad::Nothing, Bad::Checks, Bad::Image { for_s: 30 }] {
        assert_eq!(run(bad, None, owner), ["S9 Absence is not gone"]);
    }
    assert_eq!(run(gone, None, "somebody"), ["S20 Nothing lost, nothing left"]);
}

#[test]
fn s10_an_instance_whose_health_is_unknown_is_left_alone() {
    let run = |wait: u64| {
        breaks(listed(), move |c, elb| async move {
            c.cloud.world(|w| assert!(w.stop_by_person(incident::GREEN)));
            sleep(seconds(120)).await;
            c.cloud.world(|w| assert!(w.start_by_person(incident::GREEN)));
            sleep(seconds(wait)).await;
            c.look().await;
            let call = elb.deregister_targets().target_group_arn(arn("tis-prod"));
            call.targets(target(incident::GREEN)).send().await.unwrap();
        })
    };
    assert_eq!(run(1800), [""; 0]);
    assert_eq!(run(90), ["S10 Unknown is not false"]);
}
