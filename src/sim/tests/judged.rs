//! The oracles: each is shown a run that breaks its invariant, and must say so; and a sound run, and must not.

use aws_smithy_runtime_api::client::http::{HttpClient, HttpConnector, HttpConnectorSettings};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_types::body::SdkBody;
use tokio::time::sleep;

use super::*;
use crate::sim::fault::{Fault, When};
use crate::sim::oracle::{Declared, OperatorStop, Pause, Select, Service, Slot};
use crate::sim::world::{InstanceSpec, Scope, Staleness, incident};

pub(super) const PAUSE: &str = "/keepgreen/pause";

pub(super) fn declared() -> Declared {
    let scope = Scope::new(ACCOUNT, REGION);
    let slots = [("blue", "tis-prod-blue"), ("green", "tis-prod-green")];
    Declared {
        services: vec![Service::by_name("tis", scope.clone(), &slots)],
        mutations_per_hour: Some(60),
        pause_parameter: Some((scope, PAUSE.to_owned())),
        ..Declared::default()
    }
}

pub(super) struct Controller {
    pub(super) cloud: Cloud,
    pub(super) ec2: aws_sdk_ec2::Client,
    pub(super) ssm: aws_sdk_ssm::Client,
}

impl Controller {
    pub(super) fn new(cloud: &Cloud, life: &Incarnation) -> Self {
        let sdk = sdk_of(cloud, life, ACCOUNT, REGION);
        Self {
            cloud: cloud.clone(),
            ec2: aws_sdk_ec2::Client::new(&sdk),
            ssm: aws_sdk_ssm::Client::new(&sdk),
        }
    }

    pub(super) async fn look(&self) {
        self.ec2.describe_instances().send().await.unwrap();
        let _ = self.ssm.get_parameter().name(PAUSE).send().await;
    }

    pub(super) async fn start(&self, id: &str) {
        let _ = self.ec2.start_instances().instance_ids(id).send().await;
    }

    pub(super) fn broken(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.cloud.violations().iter().map(|v| v.invariant).collect();
        names.dedup();
        names
    }
}

/// Green is stopped by AWS and long down; then the test goes on.
pub(super) fn judged<F: Future<Output = Vec<&'static str>>>(
    declared: Declared,
    test: impl FnOnce(Controller) -> F,
) -> Vec<&'static str> {
    simulate(incident::world(1), |cloud| async move {
        cloud.declare(declared);
        cloud.world(|w| assert!(w.stop_by_aws(incident::GREEN, "Server.ScheduledStop")));
        sleep(seconds(60)).await;
        test(Controller::new(&cloud, &Incarnation::controller(1))).await
    })
}

#[test]
fn a_look_and_a_start_break_nothing() {
    let broken = judged(declared(), |c| async move {
        c.look().await;
        c.start(incident::GREEN).await;
        sleep(seconds(120)).await;
        c.broken()
    });
    assert_eq!(broken, [""; 0]);
}

#[test]
fn s1_a_stranger_or_a_doubly_selected_instance_is_not_ours() {
    let broken = judged(
        Declared {
            services: Vec::new(),
            ..declared()
        },
        |c| async move {
            c.look().await;
            c.start(incident::GREEN).await;
            c.broken()
        },
    );
    assert_eq!(broken, ["S1 Ownership"]);
    let mut twice = declared();
    let select = Select::Ids(vec![incident::GREEN.to_owned()]);
    twice.services[0].slots.push(Slot::new("also", select));
    let broken = judged(twice, |c| async move {
        c.look().await;
        c.start(incident::GREEN).await;
        c.broken()
    });
    assert_eq!(broken, ["S1 Ownership"]);
}

#[test]
fn s1_judges_by_what_the_look_could_rightly_see() {
    let broken = judged(declared(), |c| async move {
        c.look().await;
        // Retagged between the look and the start: nobody could have known.
        c.cloud
            .world(|w| w.retag(incident::GREEN, "Name", Some("somebody-elses")));
        c.start(incident::GREEN).await;
        c.broken()
    });
    assert_eq!(broken, [""; 0]);
    let broken = judged(declared(), |c| async move {
        c.cloud
            .world(|w| w.retag(incident::GREEN, "Name", Some("somebody-elses")));
        sleep(seconds(10)).await;
        c.look().await;
        c.start(incident::GREEN).await;
        c.broken()
    });
    assert_eq!(broken, ["S1 Ownership"]);
}

#[test]
fn s2_the_account_of_the_credentials_counts() {
    let world = incident::world(1).account("444455556666");
    let broken = simulate(world, |cloud| async move {
        cloud.declare(Declared {
            pause_parameter: None,
            ..declared()
        });
        let sdk = sdk_of(&cloud, &Incarnation::controller(1), "444455556666", REGION);
        let ec2 = aws_sdk_ec2::Client::new(&sdk);
        let _ = ec2.start_instances().instance_ids(incident::GREEN).send().await;
        cloud.violations().iter().map(|v| v.invariant).collect::<Vec<_>>()
    });
    assert!(broken.contains(&"S2 Identity"), "{broken:?}");
}

#[test]
fn s8_and_s17_nothing_running_is_stopped_and_only_the_stopped_is_started() {
    let broken = judged(declared(), |c| async move {
        c.look().await;
        let _ = c.ec2.stop_instances().instance_ids(incident::BLUE).send().await;
        c.broken()
    });
    assert_eq!(broken, ["S6 Floor", "S8 Do no harm"], "green is down");
    let broken = judged(declared(), |c| async move {
        c.look().await;
        c.start(incident::BLUE).await;
        c.broken()
    });
    assert_eq!(broken, ["S17 Legal transitions"]);
    for odd in [
        InstanceSpec::new(&id(1)).spot(),
        InstanceSpec::new(&id(1)).group("web"),
    ] {
        let world = incident::world(1).instance(odd.stopped("Server.ScheduledStop"));
        let broken = simulate(world, |cloud| async move {
            let mut declared = declared();
            declared.services[0].slots[0].select = Select::Ids(vec![id(1)]);
            cloud.declare(declared);
            let c = Controller::new(&cloud, &Incarnation::controller(1));
            c.look().await;
            c.start(&id(1)).await;
            c.broken()
        });
        assert_eq!(broken, ["S17 Legal transitions"]);
    }
}

#[test]
fn s11_the_hourly_cap_counts_over_restarts() {
    let broken = judged(
        Declared {
            mutations_per_hour: Some(3),
            ..declared()
        },
        |c| async move {
            let mut counts = Vec::new();
            for n in 1..=4 {
                let c = Controller::new(&c.cloud, &Incarnation::controller(n));
                c.cloud
                    .inject(When::action("StartInstances").once(), Fault::throttled());
                c.look().await;
                c.start(incident::GREEN).await;
                counts.push(c.cloud.violations().len());
                sleep(seconds(60)).await;
            }
            assert_eq!(counts, [0, 0, 0, 1]);
            sleep(seconds(3600)).await;
            c.look().await;
            c.start(incident::GREEN).await;
            assert_eq!(c.cloud.violations().len(), 1);
            c.broken()
        },
    );
    assert_eq!(broken, ["S11 Caps"]);
}

/// What somebody does, given a time in ten minutes, and whether it pauses green.
type PauseCase = (&'static str, fn(&mut World, &str), bool);

fn set(world: &mut World, name: &str, value: &str) {
    world.set_parameter(&Scope::new(ACCOUNT, REGION), name, value);
}

const PAUSE_CASES: [PauseCase; 8] = [
    ("parameter", |w, _| set(w, PAUSE, "hands off"), true),
    (
        "service's parameter",
        |w, _| set(w, "/keepgreen/pause/tis", "x"),
        true,
    ),
    (
        "other service's",
        |w, _| set(w, "/keepgreen/pause/other", "x"),
        false,
    ),
    (
        "until later",
        |w, soon| set(w, PAUSE, &format!("{{\"until\":\"{soon}\"}}")),
        true,
    ),
    (
        "expired",
        |w, _| set(w, PAUSE, "{\"until\":\"2020-01-01T00:00:00Z\"}"),
        false,
    ),
    (
        "tag",
        |w, _| assert!(w.retag(incident::GREEN, "keepgreen:pause", Some(""))),
        true,
    ),
    (
        "tag until later",
        |w, soon| assert!(w.retag(incident::GREEN, "keepgreen:pause", Some(soon))),
        true,
    ),
    (
        "tag of the other",
        |w, _| assert!(w.retag(incident::BLUE, "keepgreen:pause", Some("x"))),
        false,
    ),
];

#[test]
fn s13_every_pause_that_the_world_shows_is_respected() {
    for (name, act, pauses) in PAUSE_CASES {
        let broken = judged(declared(), |c| async move {
            let soon = (c.cloud.clock().now() + seconds(600)).to_string();
            c.cloud.world(|w| act(w, &soon));
            sleep(seconds(2)).await;
            c.look().await;
            c.start(incident::GREEN).await;
            c.broken()
        });
        assert_eq!(broken.contains(&"S13 Pause"), pauses, "{name}");
    }
}

#[test]
fn s13_a_declared_pause_leaves_a_second() {
    let broken = judged(declared(), |c| async move {
        let from = c.cloud.clock().now();
        let pause = Pause {
            service: Some("tis".into()),
            from,
            until: None,
        };
        c.cloud.declare(Declared {
            pauses: vec![pause],
            ..declared()
        });
        c.look().await;
        c.start(incident::GREEN).await;
        assert_eq!(c.broken(), [""; 0], "within the second");
        sleep(seconds(2)).await;
        c.look().await;
        c.start(incident::GREEN).await;
        c.broken()
    });
    assert!(broken.contains(&"S13 Pause"), "{broken:?}");
}

#[test]
fn s13_an_unread_unreadable_or_old_flag_counts_as_set() {
    for (what, age, deny) in [("old", 2, false), ("unreadable", 0, true)] {
        let broken = judged(declared(), |c| async move {
            c.cloud.world(|w| w.deny(ACCOUNT, "GetParameter", deny));
            c.look().await;
            sleep(seconds(age)).await;
            c.start(incident::GREEN).await;
            c.broken()
        });
        assert_eq!(broken, ["S13 Pause"], "{what}");
    }
}

#[test]
fn s15_two_starts_of_one_service_do_not_overlap() {
    let broken = judged(declared(), |c| async move {
        c.cloud
            .world(|w| assert!(w.stop_by_aws(incident::BLUE, "Server.ScheduledStop")));
        sleep(seconds(60)).await;
        c.look().await;
        futures_util::future::join(c.start(incident::BLUE), c.start(incident::GREEN)).await;
        c.broken()
    });
    assert_eq!(broken, ["S15 One writer"]);
}

#[test]
fn s16_the_look_is_fresh_and_includes_own_writes() {
    let broken = judged(declared(), |c| async move {
        c.look().await;
        sleep(seconds(6)).await;
        let _ = c.ssm.get_parameter().name(PAUSE).send().await;
        c.start(incident::GREEN).await;
        c.broken()
    });
    assert_eq!(broken, ["S16 Freshness"]);
    let broken = judged(declared(), |c| async move {
        c.cloud
            .inject(When::action("StartInstances").once(), Fault::throttled());
        c.look().await;
        c.start(incident::GREEN).await;
        c.start(incident::GREEN).await;
        c.broken()
    });
    assert_eq!(broken, ["S16 Freshness"]);
}

#[test]
fn s18_a_persons_stop_is_handled_as_the_policy_says() {
    let run = |rule: OperatorStop, told: bool, wait: u64, again: bool| {
        let mut declared = declared();
        declared.services[0].operator_stop = rule;
        judged(declared, move |c| async move {
            c.cloud.world(|w| assert!(w.stop_by_person(incident::BLUE)));
            if told {
                post(&c.cloud, incident::BLUE).await;
            }
            sleep(seconds(wait)).await;
            c.look().await;
            c.start(incident::BLUE).await;
            if again {
                sleep(seconds(600)).await;
                c.cloud.world(|w| assert!(w.stop_by_person(incident::BLUE)));
                sleep(seconds(wait)).await;
                c.look().await;
                c.start(incident::BLUE).await;
            }
            c.broken()
        })
    };
    let after = OperatorStop::StartAfter(seconds(900));
    assert_eq!(run(after, true, 600, false), ["S18 Others' intent"]);
    assert_eq!(run(after, true, 1000, false), [""; 0]);
    assert_eq!(
        run(after, false, 1000, false),
        ["S18 Others' intent"],
        "nobody was told"
    );
    assert_eq!(run(after, false, 3700, false), [""; 0]);
    assert_eq!(run(after, true, 1000, true), ["S18 Others' intent"]);
    assert_eq!(
        run(OperatorStop::Leave, true, 86_400, false),
        ["S18 Others' intent"]
    );
}

/// Somebody tells the channel about an instance.
async fn post(cloud: &Cloud, about: &str) {
    post_to(cloud, "hooks.slack.test", about).await;
}

/// The controller posts a message with this headline to a host, whatever comes of it.
pub(super) async fn post_to(cloud: &Cloud, host: &str, headline: &str) {
    let settings = HttpConnectorSettings::builder()
        .read_timeout(READ_TIMEOUT)
        .build();
    let parts = RuntimeComponentsBuilder::for_tests().build().unwrap();
    let connector = cloud
        .http_client(&Incarnation::controller(1))
        .http_connector(&settings, &parts);
    let mut request = HttpRequest::new(SdkBody::from(format!("{{\"text\":\"{headline}\"}}")));
    request.set_method("POST").unwrap();
    request.set_uri(format!("https://{host}/x")).unwrap();
    let _ = connector.call(request).await;
}

#[test]
fn s18_a_slot_meant_to_be_stopped_is_left_alone() {
    let mut idle = declared();
    idle.services[0].slots[1].idle = true;
    let broken = judged(idle, |c| async move {
        c.look().await;
        c.start(incident::GREEN).await;
        c.broken()
    });
    assert_eq!(broken, ["S18 Others' intent"]);
}

#[test]
fn s24_a_dry_run_writes_nothing() {
    let broken = simulate(incident::world(1), |cloud| async move {
        cloud.declare(declared());
        let sdk = sdk_of(&cloud, &Incarnation::dry_run(1), ACCOUNT, REGION);
        let put = aws_sdk_ssm::Client::new(&sdk)
            .put_parameter()
            .name("/x")
            .value("y");
        let _ = put.r#type(aws_sdk_ssm::types::ParameterType::String).send().await;
        cloud.violations().iter().map(|v| v.invariant).collect::<Vec<_>>()
    });
    assert_eq!(broken, ["S24 Dry run"]);
}

#[test]
fn a_start_that_a_stale_read_made_look_right_is_forgiven() {
    let broken = judged(declared(), |c| async move {
        c.cloud.world(|w| {
            w.set_staleness(Staleness {
                reads_lag: seconds(120),
                ..Default::default()
            });
        });
        sleep(seconds(120)).await;
        c.cloud.world(|w| assert!(w.start_by_person(incident::GREEN)));
        sleep(seconds(60)).await;
        c.look().await;
        c.start(incident::GREEN).await;
        c.broken()
    });
    assert_eq!(broken, [""; 0]);
}

#[test]
fn people_are_never_judged() {
    let broken = simulate(incident::world(1), |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        ec2.stop_instances()
            .instance_ids(incident::BLUE)
            .send()
            .await
            .unwrap();
        cloud.violations()
    });
    assert_eq!(broken, []);
}
