//! A batch with one bad id fails whole: which parts of it to send again, without the bad one's company.

use crate::model::{AwsError, ErrorClass, InstanceId, Mutant, Step};
use std::collections::BTreeMap;

/// Whether the failure may be one instance's alone.
pub(super) fn may_be_one_instances(class: ErrorClass) -> bool {
    match class {
        ErrorClass::Capacity
        | ErrorClass::Quota
        | ErrorClass::NotFound
        | ErrorClass::InvalidState
        | ErrorClass::Image
        | ErrorClass::NotAuthorised
        | ErrorClass::Permanent => true,
        ErrorClass::Throttled
        | ErrorClass::Transient
        | ErrorClass::Ambiguous
        | ErrorClass::Token
        | ErrorClass::NeverSent => false,
    }
}

/// The smaller steps to try instead of one that failed whole; empty if it cannot be made smaller.
///
/// AWS usually names the instances that it objects to: they are set apart, so that all others start with one more
/// request. Where it names none, the batch is halved, which finds `k` bad ones among `n` in about `k·log2(n)` requests.
pub(super) fn smaller(step: &Step, error: &AwsError) -> Vec<Step> {
    let Step::Start { instances } = step else {
        return Vec::new();
    };
    if instances.len() < 2 || Mutant::BatchIsNeverSplit.is_on() || !may_be_one_instances(error.class) {
        return Vec::new();
    }
    let named = |id: &InstanceId| error.message.contains(id.as_str());
    let (bad, good): (BTreeMap<_, _>, BTreeMap<_, _>) = instances
        .iter()
        .map(|(id, of)| (id.clone(), of.clone()))
        .partition(|(id, _)| named(id));
    if !bad.is_empty() && !good.is_empty() {
        let alone = bad.into_iter().map(|(id, of)| Step::Start {
            instances: BTreeMap::from([(id, of)]),
        });
        return std::iter::once(Step::Start { instances: good })
            .chain(alone)
            .collect();
    }
    let half = instances.len() / 2;
    let part = |from: usize, count: usize| Step::Start {
        instances: instances
            .iter()
            .skip(from)
            .take(count)
            .map(|(id, of)| (id.clone(), of.clone()))
            .collect(),
    };
    vec![part(0, half), part(half, instances.len())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{RepairId, StartOf};

    fn batch(count: usize) -> Step {
        let of = StartOf {
            slot: "blue".into(),
            repair: RepairId::new("r"),
            attempt: 1,
        };
        Step::Start {
            instances: (0..count)
                .map(|n| (InstanceId::new(format!("i-{n:04}")), of.clone()))
                .collect(),
        }
    }

    fn error(class: ErrorClass, message: &str) -> AwsError {
        AwsError {
            operation: "StartInstances".to_owned(),
            object: None,
            class,
            code: None,
            message: message.to_owned(),
            request_id: None,
        }
    }

    fn sizes(steps: &[Step]) -> Vec<usize> {
        steps.iter().map(|step| step.instances().count()).collect()
    }

    #[test]
    fn the_named_one_is_set_apart_and_the_rest_stays_together() {
        let parts = smaller(
            &batch(10),
            &error(ErrorClass::InvalidState, "instance 'i-0003' is not in a state"),
        );
        assert_eq!(sizes(&parts), [9, 1]);
        assert!(parts[1].instances().all(|id| id.as_str() == "i-0003"));
    }

    #[test]
    fn without_a_name_the_batch_is_halved_and_nothing_is_lost() {
        let whole = batch(7);
        let parts = smaller(&whole, &error(ErrorClass::Capacity, "no capacity"));
        assert_eq!(sizes(&parts), [3, 4]);
        let all: Vec<_> = parts.iter().flat_map(Step::instances).collect();
        assert_eq!(all, whole.instances().collect::<Vec<_>>());
    }

    #[test]
    fn one_instance_and_failures_of_everyone_are_not_split() {
        assert!(smaller(&batch(1), &error(ErrorClass::InvalidState, "")).is_empty());
        assert!(smaller(&batch(5), &error(ErrorClass::Throttled, "")).is_empty());
        assert!(smaller(&batch(5), &error(ErrorClass::Ambiguous, "")).is_empty());
    }
}
