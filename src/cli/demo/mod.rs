//! `keepgreen demo`: the incident against the simulated AWS, at a pace that people can follow.
//!
//! The play has a thread of its own, on virtual time ([`crate::sim::demo`]); this one prints what it tells and listens to
//! signals. The play is held back by a brake ([`Pace`]): between two scenes it waits in the machine's time, and a signal, or
//! a reader that has gone away, releases it at once. The controller is then shut down in order, and the folder removed.
//!
//! With `--serve` the play goes on after the story, and its world can be reached on a port.
//!
//! Nothing of the user's is read: no config file, no policy, no credentials, and nothing is sent
//! anywhere.

mod doc;
mod folder;
mod pace;
mod screen;

use super::args::{Common, DemoArgs, Format};
use super::exit::{Exit, Failure, Outcome};
use super::json::text_of;
use super::paint::{print_error, print_on, width};
use super::wake::Signals;
use crate::env::{Brake, Env};
use crate::sim::demo::{Encore, Event, Scenario, SlotLine, Summary, play};
use crate::sim::wire;
use doc::DemoDoc;
use folder::Folder;
use pace::{Pace, SCENES, Word};
use screen::Screen;
use std::io::IsTerminal as _;
use std::net::{SocketAddr, TcpListener};
use tokio::sync::mpsc;

/// Plays it.
pub async fn demo(args: &DemoArgs, common: &Common) -> Outcome {
    let scenario = scenario(args, common)?;
    let speed = args.speed;
    let encore = args.serve.map(|address| encore(address, speed)).transpose()?;
    let served = encore
        .as_ref()
        .map(|encore| encore.listener.local_addr())
        .transpose()?;
    let env = Env::system();
    let mut signals = Signals::new()?;
    let folder = Folder::new(&env)?;
    let brake = Brake::default();
    let (tell, mut told) = mpsc::channel(SCENES);
    let mut pace = Pace::new(tell, speed, brake.clone());
    let path = folder.path().to_owned();
    let play = move || play(&scenario, &path, encore, &mut pace);
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
            Some(word) = told.recv() => {
                // One that has gone away has seen enough.
                if !show.take(word, served)? {
                    brake.release();
                }
            }
            summary = &mut playing => break summary??,
        }
    };
    show.close(&summary)?;
    folder.remove()?;
    Ok(match signalled.filter(|_| summary.interrupted) {
        Some(number) => Exit::Signalled(number),
        None if (summary.healed && summary.rebuilt) || summary.interrupted => Exit::Done,
        None => Exit::Problems,
    })
}

/// Takes the address at once: that it cannot be had should not be known only after the story.
fn encore(address: SocketAddr, speed: u32) -> Result<Encore, Failure> {
    let listener = TcpListener::bind(address).map_err(|error| {
        Failure::new(format!(
            "cannot listen on {address}: {error}; choose another with --serve=ADDR, or leave it out for a free port"
        ))
    })?;
    Ok(Encore { listener, speed })
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

/// Where the story goes, and what of it has been told.
struct Show {
    to: To,
    slots: Vec<SlotLine>,
    is_closed: bool,
}

/// A screen line by line, or one document at the end.
enum To {
    Text(Screen),
    Json(Vec<Event>),
}

impl Show {
    fn new(args: &DemoArgs, common: &Common) -> Self {
        let to = match common.format() {
            Format::Json => To::Json(Vec::new()),
            Format::Text => To::Text(Screen::new(args.speed, width(), std::io::stdout().is_terminal())),
        };
        Self {
            to,
            slots: Vec::new(),
            is_closed: false,
        }
    }

    /// `false`: nobody reads any more; so below.
    fn open(&mut self) -> Result<bool, Failure> {
        match &self.to {
            To::Text(screen) => print_on(&screen.opening()),
            To::Json(_) => Ok(true),
        }
    }

    fn take(&mut self, word: Word, served: Option<SocketAddr>) -> Result<bool, Failure> {
        let scene = match word {
            Word::Scene(scene) => scene,
            Word::Ended(summary) => {
                let reads = self.close(&summary)?;
                if let Some(address) = served {
                    print_error(&screen::invitation(address, &self.slots));
                }
                return Ok(reads);
            }
        };
        self.slots.clone_from(&scene.slots);
        match &mut self.to {
            To::Text(screen) => print_on(&screen.scene(&scene)),
            To::Json(events) if !self.is_closed => {
                events.extend(scene.events);
                Ok(true)
            }
            To::Json(_) => Ok(true),
        }
    }

    /// Once.
    fn close(&mut self, summary: &Summary) -> Result<bool, Failure> {
        if std::mem::replace(&mut self.is_closed, true) {
            return Ok(true);
        }
        match &mut self.to {
            To::Text(screen) => print_on(&screen.closing(summary)),
            To::Json(events) => print_on(&text_of(&DemoDoc::of(events, summary))?),
        }
    }
}
