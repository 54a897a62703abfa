//! Images (AMIs): what a launch can use, and what an instance remembers of the image it was launched from.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::instance::{Scope, StateReason};
use super::launch::{BlockDeviceSpec, EbsSpec};
use super::shelf::{Field, Resource, Tags, parts};

/// The account that Amazon's own images belong to.
pub const AMAZON: &str = "137112412989";
/// The account that the Marketplace's images belong to.
pub const MARKETPLACE: &str = "679593333241";

/// What EC2 calls the owner instead of its account, from a list that Amazon keeps.
pub fn owner_alias(account: &str) -> Option<&'static str> {
    match account {
        AMAZON => Some("amazon"),
        MARKETPLACE => Some("aws-marketplace"),
        _ => None,
    }
}

/// EC2's `PlatformDetails`, and its code for what the bill is made of.
pub fn platform(windows: bool) -> (&'static str, &'static str) {
    match windows {
        true => ("Windows", "RunInstances:0002"),
        false => ("Linux/UNIX", "RunInstances"),
    }
}

/// Whether an image can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageState {
    /// Its snapshots are being taken.
    Pending,
    Available,
    /// It could not be made.
    Failed,
    Disabled,
    /// Deregistered at that time. DescribeImages shows the state for a short while, then nothing.
    Deregistered(Timestamp),
}

impl ImageState {
    /// EC2's name.
    pub fn name(self) -> &'static str {
        match self {
            ImageState::Pending => "pending",
            ImageState::Available => "available",
            ImageState::Failed => "failed",
            ImageState::Disabled => "disabled",
            ImageState::Deregistered(_) => "deregistered",
        }
    }
}

/// A deregistered image's time in the Recycle Bin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InBin {
    pub since: Timestamp,
    /// It cannot be restored from then on.
    pub until: Timestamp,
}

/// One image. It stays in the world after it was deregistered: instances go on naming it.
#[derive(Debug, Clone)]
pub struct Image {
    pub id: String,
    pub name: String,
    /// The owner's account, and the region.
    pub scope: Scope,
    pub description: String,
    pub state: ImageState,
    /// Why it failed.
    pub reason: Option<StateReason>,
    pub public: bool,
    /// Accounts, besides the owner's, that may launch it.
    pub shared_with: BTreeSet<String>,
    /// Past this time it is deprecated: hidden from others' listings, and still launchable.
    pub deprecation: Option<Timestamp>,
    /// Accounts that an organization's policy forbids it to.
    pub not_allowed_in: BTreeSet<String>,
    pub creation: Timestamp,
    /// `x86_64`, `arm64`, …
    pub architecture: String,
    /// `windows`, else Linux.
    pub windows: bool,
    /// Root device: EBS, else instance store.
    pub ebs_root: bool,
    /// `/dev/xvda`.
    pub root_device: String,
    pub devices: Vec<BlockDeviceSpec>,
    /// Marketplace products that must be subscribed to before a launch.
    pub product_codes: Vec<String>,
    /// Where an instance-store image's manifest lies.
    pub location: Option<String>,
    /// `hvm` or `paravirtual`.
    pub virtualization: String,
    pub ena: bool,
    pub sriov: Option<String>,
    /// `uefi`, `legacy-bios`, …
    pub boot_mode: Option<String>,
    /// `v2.0`.
    pub tpm: Option<String>,
    /// `v2.0`: launches default to IMDSv2.
    pub imds: Option<String>,
    /// The instance that CreateImage took it of.
    pub source_instance: Option<String>,
    /// The image that CopyImage copied, and its region.
    pub source_image: Option<(String, String)>,
    /// The public SSM parameter that names it.
    pub ssm_name: Option<String>,
    pub bin: Option<InBin>,
    pub tags: Tags,
}

impl Image {
    /// An available EBS-backed image of its owner alone, with one root volume of 8 GiB from a snapshot whose id has
    /// the image's own digits.
    pub fn plain(id: &str, scope: Scope, creation: Timestamp) -> Self {
        let root = EbsSpec {
            snapshot: Some(id.replacen("ami-", "snap-", 1)),
            size_gib: Some(8),
            volume_type: Some("gp3".to_owned()),
            iops: Some(3_000),
            throughput: Some(125),
            encrypted: Some(false),
            kms_key: None,
            delete_on_termination: Some(true),
        };
        let root_device = "/dev/xvda".to_owned();
        Self {
            id: id.to_owned(),
            name: format!("image {id}"),
            scope,
            description: String::new(),
            state: ImageState::Available,
            reason: None,
            public: false,
            shared_with: BTreeSet::new(),
            deprecation: None,
            not_allowed_in: BTreeSet::new(),
            creation,
            architecture: "x86_64".to_owned(),
            windows: false,
            ebs_root: true,
            devices: vec![BlockDeviceSpec {
                device: root_device.clone(),
                ebs: Some(root),
                ..BlockDeviceSpec::default()
            }],
            root_device,
            product_codes: Vec::new(),
            location: None,
            virtualization: "hvm".to_owned(),
            ena: true,
            sriov: Some("simple".to_owned()),
            boot_mode: None,
            tpm: None,
            imds: None,
            source_instance: None,
            source_image: None,
            ssm_name: None,
            bin: None,
            tags: Tags::new(),
        }
    }

    /// `account` may launch it, as far as permissions go.
    pub fn is_shared_with(&self, account: &str) -> bool {
        self.public || self.scope.account == account || self.shared_with.contains(account)
    }

    pub fn is_deprecated(&self, now: Timestamp) -> bool {
        self.deprecation.is_some_and(|at| at <= now)
    }

    /// EC2's `ImageLocation`.
    pub fn location(&self) -> String {
        let named = || {
            let owner = owner_alias(&self.scope.account).unwrap_or(&self.scope.account);
            format!("{owner}/{}", self.name)
        };
        self.location.clone().unwrap_or_else(named)
    }

    /// As [`platform`] says it.
    pub fn platform(&self) -> (&'static str, &'static str) {
        platform(self.windows)
    }

    /// Its volumes.
    pub fn volumes(&self) -> impl Iterator<Item = (&str, &EbsSpec)> {
        let devices = self.devices.iter();
        devices.filter_map(|device| Some((device.device.as_str(), device.ebs.as_ref()?)))
    }

    /// The snapshots that its volumes are made from.
    pub fn snapshots(&self) -> impl Iterator<Item = &str> {
        self.volumes().filter_map(|(_, ebs)| ebs.snapshot.as_deref())
    }
}

impl Resource for Image {
    const KIND: &'static str = "image";
    const PREFIX: &'static str = "ami-";
    const NOUN: &'static str = "image";
    const NOT_FOUND: &'static str = "InvalidAMIID.NotFound";
    const MALFORMED: &'static str = "InvalidAMIID.Malformed";
    const FILTERS: &'static [Field<Self>] = &[
        ("architecture", |i| vec![i.architecture.clone()]),
        ("block-device-mapping.delete-on-termination", |i| {
            of_volumes(i, |ebs| ebs.delete_on_termination.map(|d| d.to_string()))
        }),
        ("block-device-mapping.device-name", |i| {
            i.devices.iter().map(|d| d.device.clone()).collect()
        }),
        ("block-device-mapping.encrypted", |i| {
            of_volumes(i, |ebs| ebs.encrypted.map(|e| e.to_string()))
        }),
        ("block-device-mapping.snapshot-id", |i| {
            of_volumes(i, |ebs| ebs.snapshot.clone())
        }),
        ("block-device-mapping.volume-size", |i| {
            of_volumes(i, |ebs| ebs.size_gib.map(|n| n.to_string()))
        }),
        ("block-device-mapping.volume-type", |i| {
            of_volumes(i, |ebs| ebs.volume_type.clone())
        }),
        ("boot-mode", |i| i.boot_mode.iter().cloned().collect()),
        ("creation-date", |i| vec![format!("{:.3}", i.creation)]),
        ("description", |i| vec![i.description.clone()]),
        ("ena-support", |i| vec![i.ena.to_string()]),
        ("hypervisor", |_| vec!["xen".to_owned()]),
        ("image-id", |i| vec![i.id.clone()]),
        ("image-type", |_| vec!["machine".to_owned()]),
        ("is-public", |i| vec![i.public.to_string()]),
        ("manifest-location", |i| vec![i.location()]),
        ("name", |i| vec![i.name.clone()]),
        ("owner-alias", |i| {
            owner_alias(&i.scope.account)
                .map(str::to_owned)
                .into_iter()
                .collect()
        }),
        ("owner-id", |i| vec![i.scope.account.clone()]),
        ("platform", |i| {
            i.windows.then(|| "windows".to_owned()).into_iter().collect()
        }),
        ("platform-details", |i| vec![i.platform().0.to_owned()]),
        ("usage-operation", |i| vec![i.platform().1.to_owned()]),
        ("product-code", |i| i.product_codes.clone()),
        ("product-code.type", |i| {
            i.product_codes.iter().map(|_| "marketplace".to_owned()).collect()
        }),
        ("public-ssm-parameter-name", |i| {
            i.ssm_name.iter().cloned().collect()
        }),
        ("root-device-name", |i| vec![i.root_device.clone()]),
        ("root-device-type", |i| vec![i.root_device_type().to_owned()]),
        ("source-image-id", |i| {
            i.source_image.iter().map(|(id, _)| id.clone()).collect()
        }),
        ("source-image-region", |i| {
            i.source_image.iter().map(|(_, region)| region.clone()).collect()
        }),
        ("source-instance-id", |i| {
            i.source_instance.iter().cloned().collect()
        }),
        ("sriov-net-support", |i| i.sriov.iter().cloned().collect()),
        ("state", |i| vec![i.state.name().to_owned()]),
        ("state-reason-code", |i| {
            i.reason.iter().map(|r| r.code.clone()).collect()
        }),
        ("state-reason-message", |i| {
            i.reason.iter().map(|r| r.message.clone()).collect()
        }),
        ("virtualization-type", |i| vec![i.virtualization.clone()]),
    ];

    parts!();
}

impl Image {
    /// EC2's `RootDeviceType`.
    pub fn root_device_type(&self) -> &'static str {
        if self.ebs_root { "ebs" } else { "instance-store" }
    }
}

fn of_volumes(image: &Image, what: fn(&EbsSpec) -> Option<String>) -> Vec<String> {
    image.volumes().filter_map(|(_, ebs)| what(ebs)).collect()
}
