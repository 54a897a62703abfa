//! Launching instances.

mod data;

pub use data::{
    BlockDeviceSpec, CpuOptions, EbsSpec, HostnameOptions, InterfaceSpec, LaunchData, MarketSpec,
    MetadataSpec, PlacementSpec, ProfileSpec,
};
