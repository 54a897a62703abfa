//! How a disturbed night differs from the undisturbed one.

use super::end::End;
use super::play::Night;
use std::collections::BTreeSet;

/// `None`: it ended the same, no invariant was broken, and nothing was done to any instance more often, but for so many times.
pub fn difference(undisturbed: &Night, disturbed: &Night, more: usize) -> Option<String> {
    let mut lines: Vec<String> = disturbed.violations.iter().map(ToString::to_string).collect();
    lines.extend(unlike(&undisturbed.end, &disturbed.end));
    for (effect, times) in &disturbed.effects {
        let most = undisturbed.effects.get(effect).copied().unwrap_or(0);
        if *times > most + more {
            lines.push(format!("{effect} {times} times, undisturbed {most}"));
        }
    }
    lines.dedup();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// What is otherwise than wanted, a line each.
pub fn unlike(wanted: &End, found: &End) -> Vec<String> {
    // An incident that is still remembered, or no longer, is no difference; a quarantine is.
    let is_quiet = |word: Option<&String>| word.is_none_or(|word| word == "false" || word == "0");
    let keys: BTreeSet<&String> = wanted.keys().chain(found.keys()).collect();
    let differs = |key: &&String| {
        let (wanted, found) = (wanted.get(*key), found.get(*key));
        wanted != found && !(is_quiet(wanted) && is_quiet(found))
    };
    let line = |key: &String| {
        let (wanted, found) = (wanted.get(key), found.get(key));
        format!("{key}: {wanted:?} undisturbed, {found:?} disturbed")
    };
    keys.into_iter().filter(differs).map(line).collect()
}
