//! `keepgreen check`: everything that is wrong with the policy files and the config file, without asking anybody.

use super::args::{CheckArgs, Common, Format};
use super::context::config_file;
use super::exit::{Exit, Outcome};
use super::json::{VERSION, text_of};
use super::paint::{Style, print};
use crate::policy::{
    Channels, Colour, Config, Loaded, Problem, load_config, load_files, load_folder, read_folder,
    render_json, render_text,
};
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What was checked, and what was found.
#[derive(Debug, Serialize)]
struct CheckDoc {
    version: u32,
    ok: bool,
    /// `null`: there is none, the built-in defaults are used.
    config: Option<String>,
    /// The folder.
    policies: String,
    files: usize,
    services: Vec<String>,
    /// Whether the channels that the policies name were looked up in the config file.
    channels_checked: bool,
    problems: serde_json::Value,
}

/// Runs it.
pub fn check(args: &CheckArgs, common: &Common) -> Outcome {
    let (doc, problems) = examine(args.dir.as_deref(), common);
    match common.format() {
        Format::Json => print(&text_of(&doc)?)?,
        Format::Text => print(&render(&doc, &problems))?,
    }
    Ok(if doc.ok { Exit::Done } else { Exit::Problems })
}

fn examine(dir: Option<&Path>, common: &Common) -> (CheckDoc, Vec<Problem>) {
    let file = config_file(common);
    let (config, mut problems) = match load_config(file.as_deref()) {
        Ok(config) => (Some(config), Vec::new()),
        Err(problems) => (None, problems),
    };
    let folder = folder(dir, common, config.as_ref(), file.as_deref());
    // Without a config file there is nothing to look the channels up in, and a file is no worse for that.
    let known: Option<BTreeSet<_>> = config
        .as_ref()
        .filter(|config| config.file.is_some())
        .map(Config::channel_names);
    let channels = known.as_ref().map_or(Channels::Unchecked, Channels::Known);
    let (files, loaded) = load(&folder, channels);
    problems.extend(loaded.problems);
    let doc = CheckDoc {
        version: VERSION,
        ok: problems.is_empty(),
        config: file.map(|file| file.display().to_string()),
        policies: folder.display().to_string(),
        files,
        services: loaded.policies.keys().map(ToString::to_string).collect(),
        channels_checked: known.is_some(),
        problems: render_json(&problems),
    };
    (doc, problems)
}

/// A config file that cannot be used does not say where the policies are: then they are looked for where they would be
/// without it.
fn folder(dir: Option<&Path>, common: &Common, config: Option<&Config>, file: Option<&Path>) -> PathBuf {
    let named = dir.or(common.rest.policies.as_deref()).map(Path::to_path_buf);
    named.unwrap_or_else(|| match config {
        Some(config) => config.policies.clone(),
        None => Config::defaults(file.and_then(Path::parent).unwrap_or(Path::new("."))).policies,
    })
}

fn load(folder: &Path, channels: Channels<'_>) -> (usize, Loaded) {
    match read_folder(folder) {
        Ok(files) if !files.is_empty() => (files.len(), load_files(files, channels)),
        _ => (0, load_folder(folder, channels)),
    }
}

fn render(doc: &CheckDoc, problems: &[Problem]) -> String {
    let mut text = render_text(problems, Colour::Always);
    let config = match &doc.config {
        Some(config) => format!(", config {config}"),
        None => ", no config file (channel names are not checked)".to_owned(),
    };
    let files = count(doc.files, "policy file");
    let what = format!("{files} in {}{config}", doc.policies);
    let line = if doc.ok {
        let services = doc.services.join(", ");
        format!("{}  {what}: {services}", Style::Good.paint("ok"))
    } else {
        let bad: BTreeSet<&str> = problems.iter().map(|problem| problem.file.as_str()).collect();
        let found = format!(
            "{} in {}",
            count(problems.len(), "problem"),
            count(bad.len(), "file")
        );
        format!("{}  {what}", Style::Bad.paint(&found))
    };
    text.push_str(&line);
    text.push('\n');
    text
}

/// `1 file`, `2 files`
pub fn count(number: usize, what: &str) -> String {
    if number == 1 {
        format!("1 {what}")
    } else {
        format!("{number} {what}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Rest;
    use crate::cli::paint::plain;
    use std::fs;

    const GOOD: &str =
        "service: tis\nslots: { blue: { select: { tags: { Name: tis-blue } } } }\nnotify: [ops]\n";

    fn with_policies(folder: &Path) -> Common {
        Common {
            config: None,
            rest: Rest {
                policies: Some(folder.to_owned()),
                ..Rest::default()
            },
        }
    }

    #[test]
    fn every_problem_of_every_file_and_of_the_config_is_found_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.yaml");
        let policies = folder.path().join("policies");
        fs::create_dir(&policies).unwrap();
        fs::write(&config, "intervall: 60s\nlisten: here\n").unwrap();
        fs::write(policies.join("a.yaml"), "service: A b\n").unwrap();
        fs::write(policies.join("b.yaml"), GOOD.replace("slots", "slotz")).unwrap();
        let common = Common {
            config: Some(config),
            rest: Rest::default(),
        };
        let (doc, problems) = examine(None, &common);
        let files: BTreeSet<&str> = problems
            .iter()
            .map(|problem| problem.file.rsplit('/').next().unwrap())
            .collect();
        assert_eq!(
            files,
            BTreeSet::from(["a.yaml", "b.yaml", "config.yaml"]),
            "{problems:#?}"
        );
        assert!(!doc.ok && doc.files == 2 && problems.len() >= 5, "{problems:#?}");
        let text = plain(&render(&doc, &problems));
        assert!(
            text.contains(&format!("{} problems in 3 files", problems.len())),
            "{text}"
        );
    }

    #[test]
    fn channels_are_looked_up_only_where_a_config_file_says_which_there_are() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("tis.yaml"), GOOD).unwrap();
        let (doc, problems) = examine(None, &with_policies(folder.path()));
        assert!(doc.ok && !doc.channels_checked, "{problems:#?}");
        assert_eq!(doc.services, ["tis"]);

        let config = folder.path().join("config");
        fs::write(&config, "interval: 60s\n").unwrap();
        let common = Common {
            config: Some(config),
            ..with_policies(folder.path())
        };
        let (doc, problems) = examine(None, &common);
        assert!(
            !doc.ok && doc.channels_checked && problems.len() == 1,
            "{problems:#?}"
        );
    }

    #[test]
    fn a_folder_without_policies_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        for missing in [folder.path().to_owned(), folder.path().join("nowhere")] {
            let (doc, problems) = examine(Some(&missing), &Common::default());
            assert!(!doc.ok && doc.files == 0 && problems.len() == 1, "{problems:#?}");
        }
    }
}
