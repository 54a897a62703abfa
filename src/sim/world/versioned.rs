//! A value together with its recent past, so that a read can be as stale as AWS's reads sometimes are.
//!
//! Every change of an object is kept as a version for [`HORIZON`]. A stale read is then nothing special: it looks
//! at an earlier moment of the same history, and an object that did not exist then is absent, as it would be.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

/// How far back a read can look. Eventual consistency of minutes is the worst that users report of EC2.
pub const HORIZON: Duration = Duration::from_secs(20 * 60);

/// The versions of one object, oldest first; `None` from the moment it was deleted.
#[derive(Debug, Clone)]
pub struct Versioned<T> {
    versions: VecDeque<(Timestamp, Option<Arc<T>>)>,
}

impl<T: Clone> Versioned<T> {
    /// An object that exists since `at`.
    pub fn new(at: Timestamp, value: T) -> Self {
        Self {
            versions: VecDeque::from([(at, Some(Arc::new(value)))]),
        }
    }

    /// The object as it really is; `None` once it was deleted.
    pub fn now(&self) -> Option<&Arc<T>> {
        self.versions.back().and_then(|(_, value)| value.as_ref())
    }

    /// The object as it was at `moment`; `None` if it did not exist then.
    pub fn at(&self, moment: Timestamp) -> Option<&Arc<T>> {
        let version = self.versions.iter().rev().find(|(since, _)| *since <= moment);
        version.and_then(|(_, value)| value.as_ref())
    }

    /// Everything the object was at some moment from `from` to `to`.
    pub fn between(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = &Arc<T>> {
        let ends = self
            .versions
            .iter()
            .skip(1)
            .map(|(until, _)| Some(*until))
            .chain([None]);
        let lives = self.versions.iter().zip(ends);
        lives
            .filter(move |((since, _), until)| *since <= to && until.is_none_or(|until| until > from))
            .filter_map(|((_, value), _)| value.as_ref())
    }

    /// Change the object at `now`. Does nothing, and returns `None`, if it was deleted.
    pub fn edit<R>(&mut self, now: Timestamp, change: impl FnOnce(&mut T) -> R) -> Option<R> {
        let mut value = T::clone(self.now()?);
        let result = change(&mut value);
        self.push(now, Some(Arc::new(value)));
        Some(result)
    }

    /// Let the object exist (again) from `now` on.
    pub fn put(&mut self, now: Timestamp, value: T) {
        self.push(now, Some(Arc::new(value)));
    }

    /// The object is gone from `now` on.
    pub fn delete(&mut self, now: Timestamp) {
        self.push(now, None);
    }

    fn push(&mut self, now: Timestamp, value: Option<Arc<T>>) {
        match self.versions.back_mut() {
            Some(last) if last.0 == now => last.1 = value,
            _ => self.versions.push_back((now, value)),
        }
        // The newest version older than the horizon stays: it is what a read at the horizon sees.
        while self
            .versions
            .get(1)
            .is_some_and(|(since, _)| *since + HORIZON < now)
        {
            self.versions.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(n: i64) -> Timestamp {
        Timestamp::from_second(n).unwrap()
    }

    #[test]
    fn a_read_of_the_past_sees_what_was_true_then() {
        let mut state = Versioned::new(second(0), "stopped");
        state.edit(second(10), |s| *s = "pending");
        state.edit(second(20), |s| *s = "running");
        state.delete(second(30));
        let seen = |n| state.at(second(n)).map(|s| **s);
        assert_eq!(seen(-1), None);
        assert_eq!(seen(9), Some("stopped"));
        assert_eq!(seen(10), Some("pending"));
        assert_eq!(seen(29), Some("running"));
        assert_eq!(seen(30), None);
        let between = |from, to| {
            state
                .between(second(from), second(to))
                .map(|s| **s)
                .collect::<Vec<_>>()
        };
        assert_eq!(between(5, 10), ["stopped", "pending"]);
        assert_eq!(between(20, 40), ["running"]);
        assert_eq!(between(30, 40), [""; 0]);
    }

    #[test]
    fn the_past_is_bounded_but_reaches_the_horizon() {
        let mut count = Versioned::new(second(0), 0);
        for n in 1..10_000 {
            count.edit(second(n), |c| *c = n);
        }
        assert!(count.versions.len() <= HORIZON.as_secs() as usize + 2);
        assert_eq!(count.at(second(9_999 - 1_200)).map(|c| **c), Some(9_999 - 1_200));
    }
}
