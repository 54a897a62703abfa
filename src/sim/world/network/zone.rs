//! Regions and their zones.

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
