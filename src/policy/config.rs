//! The config file: how the controller itself is run. Read with the same care as a policy: everything that is wrong
//! at once, each at its place.
//!
//! Relative paths start at the config file's folder; without a config file, at the current folder.

use super::decode::{At, Decoder, one_of};
use super::defaults::config as defaults;
use super::load;
use super::names;
use super::parse::distinct_names;
use super::problem::{Masking, Problem, Problems, Source};
use super::secret::SecretRef;
use super::tree::{self, Value};
use crate::model::ChannelName;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The variable that names the config file when `--config` does not.
pub const CONFIG_VARIABLE: &str = "KEEPGREEN_CONFIG";

/// Channels, and queues: each is a connection of its own.
const MAX_CHANNELS: usize = 64;
const MAX_QUEUES: usize = 32;
const ONE_SECOND: Duration = Duration::from_secs(1);
/// Longer intervals than a day would make every grace meaningless.
const ONE_DAY: Duration = Duration::from_secs(86_400);

/// A validated config file.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The file it came from; `None`: built-in defaults.
    pub file: Option<PathBuf>,
    /// The folder of the policy files.
    pub policies: PathBuf,
    /// The folder of the journal, the pause files and the incident records.
    pub state: PathBuf,
    pub store: Store,
    /// Time between complete reads of a service.
    pub interval: Duration,
    /// URLs of the SQS queues that EventBridge feeds.
    pub events: Vec<String>,
    /// `None`: no status page.
    pub listen: Option<SocketAddr>,
    pub limits: ConfigLimits,
    /// The Parameter Store name of the pause flag.
    pub pause_parameter: Option<String>,
    pub channels: BTreeMap<ChannelName, Channel>,
    pub heartbeat: Option<Heartbeat>,
}

/// Where the journal is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    Sqlite,
    DynamoDb { table: String },
}

/// Bounds over all services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigLimits {
    /// Disruptive or launching repairs at once.
    pub max_concurrent: u32,
    /// Mutating requests an hour, per account.
    pub mutations_per_hour: u32,
    pub breaker: Breaker,
}

/// Both must be reached for it to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// More than this part of an account's managed instances ails, 1 to 100.
    pub percent: u32,
    /// At least so many of them ail.
    pub at_least: u32,
}

/// Where notifications go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    Slack { webhook: SecretRef },
    Webhook { url: SecretRef },
    Sns { topic: String },
    PagerDuty { routing_key: SecretRef },
}

/// A URL that is called while the controller is well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    pub url: SecretRef,
    pub every: Duration,
}

impl Config {
    /// The built-in defaults; `folder` is where relative paths start.
    pub fn defaults(folder: &Path) -> Self {
        Self {
            file: None,
            policies: join(folder, defaults::POLICIES),
            state: join(folder, defaults::STATE),
            store: Store::Sqlite,
            interval: defaults::INTERVAL,
            events: Vec::new(),
            listen: defaults::LISTEN.parse().ok(),
            limits: ConfigLimits {
                max_concurrent: defaults::MAX_CONCURRENT,
                mutations_per_hour: defaults::MUTATIONS_PER_HOUR,
                breaker: Breaker {
                    percent: defaults::BREAKER_PERCENT,
                    at_least: defaults::BREAKER_AT_LEAST,
                },
            },
            pause_parameter: None,
            channels: BTreeMap::new(),
            heartbeat: None,
        }
    }

    /// The channels that policies may name.
    pub fn channel_names(&self) -> BTreeSet<ChannelName> {
        self.channels.keys().cloned().collect()
    }
}

/// Which config file is meant: `--config`, else `$KEEPGREEN_CONFIG` if it is not empty, else none.
pub fn config_path(option: Option<&Path>, variable: Option<&OsStr>) -> Option<PathBuf> {
    let variable = variable.filter(|value| !value.is_empty()).map(PathBuf::from);
    option.map(Path::to_path_buf).or(variable)
}

/// Reads the config file, or has the defaults if there is none to read. Blocks.
///
/// # Errors
/// Everything that is wrong with the file; a file that is named and cannot be read is wrong.
pub fn load_config(path: Option<&Path>) -> Result<Config, Vec<Problem>> {
    let Some(path) = path else {
        return Ok(Config::defaults(Path::new(".")));
    };
    let text = load::read_text(path).map_err(|problem| {
        vec![problem.expected(format!(
            "the config file that --config or ${CONFIG_VARIABLE} names"
        ))]
    })?;
    parse_config(path, &text)
}

/// Reads a config file's text; `path` is where it was found.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse_config(path: &Path, text: &str) -> Result<Config, Vec<Problem>> {
    let file = path.display().to_string();
    let mut problems = Problems::new(Source {
        file: &file,
        text,
        masking: Masking::Tokens,
    });
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let Some(root) = tree::read(&mut problems) else {
        return Err(problems.finish());
    };
    let mut decoder = Decoder::new(problems, super::schema::homes_in_config);
    let config = config(
        &At {
            node: &root,
            path: String::new(),
        },
        folder,
        &mut decoder,
    );
    let problems = decoder.problems.finish();
    match config {
        Some(config) if problems.is_empty() => Ok(Config {
            file: Some(path.to_path_buf()),
            ..config
        }),
        _ => Err(problems),
    }
}

fn config(at: &At<'_>, folder: &Path, d: &mut Decoder<'_>) -> Option<Config> {
    let default = Config::defaults(folder);
    let mut fields = d.fields(at)?;
    let policies = fields
        .get("policies")
        .and_then(|at| path(&at, folder, d))
        .unwrap_or(default.policies);
    let state = fields
        .get("state")
        .and_then(|at| path(&at, folder, d))
        .unwrap_or(default.state);
    let store = fields
        .get("store")
        .and_then(|at| store(&at, d))
        .unwrap_or(default.store);
    let interval = fields
        .get("interval")
        .and_then(|at| d.duration(&at, ONE_SECOND..=ONE_DAY));
    let events = fields
        .get("events")
        .and_then(|at| queues(&at, d))
        .unwrap_or_default();
    let listen = fields
        .get("listen")
        .map_or(Some(default.listen), |at| listen(&at, d));
    let limits = fields.get("limits").and_then(|at| limits(&at, default.limits, d));
    let pause_parameter = fields.get("pause").and_then(|at| pause(&at, d));
    let channels = fields
        .get("notify")
        .and_then(|at| channels(&at, folder, d))
        .unwrap_or_default();
    let heartbeat = fields.get("heartbeat").and_then(|at| heartbeat(&at, folder, d));
    fields.finish(d);
    Some(Config {
        file: None,
        policies,
        state,
        store,
        interval: interval.unwrap_or(default.interval),
        events,
        listen: listen?,
        limits: limits.unwrap_or(default.limits),
        pause_parameter,
        channels,
        heartbeat,
    })
}

/// `./` is left out, so that messages name `state/journal` and not `././state/journal`.
fn join(folder: &Path, path: &str) -> PathBuf {
    let joined = folder.join(path);
    let clean: PathBuf = joined
        .components()
        .filter(|part| part.as_os_str() != ".")
        .collect();
    if clean.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        clean
    }
}

fn path(at: &At<'_>, folder: &Path, d: &mut Decoder<'_>) -> Option<PathBuf> {
    let text = d.text(at, "a folder's path")?;
    if text.is_empty() || text.contains('\0') {
        let problem = d.problem(at.node.span, format!("`{}` is not a path", at.path));
        return d.refuse(problem.expected("a folder's path"));
    }
    if text.starts_with("~/") {
        let problem = d.problem(at.node.span, format!("{} starts at a home folder", d.quote(text)));
        return d
            .refuse(problem.expected("an absolute path, or one that starts at the config file's folder"));
    }
    Some(join(folder, text))
}

fn store(at: &At<'_>, d: &mut Decoder<'_>) -> Option<Store> {
    const EXPECTED: &str = "sqlite, or { dynamodb: { table: NAME } }";
    match &at.node.value {
        Value::Scalar { text, .. } if text == "sqlite" => return Some(Store::Sqlite),
        Value::Scalar { text, .. } if !tree::is_nothing(at.node) => {
            let problem = d.problem(at.node.span, format!("`store` cannot be {}", d.quote(text)));
            return d.refuse(problem.expected(EXPECTED));
        }
        Value::Map(_) => {}
        _ => return d.wrong_kind(at, EXPECTED),
    }
    let mut fields = d.fields(at)?;
    let at = fields.need("dynamodb", "{ table: NAME }", d);
    fields.finish(d);
    let mut fields = d.fields(&at?)?;
    let table = fields
        .need("table", names::TABLE.expected, d)
        .and_then(|at| d.name(&at, &names::TABLE));
    fields.finish(d);
    Some(Store::DynamoDb {
        table: table?.to_owned(),
    })
}

fn queues(at: &At<'_>, d: &mut Decoder<'_>) -> Option<Vec<String>> {
    let queues = distinct_names(at, &names::QUEUE, MAX_QUEUES, d)?;
    Some(queues.into_iter().map(str::to_owned).collect())
}

/// `Some(None)` is "none".
fn listen(at: &At<'_>, d: &mut Decoder<'_>) -> Option<Option<SocketAddr>> {
    const EXPECTED: &str = "an address and a port such as 127.0.0.1:9180 or [::1]:9180, or none";
    let text = d.text(at, EXPECTED)?;
    if text == "none" {
        return Some(None);
    }
    if let Ok(address) = text.parse() {
        return Some(Some(address));
    }
    let suggestion = match text.strip_prefix("localhost:").or(text.strip_prefix(':')) {
        Some(port) if port.parse::<u16>().is_ok() => Some(format!("write 127.0.0.1:{port}")),
        _ if text.parse::<std::net::IpAddr>().is_ok() => Some(format!("append a port: {text}:9180")),
        _ => None,
    };
    let problem = d.problem(at.node.span, format!("{} is not an address", d.quote(text)));
    d.refuse(problem.expected(EXPECTED).maybe_suggest(suggestion))
}

fn limits(at: &At<'_>, default: ConfigLimits, d: &mut Decoder<'_>) -> Option<ConfigLimits> {
    let mut fields = d.fields(at)?;
    let never = "with 0 nothing would ever be repaired; pause keepgreen if that is meant";
    let max_concurrent = fields
        .get("max_concurrent")
        .and_then(|at| d.integer(&at, 1..=100, never));
    let mutations = fields
        .get("mutations_per_hour")
        .and_then(|at| d.integer(&at, 1..=10_000, never));
    let breaker = fields.get("breaker").and_then(|at| {
        let mut fields = d.fields(&at)?;
        let why = "the breaker opens when more than this part ails";
        let percent = fields.get("percent").and_then(|at| d.integer(&at, 1..=100, why));
        let why = "no instance at all must not count as many";
        let at_least = fields
            .get("at_least")
            .and_then(|at| d.integer(&at, 1..=10_000, why));
        fields.finish(d);
        Some(Breaker {
            percent: percent.unwrap_or(default.breaker.percent),
            at_least: at_least.unwrap_or(default.breaker.at_least),
        })
    });
    fields.finish(d);
    Some(ConfigLimits {
        max_concurrent: max_concurrent.unwrap_or(default.max_concurrent),
        mutations_per_hour: mutations.unwrap_or(default.mutations_per_hour),
        breaker: breaker.unwrap_or(default.breaker),
    })
}

fn pause(at: &At<'_>, d: &mut Decoder<'_>) -> Option<String> {
    let mut fields = d.fields(at)?;
    let name = fields.need("ssm", names::PAUSE_PARAMETER.expected, d);
    let name = name.and_then(|at| d.name(&at, &names::PAUSE_PARAMETER));
    fields.finish(d);
    name.map(str::to_owned)
}

fn channels(at: &At<'_>, folder: &Path, d: &mut Decoder<'_>) -> Option<BTreeMap<ChannelName, Channel>> {
    let fields = d.fields(at)?;
    let count = fields.names().count();
    if count > MAX_CHANNELS {
        let problem = d.problem(fields.span, format!("`notify` has {count} channels"));
        return d.refuse(problem.expected(format!("at most {MAX_CHANNELS}")));
    }
    let mut channels = BTreeMap::new();
    for (name, span, at) in fields.names() {
        if !(names::CHANNEL.accepts)(name) {
            let problem = d.problem(span, format!("{} is not a channel's name", d.quote(name)));
            d.push(problem.expected(names::CHANNEL.expected));
        }
        if let Some(channel) = channel(&at, folder, d) {
            channels.insert(ChannelName::from(name), channel);
        }
    }
    Some(channels)
}

fn channel(at: &At<'_>, folder: &Path, d: &mut Decoder<'_>) -> Option<Channel> {
    const KINDS: [&str; 4] = ["slack", "webhook", "sns", "pagerduty"];
    let mut fields = d.fields(at)?;
    let kinds: Vec<(&str, At<'_>)> = KINDS
        .iter()
        .filter_map(|kind| Some((*kind, fields.get(kind)?)))
        .collect();
    let span = fields.span;
    fields.finish(d);
    let [(kind, at)] = kinds.as_slice() else {
        let problem = d.problem(span, format!("`{}` is not one kind of channel", at.path));
        return d.refuse(problem.expected(format!("exactly one of {}", one_of(KINDS))));
    };
    let mut fields = d.fields(at)?;
    let channel = match *kind {
        "slack" => {
            let at = fields.need("webhook", EXPECTED_SECRET, d);
            at.and_then(|at| secret(&at, folder, d))
                .map(|webhook| Channel::Slack { webhook })
        }
        "webhook" => {
            let at = fields.need("url", EXPECTED_SECRET, d);
            at.and_then(|at| secret(&at, folder, d))
                .map(|url| Channel::Webhook { url })
        }
        "pagerduty" => {
            let at = fields.need("routing_key", EXPECTED_SECRET, d);
            at.and_then(|at| secret(&at, folder, d))
                .map(|routing_key| Channel::PagerDuty { routing_key })
        }
        _ => {
            let at = fields.need("topic", names::TOPIC.expected, d);
            at.and_then(|at| d.name(&at, &names::TOPIC))
                .map(|topic| Channel::Sns {
                    topic: topic.to_owned(),
                })
        }
    };
    fields.finish(d);
    channel
}

const EXPECTED_SECRET: &str = "env:NAME or file:PATH";

/// Says nothing of what stands there, which may be the secret itself.
fn secret(at: &At<'_>, folder: &Path, d: &mut Decoder<'_>) -> Option<SecretRef> {
    // Not through the decoder's `text`, whose messages quote the value.
    let text = match &at.node.value {
        Value::Scalar { text, .. } if !tree::is_nothing(at.node) => text,
        _ => return d.wrong_kind(at, EXPECTED_SECRET),
    };
    if let Some(name) = text.strip_prefix("env:") {
        if names::is_variable(name) {
            return Some(SecretRef::Env(name.to_owned()));
        }
        d.problems.hide(at.node.span, name);
        let problem = d.problem(
            at.node.span,
            format!("`{}` does not name an environment variable", at.path),
        );
        return d.refuse(
            problem.expected("env: and a name out of A-Z, a-z, 0-9 and _, such as env:SLACK_WEBHOOK"),
        );
    }
    match text.strip_prefix("file:") {
        Some(path) if !path.is_empty() && !path.contains('\0') && !path.starts_with("//") => {
            return Some(SecretRef::File(join(folder, path)));
        }
        Some(_) => {
            let problem = d.problem(at.node.span, format!("`{}` does not name a file", at.path));
            return d.refuse(problem.expected("file: and a path, such as file:/run/secrets/slack"));
        }
        None => {}
    }
    d.problems.hide(at.node.span, text);
    let message = "is written out: a secret in a config file is copied, mailed and committed with it";
    let problem = d.problem(at.node.span, format!("`{}` {message}", at.path));
    let suggestion = "move the value to an environment variable or a file that only keepgreen can read; \
                      if this text was ever shared, replace the secret";
    d.refuse(problem.expected(EXPECTED_SECRET).suggest(suggestion))
}

fn heartbeat(at: &At<'_>, folder: &Path, d: &mut Decoder<'_>) -> Option<Heartbeat> {
    let mut fields = d.fields(at)?;
    let url = fields
        .need("url", EXPECTED_SECRET, d)
        .and_then(|at| secret(&at, folder, d));
    let every = fields
        .get("every")
        .and_then(|at| d.duration(&at, ONE_SECOND..=ONE_DAY));
    fields.finish(d);
    Some(Heartbeat {
        url: url?,
        every: every.unwrap_or(defaults::HEARTBEAT_EVERY),
    })
}

#[cfg(test)]
mod tests;
