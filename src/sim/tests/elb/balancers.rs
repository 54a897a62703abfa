//! Load balancers, listeners and rules.

use aws_sdk_elasticloadbalancingv2::client::Waiters;
use aws_sdk_elasticloadbalancingv2::types::{
    FixedResponseActionConfig, ForwardActionConfig, LoadBalancerStateEnum, QueryStringConditionConfig,
    QueryStringKeyValuePair, RedirectActionConfig, RedirectActionStatusCodeEnum, RuleCondition,
    RulePriorityPair, TargetGroupTuple,
};

use super::*;

#[test]
fn a_load_balancer_is_provisioned_waited_for_and_deleted_with_its_listeners() {
    simulate(three_zones(), |cloud| async move {
        let elb = client(&cloud);
        let web = http_group(&cloud, "web").await;
        let lb = balancer(&cloud, "front", LoadBalancerTypeEnum::Application, "ab").await;
        let shown = elb.describe_load_balancers().names("front").send().await.unwrap();
        let [first] = shown.load_balancers() else {
            panic!("{shown:?}")
        };
        assert_eq!(
            first.state().unwrap().code(),
            Some(&LoadBalancerStateEnum::Provisioning)
        );
        assert!(
            first
                .dns_name()
                .unwrap()
                .ends_with(".eu-west-2.elb.amazonaws.com")
        );
        assert_eq!(first.vpc_id(), Some(&*default_vpc(&cloud).await));
        let zones = first.availability_zones().iter().map(|z| z.zone_name().unwrap());
        assert_eq!(zones.collect::<Vec<_>>(), ["eu-west-2a", "eu-west-2b"]);
        let waiting = elb.wait_until_load_balancer_available().load_balancer_arns(&lb);
        waiting.wait(seconds(600)).await.unwrap();
        listener(&cloud, &lb, ProtocolEnum::Http, 80, &web).await;
        elb.delete_load_balancer()
            .load_balancer_arn(&lb)
            .send()
            .await
            .unwrap();
        let waiting = elb.wait_until_load_balancers_deleted().load_balancer_arns(&lb);
        waiting.wait(seconds(60)).await.unwrap();
        elb.delete_load_balancer()
            .load_balancer_arn(&lb)
            .send()
            .await
            .unwrap();
        assert_eq!(cloud.world(|w| w.listeners().count()), 0);
        elb.delete_target_group()
            .target_group_arn(&web)
            .send()
            .await
            .unwrap();
    });
}

#[test]
fn what_aws_refuses_of_a_load_balancer_is_refused() {
    simulate(three_zones(), |cloud| async move {
        let elb = client(&cloud);
        let (a, b) = (subnet(&cloud, 'a').await, subnet(&cloud, 'b').await);
        let base = || elb.create_load_balancer().name("front").subnets(&a);
        for (asked, expected) in [
            (base(), "ValidationError"),
            (base().subnets(&a), "InvalidConfigurationRequest"),
            (base().subnets("subnet-00000000000000000"), "SubnetNotFound"),
            (base().subnets(&b).name("internal-front"), "ValidationError"),
            (
                base().subnets(&b).security_groups("nonsense"),
                "InvalidSecurityGroup",
            ),
            (
                base().r#type(LoadBalancerTypeEnum::Gateway),
                "NotModelledBySimulation",
            ),
            (
                base().subnets(&b).customer_owned_ipv4_pool("ipv4pool-coip-1"),
                "NotModelledBySimulation",
            ),
        ] {
            assert_eq!(code(&asked.send().await.unwrap_err()), expected);
        }
        let made = base().subnets(&b).send().await.unwrap();
        let again = base().subnets(&b).send().await.unwrap();
        let arn = made.load_balancers()[0].load_balancer_arn().unwrap();
        assert_eq!(again.load_balancers()[0].load_balancer_arn(), Some(arn));
        let other = base()
            .subnets(subnet(&cloud, 'c').await)
            .send()
            .await
            .unwrap_err();
        assert!(
            other
                .into_service_error()
                .is_duplicate_load_balancer_name_exception()
        );
        let protect = elb.modify_load_balancer_attributes().load_balancer_arn(arn);
        let protect = protect.attributes(balancer_attribute("deletion_protection.enabled", "true"));
        protect.send().await.unwrap();
        let delete = elb.delete_load_balancer().load_balancer_arn(arn).send().await;
        assert!(
            delete
                .unwrap_err()
                .into_service_error()
                .is_operation_not_permitted_exception()
        );
        let cross_zone = elb.modify_load_balancer_attributes().load_balancer_arn(arn);
        let cross_zone =
            cross_zone.attributes(balancer_attribute("load_balancing.cross_zone.enabled", "false"));
        assert_eq!(
            code(&cross_zone.send().await.unwrap_err()),
            "InvalidConfigurationRequest"
        );
        let unknown = elb.describe_load_balancers().names("nobody").send().await;
        assert!(
            unknown
                .unwrap_err()
                .into_service_error()
                .is_load_balancer_not_found_exception()
        );
    });
}

#[test]
fn security_groups_are_the_vpcs_own_and_an_nlb_without_any_gets_none() {
    simulate(three_zones(), |cloud| async move {
        let (elb, ec2) = (client(&cloud), aws_sdk_ec2::Client::new(&sdk(&cloud)));
        let alb = balancer(&cloud, "alb", LoadBalancerTypeEnum::Application, "ab").await;
        let nlb = balancer(&cloud, "nlb", LoadBalancerTypeEnum::Network, "ab").await;
        let groups = cloud.world(|w| {
            let mut all = w.load_balancers().map(|b| b.security_groups.len());
            (all.next(), all.next())
        });
        assert_eq!(groups, (Some(1), Some(0)));
        let set = |arn: &str, group: &str| {
            let asked = elb.set_security_groups().load_balancer_arn(arn);
            asked.security_groups(group).send()
        };
        let make = async |vpc: &str| {
            let asked = ec2
                .create_security_group()
                .group_name("front")
                .description("front");
            let made = asked.vpc_id(vpc).send().await.unwrap();
            made.group_id().unwrap().to_owned()
        };
        let here = make(&default_vpc(&cloud).await).await;
        let vpc = ec2.create_vpc().cidr_block("10.1.0.0/16").send().await.unwrap();
        let elsewhere = make(vpc.vpc().unwrap().vpc_id().unwrap()).await;
        let answer = set(&alb, &here).await.unwrap();
        assert_eq!(answer.security_group_ids(), [here.as_str()]);
        for (arn, group, expected) in [
            (&alb, &elsewhere, "InvalidSecurityGroup"),
            (&alb, &"sg-00000000000000000".to_owned(), "InvalidSecurityGroup"),
            (&nlb, &here, "InvalidConfigurationRequest"),
        ] {
            assert_eq!(code(&set(arn, group).await.unwrap_err()), expected);
        }
    });
}

#[test]
fn listeners_take_what_fits_and_are_shown_as_aws_shows_them() {
    simulate(three_zones(), |cloud| async move {
        let elb = client(&cloud);
        let (web, tcp) = (http_group(&cloud, "web").await, tcp_group(&cloud, "tcp").await);
        let lb = balancer(&cloud, "front", LoadBalancerTypeEnum::Application, "ab").await;
        let base = || {
            elb.create_listener()
                .load_balancer_arn(&lb)
                .port(80)
                .default_actions(forward(&web))
        };
        for (asked, expected) in [
            (base().protocol(ProtocolEnum::Tcp), "ValidationError"),
            (base().protocol(ProtocolEnum::Https), "ValidationError"),
            (base(), "ValidationError"),
            (
                elb.create_listener()
                    .load_balancer_arn(&lb)
                    .port(80)
                    .protocol(ProtocolEnum::Http)
                    .default_actions(forward(&tcp)),
                "IncompatibleProtocols",
            ),
            (
                elb.create_listener()
                    .load_balancer_arn(&lb)
                    .port(80)
                    .protocol(ProtocolEnum::Http)
                    .default_actions(forward(&web.replace("/web/", "/wab/"))),
                "TargetGroupNotFound",
            ),
        ] {
            assert_eq!(code(&asked.send().await.unwrap_err()), expected);
        }
        let on_80 = listener(&cloud, &lb, ProtocolEnum::Http, 80, &web).await;
        assert_eq!(listener(&cloud, &lb, ProtocolEnum::Http, 80, &web).await, on_80);
        let shown = elb
            .describe_listeners()
            .load_balancer_arn(&lb)
            .send()
            .await
            .unwrap();
        let action = &shown.listeners()[0].default_actions()[0];
        assert_eq!(action.target_group_arn(), Some(&*web));
        let weights = action.forward_config().unwrap().target_groups();
        assert_eq!(
            (weights[0].target_group_arn(), weights[0].weight()),
            (Some(&*web), Some(1))
        );
        let to_https = RedirectActionConfig::builder()
            .protocol("HTTPS")
            .port("443")
            .status_code(RedirectActionStatusCodeEnum::Http301)
            .build();
        let redirect = Action::builder()
            .r#type(ActionTypeEnum::Redirect)
            .redirect_config(to_https)
            .build();
        let modify = elb
            .modify_listener()
            .listener_arn(&on_80)
            .default_actions(redirect);
        let modified = modify.send().await.unwrap();
        let shown = modified.listeners()[0].default_actions()[0]
            .redirect_config()
            .unwrap();
        assert_eq!((shown.host(), shown.path()), (Some("#{host}"), Some("/#{path}")));
        let second = elb
            .create_listener()
            .load_balancer_arn(&lb)
            .port(443)
            .protocol(ProtocolEnum::Https);
        let certificate = aws_sdk_elasticloadbalancingv2::types::Certificate::builder()
            .certificate_arn("arn:aws:acm:eu-west-2:111122223333:certificate/1");
        let second = second
            .certificates(certificate.build())
            .default_actions(forward(&web));
        let second = second.send().await.unwrap();
        assert_eq!(
            second.listeners()[0].ssl_policy(),
            Some("ELBSecurityPolicy-2016-08")
        );
        let clash = elb
            .modify_listener()
            .listener_arn(&on_80)
            .port(443)
            .send()
            .await
            .unwrap_err();
        assert!(clash.into_service_error().is_duplicate_listener_exception());
        elb.delete_listener().listener_arn(&on_80).send().await.unwrap();
        let gone = elb
            .delete_listener()
            .listener_arn(&on_80)
            .send()
            .await
            .unwrap_err();
        assert!(gone.into_service_error().is_listener_not_found_exception());
    });
}

#[test]
fn a_group_has_one_load_balancer() {
    simulate(three_zones(), |cloud| async move {
        let web = http_group(&cloud, "web").await;
        let first = balancer(&cloud, "first", LoadBalancerTypeEnum::Application, "ab").await;
        let second = balancer(&cloud, "second", LoadBalancerTypeEnum::Application, "ab").await;
        listener(&cloud, &first, ProtocolEnum::Http, 80, &web).await;
        let asked = client(&cloud)
            .create_listener()
            .load_balancer_arn(&second)
            .port(80);
        let asked = asked.protocol(ProtocolEnum::Http).default_actions(forward(&web));
        let error = asked.send().await.unwrap_err();
        assert!(
            error
                .into_service_error()
                .is_target_group_association_limit_exception()
        );
    });
}

fn path(pattern: &str) -> RuleCondition {
    RuleCondition::builder()
        .field("path-pattern")
        .values(pattern)
        .build()
}

#[test]
fn rules_have_priorities_conditions_and_weights_and_end_with_the_default_rule() {
    simulate(three_zones(), |cloud| async move {
        let elb = client(&cloud);
        let (blue, green) = (
            http_group(&cloud, "blue").await,
            http_group(&cloud, "green").await,
        );
        let lb = balancer(&cloud, "front", LoadBalancerTypeEnum::Application, "ab").await;
        let on_80 = listener(&cloud, &lb, ProtocolEnum::Http, 80, &blue).await;
        let tuple = |arn: &str, weight: i32| {
            TargetGroupTuple::builder()
                .target_group_arn(arn)
                .weight(weight)
                .build()
        };
        let weighted = ForwardActionConfig::builder()
            .target_groups(tuple(&blue, 90))
            .target_groups(tuple(&green, 10));
        let weighted = Action::builder()
            .r#type(ActionTypeEnum::Forward)
            .forward_config(weighted.build())
            .build();
        let base = |priority: i32| elb.create_rule().listener_arn(&on_80).priority(priority);
        let made = base(20)
            .conditions(path("/upload/*"))
            .actions(weighted)
            .send()
            .await
            .unwrap();
        let rule = made.rules()[0].rule_arn().unwrap().to_owned();
        let pair = QueryStringKeyValuePair::builder().key("v").value("2").build();
        let query = QueryStringConditionConfig::builder().values(pair).build();
        let query = RuleCondition::builder()
            .field("query-string")
            .query_string_config(query)
            .build();
        let gone = FixedResponseActionConfig::builder().status_code("410").build();
        let gone = Action::builder()
            .r#type(ActionTypeEnum::FixedResponse)
            .fixed_response_config(gone)
            .build();
        let second = base(10)
            .conditions(query)
            .actions(gone.clone())
            .send()
            .await
            .unwrap();
        let second = second.rules()[0].rule_arn().unwrap().to_owned();
        let clash = base(10)
            .conditions(path("/x"))
            .actions(gone.clone())
            .send()
            .await
            .unwrap_err();
        assert!(clash.into_service_error().is_priority_in_use_exception());
        let shown = elb.describe_rules().listener_arn(&on_80).send().await.unwrap();
        let lines: Vec<_> = shown
            .rules()
            .iter()
            .map(|r| (r.priority().unwrap(), r.is_default().unwrap()))
            .collect();
        assert_eq!(lines, [("10", false), ("20", false), ("default", true)]);
        let conditions = shown.rules()[1].conditions();
        assert_eq!(conditions[0].values(), ["/upload/*"]);
        assert_eq!(
            conditions[0].path_pattern_config().unwrap().values(),
            ["/upload/*"]
        );
        assert_eq!(shown.rules()[1].actions()[0].target_group_arn(), None);
        let default = shown.rules()[2].rule_arn().unwrap().to_owned();
        let delete = elb.delete_rule().rule_arn(&default).send().await.unwrap_err();
        assert!(delete.into_service_error().is_operation_not_permitted_exception());
        let pair = |arn: &str, n: i32| RulePriorityPair::builder().rule_arn(arn).priority(n).build();
        let swap = elb
            .set_rule_priorities()
            .rule_priorities(pair(&rule, 10))
            .rule_priorities(pair(&second, 20));
        swap.send().await.unwrap();
        let taken = elb
            .set_rule_priorities()
            .rule_priorities(pair(&rule, 20))
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&taken), "PriorityInUse");
        // Green is in use by the rule alone, and not any more without it.
        assert!(cloud.world(|w| w.target_group("green").unwrap().is_in_use()));
        elb.modify_rule()
            .rule_arn(&rule)
            .actions(gone)
            .send()
            .await
            .unwrap();
        assert!(!cloud.world(|w| w.target_group("green").unwrap().is_in_use()));
        elb.delete_rule().rule_arn(&rule).send().await.unwrap();
        let unknown = elb.describe_rules().rule_arns(&rule).send().await.unwrap_err();
        assert!(unknown.into_service_error().is_rule_not_found_exception());
        let wrong = base(1)
            .actions(forward(&blue))
            .conditions(RuleCondition::builder().field("moon").values("x").build());
        assert_eq!(code(&wrong.send().await.unwrap_err()), "ValidationError");
    });
}
