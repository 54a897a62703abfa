//! Which instance types there are, and where they are offered.

use super::super::World;
use super::super::api::{self, ApiError, Asked, Caller, Filter, Listing, Page, Response};
use super::super::filter;
use super::super::network::zones_of;
use super::super::page::paginate;
use super::super::shelf::Field;
use super::{Answer, InstanceType, instance_types};

/// One instance type at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offering {
    pub instance_type: String,
    /// `region`, `availability-zone` or `availability-zone-id`.
    pub location_type: String,
    /// A region's or a zone's name, or a zone's id.
    pub location: String,
}

/// The filters of DescribeInstanceTypes.
const ON_TYPES: &[Field<InstanceType>] = &[
    ("instance-type", |t| vec![t.name.clone()]),
    ("processor-info.supported-architecture", |t| {
        vec![t.architecture.to_owned()]
    }),
    ("vcpu-info.default-vcpus", |t| vec![t.vcpus.to_string()]),
    ("vcpu-info.default-cores", |t| vec![t.cpu().0.to_string()]),
    ("vcpu-info.default-threads-per-core", |t| {
        vec![t.threads_per_core.to_string()]
    }),
    ("memory-info.size-in-mib", |t| vec![t.memory_mib.to_string()]),
    ("bare-metal", |_| vec!["false".to_owned()]),
    ("burstable-performance-supported", |t| {
        vec![t.burstable.to_string()]
    }),
    ("ebs-info.ebs-optimized-support", |t| {
        vec![t.ebs_optimized_support().to_owned()]
    }),
    ("hypervisor", |t| vec![t.hypervisor().to_owned()]),
    ("instance-storage-supported", |t| {
        vec![(t.local_gb > 0).to_string()]
    }),
    ("supported-root-device-type", |_| vec!["ebs".to_owned()]),
    ("supported-usage-class", |_| {
        vec!["on-demand".to_owned(), "spot".to_owned()]
    }),
    ("supported-virtualization-type", |_| vec!["hvm".to_owned()]),
];

/// The filters of DescribeInstanceTypeOfferings.
const ON_OFFERINGS: &[Field<Offering>] = &[
    ("instance-type", |o| vec![o.instance_type.clone()]),
    ("location", |o| vec![o.location.clone()]),
];

impl World {
    pub(super) fn describe_types(&self, caller: &Caller, asked: &Asked) -> Response {
        let (own, rest) = filter::take(ON_TYPES, asked.filters.iter().collect());
        filter::none_left(&rest, "DescribeInstanceTypes")?;
        let mut items = instance_types();
        let unknown: Vec<&str> = asked
            .subjects()
            .into_iter()
            .filter(|name| items.iter().all(|kind| kind.name != *name))
            .collect();
        if !unknown.is_empty() {
            let text = format!(
                "The following supplied instance types do not exist: [{}]",
                unknown.join(", ")
            );
            return Err(ApiError::new("InvalidInstanceType", text));
        }
        items.retain(|kind| asked.ids.is_empty() || asked.ids.contains(&kind.name));
        items.retain(|kind| self.is_in_region(&caller.region, &kind.name) && own.pass(kind));
        items.sort_by(|a, b| a.name.cmp(&b.name));
        let (items, next) = paginate(items, |kind| kind.name.clone(), &asked.page, 5..=100, Some(100))?;
        Ok(api::Answer::Launch(Answer::Types(Listing { items, next })))
    }

    /// Without a kind of location: by region.
    pub(super) fn describe_offerings(
        &self,
        caller: &Caller,
        location_type: Option<&str>,
        filters: &[Filter],
        page: &Page,
    ) -> Response {
        let (own, rest) = filter::take(ON_OFFERINGS, filters.iter().collect());
        filter::none_left(&rest, "DescribeInstanceTypeOfferings")?;
        let zones = zones_of(&caller.region);
        let location_type = location_type.unwrap_or("region");
        // Each location with the zones of which it consists.
        let places: Vec<(String, Vec<&str>)> = match location_type {
            "region" => vec![(
                caller.region.clone(),
                zones.iter().map(|z| z.name.as_str()).collect(),
            )],
            "availability-zone" => zones
                .iter()
                .map(|z| (z.name.clone(), vec![z.name.as_str()]))
                .collect(),
            "availability-zone-id" => zones
                .iter()
                .map(|z| (z.id.clone(), vec![z.name.as_str()]))
                .collect(),
            other => return Err(ApiError::not_modelled(format!("location type {other:?}"))),
        };
        let mut items = Vec::new();
        for kind in instance_types() {
            for (location, zones) in &places {
                let offering = Offering {
                    instance_type: kind.name.clone(),
                    location_type: location_type.to_owned(),
                    location: location.clone(),
                };
                if zones.iter().any(|zone| self.is_offered(zone, &kind.name)) && own.pass(&offering) {
                    items.push(offering);
                }
            }
        }
        let key = |o: &Offering| format!("{} {}", o.instance_type, o.location);
        items.sort_by_key(key);
        let (items, next) = paginate(items, key, page, 5..=1000, Some(1000))?;
        Ok(api::Answer::Launch(Answer::Offerings(Listing { items, next })))
    }

    /// Whether the zone has machines of this type at all.
    pub(in crate::sim::world) fn is_offered(&self, zone: &str, kind: &str) -> bool {
        let key = (zone.to_owned(), kind.to_owned());
        !self.launching.not_offered.contains(&key)
    }

    fn is_in_region(&self, region: &str, kind: &str) -> bool {
        zones_of(region)
            .iter()
            .any(|zone| self.is_offered(&zone.name, kind))
    }

    /// # Errors
    /// The zone does not have the type; the sentence names those that do.
    pub(in crate::sim::world) fn check_offered(&self, zone: &str, kind: &str) -> Result<(), ApiError> {
        if self.is_offered(zone, kind) {
            return Ok(());
        }
        let region = zone.trim_end_matches(|c: char| c.is_ascii_lowercase());
        let others: Vec<String> = zones_of(region)
            .into_iter()
            .map(|other| other.name)
            .filter(|other| self.is_offered(other, kind))
            .collect();
        let text = match others.is_empty() {
            true => {
                format!("Your requested instance type ({kind}) is not supported in this region ({region}).")
            }
            false => format!(
                "Your requested instance type ({kind}) is not supported in your requested Availability Zone ({zone}). \
                 Please retry your request by not specifying an Availability Zone or choosing {}.",
                others.join(", ")
            ),
        };
        Err(ApiError::new("Unsupported", text))
    }
}
