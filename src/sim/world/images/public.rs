//! What every account finds in every region: Amazon's own images, one of the Marketplace, and the public SSM parameters
//! that name the newest of them.
//!
//! They come about when a region is first used. Ids are derived from region and name, so that they are the same in
//! every world and leave its course alone.

use jiff::Timestamp;

use super::super::World;
use super::super::image::{AMAZON, Image, MARKETPLACE};
use super::super::instance::Scope;
use super::super::parameter::{PUBLIC_PREFIX, Parameter};

/// When Amazon published them.
const PUBLISHED_S: i64 = 1_794_300_000;

struct Offer {
    name: &'static str,
    description: &'static str,
    architecture: &'static str,
    windows: bool,
    root_device: &'static str,
    size_gib: u32,
    /// Names of public parameters, after `/aws/service/`.
    parameters: &'static [&'static str],
    product_code: Option<&'static str>,
}

const OFFERS: [Offer; 5] = [
    Offer {
        name: "al2023-ami-2023.9.20261110.0-kernel-6.1-x86_64",
        description: "Amazon Linux 2023 AMI 2023.9.20261110.0 x86_64 HVM kernel-6.1",
        architecture: "x86_64",
        windows: false,
        root_device: "/dev/xvda",
        size_gib: 8,
        parameters: &[
            "ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
            "ami-amazon-linux-latest/al2023-ami-kernel-6.1-x86_64",
        ],
        product_code: None,
    },
    Offer {
        name: "al2023-ami-2023.9.20261110.0-kernel-6.1-arm64",
        description: "Amazon Linux 2023 AMI 2023.9.20261110.0 arm64 HVM kernel-6.1",
        architecture: "arm64",
        windows: false,
        root_device: "/dev/xvda",
        size_gib: 8,
        parameters: &[
            "ami-amazon-linux-latest/al2023-ami-kernel-default-arm64",
            "ami-amazon-linux-latest/al2023-ami-kernel-6.1-arm64",
        ],
        product_code: None,
    },
    Offer {
        name: "amzn2-ami-hvm-2.0.20261101.0-x86_64-gp2",
        description: "Amazon Linux 2 AMI 2.0.20261101.0 x86_64 HVM gp2",
        architecture: "x86_64",
        windows: false,
        root_device: "/dev/xvda",
        size_gib: 8,
        parameters: &["ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2"],
        product_code: None,
    },
    Offer {
        name: "Windows_Server-2022-English-Full-Base-2026.11.12",
        description: "Microsoft Windows Server 2022 Full Locale English AMI provided by Amazon",
        architecture: "x86_64",
        windows: true,
        root_device: "/dev/sda1",
        size_gib: 30,
        parameters: &["ami-windows-latest/Windows_Server-2022-English-Full-Base"],
        product_code: None,
    },
    Offer {
        name: "hardened-base-linux-1.4.2-prod-7qv2",
        description: "A hardened Linux, from the Marketplace",
        architecture: "x86_64",
        windows: false,
        root_device: "/dev/sda1",
        size_gib: 10,
        parameters: &[],
        product_code: Some("7qv2simulatedproductcode1"),
    },
];

impl World {
    /// Put Amazon's and the Marketplace's images into a region, unless they are already there.
    pub(in super::super) fn stock(&mut self, region: &str) {
        if self.stocked.insert(region.to_owned()) {
            OFFERS.iter().for_each(|offer| self.publish(region, offer));
        }
    }

    fn publish(&mut self, region: &str, offer: &Offer) {
        let owner = if offer.product_code.is_some() {
            MARKETPLACE
        } else {
            AMAZON
        };
        let id = format!("ami-0{:016x}", fnv(&format!("{region} {}", offer.name)));
        let parameter = |name: &&str| format!("{PUBLIC_PREFIX}{name}");
        let created = Timestamp::from_second(PUBLISHED_S).unwrap_or(Timestamp::UNIX_EPOCH);
        let mut image = Image::plain(&id, Scope::new(owner, region), created);
        image.name = offer.name.to_owned();
        image.description = offer.description.to_owned();
        image.architecture = offer.architecture.to_owned();
        image.windows = offer.windows;
        image.public = true;
        image.product_codes = offer.product_code.map(str::to_owned).into_iter().collect();
        image.boot_mode = Some("uefi-preferred".to_owned());
        image.imds = offer.name.starts_with("al2023").then(|| "v2.0".to_owned());
        image.ssm_name = offer.parameters.first().map(parameter);
        image.root_device = offer.root_device.to_owned();
        for device in &mut image.devices {
            device.device = offer.root_device.to_owned();
            if let Some(ebs) = &mut device.ebs {
                ebs.size_gib = Some(offer.size_gib);
            }
        }
        self.add_image(image);
        for name in offer.parameters {
            let name = format!("{PUBLIC_PREFIX}{name}");
            // AWS's own parameters belong to no account.
            let nobody = Scope::new("", region);
            let mut parameter = Parameter::plain(&name, nobody, &id, created);
            parameter.data_type = "aws:ec2:image".to_owned();
            self.public_parameters
                .insert((region.to_owned(), name), parameter);
        }
    }
}

/// FNV-1a: the same number for the same text, in every run.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
