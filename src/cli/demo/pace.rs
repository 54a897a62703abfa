//! Holds the play back to a pace that people can follow. It is on the play's own thread, and may wait in the machine's time.

use crate::env::Brake;
use crate::sim::demo::{Act, Audience, Scene, Summary};
use std::ops::ControlFlow;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// Scenes that wait to be shown; then the play waits for its screen.
pub const SCENES: usize = 16;
/// How long it waits each time.
const SCREEN_BUSY: Duration = Duration::from_millis(10);

/// The default of `--speed`.
const USUAL_SPEED: u32 = 15;

/// A line is read in about this time.
const READING: Duration = Duration::from_millis(400);

/// How many times as fast as the incident an act is played: a rebuild is minutes of waiting for checks and draining, and
/// a quiet day is to pass in some seconds (most of which it takes the machine to live through it).
pub fn haste(act: Act) -> u32 {
    match act {
        Act::Incident | Act::Encore => 1,
        Act::Rebuild => 6,
        Act::Lapse => 14_400,
    }
}

/// By now the lines look familiar.
fn reading(act: Act) -> Duration {
    match act {
        Act::Incident | Act::Encore | Act::Lapse => READING,
        Act::Rebuild => READING / 3,
    }
}

/// One thing for the screen.
pub enum Word {
    Scene(Scene),
    Ended(Box<Summary>),
}

/// Holds the play back.
pub struct Pace {
    tell: mpsc::Sender<Word>,
    speed: u32,
    brake: Brake,
}

impl Pace {
    pub fn new(tell: mpsc::Sender<Word>, speed: u32, brake: Brake) -> Self {
        Self { tell, speed, brake }
    }

    fn hand(&self, mut word: Word) -> ControlFlow<()> {
        loop {
            match self.tell.try_send(word) {
                Ok(()) => return ControlFlow::Continue(()),
                Err(TrySendError::Closed(_)) => return ControlFlow::Break(()),
                Err(TrySendError::Full(back)) => word = back,
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

impl Audience for Pace {
    /// One event after the other: each stays as long as it takes to read, and all of them as long as their time lasts.
    fn scene(&mut self, scene: Scene) -> ControlFlow<()> {
        // Whoever wants it faster than usual reads faster.
        let reading = reading(scene.act) * USUAL_SPEED / self.speed.max(USUAL_SPEED);
        let mut left = scene.lasts / self.speed.saturating_mul(haste(scene.act)).max(1);
        let events = scene.events;
        let scene = Scene {
            events: Vec::new(),
            ..scene
        };
        for event in events {
            let events = vec![event];
            let slots = scene.slots.clone();
            self.hand(Word::Scene(Scene {
                events,
                slots,
                ..scene
            }))?;
            self.wait(reading)?;
            left = left.saturating_sub(reading);
        }
        self.hand(Word::Scene(scene))?;
        self.wait(left)
    }

    fn ended(&mut self, summary: &Summary) {
        // Whoever has had enough by now gets it at the end of everything.
        let _ = self.hand(Word::Ended(Box::new(summary.clone())));
    }
}
