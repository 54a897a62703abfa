//! EC2's launch templates: requests and answers.

use super::ec2::route;
use super::ec2_launch_data::launch_data;
use super::ec2_xml::tag_set;
use super::query::Params;
use super::xml::{Xml, time};
use super::{Route, ec2_devices};
use crate::sim::world::api::{ApiError, Operation};
use crate::sim::world::launch::{InterfaceSpec, LaunchData, MarketSpec, MetadataSpec, PlacementSpec};
use crate::sim::world::templates::{
    Answer, CreateTemplate, CreateVersion, DescribeVersions, Op, VersionView,
};
use crate::sim::world::{Template, TemplateRef};

pub(super) const ROUTES: &[Route] = &[
    route("CreateLaunchTemplate", |p| {
        Ok(Operation::Templates(Op::CreateLaunchTemplate(Box::new(
            CreateTemplate {
                name: p.required("LaunchTemplateName")?,
                description: p.text("VersionDescription"),
                data: data(p)?,
                tags: p.tag_specs()?,
                token: p.text("ClientToken"),
            },
        ))))
    }),
    route("CreateLaunchTemplateVersion", |p| {
        Ok(Operation::Templates(Op::CreateLaunchTemplateVersion(Box::new(
            CreateVersion {
                template: template(p),
                source: p.text("SourceVersion"),
                description: p.text("VersionDescription"),
                data: data(p)?,
                token: p.text("ClientToken"),
                resolve: p.flag("ResolveAlias")?,
            },
        ))))
    }),
    route("DescribeLaunchTemplates", |p| {
        let names = p.list("LaunchTemplateName");
        Ok(Operation::Templates(Op::DescribeLaunchTemplates {
            asked: p.asked("LaunchTemplateId")?,
            names,
        }))
    }),
    route("DescribeLaunchTemplateVersions", |p| {
        Ok(Operation::Templates(Op::DescribeLaunchTemplateVersions(
            DescribeVersions {
                template: template(p),
                versions: p.list("LaunchTemplateVersion"),
                min: p.number("MinVersion")?,
                max: p.number("MaxVersion")?,
                filters: p.filters()?,
                page: p.page("MaxResults", "NextToken")?,
                resolve: p.flag("ResolveAlias")?,
            },
        )))
    }),
    route("ModifyLaunchTemplate", |p| {
        // The change is the same however often it is made.
        p.text("ClientToken");
        Ok(Operation::Templates(Op::ModifyLaunchTemplate {
            template: template(p),
            default: p.text("SetDefaultVersion"),
        }))
    }),
    route("DeleteLaunchTemplate", |p| {
        Ok(Operation::Templates(Op::DeleteLaunchTemplate {
            template: template(p),
        }))
    }),
    route("DeleteLaunchTemplateVersions", |p| {
        Ok(Operation::Templates(Op::DeleteLaunchTemplateVersions {
            template: template(p),
            versions: p.list("LaunchTemplateVersion"),
        }))
    }),
    route("GetLaunchTemplateData", |p| {
        Ok(Operation::Templates(Op::GetLaunchTemplateData {
            instance: p.required("InstanceId")?,
        }))
    }),
];

fn template(p: &mut Params) -> TemplateRef {
    TemplateRef {
        id: p.text("LaunchTemplateId"),
        name: p.text("LaunchTemplateName"),
    }
}

fn data(p: &mut Params) -> Result<LaunchData, ApiError> {
    p.within("LaunchTemplateData", launch_data)?.ok_or_else(|| {
        let text = "The request must contain the parameter LaunchTemplateData";
        ApiError::new("MissingParameter", text)
    })
}

pub(super) fn write(xml: &mut Xml, answer: &Answer) {
    match answer {
        Answer::Template(template) => xml.element("launchTemplate", |xml| write_template(xml, template)),
        Answer::Templates(listing) => {
            xml.listing("launchTemplates", listing, |xml, template| {
                write_template(xml, template)
            });
        }
        Answer::Version(view) => xml.element("launchTemplateVersion", |xml| write_version(xml, view)),
        Answer::Versions(listing) => xml.listing("launchTemplateVersionSet", listing, write_version),
        Answer::Deleted { template, gone, kept } => write_deleted(xml, template, gone, kept),
        Answer::Data(data) => xml.element("launchTemplateData", |xml| write_data(xml, data)),
    }
}

fn write_template(xml: &mut Xml, template: &Template) {
    xml.text("launchTemplateId", &template.id);
    xml.text("launchTemplateName", &template.name);
    xml.text("createTime", time(template.created));
    xml.text("createdBy", &template.created_by);
    xml.text("defaultVersionNumber", template.default.to_string());
    xml.text("latestVersionNumber", template.latest().to_string());
    tag_set(xml, &template.tags);
}

fn write_version(xml: &mut Xml, VersionView { template, version }: &VersionView) {
    xml.text("launchTemplateId", &template.id);
    xml.text("launchTemplateName", &template.name);
    xml.text("versionNumber", version.number.to_string());
    xml.maybe("versionDescription", version.description.as_ref());
    xml.text("createTime", time(version.created));
    xml.text("createdBy", &version.created_by);
    xml.text("defaultVersion", (version.number == template.default).to_string());
    xml.element("launchTemplateData", |xml| write_data(xml, &version.data));
}

fn write_deleted(xml: &mut Xml, template: &Template, gone: &[u64], kept: &[(u64, &'static str, String)]) {
    let whose = |xml: &mut Xml, number: u64| {
        xml.text("launchTemplateId", &template.id);
        xml.text("launchTemplateName", &template.name);
        xml.text("versionNumber", number.to_string());
    };
    xml.list(
        "successfullyDeletedLaunchTemplateVersionSet",
        "item",
        gone,
        |xml, number| whose(xml, *number),
    );
    let kept_list = "unsuccessfullyDeletedLaunchTemplateVersionSet";
    xml.list(kept_list, "item", kept, |xml, (number, code, text)| {
        whose(xml, *number);
        xml.element("responseError", |xml| {
            xml.text("code", code);
            xml.text("message", text);
        });
    });
}

fn write_data(xml: &mut Xml, data: &LaunchData) {
    let flag = |flag: Option<bool>| flag.map(|flag| flag.to_string());
    xml.maybe("ebsOptimized", flag(data.ebs_optimized));
    if let Some(profile) = &data.profile {
        xml.element("iamInstanceProfile", |xml| {
            xml.maybe("arn", profile.arn.as_ref());
            xml.maybe("name", profile.name.as_ref());
        });
    }
    if !data.block_devices.is_empty() {
        ec2_devices::write(xml, "blockDeviceMappingSet", &data.block_devices);
    }
    if !data.interfaces.is_empty() {
        xml.list("networkInterfaceSet", "item", &data.interfaces, write_interface);
    }
    xml.maybe("imageId", data.image.as_ref());
    xml.maybe("instanceType", data.instance_type.as_ref());
    xml.maybe("keyName", data.key_name.as_ref());
    one(xml, "monitoring", "enabled", flag(data.monitoring));
    if data.placement != PlacementSpec::default() {
        xml.element("placement", |xml| write_placement(xml, &data.placement));
    }
    xml.maybe("disableApiTermination", flag(data.disable_api_termination));
    xml.maybe("disableApiStop", flag(data.disable_api_stop));
    xml.maybe(
        "instanceInitiatedShutdownBehavior",
        data.shutdown_behavior.as_ref(),
    );
    xml.maybe("userData", data.user_data.as_ref());
    if !data.tags.is_empty() {
        xml.list("tagSpecificationSet", "item", &data.tags, |xml, (kind, tags)| {
            xml.text("resourceType", kind);
            tag_set(xml, tags);
        });
    }
    texts(xml, "securityGroupIdSet", "item", &data.group_ids);
    texts(xml, "securityGroupSet", "item", &data.group_names);
    write_options(xml, data);
}

/// The part of a launch that is about how the instance behaves.
fn write_options(xml: &mut Xml, data: &LaunchData) {
    let flag = |flag: Option<bool>| flag.map(|flag| flag.to_string());
    if let Some(market) = &data.market {
        xml.element("instanceMarketOptions", |xml| write_market(xml, market));
    }
    one(xml, "creditSpecification", "cpuCredits", data.cpu_credits.clone());
    let (cores, threads) = (data.cpu.core_count, data.cpu.threads_per_core);
    if cores.is_some() || threads.is_some() {
        xml.element("cpuOptions", |xml| {
            xml.maybe("coreCount", cores.map(|n| n.to_string()));
            xml.maybe("threadsPerCore", threads.map(|n| n.to_string()));
        });
    }
    let preference = data.capacity_reservation_preference.clone();
    one(
        xml,
        "capacityReservationSpecification",
        "capacityReservationPreference",
        preference,
    );
    one(xml, "hibernationOptions", "configured", flag(data.hibernation));
    if data.metadata != MetadataSpec::default() {
        xml.element("metadataOptions", |xml| write_metadata(xml, &data.metadata));
    }
    one(xml, "enclaveOptions", "enabled", flag(data.enclave));
    let hostname = &data.hostname;
    if hostname.kind.is_some() || hostname.a_record.is_some() || hostname.aaaa_record.is_some() {
        xml.element("privateDnsNameOptions", |xml| {
            xml.maybe("hostnameType", hostname.kind.as_ref());
            xml.maybe("enableResourceNameDnsARecord", flag(hostname.a_record));
            xml.maybe("enableResourceNameDnsAAAARecord", flag(hostname.aaaa_record));
        });
    }
    one(
        xml,
        "maintenanceOptions",
        "autoRecovery",
        data.auto_recovery.clone(),
    );
}

/// A structure with one field, if it has a value.
fn one(xml: &mut Xml, outer: &str, inner: &str, value: Option<String>) {
    if let Some(value) = value {
        xml.element(outer, |xml| xml.text(inner, value));
    }
}

fn texts(xml: &mut Xml, list: &str, item: &str, values: &[String]) {
    if !values.is_empty() {
        xml.element(list, |xml| values.iter().for_each(|value| xml.text(item, value)));
    }
}

fn write_interface(xml: &mut Xml, interface: &InterfaceSpec) {
    let flag = |flag: Option<bool>| flag.map(|flag| flag.to_string());
    xml.maybe("associatePublicIpAddress", flag(interface.associate_public_ip));
    xml.maybe("deleteOnTermination", flag(interface.delete_on_termination));
    xml.maybe("description", interface.description.as_ref());
    xml.maybe("deviceIndex", interface.device_index.map(|n| n.to_string()));
    texts(xml, "groupSet", "groupId", &interface.group_ids);
    xml.maybe("networkInterfaceId", interface.id.as_ref());
    xml.maybe("privateIpAddress", interface.private_ip.as_ref());
    xml.maybe("subnetId", interface.subnet.as_ref());
}

fn write_placement(xml: &mut Xml, placement: &PlacementSpec) {
    xml.maybe("availabilityZone", placement.zone.as_ref());
    xml.maybe("availabilityZoneId", placement.zone_id.as_ref());
    xml.maybe("affinity", placement.affinity.as_ref());
    xml.maybe("groupName", placement.group_name.as_ref());
    xml.maybe("hostId", placement.host.as_ref());
    xml.maybe("tenancy", placement.tenancy.as_ref());
    xml.maybe("partitionNumber", placement.partition.map(|n| n.to_string()));
}

fn write_market(xml: &mut Xml, market: &MarketSpec) {
    xml.maybe("marketType", market.kind.as_ref());
    if market.max_price.is_some() || market.spot_type.is_some() || market.interruption.is_some() {
        xml.element("spotOptions", |xml| {
            xml.maybe("maxPrice", market.max_price.as_ref());
            xml.maybe("spotInstanceType", market.spot_type.as_ref());
            xml.maybe("instanceInterruptionBehavior", market.interruption.as_ref());
        });
    }
}

fn write_metadata(xml: &mut Xml, metadata: &MetadataSpec) {
    xml.maybe("httpTokens", metadata.tokens.as_ref());
    xml.maybe(
        "httpPutResponseHopLimit",
        metadata.hop_limit.map(|n| n.to_string()),
    );
    xml.maybe("httpEndpoint", metadata.endpoint.as_ref());
    xml.maybe("httpProtocolIpv6", metadata.ipv6.as_ref());
    xml.maybe("instanceMetadataTags", metadata.tags.as_ref());
}
