//! Whether an instance is paused, by the world's truth and by what was declared: the second reading of the contract
//! on pause flags, independent of the controller's own.

use jiff::Timestamp;

use super::case::Case;
use super::{LOOK_AGE_MAX, step};
use crate::sim::world::{Instance, Parameter, later};

/// The tag that pauses an instance.
const TAG: &str = "keepgreen:pause";

/// A pause that holds now.
pub(super) struct Readable {
    pub(super) source: String,
    /// Since when a read shows it.
    pub(super) since: Timestamp,
}

/// The pause that has been readable longest, if the instance is paused.
pub(super) fn readable_since(case: &Case, instance: &Instance) -> Option<Readable> {
    let names = || {
        case.newest
            .services_of(instance)
            .map(|(service, _)| service.name.as_str())
    };
    let mut found = Vec::new();
    for pause in &case.newest.pauses {
        let concerns = pause
            .service
            .as_deref()
            .is_none_or(|wanted| names().any(|name| name == wanted));
        let holds = pause.from <= case.now() && pause.until.is_none_or(|until| case.now() < until);
        if concerns && holds {
            found.push(Readable {
                source: "a file or the policy".to_owned(),
                since: pause.from,
            });
        }
    }
    if let Some((scope, base)) = &case.newest.pause_parameter {
        let own = names().map(|name| format!("{base}/{name}"));
        for name in std::iter::once(base.clone()).chain(own) {
            let parameter = case.arrival.world.parameter(scope, &name);
            found.extend(
                parameter
                    .filter(|p| parameter_holds(p, case.now()))
                    .map(|p| Readable {
                        source: format!("parameter {name}"),
                        since: p.modified,
                    }),
            );
        }
    }
    let shown = case
        .memory
        .looks
        .get(&(case.arrival.incarnation, instance.id.clone()));
    // What has ended and is in no answer any more has no tags that anybody could read.
    let is_shown =
        !step::is_gone(instance) || shown.is_some_and(|at| later(*at, LOOK_AGE_MAX) >= case.arrival.sent);
    let holds = |_: &&_| is_shown && tag_holds(instance, case.now());
    if let Some(tag) = instance.tags.get(TAG).filter(holds) {
        found.push(Readable {
            source: format!("tag {TAG}"),
            since: tag.since,
        });
    }
    let lag = case.arrival.world.staleness().reads_lag;
    let readable = found.into_iter().map(|pause| Readable {
        since: later(pause.since, lag),
        ..pause
    });
    readable.min_by_key(|pause| pause.since)
}

/// Its tag pauses the instance: with a time, until then.
pub(super) fn tag_holds(instance: &Instance, now: Timestamp) -> bool {
    let until = |value: &str| value.parse::<Timestamp>().ok();
    instance
        .tag(TAG)
        .is_some_and(|value| until(value).is_none_or(|until| now < until))
}

/// JSON with an `until` in the past has ended; any other content pauses.
pub(super) fn parameter_holds(parameter: &Parameter, now: Timestamp) -> bool {
    let json: Option<serde_json::Value> = serde_json::from_str(&parameter.value).ok();
    let until = json
        .as_ref()
        .and_then(|json| json.get("until")?.as_str()?.parse::<Timestamp>().ok());
    until.is_none_or(|until| now < until)
}
