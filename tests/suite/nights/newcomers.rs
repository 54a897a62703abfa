//! What happens to instances that were launched in others' places: nobody can name them before they are there.

use super::fleet::Fleet;
use super::night::Fate;
use keepgreen::sim::world::{App, Check, Instance, State, World};
use std::time::Duration;

/// Whose place a launched instance takes.
pub const REPLACES: &str = "keepgreen:replaces";

/// Fates that wait for whom they are for.
#[derive(Default)]
pub struct Newcomers(Vec<Awaited>);

struct Awaited {
    of: usize,
    age: Duration,
    fate: Fate,
}

impl Newcomers {
    pub fn await_one(&mut self, of: usize, age_s: u32, fate: Fate) {
        let age = Duration::from_secs(age_s.into());
        self.0.push(Awaited { of, age, fate });
    }

    /// Each awaited fate meets the newest one in its server's place, once that is old enough.
    pub fn meet(&mut self, world: &mut World, fleet: &Fleet) {
        self.0.retain(|awaited| {
            let newest = newest(world, awaited.of);
            let old_enough = |i: &&Instance| {
                let age = Duration::try_from(world.now().duration_since(i.launch_time));
                age.is_ok_and(|age| age >= awaited.age)
            };
            let Some(id) = newest.filter(old_enough).map(|i| i.id.clone()) else {
                return true;
            };
            strike(world, fleet, &id, awaited.of, awaited.fate);
            false
        });
    }

    /// No more of it, and whatever such a fate has left is set right.
    pub fn spare(&mut self, world: &mut World, fleet: &Fleet) {
        self.0.clear();
        for server in 0..fleet.servers.len() {
            for id in in_place_of(world, server)
                .map(|i| i.id.clone())
                .collect::<Vec<_>>()
            {
                world.set_app(&id, App::Serving);
                world.mend(&id, Check::Instance);
                world.mend(&id, Check::System);
                world.retag(&id, "keepgreen:pause", None);
                for (key, value) in fleet.tags(server) {
                    world.retag(&id, &key, Some(&value));
                }
            }
        }
    }
}

/// Everything that was launched in this server's place, or in the place of such a one.
fn in_place_of(world: &World, server: usize) -> impl Iterator<Item = &Instance> {
    world
        .instances()
        .map(AsRef::as_ref)
        .filter(move |instance: &&Instance| {
            let mut one = *instance;
            // Nobody takes the place of a younger one, so this ends.
            while let Some(replaced) = one.tag(REPLACES) {
                if replaced == Fleet::id(server) {
                    return true;
                }
                let Some(next) = world.instance(replaced) else {
                    return false;
                };
                one = next;
            }
            false
        })
}

/// The youngest living one in its place.
pub fn newest(world: &World, server: usize) -> Option<&Instance> {
    let living =
        in_place_of(world, server).filter(|i| !matches!(i.state, State::Terminated | State::ShuttingDown));
    living.max_by_key(|i| (i.launch_time, i.id.clone()))
}

fn strike(world: &mut World, fleet: &Fleet, id: &str, of: usize, fate: Fate) {
    match fate {
        Fate::Stops(by) if by.is_person() => world.stop_by_person(id),
        Fate::Stops(by) => world.stop_by_aws(id, by.code()),
        Fate::PersonTerminates => world.terminate(id),
        Fate::AwsTerminates => world.terminate_by_aws(id, "Server.InternalError"),
        Fate::Breaks => world.set_app(id, App::Broken),
        Fate::IsImpaired => world.impair(id, Check::Instance),
        Fate::LosesItsTags => fleet.tags(of).iter().all(|(key, _)| world.retag(id, key, None)),
        Fate::IsPaused => world.retag(id, "keepgreen:pause", Some("")),
    };
}
