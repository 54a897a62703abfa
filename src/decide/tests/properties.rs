//! What must hold for any night: random stops, starts, gaps, pauses, jumps of the clock and restarts.

use crate::decide::fixtures::*;
use crate::model::*;
use proptest::prelude::*;
use std::time::Duration;

#[derive(Clone, Debug)]
enum Turn {
    Wait(u64),
    Stop(bool, &'static str),
    Up(bool),
    Serve(bool),
    Target(bool, TargetState),
    Terminate(bool),
    Gap(Part),
    NoGap,
    Pause,
    Unpause,
    Clock(i64),
    Restart,
    Fail(ErrorClass),
    Image(ImageState),
}

fn turn() -> impl Strategy<Value = Turn> {
    let code = prop::sample::select(vec![
        "Server.ScheduledStop",
        "Client.UserInitiatedShutdown",
        "Client.InstanceInitiatedShutdown",
        "Server.NeverHeardOf",
    ]);
    let part = prop::sample::select(vec![
        Part::Identity,
        Part::Instances,
        Part::Statuses,
        Part::ImageMetadata,
        Part::TargetGroup("tis-prod".to_owned()),
    ]);
    let state = prop::sample::select(vec![
        TargetState::Unhealthy,
        TargetState::Draining,
        TargetState::Initial,
        TargetState::Unknown("odd".to_owned()),
    ]);
    let class = prop::sample::select(vec![
        ErrorClass::Capacity,
        ErrorClass::Throttled,
        ErrorClass::Permanent,
        ErrorClass::InvalidState,
    ]);
    let image = prop::sample::select(vec![
        ImageState::Available,
        ImageState::Deregistered,
        ImageState::Disabled,
    ]);
    prop_oneof![
        4 => (1_u64..4000).prop_map(Turn::Wait),
        3 => (any::<bool>(), code).prop_map(|(green, code)| Turn::Stop(green, code)),
        2 => any::<bool>().prop_map(Turn::Up),
        3 => any::<bool>().prop_map(Turn::Serve),
        1 => (any::<bool>(), state).prop_map(|(green, state)| Turn::Target(green, state)),
        1 => any::<bool>().prop_map(Turn::Terminate),
        1 => part.prop_map(Turn::Gap),
        1 => Just(Turn::NoGap),
        1 => Just(Turn::Pause),
        1 => Just(Turn::Unpause),
        1 => (-7200_i64..7200).prop_map(Turn::Clock),
        1 => Just(Turn::Restart),
        1 => class.prop_map(Turn::Fail),
        1 => image.prop_map(Turn::Image),
    ]
}

fn which(green: bool) -> &'static str {
    if green { GREEN } else { BLUE }
}

fn take(night: &mut Night, turn: Turn, fail: &mut Option<ErrorClass>) {
    match turn {
        Turn::Wait(seconds) => night.pass_time(seconds),
        Turn::Stop(green, code) => night.stop(which(green), code),
        Turn::Up(green) => night.up(which(green)),
        Turn::Serve(green) => night.serve(which(green)),
        Turn::Target(green, state) => night.set_target(which(green), state, None),
        Turn::Terminate(green) => night.instance(which(green)).state = InstanceState::Terminated,
        Turn::Gap(part) => {
            night.gaps = vec![Gap {
                part,
                why: "why".to_owned(),
            }];
        }
        Turn::NoGap => night.gaps.clear(),
        Turn::Pause => night.unreadable = vec!["why".to_owned()],
        Turn::Unpause => night.unreadable.clear(),
        Turn::Clock(seconds) => {
            night.now = night
                .now
                .saturating_add(jiff::SignedDuration::from_secs(seconds))
                .unwrap();
        }
        Turn::Restart => {
            night.incarnation.push('x');
            night.boot = Duration::from_secs(1);
        }
        Turn::Fail(class) => *fail = Some(class),
        Turn::Image(state) => night.image = Some(state),
    }
}

fn outcome(fail: Option<ErrorClass>) -> Outcome {
    match fail {
        None => Outcome::Accepted {
            request_id: None,
            launched: None,
        },
        Some(class) => Outcome::Failed {
            error: AwsError {
                operation: "StartInstances".to_owned(),
                object: None,
                class,
                code: None,
                message: String::new(),
                request_id: None,
            },
        },
    }
}

proptest! {
    #[test]
    fn nothing_but_a_stopped_instance_is_started_and_never_while_paused(
        turns in prop::collection::vec(turn(), 1..80)
    ) {
        let mut night = Night::of(tis(""));
        let mut fail = None;
        for turn in turns {
            take(&mut night, turn, &mut fail);
            let result = outcome(fail.take());
            let plan = night.act(&result);
            for id in started(&plan) {
                prop_assert_eq!(&night.instance(id).state, &InstanceState::Stopped);
                prop_assert!(night.unreadable.is_empty());
                let incident = &night.memory.incidents[&id.into()];
                prop_assert!(incident.attempts.len() <= 3 || incident.failed_attempts() <= 3);
            }
            let again = night.plan();
            prop_assert!(again.steps.is_empty(), "planned twice: {:?}", again.steps);
            prop_assert!(again.next_check > night.now);
        }
    }

    #[test]
    fn the_memory_survives_being_written_down(turns in prop::collection::vec(turn(), 1..40)) {
        let mut night = Night::of(tis(""));
        let mut fail = None;
        for turn in turns {
            take(&mut night, turn, &mut fail);
            night.act(&outcome(fail.take()));
            let text = serde_json::to_string(&night.memory).unwrap();
            let back: ServiceMemory = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&back, &night.memory);
        }
    }
}
