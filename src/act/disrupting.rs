//! Which target groups something is being taken out of, by any service: such steps come one after the other for each group
//! (S6), and each sees what the earlier ones did, whatever AWS's answers show yet (S16).

use crate::decide::replace::is_registered;
use crate::model::{InstanceId, Observation, Step, TargetGroupArn, TargetState};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// AWS's answers are older than its effects by minutes at the most. A target that is shown as registered after so long is
/// registered: somebody has put it back.
const SHOWS_AFTER: Duration = Duration::from_secs(600);

/// One target, by group, instance and port.
type Taken = (TargetGroupArn, InstanceId, Option<u16>);

#[derive(Debug, Default)]
struct Inner {
    busy: BTreeSet<TargetGroupArn>,
    /// Taken out, and not yet seen to be out, with the boot clock's reading when it was.
    taken: BTreeMap<Taken, Duration>,
}

/// Shared by all services of the process. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Disrupting(Arc<Mutex<Inner>>);

/// The turn of one step; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    all: Disrupting,
    groups: BTreeSet<TargetGroupArn>,
}

impl Disrupting {
    /// The turn of a step that takes `instance` out of `groups`; `None`: another one is at one of them.
    pub(super) fn turn(&self, groups: BTreeSet<TargetGroupArn>) -> Option<Turn> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !inner.busy.is_disjoint(&groups) {
            return None;
        }
        inner.busy.extend(groups.iter().cloned());
        Some(Turn {
            all: self.clone(),
            groups,
        })
    }

    /// AWS accepted a step, or may have done so.
    pub(super) fn sent(&self, step: &Step, now: Duration) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match step {
            Step::Deregister(target) => {
                let taken = (target.arn.clone(), target.instance.clone(), target.port);
                inner.taken.insert(taken, now);
            }
            Step::Register(target) => {
                let back = (target.arn.clone(), target.instance.clone(), target.port);
                inner.taken.remove(&back);
            }
            _ => {}
        }
    }

    /// The look with everything that was taken out shown as draining, whatever AWS's answer, older than that, says.
    pub(super) fn seen_through(&self, mut look: Observation) -> Observation {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for group in look.groups.values_mut() {
            inner.taken.retain(|(arn, instance, port), since| {
                if *arn != group.arn {
                    return true;
                }
                if look.begun.boot.saturating_sub(*since) >= SHOWS_AFTER {
                    return false;
                }
                let mut targets = group.targets.iter_mut();
                let stale = targets.find(|target| {
                    target.instance == *instance && target.port == *port && is_registered(target)
                });
                let is_stale = stale.is_some();
                if let Some(target) = stale {
                    target.health.state = TargetState::Draining;
                }
                is_stale
            });
        }
        look
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut inner = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.busy.retain(|group| !self.groups.contains(group));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_steps_on_one_group_take_turns() {
        let all = Disrupting::default();
        let groups = |names: &[&str]| names.iter().map(|name| TargetGroupArn::new(*name)).collect();
        let first = all.turn(groups(&["a", "b"]));
        assert!(first.is_some());
        assert!(all.turn(groups(&["b", "c"])).is_none());
        assert!(all.turn(groups(&["c"])).is_some());
        drop(first);
        assert!(all.turn(groups(&["b"])).is_some());
    }
}
