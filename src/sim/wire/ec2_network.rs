//! EC2's networks: requests and answers.

use super::Route;
use super::ec2::route;
use super::ec2_xml::tag_set;
use super::xml::Xml;
use crate::sim::world::api::Operation;
use crate::sim::world::network::{Answer, CreateSubnet, CreateVpc, Op, SubnetView, Vpc};

pub(super) const ROUTES: &[Route] = &[
    route("DescribeVpcs", |p| {
        Ok(Operation::Network(Op::DescribeVpcs(p.asked("VpcId")?)))
    }),
    route("DescribeSubnets", |p| {
        Ok(Operation::Network(Op::DescribeSubnets(p.asked("SubnetId")?)))
    }),
    route("DescribeAvailabilityZones", |p| {
        // The zones that need opting in are not modelled: asking for them too changes nothing.
        p.flag("AllAvailabilityZones")?;
        Ok(Operation::Network(Op::DescribeAvailabilityZones {
            names: p.list("ZoneName"),
            ids: p.list("ZoneId"),
            filters: p.filters()?,
        }))
    }),
    route("DescribeRegions", |p| {
        p.flag("AllRegions")?;
        Ok(Operation::Network(Op::DescribeRegions {
            names: p.list("RegionName"),
            filters: p.filters()?,
        }))
    }),
    route("CreateVpc", |p| {
        let wanted = CreateVpc {
            cidr: p.required("CidrBlock")?,
            tags: p.tag_specs()?,
        };
        Ok(Operation::Network(Op::CreateVpc(wanted)))
    }),
    route("CreateSubnet", |p| {
        let wanted = CreateSubnet {
            vpc: p.required("VpcId")?,
            cidr: p.required("CidrBlock")?,
            zone: p.text("AvailabilityZone"),
            zone_id: p.text("AvailabilityZoneId"),
            tags: p.tag_specs()?,
        };
        Ok(Operation::Network(Op::CreateSubnet(wanted)))
    }),
    route("ModifySubnetAttribute", |p| {
        Ok(Operation::Network(Op::ModifySubnetAttribute {
            subnet: p.required("SubnetId")?,
            map_public_ip: p.required_flag("MapPublicIpOnLaunch.Value")?,
        }))
    }),
];

pub(super) fn write(xml: &mut Xml, answer: &Answer) {
    match answer {
        Answer::Vpcs(listing) => xml.listing("vpcSet", listing, |xml, vpc| write_vpc(xml, vpc)),
        Answer::Vpc(vpc) => xml.element("vpc", |xml| write_vpc(xml, vpc)),
        Answer::Subnets(listing) => xml.listing("subnetSet", listing, write_subnet),
        Answer::Zones(zones) => xml.list("availabilityZoneInfo", "item", zones, |xml, zone| {
            xml.text("zoneName", &zone.name);
            xml.text("zoneId", &zone.id);
            xml.text("zoneState", "available");
            xml.text("zoneType", "availability-zone");
            xml.text("regionName", &zone.region);
            xml.text("groupName", &zone.region);
            xml.text("networkBorderGroup", &zone.region);
            xml.text("optInStatus", "opt-in-not-required");
        }),
        Answer::Regions(regions) => xml.list("regionInfo", "item", regions, |xml, region| {
            xml.text("regionName", region);
            xml.text("regionEndpoint", format!("ec2.{region}.amazonaws.com"));
            xml.text("optInStatus", "opt-in-not-required");
        }),
        Answer::Subnet(view) => xml.element("subnet", |xml| write_subnet(xml, view)),
    }
}

fn write_vpc(xml: &mut Xml, vpc: &Vpc) {
    xml.text("vpcId", &vpc.id);
    xml.text("ownerId", &vpc.scope.account);
    xml.text("state", "available");
    xml.text("cidrBlock", vpc.cidr.to_string());
    xml.list("cidrBlockAssociationSet", "item", [vpc], |xml, vpc| {
        xml.text("cidrBlock", vpc.cidr.to_string());
        xml.text("associationId", vpc.id.replace("vpc-", "vpc-cidr-assoc-"));
        xml.element("cidrBlockState", |xml| xml.text("state", "associated"));
    });
    xml.text("dhcpOptionsId", "default");
    xml.text("instanceTenancy", "default");
    xml.text("isDefault", vpc.is_default.to_string());
    tag_set(xml, &vpc.tags);
}

fn write_subnet(xml: &mut Xml, SubnetView { subnet, free }: &SubnetView) {
    xml.text("subnetId", &subnet.id);
    xml.text("subnetArn", subnet.arn());
    xml.text("state", "available");
    xml.text("ownerId", &subnet.scope.account);
    xml.text("vpcId", &subnet.vpc);
    xml.text("cidrBlock", subnet.cidr.to_string());
    xml.text("availableIpAddressCount", free.to_string());
    xml.text("availabilityZone", &subnet.zone);
    xml.text("availabilityZoneId", subnet.zone_id());
    xml.text("defaultForAz", subnet.is_default.to_string());
    xml.text("mapPublicIpOnLaunch", subnet.map_public_ip.to_string());
    xml.text("assignIpv6AddressOnCreation", "false");
    tag_set(xml, &subnet.tags);
}
