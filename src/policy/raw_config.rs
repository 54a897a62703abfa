//! The config file as it is written: the source of its JSON Schema, as [`super::raw`] is for policies.

use super::defaults::config as defaults;
use super::names::{self, Rule};
use super::raw::{Span, text_types};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

text_types! {
    ChannelKey = names::CHANNEL;
    ParameterPath = names::PAUSE_PARAMETER;
    TableName = names::TABLE;
    TopicArn = names::TOPIC;
    QueueUrl = names::QUEUE;
    Reference = Rule {
        what: "",
        expected: "",
        pattern: "^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$",
        example: "env:SLACK_WEBHOOK",
        accepts: |_| true,
    };
}

/// How the controller itself is run.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "keepgreen config")]
pub(super) struct Config {
    /// The folder of the policy files; read again when a file changes or on SIGHUP. Relative to this file's folder.
    #[schemars(length(min = 1))]
    pub policies: String,
    /// The folder of the journal, pause files and incident records. Relative to this file's folder.
    #[schemars(length(min = 1))]
    pub state: String,
    /// Where the journal is kept.
    pub store: Store,
    /// How often each service is read completely, 1s to 1d; events wake it in between.
    pub interval: Span,
    /// URLs of SQS queues that EventBridge feeds.
    #[schemars(length(max = 32), extend("uniqueItems" = true))]
    pub events: Vec<QueueUrl>,
    /// Address of the status page, metrics and health, or "none".
    #[schemars(extend("examples" = ["127.0.0.1:9180", "none"]))]
    pub listen: String,
    /// Bounds over all services.
    pub limits: Limits,
    /// Another place to look for a pause. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause: Option<PauseSource>,
    /// Notification channels by name; policies refer to them. Without one nothing can be announced.
    #[schemars(extend("maxProperties" = 64))]
    pub notify: BTreeMap<ChannelKey, Channel>,
    /// A dead-man's switch that is called while the controller is well. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Heartbeat>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            policies: defaults::POLICIES.to_owned(),
            state: defaults::STATE.to_owned(),
            store: Store::Sqlite,
            interval: Span::of(defaults::INTERVAL),
            events: Vec::new(),
            listen: defaults::LISTEN.to_owned(),
            limits: Limits::default(),
            pause: None,
            notify: BTreeMap::new(),
            heartbeat: None,
        }
    }
}

/// Where the journal is kept.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Store {
    /// In the state folder, for one controller.
    Sqlite,
    /// In a DynamoDB table, for several replicas.
    #[serde(rename = "dynamodb")]
    DynamoDb(Table),
}

/// A DynamoDB table.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    /// The table's name.
    pub table: TableName,
}

/// Bounds over all services.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Limits {
    /// Disruptive or launching repairs at once, over all services.
    #[schemars(range(min = 1, max = 100))]
    pub max_concurrent: u32,
    /// Mutating requests an hour, for each account.
    #[schemars(range(min = 1, max = 10000))]
    pub mutations_per_hour: u32,
    /// When so many instances of an account ail, the cause is elsewhere: nothing disruptive is done.
    pub breaker: Breaker,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_concurrent: defaults::MAX_CONCURRENT,
            mutations_per_hour: defaults::MUTATIONS_PER_HOUR,
            breaker: Breaker::default(),
        }
    }
}

/// Both must be exceeded.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Breaker {
    /// More than this part of an account's managed instances ails.
    #[schemars(range(min = 1, max = 100))]
    pub percent: u32,
    /// At least so many of them ail.
    #[schemars(range(min = 1, max = 10000))]
    pub at_least: u32,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            percent: defaults::BREAKER_PERCENT,
            at_least: defaults::BREAKER_AT_LEAST,
        }
    }
}

/// Another place to look for a pause.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PauseSource {
    /// A parameter in the controller's own account and region: this one pauses everything, NAME/SERVICE one service.
    pub ssm: ParameterPath,
}

/// A notification channel.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Channel {
    /// A Slack incoming webhook.
    Slack(Slack),
    /// A plain webhook that takes JSON.
    Webhook(Webhook),
    /// An SNS topic.
    Sns(Sns),
    /// A PagerDuty service.
    PagerDuty(PagerDuty),
}

/// A Slack incoming webhook.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Slack {
    /// Where its URL is kept: env:NAME or file:PATH.
    pub webhook: Reference,
}

/// A plain webhook that takes JSON.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Webhook {
    /// Where its URL is kept: env:NAME or file:PATH.
    pub url: Reference,
}

/// An SNS topic.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Sns {
    /// The topic's ARN.
    pub topic: TopicArn,
}

/// A PagerDuty service.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PagerDuty {
    /// Where its routing key is kept: env:NAME or file:PATH.
    pub routing_key: Reference,
}

/// A dead-man's switch.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Heartbeat {
    /// Where the URL to call is kept: env:NAME or file:PATH.
    pub url: Reference,
    /// How often, 1s to 1d.
    #[serde(default = "heartbeat_every")]
    pub every: Span,
}

fn heartbeat_every() -> Span {
    Span::of(defaults::HEARTBEAT_EVERY)
}
