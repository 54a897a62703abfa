//! Which services are due: pure bookkeeping on the boot clock.

use crate::model::ServiceName;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Looks closer together than this do not count.
const LEAST_BETWEEN_LOOKS: Duration = Duration::from_secs(10);

/// The next moment of the grid that all quiet services share: what is looked at together is listed with one request. Sooner
/// than the interval is up, or at most [`LEAST_BETWEEN_LOOKS`] after that.
pub fn on_the_grid(now: Duration, interval: Duration) -> Duration {
    let interval_ms = interval.as_millis().max(1);
    let earliest_ms = now
        .saturating_add(LEAST_BETWEEN_LOOKS.min(interval / 2))
        .as_millis();
    let next_ms = (earliest_ms / interval_ms + 1) * interval_ms;
    Duration::from_millis(u64::try_from(next_ms).unwrap_or(u64::MAX))
}

/// When each service is looked at next, and which are being looked at.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    next: BTreeMap<ServiceName, Duration>,
    running: BTreeSet<ServiceName>,
}

impl Schedule {
    /// Takes over the set of services; new ones are due at once.
    pub fn set_services<'a>(&mut self, services: impl Iterator<Item = &'a ServiceName>, now: Duration) {
        let services: BTreeSet<&ServiceName> = services.collect();
        self.next.retain(|service, _| services.contains(service));
        for service in services {
            self.next.entry(service.clone()).or_insert(now);
        }
    }

    /// Everything is due now: after a reload, whose policies may want other things.
    pub fn all_due(&mut self, now: Duration) {
        self.next.values_mut().for_each(|at| *at = (*at).min(now));
    }

    /// Takes out the services that are due and not under way; they are under way until [`Self::done`].
    pub fn take_due(&mut self, now: Duration) -> BTreeSet<ServiceName> {
        let due: BTreeSet<ServiceName> = self
            .next
            .iter()
            .filter(|(service, at)| **at <= now && !self.running.contains(*service))
            .map(|(service, _)| service.clone())
            .collect();
        self.running.extend(due.iter().cloned());
        due
    }

    /// A pass over `service` has ended; it is due again at `next`.
    pub fn done(&mut self, service: &ServiceName, next: Duration) {
        self.running.remove(service);
        if let Some(at) = self.next.get_mut(service) {
            *at = next;
        }
    }

    /// The next moment at which something that is not under way is due.
    pub fn next_due(&self) -> Option<Duration> {
        self.next
            .iter()
            .filter(|(service, _)| !self.running.contains(*service))
            .map(|(_, at)| *at)
            .min()
    }

    pub fn is_idle(&self) -> bool {
        self.running.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_service_under_way_is_not_due_again_before_it_is_done() {
        let mut schedule = Schedule::default();
        let (a, b): (ServiceName, ServiceName) = ("a".into(), "b".into());
        schedule.set_services([&a, &b].into_iter(), seconds(5));
        assert_eq!(schedule.take_due(seconds(5)).len(), 2);
        schedule.all_due(seconds(6));
        assert!(schedule.take_due(seconds(100)).is_empty());
        schedule.done(&a, seconds(60));
        assert_eq!(schedule.next_due(), Some(seconds(60)));
        assert!(schedule.take_due(seconds(59)).is_empty());
        assert_eq!(schedule.take_due(seconds(60)), BTreeSet::from([a]));
        assert!(!schedule.is_idle());
    }

    #[test]
    fn quiet_services_meet_on_the_grid_whenever_they_were_done() {
        let interval = seconds(60);
        for (done, next) in [
            (0, 60),
            (1, 60),
            (49, 60),
            (50, 120),
            (59, 120),
            (60, 120),
            (61, 120),
        ] {
            assert_eq!(
                on_the_grid(seconds(done), interval),
                seconds(next),
                "done at {done}"
            );
        }
        assert_eq!(on_the_grid(Duration::from_millis(100), seconds(1)), seconds(1));
    }

    #[test]
    fn a_service_that_was_removed_while_under_way_is_never_due_again() {
        let mut schedule = Schedule::default();
        let a: ServiceName = "a".into();
        schedule.set_services([&a].into_iter(), seconds(0));
        schedule.take_due(seconds(0));
        schedule.set_services([].into_iter(), seconds(1));
        schedule.done(&a, seconds(2));
        assert_eq!(schedule.next_due(), None);
    }
}
