//! The slots of a policy: which instances they are, how many, and in which target groups they serve.
//!
//! A target group's floor belongs to the group, so numbers that two slots of a service give it must agree; a slot
//! that gives none has what another one says.

use super::decode::{At, Decoder, Fields};
use super::defaults;
use super::names;
use super::overlap::{self, Overlap};
use super::parse::{MAX_MIN_HEALTHY, Places, Scope, distinct_names};
use super::problem::Span;
use super::tree::Value;
use super::types::{Selector, Slot, SlotState, SlotTargetGroup};
use crate::model::{InstanceId, SlotName, tags};
use std::collections::BTreeMap;

/// Slots of a service; blue and green are two.
const MAX_SLOTS: usize = 8;
/// Instances of a slot, wanted or named.
const MAX_COUNT: u32 = 1_000;
/// Target groups of a slot. AWS allows an instance 1,000 targets; each group costs a request on every look.
const MAX_TARGET_GROUPS: usize = 50;
/// AWS allows 50 tags on an instance.
const MAX_TAGS: usize = 50;

/// What else of the policy bears on its slots.
pub(super) struct Context<'c> {
    pub scope: &'c Scope,
    /// The policy has a `replace` section.
    pub replaces: bool,
}

pub(super) fn slots(
    at: &At<'_>,
    context: &Context<'_>,
    places: &mut Places,
    d: &mut Decoder<'_>,
) -> Option<BTreeMap<SlotName, Slot>> {
    let fields = d.fields(at)?;
    let count = fields.names().count();
    if count == 0 || count > MAX_SLOTS {
        let problem = d.problem(fields.span, format!("`slots` has {count} slots"));
        return d.refuse(problem.expected(format!("1 to {MAX_SLOTS} slots")));
    }
    let mut slots = BTreeMap::new();
    let mut floors = Floors::default();
    for (name, span, at) in fields.names() {
        let name_fits = (names::SLOT.accepts)(name);
        if !name_fits {
            let problem = d.problem(span, format!("{} is not a slot's name", d.quote(name)));
            d.push(problem.expected(names::SLOT.expected));
        }
        let name = SlotName::from(name);
        if let Some((slot, select)) = slot(&at, context, &mut floors, d)
            && name_fits
        {
            places.selectors.insert(name.clone(), select);
            slots.insert(name, slot);
        }
    }
    report_overlaps(&slots, places, d);
    Some(slots)
}

fn slot(
    at: &At<'_>,
    context: &Context<'_>,
    floors: &mut Floors,
    d: &mut Decoder<'_>,
) -> Option<(Slot, Span)> {
    let mut fields = d.fields(at)?;
    let select_at = fields.need(
        "select",
        "{ tags: … }, { instance_ids: … } or { auto_scaling_group: … }",
        d,
    );
    let select = select_at.as_ref().and_then(|at| selector(at, context, d));
    let why = "a slot has at least one instance; write `state: stopped` for an idle slot";
    let count_at = fields.get("count");
    let count = count_at
        .as_ref()
        .map_or(Some(defaults::COUNT), |at| d.integer(at, 1..=MAX_COUNT, why));
    if let (Some(Selector::InstanceIds(ids)), Some(count)) = (&select, count)
        && ids.len() != count as usize
    {
        let span = count_at
            .as_ref()
            .or(select_at.as_ref())
            .map_or(fields.span, |at| at.node.span);
        let by_default = if count_at.is_none() { " by default" } else { "" };
        let message = format!(
            "`{}` names {} instances, but `count` is {count}{by_default}",
            at.path,
            ids.len()
        );
        let problem = d.problem(span, message).expected("as many instance ids as count");
        d.push(problem.suggest(format!("write `count: {}`", ids.len())));
    }
    let state = fields
        .get("state")
        .map_or(Some(defaults::STATE), |at| d.choice::<SlotState>(&at));
    let groups = fields
        .get("target_groups")
        .map_or(Some(Vec::new()), |at| target_groups(&at, context, floors, d));
    fields.finish(d);
    let slot = Slot {
        select: select?,
        count: count?,
        state: state?,
        target_groups: groups?,
    };
    Some((slot, select_at?.node.span))
}

fn selector(at: &At<'_>, context: &Context<'_>, d: &mut Decoder<'_>) -> Option<Selector> {
    const EXPECTED: &str = "exactly one of tags, instance_ids or auto_scaling_group";
    let mut fields = d.fields(at)?;
    let tags_at = fields.get("tags");
    let ids_at = fields.get("instance_ids");
    let group_at = fields.get("auto_scaling_group");
    let span = fields.span;
    fields.finish(d);
    match (tags_at, ids_at, group_at) {
        (Some(at), None, None) => tags(&at, d).map(Selector::Tags),
        (None, Some(at), None) => instance_ids(&at, context, d),
        (None, None, Some(at)) => d
            .name(&at, &names::ASG)
            .map(|name| Selector::AutoScalingGroup(name.to_owned())),
        (None, None, None) => {
            let message = format!(
                "`{}` is empty: it says nothing about which instances are meant",
                at.path
            );
            let problem = d.problem(span, message).expected(EXPECTED);
            d.refuse(problem)
        }
        _ => {
            let problem = d
                .problem(span, format!("`{}` selects in more than one way", at.path))
                .expected(EXPECTED);
            d.refuse(problem)
        }
    }
}

fn tags(at: &At<'_>, d: &mut Decoder<'_>) -> Option<BTreeMap<String, String>> {
    let fields = d.fields(at)?;
    if fields.is_empty() {
        let message = format!(
            "`{}` is empty: it would match every instance of the account",
            at.path
        );
        let problem = d
            .problem(fields.span, message)
            .expected("at least one tag and its value");
        return d.refuse(problem);
    }
    let count = fields.names().count();
    if count > MAX_TAGS {
        let problem = d.problem(fields.span, format!("`{}` has {count} tags", at.path));
        return d.refuse(problem.expected(format!("at most {MAX_TAGS}: an instance cannot have more")));
    }
    let mut tags = BTreeMap::new();
    for (key, span, at) in fields.names() {
        if let Some(message) = why_not_a_tag_key(key) {
            let problem = d.problem(span, format!("the tag {} cannot select: {message}", d.quote(key)));
            d.push(problem.expected("a tag that you set yourself, such as Name"));
        }
        let Some(value) = d.text(&at, "the tag's exact value") else {
            continue;
        };
        if value.chars().count() > 256 {
            let problem = d.problem(at.node.span, "the tag's value is longer than 256 characters");
            d.push(problem.expected("a value as AWS allows it"));
        }
        if value.contains(['*', '?', '\\']) {
            let problem = d
                .problem(
                    at.node.span,
                    format!(
                        "{} has a wildcard, and a tag's value is matched exactly",
                        d.quote(value)
                    ),
                )
                .expected("the tag's exact value, without `*`, `?` and `\\`");
            d.push(problem);
        }
        tags.insert(key.to_owned(), value.to_owned());
    }
    Some(tags)
}

fn why_not_a_tag_key(key: &str) -> Option<&'static str> {
    let lower = key.to_ascii_lowercase();
    if lower.starts_with("aws:autoscaling:groupname") {
        return Some("select an Auto Scaling group's members with auto_scaling_group");
    }
    if lower.starts_with("aws:") {
        return Some(
            "AWS sets it and nobody can copy it to a replacement, which would then belong to no slot",
        );
    }
    if lower.starts_with(tags::PREFIX) {
        return Some("keepgreen sets it, and a tag that it set itself can prove nothing about ownership");
    }
    if key.is_empty() || key.chars().count() > 128 {
        return Some("a tag's key has 1 to 128 characters");
    }
    if key.contains(['*', '?', '\\']) {
        return Some("it has a wildcard, and a tag's key is matched exactly");
    }
    None
}

fn instance_ids(at: &At<'_>, context: &Context<'_>, d: &mut Decoder<'_>) -> Option<Selector> {
    let ids = distinct_names(at, &names::INSTANCE, MAX_COUNT as usize, d)?;
    if matches!(&at.node.value, Value::List(items) if items.is_empty()) {
        let problem = d.problem(
            at.node.span,
            format!("`{}` is empty: it selects nothing", at.path),
        );
        return d.refuse(problem.expected("at least one instance id"));
    }
    if context.replaces {
        let problem = d
            .problem(
                at.node.span,
                "`instance_ids` cannot be combined with `replace`: a replacement has a new id",
            )
            .expected("select by tags, or leave `replace` out");
        d.push(problem);
    }
    Some(Selector::InstanceIds(
        ids.into_iter().map(InstanceId::from).collect(),
    ))
}

fn target_groups(
    at: &At<'_>,
    context: &Context<'_>,
    floors: &mut Floors,
    d: &mut Decoder<'_>,
) -> Option<Vec<SlotTargetGroup>> {
    const EXPECTED: &str = "a list of names, ARNs or { name, port, min_healthy }";
    let mut groups: Vec<SlotTargetGroup> = Vec::new();
    for item in d.list(at, MAX_TARGET_GROUPS, EXPECTED)? {
        let Some(group) = target_group(&item, context, floors, d) else {
            continue;
        };
        let twin = |known: &&SlotTargetGroup| {
            names::target_group_name(&known.name) == names::target_group_name(&group.name)
                && known.port == group.port
        };
        if groups.iter().find(twin).is_some() {
            let port = group
                .port
                .map_or("its own port".to_owned(), |port| format!("port {port}"));
            let message = format!(
                "the target group {} is listed twice with {port}",
                d.quote(&group.name)
            );
            let problem = d
                .problem(item.node.span, message)
                .expected("each group and port once");
            d.push(problem);
        }
        groups.push(group);
    }
    Some(groups)
}

fn target_group(
    at: &At<'_>,
    context: &Context<'_>,
    floors: &mut Floors,
    d: &mut Decoder<'_>,
) -> Option<SlotTargetGroup> {
    if !matches!(at.node.value, Value::Map(_)) {
        let name = target_group_name(at, context, d)?;
        return Some(SlotTargetGroup {
            name,
            port: None,
            min_healthy: None,
        });
    }
    let mut fields: Fields<'_> = d.fields(at)?;
    let name_at = fields.need("name", names::TARGET_GROUP.expected, d);
    let name = name_at.and_then(|at| target_group_name(&at, context, d));
    let port_at = fields.get("port");
    let port = port_at.map_or(Some(None), |at| {
        let port = d.integer(&at, 1..=65_535, "ports are 1 to 65535")?;
        u16::try_from(port).ok().map(Some)
    });
    let floor_at = fields.get("min_healthy");
    let floor = floor_at
        .as_ref()
        .and_then(|at| d.integer(at, 0..=MAX_MIN_HEALTHY, "no group has so many targets"));
    fields.finish(d);
    let name = name?;
    if let (Some(floor), Some(at)) = (floor, floor_at) {
        floors.check(&name, floor, &at, d);
    }
    Some(SlotTargetGroup {
        name,
        port: port?,
        min_healthy: floor,
    })
}

fn target_group_name(at: &At<'_>, context: &Context<'_>, d: &mut Decoder<'_>) -> Option<String> {
    let name = d.name(at, &names::TARGET_GROUP)?;
    if let Some(parts) = names::target_group_arn(name) {
        let scope = context.scope;
        let role_account = scope
            .role
            .as_ref()
            .and_then(|role| names::role_account(&role.arn));
        let account = scope
            .account
            .as_ref()
            .map(|account| account.as_str())
            .or(role_account);
        let elsewhere = [
            ("account", account, parts.account),
            ("region", scope.region.as_ref().map(|r| r.as_str()), parts.region),
        ];
        for (what, ours, its) in elsewhere {
            if let Some(ours) = ours
                && ours != its
            {
                let message =
                    format!("the target group is in {what} {its}, but the policy's {what} is {ours}");
                let problem = d
                    .problem(at.node.span, message)
                    .expected("a target group of the policy's own account and region");
                d.push(problem);
            }
        }
    }
    Some(name.to_owned())
}

/// What the slots say about each group's floor so far.
#[derive(Default)]
struct Floors(BTreeMap<String, u32>);

impl Floors {
    fn check(&mut self, group: &str, floor: u32, at: &At<'_>, d: &mut Decoder<'_>) {
        let group = names::target_group_name(group);
        let known = *self.0.entry(group.to_owned()).or_insert(floor);
        if known != floor {
            let message =
                format!("`min_healthy` of target group `{group}` is {floor} here and {known} above");
            let problem = d
                .problem(at.node.span, message)
                .expected("one number: the floor belongs to the group, not to a slot");
            d.push(problem);
        }
    }
}

fn report_overlaps(slots: &BTreeMap<SlotName, Slot>, places: &Places, d: &mut Decoder<'_>) {
    let all: Vec<(&SlotName, &Slot)> = slots.iter().collect();
    for (index, (name, slot)) in all.iter().enumerate() {
        for (other_name, other) in all.iter().take(index) {
            let Some(overlap) = overlap::between(&slot.select, &other.select) else {
                continue;
            };
            let Some(span) = places.selectors.get(*name) else {
                continue;
            };
            let message = match overlap {
                Overlap::Certain(why) => {
                    format!("the slots `{other_name}` and `{name}` select the same instances: {why}")
                }
                Overlap::Possible => format!(
                    "an instance may match both `{other_name}` and `{name}`, and would be touched by neither"
                ),
            };
            let problem = d
                .problem(*span, message)
                .expected("slots that no instance can share, such as one tag with a different value in each");
            d.push(problem);
        }
    }
}
