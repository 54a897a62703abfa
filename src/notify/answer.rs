//! What a channel's answer means, and when it is tried again: one table.

use super::PATIENCE;
use crate::env::{Backoff, PostError, Posted};
use crate::record::FailureOf;
use std::time::Duration;

/// What an attempt to deliver came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Taken,
    Failed(Failure),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub whose: FailureOf,
    /// For people; without the URL.
    pub why: String,
    pub pace: Pace,
}

/// How soon it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// It may work in a moment: 5 s, doubling up to 10 min.
    Soon,
    /// A person has to change something: 1 min, doubling up to 1 h, so that it works again soon after.
    Slow,
    /// The channel said when.
    After(Duration),
}

/// However long a channel asks to be left alone, it is tried once an hour; and never more than once a second.
const RETRY_AFTER_BOUNDS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3600));

/// Waits stop growing long before this many failures.
const MOST_DOUBLINGS: u32 = 16;

impl Pace {
    /// The wait after so many failures before this one.
    pub(super) fn wait(self, failures: u32, seed: u64) -> Duration {
        let (first, most) = match self {
            Self::After(wait) => return wait,
            Self::Soon => (Duration::from_secs(5), Duration::from_secs(600)),
            Self::Slow => (Duration::from_secs(60), Duration::from_secs(3600)),
        };
        let mut backoff = Backoff::new(first, most, seed);
        for _ in 0..failures.min(MOST_DOUBLINGS) {
            backoff.next_wait();
        }
        backoff.next_wait()
    }
}

pub(super) fn timed_out() -> Failure {
    channel(format!("no answer within {} s", PATIENCE.as_secs()), Pace::Soon)
}

/// A failure that a person has to end.
pub(super) fn unusable(why: String) -> Failure {
    channel(why, Pace::Slow)
}

pub(super) fn judge(answer: Result<Posted, PostError>) -> Verdict {
    let posted = match answer {
        Ok(posted) => posted,
        Err(error @ PostError::BadUrl) => return Verdict::Failed(unusable(error.to_string())),
        Err(error) => return Verdict::Failed(channel(error.to_string(), Pace::Soon)),
    };
    let status = posted.status;
    let said = word(&posted.body)
        .map(|word| format!(" ({word})"))
        .unwrap_or_default();
    let failure = match status {
        200..=299 => return Verdict::Taken,
        300..=399 => unusable(format!(
            "it answered with a redirect (status {status}), which is not followed: put the address that it redirects \
             to into the secret"
        )),
        400 | 413 | 422 => Failure {
            whose: FailureOf::Notice,
            why: format!("it refused this message: status {status}{said}"),
            pace: Pace::Slow,
        },
        404 | 410 => unusable(format!(
            "it is gone: status {status}{said}; make a new webhook and put its address into the secret"
        )),
        429 => {
            let (least, most) = RETRY_AFTER_BOUNDS;
            let pace = posted
                .retry_after
                .map_or(Pace::Soon, |wait| Pace::After(wait.clamp(least, most)));
            channel(format!("it takes no more for now: status {status}"), pace)
        }
        401..=499 => unusable(format!("it refuses keepgreen: status {status}{said}")),
        _ => channel(format!("it failed: status {status}{said}"), Pace::Soon),
    };
    Verdict::Failed(failure)
}

fn channel(why: String, pace: Pace) -> Failure {
    Failure {
        whose: FailureOf::Channel,
        why,
        pace,
    }
}

/// Slack's word for what is wrong (`no_service`). Anything that is not one such word is not shown: an answer may echo the
/// request's address, which is a secret.
fn word(body: &str) -> Option<&str> {
    let body = body.trim();
    let is_word = |c: char| c.is_ascii_lowercase() || c == '_';
    ((3..=40).contains(&body.len()) && body.chars().all(is_word)).then_some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, retry_after: Option<u64>, body: &str) -> Verdict {
        judge(Ok(Posted {
            status,
            retry_after: retry_after.map(Duration::from_secs),
            body: body.to_owned(),
        }))
    }

    #[test]
    fn every_status_has_its_meaning() {
        use FailureOf::{Channel, Notice};
        let after = |seconds| Pace::After(Duration::from_secs(seconds));
        let table = [
            (
                302,
                None,
                Channel,
                Pace::Slow,
                "redirect (status 302), which is not followed",
            ),
            (
                400,
                None,
                Notice,
                Pace::Slow,
                "refused this message: status 400 (no_service)",
            ),
            (413, None, Notice, Pace::Slow, "refused this message"),
            (401, None, Channel, Pace::Slow, "refuses keepgreen: status 401"),
            (403, None, Channel, Pace::Slow, "refuses keepgreen"),
            (404, None, Channel, Pace::Slow, "gone: status 404 (no_service)"),
            (410, None, Channel, Pace::Slow, "make a new webhook"),
            (429, Some(7), Channel, after(7), "no more for now"),
            (429, Some(0), Channel, after(1), "no more for now"),
            (429, Some(86_400), Channel, after(3600), "no more for now"),
            (429, None, Channel, Pace::Soon, "no more for now"),
            (500, None, Channel, Pace::Soon, "failed: status 500 (no_service)"),
            (503, None, Channel, Pace::Soon, "failed"),
            (0, None, Channel, Pace::Soon, "failed"),
            (999, None, Channel, Pace::Soon, "failed"),
        ];
        for (status, retry_after, whose, pace, why) in table {
            let Verdict::Failed(failure) = judged(status, retry_after, "no_service") else {
                panic!("{status} was taken");
            };
            assert_eq!((failure.whose, failure.pace), (whose, pace), "{status}");
            assert!(failure.why.contains(why), "{status}: {}", failure.why);
        }
        assert_eq!(judged(200, None, "ok"), Verdict::Taken);
        assert_eq!(judged(204, None, ""), Verdict::Taken);
    }

    #[test]
    fn an_answer_that_may_echo_the_address_is_not_shown() {
        for body in [
            "https://hooks.example/T1/s3cret",
            "T1/s3cret",
            "no such path /s3cret",
            "a s3cret",
        ] {
            let Verdict::Failed(failure) = judged(404, None, body) else {
                panic!("taken");
            };
            assert!(!failure.why.contains("s3cret"), "{}", failure.why);
        }
    }

    #[test]
    fn waits_grow_and_end() {
        let seconds = |pace: Pace, failures| pace.wait(failures, 7).as_secs_f64();
        assert!((4.0..=5.0).contains(&seconds(Pace::Soon, 0)));
        assert!((8.0..=10.0).contains(&seconds(Pace::Soon, 1)));
        assert!((480.0..=600.0).contains(&seconds(Pace::Soon, u32::MAX)));
        assert!((48.0..=60.0).contains(&seconds(Pace::Slow, 0)));
        assert!((2880.0..=3600.0).contains(&seconds(Pace::Slow, u32::MAX)));
    }
}
