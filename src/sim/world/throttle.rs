//! AWS's request limits: token buckets per account, region and class of call (aws-facts §4).

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::api::{Caller, Operation};

/// A bucket that a call draws on, its limit, and how much it takes.
pub type Cost = (&'static str, Limit, f64);

/// A bucket's size and how much flows in per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    capacity: f64,
    refill_per_second: f64,
}

pub(super) const fn limit(capacity: f64, refill_per_second: f64) -> Limit {
    Limit {
        capacity,
        refill_per_second,
    }
}

/// The buckets of every account and region, made as they are used.
#[derive(Debug, Clone, Default)]
pub struct Buckets {
    levels: BTreeMap<(String, String, &'static str), (f64, Timestamp)>,
}

impl Buckets {
    /// Take what `operation` costs from each bucket it draws on; `false` if one has not enough, and then
    /// nothing is taken.
    pub fn admit(&mut self, now: Timestamp, caller: &Caller, operation: &Operation) -> bool {
        let costs = costs(operation);
        let enough = costs.iter().all(|(name, limit, cost)| {
            // A call that costs more than a full bucket takes all of it, rather than never passing.
            self.level(now, caller, name, *limit) >= cost.min(limit.capacity)
        });
        if enough {
            for (name, limit, cost) in costs {
                let level = self.level(now, caller, name, limit) - cost.min(limit.capacity);
                self.levels.insert(key(caller, name), (level, now));
            }
        }
        enough
    }

    fn level(&self, now: Timestamp, caller: &Caller, name: &'static str, limit: Limit) -> f64 {
        match self.levels.get(&key(caller, name)) {
            None => limit.capacity,
            Some((level, at)) => {
                let elapsed = now.duration_since(*at).as_secs_f64().max(0.0);
                (level + elapsed * limit.refill_per_second).min(limit.capacity)
            }
        }
    }
}

fn key(caller: &Caller, name: &'static str) -> (String, String, &'static str) {
    (caller.account.clone(), caller.region.clone(), name)
}

impl super::World {
    /// What a call costs: each bucket that it draws on, its size, what flows in per second, and how much it takes.
    pub fn price(&self, operation: &Operation) -> Vec<(&'static str, f64, f64, f64)> {
        let costs = costs(operation).into_iter();
        costs
            .map(|(name, limit, cost)| (name, limit.capacity, limit.refill_per_second, cost))
            .collect()
    }
}

/// What a listing costs that is neither filtered nor paged.
pub(super) fn bare(bucket: &'static str) -> Vec<Cost> {
    vec![(bucket, limit(50.0, 10.0), 1.0)]
}

/// The buckets an operation draws on, and how much of each.
fn costs(operation: &Operation) -> Vec<Cost> {
    let name = operation.name();
    let instances = |n: usize| n as f64;
    match operation {
        Operation::DescribeInstances { ids, filters, page } => {
            let bare = ids.is_empty() && filters.is_empty() && page.max.is_none() && page.token.is_none();
            if bare {
                self::bare("DescribeInstances bare")
            } else {
                vec![describe(name)]
            }
        }
        Operation::DescribeInstanceStatus {
            ids, filters, page, ..
        } => {
            let bare = ids.is_empty() && filters.is_empty() && page.max.is_none() && page.token.is_none();
            if bare {
                self::bare("DescribeInstanceStatus bare")
            } else {
                vec![describe(name)]
            }
        }
        Operation::DescribeInstanceImageMetadata { .. } | Operation::DescribeImages(_) => {
            vec![describe(name)]
        }
        Operation::StartInstances { ids, .. } => vec![
            (name, limit(5.0, 2.0), 1.0),
            (
                "StartInstances instances",
                limit(1000.0, 2.0),
                instances(ids.len()),
            ),
        ],
        Operation::StopInstances { ids, .. } => vec![
            (name, limit(50.0, 5.0), 1.0),
            (
                "StopInstances instances",
                limit(1000.0, 20.0),
                instances(ids.len()),
            ),
        ],
        Operation::TerminateInstances { ids, .. } => vec![
            (name, limit(100.0, 5.0), 1.0),
            (
                "TerminateInstances instances",
                limit(1000.0, 20.0),
                instances(ids.len()),
            ),
        ],
        Operation::CreateTags { .. } => vec![(name, limit(100.0, 10.0), 1.0)],
        Operation::DeleteTags { .. } => vec![("EC2 other mutating", limit(50.0, 5.0), 1.0)],
        Operation::DescribeTargetGroups { .. } | Operation::DescribeTargetHealth { .. } => {
            vec![
                ("ELB describe", limit(40.0, 10.0), 1.0),
                ("ELB all", limit(40.0, 10.0), 1.0),
            ]
        }
        Operation::DescribeAutoScalingGroups { .. } => vec![describe(name)],
        // SSM's and STS's quotas are far above what a controller can reach.
        Operation::GetParameter { .. }
        | Operation::GetParameters { .. }
        | Operation::PutParameter { .. }
        | Operation::DeleteParameter { .. } => vec![("SSM", limit(40.0, 40.0), 1.0)],
        Operation::GetCallerIdentity | Operation::AssumeRole { .. } => {
            vec![("STS", limit(600.0, 600.0), 1.0)]
        }
        Operation::DryRun(inner) => costs(inner),
        _ => operation.family().map_or_else(Vec::new, |family| family.costs()),
    }
}

/// What a call of EC2 costs that has no bucket of its own.
pub(super) fn ec2(name: &'static str) -> Vec<Cost> {
    let is_read = name.starts_with("Describe") || name.starts_with("Get");
    vec![if is_read {
        describe(name)
    } else {
        ("EC2 other mutating", limit(50.0, 5.0), 1.0)
    }]
}

fn describe(name: &'static str) -> (&'static str, Limit, f64) {
    (name, limit(100.0, 20.0), 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_empties_the_bucket_and_time_refills_it() {
        let mut buckets = Buckets::default();
        let caller = Caller {
            account: "1".into(),
            region: "r".into(),
            arn: String::new(),
        };
        let start = Operation::StartInstances {
            ids: vec!["i-1".into()],
            dry_run: false,
        };
        let at = |s| Timestamp::from_second(s).unwrap();
        assert!((0..5).all(|_| buckets.admit(at(0), &caller, &start)));
        assert!(!buckets.admit(at(0), &caller, &start));
        assert!(buckets.admit(at(1), &caller, &start));
        assert!(buckets.admit(at(1), &caller, &start));
        assert!(!buckets.admit(at(1), &caller, &start));
        let elsewhere = Caller {
            region: "q".into(),
            ..caller
        };
        assert!(buckets.admit(at(1), &elsewhere, &start));
    }
}
