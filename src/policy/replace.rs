//! How a replacement is made: `replace` of a policy.

use super::decode::{At, Decoder};
use super::defaults;
use super::duration::MAX_DURATION;
use super::names;
use super::parse::distinct_names;
use super::tree::Value;
use super::types::{ImageSource, Keep, Launch, OldInstance, Replace, RescueImage};
use crate::model::ImageId;
use std::time::Duration;

/// Sources of an image, types and subnets to try: each costs requests while a service is short of an instance.
const MAX_ALTERNATIVES: usize = 16;
/// AWS allows a filter 200 values.
const MAX_OWNERS: usize = 16;
/// An image is a full snapshot of every volume: more often than hourly cannot be meant.
const MIN_RESCUE_INTERVAL: Duration = Duration::from_secs(3_600);

pub(super) fn replace(at: &At<'_>, d: &mut Decoder<'_>) -> Option<Replace> {
    let mut fields = d.fields(at)?;
    let image = fields
        .need("image", "a list of image sources, tried in order", d)
        .and_then(|at| images(&at, d));
    let launch = fields
        .get("launch")
        .map_or(Some(Launch::Clone), |at| launch(&at, d));
    let types = fields.get("instance_types");
    let types = types.and_then(|at| distinct_names(&at, &names::INSTANCE_TYPE, MAX_ALTERNATIVES, d));
    let subnets = fields.get("subnets");
    let subnets = subnets.and_then(|at| distinct_names(&at, &names::SUBNET, MAX_ALTERNATIVES, d));
    let keep = fields
        .get("keep")
        .and_then(|at| keep(&at, d))
        .unwrap_or(defaults::KEEP);
    let old_instance = fields
        .get("old_instance")
        .map_or(Some(defaults::OLD_INSTANCE), |at| d.choice(&at));
    let retain_at = fields.get("retain");
    let retain = retain_at.as_ref().and_then(|at| retain(at, d));
    if let (Some(OldInstance::Terminate), Some(at)) = (old_instance, &retain_at) {
        let problem = d
            .problem(
                at.node.span,
                "`retain` contradicts `old_instance: terminate`, which leaves nothing to retain",
            )
            .expected("`old_instance: stop`, or no `retain`");
        d.push(problem);
    }
    let rescue_image = fields.get("rescue_image").and_then(|at| rescue_image(&at, d));
    fields.finish(d);
    let owned = |names: Option<Vec<&str>>| names.unwrap_or_default().into_iter().map(str::to_owned).collect();
    Some(Replace {
        image: image?,
        launch: launch?,
        instance_types: owned(types),
        subnets: owned(subnets),
        keep,
        old_instance: old_instance?,
        retain,
        rescue_image,
    })
}

fn images(at: &At<'_>, d: &mut Decoder<'_>) -> Option<Vec<ImageSource>> {
    const EXPECTED: &str = "a list of { ssm: … }, { newest: … }, { id: … } or rescue";
    let items = d.list(at, MAX_ALTERNATIVES, EXPECTED)?;
    if items.is_empty() {
        let problem = d.problem(
            at.node.span,
            "`replace.image` is empty: a replacement could never be launched",
        );
        return d.refuse(problem.expected(EXPECTED));
    }
    Some(items.iter().filter_map(|item| image(item, d)).collect())
}

fn image(at: &At<'_>, d: &mut Decoder<'_>) -> Option<ImageSource> {
    const EXPECTED: &str = "{ ssm: NAME }, { newest: { owners, name } }, { id: AMI } or rescue";
    if let Value::Scalar { text, .. } = &at.node.value
        && !super::tree::is_nothing(at.node)
    {
        if text == "rescue" {
            return Some(ImageSource::Rescue);
        }
        let suggestion = match text.as_str() {
            id if (names::IMAGE.accepts)(id) => Some(format!("did you mean `{{ id: {id} }}`?")),
            name if name.starts_with('/') && (names::SSM.accepts)(name) => {
                Some(format!("did you mean `{{ ssm: {name} }}`?"))
            }
            word => super::problem::nearest(word, ["rescue"]).map(super::decode::did_you_mean),
        };
        let message = format!("{} is not an image source", d.quote(text));
        let problem = d
            .problem(at.node.span, message)
            .expected(EXPECTED)
            .maybe_suggest(suggestion);
        return d.refuse(problem);
    }
    let mut fields = d.fields(at)?;
    let (ssm, newest_at, id) = (fields.get("ssm"), fields.get("newest"), fields.get("id"));
    let span = fields.span;
    fields.finish(d);
    match (ssm, newest_at, id) {
        (Some(at), None, None) => d
            .name(&at, &names::SSM)
            .map(|name| ImageSource::Ssm(name.to_owned())),
        (None, Some(at), None) => newest(&at, d),
        (None, None, Some(at)) => d
            .name(&at, &names::IMAGE)
            .map(|id| ImageSource::Id(ImageId::from(id))),
        _ => {
            let problem = d.problem(span, format!("`{}` names not exactly one source", at.path));
            d.refuse(problem.expected(EXPECTED))
        }
    }
}

fn newest(at: &At<'_>, d: &mut Decoder<'_>) -> Option<ImageSource> {
    let mut fields = d.fields(at)?;
    let owners_at = fields.get("owners");
    let owners = match &owners_at {
        None => Some(vec![defaults::IMAGE_OWNER]),
        Some(at) => distinct_names(at, &names::OWNER, MAX_OWNERS, d),
    };
    if let (Some(at), Some([])) = (&owners_at, owners.as_deref())
        && matches!(&at.node.value, Value::List(items) if items.is_empty())
    {
        let problem = d.problem(
            at.node.span,
            format!("`{}` is empty: anybody's image would be taken", at.path),
        );
        d.push(problem.expected("at least one owner, such as [self]"));
    }
    let name = fields
        .need("name", names::IMAGE_NAME.expected, d)
        .and_then(|at| d.name(&at, &names::IMAGE_NAME));
    fields.finish(d);
    let owners = owners?.into_iter().map(str::to_owned).collect();
    Some(ImageSource::Newest {
        owners,
        name: name?.to_owned(),
    })
}

fn launch(at: &At<'_>, d: &mut Decoder<'_>) -> Option<Launch> {
    const EXPECTED: &str = "clone, or { template: NAME, version: $Default }";
    match &at.node.value {
        Value::Scalar { text, .. } if text == "clone" => return Some(Launch::Clone),
        Value::Map(_) => {}
        _ => return d.wrong_kind(at, EXPECTED),
    }
    let mut fields = d.fields(at)?;
    let name = fields
        .need("template", names::TEMPLATE.expected, d)
        .and_then(|at| d.name(&at, &names::TEMPLATE));
    let version_at = fields.get("version");
    let version = version_at.map_or(Some(defaults::TEMPLATE_VERSION), |at| {
        // A version is a number, so it may be written as one.
        if let Value::Scalar { text, plain: true } = &at.node.value
            && (names::TEMPLATE_VERSION.accepts)(text)
        {
            return Some(text.as_str());
        }
        d.name(&at, &names::TEMPLATE_VERSION)
    });
    fields.finish(d);
    Some(Launch::Template {
        name: name?.to_owned(),
        version: version?.to_owned(),
    })
}

fn keep(at: &At<'_>, d: &mut Decoder<'_>) -> Option<Keep> {
    let mut fields = d.fields(at)?;
    let mut flag = |key, default| fields.get(key).and_then(|at| d.boolean(&at)).unwrap_or(default);
    let default = defaults::KEEP;
    let keep = Keep {
        elastic_ip: flag("elastic_ip", default.elastic_ip),
        data_volumes: flag("data_volumes", default.data_volumes),
        network_interface: flag("network_interface", default.network_interface),
    };
    fields.finish(d);
    Some(keep)
}

/// `None` also for `keep`.
fn retain(at: &At<'_>, d: &mut Decoder<'_>) -> Option<Duration> {
    match &at.node.value {
        Value::Scalar { text, .. } if text == "keep" => None,
        Value::Scalar { text, .. } if text.starts_with(|c: char| c.is_ascii_digit()) => {
            d.duration(at, Duration::from_secs(1)..=MAX_DURATION)
        }
        Value::Scalar { text, .. } if !super::tree::is_nothing(at.node) => {
            let problem = d.problem(at.node.span, format!("`{}` cannot be {}", at.path, d.quote(text)));
            d.refuse(problem.expected("keep, or a duration such as 7d"))
        }
        _ => d.wrong_kind(at, "keep, or a duration such as 7d"),
    }
}

fn rescue_image(at: &At<'_>, d: &mut Decoder<'_>) -> Option<RescueImage> {
    let mut fields = d.fields(at)?;
    let default = defaults::RESCUE_IMAGE;
    let every = fields.get("every");
    let every = every.map_or(Some(default.every), |at| {
        d.duration(&at, MIN_RESCUE_INTERVAL..=MAX_DURATION)
    });
    let why = "with 0 every image would be deleted at once";
    let keep = fields
        .get("keep")
        .map_or(Some(default.keep), |at| d.integer(&at, 1..=100, why));
    fields.finish(d);
    Some(RescueImage {
        every: every?,
        keep: keep?,
    })
}
