//! The sentences of what holds back a replacement or a registration.

use super::hold::{HoldReason, short};

/// What holds it back and, where somebody can end that, how.
pub(super) fn sentence(hold: &HoldReason) -> String {
    match hold {
        HoldReason::PartialView { parts } => format!(
            "this look did not see everything ({}), and only starts are safe on half a view",
            parts.join(", ")
        ),
        HoldReason::NothingToLaunchFrom => {
            "the policy has no `replace`, so nothing is ever launched: say there what to launch from"
                .to_owned()
        }
        HoldReason::Window { opens: Some(opens) } => {
            format!("it serves, so it waits for the maintenance window that opens at {opens:.0}")
        }
        HoldReason::Window { opens: None } => {
            "it serves, and no maintenance window will ever open: correct `maintenance`".to_owned()
        }
        HoldReason::Breaker { why } => format!(
            "too much ails at once ({why}): nothing is launched or taken out until 10 minutes after it is less"
        ),
        HoldReason::Concurrent { others, limit } => {
            let others: Vec<&str> = others.iter().map(|id| id.as_str()).collect();
            format!(
                "{} is being replaced, and `limits.max_concurrent` allows {limit} at once in this service",
                others.join(", ")
            )
        }
        HoldReason::FleetBusy { others, limit } => format!(
            "{others} repairs of other services are under way, and the config's `limits.max_concurrent` allows {limit}"
        ),
        HoldReason::Rest { left } => {
            format!(
                "the last replacement in this service has just ended; the next may begin in {}",
                short(*left)
            )
        }
        HoldReason::AfterFailure { instance } => format!(
            "the replacement of {instance} failed, and no other one is begun in this service: find out why, then \
             `keepgreen resume SERVICE`"
        ),
        HoldReason::Queued { behind } => {
            format!("{behind} comes first: dead images are replaced one at a time, the riskiest first")
        }
        HoldReason::FleetUnseen => {
            "not every service has been looked at since keepgreen began, and a riskier one would come first"
                .to_owned()
        }
        HoldReason::HealFirst => {
            "it does not serve now, and is healed first, by keepgreen or, where the policy leaves that to people, by them; a dead \
             image keeps no instance from starting"
                .to_owned()
        }
        _ => of_means(hold),
    }
}

/// What it is made like, and from.
fn of_means(hold: &HoldReason) -> String {
    match hold {
        HoldReason::NoBlueprint => {
            "it is not known how it was made: keepgreen never saw it healthy. Launch it by hand, \
                                    or use `launch: { template: … }`"
                .to_owned()
        }
        HoldReason::CannotCarry { what } => format!(
            "a replacement could not carry over: {}. Replace it by hand, or give these up under `replace.keep`",
            what.join("; ")
        ),
        HoldReason::BlueprintUnread { why } => {
            format!("what it has, and would lose, is not known for sure: {why}")
        }
        HoldReason::ImageUncertain { why } => {
            format!("its replacement goes on only while its image is surely gone: {why}")
        }
        HoldReason::SupplyUnread { why } => {
            format!("what it would be launched from is not known: {}", why.join("; "))
        }
        HoldReason::NoImage { offers } => format!(
            "none of the sources under `replace.image` gives an image that can be launched ({}): make one available",
            offers.join("; ")
        ),
        HoldReason::NoPlace { why } => format!("there is nowhere to launch it: {}", why.join("; ")),
        _ => of_progress(hold),
    }
}

fn of_progress(hold: &HoldReason) -> String {
    match hold {
        HoldReason::Replacing { attempt, with, phase } => {
            let with = with.as_ref().map(|id| format!(" by {id}")).unwrap_or_default();
            format!("the replacement{with} is under way (attempt {attempt}): {phase}")
        }
        HoldReason::Floor {
            target_group,
            healthy,
            floor,
            zone,
        } => {
            let zone = zone
                .as_ref()
                .map(|zone| format!(" in {zone}"))
                .unwrap_or_default();
            format!(
                "target group {target_group} would keep {healthy} healthy targets{zone}, and its floor is {floor}: it \
                 waits for another one, or set `min_healthy` lower"
            )
        }
        HoldReason::FactsUnread { target_group } => {
            format!("it is not known how traffic is spread over the zones of target group {target_group}")
        }
        HoldReason::LaunchedAlready { instance } => format!(
            "{instance} says by its tags that it was launched in the place of another one, and this journal does not know of it: it \
             was restored, or another keepgreen is at work. Nothing more is launched in this service"
        ),
        HoldReason::TakenOutAgain { times } => format!(
            "it was registered {times} times and taken out again each time: somebody wants it out. `keepgreen resume \
             SERVICE` if that is not so"
        ),
        _ => String::new(),
    }
}
