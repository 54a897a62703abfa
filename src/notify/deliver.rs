//! From the outbox to the channels: one bounded sweep after the other.

use super::answer::{Failure, Verdict, judge, timed_out, unusable};
use super::{PATIENCE, slack, unusable_because, webhook};
use crate::env::{Env, Poster};
use crate::model::{ChannelName, Notice};
use crate::policy::{Channel, Secret, SecretError, SecretRef};
use crate::record::{Delivery, FailureOf, Journal, RecordError};
use futures_util::stream::{self, StreamExt as _};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// How often the outbox is looked into without being woken: retries need it, and a notice of another process's making.
pub const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// Channels that are told at the same time; a few lines on a slow network, and hanging ones do not fill it, for at most
/// [`PATIENCE`] each.
const MOST_AT_ONCE: usize = 16;

/// Sweeps of one [`Notifier::flush`]: 10 notices a channel each, so that 100 a channel are told before `run --once`
/// ends; the journal has the rest.
const MOST_FLUSHES: u32 = 10;

/// Fetches a secret; may block.
pub type Resolver = Arc<dyn Fn(&SecretRef) -> Result<Secret, SecretError> + Send + Sync>;

/// What one sweep came to, in notices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sweep {
    pub delivered: u32,
    pub failed: u32,
}

/// Tells people what is in the outbox.
pub struct Notifier {
    journal: Journal,
    channels: BTreeMap<ChannelName, Channel>,
    resolver: Resolver,
    poster: Arc<dyn Poster>,
    env: Env,
    woken: Notify,
    memory: Mutex<Memory>,
}

/// What the journal could not be told yet, because it could not be written.
#[derive(Default)]
struct Memory {
    /// Delivered, by the outbox's id: must not be told again meanwhile.
    delivered: BTreeMap<i64, Delivery>,
    /// Channels whose failure is not noted: not to be tried before.
    not_before: BTreeMap<ChannelName, Timestamp>,
    /// Told without a journal: key and channel.
    told: BTreeSet<(String, ChannelName)>,
}

impl Notifier {
    pub fn new(
        journal: Journal,
        channels: BTreeMap<ChannelName, Channel>,
        resolver: Resolver,
        poster: Arc<dyn Poster>,
        env: Env,
    ) -> Self {
        Self {
            journal,
            channels,
            resolver,
            poster,
            env,
            woken: Notify::new(),
            memory: Mutex::default(),
        }
    }

    /// Channels that cannot take a notice in this version, with the reason: for a warning at start and for `status`.
    pub fn unusable(&self) -> Vec<(ChannelName, &'static str)> {
        let unusable =
            |(name, channel): (&ChannelName, &Channel)| Some((name.clone(), unusable_because(channel)?));
        self.channels.iter().filter_map(unusable).collect()
    }

    /// Something was put into the outbox: the next sweep begins now.
    pub fn wake(&self) {
        self.woken.notify_one();
    }

    /// Sweeps for ever. Ends only by being dropped; a delivery under way is then told again by the next process.
    pub async fn run(&self) {
        loop {
            if let Err(error) = self.sweep().await {
                tracing::debug!(%error, "the outbox could not be read");
            }
            tokio::select! {
                biased;
                () = self.woken.notified() => {}
                () = self.env.clock.sleep(SWEEP_EVERY) => {}
            }
        }
    }

    /// Sweeps until nothing more can be told now: for a process that is about to end.
    pub async fn flush(&self) -> Result<Sweep, RecordError> {
        let mut total = Sweep::default();
        for _ in 0..MOST_FLUSHES {
            let sweep = self.sweep().await?;
            total.delivered = total.delivered.saturating_add(sweep.delivered);
            total.failed = total.failed.saturating_add(sweep.failed);
            if sweep.delivered == 0 {
                break;
            }
        }
        Ok(total)
    }

    /// Tells what is due, each channel for itself.
    ///
    /// # Errors
    /// If the outbox could not be read; what was delivered and could not be noted is kept in mind instead.
    pub async fn sweep(&self) -> Result<Sweep, RecordError> {
        self.note_deliveries().await;
        let now = self.env.clock.wall();
        let mut due: BTreeMap<ChannelName, Vec<Delivery>> = BTreeMap::new();
        for delivery in self.journal.due().await? {
            if self.with_memory(|memory| memory.allows(&delivery, now)) {
                due.entry(delivery.channel.clone()).or_default().push(delivery);
            }
        }
        let sweeps: Vec<Sweep> = stream::iter(due)
            .map(|(name, deliveries)| self.tell_channel(name, deliveries))
            .buffer_unordered(MOST_AT_ONCE)
            .collect()
            .await;
        Ok(sweeps.iter().fold(Sweep::default(), |total, sweep| Sweep {
            delivered: total.delivered.saturating_add(sweep.delivered),
            failed: total.failed.saturating_add(sweep.failed),
        }))
    }

    /// One channel's notices, in order, until it fails.
    async fn tell_channel(&self, name: ChannelName, deliveries: Vec<Delivery>) -> Sweep {
        let mut sweep = Sweep::default();
        let target = self.target(&name).await;
        for delivery in deliveries {
            let verdict = match &target {
                Ok(target) => self.send(target, &delivery.notice).await,
                Err(failure) => Verdict::Failed(failure.clone()),
            };
            match verdict {
                Verdict::Taken => {
                    sweep.delivered = sweep.delivered.saturating_add(1);
                    if delivery.channel_failures > 0 {
                        tracing::info!(channel = %name, "the channel works again");
                    }
                    self.note_delivered(delivery).await;
                }
                Verdict::Failed(failure) => {
                    sweep.failed = sweep.failed.saturating_add(1);
                    let whose = failure.whose;
                    self.note_failed(delivery, failure).await;
                    if whose == FailureOf::Channel {
                        break;
                    }
                }
            }
        }
        sweep
    }

    /// Tells every usable channel once in this process's life, past the journal: for what people must know when the journal
    /// itself cannot be written. Says which channels took it.
    pub async fn tell_without_journal(&self, notice: &Notice) -> Vec<ChannelName> {
        let told = |name: &ChannelName| (notice.key.clone(), name.clone());
        let missing: Vec<ChannelName> = self
            .channels
            .keys()
            .filter(|name| self.with_memory(|memory| !memory.told.contains(&told(name))))
            .cloned()
            .collect();
        let attempts = stream::iter(missing).map(|name| async move {
            let target = self.target(&name).await.ok()?;
            (self.send(&target, notice).await == Verdict::Taken).then_some(name)
        });
        let took: Vec<Option<ChannelName>> = attempts.buffer_unordered(MOST_AT_ONCE).collect().await;
        let mut took: Vec<ChannelName> = took.into_iter().flatten().collect();
        took.sort();
        self.with_memory(|memory| memory.told.extend(took.iter().map(told)));
        took
    }

    /// A channel's address, fetched now.
    async fn target(&self, name: &ChannelName) -> Result<Target, Failure> {
        let Some(channel) = self.channels.get(name) else {
            return Err(unusable(
                "the config file has no such channel any more".to_owned(),
            ));
        };
        let (reference, render): (_, fn(&Notice) -> String) = match channel {
            Channel::Slack { webhook } => (webhook, slack::body),
            Channel::Webhook { url } => (url, webhook::body),
            Channel::Sns { .. } | Channel::PagerDuty { .. } => {
                let why = unusable_because(channel).unwrap_or("it is not in this version yet");
                return Err(unusable(why.to_owned()));
            }
        };
        let url = resolve(&self.env, &self.resolver, reference)
            .await
            .map_err(unusable)?;
        Ok(Target { url, render })
    }

    async fn send(&self, target: &Target, notice: &Notice) -> Verdict {
        let request = self
            .poster
            .post_json(target.url.expose(), (target.render)(notice));
        match tokio::time::timeout(PATIENCE, request).await {
            Ok(answer) => judge(answer),
            Err(_) => Verdict::Failed(timed_out()),
        }
    }

    async fn note_delivered(&self, delivery: Delivery) {
        let id = delivery.id;
        self.with_memory(|memory| memory.delivered.insert(id, delivery.clone()));
        if self.journal.delivered(delivery).await.is_ok() {
            self.with_memory(|memory| memory.delivered.remove(&id));
        }
    }

    /// What an earlier sweep could not note.
    async fn note_deliveries(&self) {
        for delivery in self.with_memory(|memory| memory.delivered.clone()).into_values() {
            self.note_delivered(delivery).await;
        }
    }

    async fn note_failed(&self, delivery: Delivery, failure: Failure) {
        let channel = delivery.channel.clone();
        let failures = match failure.whose {
            FailureOf::Channel => delivery.channel_failures,
            FailureOf::Notice => delivery.refusals,
        };
        // Once when it begins; `status` has the rest.
        if failures == 0 {
            tracing::warn!(%channel, key = delivery.notice.key, why = failure.why, "a notice was not delivered");
        }
        let wait = failure.pace.wait(failures, self.env.entropy.number());
        let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::ZERO);
        let now = self.env.clock.wall();
        let next_try = now.saturating_add(wait).unwrap_or(now);
        let noted = self
            .journal
            .failed(delivery, failure.whose, failure.why, next_try)
            .await;
        self.with_memory(|memory| match noted {
            Ok(()) => memory.not_before.remove(&channel),
            Err(_) => memory.not_before.insert(channel, next_try),
        });
    }

    fn with_memory<T>(&self, work: impl FnOnce(&mut Memory) -> T) -> T {
        work(&mut self.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Memory {
    fn allows(&self, delivery: &Delivery, now: Timestamp) -> bool {
        let waits = self
            .not_before
            .get(&delivery.channel)
            .is_some_and(|until| now < *until);
        !waits && !self.delivered.contains_key(&delivery.id)
    }
}

/// Where to send, and in which form.
struct Target {
    url: Secret,
    render: fn(&Notice) -> String,
}

/// Fetches a secret where blocking work is done.
pub(super) async fn resolve(env: &Env, resolver: &Resolver, reference: &SecretRef) -> Result<Secret, String> {
    let (resolver, reference) = (Arc::clone(resolver), reference.clone());
    match env.blocking.run(move || resolver(&reference)).await {
        Ok(Ok(secret)) => Ok(secret),
        Ok(Err(error)) => Err(format!("its address cannot be had: {error}")),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
