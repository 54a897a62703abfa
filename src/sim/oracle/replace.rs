//! One instance for another: S3, S4, S7, S9 and S20, judged at every mutation that arrives.
//!
//! Launched instances carry their repair and what they replace in their tags (`keepgreen:repair`, `keepgreen:replaces`),
//! set in the launch itself; so a launch can be judged before anything comes of it.

use std::time::Duration;

use jiff::Timestamp;

use super::case::Case;
use super::step::{self, REPLACES, is_gone, param, place, tag_param, taken_down};
use super::tally::Findings;
use crate::sim::world::api::Operation;
use crate::sim::world::{
    Health, Image, ImageState, Instance, State, World, earlier, interfaces, later, volumes,
};

/// The repair that launched it.
pub(super) const REPAIR: &str = "keepgreen:repair";
/// Whose everything is that keepgreen creates.
const OWNER: &str = "keepgreen:service";
/// Three looks for running take at least so long.
const THREE_LOOKS: Duration = Duration::from_secs(20);
/// Calls that create something under a client token.
const WITH_TOKEN: [&str; 3] = ["RunInstances", "CreateVolume", "CreateNetworkInterface"];
/// Calls that create something that costs money or holds data.
const CREATING: [&str; 6] = [
    "RunInstances",
    "CreateVolume",
    "CreateNetworkInterface",
    "AllocateAddress",
    "CreateSnapshot",
    "CreateImage",
];

/// A creating call that was sent.
#[derive(Debug, Clone)]
pub(super) struct Creation {
    pub(super) call: u64,
    account: String,
    action: &'static str,
    token: Option<String>,
    pub(super) repair: Option<String>,
    params: String,
}

impl Creation {
    /// `None`: the call creates nothing under a token.
    pub(super) fn of(arrival: &super::Arrival) -> Option<Self> {
        let action = arrival.request.operation.name();
        let is_real = !matches!(arrival.request.operation, Operation::DryRun(_));
        (is_real && WITH_TOKEN.contains(&action)).then(|| Self {
            call: arrival.number,
            account: arrival.request.caller.account.clone(),
            action,
            token: param(arrival.params, "ClientToken").map(str::to_owned),
            repair: tag_param(arrival.params, REPAIR).map(str::to_owned),
            params: arrival.params.to_owned(),
        })
    }
}

/// A repair launches one instance, and another one only when nothing is left of, or can come of, the one before.
pub(super) fn s3_at_most_one(case: &Case, findings: &mut Findings) {
    if !step::is_launch(case) {
        return;
    }
    let params = case.arrival.params;
    findings.require(param(params, "MaxCount") == Some("1"), || {
        format!("a launch of {:?} instances", param(params, "MaxCount"))
    });
    let repair = tag_param(params, REPAIR);
    findings.require(repair.is_some(), || "a launch for no repair".to_owned());
    let token = param(params, "ClientToken");
    let same = case
        .memory
        .creations
        .iter()
        .filter(|c| c.repair.as_deref() == repair);
    let others: Vec<_> = same.filter(|c| c.token.as_deref() != token).collect();
    let open = others
        .iter()
        .find(|c| case.memory.in_flight.contains_key(&c.call));
    findings.require(open.is_none(), || {
        format!("repair {repair:?} launches again, and {open:?} has not been answered yet")
    });
    // The same token again makes nothing new.
    let is_repeat = case.memory.creations.iter().any(|c| c.token.as_deref() == token);
    let old = tag_param(params, REPLACES);
    let is_in_place = |i: &Instance| old.is_some() && i.tag(REPLACES) == old;
    let living = case
        .world()
        .instances()
        .find(|i| (i.tag(REPAIR) == repair || is_in_place(i)) && !is_gone(i));
    findings.require(is_repeat || living.is_none(), || {
        format!(
            "repair {repair:?} launches in the place of {old:?}, and {:?} is alive",
            living.map(|i| &i.id)
        )
    });
}

/// What creates something does so under a token, and under one token always asks for the same, zone included.
pub(super) fn s4_token_purity(case: &Case, findings: &mut Findings) {
    let Some(asked) = Creation::of(case.arrival) else {
        return;
    };
    findings.require(asked.token.is_some(), || {
        format!("{} without a client token", asked.action)
    });
    let mut before = case.memory.creations.iter();
    let is_same_token = |c: &&Creation| {
        c.token.is_some() && c.token == asked.token && c.account == asked.account && c.action == asked.action
    };
    let other = before.find(|c| is_same_token(c) && c.params != asked.params);
    findings.require(other.is_none(), || {
        format!(
            "token {:?} was used for another request, call {:?}",
            asked.token,
            other.map(|c| c.call)
        )
    });
    if asked.action == "RunInstances" {
        let places = [
            "SubnetId=",
            "Placement.AvailabilityZone=",
            ".SubnetId=",
            ".NetworkInterfaceId=",
        ];
        let pairs = || asked.params.split('&');
        let has_zone = pairs().any(|pair| places.iter().any(|place| pair.contains(place)));
        findings.require(has_zone, || "a launch that leaves the zone open".to_owned());
    }
}

/// The old one goes only after its replacement was healthy everywhere for three looks, and no target of it is in use.
pub(super) fn s7_replace_order(case: &Case, findings: &mut Findings) {
    let world = case.world();
    for id in taken_down(case) {
        let Some(new) = step::lately_replaced_by(case, id).last() else {
            continue;
        };
        let since = earlier(case.now(), THREE_LOOKS);
        let healths = world.healths_since(&new.id, since);
        let lately = world.healths_since(&new.id, case.window());
        // Where no listener leads to, nobody is healthy, and nobody is missed.
        let serves = |h: &Health| matches!(h, Health::Healthy | Health::NotInUse);
        let healthy = |all: &[Health]| !all.is_empty() && all.iter().all(serves);
        // What has befallen it since the look that admits this was not to be known.
        let known = |(arn, all): &(String, Vec<Health>)| {
            let lately = lately.iter().find(|(other, _)| other == arn);
            let served = lately.and_then(|(_, all)| all.first()).is_some_and(serves);
            let until = all.iter().rposition(serves).map_or(0, |last| last + 1);
            all.get(..if served { until } else { all.len() })
                .unwrap_or_default()
                .to_vec()
        };
        let sick = healths.iter().find(|one| !healthy(&known(one)));
        let groups = place(case, new).map_or(0, |(_, slot)| slot.groups.len());
        let was_sound = || {
            let lives = world.instance_since(&new.id, since);
            let until = lives
                .iter()
                .rposition(|i| step::passes(i))
                .map_or(0, |last| last + 1);
            let lately = world.instance_since(&new.id, case.window());
            let served = lately.first().is_some_and(|i| step::passes(i));
            let known = lives.get(..if served { until } else { lives.len() });
            known.is_some_and(|known| known.iter().all(|i| step::passes(i)))
        };
        let is_proven = sick.is_none() && healths.len() >= groups && (!healths.is_empty() || was_sound());
        findings.require(is_proven, || {
            format!(
                "{id} goes, and its replacement {} was not healthy for long: {healths:?}",
                new.id
            )
        });
        findings.require(world.is_drained(id), || {
            format!("{id} goes undrained: {:?}", world.registrations_of(id))
        });
    }
}

/// Nothing is launched in the place of an instance that is there and whose image is, or is gone for too short a time: that it
/// was not shown, or that its image was not, is no fact.
pub(super) fn s9_absence_is_not_gone(case: &Case, findings: &mut Findings) {
    if !step::is_launch(case) {
        return;
    }
    let Some(old) = tag_param(case.arrival.params, REPLACES) else {
        return;
    };
    let Some(instance) = case.world().instance(old) else {
        return;
    };
    // It may have been given another slot, or an end, since the look that admits this.
    let lives = case.world().instance_since(old, case.window());
    let heal = lives
        .iter()
        .chain([instance])
        .find_map(|life| place(case, life))
        .map(|(service, _)| service.heal)
        .unwrap_or_default();
    let lasts = |since: Timestamp, grace: Option<Duration>| {
        grace.is_some_and(|grace| later(since, grace.max(THREE_LOOKS)) <= case.now())
    };
    let is_bad = |life: &Instance| match life.state {
        State::Terminated | State::ShuttingDown => lasts(life.state_since, heal.missing),
        _ => {
            let image = case.world().image(&life.image);
            lost_since(life, image).is_some_and(|at| lasts(at, heal.image_gone))
        }
    };
    let holds = lives.iter().chain([instance]).any(|life| is_bad(life));
    findings.require(holds, || {
        let (state, since) = (instance.state.name(), instance.state_since);
        format!("{old} is replaced; it is {state} since {since}, and its image is not gone for long enough")
    });
}

/// Deregistered, or private to others, since then at the latest; a disabled one can be had back.
fn lost_since(instance: &Instance, image: Option<&Image>) -> Option<Timestamp> {
    let Some(image) = image else {
        return Some(Timestamp::MIN);
    };
    let account = &instance.scope.account;
    let may_use = image.public || image.scope.account == *account || image.is_shared_with(account);
    match image.state {
        ImageState::Deregistered(at) => Some(at),
        // Since when it was taken away the world does not keep.
        _ => (!may_use).then_some(Timestamp::MIN),
    }
}

/// No step loses what the old instance had, and everything created has an owner.
pub(super) fn s20_nothing_lost(case: &Case, findings: &mut Findings) {
    let name = case.operation().name();
    if CREATING.contains(&name) && !matches!(case.operation(), Operation::DryRun(_)) {
        findings.require(tag_param(case.arrival.params, OWNER).is_some(), || {
            format!("{name} creates something that nobody owns")
        });
    }
    if let Operation::TerminateInstances { ids, dry_run: false } = case.operation() {
        for instance in ids.iter().filter_map(|id| case.world().instance(id)) {
            if instance.state == State::Terminated {
                continue;
            }
            if step::is_attempt(case, instance) {
                s20_leaves_nothing(case.world(), instance, findings);
            } else {
                s20_terminated(case, instance, findings);
            }
        }
    }
    s20_destroyed(case, findings);
}

/// What never had its place leaves no volume.
fn s20_leaves_nothing(world: &World, instance: &Instance, findings: &mut Findings) {
    let id = instance.id.as_str();
    let stays = world.volumes().find(|v| {
        let attached = v.attachment.as_ref();
        attached.is_some_and(|a| a.instance == id && !a.delete_on_termination)
    });
    findings.require(stays.is_none(), || {
        format!("{id} is ended, and its volume {:?} stays", stays.map(|v| &v.id))
    });
}

fn s20_terminated(case: &Case, instance: &Instance, findings: &mut Findings) {
    let (world, id) = (case.world(), instance.id.as_str());
    let rule = place(case, instance).and_then(|(service, _)| service.replace);
    let may_end = rule.is_some_and(|r| r.terminates_old || r.retain.is_some());
    findings.require(may_end, || {
        format!("{id} is terminated, which its policy never says")
    });
    let address = world.addresses().find(|a| a.instance() == Some(id));
    let keeps = rule.is_none_or(|r| r.keep_elastic_ip);
    findings.require(!keeps || address.is_none(), || {
        format!(
            "{id} is terminated with the Elastic IP {:?}",
            address.map(|a| &a.id)
        )
    });
    let volume = world.volumes().find(|v| {
        let attached = v.attachment.as_ref();
        attached.is_some_and(|a| a.instance == id && a.device != instance.root_device)
    });
    let keeps = rule.is_none_or(|r| r.keep_data_volumes);
    findings.require(!keeps || volume.is_none(), || {
        format!(
            "{id} is terminated with the data volume {:?}",
            volume.map(|v| &v.id)
        )
    });
    let interfaces = world.interfaces_of(id);
    let extra = interfaces.iter().find(|interface| !interface.is_primary());
    let keeps = rule.is_none_or(|r| r.keep_network_interface);
    findings.require(!keeps || extra.is_none(), || {
        format!(
            "{id} is terminated with the network interface {:?}",
            extra.map(|e| &e.id)
        )
    });
}

/// What is deleted is what keepgreen made.
fn s20_destroyed(case: &Case, findings: &mut Findings) {
    let world = case.world();
    let (id, tags) = match case.operation() {
        Operation::Volumes(volumes::Op::DeleteVolume { id }) => (id, world.volume(id).map(|v| &v.tags)),
        Operation::Interfaces(interfaces::Op::DeleteNetworkInterface { interface }) => {
            (interface, world.interface(interface).map(|i| &i.tags))
        }
        Operation::Interfaces(interfaces::Op::ReleaseAddress { allocation }) => {
            (allocation, world.address(allocation).map(|a| &a.tags))
        }
        _ => return,
    };
    findings.require(tags.is_none_or(|tags| tags.contains_key(OWNER)), || {
        format!("{id} is destroyed, and keepgreen never made it")
    });
}
