//! Launching instances.

mod data;
mod settings;

pub use data::{
    BlockDeviceSpec, CpuOptions, EbsSpec, HostnameOptions, InterfaceSpec, LaunchData, MarketSpec,
    MetadataSpec, PlacementSpec, ProfileSpec,
};
pub use settings::{Metadata, Settings, Spot};
