//! Block devices as an image, a launch or a launch template asks for them: which volume goes under which name.
//!
//! One type for all three, because AWS merges them: what a launch says of a device wins over the image's mapping of
//! the same name, field by field.

use super::api::ApiError;

/// What shall be under one device name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockDevice {
    /// `/dev/xvda`.
    pub name: String,
    pub what: Mapped,
}

/// What a device name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mapped {
    Ebs(EbsSpec),
    /// An instance-store volume: `ephemeral0`.
    Ephemeral(String),
    /// The image's mapping of this name is left out.
    Nothing,
}

/// A volume as asked for: what is `None` comes from the snapshot, the image or EBS's defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EbsSpec {
    pub snapshot: Option<String>,
    pub size_gib: Option<u32>,
    pub kind: Option<VolumeKind>,
    pub iops: Option<u32>,
    /// MiB/s.
    pub throughput: Option<u32>,
    pub encrypted: Option<bool>,
    /// A KMS key: its id, ARN or alias.
    pub key: Option<String>,
    pub delete_on_termination: Option<bool>,
}

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
            VolumeKind::Gp3 | VolumeKind::Io2 => (if self == VolumeKind::Io2 { 4 } else { 1 }, 65_536),
            VolumeKind::Io1 => (4, 16_384),
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
    if iops > low && iops / per_gib >= size_gib && iops > size_gib * per_gib {
        let ratio = f64::from(iops) / f64::from(size_gib);
        return value(format!(
            "Iops to volume size ratio of {ratio:.6} is too high; maximum is {per_gib}.000000 iops per GiB"
        ));
    }
    Ok(iops)
}

/// `over`'s mappings on top of `base`'s: by name, and for volumes field by field. What is mapped to nothing stays out.
pub fn merged(base: &[BlockDevice], over: &[BlockDevice]) -> Vec<BlockDevice> {
    let mut all = base.to_vec();
    for device in over {
        let place = all.iter_mut().find(|d| d.name == device.name);
        match (place, &device.what) {
            (Some(BlockDevice { what: Mapped::Ebs(below), .. }), Mapped::Ebs(above)) => {
                *below = above.over(below);
            }
            (Some(place), _) => *place = device.clone(),
            (None, _) => all.push(device.clone()),
        }
    }
    all.retain(|device| device.what != Mapped::Nothing);
    all
}

impl EbsSpec {
    /// What this says, and for the rest what `below` says. IOPS and throughput belong to a type and do not outlive it.
    fn over(&self, below: &EbsSpec) -> EbsSpec {
        let is_same_kind = self.kind.is_none() || self.kind == below.kind;
        EbsSpec {
            snapshot: self.snapshot.clone().or_else(|| below.snapshot.clone()),
            size_gib: self.size_gib.or(below.size_gib),
            kind: self.kind.or(below.kind),
            iops: self.iops.or(below.iops.filter(|_| is_same_kind)),
            throughput: self.throughput.or(below.throughput.filter(|_| is_same_kind)),
            encrypted: self.encrypted.or(below.encrypted),
            key: self.key.clone().or_else(|| below.key.clone()),
            delete_on_termination: self.delete_on_termination.or(below.delete_on_termination),
        }
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
        let ebs = |spec: EbsSpec| BlockDevice { name: "/dev/xvda".into(), what: Mapped::Ebs(spec) };
        let image = ebs(EbsSpec {
            snapshot: Some("snap-1".into()),
            kind: Some(VolumeKind::Io1),
            iops: Some(400),
            size_gib: Some(8),
            ..EbsSpec::default()
        });
        let launch = ebs(EbsSpec { kind: Some(VolumeKind::Gp3), size_gib: Some(20), ..EbsSpec::default() });
        let both = merged(std::slice::from_ref(&image), &[launch]);
        let expected = ebs(EbsSpec {
            snapshot: Some("snap-1".into()),
            kind: Some(VolumeKind::Gp3),
            size_gib: Some(20),
            ..EbsSpec::default()
        });
        assert_eq!(both, [expected]);
        let nothing = BlockDevice { name: "/dev/xvda".into(), what: Mapped::Nothing };
        assert_eq!(merged(&[image], &[nothing]), []);
    }
}
