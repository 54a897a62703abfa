//! From the tree to values: a small typed decoder that goes on after an error.
//!
//! Every reader returns `None` after it reported what is wrong, and its caller goes on with the rest, so that one
//! run shows every mistake. Whoever decodes a map asks for each key that it knows; what nobody asked for is unknown,
//! so the list of known keys cannot drift from what is read.

use super::duration::{format_duration, parse_duration};
use super::names::Rule;
use super::problem::{Masking, Problem, Problems, Span, nearest};
use super::tree::{Entry, Node, Value, is_nothing};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

/// Where each key of the schema belongs: the path of its map, such as `heal`; empty for the top of the file.
pub(super) type Homes = BTreeMap<String, String>;

/// Reports problems of one file.
pub(super) struct Decoder<'t> {
    pub problems: Problems<'t>,
    read_homes: fn() -> Homes,
    /// Made when the first unknown key is found: most files have none.
    homes: Option<Homes>,
}

/// A value and the path of keys that leads to it, for messages.
#[derive(Clone)]
pub(super) struct At<'n> {
    pub node: &'n Node,
    pub path: String,
}

impl<'t> Decoder<'t> {
    pub fn new(problems: Problems<'t>, read_homes: fn() -> Homes) -> Self {
        Self {
            problems,
            read_homes,
            homes: None,
        }
    }

    fn home_of(&mut self, key: &str) -> Option<&str> {
        let homes = self.homes.get_or_insert_with(self.read_homes);
        homes.get(key).map(String::as_str)
    }

    pub fn problem(&self, span: Span, message: impl Into<String>) -> Problem {
        self.problems.problem(span, message)
    }

    pub fn push(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Reports and returns `None`, for use at the end of a reader.
    pub fn refuse<T>(&mut self, problem: Problem) -> Option<T> {
        self.push(problem);
        None
    }

    pub fn quote(&self, text: &str) -> String {
        self.problems.source.quote(text)
    }

    /// Opens a map.
    pub fn fields<'n>(&mut self, at: &At<'n>) -> Option<Fields<'n>> {
        match &at.node.value {
            Value::Map(entries) => Some(Fields {
                entries,
                path: at.path.clone(),
                span: at.node.span,
                known: Vec::new(),
            }),
            _ => self.wrong_kind(at, "a map of keys"),
        }
    }

    /// A list's items; `max` bounds them.
    pub fn list<'n>(&mut self, at: &At<'n>, max: usize, expected: &str) -> Option<Vec<At<'n>>> {
        let Value::List(items) = &at.node.value else {
            return self.wrong_kind(at, expected);
        };
        if items.len() > max {
            let message = format!("`{}` has {} items", at.path, items.len());
            let problem = self
                .problem(at.node.span, message)
                .expected(format!("at most {max}"));
            return self.refuse(problem);
        }
        let item = |(index, node)| At {
            node,
            path: format!("{}[{index}]", at.path),
        };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// Text; a plain number or truth value is refused, since YAML readers disagree about what it is.
    pub fn text<'n>(&mut self, at: &At<'n>, expected: &str) -> Option<&'n str> {
        let Value::Scalar { text, plain } = &at.node.value else {
            return self.wrong_kind(at, expected);
        };
        if is_nothing(at.node) {
            return self.wrong_kind(at, expected);
        }
        if *plain && is_not_text(text) {
            let kind = if is_truth(text) {
                "a truth value"
            } else {
                "a number"
            };
            let problem = self
                .problem(
                    at.node.span,
                    format!("`{}` is written as {kind}, and a text belongs here", at.path),
                )
                .expected(expected)
                .suggest(format!("quote it: \"{}\"", self.quote(text).trim_matches('`')));
            return self.refuse(problem);
        }
        Some(text)
    }

    /// Text that follows a rule.
    pub fn name<'n>(&mut self, at: &At<'n>, rule: &Rule) -> Option<&'n str> {
        let text = self.text(at, rule.expected)?;
        if (rule.accepts)(text) {
            return Some(text);
        }
        let tidy = text.trim().to_ascii_lowercase().replace(['_', ' '], "-");
        let suggestion = (rule.accepts)(&tidy).then(|| did_you_mean(&tidy));
        let message = format!("{} is not {}", self.quote(text), rule.what);
        let problem = self
            .problem(at.node.span, message)
            .expected(rule.expected)
            .maybe_suggest(suggestion);
        self.refuse(problem)
    }

    pub fn boolean(&mut self, at: &At<'_>) -> Option<bool> {
        match &at.node.value {
            Value::Scalar { text, plain: true } if matches!(text.as_str(), "true" | "True" | "TRUE") => {
                Some(true)
            }
            Value::Scalar { text, plain: true } if matches!(text.as_str(), "false" | "False" | "FALSE") => {
                Some(false)
            }
            Value::Scalar { text, .. } => {
                let suggestion = match text.to_ascii_lowercase().as_str() {
                    "yes" | "y" | "on" | "1" | "true" => Some("write `true`, without quotes".to_owned()),
                    "no" | "n" | "off" | "0" | "false" => Some("write `false`, without quotes".to_owned()),
                    _ => None,
                };
                let message = format!("{} is neither true nor false", self.quote(text));
                let problem = self
                    .problem(at.node.span, message)
                    .expected("true or false")
                    .maybe_suggest(suggestion);
                self.refuse(problem)
            }
            _ => self.wrong_kind(at, "true or false"),
        }
    }

    /// A whole number within bounds; `why` says what the bounds are for.
    pub fn integer(&mut self, at: &At<'_>, bounds: RangeInclusive<u32>, why: &str) -> Option<u32> {
        let expected = format!("a whole number from {} to {}", bounds.start(), bounds.end());
        let Value::Scalar { text, plain } = &at.node.value else {
            return self.wrong_kind(at, &expected);
        };
        if is_nothing(at.node) {
            return self.wrong_kind(at, &expected);
        }
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // A leading zero means octal to some YAML readers and not to others.
        if !plain || !digits || (text.len() > 1 && text.starts_with('0')) {
            let quoted = !plain && digits;
            let suggestion = quoted.then(|| format!("write {text} without quotes"));
            let message = format!(
                "{} is not a whole number",
                if quoted {
                    format!("`\"{text}\"`")
                } else {
                    self.quote(text)
                }
            );
            let problem = self
                .problem(at.node.span, message)
                .expected(expected)
                .maybe_suggest(suggestion);
            return self.refuse(problem);
        }
        match text.parse::<u32>() {
            Ok(number) if bounds.contains(&number) => Some(number),
            _ => {
                let message = format!(
                    "`{}` cannot be {}: {why}",
                    at.path,
                    self.quote(text).trim_matches('`')
                );
                let problem = self.problem(at.node.span, message).expected(expected);
                self.refuse(problem)
            }
        }
    }

    /// A duration within bounds.
    pub fn duration(&mut self, at: &At<'_>, bounds: RangeInclusive<Duration>) -> Option<Duration> {
        const EXPECTED: &str = "a whole number with s, m, h or d, such as 10m";
        let Value::Scalar { text, .. } = &at.node.value else {
            return self.wrong_kind(at, EXPECTED);
        };
        if is_nothing(at.node) {
            return self.wrong_kind(at, EXPECTED);
        }
        match parse_duration(text) {
            Ok(duration) if bounds.contains(&duration) => Some(duration),
            Ok(_) => {
                let (least, most) = (format_duration(*bounds.start()), format_duration(*bounds.end()));
                let message = format!("`{}` cannot be {}", at.path, self.quote(text).trim_matches('`'));
                let problem = self
                    .problem(at.node.span, message)
                    .expected(format!("a duration from {least} to {most}"));
                self.refuse(problem)
            }
            Err(error) => {
                let message = format!("{} is not a duration: {error}", self.quote(text));
                let problem = self
                    .problem(at.node.span, message)
                    .expected(EXPECTED)
                    .maybe_suggest(error.suggestion);
                self.refuse(problem)
            }
        }
    }

    /// One word out of a closed list.
    pub fn choice<T: Choice>(&mut self, at: &At<'_>) -> Option<T> {
        let words = || T::WORDS.iter().map(|(word, _)| *word);
        let expected = one_of(words());
        let text = self.text(at, &expected)?;
        if let Some((_, value)) = T::WORDS.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let suggestion = nearest(text, words()).map(did_you_mean);
        let message = format!("`{}` cannot be {}", at.path, self.quote(text));
        let problem = self
            .problem(at.node.span, message)
            .expected(expected)
            .maybe_suggest(suggestion);
        self.refuse(problem)
    }

    /// A value where the config file keeps secrets, but not in a place for one: it may be one all the same.
    fn keep_out(&mut self, path: &str, node: &Node) {
        let near_secrets = path.starts_with("notify") || path.starts_with("heartbeat");
        if self.problems.source.masking != Masking::Tokens || !near_secrets {
            return;
        }
        match &node.value {
            Value::Scalar { text, .. } => self.problems.hide(node.span, text),
            Value::List(items) => items.iter().for_each(|item| self.keep_out(path, item)),
            Value::Map(entries) => entries.iter().for_each(|entry| self.keep_out(path, &entry.value)),
        }
    }

    /// Says what stands in place of `expected`.
    pub fn wrong_kind<T>(&mut self, at: &At<'_>, expected: &str) -> Option<T> {
        let found = match &at.node.value {
            _ if is_nothing(at.node) => "has no value",
            Value::Scalar { .. } => "is a single value",
            Value::List(_) => "is a list",
            Value::Map(_) => "is a map of keys",
        };
        let place = if at.path.is_empty() {
            "the file".to_owned()
        } else {
            format!("`{}`", at.path)
        };
        self.keep_out(&at.path, at.node);
        let mut problem = self
            .problem(at.node.span, format!("{place} {found}"))
            .expected(expected);
        if is_nothing(at.node) && !at.path.is_empty() {
            problem = problem.suggest("give it a value, or leave the key out");
        }
        self.refuse(problem)
    }
}

/// A closed list of words.
pub(super) trait Choice: Copy + 'static {
    const WORDS: &'static [(&'static str, Self)];
}

/// A map whose keys are being asked for.
pub(super) struct Fields<'n> {
    entries: &'n [Entry],
    path: String,
    pub span: Span,
    known: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    /// The value of an optional key.
    pub fn get(&mut self, key: &'static str) -> Option<At<'n>> {
        self.known.push(key);
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        Some(At {
            node: &entry.value,
            path: self.path_to(key),
        })
    }

    /// The value of a key that must be there.
    pub fn need(&mut self, key: &'static str, expected: &str, decoder: &mut Decoder<'_>) -> Option<At<'n>> {
        if let Some(at) = self.get(key) {
            return Some(at);
        }
        let place = if self.path.is_empty() {
            String::new()
        } else {
            format!(" in `{}`", self.path)
        };
        let problem = decoder
            .problem(self.span, format!("the key `{key}` is missing{place}"))
            .expected(format!("{key}: {expected}"));
        decoder.refuse(problem)
    }

    /// Where this key stands.
    pub fn key_span(&self, key: &str) -> Option<Span> {
        self.entries
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| entry.key_span)
    }

    /// All entries, for maps whose keys are names.
    pub fn names(&self) -> impl Iterator<Item = (&'n str, Span, At<'n>)> + use<'n> {
        let path = self.path.clone();
        self.entries.iter().map(move |entry| {
            let path = join(&path, &entry.key);
            (
                entry.key.as_str(),
                entry.key_span,
                At {
                    node: &entry.value,
                    path,
                },
            )
        })
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Reports the keys that nobody asked for.
    pub fn finish(self, decoder: &mut Decoder<'_>) {
        let known: BTreeSet<&str> = self.known.iter().copied().collect();
        let present: BTreeSet<&str> = self.entries.iter().map(|entry| entry.key.as_str()).collect();
        for entry in self
            .entries
            .iter()
            .filter(|entry| !known.contains(entry.key.as_str()))
        {
            decoder.keep_out(&self.path_to(&entry.key), &entry.value);
            if decoder.problems.is_full() {
                decoder.push(decoder.problem(entry.key_span, "unknown key"));
                continue;
            }
            let key: String = entry.key.chars().take(100).collect();
            let unused = known.iter().copied().filter(|key| !present.contains(key));
            let suggestion = match (nearest(&key, unused), decoder.home_of(&key)) {
                (Some(near), _) => Some(did_you_mean(near)),
                (None, Some("")) => Some("this key belongs at the top of the file".to_owned()),
                (None, Some(home)) => Some(format!("this key belongs under `{home}`")),
                (None, None) => nearest(&key, known.iter().copied()).map(did_you_mean),
            };
            let place = if self.path.is_empty() {
                String::new()
            } else {
                format!(" in `{}`", self.path)
            };
            let problem = decoder
                .problem(
                    entry.key_span,
                    format!("unknown key {}{place}", decoder.quote(&key)),
                )
                .expected(one_of(self.known.iter().copied()))
                .maybe_suggest(suggestion);
            decoder.push(problem);
        }
    }

    fn path_to(&self, key: &str) -> String {
        join(&self.path, key)
    }
}

fn join(path: &str, key: &str) -> String {
    let key: String = key
        .chars()
        .take(63)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if path.is_empty() {
        key
    } else {
        format!("{path}.{key}")
    }
}

pub(super) fn did_you_mean(word: &str) -> String {
    format!("did you mean `{word}`?")
}

/// `a`, `a or b`, `a, b or c`.
pub(super) fn one_of<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    match words.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, first)) => format!("{} or {last}", first.join(", ")),
        None => "nothing".to_owned(),
    }
}

/// Whether YAML 1.2 readers, or 1.1 readers, take a plain word for something else than text. `yes` and `on` stay
/// text: 1.2 says so, and no text key here has them as a meaningful value.
fn is_not_text(text: &str) -> bool {
    is_truth(text) || is_number(text)
}

fn is_truth(text: &str) -> bool {
    matches!(text, "true" | "True" | "TRUE" | "false" | "False" | "FALSE")
}

fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let radix = |prefix: &str, radix: u32| {
        unsigned
            .strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_digit(radix)))
    };
    radix("0x", 16)
        || radix("0o", 8)
        || matches!(unsigned, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN")
        // Rust also reads `inf` and `nan`, which are words here.
        || (unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') && unsigned.parse::<f64>().is_ok())
}
