//! What each class of faults is expected to do to a night: how long it lasts and in what shapes it comes, how the night is
//! to end, and where it cannot strike, with the reason.

use super::scenario::{ANOTHER_ACCOUNT, FAILS_ONCE, IMAGE_GONE, ONE_ON_A_PAGE};
use keepgreen::sim::fault::{Class, Kind, Strikes};
use keepgreen::sim::world::incident::{GREEN, IMAGE};
use keepgreen::sim::{CallRecord, Outcome};
use std::time::Duration;

/// One call to disturb.
pub struct Site {
    pub scenario: &'static str,
    /// Its number in the run.
    pub call: u32,
    pub record: CallRecord,
    /// In this night an instance is replaced.
    pub replaces: bool,
    /// The instance that suffers.
    pub victim: String,
    /// The state that it was in.
    pub state: String,
    /// How often it had begun to boot, and how often it will yet, undisturbed.
    pub boots: (usize, usize),
    /// How many instances were running.
    pub running: usize,
    /// It belongs to the last two looks of the night; the last one's outcome is not waited for.
    pub is_late: bool,
    pub calls: Reach,
    /// What strikes the world or the process strikes now.
    pub moment: bool,
}

/// Which classes, of those that strike a call itself, strike here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    All,
    /// Those alone that show something else than there is.
    Reads,
    None,
}

/// It strikes the world, or the process, at some moment, whatever call it is.
pub fn is_of_the_moment(class: &Class) -> bool {
    let of_the_call = [
        "throttled",
        "credentials expire",
        "name does not resolve",
        "connection refused",
        "connection never comes about",
        "accepts and never answers",
        "page of a proxy instead of an answer",
    ];
    class.strikes == Strikes::AnyCall && !of_the_call.contains(&class.name)
}

/// It strikes one instance.
pub fn has_victim(class: &Class) -> bool {
    let none = [
        "mass stop",
        "policy reloaded",
        "zone outage",
        "image gone, then back",
    ];
    let absent = [
        "existing object absent",
        "terminated lingers",
        "terminated vanishes at once",
        "transitions missed",
    ];
    absent.contains(&class.name) || (class.kind == Kind::World && !none.contains(&class.name))
}

/// How a night is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Like the undisturbed one, with nothing done more often.
    Same,
    /// Like the undisturbed one, after a start more: somebody stopped it again.
    StartedAgain,
    /// Otherwise, because the world is another one from then on; the oracles judge it.
    Another,
}

/// What goes wrong between keepgreen and AWS, or with keepgreen's own machine, leaves no trace. What happens to the world
/// does, unless it passes, or is mended in the same way.
pub fn ending(class: &Class, site: &Site) -> Ending {
    if site.replaces {
        return ending_of_replacement(class, &site.record.action);
    }
    match class.name {
        // A member of a scaling group is for its group to start.
        "mass stop" if site.scenario == ANOTHER_ACCOUNT => Ending::Another,
        // Gone for good: nothing is launched instead.
        "dies while being repaired"
        | "a person terminates it"
        | "terminated lingers"
        | "terminated vanishes at once" => Ending::Another,
        // Left alone, or for a person: a person's will, or an attempt after which nobody knows what was begun.
        "a person stops it" | "a person deregisters it" | "intent of an unknown kind" => Ending::Another,
        // Tried as often as is allowed.
        "shuts itself down after each boot" => Ending::Another,
        // Each slot has the other instance from then on.
        "slots swap" => Ending::Another,
        "start does not hold" | "mass stop" | "transitions missed" => Ending::StartedAgain,
        _ => Ending::Same,
    }
}

/// What a person or AWS does to one of the two that change places makes it another replacement, or none; what passes while
/// the next attempt or look waits does not.
fn ending_of_replacement(class: &Class, action: &str) -> Ending {
    let passes = [
        "boots forever",
        "answers with errors",
        "flaps just outside the success window",
        "policy reloaded",
    ];
    match class.name {
        // The instance of which AWS speaks is waited for, and so is what it seems to offer nowhere: longer than a night lasts.
        "answered with 200, nothing done" if action == "RunInstances" => Ending::Another,
        "empty answer" if action == "DescribeInstanceTypeOfferings" => Ending::Another,
        "terminated lingers" | "terminated vanishes at once" | "transitions missed" => Ending::Another,
        "intent of an unknown kind" => Ending::Another,
        // Taken at its word, it says that something was launched, which is looked for and waited for.
        "token mismatch" => Ending::Another,
        name if class.kind == Kind::World && !passes.contains(&name) => Ending::Another,
        _ => Ending::Same,
    }
}

/// How long it lasts, of classes that end by themselves.
pub fn lasts(class: &Class) -> Duration {
    Duration::from_secs(match class.name {
        // Own writes not visible for minutes; what stands still for so long is noticed.
        "own writes hidden" | "process frozen" | "loop stalled" => 300,
        // Right again, or restored, while the repair goes on.
        "wall clock set wrong by two hours" => 20,
        "journal older than the world" => 5,
        _ => 60,
    })
}

/// The shapes that it comes in, to be tried until one strikes: a number, and for how long.
pub fn shapes(class: &Class, site: &Site) -> Vec<(u64, Duration)> {
    let usual = lasts(class);
    match class.name {
        // Eight words, of which an answer has some.
        "unknown enum member" => (0..8).map(|word| (word, usual)).collect(),
        // The world of a moment ago may have looked the same.
        "stale read" => [60, 15, 300, 305]
            .into_iter()
            .map(|seconds| (0, Duration::from_secs(seconds)))
            .collect(),
        _ => vec![(site.call.into(), usual)],
    }
}

/// Where a class cannot strike, though its kind of call is one that it strikes.
pub struct Exception {
    pub class: &'static str,
    pub holds: fn(&Site) -> bool,
    pub why: &'static str,
    /// It may strike there all the same: what decides cannot be told from the call.
    pub may_strike: bool,
}

const fn never(class: &'static str, holds: fn(&Site) -> bool, why: &'static str) -> Exception {
    Exception {
        class,
        holds,
        why,
        may_strike: false,
    }
}

const fn not_always(class: &'static str, holds: fn(&Site) -> bool, why: &'static str) -> Exception {
    Exception {
        class,
        holds,
        why,
        may_strike: true,
    }
}

pub const EXCEPTIONS: &[Exception] = &[
    never(
        "a person starts it",
        |site| site.state != "stopped",
        "only a stopped instance can be started",
    ),
    never(
        "a person stops it",
        |site| matches!(site.state.as_str(), "stopped" | "stopping"),
        "it is stopped already",
    ),
    never(
        "answered with 200, nothing done",
        is_refused,
        "nothing is done anyway: AWS refuses this request",
    ),
    never(
        "batch poisoned by one id",
        |site| !site.record.subjects.iter().any(|id| id == GREEN),
        "this request does not name the poisonous one",
    ),
    never(
        "credentials expire",
        |site| !site.record.is_aws(),
        "a webhook asks for none",
    ),
    never("empty answer", finds_nothing, "the answer is empty anyway"),
    never(
        "empty answer",
        |site| is_of_attributes(&site.record.action),
        "the answer is no list that could be empty",
    ),
    not_always(
        "partial success",
        |site| site.replaces,
        "each of these requests is about one instance",
    ),
    not_always(
        "empty answer",
        |site| site.replaces && site.record.action == "DescribeTargetHealth",
        "the group has no target at that moment",
    ),
    not_always(
        "unknown enum member",
        |site| {
            site.replaces
                && ["DescribeInstances", "DescribeTargetHealth"].contains(&site.record.action.as_str())
        },
        "none of the words that are replaced is in this answer: it speaks of nobody, or of what comes and goes",
    ),
    not_always(
        "unknown enum member",
        |site| site.scenario == ONE_ON_A_PAGE && site.record.action == "DescribeInstances",
        "none of the words that are replaced is on this page, which is about one instance",
    ),
    not_always(
        "a person deregisters it",
        |site| site.replaces,
        "it is in no target group at that moment",
    ),
    not_always(
        "transitions missed",
        |site| site.replaces,
        "nothing changes as long as the answers are old",
    ),
    never(
        "unknown enum member",
        |site| has_no_member(&site.record.action) || finds_nothing(site),
        "the answer has no such word",
    ),
    never(
        "stale read",
        |site| never_changes(&site.record.action),
        "the answer was the same at any earlier time",
    ),
    never(
        "start does not hold",
        |site| site.boots.1 == 0 || (site.scenario == FAILS_ONCE && site.boots.0 == 0),
        "no start comes any more, or the next one does not hold anyway",
    ),
    never("mass stop", |site| site.running == 0, "nothing runs"),
    not_always(
        "image gone, then back",
        |site| [IMAGE_GONE, ANOTHER_ACCOUNT].contains(&site.scenario),
        "it is gone anyway, or was never there, and nobody asks for it by the time that it is back",
    ),
    not_always(
        "policy reloaded",
        |site| site.is_late,
        "the night ends before a look is made under the new text",
    ),
    not_always(
        "wall clock set wrong by two hours",
        |site| site.is_late,
        "the night ends before a look is made at the wrong time",
    ),
    not_always(
        "loop stalled",
        |site| site.is_late,
        "the night ends before the loop has anything to do",
    ),
    not_always(
        "stale read",
        |site| !never_changes(&site.record.action),
        "what this answer shows had not changed for as long",
    ),
    not_always(
        "journal disk full",
        |_| true,
        "a full disk is noticed when a file has to grow",
    ),
];

fn is_refused(site: &Site) -> bool {
    matches!(&site.record.outcome, Outcome::Answered { error: Some(_), .. })
}

/// No parameter is set; the image is deregistered, or was never there.
fn finds_nothing(site: &Site) -> bool {
    match site.record.action.as_str() {
        "GetParameters" => true,
        "DescribeImages" => {
            [IMAGE_GONE, ANOTHER_ACCOUNT].contains(&site.scenario) || site.record.params.contains(IMAGE)
        }
        _ => false,
    }
}

fn is_of_attributes(action: &str) -> bool {
    action.starts_with("Describe") && (action.ends_with("Attribute") || action.ends_with("Attributes"))
}

fn has_no_member(action: &str) -> bool {
    let without = [
        "DescribeInstanceAttribute",
        "DescribeInstanceTypeOfferings",
        "DescribeInstanceTypes",
        "DescribeLoadBalancerAttributes",
        "DescribeLoadBalancers",
        "DescribeTargetGroupAttributes",
        "DescribeVolumes",
        "GetCallerIdentity",
        "AssumeRole",
        "GetParameters",
        "DescribeTargetGroups",
        "DescribeAutoScalingGroups",
    ];
    without.contains(&action)
}

fn never_changes(action: &str) -> bool {
    let same = [
        "GetCallerIdentity",
        "AssumeRole",
        "GetParameters",
        "DescribeTargetGroups",
        "DescribeAutoScalingGroups",
    ];
    same.contains(&action)
}
