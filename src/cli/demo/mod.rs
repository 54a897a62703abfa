//! `keepgreen demo`: the incident against the simulated AWS, at a pace that people can follow.
//!
//! The play has a thread of its own, on virtual time ([`crate::sim::demo`]); this one prints what it tells and listens to
//! signals. The play is held back by a brake ([`Pace`]): between two scenes it waits in the machine's time, and a signal, or
//! a reader that has gone away, releases it at once. The controller is then shut down in order, and the folder removed.
//!
//! Nothing of the user's is read: no config file, no policy, no credentials, and nothing is sent anywhere.

mod doc;
mod folder;
mod screen;

use super::args::{Common, DemoArgs, Format};
use super::exit::{Exit, Failure, Outcome};
use super::json::text_of;
use super::paint::{print_on, width};
use super::wake::Signals;
use crate::env::{Brake, Env};
use crate::sim::demo::{Event, Scenario, Scene, Summary, TICK, play};
use crate::sim::wire;
use doc::DemoDoc;
use folder::Folder;
use screen::Screen;
use std::io::IsTerminal as _;
use std::ops::ControlFlow;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// Scenes that wait to be shown; then the play waits for its screen.
const SCENES: usize = 16;
/// How long it waits each time.
const SCREEN_BUSY: Duration = Duration::from_millis(10);

/// The default of `--speed`.
const USUAL_SPEED: u32 = 15;

/// A line is read in about this time.
const READING: Duration = Duration::from_millis(450);

/// Plays it.
pub async fn demo(args: &DemoArgs, common: &Common) -> Outcome {
    let scenario = scenario(args, common)?;
    let mut signals = Signals::new()?;
    let folder = Folder::new(&Env::system())?;
    let brake = Brake::default();
    let pace = Pace::new(args.speed, brake.clone());
    let (tell, mut told) = mpsc::channel(SCENES);
    let path = folder.path().to_owned();
    let play = move || play(&scenario, &path, |scene| pace.show(&tell, scene));
    let env = Env::system();
    let mut playing = std::pin::pin!(env.blocking.run(play));
    let mut show = Show::new(args, common);
    let mut signalled = None;
    if !show.open()? {
        brake.release();
    }
    let summary = loop {
        tokio::select! {
            biased;
            (_, number) = signals.any() => {
                signalled = Some(number);
                brake.release();
            }
            Some(scene) = told.recv() => {
                // One that has gone away has seen enough.
                if !show.scene(&scene)? {
                    brake.release();
                }
            }
            summary = &mut playing => break summary??,
        }
    };
    show.close(&summary)?;
    folder.remove()?;
    Ok(match signalled {
        Some(number) => Exit::Signalled(number),
        None if summary.healed || summary.interrupted => Exit::Done,
        None => Exit::Problems,
    })
}

/// The story, with what the command line changes in it.
fn scenario(args: &DemoArgs, common: &Common) -> Result<Scenario, Failure> {
    if common.config.is_some() || common.rest.policies.is_some() {
        return Err(Failure::new(
            "the demo brings its own config and policies: leave out `--config` and `--policies`",
        ));
    }
    let mut scenario = Scenario::incident();
    for action in &args.deny {
        if !wire::routes().any(|route| route.action == action) {
            let known: Vec<&str> = wire::routes().map(|route| route.action).collect();
            return Err(Failure::new(format!(
                "`--deny {action}`: the simulated AWS has no such action; it has {}",
                known.join(", ")
            )));
        }
        scenario = scenario.denying(action);
    }
    Ok(scenario)
}

/// Holds the play back.
struct Pace {
    speed: u32,
    brake: Brake,
}

impl Pace {
    fn new(speed: u32, brake: Brake) -> Self {
        Self { speed, brake }
    }

    /// Hands a scene to the screen, one event after the other, and waits as long as each takes to read and as its time
    /// lasts. On the play's thread.
    fn show(&self, tell: &mpsc::Sender<Scene>, scene: Scene) -> ControlFlow<()> {
        // Whoever wants it faster than usual reads faster.
        let reading = READING * USUAL_SPEED / self.speed.max(USUAL_SPEED);
        let mut lasts = TICK / self.speed.max(1);
        let Scene { now, events, slots } = scene;
        for event in events {
            let slots = slots.clone();
            let events = vec![event];
            self.hand(tell, Scene { now, events, slots })?;
            self.wait(reading)?;
            lasts = lasts.saturating_sub(reading);
        }
        let events = Vec::new();
        self.hand(tell, Scene { now, events, slots })?;
        self.wait(lasts)
    }

    fn hand(&self, tell: &mpsc::Sender<Scene>, mut scene: Scene) -> ControlFlow<()> {
        loop {
            match tell.try_send(scene) {
                Ok(()) => return ControlFlow::Continue(()),
                Err(TrySendError::Closed(_)) => return ControlFlow::Break(()),
                Err(TrySendError::Full(back)) => scene = back,
            }
            self.wait(SCREEN_BUSY)?;
        }
    }

    fn wait(&self, duration: Duration) -> ControlFlow<()> {
        if self.brake.hold(duration) {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    }
}

/// Where the story goes: to a screen line by line, or into one document at the end.
enum Show {
    Text(Screen),
    Json(Vec<Event>),
}

impl Show {
    fn new(args: &DemoArgs, common: &Common) -> Self {
        match common.format() {
            Format::Json => Self::Json(Vec::new()),
            Format::Text => {
                let is_live = std::io::stdout().is_terminal();
                Self::Text(Screen::new(args.speed, width(), is_live))
            }
        }
    }

    /// `false`: nobody reads any more; so below.
    fn open(&mut self) -> Result<bool, Failure> {
        match self {
            Self::Text(screen) => print_on(&screen.opening()),
            Self::Json(_) => Ok(true),
        }
    }

    fn scene(&mut self, scene: &Scene) -> Result<bool, Failure> {
        match self {
            Self::Text(screen) => print_on(&screen.scene(scene)),
            Self::Json(events) => {
                events.extend(scene.events.iter().cloned());
                Ok(true)
            }
        }
    }

    fn close(&mut self, summary: &Summary) -> Result<bool, Failure> {
        match self {
            Self::Text(screen) => print_on(&screen.closing(summary)),
            Self::Json(events) => print_on(&text_of(&DemoDoc::of(events, summary))?),
        }
    }
}
