//! The request budget: own calls stay below a quarter of what AWS grants an account, so that keepgreen never takes from
//! the people and tools that share it (S21).
//!
//! Guarantees: in the steady state no token bucket is drawn at more than [`SHARE`] of its refill; quiet reads leave a
//! reserve to repairs; what admits a start never waits, it runs into debt, which quiet reads then pay off. Retries that
//! the SDK makes by itself are charged too. Time that reads waited is counted and can be shown: it is by how much the
//! interval was stretched.
//!
//! Buckets are per account, not per role: two roles in one account share one.

use super::api::{Api, Bucket, Grant};
use crate::env::Clock;
use crate::model::{AccountId, Region};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// The part of AWS's grant that keepgreen uses.
pub const SHARE: f64 = 0.25;

/// The part of a bucket that quiet reads leave to repairs.
const RESERVE: f64 = 0.2;

/// What a call is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// To start something that is down: never waits.
    Start,
    /// For a repair that is under way: may use the whole share.
    Repair,
    /// To see whether all is well: leaves a reserve, and waits for its turn.
    Quiet,
}

/// One bucket: pure arithmetic over a clock that is given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenBucket {
    capacity: f64,
    refill_per_s: f64,
    level: f64,
    /// The boot clock's reading at which `level` held.
    at: Duration,
}

impl TokenBucket {
    /// A full bucket of keepgreen's share of `grant`.
    pub fn share_of(grant: Grant, now: Duration) -> Self {
        // A bucket that cannot hold a quiet read's token beside the reserve would never serve one.
        let capacity = (grant.capacity * SHARE).max(1.0 / (1.0 - RESERVE));
        Self {
            capacity,
            refill_per_s: grant.refill_per_s * SHARE,
            level: capacity,
            at: now,
        }
    }

    /// Takes one token, or says after how long there will be one for this priority.
    ///
    /// # Errors
    /// The time to wait; nothing was taken.
    pub fn take(&mut self, now: Duration, priority: Priority) -> Result<(), Duration> {
        self.refill(now);
        let floor = match priority {
            Priority::Start => -self.capacity,
            Priority::Repair => 0.0,
            Priority::Quiet => self.capacity * RESERVE,
        };
        if self.level - 1.0 >= floor - 1e-9 || priority == Priority::Start {
            self.charge();
            return Ok(());
        }
        let missing = floor + 1.0 - self.level;
        // Never zero: a wait that rounds to nothing would spin.
        Err(Duration::from_secs_f64(missing / self.refill_per_s).max(Duration::from_millis(1)))
    }

    /// Takes one token that is already spent.
    pub fn spend(&mut self, now: Duration) {
        self.refill(now);
        self.charge();
    }

    /// Debt is bounded by one full bucket: a mass start must not silence the quiet reads for minutes.
    fn charge(&mut self) {
        self.level = (self.level - 1.0).max(-self.capacity);
    }

    fn refill(&mut self, now: Duration) {
        let elapsed = now.saturating_sub(self.at).as_secs_f64();
        self.level = (self.level + elapsed * self.refill_per_s).min(self.capacity);
        self.at = self.at.max(now);
    }
}

/// Whose bucket it is: AWS grants per account and region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Purse {
    /// `None`: the account of the process's own credentials, as long as it is not known.
    pub account: Option<AccountId>,
    pub region: Region,
}

/// By how much one bucket slowed reads down, since the process began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub purse: Purse,
    /// AWS's name of the operation, or of the service that shares one bucket.
    pub bucket: &'static str,
    pub waits: u64,
    pub waited: Duration,
}

#[derive(Debug)]
struct Entry {
    bucket: TokenBucket,
    waits: u64,
    waited: Duration,
}

/// All buckets of the process. Clones share them.
#[derive(Clone, Debug)]
pub struct Budgets {
    clock: Clock,
    entries: Arc<Mutex<BTreeMap<(Purse, Bucket), Entry>>>,
    own_account: Arc<OnceLock<AccountId>>,
}

impl Budgets {
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            entries: Arc::default(),
            own_account: Arc::default(),
        }
    }

    /// The account of the process's own credentials turned out to be this: from now on they share its buckets with the
    /// roles in it.
    pub fn learn_own_account(&self, account: &AccountId) {
        // Only ever one account: the credentials' chain is asked once for a process.
        let _ = self.own_account.set(account.clone());
    }

    /// Waits until a call may be made, and takes its token.
    pub async fn acquire(&self, purse: &Purse, api: Api, priority: Priority) {
        let begun = self.clock.boot();
        let mut waited = false;
        loop {
            let taken = self.with(purse, api, |entry, now| entry.bucket.take(now, priority));
            match taken {
                Ok(()) => break,
                Err(wait) => {
                    waited = true;
                    self.clock.sleep(wait).await;
                }
            }
        }
        if waited {
            self.with(purse, api, |entry, now| {
                entry.waits += 1;
                entry.waited = entry.waited.saturating_add(now.saturating_sub(begun));
            });
        }
    }

    /// Counts a request that was made without asking: a retry of the SDK's.
    pub fn charge(&self, purse: &Purse, api: Api) {
        self.with(purse, api, |entry, now| entry.bucket.spend(now));
    }

    /// Every bucket that ever made a read wait.
    pub fn stretches(&self) -> Vec<Stretch> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = entries.iter().filter(|(_, entry)| entry.waits > 0);
        waited
            .map(|((purse, bucket), entry)| Stretch {
                purse: purse.clone(),
                bucket: bucket.name(),
                waits: entry.waits,
                waited: entry.waited,
            })
            .collect()
    }

    fn with<T>(&self, purse: &Purse, api: Api, work: impl FnOnce(&mut Entry, Duration) -> T) -> T {
        let now = self.clock.boot();
        let bucket = api.bucket();
        let account = purse.account.as_ref().or(self.own_account.get()).cloned();
        let purse = Purse {
            account,
            region: purse.region.clone(),
        };
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.entry((purse, bucket)).or_insert_with(|| Entry {
            bucket: TokenBucket::share_of(bucket.grant(), now),
            waits: 0,
            waited: Duration::ZERO,
        });
        work(entry, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::VirtualClock;

    const DESCRIBE: Grant = Grant {
        capacity: 100.0,
        refill_per_s: 20.0,
    };

    fn taken(bucket: &mut TokenBucket, now: Duration, priority: Priority) -> usize {
        (0..1_000)
            .take_while(|_| bucket.take(now, priority).is_ok())
            .count()
    }

    #[test]
    fn a_full_bucket_holds_a_quarter_of_the_grant_less_the_reserve() {
        for (priority, most) in [(Priority::Repair, 25), (Priority::Quiet, 20)] {
            let mut bucket = TokenBucket::share_of(DESCRIBE, Duration::ZERO);
            assert_eq!(taken(&mut bucket, Duration::ZERO, priority), most, "{priority:?}");
        }
    }

    #[test]
    fn a_repair_still_gets_a_token_when_the_quiet_reads_have_used_theirs() {
        let mut bucket = TokenBucket::share_of(DESCRIBE, Duration::ZERO);
        taken(&mut bucket, Duration::ZERO, Priority::Quiet);
        assert!(bucket.take(Duration::ZERO, Priority::Quiet).is_err());
        assert_eq!(taken(&mut bucket, Duration::ZERO, Priority::Repair), 5);
    }

    #[test]
    fn over_any_long_time_a_quarter_of_the_refill_is_used() {
        let mut bucket = TokenBucket::share_of(DESCRIBE, Duration::ZERO);
        let mut now = Duration::ZERO;
        let mut calls = 0;
        while now < Duration::from_secs(100) {
            match bucket.take(now, Priority::Quiet) {
                Ok(()) => calls += 1,
                Err(wait) => now += wait,
            }
        }
        assert!((515..=521).contains(&calls), "{calls}: 20 at once and 5 a second");
    }

    #[test]
    fn a_start_never_waits_and_its_debt_is_paid_by_quiet_reads() {
        let mut bucket = TokenBucket::share_of(DESCRIBE, Duration::ZERO);
        assert_eq!(taken(&mut bucket, Duration::ZERO, Priority::Start), 1_000);
        // A debt of one bucket (25) and the reserve (5), and the token itself, at 5 a second.
        assert_eq!(
            bucket.take(Duration::ZERO, Priority::Quiet),
            Err(Duration::from_millis(6_200))
        );
        assert!(bucket.take(Duration::from_millis(6_200), Priority::Quiet).is_ok());
    }

    #[test]
    fn every_bucket_can_serve_a_quiet_read() {
        for api in Api::ALL {
            let mut bucket = TokenBucket::share_of(api.bucket().grant(), Duration::ZERO);
            assert!(bucket.take(Duration::ZERO, Priority::Quiet).is_ok(), "{api:?}");
        }
    }

    #[test]
    fn a_clock_that_steps_back_gives_nothing_away() {
        let mut bucket = TokenBucket::share_of(DESCRIBE, Duration::from_secs(100));
        taken(&mut bucket, Duration::from_secs(100), Priority::Repair);
        assert!(bucket.take(Duration::ZERO, Priority::Repair).is_err());
        assert!(bucket.take(Duration::from_secs(100), Priority::Repair).is_err());
    }

    fn purse(account: &str) -> Purse {
        Purse {
            account: Some(account.into()),
            region: "eu-west-2".into(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_is_counted_and_no_account_waits_for_another() {
        let clock = VirtualClock::starting_at("2026-11-11T04:00:00Z".parse().unwrap());
        let budgets = Budgets::new(Clock::Virtual(clock.clone()));
        for _ in 0..10 {
            budgets
                .acquire(&purse("1"), Api::DescribeTargetHealth, Priority::Quiet)
                .await;
        }
        // 10 in the share, 2 of them in reserve, 2.5 a second.
        assert_eq!(clock.now().boot.as_millis(), 800);
        budgets
            .acquire(&purse("2"), Api::DescribeTargetHealth, Priority::Quiet)
            .await;
        assert_eq!(clock.now().boot.as_millis(), 800);
        let [stretch] = &budgets.stretches()[..] else {
            panic!("{:?}", budgets.stretches())
        };
        assert_eq!(
            (&stretch.purse, stretch.bucket, stretch.waits),
            (&purse("1"), "ElasticLoadBalancing", 2)
        );
        assert_eq!(stretch.waited, Duration::from_millis(800));
    }

    #[tokio::test(start_paused = true)]
    async fn own_credentials_and_a_role_in_their_account_share_its_buckets() {
        let clock = VirtualClock::starting_at("2026-11-11T04:00:00Z".parse().unwrap());
        let budgets = Budgets::new(Clock::Virtual(clock.clone()));
        budgets.learn_own_account(&"1".into());
        let own = Purse {
            account: None,
            region: "eu-west-2".into(),
        };
        for purse in [own, purse("1")] {
            for _ in 0..5 {
                budgets
                    .acquire(&purse, Api::DescribeTargetHealth, Priority::Quiet)
                    .await;
            }
        }
        assert_eq!(clock.now().boot.as_millis(), 800);
    }

    #[tokio::test(start_paused = true)]
    async fn retries_that_were_not_asked_for_are_charged() {
        let clock = VirtualClock::starting_at("2026-11-11T04:00:00Z".parse().unwrap());
        let budgets = Budgets::new(Clock::Virtual(clock.clone()));
        for _ in 0..8 {
            budgets.charge(&purse("1"), Api::DescribeTargetGroups);
        }
        budgets
            .acquire(&purse("1"), Api::DescribeTargetHealth, Priority::Quiet)
            .await;
        assert_eq!(clock.now().boot.as_millis(), 400);
    }
}
