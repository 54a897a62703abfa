//! What a quiet pass costs: AWS calls, wall time and memory, at 1, 100 and 1,000 managed instances. And how fast simulated
//! time goes by, for one service that is looked at every minute.
//!
//! `cargo bench --profile dev` (the profile that everything else is built with). The controller's production code runs
//! against the simulated AWS in process, so the time is keepgreen's, the SDK's and the simulation's together: an upper
//! bound of the first. Two instances a service, one target group a service.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot go on has failed, and its figures go to stdout"
)]

use keepgreen::controller::Fleet;
use keepgreen::sim::world::WorldBuilder;
use keepgreen::sim::world::builder::{ImageSpec, InstanceSpec, TargetGroupSpec};
use keepgreen::sim::{Cloud, Stage, runtime};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// As in the tests' binary, whose simulated nights the figures are about as well.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const DAY_HOURS: u32 = 24;

const IMAGE: &str = "ami-00000000000000001";

fn world(instances: usize) -> WorldBuilder {
    let mut world = WorldBuilder::new(1)
        .without_throttling()
        .image(ImageSpec::new(IMAGE));
    for n in 0..instances {
        let service = n / 2;
        let name = format!("s{service}-{}", if n % 2 == 0 { "blue" } else { "green" });
        world = world.instance(InstanceSpec::new(&format!("i-{n:017x}")).name(&name).image(IMAGE));
    }
    for service in 0..instances.div_ceil(2) {
        let mut group = TargetGroupSpec::new(&format!("tg{service}"), 80);
        for n in [2 * service, 2 * service + 1] {
            if n < instances {
                group = group.target(&format!("i-{n:017x}"));
            }
        }
        world = world.target_group(group);
    }
    world
}

fn policies(instances: usize) -> Vec<(String, String)> {
    let slot = |service: usize, colour: &str| {
        format!(
            "  {colour}: {{ select: {{ tags: {{ Name: s{service}-{colour} }} }}, target_groups: [tg{service}] }}\n"
        )
    };
    (0..instances.div_ceil(2))
        .map(|service| {
            let green = if 2 * service + 1 < instances {
                slot(service, "green")
            } else {
                String::new()
            };
            let text = format!("service: s{service}\nslots:\n{}{green}", slot(service, "blue"));
            (format!("s{service}.yaml"), text)
        })
        .collect()
}

fn peak_memory_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap_or_default();
    let kib: f64 = line
        .split_whitespace()
        .nth(1)
        .and_then(|word| word.parse().ok())
        .unwrap_or(0.0);
    kib / 1024.0
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn measure(instances: usize) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let texts = policies(instances);
    let files: Vec<(&str, &str)> = texts
        .iter()
        .map(|(file, text)| (file.as_str(), text.as_str()))
        .collect();
    let measured = runtime(1).expect("a runtime").block_on(async {
        let cloud = Cloud::new(1, world(instances).build());
        let mut stage = Stage::new(cloud.clone(), folder.path(), &files, 1).expect("a stage");
        let life = stage.next_life();
        let rounds = stage.rounds(&life).await.expect("a controller");
        let scope = Fleet::scope_of(rounds.in_force.now().policies.values().next().expect("a policy"));
        let services = rounds.in_force.now().policies.keys().cloned().collect();
        // The first pass learns which target groups there are; the quiet one is the second.
        rounds
            .pass(&scope, &services, |passed| {
                assert!(passed.trouble.is_none(), "{passed:?}");
            })
            .await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        let before = cloud.calls().len();
        let (begun, virtually) = (Instant::now(), cloud.clock().now());
        rounds
            .pass(&scope, &services, |passed| {
                assert!(passed.trouble.is_none(), "{passed:?}");
            })
            .await;
        let (wall, stretched) = (begun.elapsed(), cloud.clock().now().duration_since(virtually));
        let mut calls: BTreeMap<String, usize> = BTreeMap::new();
        for call in cloud.calls().iter().skip(before) {
            *calls.entry(call.action.clone()).or_default() += 1;
        }
        (calls, wall, stretched)
    });
    let (calls, wall, stretched) = measured.expect("one thread");
    let all: usize = calls.values().sum();
    // One listing each of identity, instances, statuses and image metadata; one DescribeTargetHealth a target group.
    let floor = 4 + instances.div_ceil(2);
    println!(
        "{instances:>5} instances, {:>3} services: {all:>3} calls (floor {floor}), {:>8.1} ms of real time, \
         {stretched:#} of AWS's time, peak {:.0} MiB",
        instances.div_ceil(2),
        wall.as_secs_f64() * 1000.0,
        peak_memory_mib()
    );
    println!("      {calls:?}");
}

/// Processor time of this process so far.
fn cpu_s() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
    .as_secs_f64()
}

/// A simulated day of one service with two instances, of which AWS stops one so many times.
fn day(stops: u32) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let texts = policies(2);
    let files: Vec<(&str, &str)> = texts
        .iter()
        .map(|(file, text)| (file.as_str(), text.as_str()))
        .collect();
    let (calls, took_s) = runtime(1)
        .expect("a runtime")
        .block_on(async {
            let cloud = Cloud::new(1, world(2).build());
            let mut stage = Stage::new(cloud.clone(), folder.path(), &files, 1).expect("a stage");
            stage.config.interval = Duration::from_secs(60);
            for stop in 0..stops {
                let every = Duration::from_secs(3600 * u64::from(DAY_HOURS)) / stops;
                let at = cloud.clock().now() + every * stop + Duration::from_secs(1800);
                let id = format!("i-{:017x}", stop % 2);
                cloud.at(at, move |world| {
                    world.stop_by_aws(&id, "Server.ScheduledStop");
                });
            }
            let life = stage.next_life();
            let begun_s = cpu_s();
            stage
                .live(&life, Duration::from_secs(3600 * u64::from(DAY_HOURS)), |_| {})
                .await;
            (cloud.calls().len(), cpu_s() - begun_s)
        })
        .expect("one thread");
    println!(
        "one service, a look every 60 s, {stops:>2} stops in {DAY_HOURS} simulated hours: {calls} calls, {took_s:.2} s of \
         one core: {:.1} simulated hours a second",
        f64::from(DAY_HOURS) / took_s
    );
}

fn main() {
    // `cargo test --all-targets` only wants to know that it builds.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    for instances in [1, 2, 100, 1000] {
        measure(instances);
    }
    day(0);
    day(4);
}
