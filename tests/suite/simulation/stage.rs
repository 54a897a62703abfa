//! A night on stage: the incident's world, a policy, a controller, and the end state in a form that can be compared.

use keepgreen::sim::oracle::{Declared, Service};
use keepgreen::sim::world::builder::{ACCOUNT, REGION, incident};
use keepgreen::sim::world::{Scope, World};
use keepgreen::sim::{Cloud, Ended, Incarnation, Stage, runtime};
use std::collections::BTreeMap;
use std::time::Duration;

pub const TIS: &str = "\
service: tis
slots:
  blue:  { select: { tags: { Name: tis-prod-blue } },  target_groups: [tis-prod] }
  green: { select: { tags: { Name: tis-prod-green } }, target_groups: [tis-prod, { name: tis-upload, port: 8443 }] }
";

/// Runs `night` on one thread of virtual time.
pub fn at_night<T>(seed: u64, night: impl AsyncFnOnce(&mut Stage) -> T) -> T {
    on_stage(seed, &[("tis.yaml", TIS)], incident::world(seed).build(), night)
}

pub fn on_stage<T>(
    seed: u64,
    policies: &[(&str, &str)],
    world: World,
    night: impl AsyncFnOnce(&mut Stage) -> T,
) -> T {
    let folder = scratch();
    runtime(seed)
        .unwrap()
        .block_on(async {
            let cloud = Cloud::new(seed, world);
            let mut stage = Stage::new(cloud, folder.path(), policies, seed).unwrap();
            night(&mut stage).await
        })
        .unwrap()
}

/// A folder in memory where the machine has one: thousands of nights need no disk.
pub fn scratch() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let named = tempfile::Builder::new().prefix("keepgreen-").to_owned();
    match memory.is_dir() {
        true => named.tempdir_in(memory).or_else(|_| named.tempdir()).unwrap(),
        false => named.tempdir().unwrap(),
    }
}

/// What the oracles are told of the incident's policy.
pub fn declared() -> Declared {
    let slots = [("blue", "tis-prod-blue"), ("green", "tis-prod-green")];
    Declared {
        services: vec![Service::by_name("tis", Scope::new(ACCOUNT, REGION), &slots)],
        mutations_per_hour: Some(60),
        ..Declared::default()
    }
}

/// One orderly life of so many minutes.
pub async fn live(stage: &mut Stage, minutes: u64) {
    let life = stage.next_life();
    live_as(stage, &life, minutes).await;
}

pub async fn live_as(stage: &Stage, life: &Incarnation, minutes: u64) -> Ended {
    // A whole controller is too big for the stack of a test's thread, several times over.
    Box::pin(stage.live(life, Duration::from_secs(minutes * 60), |_| {})).await
}

/// How often an operation was called.
pub fn count(stage: &Stage, action: &str) -> usize {
    stage
        .cloud
        .calls()
        .iter()
        .filter(|call| call.action == action)
        .count()
}

/// The canonical end: each instance's state, each target's health.
pub fn end_state(stage: &Stage) -> BTreeMap<String, String> {
    stage.cloud.world(|world| {
        let mut end: BTreeMap<String, String> = world
            .instances()
            .map(|instance| (instance.id.clone(), format!("{:?}", instance.state)))
            .collect();
        for group in world.target_groups() {
            for (id, port) in group.targets.keys() {
                let health = group.health_of(id, *port).names().0;
                end.insert(format!("{} {id}:{port}", group.name), health.to_owned());
            }
        }
        end
    })
}

/// Fails with the whole story if an oracle saw an invariant broken.
pub fn nothing_broken(stage: &Stage) {
    let violations = stage.cloud.violations();
    assert!(violations.is_empty(), "{violations:#?}\n{}", stage.cloud.story());
}
