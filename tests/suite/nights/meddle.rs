//! Carries out a night's disturbances, each at its second, and ends each in its time.

use super::fleet::{Fleet, HOOK, Place, ZONES, service_name};
use super::judge::broken;
use super::newcomers::Newcomers;
use super::night::{Calls, Edit, Night, PauseBy, What, Whereto};
use super::office::Office;
use super::process::Process;
use super::replacing::Made;
use super::visitor::Visitor;
use super::world_acts::{check, fault_of, hook, mend_image, retag, strike};
use jiff::{SignedDuration, Timestamp};
use keepgreen::controller::Message;
use keepgreen::sim::world::webhook::WebhookAnswer;
use keepgreen::sim::world::{App, Staleness};
use keepgreen::sim::{Cloud, Fault, When};
use std::collections::BTreeMap;
use std::time::Duration;

/// A process that is well has read a changed policy file after so long.
pub const EDIT_READ_WITHIN: Duration = Duration::from_secs(60);

/// Who disturbs.
pub struct Meddler<'a> {
    night: &'a Night,
    cloud: Cloud,
    process: &'a Process,
    pub office: Office,
    visitor: Visitor,
    started: Timestamp,
    /// What is to come, by its second.
    due: BTreeMap<(u32, usize), Act>,
    acts: usize,
    /// Faults of calls that are on: they are cleared and set anew when one ends.
    faults: Vec<(usize, When, Fault)>,
    wall_forward_s: i64,
    newcomers: Newcomers,
    /// When somebody edited a policy: what is in force has not changed before it was read.
    pub edits: Vec<Timestamp>,
    /// When the process could not take up edits.
    pub unwell: Vec<(Timestamp, Timestamp)>,
}

enum Act {
    Begin(usize),
    End(usize),
}

fn seconds(n: u32) -> Duration {
    Duration::from_secs(n.into())
}

impl<'a> Meddler<'a> {
    pub fn new(
        night: &'a Night,
        cloud: &Cloud,
        process: &'a Process,
        office: Office,
        visitor: Visitor,
    ) -> Self {
        let disturbances = night.disturbances.iter().enumerate();
        let due: BTreeMap<(u32, usize), Act> = disturbances
            .map(|(n, disturbance)| ((disturbance.at_s, n), Act::Begin(n)))
            .collect();
        Self {
            night,
            started: cloud.clock().now(),
            cloud: cloud.clone(),
            process,
            office,
            visitor,
            acts: due.len(),
            due,
            faults: Vec::new(),
            wall_forward_s: 0,
            newcomers: Newcomers::default(),
            edits: Vec::new(),
            unwell: Vec::new(),
        }
    }

    /// The true time of a second of this night.
    pub fn at(&self, second: u32) -> Timestamp {
        self.started + seconds(second)
    }

    /// Until the storm is over, and then sets right whatever is still wrong.
    pub async fn storm(&mut self) {
        // What ends with the storm stays due: the calm ends it.
        while let Some(next) = self
            .due
            .first_entry()
            .filter(|next| next.key().0 < self.night.storm_s)
        {
            let ((second, _), act) = next.remove_entry();
            self.wait(second).await;
            match act {
                Act::Begin(n) => self.begin(n).await,
                Act::End(n) => self.end(n).await,
            }
        }
        self.wait(self.night.storm_s).await;
        self.calm().await;
    }

    /// Sleeps until then, by true time: a suspended machine wakes up later than it thinks.
    pub async fn wait(&mut self, second: u32) {
        let at = self.at(second);
        loop {
            let left = self.cloud.clock().until(at);
            if left.is_zero() || self.has_seen_enough() {
                return;
            }
            // Looks in on the process now and then, to know when it could take up what people write.
            let step = left.min(Duration::from_secs(20));
            tokio::time::sleep(step).await;
            let now = self.cloud.clock().now();
            self.cloud
                .world(|world| self.newcomers.meet(world, &self.night.fleet));
            if !self.process.is_well() {
                self.unwell.push((now - step, now));
            }
        }
    }

    /// Of a deliberate bug that was noticed there is nothing more to learn.
    fn has_seen_enough(&self) -> bool {
        self.night.bug.is_some() && !broken(&self.cloud.violations(), self).is_empty()
    }

    /// It ends by itself after so long, which needs a moment of its own.
    fn ends(&mut self, n: usize, lasts_s: u32) {
        let at_s = self.night.disturbances[n].at_s + lasts_s;
        self.due.insert((at_s, self.acts), Act::End(n));
        self.acts += 1;
    }

    async fn begin(&mut self, n: usize) {
        let now = self.cloud.clock().now();
        let night = self.night;
        let what = &night.disturbances[n].what;
        let cloud = self.cloud.clone();
        if let Some(lasts_s) = what.lasts_s() {
            self.ends(n, lasts_s);
        }
        match *what {
            What::Crash {
                at,
                after,
                phase,
                down_s,
            } => self.process.aim(at.name().as_deref(), after, phase, down_s),
            What::Kill { down_s } => self.process.kill(down_s),
            What::Restart { down_s } => self.process.restart(down_s),
            What::Failover { down_s } => self.process.fail_over(down_s),
            What::Stall { for_s } => self.stall(for_s),
            What::Resume { service } => {
                self.visitor.resume(&service_name(service), now).await;
            }
            What::Plan => {
                // Whoever waits longer for an answer interrupts it.
                let _ = tokio::time::timeout(Duration::from_secs(60), self.visitor.plan()).await;
            }
            What::WallClock { forward_s, .. } => self.set_wall(forward_s.into()),
            What::Suspend { for_s } => cloud.clock().machine().suspend(seconds(for_s)),
            What::DiskFull { .. } => self.process.fill_disk(true).await,
            What::Call { which, fault, .. } => {
                let (when, fault) = (self.calls(which), fault_of(fault));
                self.faults.push((n, when.clone(), fault.clone()));
                cloud.inject(when, fault);
            }
            What::Pause { by, .. } => {
                if self.office.pause(by, &cloud, now) {
                    self.edited(now);
                }
                self.declare();
            }
            What::Edit { service, edit } => {
                let was_read = || {
                    let last = self.edits.last();
                    self.process.is_well() && last.is_none_or(|at| *at + EDIT_READ_WITHIN < now)
                };
                // What a file falls back to is known only if its last change has been read.
                let falls_back = matches!(edit, Edit::Broken { .. } | Edit::Deleted { .. });
                if (!falls_back || was_read()) && self.office.edit(service, edit, now) {
                    self.edited(now);
                }
                self.declare();
            }
            What::Webhook { answer, .. } => cloud.world(|w| w.set_webhook(HOOK, hook(answer))),
            What::Newcomer { of, age_s, fate } => self.newcomers.await_one(of, age_s, fate),
            _ => cloud.world(|world| strike(world, &night.fleet, what, now)),
        }
    }

    async fn end(&mut self, n: usize) {
        let now = self.cloud.clock().now();
        let (night, cloud) = (self.night, self.cloud.clone());
        let fleet = &night.fleet;
        match night.disturbances[n].what {
            What::WallClock { forward_s, .. } => self.set_wall(-i64::from(forward_s)),
            What::DiskFull { .. } => self.process.fill_disk(false).await,
            What::Call { .. } => {
                self.faults.retain(|(of, ..)| *of != n);
                cloud.end_faults();
                for (_, when, fault) in &self.faults {
                    cloud.inject(when.clone(), fault.clone());
                }
            }
            What::Pause { by, .. } => self.resume(by, now),
            What::Edit { service, .. } => {
                self.office.mend(service, now);
                self.edited(now);
                self.declare();
            }
            What::Webhook { .. } => cloud.world(|w| w.set_webhook(HOOK, WebhookAnswer::Ok)),
            What::ZoneOutage { zone, .. } | What::NoCapacity { zone, .. } => {
                cloud.world(|w| w.capacity(&Place::Home.zone(zone), None, true));
            }
            What::Retag { server, tag, .. } => {
                cloud.world(|w| retag(w, fleet, server, tag, now, false));
            }
            What::Image { made, .. } => cloud.world(|w| mend_image(w, made)),
            What::BadImage { place, .. } => {
                cloud.world(|w| w.break_image(&place.image(Made::Good), None));
            }
            What::Impair { server, system, .. } => {
                cloud.world(|w| w.mend(&Fleet::id(server), check(system)));
            }
            What::Application { server, .. } => {
                cloud.world(|w| w.set_app(&Fleet::id(server), App::Serving));
            }
            What::Poison { server, .. } => {
                cloud.world(|w| w.poison(&Fleet::id(server), None));
            }
            What::Stale { .. } => cloud.world(|w| w.set_staleness(Staleness::default())),
            What::Deny { action, .. } => {
                let name = action.name().unwrap_or_default();
                cloud.world(|w| {
                    for place in Place::ALL {
                        w.deny(&place.scope().account, &name, false);
                    }
                });
            }
            _ => {}
        }
    }

    /// Faults off: whatever was wrong with AWS, the network and the machine is over, and people have ended what they
    /// began.
    async fn calm(&mut self) {
        let begun: Vec<usize> = std::mem::take(&mut self.due)
            .into_values()
            .filter_map(|act| match act {
                Act::End(n) => Some(n),
                Act::Begin(_) => None,
            })
            .collect();
        for n in begun {
            self.end(n).await;
        }
        self.process.spare();
        let now = self.cloud.clock().now();
        self.cloud.world(|world| {
            for n in 0..self.night.fleet.servers.len() {
                let id = Fleet::id(n);
                world.fail_start(&id, 0);
                world.hide_instance(&id, now);
            }
            self.newcomers.spare(world, &self.night.fleet);
            for zone in 0..ZONES {
                world.capacity(&Place::Home.zone(zone), None, true);
            }
        });
        self.declare();
        self.cloud.calm();
    }

    /// As production counts: three intervals and a turn of the loop, and half a minute to be sure.
    fn stall(&self, for_s: u32) {
        let noticed_after = seconds(self.night.settings.interval_s) * 3 + seconds(90);
        self.process.stall(seconds(for_s), noticed_after);
    }

    fn resume(&mut self, by: PauseBy, now: Timestamp) {
        let cloud = self.cloud.clone();
        if self.office.resume(by, &cloud, now) {
            self.edited(now);
        }
        self.declare();
    }

    fn edited(&mut self, now: Timestamp) {
        self.edits.push(now);
        self.process.tell(Message::Reload);
    }

    pub fn declare(&self) {
        self.cloud.declare(self.office.declared());
    }

    fn set_wall(&mut self, forward_s: i64) {
        self.wall_forward_s += forward_s;
        let machine = self.cloud.clock().machine();
        machine.set_wall_forward(SignedDuration::from_secs(forward_s));
    }

    fn calls(&self, which: Calls) -> When {
        let mut when = match (which.whereto, which.action.name()) {
            (Whereto::Channel, _) => When::host(HOOK),
            (_, Some(name)) => When::action(&name),
            (_, None) => When::any(),
        };
        if let Some(server) = which.about {
            when = when.about(&Fleet::id(server));
        }
        when = match which.whereto {
            Whereto::OtherRegion => when.region(&Place::OtherRegion.scope().region),
            Whereto::OtherAccount => when.account(&Place::OtherAccount.scope().account),
            Whereto::Anywhere | Whereto::Channel => when,
        };
        when = when.after(which.after);
        match which.times {
            Some(times) => when.times(times),
            None => when,
        }
    }
}

impl What {
    /// After how long it ends by itself; `None`: there is nothing to end.
    pub fn lasts_s(&self) -> Option<u32> {
        match *self {
            What::ZoneOutage { lasts_s, .. }
            | What::Retag { lasts_s, .. }
            | What::Image { lasts_s, .. }
            | What::BadImage { lasts_s, .. }
            | What::Impair { lasts_s, .. }
            | What::Application { lasts_s, .. }
            | What::Poison { lasts_s, .. }
            | What::NoCapacity { lasts_s, .. }
            | What::Call { lasts_s, .. }
            | What::Stale { lasts_s, .. }
            | What::Deny { lasts_s, .. }
            | What::Pause { lasts_s, .. }
            | What::WallClock { lasts_s, .. }
            | What::DiskFull { lasts_s }
            | What::Webhook { lasts_s, .. } => Some(lasts_s),
            What::Edit {
                edit: Edit::Broken { lasts_s, .. } | Edit::Deleted { lasts_s },
                ..
            } => Some(lasts_s),
            _ => None,
        }
    }
}
