//! Names of things, as types: an image id never lands where an instance id belongs.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the name as it is; where it has rules, whoever parses it has checked them.
            pub fn new(name: impl Into<String>) -> Self {
                Self(name.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl From<&str> for $name {
            fn from(name: &str) -> Self {
                Self(name.to_owned())
            }
        }
    };
}

name_type!(
    /// `i-0123456789abcdef0`
    InstanceId
);
name_type!(
    /// `ami-0123456789abcdef0`
    ImageId
);
name_type!(
    /// The twelve digits of an AWS account.
    AccountId
);
name_type!(
    /// `eu-west-2`
    Region
);
name_type!(
    /// An availability zone's name: `eu-west-2a`.
    Zone
);
name_type!(
    /// A service's name, `[a-z0-9-]{1,63}`, unique over all policies.
    ServiceName
);
name_type!(
    /// A slot's name within its service: `blue`, `green`.
    SlotName
);
name_type!(
    /// The full ARN of a target group.
    TargetGroupArn
);
name_type!(
    /// One incident's repair: stable over attempts, restarts and replicas.
    RepairId
);
name_type!(
    /// One journaled intent.
    IntentId
);
name_type!(
    /// A notification channel's name in the config file.
    ChannelName
);
name_type!(
    /// A digest of a policy's text: two looks under the same version were made under the same rules.
    PolicyVersion
);
