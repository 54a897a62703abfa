//! The house rules that no compiler checks: which folder may name which, how long a file and a function may be, what the
//! top level holds, what no file may say.
//!
//! Every rule is a function from text to violations, so that each has two tests: the tree keeps it, and a made-up
//! violation is caught. A rule that cannot fail is worse than none: it is believed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on has failed"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A file at a time is what a person reads in one sitting; design allows up to this many lines.
const LONGEST_FILE_LINES: usize = 800;
/// What fits on a screen, blank lines aside.
const LONGEST_FUNCTION_LINES: usize = 70;

/// Each folder of src and what it may name besides itself. Data flows one way; the order is that of the table.
const LAYERS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("policy", &["model"]),
    ("decide", &["model", "policy"]),
    // The outside world knows the words for it and nothing else.
    ("env", &["model"]),
    ("aws", &["model", "policy", "decide", "env"]),
    ("observe", &["model", "policy", "decide", "env", "aws"]),
    ("pause", &["model", "policy", "decide", "env", "aws"]),
    ("record", &["model", "policy", "decide", "env", "aws"]),
    // The four beside each other know nothing of each other, but for this: what is to be told waits in the journal's
    // outbox, so that a restart neither forgets nor repeats it.
    ("notify", &["model", "policy", "decide", "env", "aws", "record"]),
    (
        "act",
        &[
            "model", "policy", "decide", "env", "aws", "observe", "pause", "record", "notify",
        ],
    ),
    (
        "controller",
        &[
            "model", "policy", "decide", "env", "aws", "observe", "pause", "record", "notify", "act",
        ],
    ),
    (
        "serve",
        &[
            "model",
            "policy",
            "decide",
            "env",
            "aws",
            "observe",
            "pause",
            "record",
            "notify",
            "act",
            "controller",
        ],
    ),
    (
        "sim",
        &[
            "model",
            "policy",
            "decide",
            "env",
            "aws",
            "observe",
            "pause",
            "record",
            "notify",
            "act",
            "controller",
            "serve",
        ],
    ),
    (
        "cli",
        &[
            "model",
            "policy",
            "decide",
            "env",
            "aws",
            "observe",
            "pause",
            "record",
            "notify",
            "act",
            "controller",
            "serve",
            "sim",
        ],
    ),
];

/// The parts of the simulated AWS that judge the program: code shared with it would share its mistakes.
const INDEPENDENT: &[&str] = &["src/sim/world/", "src/sim/wire/", "src/sim/oracle/"];
const NOT_SHARED: &[&str] = &["aws", "observe", "decide"];

/// What the top level holds; `target` and `state` are what git ignores there.
const TOP_LEVEL: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "LICENSE",
    "README.md",
    "deploy",
    "policies",
    "src",
    "tests",
];
const IGNORED: &[&str] = &["target", "state"];

/// Words that stop the program, or were meant for the developer's eyes alone.
const PANICS: &[&str] = &[
    ".unwrap()",
    ".expect(",
    ".unwrap_err()",
    ".expect_err(",
    "panic!(",
    "todo!(",
    "unimplemented!(",
    "unreachable!(",
    "dbg!(",
];

/// One file, by its path from the top.
#[derive(Clone)]
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// The folder of src that the file belongs to, if any: `src/lib.rs` and `src/main.rs` belong to none.
    fn folder(&self) -> Option<&str> {
        let (folder, _) = self.path.strip_prefix("src/")?.split_once('/')?;
        Some(folder)
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn walk(folder: &str, into: &mut Vec<Source>) {
    let mut entries: Vec<_> = fs::read_dir(root().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap())
        .collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().into_string().unwrap();
        let path = if folder.is_empty() {
            name.clone()
        } else {
            format!("{folder}/{name}")
        };
        if IGNORED.contains(&path.as_str()) || name == ".git" || name == "__pycache__" {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            walk(&path, into);
        } else if let Ok(text) = fs::read_to_string(entry.path()) {
            into.push(Source { path, text });
        }
    }
}

fn tree() -> Vec<Source> {
    let mut files = Vec::new();
    walk("", &mut files);
    files
}

fn rust(files: &[Source]) -> Vec<Source> {
    files
        .iter()
        .filter(|file| file.path.ends_with(".rs"))
        .cloned()
        .collect()
}

fn src(files: &[Source]) -> Vec<Source> {
    rust(files)
        .into_iter()
        .filter(|file| file.path.starts_with("src/"))
        .collect()
}

/// Without comments. A `//` inside a string ends the line too early, which can hide a violation and make none.
fn code(text: &str) -> String {
    let kept = |line: &str| match line.trim_start().starts_with("//") {
        true => String::new(),
        false => line.split(" // ").next().unwrap_or_default().to_owned(),
    };
    text.lines().map(kept).collect::<Vec<_>>().join("\n")
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Without the items under `#[cfg(test)]`, found by rustfmt's indentation.
fn without_tests(text: &str) -> String {
    let mut kept = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            kept.push(line);
            continue;
        }
        let end = format!("{:1$}}}", "", indent(line));
        let attribute = |line: &&str| line.trim_start().starts_with("#[");
        let item = lines.by_ref().find(|line| !attribute(line)).unwrap_or_default();
        if !item.ends_with(';') && !item.ends_with('}') {
            lines
                .by_ref()
                .find(|line| *line == end || *line == format!("{end};"));
        }
    }
    kept.join("\n")
}

/// The paths of modules that exist in tests alone, without `.rs`: declared under `#[cfg(test)]`.
fn test_modules(files: &[Source]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in files {
        let home = match file.path.rsplit_once('/') {
            Some((folder, "mod.rs" | "lib.rs")) => folder.to_owned(),
            _ => file.path.trim_end_matches(".rs").to_owned(),
        };
        let beside = file
            .path
            .rsplit_once('/')
            .map_or("", |(folder, _)| folder)
            .to_owned();
        let (mut in_tests, mut place) = (false, None);
        for line in file.text.lines().map(str::trim) {
            if line == "#[cfg(test)]" {
                in_tests = true;
            } else if let Some(name) = line.strip_prefix("#[path = \"") {
                place = Some(format!("{beside}/{}", name.trim_end_matches(".rs\"]")));
            } else {
                let name = line
                    .trim_end_matches(';')
                    .rsplit("mod ")
                    .next()
                    .unwrap_or_default();
                if in_tests && line.contains("mod ") && line.ends_with(';') {
                    found.insert(place.take().unwrap_or(format!("{home}/{name}")));
                }
                (in_tests, place) = (false, None);
            }
        }
    }
    found
}

/// Without the files of src that exist in tests alone.
fn without_test_files(files: Vec<Source>) -> Vec<Source> {
    let tests = test_modules(&src(&files));
    let of_tests = |path: &str| {
        let path = path.trim_end_matches(".rs");
        tests
            .iter()
            .any(|module| path == module || path.starts_with(&format!("{module}/")))
    };
    files.into_iter().filter(|file| !of_tests(&file.path)).collect()
}

/// What ships: src without its tests and without comments.
fn shipped(files: &[Source]) -> Vec<Source> {
    without_test_files(src(files))
        .into_iter()
        .map(|file| Source {
            text: code(&without_tests(&file.text)),
            path: file.path,
        })
        .collect()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn first_word(text: &str) -> String {
    text.trim_start().chars().take_while(|c| is_word(*c)).collect()
}

/// The parts of `{a, b::{c, d}}` at its own level; `text` begins after the brace.
fn parts_of_group(text: &str) -> Vec<String> {
    let (mut depth, mut parts, mut part) = (0, Vec::new(), String::new());
    for c in text.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => parts.push(std::mem::take(&mut part)),
            _ => {}
        }
        if c != ',' || depth > 0 {
            part.push(c);
        }
    }
    parts.push(part);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// The folders of src that a piece of code names, by `crate::`, by the crate's name, or by climbing with `super::`.
fn named_folders(file: &Source) -> BTreeSet<String> {
    let depth = file.path.trim_end_matches("/mod.rs").matches('/').count();
    let climb = "super::".repeat(depth);
    let mut named = BTreeSet::new();
    for root in ["crate::", "keepgreen::", climb.as_str()] {
        if root.is_empty() {
            continue;
        }
        for (at, _) in file.text.match_indices(root) {
            if file.text[..at]
                .chars()
                .next_back()
                .is_some_and(|c| is_word(c) || c == '$')
            {
                continue;
            }
            let rest = &file.text[at + root.len()..];
            match rest.strip_prefix('{') {
                Some(group) => named.extend(parts_of_group(group).iter().map(|part| first_word(part))),
                None => drop(named.insert(first_word(rest))),
            }
        }
    }
    let known = |name: &String| LAYERS.iter().any(|(folder, _)| folder == name);
    named.retain(known);
    named
}

fn import_violations(file: &Source) -> Vec<String> {
    let Some(folder) = file.folder() else {
        return Vec::new();
    };
    let Some((_, may)) = LAYERS.iter().find(|(name, _)| *name == folder) else {
        return vec![format!("{}: src/{folder} is no folder of the design", file.path)];
    };
    let independent = INDEPENDENT.iter().any(|part| file.path.starts_with(part));
    let wrong = |name: &&String| {
        let backwards = *name != folder && !may.contains(&name.as_str());
        backwards || (independent && NOT_SHARED.contains(&name.as_str()))
    };
    let named = named_folders(file);
    named
        .iter()
        .filter(wrong)
        .map(|name| format!("{}: may not name {name}", file.path))
        .collect()
}

fn crate_violations(file: &Source) -> Vec<String> {
    let mut found = Vec::new();
    if file.text.contains("aws_sdk_") && file.folder() != Some("aws") {
        found.push(format!(
            "{}: only src/aws names the SDK's service crates",
            file.path
        ));
    }
    let names_backoff = file.text.contains("use backoff::") || file.text.contains("= backoff::");
    // In the folder's own mod.rs the word is that file's.
    let its_room = ["src/env/backoff.rs", "src/env/mod.rs"].contains(&file.path.as_str());
    if names_backoff && !its_room {
        found.push(format!(
            "{}: only src/env/backoff.rs names the crate `backoff`",
            file.path
        ));
    }
    found
}

fn panic_violations(file: &Source) -> Vec<String> {
    let stops = |line: &str| PANICS.iter().find(|word| line.contains(*word));
    let lines = file.text.lines().enumerate();
    lines
        .filter_map(|(n, line)| stops(line).map(|word| format!("{}: {word} (line {n})", file.path)))
        .collect()
}

fn length_violations(file: &Source) -> Vec<String> {
    let lines = file.text.lines().count();
    let long = lines > LONGEST_FILE_LINES;
    long.then(|| format!("{}: {lines} lines, more than {LONGEST_FILE_LINES}", file.path))
        .into_iter()
        .collect()
}

fn is_function(line: &str) -> bool {
    let mut words = line.split_whitespace().skip_while(|word| {
        matches!(*word, "async" | "const" | "unsafe" | "extern") || word.starts_with("pub")
    });
    words.next() == Some("fn")
}

/// Lines of the function that begins at the first of `lines`, blank ones aside; `None` if it has no body.
fn function_lines(lines: &[&str]) -> Option<usize> {
    let (first, depth) = (lines.first()?, indent(lines.first()?));
    if first.ends_with(';') {
        return None;
    }
    if first.ends_with('}') {
        return Some(1);
    }
    let mut begun = first.ends_with('{');
    let mut count = 1;
    for line in &lines[1..] {
        count += usize::from(!line.trim().is_empty());
        if !begun && indent(line) == depth && line.ends_with(';') {
            return None;
        }
        begun |= indent(line) == depth && line.ends_with('{');
        if begun && indent(line) == depth && line.trim_start().starts_with('}') {
            break;
        }
    }
    Some(count)
}

fn function_violations(file: &Source) -> Vec<String> {
    let lines: Vec<&str> = file.text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if !is_function(line) {
            continue;
        }
        if let Some(count) = function_lines(&lines[at..]).filter(|count| *count > LONGEST_FUNCTION_LINES) {
            found.push(format!("{}: {} is {count} lines long", file.path, line.trim()));
        }
    }
    found
}

fn module_doc_violations(file: &Source) -> Vec<String> {
    let documented = file
        .text
        .lines()
        .find(|line| !line.trim().is_empty())
        .is_some_and(|line| line.starts_with("//!"));
    (!documented)
        .then(|| format!("{}: begins without a module doc", file.path))
        .into_iter()
        .collect()
}

/// What belongs to the machine that wrote a file, or to one registry, has no place in it. The words are split here, or
/// this file would be the first to break the rule.
fn machine_violations(file: &Source) -> Vec<String> {
    let words = [
        ["crates", ".io"],
        ["pypi", ".org"],
        ["npmjs", ".org"],
        ["proxy.golang", ".org"],
        ["pythonhosted", ".org"],
        ["/wo", "rk/"],
        ["/tmp", "/wt"],
        ["/ro", "ot/"],
        ["/ho", "me/"],
    ];
    let found = words
        .iter()
        .map(|word| word.concat())
        .filter(|word| file.text.contains(word));
    found.map(|word| format!("{}: says {word}", file.path)).collect()
}

/// The commands that a text shows, each as the word after `keepgreen` at a command's place.
fn shown_commands(text: &str) -> BTreeSet<String> {
    let mut shown = BTreeSet::new();
    let mut fenced = false;
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```");
        for (at, name) in line.match_indices("keepgreen ") {
            let before = line[..at].trim_end_matches("./target/debug/").trim_end();
            let quoted = line[..at].matches('`').count() % 2 == 1;
            let command = quoted || (fenced && (before.is_empty() || before.ends_with(['$', '|', '&', ';'])));
            let word = first_word(&line[at + name.len()..]);
            if command
                && !word.is_empty()
                && line[at + name.len()..].starts_with(|c: char| c.is_ascii_lowercase())
            {
                shown.insert(word);
            }
        }
    }
    shown
}

fn assert_none(violations: Vec<String>) {
    assert!(
        violations.is_empty(),
        "{} violations:\n{}",
        violations.len(),
        violations.join("\n")
    );
}

fn every(files: Vec<Source>, rule: fn(&Source) -> Vec<String>) {
    assert!(!files.is_empty());
    assert_none(files.iter().flat_map(rule).collect());
}

#[test]
fn each_folder_names_only_earlier_ones() {
    // Tests are held to it too, those of `aws` aside, which no later folder can stand in for.
    every(
        src(&tree())
            .into_iter()
            .map(|file| Source {
                text: code(&file.text),
                ..file
            })
            .collect(),
        import_violations,
    );
}

#[test]
fn a_step_backwards_in_the_imports_is_caught() {
    let caught = |path: &str, text: &str| !import_violations(&Source::new(path, text)).is_empty();
    assert!(caught("src/model/a.rs", "use crate::policy::Policy;"));
    assert!(caught(
        "src/pause/a.rs",
        "use crate::{env::Env, record::Journal};"
    ));
    assert!(caught("src/env/a.rs", "fn f() { super::super::policy::x(); }"));
    assert!(caught("src/sim/oracle/a.rs", "use crate::decide::Plan;"));
    assert!(caught("src/extras/a.rs", ""));
    assert!(!caught(
        "src/act/a.rs",
        "use crate::{env::Env, record::{Journal, act}};"
    ));
    assert!(!caught(
        "src/policy/mod.rs",
        "use super::model::A; use self::cli::B;"
    ));
    assert!(!caught("src/sim/a.rs", "use crate::decide::Plan;"));
}

#[test]
fn only_their_own_rooms_name_the_sdk_and_backoff() {
    every(shipped(&tree()), crate_violations);
}

#[test]
fn an_sdk_type_outside_its_room_is_caught() {
    let caught = |path: &str, text: &str| !crate_violations(&Source::new(path, text)).is_empty();
    assert!(caught("src/observe/a.rs", "use aws_sdk_ec2::Client;"));
    assert!(caught("src/controller/a.rs", "use backoff::ExponentialBackoff;"));
    assert!(!caught("src/aws/a.rs", "use aws_sdk_ec2::Client;"));
    assert!(!caught("src/controller/a.rs", "use crate::env::Backoff;"));
}

#[test]
fn nothing_that_ships_can_panic_on_purpose() {
    every(shipped(&tree()), panic_violations);
}

#[test]
fn a_panic_is_caught_and_one_in_a_test_is_not() {
    let files = |text: &str| shipped(&[Source::new("src/model/a.rs", text)]);
    let caught = |text: &str| !panic_violations(&files(text)[0]).is_empty();
    assert!(caught("fn f() { x.unwrap(); }"));
    assert!(caught(
        "#[cfg(test)]\nmod tests {\n    use x;\n}\nfn f() { panic!(\"no\") }"
    ));
    assert!(caught("#[cfg(test)]\nmod tests;\nfn f() { todo!() }"));
    assert!(!caught(
        "#[cfg(test)]\nmod tests {\n    fn f() {\n        x.unwrap();\n    }\n}"
    ));
    assert!(!caught("// x.unwrap() would\nfn f() { x.unwrap_or(1); }"));
    let tree = [
        Source::new(
            "src/model/mod.rs",
            "#[cfg(test)]\npub(crate) mod fixtures;\nmod b;",
        ),
        Source::new(
            "src/model/b.rs",
            "#[cfg(test)]\n#[path = \"b_tests.rs\"]\nmod tests;",
        ),
        Source::new("src/model/fixtures.rs", ""),
        Source::new("src/model/b_tests.rs", ""),
        Source::new("src/model/b/tests.rs", ""),
    ];
    let left: Vec<String> = shipped(&tree).into_iter().map(|file| file.path).collect();
    assert_eq!(
        left,
        ["src/model/mod.rs", "src/model/b.rs", "src/model/b/tests.rs"]
    );
}

#[test]
fn files_and_functions_are_short() {
    every(rust(&tree()), length_violations);
    // Tables of test cases may be as long as what they cover.
    every(shipped(&tree()), function_violations);
    let suite = rust(&tree())
        .into_iter()
        .filter(|file| file.path.starts_with("tests/"));
    every(suite.collect(), function_violations);
    let main = tree()
        .into_iter()
        .find(|file| file.path == "src/main.rs")
        .unwrap();
    assert!(
        main.text.lines().count() <= 40,
        "src/main.rs has more than 40 lines"
    );
}

#[test]
fn a_long_file_and_a_long_function_are_caught() {
    assert!(!length_violations(&Source::new("a.rs", &"\n".repeat(801))).is_empty());
    assert!(length_violations(&Source::new("a.rs", &"\n".repeat(800))).is_empty());
    let body = |lines: usize| "        x();\n\n".repeat(lines);
    let function = |lines: usize| {
        format!(
            "impl A {{\n    pub async fn f(\n        x: u8,\n    ) {{\n{}    }}\n}}\n",
            body(lines)
        )
    };
    assert_eq!(function_violations(&Source::new("a.rs", &function(67))).len(), 1);
    assert!(function_violations(&Source::new("a.rs", &function(66))).is_empty());
    let declared = format!(
        "trait A {{\n    fn f();\n    fn g(\n        x: u8,\n    );\n{}}}\n",
        "    //\n".repeat(90)
    );
    assert!(function_violations(&Source::new("a.rs", &declared)).is_empty());
}

#[test]
fn every_module_says_what_it_is_for() {
    every(without_test_files(rust(&tree())), module_doc_violations);
    assert!(!module_doc_violations(&Source::new("a.rs", "use x;\n//! Too late.")).is_empty());
}

#[test]
fn the_top_level_holds_what_the_design_says_and_no_more() {
    let entries = fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let found: BTreeSet<String> = entries
        .filter(|name| !name.starts_with('.') && !IGNORED.contains(&name.as_str()))
        .collect();
    let meant: BTreeSet<String> = TOP_LEVEL.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(found, meant);
}

#[test]
fn no_file_tells_of_the_machine_that_wrote_it() {
    let files = tree()
        .into_iter()
        .filter(|file| file.path != "Cargo.lock")
        .collect();
    every(files, machine_violations);
    assert!(!machine_violations(&Source::new("a", &["see /ho", "me/ann"].concat())).is_empty());
}

#[test]
fn each_example_policy_is_parsed_by_a_test() {
    let tests: String = src(&tree())
        .into_iter()
        .filter(|file| !code(&file.text).is_empty())
        .map(|file| file.text)
        .collect();
    let policies = tree()
        .into_iter()
        .filter(|file| file.path.starts_with("policies/") && file.path.ends_with(".yaml"));
    let untested: Vec<String> = policies
        .map(|file| file.path.trim_start_matches("policies/").to_owned())
        .filter(|name| !tests.contains(&format!("\"{name}\"")))
        .collect();
    assert_none(untested);
}

#[test]
fn the_readmes_show_only_commands_that_exist() {
    let files = tree();
    let commands: BTreeSet<&str> = files
        .iter()
        .filter_map(|file| file.path.strip_prefix("src/cli/")?.strip_suffix(".rs"))
        .collect();
    let mut shown: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        shown.insert(&file.path, shown_commands(&file.text));
    }
    let unknown = shown.iter().flat_map(|(path, words)| {
        words
            .iter()
            .filter(|word| !commands.contains(word.as_str()))
            .map(move |word| format!("{path}: {word}"))
    });
    assert_none(unknown.collect());
}

#[test]
fn commands_are_found_in_code_and_not_in_prose() {
    let text = "When keepgreen sleeps, run `keepgreen plan tis`.\n```\nkeepgreen run --once\nX=1 keepgreen\n```\nkeepgreen heals.";
    assert_eq!(
        shown_commands(text),
        BTreeSet::from(["plan".to_owned(), "run".to_owned()])
    );
}

#[test]
fn the_scripts_can_be_executed() {
    use std::os::unix::fs::PermissionsExt as _;
    for script in ["tests/run", ".ci/run"] {
        let mode = fs::metadata(root().join(script)).unwrap().permissions().mode();
        assert!(mode & 0o111 == 0o111, "{script} is not executable");
    }
}
