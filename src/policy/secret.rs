//! Secrets: where they are kept, and their values, which are never shown.
//!
//! Files name a secret as `env:NAME` or `file:PATH`; a literal is refused, because files are copied, mailed and
//! committed. [`SecretRef::resolve`] fetches the value as late as the caller likes, which lets a secret be rotated
//! without a restart.

use std::ffi::OsString;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes of a secret: URLs and tokens have hundreds.
const MAX_SECRET_BYTES: u64 = 16 * 1024;

/// A secret's value. Neither `Debug` nor any error shows it, and it cannot be serialised.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the value as it is.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where a secret is kept; safe to show.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file: its content without surrounding white space.
    File(PathBuf),
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

/// Why a secret could not be had; names where it should be, never what it is.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("the environment variable {0} is not set")]
    NotSet(String),
    #[error("{0} is empty")]
    Empty(SecretRef),
    #[error("{0} is not one line of text")]
    NotText(SecretRef),
    #[error("the file {path} cannot be read: {error}")]
    Unreadable { path: String, error: std::io::Error },
    #[error("the file {0} is larger than 16 KiB")]
    TooLarge(String),
}

impl SecretRef {
    /// Fetches the value. `env` looks up an environment variable; reading a file blocks.
    ///
    /// # Errors
    /// It is missing, empty, or not a line of text.
    pub fn resolve(&self, env: impl Fn(&str) -> Option<OsString>) -> Result<Secret, SecretError> {
        let bytes = match self {
            Self::Env(name) => env(name)
                .ok_or_else(|| SecretError::NotSet(name.clone()))?
                .into_encoded_bytes(),
            Self::File(path) => read(path)?,
        };
        let text = String::from_utf8(bytes).map_err(|_| SecretError::NotText(self.clone()))?;
        let value = text.trim();
        if value.is_empty() {
            return Err(SecretError::Empty(self.clone()));
        }
        if value.chars().any(char::is_control) {
            return Err(SecretError::NotText(self.clone()));
        }
        Ok(Secret::new(value))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, SecretError> {
    let unreadable = |error| SecretError::Unreadable {
        path: path.display().to_string(),
        error,
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(MAX_SECRET_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_SECRET_BYTES {
        return Err(SecretError::TooLarge(path.display().to_string()));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_env(_: &str) -> Option<OsString> {
        None
    }

    #[test]
    fn a_secret_comes_from_the_environment_or_a_file_without_its_line_break() {
        let variable = SecretRef::Env("HOOK".to_owned());
        let value = variable
            .resolve(|name| (name == "HOOK").then(|| " https://x/y\n".into()))
            .unwrap();
        assert_eq!(value.expose(), "https://x/y");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "token\n").unwrap();
        assert_eq!(
            SecretRef::File(file.path().to_owned())
                .resolve(no_env)
                .unwrap()
                .expose(),
            "token"
        );
    }

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::new("hunter2");
        assert!(!format!("{secret:?} {:?}", Some(&secret)).contains("hunter2"));
        let two_lines = SecretRef::Env("HOOK".to_owned()).resolve(|_| Some("hunter2\nhunter3".into()));
        let error = two_lines.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter"));
    }

    #[test]
    fn a_secret_that_cannot_be_had_says_where_it_should_be() {
        let message = |reference: SecretRef| reference.resolve(no_env).unwrap_err().to_string();
        assert_eq!(
            message(SecretRef::Env("HOOK".to_owned())),
            "the environment variable HOOK is not set"
        );
        let empty = SecretRef::Env("HOOK".to_owned()).resolve(|_| Some("  ".into()));
        assert_eq!(empty.unwrap_err().to_string(), "env:HOOK is empty");
        assert!(
            message(SecretRef::File("/nonexistent/x".into()))
                .starts_with("the file /nonexistent/x cannot be read")
        );
    }
}
