//! Oracles of processes beside and after one another: S14, S15, L3, L4 and L5, each broken by hand.

use jiff::Timestamp;
use tokio::time::sleep;

use super::judged::{Controller, PAUSE, declared, judged, post_to};
use super::judged_later::intent;
use super::*;
use crate::sim::fault::{Fault, When};
use crate::sim::oracle::{Declared, LeaseRule};
use crate::sim::world::{Scope, incident};

/// Several replicas run.
fn leased() -> Declared {
    Declared {
        lease: Some(LeaseRule {
            lasts: seconds(30),
            call_timeout: seconds(10),
            skew: seconds(2),
        }),
        ..declared()
    }
}

fn before(c: &Controller, ago: u64) -> Timestamp {
    crate::sim::world::earlier(c.cloud.world(|w| w.now()), seconds(ago))
}

#[test]
fn s14_a_mutation_is_sent_only_under_an_own_lease_that_outlasts_the_call() {
    let run = |holder: Option<u32>, ago: u64, given_up: bool| {
        judged(leased(), move |c| async move {
            c.look().await;
            if let Some(life) = holder {
                c.cloud.lease_taken(life, "tis", before(&c, ago));
            }
            if given_up {
                c.cloud.lease_given_up(1, "tis");
            }
            c.start(incident::GREEN).await;
            assert!(c.cloud.premises()["S14 Lease"] > 0);
            c.broken()
        })
    };
    assert_eq!(run(Some(1), 10, false), [""; 0]);
    assert_eq!(run(Some(1), 18, false), ["S14 Lease"], "12 s are needed");
    assert_eq!(run(Some(2), 0, false), ["S14 Lease"], "another's");
    assert_eq!(run(None, 0, false), ["S14 Lease"]);
    assert_eq!(run(Some(1), 0, true), ["S14 Lease"]);
}

#[test]
fn s15_a_lease_is_given_up_only_after_its_calls_have_settled() {
    let run = |wait: u64| {
        judged(leased(), move |c| async move {
            c.cloud
                .inject(When::action("StartInstances"), Fault::AppliedNoAnswer);
            c.look().await;
            c.cloud.lease_taken(1, "tis", before(&c, 0));
            let gives_up = async {
                sleep(seconds(wait)).await;
                c.cloud.lease_given_up(1, "tis");
            };
            tokio::join!(c.start(incident::GREEN), gives_up);
            c.broken()
        })
    };
    assert_eq!(run(1), ["S15 One writer"]);
    assert_eq!(run(10), [""; 0]);
}

#[test]
fn l4_a_dead_replicas_services_are_taken_over_in_time() {
    let run = |heir_since: Option<u64>, taken_after: Option<u64>| {
        judged(leased(), move |c| async move {
            c.cloud.life_began(1);
            c.cloud.lease_taken(1, "tis", before(&c, 0));
            if heir_since == Some(0) {
                c.cloud.life_began(2);
            }
            sleep(seconds(20)).await;
            c.cloud.life_ended(1);
            if let Some(since) = heir_since.filter(|since| *since > 0) {
                sleep(seconds(since)).await;
                c.cloud.life_began(2);
            }
            if let Some(after) = taken_after {
                sleep(seconds(after)).await;
                c.cloud.lease_taken(2, "tis", before(&c, 0));
            }
            sleep(seconds(300)).await;
            c.cloud.finish();
            c.broken()
        })
    };
    assert_eq!(run(Some(0), Some(59)), [""; 0]);
    assert_eq!(run(Some(0), Some(61)), ["L4 Takeover"]);
    assert_eq!(run(Some(0), None), ["L4 Takeover"], "nobody ever");
    assert_eq!(run(Some(100), Some(59)), [""; 0], "nobody lived before");
    assert_eq!(run(Some(100), Some(61)), ["L4 Takeover"]);
    assert_eq!(run(None, None), [""; 0], "nobody lives");
}

#[test]
fn l3_what_hangs_elsewhere_delays_no_look() {
    let run = |hangs: bool, after: u64| {
        judged(declared(), move |c| async move {
            c.look().await;
            sleep(seconds(10)).await;
            if hangs {
                c.cloud.inject(When::host("hooks.slack.test"), Fault::Hang);
                post_to(&c.cloud, "hooks.slack.test", "a word").await;
            }
            sleep(seconds(after)).await;
            c.look().await;
            assert_eq!(c.cloud.premises()["L3 Isolation"] > 0, hangs);
            c.broken()
        })
    };
    assert_eq!(run(true, 120), [""; 0]);
    assert_eq!(run(true, 170), ["L3 Isolation"]);
    assert_eq!(run(false, 170), [""; 0], "nothing hung");
}

#[test]
fn l5_what_an_earlier_life_had_begun_is_not_replayed() {
    let broken = judged(declared(), |c| async move {
        c.cloud.journal_opened(1, Vec::new());
        c.cloud.journal_committed(vec![intent("intent-1", "open", None)]);
        sleep(seconds(60)).await;
        c.cloud.journal_opened(2, vec![intent("intent-1", "open", None)]);
        let c = Controller::new(&c.cloud, &Incarnation::controller(2));
        c.look().await;
        c.start(incident::GREEN).await;
        c.broken()
    });
    assert_eq!(broken, ["L5 Resume"]);
}

#[test]
fn l5_what_was_meant_before_a_pause_is_not_sent_after_it() {
    let run = |by_tag: bool, decides_anew: bool| {
        judged(declared(), move |c| async move {
            let scope = Scope::new(ACCOUNT, REGION);
            c.cloud.journal_opened(1, Vec::new());
            c.cloud.journal_committed(vec![intent("intent-1", "open", None)]);
            c.cloud.world(|w| match by_tag {
                true => assert!(w.retag(incident::GREEN, "keepgreen:pause", Some("lunch"))),
                false => w.set_parameter(&scope, PAUSE, "{}"),
            });
            c.look().await;
            c.cloud.world(|w| match by_tag {
                true => assert!(w.retag(incident::GREEN, "keepgreen:pause", None)),
                false => w.delete_parameter_by_person(&scope, PAUSE),
            });
            sleep(seconds(5)).await;
            if decides_anew {
                let mut ended = intent("intent-1", "ended", None);
                ended.outcome = Some("not-sent".to_owned());
                c.cloud
                    .journal_committed(vec![ended, intent("intent-2", "open", None)]);
            }
            c.look().await;
            c.start(incident::GREEN).await;
            c.broken()
        })
    };
    for by_tag in [false, true] {
        assert_eq!(run(by_tag, true), [""; 0], "by tag: {by_tag}");
        assert_eq!(run(by_tag, false), ["L5 Resume"], "by tag: {by_tag}");
    }
}

#[test]
fn l5_a_process_that_resumes_makes_no_wave_of_mutations() {
    let run = |times: usize| {
        judged(declared(), move |c| async move {
            c.cloud.journal_opened(1, Vec::new());
            c.cloud.journal_opened(2, Vec::new());
            let c = Controller::new(&c.cloud, &Incarnation::controller(2));
            c.cloud.inject(When::action("StartInstances"), Fault::throttled());
            for n in 0..times {
                let id = format!("intent-{n}");
                c.cloud.journal_committed(vec![intent(&id, "open", None)]);
                c.look().await;
                c.start(incident::GREEN).await;
                sleep(seconds(5)).await;
            }
            c.broken()
        })
    };
    assert_eq!(run(3), [""; 0]);
    assert_eq!(run(4), ["L5 Resume"]);
}

#[test]
fn l5_a_process_that_resumes_makes_no_wave_of_reads() {
    let run = |every_ms: u64| {
        judged(declared(), move |c| async move {
            c.look().await;
            c.start(incident::GREEN).await;
            sleep(seconds(1800)).await;
            let c = Controller::new(&c.cloud, &Incarnation::controller(2));
            for _ in 0..150 {
                let _ = c.ec2.describe_instance_status().max_results(5).send().await;
                sleep(Duration::from_millis(every_ms)).await;
            }
            c.broken()
        })
    };
    assert_eq!(run(250), [""; 0]);
    assert_eq!(run(20), ["L5 Resume"]);
}
