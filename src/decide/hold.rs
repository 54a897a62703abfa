//! Why something was not done, as data, each with a sentence for people.

use super::fold::LOOKS_FOR_ABSENCE;
use crate::model::{AilmentKind, InstanceId, SlotName};
use jiff::Timestamp;
use serde::Serialize;
use std::time::Duration;

/// One thing that is not being done, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hold {
    pub slot: SlotName,
    /// `None`: the whole slot is held.
    pub instance: Option<InstanceId>,
    #[serde(flatten)]
    pub reason: HoldReason,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case", tag = "reason")]
pub enum HoldReason {
    Paused {
        source: String,
        by: Option<String>,
        because: Option<String>,
        until: Option<Timestamp>,
    },
    PauseUnreadable {
        why: String,
    },
    /// The policy says to tell people only.
    AlertOnly {
        ailment: AilmentKind,
    },
    /// The policy, or a second stop within 7 days, says that a person's stop stands.
    StopRespected {
        why: String,
    },
    Grace {
        ailment: AilmentKind,
        left: Duration,
        why: Option<String>,
    },
    Quarantined {
        since: Timestamp,
        failed: u32,
    },
    Cooldown {
        failed: u32,
        left: Duration,
    },
    /// Tried, and refused for a reason outside the instance.
    Retry {
        why: String,
        tries: u32,
        left: Duration,
    },
    /// Started; its effect is awaited.
    Starting {
        attempt: u32,
        lasted: Duration,
        boot_grace: Duration,
    },
    Stopping,
    HourlyCap {
        used: u32,
        limit: u32,
    },
    Unsettled {
        intent: String,
    },
    UnknownIntent {
        intent: String,
    },
    Disputed {
        claims: Vec<String>,
    },
    WrongAccount {
        expected: String,
        found: String,
    },
    AccountUnknown {
        why: String,
    },
    Surplus,
    Spot,
    InstanceStore,
    UnknownLifecycle {
        word: String,
    },
    ScalingGroup {
        group: String,
    },
    /// A start cannot help: it runs.
    NothingToStart {
        why: String,
    },
    NotInThisVersion {
        ailment: AilmentKind,
        remedy: String,
    },
    /// What a step other than a start needs is not in this look.
    PartialView {
        parts: Vec<String>,
    },
    /// The policy has no `replace`.
    NothingToLaunchFrom,
    Window {
        opens: Option<Timestamp>,
    },
    Breaker {
        why: String,
    },
    /// As many repairs of this service are under way as its policy allows at once.
    Concurrent {
        others: Vec<InstanceId>,
        limit: u32,
    },
    /// The same over all services of the account.
    FleetBusy {
        others: u32,
        limit: u32,
    },
    /// The last replacement in this service has just ended.
    Rest {
        left: Duration,
    },
    /// One failed in this service: no other one is begun.
    AfterFailure {
        instance: InstanceId,
    },
    /// Another one is riskier.
    Queued {
        behind: String,
    },
    /// Not every service has been looked at since this process began.
    FleetUnseen,
    /// It is being healed first.
    HealFirst,
    NoBlueprint,
    CannotCarry {
        what: Vec<String>,
    },
    /// It has changed since it was last read how it is made, or that could not be read again.
    BlueprintUnread {
        why: String,
    },
    /// Its replacement is under way, and its image is not surely gone any more.
    ImageUncertain {
        why: String,
    },
    SupplyUnread {
        why: Vec<String>,
    },
    NoImage {
        offers: Vec<String>,
    },
    NoPlace {
        why: Vec<String>,
    },
    /// A replacement is under way.
    Replacing {
        attempt: u32,
        with: Option<InstanceId>,
        phase: String,
    },
    Floor {
        target_group: String,
        healthy: u32,
        floor: u32,
        zone: Option<String>,
    },
    FactsUnread {
        target_group: String,
    },
    /// One lives in its place that this journal did not launch.
    LaunchedAlready {
        instance: InstanceId,
    },
    /// Registered as often as `limits.attempts` allows, and taken out again each time.
    TakenOutAgain {
        times: u32,
    },
}

impl HoldReason {
    /// Whether it will end by the passing of time alone: a mutation is then due without anybody doing anything.
    pub fn ends_by_time(&self) -> bool {
        matches!(
            self,
            Self::Grace { .. }
                | Self::Cooldown { .. }
                | Self::Retry { .. }
                | Self::Stopping
                | Self::HourlyCap { .. }
                | Self::Unsettled { .. }
                | Self::Window { opens: Some(_) }
                | Self::Rest { .. }
                | Self::FleetUnseen
                | Self::Queued { .. }
        )
    }

    /// Whether keepgreen may do nothing at all for now, whatever the instance does.
    pub fn keeps_keepgreen_still(&self) -> bool {
        matches!(
            self,
            Self::Paused { .. }
                | Self::PauseUnreadable { .. }
                | Self::HourlyCap { .. }
                | Self::Breaker { .. }
                | Self::PartialView { .. }
                | Self::Retry { .. }
        )
    }

    /// Whether something of it changes from look to look. What waits for a time that is known, for people, or for another repair
    /// gets on no faster for being looked at.
    pub fn is_in_motion(&self) -> bool {
        matches!(
            self,
            Self::Starting { .. }
                | Self::Stopping
                | Self::Unsettled { .. }
                | Self::Replacing { .. }
                | Self::PartialView { .. }
                | Self::AccountUnknown { .. }
                | Self::FleetUnseen
        )
    }

    /// When it is worth looking again because of it; `None`: at the next interval.
    pub fn left(&self) -> Option<Duration> {
        match self {
            Self::Grace { left, .. }
            | Self::Cooldown { left, .. }
            | Self::Retry { left, .. }
            | Self::Rest { left } => Some(*left),
            _ => None,
        }
    }

    /// What holds it back and, where somebody can end that, how.
    pub fn sentence(&self) -> String {
        match self {
            Self::Paused {
                source,
                by,
                because,
                until,
            } => sentence_of_pause(source, by, because, *until),
            Self::PauseUnreadable { why } => {
                format!("a pause flag could not be read and so counts as set: {why}")
            }
            Self::AlertOnly { ailment } => {
                let key = ailment.policy_key();
                format!("the policy says `heal.{key}: alert`: people are told, nothing is done")
            }
            Self::StopRespected { why } => {
                format!("a person stopped it and {why}; start it by hand when it should run")
            }
            Self::Grace { ailment, left, why } => sentence_of_grace(*ailment, *left, why.as_deref()),
            Self::Quarantined { since, failed } => format!(
                "quarantined since {since:.0} after {failed} attempts that did not heal; find out why, then \
                 `keepgreen resume SERVICE`"
            ),
            Self::Cooldown { failed, left } => {
                let left = short(*left);
                format!("{failed} attempts did not heal; the next one is due in {left}")
            }
            Self::Retry { why, tries, left } => {
                let left = short(*left);
                format!("tried {tries} times and refused ({why}); the next try is due in {left}")
            }
            Self::Starting {
                attempt,
                lasted,
                boot_grace,
            } => sentence_of_start(*attempt, *lasted, *boot_grace),
            Self::Stopping => "it is still stopping; only a stopped instance can be started".to_owned(),
            Self::HourlyCap { used, limit } => format!(
                "{used} of the {limit} mutations that `limits.mutations_per_hour` allows this account were used in \
                 the last hour"
            ),
            Self::Unsettled { intent } => {
                format!(
                    "an earlier request ({intent}) got no answer; the next look tells whether it took effect"
                )
            }
            Self::UnknownIntent { intent } => format!(
                "the journal holds an open intent ({intent}) of a kind that this version does not know; go on with \
                 the version that wrote it"
            ),
            _ => self.sentence_of_object(),
        }
    }

    /// What about the instance itself, its slot or its account holds it back.
    fn sentence_of_object(&self) -> String {
        match self {
            Self::Disputed { claims } => format!(
                "claimed by more than one slot ({}), so none of them touches it; make the selectors distinct",
                claims.join(", ")
            ),
            Self::WrongAccount { expected, found } => format!(
                "the credentials belong to account {found}, the policy says {expected}: nothing is done there"
            ),
            Self::AccountUnknown { why } => format!("the credentials' account could not be verified: {why}"),
            Self::Surplus => "the slot already has as many instances as its `count`".to_owned(),
            Self::Spot => "it is a Spot instance; AWS decides when it runs, and it is left alone".to_owned(),
            Self::InstanceStore => "its root device is instance store: it cannot be started again".to_owned(),
            Self::UnknownLifecycle { word } => {
                format!("AWS calls its lifecycle `{word}`, which this version does not know")
            }
            Self::ScalingGroup { group } => {
                format!("it is a member of Auto Scaling group {group}, which replaces stopped members itself")
            }
            Self::NothingToStart { why } => format!("it runs, and a start does not help it: {why}"),
            Self::NotInThisVersion { ailment, remedy } => format!(
                "`heal.{}: {remedy}` is not in this version yet: people are told, nothing is done",
                ailment.policy_key()
            ),
            other => super::hold_replace::sentence(other),
        }
    }

    /// A short word for it, the same as in JSON.
    pub fn word(&self) -> String {
        let tagged = serde_json::to_value(self).unwrap_or_default();
        tagged
            .get("reason")
            .and_then(|word| word.as_str())
            .unwrap_or("held")
            .to_owned()
    }
}

fn sentence_of_pause(
    source: &str,
    by: &Option<String>,
    because: &Option<String>,
    until: Option<Timestamp>,
) -> String {
    let by = by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    let because = because
        .as_ref()
        .map(|text| format!(": {text}"))
        .unwrap_or_default();
    let until = until.map_or_else(
        || "until it is cleared".to_owned(),
        |until| format!("until {until:.0}"),
    );
    format!("paused{by} {until} ({source}){because}")
}

fn sentence_of_grace(ailment: AilmentKind, left: Duration, why: Option<&str>) -> String {
    let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
    let key = ailment.policy_key();
    if left.is_zero() {
        return format!("waiting until {LOOKS_FOR_ABSENCE} looks running have shown it (`{key}`){why}");
    }
    format!("waiting {} more of the grace for `{key}`{why}", short(left))
}

fn sentence_of_start(attempt: u32, lasted: Duration, boot_grace: Duration) -> String {
    let (lasted, grace) = (short(lasted), short(boot_grace));
    format!("attempt {attempt} was accepted {lasted} ago; it has {grace} to become healthy")
}

/// A duration as people write it in a policy: `1h 5m`, `40s`.
pub fn short(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let parts = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let mut rest = seconds;
    let mut words = Vec::new();
    for (size, unit) in parts {
        if rest >= size && words.len() < 2 {
            words.push(format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    if words.is_empty() {
        "0s".to_owned()
    } else {
        words.join(" ")
    }
}
