//! The crash matrix: the process dies at every call, in all four phases, and another carries on, on the same machine or on
//! one that has nothing but the journal.

use super::cells::{Wrong, asked_for, on_all_cores, require_none, tell, with_bug};
use super::compare::difference;
use super::play::{Disturbance, Heir, Night, Wanted, play, undisturbed};
use super::scenario::{self, Scenario};
use super::sites::worth_a_crash;
use keepgreen::sim::{CrashPhase, CrashPlan, Ended};

/// A request whose outcome died with the process is sent once more, without a second effect.
const REPEATS_MAX: usize = 1;

struct Cell {
    name: String,
    plan: CrashPlan,
    heir: Heir,
}

/// Every call of the first life that is worth it, in each phase, with each heir.
fn cells(scenario: &Scenario, quiet: &Night) -> Vec<Cell> {
    let mut cells = Vec::new();
    for call in worth_a_crash(quiet)
        .into_iter()
        .filter_map(|index| quiet.calls.get(index))
    {
        for phase in CrashPhase::ALL {
            for heir in Heir::ALL {
                let (number, action) = (call.call, &call.action);
                cells.push(Cell {
                    name: format!("{}: call {number} {action}, {phase:?}, {heir:?}", scenario.name),
                    plan: CrashPlan { call: number, phase },
                    heir,
                });
            }
        }
    }
    cells
}

fn judge(scenario: &Scenario, quiet: &Night, cell: &Cell) -> Option<Wrong> {
    let disturbance = Disturbance::Crash(cell.plan, cell.heir);
    let night = with_bug(|| play(scenario, &disturbance, Wanted::So(&quiet.end)));
    let what = match night.first_life {
        Ended::Crashed if night.writes > quiet.writes + REPEATS_MAX => {
            format!("{} writes were sent, undisturbed {}", night.writes, quiet.writes)
        }
        Ended::Crashed if night.launched.len() > quiet.launched.len() => {
            format!("{:?} were launched, undisturbed one", night.launched)
        }
        Ended::Crashed => difference(quiet, &night, 0)?,
        _ => "not covered: it never died there".to_owned(),
    };
    Some(Wrong {
        cell: cell.name.clone(),
        what,
        story: night.story(),
    })
}

#[test]
fn killed_at_every_call_and_phase_another_process_brings_the_same_end() {
    let asked_for = asked_for();
    let mut total = 0;
    let mut wrong = Vec::new();
    for scenario in scenario::all() {
        let quiet = undisturbed(scenario);
        let mut cells = cells(scenario, &quiet);
        cells.retain(|cell| asked_for.as_ref().is_none_or(|name| cell.name.starts_with(name)));
        let judged = on_all_cores(&cells, |cell| judge(scenario, &quiet, cell));
        let found: Vec<Wrong> = judged.into_iter().flatten().collect();
        let (calls, count) = (quiet.calls.len(), cells.len());
        println!("crash matrix: {}: {calls} calls, {count} cells", scenario.name);
        tell(&found);
        wrong.extend(found);
        total += count;
    }
    println!("crash matrix: {total} cells, {} wrong", wrong.len());
    require_none(&wrong);
}
