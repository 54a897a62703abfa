//! Draws nights, each from one number.
//!
//! Swarm style: each night enables a random part of all classes of disturbance, and gathers most of them around a few
//! moments. A night with everything in it would rarely get any one combination deep; a thousand narrow ones do.

use super::draw_fleet::fleet;
use super::draw_what::{Class, what};
use super::night::{Disturbance, Night, Settings};

/// How long a night's storm lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storm {
    pub hours: u32,
}

const MOST_DISTURBANCES: usize = 40;

/// Random numbers with the few shapes that drawing a night takes.
pub struct Dice(fastrand::Rng);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0.usize(..n.max(1))
    }

    pub fn within(&mut self, from: u32, to: u32) -> u32 {
        self.0.u32(from..=to.max(from))
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u32) -> bool {
        self.0.u32(..n.max(1)) == 0
    }

    pub fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// Seconds: mostly short, at times as long as `most`.
    pub fn span(&mut self, least: u32, most: u32) -> u32 {
        let some = self.within(least, most);
        let fewer = self.within(least, some);
        self.within(least, fewer)
    }
}

/// The night of this seed.
pub fn night(seed: u64, storm: Storm) -> Night {
    let mut dice = Dice::new(seed);
    let mut fleet = fleet(&mut dice);
    let settings = settings(&mut dice);
    fleet
        .services
        .iter_mut()
        .for_each(|service| service.told &= settings.channel);
    let storm_s = storm.hours * 3600;
    let mut classes: Vec<Class> = Class::ALL.into_iter().filter(|_| dice.one_in(3)).collect();
    if classes.is_empty() || !dice.one_in(8) {
        classes.push(Class::Stops);
    }
    let many = MOST_DISTURBANCES * storm.hours.div_ceil(2) as usize;
    let count = 1 + dice.below(many).min(dice.0.usize(..many));
    let foci: Vec<u32> = (0..1 + storm.hours)
        .map(|_| dice.within(0, storm_s * 9 / 10))
        .collect();
    let mut disturbances: Vec<Disturbance> = (0..count)
        .map(|_| {
            let class = dice.of(&classes);
            let near = dice.of(&foci) + dice.span(0, 900);
            let anywhere = dice.within(0, storm_s - 1);
            let at_s = if dice.one_in(4) { anywhere } else { near }.min(storm_s - 1);
            Disturbance {
                at_s,
                what: what(&mut dice, class, &fleet, storm_s - at_s),
            }
        })
        .collect();
    disturbances.sort_by_key(|disturbance| disturbance.at_s);
    Night {
        seed,
        fleet,
        settings,
        storm_s,
        disturbances,
        bug: None,
    }
}

fn settings(dice: &mut Dice) -> Settings {
    let interval_s = match dice.below(6) {
        0 => 60,
        1 => dice.within(60, 300),
        _ => dice.within(120, 900),
    };
    Settings {
        interval_s,
        mutations_per_hour: if dice.one_in(6) { dice.within(1, 8) } else { 60 },
        parameter: dice.one_in(3),
        channel: !dice.one_in(3),
    }
}
