//! The dead-man's switch: a URL that is called while the controller's loop is alive, and not when it has stalled (L7).
//! Whoever watches the URL raises the alarm when the calls stop; so this side must never call out of mere existence.

use super::deliver::resolve;
use super::{PATIENCE, Resolver};
use crate::env::{Env, Poster};
use crate::model::Stamp;
use crate::policy::Heartbeat;
use std::time::Duration;

/// A call that failed is repeated this soon, so that one lost packet is no alarm.
const REPEATED_AFTER: Duration = Duration::from_secs(10);

/// Calls the URL each `every`, by GET, as long as the last pass that was completed is no older than `stalled_after` on the
/// boot clock; before the first pass it does not call. Never ends.
pub async fn beat(
    heartbeat: &Heartbeat,
    last_pass: impl Fn() -> Option<Stamp>,
    stalled_after: Duration,
    poster: &dyn Poster,
    resolver: &Resolver,
    env: &Env,
) {
    let mut was_well = true;
    loop {
        let mut wait = heartbeat.every;
        if is_alive(last_pass(), env.clock.now(), stalled_after) {
            let called = call(heartbeat, poster, resolver, env).await;
            if let Err(why) = &called {
                wait = wait.min(REPEATED_AFTER);
                if was_well {
                    tracing::warn!(why, "the heartbeat's URL could not be called");
                }
            }
            was_well = called.is_ok();
        }
        env.clock.sleep(wait).await;
    }
}

fn is_alive(last_pass: Option<Stamp>, now: Stamp, stalled_after: Duration) -> bool {
    last_pass.is_some_and(|last| now.since(&last) <= stalled_after)
}

async fn call(
    heartbeat: &Heartbeat,
    poster: &dyn Poster,
    resolver: &Resolver,
    env: &Env,
) -> Result<(), String> {
    let url = resolve(env, resolver, &heartbeat.url).await?;
    match tokio::time::timeout(PATIENCE, poster.get(url.expose())).await {
        Ok(Ok(answer)) if (200..300).contains(&answer.status) => Ok(()),
        Ok(Ok(answer)) => Err(format!("status {}", answer.status)),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::{PostError, Posted, VirtualClock};
    use crate::policy::{Secret, SecretRef};
    use futures_util::future::BoxFuture;
    use std::sync::{Arc, Mutex};

    /// Notes the seconds of each call since the start, and fails where it is told to.
    struct Calls {
        env: Env,
        made: Mutex<Vec<u64>>,
        fails: fn(usize) -> bool,
    }

    impl Poster for Calls {
        fn post_json<'a>(&'a self, _: &'a str, _: String) -> BoxFuture<'a, Result<Posted, PostError>> {
            Box::pin(async { Err(PostError::BadUrl) })
        }

        fn get<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Posted, PostError>> {
            assert_eq!(url, "https://beat.example/1");
            let mut made = self.made.lock().unwrap();
            made.push(self.env.clock.boot().as_secs());
            let status = if (self.fails)(made.len()) { 500 } else { 200 };
            Box::pin(async move {
                Ok(Posted {
                    status,
                    ..Posted::default()
                })
            })
        }
    }

    async fn calls_within(
        limit: u64,
        last_pass: impl Fn(u64) -> Option<u64>,
        fails: fn(usize) -> bool,
    ) -> Vec<u64> {
        let clock = VirtualClock::starting_at("2026-11-11T04:00:00Z".parse().unwrap());
        let env = Env::simulated(clock, 1);
        let poster = Calls {
            env: env.clone(),
            made: Mutex::default(),
            fails,
        };
        let heartbeat = Heartbeat {
            url: SecretRef::Env("BEAT".to_owned()),
            every: Duration::from_secs(60),
        };
        let resolver: Resolver = Arc::new(|_| Ok(Secret::new("https://beat.example/1")));
        let start = env.clock.now();
        let pass = || {
            last_pass(env.clock.boot().as_secs()).map(|seconds| Stamp {
                boot: Duration::from_secs(seconds),
                ..start
            })
        };
        let beating = beat(
            &heartbeat,
            pass,
            Duration::from_secs(180),
            &poster,
            &resolver,
            &env,
        );
        let _ = tokio::time::timeout(Duration::from_secs(limit), beating).await;
        poster.made.into_inner().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn it_beats_from_the_first_pass_on() {
        let calls = calls_within(301, |now| (now >= 60).then_some(now), |_| false).await;
        assert_eq!(calls, [60, 120, 180, 240, 300]);
    }

    #[tokio::test(start_paused = true)]
    async fn it_stops_when_the_loop_stalls_and_goes_on_when_it_does() {
        let last_pass = |now: u64| Some(if now < 600 { now.min(70) } else { now });
        let calls = calls_within(661, last_pass, |_| false).await;
        assert_eq!(calls, [0, 60, 120, 180, 240, 600, 660]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_call_is_repeated_soon() {
        let calls = calls_within(100, Some, |call| call == 2).await;
        assert_eq!(calls, [0, 60, 70]);
    }
}
