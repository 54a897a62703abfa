//! Flag files: `<state>/pause` pauses everything, `<state>/pause.d/<service>` one service. Touching one is enough.
//!
//! A file that is there and cannot be read is a flag; so is a dangling link, a folder or a pipe of that name. Only a
//! name that does not exist is no flag.

use super::text::{Flag, LONGEST, shown};
use super::{Heard, PATIENCE, pause_of, scope_of};
use crate::env::Env;
use crate::model::{Pause, PauseSource, ServiceName};
use jiff::Timestamp;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The file that pauses everything.
pub const FLAG_FILE: &str = "pause";
/// The folder of the files that pause one service each.
pub const FLAG_FOLDER: &str = "pause.d";

/// A service's name that cannot be a file's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no service's name: it has 1 to 63 of a-z, 0-9 and -")]
pub struct BadServiceName(String);

/// The flag file of one service, or of everything.
///
/// # Errors
/// A name outside `[a-z0-9-]{1,63}`, which could lead out of the folder.
pub fn flag_path(folder: &Path, service: Option<&ServiceName>) -> Result<PathBuf, BadServiceName> {
    let Some(service) = service else {
        return Ok(folder.join(FLAG_FILE));
    };
    require_plain(service)?;
    Ok(folder.join(FLAG_FOLDER).join(service.as_str()))
}

/// A name that cannot lead anywhere else, as part of a path or of a parameter's name.
pub(super) fn require_plain(service: &ServiceName) -> Result<(), BadServiceName> {
    let name = service.as_str();
    let is_plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    if (1..=63).contains(&name.len()) && name.bytes().all(is_plain) {
        return Ok(());
    }
    Err(BadServiceName(name.to_owned()))
}

/// Reads both files, where the environment does blocking work.
pub(super) async fn read(service: &ServiceName, folder: &Path, env: &Env) -> Heard {
    let (service, shown_folder) = (service.clone(), folder.to_owned());
    let folder = folder.to_owned();
    let work = env.blocking.run(move || read_now(&service, &folder));
    let why = match tokio::time::timeout(PATIENCE, work).await {
        Ok(Ok(heard)) => return heard,
        Ok(Err(failed)) => failed.to_string(),
        Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
    };
    Heard {
        unreadable: vec![format!("the pause files in {}: {why}", shown_folder.display())],
        ..Heard::default()
    }
}

fn read_now(service: &ServiceName, folder: &Path) -> Heard {
    let mut heard = Heard::default();
    for scope in [None, Some(service)] {
        match flag_path(folder, scope).map(|path| (read_flag(&path, scope), path)) {
            Ok((Ok(flag), _)) => heard.set.extend(flag),
            Ok((Err(error), path)) => heard
                .unreadable
                .push(format!("the pause file {}: {error}", path.display())),
            Err(bad) => heard
                .unreadable
                .push(format!("the pause file of a service: {bad}")),
        }
    }
    heard
}

/// One file's flag; `None` if there is no such file.
pub(super) fn read_flag(path: &Path, service: Option<&ServiceName>) -> io::Result<Option<Pause>> {
    // Not following links: a link to nowhere was put there by somebody, and is a flag that cannot be read.
    match fs::symlink_metadata(path) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    // Without waiting: a pipe would have it wait for a writer.
    let no_waiting = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    let opened = OpenOptions::new().read(true).custom_flags(no_waiting).open(path);
    let mut file = match opened {
        Ok(file) => file,
        // Removed since, unless the name is still there and leads nowhere.
        Err(error) if error.kind() == ErrorKind::NotFound && !is_named(path) => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other(
            "it is not a file, so it says neither why nor until when",
        ));
    }
    let mut bytes = Vec::new();
    let limit = u64::try_from(LONGEST).unwrap_or(u64::MAX).saturating_add(1);
    file.by_ref().take(limit).read_to_end(&mut bytes)?;
    let since = metadata
        .modified()
        .ok()
        .and_then(|time| Timestamp::try_from(time).ok());
    let source = PauseSource::File(path.display().to_string());
    Ok(Some(pause_of(flag_of(&bytes), scope_of(service), source, since)))
}

fn is_named(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// What is too long or not text has no end and says so.
fn flag_of(bytes: &[u8]) -> Flag {
    let without_end = |reason: String| Flag {
        reason: shown(&reason),
        ..Flag::default()
    };
    if bytes.len() > LONGEST {
        return without_end(format!("(its text is longer than {LONGEST} bytes and not shown)"));
    }
    match str::from_utf8(bytes) {
        Ok(text) => Flag::parse(text),
        Err(_) => without_end("(its text is not UTF-8 and not shown)".to_owned()),
    }
}
