//! Credentials that are kept until they are about to expire.
//!
//! The SDK's own cache refreshes in the middle of a request. Here a refresh can be had beforehand ([`Kept::warm`]), so that
//! no role is assumed between the reading of the pause flag and the mutation that it admits; and while a refresh fails,
//! credentials that are still valid go on serving.

use crate::model::{AwsError, ErrorClass};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_smithy_async::time::SharedTimeSource;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// Credentials are renewed so long before they expire. A mutation's look, admission and call fit in many times over.
const RENEW_BEFORE: Duration = Duration::from_secs(300);

/// If the renewal fails, the old ones are used as long as they are valid for this much longer: the longest call.
const STILL_USABLE: Duration = Duration::from_secs(30);

/// A source of credentials with a memory. Clones share it.
#[derive(Clone, Debug)]
pub struct Kept {
    source: SharedCredentialsProvider,
    time: SharedTimeSource,
    held: Arc<Mutex<Option<Credentials>>>,
}

impl Kept {
    pub fn new(source: SharedCredentialsProvider, time: SharedTimeSource) -> Self {
        Self {
            source,
            time,
            held: Arc::default(),
        }
    }

    /// As the SDK wants it.
    pub fn share(&self) -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(self.clone())
    }

    /// Makes sure that the next requests need not wait for credentials.
    ///
    /// # Errors
    /// If there are none and none are to be had. Nothing was sent to the service that they are for.
    pub async fn warm(&self) -> Result<(), AwsError> {
        self.get().await.map(|_| ()).map_err(|error| AwsError {
            operation: "credentials".to_owned(),
            object: None,
            class: ErrorClass::NeverSent,
            code: None,
            message: super::error::chain(&error),
            request_id: None,
        })
    }

    async fn get(&self) -> Result<Credentials, CredentialsError> {
        // Held while asking: of many requests that find the credentials expired, one asks.
        let mut held = self.held.lock().await;
        if let Some(credentials) = held.as_ref().filter(|held| self.valid_for(held, RENEW_BEFORE)) {
            return Ok(credentials.clone());
        }
        match self.source.provide_credentials().await {
            Ok(fresh) => {
                *held = Some(fresh.clone());
                Ok(fresh)
            }
            Err(error) => match held.as_ref().filter(|held| self.valid_for(held, STILL_USABLE)) {
                Some(old) => {
                    let why = super::error::chain(&error);
                    tracing::warn!(%why, "credentials could not be renewed; the old ones serve until they expire");
                    Ok(old.clone())
                }
                None => Err(error),
            },
        }
    }

    fn valid_for(&self, credentials: &Credentials, time: Duration) -> bool {
        let needed = self.time.now().checked_add(time);
        match (credentials.expiry(), needed) {
            (None, _) => true,
            (Some(expiry), Some(needed)) => expiry > needed,
            (Some(_), None) => false,
        }
    }
}

impl ProvideCredentials for Kept {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_async::time::TimeSource;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{SystemTime, UNIX_EPOCH};

    #[derive(Debug, Clone, Default)]
    struct World {
        now_s: Arc<AtomicU64>,
        asked: Arc<AtomicU64>,
        broken: Arc<AtomicU64>,
    }

    impl TimeSource for World {
        fn now(&self) -> SystemTime {
            UNIX_EPOCH + Duration::from_secs(self.now_s.load(Ordering::SeqCst))
        }
    }

    impl ProvideCredentials for World {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let asked = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
            let expiry = self.now() + Duration::from_secs(3_600);
            let key = format!("key-{asked}");
            future::ProvideCredentials::ready(if self.broken.load(Ordering::SeqCst) > 0 {
                Err(CredentialsError::provider_error("sts is down"))
            } else {
                Ok(Credentials::new(key, "secret", None, Some(expiry), "test"))
            })
        }
    }

    async fn key(world: &World, kept: &Kept, now_s: u64) -> Result<String, String> {
        world.now_s.store(now_s, Ordering::SeqCst);
        kept.get()
            .await
            .map(|c| c.access_key_id().to_owned())
            .map_err(|e| crate::aws::error::chain(&e))
    }

    fn kept() -> (World, Kept) {
        let world = World::default();
        let kept = Kept::new(
            SharedCredentialsProvider::new(world.clone()),
            SharedTimeSource::new(world.clone()),
        );
        (world, kept)
    }

    #[tokio::test]
    async fn credentials_are_asked_for_once_and_renewed_five_minutes_before_they_expire() {
        let (world, kept) = kept();
        for (now, expected) in [(0, "key-1"), (3_299, "key-1"), (3_300, "key-2"), (6_599, "key-2")] {
            assert_eq!(key(&world, &kept, now).await.unwrap(), expected, "{now}");
        }
    }

    #[tokio::test]
    async fn while_the_renewal_fails_valid_credentials_go_on_serving_and_expired_ones_do_not() {
        let (world, kept) = kept();
        assert_eq!(key(&world, &kept, 0).await.unwrap(), "key-1");
        world.broken.store(1, Ordering::SeqCst);
        assert_eq!(key(&world, &kept, 3_500).await.unwrap(), "key-1");
        assert!(
            key(&world, &kept, 3_570)
                .await
                .unwrap_err()
                .contains("sts is down")
        );
        let error = kept.warm().await.unwrap_err();
        assert_eq!(error.class, ErrorClass::NeverSent);
        world.broken.store(0, Ordering::SeqCst);
        assert!(key(&world, &kept, 3_571).await.unwrap().starts_with("key-"));
    }
}
