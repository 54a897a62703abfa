//! The document of `demo --format json`.

use crate::cli::json::VERSION;
use crate::cli::paint::clean;
use crate::sim::demo::scenario::BY_HAND;
use crate::sim::demo::{Beat, Event, Lapse, Rebuild, SlotLine, Summary, Voice};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// What happened, and how long it took.
#[derive(Debug, Serialize)]
pub struct DemoDoc {
    pub version: u32,
    pub healed: bool,
    pub rebuilt: bool,
    pub interrupted: bool,
    pub from: Timestamp,
    pub until: Timestamp,
    pub by_hand_s: u64,
    pub downs: Vec<DownDoc>,
    pub target_groups: Vec<OutageDoc>,
    pub rebuilds: Vec<RebuildDoc>,
    pub reads: usize,
    pub mutations: Vec<MutationDoc>,
    pub messages: usize,
    pub images_gone: Vec<ImageGoneDoc>,
    pub standing_findings: Vec<StandingDoc>,
    pub story: Vec<StoryDoc>,
}

#[derive(Debug, Serialize)]
pub struct DownDoc {
    pub slot: String,
    pub instance: String,
    pub from: Timestamp,
    /// `null`: it still was.
    pub until: Option<Timestamp>,
    pub down_s: u64,
}

#[derive(Debug, Serialize)]
pub struct OutageDoc {
    pub target_group: String,
    pub desired: usize,
    pub below_desired_s: u64,
    pub none_healthy_s: u64,
    /// With how few healthy targets it ever was.
    pub fewest_healthy: usize,
}

#[derive(Debug, Serialize)]
pub struct RebuildDoc {
    pub slot: String,
    pub old: String,
    /// EC2's word for the old one's state, and whether it is marked.
    pub old_is: String,
    pub new: Option<String>,
    pub image: Option<String>,
    pub from: Timestamp,
    /// `null`: it is still under way.
    pub until: Option<Timestamp>,
    pub done: bool,
    /// With how few healthy targets each target group was meanwhile.
    pub fewest_healthy: BTreeMap<String, usize>,
}

#[derive(Debug, Serialize)]
pub struct MutationDoc {
    pub at: Timestamp,
    pub operation: String,
    pub subjects: Vec<String>,
    pub outcome: String,
}

#[derive(Debug, Serialize)]
pub struct ImageGoneDoc {
    pub image: String,
    pub instances: Vec<String>,
}

#[derive(Debug, Serialize)]
pub struct StandingDoc {
    pub key: String,
    pub text: Option<String>,
}

/// One line of the story; a slot's line has `state` and `targets`, any other `text`.
#[derive(Debug, Serialize)]
pub struct StoryDoc {
    pub at: Timestamp,
    /// `aws`, `saw`, `decided`, `did`, `told`, `slot` or `time`
    pub who: &'static str,
    pub slot: Option<String>,
    pub subject: Option<String>,
    pub text: Option<String>,
    pub state: Option<String>,
    pub targets: BTreeMap<String, String>,
}

impl DemoDoc {
    pub fn of(events: &[Event], summary: &Summary) -> Self {
        Self {
            version: VERSION,
            healed: summary.healed,
            rebuilt: summary.rebuilt,
            interrupted: summary.interrupted,
            from: summary.from,
            until: summary.until,
            by_hand_s: BY_HAND.as_secs(),
            downs: summary
                .downs
                .iter()
                .map(|down| DownDoc {
                    slot: down.slot.clone(),
                    instance: down.instance.clone(),
                    from: down.from,
                    until: down.until,
                    down_s: down.lasted(summary.until).as_secs(),
                })
                .collect(),
            target_groups: summary
                .groups
                .iter()
                .map(|group| OutageDoc {
                    target_group: group.group.clone(),
                    desired: group.desired,
                    below_desired_s: group.below.as_secs(),
                    none_healthy_s: group.none.as_secs(),
                    fewest_healthy: group.fewest,
                })
                .collect(),
            rebuilds: summary.rebuilds.iter().map(RebuildDoc::of).collect(),
            reads: summary.reads,
            mutations: summary
                .mutations
                .iter()
                .map(|mutation| MutationDoc {
                    at: mutation.at,
                    operation: mutation.operation.clone(),
                    subjects: mutation.subjects.clone(),
                    outcome: mutation.outcome.clone(),
                })
                .collect(),
            messages: summary.messages,
            images_gone: summary
                .images_gone
                .iter()
                .map(|(image, instances)| ImageGoneDoc {
                    image: image.clone(),
                    instances: instances.clone(),
                })
                .collect(),
            standing_findings: summary
                .findings
                .iter()
                .map(|(key, text)| StandingDoc {
                    key: key.clone(),
                    text: text.as_deref().map(clean),
                })
                .collect(),
            story: events.iter().map(StoryDoc::of).collect(),
        }
    }
}

impl RebuildDoc {
    fn of(one: &Rebuild) -> Self {
        Self {
            slot: one.slot.clone(),
            old: one.old.clone(),
            old_is: one.old_is.clone(),
            new: one.new.clone(),
            image: one.image.clone(),
            from: one.from,
            until: one.until,
            done: one.is_done,
            fewest_healthy: one.fewest.iter().cloned().collect(),
        }
    }
}

impl StoryDoc {
    fn of(event: &Event) -> Self {
        match event {
            Event::Beat(beat) => Self::of_beat(beat),
            Event::Slot(at, line) => Self::of_slot(*at, line),
            Event::Lapse(at, lapse) => Self::of_lapse(*at, lapse),
        }
    }

    fn of_lapse(at: Timestamp, lapse: &Lapse) -> Self {
        let text = match lapse {
            Lapse::Begins { until, why } => format!("time-lapse until {until}: {why}"),
            Lapse::Over {
                from,
                reads,
                mutations,
            } => format!(
                "time-lapse since {from} is over: {reads} requests that change nothing, {mutations} mutations"
            ),
        };
        Self {
            at,
            who: "time",
            slot: None,
            subject: None,
            text: Some(text),
            state: None,
            targets: BTreeMap::new(),
        }
    }

    fn of_beat(beat: &Beat) -> Self {
        Self {
            at: beat.at,
            who: match beat.voice {
                Voice::Aws => "aws",
                Voice::Saw => "saw",
                Voice::Decided => "decided",
                Voice::Did => "did",
                Voice::Told => "told",
            },
            slot: beat.slot.clone(),
            subject: beat.subject.clone(),
            text: Some(clean(&beat.text)),
            state: None,
            targets: BTreeMap::new(),
        }
    }

    fn of_slot(at: Timestamp, line: &SlotLine) -> Self {
        Self {
            at,
            who: "slot",
            slot: Some(line.slot.clone()),
            subject: Some(line.instance.clone()),
            text: None,
            state: Some(line.state.clone()),
            targets: line.targets.iter().cloned().collect(),
        }
    }
}
