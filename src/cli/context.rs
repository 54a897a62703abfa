//! What every command starts from: the config, the environment, and the rounds that look or act.

use super::args::Common;
use super::exit::Failure;
use crate::aws::{Sdk, Seams};
use crate::controller::{Fleet, Hands, Ledger, Rounds};
use crate::env::Env;
use crate::model::{ChannelName, ServiceName};
use crate::notify::unusable_because;
use crate::policy::{
    CONFIG_VARIABLE, Colour, Config, GoodText, Store, config_path, load_config, render_text,
};
use crate::record::{Journal, RecordError};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

/// A turn on the journal takes milliseconds, on a slow disk a second; together these make three.
const LOCKED_TRIES: u32 = 30;
const BETWEEN_LOCKED_TRIES: Duration = Duration::from_millis(100);

/// A command's surroundings.
pub struct Context {
    pub env: Env,
    pub config: Config,
}

/// Which config file is meant.
pub fn config_file(common: &Common) -> Option<PathBuf> {
    config_path(
        common.config.as_deref(),
        std::env::var_os(CONFIG_VARIABLE).as_deref(),
    )
}

impl Context {
    /// Reads the config file.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn open(common: &Common) -> Result<Self, Failure> {
        let mut config = load_config(config_file(common).as_deref()).map_err(|problems| {
            let shown = render_text(&problems, Colour::Never);
            Failure::new(format!("the config file cannot be used:\n\n{}", shown.trim_end()))
        })?;
        if let Some(policies) = &common.rest.policies {
            config.policies.clone_from(policies);
        }
        Ok(Self {
            env: Env::system(),
            config,
        })
    }

    /// Where this version would look for a journal that is elsewhere, it would find none and begin anew: attempts and
    /// unsettled requests forgotten.
    ///
    /// # Errors
    /// If the config wants the journal where this version cannot have it.
    pub fn require_store(&self) -> Result<(), Failure> {
        match &self.config.store {
            Store::Sqlite => Ok(()),
            Store::DynamoDb { table } => Err(Failure::new(format!(
                "`store: {{ dynamodb: {{ table: {table} }} }}` is not in this version yet: the journal would not be where \
                 the config says it is; use `store: sqlite` and run one controller"
            ))),
        }
    }

    pub fn sdk(&self) -> Sdk {
        Sdk::new(self.env.clone(), Seams::default())
    }

    /// The channels that this version can use.
    pub fn channels(&self) -> BTreeSet<ChannelName> {
        let channels = self.config.channels.iter();
        channels
            .filter(|(_, channel)| unusable_because(channel).is_none())
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Rounds that may only look: no write client, no journal entry, no lease.
    ///
    /// # Errors
    /// If there is a journal and it cannot be read.
    pub async fn rounds_for_looking(&self) -> Result<Rounds, Failure> {
        self.require_store()?;
        let journal = Journal::open_read_only(&self.config.state, &self.env).await?;
        Ok(self.rounds(Ledger::scratch(journal), None))
    }

    /// Rounds on `ledger`; with `hands` they may act.
    pub fn rounds(&self, ledger: Ledger, hands: Option<Hands>) -> Rounds {
        let (env, config) = (self.env.clone(), self.config.clone());
        let mut rounds = Rounds::new(env, config, self.sdk(), ledger, hands);
        rounds.channels = self.channels();
        rounds
    }

    /// The policies in force, without asking AWS: the files, and the last good texts if there is a journal that can be read.
    /// Without it the files alone speak: nobody is kept from pausing by a broken journal.
    ///
    /// # Errors
    /// If the work was interrupted.
    pub async fn fleet(&self) -> Result<Fleet, Failure> {
        let last_good = self.last_good().await.unwrap_or_default();
        let config = self.config.clone();
        let load = move || {
            Fleet::of(
                &Fleet::load(&config.policies, &config, &last_good),
                &config.policies,
            )
        };
        Ok(self.env.blocking.run(load).await?)
    }

    async fn last_good(&self) -> Result<BTreeMap<ServiceName, GoodText>, RecordError> {
        match Journal::open_read_only(&self.config.state, &self.env).await? {
            Some(journal) => journal.good_policies().await,
            None => Ok(BTreeMap::new()),
        }
    }
}

/// Repeats journal work that another process's short turn on the journal kept out.
///
/// # Errors
/// What it failed with last.
pub async fn patiently<T, F>(env: &Env, mut work: impl FnMut() -> F) -> Result<T, RecordError>
where
    F: Future<Output = Result<T, RecordError>>,
{
    for _ in 1..LOCKED_TRIES {
        match work().await {
            Err(RecordError::Locked { .. }) => env.clock.sleep(BETWEEN_LOCKED_TRIES).await,
            done => return done,
        }
    }
    work().await
}
