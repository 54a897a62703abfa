//! Which calls of a night are disturbed.

use super::expected::Reach;
use super::play::Night;
use std::collections::BTreeSet;

/// A night of more calls than this is disturbed at those alone that differ by what they ask and when.
const SHORT: usize = 100;
/// Calls right before a mutation: the whole look that admits it.
pub const CALLS_THAT_ADMIT: usize = 8;

/// Set to anything: long nights are crashed at every call, too.
const EVERY_CALL: &str = "KEEPGREEN_EVERY_CALL";

/// The same of a start, which is asked of fewer.
const CALLS_THAT_ADMIT_A_START: usize = 3;

/// The index, in the night's calls, of each that is worth a crash.
///
/// Of a short night that is every one. A replacement takes hundreds, most of which ask the same at the same stage: of them,
/// every mutation, the calls right before it, and the first call of each action in each stage, which is what lies between
/// two mutations. So what is left out is a look that is like the one before it; `tests/matrix --every-call` leaves out none.
pub fn worth_a_crash(night: &Night) -> Vec<usize> {
    let is_short = night.calls.len() <= SHORT || std::env::var_os(EVERY_CALL).is_some();
    let mut seen = BTreeSet::new();
    let mut stage = 0;
    let mut worth = Vec::new();
    for (index, call) in night.calls.iter().enumerate() {
        stage += usize::from(call.is_write);
        let is_new = seen.insert((stage, &call.action));
        if is_short || call.is_write || is_new || admits(night, index) {
            worth.push(index);
        }
    }
    worth
}

/// A call that is worth a blow.
pub struct Worth {
    pub index: usize,
    /// What strikes this very call.
    pub calls: Reach,
    /// Whether what strikes the world or the process at some moment strikes now.
    pub moment: bool,
}

/// The calls that are worth a blow.
///
/// In a short night, the first call of each action in each stage, which is what lies between two turns of the world, and the
/// look that admits a mutation; there, everything strikes. In a long one a stage is what lies between two mutations, and
/// everything strikes at mutations alone. What is wrong with an answer that was read strikes the first of each action in
/// each stage; what fails a call, whatever it asks, the night's first of each action; and what happens to the world or to
/// the process, the first call of each stage and the one before each mutation.
pub fn worth_a_blow(night: &Night) -> Vec<Worth> {
    let is_short = night.launched.is_empty();
    let (mut seen, mut kinds, mut stages) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut mutations = 0;
    let mut worth = Vec::new();
    for (index, call) in night.calls.iter().enumerate() {
        mutations += usize::from(call.is_write);
        let stage = match is_short {
            true => night.turns.iter().filter(|turn| turn.at < call.sent).count(),
            false => mutations,
        };
        let is_new = seen.insert((&call.action, stage));
        if is_short {
            if is_new || admits_start(night, index) {
                let (calls, moment) = (Reach::All, true);
                worth.push(Worth { index, calls, moment });
            }
            continue;
        }
        let is_last = night.calls.get(index + 1).is_some_and(|next| next.is_write);
        let moment = call.is_write || stages.insert(stage) || is_last;
        let is_first = kinds.insert(&call.action);
        if call.is_write || is_first {
            worth.push(Worth {
                index,
                calls: Reach::All,
                moment,
            });
        } else if is_new || moment {
            worth.push(Worth {
                index,
                calls: Reach::Reads,
                moment,
            });
        }
    }
    worth
}

/// One of the few calls right before a start.
fn admits_start(night: &Night, index: usize) -> bool {
    let next = night.calls.iter().skip(index + 1).take(CALLS_THAT_ADMIT_A_START);
    next.into_iter()
        .any(|call| call.is_write && call.service == "ec2")
}

/// Whether a mutation comes right after it.
pub fn admits(night: &Night, index: usize) -> bool {
    let next = night.calls.iter().skip(index + 1).take(CALLS_THAT_ADMIT);
    next.into_iter().any(|call| call.is_write)
}
