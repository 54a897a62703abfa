//! Nights that once were bad, each shrunk to what it takes, with what was wrong in a sentence.

use super::fleet::{
    Fleet, Group, Kind, Operator, Place, Select, Server, Service, Slot, StopBy, Wanted, ZONES,
};
use super::night::{Disturbance, Night, Settings, What};
use super::replacing::Made;
use super::run::run;

/// One service with one slot of as many servers as there are kinds, `count` of which it should have.
fn night(count: u32, kinds: &[Kind], disturbances: &[(u32, What)]) -> Night {
    let slot = Slot {
        of: 0,
        select: Select::Name,
        count,
        idle: false,
        groups: Vec::new(),
    };
    let service = Service {
        place: Place::Home,
        slots: vec![slot],
        starts_stopped: true,
        operator: Operator::Start,
        operator_grace_s: 1800,
        boot_s: 600,
        attempts: 3,
        attempts_per_day: 6,
        cooldown_s: 120,
        told: true,
        says_where: false,
        registers_after_s: None,
        replace: None,
    };
    let server = |(zone, kind): (usize, &Kind)| Server {
        service: 0,
        of: 0,
        zone,
        kind: *kind,
        image: Made::Common,
        stopped: None,
        also: None,
    };
    let disturbance = |(at_s, what): &(u32, What)| Disturbance {
        at_s: *at_s,
        what: what.clone(),
    };
    Night {
        seed: 1,
        fleet: Fleet {
            services: vec![service],
            servers: kinds.iter().enumerate().map(server).collect(),
            groups: Vec::new(),
        },
        settings: Settings {
            interval_s: 60,
            mutations_per_hour: 60,
            parameter: false,
            channel: true,
            heartbeat: false,
        },
        storm_s: 7200,
        disturbances: disturbances.iter().map(disturbance).collect(),
        bug: None,
    }
}

fn ends_well(night: &Night) {
    let report = run(night);
    assert!(report.broken.is_empty(), "{:#?}\n{}", report.broken, report.story);
}

/// Two of three were wanted; the Spot instance, which nothing may start, was counted as one of them, and the third stayed
/// stopped for ever as surplus.
#[test]
fn what_cannot_be_started_takes_no_place_from_what_can() {
    let kinds = [Kind::Spot, Kind::OnDemand, Kind::OnDemand];
    let by = StopBy::SpotShutdown;
    ends_well(&night(2, &kinds, &[(891, What::StopAll { by })]));
}

/// While the wall clock was eight minutes back a look was journaled; the next process took the clock's return for time that
/// the person's stop had lasted, and undid it too early.
#[test]
fn a_wall_clock_that_returns_over_a_restart_is_no_time_passed() {
    let stop = What::Stop {
        server: 0,
        by: StopBy::Person,
    };
    let back = What::WallClock {
        forward_s: -475,
        lasts_s: 34,
    };
    let disturbances = [(958, back), (964, stop), (983, What::Restart { down_s: 125 })];
    ends_well(&night(1, &[Kind::OnDemand], &disturbances));
}

/// The slot's one place was kept for a server whose stop a person had repeated, and which nothing may start; its spare was
/// surplus for ever.
#[test]
fn a_spare_is_started_in_place_of_one_whose_stop_is_respected() {
    let stop = |server, by| What::Stop { server, by };
    let disturbances = [
        (10, stop(1, StopBy::Guest)),
        (100, stop(0, StopBy::Person)),
        (2500, stop(0, StopBy::Person)),
    ];
    ends_well(&night(1, &[Kind::OnDemand, Kind::OnDemand], &disturbances));
}

/// Registering it was planned at every look, six times a minute for hours, and refused by the guard each time.
#[test]
fn a_spot_instance_that_somebody_takes_out_of_its_group_is_left_alone() {
    let out = What::Deregister { group: 0, server: 0 };
    let mut night = night(1, &[Kind::Spot], &[(900, out)]);
    let group = Wanted { group: 0, port: None };
    let service = &mut night.fleet.services[0];
    service.slots[0].groups = vec![group];
    service.registers_after_s = Some(300);
    night.fleet.groups = vec![Group {
        place: Place::Home,
        port: 8080,
        in_use: true,
        min_healthy: None,
    }];
    ends_well(&night);
}

/// The cap on mutations was counted by the wall clock alone: set forward by NTP, it forgot what had been sent minutes ago.
#[test]
fn a_wall_clock_set_forward_does_not_free_the_hours_cap() {
    let stop = |server| What::Stop {
        server,
        by: StopBy::Retirement,
    };
    let forward = What::WallClock {
        forward_s: 3600,
        lasts_s: 1800,
    };
    let disturbances = [(600, stop(0)), (900, stop(1)), (1200, forward), (1500, stop(2))];
    let mut night = night(3, &[Kind::OnDemand; 3], &disturbances);
    night.settings.mutations_per_hour = 2;
    ends_well(&night);
}

/// Twelve idle servers, which nobody looks after, were counted among those of which too many may ail: all three that were
/// looked after went down, and nobody was told that this was more than one server's fault.
#[test]
fn what_is_idle_does_not_hide_that_all_the_rest_ails() {
    let by = StopBy::Retirement;
    let mut night = night(3, &[Kind::OnDemand; 15], &[(600, What::StopAll { by })]);
    let service = &mut night.fleet.services[0];
    service.starts_stopped = false;
    let idle = Slot {
        of: 1,
        idle: true,
        count: 12,
        ..service.slots[0].clone()
    };
    service.slots.push(idle);
    for (number, server) in night.fleet.servers.iter_mut().enumerate() {
        server.zone = number % ZONES;
        if number >= 3 {
            server.of = 1;
            server.stopped = Some(StopBy::Person);
        }
    }
    ends_well(&night);
}
