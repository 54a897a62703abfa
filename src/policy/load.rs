//! A folder of policy files → what they say, and everything that is wrong with any of them.
//!
//! [`read_folder`] is the only I/O of this module's neighbours: it blocks, so its caller runs it where blocking is
//! allowed. Everything else is pure. A file that cannot be read is a problem of that file and of no other; a folder
//! that cannot be read, or that holds more than a person could have written, is a problem of the folder, and nothing
//! of it is taken for an instruction: least of all that a service be given up.

use super::overlap::{self, Clash};
use super::parse::{Channels, Parsed, parse_policy};
use super::problem::{Masking, Problem, Source, Span};
use super::types::Policy;
use crate::model::ServiceName;
use rustix::fs::OFlags;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Bytes of one file. A policy with every key has 5 KiB.
pub const MAX_FILE_BYTES: u64 = 256 * 1024;
/// Files in the folder; each is one service, and each service is looked at at least once an interval.
pub const MAX_FILES: usize = 1_000;
/// Bytes of the whole folder: all of it is held in memory and journaled.
pub const MAX_FOLDER_BYTES: u64 = 16 * 1024 * 1024;

/// One file of the folder, with its text or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// As it is shown: the folder and the file's name.
    pub file: String,
    pub text: Result<String, Problem>,
}

/// What all files say.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The policies of the files that have no problem.
    pub policies: BTreeMap<ServiceName, Policy>,
    /// Everything that is wrong, in order of file and place.
    pub problems: Vec<Problem>,
    pub(super) files: Vec<LoadedFile>,
}

/// What one file says.
#[derive(Clone, Debug)]
pub(super) struct LoadedFile {
    pub file: String,
    /// Empty if the file cannot be read.
    pub text: String,
    /// With the problems of this file alone.
    pub parsed: Parsed,
}

impl LoadedFile {
    /// The file's name without its folder, by which it is recognised wherever the controller was started.
    pub fn name(&self) -> &str {
        file_name(&self.file)
    }

    /// Why this file's policy cannot stand beside another one.
    pub fn clash_problem(&self, clash: &Clash, other: &str) -> Problem {
        let (span, message, expected) = match clash {
            Clash::Service(service) => {
                let message = format!("the service `{service}` is also the one of {other}");
                (self.parsed.places.service, message, "a service in one file only")
            }
            Clash::Slot {
                slot,
                other_service,
                other_slot,
                why,
            } => {
                let message = format!(
                    "the slot `{slot}` selects the same instances as slot `{other_slot}` of service \
                     `{other_service}` in {other}: {why}"
                );
                let span = self.parsed.places.selectors.get(slot).copied();
                (
                    span,
                    message,
                    "slots that no instance can share; different accounts or regions, if they differ",
                )
            }
        };
        let source = Source {
            file: &self.file,
            text: &self.text,
            masking: Masking::Addresses,
        };
        source
            .problem(span.unwrap_or(Span::START), message)
            .expected(expected)
    }
}

pub(super) fn file_name(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}

/// Reads every policy file of a folder and says what they mean together.
///
/// A folder without any policy file is a problem: it is what a wrong path looks like.
pub fn load_folder(folder: &Path, channels: Channels<'_>) -> Loaded {
    match read_folder(folder) {
        Ok(files) if files.is_empty() => {
            let problem = Problem::of_file(folder.display().to_string(), "the folder has no policy file")
                .expected("files named *.yaml or *.yml, one a service");
            Loaded::unreadable(problem)
        }
        Ok(files) => load_files(files, channels),
        Err(problem) => Loaded::unreadable(*problem),
    }
}

/// Reads every policy file of a folder, in order of name. Names that end in `.yaml` or `.yml` count, hidden ones
/// (`.tis.yaml`, which is how editors call their copies) do not.
///
/// # Errors
/// The folder cannot be listed, or holds more than [`MAX_FILES`] or [`MAX_FOLDER_BYTES`].
pub fn read_folder(folder: &Path) -> Result<Vec<SourceFile>, Box<Problem>> {
    let refuse = |message: String, expected: &str| {
        Box::new(Problem::of_file(folder.display().to_string(), message).expected(expected))
    };
    let unreadable = |error: std::io::Error| {
        let expected = "a readable folder; see `policies` in the config file and --policies";
        refuse(
            format!("the folder of the policies cannot be read: {error}"),
            expected,
        )
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        if is_policy_file(&name.to_string_lossy()) {
            names.push(name);
        }
        if names.len() > MAX_FILES {
            let message = format!("the folder has more than {MAX_FILES} policy files");
            return Err(refuse(message, "one file a service; is this the right folder?"));
        }
    }
    names.sort();
    let mut left = MAX_FOLDER_BYTES;
    let mut files = Vec::new();
    for name in names {
        let path = folder.join(name);
        let file = path.display().to_string();
        let text = read_text(&path).map_err(|problem| *problem);
        let bytes = text.as_ref().map_or(0, |text| text.len() as u64);
        left = left.checked_sub(bytes).ok_or_else(|| {
            let message = format!("the policy files have more than {MAX_FOLDER_BYTES} bytes together");
            refuse(message, "files of a few KiB each; is this the right folder?")
        })?;
        files.push(SourceFile { file, text });
    }
    Ok(files)
}

fn is_policy_file(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    !name.starts_with('.') && (lower.ends_with(".yaml") || lower.ends_with(".yml"))
}

/// Reads one file that a person wrote.
///
/// # Errors
/// It is missing, is no file, is larger than [`MAX_FILE_BYTES`], or is not UTF-8.
pub(super) fn read_text(path: &Path) -> Result<String, Box<Problem>> {
    let shown = path.display().to_string();
    let refuse = |message: String| Err(Box::new(Problem::of_file(shown.clone(), message)));
    // Without O_NONBLOCK, opening a named pipe would wait for a writer for ever.
    let opened = File::options()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return match path.is_symlink() {
                true => refuse("the file is a symbolic link to something that does not exist".to_owned()),
                false => refuse("the file does not exist".to_owned()),
            };
        }
        Err(error) => return refuse(format!("the file cannot be read: {error}")),
    };
    match file.metadata() {
        Ok(metadata) if metadata.is_dir() => return refuse("this is a folder, not a file".to_owned()),
        Ok(metadata) if !metadata.is_file() => return refuse("this is a device, not a file".to_owned()),
        Ok(_) => {}
        Err(error) => return refuse(format!("the file cannot be read: {error}")),
    }
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too large, however large it says it is.
    if let Err(error) = file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes) {
        return refuse(format!("the file cannot be read: {error}"));
    }
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return refuse(format!("the file is larger than {} KiB", MAX_FILE_BYTES / 1024));
    }
    text_of(&shown, bytes)
}

fn text_of(file: &str, bytes: Vec<u8>) -> Result<String, Box<Problem>> {
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes());
        let before = text.get(..valid).unwrap_or("");
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        let bounded = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let span = Span {
            line: bounded(line),
            column: bounded(column),
            length: 1,
        };
        let source = Source {
            file,
            text: &text,
            masking: Masking::Tokens,
        };
        let problem = source.problem(span, "the file is not UTF-8 text from this place on");
        Box::new(problem.expected("a text file in UTF-8"))
    })
}

/// What texts mean together: pairs of file and text.
pub fn load_texts(texts: &[(String, String)], channels: Channels<'_>) -> Loaded {
    let file = |(file, text): &(String, String)| SourceFile {
        file: file.clone(),
        text: Ok(text.clone()),
    };
    load_files(texts.iter().map(file).collect(), channels)
}

/// What files mean together. Two policies of one service, and two that select the same instances, are both refused:
/// nothing in the files says which one is meant. ([`super::merge_last_good`] knows which one was there first.)
pub fn load_files(files: Vec<SourceFile>, channels: Channels<'_>) -> Loaded {
    let files: Vec<LoadedFile> = files.into_iter().map(|file| load_file(file, channels)).collect();
    let valid: Vec<(&LoadedFile, &Policy)> = files
        .iter()
        .filter_map(|file| Some((file, file.parsed.policy.as_ref()?)))
        .collect();
    let policies: Vec<&Policy> = valid.iter().map(|(_, policy)| *policy).collect();
    let mut problems: Vec<Problem> = files
        .iter()
        .flat_map(|file| file.parsed.problems.clone())
        .collect();
    let mut refused = vec![false; valid.len()];
    for (one, other, clash) in overlap::clashes(&policies) {
        let (Some((file, _)), Some((other_file, _))) = (valid.get(one), valid.get(other)) else {
            continue;
        };
        problems.push(file.clash_problem(&clash, &other_file.file));
        if let Some(refused) = refused.get_mut(one) {
            *refused = true;
        }
    }
    let accepted = policies.iter().zip(&refused).filter(|(_, refused)| !**refused);
    let policies = accepted
        .map(|(policy, _)| (policy.service.clone(), (*policy).clone()))
        .collect();
    problems.sort();
    Loaded {
        policies,
        problems,
        files,
    }
}

fn load_file(source: SourceFile, channels: Channels<'_>) -> LoadedFile {
    match source.text {
        Ok(text) => {
            let parsed = parse_policy(&source.file, &text, channels);
            LoadedFile {
                file: source.file,
                text,
                parsed,
            }
        }
        Err(problem) => LoadedFile {
            file: source.file,
            text: String::new(),
            parsed: Parsed::unreadable(problem),
        },
    }
}

impl Loaded {
    /// The folder itself cannot be read.
    pub fn unreadable(problem: Problem) -> Self {
        Self {
            policies: BTreeMap::new(),
            problems: vec![problem],
            files: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const TIS: &str = "service: tis\nslots: { blue: { select: { tags: { Name: tis-blue } } } }\n";
    const APP: &str = "service: app\nslots: { blue: { select: { tags: { Name: app-blue } } } }\n";

    fn load(texts: &[(&str, &str)]) -> Loaded {
        let texts: Vec<(String, String)> = texts
            .iter()
            .map(|(file, text)| ((*file).to_owned(), (*text).to_owned()))
            .collect();
        load_texts(&texts, Channels::Unchecked)
    }

    fn messages(loaded: &Loaded) -> Vec<String> {
        loaded.problems.iter().map(Problem::one_line).collect()
    }

    #[test]
    fn a_bad_file_stops_no_other() {
        let loaded = load(&[("a.yaml", "service: [\n"), ("tis.yaml", TIS), ("app.yaml", APP)]);
        assert_eq!(
            loaded
                .policies
                .keys()
                .map(ServiceName::as_str)
                .collect::<Vec<_>>(),
            ["app", "tis"]
        );
        assert_eq!(loaded.problems.len(), 1, "{:?}", messages(&loaded));
    }

    #[test]
    fn a_service_in_two_files_is_refused_in_both() {
        let loaded = load(&[("tis.yaml", TIS), ("copy.yaml", TIS), ("app.yaml", APP)]);
        assert_eq!(loaded.policies.len(), 1);
        assert_eq!(
            messages(&loaded),
            [
                "copy.yaml:1:10: the service `tis` is also the one of tis.yaml",
                "tis.yaml:1:10: the service `tis` is also the one of copy.yaml",
            ]
        );
    }

    #[test]
    fn selectors_that_share_instances_are_refused_in_both_files() {
        let wider = APP.replace("Name: app-blue", "Name: tis-blue, Env: prod");
        let loaded = load(&[("tis.yaml", TIS), ("app.yaml", &wider)]);
        assert!(loaded.policies.is_empty());
        assert_eq!(loaded.problems.len(), 2, "{:?}", messages(&loaded));
        assert!(messages(&loaded)[0].contains("slot `blue` of service `tis` in tis.yaml"));
    }

    #[test]
    fn the_same_tags_in_another_account_or_region_are_no_overlap() {
        let twin = |extra: &str| format!("{extra}\n{}", TIS.replace("service: tis", "service: twin"));
        for (one, other, overlap) in [
            ("account: '111122223333'", "account: '444455556666'", false),
            ("region: eu-west-1", "region: eu-west-2", false),
            ("region: eu-west-1", "region: eu-west-1", true),
            // What is left out comes from the environment and may be the same.
            ("region: eu-west-1", "", true),
            (
                "role: arn:aws:iam::111122223333:role/x",
                "account: '444455556666'",
                false,
            ),
        ] {
            let loaded = load(&[
                ("one.yaml", &format!("{one}\n{TIS}")),
                ("other.yaml", &twin(other)),
            ]);
            assert_eq!(
                loaded.policies.is_empty(),
                overlap,
                "{one} / {other}: {:?}",
                messages(&loaded)
            );
        }
    }

    #[test]
    fn a_folder_is_read_in_order_and_what_is_no_policy_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("tis.yaml", TIS);
        write("app.yml", APP);
        for ignored in [
            ".tis.yaml.swp",
            ".hidden.yaml",
            "tis.yaml~",
            "README.md",
            "tis.yaml.off",
            "#tis.yaml#",
        ] {
            write(ignored, "{{{");
        }
        let loaded = load_folder(folder.path(), Channels::Unchecked);
        assert!(loaded.problems.is_empty(), "{:?}", messages(&loaded));
        assert_eq!(loaded.policies.len(), 2);
        assert!(loaded.files[0].file.ends_with("/app.yml"));
        assert_eq!(loaded.files[0].name(), "app.yml");
    }

    #[test]
    fn every_kind_of_file_that_cannot_be_read_is_a_problem_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("folder.yaml")).unwrap();
        std::os::unix::fs::symlink("/nonexistent", path("dangling.yaml")).unwrap();
        fs::write(path("latin.yaml"), b"service: tis\nowner: Andr\xe9\n").unwrap();
        fs::write(path("large.yaml"), "#".repeat(MAX_FILE_BYTES as usize + 1)).unwrap();
        fs::write(path("tis.yaml"), TIS).unwrap();
        std::os::unix::fs::symlink("tis.yaml", path("again.yml")).unwrap();
        let fifo = std::process::Command::new("mkfifo")
            .arg(path("pipe.yaml"))
            .status()
            .unwrap();
        assert!(fifo.success());
        let loaded = load_folder(folder.path(), Channels::Unchecked);
        let prefix = format!("{}/", folder.path().display());
        let found: Vec<String> = messages(&loaded).iter().map(|m| m.replace(&prefix, "")).collect();
        assert_eq!(
            found,
            [
                "again.yml:1:10: the service `tis` is also the one of tis.yaml",
                "dangling.yaml:1:1: the file is a symbolic link to something that does not exist",
                "folder.yaml:1:1: this is a folder, not a file",
                "large.yaml:1:1: the file is larger than 256 KiB",
                "latin.yaml:2:12: the file is not UTF-8 text from this place on",
                "pipe.yaml:1:1: this is a device, not a file",
                "tis.yaml:1:10: the service `tis` is also the one of again.yml",
            ]
        );
    }

    #[test]
    fn a_folder_that_is_missing_or_empty_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(load_folder(folder.path(), Channels::Unchecked).problems.len(), 1);
        let missing = load_folder(&folder.path().join("nope"), Channels::Unchecked);
        assert!(
            messages(&missing)[0].contains("cannot be read"),
            "{:?}",
            messages(&missing)
        );
    }
}
