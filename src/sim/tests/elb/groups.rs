//! Target groups: created, changed, shown, deleted.

use aws_sdk_elasticloadbalancingv2::types::{Matcher, Tag, TargetTypeEnum};

use super::*;

#[test]
fn a_group_begins_with_aws_own_defaults_and_is_created_once_however_often() {
    simulate(three_zones(), |cloud| async move {
        let (elb, vpc) = (client(&cloud), default_vpc(&cloud).await);
        let create = |port: i32| {
            let asked = elb.create_target_group().name("web").protocol(ProtocolEnum::Http);
            asked.port(port).vpc_id(&vpc).send()
        };
        let made = create(80).await.unwrap();
        let [group] = made.target_groups() else {
            panic!("{made:?}")
        };
        assert_eq!(
            (
                group.health_check_interval_seconds(),
                group.health_check_timeout_seconds(),
                group.healthy_threshold_count(),
                group.unhealthy_threshold_count(),
                group.health_check_path(),
                group.health_check_port(),
                group.matcher().unwrap().http_code(),
                group.target_type(),
                group.protocol_version(),
                group.load_balancer_arns(),
            ),
            (
                Some(30),
                Some(5),
                Some(5),
                Some(2),
                Some("/"),
                Some("traffic-port"),
                Some("200"),
                Some(&TargetTypeEnum::Instance),
                Some("HTTP1"),
                [].as_slice(),
            )
        );
        let again = create(80).await.unwrap();
        assert_eq!(
            again.target_groups()[0].target_group_arn(),
            group.target_group_arn()
        );
        assert_eq!(code(&create(81).await.unwrap_err()), "DuplicateTargetGroupName");
        let arn = group.target_group_arn().unwrap();
        let attributes = elb
            .describe_target_group_attributes()
            .target_group_arn(arn)
            .send()
            .await
            .unwrap();
        let of = |key: &str| {
            let mut all = attributes.attributes().iter();
            all.find(|a| a.key() == Some(key))
                .and_then(|a| a.value())
                .map(str::to_owned)
        };
        assert_eq!(of("deregistration_delay.timeout_seconds").as_deref(), Some("300"));
        assert_eq!(
            of("load_balancing.cross_zone.enabled").as_deref(),
            Some("use_load_balancer_configuration")
        );
        assert_eq!(of("proxy_protocol_v2.enabled"), None);
    });
}

#[test]
fn settings_that_aws_refuses_are_refused_with_its_codes() {
    simulate(three_zones(), |cloud| async move {
        let (elb, vpc) = (client(&cloud), default_vpc(&cloud).await);
        let base = || {
            let asked = elb.create_target_group().name("web").protocol(ProtocolEnum::Http);
            asked.port(80).vpc_id(&vpc)
        };
        let refused = [
            base().name("-web"),
            base().name("a".repeat(33)),
            base().name("w_b"),
            base().vpc_id("vpc-00000000000000000"),
            base().health_check_interval_seconds(4),
            base().health_check_interval_seconds(301),
            base()
                .health_check_interval_seconds(10)
                .health_check_timeout_seconds(10),
            base().healthy_threshold_count(1),
            base().unhealthy_threshold_count(11),
            base().health_check_path("health"),
            base().health_check_port("0"),
            base().health_check_enabled(false),
            base().matcher(Matcher::builder().http_code("200-500").build()),
            base().matcher(Matcher::builder().http_code("ok").build()),
            elb.create_target_group().name("web"),
            elb.create_target_group().name("web").protocol(ProtocolEnum::Http),
            base().target_type(TargetTypeEnum::Lambda),
        ];
        for asked in refused {
            let input = format!("{:?}", asked.as_input());
            let error = asked.send().await.expect_err(&input);
            assert_eq!(code(&error), "ValidationError", "{input} {error:?}");
        }
        let error = base()
            .health_check_protocol(ProtocolEnum::Tcp)
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&error), "InvalidConfigurationRequest");
        let grpc = base().protocol_version("GRPC").send().await.unwrap_err();
        assert!(grpc.message().unwrap().contains("GRPC"));
        assert_eq!(cloud.world(|w| w.target_groups().count()), 0);
    });
}

#[test]
fn attributes_are_those_of_the_groups_kind_and_within_bounds() {
    simulate(three_zones(), |cloud| async move {
        let elb = client(&cloud);
        let (web, tcp) = (http_group(&cloud, "web").await, tcp_group(&cloud, "tcp").await);
        let set = async |group: &str, key: &str, value: &str| {
            let attribute = TargetGroupAttribute::builder().key(key).value(value).build();
            let asked = elb.modify_target_group_attributes().target_group_arn(group);
            match asked.attributes(attribute).send().await {
                Ok(_) => "ok".to_owned(),
                Err(error) => code(&error).to_owned(),
            }
        };
        for (group, key, value, expected) in [
            (&web, "deregistration_delay.timeout_seconds", "0", "ok"),
            (
                &web,
                "deregistration_delay.timeout_seconds",
                "3601",
                "ValidationError",
            ),
            (&web, "slow_start.duration_seconds", "0", "ok"),
            (&web, "slow_start.duration_seconds", "30", "ok"),
            (&web, "slow_start.duration_seconds", "29", "ValidationError"),
            (&web, "load_balancing.cross_zone.enabled", "false", "ok"),
            (
                &web,
                "load_balancing.cross_zone.enabled",
                "maybe",
                "ValidationError",
            ),
            (&web, "stickiness.type", "source_ip", "ValidationError"),
            (&web, "no.such.key", "1", "ValidationError"),
            (
                &web,
                "proxy_protocol_v2.enabled",
                "true",
                "InvalidConfigurationRequest",
            ),
            (&tcp, "proxy_protocol_v2.enabled", "true", "ok"),
            (
                &tcp,
                "deregistration_delay.connection_termination.enabled",
                "true",
                "ok",
            ),
            (
                &tcp,
                "slow_start.duration_seconds",
                "30",
                "InvalidConfigurationRequest",
            ),
        ] {
            assert_eq!(set(group, key, value).await, expected, "{key} = {value}");
        }
        let shown = elb
            .describe_target_group_attributes()
            .target_group_arn(&web)
            .send()
            .await
            .unwrap();
        let delay = shown
            .attributes()
            .iter()
            .find(|a| a.key().unwrap().starts_with("deregistration_delay"));
        assert_eq!(delay.unwrap().value(), Some("0"));
    });
}

#[test]
fn groups_are_found_by_name_arn_load_balancer_and_page_and_a_used_one_is_not_deleted() {
    simulate(three_zones(), |cloud| async move {
        let elb = client(&cloud);
        let web = http_group(&cloud, "web").await;
        let api = http_group(&cloud, "api").await;
        let lb = balancer(&cloud, "front", LoadBalancerTypeEnum::Application, "ab").await;
        listener(&cloud, &lb, ProtocolEnum::Http, 80, &web).await;
        let of_lb = elb
            .describe_target_groups()
            .load_balancer_arn(&lb)
            .send()
            .await
            .unwrap();
        let [group] = of_lb.target_groups() else {
            panic!("{of_lb:?}")
        };
        assert_eq!(
            (group.target_group_arn(), group.load_balancer_arns()),
            (Some(&*web), [lb.clone()].as_slice())
        );
        let pages = elb.describe_target_groups().page_size(1).into_paginator().send();
        let pages: Vec<_> = pages.collect::<Result<_, _>>().await.unwrap();
        assert_eq!(
            pages.iter().map(|p| p.target_groups().len()).collect::<Vec<_>>(),
            [1, 1]
        );
        let by_name = elb.describe_target_groups().names("api").send().await.unwrap();
        assert_eq!(by_name.target_groups()[0].target_group_arn(), Some(&*api));
        let both = elb
            .describe_target_groups()
            .names("api")
            .target_group_arns(&web)
            .send()
            .await;
        assert_eq!(code(&both.unwrap_err()), "ValidationError");
        let unknown = elb.describe_target_groups().names("nobody").send().await;
        assert!(
            unknown
                .unwrap_err()
                .into_service_error()
                .is_target_group_not_found_exception()
        );
        let delete = |arn: &str| elb.delete_target_group().target_group_arn(arn).send();
        assert!(
            delete(&web)
                .await
                .unwrap_err()
                .into_service_error()
                .is_resource_in_use_exception()
        );
        delete(&api).await.unwrap();
        delete(&api).await.unwrap();
        assert_eq!(cloud.world(|w| w.target_groups().count()), 1);
    });
}

#[test]
fn changed_thresholds_hold_for_the_checks_that_are_under_way() {
    simulate(three_zones(), |cloud| async move {
        let elb = client(&cloud);
        let web = http_group(&cloud, "web").await;
        let lb = balancer(&cloud, "front", LoadBalancerTypeEnum::Application, "ab").await;
        listener(&cloud, &lb, ProtocolEnum::Http, 80, &web).await;
        register(&cloud, &web, &[target(1)]).await;
        tokio::time::sleep(seconds(300)).await;
        assert_eq!(health(&cloud, &web).await, ["1:8080 healthy"]);
        cloud.world(|w| w.set_app(&id(1), crate::sim::world::App::Broken));
        let change = elb
            .modify_target_group()
            .target_group_arn(&web)
            .unhealthy_threshold_count(10);
        let changed = change.send().await.unwrap();
        assert_eq!(changed.target_groups()[0].unhealthy_threshold_count(), Some(10));
        tokio::time::sleep(seconds(85)).await;
        assert_eq!(health(&cloud, &web).await, ["1:8080 healthy"]);
        tokio::time::sleep(seconds(20)).await;
        assert_eq!(
            health(&cloud, &web).await,
            ["1:8080 unhealthy Target.ResponseCodeMismatch"]
        );
    });
}

#[test]
fn tags_are_kept_on_every_kind_of_resource_within_their_limits() {
    simulate(three_zones(), |cloud| async move {
        let elb = client(&cloud);
        let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
        let web = http_group(&cloud, "web").await;
        let lb = balancer(&cloud, "front", LoadBalancerTypeEnum::Application, "ab").await;
        let on_80 = listener(&cloud, &lb, ProtocolEnum::Http, 80, &web).await;
        let all = [web.clone(), lb, on_80];
        let add = |tag: Tag| {
            elb.add_tags()
                .set_resource_arns(Some(all.to_vec()))
                .tags(tag)
                .send()
        };
        add(tag("team", "tis")).await.unwrap();
        add(tag("team", "other")).await.unwrap();
        add(tag("stage", "prod")).await.unwrap();
        let remove = elb.remove_tags().resource_arns(&web).tag_keys("stage");
        remove.send().await.unwrap();
        let shown = elb
            .describe_tags()
            .set_resource_arns(Some(all.to_vec()))
            .send()
            .await
            .unwrap();
        let counts = shown
            .tag_descriptions()
            .iter()
            .map(|d| (d.tags()[0].value(), d.tags().len()));
        assert_eq!(
            counts.collect::<Vec<_>>(),
            [(Some("other"), 1), (Some("prod"), 2), (Some("prod"), 2)]
        );
        let twice = elb
            .add_tags()
            .resource_arns(&web)
            .tags(tag("a", "1"))
            .tags(tag("a", "2"));
        assert_eq!(code(&twice.send().await.unwrap_err()), "DuplicateTagKeys");
        let many = (0..50).map(|n| tag(&format!("k{n}"), "")).collect();
        let many = elb.add_tags().resource_arns(&web).set_tags(Some(many));
        assert_eq!(code(&many.send().await.unwrap_err()), "TooManyTags");
        let too_many = vec![web.clone(); 21];
        let error = elb
            .describe_tags()
            .set_resource_arns(Some(too_many))
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&error), "ValidationError");
        let gone = elb
            .describe_tags()
            .resource_arns(web.replace("/web/", "/wab/"))
            .send()
            .await;
        assert_eq!(code(&gone.unwrap_err()), "TargetGroupNotFound");
    });
}

#[test]
fn quotas_are_shown_and_hold() {
    simulate(three_zones(), |cloud| async move {
        let elb = client(&cloud);
        let shown = elb.describe_account_limits().send().await.unwrap();
        let limit = shown
            .limits()
            .iter()
            .find(|l| l.name() == Some("targets-per-target-group"));
        assert_eq!(limit.unwrap().max(), Some("1000"));
        cloud.world(|w| assert!(w.set_balancing_quota(&scope(), "target-groups", Some(1))));
        let (web, vpc) = (http_group(&cloud, "web").await, default_vpc(&cloud).await);
        let another = elb
            .create_target_group()
            .name("more")
            .protocol(ProtocolEnum::Http);
        let error = another.port(80).vpc_id(vpc).send().await.unwrap_err();
        assert!(error.into_service_error().is_too_many_target_groups_exception());
        cloud.world(|w| w.set_balancing_quota(&scope(), "targets-per-target-group", Some(1)));
        let both = elb
            .register_targets()
            .target_group_arn(&web)
            .targets(target(1))
            .targets(target(2));
        let error = both.send().await.unwrap_err();
        assert!(error.into_service_error().is_too_many_targets_exception());
        assert_eq!(health(&cloud, &web).await, [""; 0]);
    });
}
