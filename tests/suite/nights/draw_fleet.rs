//! Draws fleets: mostly small and plain, as most are, now and then with everything that selectors, Auto Scaling groups and
//! other people's tags can do to a service.

use super::draw::Dice;
use super::fleet::{
    Fleet, Group, Kind, Operator, Place, Select, Server, Service, Slot, StopBy, Wanted, ZONES,
};
use super::replacing::Made;

const MOST_SERVICES: usize = 6;
const MOST_SLOTS: usize = 8;
const MOST_SERVERS_OF_A_SLOT: usize = 4;
/// More would make nights long without making them deeper.
const MOST_SERVERS: usize = 24;

pub fn fleet(dice: &mut Dice) -> Fleet {
    let count = match dice.below(3) {
        0 => 1,
        1 => 1 + dice.below(2),
        _ => 1 + dice.below(MOST_SERVICES),
    };
    let abroad = dice.one_in(3);
    let strange = dice.one_in(2);
    let groups = groups(dice, abroad);
    let services: Vec<Service> = (0..count)
        .map(|_| service(dice, abroad, strange, &groups))
        .collect();
    let mut fleet = Fleet {
        services,
        servers: Vec::new(),
        groups,
    };
    servers(dice, strange, &mut fleet);
    if strange {
        doubles(dice, &mut fleet);
    }
    fleet
}

fn groups(dice: &mut Dice, abroad: bool) -> Vec<Group> {
    (0..dice.below(4))
        .map(|n| Group {
            place: place(dice, abroad),
            port: 8080 + u16::try_from(n).unwrap_or(0),
            in_use: !dice.one_in(6),
            min_healthy: None,
        })
        .collect()
}

fn place(dice: &mut Dice, abroad: bool) -> Place {
    if abroad { dice.of(&Place::ALL) } else { Place::Home }
}

fn service(dice: &mut Dice, abroad: bool, strange: bool, groups: &[Group]) -> Service {
    let place = place(dice, abroad);
    let slots = match dice.below(4) {
        0 => 1,
        1 => 1 + dice.below(MOST_SLOTS),
        _ => 2,
    };
    let mut slots: Vec<Slot> = (0..slots).map(|of| slot(dice, of, place, groups)).collect();
    // Two sets of tags in one service could be on one instance, which a policy may not allow.
    let tags = if dice.one_in(2) {
        Select::Tags
    } else {
        Select::Name
    };
    for slot in slots.iter_mut().filter(|_| strange) {
        slot.select = match dice.below(6) {
            0 => Select::Ids,
            // The world's groups are at home.
            1 if place == Place::Home => Select::ScalingGroup,
            _ => tags,
        };
    }
    let attempts = dice.within(1, 4);
    Service {
        place,
        slots,
        starts_stopped: !dice.one_in(8),
        operator: if dice.one_in(3) {
            dice.of(&[Operator::Respect, Operator::Alert])
        } else {
            Operator::Start
        },
        operator_grace_s: dice.of(&[0, 60, 300, 900, 1800]),
        boot_s: dice.of(&[300, 600, 600, 1200]),
        attempts,
        attempts_per_day: dice.within(attempts, 8),
        cooldown_s: dice.of(&[10, 60, 120, 120, 600]),
        told: dice.one_in(2),
        says_where: dice.one_in(2),
        registers_after_s: None,
        replace: None,
    }
}

fn slot(dice: &mut Dice, of: usize, place: Place, groups: &[Group]) -> Slot {
    let mine = groups
        .iter()
        .enumerate()
        .filter(|(_, group)| group.place == place);
    let mut wanted = Vec::new();
    for (number, _) in mine {
        if dice.one_in(2) {
            let port = dice.one_in(4).then(|| 9000 + u16::try_from(of).unwrap_or(0));
            wanted.push(Wanted { group: number, port });
        }
    }
    Slot {
        of,
        select: Select::Name,
        count: 1,
        idle: dice.one_in(8),
        groups: wanted,
    }
}

fn servers(dice: &mut Dice, strange: bool, fleet: &mut Fleet) {
    for service in 0..fleet.services.len() {
        for slot in 0..fleet.services[service].slots.len() {
            let many = if dice.one_in(3) { MOST_SERVERS_OF_A_SLOT } else { 1 };
            let count = 1 + dice.below(many);
            let room = MOST_SERVERS - fleet.servers.len().min(MOST_SERVERS);
            let count = count.min(room.max(1));
            for _ in 0..count {
                let server = server(dice, strange, service, fleet.services[service].slots[slot].of);
                fleet.servers.push(server);
            }
            let mut wanted = u32::try_from(count).unwrap_or(1);
            let by_id = fleet.services[service].slots[slot].select == Select::Ids;
            if strange && !by_id && dice.one_in(3) {
                // Fewer are needed than there are, or more.
                wanted = dice.within(1, wanted + 1);
            }
            if !by_id && dice.one_in(5) && fleet.servers.len() < MOST_SERVERS {
                fleet
                    .servers
                    .push(spare(dice, service, fleet.services[service].slots[slot].of));
            }
            fleet.services[service].slots[slot].count = wanted;
        }
    }
}

fn server(dice: &mut Dice, strange: bool, service: usize, of: usize) -> Server {
    let kind = match dice.below(8) {
        0 | 1 if strange => Kind::Spot,
        2 if strange => Kind::InstanceStore,
        _ => Kind::OnDemand,
    };
    let stopped = dice.one_in(10).then(|| dice.of(&StopBy::ALL));
    Server {
        service,
        of,
        zone: dice.below(ZONES),
        kind,
        image: Made::Common,
        // An instance with an instance-store root is never stopped.
        stopped: stopped.filter(|_| kind != Kind::InstanceStore),
        also: None,
    }
}

/// One more than is needed, and stopped.
fn spare(dice: &mut Dice, service: usize, of: usize) -> Server {
    Server {
        service,
        of,
        zone: dice.below(ZONES),
        kind: Kind::OnDemand,
        image: Made::Common,
        stopped: Some(dice.of(&[StopBy::Person, StopBy::Guest, StopBy::Retirement])),
        also: None,
    }
}

/// Instances that two selectors find.
fn doubles(dice: &mut Dice, fleet: &mut Fleet) {
    for number in 0..fleet.servers.len() {
        if !dice.one_in(3) {
            continue;
        }
        let service = dice.below(fleet.services.len());
        let slot = dice.below(fleet.services[service].slots.len());
        let of = fleet.services[service].slots[slot].of;
        let own = fleet.select_of(fleet.servers[number].service, fleet.servers[number].of);
        let other = fleet.select_of(service, of);
        let can = matches!(
            (own, other),
            (Select::Name, Select::Tags) | (Select::Tags, Select::Name) | (Select::Ids, Select::Tags)
        );
        if can && fleet.services[service].place == fleet.place(number) {
            fleet.servers[number].also = Some((service, of));
        }
    }
}
