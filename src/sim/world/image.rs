//! Images (AMIs): what a launch can use, and what an instance remembers of the image it was launched from.

use std::collections::BTreeSet;

use jiff::Timestamp;

/// Whether an image still is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageState {
    Available,
    Disabled,
    /// Deregistered at that time. DescribeImages shows the state for a short while, then nothing.
    Deregistered(Timestamp),
}

impl ImageState {
    /// EC2's name.
    pub fn name(self) -> &'static str {
        match self {
            ImageState::Available => "available",
            ImageState::Disabled => "disabled",
            ImageState::Deregistered(_) => "deregistered",
        }
    }
}

/// One image. It stays in the world after it was deregistered: instances go on naming it.
#[derive(Debug, Clone)]
pub struct Image {
    pub id: String,
    pub name: String,
    /// The owner's account.
    pub owner: String,
    pub region: String,
    pub state: ImageState,
    pub public: bool,
    /// Accounts, besides the owner's, that may launch it.
    pub shared_with: BTreeSet<String>,
    /// Past this time it is deprecated: hidden from others' listings, and still launchable.
    pub deprecation: Option<Timestamp>,
    /// Accounts whose Allowed AMIs setting excludes it.
    pub not_allowed_in: BTreeSet<String>,
    pub creation: Timestamp,
}

impl Image {
    /// `account` may launch it, as far as permissions go.
    pub fn is_shared_with(&self, account: &str) -> bool {
        self.public || self.owner == account || self.shared_with.contains(account)
    }

    /// The account's Allowed AMIs setting lets it pass.
    pub fn is_allowed_in(&self, account: &str) -> bool {
        !self.not_allowed_in.contains(account)
    }

    pub fn is_deprecated(&self, now: Timestamp) -> bool {
        self.deprecation.is_some_and(|at| at <= now)
    }
}
