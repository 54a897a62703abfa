//! Registrations, and the health that follows from them.

use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::client::Waiters;
use aws_sdk_elasticloadbalancingv2::types::TargetTypeEnum;
use tokio::time::sleep;

use super::*;
use crate::sim::world::{App, State};

/// A group behind an active load balancer in the zones `a` and `b`, with the targets 1 and 2 healthy.
async fn in_traffic(cloud: &Cloud) -> (String, String) {
    let web = http_group(cloud, "web").await;
    let lb = balancer(cloud, "front", LoadBalancerTypeEnum::Application, "ab").await;
    listener(cloud, &lb, ProtocolEnum::Http, 80, &web).await;
    register(cloud, &web, &[target(1), target(2)]).await;
    sleep(seconds(300)).await;
    assert_eq!(health(cloud, &web).await, ["1:8080 healthy", "2:8080 healthy"]);
    (web, lb)
}

#[test]
fn a_script_registers_waits_deregisters_and_waits_as_on_aws() {
    simulate(three_zones(), |cloud| async move {
        let elb = client(&cloud);
        let web = http_group(&cloud, "web").await;
        register(&cloud, &web, &[target(1)]).await;
        assert_eq!(health(&cloud, &web).await, ["1:8080 unused Target.NotInUse"]);
        let lb = balancer(&cloud, "front", LoadBalancerTypeEnum::Application, "ab").await;
        listener(&cloud, &lb, ProtocolEnum::Http, 80, &web).await;
        assert_eq!(
            health(&cloud, &web).await,
            ["1:8080 initial Elb.RegistrationInProgress"]
        );
        let waiting = elb
            .wait_until_target_in_service()
            .target_group_arn(&web)
            .targets(target(1));
        waiting.wait(seconds(600)).await.unwrap();
        set_group(&cloud, &web, "deregistration_delay.timeout_seconds", "120").await;
        deregister(&cloud, &web, &[target(1)]).await;
        let begun = cloud.clock().now();
        assert_eq!(
            health(&cloud, &web).await,
            ["1:8080 draining Target.DeregistrationInProgress"]
        );
        assert!(cloud.world(|w| !w.is_drained(&id(1)) && w.registrations_of(&id(1))[0].is_out_of_traffic()));
        let waiting = elb
            .wait_until_target_deregistered()
            .target_group_arn(&web)
            .targets(target(1));
        waiting.wait(seconds(600)).await.unwrap();
        let took = cloud.clock().now().duration_since(begun).as_secs();
        assert!((120..=140).contains(&took), "{took} s");
        assert_eq!(health(&cloud, &web).await, [""; 0]);
        assert!(cloud.world(|w| w.is_drained(&id(1))));
    });
}

#[test]
fn deregistering_without_the_port_of_the_registration_is_a_success_that_does_nothing() {
    simulate(three_zones(), |cloud| async move {
        let (web, _) = in_traffic(&cloud).await;
        register(&cloud, &web, &[target_on(1, 9000)]).await;
        sleep(seconds(120)).await;
        deregister(&cloud, &web, &[target_on(1, 9001), target(3)]).await;
        assert_eq!(
            health(&cloud, &web).await,
            ["1:8080 healthy", "1:9000 healthy", "2:8080 healthy"]
        );
        deregister(&cloud, &web, &[target(1)]).await;
        assert_eq!(truth(&cloud, &web, 1, 8080), Health::Draining);
        assert_eq!(truth(&cloud, &web, 1, 9000), Health::Healthy);
    });
}

#[test]
fn only_what_runs_and_exists_can_be_registered_and_a_bad_one_spoils_the_whole_request() {
    let world = three_zones()
        .instance(InstanceSpec::new(&id(4)).stopped("Server.ScheduledStop"))
        .instance(InstanceSpec::new(&id(5)).scope(ACCOUNT, "eu-west-1"));
    simulate(world, |cloud| async move {
        let web = http_group(&cloud, "web").await;
        let elb = client(&cloud);
        let try_with = async |other: TargetDescription| {
            let asked = elb
                .register_targets()
                .target_group_arn(&web)
                .targets(target(1))
                .targets(other);
            let error = asked.send().await.unwrap_err();
            (code(&error).to_owned(), error.message().unwrap().to_owned())
        };
        let (code_of, text) = try_with(target(4)).await;
        assert_eq!(code_of, "InvalidTarget");
        let expected = format!(
            "The following targets are not in a running state and cannot be registered: '{}'",
            id(4)
        );
        assert_eq!(text, expected);
        assert_eq!(try_with(target(5)).await.0, "InvalidTarget");
        assert_eq!(try_with(target(9)).await.0, "InvalidTarget");
        let malformed = TargetDescription::builder().id("web-1").build();
        assert_eq!(try_with(malformed).await.0, "ValidationError");
        let in_zone = TargetDescription::builder()
            .id(id(2))
            .availability_zone("all")
            .build();
        assert_eq!(try_with(in_zone).await.0, "ValidationError");
        assert_eq!(health(&cloud, &web).await, [""; 0]);
        let nowhere = elb
            .register_targets()
            .target_group_arn(web.replace("/web/", "/wab/"))
            .targets(target(1));
        let error = nowhere.send().await.unwrap_err();
        assert!(error.into_service_error().is_target_group_not_found_exception());
        let with_anomalies = elb.describe_target_health().target_group_arn(&web);
        let with_anomalies = with_anomalies
            .include(aws_sdk_elasticloadbalancingv2::types::DescribeTargetHealthInputIncludeEnum::Anomaly);
        let error = with_anomalies.send().await.unwrap_err();
        assert!(error.message().unwrap().contains("Include"), "{error:?}");
    });
}

#[test]
fn a_target_that_is_registered_again_while_it_drains_passes_its_checks_again() {
    simulate(three_zones(), |cloud| async move {
        let (web, _) = in_traffic(&cloud).await;
        // Once more changes nothing.
        register(&cloud, &web, &[target(1)]).await;
        assert_eq!(truth(&cloud, &web, 1, 8080), Health::Healthy);
        deregister(&cloud, &web, &[target(1)]).await;
        sleep(seconds(299)).await;
        assert_eq!(truth(&cloud, &web, 1, 8080), Health::Draining);
        register(&cloud, &web, &[target(1)]).await;
        assert_eq!(truth(&cloud, &web, 1, 8080), Health::Registering);
        // The old draining's end must not take it away.
        sleep(seconds(60)).await;
        assert_eq!(truth(&cloud, &web, 1, 8080), Health::Healthy, "{}", cloud.story());
    });
}

#[test]
fn draining_may_stick_until_somebody_unsticks_it() {
    simulate(three_zones(), |cloud| async move {
        let (web, _) = in_traffic(&cloud).await;
        cloud.world(|w| assert!(w.stick_draining("web", &id(1), None, true)));
        deregister(&cloud, &web, &[target(1)]).await;
        sleep(seconds(7200)).await;
        assert_eq!(truth(&cloud, &web, 1, 8080), Health::Draining);
        cloud.world(|w| w.stick_draining("web", &id(1), None, false));
        assert_eq!(truth(&cloud, &web, 1, 8080), Health::NotRegistered);
    });
}

#[test]
fn a_target_in_a_zone_that_is_not_enabled_is_unused_until_it_is() {
    simulate(three_zones(), |cloud| async move {
        let (web, lb) = in_traffic(&cloud).await;
        register(&cloud, &web, &[target(3)]).await;
        sleep(seconds(60)).await;
        assert_eq!(truth(&cloud, &web, 3, 8080), Health::ZoneNotEnabled);
        assert_eq!(health(&cloud, &web).await[2], "3:8080 unused Target.NotInUse");
        let (b, c) = (subnet(&cloud, 'b').await, subnet(&cloud, 'c').await);
        let set = client(&cloud)
            .set_subnets()
            .load_balancer_arn(&lb)
            .subnets(b)
            .subnets(c);
        let set = set.send().await.unwrap();
        assert_eq!(set.availability_zones()[1].zone_name(), Some("eu-west-2c"));
        assert_eq!(truth(&cloud, &web, 1, 8080), Health::ZoneNotEnabled);
        assert_eq!(truth(&cloud, &web, 3, 8080), Health::Registering);
        sleep(seconds(60)).await;
        assert_eq!(cloud.world(|w| w.target_group("web").unwrap().healthy_count()), 2);
    });
}

#[test]
fn cross_zone_is_on_for_alb_off_for_nlb_and_the_group_has_the_last_word() {
    simulate(three_zones(), |cloud| async move {
        let (web, tcp) = (http_group(&cloud, "web").await, tcp_group(&cloud, "tcp").await);
        let alb = balancer(&cloud, "alb", LoadBalancerTypeEnum::Application, "ab").await;
        let nlb = balancer(&cloud, "nlb", LoadBalancerTypeEnum::Network, "ab").await;
        listener(&cloud, &alb, ProtocolEnum::Http, 80, &web).await;
        listener(&cloud, &nlb, ProtocolEnum::Tcp, 443, &tcp).await;
        let is_cross_zone = |name: &str| cloud.world(|w| w.target_group(name).unwrap().is_cross_zone());
        assert_eq!((is_cross_zone("web"), is_cross_zone("tcp")), (true, false));
        set_group(&cloud, &web, "load_balancing.cross_zone.enabled", "false").await;
        assert!(!is_cross_zone("web"));
        let asked = client(&cloud)
            .modify_load_balancer_attributes()
            .load_balancer_arn(&nlb);
        let on = balancer_attribute("load_balancing.cross_zone.enabled", "true");
        asked.attributes(on).send().await.unwrap();
        assert!(is_cross_zone("tcp"));
        set_group(&cloud, &tcp, "load_balancing.cross_zone.enabled", "false").await;
        assert!(!is_cross_zone("tcp"));
        register(&cloud, &tcp, &[target(1), target(2)]).await;
        sleep(seconds(600)).await;
        cloud.world(|w| w.set_app(&id(2), App::BootsForever));
        sleep(seconds(120)).await;
        cloud.world(|w| {
            let group = w.target_group("tcp").unwrap();
            let expected = BTreeMap::from([("eu-west-2a", 1), ("eu-west-2b", 0)]);
            assert_eq!(group.healthy_by_zone(), expected);
            assert_eq!(
                group.zones_without_healthy().into_iter().collect::<Vec<_>>(),
                ["eu-west-2b"]
            );
        });
        assert_eq!(
            health(&cloud, &tcp).await[1],
            "2:443 unhealthy Target.FailedHealthChecks"
        );
    });
}

#[test]
fn a_group_without_a_healthy_target_fails_open() {
    simulate(three_zones(), |cloud| async move {
        let (web, _) = in_traffic(&cloud).await;
        cloud.world(|w| {
            w.set_app(&id(1), App::Broken);
            assert_eq!(w.target_group("web").unwrap().serving_targets().len(), 2);
        });
        sleep(seconds(60)).await;
        cloud.world(|w| assert_eq!(w.target_group("web").unwrap().serving_targets(), [&(id(2), 8080)]));
        deregister(&cloud, &web, &[target(2)]).await;
        cloud.world(|w| {
            let group = w.target_group("web").unwrap();
            assert!(group.is_failing_open());
            assert_eq!(group.serving_targets(), [&(id(1), 8080)]);
        });
    });
}

#[test]
fn levers_force_a_health_and_let_checks_flap() {
    simulate(three_zones(), |cloud| async move {
        let (web, _) = in_traffic(&cloud).await;
        cloud.world(|w| {
            assert!(w.set_target_health("web", &id(1), None, Health::UnhealthyInternalError, seconds(100)));
            assert!(!w.set_target_health("web", &id(3), None, Health::Healthy, seconds(100)));
            assert!(w.flap_target("web", &id(2), None, seconds(60), 3));
        });
        sleep(seconds(10)).await;
        let expected = [
            "1:8080 unhealthy Elb.InternalError",
            "2:8080 unhealthy Target.Timeout",
        ];
        assert_eq!(health(&cloud, &web).await, expected);
        sleep(seconds(30)).await;
        assert_eq!(health(&cloud, &web).await[1], "2:8080 healthy");
        sleep(seconds(300)).await;
        assert_eq!(health(&cloud, &web).await, ["1:8080 healthy", "2:8080 healthy"]);
        let flips = cloud.world(|w| {
            w.log()
                .about(&id(2))
                .filter(|e| e.what.contains("→ unhealthy"))
                .count()
        });
        assert_eq!(flips, 3);
        // A forced health does not hide that the instance is gone.
        cloud.world(|w| {
            w.set_target_health("web", &id(1), None, Health::Healthy, seconds(600));
            w.stop_by_person(&id(1));
        });
        assert_eq!(truth(&cloud, &web, 1, 8080), Health::NotRunning(State::Stopping));
    });
}

#[test]
fn an_unhealthy_target_of_an_nlb_drains_first_if_its_group_says_so() {
    simulate(three_zones(), |cloud| async move {
        let tcp = tcp_group(&cloud, "tcp").await;
        let nlb = balancer(&cloud, "nlb", LoadBalancerTypeEnum::Network, "ab").await;
        listener(&cloud, &nlb, ProtocolEnum::Tcp, 443, &tcp).await;
        let prefix = "target_health_state.unhealthy";
        set_group(
            &cloud,
            &tcp,
            &format!("{prefix}.connection_termination.enabled"),
            "false",
        )
        .await;
        set_group(
            &cloud,
            &tcp,
            &format!("{prefix}.draining_interval_seconds"),
            "200",
        )
        .await;
        register(&cloud, &tcp, &[target(1)]).await;
        sleep(seconds(600)).await;
        // It still accepts connections, and that is all that a TCP check asks for.
        cloud.world(|w| w.set_app(&id(1), App::Broken));
        sleep(seconds(120)).await;
        assert_eq!(health(&cloud, &tcp).await, ["1:443 healthy"]);
        cloud.world(|w| w.set_app(&id(1), App::BootsForever));
        sleep(seconds(120)).await;
        assert_eq!(
            health(&cloud, &tcp).await,
            ["1:443 unhealthy.draining Target.FailedHealthChecks"]
        );
        sleep(seconds(150)).await;
        assert_eq!(
            health(&cloud, &tcp).await,
            ["1:443 unhealthy Target.FailedHealthChecks"]
        );
        cloud.world(|w| w.set_app(&id(1), App::Serving));
        sleep(seconds(200)).await;
        assert_eq!(health(&cloud, &tcp).await, ["1:443 healthy"]);
    });
}

#[test]
fn addresses_functions_and_load_balancers_are_targets_too() {
    simulate(three_zones(), |cloud| async move {
        let (elb, vpc) = (client(&cloud), default_vpc(&cloud).await);
        let create = async |name: &str, kind: TargetTypeEnum| {
            let asked = elb.create_target_group().name(name).target_type(kind.clone());
            let asked = match kind {
                TargetTypeEnum::Lambda => asked,
                TargetTypeEnum::Alb => asked.protocol(ProtocolEnum::Tcp).port(80).vpc_id(&vpc),
                _ => asked.protocol(ProtocolEnum::Http).port(80).vpc_id(&vpc),
            };
            let made = asked.send().await.unwrap();
            made.target_groups()[0].target_group_arn().unwrap().to_owned()
        };
        let at = |id: &str| TargetDescription::builder().id(id);
        let ip = create("ip", TargetTypeEnum::Ip).await;
        let function = create("function", TargetTypeEnum::Lambda).await;
        let behind = create("behind", TargetTypeEnum::Alb).await;
        let lb = balancer(&cloud, "front", LoadBalancerTypeEnum::Application, "ab").await;
        listener(&cloud, &lb, ProtocolEnum::Http, 81, &ip).await;
        listener(&cloud, &lb, ProtocolEnum::Http, 82, &function).await;
        let nlb = balancer(&cloud, "nlb", LoadBalancerTypeEnum::Network, "ab").await;
        listener(&cloud, &nlb, ProtocolEnum::Tcp, 80, &behind).await;
        let address = cloud.world(|w| w.instance(&id(1)).unwrap().private_ip.clone());
        register(&cloud, &ip, &[at(&address).build()]).await;
        let public = elb
            .register_targets()
            .target_group_arn(&ip)
            .targets(at("8.8.8.8").build());
        assert_eq!(code(&public.send().await.unwrap_err()), "InvalidTarget");
        let far = elb
            .register_targets()
            .target_group_arn(&ip)
            .targets(at("192.168.1.1").build());
        assert_eq!(code(&far.send().await.unwrap_err()), "ValidationError");
        let name = "arn:aws:lambda:eu-west-2:111122223333:function:hello";
        register(&cloud, &function, &[at(name).build()]).await;
        // The load balancer behind has no listener on port 80 yet.
        let early = elb
            .register_targets()
            .target_group_arn(&behind)
            .targets(at(&lb).build());
        assert_eq!(code(&early.send().await.unwrap_err()), "InvalidTarget");
        let web = http_group(&cloud, "web").await;
        listener(&cloud, &lb, ProtocolEnum::Http, 80, &web).await;
        register(&cloud, &behind, &[at(&lb).build()]).await;
        sleep(seconds(900)).await;
        assert!(health(&cloud, &ip).await[0].ends_with(":80 healthy"));
        assert!(health(&cloud, &function).await[0].ends_with("unavailable Target.HealthCheckDisabled"));
        assert!(health(&cloud, &behind).await[0].ends_with(":80 healthy"));
        cloud.world(|w| w.stop_by_person(&id(1)));
        sleep(seconds(120)).await;
        assert!(
            health(&cloud, &ip).await[0].ends_with("unhealthy Target.Timeout"),
            "{}",
            cloud.story()
        );
        assert_eq!(cloud.world(|w| w.registrations_of(&id(1)).len()), 1);
    });
}

#[test]
fn one_groups_registrations_can_be_denied_alone() {
    simulate(three_zones(), |cloud| async move {
        let (web, api) = (http_group(&cloud, "web").await, http_group(&cloud, "api").await);
        cloud.world(|w| w.deny(ACCOUNT, &format!("DeregisterTargets {web}"), true));
        register(&cloud, &web, &[target(1)]).await;
        deregister(&cloud, &api, &[target(1)]).await;
        let asked = client(&cloud)
            .deregister_targets()
            .target_group_arn(&web)
            .targets(target(1));
        let error = asked.send().await.unwrap_err();
        assert_eq!(code(&error), "AccessDenied");
        assert!(error.message().unwrap().contains(&web));
    });
}

#[test]
fn registrations_and_all_calls_together_draw_on_buckets() {
    simulate(three_zones(), |cloud| async move {
        let web = http_group(&cloud, "web").await;
        let elb = client(&cloud);
        sleep(seconds(60)).await;
        let calls = (0..30).map(|_| {
            elb.deregister_targets()
                .target_group_arn(&web)
                .targets(target(1))
                .send()
        });
        let mut throttled = 0;
        for answer in futures_util::future::join_all(calls).await {
            if let Err(error) = answer {
                assert_eq!(code(&error), "Throttling");
                throttled += 1;
            }
        }
        assert!((9..=10).contains(&throttled), "{throttled}");
        let calls = (0..40).map(|_| elb.describe_target_groups().send());
        let answers = futures_util::future::join_all(calls).await;
        assert!((19..=21).contains(&answers.iter().filter(|a| a.is_err()).count()));
    });
}

#[test]
fn an_instance_of_another_vpc_is_no_target() {
    simulate(three_zones(), |cloud| async move {
        let (elb, ec2) = (client(&cloud), aws_sdk_ec2::Client::new(&sdk(&cloud)));
        let vpc = ec2.create_vpc().cidr_block("10.1.0.0/16").send().await.unwrap();
        let vpc = vpc.vpc().unwrap().vpc_id().unwrap();
        let asked = elb.create_target_group().name("far").protocol(ProtocolEnum::Http);
        let made = asked.port(80).vpc_id(vpc).send().await.unwrap();
        let far = made.target_groups()[0].target_group_arn().unwrap();
        let register = elb.register_targets().target_group_arn(far).targets(target(1));
        let error = register.send().await.unwrap_err();
        assert!(error.into_service_error().is_invalid_target_exception());
    });
}
