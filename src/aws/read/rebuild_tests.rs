//! What a replacement is made from: how it is asked for, and what is made of the answers.

use super::*;
use crate::aws::Priority;
use crate::aws::canned::{Answer, Asked, Canned, elb_error, error, ok};
use crate::model::{Blueprint, ErrorClass, ImageFacts, ImageState, UserData};
use std::collections::{BTreeMap, BTreeSet};

const OWN: ScopeKey = ScopeKey {
    role: None,
    region: None,
};

async fn reader(canned: &Canned) -> Reader {
    Reader::new(&canned.sdk(), &OWN).await.unwrap()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

const INSTANCE: &str = "<item><ownerId>111122223333</ownerId><instancesSet><item><instanceId>i-1</instanceId>\
    <imageId>ami-1</imageId><instanceType>t3.medium</instanceType><instanceState><code>16</code><name>running</name>\
    </instanceState><placement><availabilityZone>eu-west-2a</availabilityZone></placement>\
    <rootDeviceName>/dev/xvda</rootDeviceName><rootDeviceType>ebs</rootDeviceType>\
    <blockDeviceMapping><item><deviceName>/dev/xvda</deviceName><ebs><volumeId>vol-1</volumeId>\
    <deleteOnTermination>true</deleteOnTermination></ebs></item></blockDeviceMapping>\
    <networkInterfaceSet><item><networkInterfaceId>eni-1</networkInterfaceId><subnetId>subnet-1</subnetId>\
    <groupSet><item><groupId>sg-1</groupId></item></groupSet><attachment><deviceIndex>0</deviceIndex></attachment>\
    <association><publicIp>3.8.0.1</publicIp><ipOwnerId>amazon</ipOwnerId></association>\
    </item></networkInterfaceSet></item></instancesSet></item>";

/// AWS, as far as a blueprint asks it.
fn aws(asked: &Asked) -> Answer {
    let attribute = |inner: &str| ok(format!("<R><instanceId>i-1</instanceId>{inner}</R>"));
    match (asked.action.as_str(), asked.param("Attribute")) {
        ("DescribeInstances", _) => ok(format!("<R><reservationSet>{INSTANCE}</reservationSet></R>")),
        (_, "userData") => attribute("<userData><value>c2VjcmV0</value></userData>"),
        (_, "disableApiTermination") => {
            attribute("<disableApiTermination><value>true</value></disableApiTermination>")
        }
        (_, "disableApiStop") => attribute("<disableApiStop><value>false</value></disableApiStop>"),
        (_, "instanceInitiatedShutdownBehavior") => attribute(
            "<instanceInitiatedShutdownBehavior><value>stop</value></instanceInitiatedShutdownBehavior>",
        ),
        ("DescribeVolumes", _) => ok(
            "<R><volumeSet><item><volumeId>vol-1</volumeId><size>20</size><volumeType>gp3</volumeType>\
             <iops>3000</iops><throughput>125</throughput><encrypted>false</encrypted></item></volumeSet></R>",
        ),
        ("DescribeInstanceTypes", _) => ok(TYPES),
        ("DescribeInstanceCreditSpecifications", _) => ok(
            "<R><instanceCreditSpecificationSet><item><instanceId>i-1</instanceId><cpuCredits>standard</cpuCredits>\
             </item></instanceCreditSpecificationSet></R>",
        ),
        _ => error(400, "InvalidAction"),
    }
}

const TYPES: &str = "<R><instanceTypeSet><item><instanceType>t3.medium</instanceType>\
    <burstablePerformanceSupported>true</burstablePerformanceSupported>\
    <instanceStorageSupported>false</instanceStorageSupported>\
    <processorInfo><supportedArchitectures><item>x86_64</item></supportedArchitectures></processorInfo>\
    <ebsInfo><ebsOptimizedSupport>default</ebsOptimizedSupport></ebsInfo>\
    <vCpuInfo><defaultCores>1</defaultCores><defaultThreadsPerCore>2</defaultThreadsPerCore></vCpuInfo>\
    </item></instanceTypeSet></R>";

async fn blueprint(canned: &Canned) -> Result<Option<Blueprint>, AwsError> {
    let now = "2026-11-11T04:00:00Z".parse().unwrap();
    reader(canned)
        .await
        .blueprint(&"i-1".into(), &"blue".into(), now, Priority::Repair)
        .await
}

#[tokio::test(start_paused = true)]
async fn a_blueprint_is_read_with_eight_calls_that_name_one_instance() {
    let canned = Canned::new(aws);
    let blueprint = blueprint(&canned).await.unwrap().unwrap();
    assert_eq!(blueprint.account.as_str(), "111122223333");
    assert_eq!(blueprint.cpu_credits.as_deref(), Some("standard"));
    assert_eq!(blueprint.user_data, Some(UserData::new("c2VjcmV0")));
    assert!(blueprint.public_ip);
    assert_eq!(blueprint.root.unwrap().size_gib, 20);
    let left: Vec<&str> = blueprint.uncarried.iter().map(|one| one.what.as_str()).collect();
    assert_eq!(left, ["termination protection"]);
    assert_eq!(canned.asked().len(), 8);
    for asked in canned.asked() {
        let filters = asked.filters();
        match asked.action.as_str() {
            "DescribeInstances" => assert_eq!(filters.get("instance-id").unwrap(), &["i-1"]),
            "DescribeInstanceAttribute" => assert_eq!(asked.param("InstanceId"), "i-1"),
            "DescribeVolumes" => assert_eq!(filters.get("volume-id").unwrap(), &["vol-1"]),
            "DescribeInstanceTypes" => assert_eq!(filters.get("instance-type").unwrap(), &["t3.medium"]),
            "DescribeInstanceCreditSpecifications" => {
                assert_eq!(asked.list("InstanceId"), ["i-1"]);
                assert_eq!(asked.param("MaxResults"), "", "AWS refuses it beside ids");
            }
            other => panic!("{other}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_is_not_there_has_no_blueprint_and_no_further_call_is_made() {
    let canned = Canned::new(|_| ok("<R><reservationSet/></R>"));
    assert_eq!(blueprint(&canned).await.unwrap(), None);
    assert_eq!(canned.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn whichever_part_fails_there_is_no_half_blueprint_and_no_secret_in_the_error() {
    let failing: [fn(&Asked) -> bool; 5] = [
        |asked| asked.action == "DescribeInstances",
        |asked| asked.param("Attribute") == "disableApiStop",
        |asked| asked.action == "DescribeVolumes",
        |asked| asked.action == "DescribeInstanceTypes",
        |asked| asked.action == "DescribeInstanceCreditSpecifications",
    ];
    for fails in failing {
        let canned = Canned::new(move |asked| match fails(asked) {
            true => error(403, "UnauthorizedOperation"),
            false => aws(asked),
        });
        let error = blueprint(&canned).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::NotAuthorised);
        assert!(!format!("{error:?}").contains("c2VjcmV0"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_leaves_something_out_is_an_error() {
    let gaps: [(&str, &str, &str); 4] = [
        ("DescribeVolumes", "vol-1", "vol-1 is attached"),
        ("disableApiStop", "<value>false</value>", "stop protection"),
        (
            "DescribeInstanceCreditSpecifications",
            "<cpuCredits>standard</cpuCredits>",
            "its credits",
        ),
        ("DescribeInstances", "<subnetId>subnet-1</subnetId>", "subnet"),
    ];
    for (of, gap, told) in gaps {
        let canned = Canned::new(move |asked| match aws(asked) {
            Answer::Of(status, body) if [asked.action.as_str(), asked.param("Attribute")].contains(&of) => {
                Answer::Of(status, body.replace(gap, ""))
            }
            answer => answer,
        });
        let error = blueprint(&canned).await.unwrap_err();
        assert!(error.to_string().contains(told), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_type_that_is_not_burstable_is_not_asked_for_its_credits() {
    let canned = Canned::new(|asked| match aws(asked) {
        Answer::Of(200, body) if asked.action == "DescribeInstanceTypes" => ok(body.replace(
            "<burstablePerformanceSupported>true</burstablePerformanceSupported>",
            "",
        )),
        answer => answer,
    });
    assert_eq!(blueprint(&canned).await.unwrap().unwrap().cpu_credits, None);
    assert_eq!(canned.count("DescribeInstanceCreditSpecifications"), 0);
}

const IMAGE: &str = "<item><imageId>ami-1</imageId><name>tis-base-1</name><imageState>available</imageState>\
    <imageAllowed>true</imageAllowed><architecture>x86_64</architecture><virtualizationType>hvm</virtualizationType>\
    <rootDeviceType>ebs</rootDeviceType><rootDeviceName>/dev/sda1</rootDeviceName><blockDeviceMapping>\
    <item><deviceName>/dev/sda1</deviceName><ebs><volumeSize>8</volumeSize></ebs></item>\
    <item><deviceName>/dev/sdb</deviceName><ebs><volumeSize>100</volumeSize>\
    <deleteOnTermination>false</deleteOnTermination></ebs></item>\
    <item><deviceName>/dev/sdc</deviceName><virtualName>ephemeral0</virtualName></item>\
    </blockDeviceMapping></item>";

#[tokio::test(start_paused = true)]
async fn one_image_is_asked_for_alone_and_both_ways_of_saying_no_are_an_answer() {
    let canned = Canned::new(|asked| match asked.list("ImageId").join(",").as_str() {
        "ami-1" => ok(format!("<R><imagesSet>{IMAGE}</imagesSet></R>")),
        "ami-2" => ok("<R><imagesSet/></R>"),
        "ami-3" => error(400, "InvalidAMIID.NotFound"),
        _ => error(403, "UnauthorizedOperation"),
    });
    let reader = reader(&canned).await;
    let facts = reader.image(&"ami-1".into(), Priority::Repair).await.unwrap();
    let expected = ImageFacts {
        id: "ami-1".into(),
        name: Some("tis-base-1".to_owned()),
        state: ImageState::Available,
        allowed: Some(true),
        architecture: Some("x86_64".to_owned()),
        virtualization: Some("hvm".to_owned()),
        root_device: Some("/dev/sda1".to_owned()),
        root_is_ebs: true,
        root_size_gib: Some(8),
        keeps: set(&["/dev/sdb"]),
    };
    assert_eq!(facts, Some(expected));
    for gone in ["ami-2", "ami-3"] {
        assert_eq!(reader.image(&gone.into(), Priority::Repair).await.unwrap(), None);
    }
    let failed = reader.image(&"ami-4".into(), Priority::Repair).await;
    assert_eq!(failed.unwrap_err().class, ErrorClass::NotAuthorised);
    let asked = canned.asked();
    let first = asked.first().unwrap();
    assert_eq!(
        (first.param("IncludeDisabled"), first.param("IncludeDeprecated")),
        ("true", "true")
    );
    assert_eq!(first.filters(), BTreeMap::new());
}

fn dated(id: &str, created: &str, deprecated: Option<&str>) -> String {
    let deprecation = deprecated.map_or_else(String::new, |at| {
        format!("<deprecationTime>{at}</deprecationTime>")
    });
    format!(
        "<item><imageId>{id}</imageId><imageState>available</imageState><creationDate>{created}</creationDate>\
         {deprecation}</item>"
    )
}

async fn newest_of(images: Vec<String>) -> Option<String> {
    let canned = Canned::new(move |asked| {
        let page: usize = asked
            .params
            .get("NextToken")
            .map_or(0, |token| token.parse().unwrap());
        let item = images.get(page).cloned().unwrap_or_default();
        let next = match page + 1 < images.len() {
            true => format!("<nextToken>{}</nextToken>", page + 1),
            false => String::new(),
        };
        ok(format!("<R><imagesSet>{item}</imagesSet>{next}</R>"))
    });
    let now = "2026-11-11T04:00:00Z".parse().unwrap();
    let owners = ["self".to_owned(), "444455556666".to_owned()];
    let found = reader(&canned)
        .await
        .newest_image(&owners, "tis-base-*", now, Priority::Repair)
        .await
        .unwrap();
    let asked = canned.asked();
    let first = asked.first().unwrap();
    assert_eq!(first.list("Owner"), owners);
    let filters = first.filters();
    assert_eq!(
        filters.get("name").unwrap(),
        &["tis-base-*"],
        "a pattern stays a pattern"
    );
    assert_eq!(filters.get("state").unwrap(), &["available"]);
    found.map(|facts| facts.id.to_string())
}

#[tokio::test(start_paused = true)]
async fn the_newest_image_is_the_latest_of_all_pages_that_is_not_deprecated() {
    let old = || dated("ami-old", "2024-03-01T00:00:00.000Z", None);
    let new = |deprecated| dated("ami-new", "2026-03-01T00:00:00.000Z", deprecated);
    let (past, future) = ("2026-11-11T03:59:00.000Z", "2026-11-12T00:00:00.000Z");
    assert_eq!(newest_of(vec![new(None), old()]).await.unwrap(), "ami-new");
    assert_eq!(
        newest_of(vec![old(), new(Some(future))]).await.unwrap(),
        "ami-new"
    );
    assert_eq!(newest_of(vec![old(), new(Some(past))]).await.unwrap(), "ami-old");
    assert_eq!(
        newest_of(vec![new(Some(past))]).await.unwrap(),
        "ami-new",
        "better than none"
    );
    let twin = dated("ami-pew", "2026-03-01T00:00:00.000Z", None);
    assert_eq!(newest_of(vec![twin, new(None)]).await.unwrap(), "ami-pew");
    let undated = dated("ami-zzz", "some day", None);
    assert_eq!(newest_of(vec![undated, old()]).await.unwrap(), "ami-old");
    assert_eq!(newest_of(vec![]).await, None);
}

#[tokio::test(start_paused = true)]
async fn when_a_page_of_images_fails_none_is_the_newest() {
    let canned = Canned::new(|asked| match asked.param("NextToken") {
        "" => ok(format!(
            "<R><imagesSet>{IMAGE}</imagesSet><nextToken>t</nextToken></R>"
        )),
        _ => error(403, "UnauthorizedOperation"),
    });
    let now = "2026-11-11T04:00:00Z".parse().unwrap();
    let reader = reader(&canned).await;
    let owners = ["self".to_owned()];
    let found = reader.newest_image(&owners, "*", now, Priority::Repair);
    assert!(found.await.is_err());
}

#[tokio::test(start_paused = true)]
async fn any_image_of_an_owner_is_looked_for_on_a_few_pages_and_no_more() {
    let canned = Canned::new(|asked| {
        let page: usize = asked
            .params
            .get("NextToken")
            .map_or(0, |token| token.parse().unwrap());
        let image = if asked.list("Owner") == ["self"] && page == 1 {
            IMAGE
        } else {
            ""
        };
        ok(format!(
            "<R><imagesSet>{image}</imagesSet><nextToken>{}</nextToken></R>",
            page + 1
        ))
    });
    let reader = reader(&canned).await;
    let found = reader.any_image_of("self", Priority::Repair).await.unwrap();
    assert_eq!(found, Some("ami-1".into()));
    assert_eq!(canned.asked().len(), 2);
    assert_eq!(
        reader.any_image_of("amazon", Priority::Repair).await.unwrap(),
        None
    );
    assert_eq!(canned.asked().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn instance_types_are_asked_for_by_filter_so_that_one_that_does_not_exist_is_merely_absent() {
    let canned = Canned::new(|asked| match asked.action.as_str() {
        "DescribeInstanceTypes" => ok(TYPES),
        _ => ok(
            "<R><instanceTypeOfferingSet><item><instanceType>t3.medium</instanceType>\
             <locationType>availability-zone</locationType><location>eu-west-2a</location></item>\
             <item><instanceType>t3.medium</instanceType><location>eu-west-2c</location></item>\
             </instanceTypeOfferingSet></R>",
        ),
    });
    let reader = reader(&canned).await;
    let names = set(&["t3.medium", "t9.huge"]);
    let kinds = reader.instance_kinds(&names, Priority::Repair).await.unwrap();
    let kind = InstanceKind {
        architectures: set(&["x86_64"]),
        burstable: true,
        ebs_optimizable: true,
        cpu: Some((1, 2)),
        instance_store_gb: None,
    };
    assert_eq!(kinds, BTreeMap::from([("t3.medium".to_owned(), kind)]));
    let zones = reader.offered_in(&names, Priority::Repair).await.unwrap();
    let zones: Vec<&str> = zones
        .get("t3.medium")
        .unwrap()
        .iter()
        .map(|z| z.as_str())
        .collect();
    assert_eq!(zones, ["eu-west-2a", "eu-west-2c"]);
    let [types, offerings] = &canned.asked()[..] else {
        panic!()
    };
    for asked in [types, offerings] {
        assert_eq!(
            asked.filters().get("instance-type").unwrap(),
            &["t3.medium", "t9.huge"]
        );
    }
    assert_eq!(types.param("MaxResults"), "100", "AWS allows no more");
    assert_eq!(offerings.param("LocationType"), "availability-zone");
    let before = canned.asked().len();
    reader.instance_kinds(&set(&[]), Priority::Repair).await.unwrap();
    assert_eq!(canned.asked().len(), before, "nothing is asked about nothing");
}

#[tokio::test(start_paused = true)]
async fn subnets_are_asked_for_by_filter_and_one_without_a_zone_is_an_error() {
    let canned = Canned::new(|asked| match asked.filters().get("subnet-id").unwrap().len() {
        2 => ok(
            "<R><subnetSet><item><subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId>\
             <availabilityZone>eu-west-2a</availabilityZone><availableIpAddressCount>11</availableIpAddressCount>\
             </item></subnetSet></R>",
        ),
        _ => ok("<R><subnetSet><item><subnetId>subnet-1</subnetId></item></subnetSet></R>"),
    });
    let reader = reader(&canned).await;
    let found = reader
        .subnets(&set(&["subnet-1", "subnet-2"]), Priority::Repair)
        .await
        .unwrap();
    let facts = found.get("subnet-1").unwrap();
    assert_eq!(
        (facts.zone.as_str(), facts.vpc.as_str(), facts.free_addresses),
        ("eu-west-2a", "vpc-1", 11)
    );
    assert_eq!(found.len(), 1);
    let odd = reader.subnets(&set(&["subnet-1"]), Priority::Repair).await;
    assert!(odd.unwrap_err().message.contains("zone"));
}

#[tokio::test(start_paused = true)]
async fn a_templates_version_gets_its_number_and_no_template_is_an_error() {
    let canned = Canned::new(|asked| {
        match (
            asked.param("LaunchTemplateName"),
            asked.param("LaunchTemplateVersion.1"),
        ) {
            ("tis", "$Default") => ok(
                "<R><launchTemplateVersionSet><item><versionNumber>7</versionNumber><launchTemplateData>\
                 <instanceType>m5.large</instanceType><disableApiTermination>true</disableApiTermination>\
                 <instanceMarketOptions><marketType>spot</marketType></instanceMarketOptions><blockDeviceMappingSet><item><deviceName>/dev/sda1</deviceName><ebs>\
                 <deleteOnTermination>true</deleteOnTermination></ebs></item><item><deviceName>/dev/sdf</deviceName><ebs>\
                 <deleteOnTermination>false</deleteOnTermination></ebs></item><item><deviceName>/dev/sdg</deviceName><ebs>\
                 <volumeSize>8</volumeSize></ebs></item></blockDeviceMappingSet><networkInterfaceSet><item><deviceIndex>0</deviceIndex>\
                 <subnetId>subnet-7</subnetId></item></networkInterfaceSet></launchTemplateData></item>\
                 </launchTemplateVersionSet></R>",
            ),
            ("empty", _) => ok("<R><launchTemplateVersionSet/></R>"),
            _ => error(400, "InvalidLaunchTemplateName.NotFoundException"),
        }
    });
    let reader = reader(&canned).await;
    let facts = reader
        .template("tis", "$Default", Priority::Repair)
        .await
        .unwrap();
    assert_eq!(
        (facts.version, facts.instance_type.as_deref()),
        (7, Some("m5.large"))
    );
    assert_eq!(
        (facts.subnet.as_deref(), facts.has_interfaces),
        (Some("subnet-7"), true)
    );
    assert_eq!(
        (facts.ends, facts.keeps),
        (set(&["/dev/sda1"]), set(&["/dev/sdf"]))
    );
    assert_eq!(facts.unfit, set(&["termination protection", "the market `spot`"]));
    for name in ["empty", "typo"] {
        let error = reader
            .template(name, "$Latest", Priority::Repair)
            .await
            .unwrap_err();
        assert!(
            error.to_string().contains(&format!("{name} at version $Latest")),
            "{error}"
        );
    }
}

fn attributes(of: &'static str, pairs: &[(&str, &str)]) -> Answer {
    let member =
        |(key, value): &(&str, &str)| format!("<member><Key>{key}</Key><Value>{value}</Value></member>");
    let members: String = pairs.iter().map(member).collect();
    ok(format!(
        "<R><{of}Result><Attributes>{members}</Attributes></{of}Result></R>"
    ))
}

#[tokio::test(start_paused = true)]
async fn a_target_groups_attributes_are_understood_or_an_error() {
    const CROSS: &str = "load_balancing.cross_zone.enabled";
    const DELAY: &str = "deregistration_delay.timeout_seconds";
    let table: [(&[(&str, &str)], Option<(CrossZone, u32)>); 6] = [
        (&[(CROSS, "true"), (DELAY, "300")], Some((CrossZone::On, 300))),
        (&[(CROSS, "false"), (DELAY, "0")], Some((CrossZone::Off, 0))),
        (
            &[(CROSS, "use_load_balancer_configuration"), (DELAY, "30")],
            Some((CrossZone::OfLoadBalancer, 30)),
        ),
        (&[(DELAY, "30")], Some((CrossZone::OfLoadBalancer, 30))),
        (&[(CROSS, "sometimes"), (DELAY, "30")], None),
        (&[(CROSS, "true")], None),
    ];
    for (pairs, expected) in table {
        let canned = Canned::new(move |_| attributes("DescribeTargetGroupAttributes", pairs));
        let read = reader(&canned)
            .await
            .group_attributes(&"arn".into(), Priority::Repair)
            .await;
        let read = read
            .ok()
            .map(|read| (read.cross_zone, read.deregistration_delay_s));
        assert_eq!(read, expected, "{pairs:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn load_balancers_tell_their_zones_and_whether_they_cross_them() {
    let canned = Canned::new(|asked| match asked.action.as_str() {
        "DescribeLoadBalancers" if asked.list("LoadBalancerArns.member").contains(&"gone".to_owned()) => {
            elb_error(400, "LoadBalancerNotFound")
        }
        "DescribeLoadBalancers" => ok("<R><DescribeLoadBalancersResult><LoadBalancers>\
             <member><LoadBalancerArn>alb</LoadBalancerArn><Type>application</Type><AvailabilityZones>\
             <member><ZoneName>eu-west-2a</ZoneName></member><member><ZoneName>eu-west-2b</ZoneName></member>\
             </AvailabilityZones></member>\
             <member><LoadBalancerArn>nlb</LoadBalancerArn><Type>network</Type></member>\
             </LoadBalancers></DescribeLoadBalancersResult></R>"),
        _ => match asked.param("LoadBalancerArn") {
            "alb" => attributes("DescribeLoadBalancerAttributes", &[]),
            arn => attributes(
                "DescribeLoadBalancerAttributes",
                &[("load_balancing.cross_zone.enabled", arn)],
            ),
        },
    });
    let reader = reader(&canned).await;
    let found = reader
        .load_balancers(&set(&["alb", "nlb"]), Priority::Repair)
        .await
        .unwrap();
    let alb = found.get("alb").unwrap();
    assert_eq!((alb.crosses_zones_by_default, alb.zones.len()), (true, 2));
    assert!(!found.get("nlb").unwrap().crosses_zones_by_default);
    let gone = reader.load_balancers(&set(&["gone"]), Priority::Repair).await;
    assert_eq!(gone.unwrap_err().class, ErrorClass::NotFound);
    for (arn, expected) in [
        ("alb", Ok(None)),
        ("true", Ok(Some(true))),
        ("false", Ok(Some(false))),
        ("odd", Err(())),
    ] {
        let read = reader.load_balancer_crosses_zones(arn, Priority::Repair).await;
        assert_eq!(read.map_err(|_| ()), expected, "{arn}");
    }
}
