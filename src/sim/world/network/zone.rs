//! Regions and their zones.

use super::super::World;
use super::super::api::{ApiError, Caller, Filter};
use super::super::filter;
use super::Answer;

/// The regions that an account has without opting in.
pub const REGIONS: [&str; 17] = [
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// An availability zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// `eu-west-2a`.
    pub name: String,
    /// `euw2-az1`: the same hardware for every account.
    pub id: String,
    pub region: String,
}

/// The zones of a region: three, a to c.
pub fn zones_of(region: &str) -> Vec<Zone> {
    ('a'..='c')
        .zip(1..)
        .map(|(letter, number)| Zone {
            name: format!("{region}{letter}"),
            id: format!("{}-az{number}", short_name(region)),
            region: region.to_owned(),
        })
        .collect()
}

/// The id of a zone, also of one that the region does not have.
pub fn zone_id(zone: &str) -> String {
    let region = zone.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let letter = zone.bytes().last().unwrap_or(b'a');
    format!(
        "{}-az{}",
        short_name(region),
        u32::from(letter.saturating_sub(b'a')) + 1
    )
}

impl World {
    pub(super) fn describe_zones(
        &self,
        caller: &Caller,
        names: &[String],
        ids: &[String],
        filters: &[Filter],
    ) -> Result<Answer, ApiError> {
        let all = zones_of(&caller.region);
        let asked = names.iter().chain(ids);
        let unknown = asked
            .clone()
            .find(|asked| all.iter().all(|z| z.name != **asked && z.id != **asked));
        if let Some(unknown) = unknown {
            let text = format!("Invalid availability zone: [{unknown}]");
            return Err(ApiError::new("InvalidParameterValue", text));
        }
        let asked: Vec<&String> = asked.collect();
        let mut zones = Vec::new();
        for zone in all {
            let is_named = asked.is_empty() || asked.contains(&&zone.name) || asked.contains(&&zone.id);
            if is_named && zone.passes(filters)? {
                zones.push(zone);
            }
        }
        Ok(Answer::Zones(zones))
    }

    pub(super) fn describe_regions(&self, names: &[String], filters: &[Filter]) -> Result<Answer, ApiError> {
        if let Some(unknown) = names.iter().find(|name| !REGIONS.contains(&name.as_str())) {
            let text = format!("Invalid region: {unknown}");
            return Err(ApiError::new("InvalidParameterValue", text));
        }
        let mut regions: Vec<&'static str> = REGIONS.to_vec();
        regions.retain(|region| names.is_empty() || names.iter().any(|name| name == region));
        for Filter { name, values } in filters {
            let text: fn(&str) -> String = match name.as_str() {
                "region-name" => str::to_owned,
                "endpoint" => |region| format!("ec2.{region}.amazonaws.com"),
                "opt-in-status" => |_| "opt-in-not-required".to_owned(),
                _ => {
                    return Err(ApiError::not_modelled(format!(
                        "filter {name:?} of DescribeRegions"
                    )));
                }
            };
            regions.retain(|region| values.iter().any(|value| filter::matches(value, &text(region))));
        }
        Ok(Answer::Regions(regions))
    }
}

impl Zone {
    fn passes(&self, filters: &[Filter]) -> Result<bool, ApiError> {
        let mut passes = true;
        for Filter { name, values } in filters {
            let text = match name.as_str() {
                "zone-name" => self.name.as_str(),
                "zone-id" => &self.id,
                "region-name" | "group-name" => &self.region,
                "state" => "available",
                "zone-type" => "availability-zone",
                "opt-in-status" => "opt-in-not-required",
                _ => {
                    let what = format!("filter {name:?} of DescribeAvailabilityZones");
                    return Err(ApiError::not_modelled(what));
                }
            };
            passes &= values.iter().any(|value| filter::matches(value, text));
        }
        Ok(passes)
    }
}

/// `eu-west-2` is `euw2`, `ap-southeast-1` is `apse1`.
fn short_name(region: &str) -> String {
    let mut parts = region.splitn(2, '-');
    let area = parts.next().unwrap_or("");
    let rest = parts.next().unwrap_or("");
    let rest = rest
        .replace("north", "n")
        .replace("south", "s")
        .replace("east", "e")
        .replace("west", "w")
        .replace("central", "c");
    format!("{area}{}", rest.replace('-', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zone_ids_are_those_of_aws() {
        for (zone, id) in [
            ("eu-west-2a", "euw2-az1"),
            ("us-east-1b", "use1-az2"),
            ("ap-southeast-1c", "apse1-az3"),
            ("ca-central-1a", "cac1-az1"),
        ] {
            assert_eq!(zone_id(zone), id);
        }
        assert_eq!(
            zones_of("eu-west-2")
                .iter()
                .map(|z| z.id.as_str())
                .collect::<Vec<_>>(),
            ["euw2-az1", "euw2-az2", "euw2-az3"]
        );
    }
}
