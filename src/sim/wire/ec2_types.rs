//! Instance types: requests and answers.

use super::Route;
use super::ec2::route;
use super::xml::Xml;
use crate::sim::world::api::{Listing, Operation};
use crate::sim::world::launch::{InstanceType, Offering, Op};

pub(super) const ROUTES: &[Route] = &[
    route("DescribeInstanceTypes", |p| {
        let asked = p.asked("InstanceType")?;
        Ok(Operation::Launch(Op::DescribeInstanceTypes(asked)))
    }),
    route("DescribeInstanceTypeOfferings", |p| {
        Ok(Operation::Launch(Op::DescribeInstanceTypeOfferings {
            location_type: p.text("LocationType"),
            filters: p.filters()?,
            page: p.page("MaxResults", "NextToken")?,
        }))
    }),
];

pub(super) fn offerings(xml: &mut Xml, listing: &Listing<Offering>) {
    xml.listing("instanceTypeOfferingSet", listing, |xml, offering| {
        xml.text("instanceType", &offering.instance_type);
        xml.text("locationType", &offering.location_type);
        xml.text("location", &offering.location);
    });
}

pub(super) fn types(xml: &mut Xml, listing: &Listing<InstanceType>) {
    xml.listing("instanceTypeSet", listing, write_type);
}

fn write_type(xml: &mut Xml, kind: &InstanceType) {
    let is_nitro = kind.hypervisor() == "nitro";
    xml.text("instanceType", &kind.name);
    texts(xml, "supportedUsageClasses", &["on-demand", "spot"]);
    texts(xml, "supportedRootDeviceTypes", &["ebs"]);
    texts(xml, "supportedVirtualizationTypes", &["hvm"]);
    xml.text("bareMetal", "false");
    xml.text("hypervisor", kind.hypervisor());
    xml.element("processorInfo", |xml| {
        texts(xml, "supportedArchitectures", &[kind.architecture]);
    });
    xml.element("vCpuInfo", |xml| {
        let (cores, threads) = kind.cpu();
        xml.text("defaultVCpus", kind.vcpus.to_string());
        xml.text("defaultCores", cores.to_string());
        xml.text("defaultThreadsPerCore", threads.to_string());
    });
    xml.element("memoryInfo", |xml| {
        xml.text("sizeInMiB", kind.memory_mib.to_string())
    });
    xml.text("instanceStorageSupported", (kind.local_gb > 0).to_string());
    if kind.local_gb > 0 {
        xml.element("instanceStorageInfo", |xml| {
            xml.text("totalSizeInGB", kind.local_gb.to_string());
        });
    }
    xml.element("ebsInfo", |xml| {
        xml.text("ebsOptimizedSupport", kind.ebs_optimized_support());
        xml.text("encryptionSupport", "supported");
        xml.text("nvmeSupport", if is_nitro { "required" } else { "unsupported" });
    });
    xml.text("burstablePerformanceSupported", kind.burstable.to_string());
    xml.text("autoRecoverySupported", (kind.local_gb == 0).to_string());
}

fn texts(xml: &mut Xml, list: &str, values: &[&str]) {
    xml.element(list, |xml| {
        values.iter().for_each(|value| xml.text("item", value))
    });
}
