//! The controller on stage: its production code, against a [`Cloud`], one process life after another on one state folder.
//!
//! A life ends when its time is over (an orderly shutdown), or where its [`Incarnation`] crashes. Everything that
//! survives is in the folder, as on a real machine.

use super::world::builder;
use super::{Cloud, Crashed, Incarnation};
use crate::aws::Sdk;
use crate::controller::{Hands, Ledger, Message, Passed, Pulse, Rounds, run};
use crate::model::Lease;
use crate::notify::{Notifier, Resolver};
use crate::policy::{Config, Secret};
use crate::record::{Journal, Options, RecordError};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// What every `env:` secret of a stage's config is.
pub const WEBHOOK_URL: &str = "https://hooks.slack.test/services/T0/B0/not-a-real-token";

/// One machine with keepgreen on it.
pub struct Stage {
    pub cloud: Cloud,
    pub config: Config,
    /// The controller's own account.
    pub account: String,
    pub region: String,
    pub seed: u64,
    /// The journal may not grow beyond this many pages: a full disk.
    pub max_pages: Option<u32>,
    lives: u32,
    present: Arc<Mutex<Option<Journal>>>,
}

/// How a life ended.
#[derive(Debug)]
pub enum Ended {
    Orderly,
    Crashed,
    /// It could not even begin.
    NoJournal(RecordError),
}

impl Stage {
    /// `folder` gets the policies (file name and text) and the state.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn new(cloud: Cloud, folder: &Path, policies: &[(&str, &str)], seed: u64) -> std::io::Result<Self> {
        let config = Config::defaults(folder);
        std::fs::create_dir_all(&config.policies)?;
        for (file, text) in policies {
            std::fs::write(config.policies.join(file), text)?;
        }
        Ok(Self {
            cloud,
            config,
            account: builder::ACCOUNT.to_owned(),
            region: builder::REGION.to_owned(),
            seed,
            max_pages: None,
            lives: 0,
            present: Arc::default(),
        })
    }

    pub fn state(&self) -> &PathBuf {
        &self.config.state
    }

    /// A next life, not crashing anywhere by itself.
    pub fn next_life(&mut self) -> Incarnation {
        self.lives += 1;
        Incarnation::controller(self.lives)
    }

    /// The controller of one life, its policies loaded.
    ///
    /// # Errors
    /// If the journal cannot be opened or read.
    pub async fn rounds(&self, life: &Incarnation) -> Result<Rounds, RecordError> {
        let seed = self.seed.wrapping_add(u64::from(self.lives));
        let env = self.cloud.env(seed);
        let sdk = Sdk::new(
            env.clone(),
            self.cloud.seams(life, &self.account, &self.region, seed),
        );
        let options = Options {
            max_pages: self.max_pages,
            hook: Some(Arc::new(life.clone())),
        };
        let journal = Journal::open(&self.config.state, &env, options).await?;
        *self.present.lock().unwrap_or_else(PoisonError::into_inner) = Some(journal.clone());
        let hands = Hands {
            lease: Lease::Folder,
            stopping: Arc::new(AtomicBool::new(false)),
        };
        let mut rounds = Rounds::new(
            env,
            self.config.clone(),
            sdk,
            Ledger::Journal(journal),
            Some(hands),
        );
        rounds.channels = self.config.channel_names();
        rounds.reload().await?;
        Ok(rounds)
    }

    /// The journal of the latest life, whose disk may be filled while it lives; clones of this see later lives'.
    pub fn present_journal(&self) -> Arc<Mutex<Option<Journal>>> {
        Arc::clone(&self.present)
    }

    /// Lives one life for `duration` of virtual time at the most. `seen` gets every pass.
    pub async fn live(&self, life: &Incarnation, duration: Duration, seen: impl FnMut(&Passed)) -> Ended {
        let clock = self.cloud.env(0).clock;
        self.live_until(life, async move { clock.sleep(duration).await }, seen)
            .await
    }

    /// Lives one life until `over` is, which runs beside it from the first request on. `seen` gets every pass.
    pub async fn live_until(
        &self,
        life: &Incarnation,
        over: impl Future<Output = ()>,
        seen: impl FnMut(&Passed),
    ) -> Ended {
        let (tell, told) = mpsc::channel(1);
        let end = async move {
            over.await;
            // Nobody listens any more if the loop ended before.
            let _ = tell.send(Message::Shutdown).await;
        };
        self.play(life, told, end, seen).await
    }

    /// Lives one life until it is told to end. `seen` gets every pass.
    pub async fn hear(
        &self,
        life: &Incarnation,
        told: mpsc::Receiver<Message>,
        seen: impl FnMut(&Passed),
    ) -> Ended {
        self.play(life, told, async {}, seen).await
    }

    async fn play(
        &self,
        life: &Incarnation,
        told: mpsc::Receiver<Message>,
        aside: impl Future<Output = ()>,
        seen: impl FnMut(&Passed),
    ) -> Ended {
        let whole = async {
            let rounds = self.rounds(life).await?;
            let pulse = Pulse::default();
            let notifier = self.notifier(&rounds);
            let loop_ = async { tokio::join!(run(&rounds, told, &pulse, seen), aside) };
            match &notifier {
                Some(notifier) => {
                    tokio::select! { biased; _ = loop_ => {} () = notifier.run() => {} }
                    notifier.flush().await?;
                }
                None => drop(loop_.await),
            }
            Ok(())
        };
        match life.run(whole).await {
            Ok(Ok(())) => Ended::Orderly,
            Ok(Err(error)) => Ended::NoJournal(error),
            Err(Crashed) => Ended::Crashed,
        }
    }

    /// `None`: nobody is to be told anything.
    fn notifier(&self, rounds: &Rounds) -> Option<Notifier> {
        let journal = rounds
            .ledger
            .journal()
            .filter(|_| !self.config.channels.is_empty())?
            .clone();
        let poster = rounds.scopes.sdk().poster().ok()?;
        // Every secret of the stage is this one URL, of a host that the world plays.
        let resolver: Resolver = Arc::new(|_| Ok(Secret::new(WEBHOOK_URL)));
        let channels = self.config.channels.clone();
        Some(Notifier::new(
            journal,
            channels,
            resolver,
            Arc::new(poster),
            rounds.env.clone(),
        ))
    }
}
