//! The fault matrix: every call site, struck once by every class of faults.
//!
//! A site is an operation at a stage of the repair (before the start, while it boots, once it runs, once a target is
//! healthy…), and each call of the look that admits a mutation; of a replacement, which takes hundreds of calls,
//! [`sites`](super::sites) says which. A fault has struck if anything that keepgreen was told,
//! decided or did was different, or anything in the world; a cell in which it did not is not covered, unless
//! [`expected`](super::expected) says why it cannot. What each class leaves of a night is written there as well.

use super::cells::{Wrong, asked_for, on_all_cores, require_none, tell, with_bug};
use super::compare::difference;
use super::expected::{
    EXCEPTIONS, Ending, Exception, Reach, Site, ending, has_victim, is_of_the_moment, shapes,
};
use super::play::{Blow, Disturbance, LAUNCHED, Night, Wanted, play, undisturbed};
use super::scenario::{self, Scenario};
use super::sites::{Worth, worth_a_blow};
use jiff::Timestamp;
use keepgreen::sim::CallRecord;
use keepgreen::sim::fault::{Class, Kind};
use keepgreen::sim::world::Entry;
use std::collections::BTreeMap;
use std::time::Duration;

/// A night whose end is another one anyway goes on for so long.
const ANOTHER_END: Duration = Duration::from_secs(90);
/// The same, of one in which an instance is replaced.
const ANOTHER_REPLACED: Duration = Duration::from_secs(300);

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
    goes_on: Duration,
}

impl Quiet {
    fn of(scenario: &Scenario) -> Self {
        let night = undisturbed(scenario);
        let goes_on = match night.launched.is_empty() {
            true => ANOTHER_END,
            false => ANOTHER_REPLACED,
        };
        Self {
            night,
            longer: play(scenario, &Disturbance::Nothing, Wanted::After(goes_on)),
            goes_on,
        }
    }

    /// The calls that are worth a blow; those of a repair that launches, also as blows to the instance that it launches.
    fn sites(&self, scenario: &Scenario) -> Vec<Site> {
        let night = &self.night;
        let mut sites = Vec::new();
        for Worth { index, calls, moment } in worth_a_blow(night) {
            let Some(record) = night.calls.get(index) else {
                continue;
            };
            let is_there = |id: &&String| {
                let is_launch = |turn: &&Entry| turn.subject == **id && turn.what.starts_with(LAUNCHED);
                night
                    .turns
                    .iter()
                    .any(|turn| is_launch(&turn) && turn.at < record.sent)
            };
            let launched = night.launched.iter().filter(is_there);
            let victims = std::iter::once((scenario.victim, calls));
            // A call's own faults have no victim.
            let victims = victims.chain(launched.map(|id| (id.as_str(), Reach::None)));
            for (victim, calls) in victims {
                sites.push(self.site(scenario, (index, record), victim, (calls, moment)));
            }
        }
        sites
    }

    fn site(
        &self,
        scenario: &Scenario,
        (index, record): (usize, &CallRecord),
        victim: &str,
        (calls, moment): (Reach, bool),
    ) -> Site {
        let night = &self.night;
        // Each look begins so.
        let looks = night.calls.iter().skip(index + 1);
        let looks = looks.filter(|call| call.action == "GetCallerIdentity");
        let states = self.states_at(record.sent);
        let is_boot = |turn: &&Entry| turn.subject == victim && turn.what.contains("→ pending");
        let boots = night.turns.iter().filter(is_boot);
        let (before, after): (Vec<&Entry>, Vec<&Entry>) = boots.partition(|turn| turn.at <= record.sent);
        Site {
            scenario: scenario.name,
            replaces: !night.launched.is_empty(),
            call: u32::try_from(index + 1).unwrap(),
            record: record.clone(),
            victim: victim.to_owned(),
            state: states.get(victim).cloned().unwrap_or_default(),
            boots: (before.len(), after.len()),
            running: states.values().filter(|state| *state == "running").count(),
            is_late: looks.count() < 2,
            calls,
            moment,
        }
    }

    /// The state that each instance was in.
    fn states_at(&self, at: Timestamp) -> BTreeMap<String, String> {
        let ids = self.night.instances.iter();
        let ids = ids.filter(|id| !self.night.launched.contains(id));
        let mut states: BTreeMap<String, String> = ids.map(|id| (id.clone(), "running".to_owned())).collect();
        let is_own = |turn: &&Entry| turn.at <= at && !turn.what.starts_with("target of");
        for turn in self.night.turns.iter().filter(is_own) {
            if turn.what.starts_with(LAUNCHED) {
                states.insert(turn.subject.clone(), "pending".to_owned());
            }
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
        for class in classes.filter(|class| class.applies_to(&site.record) && is_worth(class, site)) {
            let (number, action) = (site.call, &site.record.action);
            let whom = if site.victim == scenario.victim {
                ""
            } else {
                " (the new one)"
            };
            cells.push(Cell {
                name: format!("{}: call {number} {action}, {}{whom}", scenario.name, class.name),
                site,
                class,
            });
        }
    }
    cells
}

/// Whether this call is one at which this class is to strike.
fn is_worth(class: &Class, site: &Site) -> bool {
    match site.calls {
        _ if is_of_the_moment(class) => site.moment && (site.calls != Reach::None || has_victim(class)),
        Reach::None => false,
        Reach::Reads => class.kind == Kind::Read,
        Reach::All => true,
    }
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
            target: cell.site.victim.clone(),
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
        Ending::Another => (Wanted::After(quiet.goes_on), &quiet.longer),
        _ => (Wanted::So(&quiet.night.end), &quiet.night),
    };
    let night = with_bug(|| play(scenario, &Disturbance::Fault(blow.clone()), wanted));
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
    for scenario in scenario::all() {
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
    let is_missing = |class: &&Class| !struck.contains_key(class.name);
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
