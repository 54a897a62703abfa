//! Exit codes: part of the contract with whatever calls keepgreen.

use std::fmt;
use std::process::ExitCode;

/// How a command ended, without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to do.
    Done,
    /// It was carried out, and the answer is a bad one: problems found, a service that could not be read.
    Problems,
    /// `plan`: a mutation is due now, or by time alone.
    Due,
    /// `demo`: ended by this signal before its end, as shells tell it.
    Signalled(u8),
}

impl Exit {
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Problems => 1,
            Self::Due => 3,
            Self::Signalled(number) => number.saturating_add(128),
        }
    }
}

/// The usage exit code is clap's own, 2; an error's is 1.
pub const ERROR: u8 = 1;

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command could not be carried out: what happened, to which object, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(pub String);

impl Failure {
    pub fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// What every command answers.
pub type Outcome = Result<Exit, Failure>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_that_scripts_rely_on() {
        assert_eq!([Exit::Done, Exit::Problems, Exit::Due].map(Exit::code), [0, 1, 3]);
        assert_eq!(Exit::Signalled(2).code(), 130);
        assert_eq!(ERROR, 1);
    }
}
