//! What happens: the world as it is when keepgreen begins to watch it, and how long the story may take.

use crate::sim::world::builder::{ACCOUNT, ImageSpec, REGION, incident};
use crate::sim::world::{Scope, World};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// For how long bulk upload was down in the incident, which nobody's controller watched: AWS stopped green at 04:00, an
/// alert of 04:02 was chased by nobody, and a person started green at 08:50.
pub const BY_HAND: Duration = Duration::from_secs((8 * 60 + 50 - 4 * 60) * 60);

/// 2026-11-22 04:00 UTC, a Sunday.
const STRIKES: Timestamp = Timestamp::constant(1_795_320_000, 0);

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

/// The image that the team has built since, and the parameter that names it.
pub const NEW_IMAGE: &str = "ami-0ba5e202611200001";
const PARAMETER: &str = "/tis/base-image";

/// One story.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub seed: u64,
    /// The world as it is when keepgreen begins to watch it.
    pub world: World,
    /// The policies' file names and texts.
    pub policies: Vec<(&'static str, &'static str)>,
    /// The Slack channel that the policies name.
    pub channel: &'static str,
    /// Which slot an instance is of, by its Name tag.
    pub slots: BTreeMap<String, String>,
    /// When it happens.
    pub strikes: Timestamp,
    /// What is not healed by then is not healed.
    pub patience: Timestamp,
    /// What the second act waits for, for people.
    pub waits_for: &'static str,
    /// When the second act begins: shortly before the first thing that may happen in it.
    pub resumes: Timestamp,
    /// What is not rebuilt by then is not rebuilt.
    pub rebuilt_by: Timestamp,
    /// The end: until here it is seen whether anything is left to do.
    pub ends: Timestamp,
    /// Actions (`StartInstances`) that the account may not call.
    pub denied: BTreeSet<String>,
}

impl Scenario {
    /// The incident that keepgreen exists for, minute by minute as it was, with keepgreen watching.
    pub fn incident() -> Self {
        let seed = 4;
        let mut world = incident::world(seed)
            .start(STRIKES - 48 * HOUR + 17 * MINUTE)
            .open_to(ACCOUNT)
            .image(ImageSpec::new(NEW_IMAGE).name("tis-base-2026-11-20"))
            .build();
        world.set_parameter(&Scope::new(ACCOUNT, REGION), PARAMETER, NEW_IMAGE);
        world.schedule_event(incident::GREEN, "instance-retirement", STRIKES);
        world.remark(
            incident::GREEN,
            "AWS mails the owner of the account about it; nobody reads that mailbox",
        );
        world.step(STRIKES - 11 * HOUR - 20 * MINUTE);
        world.deregister_image(incident::IMAGE);
        // Its looks do not fall together with what happens on the hour.
        world.step(STRIKES - 2 * MINUTE - Duration::from_secs(23));
        Self {
            seed,
            world,
            policies: vec![("tis.yaml", TIS)],
            channel: "tis-alerts",
            slots: BTreeMap::from([
                ("tis-prod-blue".to_owned(), "blue".to_owned()),
                ("tis-prod-green".to_owned(), "green".to_owned()),
            ]),
            strikes: STRIKES,
            patience: STRIKES + 15 * MINUTE,
            waits_for: "the image of what serves has to be gone for 24h (grace.image_gone), and a window to be open \
                        (maintenance: Mon-Fri 02:00-05:00 UTC)",
            // A day after the first look.
            resumes: STRIKES + 24 * HOUR - 3 * MINUTE,
            rebuilt_by: STRIKES + 24 * HOUR + 45 * MINUTE,
            ends: STRIKES + 25 * HOUR,
            denied: BTreeSet::new(),
        }
    }

    /// The same, if the account may not call `action`.
    #[must_use]
    pub fn denying(mut self, action: &str) -> Self {
        self.denied.insert(action.to_owned());
        self
    }
}

/// The policy of the story's service: both slots serve, upload is green's alone; what cannot be built again is replaced
/// from the team's newest image.
const TIS: &str = "\
service: tis
slots:
  blue:  { select: { tags: { Name: tis-prod-blue } },  target_groups: [tis-prod] }
  green: { select: { tags: { Name: tis-prod-green } }, target_groups: [tis-prod, tis-upload] }
replace: { image: [ { ssm: /tis/base-image } ] }
maintenance: [ Mon-Fri 02:00-05:00 UTC ]
notify: [tis-alerts]
";
