//! Which processes live, and which of them holds the lease of which service: S14 and L4.
//!
//! A lease lasts from the moment at which the request for it left its holder, in true time: whoever was suspended meanwhile
//! has no more of it than anybody else.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::case::Case;
use super::declared::LeaseRule;
use super::tally::Findings;
use crate::sim::world::later;

/// Within so many lease times a dead replica's services are another's.
const LEASES: u32 = 2;

#[derive(Debug, Clone, Copy)]
struct Life {
    began: Timestamp,
    ended: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy)]
struct Lease {
    life: u32,
    /// When the request for it was sent.
    asked: Timestamp,
    /// It was given up before its end.
    given_up: bool,
}

/// The processes of a run, and the leases that they hold.
#[derive(Debug, Default)]
pub(super) struct Lives {
    lives: BTreeMap<u32, Life>,
    leases: BTreeMap<String, Lease>,
}

impl Lives {
    pub(super) fn began(&mut self, now: Timestamp, life: u32) {
        self.lives.insert(
            life,
            Life {
                began: now,
                ended: None,
            },
        );
    }

    pub(super) fn ended(&mut self, now: Timestamp, life: u32) {
        if let Some(life) = self.lives.get_mut(&life) {
            life.ended.get_or_insert(now);
        }
    }

    /// The store has taken a claim or a renewal.
    pub(super) fn taken(
        &mut self,
        (now, rule): (Timestamp, Option<LeaseRule>),
        life: u32,
        service: &str,
        asked: Timestamp,
        l4: &mut Findings,
    ) {
        if let Some((rule, before)) = rule.zip(self.leases.get(service))
            && before.life != life
            && let Some(deadline) = self.deadline(rule, before)
        {
            l4.require(now <= deadline, || {
                format!("service {service} was taken over at {now}, and not by {deadline}")
            });
        }
        let lease = Lease {
            life,
            asked,
            given_up: false,
        };
        self.leases.insert(service.to_owned(), lease);
    }

    pub(super) fn given_up(&mut self, life: u32, service: &str) {
        if let Some(lease) = self.leases.get_mut(service).filter(|lease| lease.life == life) {
            lease.given_up = true;
        }
    }

    /// By when somebody else must have this lease; `None`: its holder lives, or nobody else does.
    fn deadline(&self, rule: LeaseRule, lease: &Lease) -> Option<Timestamp> {
        let died = self.lives.get(&lease.life)?.ended?;
        let others = self.lives.iter().filter(|(life, _)| **life != lease.life);
        let heir = others.filter(|(_, life)| life.ended.is_none());
        let ready = heir.map(|(_, life)| life.began).min()?.max(died);
        Some(later(ready, rule.lasts * LEASES))
    }
}

/// A mutation is sent under a lease that this very process holds, and that outlasts the call by the clocks' skew.
pub(super) fn s14_lease(case: &Case, findings: &mut Findings) {
    let Some(rule) = case.newest.lease else { return };
    let sent = case.arrival.sent;
    let wanted = SignedDuration::try_from(rule.call_timeout + rule.skew).unwrap_or(SignedDuration::MAX);
    for service in case.services() {
        let lease = case.memory.lives.leases.get(&service.name);
        let own = lease.filter(|lease| lease.life == case.arrival.incarnation && !lease.given_up);
        let left = own.map(|lease| later(lease.asked, rule.lasts).duration_since(sent));
        findings.require(left.is_some_and(|left| left > wanted), || match left {
            Some(left) => format!(
                "the lease of service {} lasts {left:#} more, and {wanted:#} are needed",
                service.name
            ),
            None => format!(
                "the lease of service {} is not this life's: {lease:?}",
                service.name
            ),
        });
    }
}

/// No service is left with a dead replica while another one lives. Judged at the end, for those that nobody took at all.
pub(super) fn l4_takeover(lives: &Lives, now: Timestamp, rule: Option<LeaseRule>, findings: &mut Findings) {
    let Some(rule) = rule else { return };
    for (service, lease) in &lives.leases {
        let Some(deadline) = lives.deadline(rule, lease).filter(|deadline| *deadline < now) else {
            continue;
        };
        findings.require(false, || {
            let life = lease.life;
            format!("service {service} is still life {life}'s, which is over; the deadline was {deadline}")
        });
    }
}
