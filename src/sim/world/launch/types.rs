//! Instance types: a modest catalogue of the families that web services run on.

use super::super::api::ApiError;

/// An instance type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceType {
    /// `m5.large`.
    pub name: String,
    pub vcpus: u32,
    pub threads_per_core: u32,
    pub memory_mib: u32,
    /// `x86_64` or `arm64`.
    pub architecture: &'static str,
    /// Earns and spends CPU credits.
    pub burstable: bool,
    /// Instance store beside its volumes, in GB.
    pub local_gb: u32,
}

impl InstanceType {
    /// Cores, and threads a core.
    pub fn cpu(&self) -> (u32, u32) {
        let threads = self.threads_per_core.max(1);
        (self.vcpus / threads, threads)
    }

    /// The credit option that an instance of it has without a word on it.
    pub fn usual_credits(&self) -> Option<&'static str> {
        let usual = if self.name.starts_with("t2.") {
            "standard"
        } else {
            "unlimited"
        };
        self.burstable.then_some(usual)
    }

    /// `nitro` or `xen`.
    pub fn hypervisor(&self) -> &'static str {
        if OLD.iter().any(|(name, ..)| *name == self.name) {
            "xen"
        } else {
            "nitro"
        }
    }

    /// `default` or `unsupported`.
    pub fn ebs_optimized_support(&self) -> &'static str {
        let has_none = self.name.starts_with("m1.") || self.name.starts_with("t2.");
        if has_none { "unsupported" } else { "default" }
    }
}

/// What the sizes of a family have in common.
struct Line {
    family: &'static str,
    architecture: &'static str,
    /// MiB for each virtual processor.
    memory: u32,
    /// GB of instance store of its smallest size, which has two virtual processors.
    local: u32,
    sizes: &'static [(&'static str, u32)],
}

const fn line(family: &'static str, architecture: &'static str, memory: u32) -> Line {
    Line {
        family,
        architecture,
        memory,
        local: 0,
        sizes: SIZES,
    }
}

const LINES: &[Line] = &[
    line("m5", "x86_64", 4096),
    line("m5a", "x86_64", 4096),
    Line {
        local: 75,
        ..line("m5d", "x86_64", 4096)
    },
    line("m6i", "x86_64", 4096),
    line("m6a", "x86_64", 4096),
    line("m6g", "arm64", 4096),
    line("m7i", "x86_64", 4096),
    line("m7g", "arm64", 4096),
    Line {
        sizes: SIZES_OF_C5,
        ..line("c5", "x86_64", 2048)
    },
    Line {
        local: 50,
        sizes: SIZES_OF_C5,
        ..line("c5d", "x86_64", 2048)
    },
    line("c6i", "x86_64", 2048),
    line("c6g", "arm64", 2048),
    line("c7g", "arm64", 2048),
    line("r5", "x86_64", 8192),
    line("r6i", "x86_64", 8192),
    line("r6g", "arm64", 8192),
    line("r7g", "arm64", 8192),
];

/// With virtual processors.
const SIZES: &[(&str, u32)] = &[
    ("large", 2),
    ("xlarge", 4),
    ("2xlarge", 8),
    ("4xlarge", 16),
    ("8xlarge", 32),
    ("12xlarge", 48),
    ("16xlarge", 64),
];

/// Those of the fifth compute generation.
const SIZES_OF_C5: &[(&str, u32)] = &[
    ("large", 2),
    ("xlarge", 4),
    ("2xlarge", 8),
    ("4xlarge", 16),
    ("9xlarge", 36),
    ("18xlarge", 72),
];

const BURSTABLE: &[(&str, &str)] = &[("t3", "x86_64"), ("t3a", "x86_64"), ("t4g", "arm64")];

/// Sizes of the burstable families, with virtual processors and MiB.
const BURSTABLE_SIZES: &[(&str, u32, u32)] = &[
    ("nano", 2, 512),
    ("micro", 2, 1024),
    ("small", 2, 2048),
    ("medium", 2, 4096),
    ("large", 2, 8192),
    ("xlarge", 4, 16_384),
    ("2xlarge", 8, 32_768),
];

/// The old ones that are still met: RunInstances' default, and the first burstable family. With virtual processors, threads
/// a core, MiB, and whether they are burstable.
const OLD: &[(&str, u32, u32, u32, bool)] = &[
    ("m1.small", 1, 1, 1740, false),
    ("t2.nano", 1, 1, 512, true),
    ("t2.micro", 1, 1, 1024, true),
    ("t2.small", 1, 1, 2048, true),
    ("t2.medium", 2, 1, 4096, true),
    ("t2.large", 2, 1, 8192, true),
    ("m4.large", 2, 2, 8192, false),
    ("m4.xlarge", 4, 2, 16_384, false),
];

/// The whole catalogue.
pub fn instance_types() -> Vec<InstanceType> {
    let lines = LINES.iter().flat_map(|line| {
        line.sizes.iter().map(|(size, vcpus)| InstanceType {
            name: format!("{}.{size}", line.family),
            vcpus: *vcpus,
            threads_per_core: if line.architecture == "arm64" { 1 } else { 2 },
            memory_mib: vcpus * line.memory,
            architecture: line.architecture,
            burstable: false,
            local_gb: vcpus * line.local / 2,
        })
    });
    let burstable = BURSTABLE.iter().flat_map(|(family, architecture)| {
        BURSTABLE_SIZES
            .iter()
            .map(move |(size, vcpus, memory_mib)| InstanceType {
                name: format!("{family}.{size}"),
                vcpus: *vcpus,
                threads_per_core: if *architecture == "arm64" { 1 } else { 2 },
                memory_mib: *memory_mib,
                architecture,
                burstable: true,
                local_gb: 0,
            })
    });
    let old = OLD
        .iter()
        .map(|(name, vcpus, threads, memory_mib, burstable)| InstanceType {
            name: (*name).to_owned(),
            vcpus: *vcpus,
            threads_per_core: *threads,
            memory_mib: *memory_mib,
            architecture: "x86_64",
            burstable: *burstable,
            local_gb: 0,
        });
    lines.chain(burstable).chain(old).collect()
}

/// The type of this name.
///
/// # Errors
/// No such type: AWS's `InvalidParameterValue`.
pub fn instance_type(name: &str) -> Result<InstanceType, ApiError> {
    let found = instance_types().into_iter().find(|kind| kind.name == name);
    found.ok_or_else(|| {
        let text = format!("Invalid value '{name}' for InstanceType.");
        ApiError::new("InvalidParameterValue", text)
    })
}

/// How many virtual processors of the quota an instance of this type uses.
pub fn vcpus_of(name: &str) -> u32 {
    instance_type(name).map_or(2, |kind| kind.vcpus)
}
