//! The controller on stage: its production code, against a [`Cloud`], one process life after another on one state folder.
//!
//! A life ends when its time is over (an orderly shutdown), or where its [`Incarnation`] crashes. Everything that
//! survives is in the folder, as on a real machine.

mod backstage;
mod logbook;
mod witness;

pub use backstage::Backstage;
use logbook::Logbook;
use witness::Witness;

use super::oracle::Leftovers;
use super::world::builder;
use super::{Actor, Cloud, Crashed, Incarnation};
use crate::aws::Sdk;
use crate::controller::{Hands, Ledger, Message, Passed, Pulse, Rounds, run};
use crate::env::{Clock, Env, VirtualClock};
use crate::model::{Lease, Stamp};
use crate::notify::{self, Notifier, Resolver};
use crate::policy::{Config, Secret};
use crate::record::{FILE_NAME, Journal, Options, RecordError};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tracing::instrument::WithSubscriber as _;

/// Where the heartbeat goes, if the config has one.
const HEARTBEAT_URL: &str = "https://heartbeat.test/not-a-real-token";

/// The part of it that must never be seen.
const WEBHOOK_SECRET: &str = "not-a-real-token";

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
    /// Counted over all machines of a run.
    lives: Arc<AtomicU32>,
    machine: VirtualClock,
    backstage: Backstage,
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
        let machine = cloud.clock().machine().clone();
        cloud.keep_secret(WEBHOOK_SECRET);
        cloud.disregard_folder(folder);
        Ok(Self {
            backstage: Backstage::new(
                machine.clone(),
                cloud.surroundings(),
                &config.state,
                &config.policies,
            ),
            cloud,
            config,
            account: builder::ACCOUNT.to_owned(),
            region: builder::REGION.to_owned(),
            seed,
            max_pages: None,
            lives: Arc::default(),
            machine,
            present: Arc::default(),
        })
    }

    /// Another machine in front of the same cloud, with clocks of its own: a standby. It has the same policies, and its
    /// state in `state`: the same folder as this one's (which it takes over), or one of its own.
    pub fn beside(&self, state: &Path) -> Self {
        let machine = self.machine.beside();
        self.cloud.disregard_folder(state);
        let mut config = self.config.clone();
        config.state = state.to_owned();
        Self {
            backstage: Backstage::new(
                machine.clone(),
                self.cloud.surroundings(),
                &config.state,
                &config.policies,
            ),
            cloud: self.cloud.clone(),
            config,
            account: self.account.clone(),
            region: self.region.clone(),
            seed: self.seed ^ 0x7374_616e_6462_7921,
            max_pages: None,
            lives: Arc::clone(&self.lives),
            machine,
            present: Arc::default(),
        }
    }

    /// The levers of what happens to the process and its machine.
    pub fn backstage(&self) -> &Backstage {
        &self.backstage
    }

    pub fn state(&self) -> &PathBuf {
        &self.config.state
    }

    /// A next life, not crashing anywhere by itself.
    pub fn next_life(&mut self) -> Incarnation {
        Incarnation::controller(self.lives.fetch_add(1, Ordering::SeqCst) + 1)
    }

    /// The controller of one life, its policies loaded.
    ///
    /// # Errors
    /// If the journal cannot be opened or read.
    pub async fn rounds(&self, life: &Incarnation) -> Result<Rounds, RecordError> {
        let seed = self
            .seed
            .wrapping_add(u64::from(self.lives.load(Ordering::SeqCst)));
        let env = Env::simulated(self.machine.clone(), seed);
        let sdk = Sdk::new(
            env.clone(),
            self.cloud.seams(life, &self.account, &self.region, seed),
        );
        let options = Options {
            max_pages: if self.backstage.is_full() {
                Some(1)
            } else {
                self.max_pages
            },
            hook: Some(Arc::new(self.witness(life))),
            unsynced: true,
        };
        // A process that is gone holds no file open any more.
        *self.present.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.backstage.do_chores().map_err(|error| RecordError::Io {
            path: self.config.state.clone(),
            why: error.to_string(),
        })?;
        let journal = Journal::open(&self.config.state, &env, options).await?;
        self.witness(life).open();
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
        let clock = Clock::Virtual(self.machine.clone());
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
        mut seen: impl FnMut(&Passed),
    ) -> Ended {
        let last_pass = Cell::new(None);
        let seen = |passed: &Passed| {
            last_pass.set(Some(Clock::Virtual(self.machine.clone()).now()));
            seen(passed);
        };
        // Both the script and whoever is backstage may tell it something.
        let (tell, inbox) = mpsc::channel(1);
        self.backstage.enter(life, tell.clone());
        self.cloud_hears(life, Cloud::life_began);
        let whole = async {
            let rounds = self.rounds(life).await?;
            self.backstage.take_journal(rounds.ledger.journal().cloned());
            let pulse = Pulse::default();
            let notifier = self.notifier(&rounds);
            let stall = self.backstage.stall_order();
            let played =
                async { tokio::join!(stall.run(Box::pin(run(&rounds, inbox, &pulse, seen))), aside) };
            let loop_ = async {
                tokio::select! { biased; _ = played => {} () = forward(told, tell) => {} }
            };
            let beat = self.beat(&rounds, &last_pass);
            match &notifier {
                Some(notifier) => {
                    let beside = async { tokio::join!(notifier.run(), beat) };
                    tokio::select! { biased; () = loop_ => {} _ = beside => {} }
                    notifier.flush().await?;
                }
                None => tokio::select! { biased; () = loop_ => {} () = beat => {} },
            }
            Ok(())
        };
        let logbook = Logbook::new(self.machine.clone(), self.cloud.secrets());
        // On the heap: a debug build's future of a whole controller would fill a test's stack.
        let ended = life.run(Box::pin(whole)).with_subscriber(logbook.clone()).await;
        self.backstage.leave();
        self.cloud_hears(life, Cloud::life_ended);
        self.cloud.examine(&self.leftovers(&logbook));
        match ended {
            Ok(Ok(())) => Ended::Orderly,
            Ok(Err(error)) => Ended::NoJournal(error),
            Err(Crashed) => Ended::Crashed,
        }
    }

    fn cloud_hears(&self, life: &Incarnation, what: fn(&Cloud, u32)) {
        if let Actor::Controller {
            incarnation,
            dry_run: false,
        } = life.actor()
        {
            what(&self.cloud, incarnation);
        }
    }

    /// The heartbeat, if there is one; never ends.
    async fn beat(&self, rounds: &Rounds, last_pass: &Cell<Option<Stamp>>) {
        let poster = rounds.scopes.sdk().poster();
        let (Some(heartbeat), Ok(poster)) = (&self.config.heartbeat, poster) else {
            return std::future::pending().await;
        };
        let resolver: Resolver = Arc::new(|_| Ok(Secret::new(HEARTBEAT_URL)));
        let patience = self.stalled_after();
        notify::beat(
            heartbeat,
            || last_pass.get(),
            patience,
            &poster,
            &resolver,
            &rounds.env,
        )
        .await;
    }

    /// As production counts: three intervals and a turn of the loop.
    fn stalled_after(&self) -> Duration {
        self.config.interval * 3 + Duration::from_secs(60)
    }

    /// So long after the loop stood still, no heartbeat may be heard any more.
    pub fn stall_noticed_after(&self) -> Duration {
        self.stalled_after() + Duration::from_secs(30)
    }

    fn witness(&self, life: &Incarnation) -> Witness {
        Witness {
            cloud: self.cloud.clone(),
            life: life.clone(),
            state: self.config.state.clone(),
        }
    }

    /// What a life has left: its log, its journal, its outbox.
    fn leftovers(&self, logbook: &Logbook) -> Leftovers {
        let file = self.config.state.join(FILE_NAME);
        let mut journal = std::fs::read(&file).unwrap_or_default();
        journal.extend(std::fs::read(file.with_extension("db-wal")).unwrap_or_default());
        Leftovers {
            lines_per_minute: logbook.lines_per_minute(),
            log_has_secret: logbook.has_secret(),
            journal,
            waiting: witness::waiting(&self.config.state).unwrap_or(0),
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

/// Hands messages on; once nobody sends any more, the last one is to end. Never ends itself.
async fn forward(mut from: mpsc::Receiver<Message>, to: mpsc::Sender<Message>) {
    while let Some(message) = from.recv().await {
        // A loop that has ended listens to nobody.
        let _ = to.send(message).await;
    }
    let _ = to.send(Message::Shutdown).await;
    std::future::pending().await
}
