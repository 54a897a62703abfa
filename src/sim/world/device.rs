//! Volume types with their limits, and how a launch's block devices are laid over the image's.

use super::api::ApiError;
use super::launch::{BlockDeviceSpec, EbsSpec};

/// EBS's volume types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum VolumeKind {
    Standard,
    Gp2,
    Gp3,
    Io1,
    Io2,
    St1,
    Sc1,
}

impl VolumeKind {
    pub const ALL: [VolumeKind; 7] = [
        VolumeKind::Standard,
        VolumeKind::Gp2,
        VolumeKind::Gp3,
        VolumeKind::Io1,
        VolumeKind::Io2,
        VolumeKind::St1,
        VolumeKind::Sc1,
    ];

    /// EBS's name.
    pub fn name(self) -> &'static str {
        match self {
            VolumeKind::Standard => "standard",
            VolumeKind::Gp2 => "gp2",
            VolumeKind::Gp3 => "gp3",
            VolumeKind::Io1 => "io1",
            VolumeKind::Io2 => "io2",
            VolumeKind::St1 => "st1",
            VolumeKind::Sc1 => "sc1",
        }
    }

    /// The type of this name.
    ///
    /// # Errors
    /// `InvalidParameterValue` for any other name.
    pub fn parse(name: &str) -> Result<Self, ApiError> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| {
            let text = format!("Value ({name}) for parameter volumeType is invalid.");
            ApiError::new("InvalidParameterValue", text)
        })
    }

    /// Sizes in GiB, from EBS's table of volume types.
    fn sizes(self) -> (u32, u32) {
        match self {
            VolumeKind::Standard => (1, 1_024),
            VolumeKind::Gp2 => (1, 16_384),
            VolumeKind::Gp3 => (1, 65_536),
            VolumeKind::Io1 => (4, 16_384),
            VolumeKind::Io2 => (4, 65_536),
            VolumeKind::St1 | VolumeKind::Sc1 => (125, 16_384),
        }
    }

    /// The IOPS that can be asked for, and how many for each GiB; `None` where they cannot be chosen.
    fn iops(self) -> Option<(u32, u32, u32)> {
        match self {
            VolumeKind::Gp3 => Some((3_000, 80_000, 500)),
            VolumeKind::Io1 => Some((100, 64_000, 50)),
            VolumeKind::Io2 => Some((100, 256_000, 1_000)),
            VolumeKind::Standard | VolumeKind::Gp2 | VolumeKind::St1 | VolumeKind::Sc1 => None,
        }
    }

    fn is_provisioned(self) -> bool {
        matches!(self, VolumeKind::Io1 | VolumeKind::Io2)
    }
}

/// Size and speed of a volume, complete and within the type's limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    pub size_gib: u32,
    pub kind: VolumeKind,
    /// `None` for types that have none to show.
    pub iops: Option<u32>,
    /// MiB/s; gp3 alone has it.
    pub throughput: Option<u32>,
}

impl Shape {
    /// Fill in what was not asked for, and refuse what EBS would.
    ///
    /// # Errors
    /// `InvalidParameterValue`, `InvalidParameterCombination` or `MissingParameter`, as EBS says it.
    pub fn new(
        size_gib: u32,
        kind: VolumeKind,
        iops: Option<u32>,
        throughput: Option<u32>,
    ) -> Result<Self, ApiError> {
        let (low, high) = kind.sizes();
        let name = kind.name();
        let value = |text: String| Err(ApiError::new("InvalidParameterValue", text));
        if size_gib < low {
            return value(format!(
                "Volume of {size_gib}GiB is too small for volume type {name}; minimum is {low}GiB."
            ));
        }
        if size_gib > high {
            return value(format!(
                "Volume of {size_gib}GiB is too large for volume type {name}; maximum is {high}GiB."
            ));
        }
        let unsupported = |what: &str| {
            let text = format!("The parameter {what} is not supported for {name} volumes.");
            Err(ApiError::new("InvalidParameterCombination", text))
        };
        let iops = match (kind.iops(), iops) {
            (None, Some(_)) => return unsupported("iops"),
            (Some(_), None) if kind.is_provisioned() => {
                let text = format!("The parameter iops must be specified for {name} volumes.");
                return Err(ApiError::new("MissingParameter", text));
            }
            (Some((low, _, _)), None) => Some(low),
            (Some(limits), Some(iops)) => Some(checked_iops(size_gib, iops, limits)?),
            (None, None) if kind == VolumeKind::Gp2 => Some((size_gib * 3).clamp(100, 16_000)),
            (None, None) => None,
        };
        let throughput = match (kind, throughput) {
            (VolumeKind::Gp3, asked) => {
                let asked = asked.unwrap_or(125);
                if !(125..=2_000).contains(&asked) {
                    return value(format!(
                        "Throughput of {asked} MiB/s is out of range; it must be from 125 to 2000."
                    ));
                }
                if asked * 4 > iops.unwrap_or(0) {
                    return value(format!(
                        "Throughput (MiBps) to iops ratio of {:.6} is too high; maximum is 0.250000 MiBps per iops.",
                        f64::from(asked) / f64::from(iops.unwrap_or(1))
                    ));
                }
                Some(asked)
            }
            (_, Some(_)) => return unsupported("throughput"),
            (_, None) => None,
        };
        Ok(Self {
            size_gib,
            kind,
            iops,
            throughput,
        })
    }
}

fn checked_iops(size_gib: u32, iops: u32, limits: (u32, u32, u32)) -> Result<u32, ApiError> {
    let (low, high, per_gib) = limits;
    let value = |text: String| Err(ApiError::new("InvalidParameterValue", text));
    if iops < low {
        return value(format!("Volume iops of {iops} is too low; minimum is {low}."));
    }
    if iops > high {
        return value(format!("Volume iops of {iops} is too high; maximum is {high}."));
    }
    // Every type may have its least IOPS whatever its size is.
    if iops > low && iops > size_gib.saturating_mul(per_gib) {
        let ratio = f64::from(iops) / f64::from(size_gib);
        return value(format!(
            "Iops to volume size ratio of {ratio:.6} is too high; maximum is {per_gib}.000000 iops per GiB"
        ));
    }
    Ok(iops)
}

/// `over`'s mappings on top of `base`'s: by name, and for volumes field by field. What is mapped to nothing stays out.
pub fn merged(base: &[BlockDeviceSpec], over: &[BlockDeviceSpec]) -> Vec<BlockDeviceSpec> {
    let mut all = base.to_vec();
    for device in over {
        let place = all.iter_mut().find(|d| d.device == device.device);
        match (place, &device.ebs) {
            (Some(place), Some(above)) => match &mut place.ebs {
                Some(below) => *below = laid_over(above, below),
                None => *place = device.clone(),
            },
            (Some(place), None) => *place = device.clone(),
            (None, _) => all.push(device.clone()),
        }
    }
    all.retain(|device| !device.no_device);
    all
}

/// What `above` says, and for the rest what `below` says. IOPS and throughput belong to a type and do not outlive it.
fn laid_over(above: &EbsSpec, below: &EbsSpec) -> EbsSpec {
    let is_same_kind = above.volume_type.is_none() || above.volume_type == below.volume_type;
    EbsSpec {
        snapshot: above.snapshot.clone().or_else(|| below.snapshot.clone()),
        size_gib: above.size_gib.or(below.size_gib),
        volume_type: above.volume_type.clone().or_else(|| below.volume_type.clone()),
        iops: above.iops.or(below.iops.filter(|_| is_same_kind)),
        throughput: above.throughput.or(below.throughput.filter(|_| is_same_kind)),
        encrypted: above.encrypted.or(below.encrypted),
        kms_key: above.kms_key.clone().or_else(|| below.kms_key.clone()),
        delete_on_termination: above.delete_on_termination.or(below.delete_on_termination),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(size: u32, kind: VolumeKind, iops: Option<u32>, throughput: Option<u32>) -> String {
        Shape::new(size, kind, iops, throughput).unwrap_err().message
    }

    #[test]
    fn each_volume_type_has_its_own_limits_and_defaults() {
        let iops = |size, kind, iops| Shape::new(size, kind, iops, None).unwrap().iops;
        assert_eq!(iops(8, VolumeKind::Gp2, None), Some(100));
        assert_eq!(iops(100, VolumeKind::Gp2, None), Some(300));
        assert_eq!(iops(1, VolumeKind::Gp3, None), Some(3_000));
        assert_eq!(iops(1, VolumeKind::Gp3, Some(3_000)), Some(3_000));
        assert_eq!(iops(8, VolumeKind::Io1, Some(400)), Some(400));
        assert_eq!(iops(500, VolumeKind::St1, None), None);
        assert!(refused(8, VolumeKind::Io1, Some(401), None).contains("ratio of 50.125000 is too high"));
        assert!(refused(8, VolumeKind::Gp2, Some(3_000), None).contains("iops is not supported for gp2"));
        assert!(refused(100, VolumeKind::St1, None, None).contains("minimum is 125GiB"));
        assert!(refused(2_000, VolumeKind::Standard, None, None).contains("maximum is 1024GiB"));
        assert!(refused(8, VolumeKind::Gp3, None, Some(1_000)).contains("ratio of 0.333333"));
        assert!(refused(8, VolumeKind::Gp2, None, Some(125)).contains("throughput is not supported"));
        assert!(refused(8, VolumeKind::Io2, None, None).contains("iops must be specified"));
    }

    #[test]
    fn a_launch_overrides_the_images_mapping_field_by_field() {
        let root = |ebs: EbsSpec| BlockDeviceSpec {
            device: "/dev/xvda".into(),
            ebs: Some(ebs),
            ..BlockDeviceSpec::default()
        };
        let image = root(EbsSpec {
            snapshot: Some("snap-1".into()),
            volume_type: Some("io1".into()),
            iops: Some(400),
            size_gib: Some(8),
            ..EbsSpec::default()
        });
        let launch = root(EbsSpec {
            volume_type: Some("gp3".into()),
            size_gib: Some(20),
            ..EbsSpec::default()
        });
        let both = merged(std::slice::from_ref(&image), &[launch]);
        let expected = root(EbsSpec {
            snapshot: Some("snap-1".into()),
            volume_type: Some("gp3".into()),
            size_gib: Some(20),
            ..EbsSpec::default()
        });
        assert_eq!(both, [expected]);
        let nothing = BlockDeviceSpec {
            device: "/dev/xvda".into(),
            no_device: true,
            ..BlockDeviceSpec::default()
        };
        assert_eq!(merged(&[image], &[nothing]), []);
    }
}
