//! Webhooks: other people's HTTP endpoints (Slack, a heartbeat service), which record what was sent to them.

use std::time::Duration;

use jiff::Timestamp;

use super::World;

/// How a webhook answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookAnswer {
    Ok,
    /// 429 with a Retry-After header of so many seconds.
    TooManyRequests(u64),
    ServerError,
    /// 302 to somewhere else, which no sender should follow.
    Redirect(String),
    /// Accepts the request and never answers.
    Hang,
    /// Answers 200, after a while.
    Slow(Duration),
}

/// One request that a webhook received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    pub at: Timestamp,
    pub method: String,
    /// Path and query, which in a webhook are the secret.
    pub path: String,
    pub content_type: Option<String>,
    pub body: String,
    /// The status it was answered with; `None` for never.
    pub status: Option<u16>,
}

#[derive(Debug, Clone)]
pub(super) struct Webhook {
    answer: WebhookAnswer,
    posts: Vec<Post>,
}

impl World {
    /// From now on, requests to `host` are answered so. Registers the host on first use.
    pub fn set_webhook(&mut self, host: &str, answer: WebhookAnswer) {
        let webhook = self.webhooks.entry(host.to_owned());
        webhook
            .or_insert_with(|| Webhook {
                answer: WebhookAnswer::Ok,
                posts: Vec::new(),
            })
            .answer = answer;
    }

    /// Everything that `host` has received, oldest first.
    pub fn posts(&self, host: &str) -> &[Post] {
        self.webhooks
            .get(host)
            .map_or(&[], |webhook| webhook.posts.as_slice())
    }

    /// Everything that any host has received: by host, oldest first.
    pub fn all_posts(&self) -> impl Iterator<Item = (&str, &Post)> {
        let hosts = self.webhooks.iter();
        hosts.flat_map(|(host, webhook)| webhook.posts.iter().map(move |post| (host.as_str(), post)))
    }

    /// Somebody has received a message since `since` that names `what`.
    pub fn was_told_of(&self, what: &str, since: Timestamp) -> bool {
        let posts = self.webhooks.values().flat_map(|webhook| &webhook.posts);
        let mut told = posts.filter(|post| post.at >= since && post.status == Some(200));
        told.any(|post| post.body.contains(what))
    }

    /// The host is a webhook of this world.
    pub fn has_webhook(&self, host: &str) -> bool {
        self.webhooks.contains_key(host)
    }

    /// A request arrives at a webhook; `None` if no such host exists.
    pub fn receive(&mut self, now: Timestamp, host: &str, mut post: Post) -> Option<WebhookAnswer> {
        self.step(now);
        let webhook = self.webhooks.get_mut(host)?;
        post.at = self.now;
        post.status = match webhook.answer {
            WebhookAnswer::Ok | WebhookAnswer::Slow(_) => Some(200),
            WebhookAnswer::TooManyRequests(_) => Some(429),
            WebhookAnswer::ServerError => Some(500),
            WebhookAnswer::Redirect(_) => Some(302),
            WebhookAnswer::Hang => None,
        };
        webhook.posts.push(post);
        Some(webhook.answer.clone())
    }
}
