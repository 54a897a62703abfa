//! The fault matrix: every call site, struck once by every class of faults.
//!
//! A site is an operation at a stage of the repair (before the start, while it boots, once it runs, once a target is
//! healthy…), and each call of the look that admits a mutation. A fault has struck if anything that keepgreen was told,
//! decided or did was different, or anything in the world; a cell in which it did not is not covered, unless
//! [`expected`](super::expected) says why it cannot. What each class leaves of a night is written there as well.

use super::cells::{Wrong, asked_for, on_all_cores, require_none, tell, with_bug};
use super::compare::difference;
use super::expected::{EXCEPTIONS, Ending, Exception, ONE_PAGE, Site, ending, shapes};
use super::play::{Blow, Disturbance, Night, Wanted, play, undisturbed};
use super::scenario::{self, Scenario};
use jiff::Timestamp;
use keepgreen::sim::fault::{Class, Kind};
use keepgreen::sim::world::Entry;
use keepgreen::sim::world::incident::GREEN;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Calls right before a mutation: the look that admits it.
const CALLS_THAT_ADMIT: usize = 3;
/// A night whose end is another one anyway goes on for so long.
const ANOTHER_END: Duration = Duration::from_secs(90);

/// One class of faults at one site.
struct Cell<'a> {
    name: String,
    site: &'a Site,
    class: &'static Class,
}

impl Cell<'_> {
    fn exception(&self) -> Option<&'static Exception> {
        let mut all = EXCEPTIONS.iter();
        all.find(|one| one.class == self.class.name && (one.holds)(self.site))
    }
}

/// The undisturbed nights that disturbed ones are compared with.
struct Quiet {
    /// Ends as soon as everything is well.
    night: Night,
    /// Goes on as long as nights with another end do.
    longer: Night,
}

impl Quiet {
    fn of(scenario: &Scenario) -> Self {
        Self {
            night: undisturbed(scenario),
            longer: play(scenario, &Disturbance::Nothing, Wanted::After(ANOTHER_END)),
        }
    }

    fn sites(&self, scenario: &Scenario) -> Vec<Site> {
        let night = &self.night;
        let mut seen = BTreeSet::new();
        let admits = |index: usize| {
            let next = night.calls.iter().skip(index + 1).take(CALLS_THAT_ADMIT);
            next.into_iter()
                .any(|call| call.is_write && call.service == "ec2")
        };
        let looks_after = |index: usize| {
            let after = night.calls.iter().skip(index + 1);
            // Each look begins so.
            after.filter(|call| call.action == "GetCallerIdentity").count()
        };
        let numbered = (1..).zip(night.calls.iter().enumerate());
        numbered
            .filter(|(_, (index, call))| {
                let stage = night.turns.iter().filter(|turn| turn.at < call.sent).count();
                seen.insert((&call.action, stage)) || admits(*index)
            })
            .map(|(call, (index, record))| {
                let states = self.states_at(record.sent);
                let is_boot = |turn: &&Entry| turn.subject == GREEN && turn.what.contains("→ pending");
                let boots = night.turns.iter().filter(is_boot);
                let (before, after): (Vec<&Entry>, Vec<&Entry>) =
                    boots.partition(|turn| turn.at <= record.sent);
                Site {
                    scenario: scenario.name,
                    call,
                    record: record.clone(),
                    green: states.get(GREEN).cloned().unwrap_or_default(),
                    boots: (before.len(), after.len()),
                    running: states.values().filter(|state| *state == "running").count(),
                    is_late: looks_after(index) < 2,
                }
            })
            .collect()
    }

    /// The state that each instance was in.
    fn states_at(&self, at: Timestamp) -> BTreeMap<String, String> {
        let ids = self.night.instances.iter();
        let mut states: BTreeMap<String, String> = ids.map(|id| (id.clone(), "running".to_owned())).collect();
        let is_own = |turn: &&Entry| turn.at <= at && !turn.what.starts_with("target of");
        for turn in self.night.turns.iter().filter(is_own) {
            if let (Some(state), Some((_, to))) = (states.get_mut(&turn.subject), turn.what.split_once(" → "))
            {
                to.split(' ').next().unwrap_or_default().clone_into(state);
            }
        }
        states
    }
}

/// Everything that can strike a call of this scenario, each once.
fn cells<'a>(scenario: &Scenario, sites: &'a [Site]) -> Vec<Cell<'a>> {
    let mut cells = Vec::new();
    for site in sites {
        // Crashes have a matrix of their own.
        let classes = Class::ALL
            .iter()
            .filter(|class| class.kind != Kind::Crash && class.awaits.is_none());
        for class in classes.filter(|class| class.applies_to(&site.record)) {
            let (number, action) = (site.call, &site.record.action);
            cells.push(Cell {
                name: format!("{}: call {number} {action}, {}", scenario.name, class.name),
                site,
                class,
            });
        }
    }
    cells
}

struct Judged {
    struck: bool,
    wrong: Option<Wrong>,
}

/// Plays a cell, in all of its shapes until one strikes.
fn judge(scenario: &Scenario, quiet: &Quiet, cell: &Cell) -> Judged {
    let wrong = |what: String, night: &Night| {
        Some(Wrong {
            cell: cell.name.clone(),
            what,
            story: night.story(),
        })
    };
    for (variant, lasts) in shapes(cell.class, cell.site) {
        let blow = Blow {
            call: cell.site.call,
            class: cell.class,
            variant,
            lasts,
        };
        let (night, struck, what) = strike(scenario, quiet, cell, &blow);
        if let Some(what) = what {
            return Judged {
                struck,
                wrong: wrong(what, &night),
            };
        }
        if !struck {
            continue;
        }
        let stale = |one: &Exception| wrong(format!("it struck, though {}", one.why), &night);
        return Judged {
            struck,
            wrong: cell.exception().filter(|one| !one.may_strike).and_then(stale),
        };
    }
    let uncovered = || wrong("not covered: it struck nothing".to_owned(), &quiet.night);
    Judged {
        struck: false,
        wrong: cell.exception().map_or_else(uncovered, |_| None),
    }
}

/// One night with a blow: whether it struck, and what was wrong.
fn strike(scenario: &Scenario, quiet: &Quiet, cell: &Cell, blow: &Blow) -> (Night, bool, Option<String>) {
    let ending = ending(blow.class, cell.site);
    let (wanted, like) = match ending {
        Ending::Another => (Wanted::After(ANOTHER_END), &quiet.longer),
        _ => (Wanted::So(&quiet.night.end), &quiet.night),
    };
    let night = with_bug(|| play(scenario, &Disturbance::Fault(*blow), wanted));
    let what = match ending {
        Ending::Same => difference(like, &night, 0),
        Ending::StartedAgain => difference(like, &night, 1),
        Ending::Another => {
            let broken: Vec<String> = night.violations.iter().map(ToString::to_string).collect();
            Some(broken.join("\n")).filter(|broken| !broken.is_empty())
        }
    };
    let struck = night.fingerprint != like.fingerprint;
    (night, struck, what)
}

#[test]
fn whatever_goes_wrong_once_at_any_call_site_the_night_ends_well() {
    let asked_for = asked_for();
    let mut struck: BTreeMap<&str, usize> = BTreeMap::new();
    let mut excepted: BTreeMap<&str, usize> = BTreeMap::new();
    let mut total = 0;
    let mut wrong = Vec::new();
    for scenario in scenario::ALL {
        let quiet = Quiet::of(scenario);
        let sites = quiet.sites(scenario);
        let mut cells = cells(scenario, &sites);
        cells.retain(|cell| asked_for.as_ref().is_none_or(|name| cell.name.starts_with(name)));
        let judged = on_all_cores(&cells, |cell| judge(scenario, &quiet, cell));
        let mut found = Vec::new();
        for (cell, judged) in cells.iter().zip(judged) {
            let counted = match judged.struck {
                true => &mut struck,
                false => &mut excepted,
            };
            *counted.entry(cell.class.name).or_default() += 1;
            found.extend(judged.wrong);
        }
        let (sites, count) = (sites.len(), cells.len());
        println!("fault matrix: {}: {sites} sites, {count} cells", scenario.name);
        tell(&found);
        wrong.extend(found);
        total += count;
    }
    let without: usize = excepted.values().sum();
    println!(
        "fault matrix: {total} cells of {} classes, {without} of them where the class cannot strike, {} wrong",
        struck.len(),
        wrong.len()
    );
    require_none(&wrong);
    if asked_for.is_none() {
        require_all_classes(&struck);
        require_used_exceptions(&excepted);
    }
}

/// Each class has struck somewhere, but those that await a capability.
fn require_all_classes(struck: &BTreeMap<&str, usize>) {
    let all = Class::ALL.iter();
    let due = all.filter(|class| class.kind != Kind::Crash && class.awaits.is_none());
    let is_missing = |class: &&Class| !struck.contains_key(class.name) && class.name != ONE_PAGE;
    let nowhere: Vec<&Class> = due.filter(is_missing).collect();
    assert!(nowhere.is_empty(), "struck nothing anywhere: {nowhere:?}");
}

/// No class is excused that needs no excuse.
fn require_used_exceptions(excepted: &BTreeMap<&str, usize>) {
    let all = EXCEPTIONS.iter();
    let unused: Vec<&str> = all
        .map(|one| one.class)
        .filter(|class| !excepted.contains_key(class))
        .collect();
    assert!(unused.is_empty(), "exceptions that nothing needs: {unused:?}");
}
