//! EC2's networks and what hangs on them, through the real client.

use aws_sdk_ec2::types::{AttributeBooleanValue, Filter, ResourceType, Tag, TagSpecification};

use super::*;
use crate::sim::world::incident;

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

#[test]
fn a_region_begins_with_a_default_vpc_and_a_subnet_in_each_of_three_zones() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let vpcs = ec2.describe_vpcs().send().await.unwrap();
        let [vpc] = vpcs.vpcs() else { panic!("{vpcs:?}") };
        assert_eq!(
            (vpc.is_default(), vpc.cidr_block()),
            (Some(true), Some("172.31.0.0/16"))
        );
        let of_vpc = filter("vpc-id", vpc.vpc_id().unwrap());
        let subnets = ec2.describe_subnets().filters(of_vpc).send().await.unwrap();
        let zones = subnets.subnets().iter().map(|s| s.availability_zone().unwrap());
        let mut zones: Vec<&str> = zones.collect();
        zones.sort_unstable();
        assert_eq!(zones, ["eu-west-2a", "eu-west-2b", "eu-west-2c"]);
        let elsewhere = sdk_of(&cloud, &Incarnation::person(), ACCOUNT, "eu-west-1");
        let other = aws_sdk_ec2::Client::new(&elsewhere)
            .describe_vpcs()
            .send()
            .await
            .unwrap();
        assert_ne!(other.vpcs()[0].vpc_id(), vpc.vpc_id());
    });
}

#[test]
fn a_network_is_built_with_tags_and_no_two_subnets_overlap() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let made = ec2.create_vpc().cidr_block("10.1.0.0/16").send().await.unwrap();
        let vpc = made.vpc().unwrap().vpc_id().unwrap();
        let subnet = |cidr: &str, kind: ResourceType| {
            let tags = TagSpecification::builder()
                .resource_type(kind)
                .tags(tag("team", "tis"));
            let zone = "eu-west-2b";
            let asked = ec2
                .create_subnet()
                .vpc_id(vpc)
                .cidr_block(cidr)
                .availability_zone(zone);
            asked.tag_specifications(tags.build()).send()
        };
        let made = subnet("10.1.1.0/24", ResourceType::Subnet).await.unwrap();
        let made = made.subnet().unwrap().clone();
        assert_eq!(made.available_ip_address_count(), Some(251));
        assert_eq!(made.availability_zone_id(), Some("euw2-az2"));
        let error = subnet("10.1.1.128/25", ResourceType::Subnet).await.unwrap_err();
        assert_eq!(code(&error), "InvalidSubnet.Conflict");
        let error = subnet("10.2.1.0/24", ResourceType::Subnet).await.unwrap_err();
        assert_eq!(code(&error), "InvalidSubnet.Range");
        let error = subnet("10.1.2.0/24", ResourceType::Volume).await.unwrap_err();
        assert_eq!(code(&error), "InvalidParameterValue");

        let id = made.subnet_id().unwrap();
        let on = AttributeBooleanValue::builder().value(true).build();
        ec2.modify_subnet_attribute()
            .subnet_id(id)
            .map_public_ip_on_launch(on)
            .send()
            .await
            .unwrap();
        ec2.create_tags()
            .resources(id)
            .resources(vpc)
            .tags(tag("note", "x"))
            .send()
            .await
            .unwrap();
        let shown = ec2
            .describe_subnets()
            .filters(filter("tag:team", "t*"))
            .send()
            .await
            .unwrap();
        let [shown] = shown.subnets() else {
            panic!("{shown:?}")
        };
        assert_eq!(
            (shown.map_public_ip_on_launch(), shown.tags().len()),
            (Some(true), 2)
        );
        let lines = ec2
            .describe_tags()
            .filters(filter("key", "note"))
            .send()
            .await
            .unwrap();
        let kinds = lines.tags().iter().map(|t| t.resource_type().unwrap().as_str());
        assert_eq!(kinds.collect::<Vec<_>>(), ["subnet", "vpc"]);
        ec2.delete_tags()
            .resources(id)
            .tags(tag("note", "x"))
            .send()
            .await
            .unwrap();
        let shown = ec2.describe_subnets().subnet_ids(id).send().await.unwrap();
        assert_eq!(shown.subnets()[0].tags().len(), 1);
        let error = ec2
            .create_tags()
            .resources("subnet-0123456789abcdef0")
            .tags(tag("a", "b"))
            .send()
            .await;
        assert_eq!(code(&error.unwrap_err()), "InvalidID");
    });
}

#[test]
fn a_dry_run_says_what_would_happen_and_changes_nothing() {
    simulate(incident::world(1), |cloud| async move {
        let ec2 = aws_sdk_ec2::Client::new(&sdk(&cloud));
        let error = ec2
            .create_vpc()
            .cidr_block("10.1.0.0/16")
            .dry_run(true)
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&error), "DryRunOperation");
        let error = ec2
            .create_vpc()
            .cidr_block("10.1.0.0/8")
            .dry_run(true)
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&error), "InvalidVpc.Range");
        assert_eq!(ec2.describe_vpcs().send().await.unwrap().vpcs().len(), 1);
        let error = ec2
            .describe_subnets()
            .subnet_ids("subnet-x")
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&error), "InvalidSubnetID.Malformed");
        let error = ec2
            .describe_subnets()
            .subnet_ids("subnet-0123456789abcdef0")
            .send()
            .await
            .unwrap_err();
        assert_eq!(code(&error), "InvalidSubnetID.NotFound");
        let error = ec2
            .describe_subnets()
            .filters(filter("outpost-arn", "x"))
            .send()
            .await
            .unwrap_err();
        assert!(error.message().unwrap().contains("outpost-arn"));
    });
}
