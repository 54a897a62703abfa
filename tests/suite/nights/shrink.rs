//! Makes a bad night smaller: fewer disturbances that still break the same thing.
//!
//! Delta debugging: drop halves, then quarters, and so on down to one, for as long as the same invariant is broken.

use super::night::Night;
use super::run::run;

/// Each try is a whole night.
const MOST_TRIES: usize = 200;

/// The places of the fewest disturbances found that still break what all of them break. Empty: none is needed.
pub fn shrink(night: &Night, kind: &str) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..night.disturbances.len()).collect();
    let mut tries = 0;
    let mut breaks = |kept: &[usize]| {
        tries += 1;
        tries <= MOST_TRIES && run(&night.only(kept)).kind().as_deref() == Some(kind)
    };
    if breaks(&[]) {
        return Vec::new();
    }
    let mut part = kept.len().div_ceil(2);
    while part > 0 && kept.len() > 1 {
        let mut from = 0;
        let mut dropped = false;
        while from < kept.len() {
            let mut fewer = kept.clone();
            fewer.drain(from..(from + part).min(kept.len()));
            if !fewer.is_empty() && breaks(&fewer) {
                kept = fewer;
                dropped = true;
            } else {
                from += part;
            }
        }
        if part == 1 && !dropped {
            break;
        }
        part = if dropped && part == 1 { 1 } else { part / 2 };
    }
    kept
}
