//! Runs one night, and says what was wrong with it.

use super::fleet::USER_DATA;
use super::judge::{broken, restless, unwanted};
use super::judge_replace::unfinished;
use super::meddle::Meddler;
use super::night::Night;
use super::office::{Office, PARAMETER};
use super::papers::CHANNEL;
use super::process::Process;
use super::visitor::Visitor;
use keepgreen::policy::{Channel, Heartbeat, SecretRef};
use keepgreen::sim::stage::WEBHOOK_URL;
use keepgreen::sim::{CallRecord, Cloud, Outcome, Stage, runtime};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// After the storm.
pub const QUIET_S: u32 = 4 * 3600;

/// Seldom, so that it costs a night little; often enough to be heard before a stall and missed in it.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(300);

/// What came of a night.
#[derive(Debug)]
pub struct Report {
    /// Everything that should not have been; empty: a good night.
    pub broken: Vec<String>,
    /// Equal for equal runs.
    pub hash: String,
    /// How often each action was called.
    pub calls: BTreeMap<String, usize>,
    /// Instances in starts that AWS accepted, and launches that it accepted.
    pub repairs: usize,
    pub lives: u32,
    /// How often each invariant was put to the test.
    pub premises: BTreeMap<&'static str, u64>,
    /// Everything that happened.
    pub story: String,
}

impl Report {
    /// The names of what was broken, for telling one failure from another while shrinking.
    pub fn kind(&self) -> Option<String> {
        let first = self.broken.first()?;
        Some(first.split(' ').next().unwrap_or_default().to_owned())
    }
}

/// Runs it on this thread.
pub fn run(night: &Night) -> Report {
    #[cfg(debug_assertions)]
    let _planted = night.bug.map(keepgreen::model::mutant::plant);
    let whole = AssertUnwindSafe(|| {
        let folder = tempfile::tempdir_in(memory_folder()).expect("a folder for the state");
        let run = runtime(night.seed).expect("a runtime");
        run.block_on(through(night, folder.path()))
    });
    match catch_unwind(whole) {
        Ok(Ok(report)) => report,
        Ok(Err(left)) => failed(left.to_string()),
        Err(_) => failed("the night panicked".to_owned()),
    }
}

fn failed(what: String) -> Report {
    Report {
        broken: vec![what],
        hash: String::new(),
        calls: BTreeMap::new(),
        repairs: 0,
        lives: 0,
        premises: BTreeMap::new(),
        story: String::new(),
    }
}

/// Where files cost no disk.
fn memory_folder() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    }
}

async fn through(night: &Night, folder: &Path) -> Report {
    let cloud = Cloud::new(night.seed, night.fleet.world(night.seed).build());
    cloud.world(|world| night.fleet.furnish(world));
    let mut stage = Stage::new(cloud.clone(), folder, &[], night.seed).expect("a stage");
    let settings = night.settings;
    stage.config.interval = Duration::from_secs(settings.interval_s.into());
    stage.config.limits.mutations_per_hour = settings.mutations_per_hour;
    stage.config.pause_parameter = settings.parameter.then(|| PARAMETER.to_owned());
    if settings.channel {
        let webhook = SecretRef::Env("HOOK".to_owned());
        let channel = Channel::Slack { webhook };
        stage.config.channels.insert(CHANNEL.into(), channel);
    }
    stage.config.heartbeat = settings.heartbeat.then(|| Heartbeat {
        url: SecretRef::Env("HEARTBEAT".to_owned()),
        every: HEARTBEAT_EVERY,
    });
    let cap = usize::try_from(settings.mutations_per_hour).unwrap_or(usize::MAX);
    let office = Office::open(&night.fleet, &stage, cap);
    cloud.keep_secret(WEBHOOK_URL);
    cloud.keep_user_data(USER_DATA);
    let refused = office.refused();
    if !refused.is_empty() {
        return failed(refused);
    }
    let process = Process::new(&stage);
    let visitor = Visitor::new(&stage);
    let mut meddler = Meddler::new(night, &cloud, &process, office, visitor);
    meddler.declare();
    let disturb = async {
        meddler.storm().await;
        meddler.wait(night.storm_s + QUIET_S).await;
        process.end();
    };
    tokio::join!(process.live(&mut stage), disturb);
    report(night, &stage, &meddler, &process)
}

fn report(night: &Night, stage: &Stage, meddler: &Meddler, process: &Process) -> Report {
    let calls = stage.cloud.calls();
    let mut found = broken(&stage.cloud.finish(), meddler);
    found.extend(process.faults());
    found.extend(unwanted(stage, meddler, &night.fleet, &calls));
    found.extend(unfinished(stage, meddler, process, night));
    found.extend(restless(&calls, meddler.at(night.storm_s)));
    let repairs = calls
        .iter()
        .filter(|call| matches!(call.outcome, Outcome::Answered { status: 200, .. }))
        .map(|call| match call.action.as_str() {
            "StartInstances" => call.subjects.len(),
            "RunInstances" => 1,
            _ => 0,
        })
        .sum();
    Report {
        story: format!(
            "{}\nWhat the controller holds back in the end:\n{}",
            stage.cloud.story(),
            process.last_words()
        ),
        broken: found,
        hash: stage.cloud.trace_hash(),
        calls: by_action(&calls),
        repairs,
        lives: process.lives(),
        premises: stage.cloud.premises(),
    }
}

fn by_action(calls: &[CallRecord]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for call in calls {
        *counts.entry(call.action.clone()).or_default() += 1;
    }
    counts
}

/// The story without what was only looked at.
pub fn without_reads(story: &str) -> String {
    let is_read = |line: &&str| {
        let reads = [":Describe", ":GetCallerIdentity", ":GetParameter", ":AssumeRole"];
        line.contains(" controller ") && reads.iter().any(|read| line.contains(read))
    };
    story
        .lines()
        .filter(|line| !is_read(line))
        .map(|line| format!("{line}\n"))
        .collect()
}
