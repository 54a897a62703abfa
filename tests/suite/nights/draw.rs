//! Draws nights, each from one number.
//!
//! Swarm style: each night enables a random part of all classes of disturbance. Most of them gather around a few moments,
//! and strike the servers that are stopped then: a bug of a repair shows when something happens to what is being
//! repaired. A night with everything in it would rarely get any one combination deep; a thousand narrow ones do.

use super::draw_fleet::fleet;
use super::draw_pairs;
use super::draw_replace;
use super::draw_what::{Class, stop, what};
use super::fleet::{Fleet, Operator, StopBy};
use super::night::{Disturbance, Night, Settings, What};

/// How long a night's storm lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storm {
    pub hours: u32,
}

/// Other numbers than a night's own, of the same seed.
const OF_REPLACEMENTS: u64 = 0x7265_706c;
/// And others yet.
const OF_PAIRS: u64 = 0x7061_6972;
/// In two hours.
const MOST_STRAYS: usize = 10;
/// In two hours.
const MOST_FOCI: usize = 6;
const MOST_COMPANIONS: usize = 5;

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
    let mut settings = settings(&mut dice);
    fleet
        .services
        .iter_mut()
        .for_each(|service| service.told &= settings.channel);
    let storm_s = storm.hours * 3600;
    let mut classes: Vec<Class> = Class::ALL.into_iter().filter(|_| dice.one_in(3)).collect();
    if classes.is_empty() {
        classes.push(Class::Stops);
    }
    let times = storm.hours.div_ceil(2) as usize;
    let mut drawing = Drawing {
        dice,
        fleet: &fleet,
        classes,
        storm_s,
        drawn: Vec::new(),
    };
    let foci = 2 * times + drawing.dice.below((MOST_FOCI - 1) * times);
    (0..foci).for_each(|_| drawing.focus());
    let strays = drawing.dice.below((MOST_STRAYS + 1) * times);
    (0..strays).for_each(|_| drawing.stray());
    let mut disturbances = drawing.drawn;
    let mut more = Dice::new(seed ^ OF_REPLACEMENTS);
    if more.one_in(2) {
        // A storm in which nothing else is seen whole lets nothing be replaced.
        let thinned = more.of(&[1, 1, 3, 8]);
        disturbances.retain(|_| more.one_in(thinned));
        draw_replace::policies(&mut more, &mut fleet);
        settings.mutations_per_hour = settings.mutations_per_hour.max(draw_replace::LEAST_AN_HOUR);
        disturbances.extend(draw_replace::disturbances(&mut more, &fleet, storm_s));
    }
    let mut pairs = Dice::new(seed ^ OF_PAIRS);
    let paired = draw_pairs::disturbances(&mut pairs, &fleet, settings, &disturbances, storm_s);
    disturbances.extend(paired);
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

/// A night's disturbances while they are drawn.
struct Drawing<'a> {
    dice: Dice,
    fleet: &'a Fleet,
    classes: Vec<Class>,
    storm_s: u32,
    drawn: Vec<Disturbance>,
}

impl Drawing<'_> {
    fn push(&mut self, at_s: u32, what: What) {
        self.drawn.push(Disturbance { at_s, what });
    }

    /// Something, somewhere, some time.
    fn stray(&mut self) {
        let at_s = self.dice.within(0, self.storm_s - 1);
        let server = self.dice.below(self.fleet.servers.len());
        let class = self.dice.of(&self.classes);
        let what = what(&mut self.dice, class, self.fleet, server, self.storm_s - at_s);
        self.push(at_s, what);
    }

    /// Servers stop, and around that moment other things happen to them.
    fn focus(&mut self) {
        let at_s = self.dice.within(0, self.storm_s * 9 / 10);
        let victims = self.victims();
        let by = stop(&mut self.dice, self.fleet, victims[0]);
        for server in victims.iter().copied() {
            let at_s = (at_s + self.dice.span(0, 20)).min(self.storm_s - 1);
            self.push(at_s, What::Stop { server, by });
            if by.is_person() {
                self.again(at_s, server, by);
            }
        }
        for _ in 0..self.dice.below(MOST_COMPANIONS + 1) {
            let server = self.dice.of(&victims);
            let class = self.dice.of(&self.classes);
            let before = self.dice.span(0, 120);
            let at_s = (at_s + self.dice.span(0, 1200)).saturating_sub(before);
            let at_s = at_s.min(self.storm_s - 1);
            let what = what(&mut self.dice, class, self.fleet, server, self.storm_s - at_s);
            self.push(at_s, what);
        }
    }

    /// One server, a few, those of one service, or all; never none.
    fn victims(&mut self) -> Vec<usize> {
        let one = self.dice.below(self.fleet.servers.len());
        let all = 0..self.fleet.servers.len();
        match self.dice.below(8) {
            0 => all.collect(),
            1 | 2 => {
                let mine = |n: &usize| self.fleet.servers[*n].service == self.fleet.servers[one].service;
                all.filter(mine).collect()
            }
            3 => all.filter(|n| *n == one || self.dice.one_in(3)).collect(),
            _ => vec![one],
        }
    }

    /// Whoever stopped it may stop it once more after it was started against their will.
    fn again(&mut self, at_s: u32, server: usize, by: StopBy) {
        let service = &self.fleet.services[self.fleet.servers[server].service];
        let grace_s = if service.told {
            service.operator_grace_s
        } else {
            3600
        };
        if service.operator != Operator::Start || self.dice.one_in(3) {
            return;
        }
        let again_s = at_s + grace_s + self.dice.within(120, 1800);
        if again_s < self.storm_s {
            self.push(again_s, What::Stop { server, by });
        }
    }
}

fn settings(dice: &mut Dice) -> Settings {
    let interval_s = match dice.below(10) {
        0 => 60,
        1 => dice.within(60, 300),
        _ => dice.within(120, 900),
    };
    Settings {
        interval_s,
        mutations_per_hour: if dice.one_in(4) { dice.within(1, 6) } else { 60 },
        parameter: dice.one_in(2),
        channel: !dice.one_in(4),
        heartbeat: dice.one_in(8),
    }
}
