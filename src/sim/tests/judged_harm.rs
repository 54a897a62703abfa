//! Oracles of what an instance may be touched for: S1, S8, S9, S11 and S17, each broken by hand, with a careful twin.

use aws_sdk_ec2::types::InstanceType;
use tokio::time::sleep;

use super::judged::Controller;
use super::judged_serving::{arn, breaks, launch, listed, target};
use super::*;
use crate::sim::oracle::{Declared, Heal};
use crate::sim::world::{App, Check, World, incident, later};

const HARM: &str = "S8 Do no harm";

fn healing(heal: Heal) -> Declared {
    let mut declared = listed();
    declared.services[0].heal = heal;
    declared
}

async fn stop(c: &Controller, id: &str) {
    let _ = c.ec2.stop_instances().instance_ids(id).send().await;
}

async fn reboot(c: &Controller, id: &str) {
    let _ = c.ec2.reboot_instances().instance_ids(id).send().await;
}

/// Blue has this trouble for so long when it is stopped, or rebooted.
fn touched(heal: Heal, trouble: fn(&mut World), wait: u64, reboots: bool) -> Vec<&'static str> {
    breaks(healing(heal), move |c, _| async move {
        c.cloud.world(trouble);
        sleep(seconds(wait)).await;
        c.look().await;
        match reboots {
            true => reboot(&c, incident::BLUE).await,
            false => stop(&c, incident::BLUE).await,
        }
    })
}

#[test]
fn s8_a_running_instance_is_touched_for_a_reason_that_the_policy_knows() {
    let heal = Heal {
        impaired_system: Some(seconds(300)),
        ..Heal::default()
    };
    let impaired: fn(&mut World) = |w| assert!(w.impair(incident::BLUE, Check::System));
    assert_eq!(touched(heal, |_| {}, 400, false), [HARM]);
    assert_eq!(touched(heal, impaired, 400, false), [""; 0]);
    assert_eq!(touched(heal, impaired, 400, true), [""; 0]);
    assert_eq!(touched(heal, impaired, 200, false), [HARM], "within the grace");
    let instead = Heal {
        impaired_instance: Some(seconds(300)),
        ..Heal::default()
    };
    assert_eq!(touched(instead, impaired, 400, false), [HARM], "the other check");
}

#[test]
fn s8_a_stop_moves_what_aws_will_retire_and_a_reboot_does_not() {
    let heal = Heal {
        scheduled_event: true,
        ..Heal::default()
    };
    let retires: fn(&mut World) = |w| {
        let at = later(w.now(), seconds(86_400));
        w.schedule_event(incident::BLUE, "instance-retirement", at);
    };
    assert_eq!(touched(heal, retires, 60, false), [""; 0]);
    assert_eq!(touched(heal, retires, 60, true), [HARM]);
    assert_eq!(touched(Heal::default(), retires, 60, false), [HARM]);
}

#[test]
fn s8_an_unhealthy_target_is_touched_while_another_one_serves() {
    let heal = Heal {
        unhealthy: Some(seconds(60)),
        ..Heal::default()
    };
    let sick: fn(&mut World) = |w| assert!(w.set_app(incident::BLUE, App::Broken));
    assert_eq!(touched(heal, sick, 600, true), [""; 0]);
    assert_eq!(touched(Heal::default(), sick, 600, true), [HARM]);
    let all: fn(&mut World) = |w| {
        assert!(w.set_app(incident::BLUE, App::Broken));
        assert!(w.set_app(incident::GREEN, App::Broken));
    };
    assert_eq!(touched(heal, all, 600, true), ["S12 Breaker", HARM]);
}

#[test]
fn s8_a_failed_attempt_may_be_ended_and_a_sound_instance_may_not() {
    let ends = |replaces: &'static str| {
        breaks(listed(), move |c, _| async move {
            c.cloud
                .world(|w| assert!(w.retag(incident::GREEN, "keepgreen:replaces", Some(replaces))));
            sleep(seconds(10)).await;
            c.look().await;
            let call = c.ec2.terminate_instances().instance_ids(incident::GREEN);
            let _ = call.send().await;
        })
    };
    assert_eq!(ends(incident::BLUE), [""; 0]);
    let lost = "S20 Nothing lost, nothing left";
    assert_eq!(ends("i-00000000000000000"), [lost, HARM], "of one that never was");
}

#[test]
fn s17_what_is_protected_from_termination_is_not_terminated() {
    let run = |protected: bool| {
        breaks(listed(), move |c, _| async move {
            c.cloud.world(|w| {
                assert!(w.retag(incident::GREEN, "keepgreen:replaces", Some(incident::BLUE)));
                assert!(w.protect(incident::GREEN, protected, false));
            });
            sleep(seconds(10)).await;
            c.look().await;
            let call = c.ec2.terminate_instances().instance_ids(incident::GREEN);
            let _ = call.send().await;
        })
    };
    assert_eq!(run(false), [""; 0]);
    assert_eq!(run(true), ["S17 Legal transitions"]);
}

#[test]
fn s1_what_is_retired_may_be_ended_and_not_started_and_a_tag_alone_makes_nothing_ours() {
    let run = |strange: bool, ends: bool| {
        breaks(listed(), move |c, _| async move {
            c.cloud.world(|w| {
                assert!(w.retag(incident::GREEN, "keepgreen:retired", Some("yes")));
                assert!(w.retag(incident::GREEN, "keepgreen:service", Some("tis")));
                if strange {
                    assert!(w.retag(incident::GREEN, "Name", Some("somebody-elses")));
                }
                assert!(w.stop_by_aws(incident::GREEN, "Server.ScheduledStop"));
            });
            sleep(seconds(120)).await;
            c.look().await;
            if ends {
                let call = c.ec2.terminate_instances().instance_ids(incident::GREEN);
                let _ = call.send().await;
            } else {
                c.start(incident::GREEN).await;
            }
        })
    };
    let lost = "S20 Nothing lost, nothing left";
    assert_eq!(run(false, true), [lost], "its policy says so never; it is ours");
    assert_eq!(run(true, true), ["S1 Ownership", lost]);
    assert_eq!(run(false, false), ["S1 Ownership"]);
}

#[test]
fn s11_no_more_repairs_at_once_than_the_policy_says() {
    let run = |at_once: usize| {
        let mut declared = listed();
        declared.services[0].min_healthy = 0;
        declared.services[0].max_concurrent = at_once;
        breaks(declared, |c, elb| async move {
            for id in [incident::BLUE, incident::GREEN] {
                c.look().await;
                let call = elb.deregister_targets().target_group_arn(arn("tis-prod"));
                call.targets(target(id)).send().await.unwrap();
                sleep(seconds(5)).await;
            }
        })
    };
    assert_eq!(run(2), [""; 0]);
    assert_eq!(run(1), ["S11 Caps"]);
}

#[test]
fn s9_a_loss_must_last_for_its_grace() {
    let run = |heal: Heal, trouble: fn(&mut World), wait: u64| {
        breaks(healing(heal), move |c, _| async move {
            c.cloud.world(trouble);
            sleep(seconds(wait)).await;
            c.look().await;
            launch(&c, "one", "keepgreen:service", "r1", InstanceType::T3Small).await;
        })
    };
    let heal = Heal {
        missing: Some(seconds(300)),
        image_gone: Some(seconds(600)),
        ..Heal::default()
    };
    let absence = "S9 Absence is not gone";
    let ended: fn(&mut World) = |w| assert!(w.terminate(incident::BLUE));
    assert_eq!(run(heal, ended, 500), [""; 0]);
    assert_eq!(run(heal, ended, 200), [absence]);
    assert_eq!(
        run(Heal::default(), ended, 500),
        [absence],
        "the policy says alert"
    );
    let image: fn(&mut World) = |w| assert!(w.deregister_image(incident::IMAGE));
    assert_eq!(run(heal, image, 700), [""; 0]);
    assert_eq!(run(heal, image, 500), [absence]);
    assert_eq!(
        run(heal, |w| assert!(w.disable_image(incident::IMAGE)), 700),
        [absence]
    );
}
