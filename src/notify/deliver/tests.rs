use super::*;
use crate::env::{PostError, Posted, VirtualClock};
use crate::model::{NoticeKind, ServiceName};
use crate::record::Options;
use futures_util::future::BoxFuture;
use tempfile::TempDir;

/// A world of webhooks: what it was sent, in order, and how each address answers.
#[derive(Default)]
struct World {
    sent: Mutex<Vec<(String, String)>>,
    answers: Mutex<BTreeMap<String, Answer>>,
}

#[derive(Clone)]
enum Answer {
    Status(u16),
    Wait(u64),
    Unreachable,
    Hangs,
}

impl Poster for World {
    fn post_json<'a>(&'a self, url: &'a str, body: String) -> BoxFuture<'a, Result<Posted, PostError>> {
        let answer = self.answers.lock().unwrap().get(url).cloned();
        let value: serde_json::Value = serde_json::from_str(&body).unwrap();
        let name = value["key"].as_str().or(value["text"].as_str()).unwrap();
        self.sent.lock().unwrap().push((url.to_owned(), name.to_owned()));
        let status = |status| Posted {
            status,
            ..Posted::default()
        };
        Box::pin(async move {
            match answer.unwrap_or(Answer::Status(200)) {
                Answer::Status(code) => Ok(status(code)),
                Answer::Wait(seconds) => Ok(Posted {
                    retry_after: Some(Duration::from_secs(seconds)),
                    ..status(429)
                }),
                Answer::Unreachable => Err(PostError::Unreachable("connection refused".to_owned())),
                Answer::Hangs => std::future::pending().await,
            }
        })
    }

    fn get<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Posted, PostError>> {
        Box::pin(async { Err(PostError::BadUrl) })
    }
}

/// Two plain webhooks, `one` and `two`, a Slack one, and one of a kind that is not there yet.
struct House {
    folder: TempDir,
    world: Arc<World>,
    env: Env,
    journal: Journal,
    notifier: Notifier,
}

const SECRET: &str = "https://hooks.example/T0/s3cret-";

impl House {
    async fn new() -> Self {
        let clock = VirtualClock::starting_at("2026-11-11T04:00:00Z".parse().unwrap());
        Self::in_folder(
            tempfile::tempdir().unwrap(),
            Env::simulated(clock, 1),
            Arc::default(),
        )
        .await
    }

    async fn in_folder(folder: TempDir, env: Env, world: Arc<World>) -> Self {
        let journal = Journal::open(folder.path(), &env, Options::default())
            .await
            .unwrap();
        let secret = |name: &str| SecretRef::Env(name.to_owned());
        let channels = [
            ("one", Channel::Webhook { url: secret("one") }),
            ("two", Channel::Webhook { url: secret("two") }),
            (
                "slack",
                Channel::Slack {
                    webhook: secret("slack"),
                },
            ),
            (
                "gone",
                Channel::Webhook {
                    url: secret("missing"),
                },
            ),
            (
                "sns",
                Channel::Sns {
                    topic: "arn:aws:sns:eu-west-2:111122223333:t".to_owned(),
                },
            ),
        ];
        let channels = channels
            .map(|(name, channel)| (ChannelName::new(name), channel))
            .into();
        let resolver: Resolver = Arc::new(|reference| match reference {
            SecretRef::Env(name) if name != "missing" => Ok(Secret::new(format!("{SECRET}{name}"))),
            other => other.resolve(|_| None),
        });
        let notifier = Notifier::new(journal.clone(), channels, resolver, world.clone(), env.clone());
        Self {
            folder,
            world,
            env,
            journal,
            notifier,
        }
    }

    async fn restarted(self) -> Self {
        let Self {
            folder,
            world,
            env,
            journal,
            notifier,
        } = self;
        drop((journal, notifier));
        Self::in_folder(folder, env, world).await
    }

    async fn enqueue(&self, channel: &str, key: &str) {
        self.journal
            .enqueue(vec![(ChannelName::new(channel), notice(key))])
            .await
            .unwrap();
    }

    fn answer(&self, channel: &str, answer: Answer) {
        self.world
            .answers
            .lock()
            .unwrap()
            .insert(format!("{SECRET}{channel}"), answer);
    }

    /// What was sent since the last time: `channel key`.
    fn sent(&self) -> Vec<String> {
        let sent = std::mem::take(&mut *self.world.sent.lock().unwrap());
        sent.into_iter()
            .map(|(url, key)| format!("{} {key}", url.trim_start_matches(SECRET)))
            .collect()
    }

    async fn sweep(&self) -> (u32, u32) {
        let sweep = self.notifier.sweep().await.unwrap();
        (sweep.delivered, sweep.failed)
    }

    async fn pass_seconds(&self, seconds: u64) {
        self.env.clock.sleep(Duration::from_secs(seconds)).await;
    }

    async fn error_of(&self, channel: &str) -> String {
        let channels = self.journal.channels().await.unwrap();
        let found = channels
            .into_iter()
            .find(|record| record.channel.as_str() == channel);
        found.unwrap().last_error.unwrap()
    }
}

fn notice(key: &str) -> Notice {
    Notice {
        key: key.to_owned(),
        kind: NoticeKind::RepairBegun,
        at: "2026-11-11T04:00:00Z".parse().unwrap(),
        service: Some(ServiceName::new("tis")),
        instance: None,
        title: key.to_owned(),
        text: "text".to_owned(),
        facts: Vec::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn each_notice_is_told_once_on_each_channel_over_restarts() {
    let house = House::new().await;
    for channel in ["one", "two", "slack"] {
        house.enqueue(channel, "a").await;
    }
    assert_eq!(house.sweep().await, (3, 0));
    assert_eq!(house.sent(), ["one a", "slack a", "two a"]);
    house.enqueue("one", "a").await;
    let house = house.restarted().await;
    house.enqueue("one", "a").await;
    assert_eq!(house.sweep().await, (0, 0));
    assert!(house.sent().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_hangs_delays_no_other_and_is_given_up_after_five_seconds() {
    let house = House::new().await;
    house.answer("one", Answer::Hangs);
    for key in ["a", "b", "c"] {
        house.enqueue("one", key).await;
        house.enqueue("two", key).await;
    }
    let before = house.env.clock.boot();
    assert_eq!(house.sweep().await, (3, 1));
    assert_eq!(
        house.env.clock.boot() - before,
        PATIENCE,
        "one timeout, not one a notice"
    );
    assert_eq!(house.sent(), ["one a", "two a", "two b", "two c"]);
    assert_eq!(house.error_of("one").await, "no answer within 5 s");
}

#[tokio::test(start_paused = true)]
async fn a_failing_channel_is_tried_less_and_less_often_and_told_everything_when_it_works() {
    let house = House::new().await;
    house.answer("one", Answer::Unreachable);
    house.enqueue("one", "a").await;
    house.enqueue("one", "b").await;
    let mut tries = Vec::new();
    for second in 0..120 {
        let _ = house.sweep().await;
        tries.extend(house.sent().iter().map(|_| second));
        house.pass_seconds(1).await;
    }
    let gaps: Vec<i32> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(tries.len() <= 6 && gaps.is_sorted(), "{tries:?}");
    house.answer("one", Answer::Status(200));
    house.pass_seconds(600).await;
    assert_eq!(house.sweep().await, (2, 0));
    assert_eq!(house.sent(), ["one a", "one b"]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_is_obeyed_over_restarts() {
    let house = House::new().await;
    house.answer("slack", Answer::Wait(30));
    house.enqueue("slack", "a").await;
    assert_eq!(house.sweep().await, (0, 1));
    house.answer("slack", Answer::Status(200));
    let house = house.restarted().await;
    house.pass_seconds(29).await;
    assert_eq!(house.sweep().await, (0, 0));
    house.pass_seconds(1).await;
    assert_eq!(house.sweep().await, (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_redirect_is_a_failure_that_says_so_and_a_refused_notice_holds_up_no_other() {
    let house = House::new().await;
    house.answer("one", Answer::Status(307));
    house.answer("two", Answer::Status(400));
    for key in ["a", "b"] {
        house.enqueue("one", key).await;
        house.enqueue("two", key).await;
    }
    assert_eq!(house.sweep().await, (0, 3));
    assert_eq!(house.sent(), ["one a", "two a", "two b"]);
    assert!(house.error_of("one").await.contains("not followed"));
}

#[tokio::test(start_paused = true)]
async fn an_unusable_channel_never_counts_as_told_and_says_why() {
    let house = House::new().await;
    for channel in ["sns", "gone", "removed"] {
        house.enqueue(channel, "a").await;
    }
    assert_eq!(house.sweep().await, (0, 3));
    assert!(house.sent().is_empty());
    assert!(house.error_of("sns").await.contains("not in this version yet"));
    assert!(
        house
            .error_of("gone")
            .await
            .contains("environment variable missing is not set")
    );
    assert!(house.error_of("removed").await.contains("no such channel"));
    assert!(
        house
            .journal
            .load(&ServiceName::new("tis"))
            .await
            .unwrap()
            .delivered
            .is_empty()
    );
    let unusable = house.notifier.unusable();
    assert_eq!(unusable.len(), 1);
    assert_eq!(unusable[0].0.as_str(), "sns");
}

#[tokio::test(start_paused = true)]
async fn no_address_reaches_the_journal() {
    let house = House::new().await;
    for (channel, answer) in [
        ("one", Answer::Unreachable),
        ("two", Answer::Status(404)),
        ("slack", Answer::Hangs),
    ] {
        house.answer(channel, answer);
        house.enqueue(channel, "a").await;
    }
    house.sweep().await;
    let records = house.journal.channels().await.unwrap();
    assert_eq!(records.len(), 3);
    assert!(!format!("{records:?}").contains("s3cret"));
}

#[tokio::test(start_paused = true)]
async fn with_a_locked_journal_nothing_is_told_twice_and_it_is_noted_later() {
    let house = House::new().await;
    house.enqueue("one", "a").await;
    let blocker = rusqlite::Connection::open(house.folder.path().join("journal.db")).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(house.sweep().await, (1, 0));
    assert_eq!(house.sweep().await, (0, 0));
    blocker.execute_batch("ROLLBACK").unwrap();
    assert_eq!(house.sweep().await, (0, 0));
    assert_eq!(house.sent(), ["one a"]);
    let told = house
        .journal
        .load(&ServiceName::new("tis"))
        .await
        .unwrap()
        .delivered;
    assert_eq!(told, ["a".to_owned()].into());
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_cannot_be_noted_is_paced_all_the_same() {
    let house = House::new().await;
    house.enqueue("one", "a").await;
    house.answer("one", Answer::Unreachable);
    let blocker = rusqlite::Connection::open(house.folder.path().join("journal.db")).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(house.sweep().await, (0, 1));
    assert_eq!(house.sweep().await, (0, 0));
    house.pass_seconds(5).await;
    assert_eq!(house.sweep().await, (0, 1));
}

#[tokio::test(start_paused = true)]
async fn what_must_be_said_without_a_journal_is_said_once() {
    let house = House::new().await;
    house.answer("two", Answer::Unreachable);
    let full = notice("journal/full");
    let took = house.notifier.tell_without_journal(&full).await;
    assert_eq!(took, [ChannelName::new("one"), ChannelName::new("slack")]);
    house.answer("two", Answer::Status(200));
    assert_eq!(
        house.notifier.tell_without_journal(&full).await,
        [ChannelName::new("two")]
    );
    assert!(house.notifier.tell_without_journal(&full).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn it_tells_at_once_when_woken_and_flushes_everything_before_the_end() {
    let house = House::new().await;
    let watch = async {
        house.pass_seconds(2).await;
        house.enqueue("one", "a").await;
        house.notifier.wake();
        house.pass_seconds(1).await;
        assert_eq!(house.sent(), ["one a"], "before the next sweep was due");
    };
    tokio::select! {
        () = house.notifier.run() => {}
        () = watch => {}
    }
    for number in 0..35 {
        house.enqueue("one", &format!("n{number:02}")).await;
    }
    assert_eq!(house.notifier.flush().await.unwrap().delivered, 35);
    let sent = house.sent();
    assert!(sent.is_sorted() && sent.len() == 35, "{sent:?}");
}
