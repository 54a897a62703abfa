//! The incident as a play: keepgreen's own controller against the simulated AWS, told from what both wrote down.
//!
//! - [`scenario`]: what the world is like and what happens in it. Another story is another [`Scenario`].
//! - [`watch`]: what there is to tell since the last time, from the world's log and truth and from the journal. Nothing
//!   is told that is not written there, and nothing that is told is written here.
//! - [`scene`]: what the audience gets of it.
//! - [`tally`]: for how long whom, from the same truth.
//!
//! Guarantees: [`play`] knows nothing of terminals and of the machine's time. Its audience gets a [`Scene`] each
//! [`TICK`] of virtual time (each minute where nothing is to be expected), takes as long over it as it likes, and may end it; the controller is then shut down in order.

mod diary;
mod encore;
pub mod scenario;
pub mod scene;
pub mod tally;
#[cfg(test)]
mod tests;
mod truth;
mod watch;

pub use encore::Encore;
pub use scenario::Scenario;
pub use scene::{Act, Beat, Event, Lapse, Scene, SlotLine, Voice};
pub use tally::{Down, GroupTally, Mutation, Rebuild, Summary};

use super::{Cloud, Ended, LeftTheThread, Stage, open_runtime, runtime};
use crate::env::Clock;
use crate::policy::{Channel, SecretRef};
use crate::record::RecordError;
use jiff::Timestamp;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;
use watch::Watch;

/// How often it is looked what is new, in virtual time: a second is what a reader can tell apart.
pub const TICK: Duration = Duration::from_secs(1);

/// How often it is looked where nothing is to be expected: as often as keepgreen does.
const LAPSE_TICK: Duration = Duration::from_secs(60);

/// What is under way when it is over, such as a message to people, gets so long to arrive.
const AFTERMATH: Duration = Duration::from_secs(30);

/// Why it could not be played at all.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("the demo's folder cannot be used: {0}")]
    Folder(#[from] io::Error),
    #[error("the demo's journal failed: {0}")]
    Journal(#[from] RecordError),
    #[error("{0}")]
    Thread(#[from] LeftTheThread),
    #[error("the simulated controller crashed, which nobody asked for")]
    Crashed,
}

/// Who looks on. Each takes as long as it likes; time there stands still meanwhile.
pub trait Audience {
    /// What is new, each [`TICK`]. [`ControlFlow::Break`]: they have had enough.
    fn scene(&mut self, scene: Scene) -> ControlFlow<()>;

    /// The story is over, or was ended. If there is an encore, it follows.
    fn ended(&mut self, summary: &Summary);
}

/// Plays `scenario` on this thread to its end, or until the audience has had enough. `folder` gets the policies and the
/// state. Without an encore it is the same play each time.
///
/// # Errors
/// If it could not be played; that it did not heal is no error.
pub fn play(
    scenario: &Scenario,
    folder: &Path,
    encore: Option<Encore>,
    audience: &mut dyn Audience,
) -> Result<Summary, DemoError> {
    let runtime = match &encore {
        None => runtime(scenario.seed)?,
        Some(_) => open_runtime(scenario.seed)?,
    };
    runtime.block_on(perform(scenario, folder, encore, audience))?
}

async fn perform(
    scenario: &Scenario,
    folder: &Path,
    encore: Option<Encore>,
    audience: &mut dyn Audience,
) -> Result<Summary, DemoError> {
    let cloud = Cloud::new(scenario.seed, scenario.world.clone());
    let mut stage = Stage::new(cloud.clone(), folder, &scenario.policies, scenario.seed)?;
    // Where the people of the story read; the world plays it, and the stage knows its address.
    let webhook = SecretRef::Env("TIS_ALERTS".to_owned());
    stage
        .config
        .channels
        .insert(scenario.channel.into(), Channel::Slack { webhook });
    cloud.world(|world| {
        for action in &scenario.denied {
            world.deny(&stage.account, action, true);
        }
    });
    let clock = cloud.env(scenario.seed).clock;
    let mut watch = Watch::new(scenario, &cloud, stage.state());
    let mut told = Ok(None);
    let story = async { told = tell(&mut watch, &clock, &cloud, encore, audience).await };
    let life = stage.next_life();
    match stage.live_until(&life, story, |_| {}).await {
        Ended::Orderly => {}
        Ended::NoJournal(error) => return Err(error.into()),
        Ended::Crashed => return Err(DemoError::Crashed),
    }
    if let Some(summary) = told? {
        return Ok(summary);
    }
    // With what the controller still did while it ended.
    let _ = audience.scene(watch.look(Act::Encore, TICK).await?);
    let summary = watch.summary();
    audience.ended(&summary);
    Ok(summary)
}

/// Plays act after act, each only after the one before it has gone well, until the audience has had enough. If there was an
/// encore, the story has been summed up before it.
async fn tell(
    watch: &mut Watch,
    clock: &Clock,
    cloud: &Cloud,
    encore: Option<Encore>,
    audience: &mut dyn Audience,
) -> Result<Option<Summary>, DemoError> {
    let mut stage = Telling {
        watch,
        clock,
        audience,
    };
    if stage.story().await?.is_break() {
        return Ok(None);
    }
    watch.close();
    let Some(encore) = encore else { return Ok(None) };
    let summary = watch.summary();
    audience.ended(&summary);
    encore.play(watch, clock, cloud, audience).await?;
    Ok(Some(summary))
}

struct Telling<'a> {
    watch: &'a mut Watch,
    clock: &'a Clock,
    audience: &'a mut dyn Audience,
}

/// [`ControlFlow::Break`]: the audience has had enough.
type Told = Result<ControlFlow<()>, DemoError>;

impl Telling<'_> {
    async fn story(&mut self) -> Told {
        let Scenario {
            patience,
            waits_for,
            resumes,
            rebuilt_by,
            ends,
            ..
        } = *self.watch.scenario();
        if self
            .act(Act::Incident, Watch::is_healed, patience)
            .await?
            .is_break()
        {
            return Ok(ControlFlow::Break(()));
        }
        if !self.watch.is_healed() {
            return Ok(ControlFlow::Continue(()));
        }
        if self.lapse(resumes, waits_for).await?.is_break()
            || self
                .act(Act::Rebuild, Watch::is_rebuilt, rebuilt_by)
                .await?
                .is_break()
        {
            return Ok(ControlFlow::Break(()));
        }
        if !self.watch.is_rebuilt() {
            return Ok(ControlFlow::Continue(()));
        }
        self.lapse(ends, "is anything left to do?").await
    }

    /// Scene after scene until it `is_done` or time is up, and people have been told.
    async fn act(&mut self, act: Act, is_done: impl Fn(&Watch) -> bool, until: Timestamp) -> Told {
        let mut aftermath = AFTERMATH;
        while !aftermath.is_zero() {
            let scene = self.watch.look(act, TICK).await?;
            if self.audience.scene(scene).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            if is_done(self.watch) || self.watch.now() >= until {
                aftermath = if self.watch.is_told() {
                    Duration::ZERO
                } else {
                    aftermath.saturating_sub(TICK)
                };
            }
            self.clock.sleep(TICK).await;
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Hours in which nothing is to be expected, and whatever happens all the same is shown.
    async fn lapse(&mut self, until: Timestamp, why: &str) -> Told {
        let from = self.watch.now();
        let why = why.to_owned();
        let mut scene = self.watch.look(Act::Lapse, Duration::ZERO).await?;
        scene
            .events
            .push(Event::Lapse(from, Lapse::Begins { until, why }));
        loop {
            if self.audience.scene(scene).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            let left = Duration::try_from(until.duration_since(self.watch.now())).unwrap_or_default();
            if left.is_zero() {
                break;
            }
            let lasts = left.min(LAPSE_TICK);
            self.clock.sleep(lasts).await;
            scene = self.watch.look(Act::Lapse, lasts).await?;
        }
        let mut scene = self.watch.look(Act::Lapse, Duration::ZERO).await?;
        scene.events.push(self.watch.lapsed(from));
        Ok(self.audience.scene(scene))
    }
}
