//! The incident as a play: keepgreen's own controller against the simulated AWS, told from what both wrote down.
//!
//! - [`scenario`]: what the world is like and what happens in it. Another story is another [`Scenario`].
//! - [`watch`]: what there is to tell since the last time, from the world's log and truth and from the journal. Nothing
//!   is told that is not written there, and nothing that is told is written here.
//! - [`tally`]: for how long whom, from the same truth.
//!
//! Guarantees: [`play`] knows nothing of terminals and of the machine's time. Its audience gets a [`Scene`] each
//! [`TICK`] of virtual time, takes as long over it as it likes, and may end it; the controller is then shut down in order.

mod encore;
pub mod scenario;
pub mod tally;
#[cfg(test)]
mod tests;
pub mod watch;

pub use encore::Encore;
pub use scenario::Scenario;
pub use tally::{Down, GroupTally, Mutation, Summary};
pub use watch::{Beat, Event, Scene, SlotLine, Voice};

use super::{Cloud, Ended, LeftTheThread, Stage, open_runtime, runtime};
use crate::env::Clock;
use crate::policy::{Channel, SecretRef};
use crate::record::RecordError;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;
use watch::Watch;

/// How often it is looked what is new, in virtual time: a second is what a reader can tell apart.
pub const TICK: Duration = Duration::from_secs(1);

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
    let _ = audience.scene(watch.look().await?);
    let summary = watch.summary();
    audience.ended(&summary);
    Ok(summary)
}

/// Shows scene after scene, until the story is over and people have been told, or the audience has had enough. If there was
/// an encore, the story has been summed up before it.
async fn tell(
    watch: &mut Watch,
    clock: &Clock,
    cloud: &Cloud,
    encore: Option<Encore>,
    audience: &mut dyn Audience,
) -> Result<Option<Summary>, DemoError> {
    let mut aftermath = AFTERMATH;
    while !aftermath.is_zero() {
        if audience.scene(watch.look().await?).is_break() {
            return Ok(None);
        }
        if watch.is_over() {
            aftermath = if watch.is_told() {
                Duration::ZERO
            } else {
                aftermath.saturating_sub(TICK)
            };
        }
        clock.sleep(TICK).await;
    }
    let Some(encore) = encore else { return Ok(None) };
    let summary = watch.summary();
    audience.ended(&summary);
    encore.play(watch, clock, cloud, audience).await?;
    Ok(Some(summary))
}
