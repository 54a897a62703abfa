//! What every command starts from: the config, the environment, and the rounds that look or act.

use super::args::Common;
use super::exit::Failure;
use crate::aws::{Priority, Reader, ScopeKey, Sdk, Seams};
use crate::controller::{Fleet, Hands, InForce, Ledger, Rounds, Scopes};
use crate::env::Env;
use crate::model::{ChannelName, ServiceName};
use crate::pause::{Parameter, ParameterSource, Sources};
use crate::policy::{
    CONFIG_VARIABLE, Channel, Colour, Config, GoodText, Store, config_path, load_config, render_text,
};
use crate::record::Journal;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// The process's own credentials and region: where the pause parameter is.
const OWN_SCOPE: ScopeKey = ScopeKey {
    role: None,
    region: None,
};

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
        let usable = |channel: &Channel| matches!(channel, Channel::Slack { .. } | Channel::Webhook { .. });
        let channels = self.config.channels.iter();
        channels
            .filter(|(_, channel)| usable(channel))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Where pause flags are, and what reads them.
    pub async fn pause_sources(&self, sdk: &Sdk) -> Sources {
        let parameter = match &self.config.pause_parameter {
            None => None,
            Some(name) => {
                let reader = Reader::new(sdk, &OWN_SCOPE)
                    .await
                    .map_err(|error| error.to_string());
                Some(Parameter {
                    name: name.clone(),
                    source: Arc::new(OwnParameters(reader)),
                })
            }
        };
        Sources {
            folder: self.config.state.clone(),
            parameter,
        }
    }

    /// Rounds that may only look: no write client, no journal entry, no lease.
    ///
    /// # Errors
    /// If there is a journal and it cannot be read.
    pub async fn rounds_for_looking(&self) -> Result<Rounds, Failure> {
        self.require_store()?;
        let journal = Journal::open_read_only(&self.config.state, &self.env).await?;
        Ok(self.rounds(Ledger::scratch(journal), None).await)
    }

    /// Rounds on `ledger`; with `hands` they may act.
    pub async fn rounds(&self, ledger: Ledger, hands: Option<Hands>) -> Rounds {
        let sdk = self.sdk();
        let sources = self.pause_sources(&sdk).await;
        Rounds {
            env: self.env.clone(),
            config: self.config.clone(),
            scopes: Arc::new(Scopes::new(sdk, hands.is_some())),
            ledger,
            pausing: crate::act::Pausing {
                sources,
                policies_are_files: true,
            },
            in_force: InForce::default(),
            vitals: Default::default(),
            channels: self.channels(),
            incarnation: self.env.entropy.id("run"),
            hands,
        }
    }

    /// The policies in force, without asking AWS: the files, and the last good texts if there is a journal to read.
    pub async fn fleet(&self) -> Result<Fleet, Failure> {
        let journal = Journal::open_read_only(&self.config.state, &self.env).await?;
        let last_good: BTreeMap<ServiceName, GoodText> = match journal {
            Some(journal) => journal.good_policies().await?,
            None => BTreeMap::new(),
        };
        let config = self.config.clone();
        let load = move || Fleet::of(&Fleet::load(&config.policies, &config, &last_good));
        Ok(self.env.blocking.run(load).await?)
    }
}

/// The SSM parameters of the process's own account and region. Without a client every flag is unreadable, which counts
/// as set.
struct OwnParameters(Result<Reader, String>);

impl ParameterSource for OwnParameters {
    fn values(&self, names: Vec<String>) -> BoxFuture<'_, Result<BTreeMap<String, String>, String>> {
        async move {
            let reader = self.0.as_ref().map_err(Clone::clone)?;
            let names: BTreeSet<String> = names.into_iter().collect();
            // This stands between a decision and its sending: it does not wait for its turn.
            let values = reader.parameters(&names, Priority::Start).await;
            values.map_err(|error| error.to_string())
        }
        .boxed()
    }
}
