//! scaffold
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window;
