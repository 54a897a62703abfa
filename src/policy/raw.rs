//! The policy file as it is written: the source of the JSON Schema from which editors complete and explain.
//!
//! Each key's comment is what a person sees in the editor. Defaults come from the same constants as the decoder's. The
//! decoder ([`super::parse_policy`]) does not go through these types, since serde stops at the first error; tests hold
//! the two together: the same keys, the same words, the same defaults, the same examples accepted.

use super::defaults;
use super::duration::{self, format_duration};
use super::names::{self, Rule};
use super::types::{
    OldInstance, OnDeregistered, OnImpaired, OnOperatorStop, OnReplaceable, OnScheduledEvent, OnStopped,
    SlotState,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

/// A text that follows a rule: `name` of the type, the rule, and what it is.
macro_rules! text_types {
    ($($name:ident = $rule:expr;)+) => {
        $(#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub(in crate::policy) struct $name(pub String);

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let rule: Rule = $rule;
                json_schema!({ "type": "string", "pattern": rule.pattern, "examples": [rule.example] })
            }
        })+
    };
}
pub(super) use text_types;

text_types! {
    Service = names::SERVICE;
    SlotKey = names::SLOT;
    Channel = names::CHANNEL;
    Account = names::ACCOUNT;
    Region = names::REGION;
    RoleArn = names::ROLE;
    ExternalId = names::EXTERNAL_ID;
    Instance = names::INSTANCE;
    Image = names::IMAGE;
    Subnet = names::SUBNET;
    InstanceType = names::INSTANCE_TYPE;
    Group = names::TARGET_GROUP;
    AutoScalingGroup = names::ASG;
    Parameter = names::SSM;
    Owner = names::OWNER;
    ImageName = names::IMAGE_NAME;
    TemplateName = names::TEMPLATE;
    Span = Rule { what: "", expected: "", pattern: duration::PATTERN, example: "10m", accepts: |_| true };
    WindowText = Rule {
        what: "",
        expected: "",
        pattern: "^\\S+ [0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2} \\S+$",
        example: "Mon-Fri 02:00-05:00 Europe/London",
        accepts: |_| true,
    };
}

impl Span {
    pub(super) fn of(duration: Duration) -> Self {
        Self(format_duration(duration))
    }
}

/// What should be, for one service of keepgreen: its slots, and what to do when they ail.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "keepgreen policy")]
pub(super) struct Policy {
    /// The service's name, unique over all policy files.
    pub service: Service,
    /// What the service is, for people who are woken by it.
    #[schemars(length(min = 1, max = 500))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who answers for it; shown in alerts and incident records.
    #[schemars(length(min = 1, max = 500))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The AWS account, in quotes. Default: the account of the credentials. Checked on every pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    /// The AWS region. Default: the SDK's usual chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// A role that is assumed for this service. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleArn>,
    /// The external id that the role asks for; only with `role`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<ExternalId>,
    /// Stops every mutation of this service; it is still watched and reported.
    #[serde(default)]
    pub pause: Pause,
    /// The service's slots, such as blue and green.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 8))]
    pub slots: BTreeMap<SlotKey, Slot>,
    /// What is done about each ailment.
    #[serde(default)]
    pub heal: Heal,
    /// How long an ailment must last before it is acted upon.
    #[serde(default)]
    pub grace: Grace,
    /// How a replacement is made. Without it nothing is ever launched, it is only reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replace: Option<Replace>,
    /// Bounds on what keepgreen does by itself.
    #[serde(default)]
    pub limits: Limits,
    /// When disruptive work that can wait may be done.
    #[serde(default)]
    pub maintenance: Maintenance,
    /// Names of notification channels from the config file.
    #[serde(default)]
    #[schemars(length(max = 16), extend("uniqueItems" = true))]
    pub notify: Vec<Channel>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Pause {
    /// true: paused, without an end.
    Flag(bool),
    Until(PauseUntil),
}

impl Default for Pause {
    fn default() -> Self {
        Self::Flag(false)
    }
}

/// Paused until a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PauseUntil {
    /// When the pause ends, with an offset: 2026-12-01T00:00:00Z.
    #[schemars(extend("format" = "date-time", "examples" = ["2026-12-01T00:00:00Z"]))]
    pub until: String,
    /// Why; shown wherever the pause is.
    #[schemars(length(min = 1, max = 500))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who paused it.
    #[schemars(length(min = 1, max = 500))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// Which instances a slot consists of, and where they serve.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Slot {
    /// Which instances belong to the slot, in exactly one way.
    pub select: Select,
    /// How many instances the slot should have.
    #[serde(default = "count")]
    #[schemars(range(min = 1, max = 1000))]
    pub count: u32,
    /// Whether the slot serves or is idle. keepgreen itself never stops or deregisters anything to reach `stopped`.
    #[serde(default = "state")]
    pub state: SlotState,
    /// The target groups that the slot's instances serve in.
    #[serde(default)]
    #[schemars(length(max = 50))]
    pub target_groups: Vec<TargetGroup>,
}

fn count() -> u32 {
    defaults::COUNT
}

fn state() -> SlotState {
    defaults::STATE
}

/// Which instances are meant.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Select {
    /// All of these tags, with exactly these values. Not `aws:*` or `keepgreen:*`.
    Tags(#[schemars(extend("minProperties" = 1, "maxProperties" = 50))] BTreeMap<String, String>),
    /// Exactly these instances, as many as `count`; refused together with `replace`.
    InstanceIds(#[schemars(length(min = 1, max = 1000), extend("uniqueItems" = true))] Vec<Instance>),
    /// The members of this Auto Scaling group.
    AutoScalingGroup(AutoScalingGroup),
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum TargetGroup {
    /// A target group's name or ARN, with the group's own port.
    Name(Group),
    Detailed(DetailedGroup),
}

/// A target group with a port or a floor of its own.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DetailedGroup {
    /// The target group's name or ARN.
    pub name: Group,
    /// The port that the instances are registered with. Default: the group's.
    #[schemars(range(min = 1, max = 65535))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Overrides `limits.min_healthy` for this group, in every slot.
    #[schemars(range(min = 0, max = 1000))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_healthy: Option<u32>,
}

/// What is done about each ailment.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Heal {
    /// Stopped by AWS, by the guest, or for an unknown reason.
    pub stopped: OnStopped,
    /// Stopped by a person or their tools.
    pub stopped_by_operator: OnOperatorStop,
    /// Running, but not in its target group.
    pub deregistered: OnDeregistered,
    /// The system status check fails: AWS's side.
    pub impaired_system: OnImpaired,
    /// The instance status check fails: the guest's side.
    pub impaired_instance: OnImpaired,
    /// The load balancer says unhealthy while the status checks pass.
    pub unhealthy: OnImpaired,
    /// AWS scheduled maintenance or retirement of its host.
    pub scheduled_event: OnScheduledEvent,
    /// The image that it was launched from is gone: it could not be rebuilt.
    pub image_gone: OnReplaceable,
    /// Terminated, or fewer instances than `count`.
    pub missing: OnReplaceable,
    /// Force an instance that has been stopping for more than 10 minutes.
    pub force_stop: bool,
}

impl Default for Heal {
    fn default() -> Self {
        let default = defaults::HEAL;
        Self {
            stopped: default.stopped,
            stopped_by_operator: default.stopped_by_operator,
            deregistered: default.deregistered,
            impaired_system: default.impaired_system,
            impaired_instance: default.impaired_instance,
            unhealthy: default.unhealthy,
            scheduled_event: default.scheduled_event,
            image_gone: default.image_gone,
            missing: default.missing,
            force_stop: default.force_stop,
        }
    }
}

/// How long an ailment must last before it is acted upon: a whole number with s, m, h or d; may be 0s.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Grace {
    /// How long a started instance may take until it is healthy.
    pub boot: Span,
    /// How long a person's stop stands before the instance is started; at least 1h if nobody could be told.
    pub operator_stop: Span,
    /// How long an instance may be out of its target group.
    pub deregistered: Span,
    /// How long the system status check may fail.
    pub impaired_system: Span,
    /// How long the instance status check may fail.
    pub impaired_instance: Span,
    /// How long the load balancer may say unhealthy.
    pub unhealthy: Span,
    /// How long an image must be gone before its instance is replaced.
    pub image_gone: Span,
    /// How long an instance must be terminated before it is replaced.
    pub missing: Span,
    /// How long before a scheduled event to act when no window is left.
    pub lead: Span,
}

impl Default for Grace {
    fn default() -> Self {
        let default = defaults::GRACE;
        Self {
            boot: Span::of(default.boot),
            operator_stop: Span::of(default.operator_stop),
            deregistered: Span::of(default.deregistered),
            impaired_system: Span::of(default.impaired_system),
            impaired_instance: Span::of(default.impaired_instance),
            unhealthy: Span::of(default.unhealthy),
            image_gone: Span::of(default.image_gone),
            missing: Span::of(default.missing),
            lead: Span::of(default.lead),
        }
    }
}

/// How a replacement is made.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Replace {
    /// Where the image comes from: the first source that resolves to a launchable image wins.
    #[schemars(length(min = 1, max = 16))]
    pub image: Vec<ImageSource>,
    /// How the rest of the launch is found: from the old instance, or from a launch template.
    #[serde(default)]
    pub launch: Launch,
    /// Instance types, tried in order on a capacity error, after the original.
    #[serde(default)]
    #[schemars(length(max = 16), extend("uniqueItems" = true))]
    pub instance_types: Vec<InstanceType>,
    /// Subnets, tried in order on a capacity error, after the original.
    #[serde(default)]
    #[schemars(length(max = 16), extend("uniqueItems" = true))]
    pub subnets: Vec<Subnet>,
    /// What of the old instance moves to the new one.
    #[serde(default)]
    pub keep: Keep,
    /// What becomes of the old instance once it is drained.
    #[serde(default = "old_instance")]
    pub old_instance: OldInstance,
    /// How long a stopped old instance is kept; it is terminated only once an image of it is available.
    #[serde(default)]
    pub retain: Retain,
    /// Take images of the slots before they are needed. Default: none are taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rescue_image: Option<RescueImage>,
}

fn old_instance() -> OldInstance {
    defaults::OLD_INSTANCE
}

/// A source of an image.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ImageSource {
    /// The image id in this parameter of Parameter Store.
    Ssm(Parameter),
    /// The newest image of these owners with this name.
    Newest(Newest),
    /// This image.
    Id(Image),
    /// The newest image that keepgreen took of this slot.
    Rescue,
}

/// The newest image of these owners with this name.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Newest {
    /// Who may own the image.
    #[serde(default = "owners")]
    #[schemars(length(min = 1, max = 16), extend("uniqueItems" = true))]
    pub owners: Vec<Owner>,
    /// The image's name; `*` and `?` are wildcards.
    pub name: ImageName,
}

fn owners() -> Vec<Owner> {
    vec![Owner(defaults::IMAGE_OWNER.to_owned())]
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Launch {
    Clone(CloneWord),
    Template(Template),
}

impl Default for Launch {
    fn default() -> Self {
        Self::Clone(CloneWord::Clone)
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum CloneWord {
    /// As the old instance was: type, subnet, security groups, profile, user data, tags.
    Clone,
}

/// From a launch template.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Template {
    /// The launch template's name.
    pub template: TemplateName,
    /// Its version.
    #[serde(default)]
    pub version: TemplateVersion,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum TemplateVersion {
    /// $Default, $Latest or a number.
    Text(#[schemars(regex(pattern = names::TEMPLATE_VERSION.pattern))] String),
    /// A version number.
    Number(#[schemars(range(min = 1, max = 4294967295u32))] u32),
}

impl Default for TemplateVersion {
    fn default() -> Self {
        Self::Text(defaults::TEMPLATE_VERSION.to_owned())
    }
}

/// What of the old instance moves to the new one.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Keep {
    /// Its Elastic IP address.
    pub elastic_ip: bool,
    /// Its volumes other than the root volume.
    pub data_volumes: bool,
    /// Its primary network interface, and with it the private address.
    pub network_interface: bool,
}

impl Default for Keep {
    fn default() -> Self {
        let default = defaults::KEEP;
        Self {
            elastic_ip: default.elastic_ip,
            data_volumes: default.data_volumes,
            network_interface: default.network_interface,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Retain {
    Keep(KeepWord),
    /// Terminate it after this time.
    For(Span),
}

impl Default for Retain {
    fn default() -> Self {
        Self::Keep(KeepWord::Keep)
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum KeepWord {
    /// Keep it until a person removes it.
    Keep,
}

/// Images that are taken of each slot before they are needed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RescueImage {
    /// How often, 1h or more.
    pub every: Span,
    /// How many are kept of each slot.
    #[schemars(range(min = 1, max = 100))]
    pub keep: u32,
}

impl Default for RescueImage {
    fn default() -> Self {
        let default = defaults::RESCUE_IMAGE;
        Self {
            every: Span::of(default.every),
            keep: default.keep,
        }
    }
}

/// Bounds on what keepgreen does by itself.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Limits {
    /// Per target group: keepgreen's own acts never leave fewer healthy targets.
    #[schemars(range(min = 0, max = 1000))]
    pub min_healthy: u32,
    /// Disruptive or launching repairs at once in this service.
    #[schemars(range(min = 1, max = 100))]
    pub max_concurrent: u32,
    /// Failed repairs of one instance in one incident, before it is quarantined with one alert.
    #[schemars(range(min = 1, max = 100))]
    pub attempts: u32,
    /// Failed repairs of one instance in a day, over restarts of keepgreen; at least `attempts`.
    #[schemars(range(min = 1, max = 1000))]
    pub attempts_per_day: u32,
    /// Time between attempts on one instance, doubling, capped at 1h, with jitter; 1s to 1h.
    pub cooldown: Span,
}

impl Default for Limits {
    fn default() -> Self {
        let default = defaults::LIMITS;
        Self {
            min_healthy: default.min_healthy,
            max_concurrent: default.max_concurrent,
            attempts: default.attempts,
            attempts_per_day: default.attempts_per_day,
            cooldown: Span::of(default.cooldown),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Maintenance {
    Always(AlwaysWord),
    /// Windows: DAYS HH:MM-HH:MM ZONE.
    Windows(#[schemars(length(min = 1, max = 32))] Vec<WindowText>),
}

impl Default for Maintenance {
    fn default() -> Self {
        Self::Always(AlwaysWord::Always)
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum AlwaysWord {
    /// At any time.
    Always,
}
