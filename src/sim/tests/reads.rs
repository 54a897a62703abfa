//! What the describe calls show, through the real clients.

use aws_sdk_ec2::types::Filter;
use tokio::time::sleep;

use super::*;
use crate::sim::world::{Check, InstanceSpec, Staleness, incident};

#[test]
fn the_incident_world_looks_as_on_aws() {
    simulate(incident::world(1), |cloud| async move {
        let sdk = sdk(&cloud);
        let ec2 = aws_sdk_ec2::Client::new(&sdk);
        let answer = ec2.describe_instances().send().await.unwrap();
        let instances: Vec<_> = answer.reservations().iter().flat_map(|r| r.instances()).collect();
        let ids: Vec<_> = instances.iter().filter_map(|i| i.instance_id()).collect();
        assert_eq!(ids, [incident::GREEN, incident::BLUE]);
        assert_eq!(instances[0].state().unwrap().name().unwrap().as_str(), "running");
        assert_eq!(instances[0].tags()[0].value(), Some("tis-prod-green"));

        let sts = aws_sdk_sts::Client::new(&sdk);
        let identity = sts.get_caller_identity().send().await.unwrap();
        assert_eq!(identity.account(), Some(ACCOUNT));

        let elb = aws_sdk_elasticloadbalancingv2::Client::new(&sdk);
        let groups = elb
            .describe_target_groups()
            .names("tis-prod")
            .send()
            .await
            .unwrap();
        let arn = groups.target_groups()[0].target_group_arn().unwrap();
        let health = elb
            .describe_target_health()
            .target_group_arn(arn)
            .send()
            .await
            .unwrap();
        let states: Vec<_> = health
            .target_health_descriptions()
            .iter()
            .map(|d| {
                (
                    d.target().unwrap().port().unwrap(),
                    d.target_health().unwrap().state().unwrap().as_str(),
                )
            })
            .collect();
        assert_eq!(states, [(8080, "healthy"), (8080, "healthy")]);
    });
}

fn fleet(count: usize) -> WorldBuilder {
    (1..=count).fold(WorldBuilder::new(1), |world, n| {
        let zone = if n % 2 == 0 { "eu-west-2a" } else { "eu-west-2b" };
        world.instance(
            InstanceSpec::new(&id(n))
                .name(&format!("web-{n}"))
                .tag("team", "tis")
                .zone(zone),
        )
    })
}

#[test]
fn pages_together_show_every_instance_once() {
    simulate(fleet(23), |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let pages = ec2.describe_instances().max_results(5).into_paginator().send();
        let pages: Vec<_> = pages.collect::<Result<_, _>>().await.unwrap();
        let seen = pages
            .iter()
            .flat_map(|p| p.reservations())
            .flat_map(|r| r.instances());
        let seen: Vec<String> = seen.map(|i| i.instance_id().unwrap().to_owned()).collect();
        assert_eq!(seen, (1..=23).map(id).collect::<Vec<_>>());
        assert_eq!((pages.len(), cloud.count("DescribeInstances")), (5, 5));

        let statuses = ec2
            .describe_instance_status()
            .max_results(10)
            .into_paginator()
            .send();
        let statuses: Vec<_> = statuses.collect::<Result<_, _>>().await.unwrap();
        assert_eq!(
            statuses
                .iter()
                .map(|p| p.instance_statuses().len())
                .sum::<usize>(),
            23
        );
        let images = ec2
            .describe_instance_image_metadata()
            .max_results(10)
            .into_paginator()
            .send();
        let images: Vec<_> = images.collect::<Result<_, _>>().await.unwrap();
        assert_eq!(
            images
                .iter()
                .map(|p| p.instance_image_metadata().len())
                .sum::<usize>(),
            23
        );
    });
}

#[test]
fn filters_narrow_and_what_is_not_modelled_is_refused_by_name() {
    simulate(fleet(6), |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let filter = |name: &str, values: &[&str]| {
            let values = values.iter().map(|v| (*v).to_owned()).collect();
            Filter::builder().name(name).set_values(Some(values)).build()
        };
        let count = async |filters: Vec<Filter>| {
            let answer = ec2
                .describe_instances()
                .set_filters(Some(filters))
                .send()
                .await
                .unwrap();
            answer.reservations().len()
        };
        assert_eq!(count(vec![filter("tag:Name", &["web-1", "web-2"])]).await, 2);
        assert_eq!(count(vec![filter("tag:Name", &["web-*"])]).await, 6);
        assert_eq!(
            count(vec![
                filter("tag:Name", &["*"]),
                filter("availability-zone", &["eu-west-2a"])
            ])
            .await,
            3
        );
        assert_eq!(count(vec![filter("tag-key", &["team"])]).await, 6);
        assert_eq!(count(vec![filter("instance-state-name", &["stopped"])]).await, 0);
        assert_eq!(count(vec![filter("instance-id", &[&id(3)])]).await, 1);

        let error = ec2
            .describe_instances()
            .filters(filter("capacity-reservation-id", &["x"]))
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&error), "NotModelledBySimulation");
        assert!(error.message().unwrap().contains("capacity-reservation-id"));
        let error = ec2
            .describe_instances()
            .include_managed_resources(true)
            .send()
            .await
            .unwrap_err();
        assert!(error.message().unwrap().contains("IncludeManagedResources"));
        let error = ec2.describe_spot_price_history().send().await.unwrap_err();
        assert!(error.message().unwrap().contains("DescribeSpotPriceHistory"));
    });
}

#[test]
fn ids_are_checked_as_on_ec2() {
    simulate(fleet(2), |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let both = ec2
            .describe_instances()
            .instance_ids(id(1))
            .max_results(5)
            .send()
            .await;
        assert_eq!(code(&both.unwrap_err()), "InvalidParameterCombination");
        let unknown = ec2
            .describe_instances()
            .instance_ids(id(1))
            .instance_ids(id(9))
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&unknown), "InvalidInstanceID.NotFound");
        assert!(aws_types::request_id::RequestId::request_id(&unknown).is_some());
        let malformed = ec2.describe_instances().instance_ids("i-xyz").send().await;
        assert_eq!(code(&malformed.unwrap_err()), "InvalidInstanceID.Malformed");
        let many = (0..101).map(id).collect();
        let many = ec2
            .describe_instance_status()
            .set_instance_ids(Some(many))
            .send()
            .await;
        assert_eq!(code(&many.unwrap_err()), "InvalidParameterValue");
    });
}

#[test]
fn an_account_and_a_region_see_only_their_own() {
    let world = fleet(1)
        .account("444455556666")
        .instance(InstanceSpec::new(&id(2)).scope("444455556666", REGION))
        .instance(InstanceSpec::new(&id(3)).scope(ACCOUNT, "eu-west-1"));
    simulate(world, |cloud| async move {
        let shown = async |account: &str, region: &str| {
            let sdk = sdk_of(&cloud, &Incarnation::person(), account, region);
            let answer = aws_sdk_ec2::Client::new(&sdk)
                .describe_instances()
                .send()
                .await
                .unwrap();
            let instances = answer.reservations().iter().flat_map(|r| r.instances());
            instances
                .map(|i| i.instance_id().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(shown(ACCOUNT, REGION).await, [id(1)]);
        assert_eq!(shown("444455556666", REGION).await, [id(2)]);
        assert_eq!(shown(ACCOUNT, "eu-west-1").await, [id(3)]);
        let stranger = sdk_of(&cloud, &Incarnation::person(), "999999999999", REGION);
        let error = aws_sdk_ec2::Client::new(&stranger)
            .describe_instances()
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&error), "AuthFailure");
        let error = aws_sdk_sts::Client::new(&stranger)
            .get_caller_identity()
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&error), "InvalidClientTokenId");
    });
}

#[test]
fn status_lists_the_running_only_unless_asked_for_all() {
    let world = fleet(1).instance(InstanceSpec::new(&id(2)).stopped("Server.ScheduledStop"));
    simulate(world, |cloud| async move {
        let due = cloud.clock().now() + seconds(86_400);
        cloud.world(|w| {
            assert!(w.impair(&id(1), Check::System));
            w.schedule_event(&id(1), "instance-retirement", due);
        });
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let running = ec2.describe_instance_status().send().await.unwrap();
        let [status] = running.instance_statuses() else {
            panic!("{running:?}")
        };
        assert_eq!(
            status.system_status().unwrap().status().unwrap().as_str(),
            "impaired"
        );
        assert_eq!(status.instance_status().unwrap().status().unwrap().as_str(), "ok");
        assert!(
            status.system_status().unwrap().details()[0]
                .impaired_since()
                .is_some()
        );
        let [event] = status.events() else {
            panic!("{status:?}")
        };
        assert_eq!(event.code().unwrap().as_str(), "instance-retirement");
        assert_eq!(event.not_before().unwrap().secs(), due.as_second());
        let all = ec2
            .describe_instance_status()
            .include_all_instances(true)
            .send()
            .await
            .unwrap();
        assert_eq!(all.instance_statuses().len(), 2);
        assert_eq!(
            all.instance_statuses()[1]
                .system_status()
                .unwrap()
                .status()
                .unwrap()
                .as_str(),
            "not-applicable"
        );
    });
}

#[test]
fn reads_lag_and_own_writes_stay_hidden_as_long_as_told() {
    let world = WorldBuilder::new(1).instance(InstanceSpec::new(&id(1)).stopped("Server.ScheduledStop"));
    simulate(world, |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let state = async || {
            let answer = ec2.describe_instances().send().await.unwrap();
            answer.reservations()[0].instances()[0]
                .state()
                .unwrap()
                .name()
                .unwrap()
                .as_str()
                .to_owned()
        };
        cloud.world(|w| {
            w.set_staleness(Staleness {
                own_writes_hidden: seconds(120),
                ..Default::default()
            });
        });
        ec2.start_instances().instance_ids(id(1)).send().await.unwrap();
        sleep(seconds(100)).await;
        assert_eq!(state().await, "stopped");
        sleep(seconds(30)).await;
        assert_eq!(state().await, "running");

        cloud.world(|w| {
            w.set_staleness(Staleness {
                reads_lag: seconds(90),
                ..Default::default()
            });
        });
        cloud.world(|w| assert!(w.stop_by_aws(&id(1), "Server.InternalError")));
        sleep(seconds(60)).await;
        assert_eq!(state().await, "running");
        sleep(seconds(90)).await;
        assert_eq!(state().await, "stopped");

        cloud.world(|w| w.set_staleness(Staleness::default()));
        cloud.world(|w| w.hide_instance(&id(1), w.now() + seconds(10)));
        assert_eq!(
            ec2.describe_instances()
                .send()
                .await
                .unwrap()
                .reservations()
                .len(),
            0
        );
        let error = ec2
            .describe_instances()
            .instance_ids(id(1))
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&error), "InvalidInstanceID.NotFound");
        sleep(seconds(10)).await;
        assert_eq!(state().await, "stopped");
    });
}
