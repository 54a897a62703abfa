//! Whether the reason for a replacement still stands: an image can come back, or be called something else, in the middle of one.

use super::is_gone;
use crate::decide::fold::LOOKS_FOR_ABSENCE;
use crate::decide::hold::HoldReason;
use crate::decide::image::{ImageVerdict, image_verdict};
use crate::decide::service::Input;
use crate::model::{AilmentKind, Replacement};
use std::time::Duration;

/// S9: what keeps a step from being taken that rests on the old one's image being gone. `None`: it surely is, and for long
/// enough; or the replacement is for something else.
pub(super) fn image_is_doubtful(input: &Input<'_>, one: &Replacement) -> Option<HoldReason> {
    if one.kind != AilmentKind::ImageGone || input.look.instances.get(&one.old).is_none_or(is_gone) {
        return None;
    }
    let why = match image_verdict(input.look, &one.old) {
        ImageVerdict::Deregistered { .. } | ImageVerdict::Private { .. } => None,
        ImageVerdict::Launchable { id } => Some(format!("{id} is there again")),
        ImageVerdict::Disabled { id } => Some(format!("{id} is disabled, which can be undone")),
        ImageVerdict::NotAllowed { id } => Some(format!(
            "the account's Allowed AMIs hide {id}, which can be undone"
        )),
        ImageVerdict::Unknown { why } => Some(why),
    };
    if let Some(why) = why {
        return Some(HoldReason::ImageUncertain { why });
    }
    let of_old = input.memory.instances.get(&one.old);
    let timer = of_old.and_then(|of| of.timers.get(&AilmentKind::ImageGone));
    let lasted = timer.map_or(Duration::ZERO, |timer| timer.lasted);
    let looks = timer.map_or(0, |timer| timer.looks);
    let wanted = input.policy.grace.image_gone;
    (lasted < wanted || looks < LOOKS_FOR_ABSENCE).then(|| HoldReason::Grace {
        ailment: one.kind,
        left: wanted.saturating_sub(lasted),
        why: Some(
            "its replacement is under way, and its image has not been surely gone for so long".to_owned(),
        ),
    })
}
