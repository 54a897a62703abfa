//! Which invariants cannot be put to the test yet, and the capability that each awaits.
//!
//! An oracle whose premise never holds sees nothing: a bank of runs fails if any invariant was never evaluated, unless it is
//! listed here; and a listed one that was evaluated after all is a stale entry, and fails as well.

use std::collections::BTreeMap;

use super::tally::ALL;

/// Invariant → the capability without which its premise cannot hold.
pub const AWAITS: &[(&str, &str)] = &[
    ("S14 Lease", "the DynamoDB store"),
    ("L4 Takeover", "the DynamoDB store"),
];

/// Adds one run's counts to the sum of a bank.
pub fn add(sum: &mut BTreeMap<&'static str, u64>, run: &BTreeMap<&'static str, u64>) {
    for (name, count) in run {
        *sum.entry(name).or_default() += count;
    }
}

/// Checks the sum over a bank of runs.
///
/// # Errors
/// One line for each invariant that was never evaluated and awaits nothing, and for each that is listed and was evaluated.
pub fn check(premises: &BTreeMap<&'static str, u64>) -> Result<(), String> {
    let awaits: BTreeMap<&str, &str> = AWAITS.iter().copied().collect();
    let verdict = |name: &&'static str| {
        let count = premises.get(name).copied().unwrap_or(0);
        match (count, awaits.get(name)) {
            (0, None) => Some(format!(
                "{name}: its premise never held in the whole bank; make the runs reach it, or list what it awaits"
            )),
            (1.., Some(capability)) => Some(format!(
                "{name}: listed as awaiting {capability}, and evaluated {count} times; take it off the list"
            )),
            _ => None,
        }
    };
    let lines: Vec<String> = ALL.iter().filter_map(verdict).collect();
    if lines.is_empty() {
        Ok(())
    } else {
        Err(lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts with which the check passes.
    fn sound() -> BTreeMap<&'static str, u64> {
        let listed = |name: &str| AWAITS.iter().any(|(listed, _)| *listed == name);
        ALL.into_iter()
            .map(|name| (name, u64::from(!listed(name))))
            .collect()
    }

    #[test]
    fn a_blind_oracle_and_a_stale_entry_both_fail() {
        assert_eq!(check(&sound()), Ok(()));
        let mut blind = sound();
        blind.insert("S1 Ownership", 0);
        assert!(
            check(&blind)
                .unwrap_err()
                .starts_with("S1 Ownership: its premise never held")
        );
        let mut stale = sound();
        stale.insert("S14 Lease", 4);
        assert!(check(&stale).unwrap_err().contains("awaiting the DynamoDB store"));
        let mut sum = BTreeMap::new();
        add(&mut sum, &blind);
        add(&mut sum, &sound());
        assert_eq!(check(&sum), Ok(()));
    }

    #[test]
    fn only_invariants_that_exist_await_something() {
        assert!(AWAITS.iter().all(|(name, _)| ALL.contains(name)));
    }
}
