//! Deliberate bugs, to prove that the simulation's oracles see: each is a mistake that a controller like this has made
//! somewhere, or could, planted where it would be made.
//!
//! At most one is on, on the thread that planted it, and only in a build with debug assertions: a release build has no way
//! to turn one on, and [`Mutant::is_on`] is a constant there. No flag, file or environment variable reaches it; tests
//! call `plant`.
//!
//! A mutant is not a feature: keep each to one condition at the place of the mistake. One that no ordinary night notices
//! points at an oracle that is blind, or at a night that is too quiet.

/// One deliberate bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutant {
    /// observe: a listing whose page failed passes for the whole (cloud-custodian#4949).
    FailedPageIsTheEnd,
    /// observe: only running instances are asked for.
    StoppedAreNotAskedFor,
    /// observe: the look that admits a mutation is as old as its answer, not as its question: a slow one passes for fresh.
    LookIsAsOldAsItsAnswer,
    /// observe: no service's look is ready before every part of every service's is.
    OneWaitsForAll,
    /// decide: a stop counts as AWS's, whoever asked for it (instance-scheduler-on-aws#454).
    StopsAreAllOfAws,
    /// decide: of several slots that select an instance the first one has it.
    FirstClaimWins,
    /// decide: an incident is over as soon as its instance is healthy once (cluster-api#7353).
    HealthyOnceIsHealed,
    /// decide: an instance's own pause tag is not heeded.
    PauseTagIsIgnored,
    /// decide: a slot starts all that it selects, beyond its count.
    SurplusIsStarted,
    /// decide: a person's stop is undone at once.
    GraceIsSkipped,
    /// decide: an alert's key has the time of its look in it.
    AlertsAreNewEachTime,
    /// act: a request is sent before its intent is journaled (cluster-api-provider-aws#5794).
    SentBeforeJournaled,
    /// act: a lost answer is taken for a request that was never sent.
    LostIsNeverSent,
    /// act: a batch that fails whole is only ever repeated whole (instance-scheduler-on-aws#281).
    BatchIsNeverSplit,
    /// act: a pause flag that cannot be read passes for one that is not set.
    UnreadableIsNotSet,
    /// record: requests of the last hour are not counted.
    HourIsForgotten,
    /// record: an instance's failed attempts are not kept (cluster-api#12553).
    AttemptsAreForgotten,
    /// record: a stop that was undone once is not kept.
    UndoneStopIsForgotten,
    /// record: what a channel has taken stays in the outbox.
    DeliveryIsForgotten,
}

impl Mutant {
    /// All of them, by the room that they are in.
    pub const ALL: [Mutant; 19] = [
        Mutant::FailedPageIsTheEnd,
        Mutant::StoppedAreNotAskedFor,
        Mutant::LookIsAsOldAsItsAnswer,
        Mutant::OneWaitsForAll,
        Mutant::StopsAreAllOfAws,
        Mutant::FirstClaimWins,
        Mutant::HealthyOnceIsHealed,
        Mutant::PauseTagIsIgnored,
        Mutant::SurplusIsStarted,
        Mutant::GraceIsSkipped,
        Mutant::AlertsAreNewEachTime,
        Mutant::SentBeforeJournaled,
        Mutant::LostIsNeverSent,
        Mutant::BatchIsNeverSplit,
        Mutant::UnreadableIsNotSet,
        Mutant::HourIsForgotten,
        Mutant::AttemptsAreForgotten,
        Mutant::UndoneStopIsForgotten,
        Mutant::DeliveryIsForgotten,
    ];

    /// The room that it is planted in: `observe`, `decide`, `act` or `record`.
    pub fn room(self) -> &'static str {
        match self {
            Self::FailedPageIsTheEnd
            | Self::StoppedAreNotAskedFor
            | Self::LookIsAsOldAsItsAnswer
            | Self::OneWaitsForAll => "observe",
            Self::StopsAreAllOfAws
            | Self::FirstClaimWins
            | Self::HealthyOnceIsHealed
            | Self::PauseTagIsIgnored
            | Self::SurplusIsStarted
            | Self::GraceIsSkipped
            | Self::AlertsAreNewEachTime => "decide",
            Self::SentBeforeJournaled
            | Self::LostIsNeverSent
            | Self::BatchIsNeverSplit
            | Self::UnreadableIsNotSet => "act",
            Self::HourIsForgotten
            | Self::AttemptsAreForgotten
            | Self::UndoneStopIsForgotten
            | Self::DeliveryIsForgotten => "record",
        }
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
        let on: Vec<Mutant> = Mutant::ALL.into_iter().filter(|m| m.is_on()).collect();
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
