//! From a blueprint and a candidate to the launch itself, nothing left to choose.

use super::candidate::Candidate;
use crate::decide::hold::HoldReason;
use crate::model::{
    Blueprint, CloneOf, Launch, LaunchForm, RepairOf, RootVolume, ServiceName, Supply, UncarriedKind, tags,
};
use crate::policy::{Launch as LaunchPolicy, OldInstance, Replace, Selector, Slot};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Volume kinds whose IOPS are chosen.
const WITH_IOPS: [&str; 3] = ["io1", "io2", "gp3"];
const WITH_THROUGHPUT: [&str; 1] = ["gp3"];

/// What the launch is made for and from.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub service: &'a ServiceName,
    pub slot: &'a Slot,
    pub replace: &'a Replace,
    /// Only a launch from a template can do without.
    pub blueprint: Option<&'a Blueprint>,
    pub supply: &'a Supply,
}

/// What keeps a clone from being like its original; empty: nothing.
pub(crate) fn uncarried(replace: &Replace, blueprint: &Blueprint) -> Vec<String> {
    if matches!(replace.launch, LaunchPolicy::Template { .. }) {
        // The template says what its instances have; what the old one holds all the same is not to be lost, and it has to
        // let itself be put down.
        let held = blueprint
            .uncarried
            .iter()
            .filter(|one| one.kind != UncarriedKind::Other);
        return held
            .filter(|one| is_kept(replace, one.kind))
            .map(|one| one.what.clone())
            .collect();
    }
    let kept = blueprint
        .uncarried
        .iter()
        .filter(|one| is_kept(replace, one.kind));
    let mut what: Vec<String> = kept.map(|one| one.what.clone()).collect();
    if blueprint.root.is_none() {
        what.push("its root volume, whose settings are not known".to_owned());
    }
    what
}

fn is_kept(replace: &Replace, kind: UncarriedKind) -> bool {
    match kind {
        UncarriedKind::DataVolume => replace.keep.data_volumes,
        UncarriedKind::ElasticIp => replace.keep.elastic_ip,
        UncarriedKind::NetworkInterface => replace.keep.network_interface,
        // Of a clone it is a setting like any other; what comes from a template only has to let the old one be put down.
        UncarriedKind::TerminationProtection => {
            replace.launch == LaunchPolicy::Clone || replace.old_instance == OldInstance::Terminate
        }
        UncarriedKind::StopProtection | UncarriedKind::Other => true,
    }
}

/// The launch of one candidate.
///
/// # Errors
/// If the blueprint or the template does not tell enough.
pub(crate) fn launch(
    wanted: &Wanted<'_>,
    of: &RepairOf,
    candidate: &Candidate<'_>,
) -> Result<Launch, HoldReason> {
    let own_tags = wanted
        .blueprint
        .map(|blueprint| blueprint.tags.clone())
        .unwrap_or_default();
    let mut tags = own_tags;
    if let Selector::Tags(selected) = &wanted.slot.select {
        // Whatever else it has: without these nobody would look after it.
        tags.extend(selected.clone());
    }
    let root_tags = wanted.blueprint.and_then(|blueprint| blueprint.root.as_ref());
    let mut volume_tags = root_tags.map(|root| root.tags.clone()).unwrap_or_default();
    for own in [&mut tags, &mut volume_tags] {
        own.extend(keepgreen_tags(wanted.service, of));
    }
    let form = match &wanted.replace.launch {
        LaunchPolicy::Clone => {
            let blueprint = wanted.blueprint.ok_or(HoldReason::NoBlueprint)?;
            LaunchForm::Clone(Box::new(clone_of(blueprint, candidate)?))
        }
        LaunchPolicy::Template { name, .. } => LaunchForm::Template {
            name: name.clone(),
            version: template_version(wanted.supply)?,
        },
    };
    Ok(Launch {
        token: token(of, candidate),
        of: of.clone(),
        image: candidate.image.id.clone(),
        instance_type: candidate.instance_type.to_owned(),
        subnet: candidate.subnet.to_owned(),
        form,
        tags,
        volume_tags,
    })
}

fn template_version(supply: &Supply) -> Result<i64, HoldReason> {
    match &supply.template {
        Some(Ok(facts)) if facts.has_interfaces => Err(HoldReason::SupplyUnread {
            why: vec![
                "the launch template names network interfaces, beside which no subnet can be chosen"
                    .to_owned(),
            ],
        }),
        Some(Ok(facts)) if !facts.keeps.is_empty() => {
            let devices: Vec<&str> = facts.keeps.iter().map(String::as_str).collect();
            let devices = devices.join(", ");
            Err(HoldReason::SupplyUnread {
                why: vec![format!(
                    "the launch template keeps the volume on {devices} after termination, so what a failed launch made would \
                     stay; make a version with DeleteOnTermination, or use `launch: clone`"
                )],
            })
        }
        Some(Ok(facts)) if !facts.unfit.is_empty() => {
            let unfit: Vec<&str> = facts.unfit.iter().map(String::as_str).collect();
            Err(HoldReason::SupplyUnread {
                why: vec![format!(
                    "the launch template asks for {}, so what a failed launch made could not be ended; make a version without",
                    unfit.join(" and ")
                )],
            })
        }
        Some(Ok(facts)) => Ok(facts.version),
        Some(Err(why)) => Err(HoldReason::SupplyUnread {
            why: vec![why.clone()],
        }),
        None => Err(HoldReason::SupplyUnread {
            why: vec!["the launch template was not read".to_owned()],
        }),
    }
}

/// What says whose it is; ownership is never these tags alone.
fn keepgreen_tags(service: &ServiceName, of: &RepairOf) -> BTreeMap<String, String> {
    let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    BTreeMap::from([
        tag(tags::SERVICE, service.as_str()),
        tag(tags::SLOT, of.slot.as_str()),
        tag(tags::REPLACES, of.about.as_str()),
        tag(tags::REPAIR, of.repair.as_str()),
    ])
}

fn clone_of(blueprint: &Blueprint, candidate: &Candidate<'_>) -> Result<CloneOf, HoldReason> {
    let (Some(root), Some(device)) = (&blueprint.root, &candidate.image.root_device) else {
        return Err(HoldReason::NoBlueprint);
    };
    let has = |kinds: &[&str]| kinds.contains(&root.kind.as_str());
    Ok(CloneOf {
        instance: blueprint.instance.clone(),
        security_groups: blueprint.security_groups.clone(),
        profile: blueprint.profile.clone(),
        key_name: blueprint.key_name.clone(),
        user_data: blueprint.user_data.clone(),
        metadata: blueprint.metadata.clone(),
        id_records: blueprint.id_records,
        monitoring: blueprint.monitoring,
        ebs_optimized: blueprint.ebs_optimized && candidate.kind.ebs_optimizable,
        cpu_credits: blueprint.cpu_credits.clone().filter(|_| candidate.kind.burstable),
        public_ip: blueprint.public_ip,
        root: RootVolume {
            device: device.clone(),
            // A volume cannot be smaller than the snapshot that it is made from.
            size_gib: root.size_gib.max(candidate.image.root_size_gib.unwrap_or(0)),
            iops: root.iops.filter(|_| has(&WITH_IOPS)),
            throughput: root.throughput.filter(|_| has(&WITH_THROUGHPUT)),
            kms_key: root.kms_key.clone().filter(|_| root.encrypted),
            ..root.clone()
        },
    })
}

/// The same for the same repair, attempt and candidate, over restarts; another one for anything else (S4).
fn token(of: &RepairOf, candidate: &Candidate<'_>) -> String {
    let mut hasher = Sha256::new();
    let attempt = of.attempt.to_string();
    let parts = [
        of.repair.as_str(),
        &attempt,
        candidate.image.id.as_str(),
        candidate.instance_type,
        candidate.subnet,
    ];
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    let mut token = "keepgreen-".to_owned();
    for byte in hasher.finalize().iter().take(24) {
        // Writing to a string cannot fail.
        let _ = write!(token, "{byte:02x}");
    }
    token
}
