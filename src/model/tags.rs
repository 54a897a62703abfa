//! The tags that keepgreen itself reads and writes: they say whose an instance is, and prove no ownership by themselves.

/// Every key of these begins so.
pub const PREFIX: &str = "keepgreen:";
/// The service that a launched instance is of.
pub const SERVICE: &str = "keepgreen:service";
/// Its slot.
pub const SLOT: &str = "keepgreen:slot";
/// In whose place it was launched.
pub const REPLACES: &str = "keepgreen:replaces";
/// Which repair launched it.
pub const REPAIR: &str = "keepgreen:repair";
/// When its replacement took its place: it belongs to no slot any more.
pub const RETIRED: &str = "keepgreen:retired";
/// Somebody's wish that it is left alone.
pub const PAUSE: &str = "keepgreen:pause";
