//! EC2: what may be launched and where: instance types, subnets, launch templates.

use super::Reader;
use super::instances::{MOST_FILTER_VALUES, abridged};
use super::page::{Page, odd_answer, pages};
use crate::aws::api::Api;
use crate::aws::budget::Priority;
use crate::aws::convert;
use crate::model::{AwsError, SubnetFacts, TemplateFacts, Zone};
use aws_sdk_ec2::types::{Filter, InstanceTypeInfo, LocationType};
use std::collections::{BTreeMap, BTreeSet};

/// Instance types on a page: the most that AWS allows.
const TYPES_PAGE: i32 = 100;

/// Offerings and subnets on a page: the most that AWS allows.
const PAGE: i32 = 1_000;

/// What AWS says of an instance type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceKind {
    pub architectures: BTreeSet<String>,
    pub burstable: bool,
    pub ebs_optimizable: bool,
    /// Cores and threads of each, unless an instance says otherwise; `None`: not told.
    pub cpu: Option<(i32, i32)>,
    /// Disks of its own, which live and die with one instance, in GB.
    pub instance_store_gb: Option<i64>,
}

impl Reader {
    /// The instance types of these names. One that is not in the map is none.
    ///
    /// # Errors
    /// If any page failed.
    pub async fn instance_kinds(
        &self,
        names: &BTreeSet<String>,
        priority: Priority,
    ) -> Result<BTreeMap<String, InstanceKind>, AwsError> {
        let mut kinds = BTreeMap::new();
        let names: Vec<String> = names.iter().cloned().collect();
        for names in names.chunks(MOST_FILTER_VALUES) {
            let object = abridged(names.iter().map(String::as_str));
            let filter = any_of("instance-type", names);
            let listing = pages(Api::DescribeInstanceTypes, &object, |token| {
                let request = self
                    .ec2
                    .describe_instance_types()
                    .filters(filter.clone())
                    .max_results(TYPES_PAGE)
                    .set_next_token(token);
                let answer = self
                    .caller
                    .read(Api::DescribeInstanceTypes, &object, priority, request.send());
                async {
                    let answer = answer.await?;
                    Ok(Page {
                        items: answer.instance_types().iter().filter_map(kind).collect(),
                        next: answer.next_token().map(str::to_owned),
                    })
                }
            })
            .await;
            kinds.extend(listing.complete()?);
        }
        Ok(kinds)
    }

    /// The zones that offer each of these types. One that is not in the map is offered nowhere.
    ///
    /// # Errors
    /// If any page failed.
    pub async fn offered_in(
        &self,
        names: &BTreeSet<String>,
        priority: Priority,
    ) -> Result<BTreeMap<String, BTreeSet<Zone>>, AwsError> {
        let mut zones: BTreeMap<String, BTreeSet<Zone>> = BTreeMap::new();
        let names: Vec<String> = names.iter().cloned().collect();
        for names in names.chunks(MOST_FILTER_VALUES) {
            let object = abridged(names.iter().map(String::as_str));
            let filter = any_of("instance-type", names);
            let listing = pages(Api::DescribeInstanceTypeOfferings, &object, |token| {
                let request = self
                    .ec2
                    .describe_instance_type_offerings()
                    .location_type(LocationType::AvailabilityZone)
                    .filters(filter.clone())
                    .max_results(PAGE)
                    .set_next_token(token);
                let answer = self.caller.read(
                    Api::DescribeInstanceTypeOfferings,
                    &object,
                    priority,
                    request.send(),
                );
                async {
                    let answer = answer.await?;
                    let offered = answer.instance_type_offerings().iter().filter_map(|offering| {
                        let kind = offering.instance_type()?.as_str().to_owned();
                        Some((kind, Zone::from(offering.location()?)))
                    });
                    Ok(Page {
                        items: offered.collect(),
                        next: answer.next_token().map(str::to_owned),
                    })
                }
            })
            .await;
            for (kind, zone) in listing.complete()? {
                zones.entry(kind).or_default().insert(zone);
            }
        }
        Ok(zones)
    }

    /// The subnets of these ids. One that is not in the map does not exist.
    ///
    /// # Errors
    /// If any page failed, or a subnet has no zone.
    pub async fn subnets(
        &self,
        ids: &BTreeSet<String>,
        priority: Priority,
    ) -> Result<BTreeMap<String, SubnetFacts>, AwsError> {
        let mut subnets = BTreeMap::new();
        let ids: Vec<String> = ids.iter().cloned().collect();
        for ids in ids.chunks(MOST_FILTER_VALUES) {
            let object = abridged(ids.iter().map(String::as_str));
            let filter = any_of("subnet-id", ids);
            let listing = pages(Api::DescribeSubnets, &object, |token| {
                let request = self
                    .ec2
                    .describe_subnets()
                    .filters(filter.clone())
                    .max_results(PAGE)
                    .set_next_token(token);
                let answer = self
                    .caller
                    .read(Api::DescribeSubnets, &object, priority, request.send());
                async {
                    let answer = answer.await?;
                    Ok(Page {
                        items: answer.subnets().iter().map(convert::subnet).collect(),
                        next: answer.next_token().map(str::to_owned),
                    })
                }
            })
            .await;
            let read: Option<Vec<_>> = listing.complete()?.into_iter().collect();
            let odd = || odd_answer(Api::DescribeSubnets, &object, "a subnet's zone is not told");
            subnets.extend(read.ok_or_else(odd)?);
        }
        Ok(subnets)
    }

    /// A launch template's version, by number or by `$Default` or `$Latest`, which then has a number.
    ///
    /// # Errors
    /// If the call failed, as it does when there is no such template or version.
    pub async fn template(
        &self,
        name: &str,
        version: &str,
        priority: Priority,
    ) -> Result<TemplateFacts, AwsError> {
        let object = format!("{name} at version {version}");
        let request = self
            .ec2
            .describe_launch_template_versions()
            .launch_template_name(name)
            .versions(version);
        let answer = self
            .caller
            .read(
                Api::DescribeLaunchTemplateVersions,
                &object,
                priority,
                request.send(),
            )
            .await?;
        let [found] = answer.launch_template_versions() else {
            let why = "the answer does not have exactly one version";
            return Err(odd_answer(Api::DescribeLaunchTemplateVersions, &object, why));
        };
        convert::template(found).ok_or_else(|| {
            let why = "the version's number is not told";
            odd_answer(Api::DescribeLaunchTemplateVersions, &object, why)
        })
    }
}

/// `None` if it has no name.
fn kind(raw: &InstanceTypeInfo) -> Option<(String, InstanceKind)> {
    let name = raw.instance_type()?.as_str().to_owned();
    let processor = raw.processor_info();
    let architectures = processor.map(|processor| processor.supported_architectures());
    let support = raw.ebs_info().and_then(|ebs| ebs.ebs_optimized_support());
    let cpu = raw.v_cpu_info();
    let cpu = cpu.and_then(|cpu| Some((cpu.default_cores()?, cpu.default_threads_per_core()?)));
    let has_store = raw.instance_storage_supported() == Some(true);
    let store = raw.instance_storage_info();
    let kind = InstanceKind {
        architectures: architectures
            .unwrap_or_default()
            .iter()
            .map(|architecture| architecture.as_str().to_owned())
            .collect(),
        burstable: raw.burstable_performance_supported() == Some(true),
        ebs_optimizable: support.is_some_and(|support| support.as_str() != "unsupported"),
        cpu,
        instance_store_gb: has_store.then(|| store.and_then(|store| store.total_size_in_gb()).unwrap_or(0)),
    };
    Some((name, kind))
}

fn any_of(name: &str, values: &[String]) -> Filter {
    Filter::builder()
        .name(name)
        .set_values(Some(values.to_vec()))
        .build()
}
