//! The closed list of AWS operations that this program calls, and what each may do and cost.
//!
//! An operation that is not on this list cannot be sent: the clients' interceptors look every request up here before
//! it is transmitted.

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Api {
    GetCallerIdentity,
    DescribeInstances,
    DescribeInstanceStatus,
    DescribeInstanceImageMetadata,
    DescribeInstanceAttribute,
    DescribeInstanceCreditSpecifications,
    DescribeVolumes,
    DescribeImages,
    DescribeInstanceTypes,
    DescribeInstanceTypeOfferings,
    DescribeSubnets,
    DescribeLaunchTemplateVersions,
    DescribeTargetGroups,
    DescribeTargetGroupAttributes,
    DescribeTargetHealth,
    DescribeLoadBalancers,
    DescribeLoadBalancerAttributes,
    DescribeAutoScalingGroups,
    GetParameters,
    StartInstances,
    RunInstances,
    StopInstances,
    TerminateInstances,
    ModifyInstanceAttribute,
    CreateTags,
    RegisterTargets,
    DeregisterTargets,
    PutParameter,
    DeleteParameter,
}

/// What an operation does to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Read,
    /// Changes what the policies are about; needs an admission.
    Mutation,
    /// Changes only what keepgreen itself keeps in AWS.
    Bookkeeping,
}

/// One of AWS's token buckets, each per account and region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bucket {
    /// Buckets of one operation alone.
    Of(Api),
    /// All calls of Elastic Load Balancing together.
    LoadBalancing,
}

/// The capacity of a token bucket and its refill per second, as AWS grants them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grant {
    pub capacity: f64,
    pub refill_per_s: f64,
}

impl Api {
    pub const ALL: [Self; 29] = [
        Self::GetCallerIdentity,
        Self::DescribeInstances,
        Self::DescribeInstanceStatus,
        Self::DescribeInstanceImageMetadata,
        Self::DescribeInstanceAttribute,
        Self::DescribeInstanceCreditSpecifications,
        Self::DescribeVolumes,
        Self::DescribeImages,
        Self::DescribeInstanceTypes,
        Self::DescribeInstanceTypeOfferings,
        Self::DescribeSubnets,
        Self::DescribeLaunchTemplateVersions,
        Self::DescribeTargetGroups,
        Self::DescribeTargetGroupAttributes,
        Self::DescribeTargetHealth,
        Self::DescribeLoadBalancers,
        Self::DescribeLoadBalancerAttributes,
        Self::DescribeAutoScalingGroups,
        Self::GetParameters,
        Self::StartInstances,
        Self::RunInstances,
        Self::StopInstances,
        Self::TerminateInstances,
        Self::ModifyInstanceAttribute,
        Self::CreateTags,
        Self::RegisterTargets,
        Self::DeregisterTargets,
        Self::PutParameter,
        Self::DeleteParameter,
    ];

    /// AWS's name of it: the `Action` of a query request, the last part of `X-Amz-Target`.
    pub fn name(self) -> &'static str {
        match self {
            Self::GetCallerIdentity => "GetCallerIdentity",
            Self::DescribeInstances => "DescribeInstances",
            Self::DescribeInstanceStatus => "DescribeInstanceStatus",
            Self::DescribeInstanceImageMetadata => "DescribeInstanceImageMetadata",
            Self::DescribeInstanceAttribute => "DescribeInstanceAttribute",
            Self::DescribeInstanceCreditSpecifications => "DescribeInstanceCreditSpecifications",
            Self::DescribeVolumes => "DescribeVolumes",
            Self::DescribeImages => "DescribeImages",
            Self::DescribeInstanceTypes => "DescribeInstanceTypes",
            Self::DescribeInstanceTypeOfferings => "DescribeInstanceTypeOfferings",
            Self::DescribeSubnets => "DescribeSubnets",
            Self::DescribeLaunchTemplateVersions => "DescribeLaunchTemplateVersions",
            Self::DescribeTargetGroups => "DescribeTargetGroups",
            Self::DescribeTargetGroupAttributes => "DescribeTargetGroupAttributes",
            Self::DescribeTargetHealth => "DescribeTargetHealth",
            Self::DescribeLoadBalancers => "DescribeLoadBalancers",
            Self::DescribeLoadBalancerAttributes => "DescribeLoadBalancerAttributes",
            Self::DescribeAutoScalingGroups => "DescribeAutoScalingGroups",
            Self::GetParameters => "GetParameters",
            Self::StartInstances => "StartInstances",
            Self::RunInstances => "RunInstances",
            Self::StopInstances => "StopInstances",
            Self::TerminateInstances => "TerminateInstances",
            Self::ModifyInstanceAttribute => "ModifyInstanceAttribute",
            Self::CreateTags => "CreateTags",
            Self::RegisterTargets => "RegisterTargets",
            Self::DeregisterTargets => "DeregisterTargets",
            Self::PutParameter => "PutParameter",
            Self::DeleteParameter => "DeleteParameter",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|api| api.name() == name)
    }

    pub fn kind(self) -> Kind {
        match self {
            Self::StartInstances
            | Self::RunInstances
            | Self::StopInstances
            | Self::TerminateInstances
            | Self::ModifyInstanceAttribute
            | Self::CreateTags
            | Self::RegisterTargets
            | Self::DeregisterTargets => Kind::Mutation,
            Self::PutParameter | Self::DeleteParameter => Kind::Bookkeeping,
            _ => Kind::Read,
        }
    }

    /// The bucket that AWS takes a call from. Every ELB call also has a bucket of its own, of the same size for what reads
    /// and of half of it (20, refilled by 4 a second) for what registers; keepgreen's share of the shared one is below both.
    pub fn bucket(self) -> Bucket {
        match self {
            Self::DescribeTargetGroups
            | Self::DescribeTargetGroupAttributes
            | Self::DescribeTargetHealth
            | Self::DescribeLoadBalancers
            | Self::DescribeLoadBalancerAttributes
            | Self::RegisterTargets
            | Self::DeregisterTargets => Bucket::LoadBalancing,
            other => Bucket::Of(other),
        }
    }
}

impl Bucket {
    /// What AWS grants, from its throttling pages. For SSM, STS and Auto Scaling, which publish no bucket, a small
    /// fraction of what they are known to bear.
    pub fn grant(self) -> Grant {
        let (capacity, refill_per_s) = match self {
            Self::LoadBalancing => (40.0, 10.0),
            Self::Of(Api::StartInstances | Api::RunInstances) => (5.0, 2.0),
            Self::Of(Api::StopInstances | Api::ModifyInstanceAttribute) => (50.0, 5.0),
            Self::Of(Api::TerminateInstances) => (100.0, 5.0),
            Self::Of(Api::CreateTags) => (100.0, 10.0),
            Self::Of(Api::PutParameter | Api::DeleteParameter) => (12.0, 3.0),
            Self::Of(Api::GetParameters) => (40.0, 40.0),
            Self::Of(_) => (100.0, 20.0),
        };
        Grant {
            capacity,
            refill_per_s,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::LoadBalancing => "ElasticLoadBalancing",
            Self::Of(api) => api.name(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_operation() {
        for api in Api::ALL {
            assert_eq!(Api::from_name(api.name()), Some(api));
        }
        assert_eq!(Api::from_name("RebootInstances"), None);
    }

    #[test]
    fn only_operations_that_describe_or_get_are_reads() {
        for api in Api::ALL {
            let reads = api.name().starts_with("Describe") || api.name().starts_with("Get");
            assert_eq!(api.kind() == Kind::Read, reads, "{api:?}");
        }
    }
}
