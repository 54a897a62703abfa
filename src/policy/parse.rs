//! One policy's text → a validated [`Policy`], or everything that is wrong with it.

use super::decode::{At, Choice, Decoder, Fields};
use super::defaults;
use super::duration::MAX_DURATION;
use super::names::{self, Rule};
use super::problem::{Masking, Problem, Problems, Source, Span, nearest};
use super::tree::{self, Node, Value};
use super::types::*;
use super::window::{self, Window};
use super::{replace, slots};
use crate::model::{AccountId, ChannelName, PolicyVersion, Region, ServiceName, SlotName};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Windows in one policy: each is searched on every pass.
const MAX_WINDOWS: usize = 32;
/// Channels that one service tells.
const MAX_CHANNELS: usize = 16;
/// Characters of a free text: it is sent in alerts.
const MAX_TEXT_CHARS: usize = 500;
/// The doubling of the cooldown ends here, so a longer first one contradicts itself.
const MAX_COOLDOWN: Duration = Duration::from_secs(3_600);

/// The channels that a policy may name.
#[derive(Clone, Copy, Debug)]
pub enum Channels<'c> {
    /// Those that the config file defines.
    Known(&'c BTreeSet<ChannelName>),
    /// Any: for a last good text. A channel that was removed from the config must not take a service out of force.
    Unchecked,
}

/// What one file says.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The policy; `None` if there is any problem.
    pub policy: Option<Policy>,
    pub problems: Vec<Problem>,
    /// The service that the file names, as far as it could be read.
    pub service: Option<ServiceName>,
    /// The pause that the file asks for, also if the rest of it is refused: a flag that cannot be read is a set flag.
    pub pause: PolicyPause,
    pub(super) places: Places,
}

impl Parsed {
    /// A file whose text could not be had. What it asks for is unknown, so it asks for nothing.
    pub(super) fn unreadable(problem: Problem) -> Self {
        Self {
            policy: None,
            problems: vec![problem],
            service: None,
            pause: PolicyPause::Off,
            places: Places::default(),
        }
    }
}

/// Where the parts of a policy stand that other files can contradict.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    pub service: Option<Span>,
    pub selectors: BTreeMap<SlotName, Span>,
}

/// Reads one policy.
pub fn parse_policy(file: &str, text: &str, channels: Channels<'_>) -> Parsed {
    let source = Source {
        file,
        text,
        masking: Masking::Addresses,
    };
    let mut problems = Problems::new(source);
    let Some(root) = tree::read(&mut problems) else {
        let pause = if pause_is_mentioned(text) {
            PolicyPause::On
        } else {
            PolicyPause::Off
        };
        let problems = problems.finish();
        return Parsed {
            policy: None,
            problems,
            service: None,
            pause,
            places: Places::default(),
        };
    };
    let mut decoder = Decoder::new(problems, super::schema::homes_in_policy);
    let mut places = Places::default();
    let at = At {
        node: &root,
        path: String::new(),
    };
    let policy = policy(&at, channels, &mut places, &mut decoder);
    let problems = decoder.problems.finish();
    Parsed {
        policy: policy.filter(|_| problems.is_empty()),
        service: service_named(&root),
        pause: pause_asked_for(&root, source),
        problems,
        places,
    }
}

/// The digest of a policy's text: the same text, the same rules.
pub fn version_of(text: &str) -> PolicyVersion {
    let digest = Sha256::digest(text.as_bytes());
    // 64 bits tell apart all texts that a person will ever write, and fit a log line.
    PolicyVersion::new(
        digest
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>(),
    )
}

fn policy(at: &At<'_>, channels: Channels<'_>, places: &mut Places, d: &mut Decoder<'_>) -> Option<Policy> {
    let mut fields = d.fields(at)?;
    let service = fields.need("service", names::SERVICE.expected, d);
    places.service = service.as_ref().map(|at| at.node.span);
    let service = service.and_then(|at| d.name(&at, &names::SERVICE).map(ServiceName::from));
    let description = fields.get("description").and_then(|at| free_text(&at, d));
    let owner = fields.get("owner").and_then(|at| free_text(&at, d));
    let scope = scope(&mut fields, d);
    let pause = fields
        .get("pause")
        .and_then(|at| pause(&at, d))
        .unwrap_or(PolicyPause::Off);
    let replace_at = fields.get("replace");
    let replace = replace_at.as_ref().and_then(|at| replace::replace(at, d));
    let slots_at = fields.need("slots", "1 to 8 slots, such as blue and green", d);
    let slots = slots_at.and_then(|at| {
        slots::slots(
            &at,
            &slots::Context {
                scope: &scope,
                replaces: replace_at.is_some(),
            },
            places,
            d,
        )
    });
    let heal = fields
        .get("heal")
        .and_then(|at| heal(&at, d))
        .unwrap_or(defaults::HEAL);
    let grace = fields
        .get("grace")
        .and_then(|at| grace(&at, d))
        .unwrap_or(defaults::GRACE);
    let limits = fields
        .get("limits")
        .and_then(|at| limits(&at, d))
        .unwrap_or(defaults::LIMITS);
    let maintenance = fields
        .get("maintenance")
        .and_then(|at| maintenance(&at, d))
        .unwrap_or(Maintenance::Always);
    let notify = fields
        .get("notify")
        .and_then(|at| notify(&at, channels, d))
        .unwrap_or_default();
    fields.finish(d);
    let source = d.problems.source;
    Some(Policy {
        service: service?,
        description,
        owner,
        account: scope.account,
        region: scope.region,
        role: scope.role,
        pause,
        slots: slots?,
        heal,
        grace,
        replace,
        limits,
        maintenance,
        notify,
        version: version_of(source.text),
        file: source.file.to_owned(),
    })
}

/// Where a service lives.
pub(super) struct Scope {
    pub account: Option<AccountId>,
    pub region: Option<Region>,
    pub role: Option<Role>,
}

fn scope(fields: &mut Fields<'_>, d: &mut Decoder<'_>) -> Scope {
    let account_at = fields.get("account");
    let account = account_at.as_ref().and_then(|at| account(at, d));
    let region = fields.get("region").and_then(|at| region(&at, d));
    let role_at = fields.get("role");
    let arn = role_at.as_ref().and_then(|at| d.name(at, &names::ROLE));
    if let (Some(arn), Some(account), Some(at)) = (arn, &account, &role_at)
        && let Some(of_role) = names::role_account(arn)
        && of_role != account.as_str()
    {
        let message = format!("the role belongs to account {of_role}, but `account` is {account}");
        let problem = d.problem(at.node.span, message);
        d.push(problem.expected("a role in the policy's own account: its credentials act only there"));
    }
    let external_id_at = fields.get("external_id");
    let external_id = external_id_at
        .as_ref()
        .and_then(|at| d.name(at, &names::EXTERNAL_ID));
    if role_at.is_none()
        && let Some(at) = external_id_at
    {
        let problem = d.problem(at.node.span, "`external_id` is given without a `role`");
        d.push(problem.expected("a `role` to assume with it, or no `external_id`"));
    }
    let role = arn.map(|arn| Role {
        arn: arn.to_owned(),
        external_id: external_id.map(str::to_owned),
    });
    Scope {
        account,
        region,
        role,
    }
}

fn account(at: &At<'_>, d: &mut Decoder<'_>) -> Option<AccountId> {
    if let Value::Scalar { text, plain: true } = &at.node.value
        && (names::ACCOUNT.accepts)(text)
    {
        let problem = d
            .problem(
                at.node.span,
                "the account id is written as a number, which loses its leading zeros",
            )
            .expected(names::ACCOUNT.expected)
            .suggest(format!("quote it: \"{text}\""));
        return d.refuse(problem);
    }
    d.name(at, &names::ACCOUNT).map(AccountId::from)
}

fn region(at: &At<'_>, d: &mut Decoder<'_>) -> Option<Region> {
    let text = d.text(at, names::REGION.expected)?;
    if (names::REGION.accepts)(text) {
        return Some(Region::from(text));
    }
    let zone_of = text
        .strip_suffix(|c: char| c.is_ascii_lowercase())
        .filter(|text| (names::REGION.accepts)(text));
    let problem = d
        .problem(at.node.span, format!("{} is not a region", d.quote(text)))
        .expected(names::REGION.expected)
        .maybe_suggest(zone_of.map(|region| format!("that is an availability zone; its region is {region}")));
    d.refuse(problem)
}

fn free_text(at: &At<'_>, d: &mut Decoder<'_>) -> Option<String> {
    let expected = "one text of at most 500 characters";
    let text = d.text(at, expected)?.trim();
    let fits = !text.is_empty() && text.chars().count() <= MAX_TEXT_CHARS;
    if fits && !text.chars().any(|c| c.is_control() && c != '\n') {
        return Some(text.to_owned());
    }
    let problem = d.problem(
        at.node.span,
        format!("`{}` is empty, too long or has control characters", at.path),
    );
    d.refuse(problem.expected(expected))
}

fn pause(at: &At<'_>, d: &mut Decoder<'_>) -> Option<PolicyPause> {
    if !matches!(at.node.value, Value::Map(_)) {
        return d
            .boolean(at)
            .map(|on| if on { PolicyPause::On } else { PolicyPause::Off });
    }
    let mut fields = d.fields(at)?;
    const EXPECTED: &str = "a time with its offset, such as 2026-12-01T00:00:00Z";
    let until_at = fields.get("until");
    if until_at.is_none() {
        let problem = d
            .problem(fields.span, "the key `until` is missing in `pause`")
            .expected(format!("until: {EXPECTED}"))
            .suggest("write `pause: true` for a pause without an end");
        d.push(problem);
    }
    let until = until_at.and_then(|at| {
        let text = d.text(&at, EXPECTED)?;
        if let Ok(until) = text.parse::<Timestamp>() {
            return Some(until);
        }
        let midnight = text
            .parse::<jiff::civil::Date>()
            .ok()
            .map(|day| format!("write {day}T00:00:00Z"));
        let problem = d
            .problem(at.node.span, format!("{} is not a moment in time", d.quote(text)))
            .expected(EXPECTED)
            .maybe_suggest(midnight);
        d.refuse(problem)
    });
    let reason = fields.get("reason").and_then(|at| free_text(&at, d));
    let by = fields.get("by").and_then(|at| free_text(&at, d));
    fields.finish(d);
    until.map(|until| PolicyPause::Until { until, reason, by })
}

fn heal(at: &At<'_>, d: &mut Decoder<'_>) -> Option<Heal> {
    let mut fields = d.fields(at)?;
    let default = defaults::HEAL;
    let heal = Heal {
        stopped: word(&mut fields, "stopped", default.stopped, d),
        stopped_by_operator: word(&mut fields, "stopped_by_operator", default.stopped_by_operator, d),
        deregistered: word(&mut fields, "deregistered", default.deregistered, d),
        impaired_system: word(&mut fields, "impaired_system", default.impaired_system, d),
        impaired_instance: word(&mut fields, "impaired_instance", default.impaired_instance, d),
        unhealthy: word(&mut fields, "unhealthy", default.unhealthy, d),
        scheduled_event: word(&mut fields, "scheduled_event", default.scheduled_event, d),
        image_gone: word(&mut fields, "image_gone", default.image_gone, d),
        missing: word(&mut fields, "missing", default.missing, d),
        force_stop: fields
            .get("force_stop")
            .and_then(|at| d.boolean(&at))
            .unwrap_or(default.force_stop),
    };
    fields.finish(d);
    Some(heal)
}

fn word<T: Choice>(fields: &mut Fields<'_>, key: &'static str, default: T, d: &mut Decoder<'_>) -> T {
    fields.get(key).and_then(|at| d.choice(&at)).unwrap_or(default)
}

fn grace(at: &At<'_>, d: &mut Decoder<'_>) -> Option<Grace> {
    let mut fields = d.fields(at)?;
    let default = defaults::GRACE;
    let mut time = |key, default| {
        fields
            .get(key)
            .and_then(|at| d.duration(&at, Duration::ZERO..=MAX_DURATION))
            .unwrap_or(default)
    };
    let grace = Grace {
        boot: time("boot", default.boot),
        operator_stop: time("operator_stop", default.operator_stop),
        deregistered: time("deregistered", default.deregistered),
        impaired_system: time("impaired_system", default.impaired_system),
        impaired_instance: time("impaired_instance", default.impaired_instance),
        unhealthy: time("unhealthy", default.unhealthy),
        image_gone: time("image_gone", default.image_gone),
        missing: time("missing", default.missing),
        lead: time("lead", default.lead),
    };
    fields.finish(d);
    Some(grace)
}

/// The largest floor: more healthy targets than a slot can have cannot be meant.
pub(super) const MAX_MIN_HEALTHY: u32 = 1_000;

fn limits(at: &At<'_>, d: &mut Decoder<'_>) -> Option<Limits> {
    let mut fields = d.fields(at)?;
    let default = defaults::LIMITS;
    let problems_before = d.problems.len();
    let mut number = |key, bounds, why, default| {
        fields
            .get(key)
            .and_then(|at| d.integer(&at, bounds, why))
            .unwrap_or(default)
    };
    let never = "with 0 nothing would ever be repaired; pause the service if that is meant";
    let limits = Limits {
        min_healthy: number(
            "min_healthy",
            0..=MAX_MIN_HEALTHY,
            "no group has so many targets",
            default.min_healthy,
        ),
        max_concurrent: number("max_concurrent", 1..=100, never, default.max_concurrent),
        attempts: number("attempts", 1..=100, never, default.attempts),
        attempts_per_day: number("attempts_per_day", 1..=1_000, never, default.attempts_per_day),
        cooldown: fields
            .get("cooldown")
            .and_then(|at| d.duration(&at, Duration::from_secs(1)..=MAX_COOLDOWN))
            .unwrap_or(default.cooldown),
    };
    // Only when all could be read: a contradiction between a default and a slip is noise.
    if limits.attempts_per_day < limits.attempts && d.problems.len() == problems_before {
        let (day, incident) = (limits.attempts_per_day, limits.attempts);
        let key = if fields.key_span("attempts_per_day").is_some() {
            "attempts_per_day"
        } else {
            "attempts"
        };
        let by_default = |key: &str| {
            if fields.key_span(key).is_some() {
                ""
            } else {
                " by default"
            }
        };
        let message = format!(
            "`attempts` is {incident}{} and can never be reached with `attempts_per_day` {day}{}",
            by_default("attempts"),
            by_default("attempts_per_day")
        );
        let span = fields.key_span(key).unwrap_or(fields.span);
        let problem = d
            .problem(span, message)
            .expected("attempts_per_day of at least attempts");
        d.push(problem);
    }
    fields.finish(d);
    Some(limits)
}

fn maintenance(at: &At<'_>, d: &mut Decoder<'_>) -> Option<Maintenance> {
    const EXPECTED: &str = "always, or a list of windows such as [\"Mon-Fri 02:00-05:00 Europe/London\"]";
    if let Value::Scalar { text, .. } = &at.node.value
        && !tree::is_nothing(at.node)
    {
        if text == "always" {
            return Some(Maintenance::Always);
        }
        let suggestion = match Window::parse(text) {
            Ok(_) => Some(format!("make it a list: [\"{text}\"]")),
            Err(_) => nearest(text, ["always"]).map(super::decode::did_you_mean),
        };
        let message = format!("`maintenance` cannot be {}", d.quote(text));
        let problem = d
            .problem(at.node.span, message)
            .expected(EXPECTED)
            .maybe_suggest(suggestion);
        return d.refuse(problem);
    }
    let items = d.list(at, MAX_WINDOWS, EXPECTED)?;
    if items.is_empty() {
        let problem = d.problem(
            at.node.span,
            "`maintenance` has no window, so what waits for one would wait for ever",
        );
        return d.refuse(problem.expected(EXPECTED));
    }
    let mut windows = Vec::new();
    for item in items {
        let Some(text) = d.text(&item, window::EXPECTED) else {
            continue;
        };
        match Window::parse(text) {
            Ok(window) => windows.push(window),
            Err(error) => {
                let message = d.problems.source.shown(&error.message);
                let problem = d.problem(item.node.span, message).expected(window::EXPECTED);
                d.push(problem.maybe_suggest(error.suggestion));
            }
        }
    }
    Some(Maintenance::Windows(windows))
}

fn notify(at: &At<'_>, channels: Channels<'_>, d: &mut Decoder<'_>) -> Option<Vec<ChannelName>> {
    let mut names: Vec<ChannelName> = Vec::new();
    for item in d.list(at, MAX_CHANNELS, "a list of channel names from the config file")? {
        let Some(name) = d.name(&item, &names::CHANNEL) else {
            continue;
        };
        if names.iter().any(|known| known.as_str() == name) {
            let problem = d.problem(item.node.span, format!("the channel `{name}` is named twice"));
            d.push(problem.expected("each channel once"));
            continue;
        }
        if let Channels::Known(known) = channels
            && !known.contains(&ChannelName::from(name))
        {
            let words = || known.iter().map(ChannelName::as_str);
            let expected = match known.is_empty() {
                true => "a channel that the config file defines under `notify`; it defines none".to_owned(),
                false => format!(
                    "{}, as the config file defines them",
                    super::decode::one_of(words())
                ),
            };
            let suggestion = nearest(name, words()).map(super::decode::did_you_mean);
            let problem = d.problem(
                item.node.span,
                format!("the config file defines no channel `{name}`"),
            );
            d.push(problem.expected(expected).maybe_suggest(suggestion));
        }
        names.push(ChannelName::from(name));
    }
    Some(names)
}

/// A list of names, each once.
pub(super) fn distinct_names<'n>(
    at: &At<'n>,
    rule: &Rule,
    max: usize,
    d: &mut Decoder<'_>,
) -> Option<Vec<&'n str>> {
    let mut names: Vec<&str> = Vec::new();
    for item in d.list(at, max, &format!("a list; each item: {}", rule.expected))? {
        let Some(name) = d.name(&item, rule) else { continue };
        if names.contains(&name) {
            let problem = d.problem(item.node.span, format!("{} is listed twice", d.quote(name)));
            d.push(problem.expected("each once"));
        } else {
            names.push(name);
        }
    }
    Some(names)
}

fn top_level<'n>(root: &'n Node, key: &str) -> Option<&'n Node> {
    let Value::Map(entries) = &root.value else {
        return None;
    };
    entries
        .iter()
        .find(|entry| entry.key == key)
        .map(|entry| &entry.value)
}

fn service_named(root: &Node) -> Option<ServiceName> {
    let Value::Scalar { text, .. } = &top_level(root, "service")?.value else {
        return None;
    };
    (names::SERVICE.accepts)(text).then(|| ServiceName::from(text.as_str()))
}

/// The pause that a file asks for whatever else is wrong with it.
fn pause_asked_for(root: &Node, source: Source<'_>) -> PolicyPause {
    let Some(node) = top_level(root, "pause") else {
        return PolicyPause::Off;
    };
    let mut decoder = Decoder::new(Problems::new(source), super::decode::Homes::new);
    let read = pause(
        &At {
            node,
            path: "pause".to_owned(),
        },
        &mut decoder,
    );
    match read {
        Some(pause) if decoder.problems.len() == 0 => pause,
        _ => PolicyPause::On,
    }
}

/// Whether a text that is not valid YAML seems to ask for a pause: a person who pauses in a hurry and slips must not
/// be ignored. Errs on the side of the pause.
fn pause_is_mentioned(text: &str) -> bool {
    text.lines().any(|line| {
        let code = line.split('#').next().unwrap_or("");
        code.match_indices("pause").any(|(at, word)| {
            let before = code.get(..at).unwrap_or("").trim_end_matches(['"', '\'']);
            let after = code
                .get(at + word.len()..)
                .unwrap_or("")
                .trim_start_matches(['"', '\'', ' ', '\t']);
            let starts_key = before.trim_end().is_empty() || before.trim_end().ends_with(['{', ',']);
            let value = after.strip_prefix(':').map(str::trim_start);
            starts_key && value.is_some_and(|value| !value.to_ascii_lowercase().starts_with("false"))
        })
    })
}

macro_rules! words {
    ($($type:ident { $($word:literal => $variant:ident),+ $(,)? })+) => {
        $(impl Choice for $type {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, Self::$variant)),+];
        })+
    };
}

words! {
    SlotState { "running" => Running, "stopped" => Stopped }
    OnStopped { "start" => Start, "alert" => Alert }
    OnOperatorStop { "start" => Start, "respect" => Respect, "alert" => Alert }
    OnDeregistered { "register" => Register, "alert" => Alert }
    OnImpaired { "reboot" => Reboot, "relocate" => Relocate, "replace" => Replace, "alert" => Alert }
    OnScheduledEvent { "relocate" => Relocate, "alert" => Alert }
    OnReplaceable { "replace" => Replace, "alert" => Alert }
    OldInstance { "stop" => Stop, "terminate" => Terminate }
}

#[cfg(test)]
mod tests;
