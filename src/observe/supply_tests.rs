use super::*;
use crate::aws::ScopeKey;
use crate::aws::canned::{Answer, Asked, Canned, elb_error, error, group_arn, ok};
use crate::model::{IdRecords, ImageState, MetadataOptions, SlotName};
use crate::observe::tests::{policy, serving};
use crate::policy::{Keep, OldInstance, Replace};

fn replacing(image: Vec<ImageSource>, groups: &[&str]) -> Policy {
    let mut policy = policy("tis", vec![serving("tis-blue", groups)]);
    policy.replace = Some(Replace {
        image,
        launch: Launch::Clone,
        instance_types: vec!["t3.large".to_owned(), "t9.huge".to_owned()],
        subnets: vec!["subnet-2".to_owned(), "subnet-9".to_owned()],
        keep: Keep {
            elastic_ip: true,
            data_volumes: true,
            network_interface: false,
        },
        old_instance: OldInstance::Stop,
        retain: None,
        rescue_image: None,
    });
    policy
}

fn blueprint() -> Blueprint {
    Blueprint {
        instance: "i-1".into(),
        slot: SlotName::from("blue"),
        account: "111122223333".into(),
        region: "eu-west-2".into(),
        taken: "2026-11-11T03:00:00Z".parse().unwrap(),
        digest: String::new(),
        launched_at: None,
        image: "ami-1".into(),
        instance_type: "t3.medium".to_owned(),
        zone: "eu-west-2a".into(),
        subnet: "subnet-1".to_owned(),
        security_groups: BTreeSet::new(),
        profile: None,
        key_name: None,
        user_data: None,
        id_records: IdRecords::default(),
        metadata: MetadataOptions::default(),
        monitoring: false,
        ebs_optimized: false,
        cpu_credits: None,
        public_ip: false,
        root: None,
        tags: BTreeMap::new(),
        uncarried: Vec::new(),
    }
}

fn image(id: &str) -> String {
    format!("<item><imageId>{id}</imageId><imageState>available</imageState></item>")
}

/// AWS, with everything that the policies here ask for.
fn aws(asked: &Asked) -> Answer {
    let each = |filter: &str, item: &dyn Fn(&String) -> String| -> String {
        let known = |value: &&String| !value.contains('9');
        let values = asked.filters().remove(filter).unwrap_or_default();
        values.iter().filter(known).map(item).collect()
    };
    match asked.action.as_str() {
        "GetParameters" => {
            let body = asked.param("body");
            let value = match body {
                _ if body.contains("/tis/base") => "ami-0a",
                _ if body.contains("/tis/secret") => "hunter2",
                _ => {
                    let name = body.split('"').find(|word| word.starts_with('/')).unwrap();
                    return ok(format!(
                        "{{\"Parameters\":[],\"InvalidParameters\":[\"{name}\"]}}"
                    ));
                }
            };
            let name = body.split('"').find(|word| word.starts_with('/')).unwrap();
            ok(format!(
                "{{\"Parameters\":[{{\"Name\":\"{name}\",\"Value\":\"{value}\"}}],\"InvalidParameters\":[]}}"
            ))
        }
        "DescribeImages" => match asked.list("ImageId").first() {
            Some(id) if id == "ami-9" => error(400, "InvalidAMIID.NotFound"),
            Some(id) => ok(format!("<R><imagesSet>{}</imagesSet></R>", image(id))),
            None if asked.filters().get("name").unwrap() == &["tis-*"] => {
                ok(format!("<R><imagesSet>{}</imagesSet></R>", image("ami-0b")))
            }
            None => ok("<R><imagesSet/></R>"),
        },
        "DescribeInstanceTypes" => ok(format!(
            "<R><instanceTypeSet>{}</instanceTypeSet></R>",
            each("instance-type", &|name| format!(
                "<item><instanceType>{name}</instanceType></item>"
            ))
        )),
        "DescribeInstanceTypeOfferings" => ok(format!(
            "<R><instanceTypeOfferingSet>{}</instanceTypeOfferingSet></R>",
            each("instance-type", &|name| format!(
                "<item><instanceType>{name}</instanceType><location>eu-west-2a</location></item>"
            ))
        )),
        "DescribeSubnets" => ok(format!(
            "<R><subnetSet>{}</subnetSet></R>",
            each("subnet-id", &|id| format!(
                "<item><subnetId>{id}</subnetId><availabilityZone>eu-west-2a</availabilityZone></item>"
            ))
        )),
        "DescribeLaunchTemplateVersions" => ok(
            "<R><launchTemplateVersionSet><item><versionNumber>3</versionNumber><launchTemplateData>\
             <instanceType>m5.large</instanceType><networkInterfaceSet><item><subnetId>subnet-3</subnetId></item>\
             </networkInterfaceSet></launchTemplateData></item></launchTemplateVersionSet></R>",
        ),
        _ => balancing(asked),
    }
}

fn balancing(asked: &Asked) -> Answer {
    let attributes = |of: &str, cross: &str| {
        ok(format!(
            "<R><{of}Result><Attributes><member><Key>load_balancing.cross_zone.enabled</Key><Value>{cross}</Value>\
             </member><member><Key>deregistration_delay.timeout_seconds</Key><Value>30</Value></member></Attributes>\
             </{of}Result></R>"
        ))
    };
    match asked.action.as_str() {
        "DescribeTargetGroups" => {
            let group = |(name, balancers): (&str, &str)| {
                format!(
                    "<member><TargetGroupArn>{}</TargetGroupArn><TargetGroupName>{name}</TargetGroupName>\
                     <TargetType>instance</TargetType><LoadBalancerArns>{balancers}</LoadBalancerArns></member>",
                    group_arn(name)
                )
            };
            let groups = [
                ("web", "<member>alb</member>"),
                ("tcp", "<member>nlb</member>"),
                ("both", "<member>alb</member><member>nlb</member>"),
                ("own", "<member>nlb</member>"),
                ("idle", ""),
            ];
            let groups: String = groups.into_iter().map(group).collect();
            ok(format!(
                "<R><DescribeTargetGroupsResult><TargetGroups>{groups}</TargetGroups></DescribeTargetGroupsResult></R>"
            ))
        }
        "DescribeLoadBalancers" => ok("<R><DescribeLoadBalancersResult><LoadBalancers>\
             <member><LoadBalancerArn>alb</LoadBalancerArn><Type>application</Type><AvailabilityZones>\
             <member><ZoneName>eu-west-2a</ZoneName></member></AvailabilityZones></member>\
             <member><LoadBalancerArn>nlb</LoadBalancerArn><Type>network</Type><AvailabilityZones>\
             <member><ZoneName>eu-west-2b</ZoneName></member></AvailabilityZones></member>\
             </LoadBalancers></DescribeLoadBalancersResult></R>"),
        "DescribeTargetGroupAttributes" => {
            let is_own = asked.param("TargetGroupArn") == group_arn("own");
            attributes(
                "DescribeTargetGroupAttributes",
                if is_own {
                    "true"
                } else {
                    "use_load_balancer_configuration"
                },
            )
        }
        "DescribeLoadBalancerAttributes" => match asked.param("LoadBalancerArn") {
            // An old Application Load Balancer does not show what it cannot change.
            "alb" => ok("<R><DescribeLoadBalancerAttributesResult/></R>"),
            _ => attributes("DescribeLoadBalancerAttributes", "false"),
        },
        _ => error(400, "InvalidAction"),
    }
}

async fn read(policy: &Policy, answers: impl FnMut(&Asked) -> Answer + Send + 'static) -> (Supply, Canned) {
    let canned = Canned::new(answers);
    let sdk = canned.sdk();
    let own = ScopeKey {
        role: None,
        region: None,
    };
    let reader = Reader::new(&sdk, &own).await.unwrap();
    let clock = canned.env().clock;
    let directory = TargetGroupDirectory::new();
    let blueprint = blueprint();
    let supply = supply(
        &reader,
        policy,
        &[&blueprint],
        &clock,
        Priority::Repair,
        &directory,
    )
    .await;
    (supply, canned)
}

fn id(offer: &ImageOffer) -> Result<&str, &str> {
    match &offer.image {
        Ok(facts) => Ok(facts.id.as_str()),
        Err(why) => Err(why),
    }
}

#[tokio::test(start_paused = true)]
async fn every_source_has_its_offer_in_the_policys_order_and_says_why_it_has_no_image() {
    let newest = |name: &str| ImageSource::Newest {
        owners: vec!["self".to_owned()],
        name: name.to_owned(),
    };
    let sources = vec![
        ImageSource::Ssm("/tis/base".to_owned()),
        ImageSource::Ssm("/tis/typo".to_owned()),
        ImageSource::Ssm("/tis/secret".to_owned()),
        newest("tis-*"),
        newest("typo-*"),
        ImageSource::Id("ami-1".into()),
        ImageSource::Id("ami-9".into()),
        ImageSource::Rescue,
    ];
    let (supply, _) = read(&replacing(sources, &[]), aws).await;
    let told: Vec<&str> = supply.images.iter().map(|offer| offer.source.as_str()).collect();
    assert_eq!(
        told,
        [
            "ssm: /tis/base",
            "ssm: /tis/typo",
            "ssm: /tis/secret",
            "newest: { owners: [self], name: tis-* }",
            "newest: { owners: [self], name: typo-* }",
            "id: ami-1",
            "id: ami-9",
            "rescue",
        ]
    );
    let images: Vec<Result<&str, &str>> = supply.images.iter().map(id).collect();
    assert_eq!(
        images,
        [
            Ok("ami-0a"),
            Err("there is no parameter /tis/typo"),
            Err("the value of the parameter /tis/secret is no image id"),
            Ok("ami-0b"),
            Err("no available image of self has a name like typo-*"),
            Ok("ami-1"),
            Err(
                "AWS shows no image ami-9 to this account: it was deregistered, was never shared, or is not allowed here"
            ),
            Err("rescue images are not in this version: name another source of images beside it"),
        ]
    );
    let first = supply.images.first().unwrap().image.as_ref().unwrap();
    assert_eq!(first.state, ImageState::Available);
    assert_eq!(supply.failed, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn types_and_subnets_are_those_of_blueprints_policy_and_template() {
    let mut policy = replacing(vec![ImageSource::Id("ami-1".into())], &[]);
    policy.replace.as_mut().unwrap().launch = Launch::Template {
        name: "tis".to_owned(),
        version: "$Default".to_owned(),
    };
    let (supply, _) = read(&policy, aws).await;
    let types: Vec<&str> = supply.types.keys().map(String::as_str).collect();
    assert_eq!(types, ["m5.large", "t3.large", "t3.medium"]);
    let subnets: Vec<&str> = supply.subnets.keys().map(String::as_str).collect();
    assert_eq!(subnets, ["subnet-1", "subnet-2", "subnet-3"]);
    assert_eq!(supply.template.unwrap().unwrap().version, 3);
    assert_eq!(supply.failed, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_group_spreads_its_traffic_as_it_says_or_as_all_its_load_balancers_do() {
    let policy = replacing(Vec::new(), &["web", "tcp", "both", "own", "idle"]);
    let (supply, canned) = read(&policy, aws).await;
    assert_eq!(supply.failed, Vec::<String>::new());
    let facts: Vec<(&str, bool, usize)> = supply
        .groups
        .iter()
        .map(|(name, facts)| (name.as_str(), facts.cross_zone, facts.zones.len()))
        .collect();
    assert_eq!(
        facts,
        [
            ("both", false, 2),
            ("idle", false, 0),
            ("own", true, 1),
            ("tcp", false, 1),
            ("web", true, 1),
        ]
    );
    assert_eq!(supply.groups.get("web").unwrap().deregistration_delay_s, 30);
    assert_eq!(canned.count("DescribeLoadBalancers"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_group_goes_by_the_name_that_the_policy_uses_and_one_that_is_not_there_is_named() {
    let arn = group_arn("web");
    let (supply, _) = read(&replacing(Vec::new(), &[&arn, "typo"]), aws).await;
    assert_eq!(supply.groups.keys().collect::<Vec<_>>(), [&arn]);
    assert_eq!(supply.failed, ["there is no target group typo"]);
}

#[tokio::test(start_paused = true)]
async fn whatever_fails_is_told_and_takes_nothing_else_with_it() {
    let failures = [
        "DescribeImages",
        "DescribeInstanceTypes",
        "DescribeInstanceTypeOfferings",
        "DescribeSubnets",
        "DescribeLaunchTemplateVersions",
        "DescribeTargetGroups",
        "DescribeTargetGroupAttributes",
        "DescribeLoadBalancers",
        "DescribeLoadBalancerAttributes",
    ];
    let mut policy = replacing(vec![ImageSource::Id("ami-1".into())], &["web"]);
    policy.replace.as_mut().unwrap().launch = Launch::Template {
        name: "tis".to_owned(),
        version: "3".to_owned(),
    };
    for action in failures {
        let (supply, _) = read(&policy, move |asked| match asked.action == action {
            true if action.contains("Target") || action.contains("LoadBalancer") => {
                elb_error(403, "AccessDenied")
            }
            true => error(403, "UnauthorizedOperation"),
            false => aws(asked),
        })
        .await;
        let image = supply.images.first().unwrap().image.clone();
        let template = supply.template.clone().unwrap();
        let told = [image.err(), template.err()];
        let told: Vec<String> = told
            .into_iter()
            .flatten()
            .chain(supply.failed.iter().cloned())
            .collect();
        assert_eq!(told.len(), 1, "{action}: {told:?}");
        assert!(told.first().unwrap().contains(action), "{told:?}");
        let has = (
            !supply.types.is_empty(),
            !supply.subnets.is_empty(),
            !supply.groups.is_empty(),
        );
        let expected = (
            !action.contains("InstanceType"),
            action != "DescribeSubnets",
            !action.contains("Target") && !action.contains("LoadBalancer"),
        );
        assert_eq!(has, expected, "{action}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_load_balancer_that_is_gone_makes_the_list_of_groups_be_read_again() {
    let canned = Canned::new(|asked| match asked.action.as_str() {
        "DescribeLoadBalancers" => elb_error(400, "LoadBalancerNotFound"),
        _ => aws(asked),
    });
    let sdk = canned.sdk();
    let own = ScopeKey {
        role: None,
        region: None,
    };
    let reader = Reader::new(&sdk, &own).await.unwrap();
    let clock = canned.env().clock;
    let directory = TargetGroupDirectory::new();
    let policy = replacing(Vec::new(), &["web"]);
    for lists in 1..3 {
        let supply = supply(&reader, &policy, &[], &clock, Priority::Repair, &directory).await;
        assert_eq!(supply.failed.len(), 1);
        assert_eq!(canned.count("DescribeTargetGroups"), lists);
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_without_replace_has_no_offers_and_no_images_are_asked_for() {
    let policy = policy("tis", vec![serving("tis-blue", &["web"])]);
    let (supply, canned) = read(&policy, aws).await;
    assert_eq!((supply.images.len(), supply.template), (0, None));
    assert_eq!(supply.types.len(), 1);
    assert_eq!(canned.count("DescribeImages"), 0);
}

#[test]
fn an_image_id_is_told_from_anything_else() {
    for (text, is_one) in [
        ("ami-0abc", true),
        ("ami-", false),
        ("ami-0xyz", false),
        ("{\"image_id\":\"ami-0abc\"}", false),
        ("", false),
    ] {
        assert_eq!(is_image_id(text), is_one, "{text}");
    }
}
