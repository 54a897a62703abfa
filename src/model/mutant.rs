//! Deliberate bugs, to prove that the simulation's oracles see: each is a mistake that a controller like this has made
//! somewhere, or could, planted where it would be made.
//!
//! At most one is on, on the thread that planted it, and only in a build with debug assertions: a release build has no way
//! to turn one on, and [`Mutant::is_on`] is a constant there. No flag, file or environment variable reaches it; tests
//! call `plant`.
//!
//! A mutant is not a feature: keep each to one condition at the place of the mistake. One that no ordinary night notices
//! points at an oracle that is blind, or at a night that is too quiet.

/// Each bug is written down once: by room, with what it is.
macro_rules! mutants {
    ($($room:literal { $($name:ident: $what:literal,)+ })+) => {
        /// One deliberate bug.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mutant {
            $($(#[doc = $what] $name,)+)+
        }

        impl Mutant {
            /// All of them, by the room that they are in.
            pub const ALL: &[Self] = &[$($(Self::$name,)+)+];

            /// The room that it is planted in: `observe`, `decide`, `act` or `record`.
            pub fn room(self) -> &'static str {
                match self {
                    $($(Self::$name)|+ => $room,)+
                }
            }

            /// What is done wrong, in a sentence.
            pub fn what(self) -> &'static str {
                match self {
                    $($(Self::$name => $what,)+)+
                }
            }
        }
    };
}

mutants! {
    "observe" {
        StoppedAreNotAskedFor: "only running instances are asked for",
        ReasonsAreNotRead: "why an instance stopped is not read (instance-scheduler-on-aws#454)",
        SpotIsOnDemand: "a Spot instance passes for one on demand",
        StoppingIsStopped: "an instance that is still stopping passes for stopped (karpenter-provider-aws#8524)",
    }
    "decide" {
        StopsAreAllOfAws: "a stop counts as AWS's, whoever asked for it",
        FirstClaimWins: "of several slots that select an instance the first one has it",
        HealthyOnceIsHealed: "an incident is over as soon as its instance is healthy once (cluster-api#7353)",
        PauseTagIsIgnored: "an instance's own pause tag is not heeded",
        SurplusIsStarted: "a slot starts all that it selects, beyond its count",
        GraceIsSkipped: "a person's stop is undone at once",
        OneHealthyLookIsProof: "a replacement is proven by a single healthy look",
        DrainingIsOut: "a target that still drains passes for one that is out",
        FloorIsNotAsked: "a target is taken out whatever stays",
        DisabledIsGone: "a disabled image passes for a deregistered one",
        FailedIsLeft: "what a failed attempt has launched is forgotten",
        AlertsAreNewEachTime: "an alert's key has the time of its look in it",
    }
    "act" {
        SentBeforeJournaled: "a request is sent before its intent is journaled (cluster-api-provider-aws#5794)",
        LostIsNeverSent: "a lost answer is taken for a request that was never sent",
        BatchIsNeverSplit: "a batch that fails whole is only ever repeated whole (instance-scheduler-on-aws#281)",
        PortIsLeftOut: "a target is named without its port: AWS answers 200 and does nothing",
        UnreadableIsNotSet: "a pause flag that cannot be read passes for one that is not set",
    }
    "record" {
        HourIsForgotten: "requests of the last hour are not counted",
        AttemptsAreForgotten: "an instance's failed attempts are not kept (cluster-api#12553)",
        UndoneStopIsForgotten: "a stop that was undone once is not kept",
        ReplacementsAreForgotten: "which replacements are under way is not kept",
        DeliveryIsForgotten: "what a channel has taken stays in the outbox",
    }
}

impl Mutant {
    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|mutant| format!("{mutant:?}") == name)
    }

    /// Whether this thread runs with it.
    #[cfg(debug_assertions)]
    pub fn is_on(self) -> bool {
        planted::PLANTED.with(|planted| planted.get() == Some(self))
    }

    /// Never, in a release build.
    #[cfg(not(debug_assertions))]
    pub const fn is_on(self) -> bool {
        false
    }
}

#[cfg(debug_assertions)]
pub use planted::{Planted, plant};

#[cfg(debug_assertions)]
mod planted {
    use super::Mutant;
    use std::cell::Cell;
    use std::marker::PhantomData;

    thread_local! {
        pub(super) static PLANTED: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    /// As long as this lives, its thread runs with the mutant.
    #[derive(Debug)]
    pub struct Planted(PhantomData<*const ()>);

    /// Turns `mutant` on for this thread, instead of any other.
    pub fn plant(mutant: Mutant) -> Planted {
        PLANTED.set(Some(mutant));
        Planted(PhantomData)
    }

    impl Drop for Planted {
        fn drop(&mut self) {
            PLANTED.set(None);
        }
    }
}

#[cfg(debug_assertions)]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutant_is_on_where_and_while_it_is_planted() {
        let all_off = || Mutant::ALL.iter().all(|mutant| !mutant.is_on());
        assert!(all_off());
        let planted = plant(Mutant::GraceIsSkipped);
        let on: Vec<Mutant> = Mutant::ALL.iter().copied().filter(|m| m.is_on()).collect();
        assert_eq!(on, [Mutant::GraceIsSkipped]);
        assert!(std::thread::scope(|scope| scope.spawn(all_off).join()).unwrap());
        drop(planted);
        assert!(all_off());
    }

    #[test]
    fn there_are_three_in_each_room_at_least() {
        for room in ["observe", "decide", "act", "record"] {
            let count = Mutant::ALL.iter().filter(|m| m.room() == room).count();
            assert!(count >= 3, "{room}: {count}");
        }
    }
}
