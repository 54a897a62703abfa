//! The launch that would make an instance again, as GetLaunchTemplateData tells it: everything that is set, and the
//! interfaces as they are, ids and addresses included, though no second instance can have those.

use std::sync::Arc;

use super::super::World;
use super::super::instance::Instance;
use super::super::tags::{TagSpecs, Tags};
use super::{
    CpuOptions, HostnameOptions, InterfaceSpec, LaunchData, MarketSpec, MetadataSpec, PlacementSpec,
    ProfileSpec, Settings,
};

impl World {
    pub(in crate::sim::world) fn data_like(&self, instance: &Arc<Instance>) -> LaunchData {
        let mut block_devices = self.devices_of(instance);
        for device in &mut block_devices {
            let attached = instance.devices.get(&device.device);
            let volume = attached.and_then(|attachment| self.volume(&attachment.volume));
            if let (Some(ebs), Some(volume)) = (&mut device.ebs, volume) {
                ebs.snapshot.clone_from(&volume.snapshot);
                ebs.kms_key.clone_from(&volume.key);
            }
        }
        let settings = &instance.settings;
        LaunchData {
            image: Some(instance.image.clone()),
            instance_type: Some(instance.instance_type.clone()),
            key_name: settings.key_name.clone(),
            user_data: settings.user_data.clone(),
            interfaces: self.interfaces_like(instance),
            block_devices,
            profile: settings.profile.clone().map(|arn| ProfileSpec {
                arn: Some(arn),
                name: None,
            }),
            monitoring: Some(settings.monitoring),
            ebs_optimized: Some(settings.ebs_optimized),
            placement: PlacementSpec {
                zone: Some(instance.zone.clone()),
                ..placement_like(settings)
            },
            disable_api_termination: Some(settings.disable_api_termination),
            disable_api_stop: Some(settings.disable_api_stop),
            shutdown_behavior: Some(settings.shutdown_behavior().to_owned()),
            tags: tags_like(instance),
            market: settings.spot.as_ref().map(|spot| MarketSpec {
                kind: Some("spot".to_owned()),
                max_price: None,
                spot_type: Some(if spot.persistent { "persistent" } else { "one-time" }.to_owned()),
                interruption: Some(spot.interruption.clone()),
            }),
            cpu_credits: settings.cpu_credits.clone(),
            cpu: settings
                .cpu
                .map(|(cores, threads)| CpuOptions {
                    core_count: Some(cores),
                    threads_per_core: Some(threads),
                })
                .unwrap_or_default(),
            capacity_reservation_preference: Some(settings.capacity_reservation_preference.clone()),
            hibernation: Some(settings.hibernation),
            metadata: metadata_like(settings),
            enclave: Some(settings.enclave),
            hostname: HostnameOptions {
                kind: Some(settings.hostname_kind.clone()),
                a_record: Some(settings.a_record),
                aaaa_record: Some(settings.aaaa_record),
            },
            auto_recovery: Some(settings.auto_recovery.clone()),
            ..LaunchData::default()
        }
    }

    fn interfaces_like(&self, instance: &Instance) -> Vec<InterfaceSpec> {
        let interfaces = self.interfaces_of(&instance.id).into_iter();
        let specs = interfaces.map(|e| InterfaceSpec {
            id: Some(e.id.clone()),
            device_index: e.attachment.as_ref().map(|a| a.device_index),
            subnet: Some(e.subnet.clone()),
            description: Some(e.description.clone()),
            group_ids: e.groups.iter().map(|(id, _)| id.clone()).collect(),
            private_ip: Some(e.private_ip.to_string()),
            associate_public_ip: e.auto_public_ip.then_some(true),
            delete_on_termination: e.attachment.as_ref().map(|a| a.delete_on_termination),
        });
        specs.collect()
    }
}

fn placement_like(settings: &Settings) -> PlacementSpec {
    PlacementSpec {
        tenancy: Some(settings.tenancy.clone()),
        group_name: settings.placement_group.clone(),
        partition: settings.partition,
        affinity: settings.affinity.clone(),
        host: settings.host.clone(),
        ..PlacementSpec::default()
    }
}

fn metadata_like(settings: &Settings) -> MetadataSpec {
    let options = &settings.metadata;
    MetadataSpec {
        tokens: Some(options.tokens.clone()),
        hop_limit: Some(options.hop_limit),
        endpoint: Some(options.endpoint.clone()),
        ipv6: Some(options.ipv6.clone()),
        tags: Some(options.tags.clone()),
    }
}

/// AWS's own tags are not anybody's to set.
fn tags_like(instance: &Instance) -> TagSpecs {
    let own = instance.tags.iter().filter(|(key, _)| !key.starts_with("aws:"));
    let own: Tags = own.map(|(key, tag)| (key.clone(), tag.value.clone())).collect();
    let mut tags = TagSpecs::new();
    if !own.is_empty() {
        tags.insert("instance".to_owned(), own);
    }
    tags
}
