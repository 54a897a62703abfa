//! The program's own clients and looks, over the simulated AWS.

use futures_util::StreamExt as _;

use super::*;
use crate::aws::{Priority, Reader, ScopeKey, Sdk};
use crate::env::Clock;
use crate::model::{
    Coverage, ImageListing, ImageState, InstanceState, Observation, Part, StoppedBy, TargetState,
};
use crate::observe::{Asked, Lookout, TargetGroupDirectory, look, look_again};
use crate::policy::{Channels, Policy, parse_policy};
use crate::sim::world::incident;
use crate::sim::{Fault, When};

const TIS: &str = "
service: tis
slots:
  blue: { select: { tags: { Name: tis-prod-blue } }, target_groups: [tis-prod] }
  green: { select: { tags: { Name: tis-prod-green } }, target_groups: [tis-prod] }
";

struct Eyes {
    reader: Reader,
    clock: Clock,
    directory: TargetGroupDirectory,
    policy: Policy,
}

impl Eyes {
    async fn open(cloud: &Cloud) -> Self {
        let env = cloud.env(1);
        let clock = env.clock.clone();
        let seams = cloud.seams(&Incarnation::dry_run(1), ACCOUNT, REGION, 1);
        let sdk = Sdk::new(env, seams);
        let reader = Reader::new(
            &sdk,
            &ScopeKey {
                role: None,
                region: None,
            },
        )
        .await
        .unwrap();
        let policy = parse_policy("tis.yaml", TIS, Channels::Unchecked).policy.unwrap();
        Self {
            reader,
            clock,
            directory: TargetGroupDirectory::new(),
            policy,
        }
    }

    async fn look(&self) -> Observation {
        let from = Lookout {
            reader: &self.reader,
            directory: &self.directory,
            clock: &self.clock,
            priority: Priority::Quiet,
        };
        let asked = [Asked::of(&self.policy)];
        let looks: Vec<_> = look(from, &asked).collect().await;
        looks.into_iter().next().unwrap()
    }
}

/// What each look says of an action that goes wrong in this way.
fn after(world: impl FnOnce(&Cloud) + 'static) -> Observation {
    simulate(incident::world(1), |cloud| async move {
        world(&cloud);
        Eyes::open(&cloud).await.look().await
    })
}

#[test]
fn the_evening_before_looks_healthy_and_whole() {
    let look = after(|_| {});
    assert_eq!(look.coverage, Coverage::Complete);
    assert_eq!(look.caller, Some(ACCOUNT.into()));
    assert!(
        look.instances
            .values()
            .all(|instance| instance.state == InstanceState::Running)
    );
    assert_eq!(
        (
            look.statuses.len(),
            look.image_metadata.len(),
            look.image_listings.len()
        ),
        (2, 2, 0)
    );
    let targets = &look.groups.get("tis-prod").unwrap().targets;
    assert!(
        targets.len() == 2
            && targets
                .iter()
                .all(|target| target.health.state == TargetState::Healthy)
    );
}

#[test]
fn the_incident_is_seen_with_its_cause_and_its_dead_image() {
    let look = simulate(incident::world(1), |cloud| async move {
        cloud.world(|world| {
            world.deregister_image(incident::IMAGE);
            world.stop_by_aws(incident::GREEN, "Server.ScheduledStop")
        });
        tokio::time::sleep(seconds(300)).await;
        Eyes::open(&cloud).await.look().await
    });
    assert_eq!(look.coverage, Coverage::Complete);
    let green = look.instances.get(&incident::GREEN.into()).unwrap();
    assert_eq!(
        (&green.state, green.stopped_by()),
        (&InstanceState::Stopped, Some(StoppedBy::Aws))
    );
    assert_eq!(
        look.image_metadata.get(&green.id).unwrap().state,
        ImageState::Deregistered
    );
    assert_eq!(
        look.image_listings.get(&incident::IMAGE.into()),
        Some(&ImageListing::Absent)
    );
    assert!(!look.statuses.contains_key(&green.id));
}

#[test]
fn every_way_in_which_a_read_fails_is_a_gap_in_its_part() {
    let actions = [
        ("GetCallerIdentity", Part::Identity),
        ("DescribeInstances", Part::Instances),
        ("DescribeInstanceStatus", Part::Statuses),
        ("DescribeInstanceImageMetadata", Part::ImageMetadata),
        ("DescribeTargetGroups", Part::TargetGroup("tis-prod".to_owned())),
        ("DescribeTargetHealth", Part::TargetGroup("tis-prod".to_owned())),
    ];
    for (action, part) in actions {
        let faults = [
            Fault::throttled(),
            Fault::not_authorized(action),
            Fault::HtmlError(502),
            Fault::Hang,
            Fault::ConnectionRefused,
            Fault::ConnectHang,
            Fault::DnsFailure,
            Fault::Truncated,
            Fault::expired_credentials(),
        ];
        for fault in faults {
            let told = format!("{action}: {fault:?}");
            let look = after(move |cloud| cloud.inject(When::action(action), fault));
            let parts: Vec<&Part> = look.coverage.gaps().iter().map(|gap| &gap.part).collect();
            assert_eq!(parts, [&part], "{told}");
        }
    }
}

#[test]
fn a_failure_in_passing_is_ridden_out_by_the_retries() {
    let look = after(|cloud| cloud.inject(When::any().times(2), Fault::HtmlError(503)));
    assert_eq!(look.coverage, Coverage::Complete);
}

#[test]
fn a_state_that_nobody_has_heard_of_is_kept_as_such() {
    let fault = Fault::UnknownMember("running".to_owned());
    let look = after(|cloud| cloud.inject(When::action("DescribeInstances"), fault));
    assert_eq!(look.instances.len(), 2);
    assert!(
        look.instances
            .values()
            .all(|instance| matches!(instance.state, InstanceState::Unknown(_)))
    );
}

#[test]
fn equal_runs_ask_equally() {
    let hash = || {
        simulate(incident::world(1), |cloud| async move {
            cloud.inject(When::any().times(5), Fault::HtmlError(503));
            let eyes = Eyes::open(&cloud).await;
            for _ in 0..3 {
                eyes.look().await;
                tokio::time::sleep(seconds(10)).await;
            }
            let asked = Asked::of(&eyes.policy);
            look_again(&eyes.reader, &asked, &eyes.clock, Priority::Start).await;
            cloud.trace_hash()
        })
    };
    assert_eq!(hash(), hash());
}
