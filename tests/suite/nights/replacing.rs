//! `replace` of a drawn policy: what is launched, from what, and when.

use super::fleet::{Place, ZONES};
use keepgreen::sim::world::builder::default_subnet;
use std::fmt::Write as _;

/// Names the image to launch from.
pub const PARAMETER_OF_IMAGE: &str = "/images/good";
/// Nothing has this id, and nothing had it.
const NO_IMAGE: &str = "ami-0000000000000dead";
/// To be asked for when there is no capacity for the type that the old one had.
const OTHER_TYPE: &str = "m5.xlarge";

/// What an instance can be made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// As most are.
    Common,
    /// As a few are: this one can be lost for ever.
    Other,
    /// As what is launched is.
    Good,
}

impl Made {
    pub const ALL: [Made; 3] = [Self::Common, Self::Other, Self::Good];
}

pub fn image_name(made: Made) -> String {
    let name = match made {
        Made::Common => "common",
        Made::Other => "other",
        Made::Good => "good",
    };
    format!("{name}-2026-11")
}

#[derive(Clone, Debug, PartialEq)]
pub struct Replacing {
    pub sources: Vec<Source>,
    /// Another type and the other zones' subnets are named.
    pub falls_back: bool,
    /// `old_instance: terminate`.
    pub terminates: bool,
    /// `heal.image_gone: replace`, after so many seconds.
    pub image_gone_s: Option<u32>,
    /// `heal.missing: replace`, likewise.
    pub missing_s: Option<u32>,
}

/// Where an image comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Id,
    Newest,
    Parameter,
    /// There is none.
    Nothing,
}

impl Replacing {
    /// What it adds to `heal`.
    pub fn choices(&self) -> String {
        let word = |grace: Option<u32>| if grace.is_some() { "replace" } else { "alert" };
        let (image_gone, missing) = (word(self.image_gone_s), word(self.missing_s));
        format!(", image_gone: {image_gone}, missing: {missing}")
    }

    /// What it adds to `grace`.
    pub fn graces(&self) -> String {
        let mut text = String::new();
        for (key, grace) in [("image_gone", self.image_gone_s), ("missing", self.missing_s)] {
            if let Some(s) = grace {
                let _ = write!(text, ", {key}: {s}s");
            }
        }
        text
    }

    /// The value of `replace`.
    pub fn text(&self, place: Place) -> String {
        let sources: Vec<String> = self.sources.iter().map(|source| source.text(place)).collect();
        let mut text = format!("{{ image: [ {} ]", sources.join(", "));
        if self.falls_back {
            let subnets: Vec<String> = (0..ZONES)
                .map(|zone| default_subnet(&place.scope(), &place.zone(zone)))
                .collect();
            let _ = write!(
                text,
                ", instance_types: [ {OTHER_TYPE} ], subnets: [ {} ]",
                subnets.join(", ")
            );
        }
        if self.terminates {
            text.push_str(", old_instance: terminate");
        }
        text + " }"
    }
}

impl Source {
    fn text(self, place: Place) -> String {
        match self {
            Self::Id => format!("{{ id: {} }}", place.image(Made::Good)),
            Self::Newest => "{ newest: { owners: [self], name: \"good-*\" } }".to_owned(),
            Self::Parameter => format!("{{ ssm: {PARAMETER_OF_IMAGE} }}"),
            Self::Nothing => format!("{{ id: {NO_IMAGE} }}"),
        }
    }
}
